//! What is answered to calls, by the user who decides or by a tool that ran here, until the agent has confirmed it.

use std::time::Duration;

use callbox_protocol::{ClientFrame, ToolState, UiMessage};
use serde_json::Value;

use super::Moment;
use crate::PendingDecision;

/// What is answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Answer {
    Decision { approved: bool },
    Output { tool_name: String, output: Value },
    Failure { tool_name: String, text: String },
}

impl Answer {
    /// The frame that says so. The agent goes on by itself, after a failure, too: the model shall have its say on it.
    pub(super) fn frame(&self, call: &str) -> ClientFrame {
        match self {
            Self::Decision { approved } => ClientFrame::decide(call, *approved),
            Self::Output { tool_name, output } => ClientFrame::tool_output(call, tool_name, output.clone()),
            Self::Failure { tool_name, text } => ClientFrame::tool_error(call, tool_name, text, true),
        }
    }
}

#[derive(Debug)]
struct Entry {
    tool_call_id: String,
    answer: Answer,
    /// When it was given.
    since: Moment,
    stage: Stage,
    /// The request that it went with, where the agent knows no frame for it. Such an agent acts on it as often as it is told.
    request_id: Option<String>,
    /// How many sockets it was written to without a confirmation in time.
    rounds: u32,
}

#[derive(Debug, PartialEq)]
enum Stage {
    /// To be written to the next socket.
    Held,
    /// Written to the socket that is open now.
    Sent { at: Moment },
    /// The agent has been asked for its messages since.
    Doubted,
    /// Went with a request to a socket that died: the agent may have it, and must not get it twice.
    Unsure,
}

/// The answers on their way, oldest first.
#[derive(Debug, Default)]
pub(super) struct Answers(Vec<Entry>);

/// What has to be done about answers that were not confirmed in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// All is well, or still may be.
    Fine,
    /// Written, and the agent does not have it: another socket, another try.
    Again,
    /// That was tried. The requests of which nothing will come.
    GivenUp(Vec<String>),
}

impl Answers {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether this call has been answered here already.
    pub(super) fn has(&self, call: &str) -> bool {
        self.0.iter().any(|entry| entry.tool_call_id == call)
    }

    pub(super) fn push(&mut self, call: &str, answer: Answer, now: Moment) {
        self.0.push(Entry { tool_call_id: call.to_owned(), answer, since: now, stage: Stage::Held, request_id: None, rounds: 0 });
    }

    /// The oldest call whose answer is not on this socket and may go there in a frame of its own.
    pub(super) fn due(&self, goes: impl Fn(&str) -> bool) -> Option<String> {
        self.0.iter().find(|entry| entry.stage == Stage::Held && goes(&entry.tool_call_id)).map(|entry| entry.tool_call_id.clone())
    }

    /// The answer to a call as a frame. It counts as written when this returns.
    pub(super) fn take(&mut self, call: &str, now: Moment) -> Option<ClientFrame> {
        let entry = self.0.iter_mut().find(|entry| entry.tool_call_id == call && entry.stage == Stage::Held)?;
        entry.stage = Stage::Sent { at: now };
        Some(entry.answer.frame(&entry.tool_call_id))
    }

    /// The answer to a call, if it is on no socket.
    pub(super) fn held(&self, call: &str) -> Option<&Answer> {
        self.0.iter().find(|entry| entry.tool_call_id == call && entry.stage == Stage::Held).map(|entry| &entry.answer)
    }

    /// The answers to these calls are being written with this request.
    pub(super) fn sent(&mut self, calls: &[String], request_id: &str, now: Moment) {
        for entry in self.0.iter_mut().filter(|entry| calls.contains(&entry.tool_call_id)) {
            entry.stage = Stage::Sent { at: now };
            entry.request_id = Some(request_id.to_owned());
        }
    }

    /// Drops the answers that are on no socket and whose calls do not wait any more.
    pub(super) fn leave_behind(&mut self, waits: impl Fn(&str) -> bool) {
        self.0.retain(|entry| entry.stage != Stage::Held || waits(&entry.tool_call_id));
    }

    /// The agent answers this request, so it has what went with it.
    pub(super) fn confirm_request(&mut self, request_id: &str) {
        self.0.retain(|entry| entry.request_id.as_deref() != Some(request_id));
    }

    /// Whether there is something that may still arrive from an earlier socket.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.0.iter().any(|entry| entry.stage == Stage::Unsure)
    }

    /// The agent has one on this call, this one or another.
    pub(super) fn confirm(&mut self, call: &str) {
        self.0.retain(|entry| entry.tool_call_id != call);
    }

    /// The socket is gone: what was not confirmed goes to the next one.
    pub(super) fn lost(&mut self) {
        for entry in &mut self.0 {
            entry.stage = if entry.request_id.is_some() { Stage::Unsure } else { Stage::Held };
        }
    }

    /// These are the agent's messages, asked for at `asked`: calls in them that wait no more, and calls that are gone, need no answer. A call that
    /// was answered since may be younger than the list. What went with a request to an earlier socket will not come if it has had the time to
    /// (`in_time`). The requests of which nothing will come are returned.
    pub(super) fn reconcile(&mut self, messages: &[UiMessage], asked: Moment, in_time: bool) -> Vec<String> {
        self.0.retain(|entry| find(messages, &entry.tool_call_id).map_or(entry.since >= asked, |state| !is_settled(state)));
        let mut lost = Vec::new();
        for entry in self.0.iter_mut().filter(|entry| entry.stage == Stage::Unsure && in_time) {
            entry.stage = Stage::Held;
            lost.extend(entry.request_id.take());
        }
        lost
    }

    /// These are some of the agent's messages: calls in them that wait no more need no answer.
    pub(super) fn reconcile_known(&mut self, messages: &[UiMessage]) {
        self.0.retain(|entry| !find(messages, &entry.tool_call_id).is_some_and(is_settled));
    }

    /// When the next confirmation is overdue.
    pub(super) fn deadline(&self, patience: Duration) -> Option<Moment> {
        let due = |entry: &Entry| if let Stage::Sent { at } = entry.stage { Some(at + patience) } else { None };
        self.0.iter().filter_map(due).min()
    }

    /// Takes note of overdue confirmations. True if there are any: the agent's messages have to be asked for.
    pub(super) fn doubt(&mut self, now: Moment, patience: Duration) -> bool {
        let mut any = false;
        for entry in &mut self.0 {
            if matches!(entry.stage, Stage::Sent { at } if at + patience <= now) {
                entry.stage = Stage::Doubted;
                any = true;
            }
        }
        any
    }

    /// After the agent's messages have come ([`Decisions::reconcile`]): what is still here and in doubt was not taken.
    pub(super) fn judge(&mut self) -> Verdict {
        let mut verdict = Verdict::Fine;
        self.0.retain_mut(|entry| {
            if entry.stage != Stage::Doubted {
                return true;
            }
            entry.rounds += 1;
            if entry.rounds > 1 {
                if !matches!(verdict, Verdict::GivenUp(_)) {
                    verdict = Verdict::GivenUp(Vec::new());
                }
                if let Verdict::GivenUp(requests) = &mut verdict {
                    requests.extend(entry.request_id.take());
                }
                return false;
            }
            if verdict == Verdict::Fine {
                verdict = Verdict::Again;
            }
            true
        });
        verdict
    }

    /// Those of the user.
    pub(super) fn decisions(&self) -> Vec<PendingDecision> {
        let decision = |entry: &Entry| match entry.answer {
            Answer::Decision { approved } => Some(PendingDecision { tool_call_id: entry.tool_call_id.clone(), approved }),
            Answer::Output { .. } | Answer::Failure { .. } => None,
        };
        self.0.iter().filter_map(decision).collect()
    }
}

/// The state of a tool call, wherever it is.
pub(super) fn find<'a>(messages: &'a [UiMessage], call: &str) -> Option<&'a ToolState> {
    messages.iter().rev().find_map(|message| message.tool(call)).map(|tool| &tool.state)
}

/// Whether an answer to the call would come too late.
pub(super) fn is_settled(state: &ToolState) -> bool {
    state.is_terminal() || *state == ToolState::ApprovalResponded
}
