//! The Agents chat protocol: frames in, messages out. No I/O, no clock.

mod chunk;
mod client;
mod conversation;
mod json;
mod message;
mod op;
mod part;
mod preview;
pub mod replay;
mod server;
mod stored;
mod tool;
mod wire;

pub use chunk::Chunk;
pub use client::{
    Cancel, ChatRequest, Clear, ClientFrame, ResumeAck, ResumeRequest, RpcCall, SetMessages, ToolApproval, ToolResult, Trigger,
};
pub use conversation::{Conversation, Outcome, Reaction, Turn};
pub use message::{Role, UiMessage};
pub use op::{MessageOp, OpError, apply, coalesce};
pub use part::{DataPart, FilePart, Part, ReasoningPart, SourceDocumentPart, SourceUrlPart, StreamState, TextPart};
pub use server::{
    AgentToolEvent, Cleared, Content, FrameError, Identity, McpServers, MessageUpdated, Messages, Pending, Recovering, Response,
    ResumeNone, Resuming, RpcReply, ServerFrame, State, StateError,
};
pub use tool::{Approval, ToolPart, ToolState};

/// The chunks by themselves.
pub mod chunks {
    pub use crate::chunk::*;
}
