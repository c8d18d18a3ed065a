//! [`ClientFrame`]: what the client sends (notes 3.1).

use serde::ser::SerializeMap;
use serde_json::{Value, json};

use crate::json::{Object, take_array, take_object, take_string};
use crate::message::UiMessage;
use crate::server::{FrameError, State};
use crate::wire::{wire_enum, wire_struct};

wire_enum! {
    /// One text frame to the agent. The functions below make the usual ones.
    ClientFrame {
        /// A new turn.
        ChatRequest = "cf_agent_use_chat_request",
        /// Stops a turn.
        Cancel = "cf_agent_chat_request_cancel",
        /// Empties the conversation.
        Clear = "cf_agent_chat_clear",
        /// Writes messages without a turn. Others see exactly this list; prefer a turn or a clear.
        SetMessages = "cf_agent_chat_messages",
        /// Asks whether a turn runs.
        ResumeRequest = "cf_agent_stream_resume_request",
        /// Takes up the offer to replay a turn.
        ResumeAck = "cf_agent_stream_resume_ack",
        /// The result of a tool that the client ran.
        ToolResult = "cf_agent_tool_result",
        /// The decision on a tool call.
        ToolApproval = "cf_agent_tool_approval",
        /// Replaces the agent's state.
        State = "cf_agent_state",
        /// Calls a method of the agent.
        RpcCall = "rpc",
    }
}

/// Why a turn is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trigger {
    /// A new message.
    #[default]
    Submit,
    /// The answer to the last message of the list is to be written again; that message may have been edited under its old id.
    Regenerate,
}

impl Trigger {
    fn name(self) -> &'static str {
        match self {
            Self::Submit => "submit-message",
            Self::Regenerate => "regenerate-message",
        }
    }
}

/// Asks for a turn. On the wire the fields from `messages` on are JSON text in `init.body`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChatRequest {
    /// The id of the turn; chosen by the client, never used twice in a conversation.
    pub id: String,
    /// The conversation as the client sees it, or only the new message. The agent deletes what is missing if every id in the
    /// list is known to it, and nothing otherwise (notes 6.4).
    pub messages: Vec<UiMessage>,
    /// Why.
    pub trigger: Trigger,
    /// The tools that this client can run.
    pub client_tools: Option<Vec<Value>>,
    /// All other fields of the body: data for the application. A `trigger` in it is one that is not known and wins over
    /// [`ChatRequest::trigger`] in writing.
    pub body: Object,
    /// All other fields of `init`: what the oldest clients would have sent with HTTP. Agents ignore them.
    pub init: Object,
    /// All other fields of the frame.
    pub extra: Object,
}

impl ChatRequest {
    fn fits(object: &Object) -> bool {
        let body = |init: &Value| {
            let body = init.get("body")?.as_str()?;
            serde_json::from_str::<Value>(body).ok()?.get("messages")?.as_array().map(|all| all.iter().all(Value::is_object))
        };
        let init = object.get("init");
        object.get("id").is_some_and(Value::is_string)
            && init.and_then(|init| init.get("method")).is_some_and(|method| method == "POST")
            && init.and_then(body).unwrap_or_default()
    }

    fn from_object(mut object: Object) -> Self {
        let id = take_string(&mut object, "id").unwrap_or_default();
        let mut init = take_object(&mut object, "init").unwrap_or_default();
        init.remove("method");
        let body = take_string(&mut init, "body");
        let mut body: Object = body.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        let messages = take_array(&mut body, "messages").unwrap_or_default();
        // Any other is a new message to the agent, and stays what it is.
        let trigger =
            [Trigger::Regenerate, Trigger::Submit].into_iter().find(|known| body.get("trigger").is_some_and(|it| it == known.name()));
        if trigger.is_some() {
            body.remove("trigger");
        }
        Self {
            id,
            messages: messages.into_iter().filter_map(|message| serde_json::from_value(message).ok()).collect(),
            trigger: trigger.unwrap_or_default(),
            client_tools: take_array(&mut body, "clientTools"),
            body,
            init,
            extra: object,
        }
    }

    fn write<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        let mut body = self.body.clone();
        body.insert("messages".to_owned(), json!(self.messages));
        body.entry("trigger").or_insert_with(|| json!(self.trigger.name()));
        if let Some(tools) = &self.client_tools {
            body.insert("clientTools".to_owned(), json!(tools));
        }
        map.serialize_entry("id", &self.id)?;
        let mut init = Object::new();
        init.insert("method".to_owned(), json!("POST"));
        init.insert("body".to_owned(), json!(Value::Object(body).to_string()));
        init.extend(self.init.clone());
        map.serialize_entry("init", &init)?;
        for (key, value) in &self.extra {
            map.serialize_entry(key, value)?;
        }
        Ok(())
    }
}

wire_struct! {
    /// Stops a turn, whoever began it.
    Cancel {
        /// The turn.
        id: String = "id";
    }
}

wire_struct! {
    /// Empties the conversation. The agent tells all other clients, not the one that asked.
    Clear {}
}

wire_struct! {
    /// Writes messages by id; deletes none.
    SetMessages {
        /// What the other clients will show.
        messages: Vec<UiMessage> = "messages";
    }
}

wire_struct! {
    /// Asks whether a turn runs.
    ResumeRequest {
        /// Comes back in the answer.
        probe_id: String, optional = "probeId";
    }
}

wire_struct! {
    /// Takes up an offer, once per socket and turn.
    ResumeAck {
        /// The turn.
        id: String = "id";
    }
}

wire_struct! {
    /// What a tool gave that the client ran.
    ToolResult {
        /// The call.
        tool_call_id: String = "toolCallId";
        /// The tool.
        tool_name: String, optional = "toolName";
        /// The result; any JSON.
        output: Value, optional = "output";
        /// `output-error`: it failed. Anything else: it went well.
        state: String, optional = "state";
        /// Why it failed.
        error_text: String, optional = "errorText";
        /// The agent shall go on when all calls of the step are answered.
        auto_continue: bool, optional = "autoContinue";
        /// Replaces the tools that this client can run.
        client_tools: Vec<Value>, optional = "clientTools";
    }
}

wire_struct! {
    /// The user's decision on a tool call. There is no way to give a reason.
    ToolApproval {
        /// The call; not the id of the question.
        tool_call_id: String = "toolCallId";
        /// The decision.
        approved: bool = "approved";
        /// The agent shall go on when all calls of the step are decided.
        auto_continue: bool, optional = "autoContinue";
    }
}

wire_struct! {
    /// Calls a method of the agent.
    RpcCall {
        /// Comes back in the answer.
        id: String = "id";
        /// The method.
        method: String = "method";
        /// Its arguments.
        args: Vec<Value> = "args";
    }
}

impl ClientFrame {
    /// Reads a text frame, as a server or a player of recorded frames does.
    ///
    /// # Errors
    ///
    /// [`FrameError::NotJson`] if the text is no JSON.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        serde_json::from_str(text).map(Self::from_value).map_err(|_| FrameError::NotJson)
    }

    /// A new message: `messages` is the conversation with it at the end, or it alone.
    pub fn submit(request_id: impl Into<String>, messages: Vec<UiMessage>) -> Self {
        ChatRequest { id: request_id.into(), messages, ..ChatRequest::default() }.into()
    }

    /// The answer again: `messages` is the conversation up to what is to be answered.
    pub fn regenerate(request_id: impl Into<String>, messages: Vec<UiMessage>) -> Self {
        ChatRequest { id: request_id.into(), messages, trigger: Trigger::Regenerate, ..ChatRequest::default() }.into()
    }

    /// Stops a turn.
    pub fn cancel(request_id: impl Into<String>) -> Self {
        Cancel { id: request_id.into(), ..Cancel::default() }.into()
    }

    /// Empties the conversation.
    pub fn clear() -> Self {
        Clear::default().into()
    }

    /// Asks whether a turn runs.
    pub fn probe(probe_id: impl Into<String>) -> Self {
        ResumeRequest { probe_id: Some(probe_id.into()), ..ResumeRequest::default() }.into()
    }

    /// Takes up an offer to replay a turn.
    pub fn acknowledge(request_id: impl Into<String>) -> Self {
        ResumeAck { id: request_id.into(), ..ResumeAck::default() }.into()
    }

    /// The user's decision on a tool call; the agent goes on by itself.
    pub fn decide(tool_call_id: impl Into<String>, approved: bool) -> Self {
        ToolApproval { tool_call_id: tool_call_id.into(), approved, auto_continue: Some(true), ..ToolApproval::default() }.into()
    }

    /// The result of a tool that the client ran; the agent goes on by itself.
    pub fn tool_output(tool_call_id: impl Into<String>, tool_name: impl Into<String>, output: Value) -> Self {
        let tool_name = Some(tool_name.into());
        ToolResult {
            tool_call_id: tool_call_id.into(),
            tool_name,
            output: Some(output),
            auto_continue: Some(true),
            ..ToolResult::default()
        }
        .into()
    }

    /// A tool that the client ran has failed. `auto_continue`: whether the agent goes on by itself.
    pub fn tool_error(
        tool_call_id: impl Into<String>,
        tool_name: impl Into<String>,
        error_text: impl Into<String>,
        auto_continue: bool,
    ) -> Self {
        ToolResult {
            tool_call_id: tool_call_id.into(),
            tool_name: Some(tool_name.into()),
            state: Some("output-error".to_owned()),
            error_text: Some(error_text.into()),
            auto_continue: Some(auto_continue),
            ..ToolResult::default()
        }
        .into()
    }
}
