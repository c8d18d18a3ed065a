use std::{
    sync::atomic::{AtomicI64, Ordering},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, ThumbprintHash},
};
use tokio::time::Instant;

use super::*;
use crate::{SystemEntropy, fetch::tests::reply};

/// Seconds since 1970, and settable.
struct At(AtomicI64);

impl Clock for Arc<At> {
    fn now(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.0.load(Ordering::SeqCst).unsigned_abs())
    }
}

/// Sun, 06 Nov 1994 08:49:37 GMT
const NOW: i64 = 784_111_777;
const DATE: (&str, &str) = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");

fn prover(now: i64) -> (Arc<Prover>, Arc<At>) {
    let clock = Arc::new(At(AtomicI64::new(now)));
    let prover = Prover::new(ProofKey::generate().unwrap(), Arc::default(), Arc::new(clock.clone()), Arc::new(SystemEntropy));
    (Arc::new(prover), clock)
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Header and claims, after the signature was checked by somebody else's code against the key that the proof brings along.
fn read(proof: &HeaderValue) -> (Value, Map<String, Value>) {
    let text = proof.to_str().unwrap();
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap()).unwrap();
    let jwk: Jwk = serde_json::from_value(header["jwk"].clone()).unwrap();
    let mut only_signature = Validation::new(Algorithm::ES256);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    let data = jsonwebtoken::decode(text, &DecodingKey::from_jwk(&jwk).unwrap(), &only_signature).unwrap();
    (header, data.claims)
}

fn token(prover: Option<Arc<Prover>>, text: &str) -> AccessToken {
    AccessToken::new(text.into(), Instant::now(), Instant::now()).bound(prover)
}

#[test]
fn a_proof_is_about_one_request_and_signed_with_the_key_that_it_names() {
    let (prover, _) = prover(NOW);
    let place = url("https://a.example:8443/agents/x?_pk=1&token=no#f");
    let (proof, _) = prover.prove(&Method::POST, &place, None).unwrap();
    assert!(proof.is_sensitive());
    let (header, claims) = read(&proof);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("dpop+jwt"), &json!("ES256")));
    let jwk: Jwk = serde_json::from_value(header["jwk"].clone()).unwrap();
    assert_eq!(jwk.thumbprint(ThumbprintHash::SHA256).unwrap(), prover.key().thumbprint());
    let members: Vec<_> = header["jwk"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(members, ["crv", "kty", "x", "y"], "nothing of the private half");
    assert_eq!((&claims["htm"], &claims["htu"]), (&json!("POST"), &json!("https://a.example:8443/agents/x")));
    assert_eq!((&claims["iat"], claims["jti"].as_str().unwrap().len()), (&json!(NOW), 43));
    assert!(!claims.contains_key("ath") && !claims.contains_key("nonce"));
    let (again, _) = prover.prove(&Method::POST, &place, None).unwrap();
    assert_ne!(read(&again).1["jti"], claims["jti"]);
}

#[test]
fn a_proof_for_a_resource_has_the_hash_of_the_token() {
    let (prover, _) = prover(NOW);
    // The token of RFC 9449 §7.1 and its hash there.
    let token = token(Some(prover.clone()), "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU");
    let fields = Presentation::new(token, Method::GET, url("https://resource.example.org/protectedresource")).fields();
    let authorization = &fields[http::header::AUTHORIZATION];
    assert!(authorization.is_sensitive() && authorization.to_str().unwrap().starts_with("DPoP Kz~8"));
    let (_, claims) = read(&fields[DPOP]);
    assert_eq!((&claims["ath"], &claims["htm"]), (&json!("fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo"), &json!("GET")));
}

#[test]
fn a_bearer_token_has_no_proof_and_takes_no_notice_of_what_is_said_about_proofs() {
    let mut presentation = Presentation::new(token(None, "at"), Method::GET, url("https://a.example/"));
    let fields = presentation.fields();
    assert_eq!((fields[http::header::AUTHORIZATION].to_str().unwrap(), fields.len()), ("Bearer at", 1));
    let told = reply(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", "n")], "").headers;
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &told), Answered::Judged);
}

#[test]
fn a_resource_that_asks_for_its_nonce_gets_it_once_in_each_request() {
    let (prover, _) = prover(NOW);
    let place = url("https://a.example/agents/x");
    let asked =
        |nonce: &str| reply(401, &[("www-authenticate", "Bearer, DPoP error=\"use_dpop_nonce\""), ("dpop-nonce", nonce)], "").headers;
    for request in 0..2 {
        let mut presentation = Presentation::new(token(Some(prover.clone()), "at"), Method::GET, place.clone());
        let _ = presentation.fields();
        let one = format!("n{request}");
        assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &asked(&one)), Answered::Again);
        assert_eq!(read(&presentation.fields()[DPOP]).1["nonce"], json!(one));
        assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &asked("next")), Answered::NonceLoop);
    }
    // A nonce that comes with any answer is in the next proof; one that is asked for and not given is a loop at once.
    let mut presentation = Presentation::new(token(Some(prover), "at"), Method::GET, place);
    let told = reply(200, &[("dpop-nonce", "fresh")], "").headers;
    assert_eq!(presentation.answered(StatusCode::OK, &told), Answered::Judged);
    assert_eq!(read(&presentation.fields()[DPOP]).1["nonce"], json!("fresh"));
    let empty = reply(401, &[("www-authenticate", "DPoP error=\"use_dpop_nonce\"")], "").headers;
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &empty), Answered::NonceLoop);
}

#[test]
fn only_a_challenge_of_the_scheme_with_401_is_about_the_proof() {
    let (prover, _) = prover(NOW);
    let mut presentation = Presentation::new(token(Some(prover), "at"), Method::GET, url("https://a.example/"));
    let _ = presentation.fields();
    for (status, challenge) in [
        (401, "DPoP error=\"invalid_token\""),
        (401, "Bearer error=\"use_dpop_nonce\""),
        (401, "Bearer error_description=\"DPoP error=\\\"use_dpop_nonce\\\"\""),
        (403, "DPoP error=\"use_dpop_nonce\""),
        (200, "DPoP error=\"use_dpop_nonce\""),
    ] {
        let told = reply(status, &[("www-authenticate", challenge), ("dpop-nonce", "n")], "").headers;
        assert_eq!(presentation.answered(StatusCode::from_u16(status).unwrap(), &told), Answered::Judged, "{status} {challenge}");
    }
}

#[test]
fn a_proof_that_was_too_old_for_a_server_is_made_again_by_its_clock_and_once() {
    let (prover, clock) = prover(NOW - 7200);
    let mut presentation = Presentation::new(token(Some(prover.clone()), "at"), Method::GET, url("https://a.example/"));
    let refused = reply(401, &[("www-authenticate", "DPoP error=\"invalid_dpop_proof\""), DATE], "").headers;
    assert_eq!(read(&presentation.fields()[DPOP]).1["iat"], json!(NOW - 7200));
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &refused), Answered::Again);
    assert_eq!(read(&presentation.fields()[DPOP]).1["iat"], json!(NOW));
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &refused), Answered::ProofRefused);
    // The next request knows; where the clock was right, there is nothing to try.
    let mut presentation = Presentation::new(token(Some(prover), "at"), Method::GET, url("https://a.example/"));
    assert_eq!(read(&presentation.fields()[DPOP]).1["iat"], json!(NOW));
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &refused), Answered::ProofRefused);
    clock.0.store(NOW, Ordering::SeqCst);
    assert_eq!(presentation.answered(StatusCode::UNAUTHORIZED, &refused), Answered::Again, "somebody has put the clock right");
    assert_eq!(read(&presentation.fields()[DPOP]).1["iat"], json!(NOW));
}

#[test]
fn nothing_of_it_is_shown() {
    let (prover, _) = prover(NOW);
    let presentation = Presentation::new(token(Some(prover.clone()), "the-token"), Method::GET, url("https://a.example/"));
    assert!(!format!("{presentation:?} {prover:?}").contains("the-token"));
    assert_eq!(format!("{prover:?}"), "Prover(…)");
}

#[test]
fn what_a_session_expects_of_its_access_tokens() {
    use crate::token::Kind::{Bearer, Bound};
    let binding = |access| Some(Binding { prover: prover(NOW).0, access });
    for (binding, kind, expected) in [
        (None, Bearer, Ok(false)),
        (None, Bound, Err(Unfit::Foreign)),
        (binding(true), Bound, Ok(true)),
        (binding(true), Bearer, Err(Unfit::Unbound)),
        (binding(false), Bearer, Ok(false)),
        (binding(false), Bound, Ok(true)),
    ] {
        assert_eq!(fits(binding.as_ref(), kind).map(|prover| prover.is_some()), expected, "{binding:?} {kind:?}");
    }
}
