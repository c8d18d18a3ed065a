//! Own messages until the agent has confirmed them.

use callbox_protocol::UiMessage;

use super::Moment;
use crate::{Delivery, DeliveryError, DeliveryState, OutboxEntry, OutboxError};

/// How often a message is written, each time to another socket or because the agent has proven that it does not have it, before it fails.
const MAX_WRITES: u32 = 3;

#[derive(Debug)]
struct Entry {
    message: UiMessage,
    stage: Stage,
    /// Since it was last queued by a person.
    writes: u32,
    /// Ever written, as far as anybody knows.
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

/// What the keeper has to be told. Whoever carries out a save answers with its number, and a removal with the message.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    Save { number: u64, entry: OutboxEntry },
    Remove { message_id: String },
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// Not safe yet, and so not sent, not shown, and not promised to anybody.
    New {
        save: u64,
        /// As one that may have been written.
        soon: bool,
    },
    /// By an earlier process, which has not written it, unless its disk was full.
    Kept,
    /// Safe.
    Queued,
    /// Is being saved as one that may have been written.
    Marking {
        save: u64,
    },
    /// Saved as one that may have been written, and not written yet.
    Ready,
    /// On the socket that is open now.
    Written {
        request_id: String,
        at: Moment,
        /// When the agent said that it will not answer it. It may have it all the same.
        skipped: Option<Moment>,
    },
    /// On a socket that died, this process's or an earlier one's: the agent may have it.
    Unsure {
        request_id: Option<String>,
    },
    Failed(DeliveryError),
}

/// The messages on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    entries: Vec<Entry>,
    changes: Vec<Change>,
    saves: u64,
    /// Messages that need not be kept any more and still are.
    leftover: Vec<Leftover>,
}

#[derive(Debug)]
struct Leftover {
    message_id: String,
    /// Why it could not be removed when that was tried last, and when to try again.
    failed: Option<(OutboxError, Moment)>,
}

/// Between two tries to remove a message.
const SWEEP: Moment = Moment::from_secs(10);

impl Outbox {
    /// What an earlier process has left.
    pub(super) fn restore(&mut self, entries: Vec<OutboxEntry>) {
        for OutboxEntry { message, tried, failed } in entries {
            let stage = match failed {
                Some(error) => Stage::Failed(error),
                None if tried => Stage::Unsure { request_id: None },
                None => Stage::Kept,
            };
            self.entries.push(Entry { message, stage, writes: 0, tried });
        }
    }

    /// A new message. It counts when it has been saved. `soon`: it will be written right after, so it is saved as tried at once.
    pub(super) fn push(&mut self, message: UiMessage, soon: bool) {
        let save = self.save(OutboxEntry { message: message.clone(), tried: soon, failed: None });
        self.entries.push(Entry { message, stage: Stage::New { save, soon }, writes: 0, tried: false });
    }

    /// A save has ended. A new message that could not be saved is none.
    pub(super) fn saved(&mut self, number: u64, well: bool) {
        let waits = |entry: &Entry| matches!(entry.stage, Stage::New { save, .. } | Stage::Marking { save } if save == number);
        let Some(index) = self.entries.iter().position(waits) else { return };
        match self.entries[index].stage {
            Stage::New { .. } if !well => drop(self.entries.remove(index)),
            Stage::New { soon: false, .. } => self.entries[index].stage = Stage::Queued,
            // What is on the disk is looked up at the agent in any case: a full disk does not keep a message that is safe from being sent.
            _ => self.entries[index].stage = Stage::Ready,
        }
    }

    /// A removal has ended.
    pub(super) fn removed(&mut self, message_id: &str, outcome: Result<(), OutboxError>, now: Moment) {
        let at = self.leftover.iter().position(|leftover| leftover.message_id == message_id);
        match (at, outcome) {
            (Some(at), Ok(())) => drop(self.leftover.remove(at)),
            (Some(at), Err(error)) => self.leftover[at].failed = Some((error, now + SWEEP)),
            (None, _) => {}
        }
    }

    /// When to try again to remove what could not be removed.
    pub(super) fn sweep_at(&self) -> Option<Moment> {
        self.leftover.iter().filter_map(|leftover| leftover.failed.as_ref().map(|(_, at)| *at)).min()
    }

    /// Tries it, if it is time.
    pub(super) fn sweep(&mut self, now: Moment) {
        for leftover in &mut self.leftover {
            if leftover.failed.take_if(|(_, at)| *at <= now).is_some() {
                self.changes.push(Change::Remove { message_id: leftover.message_id.clone() });
            }
        }
    }

    /// Whether nothing is kept that the agent has; the error, if that cannot be had.
    pub(super) fn is_swept(&self) -> Result<bool, OutboxError> {
        match self.leftover.iter().find_map(|leftover| leftover.failed.as_ref()) {
            Some((error, _)) => Err(error.clone()),
            None => Ok(self.leftover.is_empty()),
        }
    }

    /// What has to be told to the keeper, in this order.
    pub(super) fn changes(&mut self) -> impl Iterator<Item = Change> {
        self.changes.drain(..)
    }

    /// The oldest message that can be written now. It counts as written when this returns. Nothing overtakes one that is being saved.
    pub(super) fn next(&mut self, request_id: impl FnOnce() -> String, now: Moment) -> Option<Outgoing> {
        let done = |stage: &Stage| matches!(stage, Stage::Written { .. } | Stage::Failed(_));
        let index = self.entries.iter().position(|entry| !done(&entry.stage))?;
        let ready = match self.entries[index].stage {
            Stage::Ready => true,
            Stage::Queued if self.entries[index].tried => true,
            Stage::Queued => {
                self.mark(index);
                false
            }
            _ => false,
        };
        if !ready {
            return None;
        }
        let (entry, request_id) = (&mut self.entries[index], request_id());
        let again = entry.tried;
        entry.writes += 1;
        entry.tried = true;
        entry.stage = Stage::Written { request_id: request_id.clone(), at: now, skipped: None };
        Some(Outgoing { request_id, message: entry.message.clone(), again })
    }

    /// Whether the next one that can be written was written before.
    pub(super) fn goes_again(&self) -> bool {
        let done = |stage: &Stage| matches!(stage, Stage::Written { .. } | Stage::Failed(_));
        self.entries.iter().find(|entry| !done(&entry.stage)).is_some_and(|entry| entry.tried)
    }

    /// There will soon be a socket: what waits is marked by then, so that it can be written at once.
    pub(super) fn prepare(&mut self) {
        for index in 0..self.entries.len() {
            if self.entries[index].stage == Stage::Queued && !self.entries[index].tried {
                self.mark(index);
            }
        }
    }

    /// The agent has these messages.
    pub(super) fn taken(&mut self, messages: &[UiMessage]) {
        let known = |id: &str| messages.iter().find(|message| message.id == id);
        // A message of ours that says more than we wrote has an earlier one in it.
        let joined: Vec<&UiMessage> =
            self.messages().filter_map(|own| known(&own.id).filter(|theirs| theirs.text() != own.text())).collect();
        let has = |entry: &Entry| known(&entry.message.id).is_some() || joined.iter().any(|whole| entry.message.is_joined_into(whole));
        let taken: Vec<String> = self.entries.iter().filter(|entry| has(entry)).map(|entry| entry.message.id.clone()).collect();
        self.confirm(|id| taken.iter().any(|known| known == id));
    }

    /// The agent has them.
    pub(super) fn confirm(&mut self, has: impl Fn(&str) -> bool) {
        self.drop_entries(|entry| has(&entry.message.id));
    }

    /// The agent works on this request: it has the message that came with it, whatever was concluded before. The message's id, if it was in doubt.
    pub(super) fn answered(&mut self, request: &str) -> Option<String> {
        let is_it = |entry: &&Entry| match &entry.stage {
            Stage::Written { request_id, .. } | Stage::Unsure { request_id: Some(request_id) } => request_id == request,
            _ => false,
        };
        let id = self.entries.iter().find(is_it)?.message.id.clone();
        self.confirm(|known| known == id);
        Some(id)
    }

    /// The socket is gone, and with it the certainty about what was written to it.
    pub(super) fn lost(&mut self) {
        for entry in &mut self.entries {
            if let Stage::Written { request_id, .. } = &mut entry.stage {
                entry.stage = Stage::Unsure { request_id: Some(std::mem::take(request_id)) };
            }
        }
    }

    /// The agent's messages have come, as of `asked` or later. If nothing ran then (`settled`), what was written before that and is not there will
    /// not come. What was written to an earlier socket will not come if it has had the time to (`in_time`).
    /// The requests of which nothing will come are returned.
    pub(super) fn reconcile(&mut self, messages: &[UiMessage], asked: Moment, settled: bool, in_time: bool) -> Vec<String> {
        self.taken(messages);
        let mut lost = Vec::new();
        for index in 0..self.entries.len() {
            let entry = &mut self.entries[index];
            match &mut entry.stage {
                Stage::Unsure { request_id } if in_time => lost.extend(request_id.take()),
                Stage::Kept if in_time => entry.tried = true,
                Stage::Written { skipped: Some(at), .. } if *at <= asked => {
                    self.fail(index, DeliveryError::Skipped);
                    continue;
                }
                Stage::Written { request_id, at, .. } if settled && *at < asked => lost.push(std::mem::take(request_id)),
                _ => continue,
            }
            if entry.writes < MAX_WRITES {
                entry.stage = Stage::Queued;
            } else {
                self.fail(index, DeliveryError::NotTaken);
            }
        }
        lost
    }

    /// Whether there is something that may still arrive from an earlier socket.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.entries.iter().any(|entry| matches!(entry.stage, Stage::Unsure { .. } | Stage::Kept))
    }

    /// Whether there is something that was written to the open socket before that time.
    pub(super) fn waits_since(&self, time: Moment) -> bool {
        self.entries.iter().any(|entry| matches!(entry.stage, Stage::Written { at, .. } if at < time))
    }

    /// The turn of this request will not be begun. Whether the agent has the message is for its list to tell.
    pub(super) fn skipped(&mut self, request: &str, now: Moment) {
        for entry in &mut self.entries {
            if let Stage::Written { request_id, skipped, .. } = &mut entry.stage
                && request_id == request
            {
                *skipped = Some(now);
            }
        }
    }

    /// The agent has not taken these messages.
    pub(super) fn rolled_back(&mut self, ids: &[String]) {
        for index in 0..self.entries.len() {
            let entry = &self.entries[index];
            if matches!(entry.stage, Stage::Written { .. }) && ids.contains(&entry.message.id) {
                self.fail(index, DeliveryError::Skipped);
            }
        }
    }

    /// The agent closed the socket because what was written last is too large.
    pub(super) fn too_large(&mut self) {
        if let Some(index) = self.entries.iter().rposition(|entry| matches!(entry.stage, Stage::Written { .. })) {
            self.fail(index, DeliveryError::TooLarge);
        }
    }

    /// Stops what has not been written.
    pub(super) fn cancel(&mut self) {
        for index in 0..self.entries.len() {
            if self.entries[index].stage.is_waiting() {
                self.fail(index, DeliveryError::Cancelled);
            }
        }
    }

    /// Queues a failed message again. False if there is none.
    pub(super) fn retry(&mut self, id: &str) -> bool {
        let is_it = |entry: &Entry| entry.message.id == id && matches!(entry.stage, Stage::Failed(_));
        let Some(index) = self.entries.iter().position(is_it) else { return false };
        let entry = &mut self.entries[index];
        (entry.stage, entry.writes) = (Stage::Queued, 0);
        let entry = OutboxEntry { message: entry.message.clone(), tried: entry.tried, failed: None };
        self.save(entry);
        true
    }

    /// Drops a message that failed or was not written. False if there is none.
    pub(super) fn discard(&mut self, id: &str) -> bool {
        self.drop_entries(|entry| entry.message.id == id && (matches!(entry.stage, Stage::Failed(_)) || entry.stage.is_waiting()))
    }

    /// The messages on the socket that is open now.
    pub(super) fn written(&self) -> impl Iterator<Item = &UiMessage> {
        self.entries.iter().filter(|entry| matches!(entry.stage, Stage::Written { .. })).map(|entry| &entry.message)
    }

    pub(super) fn messages(&self) -> impl Iterator<Item = &UiMessage> {
        self.entries.iter().filter(|entry| !entry.is_new()).map(|entry| &entry.message)
    }

    pub(super) fn deliveries(&self) -> Vec<Delivery> {
        let state = |stage: &Stage| match stage {
            Stage::New { .. } | Stage::Kept | Stage::Queued | Stage::Marking { .. } | Stage::Ready => DeliveryState::Queued,
            Stage::Written { .. } | Stage::Unsure { .. } => DeliveryState::Sending,
            Stage::Failed(error) => DeliveryState::Failed(*error),
        };
        let shown = self.entries.iter().filter(|entry| !entry.is_new());
        shown.map(|entry| Delivery { message_id: entry.message.id.clone(), state: state(&entry.stage) }).collect()
    }

    fn mark(&mut self, index: usize) {
        let entry = OutboxEntry { message: self.entries[index].message.clone(), tried: true, failed: None };
        self.entries[index].stage = Stage::Marking { save: self.save(entry) };
    }

    fn fail(&mut self, index: usize, error: DeliveryError) {
        let entry = &mut self.entries[index];
        entry.stage = Stage::Failed(error);
        let entry = OutboxEntry { message: entry.message.clone(), tried: entry.tried, failed: Some(error) };
        self.save(entry);
    }

    fn save(&mut self, entry: OutboxEntry) -> u64 {
        self.saves += 1;
        self.changes.push(Change::Save { number: self.saves, entry });
        self.saves
    }

    /// False if there was none.
    fn drop_entries(&mut self, condition: impl Fn(&Entry) -> bool) -> bool {
        let before = self.entries.len();
        let (changes, leftover) = (&mut self.changes, &mut self.leftover);
        self.entries.retain(|entry| {
            let drops = condition(entry);
            if drops {
                changes.push(Change::Remove { message_id: entry.message.id.clone() });
                leftover.push(Leftover { message_id: entry.message.id.clone(), failed: None });
            }
            !drops
        });
        self.entries.len() < before
    }
}

impl Entry {
    fn is_new(&self) -> bool {
        matches!(self.stage, Stage::New { .. })
    }
}

impl Stage {
    /// Safe, and not written.
    fn is_waiting(&self) -> bool {
        matches!(self, Self::Kept | Self::Queued | Self::Marking { .. } | Self::Ready)
    }
}
