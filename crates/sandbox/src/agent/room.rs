//! One conversation: its messages, the sockets that watch it, the turn that runs and those that wait.
//!
//! Everything here is done under one lock that is never held across an await; frames leave through the sockets' channels, so every
//! socket sees them in the order in which they were decided.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use super::{
    frames::{self, Outcome, Response},
    oldest,
    rooms::{House, Kept},
    state::{Active, End, Failed, Job, Out, Seat, State},
    transcript::{self, Settlement},
    turn,
};
use crate::{Endpoint, Fault, Generation, random};

/// A conversation.
#[derive(Debug)]
pub(crate) struct Room {
    pub(super) name: String,
    pub(super) house: Arc<House>,
    state: Mutex<State>,
}

impl Room {
    pub(super) fn open(kept: Kept, house: Arc<House>) -> Arc<Self> {
        let state = State {
            owner: kept.owner,
            messages: kept.messages,
            client_tools: Vec::new(),
            seats: Vec::new(),
            last_key: 0,
            active: None,
            queue: VecDeque::new(),
            planned: None,
            failed: kept.failed,
            ended: VecDeque::new(),
        };
        Arc::new(Self { name: kept.name, house, state: Mutex::new(state) })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn save(&self, state: &State) {
        let (owner, messages, failed) = (state.owner.clone(), state.messages.clone(), state.failed.clone());
        let kept = Kept { name: self.name.clone(), owner, messages, failed };
        self.house.disk.write_json(&Kept::file(&self.name), &kept);
    }

    /// Whether the agent speaks as the oldest do.
    pub(super) fn is_oldest(&self) -> bool {
        self.house.control.settings().generation == Generation::Oldest
    }

    /// An id for an answer, as the SDK makes them.
    pub(super) fn answer_id(&self) -> String {
        format!("assistant_{}_{}", self.house.clock.unix_ms(), random::base36(9))
    }

    pub(super) fn owner(&self) -> Option<String> {
        self.state().owner.clone()
    }

    /// Makes it this person's if it is nobody's. False if it is somebody else's.
    pub(super) fn claim(&self, sub: &str) -> bool {
        let mut state = self.state();
        let new = state.owner.is_none();
        let mine = state.owner.get_or_insert_with(|| sub.to_owned()) == sub;
        if new {
            self.save(&state);
        }
        mine
    }

    pub(super) fn stored(&self) -> Vec<Value> {
        self.state().messages.clone()
    }

    pub(super) fn replace(&self, messages: Vec<Value>) {
        let mut state = self.state();
        state.messages = messages;
        self.save(&state);
    }

    pub(super) fn tell_all(&self, out: &Out) {
        for seat in &self.state().seats {
            let _ = seat.out.send(out.clone());
        }
    }

    /// Seats a socket and sends the frames of a connect in their order: what can be resumed, identity, MCP servers.
    pub(crate) fn connect(&self, pk: &str, out: UnboundedSender<Out>, suppress: bool) -> u64 {
        let oldest = self.is_oldest();
        let mut state = self.state();
        state.last_key += 1;
        let key = state.last_key;
        state.seats.push(Seat { key, pk: pk.to_owned(), out, offered: None, parked: false });
        if !oldest {
            state.offer_on_connect(key);
        }
        if !suppress && let Some(seat) = state.seat(key) {
            if !oldest {
                seat.send(frames::identity(&self.name));
            }
            seat.send(frames::mcp_servers());
        }
        key
    }

    pub(crate) fn disconnect(&self, key: u64) {
        self.state().seats.retain(|seat| seat.key != key);
    }

    /// A message list from a client: taken over, told to the others (twice: as it came and as it is stored), and answered.
    pub(super) fn submit(self: &Arc<Self>, key: u64, request: &str, incoming: &[Value], tools: Vec<Value>) {
        let faults = self.house.control.take(Endpoint::Submit);
        let oldest = self.is_oldest();
        let mut state = self.state();
        let Some(pk) = state.seat(key).map(|seat| seat.pk.clone()) else { return };
        if oldest {
            drop(state);
            return self.submit_as_oldest(pk, request, incoming);
        }
        if faults.contains(&Fault::Skip) {
            let list = frames::messages(&state.messages);
            if let Some(seat) = state.seat(key) {
                seat.send(list);
                let ids = transcript::trailing_user_ids(incoming);
                seat.send(Response::done(request, Outcome::Skipped, &ids, false).text());
            }
            return;
        }
        state.client_tools = tools;
        state.broadcast_except(&pk, &frames::messages(incoming));
        transcript::take_over(&mut state.messages, incoming);
        self.save(&state);
        let stored = frames::messages(&state.messages);
        state.broadcast_except(&pk, &stored);
        let message_ids = transcript::trailing_user_ids(incoming);
        state.queue.push_back(Job { id: request.to_owned(), pk, continuation: false, message_ids });
        self.advance(&mut state);
    }

    /// A client's list that is not to be answered.
    pub(super) fn set_list(&self, key: u64, incoming: &[Value]) {
        let mut state = self.state();
        let Some(pk) = state.seat(key).map(|seat| seat.pk.clone()) else { return };
        for message in incoming.iter().filter(|message| transcript::id(message).is_some()) {
            transcript::upsert(&mut state.messages, message.clone());
        }
        self.save(&state);
        state.broadcast_except(&pk, &frames::messages(incoming));
    }

    /// Empties the conversation and tells the others.
    pub(super) fn clear(&self, key: u64) {
        let mut state = self.state();
        let Some(pk) = state.seat(key).map(|seat| seat.pk.clone()) else { return };
        if let Some(active) = &mut state.active {
            active.discard = true;
            active.cancel.cancel();
        }
        for job in std::mem::take(&mut state.queue) {
            state.end(&job, Outcome::Skipped);
        }
        state.planned = None;
        state.failed = None;
        state.messages.clear();
        state.client_tools.clear();
        self.save(&state);
        state.broadcast_except(&pk, &frames::clear());
    }

    /// Ends a turn, running or waiting. What it said so far stays.
    pub(super) fn cancel(&self, request: &str) {
        let mut state = self.state();
        if let Some(active) = state.active.as_ref().filter(|active| active.job.id == request) {
            active.cancel.cancel();
        } else if let Some(at) = state.queue.iter().position(|job| job.id == request) {
            if let Some(job) = state.queue.remove(at) {
                state.end(&job, Outcome::Aborted);
            }
        } else if let Some(job) = state.planned.take_if(|job| job.id == request) {
            state.end(&job, Outcome::Aborted);
        }
    }

    /// Settles a tool call. `None`: no message has it (yet).
    pub(super) fn settle(&self, key: u64, call: &str, settlement: &Settlement, go_on: bool) -> Option<()> {
        let mut state = self.state();
        let state = &mut *state;
        let draft = state.active.as_mut().map(|active| &mut active.draft);
        let message = draft.into_iter().chain(state.messages.iter_mut().rev()).find(|message| transcript::has_tool(message, call))?;
        let changed = transcript::settle(message, call, settlement).map(|()| frames::message_updated(message));
        if let Some(frame) = changed {
            self.save(state);
            state.broadcast(&frame);
            let pk = state.seat(key).map(|seat| seat.pk.clone()).unwrap_or_default();
            match &mut state.planned {
                // The last one to decide owns the continuation.
                Some(planned) => planned.pk = pk,
                None if go_on => {
                    state.planned = Some(Job { id: random::nanoid(21), pk, continuation: true, message_ids: Vec::new() });
                }
                None => {}
            }
        }
        Some(())
    }

    /// Begins the planned continuation if its time has come.
    pub(super) fn go_on(self: &Arc<Self>) {
        let mut state = self.state();
        self.advance(&mut state);
    }

    /// Begins what is next, if nothing runs: the continuation of the last answer before new questions.
    pub(super) fn advance(self: &Arc<Self>, state: &mut State) {
        if state.active.is_some() || self.house.stop.is_cancelled() {
            return;
        }
        let ready = state.messages.last().is_some_and(|last| transcript::is(last, "assistant") && transcript::nothing_open(last));
        let job = match state.planned.take_if(|_| ready) {
            Some(planned) => planned,
            None => match state.queue.pop_front() {
                Some(job) => job,
                None => return,
            },
        };
        if !job.continuation && !self.is_oldest() {
            // A new question makes the rest of the old answer moot.
            state.planned = None;
            self.repair(state);
        }
        let draft = match state.messages.last() {
            Some(last) if job.continuation => last.clone(),
            _ => serde_json::json!({"id": "", "role": "assistant", "parts": []}),
        };
        let cancel = CancellationToken::new();
        state.failed = None;
        state.active = Some(Active { job: job.clone(), chunks: Vec::new(), draft, cancel: cancel.clone(), discard: false });
        tokio::spawn(turn::run(self.clone(), job, cancel));
    }

    /// Settles the calls that earlier answers left open, and tells everybody.
    fn repair(&self, state: &mut State) {
        let repaired: Vec<String> = state
            .messages
            .iter_mut()
            .filter(|message| transcript::is(message, "assistant"))
            .filter_map(|message| transcript::repair(message).then(|| frames::message_updated(message)))
            .collect();
        if !repaired.is_empty() {
            self.save(state);
        }
        for frame in repaired {
            state.broadcast(&frame);
        }
    }

    /// The conversation as the model sees it, the growing answer included.
    pub(super) fn history(&self) -> Vec<Value> {
        let messages = self.written();
        if self.is_oldest() { oldest::for_the_model(messages, &self.house.clock) } else { messages }
    }

    fn written(&self) -> Vec<Value> {
        let state = self.state();
        let mut messages = state.messages.clone();
        if let Some(active) = &state.active {
            if active.job.continuation {
                transcript::upsert(&mut messages, active.draft.clone());
            } else if transcript::says_something(&active.draft) {
                messages.push(active.draft.clone());
            }
        }
        messages
    }

    /// The tools that run at the client.
    pub(super) fn client_tools(&self) -> Vec<Value> {
        self.state().client_tools.clone()
    }

    /// The answer as it is now.
    pub(super) fn draft(&self) -> Value {
        self.state().active.as_ref().map_or(Value::Null, |active| active.draft.clone())
    }

    /// How many chunks the running turn has sent.
    pub(super) fn progress(&self) -> usize {
        self.state().active.as_ref().map_or(0, |active| active.chunks.len())
    }

    /// Sends a chunk of the running turn to all who follow it.
    pub(super) fn emit(&self, chunk: &Value) {
        let oldest = self.is_oldest();
        let mut state = self.state();
        state.begin_stream();
        let State { active: Some(active), seats, .. } = &mut *state else { return };
        let body = chunk.to_string();
        transcript::fold(&mut active.draft, chunk);
        let numbered = || Response::chunk(&active.job.id, &body, active.chunks.len(), active.job.continuation).text();
        let frame = if oldest { frames::unnumbered(&active.job.id, &body) } else { numbered() };
        active.chunks.push(body);
        for seat in seats.iter().filter(|seat| seat.offered.as_ref() != Some(&active.job.id)) {
            seat.send(frame.clone());
        }
        drop(state);
        self.house.control.touch();
    }

    /// Ends the running turn: the answer is stored, the others get the list, everybody gets the last frame. Then the next one begins.
    pub(super) fn finish(self: &Arc<Self>, end: End) {
        let oldest = self.is_oldest();
        let mut state = self.state();
        let Some(active) = state.active.take() else { return };
        if oldest {
            self.finish_as_oldest(&mut state, active, end);
            self.advance(&mut state);
            drop(state);
            return self.house.control.touch();
        }
        let job = &active.job;
        if !active.discard {
            if transcript::says_something(&active.draft) {
                let mut answer = active.draft;
                transcript::close_arguments(&mut answer);
                transcript::upsert(&mut state.messages, answer);
            }
            self.save(&state);
        }
        if end != End::Silent && !active.discard {
            let list = frames::messages(&state.messages);
            if job.continuation { state.broadcast(&list) } else { state.broadcast_except(&job.pk, &list) }
        }
        match end {
            End::Silent => {}
            End::Empty => state.broadcast(&Response::no_answer(&job.id, &job.message_ids, job.continuation).text()),
            End::Completed => state.end(job, Outcome::Completed),
            End::Aborted => state.end(job, Outcome::Aborted),
            End::Failed(text) => {
                state.broadcast(&Response::error(&job.id, &text, false, &job.message_ids, job.continuation).text());
                state.end(job, Outcome::Error);
                if !active.discard {
                    state.failed = Some(Failed { job: job.clone(), chunks: active.chunks, text });
                    self.save(&state);
                }
            }
        }
        state.release_parked();
        self.advance(&mut state);
        drop(state);
        self.house.control.touch();
    }
}
