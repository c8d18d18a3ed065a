//! [`List`]: the messages, and the ops that a mirror needs to follow. Every change goes through here, so that a mirror cannot
//! fall behind.

use std::borrow::Cow;

use serde_json::Value;

use crate::message::UiMessage;
use crate::op::{MessageOp, apply, coalesce};
use crate::part::{Part, StreamState};

#[derive(Debug, Clone, Default)]
pub(super) struct List {
    messages: Vec<UiMessage>,
    ops: Vec<MessageOp>,
    /// Nobody has a mirror of it.
    unwatched: bool,
}

impl List {
    /// A list of one message, or of none yet, that nobody has a mirror of.
    pub(super) fn unwatched(message: Option<UiMessage>) -> Self {
        Self { messages: message.into_iter().collect(), unwatched: true, ..Self::default() }
    }

    pub(super) fn all(&self) -> &[UiMessage] {
        &self.messages
    }

    pub(super) fn take_ops(&mut self) -> Vec<MessageOp> {
        std::mem::take(&mut self.ops)
    }

    /// The place of a message; the newest first, for that is where things happen.
    pub(super) fn position(&self, id: &str) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == id)
    }

    pub(super) fn get(&self, index: usize) -> Option<&UiMessage> {
        self.messages.get(index)
    }

    fn change(&mut self, op: MessageOp) {
        let told = (!self.unwatched).then(|| op.clone());
        if apply(&mut self.messages, op).is_ok() {
            told.into_iter().for_each(|op| self.tell(op));
        }
    }

    fn tell(&mut self, op: MessageOp) {
        if self.unwatched {
            return;
        }
        if self.ops.is_empty() {
            // Most frames change one thing, and an op is large.
            self.ops.reserve_exact(1);
            self.ops.push(op);
        } else {
            coalesce(&mut self.ops, op);
        }
    }

    pub(super) fn insert(&mut self, index: usize, message: UiMessage) {
        self.change(MessageOp::Insert { index, message });
    }

    pub(super) fn replace(&mut self, index: usize, message: UiMessage) {
        if self.messages.get(index).is_some_and(|before| *before != message) {
            self.change(MessageOp::Replace { index, message });
        }
    }

    pub(super) fn set_part(&mut self, message: usize, part: usize, value: Part) {
        let same = self.messages.get(message).and_then(|message| message.parts.get(part)).is_some_and(|before| *before == value);
        if !same {
            self.change(MessageOp::SetPart { message, part, value });
        }
    }

    pub(super) fn push_part(&mut self, message: usize, value: Part) {
        if let Some(part) = self.messages.get(message).map(|message| message.parts.len()) {
            self.change(MessageOp::SetPart { message, part, value });
        }
    }

    pub(super) fn truncate_parts(&mut self, message: usize, len: usize) {
        if self.messages.get(message).is_some_and(|message| message.parts.len() > len) {
            self.change(MessageOp::TruncateParts { message, len });
        }
    }

    /// Changes a part where it stands. Whether it is another one then is for `change` to say.
    pub(super) fn change_part(&mut self, message: usize, part: usize, change: impl FnOnce(&mut Part) -> bool) {
        let Some(place) = self.messages.get_mut(message).and_then(|message| message.parts.get_mut(part)) else { return };
        if change(place) && !self.unwatched {
            let value = place.clone();
            self.tell(MessageOp::SetPart { message, part, value });
        }
    }

    /// The same of a whole message.
    pub(super) fn change_message(&mut self, index: usize, change: impl FnOnce(&mut UiMessage) -> bool) {
        let Some(place) = self.messages.get_mut(index) else { return };
        if change(place) {
            let message = place.clone();
            self.tell(MessageOp::Replace { index, message });
        }
    }

    /// The one change that happens for every piece of an answer: the piece is copied to where it goes, and nothing else is.
    pub(super) fn append(&mut self, message: usize, part: usize, delta: Cow<'_, str>) {
        let place = self.messages.get_mut(message).and_then(|message| message.parts.get_mut(part));
        let Some((text, _)) = place.and_then(Part::growing_mut).filter(|_| !delta.is_empty()) else { return };
        text.push_str(&delta);
        if !self.unwatched {
            self.tell(MessageOp::AppendText { message, part, delta: delta.into_owned() });
        }
    }

    pub(super) fn set_state(&mut self, message: usize, part: usize, state: StreamState) {
        self.change_part(message, part, |part| part.growing_mut().is_some_and(|(_, field)| field.replace(state) != Some(state)));
    }

    pub(super) fn set_meta(&mut self, message: usize, metadata: Option<Value>) {
        if self.messages.get(message).is_some_and(|message| message.metadata != metadata) {
            self.change(MessageOp::SetMeta { message, metadata });
        }
    }

    /// Keeps the messages for which `keep` holds.
    pub(super) fn retain(&mut self, keep: impl Fn(&UiMessage) -> bool) {
        if self.messages.iter().all(&keep) {
            return;
        }
        let first = self.messages.iter().position(|message| !keep(message)).unwrap_or_default();
        if self.messages[first..].iter().any(&keep) {
            let messages: Vec<_> = self.messages.iter().filter(|message| keep(message)).cloned().collect();
            self.change(MessageOp::Reset { messages });
        } else {
            self.change(MessageOp::Truncate { len: first });
        }
    }

    /// Makes the list this one, with as few ops as are easily found.
    pub(super) fn become_list(&mut self, new: Vec<UiMessage>) {
        let old = &self.messages;
        let prefix = old.iter().zip(&new).take_while(|(old, new)| old == new).count();
        if prefix == old.len() && prefix == new.len() {
            return;
        }
        let rest = old.len().min(new.len()) - prefix;
        let suffix = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(old, new)| old == new).count();
        let (gone, come) = (old.len() - prefix - suffix, new.len() - prefix - suffix);
        if gone > come && suffix > 0 || gone > 8 {
            self.change(MessageOp::Reset { messages: new });
            return;
        }
        for (offset, message) in new.into_iter().skip(prefix).take(come).enumerate() {
            let index = prefix + offset;
            if offset < gone { self.replace(index, message) } else { self.insert(index, message) }
        }
        if gone > come {
            self.change(MessageOp::Truncate { len: prefix + come });
        }
    }
}
