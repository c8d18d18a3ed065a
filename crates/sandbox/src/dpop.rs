//! Checking proofs of possession as a server does (RFC 9449 §4.3), for the tenant and for the agent, each with nonces and a memory of its own.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, HeaderName, HeaderValue};
use jsonwebtoken::{
    Algorithm, DecodingKey, Validation,
    jwk::{Jwk, ThumbprintHash},
};
use serde_json::{Map, Value};

use crate::{Clock, random};

pub(crate) const PROOF: HeaderName = HeaderName::from_static("dpop");
const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How far the times of a proof and of the server may be apart, in seconds.
const WINDOW: u64 = 60;
/// How long a nonce is given out; after that it is good for as long again.
const NONCE_LIFE: u64 = 300;
/// The only kind of key.
pub(crate) const ALGORITHM: &str = "ES256";

/// Why a proof is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofFault {
    Missing,
    Malformed,
    Type,
    Algorithm,
    Key,
    Signature,
    Method,
    Address,
    Age,
    Replayed,
    TokenHash,
    /// By order of a test.
    Ordered,
    /// The one fault that the client can mend by itself.
    Nonce,
}

impl ProofFault {
    /// RFC 9449 §5, §7.1, §8.
    pub(crate) fn code(self) -> &'static str {
        if self == Self::Nonce { "use_dpop_nonce" } else { "invalid_dpop_proof" }
    }

    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Missing => "there is no proof, or more than one",
            Self::Malformed => "the proof is not a signed token",
            Self::Type => "the proof's typ is not dpop+jwt",
            Self::Algorithm => "the proof is not signed with ES256",
            Self::Key => "the proof has no public key, or more than that",
            Self::Signature => "the proof's signature verification failed",
            Self::Method => "htm mismatch",
            Self::Address => "htu mismatch",
            Self::Age => "iat is not recent enough",
            Self::Replayed => "jti was used before",
            Self::TokenHash => "ath mismatch",
            Self::Ordered => "the proof is refused",
            Self::Nonce => "a nonce is required in the proof",
        }
    }
}

/// The request that a proof has to be about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) method: &'a str,
    /// Without query and fragment.
    pub(crate) url: &'a str,
    /// The access token that came with it.
    pub(crate) token: Option<&'a str>,
    /// It has to have a nonce of this server.
    pub(crate) nonce: bool,
}

/// A server's memory of proofs.
#[derive(Debug)]
pub(crate) struct Proofs {
    clock: Clock,
    desk: Mutex<Desk>,
}

#[derive(Debug, Default)]
struct Desk {
    /// By thumbprint and `jti`, until when a repetition would be young enough to be accepted.
    seen: HashMap<(String, String), u64>,
    nonce: String,
    since: u64,
    before: Option<String>,
}

impl Proofs {
    pub(crate) fn new(clock: Clock) -> Self {
        Self { clock, desk: Mutex::default() }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The nonce that is given out now, as a field.
    pub(crate) fn nonce(&self) -> (HeaderName, HeaderValue) {
        let now = self.clock.unix();
        let mut desk = self.desk();
        desk.turn(now);
        (NONCE, HeaderValue::from_str(&desk.nonce).unwrap_or_else(|_| HeaderValue::from_static("")))
    }

    /// Checks the proof of a request. The thumbprint of its key comes back (RFC 7638).
    pub(crate) fn check(&self, headers: &HeaderMap, wanted: &Wanted<'_>) -> Result<String, ProofFault> {
        let mut fields = headers.get_all(PROOF).iter();
        let (Some(proof), None) = (fields.next(), fields.next()) else { return Err(ProofFault::Missing) };
        let proof = proof.to_str().map_err(|_| ProofFault::Malformed)?;
        let (thumbprint, claims) = open(proof)?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str);
        if text("htm") != Some(wanted.method) {
            return Err(ProofFault::Method);
        }
        if text("htu") != Some(wanted.url) {
            return Err(ProofFault::Address);
        }
        let now = self.clock.unix();
        let issued = claims.get("iat").and_then(Value::as_u64).ok_or(ProofFault::Age)?;
        if now.abs_diff(issued) > WINDOW {
            return Err(ProofFault::Age);
        }
        if wanted.token.is_some_and(|token| text("ath") != Some(&random::sha256(token))) {
            return Err(ProofFault::TokenHash);
        }
        let mut desk = self.desk();
        desk.turn(now);
        if wanted.nonce && text("nonce").is_none_or(|nonce| nonce != desk.nonce && Some(nonce) != desk.before.as_deref()) {
            return Err(ProofFault::Nonce);
        }
        desk.seen.retain(|_, until| *until >= now);
        let id = text("jti").filter(|id| !id.is_empty()).ok_or(ProofFault::Malformed)?;
        if desk.seen.insert((thumbprint.clone(), id.to_owned()), issued.max(now) + WINDOW).is_some() {
            return Err(ProofFault::Replayed);
        }
        Ok(thumbprint)
    }
}

impl Desk {
    fn turn(&mut self, now: u64) {
        if self.nonce.is_empty() || now >= self.since + NONCE_LIFE {
            let old = std::mem::replace(&mut self.nonce, random::secret());
            self.before = Some(old).filter(|old| !old.is_empty() && now < self.since + 2 * NONCE_LIFE);
            self.since = now;
        }
    }
}

/// Signature and form: what a proof says, and the thumbprint of the key that signed it.
fn open(proof: &str) -> Result<(String, Map<String, Value>), ProofFault> {
    let first = proof.split('.').next().unwrap_or_default();
    let bytes = URL_SAFE_NO_PAD.decode(first).map_err(|_| ProofFault::Malformed)?;
    let header: Map<String, Value> = serde_json::from_slice(&bytes).map_err(|_| ProofFault::Malformed)?;
    if header.get("typ").and_then(Value::as_str) != Some("dpop+jwt") {
        return Err(ProofFault::Type);
    }
    if header.get("alg").and_then(Value::as_str) != Some(ALGORITHM) {
        return Err(ProofFault::Algorithm);
    }
    let key = header.get("jwk").and_then(Value::as_object).filter(|key| !key.contains_key("d") && !key.contains_key("k"));
    let jwk: Jwk = serde_json::from_value(Value::Object(key.ok_or(ProofFault::Key)?.clone())).map_err(|_| ProofFault::Key)?;
    let public = DecodingKey::from_jwk(&jwk).map_err(|_| ProofFault::Key)?;
    let mut only_signature = Validation::new(Algorithm::ES256);
    only_signature.required_spec_claims.clear();
    only_signature.validate_exp = false;
    only_signature.validate_aud = false;
    let data = jsonwebtoken::decode(proof, &public, &only_signature).map_err(|_| ProofFault::Signature)?;
    let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).map_err(|_| ProofFault::Key)?;
    Ok((thumbprint, data.claims))
}
