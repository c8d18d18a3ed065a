//! What is measured: recordings of the tests, and generated ones that are larger than anybody would keep in a repository.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::workspace;

/// Those of the tests that consist of whole answers: what the SDK's reader can read without its socket.
const RECORDED: [&str; 4] = ["03-simple-chat", "04-stream-200", "05-tool-auto", "38-reasoning-sources-files"];

/// Where they are.
pub(super) fn recorded() -> Vec<PathBuf> {
    let folder = workspace::root().join("crates/protocol/tests/transcripts");
    RECORDED.iter().map(|name| folder.join(name).with_extension("jsonl")).collect()
}

/// Copies what the first client of a recording saw into `folder`: its first socket, and those that follow when it is closed.
pub(super) fn one_client(path: &Path, folder: &Path) -> Result<PathBuf> {
    let text = fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let (mut kept, mut socket) = (String::new(), None);
    for line in text.lines() {
        let value: Value = serde_json::from_str(line).with_context(|| format!("{} is no recording", path.display()))?;
        let (connection, event) = (value["conn"].as_u64(), value["text"].as_str().unwrap_or_default());
        if socket.is_none() && event.starts_with("socket open") {
            socket = connection;
        }
        if connection.is_some() && connection == socket {
            kept.push_str(line);
            kept.push('\n');
            if event.starts_with("socket closed") {
                socket = None;
            }
        }
    }
    let copy = folder.join(path.file_name().unwrap_or_default());
    fs::write(&copy, kept)?;
    Ok(copy)
}

/// A recording that is being written.
#[derive(Default)]
struct Recording {
    lines: String,
    conn: u64,
}

impl Recording {
    fn line(&mut self, line: &Value) {
        self.lines.push_str(&line.to_string());
        self.lines.push('\n');
    }

    fn open(&mut self) {
        self.conn += 1;
        self.line(&json!({"dir": "meta", "text": "socket open", "conn": self.conn, "room": "bench"}));
    }

    fn close(&mut self) {
        self.line(&json!({"dir": "meta", "text": "socket closed 1006 ", "conn": self.conn}));
    }

    fn frame(&mut self, direction: &str, frame: &Value) {
        self.line(&json!({"conn": self.conn, "dir": direction, "raw": frame.to_string()}));
    }

    fn ask(&mut self, request: &str) {
        let message = json!({"id": format!("user-{request}"), "role": "user", "parts": [{"type": "text", "text": "go"}]});
        let body = json!({"messages": [message], "trigger": "submit-message"}).to_string();
        self.frame("out", &json!({"id": request, "init": {"method": "POST", "body": body}, "type": "cf_agent_use_chat_request"}));
    }

    fn answer(&mut self, request: &str, chunks: &[Value], replay: bool) {
        for (seq, chunk) in chunks.iter().enumerate() {
            let mut frame =
                json!({"body": chunk.to_string(), "done": false, "id": request, "type": "cf_agent_use_chat_response", "seq": seq});
            if replay {
                frame["replay"] = true.into();
            }
            self.frame("in", &frame);
        }
    }

    fn done(&mut self, request: &str) {
        self.frame("in", &json!({"body": "", "done": true, "id": request, "type": "cf_agent_use_chat_response"}));
    }
}

/// One answer: this text, piece by piece.
fn text(request: &str, pieces: impl IntoIterator<Item = String>) -> Vec<Value> {
    let begin = [
        json!({"type": "start", "messageId": format!("assistant_{request}")}),
        json!({"type": "start-step"}),
        json!({"type": "text-start", "id": "t"}),
    ];
    let end = [json!({"type": "text-end", "id": "t"}), json!({"type": "finish-step"}), json!({"type": "finish"})];
    let deltas = pieces.into_iter().map(|delta| json!({"type": "text-delta", "id": "t", "delta": delta}));
    begin.into_iter().chain(deltas).chain(end).collect()
}

/// One answer with many tool calls, their arguments in pieces.
fn tools(request: &str, calls: usize) -> Vec<Value> {
    let mut chunks = vec![json!({"type": "start", "messageId": format!("assistant_{request}")})];
    for call in 0..calls {
        let id = format!("call_{call}");
        let input = json!({"city": format!("Town {call}"), "units": "metric", "days": call % 7});
        let arguments = input.to_string();
        chunks.push(json!({"type": "start-step"}));
        chunks.push(json!({"type": "tool-input-start", "toolCallId": id, "toolName": "getForecast"}));
        for piece in arguments.as_bytes().chunks(6) {
            let delta = String::from_utf8_lossy(piece);
            chunks.push(json!({"type": "tool-input-delta", "toolCallId": id, "inputTextDelta": delta}));
        }
        chunks.push(json!({"type": "tool-input-available", "toolCallId": id, "toolName": "getForecast", "input": input}));
        let hours: Vec<Value> = (0..24).map(|hour| json!({"hour": hour, "celsius": 20.5 - f64::from(hour), "sky": "clear"})).collect();
        chunks.push(json!({"type": "tool-output-available", "toolCallId": id, "output": {"hours": hours}}));
        chunks.push(json!({"type": "finish-step"}));
    }
    chunks.push(json!({"type": "finish"}));
    chunks
}

/// Writes the generated recordings into `folder`.
pub(super) fn generate(folder: &Path) -> Result<Vec<PathBuf>> {
    let words = |count: usize| (0..count).map(|n| if n % 40 == 39 { format!("word{n}.\n\n") } else { format!("word{n} ") });
    let paragraph = "A paragraph of *some* length, with `code`, “quotes” and 日本語, said once more. ".repeat(600);
    let whole = |chunks: &[Value]| {
        let mut recording = Recording::default();
        recording.open();
        recording.ask("r1");
        recording.answer("r1", chunks, false);
        recording.done("r1");
        recording
    };
    let resumed = {
        // Cut in the middle, and told again from the beginning.
        let chunks = text("r1", words(10_000));
        let mut recording = Recording::default();
        recording.open();
        recording.ask("r1");
        recording.answer("r1", &chunks[..chunks.len() / 2], false);
        recording.close();
        recording.open();
        recording.frame("in", &json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
        recording.frame("out", &json!({"type": "cf_agent_stream_resume_ack", "id": "r1"}));
        recording.answer("r1", &chunks, true);
        recording.done("r1");
        recording
    };
    let generated = [
        ("many-small-deltas", whole(&text("r1", words(20_000)))),
        ("few-large-deltas", whole(&text("r1", (0..20).map(|_| paragraph.clone())))),
        ("tool-heavy", whole(&tools("r1", 300))),
        ("replayed", resumed),
    ];
    let write = |(name, recording): (&str, Recording)| {
        let path = folder.join(name).with_extension("jsonl");
        fs::write(&path, recording.lines)?;
        Ok(path)
    };
    generated.into_iter().map(write).collect()
}
