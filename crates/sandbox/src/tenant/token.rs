//! `POST /oauth/token`: authorization code with PKCE, refresh with rotation, client credentials.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::State,
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::{
    Tenant,
    books::{Grant, Refreshed},
    errors::OAuthError,
    mint::Twist,
    my_account,
    params::Params,
};
use crate::{
    AUDIENCE, CLIENT_ID, RefreshOutcome, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, TokenBinding,
    control::gate::Faults,
    dpop::{self, Wanted},
    random,
};

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Client {
    /// The desktop app, or one that has registered itself: public, no secret.
    App(String),
    /// A machine that knows its secret.
    Service,
}

impl Client {
    /// The client that a request is from, by `client_id` (and `client_secret`) or HTTP Basic.
    pub(super) fn of(tenant: &Tenant, headers: &HeaderMap, params: &Params) -> Result<Self, OAuthError> {
        let basic = headers
            .get(header::AUTHORIZATION)
            .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
            .and_then(|encoded| String::from_utf8(STANDARD.decode(encoded).ok()?).ok())
            .and_then(|pair| pair.split_once(':').map(|(id, secret)| (id.to_owned(), secret.to_owned())));
        let (id, secret) = match &basic {
            Some((id, secret)) => (Some(id.as_str()), Some(secret.as_str())),
            None => (params.get("client_id"), params.get("client_secret")),
        };
        match (id, secret) {
            (Some(id), _) if tenant.redirect_uris(id).is_some() => Ok(Self::App(id.to_owned())),
            (Some(SERVICE_CLIENT_ID), Some(SERVICE_CLIENT_SECRET)) => Ok(Self::Service),
            _ => Err(OAuthError::CLIENT),
        }
    }
}

pub(super) async fn token(
    State(tenant): State<Arc<Tenant>>,
    Extension(Faults(faults)): Extension<Faults>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let twist = Twist::of(&faults);
    if let Some(params) = Params::from_body(&headers, &body) {
        tenant.control.hear(&["code", "code_verifier", "refresh_token"], |name| params.get(name));
    }
    let mut response = match answer(&tenant, &headers, &body, &twist).await {
        Ok(members) => {
            tenant.control.hear(&["access_token", "refresh_token", "id_token"], |name| members.get(name)?.as_str());
            Json(members).into_response()
        }
        Err(error) => error.into_response(),
    };
    let settings = tenant.control.settings();
    if settings.dpop != TokenBinding::Off && settings.token_nonce && headers.contains_key(dpop::PROOF) {
        response.headers_mut().extend([tenant.proofs.nonce()]);
    }
    response
}

/// The thumbprint of the key that a client proves to have (RFC 9449 §5).
fn proved(tenant: &Tenant, headers: &HeaderMap, twist: &Twist) -> Result<Option<String>, OAuthError> {
    let settings = tenant.control.settings();
    if settings.dpop == TokenBinding::Off || !headers.contains_key(dpop::PROOF) {
        return Ok(None);
    }
    if let Some(fault) = twist.proof {
        return Err(fault.into());
    }
    let url = tenant.endpoint("oauth/token");
    Ok(Some(tenant.proofs.check(headers, &Wanted { method: "POST", url: &url, token: None, nonce: settings.token_nonce })?))
}

async fn answer(tenant: &Tenant, headers: &HeaderMap, body: &Bytes, twist: &Twist) -> Result<Map<String, Value>, OAuthError> {
    let params = Params::from_body(headers, body).ok_or(OAuthError::BODY)?;
    if params.repeated().is_some() {
        return Err(OAuthError::REPEATED);
    }
    let grant_type = params.get("grant_type").ok_or(OAuthError::GRANT_TYPE)?;
    let client = Client::of(tenant, headers, &params)?;
    match (grant_type, client) {
        ("authorization_code", Client::App(id)) => code(tenant, &id, &params, proved(tenant, headers, twist)?, twist).await,
        ("refresh_token", Client::App(id)) => refresh(tenant, &id, &params, proved(tenant, headers, twist)?, twist).await,
        ("client_credentials", Client::Service) => credentials(tenant, &params, proved(tenant, headers, twist)?, twist),
        ("authorization_code" | "refresh_token" | "client_credentials", _) => Err(OAuthError::GRANT_NOT_ALLOWED),
        _ => Err(OAuthError::UNSUPPORTED),
    }
}

/// RFC 6749 §4.1.3 with RFC 7636 §4.6. A code is spent by any attempt; a second one ends what came of the first.
async fn code(
    tenant: &Tenant,
    client_id: &str,
    params: &Params,
    jkt: Option<String>,
    twist: &Twist,
) -> Result<Map<String, Value>, OAuthError> {
    let code = random::sha256(params.get("code").ok_or(OAuthError::CODE_MISSING)?);
    let verifier = params.get("code_verifier").ok_or(OAuthError::VERIFIER_MISSING)?;
    let redirect_uri = params.get("redirect_uri");
    let (now, now_ms) = (tenant.now(), tenant.config.clock.unix_ms());
    let ttl = u64::try_from(tenant.config.refresh_ttl.as_millis()).unwrap_or(u64::MAX);
    tenant
        .change(|desk| {
            let found = desk.codes.get_mut(&code).ok_or(OAuthError::CODE)?;
            if let Some(family) = found.spent.replace(None) {
                if let Some(family) = family {
                    desk.books.kill(family);
                }
                return Err(OAuthError::CODE);
            }
            let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
            let verifier_ok = (43..=128).contains(&verifier.len()) && verifier.bytes().all(unreserved);
            let matches = verifier_ok
                && random::sha256(verifier) == found.challenge
                && redirect_uri == Some(&found.redirect_uri)
                && found.grant.client_id == client_id;
            if !matches || now >= found.expires {
                return Err(OAuthError::CODE);
            }
            if params.get("resource") != found.grant.resource.as_deref() {
                return Err(OAuthError::TARGET);
            }
            if found.jkt.is_some() && found.jkt != jkt {
                return Err(OAuthError::BOUND_ELSEWHERE);
            }
            let (grant, nonce) = (Grant { jkt, ..found.grant.clone() }, found.nonce.clone());
            let mut refresh_token = None;
            if grant.scope.split(' ').any(|scope| scope == "offline_access") {
                let (token, family) = desk.books.found(grant.clone(), now_ms, ttl);
                found.spent = Some(Some(family));
                refresh_token = Some(token);
            }
            tenant.response(desk, &grant, nonce.as_deref(), refresh_token, twist).map_err(|_| OAuthError::SIGNING)
        })
        .await
}

/// RFC 6749 §6. The new refresh token is on the disk before it is handed out.
async fn refresh(
    tenant: &Tenant,
    client_id: &str,
    params: &Params,
    jkt: Option<String>,
    twist: &Twist,
) -> Result<Map<String, Value>, OAuthError> {
    let token = params.get("refresh_token").ok_or(OAuthError::REFRESH_MISSING)?;
    let settings = tenant.control.settings();
    let now_ms = tenant.config.clock.unix_ms();
    let wanted = params.get("scope");
    // One refresh token for several APIs (MRRT): the tenant's own is open to the app itself, not to what has registered itself.
    let me = params.get("audience").filter(|audience| *audience == tenant.me());
    let offered = settings.my_account && client_id == CLIENT_ID;
    if params.get("audience").is_some_and(|audience| audience != AUDIENCE) && !(me.is_some() && offered) {
        return Err(OAuthError::AUDIENCE);
    }
    tenant
        .change(|desk| {
            // Whoever has signed in for a resource names one in every request (RFC 8707 §2): that one, or this API.
            let is_for = |granted: Option<&str>| params.get("resource") == granted.map(|granted| me.unwrap_or(granted));
            let (presented, refreshed) = desk.books.refresh(token, client_id, is_for, jkt.as_deref(), now_ms, &settings);
            let refused = if presented.outcome == RefreshOutcome::WrongTarget { OAuthError::TARGET } else { OAuthError::REFRESH };
            tenant.control.log_presented(presented);
            let Refreshed { mut grant, next } = refreshed.ok_or(refused)?;
            if let Some(me) = me {
                (grant.audience, grant.scope) = (Some(me.to_owned()), my_account::SCOPES.join(" "));
            }
            // Where the refresh token is bound to nothing, the access token is to what was proved now.
            grant.jkt = jkt;
            if let Some(wanted) = wanted {
                // Scopes can be narrowed, never widened; what is too much is left out without a word.
                let wanted: Vec<&str> = wanted.split(' ').collect();
                grant.scope = grant.scope.split(' ').filter(|scope| wanted.contains(scope)).collect::<Vec<_>>().join(" ");
            }
            tenant.response(desk, &grant, None, next, twist).map_err(|_| OAuthError::SIGNING)
        })
        .await
}

/// RFC 6749 §4.4.
fn credentials(tenant: &Tenant, params: &Params, jkt: Option<String>, twist: &Twist) -> Result<Map<String, Value>, OAuthError> {
    if params.get("audience") != Some(AUDIENCE) {
        return Err(OAuthError::AUDIENCE);
    }
    let grant = Grant {
        sub: format!("{SERVICE_CLIENT_ID}@clients"),
        sid: String::new(),
        auth_time: tenant.now(),
        client_id: SERVICE_CLIENT_ID.to_owned(),
        audience: Some(AUDIENCE.to_owned()),
        scope: "chat".to_owned(),
        resource: None,
        jkt,
    };
    tenant.response(&tenant.desk(), &grant, None, None, twist).map_err(|_| OAuthError::SIGNING)
}
