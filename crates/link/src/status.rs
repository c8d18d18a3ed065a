//! What a link shows beside the messages.

use std::{sync::Arc, time::Duration};

use callbox_protocol::{ToolServer, Turn, UiMessage};

use crate::{DeliveryError, LinkError, TurnError};

/// The state of a conversation beside its messages.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Status {
    pub link: LinkState,
    /// What the agent is doing.
    pub turn: Turn,
    /// Own messages that the agent has not confirmed yet, in the order in which they were sent.
    pub deliveries: Vec<Delivery>,
    /// Own decisions that the agent has not confirmed yet.
    pub decisions: Vec<PendingDecision>,
    /// The calls that wait for a decision although their state does not say so: at the oldest agents a call that asks just has no result
    /// when its turn is over. Those that have been decided are in [`Status::decisions`] instead.
    pub confirmations: Vec<String>,
    /// There are calls of which it will be known soon whether they are among [`Status::confirmations`].
    pub unclear: bool,
    /// Why the last turn came to nothing. Gone with the next message or decision.
    pub error: Option<TurnError>,
    /// The agent is being asked for its messages once more: those that are shown may lack the end of the last turn.
    pub refetching: bool,
    /// What the agent has written in answer to own messages, the last few, newest first.
    pub replies: Vec<Reply>,
    /// What other agents do for tool calls of this conversation, without those that have done their work.
    pub agent_tools: Arc<[AgentToolStatus]>,
    /// The servers of tools that the agent works with.
    pub tool_servers: Arc<[ToolServer]>,
}

/// The work of another agent for a tool call, in a line. All texts are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentToolStatus {
    pub run_id: String,
    pub tool_call_id: String,
    /// Who works.
    pub name: String,
    pub phase: RunPhase,
    /// What it is at, or why it is not; at most a line.
    pub line: Option<String>,
    /// How far it is, from 0 to 100, if it says so.
    pub percent: Option<u8>,
}

/// Where such work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunPhase {
    Running,
    Failed,
    Aborted,
    /// Nobody waits for it any more; it may be taken up again.
    Interrupted,
}

/// An own message and the agent's message that answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub message_id: String,
    pub reply_id: String,
}

/// The connection.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum LinkState {
    /// On the way: asking for a token, opening the socket, loading the messages. Left within the periods of [`crate::Timing`].
    #[default]
    Connecting,
    /// Open, and the messages are those of the agent; also for the moment in which a socket is replaced because its token comes to its end.
    Online,
    /// Not open. Left by itself after `retry_in`, or by [`crate::Link::reconnect`].
    Offline {
        /// The pause that began with this state; `None` if nothing more is tried by itself.
        retry_in: Option<Duration>,
        why: LinkError,
    },
    /// Only a person can help, by signing in. Left when somebody has.
    SignInNeeded {
        /// Why, where somebody is signed in all the same: the agent or the tenant does not take it.
        why: Option<LinkError>,
    },
    /// The agent does not want us. Left by [`crate::Link::reconnect`] alone.
    Refused(LinkError),
    /// For good: closed by the user, or because another account has signed in.
    Closed,
}

/// A message on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    pub message_id: String,
    pub state: DeliveryState,
}

/// How far a message has come. One that the agent has confirmed is no delivery any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Not sent yet: the link is not online.
    Queued,
    /// Written to the socket; the agent has not confirmed it yet.
    Sending,
    /// Not sent, and not tried again by itself: [`crate::Link::retry`] or [`crate::Link::discard`].
    Failed(DeliveryError),
}

/// A decision on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingDecision {
    pub tool_call_id: String,
    pub approved: bool,
}

/// A conversation at one moment. The updates of the same [`crate::Subscription`] begin right after it.
#[derive(Debug, Clone, PartialEq)]
pub struct ThreadSnapshot {
    /// Oldest first; messages that wait to be sent are last.
    pub messages: Vec<UiMessage>,
    pub status: Status,
}
