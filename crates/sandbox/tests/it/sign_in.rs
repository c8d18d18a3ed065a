//! The code flow and the pages on its way.

use callbox_sandbox::{AUDIENCE, Page, ResponseIss, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, Sandbox, Visitor};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, jwk::JwkSet};
use serde_json::{Value, json};

use crate::app::{self, ADA, REDIRECT, authorize_url, exchange, param, text};

async fn shown(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Page {
    Visitor::new().unwrap().open(&authorize_url(sandbox, changes)).await.unwrap()
}

async fn get_json(sandbox: &Sandbox, path: &str) -> Value {
    app::http().get(sandbox.issuer().join(path).unwrap()).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_code_is_exchanged_for_tokens_that_the_published_keys_verify() {
    let sandbox = app::sandbox().await;
    let callback = Visitor::new().unwrap().sign_in(&authorize_url(&sandbox, &[]), ADA).await.unwrap();
    assert!(callback.starts_with(&format!("{REDIRECT}?")), "{callback}");
    assert_eq!(param(&callback, "state").as_deref(), Some("the-state"));
    assert_eq!(param(&callback, "iss").as_deref(), Some(sandbox.issuer().as_str()));

    let (status, tokens) = exchange(&sandbox, &param(&callback, "code").unwrap(), &[]).await;
    assert_eq!(status, 200, "{tokens}");
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
    assert_eq!(tokens["scope"], app::SCOPE);
    assert!(text(&tokens, "refresh_token").len() >= 40);

    let jwks: JwkSet = serde_json::from_value(get_json(&sandbox, ".well-known/jwks.json").await).unwrap();
    let id_token = text(&tokens, "id_token");
    let kid = jsonwebtoken::decode_header(id_token).unwrap().kid.unwrap();
    let key = DecodingKey::from_jwk(jwks.find(&kid).unwrap()).unwrap();
    let mut validation = Validation::new(Algorithm::RS256);
    validation.set_audience(&[sandbox.client_id()]);
    validation.set_issuer(&[sandbox.issuer().as_str()]);
    let claims = jsonwebtoken::decode::<Value>(id_token, &key, &validation).unwrap().claims;
    assert_eq!(claims["sub"], "sandbox|ada");
    assert_eq!(claims["name"], "Ada Lovelace");
    assert_eq!(claims["email"], ADA);
    assert_eq!(claims["nonce"], "the-nonce");

    let access = text(&tokens, "access_token");
    assert_eq!(app::segment(access, 0)["typ"], "at+jwt");
    assert_eq!(app::segment(access, 1)["aud"], json!([AUDIENCE, sandbox.issuer().join("userinfo").unwrap()]));
    let userinfo = app::http().get(sandbox.issuer().join("userinfo").unwrap()).bearer_auth(access).send().await.unwrap();
    assert_eq!(userinfo.json::<Value>().await.unwrap()["email"], ADA);
}

#[tokio::test]
async fn discovery_names_endpoints_that_exist() {
    let sandbox = app::sandbox().await;
    let metadata = get_json(&sandbox, ".well-known/openid-configuration").await;
    assert_eq!(metadata, get_json(&sandbox, ".well-known/oauth-authorization-server").await);
    assert_eq!(metadata["issuer"], sandbox.issuer().as_str());
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], true);
    assert_eq!(metadata["code_challenge_methods_supported"], json!(["S256"]));
    for name in ["authorization_endpoint", "token_endpoint", "userinfo_endpoint", "jwks_uri", "revocation_endpoint", "end_session_endpoint"]
    {
        let answer = app::http().get(text(&metadata, name)).send().await.unwrap();
        assert_ne!(answer.status().as_u16(), 404, "{name}");
    }
    sandbox.control().set_response_iss(ResponseIss::Off);
    let metadata = get_json(&sandbox, ".well-known/openid-configuration").await;
    assert_eq!(metadata["authorization_response_iss_parameter_supported"], false);
}

#[tokio::test]
async fn a_code_is_refused_with_another_verifier_or_redirect_uri() {
    let sandbox = app::sandbox().await;
    let invalid = json!({"error": "invalid_grant", "error_description": "Invalid authorization code"});
    for change in [
        ("code_verifier", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
        ("redirect_uri", "dev.callbox.desktop://callback/"),
        ("redirect_uri", ""),
        ("code", "made-up"),
    ] {
        let code = app::code(&sandbox).await;
        assert_eq!(exchange(&sandbox, &code, &[change]).await, (400, invalid.clone()), "{change:?}");
    }
    let code = app::code(&sandbox).await;
    assert_eq!(exchange(&sandbox, &code, &[("client_id", "somebody")]).await.0, 401);
    assert_eq!(exchange(&sandbox, &code, &[("grant_type", "password")]).await.1["error"], "unsupported_grant_type");
    assert_eq!(exchange(&sandbox, &code, &[("code_verifier", "")]).await.1["error"], "invalid_request");
}

#[tokio::test]
async fn a_code_presented_twice_ends_the_session_that_came_of_it() {
    let sandbox = app::sandbox().await;
    let code = app::code(&sandbox).await;
    let (_, tokens) = exchange(&sandbox, &code, &[]).await;
    assert_eq!(exchange(&sandbox, &code, &[]).await.0, 400);
    assert_eq!(app::refresh(&sandbox, text(&tokens, "refresh_token")).await.0, 403);
}

#[tokio::test]
async fn a_code_is_good_for_ten_minutes() {
    let sandbox = app::sandbox().await;
    let code = app::code(&sandbox).await;
    sandbox.control().advance(std::time::Duration::from_secs(601));
    assert_eq!(exchange(&sandbox, &code, &[]).await.0, 400);
}

#[tokio::test]
async fn the_second_sign_in_of_a_browser_asks_for_confirmation_only() {
    let sandbox = app::sandbox().await;
    let mut visitor = Visitor::new().unwrap();
    visitor.sign_in(&authorize_url(&sandbox, &[]), ADA).await.unwrap();

    let Page::Shown { url, html, .. } = visitor.open(&authorize_url(&sandbox, &[])).await.unwrap() else { panic!("silent") };
    assert_eq!(url.path(), "/u/confirm");
    assert!(html.contains("Ada Lovelace"), "{html}");
    let Page::Left(callback) = visitor.submit(&url, &[("action", "accept")]).await.unwrap() else { panic!("stayed") };
    assert!(param(&callback, "code").is_some());

    // Pressing the button again gives another code: the first may never have reached the app.
    let Page::Left(again) = visitor.submit(&url, &[("action", "accept")]).await.unwrap() else { panic!("stayed") };
    assert_ne!(param(&again, "code"), param(&callback, "code"));

    let Page::Left(declined) = visitor.submit(&url, &[("action", "decline")]).await.unwrap() else { panic!("stayed") };
    assert_eq!(param(&declined, "error").as_deref(), Some("access_denied"));
    assert_eq!(param(&declined, "state").as_deref(), Some("the-state"));

    let page = visitor.open(&authorize_url(&sandbox, &[("prompt", "login")])).await.unwrap();
    assert!(matches!(page, Page::Shown { url, .. } if url.path() == "/u/login"));
}

#[tokio::test]
async fn prompt_none_is_refused_where_any_app_could_take_the_callback() {
    let sandbox = app::sandbox().await;
    let mut visitor = Visitor::new().unwrap();
    let silent = authorize_url(&sandbox, &[("prompt", "none")]);
    let Page::Left(callback) = visitor.open(&silent).await.unwrap() else { panic!("a page") };
    assert_eq!(param(&callback, "error").as_deref(), Some("login_required"));
    visitor.sign_in(&authorize_url(&sandbox, &[]), ADA).await.unwrap();
    let Page::Left(callback) = visitor.open(&silent).await.unwrap() else { panic!("a page") };
    assert_eq!(param(&callback, "error").as_deref(), Some("interaction_required"));
    sandbox.control().set(|settings| settings.confirm = false);
    let Page::Left(callback) = visitor.open(&silent).await.unwrap() else { panic!("a page") };
    assert!(param(&callback, "code").is_some(), "{callback}");
}

#[tokio::test]
async fn consent_is_asked_for_once_and_can_be_declined() {
    let sandbox = app::sandbox().await;
    sandbox.control().set(|settings| settings.consent = true);
    let mut visitor = Visitor::new().unwrap();
    let Page::Shown { url, .. } = visitor.open(&authorize_url(&sandbox, &[])).await.unwrap() else { panic!("left") };
    let login = [("username", ADA), ("password", "sandbox"), ("action", "default")];
    let Page::Shown { url, html, .. } = visitor.submit(&url, &login).await.unwrap() else { panic!("left") };
    assert_eq!(url.path(), "/u/consent");
    assert!(html.contains("Know your email address"));

    let Page::Left(declined) = visitor.submit(&url, &[("action", "decline")]).await.unwrap() else { panic!("stayed") };
    assert_eq!(param(&declined, "error").as_deref(), Some("access_denied"));
    sandbox.control().set(|settings| settings.decline_redirects = false);
    let stayed = visitor.submit(&url, &[("action", "decline")]).await.unwrap();
    assert!(matches!(stayed, Page::Shown { status: 403, .. }), "{stayed:?}");

    assert!(matches!(visitor.submit(&url, &[("action", "accept")]).await.unwrap(), Page::Left(_)));
    let Page::Shown { url, .. } = visitor.open(&authorize_url(&sandbox, &[])).await.unwrap() else { panic!("left") };
    assert_eq!(url.path(), "/u/confirm", "consent is remembered");
}

#[tokio::test]
async fn a_wrong_password_shows_the_page_again_and_cancel_goes_back() {
    let sandbox = app::sandbox().await;
    let mut visitor = Visitor::new().unwrap();
    let Page::Shown { url, .. } = visitor.open(&authorize_url(&sandbox, &[])).await.unwrap() else { panic!("left") };
    let wrong = visitor.submit(&url, &[("username", ADA), ("password", "no"), ("action", "default")]).await.unwrap();
    assert!(matches!(&wrong, Page::Shown { status: 400, html, .. } if html.contains("role=\"alert\"")), "{wrong:?}");
    let Page::Left(callback) = visitor.submit(&url, &[("action", "cancel")]).await.unwrap() else { panic!("stayed") };
    assert_eq!(param(&callback, "error").as_deref(), Some("access_denied"));
    assert_eq!(param(&callback, "iss").as_deref(), Some(sandbox.issuer().as_str()));
}

#[tokio::test]
async fn an_untrusted_redirect_uri_or_client_is_never_redirected_to() {
    let sandbox = app::sandbox().await;
    for change in [
        ("redirect_uri", "https://evil.example/"),
        ("redirect_uri", "dev.callbox.desktop://callback/other"),
        ("redirect_uri", ""),
        ("client_id", "somebody"),
    ] {
        let page = shown(&sandbox, &[change]).await;
        assert!(matches!(page, Page::Shown { status: 403, .. }), "{change:?} {page:?}");
    }
}

#[tokio::test]
async fn a_flawed_request_goes_back_with_its_error_and_state() {
    let sandbox = app::sandbox().await;
    for (change, error) in [
        (("response_type", "token"), "unsupported_response_type"),
        (("code_challenge", ""), "invalid_request"),
        (("code_challenge_method", "plain"), "invalid_request"),
        (("audience", "https://other.example"), "access_denied"),
    ] {
        let Page::Left(callback) = shown(&sandbox, &[change]).await else { panic!("a page for {change:?}") };
        assert_eq!(param(&callback, "error").as_deref(), Some(error), "{change:?}");
        assert_eq!(param(&callback, "state").as_deref(), Some("the-state"));
    }
}

#[tokio::test]
async fn pages_forbid_scripts_frames_and_caches_but_let_the_callback_through() {
    let sandbox = app::sandbox().await;
    let Page::Shown { url, html, .. } = shown(&sandbox, &[]).await else { panic!("left") };
    assert!(html.contains("demo people, nothing leaves this computer"), "{html}");
    assert!(html.contains(&format!("value=\"{ADA}\"")) && html.contains("value=\"sandbox\""));
    let response = app::http().get(url).send().await.unwrap();
    let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
    let policy = header("content-security-policy");
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    // Chromium holds form-action against the redirect after the form, too.
    assert!(policy.contains("form-action 'self' dev.callbox.desktop:;"), "{policy}");
    assert_eq!((header("x-frame-options").as_str(), header("cache-control").as_str()), ("DENY", "no-store"));

    let loopback = [("redirect_uri", "http://127.0.0.1:49152/callback")];
    let Page::Shown { url, .. } = shown(&sandbox, &loopback).await else { panic!("left") };
    let response = app::http().get(url).send().await.unwrap();
    assert!(response.headers()["content-security-policy"].to_str().unwrap().contains("form-action 'self' http://127.0.0.1:49152;"));
}

#[tokio::test]
async fn a_machine_gets_a_token_for_itself_and_an_app_does_not() {
    let sandbox = app::sandbox().await;
    let form = [
        ("grant_type", "client_credentials"),
        ("client_id", SERVICE_CLIENT_ID),
        ("client_secret", SERVICE_CLIENT_SECRET),
        ("audience", AUDIENCE),
    ];
    let (status, tokens) = app::token(&sandbox, &form).await;
    assert_eq!(status, 200);
    assert_eq!(app::segment(text(&tokens, "access_token"), 1)["sub"], "callbox-sandbox-service@clients");
    assert!(tokens.get("refresh_token").is_none() && tokens.get("id_token").is_none());
    let form = [("grant_type", "client_credentials"), ("client_id", sandbox.client_id()), ("audience", AUDIENCE)];
    let (status, body) = app::token(&sandbox, &form).await;
    assert_eq!((status, text(&body, "error")), (403, "unauthorized_client"));
}

#[tokio::test]
async fn logout_ends_the_browsers_session_and_goes_where_it_is_allowed_to() {
    let sandbox = app::sandbox().await;
    let mut visitor = Visitor::new().unwrap();
    let callback = visitor.sign_in(&authorize_url(&sandbox, &[]), ADA).await.unwrap();
    let (_, tokens) = exchange(&sandbox, &param(&callback, "code").unwrap(), &[]).await;
    let logout = |params: &[(&str, &str)]| {
        let mut url = sandbox.issuer().join("oidc/logout").unwrap();
        url.query_pairs_mut().extend_pairs(params);
        url
    };
    let evil = visitor.open(&logout(&[("post_logout_redirect_uri", "https://evil.example/")])).await.unwrap();
    assert!(matches!(evil, Page::Shown { status: 400, .. }));
    let asked = visitor.open(&logout(&[])).await.unwrap();
    assert!(matches!(&asked, Page::Shown { html, .. } if html.contains("Sign out?")), "without a hint the person is asked");

    let hint = text(&tokens, "id_token");
    let to = [("id_token_hint", hint), ("post_logout_redirect_uri", "dev.callbox.desktop://signed-out"), ("state", "s1")];
    assert_eq!(visitor.open(&logout(&to)).await.unwrap(), Page::Left("dev.callbox.desktop://signed-out?state=s1".to_owned()));
    let page = visitor.open(&authorize_url(&sandbox, &[])).await.unwrap();
    assert!(matches!(page, Page::Shown { url, .. } if url.path() == "/u/login"), "the session is over");
    assert_eq!(app::refresh(&sandbox, text(&tokens, "refresh_token")).await.0, 200, "the app's session is another matter");
}

#[tokio::test]
async fn requests_in_another_hosts_name_are_refused() {
    let sandbox = app::sandbox().await;
    let url = sandbox.issuer().join(".well-known/openid-configuration").unwrap();
    let response = app::http().get(url).header("host", "evil.example").send().await.unwrap();
    assert_eq!(response.status(), 421);
}
