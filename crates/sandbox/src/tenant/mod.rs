//! The tenant: an OAuth 2.1 and OpenID Connect server with Auth0's names, status codes and habits.

mod account;
mod books;
mod errors;
mod html;
mod keys;
mod logout;
mod metadata;
mod mint;
mod my_account;
mod pages;
mod params;
pub(crate) mod phone;
mod present;
mod register;
mod token;
mod visit;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::{HeaderValue, StatusCode, header};
use url::Url;

pub(crate) use self::present::{Refused, Scheme, credentials};
use self::{books::Books, keys::KeyRing, visit::Visit};
use crate::{
    CLIENT_ID, Control, Endpoint, Person, SandboxConfig, SandboxError,
    control::{gate, http as control_http},
    disk::Disk,
    dpop::Proofs,
};

const BOOKS: &str = "tenant.json";

/// An authorization code and what it was given for.
#[derive(Debug, Clone)]
struct Code {
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    /// Only who proves to have this key gets something for it.
    jkt: Option<String>,
    grant: books::Grant,
    expires: u64,
    /// The family that came of it: a second use of the code ends it (RFC 6749 §4.1.2).
    spent: Option<Option<u64>>,
}

#[derive(Debug)]
struct Desk {
    keys: KeyRing,
    books: Books,
    /// By hash of the code.
    codes: HashMap<String, Code>,
    /// By the id in the pages' address.
    visits: HashMap<String, Visit>,
    /// Accounts on their way, by ticket.
    connecting: HashMap<String, my_account::Connecting>,
    /// What waits on somebody's phone.
    asked: Vec<phone::Asked>,
}

/// The running tenant.
#[derive(Debug)]
pub(crate) struct Tenant {
    issuer: Url,
    control: Control,
    config: SandboxConfig,
    disk: Disk,
    desk: Mutex<Desk>,
    proofs: Proofs,
}

impl Tenant {
    pub(crate) async fn open(config: &SandboxConfig, address: SocketAddr, control: Control, disk: Disk) -> Result<Arc<Self>, SandboxError> {
        let issuer = Url::parse(&format!("http://{address}/")).map_err(|error| SandboxError::Key(error.to_string()))?;
        let known = disk.read(keys::FILE);
        // Making an RSA key keeps a core busy for a while.
        let opened = tokio::task::spawn_blocking(move || KeyRing::open(known.as_deref())).await;
        let (keys, new) = opened.map_err(|error| SandboxError::Key(error.to_string()))??;
        if let Some(der) = new {
            disk.write(keys::FILE, der);
        }
        let books = disk.read_json(BOOKS).unwrap_or_default();
        let desk = Desk { keys, books, codes: HashMap::new(), visits: HashMap::new(), connecting: HashMap::new(), asked: Vec::new() };
        let proofs = Proofs::new(config.clock.clone());
        Ok(Arc::new(Self { issuer, control, config: config.clone(), disk, desk: Mutex::new(desk), proofs }))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Saves the books as they are now. Returns at once; [`Disk::flush`] waits.
    fn save(&self, desk: &Desk) {
        self.disk.write_json(BOOKS, &desk.books);
    }

    /// Runs a change on the books and returns when it is on the disk.
    async fn change<T>(&self, change: impl FnOnce(&mut Desk) -> T) -> T {
        let result = {
            let mut desk = self.desk();
            let result = change(&mut desk);
            self.save(&desk);
            result
        };
        self.disk.flush().await;
        result
    }

    pub(crate) fn issuer(&self) -> &Url {
        &self.issuer
    }

    fn now(&self) -> u64 {
        self.config.clock.unix()
    }

    /// Seconds since 1970, by the tenant's clock.
    pub(crate) fn unix(&self) -> u64 {
        self.now()
    }

    fn person(&self, sub: &str) -> Option<&Person> {
        self.config.people.iter().find(|person| person.sub == sub)
    }

    fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.issuer)
    }

    pub(crate) fn live_families(&self) -> usize {
        self.desk().books.live()
    }

    pub(crate) fn revoke_everything(&self) {
        let mut desk = self.desk();
        desk.books.kill_all();
        self.save(&desk);
    }

    pub(crate) fn forget_clients(&self) {
        let mut desk = self.desk();
        desk.books.forget_clients();
        self.save(&desk);
    }

    /// The redirect URIs of a client of this id: the app's own, or one that has registered itself.
    fn redirect_uris(&self, client_id: &str) -> Option<Vec<String>> {
        if client_id == CLIENT_ID { Some(self.config.redirect_uris.clone()) } else { self.desk().books.redirect_uris(client_id) }
    }

    pub(crate) fn rotate_keys(&self, forget_old: bool) -> Result<(), SandboxError> {
        let der = self.desk().keys.rotate(forget_old)?;
        self.disk.write(keys::FILE, der);
        Ok(())
    }

    pub(crate) fn router(self: &Arc<Self>, with_control: bool) -> Router {
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(metadata::discovery))
            .route("/.well-known/oauth-authorization-server", get(metadata::discovery))
            .route("/.well-known/jwks.json", get(metadata::jwks))
            .route("/authorize", get(pages::authorize))
            .route("/u/login", get(pages::login).post(pages::login_answer))
            .route("/u/consent", get(pages::consent).post(pages::consent_answer))
            .route("/u/confirm", get(pages::confirm).post(pages::confirm_answer))
            .route("/oauth/token", post(token::token))
            .route("/oauth/revoke", post(account::revoke))
            .route("/oidc/register", post(register::register))
            .route("/userinfo", get(account::userinfo).post(account::userinfo))
            .route("/oidc/logout", get(logout::oidc).post(logout::oidc_post))
            .route("/v2/logout", get(logout::v2))
            .route("/me/v1/connected-accounts/connect", post(my_account::connect))
            .route("/me/v1/connected-accounts/complete", post(my_account::complete))
            .route("/me/v1/connected-accounts/accounts", get(my_account::accounts))
            .route("/me/v1/connected-accounts/accounts/{id}", delete(my_account::disconnect))
            .route("/me/v1/connected-accounts/connections", get(my_account::connections))
            .route("/connected-accounts/connect", get(my_account::page).post(my_account::answer))
            .route("/phone", get(phone::page).post(phone::answer))
            .layer(middleware::from_fn_with_state(self.clone(), misbehave))
            .route("/", get(pages::home))
            .with_state(self.clone());
        let routes = if with_control { routes.merge(control_http::router(self.control.clone())) } else { routes };
        routes
            .fallback(not_found)
            .layer(middleware::from_fn(gate::loopback_only))
            .layer(middleware::from_fn_with_state(self.clone(), harden))
    }
}

/// Which requests a path stands for.
fn endpoint_of(path: &str) -> Option<Endpoint> {
    Some(match path {
        "/.well-known/openid-configuration" | "/.well-known/oauth-authorization-server" => Endpoint::Discovery,
        "/.well-known/jwks.json" => Endpoint::Jwks,
        "/authorize" => Endpoint::Authorize,
        "/oauth/token" => Endpoint::Token,
        "/oauth/revoke" => Endpoint::Revoke,
        "/oidc/register" => Endpoint::Register,
        "/userinfo" => Endpoint::Userinfo,
        "/oidc/logout" | "/v2/logout" => Endpoint::Logout,
        path if path.starts_with("/me/") => Endpoint::MyAccount,
        "/connected-accounts/connect" | "/phone" => Endpoint::Pages,
        path if path.starts_with("/u/") => Endpoint::Pages,
        _ => return None,
    })
}

async fn misbehave(State(tenant): State<Arc<Tenant>>, request: Request, next: Next) -> Response {
    match endpoint_of(request.uri().path()) {
        Some(endpoint) => gate::pass(&tenant.control, endpoint, request, next).await,
        None => next.run(request).await,
    }
}

/// What every answer carries: it is nobody's to keep, to frame or to guess at, and it is as old as the tenant's clock says.
async fn harden(State(tenant): State<Arc<Tenant>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    if let Ok(date) = HeaderValue::try_from(httpdate::fmt_http_date(tenant.config.clock.now())) {
        headers.entry(header::DATE).or_insert(date);
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

async fn not_found() -> Response {
    (StatusCode::NOT_FOUND, "Not found.").into_response()
}
