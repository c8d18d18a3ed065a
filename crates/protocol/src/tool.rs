//! [`ToolPart`]: a tool call and where it stands.

use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::json::{Object, take_bool, take_object, take_string};
use crate::lazy::Json;
use crate::part::entry;

/// A tool call.
#[derive(Debug, Clone, PartialEq)]
pub struct ToolPart {
    /// The id of the call; what decisions and results refer to.
    pub tool_call_id: String,
    /// The name of the tool; untrusted, may contain anything.
    pub tool_name: String,
    /// Written as `dynamic-tool` rather than `tool-<name>`.
    pub dynamic: bool,
    /// Written as `tool-<name>` with the name once more in `toolName`, as the agent does.
    pub named_twice: bool,
    /// Where the call stands.
    pub state: ToolState,
    /// The arguments; a best guess while they are being written. `Some(Value::Null)` is a `null` that was there.
    pub input: Option<Value>,
    /// The result. Often the largest part of a message: read when somebody looks at it, and shared by the copies of the call.
    pub output: Option<Json>,
    /// Why it failed; untrusted.
    pub error_text: Option<String>,
    /// The question to the user, and the answer once there is one.
    pub approval: Option<Approval>,
    /// A title to show; untrusted.
    pub title: Option<String>,
    /// The model's provider runs the tool, neither agent nor client.
    pub provider_executed: Option<bool>,
    /// All other fields: `rawInput`, `preliminary`, `callProviderMetadata`, …
    pub extra: Map<String, Value>,
}

/// The question whether a tool may run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Approval {
    /// The id of the question.
    pub id: String,
    /// The decision; `None` while it is open.
    pub approved: Option<bool>,
    /// What the user said about it.
    pub reason: Option<String>,
    /// All other fields.
    pub extra: Map<String, Value>,
}

/// Where a tool call stands. Written as the field `state`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ToolState {
    /// The model is writing the arguments.
    InputStreaming,
    /// The arguments are complete; the tool runs, or waits for a client to run it.
    InputAvailable,
    /// Waits for the user's decision.
    ApprovalRequested,
    /// Decided; the agent has not acted on it yet.
    ApprovalResponded,
    /// Has a result (a preliminary one if `extra["preliminary"]` is true).
    OutputAvailable,
    /// Failed.
    OutputError,
    /// Denied; the tool did not run.
    OutputDenied,
    /// A state that is not known here.
    Unknown(String),
}

/// What the oldest agents take for a yes, as the result of a call that they ask about (notes 6.8). Their clients say so word for word.
pub const CONFIRMED: &str = "Yes, confirmed.";
/// What they take for a no.
pub const REFUSED: &str = "No, denied.";

impl ToolState {
    /// The name on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::InputStreaming => "input-streaming",
            Self::InputAvailable => "input-available",
            Self::ApprovalRequested => "approval-requested",
            Self::ApprovalResponded => "approval-responded",
            Self::OutputAvailable => "output-available",
            Self::OutputError => "output-error",
            Self::OutputDenied => "output-denied",
            Self::Unknown(name) => name,
        }
    }

    /// Nothing can change any more, preliminary results aside.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Self::OutputAvailable | Self::OutputError | Self::OutputDenied)
    }
}

impl From<String> for ToolState {
    fn from(name: String) -> Self {
        match name.as_str() {
            "input-streaming" => Self::InputStreaming,
            "input-available" => Self::InputAvailable,
            "approval-requested" => Self::ApprovalRequested,
            "approval-responded" => Self::ApprovalResponded,
            "output-available" => Self::OutputAvailable,
            "output-error" => Self::OutputError,
            "output-denied" => Self::OutputDenied,
            _ => Self::Unknown(name),
        }
    }
}

impl Serialize for ToolState {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for ToolState {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

impl ToolPart {
    /// A call whose arguments are about to be written.
    pub fn new(tool_call_id: impl Into<String>, tool_name: impl Into<String>) -> Self {
        Self {
            tool_call_id: tool_call_id.into(),
            tool_name: tool_name.into(),
            dynamic: false,
            named_twice: false,
            state: ToolState::InputStreaming,
            input: None,
            output: None,
            error_text: None,
            approval: None,
            title: None,
            provider_executed: None,
            extra: Map::new(),
        }
    }

    /// The result is only a first one; another will replace it.
    pub fn is_preliminary(&self) -> bool {
        self.state == ToolState::OutputAvailable && self.extra.get("preliminary") == Some(&Value::Bool(true))
    }

    /// The call has ended: result, failure or denial. Such a call never opens again.
    pub fn is_settled(&self) -> bool {
        self.state.is_terminal() && !self.is_preliminary()
    }

    /// Waits for a decision that nobody has taken.
    pub fn awaits_decision(&self) -> bool {
        self.state == ToolState::ApprovalRequested && self.approval.as_ref().is_none_or(|approval| approval.approved.is_none())
    }

    /// What a person has said to this call where the agent asks for a result in place of a decision ([`CONFIRMED`], [`REFUSED`]). Such an
    /// agent keeps what the tool gave to itself.
    pub fn confirmation(&self) -> Option<bool> {
        let said = self.output.as_deref().and_then(Value::as_str).filter(|_| self.state == ToolState::OutputAvailable)?;
        (said == CONFIRMED || said == REFUSED).then_some(said == CONFIRMED)
    }

    /// `kind` is the part's type, already taken out of `object`, which has a string `toolCallId` and `state`.
    pub(crate) fn from_object(kind: &str, mut object: Object) -> Self {
        let dynamic = kind == "dynamic-tool";
        let name = kind.strip_prefix("tool-").filter(|_| !dynamic);
        // Another name than that of the type stays among the other fields.
        let again = name.is_none_or(|name| object.get("toolName").is_some_and(|again| again == name));
        let again = again.then(|| take_string(&mut object, "toolName")).flatten();
        Self {
            tool_call_id: take_string(&mut object, "toolCallId").unwrap_or_default(),
            named_twice: !dynamic && again.is_some(),
            tool_name: name.map(str::to_owned).or(again).unwrap_or_default(),
            dynamic,
            state: take_string(&mut object, "state").unwrap_or_default().into(),
            input: object.remove("input"),
            output: object.remove("output").map(Json::from),
            error_text: take_string(&mut object, "errorText"),
            approval: take_approval(&mut object),
            title: take_string(&mut object, "title"),
            provider_executed: take_bool(&mut object, "providerExecuted"),
            extra: object,
        }
    }
}

fn take_approval(object: &mut Object) -> Option<Approval> {
    if !object.get("approval")?.get("id")?.is_string() {
        return None;
    }
    take_object(object, "approval").map(|mut approval| Approval {
        id: take_string(&mut approval, "id").unwrap_or_default(),
        approved: take_bool(&mut approval, "approved"),
        reason: take_string(&mut approval, "reason"),
        extra: approval,
    })
}

impl Serialize for Approval {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        entry(&mut map, "approved", &self.approved)?;
        entry(&mut map, "reason", &self.reason)?;
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl Serialize for ToolPart {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if self.dynamic {
            map.serialize_entry("type", "dynamic-tool")?;
            map.serialize_entry("toolName", &self.tool_name)?;
        } else {
            map.serialize_entry("type", &format!("tool-{}", self.tool_name))?;
            if self.named_twice {
                map.serialize_entry("toolName", &self.tool_name)?;
            }
        }
        map.serialize_entry("toolCallId", &self.tool_call_id)?;
        map.serialize_entry("state", &self.state)?;
        entry(&mut map, "input", &self.input)?;
        entry(&mut map, "output", &self.output)?;
        entry(&mut map, "errorText", &self.error_text)?;
        entry(&mut map, "approval", &self.approval)?;
        entry(&mut map, "title", &self.title)?;
        entry(&mut map, "providerExecuted", &self.provider_executed)?;
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
