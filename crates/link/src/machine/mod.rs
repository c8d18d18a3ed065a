//! All that a link decides, without I/O, clock or randomness of its own.
//!
//! The owner tells the [`Machine`] what happened and when, then carries out the [`Effect`]s that it asks for, in order, and comes back at its
//! [`Machine::deadline`]. At any time there is at most one socket, one token request or handshake, and one request for the messages; after
//! [`Effect::Cut`] none, and nothing that they still bring may be told.

mod agent_tools;
mod answers;
mod confirm;
mod connect;
mod generation;
mod outbox;
mod renewal;
mod replies;
mod resume;
mod rework;
mod shown;
mod tools;
mod turns;

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, sync::Arc, time::Duration};

use callbox_identity::Entropy;
use callbox_protocol::{ClientFrame, Conversation, MessageOp, ToolState, UiMessage};
use serde_json::Value;

use self::{
    agent_tools::AgentTools,
    answers::{Answer, Answers},
    confirm::Confirming,
    connect::Phase,
    generation::Generation,
    outbox::{Change, Outbox, Outgoing},
    renewal::Renewal,
    replies::Replies,
    resume::Resuming,
    rework::Rework,
    shown::Shown,
    tools::Tools,
    turns::{Life, Questions},
};
use crate::{ClientTool, CommandError, OutboxEntry, OutboxError, Status, Timing, TurnError, ids};

pub(crate) use self::renewal::Lease;

/// A point in time, counted from the start of the link.
pub(crate) type Moment = Duration;

/// The largest frame that an agent takes, in bytes.
const MAX_SENT: usize = 32 << 20;

/// Who is signed in, as far as a link cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Presence {
    /// Not known yet.
    Unknown,
    /// Somebody is at the sign-in page. Whoever was signed in before still is.
    Signing,
    /// This account.
    Present(String),
    Absent,
}

/// What the owner has to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// Get an access token; if so, another than the last one, which was refused. Answer with [`Machine::token`].
    Token { after_rejection: bool },
    /// Open a socket with the last token. Answer with [`Machine::opened`] or [`Machine::refused`].
    Connect,
    /// Fetch the messages with the last token. Answer with [`Machine::history`].
    History,
    /// Write this frame to the socket.
    Write(String),
    /// Ping the socket.
    Ping,
    /// Keep a message. Answer with [`Machine::saved`].
    Save { number: u64, entry: OutboxEntry },
    /// Forget a message that was kept. Answer with [`Machine::removed`].
    Remove { message_id: String },
    /// Run a tool. Answer with [`Machine::ran`].
    RunTool { tool_call_id: String, tool_name: String, input: Value },
    /// The change of the conversation that was asked for last has succeeded, or not.
    Reworked(Result<(), CommandError>),
    /// Drop the socket and everything that is under way. Tools go on.
    Cut,
    /// Say goodbye to the socket, drop everything, and end.
    Stop,
}

/// The state of a link.
pub(crate) struct Machine {
    timing: Timing,
    entropy: Arc<dyn Entropy>,
    conversation: Conversation,
    outbox: Outbox,
    answers: Answers,
    generation: Generation,
    confirming: Confirming,
    tools: Tools,
    agent_tools: AgentTools,
    replies: Replies,
    /// A change of the conversation that the agent has not confirmed.
    rework: Option<Rework>,
    /// A call that goes on when there is a new socket.
    resuming: Option<Resuming>,
    shown: Shown,
    phase: Phase,
    renewal: Renewal,
    /// On the way from an open socket to one with a newer token.
    moving: bool,
    presence: Presence,
    /// Whose conversation this is: the first account that was seen.
    owner: Option<String>,
    /// Tries that failed since the last good connection.
    failures: u32,
    /// A refused token has been replaced since the last good connection.
    fresh_spent: bool,
    /// What it was replaced with.
    replacement: Option<Lease>,
    /// How often the agent has closed a socket with 1008 since the last good connection.
    evictions: u32,
    life: Life,
    questions: Questions,
    /// A turn to be cancelled on the next socket.
    cancel: Option<String>,
    error: Option<TurnError>,
    effects: VecDeque<Effect>,
}

impl Machine {
    pub(crate) fn new(timing: Timing, entropy: Arc<dyn Entropy>, tools: &[ClientTool]) -> Self {
        Self {
            timing,
            entropy,
            conversation: Conversation::new(),
            outbox: Outbox::default(),
            answers: Answers::default(),
            generation: Generation::default(),
            confirming: Confirming::default(),
            tools: Tools::new(tools),
            agent_tools: AgentTools::default(),
            replies: Replies::default(),
            rework: None,
            resuming: None,
            shown: Shown::default(),
            phase: Phase::Parked,
            renewal: Renewal::default(),
            moving: false,
            presence: Presence::Unknown,
            owner: None,
            failures: 0,
            fresh_spent: false,
            replacement: None,
            evictions: 0,
            life: Life::default(),
            questions: Questions::default(),
            cancel: None,
            error: None,
            effects: VecDeque::new(),
        }
    }

    /// The next thing to do.
    pub(crate) fn effect(&mut self) -> Option<Effect> {
        let effect = |change| match change {
            Change::Save { number, entry } => Effect::Save { number, entry },
            Change::Remove { message_id } => Effect::Remove { message_id },
        };
        self.effects.extend(self.outbox.changes().map(effect));
        self.effects.pop_front()
    }

    /// What an earlier process could not deliver, before anything else happens; or why nobody knows.
    pub(crate) fn restore(&mut self, outcome: Result<Vec<OutboxEntry>, OutboxError>) {
        match outcome {
            Ok(entries) => self.outbox.restore(entries),
            Err(error) => self.error = Some(TurnError::OutboxUnreadable(error)),
        }
    }

    /// When to call [`Machine::time`], if nothing else happens before.
    pub(crate) fn deadline(&self) -> Option<Moment> {
        let mut deadlines = vec![self.pause_ends(), self.outbox.sweep_at()];
        if self.phase.is_online() {
            deadlines.extend([
                Some(self.life.deadline(&self.timing)),
                self.questions.deadline(&self.timing),
                self.answers.deadline(self.timing.decision),
                self.renewal.deadline(),
                self.tools.deadline(),
            ]);
        }
        deadlines.into_iter().flatten().min()
    }

    /// The state beside the messages.
    pub(crate) fn status(&self) -> Status {
        Status {
            link: self.link_state(),
            turn: self.conversation.turn().clone(),
            deliveries: self.outbox.deliveries(),
            decisions: self.answers.decisions(),
            confirmations: self.confirmations(),
            unclear: self.may_confirm(),
            error: self.error.clone(),
            refetching: self.questions.refetches(),
            replies: self.replies.begun(),
            agent_tools: self.agent_tools.shown(),
            tool_servers: self.agent_tools.servers(),
        }
    }

    /// What has changed in [`Machine::messages`] since the last call. Brings [`Machine::status`] up to date.
    pub(crate) fn take_ops(&mut self) -> Vec<MessageOp> {
        self.agent_tools.draw();
        let ops = self.conversation.take_ops();
        let mut ops = self.shown.ops(ops, self.conversation.messages(), self.outbox.messages());
        ops.iter_mut().for_each(MessageOp::conceal_interrupts);
        ops
    }

    /// The messages as they are shown, without what in interrupts is nobody's to see: the conversation's, then those that wait to be sent. As of the last [`Machine::take_ops`].
    pub(crate) fn messages(&self) -> Vec<UiMessage> {
        let mut messages = self.shown.messages(self.conversation.messages());
        messages.iter_mut().for_each(UiMessage::conceal_interrupts);
        messages
    }

    /// Sends a text, once [`Effect::Save`] has been answered. The new message's id comes back.
    pub(crate) fn send(&mut self, text: String) -> Result<String, CommandError> {
        self.open_for_commands()?;
        if text.trim().is_empty() {
            return Err(CommandError::Empty);
        }
        let message = UiMessage::user(ids::message(&*self.entropy), text);
        let id = message.id.clone();
        // As long as it will be: the request's id is replaced by one of the same length.
        let len = self.offer_tools(ClientFrame::submit(ids::request(&*self.entropy), vec![message.clone()])).to_json().len();
        if len > MAX_SENT {
            return Err(CommandError::TooLong { len, max: MAX_SENT });
        }
        self.outbox.push(message, self.phase.is_online());
        Ok(id)
    }

    /// Answers [`Effect::Save`].
    pub(crate) fn saved(&mut self, number: u64, well: bool, now: Moment) {
        self.outbox.saved(number, well);
        self.flush(now);
    }

    /// Answers [`Effect::Remove`].
    pub(crate) fn removed(&mut self, message_id: &str, outcome: Result<(), OutboxError>, now: Moment) {
        self.outbox.removed(message_id, outcome, now);
    }

    /// Stops what goes on.
    pub(crate) fn cancel(&mut self, now: Moment) -> Result<(), CommandError> {
        self.open_for_commands()?;
        let running = self.conversation.turn().request_id().map(str::to_owned);
        match running {
            Some(request) if self.phase.is_online() => self.cancel_turn(request, now),
            Some(request) => self.cancel = Some(request),
            None => self.outbox.cancel(),
        }
        Ok(())
    }

    /// Decides on a tool call.
    pub(crate) fn decide(&mut self, call: &str, approved: bool, now: Moment) -> Result<(), CommandError> {
        self.open_for_commands()?;
        let state = answers::find(self.conversation.messages(), call).ok_or(CommandError::NoSuchCall)?;
        let waits =
            *state != ToolState::InputAvailable || !self.generation.is_old() || self.confirmations().iter().any(|known| known == call);
        if !answers::is_settled(state) && !self.answers.has(call) && waits {
            self.decided(call);
            self.answers.push(call, Answer::Decision { approved }, now);
            self.flush(now);
        }
        Ok(())
    }

    /// Sends a failed message again.
    pub(crate) fn retry(&mut self, message: &str, now: Moment) -> Result<(), CommandError> {
        self.open_for_commands()?;
        if !self.outbox.retry(message) {
            return Err(CommandError::NoSuchMessage);
        }
        self.flush(now);
        Ok(())
    }

    /// Drops a message that was not sent.
    pub(crate) fn discard(&mut self, message: &str) -> Result<(), CommandError> {
        self.open_for_commands()?;
        if !self.outbox.discard(message) {
            return Err(CommandError::NoSuchMessage);
        }
        self.conversation.discard(message);
        Ok(())
    }

    /// Something has a period that is over.
    pub(crate) fn time(&mut self, now: Moment) {
        self.outbox.sweep(now);
        if self.pause_ends().is_some_and(|end| end <= now) {
            self.start();
        } else if self.phase.is_online() {
            self.look_after_socket(now);
            self.look_after_turn(now);
            self.look_after_answers(now);
            self.look_after_token(now);
            self.run_tools(now);
            self.confirm(now);
        }
    }

    fn open_for_commands(&self) -> Result<(), CommandError> {
        if self.phase == Phase::Closed { Err(CommandError::Closed) } else { Ok(()) }
    }

    /// Writes a frame, and lets the conversation know.
    fn write(&mut self, frame: &ClientFrame) {
        if let ClientFrame::ChatRequest(request) = frame {
            self.tools.asked(&request.id);
        }
        self.effects.push_back(Effect::Write(frame.to_json()));
        self.conversation.sent(frame);
    }

    /// Writes everything that waits for a socket, if there is one. Asks last, so that the answer covers all of it.
    fn flush(&mut self, now: Moment) {
        if !self.phase.is_online() {
            return;
        }
        self.go_on_with_call(now);
        self.write_rework(now);
        self.confirm(now);
        let entropy = self.entropy.clone();
        while !self.rework.as_ref().is_some_and(Rework::holds)
            && !self.confirming.holds()
            && (!self.outbox.goes_again() || self.is_list_sure())
            && let Some(outgoing) = self.outbox.next(|| ids::request(&*entropy), now)
        {
            self.error = None;
            self.replies.ask(&outgoing.request_id, &outgoing.message.id);
            let frame = self.submit(outgoing);
            self.write(&frame);
            self.questions.expect(now + self.timing.first_answer);
        }
        let mut answered = false;
        // Nor may a decision: the agent would go on with what is taken back.
        while !self.rework.as_ref().is_some_and(Rework::holds)
            && let Some(call) = self.answers.due(|call| !self.goes_with_conversation(call))
            && let Some(frame) = self.answers.take(&call, now)
        {
            self.error = None;
            self.write(&frame);
            answered = true;
        }
        if answered {
            self.ask(now);
        }
    }

    /// Whether nothing has been taken back here that the agent may not take back after all, or there that is still here. What goes with the whole
    /// conversation would do the one, and undo the other.
    fn is_list_sure(&self) -> bool {
        self.rework.is_none() && !self.questions.outdated
    }

    /// The request for an answer to a message. The message goes alone, because an agent keeps what it has when it is told something new. One
    /// that was written before goes with the whole conversation: should the agent have got it in this very moment, a list of nothing but
    /// messages that it knows would make it delete the others.
    fn submit(&self, Outgoing { request_id, message, again }: Outgoing) -> ClientFrame {
        let alone = self.offer_tools(ClientFrame::submit(request_id.clone(), vec![message.clone()]));
        if !again {
            return alone;
        }
        let mut list = self.stored();
        list.extend(self.outbox.written().cloned());
        let whole = self.offer_tools(ClientFrame::submit(request_id, list));
        if whole.to_json().len() > MAX_SENT { alone } else { whole }
    }
}
