//! An open conversation: the mirror of the shell's messages, and its status.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use callbox_ipc::{DeliveryState, ThreadStatus, ThreadView, TurnView};
use callbox_protocol::interrupt::{ApprovalRequest, Elapsed, Interrupt};
use callbox_protocol::{MessageOp, Role, ToolPart, UiMessage};
use leptos::prelude::*;
use serde_json::Value;

use super::content::{Content, Slot};
use super::interrupt::{self, Seen};
use super::tool::{Around, Phase, phase};

/// One conversation.
#[derive(Clone)]
pub struct Thread {
    pub conversation: String,
    /// Changes when a message comes or goes; what is in a message changes in its own signals.
    pub messages: ArcRwSignal<Vec<Message>>,
    pub status: ArcRwSignal<ThreadStatus>,
    keys: Arc<AtomicU64>,
    /// When requests for approvals were first seen, by call.
    seen: Arc<Mutex<Vec<(String, Seen)>>>,
}

/// One message. The key stays the same while the message stays at its place, even when the agent gives it another id.
#[derive(Clone)]
pub struct Message {
    pub key: u64,
    pub role: Role,
    pub id: ArcRwSignal<String>,
    pub metadata: ArcRwSignal<Option<Value>>,
    pub slots: ArcRwSignal<Vec<Slot>>,
}

/// A change that does not fit the messages there are: the window has missed something and must ask for the whole again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfStep;

impl Thread {
    /// Opens a conversation as the shell shows it.
    pub fn new(conversation: String, view: ThreadView) -> Self {
        let thread = Self {
            conversation,
            messages: ArcRwSignal::new(Vec::new()),
            status: ArcRwSignal::new(view.status),
            keys: Arc::new(AtomicU64::new(0)),
            seen: Arc::default(),
        };
        thread.reset(&view.messages);
        thread
    }

    /// Takes the whole conversation again; what is the same stays as it is.
    pub fn replace(&self, view: ThreadView) {
        self.reset(&view.messages);
        self.set_status(view.status);
    }

    /// Takes a new status.
    pub fn set_status(&self, status: ThreadStatus) {
        if self.status.with_untracked(|before| *before != status) {
            self.status.set(status);
        }
    }

    /// Applies one change.
    ///
    /// # Errors
    ///
    /// [`OutOfStep`] if the change names a message or part that is not there. The mirror may then be incomplete.
    pub fn apply(&self, op: MessageOp) -> Result<(), OutOfStep> {
        match op {
            MessageOp::Reset { messages } => self.reset(&messages),
            MessageOp::Insert { index, message } => {
                let mut messages = self.messages.get_untracked();
                if index > messages.len() {
                    return Err(OutOfStep);
                }
                messages.insert(index, self.message(&message));
                self.messages.set(messages);
            }
            MessageOp::Replace { index, message } => {
                let mut messages = self.messages.get_untracked();
                let place = messages.get_mut(index).ok_or(OutOfStep)?;
                if !self.take(place, &message) {
                    *place = self.message(&message);
                    self.messages.set(messages);
                }
            }
            MessageOp::Truncate { len } => {
                let mut messages = self.messages.get_untracked();
                if len > messages.len() {
                    return Err(OutOfStep);
                }
                messages.truncate(len);
                self.messages.set(messages);
            }
            MessageOp::SetPart { message, part, value } => {
                let message = self.at(message)?;
                let mut slots = message.slots.get_untracked();
                if part > slots.len() {
                    return Err(OutOfStep);
                }
                if slots.get(part).is_some_and(|slot| slot.content.update(&value)) {
                    return Ok(());
                }
                let slot = Slot { key: self.key(), content: Content::new(&value, message.role == Role::User) };
                if part == slots.len() {
                    slots.push(slot)
                } else {
                    slots[part] = slot
                }
                message.slots.set(slots);
            }
            MessageOp::TruncateParts { message, len } => {
                let message = self.at(message)?;
                let mut slots = message.slots.get_untracked();
                if len > slots.len() {
                    return Err(OutOfStep);
                }
                slots.truncate(len);
                message.slots.set(slots);
            }
            MessageOp::AppendText { message, part, delta } => {
                let message = self.at(message)?;
                let slot = message.slots.with_untracked(|slots| slots.get(part).cloned()).ok_or(OutOfStep)?;
                slot.content.append(&delta).map_err(|_| OutOfStep)?;
            }
            MessageOp::SetMeta { message, metadata } => {
                let message = self.at(message)?;
                if message.metadata.with_untracked(|before| *before != metadata) {
                    message.metadata.set(metadata);
                }
            }
        }
        Ok(())
    }

    /// The tool calls that wait for a decision and have none on its way, oldest first.
    pub fn asking(&self) -> Vec<ToolPart> {
        self.questions().into_iter().map(|(_, tool)| tool).collect()
    }

    /// The place of the oldest message with such a call.
    pub fn asking_at(&self) -> Option<usize> {
        self.questions().first().map(|(index, _)| *index)
    }

    fn questions(&self) -> Vec<(usize, ToolPart)> {
        let mut asking = Vec::new();
        for (index, message) in self.messages.get().into_iter().enumerate() {
            for slot in message.slots.get() {
                let Content::Tool(tool) = slot.content else { continue };
                let waits = tool.with(|tool| phase(tool, self.around(&tool.tool_call_id)) == Phase::Asking);
                if waits {
                    asking.push((index, tool.get()));
                }
            }
        }
        asking
    }

    /// Why a call of the last message has stopped, if it has and nothing goes on.
    pub fn interrupt(&self, tool: &ToolPart) -> Option<Interrupt> {
        let (idle, turn) = self.status.with(|status| (status.turn == TurnView::Idle, status.interrupt.clone()));
        let found = interrupt::of(tool, turn.as_deref()).filter(|_| idle)?;
        self.has_last(&tool.tool_call_id).then_some(found)
    }

    /// Whether the turn has stopped for a call that is there to be seen.
    pub fn is_interrupt_shown(&self) -> bool {
        let turn = self.status.with(|status| status.interrupt.clone());
        let last = self.messages.with(|messages| messages.last().cloned());
        let named = |slot: &Slot| match &slot.content {
            Content::Tool(tool) => tool.with(|tool| interrupt::of(tool, turn.as_deref()).is_some()),
            _ => false,
        };
        turn.is_some() && last.is_some_and(|last| last.slots.get().iter().any(named))
    }

    fn has_last(&self, call: &str) -> bool {
        let last = self.messages.with(|messages| messages.last().cloned());
        let is_it = |slot: &Slot| matches!(&slot.content, Content::Tool(tool) if tool.with(|tool| tool.tool_call_id == call));
        last.is_some_and(|last| last.slots.get().iter().any(is_it))
    }

    /// When a request for an approval was first seen; now, if it was not. By then a part of its time may be over. `at`: now, in milliseconds, by a clock
    /// that nobody sets; `wall`: by the other one.
    pub fn seen(&self, call: &str, request: Option<&ApprovalRequest>, at: u64, wall: u64) -> Seen {
        let now = || Seen { at, elapsed: request.map_or(Elapsed::Untold, |request| request.elapsed(wall)) };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = seen.iter().find(|(other, _)| other == call) {
            return *known;
        }
        let new = now();
        seen.push((call.to_owned(), new));
        new
    }

    /// How the delivery of an own message stands; none once the agent has it.
    pub fn delivery(&self, message: &str) -> Option<DeliveryState> {
        self.status
            .with(|status| status.deliveries.iter().find(|delivery| delivery.message == message).map(|delivery| delivery.state.clone()))
    }

    /// What is known of a tool call beside the call itself.
    pub fn around(&self, tool_call: &str) -> Around {
        self.status.with(|status| Around {
            decision: status.decisions.iter().find(|decision| decision.tool_call == tool_call).map(|decision| decision.approved),
            asks: status.confirmations.iter().any(|call| call == tool_call),
            turn: status.turn,
        })
    }

    fn at(&self, index: usize) -> Result<Message, OutOfStep> {
        self.messages.with_untracked(|messages| messages.get(index).cloned()).ok_or(OutOfStep)
    }

    fn key(&self) -> u64 {
        self.keys.fetch_add(1, Ordering::Relaxed)
    }

    fn message(&self, message: &UiMessage) -> Message {
        let own = message.role == Role::User;
        let slots = message.parts.iter().map(|part| Slot { key: self.key(), content: Content::new(part, own) }).collect();
        Message {
            key: self.key(),
            role: message.role,
            id: ArcRwSignal::new(message.id.clone()),
            metadata: ArcRwSignal::new(message.metadata.clone()),
            slots: ArcRwSignal::new(slots),
        }
    }

    /// Puts another value into a message that is there already; `false` if it is somebody else's.
    fn take(&self, place: &Message, message: &UiMessage) -> bool {
        if place.role != message.role {
            return false;
        }
        let before = place.slots.get_untracked();
        let own = message.role == Role::User;
        let mut fresh = before.len() != message.parts.len();
        let mut slots = Vec::with_capacity(message.parts.len());
        for (index, part) in message.parts.iter().enumerate() {
            match before.get(index) {
                Some(slot) if slot.content.update(part) => slots.push(slot.clone()),
                _ => {
                    fresh = true;
                    slots.push(Slot { key: self.key(), content: Content::new(part, own) });
                }
            }
        }
        if fresh {
            place.slots.set(slots);
        }
        if place.id.with_untracked(|id| *id != message.id) {
            place.id.set(message.id.clone());
        }
        if place.metadata.with_untracked(|metadata| *metadata != message.metadata) {
            place.metadata.set(message.metadata.clone());
        }
        true
    }

    fn reset(&self, messages: &[UiMessage]) {
        let mut before = self.messages.get_untracked();
        let mut changed = before.len() != messages.len();
        let mut now = Vec::with_capacity(messages.len());
        for message in messages {
            let same = before.iter().position(|place| place.id.with_untracked(|id| *id == message.id));
            match same.map(|index| before.remove(index)) {
                Some(place) if self.take(&place, message) => {
                    changed |= same != Some(0);
                    now.push(place);
                }
                _ => {
                    changed = true;
                    now.push(self.message(message));
                }
            }
        }
        if changed {
            self.messages.set(now);
        }
    }
}

impl Message {
    /// The readable text of the message: what is copied.
    pub fn text(&self) -> String {
        untrack(|| self.words())
    }

    /// The same, for whoever wants to hear of other words that a message of the user's gets.
    pub fn words(&self) -> String {
        let texts = self.slots.with(|slots| {
            slots
                .iter()
                .filter_map(|slot| match &slot.content {
                    Content::Plain(text) => Some(text.get()),
                    Content::Text(text) => Some(text.text()),
                    _ => None,
                })
                .filter(|text| !text.is_empty())
                .collect::<Vec<_>>()
        });
        texts.join("\n\n")
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "thread_tests.rs"]
mod tests;
