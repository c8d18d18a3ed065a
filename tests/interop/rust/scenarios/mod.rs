//! What happens in the conversations.

mod agent_tools;
mod calls;
mod concurrency;
mod confirmations;
mod drops;
mod places;
mod reworks;
mod stops;
mod talk;

use serde_json::{Value, json};

/// What the model is told to do, as the user's message.
fn script(steps: &Value) -> String {
    json!({ "steps": steps }).to_string()
}

/// An answer that stops in the middle until the gate `g` is opened.
fn halting() -> String {
    script(&json!([[{"text": ["Before "]}, {"gate": "g"}, {"text": ["after."]}]]))
}

/// An answer.
fn saying(text: &str) -> String {
    script(&json!([[{ "text": [text] }]]))
}

/// The text of a message.
fn text(message: &Value) -> String {
    let parts = message["parts"].as_array().into_iter().flatten();
    parts.filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}

/// The text of the last message.
fn text_of(stored: &[Value]) -> String {
    stored.last().map(text).unwrap_or_default()
}

/// So many messages, the last of which ends so.
fn answered(count: usize, end: &str) -> impl Fn(&[Value]) -> bool {
    move |stored| stored.len() == count && stored.last().is_some_and(|last| last["role"] == "assistant") && text_of(stored).ends_with(end)
}

/// The call in the last message.
fn call_of(stored: &[Value]) -> Value {
    let parts = stored.last().and_then(|message| message["parts"].as_array()).cloned().unwrap_or_default();
    parts.into_iter().find(|part| part["toolCallId"].is_string()).expect("there is a call")
}

/// The last message has a call in this state.
fn calls(state: &'static str) -> impl Fn(&[Value]) -> bool {
    move |stored| {
        let parts = stored.last().and_then(|message| message["parts"].as_array());
        parts.is_some_and(|parts| parts.iter().any(|part| part["toolCallId"].is_string() && part["state"] == state))
    }
}
