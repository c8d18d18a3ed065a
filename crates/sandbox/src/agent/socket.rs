//! One open socket: frames out in order, frames in to the conversation, and every way to go down.

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use serde_json::json;
use tokio::sync::mpsc;

use super::{room::Room, state::Out};
use crate::{Fault, wire::Cut};

/// The platform's limit for one message from a client; above it the socket is closed with 1009.
const MAX_MESSAGE: usize = 32 << 20;

/// What the faults of a handshake say about the socket that came of it.
#[derive(Debug, Default)]
struct Plan {
    drop_after: Option<usize>,
    close_after: Option<(usize, u16, String)>,
    stall: bool,
    setup_error: bool,
    suppress: bool,
}

impl Plan {
    fn of(faults: &[Fault]) -> Self {
        let mut plan = Self::default();
        for fault in faults {
            match fault {
                Fault::DropAfterFrames { frames } => plan.drop_after = Some(*frames),
                Fault::CloseAfterFrames { frames, code, reason } => plan.close_after = Some((*frames, *code, reason.clone())),
                Fault::Stall => plan.stall = true,
                Fault::SetupError => plan.setup_error = true,
                Fault::SuppressProtocol => plan.suppress = true,
                _ => {}
            }
        }
        plan
    }

    /// What is due after so many frames.
    fn due(&self, sent: usize) -> Option<Out> {
        if self.drop_after == Some(sent) {
            return Some(Out::Drop);
        }
        let (_, code, reason) = self.close_after.as_ref().filter(|(frames, ..)| *frames == sent)?;
        Some(Out::Close { code: *code, reason: reason.clone() })
    }
}

/// Serves a socket until it is gone.
pub(super) async fn serve(mut socket: WebSocket, room: Arc<Room>, pk: String, faults: Vec<Fault>, cut: Cut) {
    let control = room.house.control.clone();
    control.count(|counters| counters.open += 1);
    let plan = Plan::of(&faults);
    if plan.setup_error {
        // The SDK's own words in this case have no type.
        let _ = socket.send(Message::text(json!({"error": "Error: the agent failed while it connected"}).to_string())).await;
        close(&mut socket, 1011, "Uncaught exception during session setup").await;
    } else if plan.stall {
        stall(&room, &cut).await;
    } else {
        let (out, inbox) = mpsc::unbounded_channel();
        let seat = room.connect(&pk, out, plan.suppress);
        converse(&mut socket, &room, seat, inbox, &plan, &cut).await;
        room.disconnect(seat);
    }
    control.count(|counters| counters.open -= 1);
}

async fn converse(socket: &mut WebSocket, room: &Arc<Room>, seat: u64, mut inbox: mpsc::UnboundedReceiver<Out>, plan: &Plan, cut: &Cut) {
    let mut sent = 0;
    let mut next = plan.due(0);
    loop {
        let out = match next.take() {
            Some(out) => Some(out),
            None => tokio::select! {
                out = inbox.recv() => out,
                message = socket.recv() => match message {
                    Some(Ok(Message::Text(text))) if text.len() > MAX_MESSAGE => {
                        return close(socket, 1009, "Message is too large").await;
                    }
                    Some(Ok(Message::Text(text))) => {
                        room.receive(seat, text.as_str());
                        continue;
                    }
                    // Binary frames are the application's own; this one has none. Pings are answered below us.
                    Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                },
                () = room.house.stop.cancelled() => return,
            },
        };
        match out {
            Some(Out::Frame(text)) => {
                if socket.send(Message::text(text)).await.is_err() {
                    return;
                }
                sent += 1;
                next = plan.due(sent);
            }
            Some(Out::Close { code, reason }) => return close(socket, code, &reason).await,
            Some(Out::Drop) => return cut.now(),
            Some(Out::Stall) => return stall(room, cut).await,
            None => return,
        }
    }
}

/// Open, and silent: until somebody cuts the line.
async fn stall(room: &Room, cut: &Cut) {
    room.house.control.count(|counters| counters.stalled += 1);
    tokio::select! {
        () = cut.fallen() => {}
        () = room.house.stop.cancelled() => {}
    }
    room.house.control.count(|counters| counters.stalled -= 1);
}

/// Says goodbye and waits a moment for the other side to do the same.
async fn close(socket: &mut WebSocket, code: u16, reason: &str) {
    let frame = CloseFrame { code, reason: reason.into() };
    if socket.send(Message::Close(Some(frame))).await.is_ok() {
        let goodbye = async { while let Some(Ok(_)) = socket.recv().await {} };
        let _ = tokio::time::timeout(Duration::from_secs(2), goodbye).await;
    }
}
