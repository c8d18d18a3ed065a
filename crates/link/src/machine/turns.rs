//! What happens on an open socket: frames, turns that are asked after, answers that are looked up, and whether anybody is still there.

use std::time::Duration;

use callbox_protocol::{ClientFrame, Incoming, Outcome, Pending, Reaction, ResumeNone, Role, ServerFrame, Turn, UiMessage};

use super::{Effect, Machine, Moment, answers::Verdict, connect::Phase, rework::Rework};
use crate::{LinkError, Timing, TurnError, ids};

/// How often in a row the agent may leave a question unanswered before its turn counts as dead.
const MAX_UNANSWERED: u32 = 3;

/// Between two looks at the agent's messages, at least, while something is in doubt.
const PACE: Moment = Moment::from_secs(1);

/// Whether the other end of the socket is alive.
#[derive(Debug, Default)]
pub(super) struct Life {
    heard: Moment,
    pinged: Moment,
    /// Must be heard of by then.
    check: Option<Moment>,
}

impl Life {
    pub(super) fn begin(&mut self, now: Moment) {
        *self = Self { heard: now, pinged: now, check: None };
    }

    pub(super) fn check(&mut self, now: Moment, timing: &Timing) {
        self.pinged = now;
        self.check.get_or_insert(now + timing.check);
    }

    fn next_ping(&self, timing: &Timing) -> Moment {
        self.heard.max(self.pinged) + timing.ping
    }

    fn dead_at(&self, timing: &Timing) -> Moment {
        let usual = self.heard + timing.silence;
        self.check.map_or(usual, |check| check.min(usual))
    }

    pub(super) fn deadline(&self, timing: &Timing) -> Moment {
        self.next_ping(timing).min(self.dead_at(timing))
    }
}

/// What the agent is asked, and when it will be.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// When to ask what became of the turn.
    next: Option<Moment>,
    probe: Option<Probe>,
    unanswered: u32,
    /// The last question on this socket was not answered.
    silent: bool,
    /// A turn that was cancelled; the oldest agents do not say that it has ended.
    cancelled: Option<String>,
    refetch: Option<Refetch>,
    /// When to ask for the messages again, because they could not be had, and how often in a row that was so.
    later: Option<Moment>,
    failures: u32,
    /// To be asked for again as soon as the agent has what was taken back.
    put_off: bool,
    /// The list here may have what the agent is known to have taken back: the agent's own is on its way.
    pub(super) outdated: bool,
}

#[derive(Debug)]
struct Probe {
    id: String,
    at: Moment,
}

#[derive(Debug)]
struct Refetch {
    at: Moment,
    /// Nothing ran when they were asked for, so they are final.
    settled: bool,
    /// There has been another reason since.
    again: bool,
    /// Something was taken back, or is known to have been, since: what comes may still have it.
    stale: bool,
    /// The agent does not answer on this socket: what was written to it may still be on its way.
    silent: bool,
}

impl Questions {
    /// Unless something is heard before `at`, ask.
    pub(super) fn expect(&mut self, at: Moment) {
        self.next = Some(at);
    }

    /// Whether the agent has been asked what runs, and has not said so.
    pub(super) fn is_open(&self) -> bool {
        self.probe.is_some()
    }

    /// Whether the messages are being asked for once more, or will be.
    pub(super) fn refetches(&self) -> bool {
        self.refetch.is_some() || self.later.is_some() || self.put_off
    }

    pub(super) fn deadline(&self, timing: &Timing) -> Option<Moment> {
        let question = match &self.probe {
            Some(probe) => Some(probe.at + timing.probe),
            None => self.next,
        };
        [question, self.later].into_iter().flatten().min()
    }
}

impl Machine {
    /// Something came from the socket that is no frame.
    pub(crate) fn alive(&mut self, now: Moment) {
        self.life.heard = now;
        self.life.check = None;
    }

    /// A frame came.
    pub(crate) fn frame(&mut self, frame: Incoming<'_>, now: Moment) {
        if !self.phase.is_online() {
            return;
        }
        self.alive(now);
        self.generation.heard(&frame);
        let changes = self.rework.is_some();
        self.questions.put_off |= self.rework.as_ref().is_some_and(|rework| rework.is_crossed_by(&frame));
        self.look_for_rework(&frame, now);
        let usual = match &frame {
            Incoming::Piece(piece) => {
                self.answers.confirm_request(piece.request_id());
                // An end alone may be that of a request which the agent has dropped.
                if piece.says_something() {
                    self.answered(piece.request_id());
                }
                Some(self.timing.next_answer)
            }
            Incoming::Frame(frame) => {
                self.agent_tools.heard(frame);
                match &**frame {
                    ServerFrame::Messages(list) => {
                        self.refetch_is_older();
                        self.outbox.taken(&list.messages);
                        self.answers.reconcile_known(&list.messages);
                    }
                    ServerFrame::MessageUpdated(updated) => {
                        self.refetch_is_older();
                        self.answers.reconcile_known(std::slice::from_ref(&updated.message));
                    }
                    ServerFrame::Cleared(_) => self.refetch_is_older(),
                    ServerFrame::Resuming(offer) => self.answered(&offer.id),
                    ServerFrame::Pending(Pending { id: Some(id), .. }) => self.answered(id),
                    _ => {}
                }
                self.take_answer(frame, now);
                matches!(**frame, ServerFrame::Pending(_) | ServerFrame::Recovering(_)).then_some(self.timing.pending)
            }
        };
        self.fold(frame, now);
        self.replies.look(&self.conversation);
        self.expect_more(usual, now);
        self.run_tools(now);
        self.confirm(now);
        self.look_after_token(now);
        if changes && self.rework.is_none() {
            self.flush(now);
        }
    }

    /// The agent works on a request.
    fn answered(&mut self, request: &str) {
        if let Some(message) = self.outbox.answered(request) {
            self.conversation.confirm(&message);
        }
    }

    /// Lets the conversation have a frame, and does what it asks for.
    fn fold(&mut self, frame: Incoming<'_>, now: Moment) {
        let active = self.conversation.turn().is_active();
        let mut nothing_runs = false;
        for reaction in self.conversation.receive(frame) {
            match reaction {
                Reaction::Acknowledge { request_id } => {
                    self.write(&ClientFrame::acknowledge(request_id));
                    self.questions.expect(now + self.timing.acknowledged);
                }
                Reaction::TurnStarted { .. } => self.error = None,
                Reaction::TurnFailed { text, .. } | Reaction::Notice { text, .. } => {
                    self.error = Some(TurnError::told(&text));
                }
                Reaction::TurnEnded { request_id, outcome } => {
                    self.turn_of_rework_ended(&request_id, now);
                    self.turn_of_tools_ended(&request_id);
                    if matches!(outcome, Outcome::Aborted | Outcome::Error) || self.questions.cancelled.as_ref() == Some(&request_id) {
                        self.stop_calls();
                    }
                    match outcome {
                        Outcome::Lost => self.refetch(now),
                        Outcome::Skipped => self.outbox.skipped(&request_id, now),
                        _ => {}
                    }
                }
                Reaction::Refetch => self.refetch(now),
                Reaction::RolledBack { message_ids } => self.outbox.rolled_back(&message_ids),
                Reaction::NothingRuns { .. } => nothing_runs = true,
                Reaction::Settled { tool_call_id } => self.answers.confirm(&tool_call_id),
                Reaction::Delivered { message_ids } => self.outbox.confirm(|id| message_ids.iter().any(|known| known == id)),
            }
        }
        if nothing_runs && active && !self.conversation.turn().is_active() {
            // It has ended unheard.
            self.refetch(now);
        }
    }

    /// How long the agent may be silent now. `usual`: after such a frame; `None` after one that says nothing of that.
    fn expect_more(&mut self, usual: Option<Duration>, now: Moment) {
        if !self.conversation.turn().is_active() {
            self.questions.next = None;
            self.questions.cancelled = None;
            return;
        }
        match usual {
            Some(usual) => self.questions.expect(now + usual),
            None => {
                let next = now + self.timing.next_answer;
                self.questions.next.get_or_insert(next);
            }
        }
    }

    // --- Asking what runs -------------------------------------------------------------------------------------------------------------

    /// Asks what runs. The answer to an earlier question does not count any more.
    pub(super) fn ask(&mut self, now: Moment) {
        let id = ids::probe(&*self.entropy);
        self.write(&ClientFrame::probe(id.clone()));
        self.questions.probe = Some(Probe { id, at: now });
    }

    /// Matches an answer with the question.
    fn take_answer(&mut self, frame: &ServerFrame, now: Moment) {
        let named = match frame {
            ServerFrame::Resuming(frame) => &frame.probe_id,
            ServerFrame::Pending(frame) => &frame.probe_id,
            ServerFrame::ResumeNone(frame) => &frame.probe_id,
            _ => return,
        };
        // Older agents do not repeat the question's id.
        if self.questions.probe.as_ref().is_some_and(|probe| named.as_ref().is_none_or(|named| *named == probe.id)) {
            self.questions.probe = None;
            self.questions.unanswered = 0;
            self.questions.silent = false;
            // One that does not name the question may be no answer at all.
            self.clear_has_arrived(named.is_some(), now);
        }
    }

    pub(super) fn look_after_turn(&mut self, now: Moment) {
        if !self.phase.is_online() {
            return;
        }
        if self.questions.later.is_some_and(|later| later <= now) {
            self.refetch(now);
        }
        if self.questions.probe.as_ref().is_some_and(|probe| probe.at + self.timing.probe <= now) {
            let unanswered = self.questions.probe.take();
            self.generation.ignored();
            self.questions.silent = true;
            self.clear_has_arrived(false, now);
            if !self.conversation.turn().is_active() {
                return;
            }
            self.questions.unanswered += 1;
            if let Some(request) = self.questions.cancelled.take() {
                drop(self.conversation.abandon(&request));
                self.stop_calls();
            }
            self.questions.expect(now + self.timing.next_answer);
            if self.questions.unanswered >= MAX_UNANSWERED {
                self.give_turn_up(unanswered, now);
            }
            // The oldest agents know no such question: what they have stored is all there is to go by.
            self.refetch(now);
        } else if self.questions.probe.is_none() && self.questions.next.is_some_and(|next| next <= now) {
            self.questions.next = None;
            if self.conversation.turn().is_active() {
                self.ask(now);
            }
        }
    }

    /// Concludes, in the agent's place, that nothing runs.
    fn give_turn_up(&mut self, probe: Option<Probe>, now: Moment) {
        let none = ResumeNone { reason: Some("idle".to_owned()), probe_id: probe.map(|probe| probe.id), ..ResumeNone::default() };
        self.fold(Incoming::from(&ServerFrame::ResumeNone(none)), now);
        self.questions.next = None;
        self.questions.unanswered = 0;
    }

    /// Stops a turn at the agent.
    pub(super) fn cancel_turn(&mut self, request: String, now: Moment) {
        self.write(&ClientFrame::cancel(request.clone()));
        self.questions.cancelled = Some(request);
        self.questions.expect(now + self.timing.cancelled);
    }

    // --- Asking for the messages ------------------------------------------------------------------------------------------------------

    /// The messages that are on their way may be those of before: they are not taken, and asked for again when they have come.
    pub(super) fn refetch_is_stale(&mut self) {
        if let Some(refetch) = &mut self.questions.refetch {
            refetch.stale = true;
        }
    }

    /// The messages that are on their way may be those from before what has been told now: they are asked for again when they have come.
    fn refetch_is_older(&mut self) {
        if let Some(refetch) = &mut self.questions.refetch {
            refetch.again = true;
        }
    }

    /// The agent has what was taken back. Every list that was asked for until now may have overtaken it.
    pub(super) fn rework_is_there(&mut self, now: Moment) {
        self.refetch_is_stale();
        if std::mem::take(&mut self.questions.put_off) {
            self.refetch(now);
        }
    }

    /// Asks for the messages once more.
    pub(super) fn refetch(&mut self, now: Moment) {
        self.questions.later = None;
        match &mut self.questions.refetch {
            Some(refetch) => refetch.again |= refetch.at < now,
            None => {
                let (settled, silent) = (!self.conversation.turn().is_active(), self.questions.silent);
                self.questions.refetch = Some(Refetch { at: now, settled, again: false, stale: false, silent });
                self.fetch();
            }
        }
    }

    pub(super) fn refetched(&mut self, outcome: Result<Vec<UiMessage>, LinkError>, now: Moment) {
        let Some(refetch) = self.questions.refetch.take() else { return };
        if outcome == Err(LinkError::Rejected) {
            // The socket has the same token: it will be closed as soon as somebody says something.
            return self.lost(LinkError::Rejected, now);
        }
        let Ok(messages) = outcome else {
            // The socket is what matters, so it stays; but there was a reason to ask.
            self.questions.failures = self.questions.failures.saturating_add(1);
            self.questions.later = Some(now + self.timing.backoff(self.questions.failures, ids::chance(&*self.entropy)));
            return;
        };
        self.questions.failures = 0;
        // A request and a socket are two roads: a list can show what a change that was written before it will take away.
        if self.rework.as_ref().is_some_and(Rework::is_written) {
            self.questions.put_off = true;
            return;
        }
        if refetch.stale {
            return self.refetch(now);
        }
        self.questions.outdated = false;
        let settled = refetch.settled && !self.conversation.turn().is_active();
        self.take_snapshot(messages, settled && !refetch.silent, refetch.at);
        let waits = refetch.silent && settled && self.outbox.waits_since(refetch.at);
        if waits || self.rework.as_ref().is_some_and(Rework::is_doubtful) {
            // It does not show, and the agent does not answer: it may still be on its way, and nothing here will tell.
            return self.lost(LinkError::Silent, now);
        }
        self.confirm_by(refetch.at, now);
        if refetch.again {
            self.refetch(now);
        }
        if settled && self.error.is_none() && self.conversation.messages().last().is_some_and(|last| last.role == Role::User) {
            self.error = Some(TurnError::NoAnswer);
        }
        match self.answers.judge() {
            Verdict::Fine => {
                self.flush(now);
                self.run_tools(now);
            }
            // Never twice on one socket; and what was shown as answered is as the agent has it only after a new start.
            verdict => {
                if let Verdict::GivenUp(requests) = verdict {
                    self.error = Some(TurnError::DecisionNotTaken);
                    for request in requests {
                        drop(self.conversation.abandon(&request));
                    }
                }
                self.cut();
                self.start();
            }
        }
    }

    /// Takes the agent's messages, asked for at `asked`. `settled`: nothing ran when they were asked for, then.
    pub(super) fn take_snapshot(&mut self, messages: Vec<UiMessage>, settled: bool, asked: Moment) {
        // What was written to the socket before this one can still be on its way: sent again too early, it would be there twice, and the
        // straggler, a list of nothing but what the agent knows, would make it delete the rest.
        let arrived = if let Phase::Online { since } = self.phase { since + self.timing.doubt } else { asked };
        let mut lost = self.outbox.reconcile(&messages, asked, settled, asked >= arrived);
        lost.extend(self.reconcile_rework(&messages, asked >= arrived && self.is_still()));
        lost.extend(self.answers.reconcile(&messages, asked, asked >= arrived));
        if self.outbox.is_in_doubt() || self.rework.as_ref().is_some_and(Rework::is_in_doubt) || self.answers.is_in_doubt() {
            let next = if asked < arrived { arrived } else { asked + self.timing.doubt.max(PACE) };
            self.questions.later.get_or_insert(next);
        }
        let over = if self.generation.is_old() { self.conversation.answered_in(&messages) } else { Vec::new() };
        self.conversation.snapshot(messages);
        for request in lost {
            // It never arrived, or will be asked for anew: either way there is nothing to wait for.
            self.conversation.give_up(&request);
        }
        for request in over {
            drop(self.conversation.abandon(&request));
        }
    }

    /// Whether nothing runs, as far as anybody has said on this socket.
    fn is_still(&self) -> bool {
        matches!(self.conversation.turn(), Turn::Idle | Turn::Interrupted { .. }) && !self.questions.is_open()
    }

    // --- Answers and life -----------------------------------------------------------------------------------------------------------

    pub(super) fn look_after_answers(&mut self, now: Moment) {
        if self.phase.is_online() && self.answers.doubt(now, self.timing.decision) {
            self.refetch(now);
        }
    }

    pub(super) fn look_after_socket(&mut self, now: Moment) {
        if self.life.check.is_some_and(|check| check <= now) {
            self.found_dead();
        } else if self.life.dead_at(&self.timing) <= now {
            self.lost(LinkError::Silent, now);
        } else if self.life.next_ping(&self.timing) <= now {
            self.life.pinged = now;
            self.effects.push_back(Effect::Ping);
        }
    }
}

#[cfg(test)]
impl Machine {
    /// The id of the open question.
    pub(super) fn questions_probe(&self) -> Option<&str> {
        self.questions.probe.as_ref().map(|probe| probe.id.as_str())
    }
}
