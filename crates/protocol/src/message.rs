//! [`UiMessage`]: one message of a conversation, as the AI SDK and the agent's `get-messages` write it.

use serde::de::Error as _;
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{Object, take_array, take_string};
use crate::part::{Part, TextPart};
use crate::tool::ToolPart;

/// One message of a conversation.
///
/// Read from any JSON object and written back with every field that came, known or not: the agent gets its own messages
/// back on each turn, and a model may depend on fields that Callbox knows nothing of.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct UiMessage {
    /// The id. The client chooses it for the user's messages, the agent for its own.
    pub id: String,
    /// Who wrote it.
    pub role: Role,
    /// What the application attached, any JSON; `None` if the field is absent.
    pub metadata: Option<Value>,
    /// The content, in order.
    pub parts: Vec<Part>,
    /// Fields that are not known here. A `role` in it is one that is not known and wins over [`UiMessage::role`] in writing.
    pub extra: Map<String, Value>,
}

/// Who wrote a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The application; also every role that is not known.
    #[default]
    System,
    /// A person.
    User,
    /// The agent.
    Assistant,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::User => "user",
            Self::Assistant => "assistant",
        }
    }
}

impl UiMessage {
    /// A message of the user with one text.
    pub fn user(id: impl Into<String>, text: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            role: Role::User,
            metadata: None,
            parts: vec![Part::Text(TextPart { text: text.into(), ..TextPart::default() })],
            extra: Map::new(),
        }
    }

    /// An empty message of the agent.
    pub fn assistant(id: impl Into<String>) -> Self {
        Self { id: id.into(), role: Role::Assistant, metadata: None, parts: Vec::new(), extra: Map::new() }
    }

    /// The tool calls, in order.
    pub fn tools(&self) -> impl DoubleEndedIterator<Item = &ToolPart> {
        self.parts.iter().filter_map(Part::as_tool)
    }

    /// The tool call with this id.
    pub fn tool(&self, tool_call_id: &str) -> Option<&ToolPart> {
        self.tools().find(|tool| tool.tool_call_id == tool_call_id)
    }

    /// All texts, one after the other; no reasoning.
    pub fn text(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).map(|part| part.text.as_str()).collect()
    }

    /// Whether the agent may have joined this message with others into `whole`: an agent that merges what is sent during a turn writes the texts
    /// into the last of them, an empty line between (notes 6.5).
    pub fn is_joined_into(&self, whole: &Self) -> bool {
        let (text, all) = (self.text(), whole.text());
        let is_paragraph = |at: usize| {
            let (before, after) = (&all[..at], &all[at + text.len()..]);
            (before.is_empty() || before.ends_with("\n\n")) && (after.is_empty() || after.starts_with("\n\n"))
        };
        let alike = self.role == Role::User && whole.role == Role::User && self.id != whole.id;
        alike && !text.is_empty() && text.len() < all.len() && all.match_indices(&text).any(|(at, _)| is_paragraph(at))
    }

    pub(crate) fn from_object(mut object: Object) -> Self {
        let role = match object.get("role").and_then(Value::as_str) {
            Some("user") => Some(Role::User),
            Some("assistant") => Some(Role::Assistant),
            Some("system") => Some(Role::System),
            _ => None,
        };
        if role.is_some() {
            object.remove("role");
        }
        Self {
            id: take_string(&mut object, "id").unwrap_or_default(),
            role: role.unwrap_or(Role::System),
            metadata: object.remove("metadata"),
            parts: take_array(&mut object, "parts").unwrap_or_default().into_iter().map(Part::from_value).collect(),
            extra: object,
        }
    }
}

impl Serialize for UiMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.extra.contains_key("id") {
            map.serialize_entry("id", &self.id)?;
        }
        if !self.extra.contains_key("role") {
            map.serialize_entry("role", self.role.name())?;
        }
        if let Some(metadata) = &self.metadata {
            map.serialize_entry("metadata", metadata)?;
        }
        if !self.extra.contains_key("parts") {
            map.serialize_entry("parts", &self.parts)?;
        }
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for UiMessage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::Object(object) => Ok(Self::from_object(object)),
            _ => Err(D::Error::custom("a message is not a JSON object")),
        }
    }
}
