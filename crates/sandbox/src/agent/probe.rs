//! Frames from clients, and everything about picking up a stream: probes, offers, acknowledgements, replay.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};

use super::{
    frames::{self, Outcome, Response},
    room::Room,
    state::State,
    transcript::Settlement,
};

/// Decisions that come together are answered together.
const COALESCE: Duration = Duration::from_millis(50);
/// A decision may come before its call is stored: it is looked for ten times.
const LOOK_UPS: u32 = 10;
const LOOK_UP_EVERY: Duration = Duration::from_millis(100);

impl Room {
    /// Takes a frame from a client. What it does not know it leaves alone.
    pub(crate) fn receive(self: &Arc<Self>, seat: u64, text: &str) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return };
        if self.is_oldest() {
            return self.receive_as_oldest(seat, &frame);
        }
        let field = |name: &str| frame[name].as_str();
        match field("type") {
            Some("cf_agent_use_chat_request") => self.chat_request(seat, &frame),
            Some("cf_agent_chat_request_cancel") => self.cancel(field("id").unwrap_or_default()),
            Some("cf_agent_chat_clear") => self.clear(seat),
            Some("cf_agent_chat_messages") => {
                if let Some(messages) = frame["messages"].as_array() {
                    self.set_list(seat, messages);
                }
            }
            Some("cf_agent_stream_resume_request") => self.state().probe(seat, field("probeId")),
            Some("cf_agent_stream_resume_ack") => {
                let id = field("id").unwrap_or_default();
                self.state().acknowledge(seat, id);
                self.house.control.count(|counters| *counters.acks.entry(id.to_owned()).or_default() += 1);
            }
            Some("cf_agent_tool_approval") => {
                let settlement = if frame["approved"] == true { Settlement::Approved } else { Settlement::Denied };
                self.decide(seat, &frame, settlement);
            }
            Some("cf_agent_tool_result") => {
                let settlement = if field("state") == Some("output-error") {
                    Settlement::Error(field("errorText").unwrap_or("Tool execution denied by user").to_owned())
                } else {
                    Settlement::Output(frame["output"].clone())
                };
                if let Some(tools) = frame["clientTools"].as_array().filter(|tools| !tools.is_empty()) {
                    self.state().client_tools.clone_from(tools);
                }
                self.decide(seat, &frame, settlement);
            }
            Some("rpc") => self.rpc(seat, &frame),
            _ => {}
        }
    }

    pub(super) fn chat_request(self: &Arc<Self>, seat: u64, frame: &Value) {
        let init = &frame["init"];
        let body = init["body"].as_str().and_then(|body| serde_json::from_str::<Value>(body).ok());
        let (Some("POST"), Some(id), Some(body)) = (init["method"].as_str(), frame["id"].as_str(), body) else { return };
        let Some(messages) = body["messages"].as_array() else { return };
        let asked = messages.iter().rev().find(|message| message["role"] == "user").and_then(|message| message["id"].as_str());
        if let Some(asked) = asked {
            self.house.control.count(|counters| *counters.submits.entry(asked.to_owned()).or_default() += 1);
        }
        let tools = body["clientTools"].as_array().cloned().unwrap_or_default();
        self.submit(seat, id, messages, tools);
    }

    fn decide(self: &Arc<Self>, seat: u64, frame: &Value, settlement: Settlement) {
        let Some(call) = frame["toolCallId"].as_str().map(str::to_owned) else { return };
        let go_on = frame["autoContinue"] == true;
        self.house.control.count(|counters| *counters.decisions.entry(call.clone()).or_default() += 1);
        // At once where the call is known, so that a probe right behind it finds the continuation pending.
        let mut settled = self.settle(seat, &call, &settlement, go_on).is_some();
        let room = self.clone();
        tokio::spawn(async move {
            for _ in 0..LOOK_UPS {
                if settled {
                    break;
                }
                tokio::time::sleep(LOOK_UP_EVERY).await;
                settled = room.settle(seat, &call, &settlement, go_on).is_some();
            }
            tokio::time::sleep(COALESCE).await;
            room.go_on();
        });
    }

    /// This agent has no methods.
    pub(super) fn rpc(&self, seat: u64, frame: &Value) {
        if let (Some(id), Some(method), true) = (frame["id"].as_str(), frame["method"].as_str(), frame["args"].is_array()) {
            let answer = json!({"type": "rpc", "id": id, "success": false, "error": format!("Method {method} does not exist")});
            if let Some(seat) = self.state().seat(seat) {
                seat.send(answer.to_string());
            }
        }
    }
}

/// What a socket that asks is told.
enum Offer {
    Resuming(String),
    Pending(String),
    None(&'static str),
}

impl State {
    fn has_other_seat(&self, pk: &str, of: &str) -> bool {
        pk != of && self.seats.iter().any(|seat| seat.pk == of)
    }

    /// The running stream, else what is about to run, else what failed, else nothing.
    fn offer(&self, pk: &str) -> Offer {
        if let Some(active) = self.active.as_ref().filter(|active| !active.chunks.is_empty()) {
            return if active.job.continuation && self.has_other_seat(pk, &active.job.pk) {
                Offer::None("continuation-owned")
            } else {
                Offer::Resuming(active.job.id.clone())
            };
        }
        let planned = self.planned.as_ref().filter(|planned| planned.pk == pk);
        let waiting = self.active.as_ref().map(|active| &active.job).filter(|job| !job.continuation || job.pk == pk);
        if let Some(job) = planned.or(waiting) {
            return Offer::Pending(job.id.clone());
        }
        if let Some(failed) = &self.failed {
            return Offer::Resuming(failed.job.id.clone());
        }
        match self.queue.front() {
            Some(job) => Offer::Pending(job.id.clone()),
            None => Offer::None("idle"),
        }
    }

    /// Answers a probe.
    fn probe(&mut self, key: u64, probe: Option<&str>) {
        let Some(pk) = self.seat(key).map(|seat| seat.pk.clone()) else { return };
        let offer = self.offer(&pk);
        let Some(seat) = self.seat(key) else { return };
        match offer {
            Offer::Resuming(id) => {
                seat.send(frames::resuming(&id, probe));
                seat.offered = Some(id);
            }
            Offer::Pending(id) => {
                seat.send(frames::pending(&id, probe));
                seat.parked = true;
            }
            Offer::None(reason) => seat.send(frames::resume_none(Some(reason), probe)),
        }
    }

    /// What a new socket is told before anything else. A stored failure is told only when it asks.
    pub(super) fn offer_on_connect(&mut self, key: u64) {
        let Some(pk) = self.seat(key).map(|seat| seat.pk.clone()) else { return };
        let failed = self.failed.as_ref().map(|failed| failed.job.id.clone());
        let offer = self.offer(&pk);
        let Some(seat) = self.seat(key) else { return };
        match offer {
            Offer::Resuming(id) if Some(&id) != failed.as_ref() => {
                seat.send(frames::resuming(&id, None));
                seat.offered = Some(id);
            }
            Offer::Pending(id) => {
                seat.send(frames::pending(&id, None));
                seat.parked = true;
            }
            _ => {}
        }
    }

    /// Before the first chunk: a continuation is offered to its owner, any stream to those who were told to wait. They get no chunk before
    /// they accept.
    pub(super) fn begin_stream(&mut self) {
        let Some(active) = self.active.as_ref().filter(|active| active.chunks.is_empty()) else { return };
        let (id, pk, continuation) = (active.job.id.clone(), active.job.pk.clone(), active.job.continuation);
        for seat in &mut self.seats {
            let owner = continuation && seat.pk == pk;
            if owner || (seat.parked && !continuation) {
                seat.send(frames::resuming(&id, None));
                seat.offered = Some(id.clone());
            }
            if owner || !continuation {
                seat.parked = false;
            }
        }
    }

    /// After a turn: who waited and has nothing to wait for any more hears that.
    pub(super) fn release_parked(&mut self) {
        if self.planned.is_some() || !self.queue.is_empty() {
            return;
        }
        for seat in self.seats.iter_mut().filter(|seat| seat.parked) {
            seat.parked = false;
            seat.send(frames::resume_none(None, None));
        }
    }

    /// Replays what is stored, then lets the socket follow live.
    fn acknowledge(&mut self, key: u64, id: &str) {
        let mut frames = Vec::new();
        if let Some(active) = &self.active {
            if active.job.id != id {
                // Not the stream that runs: no answer. The socket is back in the live broadcast.
                if let Some(seat) = self.seat(key) {
                    seat.offered = None;
                }
                return;
            }
            let continuation = active.job.continuation;
            let chunks = active.chunks.iter().enumerate();
            frames.extend(chunks.map(|(seq, body)| Response::chunk(id, body, seq, continuation).replayed().text()));
            frames.push(Response::replay_complete(id, continuation).text());
        } else if let Some(failed) = self.failed.as_ref().filter(|failed| failed.job.id == id) {
            let continuation = failed.job.continuation;
            let chunks = failed.chunks.iter().enumerate();
            frames.extend(chunks.map(|(seq, body)| Response::chunk(id, body, seq, continuation).replayed().text()));
            frames.push(Response::error(id, &failed.text, true, &failed.job.message_ids, continuation).text());
        } else {
            let known = self.ended.iter().rev().find(|(job, _)| job.id == id);
            frames.push(match known {
                Some((job, outcome)) => Response::done(id, *outcome, &job.message_ids, job.continuation).replayed().text(),
                None => Response::done(id, Outcome::Completed, &[], false).replayed().text(),
            });
        }
        if let Some(seat) = self.seat(key) {
            seat.offered = None;
            for frame in frames {
                seat.send(frame);
            }
        }
    }
}
