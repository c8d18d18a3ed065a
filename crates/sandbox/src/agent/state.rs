//! The state of a conversation: who watches, what runs, what waits.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::frames::{Outcome, Response};

/// How many ended requests are remembered for late acknowledgements.
const MEMORY: usize = 32;

/// What a socket is told to do.
#[derive(Debug, Clone)]
pub(crate) enum Out {
    Frame(String),
    Close { code: u16, reason: String },
    Drop,
    Stall,
}

/// A connected socket.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) key: u64,
    /// The connection id that the client chose, `_pk`. Broadcasts leave out by it.
    pub(super) pk: String,
    pub(super) out: UnboundedSender<Out>,
    /// The request whose stream was offered and not acknowledged: until then none of its chunks are sent here.
    pub(super) offered: Option<String>,
    /// It was told that a turn is pending, and waits to hear more.
    pub(super) parked: bool,
}

impl Seat {
    pub(super) fn send(&self, frame: String) {
        // A closed channel is a socket on its way out.
        let _ = self.out.send(Out::Frame(frame));
    }
}

/// A turn, running or waiting.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Job {
    pub(super) id: String,
    /// Whose turn it is: the connection that asked, or that made the last decision.
    pub(super) pk: String,
    /// Goes on with the last answer instead of beginning one.
    pub(super) continuation: bool,
    /// The user messages that it answers.
    pub(super) message_ids: Vec<String>,
}

/// The turn that runs.
#[derive(Debug)]
pub(super) struct Active {
    pub(super) job: Job,
    /// Bodies sent so far; the index is the sequence number. Empty: accepted, not begun.
    pub(super) chunks: Vec<String>,
    pub(super) draft: Value,
    pub(super) cancel: CancellationToken,
    /// The conversation was cleared: nothing of it is kept.
    pub(super) discard: bool,
}

/// A turn that failed, until the next one begins.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Failed {
    pub(super) job: Job,
    pub(super) chunks: Vec<String>,
    pub(super) text: String,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) owner: Option<String>,
    pub(super) messages: Vec<Value>,
    /// The tools that the client of the last request offers.
    pub(super) client_tools: Vec<Value>,
    pub(super) seats: Vec<Seat>,
    pub(super) last_key: u64,
    pub(super) active: Option<Active>,
    pub(super) queue: VecDeque<Job>,
    /// A continuation that waits until every call of its batch is settled.
    pub(super) planned: Option<Job>,
    pub(super) failed: Option<Failed>,
    pub(super) ended: VecDeque<(Job, Outcome)>,
}

/// How a turn came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Aborted,
    Failed(String),
    /// Nothing was generated.
    Empty,
    /// Nothing is said about it.
    Silent,
}

impl State {
    pub(super) fn seat(&mut self, key: u64) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.key == key)
    }

    pub(super) fn broadcast(&self, frame: &str) {
        for seat in &self.seats {
            seat.send(frame.to_owned());
        }
    }

    pub(super) fn broadcast_except(&self, pk: &str, frame: &str) {
        for seat in self.seats.iter().filter(|seat| seat.pk != pk) {
            seat.send(frame.to_owned());
        }
    }

    /// Tells everybody that a request is over, and remembers it.
    pub(super) fn end(&mut self, job: &Job, outcome: Outcome) {
        self.broadcast(&Response::done(&job.id, outcome, &job.message_ids, job.continuation).text());
        for seat in self.seats.iter_mut().filter(|seat| seat.offered.as_ref() == Some(&job.id)) {
            seat.offered = None;
        }
        self.ended.push_back((job.clone(), outcome));
        if self.ended.len() > MEMORY {
            self.ended.pop_front();
        }
    }
}
