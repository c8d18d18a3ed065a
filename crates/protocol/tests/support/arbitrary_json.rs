//! JSON that looks like the protocol, with anything anywhere.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

pub(crate) const ROLES: &[&str] = &["user", "assistant", "system", "tool", "data"];
pub(crate) const FRAME_TYPES: &[&str] = &[
    "cf_agent_identity",
    "cf_agent_state",
    "cf_agent_state_error",
    "rpc",
    "cf_agent_mcp_servers",
    "agent-tool-event",
    "cf_agent_chat_messages",
    "cf_agent_use_chat_response",
    "cf_agent_chat_clear",
    "cf_agent_message_updated",
    "cf_agent_stream_resuming",
    "cf_agent_stream_resume_none",
    "cf_agent_stream_pending",
    "cf_agent_chat_recovering",
    "cf_new",
];
pub(crate) const OWN_FRAME_TYPES: &[&str] = &[
    "cf_agent_use_chat_request",
    "cf_agent_chat_request_cancel",
    "cf_agent_chat_clear",
    "cf_agent_chat_messages",
    "cf_agent_stream_resume_request",
    "cf_agent_stream_resume_ack",
    "cf_agent_tool_result",
    "cf_agent_tool_approval",
    "cf_agent_state",
    "rpc",
    "cf_new",
];
pub(crate) const CHUNK_TYPES: &[&str] = &[
    "start",
    "finish",
    "message-metadata",
    "start-step",
    "finish-step",
    "reset-step",
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "tool-input-start",
    "tool-input-delta",
    "tool-input-available",
    "tool-input-error",
    "tool-approval-request",
    "tool-approval-response",
    "tool-output-available",
    "tool-output-error",
    "tool-output-denied",
    "source-url",
    "file",
    "data-x",
    "custom",
    "error",
    "abort",
];
pub(crate) const PART_TYPES: &[&str] = &[
    "text",
    "reasoning",
    "file",
    "reasoning-file",
    "source-url",
    "source-document",
    "step-start",
    "data-x",
    "custom",
    "steering-message",
    "tool-getWeather",
    "tool-a-b",
    "dynamic-tool",
    "",
];
pub(crate) const KEYS: &[&str] = &[
    "id",
    "text",
    "state",
    "name",
    "agent",
    "stateFollows",
    "messages",
    "message",
    "connect",
    "body",
    "done",
    "error",
    "seq",
    "replay",
    "continuation",
    "messageIds",
    "outcome",
    "probeId",
    "reason",
    "recovering",
    "mcp",
    "result",
    "success",
    "messageId",
    "messageMetadata",
    "delta",
    "toolCallId",
    "toolName",
    "input",
    "output",
    "errorText",
    "approval",
    "approvalId",
    "approved",
    "title",
    "providerExecuted",
    "providerMetadata",
    "preliminary",
    "dynamic",
    "inputTextDelta",
    "mediaType",
    "url",
    "filename",
    "sourceId",
    "data",
    "metadata",
    "event",
    "parentToolCallId",
    "sequence",
    "trigger",
    "clientTools",
    "method",
    "args",
    "autoContinue",
    "anything",
];

pub(crate) fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        select(&["streaming", "done", "output-available", "approval-requested", "input-streaming", "output-new"][..]).prop_map(Value::from),
        Just(json!({"id": "q", "approved": true, "reason": "x", "more": 1})),
        Just(json!([{"id": "m", "role": "user", "parts": [{"type": "text", "text": "t"}]}])),
        Just(json!({"id": "m", "role": "user", "parts": []})),
        Just(json!(["a", "b"])),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(select(KEYS).prop_map(str::to_owned), inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

/// An object with well-known keys and values of any type.
pub(crate) fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(select(KEYS).prop_map(str::to_owned), any_json(), 0..10).prop_map(|map| map.into_iter().collect())
}

pub(crate) fn typed_object(types: &'static [&'static str]) -> impl Strategy<Value = Value> {
    // Half of them have what makes them a tool call, a frame, a text.
    let usual =
        json!({"id": "i", "toolCallId": "c", "toolName": "t", "state": "input-available", "text": "x", "delta": "d", "errorText": "e"});
    (select(types), object(), any::<bool>()).prop_map(move |(kind, mut object, complete)| {
        if let (true, Value::Object(usual)) = (complete, usual.clone()) {
            object.extend(usual);
        }
        if !kind.is_empty() {
            object.insert("type".to_owned(), json!(kind));
        }
        match kind {
            // Messages are read as such, and come with all that makes a message.
            "cf_agent_chat_messages" | "cf_agent_message_updated" => {
                object.insert("messages".to_owned(), json!([{"id": "m", "role": "x", "parts": [7, {"type": "text"}], "content": null}]));
                object.insert("message".to_owned(), json!({"id": "m", "role": "assistant", "parts": [], "createdAt": 1.5}));
            }
            _ => {}
        }
        Value::Object(object)
    })
}
