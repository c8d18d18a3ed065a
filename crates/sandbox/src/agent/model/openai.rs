//! A model behind `POST {base}/chat/completions` with streaming, as OpenAI and many others offer it.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use futures_util::{StreamExt, stream, stream::BoxStream};
use serde_json::{Map, Value, json};

use super::{ModelError, Saying};
use crate::{
    OpenAi, SandboxError,
    agent::{tools, transcript},
};

const SYSTEM: &str = "You are the agent of Callbox's sandbox: a friendly assistant that answers in Markdown. You have a clock and a weather \
                      tool. The weather is made up; say so when you use it. When the person denies a tool call, accept it politely.";

/// The endpoint and the client to reach it.
#[derive(Debug)]
pub(in crate::agent) struct Endpoint {
    config: OpenAi,
    http: reqwest::Client,
}

impl Endpoint {
    pub(super) fn open(config: OpenAi) -> Result<Self, SandboxError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(15))
            .read_timeout(Duration::from_secs(120))
            .build()
            .map_err(|error| SandboxError::Model(error.to_string()))?;
        Ok(Self { config, http })
    }

    pub(super) fn step(&self, messages: Vec<Value>, clients: Vec<Value>) -> BoxStream<'_, Result<Saying, ModelError>> {
        let begun = async move {
            let url = format!("{}/chat/completions", self.config.base_url.as_str().trim_end_matches('/'));
            let body = request(&self.config.model, &messages, &clients);
            let answer = self.http.post(url).bearer_auth(&self.config.key).json(&body).send().await;
            let answer = answer.map_err(|error| ModelError(format!("The model could not be reached ({}).", error.without_url())))?;
            if answer.status().is_success() {
                Ok(answer)
            } else {
                Err(ModelError(format!("The model answered with status {}.", answer.status().as_u16())))
            }
        };
        stream::once(begun)
            .flat_map(|begun| match begun {
                Ok(answer) => stream::unfold(Some(Reading::new(answer)), read).boxed(),
                Err(error) => stream::once(async { Err(error) }).boxed(),
            })
            .boxed()
    }
}

/// The next saying of an answer. After an error nothing more comes.
async fn read(reading: Option<Reading>) -> Option<(Result<Saying, ModelError>, Option<Reading>)> {
    let mut reading = reading?;
    loop {
        if let Some(saying) = reading.parser.ready.pop_front() {
            return Some((Ok(saying), Some(reading)));
        }
        if reading.parser.ended {
            return None;
        }
        match reading.answer.chunk().await {
            Ok(Some(bytes)) => {
                if let Err(error) = reading.parser.feed(&bytes) {
                    return Some((Err(error), None));
                }
            }
            // Some servers end without [DONE].
            Ok(None) if reading.parser.finished => reading.parser.end(),
            Ok(None) => return Some((Err(ModelError("The model broke off in the middle.".to_owned())), None)),
            Err(_) => return Some((Err(ModelError("The connection to the model was lost.".to_owned())), None)),
        }
    }
}

#[derive(Debug)]
struct Reading {
    answer: reqwest::Response,
    parser: Parser,
}

impl Reading {
    fn new(answer: reqwest::Response) -> Self {
        Self { answer, parser: Parser::default() }
    }
}

#[derive(Debug, Default)]
struct PartialCall {
    id: String,
    name: String,
    arguments: String,
}

/// Server-sent events to sayings. Bytes may be cut anywhere, inside a character too.
#[derive(Debug, Default)]
struct Parser {
    line: Vec<u8>,
    in_text: bool,
    calls: BTreeMap<u64, PartialCall>,
    ready: VecDeque<Saying>,
    /// A finish reason was seen.
    finished: bool,
    ended: bool,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) -> Result<(), ModelError> {
        for byte in bytes {
            if *byte != b'\n' {
                self.line.push(*byte);
                continue;
            }
            let line = std::mem::take(&mut self.line);
            let line = String::from_utf8_lossy(&line);
            if let Some(data) = line.trim_end().strip_prefix("data:") {
                self.event(data.trim())?;
            }
        }
        Ok(())
    }

    fn event(&mut self, data: &str) -> Result<(), ModelError> {
        if data == "[DONE]" {
            self.end();
            return Ok(());
        }
        let event: Value = serde_json::from_str(data).map_err(|_| ModelError("The model's answer is not valid.".to_owned()))?;
        if !event["error"].is_null() {
            let text = event["error"]["message"].as_str().unwrap_or("no reason given");
            return Err(ModelError(format!("The model failed: {text}")));
        }
        let choice = &event["choices"][0];
        if let Some(text) = choice["delta"]["content"].as_str().filter(|text| !text.is_empty()) {
            if !self.in_text {
                self.in_text = true;
                self.ready.push_back(Saying::TextStart);
            }
            self.ready.push_back(Saying::Text(text.to_owned()));
        }
        for call in choice["delta"]["tool_calls"].as_array().into_iter().flatten() {
            self.call(call);
        }
        self.finished |= choice["finish_reason"].is_string();
        Ok(())
    }

    fn call(&mut self, delta: &Value) {
        self.end_text();
        let index = delta["index"].as_u64().unwrap_or(0);
        let arguments = delta["function"]["arguments"].as_str().unwrap_or_default();
        let known = self.calls.entry(index).or_default();
        if known.name.is_empty()
            && let Some(name) = delta["function"]["name"].as_str()
        {
            known.name = name.to_owned();
            let id = delta["id"].as_str().filter(|id| !id.is_empty()).map(str::to_owned);
            known.id = id.unwrap_or_else(|| format!("call_{}", crate::random::base36(10)));
            self.ready.push_back(Saying::CallStart { id: known.id.clone(), name: known.name.clone() });
        }
        if !arguments.is_empty() {
            known.arguments.push_str(arguments);
            self.ready.push_back(Saying::CallText { id: known.id.clone(), text: arguments.to_owned() });
        }
    }

    fn end_text(&mut self) {
        if std::mem::take(&mut self.in_text) {
            self.ready.push_back(Saying::TextEnd);
        }
    }

    fn end(&mut self) {
        self.end_text();
        for (_, call) in std::mem::take(&mut self.calls) {
            let text = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
            let input = serde_json::from_str(text).map_err(|_| call.arguments.clone());
            self.ready.push_back(Saying::Call { id: call.id, name: call.name, input });
        }
        self.ended = true;
    }
}

fn request(model: &str, messages: &[Value], clients: &[Value]) -> Value {
    let tools: Vec<Value> = tools::declarations(clients)
        .into_iter()
        .map(|tools::Declaration { name, description, parameters }| {
            json!({"type": "function", "function": {"name": name, "description": description, "parameters": parameters}})
        })
        .collect();
    let mut history = vec![json!({"role": "system", "content": SYSTEM})];
    for message in messages {
        if transcript::is(message, "assistant") {
            assistant(&mut history, message);
        } else {
            history.push(json!({"role": message["role"], "content": transcript::text(message)}));
        }
    }
    json!({"model": model, "stream": true, "messages": history, "tools": tools})
}

/// One of our answers is several of theirs: text with calls, then the calls' results, step by step.
fn assistant(history: &mut Vec<Value>, message: &Value) {
    let mut text = String::new();
    let mut calls = Vec::new();
    let mut results = Vec::new();
    let flush = |history: &mut Vec<Value>, text: &mut String, calls: &mut Vec<Value>, results: &mut Vec<Value>| {
        if text.is_empty() && calls.is_empty() {
            return;
        }
        let mut said = Map::from_iter([("role".to_owned(), json!("assistant")), ("content".to_owned(), json!(std::mem::take(text)))]);
        if !calls.is_empty() {
            said.insert("tool_calls".to_owned(), json!(std::mem::take(calls)));
        }
        history.push(Value::Object(said));
        history.append(results);
    };
    for part in transcript::parts(message) {
        if part["type"] == "step-start" {
            flush(history, &mut text, &mut calls, &mut results);
        } else if part["type"] == "text" {
            text.push_str(part["text"].as_str().unwrap_or_default());
        } else if part["toolCallId"].is_string() {
            let input = part.get("input").cloned().unwrap_or_else(|| json!({}));
            let function = json!({"name": part["toolName"], "arguments": input.to_string()});
            calls.push(json!({"id": part["toolCallId"], "type": "function", "function": function}));
            results.push(json!({"role": "tool", "tool_call_id": part["toolCallId"], "content": result(part)}));
        }
    }
    flush(history, &mut text, &mut calls, &mut results);
}

fn result(part: &Value) -> String {
    match part["state"].as_str() {
        Some("output-available") => part["output"].to_string(),
        Some("output-denied") => "The person denied this call. It did not run.".to_owned(),
        Some("output-error") => format!("Error: {}", part["errorText"].as_str().unwrap_or_default()),
        _ => "The call has no result.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_may_be_cut_anywhere() {
        let raw = "data: {\"choices\":[{\"delta\":{\"content\":\"Grüße\"}}]}\n\ndata: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
        for cut in 0..raw.len() {
            let mut parser = Parser::default();
            parser.feed(&raw.as_bytes()[..cut]).unwrap();
            parser.feed(&raw.as_bytes()[cut..]).unwrap();
            assert_eq!(parser.ready, [Saying::TextStart, Saying::Text("Grüße".to_owned()), Saying::TextEnd], "cut at {cut}");
            assert!(parser.ended);
        }
    }

    #[test]
    fn two_calls_come_interleaved() {
        let mut parser = Parser::default();
        let delta = |calls: Value| json!({"choices": [{"delta": {"tool_calls": calls}}]}).to_string();
        for event in [
            delta(json!([{"index": 0, "id": "c0", "function": {"name": "getTime", "arguments": ""}}])),
            delta(json!([{"index": 1, "id": "c1", "function": {"name": "getWeather", "arguments": "{\"ci"}}])),
            delta(json!([{"index": 1, "function": {"arguments": "ty\":\"Rome\"}"}}])),
            "[DONE]".to_owned(),
        ] {
            parser.event(&event).unwrap();
        }
        let calls: Vec<&Saying> = parser.ready.iter().filter(|saying| matches!(saying, Saying::Call { .. })).collect();
        let call = |id: &str, name: &str, input| Saying::Call { id: id.to_owned(), name: name.to_owned(), input: Ok(input) };
        assert_eq!(calls, [&call("c0", "getTime", json!({})), &call("c1", "getWeather", json!({"city": "Rome"}))]);
    }

    #[test]
    fn an_answer_with_a_denied_call_becomes_call_result_and_text() {
        let message = json!({"id": "a", "role": "assistant", "parts": [
            {"type": "step-start"},
            {"type": "tool-getWeather", "toolCallId": "c", "toolName": "getWeather", "state": "output-denied", "input": {"city": "Oslo"}},
            {"type": "step-start"},
            {"type": "text", "text": "Fine.", "state": "done"}
        ]});
        let mut history = Vec::new();
        assistant(&mut history, &message);
        let roles: Vec<&Value> = history.iter().map(|entry| &entry["role"]).collect();
        assert_eq!(roles, ["assistant", "tool", "assistant"]);
        assert_eq!(history[0]["tool_calls"][0]["function"]["arguments"], "{\"city\":\"Oslo\"}");
        assert!(history[1]["content"].as_str().unwrap().contains("denied"));
    }
}
