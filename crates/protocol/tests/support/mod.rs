//! What several test files need.
#![allow(dead_code, reason = "each test file uses some of it")]
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "only tests call it, with literals")]

pub(crate) mod agent;
pub(crate) mod arbitrary_json;
pub(crate) mod happenings;

use std::fs;
use std::path::PathBuf;

use callbox_protocol::{ServerFrame, UiMessage};
use serde_json::{Value, json};

/// The recordings: name and text.
pub(crate) fn recordings() -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files.into_iter().map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(path).unwrap())).collect()
}

/// A frame of the agent.
pub(crate) fn frame(value: Value) -> ServerFrame {
    ServerFrame::parse(&value.to_string()).unwrap()
}

/// A live, numbered chunk.
pub(crate) fn chunk(request: &str, seq: u64, chunk: Value) -> ServerFrame {
    frame(json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq}))
}

/// The same chunk, sent again.
pub(crate) fn replayed(request: &str, seq: u64, chunk: Value) -> ServerFrame {
    frame(
        json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq, "replay": true}),
    )
}

/// A chunk of a continuation.
pub(crate) fn continued(request: &str, seq: u64, chunk: Value) -> ServerFrame {
    frame(json!({
        "type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq, "continuation": true
    }))
}

/// The end of a turn.
pub(crate) fn done(request: &str) -> ServerFrame {
    frame(json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}))
}

/// The end of a turn with an outcome.
pub(crate) fn ended(request: &str, outcome: &str) -> ServerFrame {
    frame(json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": outcome}))
}

/// A message from its JSON.
pub(crate) fn message(value: Value) -> UiMessage {
    serde_json::from_value(value).unwrap()
}

/// Messages as JSON.
pub(crate) fn json_of(messages: &[UiMessage]) -> Value {
    serde_json::to_value(messages).unwrap()
}
