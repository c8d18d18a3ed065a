//! [`Conversation`]: the fold of frames into messages.

mod turn;

pub use turn::{Outcome, Reaction, Turn};

use crate::client::ClientFrame;
use crate::message::UiMessage;
use crate::op::{MessageOp, coalesce};
use crate::server::ServerFrame;
use crate::tool::ToolPart;

/// A conversation with an agent, folded from the frames of all sockets that one client has to it.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    messages: Vec<UiMessage>,
    turn: Turn,
    ops: Vec<MessageOp>,
}

impl Conversation {
    /// An empty conversation with nothing going on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages, oldest first.
    pub fn messages(&self) -> &[UiMessage] {
        &self.messages
    }

    /// What is going on.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// The tool calls that wait for a decision which nobody has taken, oldest first.
    pub fn undecided(&self) -> impl Iterator<Item = &ToolPart> {
        self.messages.iter().flat_map(UiMessage::tools).filter(|tool| tool.awaits_decision())
    }

    /// Takes a frame of the agent.
    pub fn receive(&mut self, frame: &ServerFrame) -> Vec<Reaction> {
        if let ServerFrame::Messages(frame) = frame {
            self.snapshot(frame.messages.clone());
        }
        Vec::new()
    }

    /// Takes note of a frame of our own, when it is written to a socket.
    pub fn sent(&mut self, _frame: &ClientFrame) {}

    /// A socket is open.
    pub fn connected(&mut self) {}

    /// The socket is gone.
    pub fn disconnected(&mut self) {}

    /// Takes what `get-messages` says.
    pub fn snapshot(&mut self, messages: Vec<UiMessage>) {
        coalesce(&mut self.ops, MessageOp::Reset { messages: messages.clone() });
        self.messages = messages;
    }

    /// What has changed since the last call. A mirror that applies it always equals [`Conversation::messages`].
    pub fn take_ops(&mut self) -> Vec<MessageOp> {
        std::mem::take(&mut self.ops)
    }
}
