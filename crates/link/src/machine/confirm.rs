//! Decisions and results at agents that know no frames for them (notes 6.8, 9.1).
//!
//! There a call that waits for a person just stays without a result when its turn is over. The person's word is its result, and goes back with
//! the whole conversation as a request for the next turn. Nothing keeps such an agent from acting twice on what it is told twice, or from
//! exchanging one word for another. So the agent's list is asked for right before, what it shows decided is left alone, and what has gone
//! to a socket that died is looked up before it goes again. A step is answered as a whole, when all of its calls are.

use std::collections::{HashMap, HashSet};

use callbox_protocol::{CONFIRMED, ClientFrame, Json, Part, REFUSED, Role, ToolPart, ToolState, UiMessage};
use serde_json::Value;

use super::{MAX_SENT, Machine, Moment, answers::Answer, rework::Rework};
use crate::ids;

/// What is known about calls that wait without saying so.
#[derive(Debug, Default)]
pub(super) struct Confirming {
    /// Since when the agent's list has been asked for, to be sent back with the answers in it.
    looking: Option<Moment>,
    /// Calls whose turn was stopped or failed: they wait for nothing, unless somebody has them go on.
    stopped: HashSet<String>,
    /// The arguments that were decided about, by call.
    decided: HashMap<String, Option<Value>>,
}

impl Confirming {
    /// Answers are about to go, and nothing may overtake them.
    pub(super) fn holds(&self) -> bool {
        self.looking.is_some()
    }

    /// The socket is gone.
    pub(super) fn lost(&mut self) {
        self.looking = None;
    }

    /// The list has come that was asked for then. True if it is as new as it has to be.
    fn found(&mut self, asked: Moment) -> bool {
        self.looking.take_if(|since| *since <= asked).is_some()
    }
}

impl Machine {
    /// The calls that wait for a person's word in place of a result and have none, oldest first.
    pub(super) fn confirmations(&self) -> Vec<String> {
        if !self.generation.is_old() || self.conversation.turn().is_active() {
            return Vec::new();
        }
        let asks = |call: &&ToolPart| !self.tools.is_offered(&call.tool_name) && !self.answers.has(&call.tool_call_id);
        self.waiting_calls().filter(asks).map(|call| call.tool_call_id.clone()).collect()
    }

    /// Whether there are calls that wait for a person if the agent is as old as it may be.
    pub(super) fn may_confirm(&self) -> bool {
        let asks = |call: &ToolPart| !self.tools.is_offered(&call.tool_name);
        let idle = self.phase.is_online() && !self.conversation.turn().is_active();
        idle && self.generation.may_be_old() && self.waiting_calls().any(asks)
    }

    /// Whether what is answered to a call goes back with the conversation.
    pub(super) fn goes_with_conversation(&self, call: &str) -> bool {
        self.generation.is_old() && super::answers::find(self.conversation.messages(), call) == Some(&ToolState::InputAvailable)
    }

    /// The calls of the last message that have no result and wait for one. What was said since leaves those of earlier ones behind.
    fn waiting_calls(&self) -> impl Iterator<Item = &ToolPart> {
        let last = self.conversation.messages().last().filter(|last| last.role == Role::Assistant);
        let calls = last.into_iter().flat_map(UiMessage::tools);
        calls.filter(|call| {
            let stopped = self.confirming.stopped.contains(&call.tool_call_id) && !self.answers.has(&call.tool_call_id);
            call.state == ToolState::InputAvailable && call.provider_executed != Some(true) && !stopped
        })
    }

    /// A person has decided about a call as it is now.
    pub(super) fn decided(&mut self, call: &str) {
        let input = self.waiting_calls().find(|known| known.tool_call_id == call).map(|known| known.input.clone());
        if let Some(input) = input {
            self.confirming.decided.insert(call.to_owned(), input);
        }
    }

    /// A decision is about the arguments that it was taken about: with others, the call asks anew.
    fn forget_what_has_changed(&mut self) {
        let changed = |call: &ToolPart| self.confirming.decided.get(&call.tool_call_id).is_some_and(|input| *input != call.input);
        let changed: Vec<String> = self.waiting_calls().filter(|call| changed(call)).map(|call| call.tool_call_id.clone()).collect();
        for call in changed {
            self.confirming.decided.remove(&call);
            self.answers.confirm(&call);
        }
    }

    /// The turn that wrote the last message was stopped, or has failed.
    pub(super) fn stop_calls(&mut self) {
        let unfinished = |call: &&ToolPart| matches!(call.state, ToolState::InputStreaming | ToolState::InputAvailable);
        let last = self.conversation.messages().iter().rfind(|message| message.role == Role::Assistant);
        let calls = last.into_iter().flat_map(UiMessage::tools).filter(unfinished).map(|call| call.tool_call_id.clone());
        self.confirming.stopped.extend(calls);
    }

    /// Asks for the agent's list if there is something to be sent back with it.
    pub(super) fn confirm(&mut self, now: Moment) {
        if self.answers.is_empty() || !self.phase.is_online() || !self.generation.is_still_old() || self.confirming.holds() {
            return;
        }
        if self.rework.as_ref().is_some_and(Rework::holds) {
            return;
        }
        let turn_runs = self.conversation.turn().is_active();
        if !turn_runs {
            let waiting: HashSet<String> = self.waiting_calls().map(|call| call.tool_call_id.clone()).collect();
            self.answers.leave_behind(|call| waiting.contains(call));
            self.forget_what_has_changed();
        }
        if !turn_runs && self.is_answered() {
            self.confirming.looking = Some(now);
            self.refetch(now);
        }
    }

    /// Whether every waiting call has an answer that is on no socket.
    fn is_answered(&self) -> bool {
        let mut calls = self.waiting_calls().peekable();
        calls.peek().is_some() && calls.all(|call| self.answers.held(&call.tool_call_id).is_some())
    }

    /// The agent's list has come, as of `asked`.
    pub(super) fn confirm_by(&mut self, asked: Moment, now: Moment) {
        if !self.confirming.found(asked) || self.conversation.turn().is_active() {
            return;
        }
        self.forget_what_has_changed();
        if !self.is_answered() {
            return;
        }
        let calls: Vec<String> = self.waiting_calls().map(|call| call.tool_call_id.clone()).collect();
        let mut messages = self.stored();
        let Some(last) = messages.last_mut() else { return };
        for tool in last.parts.iter_mut().filter_map(Part::as_tool_mut).filter(|tool| calls.contains(&tool.tool_call_id)) {
            if let Some(answer) = self.answers.held(&tool.tool_call_id) {
                put(answer, tool);
            }
        }
        let alone = last.clone();
        let request_id = ids::request(&*self.entropy);
        let whole = self.offer_tools(ClientFrame::submit(request_id.clone(), messages));
        // The agent keeps what it is not told of.
        let fits = whole.to_json().len() <= MAX_SENT;
        let frame = if fits { whole } else { self.offer_tools(ClientFrame::submit(request_id.clone(), vec![alone])) };
        self.answers.sent(&calls, &request_id, now);
        self.replies.go_on(&request_id, self.conversation.messages());
        self.error = None;
        self.write(&frame);
        self.questions.expect(now + self.timing.first_answer);
    }
}

/// Makes an answer the result of its call.
fn put(answer: &Answer, tool: &mut ToolPart) {
    let (state, output, error_text) = match answer {
        Answer::Decision { approved } => {
            let word = if *approved { CONFIRMED } else { REFUSED };
            (ToolState::OutputAvailable, Some(Value::from(word)), None)
        }
        Answer::Output { output, .. } => (ToolState::OutputAvailable, Some(output.clone()), None),
        Answer::Failure { text, .. } => (ToolState::OutputError, None, Some(text.clone())),
    };
    (tool.state, tool.output, tool.error_text) = (state, output.map(Json::from), error_text);
}
