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

#[cfg(test)]
mod tests {
    use callbox_protocol::apply;
    use proptest::prelude::*;

    use super::*;

    /// A change of the conversation, or a message that comes into the outbox or goes from it.
    #[derive(Debug, Clone)]
    enum Step {
        Say(u8),
        Grow(u8),
        Truncate(u8),
        Reset(Vec<u8>),
        Queue(u8),
        Unqueue(u8),
    }

    fn message(id: u8) -> UiMessage {
        UiMessage::user(format!("m{id}"), "text")
    }

    fn step() -> impl Strategy<Value = Step> {
        let id = 0..12u8;
        prop_oneof![
            id.clone().prop_map(Step::Say),
            id.clone().prop_map(Step::Grow),
            id.clone().prop_map(Step::Truncate),
            prop::collection::vec(id.clone(), 0..4).prop_map(Step::Reset),
            id.clone().prop_map(Step::Queue),
            id.prop_map(Step::Unqueue),
        ]
    }

    proptest! {
        #[test]
        fn whoever_applies_the_changes_sees_the_conversation_and_behind_it_what_waits(batches in prop::collection::vec(prop::collection::vec(step(), 0..5), 0..20)) {
            let (mut conversation, mut waiting): (Vec<UiMessage>, Vec<UiMessage>) = Default::default();
            let (mut shown, mut mirror) = (Shown::default(), Vec::new());
            for batch in batches {
                let mut ops = Vec::new();
                for step in batch {
                    let len = conversation.len();
                    let op = match step {
                        Step::Say(id) => Some(MessageOp::Insert { index: usize::from(id) % (len + 1), message: message(id) }),
                        Step::Grow(at) if len > 0 => {
                            Some(MessageOp::AppendText { message: usize::from(at) % len, part: 0, delta: "more".to_owned() })
                        }
                        Step::Truncate(at) => Some(MessageOp::Truncate { len: usize::from(at) % (len + 1) }),
                        Step::Reset(ids) => Some(MessageOp::Reset { messages: ids.into_iter().map(message).collect() }),
                        Step::Queue(id) if !waiting.iter().any(|known| known.id == message(id).id) => {
                            waiting.push(message(id));
                            None
                        }
                        Step::Unqueue(id) => {
                            waiting.retain(|known| known.id != message(id).id);
                            None
                        }
                        Step::Grow(_) | Step::Queue(_) => None,
                    };
                    if let Some(op) = op {
                        apply(&mut conversation, op.clone()).unwrap();
                        ops.push(op);
                    }
                }
                for op in shown.ops(ops, &conversation, waiting.iter()) {
                    apply(&mut mirror, op).unwrap();
                }
                prop_assert_eq!(&mirror, &shown.messages(&conversation));
                prop_assert_eq!(&mirror[..conversation.len()], &conversation[..]);
                let is_new = |message: &&UiMessage| !conversation.iter().any(|known| known.id == message.id);
                let tail: Vec<&UiMessage> = waiting.iter().filter(is_new).collect();
                prop_assert_eq!(mirror[conversation.len()..].iter().collect::<Vec<_>>(), tail);
            }
        }
    }
}
