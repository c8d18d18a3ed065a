//! Chunks into parts, by the agent's own rules rather than those of the AI SDK's client (notes 4.5): what the fold makes is
//! what the agent stores, so nothing changes its shape when a conversation is loaded again.
//!
//! The one difference is arguments that are still being written: the agent keeps none, the fold shows what can be read of them.

use std::borrow::Cow;

use serde_json::Value;

use crate::chunk::{Chunk, Data, File, SourceDocument, SourceUrl};
use crate::incoming::{Growth, Said};
use crate::json::{Object, merge};
use crate::message::UiMessage;
use crate::part::{DataPart, FilePart, Part, ReasoningPart, SourceDocumentPart, SourceUrlPart, StreamState, TextPart};
use crate::tool::ToolState;

use super::list::List;
use super::running::Stream;

/// Where chunks go.
pub(super) struct Fold<'a> {
    pub(super) list: &'a mut List,
    pub(super) stream: &'a mut Stream,
    /// The turn; the id of the message if the agent gives none.
    pub(super) request_id: &'a str,
    /// The chunk is sent again.
    pub(super) replay: bool,
    /// Ids that were made up here.
    pub(super) invented: &'a mut Vec<String>,
}

/// Which of the two kinds of growing text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Reasoning,
}

impl Kind {
    fn is(self, part: &Part) -> bool {
        matches!((self, part), (Self::Text, Part::Text(_)) | (Self::Reasoning, Part::Reasoning(_)))
    }

    fn last(self, parts: &[Part]) -> Option<usize> {
        parts.iter().rposition(|part| self.is(part))
    }

    fn part(self, text: String) -> Part {
        let state = Some(StreamState::Streaming);
        match self {
            Self::Text => Part::Text(TextPart { text, state, ..TextPart::default() }),
            Self::Reasoning => Part::Reasoning(ReasoningPart { text, state, ..ReasoningPart::default() }),
        }
    }
}

impl Fold<'_> {
    pub(super) fn apply(&mut self, said: Said<'_>) {
        match said {
            Said::Growth(Growth::Text(text)) => self.delta(Kind::Text, text, None),
            Said::Growth(Growth::Reasoning(text)) => self.delta(Kind::Reasoning, text, None),
            Said::Growth(Growth::Arguments { call, text }) => self.input_delta(&call, &text, None),
            Said::Chunk(chunk) => self.chunk(*chunk),
            Said::Nothing | Said::Words(_) => {}
        }
    }

    fn chunk(&mut self, chunk: Chunk) {
        match chunk {
            Chunk::Start(start) => {
                if let (Some(id), false) = (&start.message_id, self.stream.continuation) {
                    self.named(id);
                }
                self.metadata(start.message_metadata.as_ref());
            }
            Chunk::Finish(finish) => {
                self.stream.finished = true;
                // The agent puts the reason of the end here in place of what the application attached, and stores neither.
                let reason = |value: &Value| value.as_object().is_some_and(|all| all.len() == 1 && all.contains_key("finishReason"));
                self.metadata(finish.message_metadata.as_ref().filter(|value| !reason(value)));
            }
            Chunk::MessageMetadata(chunk) => self.metadata(Some(&chunk.message_metadata)),
            Chunk::StartStep(_) => self.push(Part::StepStart),
            Chunk::TextStart(_) => self.push(Kind::Text.part(String::new())),
            Chunk::TextDelta(chunk) => self.delta(Kind::Text, chunk.delta.into(), None),
            Chunk::TextEnd(_) => self.end(Kind::Text, None),
            Chunk::ReasoningStart(_) => self.reasoning_start(),
            Chunk::ReasoningDelta(chunk) => self.delta(Kind::Reasoning, chunk.delta.into(), chunk.extra.get("providerMetadata")),
            Chunk::ReasoningEnd(chunk) => self.end(Kind::Reasoning, chunk.extra.get("providerMetadata")),
            Chunk::ToolInputStart(chunk) => self.input_start(chunk),
            Chunk::ToolInputDelta(chunk) => self.input_delta(&chunk.tool_call_id, &chunk.input_text_delta, chunk.extra.get("input")),
            Chunk::ToolInputAvailable(chunk) => self.input_available(chunk),
            Chunk::ToolInputError(chunk) => self.input_error(chunk),
            Chunk::ToolApprovalRequest(chunk) => {
                self.approval_request(&chunk.tool_call_id, &chunk.approval_id, chunk.approval_descriptor.as_ref());
            }
            Chunk::ToolOutputAvailable(chunk) => self.settle(&chunk.tool_call_id, &ToolState::OutputAvailable, |tool| {
                tool.state = ToolState::OutputAvailable;
                tool.output = chunk.output;
                if let Some(preliminary) = chunk.preliminary {
                    tool.extra.insert("preliminary".to_owned(), Value::Bool(preliminary));
                }
            }),
            Chunk::ToolOutputError(chunk) => self.settle(&chunk.tool_call_id, &ToolState::OutputError, |tool| {
                tool.state = ToolState::OutputError;
                tool.error_text = Some(chunk.error_text);
            }),
            Chunk::ToolOutputDenied(chunk) => self.settle(&chunk.tool_call_id, &ToolState::OutputDenied, |tool| {
                if tool.state != ToolState::ApprovalResponded {
                    tool.state = ToolState::OutputDenied;
                }
            }),
            Chunk::SourceUrl(SourceUrl { source_id, url, title, provider_metadata, .. }) => {
                self.push(Part::SourceUrl(SourceUrlPart { source_id, url, title, extra: attached(provider_metadata) }));
            }
            Chunk::SourceDocument(SourceDocument { source_id, media_type, title, filename, provider_metadata, .. }) => {
                let extra = attached(provider_metadata);
                self.push(match title {
                    Some(title) => Part::SourceDocument(SourceDocumentPart { source_id, media_type, title, filename, extra }),
                    None => untitled(&source_id, &media_type, filename, extra),
                });
            }
            Chunk::File(File { media_type, url, .. }) => {
                self.push(Part::File(FilePart { media_type, url, filename: None, extra: Object::new() }));
            }
            Chunk::Data(chunk) => self.data(chunk),
            // Not stored by the agent, so not shown either.
            Chunk::ReasoningFile(_)
            | Chunk::Custom(_)
            | Chunk::SteeringMessage(_)
            | Chunk::FinishStep(_)
            | Chunk::ResetStep(_)
            | Chunk::ToolApprovalResponse(_)
            | Chunk::ErrorChunk(_)
            | Chunk::Abort(_)
            | Chunk::Unknown(_) => {}
        }
    }

    /// The place of the message in the list, if it is there.
    pub(super) fn at(&self) -> Option<usize> {
        self.list.position(self.stream.target.as_deref()?)
    }

    /// The agent names the message, and writes it from its first part. What was there of it, from a list of the agent's or from
    /// before, is written again now; only decisions and results are kept, for they are not all in the chunks.
    fn named(&mut self, id: &str) {
        let ours = self.at();
        let there = self.list.position(id);
        if let (Some(at), None) = (ours, there) {
            if let Some(message) = self.list.get(at) {
                self.invented.retain(|known| *known != message.id);
                let message = UiMessage { id: id.to_owned(), ..message.clone() };
                // What came of this turn before its name is the first of it: an application may write ahead of the model.
                let written_ahead = self.list.get(at).is_some_and(|message| message.id == format!("local-{}", self.request_id));
                self.list.replace(at, message);
                if written_ahead {
                    self.stream.target = Some(id.to_owned());
                    return;
                }
            }
        } else if let Some(message) = there.and_then(|at| self.list.get(at)) {
            if ours.is_none() {
                self.stream.stored = Some(message.clone());
            }
            self.stream.remember(message);
        }
        self.stream.target = Some(id.to_owned());
        if let Some(at) = self.at() {
            self.list.truncate_parts(at, 0);
        }
    }

    fn metadata(&mut self, patch: Option<&Value>) {
        let Some(patch) = patch else { return };
        match self.at() {
            Some(at) => {
                let mut metadata = self.list.get(at).and_then(|message| message.metadata.clone());
                merge(&mut metadata, patch);
                self.list.set_meta(at, metadata);
            }
            None => merge(&mut self.stream.metadata, patch),
        }
    }

    /// The message, which comes into the list now if it was not there.
    pub(super) fn message(&mut self) -> usize {
        if let Some(at) = self.at() {
            return at;
        }
        let id = match &self.stream.target {
            Some(id) => id.clone(),
            None => {
                let id = format!("local-{}", self.request_id);
                self.named(&id);
                if let Some(at) = self.at() {
                    return at;
                }
                self.invented.push(id.clone());
                id
            }
        };
        let message = UiMessage { metadata: self.stream.metadata.take(), ..UiMessage::assistant(id) };
        let end = self.list.all().len();
        self.list.insert(end, message);
        end
    }

    pub(super) fn push(&mut self, part: Part) {
        let at = self.message();
        self.list.push_part(at, part);
    }

    pub(super) fn parts(&self) -> &[Part] {
        self.at().and_then(|at| self.list.get(at)).map_or(&[], |message| &message.parts)
    }

    fn last(&self, kind: Kind) -> Option<usize> {
        kind.last(self.parts())
    }

    fn delta(&mut self, kind: Kind, delta: Cow<'_, str>, metadata: Option<&Value>) {
        let at = self.message();
        let Some(part) = self.list.get(at).and_then(|message| kind.last(&message.parts)) else {
            self.list.push_part(at, kind.part(delta.into_owned()));
            return self.sign(kind, metadata);
        };
        self.list.append(at, part, delta);
        self.sign(kind, metadata);
    }

    fn end(&mut self, kind: Kind, metadata: Option<&Value>) {
        let (Some(at), Some(part)) = (self.at(), self.last(kind)) else { return };
        // A text without a state keeps none.
        let stated = self.parts().get(part).is_some_and(|part| match part {
            Part::Text(text) => text.state.is_some(),
            Part::Reasoning(reasoning) => reasoning.state.is_some(),
            _ => false,
        });
        if stated {
            self.list.set_state(at, part, StreamState::Done);
        }
        self.sign(kind, metadata);
        if kind == Kind::Reasoning {
            self.write_signature();
        }
    }

    /// What the provider attaches to a reasoning; without it the model cannot go on from there. Nobody looks at it before the reasoning
    /// ends, and writing it with each piece would copy the text each time.
    fn sign(&mut self, kind: Kind, metadata: Option<&Value>) {
        if let (Kind::Reasoning, Some(metadata)) = (kind, metadata) {
            merge(&mut self.stream.signature, metadata);
        }
    }

    /// Writes what was attached to the last reasoning.
    pub(super) fn write_signature(&mut self) {
        let (Some(signature), Some(at)) = (self.stream.signature.take(), self.at()) else { return };
        let Some(part) = self.last(Kind::Reasoning) else { return };
        self.list.change_part(at, part, |part| attach(part, &signature));
    }

    /// A continuation goes on with the reasoning that was cut off, if that is what the message ends in.
    fn reasoning_start(&mut self) {
        if self.stream.continuation && !self.stream.reasoning_resumed {
            let last = self.parts().iter().rev().find(|part| Kind::Text.is(part) || Kind::Reasoning.is(part));
            let open = match last {
                Some(Part::Text(text)) => text.state,
                Some(Part::Reasoning(reasoning)) => reasoning.state,
                _ => None,
            };
            if open == Some(StreamState::Streaming) {
                self.stream.reasoning_resumed = true;
                return;
            }
        }
        self.write_signature();
        self.push(Kind::Reasoning.part(String::new()));
    }

    /// Data with an id replace those with the same id. The id is a text by the books, and whatever the application put there in practice.
    fn data(&mut self, chunk: Data) {
        if chunk.transient == Some(true) {
            return;
        }
        let Data { kind, data, mut extra, .. } = chunk;
        let name = kind.strip_prefix("data-").unwrap_or_default();
        let id = extra.remove("id").filter(|id| !id.is_null());
        let same = |known: &Part| {
            let Part::Data(known) = known else { return false };
            known.name == name
                && match (&known.id, &id) {
                    (Some(known), Some(Value::String(id))) => known == id,
                    (None, id) => known.extra.get("id") == id.as_ref(),
                    _ => false,
                }
        };
        let place = self.at().filter(|_| id.is_some()).zip(self.parts().iter().rposition(same));
        let part = match data {
            Some(data) => {
                let name = name.to_owned();
                let (id, other) = match id {
                    Some(Value::String(id)) => (Some(id), None),
                    other => (None, other),
                };
                Part::Data(DataPart { name, id, data, extra: other.map(|other| ("id".to_owned(), other)).into_iter().collect() })
            }
            None => Part::Unknown(Value::Object(
                [("type".to_owned(), Value::String(kind))].into_iter().chain(id.map(|id| ("id".to_owned(), id))).collect(),
            )),
        };
        match place {
            Some((at, index)) => self.list.set_part(at, index, part),
            None => self.push(part),
        }
    }
}

/// Writes what was attached to the last reasoning of a message.
pub(super) fn sign(message: &mut UiMessage, signature: &Value) {
    if let Some(part) = message.parts.iter_mut().rev().find(|part| Kind::Reasoning.is(part)) {
        attach(part, signature);
    }
}

/// Whether the part is another one then.
fn attach(part: &mut Part, signature: &Value) -> bool {
    let Part::Reasoning(reasoning) = part else { return false };
    let before = reasoning.extra.get("providerMetadata");
    let mut signed = before.cloned();
    merge(&mut signed, signature);
    let changed = signed.as_ref() != before;
    reasoning.extra.extend(signed.map(|signed| ("providerMetadata".to_owned(), signed)));
    changed
}

/// What a provider attached to a part that comes whole.
fn attached(metadata: Option<Value>) -> Object {
    metadata.into_iter().map(|metadata| ("providerMetadata".to_owned(), metadata)).collect()
}

/// A document without a title is stored as it is, and is none by the books.
fn untitled(source_id: &str, media_type: &str, filename: Option<String>, extra: Object) -> Part {
    let mut part = Object::new();
    for (key, value) in [("type", "source-document"), ("sourceId", source_id), ("mediaType", media_type)] {
        part.insert(key.to_owned(), text(value));
    }
    part.extend(filename.map(|filename| ("filename".to_owned(), Value::String(filename))));
    part.extend(extra);
    Part::Unknown(Value::Object(part))
}

fn text(text: &str) -> Value {
    Value::String(text.to_owned())
}
