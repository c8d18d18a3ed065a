//! `/me/v1/connected-accounts`: accounts of a person at other services, as Auth0's My Account API has them, and the page that asks the person.

use std::{convert::Infallible, sync::Arc};

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequestParts, Path, RawQuery, State},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header, request::Parts};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{
    Tenant,
    html::{self, Page},
    params::Params,
    visit,
};
use crate::{agent::rfc3339, dpop::Wanted, random};

/// What a token for this API can be for.
pub(super) const SCOPES: [&str; 3] = ["create:me:connected_accounts", "read:me:connected_accounts", "delete:me:connected_accounts"];
/// The services that an account can be connected at, and what people call them.
const CONNECTIONS: [(&str, &str); 2] = [("sandbox-calendar", "Sandbox Calendar"), ("google-oauth2", "a make-believe Google")];
/// How long a person may take, in seconds; as at Auth0.
const TTL: u64 = 300;
const MAX_SCOPES: usize = 100;

/// A connected account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Connected {
    id: String,
    pub(super) sub: String,
    pub(super) connection: String,
    pub(super) scopes: Vec<String>,
    created: u64,
}

impl Connected {
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn told(&self) -> Value {
        let created_at = rfc3339(self.created);
        json!({"id": self.id, "connection": self.connection, "access_type": "offline", "scopes": self.scopes, "created_at": created_at})
    }
}

/// One on its way.
#[derive(Debug, Clone)]
pub(super) struct Connecting {
    sub: String,
    connection: String,
    scopes: Vec<String>,
    redirect_uri: String,
    state: Option<String>,
    challenge: Option<String>,
    auth_session: String,
    expires: u64,
    /// The hash of the code that the person came back with.
    code: Option<String>,
}

/// A request with a token.
pub(super) struct Knock {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl<S: Sync> FromRequestParts<S> for Knock {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { method: parts.method.clone(), uri: parts.uri.clone(), headers: parts.headers.clone() })
    }
}

/// A refusal (RFC 9457).
fn problem(status: StatusCode, title: &str, detail: &str) -> Response {
    let body = json!({"type": "https://auth0.com/api-errors", "status": status.as_u16(), "title": title, "detail": detail});
    let mut response = (status, Json(body)).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    response
}

impl Tenant {
    /// The identifier of this API.
    pub(super) fn me(&self) -> String {
        self.endpoint("me/")
    }

    /// Who asks, with a token for this API and this scope.
    fn me_of(&self, knock: &Knock, scope: &str) -> Result<String, Box<Response>> {
        let refuse = || Box::new(problem(StatusCode::UNAUTHORIZED, "Unauthorized", "The access token is missing or not for this API."));
        if !self.control.settings().my_account {
            return Err(Box::new((StatusCode::NOT_FOUND, "Not found.").into_response()));
        }
        let place = self.endpoint(knock.uri.path().trim_start_matches('/'));
        let wanted = Wanted { method: knock.method.as_str(), url: &place, token: None, nonce: false };
        let claims = self.admit(&knock.headers, &self.me(), &self.proofs, wanted).map_err(|_| refuse())?;
        let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
        if !text("scope").split(' ').any(|known| known == scope) {
            return Err(Box::new(problem(StatusCode::FORBIDDEN, "Insufficient Scope", scope)));
        }
        Ok(text("sub").to_owned())
    }

    /// Whether the person has an account at this connection that is good for these scopes; what an exchange for a token of the service would
    /// say.
    pub(crate) fn vault_has(&self, sub: &str, connection: &str, scopes: &[&str]) -> bool {
        let desk = self.desk();
        let account = desk.books.connected(sub).into_iter().find(|account| account.connection == connection);
        !self.control.settings().vault_is_down
            && account.is_some_and(|account| scopes.iter().all(|scope| account.scopes.iter().any(|known| known == scope)))
    }

    /// What was granted for this connection.
    pub(crate) fn vault_scopes(&self, sub: &str, connection: &str) -> Vec<String> {
        let accounts = self.desk().books.connected(sub);
        accounts.into_iter().find(|account| account.connection == connection).map(|account| account.scopes).unwrap_or_default()
    }
}

/// `POST …/connect`
pub(super) async fn connect(State(tenant): State<Arc<Tenant>>, knock: Knock, body: Bytes) -> Response {
    let sub = match tenant.me_of(&knock, SCOPES[0]) {
        Ok(sub) => sub,
        Err(refusal) => return *refusal,
    };
    let bad = |detail: &str| problem(StatusCode::BAD_REQUEST, "Bad Request", detail);
    let Ok(asked) = serde_json::from_slice::<Map<String, Value>>(&body) else { return bad("The body is not a JSON object.") };
    let text = |name: &str| asked.get(name).and_then(Value::as_str).map(str::to_owned);
    let Some(connection) = text("connection").filter(|name| CONNECTIONS.iter().any(|(known, _)| known == name)) else {
        return bad("There is no such connection.");
    };
    let Some(redirect_uri) = text("redirect_uri").filter(|uri| visit::is_registered(&tenant.config.redirect_uris, uri)) else {
        return bad("The redirect URI is not one of this app's.");
    };
    let scopes: Vec<String> =
        asked.get("scopes").and_then(Value::as_array).into_iter().flatten().filter_map(|scope| scope.as_str().map(str::to_owned)).collect();
    if scopes.len() > MAX_SCOPES || text("code_challenge_method").is_some_and(|method| method != "S256") {
        return bad("There are too many scopes, or the challenge is not by S256.");
    }
    let (ticket, auth_session, now) = (random::nanoid(32), random::secret(), tenant.now());
    tenant.control.hear(&["auth_session"], |_| Some(auth_session.as_str()));
    let connecting = Connecting {
        sub,
        connection,
        scopes,
        redirect_uri,
        state: text("state"),
        challenge: text("code_challenge"),
        auth_session: random::sha256(&auth_session),
        expires: now + TTL,
        code: None,
    };
    let mut desk = tenant.desk();
    desk.connecting.retain(|_, connecting| connecting.expires > now);
    desk.connecting.insert(ticket.clone(), connecting);
    drop(desk);
    let page = tenant.endpoint("connected-accounts/connect");
    let answer = json!({"auth_session": auth_session, "connect_uri": page, "connect_params": {"ticket": ticket}, "expires_in": TTL});
    (StatusCode::CREATED, Json(answer)).into_response()
}

/// `POST …/complete`
pub(super) async fn complete(State(tenant): State<Arc<Tenant>>, knock: Knock, body: Bytes) -> Response {
    let sub = match tenant.me_of(&knock, SCOPES[0]) {
        Ok(sub) => sub,
        Err(refusal) => return *refusal,
    };
    let asked: Map<String, Value> = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| asked.get(name).and_then(Value::as_str);
    tenant.control.hear(&["connect_code", "code_verifier"], text);
    let (session, code) = (text("auth_session").map(random::sha256), text("connect_code").map(random::sha256));
    let verified = |challenge: &Option<String>| match challenge {
        Some(challenge) => text("code_verifier").map(random::sha256).as_ref() == Some(challenge),
        None => true,
    };
    let now = tenant.now();
    let connected = tenant
        .change(|desk| {
            let fits = |connecting: &Connecting| {
                Some(&connecting.auth_session) == session.as_ref()
                    && connecting.code.is_some()
                    && connecting.code == code
                    && connecting.sub == sub
                    && connecting.expires > now
                    && text("redirect_uri") == Some(&connecting.redirect_uri)
                    && verified(&connecting.challenge)
            };
            let ticket = desk.connecting.iter().find(|(_, connecting)| fits(connecting)).map(|(ticket, _)| ticket.clone())?;
            let Connecting { connection, scopes, .. } = desk.connecting.remove(&ticket)?;
            let account = Connected { id: format!("cac_{}", random::nanoid(16)), sub: sub.clone(), connection, scopes, created: now };
            desk.books.connect(account.clone());
            Some(account)
        })
        .await;
    match connected {
        Some(account) => (StatusCode::CREATED, Json(account.told())).into_response(),
        None => problem(StatusCode::BAD_REQUEST, "Bad Request", "The session, the code or the verifier is not right."),
    }
}

/// `GET …/accounts`
pub(super) async fn accounts(State(tenant): State<Arc<Tenant>>, knock: Knock, RawQuery(query): RawQuery) -> Response {
    let sub = match tenant.me_of(&knock, SCOPES[1]) {
        Ok(sub) => sub,
        Err(refusal) => return *refusal,
    };
    let params = Params::from_query(query.as_deref());
    let number = |name: &str| params.get(name).and_then(|text| text.parse::<usize>().ok());
    let (from, take) = (number("from").unwrap_or_default(), number("take").unwrap_or(10).clamp(1, 20));
    let all = tenant.desk().books.connected(&sub);
    let page: Vec<Value> = all.iter().skip(from).take(take).map(Connected::told).collect();
    let mut answer = json!({ "accounts": page });
    if from + take < all.len() {
        answer["next"] = json!((from + take).to_string());
    }
    Json(answer).into_response()
}

/// `GET …/connections`
pub(super) async fn connections(State(tenant): State<Arc<Tenant>>, knock: Knock) -> Response {
    match tenant.me_of(&knock, SCOPES[1]) {
        Ok(_) => Json(json!({"connections": CONNECTIONS.map(|(name, _)| json!({"name": name}))})).into_response(),
        Err(refusal) => *refusal,
    }
}

/// `DELETE …/accounts/{id}`
pub(super) async fn disconnect(State(tenant): State<Arc<Tenant>>, knock: Knock, Path(id): Path<String>) -> Response {
    let sub = match tenant.me_of(&knock, SCOPES[2]) {
        Ok(sub) => sub,
        Err(refusal) => return *refusal,
    };
    let gone = tenant.change(|desk| desk.books.disconnect(&sub, &id)).await;
    if gone { StatusCode::NO_CONTENT.into_response() } else { problem(StatusCode::NOT_FOUND, "Not Found", "There is no such account.") }
}

fn ticket(query: Option<&str>) -> String {
    Params::from_query(query).get("ticket").unwrap_or_default().to_owned()
}

fn found(tenant: &Tenant, ticket: &str) -> Result<Connecting, Box<Response>> {
    let now = tenant.now();
    let found = tenant.desk().connecting.get(ticket).filter(|connecting| connecting.expires > now && connecting.code.is_none()).cloned();
    found.ok_or_else(|| html::message(StatusCode::BAD_REQUEST, "This page is over", "Go back to Callbox and start again.").into())
}

/// The page that asks the person.
pub(super) async fn page(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery) -> Response {
    let connecting = match found(&tenant, &ticket(query.as_deref())) {
        Ok(connecting) => connecting,
        Err(gone) => return *gone,
    };
    let service = CONNECTIONS.iter().find(|(name, _)| *name == connecting.connection).map_or("a service", |(_, title)| *title);
    let person = tenant.person(&connecting.sub).map_or_else(|| "Somebody".to_owned(), crate::Person::name);
    Page::new(&format!("Connect {service}?"))
        .lead(&format!("{person}, agents that you talk to could use your account at {service} then, for:"))
        .list(connecting.scopes.iter().map(String::as_str))
        .note("Nothing here is real: no such service was asked.")
        .form(&(html::button("accept", "Connect", "primary") + &html::button("decline", "Cancel", "quiet")))
        .form_target(Some(&connecting.redirect_uri))
        .show(StatusCode::OK)
}

/// What the person has answered.
pub(super) async fn answer(State(tenant): State<Arc<Tenant>>, RawQuery(query): RawQuery, headers: HeaderMap, body: Bytes) -> Response {
    let ticket = ticket(query.as_deref());
    let connecting = match found(&tenant, &ticket) {
        Ok(connecting) => connecting,
        Err(gone) => return *gone,
    };
    let accepted = Params::from_body(&headers, &body).unwrap_or_default().get("action") == Some("accept");
    let code = random::secret();
    let mut params = if accepted {
        if let Some(known) = tenant.desk().connecting.get_mut(&ticket) {
            known.code = Some(random::sha256(&code));
        }
        vec![("connect_code", Some(code.as_str()))]
    } else {
        vec![("error", Some("access_denied")), ("error_description", Some("User declined"))]
    };
    params.push(("state", connecting.state.as_deref()));
    let to = visit::redirect_with(&connecting.redirect_uri, &params);
    let to = if tenant.control.settings().connect_in_fragment { to.replacen('?', "#", 1) } else { to };
    (StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
}
