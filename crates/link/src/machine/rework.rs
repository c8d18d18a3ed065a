//! What takes a part of the conversation back: the answer again, a message in other words, everything away.
//!
//! One at a time, and only while nothing else goes on: each of them is a list of messages that the agent has, and the agent deletes what
//! such a list lacks (notes 6.4, 6.6). It has succeeded when the agent shows that it has it. If its socket dies before that, it is looked up in
//! the agent's list, and written again if it never arrived.

use callbox_protocol::{ClientFrame, Incoming, Part, Role, ServerFrame, TextPart, UiMessage};

use super::{Effect, MAX_SENT, Machine, Moment};
use crate::{CommandError, DeliveryState, ids};

/// How often it is written, each time to another socket, before it fails.
const MAX_WRITES: u32 = 3;

/// What is wanted.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Regenerate,
    /// This message in place of the one with its id.
    Edit(Box<UiMessage>),
    Clear,
}

#[derive(Debug, Clone, PartialEq)]
enum Stage {
    /// On the socket that is open now.
    Written { request_id: String },
    /// A clear has arrived, as far as can be told: the agent's list has the last word. `proven`: the agent has answered what was asked after it.
    Arrived { proven: bool },
    /// On a socket that died.
    Unsure { request_id: Option<String> },
    /// The agent does not have it, and may have it now.
    Ready,
}

/// A change that the agent has not confirmed.
#[derive(Debug)]
pub(super) struct Rework {
    kind: Kind,
    /// The messages that stay before the cut, and those that were there when it was asked for, by id.
    kept: Vec<String>,
    known: Vec<String>,
    stage: Stage,
    writes: u32,
    /// Of the frame, in bytes.
    len: usize,
}

impl Rework {
    /// The messages that will be gone.
    fn dropped(&self) -> impl Iterator<Item = &String> {
        let stays = |id: &String| match &self.kind {
            Kind::Clear => false,
            Kind::Regenerate => self.kept.contains(id),
            Kind::Edit(message) => message.id == *id || self.kept.contains(id),
        };
        self.known.iter().filter(move |id| !stays(id))
    }

    /// Whether the agent's messages show that the agent has it.
    fn shows_in(&self, messages: &[UiMessage]) -> bool {
        let is_there = |id: &String| messages.iter().any(|message| message.id == *id);
        let reworded = |wanted: &UiMessage| messages.iter().any(|message| message.id == wanted.id && message.text() == wanted.text());
        matches!(&self.kind, Kind::Edit(message) if reworded(message)) || self.dropped().any(|id| !is_there(id))
    }

    /// Whether somebody has gone on with what was to be changed.
    fn is_overtaken(&self, messages: &[UiMessage]) -> bool {
        messages.iter().any(|message| !self.known.contains(&message.id))
    }

    /// What the agent's messages make of it, if they decide it.
    fn verdict(&self, messages: &[UiMessage], in_time: bool) -> Option<Result<(), CommandError>> {
        match self.stage {
            Stage::Written { .. } | Stage::Ready => None,
            Stage::Arrived { .. } if messages.is_empty() || self.shows_in(messages) => Some(Ok(())),
            Stage::Arrived { proven } => proven.then_some(Err(CommandError::NotTaken)),
            Stage::Unsure { .. } if self.shows_in(messages) => Some(Ok(())),
            // Nothing had to go, and there is something new: the answer.
            Stage::Unsure { .. } if self.is_overtaken(messages) && self.dropped().next().is_none() => Some(Ok(())),
            // Not before it can no longer arrive and be made all the same.
            Stage::Unsure { .. } if self.is_overtaken(messages) => in_time.then_some(Err(CommandError::GoneOn)),
            Stage::Unsure { .. } if in_time && self.writes >= MAX_WRITES => Some(Err(CommandError::NotTaken)),
            Stage::Unsure { .. } => None,
        }
    }

    /// The frame, made of the messages that the agent has.
    fn frame(&self, stored: Vec<UiMessage>, request_id: &str) -> ClientFrame {
        let mut messages: Vec<UiMessage> = stored.into_iter().filter(|message| self.kept.contains(&message.id)).collect();
        match &self.kind {
            Kind::Regenerate => ClientFrame::regenerate(request_id, messages),
            Kind::Edit(message) => {
                // A submit would do for one class of agents; the other takes only this for a new answer in the place of the old.
                messages.push((**message).clone());
                ClientFrame::regenerate(request_id, messages)
            }
            Kind::Clear => ClientFrame::clear(),
        }
    }

    /// The socket is gone.
    pub(super) fn lost(&mut self) {
        self.stage = match &mut self.stage {
            Stage::Written { request_id } if self.kind != Kind::Clear => Stage::Unsure { request_id: Some(std::mem::take(request_id)) },
            Stage::Unsure { request_id } => Stage::Unsure { request_id: request_id.take() },
            Stage::Written { .. } | Stage::Arrived { .. } => Stage::Unsure { request_id: None },
            Stage::Ready => Stage::Ready,
        };
    }

    /// Nothing may overtake it.
    pub(super) fn holds(&self) -> bool {
        matches!(self.stage, Stage::Unsure { .. } | Stage::Ready)
    }

    pub(super) fn is_in_doubt(&self) -> bool {
        matches!(self.stage, Stage::Unsure { .. })
    }

    /// Whether this frame may have been sent before the agent had it: it tells of what is taken back, and nothing will say to us that it is gone.
    pub(super) fn is_crossed_by(&self, frame: &Incoming<'_>) -> bool {
        let Stage::Written { request_id } = &self.stage else { return false };
        match frame {
            Incoming::Piece(piece) => piece.request_id() != request_id,
            Incoming::Frame(frame) => {
                matches!(**frame, ServerFrame::Messages(_) | ServerFrame::MessageUpdated(_) | ServerFrame::Cleared(_))
            }
        }
    }

    /// On the socket that is open now, and the agent has not shown that it has it.
    pub(super) fn is_written(&self) -> bool {
        matches!(self.stage, Stage::Written { .. })
    }

    /// It should be there, and nobody has said so.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(self.stage, Stage::Arrived { proven: false })
    }
}

impl Machine {
    /// Has an answer written again: the one with this id, with everything behind it gone; or the last one. If the last message has no
    /// answer, it gets one.
    pub(crate) fn regenerate(&mut self, answer: Option<&str>, now: Moment) -> Result<(), CommandError> {
        let stored = self.open_for_rework()?;
        let at = match answer {
            Some(id) => stored.iter().position(|message| message.id == id).ok_or(CommandError::NoSuchAnswer)?,
            None => stored.len().checked_sub(1).ok_or(CommandError::NoSuchAnswer)?,
        };
        // A list of nothing deletes nothing, and there would be nothing to answer.
        let cut = if stored.get(at).is_some_and(|message| message.role == Role::User) { at + 1 } else { at };
        if cut == 0 {
            return Err(CommandError::NoSuchAnswer);
        }
        self.rework(Kind::Regenerate, stored, cut, now)
    }

    /// Puts other words into a message of the user, and has it answered. Everything behind it is gone.
    pub(crate) fn edit(&mut self, message: &str, text: String, now: Moment) -> Result<(), CommandError> {
        let stored = self.open_for_rework()?;
        if text.trim().is_empty() {
            return Err(CommandError::Empty);
        }
        let at = stored.iter().position(|known| known.id == message && known.role == Role::User).ok_or(CommandError::NoSuchAnswer)?;
        let Some(before) = stored.get(at) else { return Err(CommandError::NoSuchAnswer) };
        let edited = Box::new(reworded(before, text));
        self.rework(Kind::Edit(edited), stored, at, now)
    }

    /// Empties the conversation.
    pub(crate) fn clear(&mut self, now: Moment) -> Result<(), CommandError> {
        let stored = self.open_for_rework()?;
        self.rework(Kind::Clear, stored, 0, now)
    }

    /// The messages that the agent has, if nothing goes on.
    fn open_for_rework(&self) -> Result<Vec<UiMessage>, CommandError> {
        self.open_for_commands()?;
        if !self.phase.is_online() {
            return Err(CommandError::NotOnline);
        }
        let failed = |state: &DeliveryState| matches!(state, DeliveryState::Failed(_));
        let delivers = self.outbox.deliveries().iter().any(|delivery| !failed(&delivery.state));
        // Nor while it is not known what runs, or the list here may lack something: what nobody has seen would go with the rest.
        let unsure = self.questions.is_open() || self.questions.refetches();
        if self.rework.is_some() || delivers || unsure || self.conversation.turn().is_active() || !self.answers.is_empty() {
            return Err(CommandError::Busy);
        }
        // A message that is still kept would be sent once more after a restart, because the agent does not have it any more.
        match self.outbox.is_swept() {
            Ok(true) => Ok(self.stored()),
            Ok(false) => Err(CommandError::Busy),
            Err(error) => Err(CommandError::NotSaved(error)),
        }
    }

    /// The messages of the conversation without those that the agent may not have.
    pub(super) fn stored(&self) -> Vec<UiMessage> {
        let mut stored = self.conversation.stored();
        stored.retain(|known| !self.outbox.messages().any(|own| own.id == known.id));
        stored
    }

    fn rework(&mut self, kind: Kind, stored: Vec<UiMessage>, cut: usize, now: Moment) -> Result<(), CommandError> {
        let known: Vec<String> = stored.iter().map(|message| message.id.clone()).collect();
        let mut rework = Rework { kept: known[..cut].to_vec(), kind, known, stage: Stage::Ready, writes: 0, len: 0 };
        // As long as it will be: the request's id is replaced by one of the same length.
        rework.len = self.offer_tools(rework.frame(stored, &ids::request(&*self.entropy))).to_json().len();
        if rework.len > MAX_SENT {
            return Err(CommandError::TooLong { len: rework.len, max: MAX_SENT });
        }
        self.rework = Some(rework);
        self.write_rework(now);
        Ok(())
    }

    /// Writes what is wanted, if its time has come.
    pub(super) fn write_rework(&mut self, now: Moment) {
        let request_id = ids::request(&*self.entropy);
        let stored = self.stored();
        let Some(rework) = self.rework.as_mut().filter(|rework| rework.stage == Stage::Ready) else { return };
        let frame = rework.frame(stored, &request_id);
        rework.stage = Stage::Written { request_id };
        rework.writes += 1;
        let clears = rework.kind == Kind::Clear;
        self.error = None;
        let frame = self.offer_tools(frame);
        self.write(&frame);
        self.refetch_is_stale();
        if clears {
            // There is no echo: the answer to a question that comes after it says that it has arrived.
            self.ask(now);
        } else {
            self.questions.expect(now + self.timing.first_answer);
        }
    }

    /// What a frame says about it.
    pub(super) fn look_for_rework(&mut self, frame: &Incoming<'_>, now: Moment) {
        let Some(Rework { stage: Stage::Written { request_id } | Stage::Unsure { request_id: Some(request_id) }, .. }) = &self.rework
        else {
            return;
        };
        let (of_it, skipped) = match frame {
            Incoming::Piece(piece) => (piece.request_id() == request_id, piece.outcome() == Some("skipped")),
            Incoming::Frame(frame) => match &**frame {
                ServerFrame::Resuming(frame) => (frame.id == *request_id, false),
                ServerFrame::Pending(frame) => (frame.id.as_ref() == Some(request_id), false),
                _ => (false, false),
            },
        };
        if !of_it {
            return;
        }
        let unheard = self.rework.as_ref().is_some_and(Rework::is_in_doubt);
        self.reworked(if skipped { Err(CommandError::Skipped) } else { Ok(()) });
        self.rework_is_there(now);
        if skipped || unheard {
            // What is gone here is still there; or what is gone there has come back here with a list.
            self.questions.outdated = true;
            self.refetch(now);
        }
    }

    /// A turn is over. It was asked for on this socket, so the agent has had the request.
    pub(super) fn turn_of_rework_ended(&mut self, request: &str, now: Moment) {
        if matches!(&self.rework, Some(Rework { stage: Stage::Written { request_id }, .. }) if request_id == request) {
            self.reworked(Ok(()));
            self.rework_is_there(now);
        }
    }

    /// The question that was asked after a clear has been answered (`proven`), or never will be: the agent's list is wanted.
    pub(super) fn clear_has_arrived(&mut self, proven: bool, now: Moment) {
        if let Some(rework) = self.rework.as_mut().filter(|rework| rework.kind == Kind::Clear && rework.is_written()) {
            rework.stage = Stage::Arrived { proven };
            self.rework_is_there(now);
            self.refetch(now);
        }
    }

    /// The agent closed the socket because what was written last is too large. False if that was something else.
    pub(super) fn rework_is_too_large(&mut self) -> bool {
        let Some(Rework { stage: Stage::Written { .. }, len, .. }) = self.rework else { return false };
        self.reworked(Err(CommandError::TooLong { len, max: MAX_SENT }));
        true
    }

    /// The agent's messages have come. What was written to an earlier socket will not come if it has had the time to and nothing runs (`in_time`). The
    /// request of which nothing will come is returned.
    pub(super) fn reconcile_rework(&mut self, messages: &[UiMessage], in_time: bool) -> Option<String> {
        let rework = self.rework.as_mut()?;
        if let Some(outcome) = rework.verdict(messages, in_time) {
            self.reworked(outcome);
        } else if let (Stage::Unsure { request_id }, true) = (&mut rework.stage, in_time) {
            let lost = request_id.take();
            rework.stage = Stage::Ready;
            return lost;
        }
        None
    }

    fn reworked(&mut self, outcome: Result<(), CommandError>) {
        self.rework = None;
        self.effects.push_back(Effect::Reworked(outcome));
    }
}

/// The message with this text in place of its own, and with everything that was attached to it.
fn reworded(message: &UiMessage, text: String) -> UiMessage {
    let mut message = message.clone();
    let at = message.parts.iter().position(|part| matches!(part, Part::Text(_))).unwrap_or_default();
    message.parts.retain(|part| !matches!(part, Part::Text(_)));
    message.parts.insert(at.min(message.parts.len()), Part::Text(TextPart { text, ..TextPart::default() }));
    message
}
