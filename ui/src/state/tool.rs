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
    /// The user has agreed; what came of it is between the tool and the agent.
    Approved,
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
            Self::Approved => "approved",
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

/// What is known of a call beside its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Around {
    /// The user's own decision on its way.
    pub decision: Option<bool>,
    /// It waits for the user although its state does not say so.
    pub asks: bool,
    pub turn: TurnView,
}

/// Works out the phase from the part and what is known beside it.
pub fn phase(tool: &ToolPart, around: Around) -> Phase {
    let Around { decision, asks, turn } = around;
    let idle = turn == TurnView::Idle;
    match tool.state {
        ToolState::InputAvailable if decision.is_some() || asks => decision.map_or(Phase::Asking, |approved| Phase::Deciding { approved }),
        ToolState::InputStreaming | ToolState::InputAvailable if idle => Phase::Stopped,
        ToolState::InputStreaming => Phase::Preparing,
        ToolState::InputAvailable => Phase::Running,
        ToolState::ApprovalRequested => decision.map_or(Phase::Asking, |approved| Phase::Deciding { approved }),
        ToolState::ApprovalResponded if tool.approval.as_ref().is_some_and(|approval| approval.approved == Some(false)) => Phase::Denied,
        ToolState::ApprovalResponded => Phase::Running,
        ToolState::OutputAvailable if tool.extra.get("preliminary").is_some_and(|preliminary| preliminary == true) => Phase::Running,
        // It is to be run now, and has been only when there is a result.
        ToolState::OutputAvailable if tool.output.as_deref().is_some_and(super::interrupt::is_resumed) => {
            if idle {
                Phase::Stopped
            } else {
                Phase::Running
            }
        }
        ToolState::OutputAvailable => match tool.confirmation() {
            Some(true) => Phase::Approved,
            Some(false) => Phase::Denied,
            None => Phase::Done,
        },
        ToolState::OutputError => Phase::Failed,
        ToolState::OutputDenied => Phase::Denied,
        ToolState::Unknown(_) => Phase::Stopped,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(value: serde_json::Value) -> ToolPart {
        match serde_json::from_value(value).unwrap() {
            callbox_protocol::Part::Tool(tool) => tool,
            other => panic!("a tool call: {other:?}"),
        }
    }

    fn state(state: &str) -> ToolPart {
        tool(json!({ "type": "tool-x", "toolCallId": "1", "state": state }))
    }

    fn phase(tool: &ToolPart, decision: Option<bool>, turn: TurnView) -> Phase {
        super::phase(tool, Around { decision, asks: false, turn })
    }

    #[test]
    fn each_state_has_its_phase() {
        for (name, expected) in [
            ("input-streaming", Phase::Preparing),
            ("input-available", Phase::Running),
            ("approval-requested", Phase::Asking),
            ("approval-responded", Phase::Running),
            ("output-available", Phase::Done),
            ("output-error", Phase::Failed),
            ("output-denied", Phase::Denied),
            ("something-new", Phase::Stopped),
        ] {
            assert_eq!(phase(&state(name), None, TurnView::Streaming), expected, "{name}");
        }
    }

    #[test]
    fn what_is_unfinished_when_the_turn_is_over_does_not_pretend_to_run() {
        assert_eq!(phase(&state("input-streaming"), None, TurnView::Idle), Phase::Stopped);
        assert_eq!(phase(&state("input-available"), None, TurnView::Idle), Phase::Stopped);
        assert_eq!(phase(&state("approval-requested"), None, TurnView::Idle), Phase::Asking, "a question outlives its turn");
    }

    #[test]
    fn the_users_own_decision_shows_at_once_and_only_while_the_question_is_open() {
        assert_eq!(phase(&state("approval-requested"), Some(true), TurnView::Idle), Phase::Deciding { approved: true });
        assert_eq!(phase(&state("approval-requested"), Some(false), TurnView::Idle), Phase::Deciding { approved: false });
        assert_eq!(phase(&state("output-denied"), Some(true), TurnView::Idle), Phase::Denied, "what the agent says is final");
    }

    #[test]
    fn a_refusal_is_a_denial_before_the_agent_has_acted_on_it() {
        let refused =
            json!({ "type": "tool-x", "toolCallId": "1", "state": "approval-responded", "approval": { "id": "p", "approved": false } });
        assert_eq!(phase(&tool(refused), None, TurnView::Streaming), Phase::Denied);
    }

    #[test]
    fn a_call_without_a_result_asks_where_the_agent_has_no_other_way_to() {
        let asks = |decision| super::phase(&state("input-available"), Around { decision, asks: decision.is_none(), turn: TurnView::Idle });
        assert_eq!(asks(None), Phase::Asking);
        assert_eq!((asks(Some(true)), asks(Some(false))), (Phase::Deciding { approved: true }, Phase::Deciding { approved: false }));
        let answered = |word: &str| tool(json!({ "type": "tool-x", "toolCallId": "1", "state": "output-available", "output": word }));
        assert_eq!(phase(&answered("Yes, confirmed."), None, TurnView::Idle), Phase::Approved);
        assert_eq!(phase(&answered("No, denied."), None, TurnView::Idle), Phase::Denied);
        assert_eq!(phase(&answered("No, denied. But"), None, TurnView::Idle), Phase::Done, "that is somebody's result");
    }

    #[test]
    fn a_preliminary_result_is_not_the_end() {
        let early = json!({ "type": "tool-x", "toolCallId": "1", "state": "output-available", "output": 1, "preliminary": true });
        assert_eq!(phase(&tool(early), None, TurnView::Streaming), Phase::Running);
    }
}
