//! Every way in which the tenant can be made to misbehave, seen from outside.

use std::time::{Duration, Instant};

use callbox_sandbox::{Endpoint, Fault, ResponseIss, SandboxConfig, Signature, Visitor};
use serde_json::{Value, json};

use crate::app::{self, ADA, authorize_url, code, exchange, param, segment, text};

#[tokio::test]
async fn faults_queue_up_and_each_is_for_one_request() {
    let sandbox = app::sandbox().await;
    let control = sandbox.control();
    control.once(Endpoint::Token, Fault::status(500));
    control.next(Endpoint::Token, []);
    control.once(Endpoint::Token, Fault::rate_limited(Some("7")));
    let statuses = async || app::post(&sandbox, "oauth/token", &[("grant_type", "x")]).await.unwrap();
    assert_eq!(statuses().await.status(), 500);
    assert_eq!(statuses().await.status(), 401);
    let limited = statuses().await;
    assert_eq!((limited.status().as_u16(), limited.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(limited.json::<Value>().await.unwrap()["error"], "too_many_requests");
    assert_eq!(statuses().await.status(), 401);
    assert_eq!(control.requests(Endpoint::Token), 4);

    control.always(Endpoint::Token, [Fault::html()]);
    for _ in 0..2 {
        let portal = statuses().await;
        assert_eq!(portal.status(), 200);
        assert!(portal.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
    }
    control.clear(Endpoint::Token);
    assert_eq!(statuses().await.status(), 401);
}

#[tokio::test]
async fn a_delay_comes_before_the_work_or_before_the_reply() {
    let sandbox = app::sandbox().await;
    let by = Duration::from_millis(60);
    for fault in [Fault::Delay { by }, Fault::DelayReply { by }] {
        sandbox.control().once(Endpoint::Discovery, fault);
        let begun = Instant::now();
        app::http().get(sandbox.issuer().join(".well-known/openid-configuration").unwrap()).send().await.unwrap();
        assert!(begun.elapsed() >= by);
    }
}

#[tokio::test]
async fn id_tokens_can_be_wrong_in_any_claim() {
    let sandbox = app::sandbox().await;
    for (fault, claim, value) in [
        (Fault::wrong_issuer(), "iss", json!("https://evil.example/")),
        (Fault::wrong_nonce(), "nonce", json!("not-the-nonce-that-was-sent")),
        (Fault::wrong_audience(), "aud", json!("another-client")),
        (Fault::id_token("nonce", Value::Null), "nonce", Value::Null),
        (Fault::id_token("exp", json!(1)), "exp", json!(1)),
    ] {
        let code = code(&sandbox).await;
        sandbox.control().once(Endpoint::Token, fault);
        let (_, tokens) = exchange(&sandbox, &code, &[]).await;
        assert_eq!(segment(text(&tokens, "id_token"), 1)[claim], value);
    }
}

#[tokio::test]
async fn id_tokens_can_be_signed_by_the_wrong_one_or_nobody() {
    let sandbox = app::sandbox().await;
    let jwks: Value = app::http().get(sandbox.issuer().join(".well-known/jwks.json").unwrap()).send().await.unwrap().json().await.unwrap();
    let real = &jwks["keys"][0]["kid"];
    for (by, algorithm, knows_kid) in [
        (Signature::UnknownKey, "RS256", false),
        (Signature::ForgedKey, "RS256", true),
        (Signature::None, "none", true),
        (Signature::PublicKeyAsSecret, "HS256", true),
    ] {
        let code = code(&sandbox).await;
        sandbox.control().once(Endpoint::Token, Fault::IdTokenSignature { by });
        let (_, tokens) = exchange(&sandbox, &code, &[]).await;
        let token = text(&tokens, "id_token");
        assert_eq!(segment(token, 0)["alg"], algorithm);
        assert_eq!(segment(token, 0)["kid"] == *real, knows_kid, "{by:?}");
        let key = jsonwebtoken::DecodingKey::from_rsa_components(text(&jwks["keys"][0], "n"), text(&jwks["keys"][0], "e")).unwrap();
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::RS256);
        validation.validate_aud = false;
        assert!(jsonwebtoken::decode::<Value>(token, &key, &validation).is_err(), "{by:?}");
    }
}

#[tokio::test]
async fn token_responses_can_lack_or_twist_any_member() {
    let sandbox = app::sandbox().await;
    let code = code(&sandbox).await;
    let faults = [
        Fault::response("expires_in", json!("3600")),
        Fault::response("refresh_token", Value::Null),
        Fault::response("token_type", json!("DPoP")),
    ];
    sandbox.control().next(Endpoint::Token, faults);
    let (status, tokens) = exchange(&sandbox, &code, &[]).await;
    assert_eq!(status, 200);
    assert_eq!((&tokens["expires_in"], &tokens["token_type"]), (&json!("3600"), &json!("DPoP")));
    assert!(tokens.get("refresh_token").is_none());
}

#[tokio::test]
async fn keys_rotate_with_and_without_the_old_one_in_the_set() {
    let sandbox = app::sandbox().await;
    let kids = async || -> Vec<Value> {
        let url = sandbox.issuer().join(".well-known/jwks.json").unwrap();
        let jwks: Value = app::http().get(url).send().await.unwrap().json().await.unwrap();
        jwks["keys"].as_array().unwrap().iter().map(|key| key["kid"].clone()).collect()
    };
    let first = kids().await;
    sandbox.control().rotate_keys(false).unwrap();
    let second = kids().await;
    assert_eq!((second.len(), &second[1]), (2, &first[0]));
    let tokens = app::signed_in(&sandbox).await;
    assert_eq!(segment(text(&tokens, "id_token"), 0)["kid"], second[0]);
    sandbox.control().rotate_keys(true).unwrap();
    let third = kids().await;
    assert_eq!(third.len(), 1);
    assert!(!second.contains(&third[0]));
}

#[tokio::test]
async fn authorization_responses_name_the_issuer_as_told() {
    let sandbox = app::sandbox().await;
    for (setting, expected) in [
        (ResponseIss::Off, None),
        (ResponseIss::Missing, None),
        (ResponseIss::Wrong("https://evil.example/".to_owned()), Some("https://evil.example/".to_owned())),
    ] {
        sandbox.control().set_response_iss(setting);
        let callback = Visitor::new().unwrap().sign_in(&authorize_url(&sandbox, &[]), ADA).await.unwrap();
        assert_eq!(param(&callback, "iss"), expected);
    }
}

#[tokio::test]
async fn the_control_surface_is_reachable_over_http_only_when_it_is_on() {
    let closed = app::sandbox().await;
    let order = json!({"endpoint": "token", "faults": [{"kind": "respond", "status": 503, "headers": [], "body": "later"}]});
    let at = |sandbox: &callbox_sandbox::Sandbox, path| sandbox.issuer().join(path).unwrap();
    let post = |url| app::http().post(url).header("x-callbox-control", "1").json(&order);
    assert_eq!(post(at(&closed, "control/next")).send().await.unwrap().status(), 404);

    let open = app::with(SandboxConfig { control_http: true, ..SandboxConfig::default() }).await;
    let bare = app::http().post(at(&open, "control/next")).json(&order).send().await.unwrap();
    assert_eq!(bare.status(), 403, "a web page cannot send the header");
    assert_eq!(post(at(&open, "control/next")).send().await.unwrap().status(), 204);
    assert_eq!(app::post(&open, "oauth/token", &[]).await.unwrap().status(), 503);
    let counters: Value =
        app::http().get(at(&open, "control/counters")).header("x-callbox-control", "1").send().await.unwrap().json().await.unwrap();
    assert_eq!(counters["requests"]["token"], 1);
}
