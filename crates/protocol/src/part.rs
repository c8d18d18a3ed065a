//! [`Part`]: one piece of a message (notes 4.2). Reading and writing a part gives exactly the JSON that was read.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{Object, take_array, take_string};
use crate::lazy::Json;
use crate::tool::ToolPart;

/// One piece of a message.
#[allow(clippy::large_enum_variant, reason = "messages have few parts, and all code matches on them")]
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// `text`
    Text(TextPart),
    /// `reasoning`: what the model thought on the way.
    Reasoning(ReasoningPart),
    /// `tool-<name>` and `dynamic-tool`: a tool call with its state.
    Tool(ToolPart),
    /// `file`
    File(FilePart),
    /// `source-url`
    SourceUrl(SourceUrlPart),
    /// `source-document`
    SourceDocument(SourceDocumentPart),
    /// `step-start`: the model was called again from here on.
    StepStart,
    /// `data-<name>`: the application's own.
    Data(DataPart),
    /// `reasoning-file`: a file that the model made on the way (AI SDK 7).
    ReasoningFile(FilePart),
    /// `custom`: something of the provider's own (AI SDK 7).
    Custom(CustomPart),
    /// `steering-message`: what the user said into a running turn (AI SDK 7).
    Steering(SteeringPart),
    /// Any other JSON, kept as it is.
    Unknown(Value),
}

/// Whether a text is still being written. The agent stores `streaming` for ever with a text that was cut off: whether more
/// is to come is told by the turn, never by this field alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StreamState {
    /// Was being written when this was stored.
    Streaming,
    /// Is complete.
    Done,
}

/// A text.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TextPart {
    /// The text so far, Markdown where the agent wrote it.
    pub text: String,
    /// Absent in messages of the user.
    pub state: Option<StreamState>,
    /// All other fields (`providerMetadata`, `citations`, …).
    pub extra: Map<String, Value>,
}

/// A text of the model that is not the answer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ReasoningPart {
    /// The text so far.
    pub text: String,
    /// As in [`TextPart::state`].
    pub state: Option<StreamState>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// A file, by address.
#[derive(Debug, Clone, PartialEq)]
pub struct FilePart {
    /// The media type, or only its first half (`image`).
    pub media_type: String,
    /// `http(s):` or `data:`; untrusted.
    pub url: String,
    /// A name to show; untrusted.
    pub filename: Option<String>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// A page that the answer draws on.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceUrlPart {
    /// The model's id for the source.
    pub source_id: String,
    /// The address; untrusted.
    pub url: String,
    /// A title to show; untrusted.
    pub title: Option<String>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// A document that the answer draws on.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceDocumentPart {
    /// The model's id for the source.
    pub source_id: String,
    /// The media type.
    pub media_type: String,
    /// A title to show; untrusted.
    pub title: String,
    /// A name to show; untrusted.
    pub filename: Option<String>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// Data of the application.
#[derive(Debug, Clone, PartialEq)]
pub struct DataPart {
    /// What follows `data-` in the type.
    pub name: String,
    /// Data with the same name and id replace each other.
    pub id: Option<String>,
    /// Any JSON.
    pub data: Json,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// Something of the provider's own.
#[derive(Debug, Clone, PartialEq)]
pub struct CustomPart {
    /// `provider.type`.
    pub kind: String,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// What the user said into a running turn.
#[derive(Debug, Clone, PartialEq)]
pub struct SteeringPart {
    /// The message.
    pub id: String,
    /// Texts and files.
    pub parts: Vec<Part>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

impl Part {
    /// The tool call, if it is one.
    pub fn as_tool(&self) -> Option<&ToolPart> {
        match self {
            Self::Tool(part) => Some(part),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn as_tool_mut(&mut self) -> Option<&mut ToolPart> {
        match self {
            Self::Tool(part) => Some(part),
            _ => None,
        }
    }

    /// The text, if it is one.
    pub fn as_text(&self) -> Option<&TextPart> {
        match self {
            Self::Text(part) => Some(part),
            _ => None,
        }
    }

    pub(crate) fn grows(&self) -> bool {
        matches!(self, Self::Text(_) | Self::Reasoning(_))
    }

    /// Text that can grow, of a text or a reasoning part.
    pub(crate) fn growing_mut(&mut self) -> Option<(&mut String, &mut Option<StreamState>)> {
        match self {
            Self::Text(part) => Some((&mut part.text, &mut part.state)),
            Self::Reasoning(part) => Some((&mut part.text, &mut part.state)),
            _ => None,
        }
    }

    /// Reads a part. Whatever does not have the shape its type promises becomes [`Part::Unknown`].
    pub fn from_value(value: Value) -> Self {
        match value {
            Value::Object(object) => Self::from_object(object),
            other => Self::Unknown(other),
        }
    }

    fn from_object(mut object: Object) -> Self {
        let Some(kind) = object.get("type").and_then(Value::as_str) else {
            return Self::Unknown(Value::Object(object));
        };
        let has = |fields: &[&str]| fields.iter().all(|field| object.get(*field).is_some_and(Value::is_string));
        let fits = match kind {
            "text" | "reasoning" => has(&["text"]),
            "step-start" => object.len() == 1,
            "file" | "reasoning-file" => has(&["mediaType", "url"]),
            "custom" => has(&["kind"]),
            "steering-message" => has(&["id"]) && object.get("parts").is_some_and(Value::is_array),
            "source-url" => has(&["sourceId", "url"]),
            "source-document" => has(&["sourceId", "mediaType", "title"]),
            "dynamic-tool" => has(&["toolCallId", "state", "toolName"]),
            kind if kind.starts_with("tool-") => has(&["toolCallId", "state"]),
            kind if kind.starts_with("data-") => object.contains_key("data"),
            _ => false,
        };
        if !fits {
            return Self::Unknown(Value::Object(object));
        }
        let kind = take_string(&mut object, "type").unwrap_or_default();
        match kind.as_str() {
            "text" => Self::Text(TextPart { text: required(&mut object, "text"), state: take_state(&mut object), extra: object }),
            "reasoning" => {
                let text = required(&mut object, "text");
                Self::Reasoning(ReasoningPart { text, state: take_state(&mut object), extra: object })
            }
            "step-start" => Self::StepStart,
            "file" | "reasoning-file" => {
                let part = FilePart {
                    media_type: required(&mut object, "mediaType"),
                    url: required(&mut object, "url"),
                    filename: take_string(&mut object, "filename"),
                    extra: object,
                };
                if kind == "file" { Self::File(part) } else { Self::ReasoningFile(part) }
            }
            "custom" => Self::Custom(CustomPart { kind: required(&mut object, "kind"), extra: object }),
            "steering-message" => {
                let id = required(&mut object, "id");
                let parts = take_array(&mut object, "parts").unwrap_or_default().into_iter().map(Self::from_value).collect();
                Self::Steering(SteeringPart { id, parts, extra: object })
            }
            "source-url" => Self::SourceUrl(SourceUrlPart {
                source_id: required(&mut object, "sourceId"),
                url: required(&mut object, "url"),
                title: take_string(&mut object, "title"),
                extra: object,
            }),
            "source-document" => Self::SourceDocument(SourceDocumentPart {
                source_id: required(&mut object, "sourceId"),
                media_type: required(&mut object, "mediaType"),
                title: required(&mut object, "title"),
                filename: take_string(&mut object, "filename"),
                extra: object,
            }),
            kind => match kind.strip_prefix("data-") {
                Some(name) => Self::Data(DataPart {
                    name: name.to_owned(),
                    id: take_string(&mut object, "id"),
                    data: object.remove("data").unwrap_or_default().into(),
                    extra: object,
                }),
                None => Self::Tool(ToolPart::from_object(kind, object)),
            },
        }
    }
}

/// Removes a field of which it is known that it is a string.
fn required(object: &mut Object, field: &str) -> String {
    take_string(object, field).unwrap_or_default()
}

fn take_state(object: &mut Object) -> Option<StreamState> {
    let state = match object.get("state")?.as_str()? {
        "streaming" => StreamState::Streaming,
        "done" => StreamState::Done,
        _ => return None,
    };
    object.remove("state");
    Some(state)
}

impl Serialize for Part {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = match self {
            Self::Unknown(value) => return value.serialize(serializer),
            Self::Tool(part) => return part.serialize(serializer),
            _ => serializer.serialize_map(None)?,
        };
        let extra = match self {
            Self::Text(TextPart { text, state, extra }) | Self::Reasoning(ReasoningPart { text, state, extra }) => {
                map.serialize_entry("type", if matches!(self, Self::Text(_)) { "text" } else { "reasoning" })?;
                map.serialize_entry("text", text)?;
                if let Some(state) = state {
                    map.serialize_entry("state", state)?;
                }
                extra
            }
            Self::File(FilePart { media_type, url, filename, extra })
            | Self::ReasoningFile(FilePart { media_type, url, filename, extra }) => {
                map.serialize_entry("type", if matches!(self, Self::File(_)) { "file" } else { "reasoning-file" })?;
                map.serialize_entry("mediaType", media_type)?;
                map.serialize_entry("url", url)?;
                entry(&mut map, "filename", filename)?;
                extra
            }
            Self::SourceUrl(SourceUrlPart { source_id, url, title, extra }) => {
                map.serialize_entry("type", "source-url")?;
                map.serialize_entry("sourceId", source_id)?;
                map.serialize_entry("url", url)?;
                entry(&mut map, "title", title)?;
                extra
            }
            Self::SourceDocument(SourceDocumentPart { source_id, media_type, title, filename, extra }) => {
                map.serialize_entry("type", "source-document")?;
                map.serialize_entry("sourceId", source_id)?;
                map.serialize_entry("mediaType", media_type)?;
                map.serialize_entry("title", title)?;
                entry(&mut map, "filename", filename)?;
                extra
            }
            Self::Data(DataPart { name, id, data, extra }) => {
                map.serialize_entry("type", &format!("data-{name}"))?;
                entry(&mut map, "id", id)?;
                map.serialize_entry("data", data)?;
                extra
            }
            Self::Custom(CustomPart { kind, extra }) => {
                map.serialize_entry("type", "custom")?;
                map.serialize_entry("kind", kind)?;
                extra
            }
            Self::Steering(SteeringPart { id, parts, extra }) => {
                map.serialize_entry("type", "steering-message")?;
                map.serialize_entry("id", id)?;
                map.serialize_entry("parts", parts)?;
                extra
            }
            Self::StepStart | Self::Tool(_) | Self::Unknown(_) => {
                map.serialize_entry("type", "step-start")?;
                return map.end();
            }
        };
        for (key, value) in extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

/// Writes a field that is there.
pub(crate) fn entry<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: &Option<T>) -> Result<(), M::Error> {
    value.as_ref().map_or(Ok(()), |value| map.serialize_entry(key, value))
}

impl<'de> Deserialize<'de> for Part {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from_value)
    }
}
