//! [`MessageOp`]: what changes in a list of messages. The fold makes them, the window applies them to its mirror.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use thiserror::Error;

use crate::json::{Object, take_array, take_string, take_u64};
use crate::message::UiMessage;
use crate::part::Part;

/// One change of a list of messages. Indices count from 0 and refer to the list as the ops before this one left it.
#[allow(clippy::large_enum_variant, reason = "lives from the fold to the window; a box would be one more allocation for each")]
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum MessageOp {
    /// The whole list is this now.
    Reset {
        /// All messages, oldest first.
        messages: Vec<UiMessage>,
    },
    /// A message comes in before the one at `index` (`index` = length: at the end).
    Insert {
        /// Where.
        index: usize,
        /// What.
        message: UiMessage,
    },
    /// The message at `index` is this now. It may have another id than before and still be the same message.
    Replace {
        /// Where.
        index: usize,
        /// What.
        message: UiMessage,
    },
    /// Only the first `len` messages remain.
    Truncate {
        /// How many remain.
        len: usize,
    },
    /// The part is this now (`part` = number of parts: it is added at the end).
    SetPart {
        /// Index of the message.
        message: usize,
        /// Index of the part.
        part: usize,
        /// What.
        value: Part,
    },
    /// Only the first `len` parts remain.
    TruncateParts {
        /// Index of the message.
        message: usize,
        /// How many remain.
        len: usize,
    },
    /// The text of a text or reasoning part grows.
    AppendText {
        /// Index of the message.
        message: usize,
        /// Index of the part.
        part: usize,
        /// What comes after the text so far.
        delta: String,
    },
    /// The metadata of a message are these now.
    SetMeta {
        /// Index of the message.
        message: usize,
        /// `None`: no metadata.
        metadata: Option<Value>,
    },
}

/// An op names a message or part that is not there. The list must be asked for as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OpError {
    /// No such message.
    #[error("A change refers to a message that is not there; load the conversation again.")]
    NoMessage,
    /// No such part.
    #[error("A change refers to a part of a message that is not there; load the conversation again.")]
    NoPart,
    /// The part is no text.
    #[error("A change adds text to a part that has none; load the conversation again.")]
    NoText,
}

impl OpError {
    /// A stable name for translation.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoMessage => "no-message",
            Self::NoPart => "no-part",
            Self::NoText => "no-text",
        }
    }
}

/// Applies one change.
///
/// # Errors
///
/// [`OpError`] if the op does not fit the list; the list is then unchanged.
pub fn apply(messages: &mut Vec<UiMessage>, op: MessageOp) -> Result<(), OpError> {
    match op {
        MessageOp::Reset { messages: new } => *messages = new,
        MessageOp::Insert { index, message } => {
            if index > messages.len() {
                return Err(OpError::NoMessage);
            }
            messages.insert(index, message);
        }
        MessageOp::Replace { index, message } => *messages.get_mut(index).ok_or(OpError::NoMessage)? = message,
        MessageOp::Truncate { len } => {
            if len > messages.len() {
                return Err(OpError::NoMessage);
            }
            messages.truncate(len);
        }
        MessageOp::SetPart { message, part, value } => {
            let parts = parts(messages, message)?;
            match part.cmp(&parts.len()) {
                std::cmp::Ordering::Less => parts[part] = value,
                std::cmp::Ordering::Equal => parts.push(value),
                std::cmp::Ordering::Greater => return Err(OpError::NoPart),
            }
        }
        MessageOp::TruncateParts { message, len } => {
            let parts = parts(messages, message)?;
            if len > parts.len() {
                return Err(OpError::NoPart);
            }
            parts.truncate(len);
        }
        MessageOp::AppendText { message, part, delta } => {
            let part = parts(messages, message)?.get_mut(part).ok_or(OpError::NoPart)?;
            part.growing_mut().ok_or(OpError::NoText)?.0.push_str(&delta);
        }
        MessageOp::SetMeta { message, metadata } => {
            messages.get_mut(message).ok_or(OpError::NoMessage)?.metadata = metadata;
        }
    }
    Ok(())
}

/// Read by hand: what serde derives is ten times the size, in a window that is to be small.
impl<'de> Deserialize<'de> for MessageOp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let op = match Value::deserialize(deserializer)? {
            Value::Object(object) if object.len() == 1 => object.into_iter().next(),
            _ => None,
        };
        let read = match op {
            Some((name, Value::Object(members))) => Self::read(&name, members),
            _ => None,
        };
        read.ok_or_else(|| D::Error::custom("not a change of a list of messages"))
    }
}

impl MessageOp {
    fn read(name: &str, mut members: Object) -> Option<Self> {
        fn number(members: &mut Object, key: &str) -> Option<usize> {
            take_u64(members, key)?.try_into().ok()
        }
        fn message(members: &mut Object) -> Option<UiMessage> {
            match members.remove("message")? {
                Value::Object(object) => Some(UiMessage::from_object(object)),
                _ => None,
            }
        }
        let members = &mut members;
        Some(match name {
            "reset" => {
                let messages = take_array(members, "messages")?.into_iter().map(|message| match message {
                    Value::Object(object) => Some(UiMessage::from_object(object)),
                    _ => None,
                });
                Self::Reset { messages: messages.collect::<Option<_>>()? }
            }
            "insert" => Self::Insert { index: number(members, "index")?, message: message(members)? },
            "replace" => Self::Replace { index: number(members, "index")?, message: message(members)? },
            "truncate" => Self::Truncate { len: number(members, "len")? },
            "set-part" => Self::SetPart {
                message: number(members, "message")?,
                part: number(members, "part")?,
                value: Part::from_value(members.remove("value")?),
            },
            "truncate-parts" => Self::TruncateParts { message: number(members, "message")?, len: number(members, "len")? },
            "append-text" => Self::AppendText {
                message: number(members, "message")?,
                part: number(members, "part")?,
                delta: take_string(members, "delta")?,
            },
            "set-meta" => Self::SetMeta {
                message: number(members, "message")?,
                metadata: members.remove("metadata").filter(|value| !value.is_null()),
            },
            _ => return None,
        })
    }

    fn appends_to(&self, at_message: usize, at_part: usize) -> bool {
        matches!(self, Self::AppendText { message, part, .. } if *message == at_message && *part == at_part)
    }
}

fn parts(messages: &mut [UiMessage], index: usize) -> Result<&mut Vec<Part>, OpError> {
    Ok(&mut messages.get_mut(index).ok_or(OpError::NoMessage)?.parts)
}

/// Adds an op to a queue of ops that nobody has seen yet, and keeps the queue short: text appended twice at one place becomes
/// one op, a change of something that the last op set becomes part of that op, and what a reset makes moot is dropped.
/// Applying the queue has the same result as applying all ops one by one.
pub fn coalesce(ops: &mut Vec<MessageOp>, op: MessageOp) {
    if matches!(op, MessageOp::Reset { .. }) {
        ops.clear();
        ops.push(op);
        return;
    }
    match (ops.last_mut(), op) {
        (Some(MessageOp::AppendText { message, part, delta }), MessageOp::AppendText { message: m, part: p, delta: more })
            if *message == m && *part == p =>
        {
            delta.push_str(&more);
        }
        (Some(MessageOp::SetPart { message, part, value }), MessageOp::AppendText { message: m, part: p, delta })
            if *message == m && *part == p && value.grows() =>
        {
            if let Some((text, _)) = value.growing_mut() {
                text.push_str(&delta);
            }
        }
        (Some(last), MessageOp::SetPart { message: m, part: p, value }) if last.appends_to(m, p) => {
            *last = MessageOp::SetPart { message: m, part: p, value };
        }
        (Some(MessageOp::SetPart { message, part, value }), MessageOp::SetPart { message: m, part: p, value: newer })
            if *message == m && *part == p =>
        {
            *value = newer;
        }
        (
            Some(MessageOp::Replace { index, message } | MessageOp::Insert { index, message }),
            MessageOp::Replace { index: i, message: newer },
        ) if *index == i => *message = newer,
        (Some(MessageOp::SetMeta { message, metadata }), MessageOp::SetMeta { message: m, metadata: newer }) if *message == m => {
            *metadata = newer;
        }
        (Some(MessageOp::Truncate { len }), MessageOp::Truncate { len: shorter }) => *len = shorter,
        (Some(MessageOp::TruncateParts { message, len }), MessageOp::TruncateParts { message: m, len: shorter }) if *message == m => {
            *len = shorter;
        }
        (_, op) => ops.push(op),
    }
}
