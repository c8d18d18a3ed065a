//! An app at the tenant's door: builds authorization requests, exchanges codes, presents refresh tokens.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_sandbox::{AUDIENCE, Sandbox, SandboxConfig, Visitor};
use serde_json::{Map, Value, json};
use url::Url;

pub(crate) const REDIRECT: &str = "dev.callbox.desktop://callback";
/// The example of RFC 7636 appendix B.
pub(crate) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(crate) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub(crate) const SCOPE: &str = "openid profile email offline_access";
pub(crate) const ADA: &str = "ada@example.com";

pub(crate) async fn sandbox() -> Sandbox {
    with(SandboxConfig::default()).await
}

pub(crate) async fn with(config: SandboxConfig) -> Sandbox {
    Sandbox::start(config).await.expect("a sandbox starts on free ports")
}

/// An HTTP client that keeps no connection open between requests and follows no redirect.
pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).no_proxy().build().unwrap()
}

/// An authorization URL; `changes` replaces parameters, an empty value leaves one out.
pub(crate) fn authorize_url(sandbox: &Sandbox, changes: &[(&str, &str)]) -> Url {
    let mut params = vec![
        ("response_type", "code"),
        ("client_id", sandbox.client_id()),
        ("redirect_uri", REDIRECT),
        ("scope", SCOPE),
        ("audience", AUDIENCE),
        ("state", "the-state"),
        ("nonce", "the-nonce"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    params.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    params.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    let mut url = sandbox.issuer().join("authorize").unwrap();
    url.query_pairs_mut().extend_pairs(params);
    url
}

pub(crate) fn query(url: &str) -> Map<String, Value> {
    let query = url.split_once('?').map_or("", |(_, query)| query);
    url::form_urlencoded::parse(query.as_bytes()).map(|(name, value)| (name.into_owned(), json!(value))).collect()
}

pub(crate) fn param(url: &str, name: &str) -> Option<String> {
    query(url).get(name).and_then(Value::as_str).map(str::to_owned)
}

/// Signs in as Ada; the code comes back.
pub(crate) async fn code(sandbox: &Sandbox) -> String {
    let callback = Visitor::new().unwrap().sign_in(&authorize_url(sandbox, &[]), ADA).await.unwrap();
    param(&callback, "code").unwrap()
}

pub(crate) async fn post(sandbox: &Sandbox, path: &str, form: &[(&str, &str)]) -> reqwest::Result<reqwest::Response> {
    http().post(sandbox.issuer().join(path).unwrap()).form(form).send().await
}

/// An exchange at the token endpoint: status and body.
pub(crate) async fn token(sandbox: &Sandbox, form: &[(&str, &str)]) -> (u16, Value) {
    let response = post(sandbox, "oauth/token", form).await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

pub(crate) async fn exchange(sandbox: &Sandbox, code: &str, changes: &[(&str, &str)]) -> (u16, Value) {
    let mut form = vec![
        ("grant_type", "authorization_code"),
        ("client_id", sandbox.client_id()),
        ("code", code),
        ("code_verifier", VERIFIER),
        ("redirect_uri", REDIRECT),
    ];
    form.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    form.extend(changes.iter().filter(|(_, value)| !value.is_empty()));
    token(sandbox, &form).await
}

pub(crate) async fn refresh(sandbox: &Sandbox, refresh_token: &str) -> (u16, Value) {
    let form = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", refresh_token)];
    token(sandbox, &form).await
}

/// Signs in as Ada; the whole token response comes back.
pub(crate) async fn signed_in(sandbox: &Sandbox) -> Value {
    let (status, tokens) = exchange(sandbox, &code(sandbox).await, &[]).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

pub(crate) fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object[name].as_str().unwrap_or_else(|| panic!("{name} is a string in {object}"))
}

/// The n-th segment of a JWT, unchecked.
pub(crate) fn segment(token: &str, n: usize) -> Value {
    let encoded = token.split('.').nth(n).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap()
}
