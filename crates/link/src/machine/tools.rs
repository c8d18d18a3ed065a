//! Calls of tools that run here: which of them are ours to run, and what comes of them.
//!
//! Every window of a conversation sees every call, and the first result counts. So a call is run by the link whose turn it is in; one that changes nothing
//! by whoever finds it left alone, for whoever asked may be gone: not sooner, because the agent goes on once for each result that it is told. A call
//! is run once: what comes of it is kept until the agent shows it.

use std::collections::{HashMap, HashSet, VecDeque};

use callbox_protocol::{ClientFrame, Role, ToolState};
use serde_json::Value;

use super::{Effect, MAX_SENT, Machine, Moment, answers::Answer};
use crate::ClientTool;

/// How many turns of our own are remembered.
const MAX_TURNS: usize = 64;

/// A tool that is offered.
#[derive(Debug)]
struct Offer {
    name: String,
    read_only: bool,
    definition: Value,
}

/// The tools that are offered, and the calls of them.
#[derive(Debug, Default)]
pub(super) struct Tools {
    offered: Vec<Offer>,
    /// Requests for turns of our own, the last few.
    requests: VecDeque<String>,
    /// The answers that were written in them.
    answers: HashSet<String>,
    /// Calls that are running, or have been run.
    taken: HashSet<String>,
    /// Calls of others, and since when they have waited for a result.
    waiting: HashMap<String, Moment>,
    /// When the first of them will have waited for long enough.
    due: Option<Moment>,
}

impl Tools {
    pub(super) fn new(tools: &[ClientTool]) -> Self {
        let offer = |tool: &ClientTool| Offer { name: tool.name.clone(), read_only: tool.read_only, definition: tool.definition() };
        Self { offered: tools.iter().map(offer).collect(), ..Self::default() }
    }

    fn find(&self, name: &str) -> Option<&Offer> {
        self.offered.iter().find(|tool| tool.name == name)
    }

    /// Whether a tool runs here.
    pub(super) fn is_offered(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    /// When to look again.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.due
    }

    /// Takes note of a turn of our own.
    pub(super) fn asked(&mut self, request: &str) {
        if !self.offered.is_empty() {
            self.requests.truncate(MAX_TURNS - 1);
            self.requests.push_front(request.to_owned());
        }
    }
}

impl Machine {
    /// The same frame with the tools in it, if it asks for a turn.
    pub(super) fn offer_tools(&self, mut frame: ClientFrame) -> ClientFrame {
        if let (ClientFrame::ChatRequest(request), false) = (&mut frame, self.tools.offered.is_empty()) {
            request.client_tools = Some(self.tools.offered.iter().map(|tool| tool.definition.clone()).collect());
        }
        frame
    }

    /// A turn is over: what it has written is ours if the turn is.
    pub(super) fn turn_of_tools_ended(&mut self, request: &str) {
        if self.tools.requests.iter().any(|known| known == request)
            && let Some(answer) = self.conversation.messages().iter().rev().find(|message| message.role == Role::Assistant)
        {
            self.tools.answers.insert(answer.id.clone());
        }
    }

    /// Runs what waits for us. Only when nothing else runs, and it is known that nothing does.
    pub(super) fn run_tools(&mut self, now: Moment) {
        self.tools.due = None;
        if self.tools.offered.is_empty() || !self.phase.is_online() || self.conversation.turn().is_active() || self.questions.is_open() {
            return;
        }
        // Calls in earlier answers have been left behind: the agent settles them by itself.
        let Some(last) = self.conversation.messages().last().filter(|last| last.role == Role::Assistant) else { return };
        let ours = self.tools.answers.contains(&last.id);
        let mut calls = Vec::new();
        for call in last.tools().filter(|call| call.state == ToolState::InputAvailable && call.provider_executed != Some(true)) {
            let runs = self.tools.find(&call.tool_name).is_some_and(|tool| ours || tool.read_only);
            if !runs || self.tools.taken.contains(&call.tool_call_id) {
                continue;
            }
            let since = *self.tools.waiting.entry(call.tool_call_id.clone()).or_insert(now);
            let at = since + self.timing.left_alone;
            if ours || at <= now {
                calls.push((call.tool_call_id.clone(), call.tool_name.clone(), call.input.clone().unwrap_or_default()));
            } else {
                self.tools.due = Some(self.tools.due.map_or(at, |due| due.min(at)));
            }
        }
        self.tools.waiting.retain(|call, _| last.tool(call).is_some());
        for (tool_call_id, tool_name, input) in calls {
            self.tools.taken.insert(tool_call_id.clone());
            self.effects.push_back(Effect::RunTool { tool_call_id, tool_name, input });
        }
    }

    /// Answers [`Effect::RunTool`].
    pub(crate) fn ran(&mut self, tool_call_id: &str, tool_name: &str, outcome: Result<Value, String>, now: Moment) {
        if self.open_for_commands().is_err() {
            return;
        }
        let answer = match outcome {
            Ok(output) => Answer::Output { tool_name: tool_name.to_owned(), output },
            Err(text) => Answer::Failure { tool_name: tool_name.to_owned(), text },
        };
        let fits = answer.frame(tool_call_id).to_json().len() <= MAX_SENT;
        let too_large = || Answer::Failure { tool_name: tool_name.to_owned(), text: "The result is too large to be sent.".to_owned() };
        self.answers.push(tool_call_id, if fits { answer } else { too_large() }, now);
        self.flush(now);
    }
}
