//! The list that is shown: the conversation, and behind it the own messages that are in no conversation yet.

use callbox_protocol::{MessageOp, UiMessage};

/// What was shown last.
#[derive(Debug, Default)]
pub(super) struct Shown {
    /// How many messages of the conversation.
    base: usize,
    /// The messages behind them.
    tail: Vec<UiMessage>,
}

impl Shown {
    /// Changes of the conversation become changes of the list. `conversation` is as it is after them.
    pub(super) fn ops<'a>(
        &mut self,
        mut ops: Vec<MessageOp>,
        conversation: &[UiMessage],
        waiting: impl Iterator<Item = &'a UiMessage>,
    ) -> Vec<MessageOp> {
        let is_new = |message: &&UiMessage| !conversation.iter().any(|known| known.id == message.id);
        let tail: Vec<&UiMessage> = waiting.filter(is_new).collect();
        if tail.is_empty() && self.tail.is_empty() {
            self.base = conversation.len();
            return ops;
        }
        let same = tail.len() == self.tail.len() && tail.iter().zip(&self.tail).all(|(new, old)| new.id == old.id);
        // Changes up to the end of the conversation leave the tail where it is, these excepted.
        let cuts = |op: &MessageOp| matches!(op, MessageOp::Reset { .. } | MessageOp::Truncate { .. });
        if same && !ops.iter().any(cuts) {
            self.base = conversation.len();
            return ops;
        }
        if !self.tail.is_empty() {
            ops.insert(0, MessageOp::Truncate { len: self.base });
        }
        self.base = conversation.len();
        let added = tail.iter().enumerate();
        ops.extend(added.map(|(at, message)| MessageOp::Insert { index: self.base + at, message: (*message).clone() }));
        self.tail = tail.into_iter().cloned().collect();
        ops
    }

    /// The whole list.
    pub(super) fn messages(&self, conversation: &[UiMessage]) -> Vec<UiMessage> {
        conversation.iter().chain(&self.tail).cloned().collect()
    }
}
