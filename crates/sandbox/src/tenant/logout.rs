//! The end of a browser's session: `/oidc/logout` (OpenID Connect RP-Initiated Logout 1.0) and Auth0's older `/v2/logout`.
//!
//! Refresh tokens live on: a browser's session and an app's are two things.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    response::Response,
};
use http::{HeaderMap, StatusCode};
use serde_json::Value;

use super::{
    Tenant,
    html::{self, Page},
    pages,
    params::Params,
    visit,
};

pub(super) async fn oidc(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    end(&tenant, &headers, &Params::from_query(query.as_deref()), false).await
}

/// The answer to the question below carries the same parameters in its address; an app may send them as a form.
pub(super) async fn oidc_post(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let form = Params::from_body(&headers, &body).unwrap_or_default();
    match form.get("action") {
        Some("accept") => end(&tenant, &headers, &Params::from_query(query.as_deref()), true).await,
        Some(_) => html::message(StatusCode::OK, "Still signed in", "Nothing was changed. You can close this page."),
        None => end(&tenant, &headers, &form, false).await,
    }
}

async fn end(tenant: &Tenant, headers: &HeaderMap, params: &Params, agreed: bool) -> Response {
    let target = params.get("post_logout_redirect_uri");
    if target.is_some_and(|uri| !visit::is_registered(&tenant.config.logout_uris, uri)) {
        return html::message(
            StatusCode::BAD_REQUEST,
            "Oops, something went wrong",
            "The address to go to after signing out is not in the app's list of allowed logout URLs.",
        );
    }
    let browser = pages::browser(tenant, headers);
    // Expired ID tokens are good hints.
    let hinted = match params.get("id_token_hint") {
        Some(token) => match tenant.desk().keys.verify(token) {
            Ok(claims) => claims.get("sid").and_then(Value::as_str).map(str::to_owned),
            Err(_) => {
                return html::message(StatusCode::BAD_REQUEST, "Oops, something went wrong", "The hint who is signed in is not valid.");
            }
        },
        None => params.get("logout_hint").map(str::to_owned),
    };
    let known = browser.as_ref().is_none_or(|browser| Some(&browser.sid) == hinted.as_ref());
    if !known && !agreed {
        let name = browser.and_then(|browser| tenant.person(&browser.sub)).map_or_else(String::new, crate::Person::name);
        return Page::new("Sign out?")
            .lead(&format!("{name} is signed in at this browser."))
            .form(&(html::button("accept", "Sign out", "primary") + &html::button("decline", "Stay signed in", "quiet")))
            .form_target(target)
            .show(StatusCode::OK);
    }
    if let Some(browser) = browser {
        tenant.change(|desk| desk.books.close_browser(&browser.sid)).await;
    }
    let gone = pages::cookie(tenant, "", 0);
    match target {
        Some(uri) => pages::redirect(&visit::redirect_with(uri, &[("state", params.get("state"))]), Some(gone)),
        None => pages::with_cookie(html::message(StatusCode::OK, "Signed out", "You can close this page."), gone),
    }
}

pub(super) async fn v2(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let params = Params::from_query(query.as_deref());
    let target = params.get("returnTo").map(str::to_owned).or_else(|| {
        // As at Auth0: with a client and no address, the first that the client allows.
        params.get("client_id").and(tenant.config.logout_uris.first().cloned())
    });
    if target.as_ref().is_some_and(|uri| !visit::is_registered(&tenant.config.logout_uris, uri)) {
        return html::message(StatusCode::BAD_REQUEST, "Oops, something went wrong", "The returnTo address is not allowed.");
    }
    if let Some(browser) = pages::browser(&tenant, &headers) {
        tenant.change(|desk| desk.books.close_browser(&browser.sid)).await;
    }
    let gone = pages::cookie(&tenant, "", 0);
    match target {
        Some(uri) => pages::redirect(&uri, Some(gone)),
        None => pages::with_cookie(html::message(StatusCode::OK, "OK", "You are signed out."), gone),
    }
}
