//! Turns that are going on, and what of each has been folded.

use std::collections::VecDeque;

use crate::message::UiMessage;
use crate::part::Part;
use crate::tool::ToolPart;

use super::list::List;
use super::merge::{DECIDED, rank};
use super::turn::Turn;

/// How far a turn has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Waiting,
    Streaming,
    Recovering,
    Interrupted,
    /// Stopped by a clear; the agent has not said so yet, and may store what was written.
    Cleared,
}

/// A turn that has not ended.
#[derive(Debug, Clone)]
pub(super) struct Running {
    pub(super) id: String,
    pub(super) phase: Phase,
    /// Asked for by this client.
    pub(super) own: bool,
    /// Our count of frames when it began; a probe sent before that says nothing about it.
    pub(super) born: u64,
    /// The user's messages that came with our request.
    pub(super) message_ids: Vec<String>,
    /// The last message of our request.
    pub(super) after: Option<String>,
    /// A transcript came that lacks them, before anything was answered.
    pub(super) rolled_back: bool,
    /// We asked for it while another turn was on its way: the agent may have stored that one's answer before our message or after it. Or we had given
    /// it up.
    pub(super) crowded: bool,
    /// We have asked for it to be stopped.
    pub(super) cancelled: bool,
    /// It was offered on this socket, and nothing has been replayed yet: what the agent sends meanwhile is not sent here.
    pub(super) offered: bool,
    pub(super) stream: Stream,
}

impl Running {
    pub(super) fn new(id: &str, own: bool, born: u64) -> Self {
        Self {
            id: id.to_owned(),
            phase: Phase::Waiting,
            own,
            born,
            message_ids: Vec::new(),
            after: None,
            rolled_back: false,
            crowded: false,
            cancelled: false,
            offered: false,
            stream: Stream::default(),
        }
    }

    pub(super) fn turn(&self) -> Turn {
        let request_id = self.id.clone();
        match self.phase {
            Phase::Waiting => Turn::Waiting { request_id: Some(request_id) },
            Phase::Streaming => Turn::Streaming { request_id },
            Phase::Recovering => Turn::Recovering { request_id: Some(request_id) },
            Phase::Interrupted => Turn::Interrupted { request_id: Some(request_id) },
            Phase::Cleared => Turn::Idle,
        }
    }
}

/// What has been folded of a turn.
#[derive(Debug, Clone, Default)]
pub(super) struct Stream {
    /// Something of it has come.
    pub(super) begun: bool,
    /// It extends a message that was there.
    pub(super) continuation: bool,
    /// The message it writes; not in the list before its first part.
    pub(super) target: Option<String>,
    /// Metadata that came before the first part.
    pub(super) metadata: Option<serde_json::Value>,
    /// The highest chunk number folded.
    pub(super) applied: Option<u64>,
    /// The message was taken from a transcript and is not what the chunks up to `applied` make.
    pub(super) dirty: bool,
    /// Chunks are missing: nothing more is folded until a replay or a transcript.
    pub(super) detached: bool,
    /// The message is to be written no more: it was cancelled, and then its place was given to another answer.
    pub(super) discarded: bool,
    /// The message goes on here, out of sight, since the conversation was cleared.
    pub(super) aside: Option<Box<List>>,
    /// The chunk `finish` has come: a transcript that has the message has all of it.
    pub(super) finished: bool,
    /// A reasoning was taken up that was cut off in the turn before.
    pub(super) reasoning_resumed: bool,
    /// What the provider has attached to the reasoning that is being written.
    pub(super) signature: Option<serde_json::Value>,
    /// Arguments being written: few calls at a time.
    arguments: Vec<Arguments>,
    /// Calls whose arguments were read from what was written so far.
    pub(super) provisional: Vec<String>,
    /// Calls that were decided or answered before the message was built anew.
    pub(super) remembered: Vec<ToolPart>,
    /// The message as the agent has it stored; `None` if it has not.
    pub(super) stored: Option<UiMessage>,
    /// A chunk was sent again on this socket.
    pub(super) replayed: bool,
    /// What the chunks that were sent again make by themselves.
    pub(super) again: Option<Box<Again>>,
}

/// A message folded a second time, beside the one that is shown, from nothing but what the agent sends again. An agent that was
/// killed has less of it than it had sent.
#[derive(Debug, Clone, Default)]
pub(super) struct Again {
    pub(super) list: List,
    pub(super) stream: Stream,
}

/// Arguments being written.
#[derive(Debug, Clone, Default)]
pub(super) struct Arguments {
    call: String,
    pub(super) text: String,
    /// Length of the text when it was last read. It is read again when it has doubled, which keeps the cost linear.
    pub(super) read: usize,
}

impl Stream {
    /// Keeps the calls of a message that were decided or answered, before the message is built anew.
    pub(super) fn remember(&mut self, message: &UiMessage) {
        for tool in message.tools().filter(|tool| rank(tool) >= DECIDED) {
            self.remembered.retain(|known| known.tool_call_id != tool.tool_call_id);
            self.remembered.push(tool.clone());
        }
    }

    /// The stream at its first chunk again, and the message as it was before that: `None` if there was none. `message`: as it is now.
    pub(super) fn anew(&mut self, message: Option<&UiMessage>) -> (Self, Option<UiMessage>) {
        if let Some(message) = message {
            self.remember(message);
        }
        let mut base = self.stored.clone().filter(|_| self.continuation);
        for tool in base.iter_mut().flat_map(|base| &mut base.parts).filter_map(Part::as_tool_mut) {
            if let Some(known) = self.remembered.iter().find(|known| known.tool_call_id == tool.tool_call_id) {
                tool.clone_from(known);
            }
        }
        let anew = Self {
            begun: true,
            continuation: self.continuation,
            target: self.target.clone(),
            stored: self.stored.clone().filter(|_| self.continuation),
            remembered: self.remembered.clone(),
            replayed: self.replayed,
            ..Self::default()
        };
        (anew, base)
    }

    /// What is written of the arguments of a call.
    pub(super) fn written(&mut self, call: &str) -> &mut Arguments {
        let at = self.arguments.iter().rposition(|known| known.call == call).unwrap_or_else(|| {
            self.arguments.push(Arguments { call: call.to_owned(), ..Arguments::default() });
            self.arguments.len() - 1
        });
        &mut self.arguments[at]
    }

    pub(super) fn take_written(&mut self, call: &str) -> Option<Arguments> {
        let at = self.arguments.iter().rposition(|known| known.call == call)?;
        Some(self.arguments.swap_remove(at))
    }

    /// The arguments of a call were read from what is written so far.
    pub(super) fn provisional(&mut self, call: &str) {
        if !self.provisional.iter().any(|known| known == call) {
            self.provisional.push(call.to_owned());
        }
    }

    /// The chunks have numbers, as only the newest agents send them.
    pub(super) fn is_numbered(&self) -> bool {
        self.applied.is_some()
    }

    /// Whether a chunk with this number is new; takes note of it.
    pub(super) fn accept(&mut self, seq: Option<u64>) -> bool {
        if self.discarded {
            return false;
        }
        let Some(seq) = seq else { return !self.detached };
        if self.applied.is_some_and(|applied| seq <= applied) {
            return false;
        }
        if seq != self.applied.map_or(0, |applied| applied + 1) {
            self.detached = true;
        }
        if self.detached {
            return false;
        }
        self.applied = Some(seq);
        true
    }
}

/// What is remembered of a turn that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) id: String,
    pub(super) failed: bool,
}

/// Turns that have ended, the last few.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger(VecDeque<Ended>);

impl Ledger {
    const LONGEST: usize = 64;

    pub(super) fn push(&mut self, ended: Ended) {
        self.0.retain(|known| known.id != ended.id);
        if self.0.len() == Self::LONGEST {
            self.0.pop_front();
        }
        self.0.push_back(ended);
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Ended> {
        self.0.iter_mut().find(|ended| ended.id == id)
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.0.retain(|ended| ended.id != id);
    }
}
