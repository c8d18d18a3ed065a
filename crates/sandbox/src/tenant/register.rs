//! `POST /oidc/register`: an app makes itself known (RFC 7591), as a public client.

use std::sync::Arc;

use axum::{
    Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde_json::{Map, Value, json};
use url::Url;

use super::{Tenant, errors::OAuthError};
use crate::Registration;

pub(super) async fn register(State(tenant): State<Arc<Tenant>>, body: Bytes) -> Response {
    match answer(&tenant, &body).await {
        Ok(client) => (StatusCode::CREATED, Json(client)).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn answer(tenant: &Tenant, body: &Bytes) -> Result<Value, OAuthError> {
    let allowed = tenant.control.settings().registration;
    if allowed == Registration::Off {
        return Err(OAuthError::REGISTRATION_OFF);
    }
    let asked: Map<String, Value> = serde_json::from_slice(body).map_err(|_| OAuthError::METADATA)?;
    let uris = asked.get("redirect_uris").and_then(Value::as_array).filter(|uris| !uris.is_empty()).ok_or(OAuthError::REDIRECT)?;
    let uris: Vec<String> = uris.iter().filter_map(|uri| uri.as_str().map(str::to_owned)).collect();
    let good =
        |uri: &String| Url::parse(uri).is_ok_and(|url| url.fragment().is_none() && (allowed == Registration::On || is_loopback(&url)));
    if !uris.iter().all(good) {
        return Err(OAuthError::REDIRECT);
    }
    if asked.get("token_endpoint_auth_method") != Some(&json!("none")) || asked.get("application_type") != Some(&json!("native")) {
        return Err(OAuthError::METADATA);
    }
    let client_id = tenant.change(|desk| desk.books.register(uris.clone())).await;
    Ok(json!({
        "client_id": client_id,
        "client_id_issued_at": tenant.now(),
        "client_name": asked.get("client_name"),
        "redirect_uris": uris,
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "application_type": "native",
    }))
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http" && url.host_str() == Some("127.0.0.1")
}
