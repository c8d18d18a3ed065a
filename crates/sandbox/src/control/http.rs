//! [`super::Control`] over HTTP, for tests that are not written in Rust. Served only where the configuration asks for it.
//!
//! Every request needs the header `x-callbox-control`, which no web page can send across origins without being asked first.
//!
//! | request | body | does |
//! |---|---|---|
//! | `POST /control/next` | `{"endpoint": …, "faults": […]}` | [`Control::next`] |
//! | `POST /control/always` | `{"endpoint": …, "faults": […]}` | [`Control::always`] |
//! | `POST /control/clear` | `{"endpoint": …}` | [`Control::clear`] |
//! | `GET /control/settings`, `PUT` | [`super::Settings`] | reads or replaces them |
//! | `GET /control/counters` | | requests, presented refresh tokens, the agent's counters |
//! | `POST /control/advance` | `{"ms": …}` | [`Control::advance`] |
//! | `POST /control/keys` | `{"forget_old": …}` | [`Control::rotate_keys`] |
//! | `POST /control/revoke` | | [`Control::revoke_everything`] |
//! | `POST /control/agent` | one of `{"hold_after": n}`, `"release"`, `"drop"`, `"stall"`, `{"pace_ms": n}`, `{"close": {"code", "reason"}}`, `{"inject": {"conversation", "raw"}}` | the same |

use std::time::Duration;

use axum::{
    Json, Router,
    extract::{Request, State},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Control, Endpoint, Fault, Settings};

#[derive(Deserialize)]
struct Order {
    endpoint: Endpoint,
    #[serde(default)]
    faults: Vec<Fault>,
}

#[derive(Deserialize)]
struct Advance {
    ms: u64,
}

#[derive(Deserialize)]
struct Keys {
    #[serde(default)]
    forget_old: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgentOrder {
    HoldAfter(usize),
    Release,
    Drop,
    Stall,
    PaceMs(u64),
    Close { code: u16, reason: String },
    Inject { conversation: String, raw: String },
}

pub(crate) fn router(control: Control) -> Router {
    Router::new()
        .route("/control/next", post(next))
        .route("/control/always", post(always))
        .route("/control/clear", post(clear))
        .route("/control/settings", get(settings).put(set_settings))
        .route("/control/counters", get(counters))
        .route("/control/advance", post(advance))
        .route("/control/keys", post(keys))
        .route("/control/revoke", post(revoke))
        .route("/control/agent", post(agent))
        .layer(middleware::from_fn(meant))
        .with_state(control)
}

async fn meant(request: Request, next: Next) -> Response {
    if request.headers().contains_key("x-callbox-control") {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "The header x-callbox-control is missing.").into_response()
    }
}

async fn next(State(control): State<Control>, Json(order): Json<Order>) -> StatusCode {
    control.next(order.endpoint, order.faults);
    StatusCode::NO_CONTENT
}

async fn always(State(control): State<Control>, Json(order): Json<Order>) -> StatusCode {
    control.always(order.endpoint, order.faults);
    StatusCode::NO_CONTENT
}

async fn clear(State(control): State<Control>, Json(order): Json<Order>) -> StatusCode {
    control.clear(order.endpoint);
    StatusCode::NO_CONTENT
}

async fn settings(State(control): State<Control>) -> Json<Settings> {
    Json(control.settings())
}

async fn set_settings(State(control): State<Control>, Json(settings): Json<Settings>) -> StatusCode {
    control.set(|old| *old = settings);
    StatusCode::NO_CONTENT
}

async fn counters(State(control): State<Control>) -> Json<Value> {
    let requests = control.desk().requests.clone();
    Json(json!({
        "requests": requests, "presented": control.presented(), "live_families": control.live_families(),
        "agent": control.agent_counters(),
    }))
}

async fn advance(State(control): State<Control>, Json(Advance { ms }): Json<Advance>) -> StatusCode {
    control.advance(Duration::from_millis(ms));
    StatusCode::NO_CONTENT
}

async fn keys(State(control): State<Control>, Json(Keys { forget_old }): Json<Keys>) -> StatusCode {
    control.rotate_keys(forget_old).map_or(StatusCode::INTERNAL_SERVER_ERROR, |()| StatusCode::NO_CONTENT)
}

async fn revoke(State(control): State<Control>) -> StatusCode {
    control.revoke_everything();
    StatusCode::NO_CONTENT
}

async fn agent(State(control): State<Control>, Json(order): Json<AgentOrder>) -> StatusCode {
    match order {
        AgentOrder::HoldAfter(chunks) => control.hold_after(chunks),
        AgentOrder::Release => control.release(),
        AgentOrder::Drop => control.drop_sockets(),
        AgentOrder::Stall => control.stall_sockets(),
        AgentOrder::PaceMs(ms) => control.set_pace(Duration::from_millis(ms)),
        AgentOrder::Close { code, reason } => control.close_sockets(code, &reason),
        AgentOrder::Inject { conversation, raw } => control.inject(&conversation, &raw),
    }
    StatusCode::NO_CONTENT
}
