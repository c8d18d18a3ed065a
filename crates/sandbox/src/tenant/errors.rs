//! Error answers of the endpoints that apps talk to, with Auth0's status codes and words.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header};
use serde_json::json;

use crate::dpop::ProofFault;

/// An OAuth error (RFC 6749 §5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) status: StatusCode,
    pub(crate) error: &'static str,
    pub(crate) description: &'static str,
}

impl OAuthError {
    const fn new(status: StatusCode, error: &'static str, description: &'static str) -> Self {
        Self { status, error, description }
    }

    pub(crate) const BODY: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The body must be a form or a JSON object.");
    pub(crate) const REPEATED: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "A parameter is included more than once.");
    pub(crate) const GRANT_TYPE: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: grant_type");
    pub(crate) const UNSUPPORTED: Self = Self::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", "Unsupported grant type");
    pub(crate) const CODE_MISSING: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: code");
    pub(crate) const VERIFIER_MISSING: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: code_verifier");
    pub(crate) const REFRESH_MISSING: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: refresh_token");
    pub(crate) const TOKEN_MISSING: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_request", "Missing required parameter: token");
    pub(crate) const CODE: Self = Self::new(StatusCode::BAD_REQUEST, "invalid_grant", "Invalid authorization code");
    pub(crate) const CLIENT: Self = Self::new(StatusCode::UNAUTHORIZED, "invalid_client", "Client authentication failed");
    pub(crate) const GRANT_NOT_ALLOWED: Self =
        Self::new(StatusCode::FORBIDDEN, "unauthorized_client", "The grant type is not allowed for the client.");
    pub(crate) const REFRESH: Self = Self::new(StatusCode::FORBIDDEN, "invalid_grant", "Unknown or invalid refresh token.");
    pub(crate) const AUDIENCE: Self = Self::new(StatusCode::FORBIDDEN, "access_denied", "Service not enabled within domain");
    pub(crate) const TARGET: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_target", "The resource is not the one that was signed in for.");
    pub(crate) const REGISTRATION_OFF: Self =
        Self::new(StatusCode::FORBIDDEN, "access_denied", "Dynamic client registration is not enabled.");
    pub(crate) const REDIRECT: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_redirect_uri", "A redirect URI is missing or is not allowed here.");
    pub(crate) const METADATA: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_client_metadata", "Only native apps without a secret can register here.");
    pub(crate) const BOUND_ELSEWHERE: Self =
        Self::new(StatusCode::BAD_REQUEST, "invalid_grant", "The grant is bound to another key than that of the proof.");
    pub(crate) const SIGNING: Self = Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "The token could not be signed.");
}

impl From<ProofFault> for OAuthError {
    fn from(fault: ProofFault) -> Self {
        Self::new(StatusCode::BAD_REQUEST, fault.code(), fault.description())
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let body = Json(json!({ "error": self.error, "error_description": self.description }));
        let mut response = (self.status, body).into_response();
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}
