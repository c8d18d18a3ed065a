//! The Agents chat protocol: frames in, messages out. No I/O, no clock, no randomness; runs in a browser too.
//!
//! - [`ServerFrame`] and [`ClientFrame`] are the frames in both directions, of all server generations. What is not known here is
//!   kept and written back as it came.
//! - [`Incoming`] is a frame of the agent as the fold takes it: read in one pass, and copied nowhere but to where it goes.
//! - [`UiMessage`], [`Part`] and [`ToolPart`] are the messages. Reading and writing one gives the same JSON.
//! - [`Conversation`] folds frames into messages and says what its owner shall do ([`Reaction`]).
//! - [`MessageOp`], [`apply`] and [`coalesce`] carry what changed to a mirror elsewhere.
//! - [`AgentToolRuns`] folds what other agents do inside a tool call.
//! - [`interrupt`] reads what an agent says in the place of an error when a tool needs a person first.
//! - [`replay`] plays recorded frames into the fold.
//!
//! ```
//! use callbox_protocol::{ClientFrame, Conversation, Incoming, UiMessage};
//!
//! let mut conversation = Conversation::new();
//! conversation.connected();
//! conversation.sent(&ClientFrame::submit("request-1", vec![UiMessage::user("message-1", "hello")]));
//! for body in [
//!     r#"{\"type\":\"start\",\"messageId\":\"message-2\"}"#,
//!     r#"{\"type\":\"text-start\",\"id\":\"0\"}"#,
//!     r#"{\"type\":\"text-delta\",\"id\":\"0\",\"delta\":\"Hello!\"}"#,
//! ] {
//!     let frame = format!(r#"{{"type":"cf_agent_use_chat_response","id":"request-1","body":"{body}","done":false}}"#);
//!     conversation.receive(Incoming::parse(&frame)?);
//! }
//! assert_eq!(conversation.messages()[1].text(), "Hello!");
//! # Ok::<(), callbox_protocol::FrameError>(())
//! ```

mod agent_tool;
mod chunk;
mod client;
mod conversation;
mod incoming;
pub mod interrupt;
mod json;
mod lazy;
mod message;
mod op;
mod part;
mod preview;
mod quick;
pub mod replay;
mod scan;
mod server;
mod stored;
mod tool;
mod tool_server;
mod wire;

pub use agent_tool::{AgentToolRun, AgentToolRuns, Milestone, Progress, RunEvent, RunState};
pub use chunk::Chunk;
pub use client::{
    Cancel, ChatRequest, Clear, ClientFrame, ResumeAck, ResumeRequest, RpcCall, SetMessages, ToolApproval, ToolResult, Trigger,
};
pub use conversation::{Conversation, Outcome, Reaction, Turn};
pub use incoming::{Incoming, Piece};
pub use lazy::Json;
pub use message::{Role, UiMessage};
pub use op::{MessageOp, OpError, apply, coalesce};
pub use part::{
    CustomPart, DataPart, FilePart, Part, ReasoningPart, SourceDocumentPart, SourceUrlPart, SteeringPart, StreamState, TextPart,
};
pub use server::{
    AgentToolEvent, Cleared, Content, FrameError, Identity, McpEvent, McpServers, MessageUpdated, Messages, Pending, Recovering, Response,
    ResumeNone, Resuming, RpcReply, ServerFrame, Session, SessionError, State, StateError,
};
pub use tool::{Approval, CONFIRMED, REFUSED, ToolPart, ToolState};
pub use tool_server::{ToolServer, ToolServerState};

/// The chunks by themselves.
pub mod chunks {
    pub use crate::chunk::*;
}
