//! [`ServerFrame`]: what the agent sends (notes 2 and 3.2).

use serde_json::Value;
use thiserror::Error;

use crate::chunk::Chunk;
use crate::message::UiMessage;
use crate::wire::{wire_enum, wire_struct};

wire_enum! {
    /// One text frame from the agent.
    ServerFrame {
        /// Who answers.
        Identity = "cf_agent_identity",
        /// The agent's state, whole.
        State = "cf_agent_state",
        /// A state that the client wrote was refused.
        StateError = "cf_agent_state_error",
        /// The answer to a call of a method.
        RpcReply = "rpc",
        /// The tool servers that the agent knows.
        McpServers = "cf_agent_mcp_servers",
        /// What a sub-agent does inside a tool call.
        AgentToolEvent = "agent-tool-event",
        /// The whole conversation.
        Messages = "cf_agent_chat_messages",
        /// A piece of a turn.
        Response = "cf_agent_use_chat_response",
        /// The conversation was cleared by somebody else.
        Cleared = "cf_agent_chat_clear",
        /// A message has changed outside a turn.
        MessageUpdated = "cf_agent_message_updated",
        /// A turn runs; the agent will replay it when its id is acknowledged.
        Resuming = "cf_agent_stream_resuming",
        /// Nothing to resume for this socket.
        ResumeNone = "cf_agent_stream_resume_none",
        /// A turn is accepted and has not started.
        Pending = "cf_agent_stream_pending",
        /// The agent was interrupted and starts a turn again, or is done with that.
        Recovering = "cf_agent_chat_recovering",
        /// Between an agent and its tool servers; says nothing to a chat client.
        McpEvent = "cf_mcp_agent_event",
        /// Of a kind of session that this protocol does not use.
        Session = "cf_agent_session",
        /// As [`ServerFrame::Session`].
        SessionError = "cf_agent_session_error",
    }
}

wire_struct! {
    /// Sent on every connect (by most agents).
    Identity {
        /// The conversation, as the agent knows it.
        name: String = "name";
        /// The agent's class, kebab-cased.
        agent: String = "agent";
        /// The state is the next frame.
        state_follows: bool, optional = "stateFollows";
    }
}

wire_struct! {
    /// The agent's state; in the other direction it replaces the agent's.
    State {
        /// Any JSON.
        state: Value = "state";
    }
}

wire_struct! {
    /// A refused write of state.
    StateError {
        /// Why; untrusted.
        error: String = "error";
    }
}

wire_struct! {
    /// The answer to [`crate::RpcCall`]; several for a streaming method.
    RpcReply {
        /// The id of the call.
        id: String = "id";
        /// Whether it went well; `false` ends the call even without `done`.
        success: bool, optional = "success";
        /// The result, or a piece of it.
        result: Value, optional = "result";
        /// Why it failed; untrusted.
        error: String, optional = "error";
        /// The last answer.
        done: bool, optional = "done";
    }
}

wire_struct! {
    /// All tool servers, on connect and on each change; see [`McpServers::servers`].
    McpServers {
        /// `servers`, `tools`, `prompts`, `resources` (notes 5); untrusted.
        mcp: Value = "mcp";
    }
}

wire_struct! {
    /// What a sub-agent does (notes 2.5); see [`AgentToolEvent::read`].
    AgentToolEvent {
        /// The tool call that the sub-agent works for; absent if it works for none.
        parent_tool_call_id: String, optional = "parentToolCallId";
        /// Counts the events of a run.
        sequence: u64, optional = "sequence";
        /// The event; its `kind` tells which.
        event: Value = "event";
        /// Sent again on connect.
        replay: bool, optional = "replay";
    }
}

wire_struct! {
    /// The whole conversation, to be merged by the rules of notes 6.3.
    Messages {
        /// Oldest first.
        messages: Vec<UiMessage> = "messages";
        /// Sent because of the connect, not of a change.
        connect: bool, optional = "connect";
    }
}

wire_struct! {
    /// A piece of a turn.
    Response {
        /// The turn.
        id: String = "id";
        /// One chunk as JSON text, nothing, or plain words. Read it with [`Response::content`].
        body: String, optional = "body";
        /// The last frame of the turn.
        done: bool, optional = "done";
        /// The turn has failed; `body` says why.
        error: bool, optional = "error";
        /// The chunks extend the last message of the agent.
        continuation: bool, optional = "continuation";
        /// Sent again, to this socket only.
        replay: bool, optional = "replay";
        /// The replay is over, the turn still runs.
        replay_complete: bool, optional = "replayComplete";
        /// The number of the chunk within the turn, from 0; the same live and replayed.
        seq: u64, optional = "seq";
        /// The messages of the user that the turn answers.
        message_ids: Vec<String>, optional = "messageIds";
        /// How the turn ended: `completed`, `error`, `aborted`, `skipped`, `recovering`.
        outcome: String, optional = "outcome";
    }
}

/// What a response frame carries.
#[allow(clippy::large_enum_variant, reason = "one at a time, between parsing and folding")]
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Nothing but its flags.
    Nothing,
    /// A chunk of the message.
    Chunk(Chunk),
    /// Plain words: why the turn failed, or a notice.
    Text(String),
}

impl Response {
    /// Reads the body: a chunk if it is a JSON object and no failure is reported, else plain words.
    pub fn content(&self) -> Content {
        content(self.body.as_deref().unwrap_or_default(), self.error == Some(true))
    }
}

/// Reads the body of a response.
pub(crate) fn content(body: &str, error: bool) -> Content {
    if body.is_empty() {
        return Content::Nothing;
    }
    if !error && let Some(chunk) = Chunk::read_quickly(body) {
        return Content::Chunk(chunk);
    }
    match serde_json::from_str(body) {
        Ok(value @ Value::Object(_)) if !error => Content::Chunk(Chunk::from_value(value)),
        _ => Content::Text(body.to_owned()),
    }
}

wire_struct! {
    /// The conversation is empty.
    Cleared {}
}

wire_struct! {
    /// A tool call of this message was decided or answered.
    MessageUpdated {
        /// The message, whole; matched by id, else by a tool call in it.
        message: UiMessage = "message";
    }
}

wire_struct! {
    /// Offers to replay a running turn.
    Resuming {
        /// The turn.
        id: String = "id";
        /// The probe that this answers.
        probe_id: String, optional = "probeId";
    }
}

wire_struct! {
    /// Nothing to resume.
    ResumeNone {
        /// `idle`: nothing runs at all. Anything else: nothing for this socket.
        reason: String, optional = "reason";
        /// The probe that this answers.
        probe_id: String, optional = "probeId";
    }
}

wire_struct! {
    /// A turn that has not started.
    Pending {
        /// The turn, where it has an id already.
        id: String, optional = "id";
        /// The probe that this answers.
        probe_id: String, optional = "probeId";
    }
}

wire_struct! {
    /// The agent starts an interrupted turn again.
    Recovering {
        /// `false`: over.
        recovering: bool = "recovering";
        /// The turn.
        id: String, optional = "id";
    }
}

wire_struct! {
    /// Between an agent and its tool servers (notes 2.6).
    McpEvent {}
}

wire_struct! {
    /// Of a kind of session that this protocol does not use (notes 2.6).
    Session {}
}

wire_struct! {
    /// As [`Session`].
    SessionError {}
}

/// A frame that is no JSON text. It says nothing to a chat client and is best ignored.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Not JSON.
    #[error("The agent sent something that is not JSON; it was ignored.")]
    NotJson,
}

impl FrameError {
    /// A stable name for translation.
    pub fn code(&self) -> &'static str {
        "frame-not-json"
    }
}

impl ServerFrame {
    /// Reads a text frame. Any JSON is a frame; types that are not known become [`ServerFrame::Unknown`].
    ///
    /// # Errors
    ///
    /// [`FrameError::NotJson`] if the text is no JSON.
    pub fn parse(text: &str) -> Result<Self, FrameError> {
        serde_json::from_str(text).map(Self::from_value).map_err(|_| FrameError::NotJson)
    }
}
