//! The agent: the Agents chat protocol over HTTP and WebSocket, as `AIChatAgent` of the newest SDK speaks it.
//!
//! Tokens are checked before the upgrade, conversations belong to the first person who connects to them. A socket that is open is never
//! checked again, as at the real one.

mod frames;
mod guard;
mod model;
mod oldest;
mod probe;
mod room;
mod rooms;
mod services;
mod socket;
mod state;
mod tools;
mod transcript;
mod turn;

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Extension, Json, Router,
    extract::{
        ConnectInfo, Request, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use http::{HeaderMap, Method, StatusCode, Uri, header};

use self::guard::Knock;
pub(crate) use self::{room::Room, rooms::Rooms, state::Out, tools::rfc3339};
use crate::{
    Endpoint,
    control::gate::{self, Faults},
    dpop::Proofs,
    tenant::Tenant,
    wire::Cut,
};

/// What is read of one message at all. More than the limit below, so that a message just above that can be answered with 1009 in order.
const MAX_READ: usize = 64 << 20;

#[derive(Debug)]
struct Door {
    rooms: Arc<Rooms>,
    tenant: Arc<Tenant>,
    origin: String,
    proofs: Proofs,
}

pub(crate) fn router(rooms: &Arc<Rooms>, tenant: &Arc<Tenant>, address: SocketAddr) -> Router {
    let proofs = Proofs::new(rooms.control.clock());
    let door = Arc::new(Door { rooms: rooms.clone(), tenant: tenant.clone(), origin: format!("http://{address}"), proofs });
    Router::new()
        .fallback(serve)
        .layer(middleware::from_fn_with_state(door.clone(), misbehave))
        .layer(middleware::from_fn(gate::loopback_only))
        .with_state(door)
}

fn is_upgrade(headers: &HeaderMap) -> bool {
    headers.get(header::UPGRADE).and_then(|value| value.to_str().ok()).is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
}

fn is_messages(path: &str) -> bool {
    path.rsplit('/').next() == Some("get-messages")
}

async fn misbehave(State(door): State<Arc<Door>>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let endpoint = if path.starts_with(guard::METADATA) {
        Endpoint::ResourceMetadata
    } else if is_messages(path) {
        Endpoint::Messages
    } else if is_upgrade(request.headers()) {
        Endpoint::Socket
    } else {
        request.extensions_mut().insert(Faults::default());
        return next.run(request).await;
    };
    gate::pass(&door.rooms.control, endpoint, request, next).await
}

/// The conversation in `/agents/chat-agent/{name}[/…]`, raw: names are not percent-decoded.
fn conversation(path: &str) -> Result<&str, Box<Response>> {
    let mut segments = path.trim_start_matches('/').split('/');
    if segments.next() != Some("agents") {
        return Err((StatusCode::NOT_FOUND, "Not found").into_response().into());
    }
    let (agent, name) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    if agent.is_empty() || name.is_empty() {
        return Err((StatusCode::NOT_FOUND, "Not found").into_response().into());
    }
    if agent != "chat-agent" || name.len() > 1024 {
        return Err((StatusCode::BAD_REQUEST, "Invalid request").into_response().into());
    }
    Ok(name)
}

async fn serve(
    State(door): State<Arc<Door>>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    Extension(Faults(faults)): Extension<Faults>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    let path = uri.path();
    if path == guard::METADATA || path.starts_with(&format!("{}/", guard::METADATA)) {
        return Json(guard::metadata(&door)).into_response();
    }
    let entry = conversation(path).and_then(|name| {
        guard::admit(&door, &Knock { method: &method, uri: &uri, headers: &headers, faults: &faults }, name).map(|sub| (name, sub))
    });
    let (name, sub) = match entry {
        Ok(entry) => entry,
        Err(refusal) => {
            if is_upgrade(&headers) {
                door.rooms.control.count(|counters| counters.refused += 1);
            }
            return *refusal;
        }
    };
    if is_messages(path) {
        return Json(door.rooms.messages(name)).into_response();
    }
    let Ok(upgrade) = upgrade else { return (StatusCode::NOT_FOUND, "Not implemented").into_response() };
    let room = match door.rooms.enter(name, &sub) {
        Some(room) => room,
        None => return guard::not_yours(),
    };
    let pk = guard::query(uri.query(), "_pk").unwrap_or_else(|| crate::random::nanoid(21));
    door.rooms.control.count(|counters| counters.accepted += 1);
    upgrade.max_message_size(MAX_READ).max_frame_size(MAX_READ).on_upgrade(move |socket| socket::serve(socket, room, pk, faults, cut))
}
