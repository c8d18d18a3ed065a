//! [`AgentToolRuns`]: what other agents do inside the tool calls of a conversation, folded from [`AgentToolEvent`]s (notes 2.5).
//!
//! A run is a small conversation of its own with one message in it, and is folded as such. On each connect the agent tells of all runs from their
//! beginning, while what goes on in them comes in between: chunks are taken in the order of their numbers, each once.

mod event;
mod signal;

use std::collections::BTreeMap;

use serde_json::Value;

pub use self::event::RunEvent;
use self::signal::Signal;
pub use self::signal::{Milestone, Progress};
use crate::conversation::Conversation;
use crate::incoming::{Incoming, Piece};
use crate::part::Part;
use crate::server::AgentToolEvent;

/// How many chunks may wait for one before them. Beyond that, it is taken not to come.
const MAX_HELD: usize = 4096;

/// All runs of a conversation.
#[derive(Debug, Clone, Default)]
pub struct AgentToolRuns(Vec<AgentToolRun>);

/// The work of another agent for a tool call.
#[derive(Debug, Clone)]
pub struct AgentToolRun {
    /// Its id, which is also the name of the conversation of the agent that does it.
    pub id: String,
    /// The call; `None` if it belongs to none.
    pub tool_call_id: Option<String>,
    /// The class of the agent that does it; untrusted.
    pub agent_type: String,
    /// What people shall call it; untrusted.
    pub name: Option<String>,
    /// Its place among the runs of the same call.
    pub order: u64,
    /// What it is to do, any JSON.
    pub input_preview: Option<Value>,
    /// Where it stands.
    pub state: RunState,
    /// How far it is, if it says so.
    pub progress: Option<Progress>,
    /// What it has reached, in order.
    pub milestones: Vec<Milestone>,
    /// Its message, in a turn that never ends: chunks may come late.
    chunks: Conversation,
    /// The number of the next chunk.
    next: u64,
    /// Chunks that came before one that precedes them.
    held: BTreeMap<u64, String>,
}

/// Where a run stands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RunState {
    /// At work.
    #[default]
    Running,
    /// It has done its work.
    Completed {
        /// In its own words; untrusted.
        summary: String,
    },
    /// It has failed.
    Failed {
        /// Why; untrusted.
        error: String,
    },
    /// It was stopped.
    Aborted {
        /// Why; untrusted.
        reason: Option<String>,
    },
    /// Nobody waits for it any more; it may be taken up again.
    Interrupted {
        /// Why; untrusted.
        error: String,
        /// It was still at work.
        still_running: bool,
    },
}

impl AgentToolRuns {
    /// Takes an event. Whether anything has changed by it.
    pub fn apply(&mut self, frame: &AgentToolEvent) -> bool {
        let Some((id, event)) = frame.read() else { return false };
        let known = self.0.iter().position(|run| run.id == id);
        match (known, &event) {
            (Some(at), _) => self.0[at].apply(frame, &event),
            (None, RunEvent::Started { .. }) => {
                let mut run = AgentToolRun::new(id);
                run.apply(frame, &event);
                let at = self.0.partition_point(|other| (other.order, &other.id) <= (run.order, &run.id));
                self.0.insert(at, run);
                true
            }
            // Its beginning is yet to come: the agent tells of it again on connect.
            (None, _) => false,
        }
    }

    /// All of them, by their place and their id.
    pub fn iter(&self) -> impl Iterator<Item = &AgentToolRun> {
        self.0.iter()
    }

    /// Those for this call.
    pub fn of(&self, tool_call_id: &str) -> impl Iterator<Item = &AgentToolRun> {
        self.iter().filter(move |run| run.tool_call_id.as_deref() == Some(tool_call_id))
    }
}

impl AgentToolRun {
    fn new(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            tool_call_id: None,
            agent_type: String::new(),
            name: None,
            order: 0,
            input_preview: None,
            state: RunState::Running,
            progress: None,
            milestones: Vec::new(),
            chunks: Conversation::new(),
            next: 0,
            held: BTreeMap::new(),
        }
    }

    /// What it has written so far.
    pub fn parts(&self) -> &[Part] {
        self.chunks.messages().first().map(|message| &*message.parts).unwrap_or_default()
    }

    /// Whether it goes on, as far as is known.
    pub fn is_running(&self) -> bool {
        self.state == RunState::Running
    }

    fn apply(&mut self, frame: &AgentToolEvent, event: &RunEvent<'_>) -> bool {
        match event {
            RunEvent::Started { agent_type, order, input_preview, name } => {
                // Told of again; what became of it is known already.
                if !self.agent_type.is_empty() {
                    return false;
                }
                self.tool_call_id = frame.parent_tool_call_id.clone();
                self.agent_type = (*agent_type).to_owned();
                self.order = *order;
                self.input_preview = input_preview.cloned();
                self.name = name.map(str::to_owned);
                self.next = frame.sequence.unwrap_or_default() + 1;
                true
            }
            RunEvent::Chunk { body, is_unstored } => match Signal::read(body) {
                Some(signal) => self.signal(signal, body, frame.replay == Some(true)),
                None => self.chunk(body, frame.sequence.filter(|_| !is_unstored)),
            },
            RunEvent::Finished { summary } => self.ends(frame, RunState::Completed { summary: (*summary).to_owned() }),
            RunEvent::Failed { error } => self.ends(frame, RunState::Failed { error: (*error).to_owned() }),
            RunEvent::Aborted { reason } => self.ends(frame, RunState::Aborted { reason: reason.map(str::to_owned) }),
            RunEvent::Interrupted { error, still_running } => {
                self.ends(frame, RunState::Interrupted { error: (*error).to_owned(), still_running: *still_running })
            }
        }
    }

    fn signal(&mut self, signal: Signal, body: &str, is_replayed: bool) -> bool {
        match signal {
            Signal::Progress(progress) => self.progress = Some(progress),
            Signal::Milestone(milestone, progress) => {
                let Err(at) = self.milestones.binary_search_by_key(&milestone.sequence, |known| known.sequence) else { return false };
                self.milestones.insert(at, milestone);
                // What is told of again may be older than what is known of the run's progress.
                if !is_replayed || self.progress.is_none() {
                    self.progress = Some(progress);
                }
                self.take(body);
            }
        }
        true
    }

    fn chunk(&mut self, body: &str, sequence: Option<u64>) -> bool {
        let Some(sequence) = sequence else {
            self.take(body);
            return true;
        };
        if sequence < self.next {
            return false;
        }
        if sequence > self.next {
            self.held.insert(sequence, body.to_owned());
            return self.held.len() > MAX_HELD && self.flush();
        }
        self.take(body);
        self.next += 1;
        while let Some(body) = self.held.remove(&self.next) {
            self.take(&body);
            self.next += 1;
        }
        true
    }

    /// Takes what waits for chunks that will not come.
    fn flush(&mut self) -> bool {
        let held = std::mem::take(&mut self.held);
        for (sequence, body) in &held {
            self.take(body);
            self.next = sequence + 1;
        }
        !held.is_empty()
    }

    fn take(&mut self, body: &str) {
        self.chunks.receive(Incoming::Piece(Piece::of_turn(&self.id, body)));
        // Nobody mirrors it.
        self.chunks.take_ops();
    }

    fn ends(&mut self, frame: &AgentToolEvent, state: RunState) -> bool {
        // All that is told again has been told. A live end may come before that.
        let flushed = frame.replay == Some(true) && self.flush();
        let changed = self.state != state;
        self.state = state;
        changed || flushed
    }
}

#[cfg(test)]
mod tests;
