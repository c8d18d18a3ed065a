//! Response frames: the life of a turn.

use crate::chunk::Chunk;
use crate::incoming::{Piece, Said};
use crate::message::Role;
use crate::stored;

use super::Conversation;
use super::chunks::{self, Fold};
use super::list::List;
use super::merge::keep_decided;
use super::running::{Again, Ended, Phase, Running, Stream};
use super::turn::{Outcome, Reaction};

/// Whether a chunk is the first of its turn.
fn is_first(piece: &Piece<'_>, said: &Said<'_>) -> bool {
    let begins = || match said {
        Said::Chunk(chunk) => match &**chunk {
            Chunk::Start(_) => true,
            // Of an agent that answers with plain text.
            Chunk::TextStart(start) => start.id.as_deref() == Some(piece.request_id()),
            _ => false,
        },
        _ => false,
    };
    piece.seq.map_or_else(begins, |seq| seq == 0)
}

/// The call that ends with this chunk.
fn settled_by(chunk: &Chunk) -> Option<&str> {
    match chunk {
        Chunk::ToolOutputAvailable(chunk) => Some(&chunk.tool_call_id),
        Chunk::ToolOutputError(chunk) => Some(&chunk.tool_call_id),
        Chunk::ToolOutputDenied(chunk) => Some(&chunk.tool_call_id),
        _ => None,
    }
}

impl Conversation {
    pub(super) fn on_response(&mut self, mut piece: Piece<'_>, reactions: &mut Vec<Reaction>) {
        let said = std::mem::take(&mut piece.said);
        let failure = match &said {
            Said::Words(text) if piece.error => Some(text.clone()),
            Said::Nothing if piece.error => Some(String::new()),
            Said::Chunk(chunk) => match &**chunk {
                Chunk::ErrorChunk(chunk) => Some(chunk.error_text.clone().unwrap_or_default()),
                _ => None,
            },
            _ => None,
        };
        let id = &*piece.request_id;
        let known = self.running.iter().position(|running| running.id == id);
        if known.is_none()
            && let Some(ended) = self.ledger.get_mut(id)
        {
            // A stored failure is told again on every resume, and once by us.
            if let (Some(text), false) = (failure, ended.failed) {
                ended.failed = true;
                reactions.push(Reaction::TurnFailed { request_id: id.to_owned(), text });
            }
            return;
        }
        let (replay, done) = (piece.replay, piece.done);
        if replay && known.is_none() && !self.acknowledged.contains(id) {
            return;
        }
        self.anonymous = None;
        let at = known.unwrap_or_else(|| self.running_at(id));
        // The list that lacked its messages was from before them.
        self.running[at].rolled_back &= said == Said::Nothing && matches!(piece.outcome(), None | Some("skipped"));
        // A turn that was never begun says nothing of its messages.
        if piece.outcome() != Some("skipped") {
            self.delivered(at, reactions);
        }
        self.running[at].offered &= !replay;
        let words = match said {
            Said::Words(words) => Some(words),
            Said::Nothing => None,
            chunk => {
                self.on_chunk(at, &piece, chunk, reactions);
                None
            }
        };
        let running = &mut self.running[at];
        if piece.replay_complete {
            running.stream.again = None;
        }
        if !done && running.phase != Phase::Cleared {
            running.phase = Phase::Streaming;
        }
        if let Some(text) = failure {
            reactions.push(Reaction::TurnFailed { request_id: id.to_owned(), text });
            self.end(at, Outcome::Error, replay, true, reactions);
        } else if done {
            if let Some(text) = words {
                reactions.push(Reaction::Notice { request_id: id.to_owned(), text });
            }
            let outcome = match piece.outcome() {
                Some("error") => Outcome::Error,
                Some("aborted") => Outcome::Aborted,
                Some("skipped") => Outcome::Skipped,
                Some("recovering") => Outcome::Recovering,
                // Older agents do not say that they have dropped a request, but they take its messages back first.
                _ if self.running[at].rolled_back && !self.running[at].stream.begun => Outcome::Skipped,
                _ => Outcome::Completed,
            };
            self.end(at, outcome, replay, false, reactions);
        }
    }

    /// The place of a turn among those that run; a turn of somebody else begins to be observed here.
    pub(super) fn running_at(&mut self, id: &str) -> usize {
        self.anonymous = None;
        if let Some(at) = self.running.iter().position(|running| running.id == id) {
            return at;
        }
        // One of ours that had been given up: its request was late, and what the others were told of its messages was not sent here.
        let crowded = self.asked.iter().any(|asked| asked == id);
        self.running.push(Running { crowded, ..Running::new(id, false, self.frames_sent) });
        self.running.len() - 1
    }

    /// The agent answers, or will: what came with the request is stored there.
    pub(super) fn delivered(&mut self, at: usize, reactions: &mut Vec<Reaction>) {
        let running = &mut self.running[at];
        if !running.own || running.rolled_back || self.unconfirmed.is_empty() {
            return;
        }
        let ids: Vec<_> = running.message_ids.iter().filter(|id| self.unconfirmed.contains(id)).cloned().collect();
        if !ids.is_empty() {
            self.unconfirmed.retain(|id| !ids.contains(id));
            self.recent.extend_from_slice(&ids);
            reactions.push(Reaction::Delivered { message_ids: ids });
        }
    }

    /// `said`: a chunk.
    fn on_chunk(&mut self, at: usize, piece: &Piece<'_>, said: Said<'_>, reactions: &mut Vec<Reaction>) {
        let (replay, seq) = (piece.replay, piece.seq);
        if !self.running[at].stream.begun {
            self.begin(at, piece.continuation);
            reactions.push(Reaction::TurnStarted { request_id: piece.request_id().to_owned() });
        }
        if replay && is_first(piece, &said) {
            self.begin_replay(at, seq.is_some());
        }
        let running = &mut self.running[at];
        let request_id = &running.id;
        running.stream.replayed |= replay;
        let new = running.stream.accept(seq);
        if let Some(again) = running.stream.again.as_mut().filter(|_| replay)
            && again.stream.accept(seq)
        {
            let Again { list, stream } = &mut **again;
            let mut fold = Fold { list, stream, request_id, replay, invented: &mut Vec::new() };
            if !new {
                return fold.apply(said);
            }
            fold.apply(said.clone());
        }
        if !new {
            return;
        }
        let settles = match &said {
            Said::Chunk(chunk) if !self.optimistic.is_empty() => settled_by(chunk).map(str::to_owned),
            _ => None,
        };
        let mut aside = running.stream.aside.take();
        let list = aside.as_deref_mut().unwrap_or(&mut self.list);
        Fold { list, stream: &mut running.stream, request_id, replay, invented: &mut self.invented }.apply(said);
        running.stream.aside = aside;
        if let Some(call) = settles {
            self.settled(&call, reactions);
        }
    }

    /// The first chunk of a turn. A continuation goes on with the last message of the agent.
    fn begin(&mut self, at: usize, continuation: bool) {
        let stream = &mut self.running[at].stream;
        stream.begun = true;
        stream.continuation = continuation;
        if continuation {
            // What it goes on with may be a message that is not here yet.
            stream.detached = self.behind;
            let last = self.list.all().iter().rev().find(|message| message.role == Role::Assistant);
            stream.target = last.map(|message| message.id.clone());
            stream.stored = last.cloned();
        }
    }

    /// The agent sends the turn again from its first chunk. If the chunks are numbered and all that came are folded, the numbers
    /// tell which are new; else the message is built anew.
    fn begin_replay(&mut self, at: usize, numbered: bool) {
        let stream = &mut self.running[at].stream;
        let place = stream.target.as_deref().and_then(|target| self.list.position(target));
        let (anew, base) = stream.anew(place.and_then(|place| self.list.get(place)));
        if numbered && !stream.dirty && !stream.detached {
            let list = List::unwatched(base);
            stream.again = Some(Box::new(Again { list, stream: anew }));
            return;
        }
        *stream = anew;
        match (place, base) {
            (Some(place), Some(base)) => self.list.replace(place, base),
            (Some(place), None) => self.list.truncate_parts(place, 0),
            (None, _) => {}
        }
    }

    /// An agent that was killed ends the turn after what it had stored of it. What it sent and lost is gone.
    fn cut_to_replay(&mut self, stream: &mut Stream) {
        let kept = match stream.again.take() {
            Some(again) if again.stream.applied < stream.applied => {
                let mut message = again.list.get(0).cloned();
                if let (Some(message), Some(signature)) = (&mut message, &again.stream.signature) {
                    chunks::sign(message, signature);
                }
                stream.signature = None;
                message
            }
            None if !stream.replayed => stream.stored.clone(),
            _ => return,
        };
        let Some(target) = &stream.target else { return };
        match (self.list.position(target), kept) {
            (Some(at), Some(mut kept)) => {
                if let Some(shown) = self.list.get(at) {
                    keep_decided(&mut kept, shown);
                }
                self.list.replace(at, kept);
            }
            (Some(_), None) => self.list.retain(|message| message.id != *target),
            (None, _) => {}
        }
    }

    /// A turn ends.
    pub(super) fn end(&mut self, at: usize, outcome: Outcome, replay: bool, failed: bool, reactions: &mut Vec<Reaction>) {
        let running = self.running.remove(at);
        if running.phase == Phase::Cleared {
            return self.end_cleared(running, reactions);
        }
        let Running { id: request_id, message_ids, rolled_back, own, crowded, cancelled, offered, phase, mut stream, .. } = running;
        if replay && outcome == Outcome::Aborted {
            self.cut_to_replay(&mut stream);
        }
        let place = stream.target.as_deref().and_then(|target| self.list.position(target));
        // A turn that ends before its offer has been taken up ends without what was held back.
        // And what was sent again may have been here, in a list: the frames of a continuation do not tell.
        let incomplete = offered || stream.detached || !stream.finished && (replay || stream.replayed || stream.dirty);
        if let Some((place, message)) = place.and_then(|place| Some((place, self.list.get(place)?))) {
            let empty = message.parts.is_empty();
            // What an agent that was killed makes anew is another message, and this one may never have been stored.
            if !incomplete && !matches!(outcome, Outcome::Lost | Outcome::Recovering) {
                self.recent.push(message.id.clone());
            }
            self.list.change_message(place, |message| {
                if let Some(signature) = &stream.signature {
                    chunks::sign(message, signature);
                }
                stored::finish(message, stream.is_numbered()) || stream.signature.is_some()
            });
            if empty && !stream.continuation {
                // Nothing came of it, and the agent stores no empty message.
                let target = stream.target.clone();
                self.list.retain(|message| Some(&message.id) != target.as_ref());
            }
        }
        if outcome != Outcome::Lost {
            self.ledger.push(Ended { id: request_id.clone(), failed });
        }
        let mut unanswered = false;
        if outcome == Outcome::Skipped && rolled_back {
            self.unconfirmed.retain(|id| !message_ids.contains(id));
            self.list.retain(|message| !message_ids.contains(&message.id));
            reactions.push(Reaction::RolledBack { message_ids });
        } else if outcome == Outcome::Skipped {
            // The agent may have stored what it does not answer.
            unanswered = message_ids.iter().any(|id| self.unconfirmed.contains(id));
        }
        reactions.push(Reaction::TurnEnded { request_id: request_id.clone(), outcome });
        if outcome == Outcome::Recovering {
            self.recovering = Some(Some(request_id));
        }
        let invented = stream.target.as_ref().is_some_and(|target| self.invented.contains(target));
        self.behind |= incomplete;
        // It went on while no socket was open, and all that was left to send is that it is done.
        let unheard = phase != Phase::Streaming && outcome == Outcome::Completed && stream.begun && !stream.finished;
        let lost = matches!(outcome, Outcome::Lost | Outcome::Recovering);
        // What stopped it before its first word may have been a clear, which took its messages away.
        let stopped = own && outcome == Outcome::Aborted && !stream.begun;
        if incomplete || unheard || unanswered || crowded || own && invented || stream.discarded || lost || stopped {
            reactions.push(Reaction::Refetch);
        }
        if outcome == Outcome::Aborted && !cancelled {
            self.residue = stream.target;
        }
    }

    /// A turn ends that a clear has stopped. The agent empties the conversation first, and stores what was written so far after that.
    fn end_cleared(&mut self, running: Running, reactions: &mut Vec<Reaction>) {
        self.ledger.push(Ended { id: running.id, failed: false });
        let written = running.stream.aside.as_ref().and_then(|aside| aside.get(0)).filter(|message| !message.parts.is_empty());
        let Some(mut message) = written.cloned() else { return };
        if let Some(signature) = &running.stream.signature {
            chunks::sign(&mut message, signature);
        }
        stored::finish(&mut message, running.stream.is_numbered());
        if self.list.position(&message.id).is_none() {
            let last = self.list.all().len() - self.unstored();
            self.list.insert(last, message);
        }
        reactions.push(Reaction::Refetch);
    }
}
