//! The agent's half of the control surface.

use std::{
    collections::BTreeMap,
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::Control;
use crate::agent::Rooms;

/// What clients have said to the agent so far.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AgentCounters {
    /// Sockets that are open now.
    pub(crate) open: usize,
    /// Of these, sockets that have fallen silent.
    pub(crate) stalled: usize,
    /// Handshakes answered with 101.
    pub(crate) accepted: u64,
    /// Handshakes answered with something else.
    pub(crate) refused: u64,
    /// By id of the last user message in it, how often a request to answer was received.
    pub(crate) submits: BTreeMap<String, u64>,
    /// By tool call id, how often a decision was received.
    pub(crate) decisions: BTreeMap<String, u64>,
    /// By request id, how often an acknowledgement of a resume offer was received.
    pub(crate) acks: BTreeMap<String, u64>,
    /// How many turns have stopped at [`Control::hold_after`] and wait.
    pub(crate) held: usize,
}

impl Control {
    fn counters(&self) -> MutexGuard<'_, AgentCounters> {
        self.0.agent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the counters and wakes who waits for them.
    pub(crate) fn count(&self, change: impl FnOnce(&mut AgentCounters)) {
        change(&mut self.counters());
        self.touch();
    }

    pub(crate) fn agent_counters(&self) -> AgentCounters {
        self.counters().clone()
    }

    /// Sockets that are open now.
    #[must_use]
    pub fn open_sockets(&self) -> usize {
        self.counters().open
    }

    /// Open sockets that have fallen silent, by [`super::Fault::Stall`] or [`Control::stall_sockets`].
    #[must_use]
    pub fn stalled_sockets(&self) -> usize {
        self.counters().stalled
    }

    /// Handshakes so far: accepted and refused. Their sum is [`Control::requests`] of [`super::Endpoint::Socket`], less the dropped.
    #[must_use]
    pub fn handshakes(&self) -> (u64, u64) {
        let counters = self.counters();
        (counters.accepted, counters.refused)
    }

    /// How often the agent was asked to answer the user message with this id.
    #[must_use]
    pub fn submits(&self, message: &str) -> u64 {
        self.counters().submits.get(message).copied().unwrap_or(0)
    }

    /// How often a decision about this tool call was received.
    #[must_use]
    pub fn decisions(&self, tool_call: &str) -> u64 {
        self.counters().decisions.get(tool_call).copied().unwrap_or(0)
    }

    /// How often the resume offer of this request was acknowledged.
    #[must_use]
    pub fn acks(&self, request: &str) -> u64 {
        self.counters().acks.get(request).copied().unwrap_or(0)
    }

    /// Returns when exactly `count` sockets are open.
    pub async fn until_open_sockets(&self, count: usize) {
        self.until(|| self.open_sockets() == count).await;
    }

    /// Turns stop after this many chunks (0: before the first, while the turn is pending) until [`Control::release`].
    pub fn hold_after(&self, chunks: usize) {
        self.0.hold.send_replace(Some(chunks));
    }

    /// Turns run on.
    pub fn release(&self) {
        self.0.hold.send_replace(None);
    }

    /// Returns when a turn has stopped at [`Control::hold_after`].
    pub async fn until_held(&self) {
        self.until(|| self.counters().held > 0).await;
    }

    pub(crate) fn hold(&self) -> watch::Receiver<Option<usize>> {
        self.0.hold.subscribe()
    }

    /// Time between two pieces of text of the scripted model, from the next piece on.
    pub fn set_pace(&self, pace: Duration) {
        self.0.pace.send_replace(pace);
    }

    pub(crate) fn pace(&self) -> Duration {
        *self.0.pace.borrow()
    }

    /// Cuts every open socket without a close frame.
    pub fn drop_sockets(&self) {
        if let Some(rooms) = self.rooms() {
            rooms.drop_sockets();
        }
    }

    /// Closes every open socket with this code and reason.
    pub fn close_sockets(&self, code: u16, reason: &str) {
        if let Some(rooms) = self.rooms() {
            rooms.close_sockets(code, reason);
        }
    }

    /// Every open socket stays open and falls silent: nothing sent, nothing read, no pong.
    pub fn stall_sockets(&self) {
        if let Some(rooms) = self.rooms() {
            rooms.stall_sockets();
        }
    }

    /// Sends this text to every socket of a conversation, as it is.
    pub fn inject(&self, conversation: &str, raw: &str) {
        if let Some(rooms) = self.rooms() {
            rooms.inject(conversation, raw);
        }
    }

    /// Whose token the agent was shown first in a conversation: the person's `sub`. Nobody else gets in there.
    #[must_use]
    pub fn owner(&self, conversation: &str) -> Option<String> {
        self.rooms()?.owner(conversation)
    }

    /// What `get-messages` would answer.
    #[must_use]
    pub fn messages(&self, conversation: &str) -> Vec<Value> {
        self.rooms().map_or_else(Vec::new, |rooms| rooms.messages(conversation))
    }

    /// Puts messages into a conversation that belongs to `owner`, as if they had always been there. Sockets are told nothing.
    pub fn set_messages(&self, conversation: &str, owner: &str, messages: Vec<Value>) {
        if let Some(rooms) = self.rooms() {
            rooms.set_messages(conversation, owner, messages);
        }
    }

    pub(crate) fn attach_rooms(&self, rooms: &Arc<Rooms>) {
        *self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(rooms);
    }

    fn rooms(&self) -> Option<Arc<Rooms>> {
        self.0.rooms.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}
