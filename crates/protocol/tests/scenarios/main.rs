//! The life of a conversation, case by case: what users of comparable clients complain about (notes 10), turned into tests.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "functions that only tests call, with literals")]

#[path = "../support/mod.rs"]
mod support;

mod calls;
mod content;
mod lists;
mod resuming;
mod turns;

use callbox_protocol::{ClientFrame, Conversation, Reaction, ServerFrame, ToolState, UiMessage};
use serde_json::{Value, json};

use support::{chunk, done, frame};

fn receive(conversation: &mut Conversation, frames: impl IntoIterator<Item = ServerFrame>) -> Vec<Reaction> {
    frames.into_iter().flat_map(|frame| conversation.receive(&frame)).collect()
}

/// The user says something, and the agent has written this much in answer.
fn answering(texts: &[&str]) -> Conversation {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    receive(&mut conversation, opening("r1", texts));
    conversation
}

fn opening(request: &str, texts: &[&str]) -> Vec<ServerFrame> {
    let mut frames = vec![
        chunk(request, 0, json!({"type": "start", "messageId": "a1"})),
        chunk(request, 1, json!({"type": "start-step"})),
        chunk(request, 2, json!({"type": "text-start", "id": "t"})),
    ];
    frames.extend((3..).zip(texts).map(|(seq, text)| chunk(request, seq, json!({"type": "text-delta", "id": "t", "delta": text}))));
    frames
}

/// The agent asks whether it may run a tool; the turn has ended.
fn asking() -> Conversation {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "weather")]));
    receive(&mut conversation, question());
    conversation
}

fn question() -> Vec<ServerFrame> {
    vec![
        chunk("r1", 0, json!({"type": "start", "messageId": "a1"})),
        chunk("r1", 1, json!({"type": "start-step"})),
        chunk("r1", 2, json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "getWeather"})),
        chunk("r1", 3, json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "getWeather", "input": {"city": "Paris"}})),
        chunk("r1", 4, json!({"type": "tool-approval-request", "toolCallId": "c", "approvalId": "q"})),
        chunk("r1", 5, json!({"type": "finish", "messageMetadata": {"finishReason": "tool-calls"}})),
        done("r1"),
    ]
}

fn tool(state: &str, more: Value) -> Value {
    let mut tool =
        json!({"type": "tool-getWeather", "toolName": "getWeather", "toolCallId": "c", "state": state, "input": {"city": "Paris"}});
    if let (Value::Object(tool), Value::Object(more)) = (&mut tool, more) {
        tool.extend(more);
    }
    tool
}

fn updated(id: &str, tool: Value) -> ServerFrame {
    let message = json!({"id": id, "role": "assistant", "parts": [{"type": "step-start"}, tool]});
    frame(json!({"type": "cf_agent_message_updated", "message": message}))
}

fn transcript(messages: Value) -> ServerFrame {
    frame(json!({"type": "cf_agent_chat_messages", "messages": messages}))
}

fn user(id: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": "hi"}]})
}

fn said(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": text, "state": "done"}]})
}

fn state_of(conversation: &Conversation) -> ToolState {
    conversation.messages().iter().find_map(|message| message.tool("c")).unwrap().state.clone()
}
