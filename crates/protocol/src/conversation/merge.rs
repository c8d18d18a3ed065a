//! Messages that come whole: transcripts, `get-messages`, updates of one message (notes 6.3).

use std::collections::HashMap;

use crate::message::{Role, UiMessage};
use crate::part::{Part, StreamState};
use crate::server::{MessageUpdated, Messages};
use crate::tool::{ToolPart, ToolState};

use super::Conversation;
use super::running::{Phase, Running, Stream};
use super::turn::Reaction;

/// Where a list of messages comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// A frame: as new as all frames before it.
    Broadcast,
    /// `get-messages`: may be older than the newest frames.
    Fetched,
}

/// A message of which the frames know nothing yet.
#[derive(Debug, Clone)]
pub(super) struct Ahead {
    id: String,
    /// We have sent it.
    ours: bool,
}

/// How far a call has come. What is known of a call never goes back.
pub(super) fn rank(tool: &ToolPart) -> u8 {
    match tool.state {
        ToolState::InputStreaming => 0,
        ToolState::InputAvailable | ToolState::Unknown(_) => 1,
        ToolState::ApprovalRequested => 2,
        ToolState::ApprovalResponded => DECIDED,
        ToolState::OutputAvailable if tool.is_preliminary() => 4,
        ToolState::OutputAvailable | ToolState::OutputError | ToolState::OutputDenied => 5,
    }
}

/// The rank from which on somebody has decided.
pub(super) const DECIDED: u8 = 3;

/// Gives a copy of a message that is behind the calls that were decided or have ended in the one that is shown.
pub(super) fn keep_decided(behind: &mut UiMessage, shown: &UiMessage) {
    for tool in behind.parts.iter_mut().filter_map(Part::as_tool_mut) {
        let firmer = |ours: &&ToolPart| ours.is_settled() || rank(ours) >= DECIDED && rank(ours) > rank(tool);
        if let Some(ours) = shown.tool(&tool.tool_call_id).filter(firmer) {
            tool.clone_from(ours);
        }
    }
}

/// How many submits of others may be on their way at once.
const LONGEST_ECHOES: usize = 16;

impl Conversation {
    pub(super) fn on_transcript(&mut self, frame: &Messages, reactions: &mut Vec<Reaction>) {
        self.merge(frame.messages.clone(), Origin::Broadcast, frame.connect == Some(true), reactions);
    }

    pub(super) fn merge(&mut self, incoming: Vec<UiMessage>, origin: Origin, connect: bool, reactions: &mut Vec<Reaction>) {
        let places: HashMap<String, usize> = self.list.all().iter().enumerate().map(|(at, message)| (message.id.clone(), at)).collect();
        // The agent broadcasts a submit as it came. A client that sent only its new message did not delete the others by that: the
        // agent deletes only if every id was known to it.
        let adds = incoming.iter().any(|message| !places.contains_key(&message.id));
        let additive = origin == Origin::Broadcast && !connect && self.adds_to(&incoming, adds);
        let mut merged = Vec::with_capacity(incoming.len() + 1);
        // Those that say something else than here: one of ours that is missing may have been joined with them.
        let mut joined = Vec::new();
        // By the id here, the place in the new list.
        let mut listed = HashMap::new();
        for message in incoming {
            let place = places.get(&message.id).copied().or_else(|| self.invented_place(&message));
            let local = place.and_then(|place| self.list.get(place)).cloned();
            if !self.unconfirmed.is_empty() && message.role == Role::User && local.as_ref().is_some_and(|local| *local != message) {
                joined.push(message.clone());
            }
            if let Some(local) = &local {
                self.rename(&local.id, &message.id);
                listed.insert(local.id.clone(), merged.len());
            }
            if local.is_none() && self.is_ahead_of_frames(&message, origin) {
                continue;
            }
            merged.push(match local {
                Some(local) if local == message => {
                    self.arrived(&message, reactions);
                    if let Some(stream) = self.stream_of(&message.id) {
                        stream.stored = Some(message.clone());
                    }
                    message
                }
                Some(local) => self.reconcile(&local, message, origin, reactions),
                None => message,
            });
        }
        let kept: Vec<UiMessage> = self.list.all().iter().filter(|local| !listed.contains_key(&local.id)).cloned().collect();
        let (mut tail, mut before) = (Vec::new(), Vec::new());
        let (mut lacking, mut confirmed, mut held) = (Vec::new(), Vec::new(), Vec::new());
        for local in kept {
            if self.unconfirmed.contains(&local.id) && joined.iter().any(|whole| local.is_joined_into(whole)) {
                confirmed.push(local.id);
            } else if self.unconfirmed.contains(&local.id) {
                lacking.push(local.id.clone());
                tail.push(local);
            } else if self.is_unstored(&local.id) || self.is_target(&local.id) && origin == Origin::Fetched {
                tail.push(local);
            } else if self.invented.contains(&local.id) {
                // Its true name is not known; the transcript has it under that.
            } else if additive || origin == Origin::Fetched && self.recent.contains(&local.id) {
                before.push(local);
            } else if let Some(ahead) = self.ahead.iter().find(|ahead| origin == Origin::Broadcast && ahead.id == local.id) {
                // Either this list is older than that of `get-messages`, or the message has been taken back since.
                reactions.push(Reaction::Refetch);
                if ahead.ours {
                    held.push(local);
                }
            }
        }
        if additive && !before.is_empty() {
            merged = fill_in(self.list.all(), &listed, merged, before);
        } else {
            // Completed while the answer was on its way.
            merged.extend(before);
        }
        merged.extend(held);
        tail.sort_by_key(|message| self.is_target(&message.id));
        merged.extend(tail);
        if origin == Origin::Broadcast && !connect {
            for running in self.running.iter_mut().filter(|running| running.own && running.phase == Phase::Waiting) {
                running.rolled_back = !running.message_ids.is_empty() && running.message_ids.iter().all(|id| lacking.contains(id));
            }
        }
        confirmed.extend(self.unconfirmed.iter().filter(|id| listed.contains_key(*id)).cloned());
        self.unconfirmed.retain(|id| !confirmed.contains(id));
        if origin == Origin::Broadcast {
            // As new to an answer of `get-messages` that is on its way as what nobody here had.
            self.recent.extend_from_slice(&confirmed);
        }
        self.invented.retain(|id| merged.iter().any(|message| message.id == *id));
        match origin {
            Origin::Fetched => {
                self.recent.clear();
                self.ahead.retain(|ahead| listed.contains_key(&ahead.id));
                let new = merged.iter().filter(|message| !places.contains_key(&message.id));
                self.ahead.extend(new.map(|message| Ahead { id: message.id.clone(), ours: false }));
                self.ahead.extend(confirmed.iter().map(|id| Ahead { id: id.clone(), ours: true }));
            }
            Origin::Broadcast => {
                let lists = |id: &String| listed.contains_key(id) || !merged.iter().any(|message| message.id == *id);
                self.ahead.retain(|ahead| !lists(&ahead.id));
                let new = merged.iter().filter(|message| !places.contains_key(&message.id)).map(|message| message.id.clone());
                self.recent.extend(new);
                self.recent.retain(|id| merged.iter().any(|message| message.id == *id));
            }
        }
        if !confirmed.is_empty() {
            reactions.push(Reaction::Delivered { message_ids: confirmed });
        }
        self.behind &= additive;
        self.list.become_list(merged);
    }

    /// Whether a broadcast only adds to the list. The agent broadcasts each submit twice: as it came, and when it is stored. What was
    /// new in the first is known in the second, which is as little the whole list as the first was.
    fn adds_to(&mut self, incoming: &[UiMessage], adds: bool) -> bool {
        let ids: Vec<String> = incoming.iter().map(|message| message.id.clone()).collect();
        if adds {
            if self.echoes.len() == LONGEST_ECHOES {
                self.echoes.remove(0);
            }
            self.echoes.push(ids);
            return true;
        }
        let echo = self.echoes.iter().position(|known| *known == ids);
        if let Some(at) = echo {
            self.echoes.remove(at);
        }
        echo.is_some()
    }

    /// A list has a message of which the frames have brought nothing but its name. While they come, they will bring the rest; taken from both, it would be
    /// there twice. If they come no more, it is built anew should they ever.
    fn is_ahead_of_frames(&mut self, message: &UiMessage, origin: Origin) -> bool {
        let Some(running) = self.running.iter_mut().find(|running| running.stream.target.as_deref() == Some(&message.id)) else {
            return false;
        };
        if origin == Origin::Fetched && running.phase == Phase::Streaming {
            return true;
        }
        running.stream.stored = Some(message.clone());
        running.stream.dirty = true;
        false
    }

    fn is_target(&self, id: &str) -> bool {
        self.running.iter().any(|running| running.stream.target.as_deref() == Some(id))
    }

    /// The place of a message whose id was made up here, by a call or by what it says.
    fn invented_place(&self, message: &UiMessage) -> Option<usize> {
        if message.role != Role::Assistant || self.invented.is_empty() {
            return None;
        }
        self.list.all().iter().rposition(|local| {
            let same_call = || message.tools().any(|tool| local.tool(&tool.tool_call_id).is_some());
            self.invented.contains(&local.id) && (same_call() || extends(local, message) || extends(message, local))
        })
    }

    /// A message whose id was made up here has its true one.
    fn rename(&mut self, from: &str, to: &str) {
        if from == to {
            return;
        }
        self.invented.retain(|id| id != from);
        for running in &mut self.running {
            if running.stream.target.as_deref() == Some(from) {
                running.stream.target = Some(to.to_owned());
            }
        }
    }

    /// Brings a message together with the copy that came. The agent's word counts, but what is being written is not taken back,
    /// and neither is a decision.
    fn reconcile(&mut self, local: &UiMessage, incoming: UiMessage, origin: Origin, reactions: &mut Vec<Reaction>) -> UiMessage {
        let mut result = incoming;
        let mut copy = None;
        let live = |running: &Running| running.phase == Phase::Streaming && running.stream.target.as_ref() == Some(&result.id);
        let live = self.running.iter().any(live);
        if let Some(stream) = self.stream_of(&result.id) {
            // The end of the chunks is not the end of storing: only a broadcast that comes after it has all of them.
            stream.stored = Some(result.clone());
            if !stream.finished || origin == Origin::Fetched {
                // A list that is ahead of the frames has what they are about to bring: taken now, it would be there twice.
                let ahead = live && origin == Origin::Fetched && extends(&result, local);
                if !stream.detached && (ahead || extends(local, &result)) {
                    let metadata = result.metadata.clone().or_else(|| local.metadata.clone());
                    let kept = UiMessage { parts: local.parts.clone(), metadata, ..result.clone() };
                    copy = Some(std::mem::replace(&mut result, kept));
                } else if local.parts != result.parts {
                    stream.dirty = true;
                }
            }
        } else if origin == Origin::Fetched && self.recent.contains(&local.id) && extends(local, &result) {
            let kept = UiMessage { parts: local.parts.clone(), ..result.clone() };
            copy = Some(std::mem::replace(&mut result, kept));
        }
        for part in &mut result.parts {
            let Some(tool) = part.as_tool_mut() else { continue };
            let theirs = copy.as_ref().and_then(|copy| copy.tool(&tool.tool_call_id)).unwrap_or(tool).clone();
            if let Some(ours) = local.tool(&tool.tool_call_id) {
                *tool = self.firmer(ours, theirs, origin, reactions);
            }
        }
        result
    }

    /// Which of two copies of a call stands.
    fn firmer(&mut self, ours: &ToolPart, theirs: ToolPart, origin: Origin, reactions: &mut Vec<Reaction>) -> ToolPart {
        let optimistic = self.optimistic.iter().find(|known| known.tool_call_id == ours.tool_call_id);
        if let Some(known) = optimistic {
            if rank(&theirs) >= DECIDED {
                self.settled(&ours.tool_call_id, reactions);
                return theirs;
            }
            if known.lost && origin == Origin::Fetched {
                return theirs;
            }
        }
        if rank(&theirs) < rank(ours) || ours.is_settled() && theirs.state != ours.state { ours.clone() } else { theirs }
    }

    /// The agent shows a message just as we have it: what we decided in it has arrived.
    fn arrived(&mut self, message: &UiMessage, reactions: &mut Vec<Reaction>) {
        let decided = |call: &String| message.tool(call).is_some_and(|tool| rank(tool) >= DECIDED);
        let calls: Vec<String> = self.optimistic.iter().map(|known| known.tool_call_id.clone()).filter(decided).collect();
        for call in calls {
            self.settled(&call, reactions);
        }
    }

    fn stream_of(&mut self, id: &str) -> Option<&mut Stream> {
        let running = self.running.iter_mut().find(|running| running.stream.target.as_deref() == Some(id));
        running.map(|running| &mut running.stream)
    }

    /// The agent has taken in a decision or a result.
    pub(super) fn settled(&mut self, call: &str, reactions: &mut Vec<Reaction>) {
        let before = self.optimistic.len();
        self.optimistic.retain(|known| known.tool_call_id != call);
        if self.optimistic.len() < before {
            reactions.push(Reaction::Settled { tool_call_id: call.to_owned() });
        }
    }

    /// One message has changed. It is found by id, else by a call in it, and keeps its id here; one that is not here is no reason to show it.
    pub(super) fn on_message_updated(&mut self, frame: &MessageUpdated, reactions: &mut Vec<Reaction>) {
        let shares = |local: &UiMessage| frame.message.tools().any(|tool| local.tool(&tool.tool_call_id).is_some());
        let at = self.list.position(&frame.message.id).or_else(|| self.list.all().iter().rposition(shares));
        let Some((at, local)) = at.and_then(|at| Some((at, self.list.get(at)?.clone()))) else {
            // A list that has it may be on its way, from before the change.
            return reactions.push(Reaction::Refetch);
        };
        let message = UiMessage { id: local.id.clone(), ..frame.message.clone() };
        let stored = self.stream_of(&local.id).map(|stream| stream.stored.clone());
        let message = self.reconcile(&local, message, Origin::Broadcast, reactions);
        if let (Some(stored), Some(stream)) = (stored, self.stream_of(&local.id)) {
            // What is being written is changed in the agent's memory, and stored later.
            stream.stored = stored;
        }
        self.list.replace(at, message);
    }
}

/// Whether `longer` is `shorter`, or that with more at its end.
fn extends(longer: &UiMessage, shorter: &UiMessage) -> bool {
    let text = |longer: &str, longer_state, shorter: &str, shorter_state| {
        longer.starts_with(shorter) && !(shorter_state == Some(StreamState::Done) && longer_state == Some(StreamState::Streaming))
    };
    let grows = |(longer, shorter): (&Part, &Part)| match (longer, shorter) {
        (Part::Text(longer), Part::Text(shorter)) => text(&longer.text, longer.state, &shorter.text, shorter.state),
        (Part::Reasoning(longer), Part::Reasoning(shorter)) => text(&longer.text, longer.state, &shorter.text, shorter.state),
        (Part::Tool(longer), Part::Tool(shorter)) => longer.tool_call_id == shorter.tool_call_id,
        // Data with an id are replaced where they stand.
        (Part::Data(longer), Part::Data(shorter)) if longer.id.is_some() => longer.name == shorter.name && longer.id == shorter.id,
        (longer, shorter) => longer == shorter,
    };
    longer.parts.len() >= shorter.parts.len() && longer.parts.iter().zip(&shorter.parts).all(grows)
}

/// A transcript that lists only some of what there is: what it lists stands where it stood, what is new comes at the end.
fn fill_in(local: &[UiMessage], listed: &HashMap<String, usize>, incoming: Vec<UiMessage>, kept: Vec<UiMessage>) -> Vec<UiMessage> {
    let mut incoming: Vec<_> = incoming.into_iter().map(Some).collect();
    let mut result = Vec::with_capacity(kept.len() + incoming.len());
    // In the order in which they stood.
    let mut kept = kept.into_iter().peekable();
    for message in local {
        match listed.get(&message.id) {
            Some(place) => result.extend(incoming.get_mut(*place).and_then(Option::take)),
            None => result.extend(kept.next_if(|known| known.id == message.id)),
        }
    }
    result.extend(incoming.into_iter().flatten());
    result
}
