//! `/userinfo` (OIDC Core §5.3) and `/oauth/revoke` (RFC 7009).

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

use super::{Tenant, books::Grant, errors::OAuthError, keys::TokenFault, params::Params, present::Scheme, token::Client};
use crate::dpop::Wanted;

impl Tenant {
    /// Checks an access token: signature, issuer, expiry, audience, in the order of the hosted agent's library.
    /// Its claims come back. No leeway: both ends run on one clock.
    pub(crate) fn check(&self, token: &str, audience: &str) -> Result<serde_json::Map<String, Value>, TokenFault> {
        let claims = self.desk().keys.verify(token)?;
        if claims.get("iss").and_then(Value::as_str) != Some(self.issuer.as_str()) {
            return Err(TokenFault::Issuer);
        }
        let meant = match claims.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(many)) => many.iter().any(|one| one == audience),
            _ => false,
        };
        if !meant {
            return Err(TokenFault::Audience);
        }
        if claims.get("exp").and_then(Value::as_u64).is_none_or(|exp| exp <= self.now()) {
            return Err(TokenFault::Expired);
        }
        Ok(claims)
    }
}

impl Tenant {
    /// The scopes that the agent wants, if a token with these claims lacks one of them. Empty: it does not say which.
    pub(crate) fn agent_wants(&self, claims: &serde_json::Map<String, Value>) -> Option<String> {
        let wanted = self.control.settings().agent_wants?;
        let granted: Vec<&str> = claims.get("scope").and_then(Value::as_str).unwrap_or_default().split(' ').collect();
        let lacks = wanted.is_empty() || wanted.split(' ').any(|scope| !granted.contains(&scope));
        lacks.then_some(wanted)
    }
}

pub(super) async fn userinfo(State(tenant): State<Arc<Tenant>>, method: Method, headers: HeaderMap) -> Response {
    let refuse = |challenge: String| (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], "Unauthorized").into_response();
    let place = tenant.endpoint("userinfo");
    let wanted = Wanted { method: method.as_str(), url: &place, token: None, nonce: false };
    let claims = match tenant.admit(&headers, &place, &tenant.proofs, wanted) {
        Ok(claims) => claims,
        Err(refused) => {
            return refuse(match refused.told() {
                None => "Bearer realm=\"Users\"".to_owned(),
                Some((scheme, code, text)) => {
                    let scheme = if scheme == Scheme::Dpop { "DPoP" } else { "Bearer" };
                    format!("{scheme} realm=\"Users\", error=\"{code}\", error_description=\"{text}\"")
                }
            });
        }
    };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let grant = Grant {
        sub: text("sub"),
        scope: text("scope"),
        client_id: text("client_id"),
        sid: String::new(),
        auth_time: 0,
        audience: None,
        resource: None,
        jkt: None,
    };
    Json(tenant.profile(&grant)).into_response()
}

/// 200 with an empty body, also for a token that is none (RFC 7009 §2.2). The whole family ends.
pub(super) async fn revoke(State(tenant): State<Arc<Tenant>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(params) = Params::from_body(&headers, &body) else { return OAuthError::BODY.into_response() };
    let client_id = match Client::of(&tenant, &headers, &params) {
        Ok(Client::App(id)) => id,
        Ok(Client::Service) => return OAuthError::GRANT_NOT_ALLOWED.into_response(),
        Err(error) => return error.into_response(),
    };
    let Some(token) = params.get("token") else { return OAuthError::TOKEN_MISSING.into_response() };
    tenant.change(|desk| desk.books.revoke(token, &client_id)).await;
    StatusCode::OK.into_response()
}
