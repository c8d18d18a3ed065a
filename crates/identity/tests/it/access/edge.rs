//! What stands before an agent that Cloudflare Access protects: the application's origin, and the team's authorization server.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::{HeaderMap, StatusCode, Uri, header};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use url::Url;

/// What an application is protected with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Guard {
    ManagedOAuth(Allowed),
    /// Managed OAuth is off: everybody is sent to the team's page. What the document that is named then says differs.
    LoginPage {
        document: Option<Document>,
    },
    /// A policy for service tokens alone.
    ServicesOnly,
}

/// Where the administrator lets clients be sent back to.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Allowed {
    /// As it is at first.
    Nothing,
    /// `allow_any_on_loopback`
    Loopback,
    Anything,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Document {
    WithoutServers,
    OfATeamWithoutOAuth,
}

struct Desk {
    guard: Guard,
    origin: String,
    team: String,
    /// By code: where it is sent back to, and the challenge.
    codes: Mutex<HashMap<String, (String, String)>>,
    tokens: Mutex<Vec<String>>,
    grants: Mutex<Vec<String>>,
    closed: AtomicBool,
    own_metadata_reads: AtomicUsize,
    registrations: AtomicUsize,
    refreshes: AtomicUsize,
}

pub(crate) struct Edge(Arc<Desk>);

type Params = HashMap<String, String>;

impl Edge {
    pub(crate) async fn start(guard: Guard) -> Self {
        let (front, team) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap());
        let at = |listener: &TcpListener| format!("http://{}", listener.local_addr().unwrap());
        let desk = Arc::new(Desk {
            guard,
            origin: at(&front),
            team: at(&team),
            codes: Mutex::default(),
            tokens: Mutex::default(),
            grants: Mutex::default(),
            closed: AtomicBool::new(false),
            own_metadata_reads: AtomicUsize::new(0),
            registrations: AtomicUsize::new(0),
            refreshes: AtomicUsize::new(0),
        });
        let application = Router::new().fallback(application).with_state(desk.clone());
        let oauth = "/cdn-cgi/access/oauth";
        let mut server = Router::new().fallback(|| async { (StatusCode::NOT_FOUND, "<html>Not found</html>") });
        if matches!(guard, Guard::ManagedOAuth(_)) {
            server = server
                .route("/.well-known/oauth-authorization-server", get(metadata))
                .route(&format!("{oauth}/registration"), post(registration))
                .route(&format!("{oauth}/authorization"), get(authorization))
                .route(&format!("{oauth}/token"), post(token))
                .route(&format!("{oauth}/revoke"), post(revoke));
        }
        let server = server.with_state(desk.clone());
        tokio::spawn(async move { axum::serve(front, application).await });
        tokio::spawn(async move { axum::serve(team, server).await });
        Self(desk)
    }

    pub(crate) fn origin(&self) -> String {
        self.0.origin.clone()
    }

    pub(crate) fn team(&self) -> String {
        self.0.team.clone()
    }

    pub(crate) fn agent(&self) -> Url {
        Url::parse(&format!("{}/agents/chat-agent", self.0.origin)).unwrap()
    }

    pub(crate) fn messages(&self) -> String {
        format!("{}/one/get-messages", self.agent())
    }

    /// The policies do not let the person in any more.
    pub(crate) fn close_the_door(&self) {
        self.0.closed.store(true, SeqCst);
    }

    pub(crate) fn own_metadata_reads(&self) -> usize {
        self.0.own_metadata_reads.load(SeqCst)
    }

    pub(crate) fn registrations(&self) -> usize {
        self.0.registrations.load(SeqCst)
    }

    pub(crate) fn refreshes(&self) -> usize {
        self.0.refreshes.load(SeqCst)
    }

    pub(crate) fn grants(&self) -> usize {
        self.0.grants.lock().unwrap().len()
    }
}

/// Everything at the application's own address, the agent's answer included.
async fn application(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap) -> Response {
    let path = uri.path();
    let named = "/.well-known/cloudflare-access-protected-resource";
    let about_itself = path.starts_with(named) || path.starts_with("/.well-known/oauth-protected-resource");
    let mut about = json!({"resource": desk.origin, "protected": true, "team_domain": "team.cloudflareaccess.com"});
    match desk.guard {
        Guard::ManagedOAuth(_) if about_itself => {
            about["authorization_servers"] = json!([desk.team]);
            about["authentication_methods"] = json!(["cloudflared", "oauth"]);
            Json(about).into_response()
        }
        Guard::ManagedOAuth(_) if path == "/.well-known/oauth-authorization-server" => {
            desk.own_metadata_reads.fetch_add(1, SeqCst);
            Json(document(&desk)).into_response()
        }
        Guard::ManagedOAuth(_) => {
            let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
            if bearer.is_some_and(|token| desk.tokens.lock().unwrap().iter().any(|known| known == token)) {
                return Json(json!([])).into_response();
            }
            let place = format!("{}{named}{path}", desk.origin);
            let challenge = format!("Bearer realm=\"OAuth\", error=\"invalid_token\", resource_metadata=\"{place}\"");
            let body = json!({"error": "invalid_token"});
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)], Json(body)).into_response()
        }
        Guard::LoginPage { document: Some(kind) } if about_itself => {
            about["authentication_methods"] = json!(["cloudflared"]);
            if matches!(kind, Document::OfATeamWithoutOAuth) {
                about["authorization_servers"] = json!([desk.team]);
            }
            Json(about).into_response()
        }
        Guard::LoginPage { .. } => {
            let challenge = format!("Cloudflare-Access resource_metadata=\"{}{named}{path}\"", desk.origin);
            let page = format!("{}/cdn-cgi/access/login/agent.example?kid=1", desk.team);
            (StatusCode::FOUND, [(header::LOCATION, page), (header::WWW_AUTHENTICATE, challenge)]).into_response()
        }
        Guard::ServicesOnly => (StatusCode::FORBIDDEN, "<html>Forbidden</html>").into_response(),
    }
}

fn document(desk: &Desk) -> Value {
    let at = |name: &str| format!("{}/cdn-cgi/access/oauth/{name}", desk.team);
    json!({
        "issuer": desk.team,
        "authorization_endpoint": at("authorization"),
        "token_endpoint": at("token"),
        "registration_endpoint": at("registration"),
        "revocation_endpoint": at("revoke"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "code_challenge_methods_supported": ["S256"],
    })
}

async fn metadata(State(desk): State<Arc<Desk>>) -> Json<Value> {
    Json(document(&desk))
}

fn refuse(status: StatusCode, error: &str, why: &str) -> Response {
    (status, Json(json!({"error": error, "error_description": why}))).into_response()
}

async fn registration(State(desk): State<Arc<Desk>>, Json(asked): Json<Value>) -> Response {
    desk.registrations.fetch_add(1, SeqCst);
    let allowed = |uri: &str| match desk.guard {
        Guard::ManagedOAuth(Allowed::Anything) => true,
        Guard::ManagedOAuth(Allowed::Loopback) => uri.starts_with("http://127.0.0.1"),
        _ => false,
    };
    let uris = asked["redirect_uris"].as_array().unwrap();
    if !uris.iter().all(|uri| allowed(uri.as_str().unwrap())) {
        let why = "redirect_uri is not allowed by the account configuration";
        return refuse(StatusCode::BAD_REQUEST, "invalid_client_metadata", why);
    }
    assert_eq!(asked.get("scope"), None, "nobody has named a scope");
    let client = json!({
        "client_id": "client",
        "client_name": asked["client_name"],
        "redirect_uris": uris,
        "grant_types": asked["grant_types"],
        "response_types": ["code"],
        "token_endpoint_auth_method": asked["token_endpoint_auth_method"],
    });
    (StatusCode::CREATED, Json(client)).into_response()
}

/// Somebody is signed in at the team already, and sent back at once.
async fn authorization(State(desk): State<Arc<Desk>>, Query(asked): Query<Params>) -> Response {
    let known = asked["client_id"] == "client" && asked["resource"] == desk.origin && asked["code_challenge_method"] == "S256";
    if !known {
        return refuse(StatusCode::BAD_REQUEST, "invalid_request", "not as it was registered");
    }
    let mut back = Url::parse(&asked["redirect_uri"]).unwrap();
    let mut codes = desk.codes.lock().unwrap();
    let code = format!("code-{}", codes.len());
    back.query_pairs_mut().append_pair("code", &code).append_pair("state", &asked["state"]);
    codes.insert(code, (asked["redirect_uri"].clone(), asked["code_challenge"].clone()));
    (StatusCode::FOUND, [(header::LOCATION, back.to_string())]).into_response()
}

async fn token(State(desk): State<Arc<Desk>>, Form(asked): Form<Params>) -> Response {
    let invalid = || refuse(StatusCode::BAD_REQUEST, "invalid_grant", "no");
    if asked.get("resource") != Some(&desk.origin) {
        return refuse(StatusCode::BAD_REQUEST, "invalid_target", "another resource");
    }
    let text = |name: &str| asked.get(name).map(String::as_str).unwrap_or_default();
    let mut grants = desk.grants.lock().unwrap();
    match text("grant_type") {
        "authorization_code" => {
            let Some((redirect_uri, challenge)) = desk.codes.lock().unwrap().remove(text("code")) else { return invalid() };
            let proved = URL_SAFE_NO_PAD.encode(digest(&SHA256, text("code_verifier").as_bytes()));
            if proved != challenge || redirect_uri != text("redirect_uri") {
                return invalid();
            }
            grants.push("oauth:grant".to_owned());
        }
        "refresh_token" => {
            let known = grants.iter().any(|grant| grant == text("refresh_token"));
            if !known || desk.closed.load(SeqCst) {
                return invalid();
            }
            desk.refreshes.fetch_add(1, SeqCst);
        }
        _ => return invalid(),
    }
    let mut tokens = desk.tokens.lock().unwrap();
    // Each access token takes the place of the one before.
    *tokens = vec![format!("oauth:access-{}", desk.refreshes.load(SeqCst))];
    Json(json!({"access_token": tokens[0], "token_type": "bearer", "expires_in": 900, "refresh_token": "oauth:grant"})).into_response()
}

async fn revoke(State(desk): State<Arc<Desk>>, Form(asked): Form<Params>) -> StatusCode {
    desk.grants.lock().unwrap().retain(|grant| Some(grant) != asked.get("token"));
    StatusCode::OK
}
