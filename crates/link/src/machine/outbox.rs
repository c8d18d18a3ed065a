//! Own messages until the agent has confirmed them.

use callbox_protocol::UiMessage;

use super::Moment;
use crate::{Delivery, DeliveryError, DeliveryState};

/// How often a message is written, each time to another socket or because the agent has proven that it does not have it, before it fails.
const MAX_WRITES: u32 = 3;

#[derive(Debug)]
struct Entry {
    message: UiMessage,
    stage: Stage,
    /// Since it was last queued by a person.
    writes: u32,
    /// Ever written.
    tried: bool,
}

/// A message to be written.
#[derive(Debug)]
pub(super) struct Outgoing {
    pub(super) request_id: String,
    pub(super) message: UiMessage,
    /// It has been written before. Everything says that the agent does not have it.
    pub(super) again: bool,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    Queued,
    /// On the socket that is open now.
    Written {
        request_id: String,
        at: Moment,
    },
    /// On a socket that died: the agent may have it.
    Unsure {
        request_id: String,
    },
    Failed(DeliveryError),
}

/// The messages on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox(Vec<Entry>);

impl Outbox {
    pub(super) fn push(&mut self, message: UiMessage) {
        self.0.push(Entry { message, stage: Stage::Queued, writes: 0, tried: false });
    }

    /// The oldest message that can be written now. It counts as written when this returns.
    pub(super) fn next(&mut self, request_id: impl FnOnce() -> String, now: Moment) -> Option<Outgoing> {
        let entry = self.0.iter_mut().find(|entry| entry.stage == Stage::Queued)?;
        let request_id = request_id();
        let again = entry.tried;
        entry.writes += 1;
        entry.tried = true;
        entry.stage = Stage::Written { request_id: request_id.clone(), at: now };
        Some(Outgoing { request_id, message: entry.message.clone(), again })
    }

    /// The agent has them.
    pub(super) fn confirm(&mut self, has: impl Fn(&str) -> bool) {
        self.0.retain(|entry| !has(&entry.message.id));
    }

    /// The socket is gone, and with it the certainty about what was written to it.
    pub(super) fn lost(&mut self) {
        for entry in &mut self.0 {
            if let Stage::Written { request_id, .. } = &mut entry.stage {
                entry.stage = Stage::Unsure { request_id: std::mem::take(request_id) };
            }
        }
    }

    /// `has` knows all messages of the agent, as of `asked` or later: what was written before that and is not there will not come.
    /// The requests of which nothing will come are returned.
    pub(super) fn reconcile(&mut self, has: impl Fn(&str) -> bool, asked: Option<Moment>) -> Vec<String> {
        self.confirm(has);
        let mut lost = Vec::new();
        for entry in &mut self.0 {
            match &mut entry.stage {
                Stage::Unsure { request_id } => lost.push(std::mem::take(request_id)),
                Stage::Written { request_id, at } if asked.is_some_and(|asked| *at < asked) => lost.push(std::mem::take(request_id)),
                _ => continue,
            }
            entry.stage = if entry.writes < MAX_WRITES { Stage::Queued } else { Stage::Failed(DeliveryError::NotTaken) };
        }
        lost
    }

    /// The turn of this request was never begun, and its message not taken.
    pub(super) fn skipped(&mut self, request: &str) {
        let found = self.0.iter_mut().find(|entry| matches!(&entry.stage, Stage::Written { request_id, .. } if request_id == request));
        if let Some(entry) = found {
            entry.stage = Stage::Failed(DeliveryError::Skipped);
        }
    }

    /// The agent closed the socket because what was written last is too large.
    pub(super) fn too_large(&mut self) {
        if let Some(entry) = self.0.iter_mut().rev().find(|entry| matches!(entry.stage, Stage::Written { .. })) {
            entry.stage = Stage::Failed(DeliveryError::TooLarge);
        }
    }

    /// Stops what has not been written.
    pub(super) fn cancel(&mut self) {
        for entry in self.0.iter_mut().filter(|entry| entry.stage == Stage::Queued) {
            entry.stage = Stage::Failed(DeliveryError::Cancelled);
        }
    }

    /// Queues a failed message again. False if there is none.
    pub(super) fn retry(&mut self, id: &str) -> bool {
        let found = self.0.iter_mut().find(|entry| entry.message.id == id && matches!(entry.stage, Stage::Failed(_)));
        let Some(entry) = found else { return false };
        (entry.stage, entry.writes) = (Stage::Queued, 0);
        true
    }

    /// Drops a message that failed or was not written. False if there is none.
    pub(super) fn discard(&mut self, id: &str) -> bool {
        let before = self.0.len();
        self.0.retain(|entry| entry.message.id != id || !matches!(entry.stage, Stage::Failed(_) | Stage::Queued));
        self.0.len() < before
    }

    /// The messages on the socket that is open now.
    pub(super) fn written(&self) -> impl Iterator<Item = &UiMessage> {
        self.0.iter().filter(|entry| matches!(entry.stage, Stage::Written { .. })).map(|entry| &entry.message)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &UiMessage> {
        self.0.iter().map(|entry| &entry.message)
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        let state = |stage: &Stage| match stage {
            Stage::Queued => DeliveryState::Queued,
            Stage::Written { .. } | Stage::Unsure { .. } => DeliveryState::Sending,
            Stage::Failed(error) => DeliveryState::Failed(*error),
        };
        self.0.iter().map(|entry| Delivery { message_id: entry.message.id.clone(), state: state(&entry.stage) }).collect()
    }
}
