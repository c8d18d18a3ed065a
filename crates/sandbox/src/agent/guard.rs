//! Who may come in: RFC 6750 tokens in the header, RFC 9728 metadata, and whose conversation it is.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Door;
use crate::{
    AUDIENCE, Fault, TokenBinding,
    dpop::{self, ALGORITHM, ProofFault, Wanted},
    tenant::{self, Refused, Scheme},
};

/// Where the metadata of this protected resource is (RFC 9728 §3).
pub(super) const METADATA: &str = "/.well-known/oauth-protected-resource";

pub(super) fn metadata(door: &Door) -> Value {
    let settings = door.rooms.control.settings();
    let mut document = json!({
        "resource": door.origin,
        "resource_name": "Callbox sandbox agent",
        "authorization_servers": [door.tenant.issuer()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["openid", "profile", "email", "offline_access", "chat"],
        // What to ask the tenant for: its tokens name this, not the address.
        "audience": AUDIENCE,
    });
    if settings.dpop != TokenBinding::Off {
        document["dpop_signing_alg_values_supported"] = json!([ALGORITHM]);
        document["dpop_bound_access_tokens_required"] = json!(settings.dpop_required);
    }
    document
}

/// A query parameter, decoded.
pub(super) fn query(query: Option<&str>, name: &str) -> Option<String> {
    let found = form_urlencoded::parse(query?.as_bytes()).find(|(known, value)| known == name && !value.is_empty());
    found.map(|(_, value)| value.into_owned())
}

/// 401 with a challenge for each way in (RFC 6750 §3, RFC 9449 §7.1, RFC 9728 §5.1).
fn challenge(door: &Door, status: StatusCode, told: Option<(Scheme, &str, &str)>) -> Response {
    let settings = door.rooms.control.settings();
    let error = |scheme| {
        let told = told.filter(|(told, ..)| *told == scheme);
        told.map_or(String::new(), |(_, code, description)| format!(", error=\"{code}\", error_description=\"{description}\""))
    };
    let bearer = format!("Bearer realm=\"{AUDIENCE}\"{}, resource_metadata=\"{}{METADATA}\"", error(Scheme::Bearer), door.origin);
    let text = if status == StatusCode::UNAUTHORIZED { "Unauthorized" } else { "Bad request" };
    let mut response = (status, [(header::WWW_AUTHENTICATE, bearer)], text).into_response();
    if settings.dpop != TokenBinding::Off {
        let dpop = format!("DPoP algs=\"{ALGORITHM}\"{}", error(Scheme::Dpop));
        if let Ok(dpop) = HeaderValue::try_from(dpop) {
            response.headers_mut().append(header::WWW_AUTHENTICATE, dpop);
        }
        if settings.agent_nonce || told.is_some_and(|(_, code, _)| code == ProofFault::Nonce.code()) {
            response.headers_mut().extend([door.proofs.nonce()]);
        }
    }
    response
}

/// 403: the token is good, for too little (RFC 6750 §3.1).
fn lacks(door: &Door, scope: &str) -> Response {
    let scope = if scope.is_empty() { String::new() } else { format!(", scope=\"{scope}\"") };
    let value = format!(
        "Bearer realm=\"{AUDIENCE}\", error=\"insufficient_scope\", error_description=\"Insufficient Scope\"{scope}, resource_metadata=\"{}{METADATA}\"",
        door.origin
    );
    (StatusCode::FORBIDDEN, [(header::WWW_AUTHENTICATE, value)], "Insufficient Scope").into_response()
}

/// 403: the token is good, the conversation is somebody else's.
pub(super) fn not_yours() -> Response {
    (StatusCode::FORBIDDEN, "This chat is not yours.").into_response()
}

/// Somebody at the door.
pub(super) struct Knock<'a> {
    pub(super) method: &'a Method,
    pub(super) uri: &'a Uri,
    pub(super) headers: &'a HeaderMap,
    pub(super) faults: &'a [Fault],
}

/// Checks the token and, where the conversation has an owner already, that it is the same person. The person's `sub` comes back.
pub(super) fn admit(door: &Door, knock: &Knock<'_>, name: &str) -> Result<String, Box<Response>> {
    let Knock { method, uri, headers, faults } = knock;
    if let Some((scheme, _)) = tenant::credentials(headers).filter(|_| query(uri.query(), "access_token").is_some()) {
        let both = (scheme, "invalid_request", "More than one method used for authentication");
        return Err(challenge(door, StatusCode::BAD_REQUEST, Some(both)).into());
    }
    let place = format!("{}{}", door.origin, uri.path());
    let wanted = Wanted { method: method.as_str(), url: &place, token: None, nonce: door.rooms.control.settings().agent_nonce };
    let proved = headers.contains_key(dpop::PROOF);
    let ordered = faults.iter().find_map(|fault| match fault {
        Fault::AskForNonce if proved => Some(Refused::Proof(ProofFault::Nonce)),
        Fault::RefuseProof if proved => Some(Refused::Proof(ProofFault::Ordered)),
        _ => None,
    });
    // A token in the address is as good as none: addresses end up in logs.
    let admitted = ordered.map_or_else(|| door.tenant.admit(headers, AUDIENCE, &door.proofs, wanted), Err);
    let claims = admitted.map_err(|refused| challenge(door, StatusCode::UNAUTHORIZED, refused.told()))?;
    let sub = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(wanted) = door.tenant.agent_wants(&claims) {
        return Err(lacks(door, &wanted).into());
    }
    if door.rooms.owner(name).is_some_and(|owner| owner != sub) {
        return Err(not_yours().into());
    }
    Ok(sub)
}
