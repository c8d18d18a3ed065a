//! Where a tool call stands.

use callbox_ipc::TurnView;
use callbox_protocol::{ToolPart, ToolState};

/// What a tool card shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The agent is still writing the arguments.
    Preparing,
    /// Waits for the user.
    Asking,
    /// The user has decided; the agent has not confirmed it yet.
    Deciding {
        approved: bool,
    },
    Running,
    Done,
    Failed,
    Denied,
    /// The turn ended before the tool did.
    Stopped,
}

impl Phase {
    /// The name in `data-state`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Asking => "waiting",
            Self::Deciding { approved: true } => "approving",
            Self::Deciding { approved: false } => "denying",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Denied => "denied",
            Self::Stopped => "stopped",
        }
    }

    /// Whether anything may still happen without the user.
    pub fn moves(self) -> bool {
        matches!(self, Self::Preparing | Self::Deciding { .. } | Self::Running)
    }
}

/// Works out the phase from the part, the user's own decision on its way, and the turn.
pub fn phase(tool: &ToolPart, decision: Option<bool>, turn: TurnView) -> Phase {
    let idle = turn == TurnView::Idle;
    match tool.state {
        ToolState::InputStreaming | ToolState::InputAvailable if idle => Phase::Stopped,
        ToolState::InputStreaming => Phase::Preparing,
        ToolState::InputAvailable => Phase::Running,
        ToolState::ApprovalRequested => decision.map_or(Phase::Asking, |approved| Phase::Deciding { approved }),
        ToolState::ApprovalResponded if tool.approval.as_ref().is_some_and(|approval| approval.approved == Some(false)) => Phase::Denied,
        ToolState::ApprovalResponded => Phase::Running,
        ToolState::OutputAvailable if tool.extra.get("preliminary").is_some_and(|preliminary| preliminary == true) => Phase::Running,
        ToolState::OutputAvailable => Phase::Done,
        ToolState::OutputError => Phase::Failed,
        ToolState::OutputDenied => Phase::Denied,
        ToolState::Unknown(_) => Phase::Stopped,
    }
}
