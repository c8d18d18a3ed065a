//! Discovery (OIDC Discovery 1.0, RFC 8414) and the key set.

use std::sync::Arc;

use axum::{Json, extract::State, response::IntoResponse};
use http::header;
use serde_json::{Value, json};

use super::Tenant;
use crate::{ResponseIss, TokenBinding, dpop::ALGORITHM};

pub(super) async fn discovery(State(tenant): State<Arc<Tenant>>) -> Json<Value> {
    let settings = tenant.control.settings();
    let announces_iss = settings.response_iss != ResponseIss::Off;
    let at = |path| tenant.endpoint(path);
    let mut document = json!({
        "issuer": tenant.issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("oauth/token"),
        "userinfo_endpoint": at("userinfo"),
        "jwks_uri": at(".well-known/jwks.json"),
        "revocation_endpoint": at("oauth/revoke"),
        "registration_endpoint": at("oidc/register"),
        "end_session_endpoint": at("oidc/logout"),
        // As at Auth0. Nobody can use it here, but apps know an Auth0 tenant by it.
        "mfa_challenge_endpoint": at("mfa/challenge"),
        "scopes_supported": ["openid", "profile", "email", "offline_access", "chat"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        // As at Auth0, `none` is left out although public clients work.
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "claims_supported":
            ["aud", "auth_time", "email", "email_verified", "exp", "family_name", "given_name", "iat", "iss", "name", "nickname", "sid", "sub"],
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "authorization_response_iss_parameter_supported": announces_iss,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    });
    if settings.dpop != TokenBinding::Off {
        document["dpop_signing_alg_values_supported"] = json!([ALGORITHM]);
    }
    Json(document)
}

pub(super) async fn jwks(State(tenant): State<Arc<Tenant>>) -> impl IntoResponse {
    // Clients may keep it for a while; an unknown key id makes them ask again.
    ([(header::CACHE_CONTROL, "public, max-age=15")], Json(tenant.desk().keys.jwks()))
}
