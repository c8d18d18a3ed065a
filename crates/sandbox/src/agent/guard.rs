//! Who may come in: RFC 6750 tokens in the header, RFC 9728 metadata, and whose conversation it is.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde_json::{Value, json};
use url::form_urlencoded;

use super::Door;
use crate::{AUDIENCE, tenant};

/// Where the metadata of this protected resource is (RFC 9728 §3).
pub(super) const METADATA: &str = "/.well-known/oauth-protected-resource";

pub(super) fn metadata(door: &Door) -> Value {
    json!({
        "resource": door.origin,
        "resource_name": "Callbox sandbox agent",
        "authorization_servers": [door.tenant.issuer()],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["openid", "profile", "email", "offline_access", "chat"],
        // What to ask the tenant for: its tokens name this, not the address.
        "audience": AUDIENCE,
    })
}

/// A query parameter, decoded.
pub(super) fn query(query: Option<&str>, name: &str) -> Option<String> {
    let found = form_urlencoded::parse(query?.as_bytes()).find(|(known, value)| known == name && !value.is_empty());
    found.map(|(_, value)| value.into_owned())
}

/// 401 with a challenge (RFC 6750 §3, RFC 9728 §5.1).
fn challenge(door: &Door, status: StatusCode, error: Option<(&str, &str)>) -> Response {
    let mut value = format!("Bearer realm=\"{AUDIENCE}\"");
    if let Some((error, description)) = error {
        value.push_str(&format!(", error=\"{error}\", error_description=\"{description}\""));
    }
    value.push_str(&format!(", resource_metadata=\"{}{METADATA}\"", door.origin));
    let text = if status == StatusCode::UNAUTHORIZED { "Unauthorized" } else { "Bad request" };
    (status, [(header::WWW_AUTHENTICATE, value)], text).into_response()
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

/// Checks the token and, where the conversation has an owner already, that it is the same person. The person's `sub` comes back.
pub(super) fn admit(door: &Door, headers: &HeaderMap, query_string: Option<&str>, name: &str) -> Result<String, Box<Response>> {
    let token = tenant::bearer(headers);
    if token.is_some() && query(query_string, "access_token").is_some() {
        let both = ("invalid_request", "More than one method used for authentication");
        return Err(challenge(door, StatusCode::BAD_REQUEST, Some(both)).into());
    }
    // A token in the address is as good as none: addresses end up in logs.
    let token = token.ok_or_else(|| challenge(door, StatusCode::UNAUTHORIZED, None))?;
    let claims = door
        .tenant
        .check(token, AUDIENCE)
        .map_err(|fault| challenge(door, StatusCode::UNAUTHORIZED, Some(("invalid_token", fault.description()))))?;
    let sub = claims.get("sub").and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Some(wanted) = door.tenant.agent_wants(&claims) {
        return Err(lacks(door, &wanted).into());
    }
    if door.rooms.owner(name).is_some_and(|owner| owner != sub) {
        return Err(not_yours().into());
    }
    Ok(sub)
}
