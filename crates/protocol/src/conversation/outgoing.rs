//! Our own frames: what the agent will do with them is done here at once, in the form in which the agent will store it.

use std::collections::HashSet;

use serde_json::Value;

use crate::client::{ChatRequest, ClientFrame, ToolApproval, ToolResult};
use crate::message::{Role, UiMessage};
use crate::part::Part;
use crate::tool::{Approval, ToolPart, ToolState};

use super::Conversation;
use super::list::List;
use super::running::{Ended, Phase, Running};
use super::turn::{Outcome, Reaction};

/// How many of our requests are remembered.
const LONGEST_ASKED: usize = 64;

/// A decision or result of ours that the agent has not confirmed.
#[derive(Debug, Clone)]
pub(super) struct Optimistic {
    pub(super) tool_call_id: String,
    /// The socket it went to is gone; the agent may never have seen it.
    pub(super) lost: bool,
}

impl Conversation {
    pub(super) fn on_sent(&mut self, frame: &ClientFrame) {
        self.frames_sent += 1;
        match frame {
            ClientFrame::ChatRequest(request) => self.on_request(request),
            ClientFrame::Clear(_) => {
                let mut ignored = Vec::new();
                self.on_clear(Vec::new(), &mut ignored);
            }
            ClientFrame::SetMessages(frame) => {
                for message in &frame.messages {
                    self.upsert(message);
                }
            }
            ClientFrame::ResumeRequest(frame) => self.probe = Some((frame.probe_id.clone(), self.frames_sent)),
            ClientFrame::ResumeAck(frame) => {
                self.acknowledged.insert(frame.id.clone());
            }
            ClientFrame::ToolResult(frame) => self.on_result(frame),
            ClientFrame::ToolApproval(frame) => self.on_decision(frame),
            ClientFrame::Cancel(frame) => {
                for running in self.running.iter_mut().filter(|running| running.id == frame.id) {
                    running.cancelled = true;
                }
            }
            ClientFrame::State(_) | ClientFrame::RpcCall(_) | ClientFrame::Unknown(_) => {}
        }
    }

    fn on_request(&mut self, request: &ChatRequest) {
        if self.running.iter().any(|running| running.own && running.id == request.id) {
            return;
        }
        self.ledger.forget(&request.id);
        self.asked.truncate(LONGEST_ASKED - 1);
        self.asked.push_front(request.id.clone());
        let wanted: HashSet<&str> = request.messages.iter().map(|message| message.id.as_str()).collect();
        let listed = |id: &str| wanted.contains(id);
        let unstored = |id: &str| self.unconfirmed.iter().any(|known| known == id) || self.is_unstored(id);
        let stored: HashSet<String> = self.list.all().iter().map(|message| &message.id).filter(|id| !unstored(id)).cloned().collect();
        // The agent deletes what is not listed only if it knows all that is (notes 6.4).
        if wanted.iter().all(|id| stored.contains(*id)) {
            let gone = |id: &str| !listed(id) && (stored.contains(id) || self.is_cancelled(id));
            let gone: HashSet<String> = self.list.all().iter().map(|message| &message.id).filter(|id| gone(id)).cloned().collect();
            self.list.retain(|message| !gone.contains(&message.id));
            for running in self.running.iter_mut().filter(|running| running.cancelled) {
                // The agent stops at once and stores what was written, before it comes to this request.
                running.stream.discarded |= running.stream.target.as_ref().is_some_and(|target| gone.contains(target));
            }
        }
        for message in &request.messages {
            // The agent's own messages stay as the agent wrote them, but for what a client knows of them beside their parts; and but for words,
            // of which the agent stores the client's copy.
            let agents = message.role == Role::Assistant && stored.contains(&message.id);
            if agents {
                self.reword(message);
                self.take_results(message);
            }
            if agents && message.metadata.is_some() {
                self.annotate(message);
            }
            if !agents && !self.upsert(message) {
                self.unconfirmed.push(message.id.clone());
            }
        }
        for running in &mut self.running {
            let Some(target) = running.stream.target.as_deref().filter(|target| listed(target)) else { continue };
            running.stream.stored = self.list.position(target).and_then(|at| self.list.get(at)).cloned();
        }
        let trailing = request.messages.iter().rev().take_while(|message| message.role == Role::User);
        let mut running = Running::new(&request.id, true, self.frames_sent);
        running.message_ids = trailing.map(|message| message.id.clone()).collect();
        running.message_ids.reverse();
        running.after = request.messages.last().map(|message| message.id.clone());
        running.phase = Phase::Waiting;
        self.running.retain(|running| running.id != request.id);
        running.crowded = !self.running.is_empty();
        self.running.push(running);
    }

    /// Whether a message is being written and the agent has not stored it.
    pub(super) fn is_unstored(&self, id: &str) -> bool {
        self.running.iter().any(|running| running.stream.target.as_deref() == Some(id) && running.stream.stored.is_none())
    }

    /// Whether a message is being written that we have asked to stop.
    fn is_cancelled(&self, id: &str) -> bool {
        self.running.iter().any(|running| running.cancelled && running.stream.target.as_deref() == Some(id))
    }

    /// How many messages at the end are being written and not stored.
    pub(super) fn unstored(&self) -> usize {
        self.list.all().iter().rev().take_while(|message| self.is_unstored(&message.id)).count()
    }

    /// Takes in a message of ours; the agent's own messages stay as the agent wrote them. Whether it was there.
    fn upsert(&mut self, message: &UiMessage) -> bool {
        if let Some(at) = self.list.position(&message.id) {
            if message.role != Role::Assistant {
                self.list.replace(at, message.clone());
            }
            return true;
        }
        // What is being written is stored when it is complete, and so comes after.
        self.list.insert(self.list.all().len() - self.unstored(), message.clone());
        false
    }

    /// Takes the words of a message that was sent back and has nothing else in it. The SDK's client sends an answer that failed without any.
    fn reword(&mut self, message: &UiMessage) {
        let of_words = |message: &UiMessage| message.parts.iter().all(|part| matches!(part, Part::Text(_) | Part::StepStart));
        let Some((at, local)) = self.list.position(&message.id).and_then(|at| Some((at, self.list.get(at)?))) else { return };
        let runs = self.running.iter().any(|running| running.stream.target.as_ref() == Some(&message.id));
        if !runs && local.parts != message.parts && of_words(message) {
            let reworded = UiMessage { parts: message.parts.clone(), ..local.clone() };
            self.list.replace(at, reworded);
        }
    }

    /// Takes the results of a message that was sent back: the oldest agents are told of them in no other way (notes 6.8), and store them so.
    fn take_results(&mut self, message: &UiMessage) {
        for given in message.tools().filter(|given| given.is_settled() && given.state != ToolState::OutputDenied) {
            self.answer(&given.tool_call_id, &[ToolState::InputAvailable], |tool| {
                tool.state.clone_from(&given.state);
                tool.output.clone_from(&given.output);
                tool.error_text.clone_from(&given.error_text);
            });
        }
    }

    /// Takes the metadata of a message that was sent back: the agent stores it with the message.
    fn annotate(&mut self, message: &UiMessage) {
        if let Some(at) = self.list.position(&message.id) {
            self.list.set_meta(at, message.metadata.clone());
        }
    }

    fn on_decision(&mut self, frame: &ToolApproval) {
        self.answer(&frame.tool_call_id, &[ToolState::InputAvailable, ToolState::ApprovalRequested], |tool| {
            tool.state = if frame.approved { ToolState::ApprovalResponded } else { ToolState::OutputDenied };
            let approval = tool.approval.get_or_insert_with(|| Approval { id: frame.tool_call_id.clone(), ..Approval::default() });
            approval.approved = Some(frame.approved);
        });
    }

    fn on_result(&mut self, frame: &ToolResult) {
        let open = [ToolState::InputAvailable, ToolState::ApprovalRequested, ToolState::ApprovalResponded];
        self.answer(&frame.tool_call_id, &open, |tool| {
            if frame.state.as_deref() == Some("output-error") {
                tool.state = ToolState::OutputError;
                tool.error_text = Some(frame.error_text.clone().unwrap_or_else(|| "Tool execution denied by user".to_owned()));
            } else {
                tool.state = ToolState::OutputAvailable;
                tool.output = frame.output.clone().map(Into::into);
                tool.extra.insert("preliminary".to_owned(), Value::Bool(false));
            }
        });
    }

    /// Answers a call if it is open; the first answer stands.
    fn answer(&mut self, call: &str, open: &[ToolState], change: impl FnOnce(&mut ToolPart)) {
        let streaming = |id: &str| self.running.iter().any(|running| running.stream.target.as_deref() == Some(id));
        let mut places = self.list.all().iter().enumerate().filter(|(_, message)| message.tool(call).is_some()).map(|(at, _)| at);
        let first = places.clone().find(|at| self.list.get(*at).is_some_and(|message| streaming(&message.id))).or_else(|| places.next());
        let Some((at, message)) = first.and_then(|at| Some((at, self.list.get(at)?))) else { return };
        let part = message.parts.iter().position(|part| part.as_tool().is_some_and(|tool| tool.tool_call_id == call));
        let Some((part, tool)) = part.and_then(|part| Some((part, message.parts.get(part)?.as_tool()?))) else { return };
        if !open.contains(&tool.state) {
            return;
        }
        let mut tool = tool.clone();
        change(&mut tool);
        self.list.set_part(at, part, Part::Tool(tool));
        self.optimistic.retain(|known| known.tool_call_id != call);
        self.optimistic.push(Optimistic { tool_call_id: call.to_owned(), lost: false });
    }

    /// The conversation is emptied, by us or by somebody else; what runs is stopped. `left`: the messages that are known to have been stored after
    /// that, and those of ours that may have been; their turns are not stopped.
    pub(super) fn on_clear(&mut self, left: Vec<UiMessage>, reactions: &mut Vec<Reaction>) {
        self.unconfirmed.retain(|id| left.iter().any(|message| message.id == *id));
        let (spared, mut stopped) = std::mem::take(&mut self.running).into_iter().partition(|running| self.is_on_its_way(running));
        self.running = spared;
        for running in &mut stopped {
            let target = running.stream.target.as_deref().and_then(|target| self.list.position(target));
            running.stream.aside = target.and_then(|at| self.list.get(at)).cloned().map(|message| Box::new(List::unwatched(Some(message))));
        }
        self.list.become_list(left);
        self.optimistic.clear();
        self.invented.clear();
        self.recent.clear();
        self.echoes.clear();
        self.behind = false;
        self.anonymous = None;
        self.recovering = None;
        for mut running in stopped.drain(..).filter(|running| running.phase != Phase::Cleared) {
            reactions.push(Reaction::TurnEnded { request_id: running.id.clone(), outcome: Outcome::Aborted });
            if running.stream.aside.is_some() {
                running.phase = Phase::Cleared;
                self.running.push(running);
            } else {
                self.ledger.push(Ended { id: running.id, failed: false });
            }
        }
    }
}
