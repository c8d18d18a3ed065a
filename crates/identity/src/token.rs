//! Answers of the token endpoint (RFC 6749 §5), and the access token.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_lc_rs::digest::{SHA256, digest};
use callbox_vault::Secret;
use http::HeaderValue;
use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::{TenantError, Trouble, dpop::Prover, fetch::Reply};

/// What an access token is good for if its answer does not say (RFC 6749 §5.1 only recommends to).
const LIFETIME_UNTOLD: Duration = Duration::from_secs(300);
/// The longest that is believed.
const MAX_LIFETIME: Duration = Duration::from_secs(30 * 86_400);

/// An access token, opaque to the app (RFC 9068 §6). Clones share one copy in memory.
#[derive(Clone)]
pub struct AccessToken {
    value: Arc<Secret<String>>,
    fingerprint: u64,
    fresh_until: Instant,
    expires: Instant,
    prover: Option<Arc<Prover>>,
}

impl AccessToken {
    /// A bearer token as a tenant gave it. `fresh_until`: from then on, whoever asks for a token gets another one. `value` must be visible ASCII.
    #[must_use]
    pub fn new(value: Secret<String>, fresh_until: Instant, expires: Instant) -> Self {
        let hash = digest(&SHA256, value.expose().as_bytes());
        let fingerprint = hash.as_ref().iter().take(8).fold(0, |sum, byte| (sum << 8) | u64::from(*byte));
        Self { value: Arc::new(value), fingerprint, fresh_until, expires, prover: None }
    }

    /// The same, bound to a key if there is somebody who has it.
    pub(crate) fn bound(self, prover: Option<Arc<Prover>>) -> Self {
        Self { prover, ..self }
    }

    pub(crate) fn prover(&self) -> Option<&Prover> {
        self.prover.as_deref()
    }

    /// Whether it is worth nothing without a proof for each request (RFC 9449 §7): see [`crate::Presentation`].
    #[must_use]
    pub fn is_bound(&self) -> bool {
        self.prover.is_some()
    }

    /// When [`crate::Session::access_token`] will no longer hand it out, unless the computer sleeps before that: the time to ask for another.
    #[must_use]
    pub fn fresh_until(&self) -> Instant {
        self.fresh_until
    }

    /// When it ends, counted from before it was made.
    #[must_use]
    pub fn expires(&self) -> Instant {
        self.expires
    }

    /// The value of an `Authorization` header: `Bearer …`, of a bound one `DPoP …`, marked as sensitive so that HTTP libraries keep it out of
    /// their logs.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        let scheme = if self.is_bound() { "DPoP" } else { "Bearer" };
        let text = Secret::new(format!("{scheme} {}", self.value.expose()));
        // Only visible ASCII gets this far.
        let mut header = HeaderValue::from_str(text.expose()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        header.set_sensitive(true);
        header
    }

    pub(crate) fn secret(&self) -> &Secret<String> {
        &self.value
    }

    /// Tells two tokens apart without showing either: 64 bits of a hash.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}

/// What a token endpoint gave, in the order in which it is dealt with: the refresh token is kept before the rest is even looked at.
pub(crate) struct Tokens {
    pub(crate) refresh: Option<Secret<String>>,
    pub(crate) rest: Rest,
}

/// The part of an answer that can be wrong without a loss.
pub(crate) struct Rest(Map<String, Value>);

/// A usable answer.
pub(crate) struct Grant {
    pub(crate) access: Secret<String>,
    pub(crate) lifetime: Duration,
    pub(crate) kind: Kind,
    pub(crate) id_token: Option<Secret<String>>,
    /// What was granted, if that is not what was asked for (RFC 6749 §5.1).
    pub(crate) scopes: Option<Vec<String>>,
}

/// What an access token is (RFC 6749 §7.1, RFC 9449 §5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bearer,
    /// Bound to the key that the request was proved with.
    Bound,
}

/// Why there are no tokens in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing is known about the grant.
    Trouble(Trouble),
    /// `invalid_grant`: the code or refresh token is worthless. The one answer that ends a session.
    InvalidGrant,
    /// A person has to do something.
    Interaction(TenantError),
    /// The proof is not accepted, or one was missing (RFC 9449 §5).
    Proof(TenantError),
    /// A setting is wrong.
    Configuration(TenantError),
}

impl Refusal {
    /// Whether the tenant may have done what it was asked although it did not say so.
    pub(crate) fn may_have_happened(&self) -> bool {
        matches!(self, Self::Trouble(trouble) if trouble.may_have_happened())
    }
}

/// Sorts an answer of the token endpoint.
///
/// # Errors
/// See [`Refusal`].
pub(crate) fn read(reply: &Reply, now: SystemTime) -> Result<Tokens, Refusal> {
    if let Some(trouble) = reply.trouble(now) {
        return Err(Refusal::Trouble(trouble));
    }
    let intercepted = Refusal::Trouble(Trouble::Intercepted { status: reply.status });
    let mut members = match reply.json() {
        Some(members) => members,
        // Cut off in the middle: the tenant has done what it was asked, and we do not know what it said.
        None if reply.status == 200 && reply.begins_as_json() => return Err(Refusal::Trouble(Trouble::ReplyLost)),
        None => return Err(intercepted),
    };
    if reply.status == 200 {
        let refresh = match members.remove("refresh_token") {
            Some(Value::String(token)) if !token.is_empty() => Some(Secret::new(token)),
            _ => None,
        };
        return Ok(Tokens { refresh, rest: Rest(members) });
    }
    let text = |name: &str| members.get(name).and_then(Value::as_str);
    let Some(error) = text("error").filter(|_| reply.status >= 400) else { return Err(intercepted) };
    let told = TenantError::new(error, text("error_description"));
    Err(match error {
        "invalid_grant" => Refusal::InvalidGrant,
        "temporarily_unavailable" | "server_error" => {
            Refusal::Trouble(Trouble::Unwell { status: reply.status, retry_in: reply.pause(now) })
        }
        "too_many_requests" | "too_many_attempts" | "slow_down" => Refusal::Trouble(Trouble::RateLimited { retry_in: reply.pause(now) }),
        "mfa_required" | "consent_required" | "interaction_required" | "login_required" | "unmet_authentication_requirements" => {
            Refusal::Interaction(told)
        }
        "invalid_dpop_proof" | "use_dpop_nonce" => Refusal::Proof(told),
        _ => Refusal::Configuration(told),
    })
}

impl Rest {
    /// Looks at everything but the refresh token.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn grant(mut self) -> Result<Grant, &'static str> {
        let access = match self.0.remove("access_token") {
            Some(Value::String(token)) => Secret::new(token),
            _ => return Err("it contains no access token"),
        };
        if access.expose().is_empty() || !access.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("its access token has characters that no token has");
        }
        let kind = match self.0.get("token_type").and_then(Value::as_str) {
            Some(kind) if kind.eq_ignore_ascii_case("bearer") => Kind::Bearer,
            Some(kind) if kind.eq_ignore_ascii_case("dpop") => Kind::Bound,
            _ => return Err("its access token is of a type that this app does not know"),
        };
        let lifetime = match self.0.get("expires_in") {
            None | Some(Value::Null) => LIFETIME_UNTOLD,
            Some(Value::Number(seconds)) => lifetime(seconds.as_f64()),
            Some(Value::String(seconds)) => lifetime(seconds.trim().parse().ok()),
            Some(_) => Duration::ZERO,
        };
        let id_token = match self.0.remove("id_token") {
            Some(Value::String(token)) => Some(Secret::new(token)),
            _ => None,
        };
        // An empty text is no scope: a token for a resource that has none (RFC 8707) may come with one.
        let scopes = |text: &str| text.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
        let scopes = self.0.get("scope").and_then(Value::as_str).map(scopes);
        Ok(Grant { access, lifetime, kind, id_token, scopes })
    }
}

/// Nothing that a tenant says here is an error; at worst the token is used once and then refreshed.
fn lifetime(seconds: Option<f64>) -> Duration {
    let seconds = seconds.filter(|seconds| seconds.is_finite()).unwrap_or(0.0).clamp(0.0, MAX_LIFETIME.as_secs_f64());
    Duration::from_secs_f64(seconds)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fetch::tests::reply;

    fn read_body(status: u16, body: &str) -> Result<Tokens, Refusal> {
        read(&reply(status, &[], body), SystemTime::UNIX_EPOCH)
    }

    fn grant(changes: &[(&str, Value)]) -> Result<Grant, &'static str> {
        let mut members =
            json!({"access_token": "at", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "rt", "id_token": "it"});
        for (name, value) in changes {
            members[*name] = value.clone();
        }
        let tokens = read_body(200, &members.to_string()).unwrap_or_else(|_| panic!("readable"));
        assert_eq!(tokens.refresh.unwrap().expose(), "rt", "kept whatever the rest is");
        tokens.rest.grant()
    }

    #[test]
    fn a_good_answer_gives_three_tokens() {
        let grant = grant(&[]).unwrap();
        let header = AccessToken::new(grant.access, Instant::now(), Instant::now()).header_value();
        assert!(header == "Bearer at" && header.is_sensitive());
        assert_eq!((grant.lifetime, grant.id_token.unwrap().expose().as_str()), (Duration::from_secs(3600), "it"));
    }

    #[test]
    fn what_was_granted_is_what_is_said_and_an_empty_text_is_nothing() {
        let scopes = |value: Value| grant(&[("scope", value)]).unwrap().scopes;
        assert_eq!(scopes(json!("openid chat")).unwrap(), ["openid", "chat"]);
        assert_eq!(scopes(json!("")), Some(Vec::new()));
        assert_eq!(scopes(Value::Null), None);
    }

    #[test]
    fn the_refresh_token_is_read_before_anything_else_is_judged() {
        for (name, value) in
            [("access_token", Value::Null), ("access_token", json!("a b")), ("access_token", json!("a\nb")), ("token_type", json!("mac"))]
        {
            assert!(grant(&[(name, value.clone())]).is_err(), "{name} {value}");
        }
    }

    #[test]
    fn the_type_of_a_token_is_written_in_any_case() {
        for (text, kind) in [("Bearer", Kind::Bearer), ("bearer", Kind::Bearer), ("DPoP", Kind::Bound), ("dpop", Kind::Bound)] {
            assert_eq!(grant(&[("token_type", json!(text))]).unwrap().kind, kind, "{text}");
        }
        for other in [json!("mac"), json!(""), Value::Null] {
            assert!(grant(&[("token_type", other)]).is_err());
        }
    }

    #[test]
    fn expires_in_may_be_anything() {
        for (value, seconds) in [
            (json!(3600), 3600),
            (json!("3600"), 3600),
            (json!(0), 0),
            (json!(-5), 0),
            (json!("soon"), 0),
            (json!([]), 0),
            (json!(1e12), 30 * 86_400),
            (Value::Null, 300),
        ] {
            assert_eq!(grant(&[("expires_in", value.clone())]).unwrap().lifetime.as_secs(), seconds, "{value}");
        }
    }

    #[test]
    fn the_error_table() {
        let error = |error: &str| json!({"error": error, "error_description": "why"}).to_string();
        let told = |error: &str| TenantError::new(error, Some("why"));
        let unwell = |status| Refusal::Trouble(Trouble::Unwell { status, retry_in: None });
        let intercepted = |status| Refusal::Trouble(Trouble::Intercepted { status });
        let limited = Refusal::Trouble(Trouble::RateLimited { retry_in: None });
        for (status, body, expected) in [
            (403, error("invalid_grant"), Refusal::InvalidGrant),
            (400, error("invalid_grant"), Refusal::InvalidGrant),
            (500, error("invalid_grant"), unwell(500)),
            (429, error("invalid_grant"), limited.clone()),
            (429, error("too_many_requests"), limited.clone()),
            (403, error("too_many_attempts"), limited),
            (408, String::new(), unwell(408)),
            (425, String::new(), unwell(425)),
            (500, "<html>".to_owned(), unwell(500)),
            (502, String::new(), unwell(502)),
            (503, error("temporarily_unavailable"), unwell(503)),
            (400, error("temporarily_unavailable"), unwell(400)),
            (400, error("server_error"), unwell(400)),
            (200, "<html>".to_owned(), intercepted(200)),
            (200, String::new(), intercepted(200)),
            (200, "{\"access_token\": \"a".to_owned(), Refusal::Trouble(Trouble::ReplyLost)),
            (204, String::new(), intercepted(204)),
            (302, String::new(), intercepted(302)),
            (403, "Forbidden".to_owned(), intercepted(403)),
            (403, "{}".to_owned(), intercepted(403)),
            (403, error("mfa_required"), Refusal::Interaction(told("mfa_required"))),
            (400, error("interaction_required"), Refusal::Interaction(told("interaction_required"))),
            (400, error("invalid_dpop_proof"), Refusal::Proof(told("invalid_dpop_proof"))),
            (400, error("use_dpop_nonce"), Refusal::Proof(told("use_dpop_nonce"))),
            (401, error("invalid_client"), Refusal::Configuration(told("invalid_client"))),
            (403, error("unauthorized_client"), Refusal::Configuration(told("unauthorized_client"))),
            (403, error("access_denied"), Refusal::Configuration(told("access_denied"))),
            (400, error("something_new"), Refusal::Configuration(told("something_new"))),
        ] {
            assert_eq!(read_body(status, &body).err(), Some(expected), "{status} {body}");
        }
    }

    #[test]
    fn tokens_are_told_apart_by_fingerprint_and_shown_by_nothing() {
        let now = Instant::now();
        let token = |text: &str| AccessToken::new(Secret::new(text.to_owned()), now, now);
        assert_eq!(token("a").fingerprint(), token("a").fingerprint());
        assert_ne!(token("a").fingerprint(), token("b").fingerprint());
        assert_eq!(format!("{:?}", token("the-token")), "AccessToken(…)");
    }
}
