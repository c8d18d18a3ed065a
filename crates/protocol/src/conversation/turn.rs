//! What is going on in a conversation, and what the owner of the socket shall do about a frame.

use serde::{Deserialize, Serialize};

/// What is going on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Turn {
    /// Nothing; the user may write. Tool calls may wait for a decision.
    #[default]
    Idle,
    /// Asked for, accepted or queued; nothing of it has come yet.
    Waiting {
        /// The turn; `None` for one that the agent announced without an id.
        request_id: Option<String>,
    },
    /// Being written.
    Streaming {
        /// The turn.
        request_id: String,
    },
    /// The agent was interrupted and starts the turn again.
    Recovering {
        /// The turn, where the agent named it.
        request_id: Option<String>,
    },
    /// The socket went while the turn ran; what became of it is not known until the next one is open.
    Interrupted {
        /// The turn; `None` for one that had no id yet.
        request_id: Option<String>,
    },
}

impl Turn {
    /// The turn's id, where there is a turn and it has one. What a cancel names.
    pub fn request_id(&self) -> Option<&str> {
        match self {
            Self::Idle => None,
            Self::Streaming { request_id } => Some(request_id),
            Self::Waiting { request_id } | Self::Recovering { request_id } | Self::Interrupted { request_id } => request_id.as_deref(),
        }
    }

    /// Something goes on.
    pub fn is_active(&self) -> bool {
        !matches!(self, Self::Idle)
    }
}

/// How a turn ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As it should; possibly with tool calls that wait.
    Completed,
    /// With a failure.
    Error,
    /// Stopped by somebody.
    Aborted,
    /// Never begun: dropped, or given up in favour of another. Its messages are stored or not; the agent's list tells.
    Skipped,
    /// The agent was interrupted and will start it again under another id.
    Recovering,
    /// Nobody knows: the agent says that nothing runs, and never said how this ended.
    Lost,
}

/// What the owner of the socket shall do, or may want to know, after a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reaction {
    /// Send [`crate::ClientFrame::acknowledge`] on this socket. At most once per socket and id.
    Acknowledge {
        /// The turn.
        request_id: String,
    },
    /// A turn began to be written.
    TurnStarted {
        /// The turn.
        request_id: String,
    },
    /// A turn ended.
    TurnEnded {
        /// The turn.
        request_id: String,
        /// How.
        outcome: Outcome,
    },
    /// A turn failed; [`Reaction::TurnEnded`] comes too, now or later. Told once per turn.
    TurnFailed {
        /// The turn.
        request_id: String,
        /// What the agent says about it; untrusted.
        text: String,
    },
    /// The agent said something in plain words that is no part of a message.
    Notice {
        /// The turn.
        request_id: String,
        /// What it said; untrusted.
        text: String,
    },
    /// The agent has taken in a decision or a result, ours or another client's.
    Settled {
        /// The call.
        tool_call_id: String,
    },
    /// A submit of ours has reached the agent: its user messages are stored.
    Delivered {
        /// The ids of the messages.
        message_ids: Vec<String>,
    },
    /// A submit of ours was dropped before it was stored; its messages have left the list.
    RolledBack {
        /// The ids of the messages.
        message_ids: Vec<String>,
    },
    /// The agent proves, in answer to this probe, that no turn runs.
    NothingRuns {
        /// The probe, as sent.
        probe_id: Option<String>,
    },
    /// The frames do not tell everything: ask `get-messages` and give it to [`crate::Conversation::snapshot`].
    Refetch,
}
