//! [`Conversation`]: the fold of frames into messages.
//!
//! What it promises:
//!
//! - **The agent's form.** At the end of each turn, and after each decision, the messages are exactly those that `get-messages`
//!   shows, as far as the frames tell; where they do not, [`Reaction::Refetch`] says so.
//! - **Idempotence.** A numbered frame that comes twice changes nothing the second time; a replay continues or rebuilds, and never
//!   doubles.
//! - **First decision wins.** A call that was decided never asks again, and one that has ended never opens again. A decision of our
//!   own shows at once, and gives way to the agent's word if somebody else was first.
//! - **A mirror** that applies [`Conversation::take_ops`] always equals [`Conversation::messages`].
//! - **Linear cost.** Appending never copies the text so far.

mod calls;
mod chunks;
mod list;
mod merge;
mod outgoing;
mod responses;
mod running;
mod turn;

use std::collections::{HashSet, VecDeque};

pub use turn::{Outcome, Reaction, Turn};

use crate::client::ClientFrame;
use crate::incoming::Incoming;
use crate::message::{Role, UiMessage};
use crate::op::MessageOp;
use crate::server::{ResumeNone, ServerFrame};
use crate::tool::ToolPart;

use self::list::List;
use self::merge::{Ahead, Origin};
use self::outgoing::Optimistic;
use self::running::{Ledger, Phase, Running};

/// A conversation with an agent, folded from the frames of all sockets that one client has to it, one after the other.
///
/// Tell it of every socket ([`Conversation::connected`], [`Conversation::disconnected`]), every frame in both directions in the order
/// of the wire, and every answer of `get-messages`.
#[derive(Debug, Clone, Default)]
pub struct Conversation {
    list: List,
    turn: Turn,
    running: Vec<Running>,
    ledger: Ledger,
    /// Turns acknowledged on this socket.
    acknowledged: HashSet<String>,
    /// The last probe on this socket, and our count of frames then.
    probe: Option<(Option<String>, u64)>,
    /// A turn was announced without an id, and whether it recovers.
    anonymous: Option<Phase>,
    /// A turn is being recovered, under whatever id.
    recovering: Option<Option<String>>,
    /// Turns that we have asked for, the last few: the agent does not send us what it tells the others of them.
    asked: VecDeque<String>,
    /// Our messages that the agent has not confirmed, by id.
    unconfirmed: Vec<String>,
    optimistic: Vec<Optimistic>,
    /// Ids of messages that the agent has not named.
    invented: Vec<String>,
    /// Messages that came to be stored since `get-messages` was asked: its answer may not have them yet.
    recent: Vec<String>,
    /// Messages that only `get-messages` has brought, while a frame that is older than its answer may still be on its way.
    ahead: Vec<Ahead>,
    /// Ids of the lists that were broadcast once as a submit of another client and will come a second time.
    echoes: Vec<Vec<String>>,
    /// The message of a turn that somebody else stopped, while that is the last that was heard.
    residue: Option<String>,
    /// Messages are missing that only a list of the agent's can bring.
    behind: bool,
    frames_sent: u64,
}

impl Conversation {
    /// An empty conversation with nothing going on.
    pub fn new() -> Self {
        Self::default()
    }

    /// The messages, oldest first. Those of ours that the agent has not confirmed are among them.
    pub fn messages(&self) -> &[UiMessage] {
        self.list.all()
    }

    /// What is going on. With several turns at once, the one that is being written.
    pub fn turn(&self) -> &Turn {
        &self.turn
    }

    /// The id of the message that is being written in this turn, as soon as there is something of it.
    pub fn written_in(&self, request_id: &str) -> Option<&str> {
        let running = self.running.iter().find(|running| running.id == request_id)?;
        running.stream.target.as_deref().filter(|target| self.list.position(target).is_some())
    }

    /// The tool calls that wait for a decision which nobody has taken, oldest first.
    pub fn undecided(&self) -> impl Iterator<Item = &ToolPart> {
        self.messages().iter().flat_map(UiMessage::tools).filter(|tool| tool.awaits_decision())
    }

    /// The ids of our messages that the agent has not confirmed, oldest first. After a lost socket and a
    /// [`Conversation::snapshot`], what is still here did not arrive.
    pub fn unconfirmed(&self) -> impl Iterator<Item = &str> {
        self.unconfirmed.iter().map(String::as_str)
    }

    /// The ids of the calls that we have decided or answered and the agent has not confirmed, oldest first.
    pub fn unsettled(&self) -> impl Iterator<Item = &str> {
        self.optimistic.iter().map(|known| known.tool_call_id.as_str())
    }

    /// What `get-messages` would show now: without what is being written, as far as the agent has not stored it.
    pub fn stored(&self) -> Vec<UiMessage> {
        let stored = |message: &UiMessage| {
            let stream = self.running.iter().find(|running| running.stream.target.as_ref() == Some(&message.id));
            match stream {
                Some(running) => running.stream.stored.clone(),
                None => Some(message.clone()),
            }
        };
        self.messages().iter().filter_map(stored).collect()
    }

    /// Takes a frame of the agent. The reactions come in the order in which they are to be acted on.
    pub fn receive<'a>(&mut self, frame: impl Into<Incoming<'a>>) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        let residue = self.residue.take();
        match frame.into() {
            Incoming::Piece(piece) => self.on_response(piece, &mut reactions),
            Incoming::Frame(frame) => self.on_frame(&frame, residue.as_deref(), &mut reactions),
        }
        self.sum_up();
        reactions
    }

    fn on_frame(&mut self, frame: &ServerFrame, residue: Option<&str>, reactions: &mut Vec<Reaction>) {
        match frame {
            // A piece of a turn, which has its own way.
            ServerFrame::Response(_) => {}
            ServerFrame::Messages(frame) => self.on_transcript(frame, reactions),
            ServerFrame::MessageUpdated(frame) => self.on_message_updated(frame, reactions),
            ServerFrame::Cleared(_) => self.on_cleared(residue, reactions),
            ServerFrame::Resuming(frame) => {
                if self.ledger.get_mut(&frame.id).is_some() {
                    self.on_old_offer(reactions);
                } else {
                    let at = self.running_at(&frame.id);
                    self.delivered(at, reactions);
                    self.running[at].offered |= !self.acknowledged.contains(&frame.id);
                    if !matches!(self.running[at].phase, Phase::Streaming | Phase::Cleared) {
                        self.running[at].phase = Phase::Waiting;
                    }
                }
                if self.acknowledged.insert(frame.id.clone()) {
                    reactions.push(Reaction::Acknowledge { request_id: frame.id.clone() });
                }
            }
            ServerFrame::Pending(frame) => match &frame.id {
                Some(id) if self.ledger.get_mut(id).is_some() => {}
                Some(id) => {
                    let at = self.running_at(id);
                    self.delivered(at, reactions);
                    if self.running[at].phase == Phase::Interrupted {
                        self.running[at].phase = Phase::Waiting;
                    }
                }
                None => self.anonymous = Some(Phase::Waiting),
            },
            ServerFrame::Recovering(frame) => self.on_recovering(frame.recovering, frame.id.as_deref(), reactions),
            ServerFrame::ResumeNone(frame) => self.on_resume_none(frame, reactions),
            ServerFrame::Identity(_)
            | ServerFrame::State(_)
            | ServerFrame::StateError(_)
            | ServerFrame::RpcReply(_)
            | ServerFrame::McpServers(_)
            | ServerFrame::AgentToolEvent(_)
            | ServerFrame::McpEvent(_)
            | ServerFrame::Session(_)
            | ServerFrame::SessionError(_)
            | ServerFrame::Unknown(_) => {}
        }
    }

    /// Takes note of a frame of our own, when it is written to a socket: messages and decisions show at once.
    ///
    /// Never send a message alone that the agent has already: it would take that for the whole conversation and delete the rest.
    pub fn sent(&mut self, frame: &ClientFrame) {
        self.on_sent(frame);
        self.sum_up();
    }

    /// A socket is open.
    pub fn connected(&mut self) {
        self.acknowledged.clear();
        self.probe = None;
        for running in &mut self.running {
            running.stream.replayed = false;
            running.stream.again = None;
        }
    }

    /// The socket is gone. What ran is interrupted until the agent offers it again or says that nothing runs.
    pub fn disconnected(&mut self) {
        self.acknowledged.clear();
        self.probe = None;
        self.anonymous = None;
        self.recent.clear();
        self.ahead.clear();
        self.echoes.clear();
        self.residue = None;
        self.running.retain(|running| running.phase != Phase::Cleared);
        for running in &mut self.running {
            running.offered = false;
            running.phase = Phase::Interrupted;
            // Its request may be late, and what the others are told of its messages is not sent here.
            running.crowded |= running.own && !running.stream.begun;
        }
        for known in &mut self.optimistic {
            known.lost = true;
        }
        self.sum_up();
    }

    /// `get-messages` is being asked: its answer has everything that has come until now. Without this call, it is taken to have been asked when
    /// the last answer came.
    pub fn fetching(&mut self) {
        self.recent.clear();
    }

    /// Takes what `get-messages` says. It is the truth, but for what is being written, for what came while the answer was on its way,
    /// and for messages of ours that the agent has not confirmed.
    pub fn snapshot(&mut self, messages: Vec<UiMessage>) {
        self.merge(messages, Origin::Fetched, false, &mut Vec::new());
        self.sum_up();
    }

    /// The turns that a lost socket interrupted and that are over by this answer of `get-messages`, at an agent that stores an answer when it is
    /// complete and says nothing of a turn to a new socket, as the oldest do (notes 9.1). To be ended with [`Conversation::abandon`].
    pub fn answered_in(&self, messages: &[UiMessage]) -> Vec<String> {
        let Some(last) = messages.last().filter(|last| last.role == Role::Assistant) else { return Vec::new() };
        let earlier = |id: &String| messages.iter().any(|message| message.id == *id) && *id != last.id;
        let over = |running: &&Running| running.phase == Phase::Interrupted && running.after.as_ref().is_none_or(earlier);
        self.running.iter().filter(over).map(|running| running.id.clone()).collect()
    }

    /// Takes a message of ours that the agent has not confirmed out of the conversation. Whether there was one.
    pub fn discard(&mut self, message_id: &str) -> bool {
        let known = self.unconfirmed.iter().any(|id| id == message_id);
        if known {
            self.unconfirmed.retain(|id| id != message_id);
            self.list.retain(|message| message.id != message_id);
        }
        known
    }

    /// Takes note that the agent has a message of ours, although no frame here says so: a list of the agent's that lacks it from now on means that it
    /// is gone.
    pub fn confirm(&mut self, message_id: &str) {
        if let Some(at) = self.unconfirmed.iter().position(|id| id == message_id) {
            self.recent.push(self.unconfirmed.remove(at));
        }
    }

    /// Ends a turn of which nothing more is to be expected: a cancel that was never answered.
    pub fn abandon(&mut self, request_id: &str) -> Vec<Reaction> {
        let mut reactions = Vec::new();
        if let Some(at) = self.running.iter().position(|running| running.id == request_id) {
            self.end(at, Outcome::Aborted, false, false, &mut reactions);
        }
        self.sum_up();
        reactions
    }

    /// Ends a turn whose request has been lost, as far as anybody can tell. Should it have been late instead, it goes on.
    pub fn give_up(&mut self, request_id: &str) {
        if let Some(at) = self.running.iter().position(|running| running.id == request_id) {
            self.end(at, Outcome::Lost, false, false, &mut Vec::new());
        }
        self.sum_up();
    }

    /// What has changed since the last call. A mirror that applies it always equals [`Conversation::messages`].
    pub fn take_ops(&mut self) -> Vec<MessageOp> {
        self.list.take_ops()
    }

    fn on_recovering(&mut self, recovering: bool, id: Option<&str>, reactions: &mut Vec<Reaction>) {
        let named = |running: &Running| id.is_none_or(|id| running.id == id);
        if recovering {
            self.recovering = Some(id.map(str::to_owned));
            for running in self.running.iter_mut().filter(|running| named(running) && running.phase != Phase::Cleared) {
                running.phase = Phase::Recovering;
            }
            return;
        }
        // It went on under another id, or not at all: of this one no more is to come.
        while let Some(at) = self.running.iter().position(|running| named(running) && running.phase == Phase::Recovering) {
            self.end(at, Outcome::Recovering, false, false, reactions);
        }
        self.recovering = None;
    }

    /// Somebody else has cleared the conversation. The agent stops what runs, stores what was written of it, and tells of the clear at
    /// the very end; the same frames come if somebody stops a turn and clears later, so the agent is to be asked.
    fn on_cleared(&mut self, residue: Option<&str>, reactions: &mut Vec<Reaction>) {
        let on_their_way: Vec<&String> =
            self.running.iter().filter(|running| self.is_on_its_way(running)).flat_map(|running| &running.message_ids).collect();
        // What we have written may reach the agent after the clear.
        let may_be_left = |id: &String| self.unconfirmed.contains(id) && on_their_way.contains(&id);
        let left = self.list.all().iter().filter(|message| residue == Some(&message.id) || may_be_left(&message.id)).cloned().collect();
        self.on_clear(left, reactions);
        reactions.push(Reaction::Refetch);
    }

    /// Whether this is a request of ours of which the agent has said nothing.
    fn is_on_its_way(&self, running: &Running) -> bool {
        running.own && !running.stream.begun && running.message_ids.iter().any(|id| self.unconfirmed.contains(id))
    }

    /// Only an answer to our own probe proves that nothing runs, and only of what was there when we asked.
    fn on_resume_none(&mut self, frame: &ResumeNone, reactions: &mut Vec<Reaction>) {
        let Some((Some(probe), asked)) = &self.probe else { return };
        if frame.reason.as_deref() != Some("idle") || frame.probe_id.as_ref() != Some(probe) {
            return;
        }
        let asked = *asked;
        reactions.push(Reaction::NothingRuns { probe_id: frame.probe_id.clone() });
        self.anonymous = None;
        self.recovering = None;
        // What was offered on this socket will be sent, to its end, whatever else the agent says.
        let gone = |running: &Running| running.born < asked && !self.acknowledged.contains(&running.id);
        let gone: Vec<_> = self.running.iter().filter(|running| gone(running)).map(|running| running.id.clone()).collect();
        while let Some(at) = self.running.iter().position(|running| gone.contains(&running.id)) {
            self.end(at, Outcome::Lost, false, false, reactions);
        }
    }

    /// The agent offers a turn that has ended: one that has failed, which it keeps until the next one. It does that only when nothing runs and nothing
    /// goes on (notes 6.2), so what was cut off with an earlier socket is over. Nothing else will say so: it answers every question in this way.
    fn on_old_offer(&mut self, reactions: &mut Vec<Reaction>) {
        while let Some(at) = self.running.iter().position(|running| running.phase == Phase::Interrupted) {
            self.end(at, Outcome::Lost, false, false, reactions);
        }
    }

    fn sum_up(&mut self) {
        let order = [Phase::Streaming, Phase::Recovering, Phase::Waiting, Phase::Interrupted];
        let first = order.iter().find_map(|phase| self.running.iter().find(|running| running.phase == *phase));
        if let (Some(running), Turn::Streaming { request_id }) = (first, &self.turn)
            && running.phase == Phase::Streaming
            && running.id == *request_id
        {
            return;
        }
        self.turn = match (first, &self.recovering, self.anonymous) {
            (Some(running), _, _) => running.turn(),
            (None, Some(request_id), _) => Turn::Recovering { request_id: request_id.clone() },
            (None, None, Some(_)) => Turn::Waiting { request_id: None },
            (None, None, None) => Turn::Idle,
        };
    }
}
