//! Recorded frames, played into the fold.
//!
//! A recording is text, one JSON object per line: `{"conn": n, "dir": "in" | "out", "raw": "…"}` is a frame on the n-th socket, and
//! `{"dir": "meta", "text": …}` says what happened around it: `socket open` (with the `room`, which names the conversation),
//! `socket closed …`, and `GET get-messages` with the `messages` that the agent itself showed at that moment; one with a `conn` was asked for
//! by the client of that socket alone.
//!
//! A socket that opens when a former one of its room is closed is the same client come back; sockets that are open together are
//! different clients. A client that joins while another is there, or comes back to it, begins with what `get-messages` would have shown
//! it, which is what it would have asked for. Pure: lines in, messages out.

use std::fmt;

use serde_json::{Number, Value};
use thiserror::Error;

use crate::client::ClientFrame;
use crate::conversation::{Conversation, Reaction};
use crate::incoming::Incoming;
use crate::json::{Object, take_array, take_object, take_string, take_u64};
use crate::message::UiMessage;
use crate::op::{MessageOp, apply};

/// A line that cannot be played.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// Not a JSON object.
    #[error("Line {line} of the recording is not a JSON object; check that the file is a recording, one object per line.")]
    NotAnObject {
        /// Counted from 1.
        line: usize,
    },
    /// A frame without `conn` or `raw`.
    #[error("Line {line} of the recording is a frame without `conn` or `raw`; check that the file is complete.")]
    NotAFrame {
        /// Counted from 1.
        line: usize,
    },
}

impl ReplayError {
    /// A stable name for translation.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnObject { .. } => "recording-not-an-object",
            Self::NotAFrame { .. } => "recording-not-a-frame",
        }
    }
}

/// One client of a conversation, with all sockets that it had.
#[derive(Debug, Clone)]
pub struct Client {
    /// The conversation.
    pub room: String,
    /// The sockets, in the order in which they opened.
    pub sockets: Vec<u64>,
    /// The fold.
    pub conversation: Conversation,
    /// A mirror that knows the fold by its ops alone.
    pub mirror: Vec<UiMessage>,
    open: bool,
    /// The line at which its last socket closed.
    closed: usize,
}

/// What a client has folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The client, counted from 1 in the order in which they first connected.
    pub client: usize,
    /// All sockets that it has had.
    pub sockets: Vec<u64>,
    /// Its messages.
    pub messages: Vec<UiMessage>,
    /// A socket of it is open. One that is away cannot know what has been said since.
    pub connected: bool,
}

/// What the agent said the conversation is, and what each client has folded.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// The line, counted from 1.
    pub line: usize,
    /// The line's `t`: milliseconds since the recording began.
    pub time: Option<Number>,
    /// The conversation.
    pub room: String,
    /// The agent's word.
    pub expected: Vec<Value>,
    /// Each client of the conversation with what `get-messages` would show by all that it has heard.
    pub clients: Vec<Seen>,
}

/// A client whose messages are not the agent's.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The client's sockets.
    pub sockets: Vec<u64>,
    /// The first message that differs; for a list that is too short, its length.
    pub index: usize,
    /// What the agent has there.
    pub expected: Option<Value>,
    /// What the client has there.
    pub actual: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let show = |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(
            f,
            "sockets {:?}, message {}: the agent has {}, the client {}",
            self.sockets,
            self.index,
            show(&self.expected),
            show(&self.actual)
        )
    }
}

impl Checkpoint {
    /// The connected clients that differ, each with its first difference. Compared as JSON values: the order of fields does not count.
    pub fn differences(&self) -> Vec<Difference> {
        let difference = |seen: &Seen| {
            let actual: Vec<_> = seen.messages.iter().filter_map(|message| serde_json::to_value(message).ok()).collect();
            let longest = actual.len().max(self.expected.len());
            let index = (0..longest).find(|index| actual.get(*index) != self.expected.get(*index))?;
            let (expected, actual) = (self.expected.get(index).cloned(), actual.get(index).cloned());
            Some(Difference { sockets: seen.sockets.clone(), index, expected, actual })
        };
        self.clients.iter().filter(|seen| seen.connected).filter_map(difference).collect()
    }
}

/// Plays a recording, line by line.
#[derive(Debug, Clone, Default)]
pub struct Replay {
    clients: Vec<Client>,
    lines: usize,
    time: Option<Number>,
    take_snapshots: bool,
    reactions: Vec<(u64, Reaction)>,
}

impl Replay {
    /// A player that folds frames and nothing else: the agent's own lists are compared, never taken.
    pub fn new() -> Self {
        Self::default()
    }

    /// A player that also gives each list of the agent, after comparing, to the client that asked for it, and to all clients of its room where
    /// the recording does not say who asked.
    pub fn with_snapshots() -> Self {
        Self { take_snapshots: true, ..Self::default() }
    }

    /// The clients, in the order in which they first connected.
    pub fn clients(&self) -> &[Client] {
        &self.clients
    }

    /// What each client shows now, and the `t` of the last line. Unlike a [`Checkpoint`], with what is being written.
    pub fn shown(&self) -> (Option<Number>, Vec<Seen>) {
        let shown = self.clients.iter().enumerate().map(|(at, client)| client.seen(at, client.conversation.messages().to_vec()));
        (self.time.clone(), shown.collect())
    }

    /// What the fold asked for since the last call, with the socket that it concerns.
    pub fn take_reactions(&mut self) -> Vec<(u64, Reaction)> {
        std::mem::take(&mut self.reactions)
    }

    /// Plays a line. A checkpoint if it was an answer of `get-messages`. Empty lines and remarks are skipped.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the line is no part of a recording; the state is unchanged and the next line can be played.
    pub fn line(&mut self, line: &str) -> Result<Option<Checkpoint>, ReplayError> {
        self.lines += 1;
        if line.trim().is_empty() {
            return Ok(None);
        }
        let Ok(mut object) = serde_json::from_str::<Object>(line) else { return Err(ReplayError::NotAnObject { line: self.lines }) };
        if let Some(Value::Number(time)) = object.get("t") {
            self.time = Some(time.clone());
        }
        let socket = take_u64(&mut object, "conn");
        let direction = take_string(&mut object, "dir").unwrap_or_default();
        if direction == "meta" {
            return Ok(self.meta(socket, object));
        }
        let raw = take_string(&mut object, "raw").or_else(|| take_object(&mut object, "raw").map(|raw| Value::Object(raw).to_string()));
        let (Some(socket), Some(raw)) = (socket, raw) else { return Err(ReplayError::NotAFrame { line: self.lines }) };
        let client = self.client_of(socket);
        let mut reactions = Vec::new();
        match direction.as_str() {
            "in" => {
                if let Ok(frame) = Incoming::parse(&raw) {
                    reactions = client.conversation.receive(frame);
                }
            }
            "out" => {
                if let Ok(frame) = ClientFrame::parse(&raw) {
                    client.conversation.sent(&frame);
                }
            }
            _ => {}
        }
        client.follow();
        self.reactions.extend(reactions.into_iter().map(|reaction| (socket, reaction)));
        Ok(None)
    }

    fn meta(&mut self, socket: Option<u64>, mut object: Object) -> Option<Checkpoint> {
        let text = take_string(&mut object, "text").unwrap_or_default();
        let room = take_string(&mut object, "room");
        if text.starts_with("socket open") {
            self.open(socket?, room.unwrap_or_default());
        } else if text.starts_with("socket closed") {
            let client = self.clients.iter_mut().find(|client| client.open && client.sockets.last() == socket.as_ref())?;
            client.open = false;
            client.closed = self.lines;
            client.conversation.disconnected();
            client.follow();
        } else if text.starts_with("GET get-messages") {
            let expected = take_array(&mut object, "messages")?;
            let of_socket = self.clients.iter().find(|client| socket.is_some_and(|socket| client.sockets.contains(&socket)));
            let latest = self.clients.iter().max_by_key(|client| client.sockets.last().copied());
            let room = room.or_else(|| of_socket.or(latest).map(|client| client.room.clone())).unwrap_or_default();
            let here = |client: &Client| client.room == room || client.room.is_empty();
            let seen = self.clients.iter().enumerate().filter(|(_, client)| here(client));
            let clients = seen.map(|(at, client)| client.seen(at, client.conversation.stored())).collect();
            if self.take_snapshots {
                let messages: Vec<UiMessage> = expected.iter().filter_map(|value| serde_json::from_value(value.clone()).ok()).collect();
                let asked = |client: &Client| here(client) && socket.is_none_or(|socket| client.sockets.contains(&socket));
                for client in self.clients.iter_mut().filter(|client| asked(client)) {
                    client.conversation.snapshot(messages.clone());
                    client.follow();
                }
            }
            return Some(Checkpoint { line: self.lines, time: self.time.clone(), room, expected, clients });
        }
        None
    }

    fn open(&mut self, socket: u64, room: String) {
        let there = self.clients.iter().find(|client| client.room == room && client.open);
        let stored = there.map(|client| client.conversation.stored());
        let away = self.clients.iter().enumerate().filter(|(_, client)| client.room == room && !client.open);
        let at = match away.max_by_key(|(_, client)| client.closed) {
            Some((at, _)) => at,
            None => {
                let (sockets, conversation, mirror) = Default::default();
                self.clients.push(Client { room, sockets, conversation, mirror, open: false, closed: 0 });
                self.clients.len() - 1
            }
        };
        let client = &mut self.clients[at];
        client.open = true;
        client.sockets.push(socket);
        client.conversation.connected();
        if let Some(stored) = stored {
            client.conversation.snapshot(stored);
        }
        client.follow();
    }

    /// The client whose socket this is. A recording that begins after the socket was opened has a room without a name, and every list is for it.
    fn client_of(&mut self, socket: u64) -> &mut Client {
        let at = match self.clients.iter().rposition(|client| client.sockets.contains(&socket)) {
            Some(at) => at,
            None => {
                self.open(socket, String::new());
                self.clients.iter().rposition(|client| client.sockets.contains(&socket)).unwrap_or_default()
            }
        };
        &mut self.clients[at]
    }
}

impl Client {
    fn seen(&self, at: usize, messages: Vec<UiMessage>) -> Seen {
        Seen { client: at + 1, sockets: self.sockets.clone(), messages, connected: self.open }
    }

    fn follow(&mut self) {
        for op in self.conversation.take_ops() {
            if apply(&mut self.mirror, op).is_err() {
                // Cannot happen while the fold keeps its promise; a mirror that fell behind shows in a comparison.
                let _ = apply(&mut self.mirror, MessageOp::Reset { messages: Vec::new() });
            }
        }
    }
}

/// Plays a whole recording, frames only, and gives what was seen at each answer of `get-messages`.
///
/// # Errors
///
/// [`ReplayError`] at the first line that cannot be played.
pub fn play<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Checkpoint>, ReplayError> {
    let mut replay = Replay::new();
    let mut checkpoints = Vec::new();
    for line in lines {
        checkpoints.extend(replay.line(line)?);
    }
    Ok(checkpoints)
}
