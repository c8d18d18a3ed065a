//! Tokens that are bound to a key (RFC 9449): what the tenant and the agent ask of a proof. The proofs here are made by another library than
//! the app's.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, RefreshOutcome, Sandbox, SandboxConfig, TokenBinding, Visitor};
use jsonwebtoken::{
    Algorithm, EncodingKey, Header,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::{Map, Value, json};

use crate::{
    agent::{ADA_SUB, quick},
    app::{self, ADA, REDIRECT, VERIFIER, authorize_url, param, segment, text},
};

struct Key {
    private: EncodingKey,
    jwk: Jwk,
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn sha256(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()))
}

impl Key {
    fn new() -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        let private = EncodingKey::from_ec_der(der.as_ref());
        let jwk = Jwk::from_encoding_key(&private, Algorithm::ES256).unwrap();
        Self { private, jwk }
    }

    fn thumbprint(&self) -> String {
        self.jwk.thumbprint(ThumbprintHash::SHA256).unwrap()
    }

    /// A good proof with claims set, or taken away with `null`.
    fn prove(&self, method: &str, url: &str, changes: &[(&str, Value)]) -> String {
        self.prove_as("dpop+jwt", method, url, changes)
    }

    fn prove_as(&self, typ: &str, method: &str, url: &str, changes: &[(&str, Value)]) -> String {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let id = COUNT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let mut claims: Map<String, Value> =
            [("jti", json!(format!("id-{id}"))), ("htm", json!(method)), ("htu", json!(url)), ("iat", json!(now()))]
                .map(|(name, value)| (name.to_owned(), value))
                .into_iter()
                .collect();
        for (name, value) in changes {
            match value {
                Value::Null => drop(claims.remove(*name)),
                value => drop(claims.insert((*name).to_owned(), value.clone())),
            }
        }
        let header = Header { typ: Some(typ.to_owned()), jwk: Some(self.jwk.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, &claims, &self.private).unwrap()
    }
}

/// A request to the token endpoint with these proofs: status, nonce, body.
async fn post(sandbox: &Sandbox, form: &[(&str, &str)], proofs: &[&str]) -> (u16, Option<String>, Value) {
    let mut request = app::http().post(sandbox.issuer().join("oauth/token").unwrap()).form(form);
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    let answer = request.send().await.unwrap();
    let nonce = answer.headers().get("dpop-nonce").map(|nonce| nonce.to_str().unwrap().to_owned());
    (answer.status().as_u16(), nonce, answer.json().await.unwrap())
}

fn place(sandbox: &Sandbox) -> String {
    sandbox.issuer().join("oauth/token").unwrap().into()
}

fn code_form<'a>(code: &'a str, client: &'a str) -> [(&'a str, &'a str); 5] {
    [("grant_type", "authorization_code"), ("client_id", client), ("code", code), ("code_verifier", VERIFIER), ("redirect_uri", REDIRECT)]
}

/// A code that is bound to this key.
async fn code(sandbox: &Sandbox, jkt: &str) -> String {
    let callback = Visitor::new().unwrap().sign_in(&authorize_url(sandbox, &[("dpop_jkt", jkt)]), ADA).await.unwrap();
    param(&callback, "code").unwrap()
}

/// Tokens for this key, from a tenant that wants no nonce.
async fn signed_in(sandbox: &Sandbox, key: &Key) -> Value {
    sandbox.control().set(|settings| settings.token_nonce = false);
    let code = code(sandbox, &key.thumbprint()).await;
    let proof = key.prove("POST", &place(sandbox), &[]);
    let (status, _, tokens) = post(sandbox, &code_form(&code, sandbox.client_id()), &[&proof]).await;
    assert_eq!(status, 200, "{tokens}");
    tokens
}

#[tokio::test]
async fn a_proof_binds_all_tokens_to_its_key_after_the_nonce_was_asked_for_once() {
    let (sandbox, key) = (app::sandbox().await, Key::new());
    let code = code(&sandbox, &key.thumbprint()).await;
    let form = code_form(&code, sandbox.client_id());
    let (status, nonce, body) = post(&sandbox, &form, &[&key.prove("POST", &place(&sandbox), &[])]).await;
    assert_eq!((status, &body["error"]), (400, &json!("use_dpop_nonce")));
    let nonce = nonce.unwrap();
    let (status, again, tokens) = post(&sandbox, &form, &[&key.prove("POST", &place(&sandbox), &[("nonce", json!(nonce))])]).await;
    assert_eq!(
        (status, &tokens["token_type"], again.as_deref()),
        (200, &json!("DPoP"), Some(nonce.as_str())),
        "the code was not spent before"
    );
    assert_eq!(segment(text(&tokens, "access_token"), 1)["cnf"], json!({"jkt": key.thumbprint()}));

    let refresh = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
    let stranger = Key::new().prove("POST", &place(&sandbox), &[("nonce", json!(nonce))]);
    for proofs in [Vec::new(), vec![stranger.as_str()]] {
        let (status, _, body) = post(&sandbox, &refresh, &proofs).await;
        assert_eq!((status, &body["error"]), (403, &json!("invalid_grant")));
    }
    let (status, _, _) = post(&sandbox, &refresh, &[&key.prove("POST", &place(&sandbox), &[("nonce", json!(nonce))])]).await;
    let outcomes: Vec<_> = sandbox.control().presented().iter().map(|presented| presented.outcome).collect();
    assert_eq!((status, outcomes), (200, vec![RefreshOutcome::WrongKey, RefreshOutcome::WrongKey, RefreshOutcome::Rotated]));
    // Nonces turn, and the one before is good for as long again.
    for (minutes, good) in [(6, true), (6, false)] {
        sandbox.control().advance(Duration::from_secs(60 * minutes));
        let proof = key.prove("POST", &place(&sandbox), &[("nonce", json!(nonce)), ("iat", json!(now() + if good { 360 } else { 720 }))]);
        let (_, _, body) = post(&sandbox, &refresh, &[&proof]).await;
        assert_eq!(body["error"], json!(if good { "invalid_grant" } else { "use_dpop_nonce" }), "after {minutes} more minutes");
    }
}

#[tokio::test]
async fn a_code_that_is_bound_to_a_key_is_nobody_elses() {
    let (sandbox, key) = (app::sandbox().await, Key::new());
    sandbox.control().set(|settings| settings.token_nonce = false);
    let stranger = Key::new().prove("POST", &place(&sandbox), &[]);
    for proofs in [Vec::new(), vec![stranger.as_str()]] {
        let code = code(&sandbox, &key.thumbprint()).await;
        let (status, _, body) = post(&sandbox, &code_form(&code, sandbox.client_id()), &proofs).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{proofs:?}");
    }
}

#[tokio::test]
async fn a_proof_is_about_exactly_this_request_and_good_once() {
    let (sandbox, key) = (app::sandbox().await, Key::new());
    let tokens = signed_in(&sandbox, &key).await;
    let refresh = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
    let url = place(&sandbox);
    let good = key.prove("POST", &url, &[]);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let (_, claims) = signed.split_once('.').unwrap();
    let with_header = |header: Value| format!("{}.{claims}.AAAA", URL_SAFE_NO_PAD.encode(header.to_string()));
    let private = json!({"typ": "dpop+jwt", "alg": "ES256", "jwk": {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}});
    for (proofs, why) in [
        (vec![key.prove("GET", &url, &[])], "htm mismatch"),
        (vec![key.prove("POST", "http://127.0.0.1:1/oauth/token", &[])], "htu mismatch"),
        (vec![key.prove("POST", &format!("{url}?x=1"), &[])], "htu mismatch"),
        (vec![key.prove("POST", &url, &[("iat", json!(now() - 120))])], "iat is not recent enough"),
        (vec![key.prove("POST", &url, &[("iat", json!(now() + 120))])], "iat is not recent enough"),
        (vec![key.prove("POST", &url, &[("iat", Value::Null)])], "iat is not recent enough"),
        (vec![key.prove("POST", &url, &[("jti", Value::Null)])], "the proof is not a signed token"),
        (vec![key.prove_as("JWT", "POST", &url, &[])], "the proof's typ is not dpop+jwt"),
        (vec![format!("{signed}.AAAA")], "the proof's signature verification failed"),
        (vec![with_header(json!({"typ": "dpop+jwt", "alg": "none"}))], "the proof is not signed with ES256"),
        (vec![with_header(json!({"typ": "dpop+jwt", "alg": "ES256"}))], "the proof has no public key, or more than that"),
        (vec![with_header(private)], "the proof has no public key, or more than that"),
        (vec!["nonsense".to_owned()], "the proof is not a signed token"),
        (vec![good.clone(), key.prove("POST", &url, &[])], "there is no proof, or more than one"),
    ] {
        let proofs: Vec<_> = proofs.iter().map(String::as_str).collect();
        let (status, _, body) = post(&sandbox, &refresh, &proofs).await;
        assert_eq!((status, &body["error"], &body["error_description"]), (400, &json!("invalid_dpop_proof"), &json!(why)), "{proofs:?}");
    }
    assert_eq!(sandbox.control().presented(), [], "no token was touched");
    let (status, _, tokens) = post(&sandbox, &refresh, &[&good]).await;
    assert_eq!(status, 200);
    let next = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
    let (_, _, body) = post(&sandbox, &next, &[&good]).await;
    assert_eq!(body["error_description"], json!("jti was used before"));
}

/// What the agent answers to this token with these proofs: status, challenges, nonce.
async fn knock(sandbox: &Sandbox, authorization: &str, proof: Option<&str>) -> (u16, Vec<String>, Option<String>) {
    let mut request = app::http().get(messages(sandbox)).header("authorization", authorization);
    if let Some(proof) = proof {
        request = request.header("dpop", proof);
    }
    let answer = request.send().await.unwrap();
    let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
    let challenges = answer.headers().get_all("www-authenticate").iter().map(text).collect();
    (answer.status().as_u16(), challenges, answer.headers().get("dpop-nonce").map(text))
}

fn messages(sandbox: &Sandbox) -> String {
    format!("{}/c1/get-messages", sandbox.agent_url())
}

#[tokio::test]
async fn the_agent_takes_a_bound_token_with_its_proof_and_with_nothing_else() {
    let (sandbox, key) = (quick().await, Key::new());
    let tokens = signed_in(&sandbox, &key).await;
    let token = text(&tokens, "access_token");
    let url = messages(&sandbox);
    let prove = |key: &Key, token: &str| key.prove("GET", &url, &[("ath", json!(sha256(token)))]);
    let dpop = format!("DPoP {token}");
    assert_eq!(knock(&sandbox, &dpop, Some(&prove(&key, token))).await.0, 200);

    let other = sandbox.access_token(ADA_SUB).unwrap();
    for (authorization, proof, told) in [
        (format!("Bearer {token}"), None, "Bearer realm"),
        (format!("Bearer {token}"), Some(prove(&key, token)), "came without a proof"),
        (dpop.clone(), None, "there is no proof"),
        (dpop.clone(), Some(prove(&Key::new(), token)), "not bound to the key of the proof"),
        (dpop.clone(), Some(prove(&key, &other)), "ath mismatch"),
        (dpop.clone(), Some(key.prove("GET", &url, &[])), "ath mismatch"),
        (dpop.clone(), Some(key.prove("POST", &url, &[("ath", json!(sha256(token)))])), "htm mismatch"),
        (dpop.clone(), Some(key.prove("GET", &format!("{}/c2", sandbox.agent_url()), &[("ath", json!(sha256(token)))])), "htu mismatch"),
        (format!("DPoP {other}"), Some(prove(&key, &other)), "not bound to the key of the proof"),
    ] {
        let (status, challenges, _) = knock(&sandbox, &authorization, proof.as_deref()).await;
        assert_eq!((status, challenges.len()), (401, 2), "{told}");
        assert!(challenges.join(" ").contains(told), "{told}: {challenges:?}");
        assert!(challenges[1].starts_with("DPoP algs=\"ES256\""));
    }
    let once = prove(&key, token);
    assert_eq!(knock(&sandbox, &dpop, Some(&once)).await.0, 200);
    assert_eq!(knock(&sandbox, &dpop, Some(&once)).await.0, 401, "a proof is good once");

    sandbox.control().set(|settings| settings.agent_nonce = true);
    let (status, challenges, nonce) = knock(&sandbox, &dpop, Some(&prove(&key, token))).await;
    assert_eq!(status, 401);
    assert!(challenges[1].contains("error=\"use_dpop_nonce\""), "{challenges:?}");
    let proof = key.prove("GET", &url, &[("ath", json!(sha256(token))), ("nonce", json!(nonce.unwrap()))]);
    assert_eq!(knock(&sandbox, &dpop, Some(&proof)).await.0, 200);
    // A bearer token is none the worse for it.
    assert_eq!(knock(&sandbox, &format!("Bearer {other}"), None).await.0, 200);
}

#[tokio::test]
async fn what_is_offered_is_announced_and_what_is_off_is_not_looked_at() {
    let get = async |url: url::Url| app::http().get(url).send().await.unwrap().json::<Value>().await.unwrap();
    for (dpop, tenant, kind) in [
        (TokenBinding::On, json!(["ES256"]), "DPoP"),
        (TokenBinding::RefreshOnly, json!(["ES256"]), "Bearer"),
        (TokenBinding::Off, Value::Null, "Bearer"),
    ] {
        let sandbox = app::with(SandboxConfig { dpop, ..SandboxConfig::default() }).await;
        let document = get(sandbox.issuer().join(".well-known/openid-configuration").unwrap()).await;
        assert_eq!(document["dpop_signing_alg_values_supported"], tenant, "{dpop:?}");
        let document = get(sandbox.agent_url().join("/.well-known/oauth-protected-resource").unwrap()).await;
        assert_eq!(document["dpop_signing_alg_values_supported"], tenant, "{dpop:?}");
        assert_eq!(document["audience"], json!(AUDIENCE));
        let key = Key::new();
        let code = app::code(&sandbox).await;
        sandbox.control().set(|settings| settings.token_nonce = false);
        let (_, nonce, tokens) = post(&sandbox, &code_form(&code, sandbox.client_id()), &[&key.prove("POST", &place(&sandbox), &[])]).await;
        assert_eq!((nonce, &tokens["token_type"]), (None, &json!(kind)), "{dpop:?}");
        let refresh =
            [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
        let (status, _, _) = post(&sandbox, &refresh, &[]).await;
        assert_eq!(status, if dpop == TokenBinding::Off { 200 } else { 403 }, "{dpop:?}: the refresh token is bound");
    }
}

#[tokio::test]
async fn a_test_can_have_the_nonce_asked_for_and_a_proof_refused() {
    let (sandbox, key) = (app::sandbox().await, Key::new());
    let tokens = signed_in(&sandbox, &key).await;
    let refresh = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
    for (fault, code) in [(Fault::AskForNonce, "use_dpop_nonce"), (Fault::RefuseProof, "invalid_dpop_proof")] {
        sandbox.control().once(Endpoint::Token, fault);
        let (status, _, body) = post(&sandbox, &refresh, &[&key.prove("POST", &place(&sandbox), &[])]).await;
        assert_eq!((status, &body["error"]), (400, &json!(code)));
    }
    assert_eq!(sandbox.control().presented(), []);
}
