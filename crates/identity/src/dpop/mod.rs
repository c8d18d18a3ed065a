//! Proofs that a request comes from where the session's key is (RFC 9449): who has a token and not the key has nothing.
//!
//! A proof is good for one request: its method and address, this minute, this token, this once. A server may want its own nonce in it, and says
//! so in an error with the nonce; that is answered once in each request, and a server that asks again is not.

mod binding;
mod key;
mod servers;

use std::{fmt, sync::Arc};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_vault::Secret;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use serde_json::{Map, Value, json};
use url::{Position, Url};

pub(crate) use self::{
    binding::{Binding, Unfit, fits},
    key::ProofKey,
    servers::{Servers, ahead},
};
use crate::{
    AccessToken, Challenge, Clock, Entropy, Trouble, entropy,
    fetch::{Form, Reply, Request, fetch_with},
};

/// The field of a proof (RFC 9449 §4.1).
const DPOP: HeaderName = HeaderName::from_static("dpop");

/// Makes the proofs of one session. Shared by its requests and its access tokens.
pub(crate) struct Prover {
    key: ProofKey,
    servers: Arc<Servers>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl Prover {
    pub(crate) fn new(key: ProofKey, servers: Arc<Servers>, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self { key, servers, clock, entropy }
    }

    pub(crate) fn key(&self) -> &ProofKey {
        &self.key
    }

    /// A proof for one request (RFC 9449 §4.2), and the difference of the clocks that it goes by. `token`: the access token that goes with it.
    fn prove(&self, method: &Method, url: &Url, token: Option<&Secret<String>>) -> Option<(HeaderValue, i64)> {
        let told = self.servers.told(url);
        let id = entropy::token(&*self.entropy);
        let issued = servers::seconds(self.clock.now()).saturating_add(told.ahead);
        let mut claims = Map::new();
        claims.insert("jti".to_owned(), json!(id.expose()));
        claims.insert("htm".to_owned(), json!(method.as_str()));
        claims.insert("htu".to_owned(), json!(url[..Position::AfterPath]));
        claims.insert("iat".to_owned(), json!(issued));
        if let Some(token) = token {
            claims.insert("ath".to_owned(), json!(URL_SAFE_NO_PAD.encode(digest(&SHA256, token.expose().as_bytes()))));
        }
        if let Some(nonce) = told.nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        let header = format!(r#"{{"alg":"ES256","typ":"dpop+jwt","jwk":{}}}"#, self.key.jwk());
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(Value::Object(claims).to_string()));
        let signature = self.key.sign(signed.as_bytes()).ok()?;
        let mut value = HeaderValue::try_from(format!("{signed}.{signature}")).ok()?;
        value.set_sensitive(true);
        Some((value, told.ahead))
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Prover(…)")
    }
}

/// What a server has against a proof.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Complaint {
    /// `use_dpop_nonce`
    Nonce,
    /// `invalid_dpop_proof`
    Proof,
}

/// The tries of one request: one more for a nonce, one more for a clock that was told wrong.
#[derive(Debug, Default)]
struct Tries {
    nonce: bool,
    clock: bool,
    /// The difference of the clocks that the last proof went by.
    ahead: i64,
}

impl Tries {
    /// Whether the request is to be made again. What the answer told is known already.
    fn again(&mut self, complaint: Complaint, prover: &Prover, url: &Url, headers: &HeaderMap) -> bool {
        match complaint {
            Complaint::Nonce if servers::nonce(headers).is_some() => !std::mem::replace(&mut self.nonce, true),
            // It judged the proof's age by a clock that was not known to be so far away.
            Complaint::Proof if prover.servers.told(url).ahead != self.ahead => !std::mem::replace(&mut self.clock, true),
            _ => false,
        }
    }
}

/// What the token endpoint has against a proof (RFC 9449 §5, §8).
fn complaint(reply: &Reply) -> Option<Complaint> {
    // Nothing else is taken apart here: a good answer has tokens in it.
    let body = if matches!(reply.status, 400 | 401) { reply.json()? } else { return None };
    match body.get("error")?.as_str()? {
        "use_dpop_nonce" => Some(Complaint::Nonce),
        "invalid_dpop_proof" => Some(Complaint::Proof),
        _ => None,
    }
}

/// Posts a form to the token endpoint, with a proof if there is somebody to make it (RFC 9449 §5), and again if the tenant wants its nonce in it
/// (§8). A request that was answered so has not been carried out.
///
/// # Errors
/// As [`crate::fetch::fetch`]; [`Trouble::NonceLoop`] if the tenant asks for a nonce once more.
pub(crate) async fn post(http: &reqwest::Client, prover: Option<&Prover>, url: &Url, form: impl Fn() -> Form) -> Result<Reply, Trouble> {
    let send = |headers| fetch_with(http, Request::Post(url.clone(), form()), headers);
    let Some(prover) = prover else { return send(HeaderMap::new()).await };
    let mut tries = Tries::default();
    loop {
        let (proof, ahead) = prover.prove(&Method::POST, url, None).ok_or(Trouble::Crashed)?;
        tries.ahead = ahead;
        let reply = send(HeaderMap::from_iter([(DPOP, proof)])).await?;
        prover.servers.heard(url, &reply.headers, prover.clock.now());
        let Some(complaint) = complaint(&reply) else { return Ok(reply) };
        if !tries.again(complaint, prover, url, &reply.headers) {
            return if complaint == Complaint::Nonce { Err(Trouble::NonceLoop) } else { Ok(reply) };
        }
    }
}

/// One request to a resource with an access token: the fields that present the token, and what its answers mean.
///
/// A bearer token has one field (RFC 6750 §2.1). A bound one has two, and the second is made anew for each try (RFC 9449 §7.1).
#[derive(Debug)]
pub struct Presentation {
    token: AccessToken,
    method: Method,
    url: Url,
    tries: Tries,
}

/// What an answer to a [`Presentation`] means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// Nothing about the proof. It may still be a refusal of the token.
    Judged,
    /// Make the request again, with new fields. Comes twice at most.
    Again,
    /// The resource wants a nonce again and again.
    NonceLoop,
    /// The resource does not take the proof.
    ProofRefused,
}

impl Presentation {
    /// A request of this method to this address, in its http or https form.
    #[must_use]
    pub fn new(token: AccessToken, method: Method, url: Url) -> Self {
        Self { token, method, url, tries: Tries::default() }
    }

    /// The fields for the next try, marked as sensitive.
    #[must_use]
    pub fn fields(&mut self) -> HeaderMap {
        let mut fields = HeaderMap::from_iter([(http::header::AUTHORIZATION, self.token.header_value())]);
        if let Some((proof, ahead)) =
            self.token.prover().and_then(|prover| prover.prove(&self.method, &self.url, Some(self.token.secret())))
        {
            self.tries.ahead = ahead;
            fields.insert(DPOP, proof);
        }
        fields
    }

    /// Takes an answer. Only what a challenge of the scheme `DPoP` says with 401 is about the proof (RFC 9449 §7.1, §9).
    pub fn answered(&mut self, status: StatusCode, headers: &HeaderMap) -> Answered {
        let Some(prover) = self.token.prover() else { return Answered::Judged };
        prover.servers.heard(&self.url, headers, prover.clock.now());
        let challenges = if status == StatusCode::UNAUTHORIZED { Challenge::all(headers) } else { Vec::new() };
        let complaint =
            challenges.iter().filter(|challenge| challenge.scheme == "dpop").find_map(|challenge| match challenge.param("error") {
                Some("use_dpop_nonce") => Some(Complaint::Nonce),
                Some("invalid_dpop_proof") => Some(Complaint::Proof),
                _ => None,
            });
        match complaint {
            None => Answered::Judged,
            Some(complaint) if self.tries.again(complaint, prover, &self.url, headers) => Answered::Again,
            Some(Complaint::Nonce) => Answered::NonceLoop,
            Some(Complaint::Proof) => Answered::ProofRefused,
        }
    }
}

#[cfg(test)]
mod tests;
