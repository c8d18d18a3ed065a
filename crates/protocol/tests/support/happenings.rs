//! Frames in no order at all.

use callbox_protocol::{ClientFrame, Conversation, UiMessage};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::agent::{Event, play};
use super::{ended, frame as frame_of, message};

/// Frames and other happenings, in no order at all, about few enough things that they meet.
#[allow(clippy::large_enum_variant, reason = "a handful in a test")]
#[derive(Debug, Clone)]
pub(crate) enum Happening {
    Event(Event),
    Fetched(Vec<UiMessage>),
    Dropped,
    Opened,
}

pub(crate) fn happen(conversation: &mut Conversation, happening: &Happening) {
    match happening {
        Happening::Event(event) => play(conversation, event),
        Happening::Fetched(messages) => conversation.snapshot(messages.clone()),
        Happening::Dropped => conversation.disconnected(),
        Happening::Opened => conversation.connected(),
    }
}

pub(crate) fn some_message() -> impl Strategy<Value = Value> {
    let tool = (
        select(&["c1", "c2"][..]),
        select(
            &[
                "input-streaming",
                "input-available",
                "approval-requested",
                "approval-responded",
                "output-available",
                "output-error",
                "output-denied",
            ][..],
        ),
    )
        .prop_map(|(call, state)| json!({"type": "tool-t", "toolName": "t", "toolCallId": call, "state": state, "input": {}}));
    let text = "[ab]{0,3}".prop_map(|text| json!({"type": "text", "text": text}));
    let part = prop_oneof![3 => tool, 1 => text, 1 => Just(json!({"type": "step-start"}))];
    let assistant = (select(&["a1", "a2"][..]), prop::collection::vec(part, 0..4)).prop_map(|(id, parts)| {
        let mut seen = Vec::new();
        // A call stands once in a message.
        let once = |part: &Value| {
            let call = part.get("toolCallId").cloned();
            let new = call.is_none() || !seen.contains(&call);
            seen.push(call);
            new
        };
        let parts: Vec<_> = parts
            .into_iter()
            .filter({
                let mut once = once;
                move |part| once(part)
            })
            .collect();
        json!({"id": id, "role": "assistant", "parts": parts})
    });
    let user = select(&["u1", "u2"][..]).prop_map(|id| json!({"id": id, "role": "user", "parts": [{"type": "text", "text": "x"}]}));
    prop_oneof![3 => assistant, 1 => user]
}

pub(crate) fn some_messages() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(some_message(), 0..4).prop_map(|mut messages| {
        let mut seen = Vec::new();
        messages.retain(|message| {
            let new = !seen.contains(&message["id"]);
            seen.push(message["id"].clone());
            new
        });
        messages
    })
}

pub(crate) fn some_chunk() -> impl Strategy<Value = Value> {
    let call = || select(&["c1", "c2"][..]);
    prop_oneof![
        select(&["a1", "a2"][..]).prop_map(|id| json!({"type": "start", "messageId": id})),
        Just(json!({"type": "start"})),
        Just(json!({"type": "start-step"})),
        Just(json!({"type": "text-start", "id": "0"})),
        Just(json!({"type": "text-delta", "id": "0", "delta": "ab"})),
        Just(json!({"type": "text-end", "id": "0"})),
        Just(json!({"type": "reasoning-start", "id": "0"})),
        Just(json!({"type": "reasoning-delta", "id": "0", "delta": "x", "providerMetadata": {"p": 1}})),
        call().prop_map(|call| json!({"type": "tool-input-start", "toolCallId": call, "toolName": "t"})),
        call().prop_map(|call| json!({"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": "{\"a\": 1"})),
        call().prop_map(|call| json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {"a": 1}})),
        call().prop_map(|call| json!({"type": "tool-input-error", "toolCallId": call, "toolName": "t", "errorText": "e"})),
        call().prop_map(|call| json!({"type": "tool-approval-request", "toolCallId": call, "approvalId": "q"})),
        call().prop_map(|call| json!({"type": "tool-output-available", "toolCallId": call, "output": 1})),
        call().prop_map(|call| json!({"type": "tool-output-available", "toolCallId": call, "output": 0, "preliminary": true})),
        call().prop_map(|call| json!({"type": "tool-output-error", "toolCallId": call, "errorText": "e"})),
        call().prop_map(|call| json!({"type": "tool-output-denied", "toolCallId": call})),
        Just(json!({"type": "finish"})),
    ]
}

pub(crate) fn anything() -> impl Strategy<Value = Happening> {
    let request = || select(&["r1", "r2"][..]);
    let event = |frame: Value| Happening::Event(Event::In(frame_of(frame)));
    let out = |frame: ClientFrame| Happening::Event(Event::Out(frame));
    let response = (request(), prop::option::of(0_u64..6), some_chunk(), any::<bool>(), any::<bool>());
    prop_oneof![
        12 => response.prop_map(move |(id, seq, chunk, replay, continuation)| event(json!({
            "type": "cf_agent_use_chat_response", "id": id, "body": chunk.to_string(), "done": false, "seq": seq, "replay": replay,
            "continuation": continuation
        }))),
        1 => (request(), select(&["completed", "error", "aborted", "skipped", "recovering"][..])).prop_map(|(id, outcome)| {
            Happening::Event(Event::In(ended(id, outcome)))
        }),
        2 => some_messages().prop_map(move |messages| event(json!({"type": "cf_agent_chat_messages", "messages": messages}))),
        2 => some_messages().prop_map(|messages| Happening::Fetched(messages.into_iter().map(message).collect())),
        3 => some_message().prop_map(move |message| event(json!({"type": "cf_agent_message_updated", "message": message}))),
        1 => request().prop_map(move |id| event(json!({"type": "cf_agent_stream_resuming", "id": id}))),
        1 => Just(event(json!({"type": "cf_agent_chat_clear"}))),
        1 => Just(event(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"}))),
        1 => Just(out(ClientFrame::probe("p"))),
        2 => (select(&["c1", "c2"][..]), any::<bool>()).prop_map(move |(call, approved)| out(ClientFrame::decide(call, approved))),
        1 => select(&["c1", "c2"][..]).prop_map(move |call| out(ClientFrame::tool_output(call, "t", json!(1)))),
        2 => (select(&["r1", "r2", "r3"][..]), select(&["u1", "u2"][..])).prop_map(move |(request, user)| {
            out(ClientFrame::submit(request, vec![UiMessage::user(user, "x")]))
        }),
        1 => some_messages().prop_map(move |messages| {
            out(ClientFrame::regenerate("r4", messages.into_iter().map(message).collect()))
        }),
        1 => Just(Happening::Dropped),
        1 => Just(Happening::Opened),
    ]
}
