//! One turn: asks the model, streams what it says, runs the tools that may run, stops where a person has to decide.

use std::sync::Arc;

use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::{
    model::Saying,
    room::Room,
    services::{self, Ran},
    state::{End, Job},
    tools, transcript,
};
use crate::{Endpoint, Fault, random};

/// A model that calls tools for ever is stopped here.
const MAX_STEPS: usize = 10;

/// Runs a turn to its end and reports it.
pub(super) async fn run(room: Arc<Room>, job: Job, cancel: CancellationToken) {
    let faults = room.house.control.take(Endpoint::Turn);
    let end = tokio::select! {
        biased;
        () = cancel.cancelled() => End::Aborted,
        () = room.house.stop.cancelled() => End::Silent,
        end = answer(&room, &job, &faults) => end,
    };
    room.finish(end);
}

async fn answer(room: &Room, job: &Job, faults: &[Fault]) -> End {
    let mut break_after = None;
    for fault in faults {
        match fault {
            Fault::Delay { by } => tokio::time::sleep(*by).await,
            Fault::Silence => return End::Silent,
            Fault::NoAnswer => return End::Empty,
            Fault::ModelError { text, chunks } => break_after = Some((*chunks, text.clone())),
            _ => {}
        }
    }
    let mut turn = Turn { room, break_after, texts: 0 };
    match turn.steps(job).await {
        Ok(()) => End::Completed,
        Err(text) => End::Failed(text),
    }
}

/// A tool has stopped for want of a person. `open`: its call has no result.
struct Stopped {
    text: String,
    open: bool,
}

/// A tool call of the step that runs.
struct Call {
    id: String,
    name: String,
    input: Value,
}

struct Turn<'a> {
    room: &'a Room,
    /// Fails with this after so many pieces of text.
    break_after: Option<(usize, String)>,
    texts: usize,
}

impl Turn<'_> {
    /// Sends a chunk, unless the test wants the stream to stop here for a while.
    async fn emit(&self, chunk: Value) {
        let control = &self.room.house.control;
        let mut hold = control.hold();
        let stops = |hold: &Option<usize>| hold.is_some_and(|after| self.room.progress() >= after);
        if stops(&hold.borrow_and_update()) {
            let _held = Held::new(self.room);
            // The sender lives as long as the sandbox.
            let _ = hold.wait_for(|hold| !stops(hold)).await;
        }
        self.room.emit(&chunk);
    }

    async fn steps(&mut self, job: &Job) -> Result<(), String> {
        if job.continuation {
            self.emit(json!({"type": "start"})).await;
            if let Some(stopped) = self.run_approved().await {
                return self.stop(stopped).await;
            }
        } else if self.room.is_oldest() {
            self.emit(json!({"type": "start"})).await;
        } else {
            self.emit(json!({"type": "start", "messageId": self.room.answer_id()})).await;
        }
        for _ in 0..MAX_STEPS {
            self.emit(json!({"type": "start-step"})).await;
            let calls = self.step().await?;
            let (mut waits, mut stopped) = (false, None);
            for call in &calls {
                if tools::is_clients(&self.room.client_tools(), &call.name) {
                    waits = true;
                } else if tools::asks_first(&call.name) && self.room.is_oldest() {
                    // That it has no result is the question.
                    waits = true;
                } else if tools::asks_first(&call.name) {
                    waits = true;
                    let approval = format!("aitxt-{}", random::nanoid(24));
                    self.emit(json!({"type": "tool-approval-request", "approvalId": approval, "toolCallId": call.id})).await;
                } else {
                    stopped = self.run_tool(&call.id, &call.name, &call.input).await.or(stopped);
                }
            }
            if let Some(stopped) = stopped {
                return self.stop(stopped).await;
            }
            self.emit(json!({"type": "finish-step"})).await;
            if waits || calls.is_empty() {
                let reason = if waits { "tool-calls" } else { "stop" };
                let finish = json!({"type": "finish", "messageMetadata": {"finishReason": reason}});
                self.emit(if self.room.is_oldest() { json!({"type": "finish"}) } else { finish }).await;
                return Ok(());
            }
        }
        Err("The model called tools without end.".to_owned())
    }

    /// A tool has stopped: so does the turn. What the model would say to that is nobody's business.
    async fn stop(&self, Stopped { text, open }: Stopped) -> Result<(), String> {
        self.emit(json!({"type": "finish-step"})).await;
        if open {
            return Err(text);
        }
        self.emit(json!({"type": "finish", "messageMetadata": {"finishReason": "tool-calls"}})).await;
        Ok(())
    }

    /// What was approved or resumed since the turn stopped runs before the model goes on.
    async fn run_approved(&self) -> Option<Stopped> {
        let draft = self.room.draft();
        let mut stopped = None;
        for part in transcript::tools(&draft).filter(|part| part["state"] == "approval-responded" || services::is_resumed(part)) {
            let text = |name: &str| part[name].as_str().unwrap_or_default().to_owned();
            stopped = self.run_tool(&text("toolCallId"), &text("toolName"), &part["input"]).await.or(stopped);
        }
        stopped
    }

    async fn run_tool(&self, call: &str, name: &str, input: &Value) -> Option<Stopped> {
        let house = &self.room.house;
        let elsewhere = house.control.tenant().and_then(|tenant| {
            let sub = self.room.owner().unwrap_or_default();
            services::run(&services::Call { id: call, name, input, sub: &sub }, &tenant)
        });
        let ran = elsewhere.unwrap_or_else(|| match tools::run(name, input, &house.clock) {
            Ok(output) => Ran::Output(output),
            Err(text) => Ran::Failed(text),
        });
        let (chunk, stopped) = match ran {
            Ran::Output(output) => (json!({"type": "tool-output-available", "toolCallId": call, "output": output}), None),
            Ran::Failed(text) => (json!({"type": "tool-output-error", "toolCallId": call, "errorText": text}), None),
            Ran::Stopped { text, open: true } => return Some(Stopped { text, open: true }),
            Ran::Stopped { text, open: false } => {
                (json!({"type": "tool-output-error", "toolCallId": call, "errorText": text}), Some(Stopped { text, open: false }))
            }
        };
        self.emit(chunk).await;
        stopped
    }

    /// Asks the model once and streams what it says. Its whole calls come back.
    async fn step(&mut self) -> Result<Vec<Call>, String> {
        let house = &self.room.house;
        let mut sayings = house.brain.step(self.room.history(), self.room.client_tools());
        let mut calls = Vec::new();
        let mut part = 0;
        let mut text_id = String::new();
        while let Some(saying) = sayings.next().await {
            let saying = saying.map_err(|error| error.to_string())?;
            if house.brain.is_paced() && matches!(saying, Saying::Text(_) | Saying::CallText { .. }) {
                tokio::time::sleep(house.control.pace()).await;
            }
            match saying {
                Saying::TextStart => {
                    text_id = format!("txt-{part}");
                    part += 1;
                    self.emit(json!({"type": "text-start", "id": text_id})).await;
                }
                Saying::Text(delta) => {
                    if let Some((after, text)) = &self.break_after
                        && self.texts >= *after
                    {
                        return Err(text.clone());
                    }
                    self.texts += 1;
                    self.emit(json!({"type": "text-delta", "id": text_id, "delta": delta})).await;
                }
                Saying::TextEnd => self.emit(json!({"type": "text-end", "id": text_id})).await,
                Saying::CallStart { id, name } => {
                    self.emit(json!({"type": "tool-input-start", "toolCallId": id, "toolName": name})).await;
                }
                Saying::CallText { id, text } => {
                    self.emit(json!({"type": "tool-input-delta", "toolCallId": id, "inputTextDelta": text})).await;
                }
                Saying::Call { id, name, input: Ok(input) } => {
                    let chunk = json!({"type": "tool-input-available", "toolCallId": id, "toolName": name, "input": input});
                    self.emit(chunk).await;
                    calls.push(Call { id, name, input });
                }
                Saying::Call { id, name, input: Err(raw) } => {
                    let text = "The tool's input is not valid JSON.";
                    let chunk = json!({"type": "tool-input-error", "toolCallId": id, "toolName": name, "input": raw, "errorText": text});
                    self.emit(chunk).await;
                }
            }
        }
        if let Some((_, text)) = self.break_after.take_if(|(after, _)| *after == 0 && self.texts == 0) {
            return Err(text);
        }
        Ok(calls)
    }
}

/// Counts a turn that waits at a hold, for as long as it does.
struct Held<'a>(&'a Room);

impl<'a> Held<'a> {
    fn new(room: &'a Room) -> Self {
        room.house.control.count(|counters| counters.held += 1);
        Self(room)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.house.control.count(|counters| counters.held -= 1);
    }
}
