//! Tokens: what is in them.

use serde_json::{Map, Value, json};

use super::{Desk, Tenant, books::Grant};
use crate::{AUDIENCE, CLIENT_ID, Fault, SandboxError, Signature, TokenBinding, control::patch, dpop::ProofFault, random};

/// What the faults of a request do to its tokens.
#[derive(Debug, Default)]
pub(super) struct Twist {
    id_claims: Map<String, Value>,
    id_header: Map<String, Value>,
    id_signature: Option<Signature>,
    access_claims: Map<String, Value>,
    response: Map<String, Value>,
    /// What is held against the proof, whatever it is.
    pub(super) proof: Option<ProofFault>,
}

impl Twist {
    pub(super) fn of(faults: &[Fault]) -> Self {
        let mut twist = Self::default();
        for fault in faults {
            match fault {
                Fault::IdTokenClaims { claims } => twist.id_claims.extend(claims.clone()),
                Fault::IdTokenHeader { fields } => twist.id_header.extend(fields.clone()),
                Fault::IdTokenSignature { by } => twist.id_signature = Some(*by),
                Fault::AccessTokenClaims { claims } => twist.access_claims.extend(claims.clone()),
                Fault::AskForNonce => twist.proof = Some(ProofFault::Nonce),
                Fault::RefuseProof => twist.proof = Some(ProofFault::Ordered),
                Fault::TokenResponse { members } => twist.response.extend(members.clone()),
                _ => {}
            }
        }
        twist
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

impl Tenant {
    /// The member `access_token`: a JWT of the RFC 9068 profile.
    fn access_token(&self, desk: &Desk, grant: &Grant, twist: &Twist) -> Result<String, SandboxError> {
        let userinfo = self.endpoint("userinfo");
        let openid = grant.scope.split(' ').any(|scope| scope == "openid");
        let audience = match (&grant.audience, openid) {
            (Some(api), true) => json!([api, userinfo]),
            (Some(api), false) => json!(api),
            (None, _) => json!([userinfo]),
        };
        let now = self.now();
        let ttl = self.control.settings().access_token_ttl.as_secs();
        let mut claims = object(json!({
            "iss": self.issuer, "sub": grant.sub, "aud": audience, "iat": now, "exp": now + ttl,
            "scope": grant.scope, "client_id": grant.client_id, "jti": random::nanoid(24),
        }));
        if let Some(jkt) = self.bound_to(grant) {
            claims.insert("cnf".to_owned(), json!({ "jkt": jkt }));
        }
        patch(&mut claims, &twist.access_claims);
        desk.keys.sign("at+jwt", &Map::new(), &claims, None)
    }

    /// The key that an access token is bound to.
    fn bound_to<'a>(&self, grant: &'a Grant) -> Option<&'a str> {
        grant.jkt.as_deref().filter(|_| self.control.settings().dpop == TokenBinding::On)
    }

    /// The member `id_token` (OIDC Core §2).
    fn id_token(&self, desk: &Desk, grant: &Grant, nonce: Option<&str>, twist: &Twist) -> Result<String, SandboxError> {
        let now = self.now();
        let mut claims = self.profile(grant);
        claims.extend(object(json!({
            "iss": self.issuer, "aud": grant.client_id, "iat": now, "exp": now + self.config.id_token_ttl.as_secs(),
            "sid": grant.sid, "auth_time": grant.auth_time,
        })));
        if let Some(nonce) = nonce {
            claims.insert("nonce".to_owned(), json!(nonce));
        }
        patch(&mut claims, &twist.id_claims);
        desk.keys.sign("JWT", &twist.id_header, &claims, twist.id_signature)
    }

    /// What the scopes let an app know about a person (OIDC Core §5.4).
    pub(super) fn profile(&self, grant: &Grant) -> Map<String, Value> {
        let mut claims = object(json!({ "sub": grant.sub }));
        let has = |wanted| grant.scope.split(' ').any(|scope| scope == wanted);
        if let Some(person) = self.person(&grant.sub) {
            if has("profile") {
                let nickname = person.email.split('@').next().unwrap_or_default();
                claims.extend(object(json!({
                    "name": person.name(), "given_name": person.given_name, "family_name": person.family_name, "nickname": nickname,
                })));
            }
            if has("email") {
                claims.extend(object(json!({ "email": person.email, "email_verified": true })));
            }
        }
        claims
    }

    /// A whole token response (RFC 6749 §5.1).
    pub(super) fn response(
        &self,
        desk: &Desk,
        grant: &Grant,
        nonce: Option<&str>,
        refresh_token: Option<String>,
        twist: &Twist,
    ) -> Result<Map<String, Value>, SandboxError> {
        let mut members = object(json!({
            "access_token": self.access_token(desk, grant, twist)?,
            "token_type": if self.bound_to(grant).is_some() { "DPoP" } else { "Bearer" },
            "expires_in": self.control.settings().access_token_ttl.as_secs(),
            "scope": grant.scope,
        }));
        if grant.scope.split(' ').any(|scope| scope == "openid") {
            members.insert("id_token".to_owned(), json!(self.id_token(desk, grant, nonce, twist)?));
        }
        if let Some(token) = refresh_token {
            members.insert("refresh_token".to_owned(), json!(token));
        }
        patch(&mut members, &twist.response);
        Ok(members)
    }

    /// See [`crate::Sandbox::access_token`].
    pub(crate) fn access_token_for(&self, sub: &str) -> Result<String, SandboxError> {
        let grant = Grant {
            sub: sub.to_owned(),
            sid: random::nanoid(32),
            auth_time: self.now(),
            client_id: CLIENT_ID.to_owned(),
            audience: Some(AUDIENCE.to_owned()),
            scope: "openid profile email offline_access".to_owned(),
            resource: None,
            jkt: None,
        };
        self.access_token(&self.desk(), &grant, &Twist::default())
    }
}
