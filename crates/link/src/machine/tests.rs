//! The machine at a table: what happened on the left, what has to be done on the right.

use std::{sync::Arc, time::Duration};

use callbox_identity::{Entropy, Obstacle, Retry, TokenError, Trouble};
use callbox_protocol::{Incoming, UiMessage, apply};
use serde_json::{Value, json};

use super::{Effect, Lease, Machine, Moment, Presence};
use crate::{
    ClientTool, CommandError, DeliveryError, DeliveryState, LinkError, LinkState, OutboxEntry, OutboxError, Reply, Timing, TurnError,
};

mod confirming;
mod connecting;
mod delivering;
mod keeping;
mod renewing;
mod reworking;
mod tools;

const ADA: &str = "https://tenant.example/|ada";

/// Bytes that are all different for a while, and the same in every run.
struct Counting(std::sync::atomic::AtomicU8);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.0.fetch_add(7, std::sync::atomic::Ordering::Relaxed).wrapping_mul(31);
        }
    }
}

/// A machine, its clock, a mirror of its messages, and what it has asked for.
struct Table {
    machine: Machine,
    now: Moment,
    mirror: Vec<UiMessage>,
    /// What is on the disk.
    kept: Vec<OutboxEntry>,
    disk_is_full: bool,
    /// What has been asked for and not been looked at.
    pending: Vec<Effect>,
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A token that outlives every test that is not about that.
fn lease() -> Lease {
    Lease { fresh_until: secs(86_000), expires: secs(86_400) }
}

fn full() -> OutboxError {
    OutboxError { code: "store-disk-full", text: "The disk is full.".to_owned(), retry: Retry::Later(None) }
}

fn closed(code: u16, reason: &str) -> LinkError {
    LinkError::Closed { code, reason: reason.to_owned() }
}

fn user(id: &str, text: &str) -> UiMessage {
    UiMessage::user(id, text)
}

/// An answer of the agent with a call of the weather tool in this state.
fn calling(state: &str) -> UiMessage {
    let part =
        json!({"type": "tool-getWeather", "toolCallId": "call-1", "state": state, "input": {"city": "Paris"}, "approval": {"id": "ap-1"}});
    serde_json::from_value(json!({"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, part]})).unwrap()
}

fn said(id: &str, text: &str) -> UiMessage {
    serde_json::from_value(json!({"id": id, "role": "assistant", "parts": [{"type": "text", "text": text, "state": "done"}]})).unwrap()
}

impl Table {
    fn new() -> Self {
        Self::offering(&[])
    }

    /// A machine that offers these tools.
    fn offering(tools: &[ClientTool]) -> Self {
        let entropy = Arc::new(Counting(std::sync::atomic::AtomicU8::new(0)));
        Self {
            machine: Machine::new(Timing { doubt: Duration::ZERO, ..Timing::default() }, entropy, tools),
            now: Duration::ZERO,
            mirror: Vec::new(),
            kept: Vec::new(),
            disk_is_full: false,
            pending: Vec::new(),
        }
    }

    fn signed_in() -> Self {
        Self::new().sign_in()
    }

    fn sign_in(self) -> Self {
        let mut table = self;
        table.machine.presence(Presence::Present(ADA.to_owned()));
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
        table
    }

    /// Signed in, connected, these messages loaded, and the agent has said that nothing runs.
    fn online(messages: Vec<UiMessage>) -> Self {
        Self::new().go_online(messages)
    }

    fn go_online(self, messages: Vec<UiMessage>) -> Self {
        let mut table = self.sign_in();
        table.connect(messages);
        table.idle();
        table
    }

    /// From the token request to the probe.
    fn connect(&mut self, messages: Vec<UiMessage>) -> Vec<Value> {
        self.machine.token(Ok(lease()), self.now);
        assert_eq!(self.effects(), [Effect::Connect]);
        self.machine.opened(self.now);
        assert_eq!(self.effects(), [Effect::History]);
        assert!(!self.machine.reads(), "what the agent sends waits until the messages are here");
        self.machine.history(Ok(messages), self.now);
        assert_eq!(self.link(), LinkState::Online);
        self.written()
    }

    /// What has been asked for. The mirror follows, as a subscriber's would.
    fn effects(&mut self) -> Vec<Effect> {
        self.keep();
        std::mem::take(&mut self.pending)
    }

    /// Does what the disk has to do; everything else waits.
    fn keep(&mut self) {
        while let Some(effect) = self.machine.effect() {
            match effect {
                Effect::Save { number, entry } => {
                    if !self.disk_is_full {
                        match self.kept.iter_mut().find(|known| known.message.id == entry.message.id) {
                            Some(known) => *known = entry,
                            None => self.kept.push(entry),
                        }
                    }
                    self.machine.saved(number, !self.disk_is_full, self.now);
                }
                Effect::Remove { message_id } if self.disk_is_full => self.machine.removed(&message_id, Err(full()), self.now),
                Effect::Remove { message_id } => {
                    self.kept.retain(|known| known.message.id != message_id);
                    self.machine.removed(&message_id, Ok(()), self.now);
                }
                effect => self.pending.push(effect),
            }
        }
        for op in self.machine.take_ops() {
            apply(&mut self.mirror, op).unwrap();
        }
        assert_eq!(self.mirror, self.machine.messages(), "who applies the changes has the list");
    }

    /// Sends a text, which is safe when this returns.
    fn send(&mut self, text: impl Into<String>) -> Result<String, CommandError> {
        let id = self.machine.send(text.into());
        self.keep();
        id
    }

    /// Another process with the same disk.
    fn restarted(&self) -> Self {
        let mut table = Self::new();
        // Its ids are others than those of the process before.
        table.machine.entropy = Arc::new(Counting(std::sync::atomic::AtomicU8::new(100)));
        table.kept.clone_from(&self.kept);
        table.machine.restore(Ok(self.kept.clone()));
        table.machine.presence(Presence::Present(ADA.to_owned()));
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
        table
    }

    /// What has been written, when nothing else was asked for.
    fn written(&mut self) -> Vec<Value> {
        let frame = |effect| match effect {
            Effect::Write(text) => serde_json::from_str(&text).unwrap(),
            other => panic!("nothing but frames: {other:?}"),
        };
        self.effects().into_iter().map(frame).collect()
    }

    /// Its kinds only.
    fn wrote(&mut self) -> Vec<String> {
        kinds(&self.written())
    }

    fn frame(&mut self, frame: &Value) {
        self.machine.frame(Incoming::parse(&frame.to_string()).unwrap(), self.now);
    }

    /// The agent answers the probe that is open: nothing runs.
    fn idle(&mut self) {
        let probe = self.machine.questions_probe().expect("a question is open").to_owned();
        self.frame(&json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": probe}));
    }

    fn link(&self) -> LinkState {
        self.machine.status().link
    }

    /// Time passes, deadline by deadline.
    fn pass(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(deadline) = self.machine.deadline().filter(|deadline| *deadline <= end) {
            assert!(deadline >= self.now || self.now - deadline < secs(60), "a deadline is not far in the past");
            self.now = deadline.max(self.now);
            self.machine.time(self.now);
            assert!(self.machine.deadline().is_none_or(|next| next > self.now), "a deadline that has been looked at is over");
        }
        self.now = end;
    }

    fn deliveries(&self) -> Vec<DeliveryState> {
        self.machine.status().deliveries.iter().map(|delivery| delivery.state).collect()
    }

    fn shown(&self) -> Vec<String> {
        self.mirror.iter().map(UiMessage::text).collect()
    }
}

fn kinds(frames: &[Value]) -> Vec<String> {
    frames.iter().map(|frame| frame["type"].as_str().unwrap().trim_start_matches("cf_agent_").to_owned()).collect()
}

/// Request and message of a submit.
fn submitted(frame: &Value) -> (String, Value) {
    let (request, mut messages) = resubmitted(frame);
    assert_eq!(messages.len(), 1, "the new message alone: the agent keeps the rest");
    (request, messages.remove(0))
}

/// Request and messages of a submit.
fn resubmitted(frame: &Value) -> (String, Vec<Value>) {
    let body: Value = serde_json::from_str(frame["init"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["trigger"], "submit-message");
    (frame["id"].as_str().unwrap().to_owned(), body["messages"].as_array().unwrap().clone())
}
