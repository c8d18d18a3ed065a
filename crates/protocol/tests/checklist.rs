//! Every type string that the SDKs have, of the releases that agents run: each is known here, and written back as it was read.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "functions that only tests call, with literals")]

use callbox_protocol::chunks::Chunk;
use callbox_protocol::{ClientFrame, Part, ServerFrame, ToolState, UiMessage};
use serde_json::{Value, json};

fn message() -> Value {
    json!({"id": "m", "role": "assistant", "metadata": {"x": [1]}, "parts": [{"type": "text", "text": "t", "state": "done"}]})
}

/// Frames of the agent, with all fields that they can have (agents 0.2 to 0.32, ai-chat 0.1 to 0.12).
fn server_frames() -> Vec<Value> {
    vec![
        // Since 0.2.
        json!({"type": "cf_agent_state", "state": {"n": 1}}),
        json!({"type": "cf_agent_mcp_servers", "mcp": {"servers": {"s": {"name": "n", "server_url": "https://s.example/", "auth_url": null,
            "state": "ready", "instructions": null, "capabilities": null}}, "tools": [], "prompts": [], "resources": []}}),
        json!({"type": "rpc", "id": "1", "success": true, "result": 3, "done": true}),
        json!({"type": "rpc", "id": "1", "success": false, "error": "no"}),
        json!({"type": "cf_agent_chat_messages", "messages": [message()]}),
        json!({"type": "cf_agent_use_chat_response", "id": "r", "body": "{}", "done": false}),
        json!({"type": "cf_agent_chat_clear"}),
        json!({"type": "cf_mcp_agent_event"}),
        // Since 0.3.
        json!({"type": "cf_agent_identity", "name": "n", "agent": "chat-agent"}),
        json!({"type": "cf_agent_stream_resuming", "id": "r"}),
        json!({"type": "cf_agent_message_updated", "message": message()}),
        json!({"type": "cf_agent_state_error", "error": "Connection is readonly"}),
        json!({"type": "cf_agent_stream_resume_none"}),
        // The newest.
        json!({"type": "cf_agent_identity", "name": "n", "agent": "chat-agent", "stateFollows": true}),
        json!({"type": "cf_agent_chat_messages", "messages": [message()], "connect": true}),
        json!({"type": "cf_agent_use_chat_response", "id": "r", "body": "why", "done": true, "error": true, "continuation": true,
            "replay": true, "replayComplete": true, "seq": 7, "messageIds": ["u"], "outcome": "error"}),
        json!({"type": "cf_agent_stream_resuming", "id": "r", "probeId": "p"}),
        json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"}),
        json!({"type": "cf_agent_stream_pending", "id": "r", "probeId": "p"}),
        json!({"type": "cf_agent_chat_recovering", "recovering": true, "id": "r"}),
        json!({"type": "agent-tool-event", "parentToolCallId": "c", "sequence": 1, "replay": true,
            "event": {"kind": "chunk", "runId": "1", "body": "{}"}}),
        json!({"type": "cf_agent_session"}),
        json!({"type": "cf_agent_session_error"}),
    ]
}

fn client_frames() -> Vec<Value> {
    let body = |fields: Value| {
        let mut body = json!({"messages": [message()], "trigger": "submit-message"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        json!({"method": "POST", "body": body.to_string()})
    };
    vec![
        json!({"type": "cf_agent_use_chat_request", "id": "r", "init": body(json!({}))}),
        json!({"type": "cf_agent_use_chat_request", "id": "r", "init": body(json!({"trigger": "regenerate-message", "model": "m",
            "clientTools": [{"name": "t", "description": "d", "parameters": {"type": "object"}}]}))}),
        // As 0.2 sends it.
        json!({"type": "cf_agent_use_chat_request", "id": "r", "url": "/api/chat", "init": {"method": "POST", "headers": {"x": "y"},
            "body": json!({"id": "chat", "messages": [message()], "trigger": "submit-message", "messageId": "m"}).to_string()}}),
        json!({"type": "cf_agent_chat_request_cancel", "id": "r"}),
        json!({"type": "cf_agent_chat_clear"}),
        json!({"type": "cf_agent_chat_messages", "messages": [message()]}),
        json!({"type": "cf_agent_stream_resume_request", "probeId": "p"}),
        json!({"type": "cf_agent_stream_resume_ack", "id": "r"}),
        json!({"type": "cf_agent_tool_result", "toolCallId": "c", "toolName": "t", "output": null, "state": "output-error",
            "errorText": "no", "autoContinue": false, "clientTools": [{"name": "t"}]}),
        json!({"type": "cf_agent_tool_approval", "toolCallId": "c", "approved": true, "autoContinue": true}),
        json!({"type": "cf_agent_state", "state": null}),
        json!({"type": "rpc", "id": "1", "method": "add", "args": [1, 2]}),
    ]
}

/// Chunks, with all fields that they can have (AI SDK 5, 6 and 7).
fn chunks() -> Vec<Value> {
    let call = |kind: &str, more: Value| {
        let mut chunk = json!({"type": kind, "toolCallId": "c", "providerExecuted": true, "providerMetadata": {"p": {"x": 1}},
            "toolMetadata": {"y": 1}, "dynamic": true});
        chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk
    };
    vec![
        // Since 5.
        json!({"type": "start", "messageId": "m", "messageMetadata": {"x": 1}}),
        json!({"type": "finish", "finishReason": "stop", "messageMetadata": {"x": 1}}),
        json!({"type": "message-metadata", "messageMetadata": null}),
        json!({"type": "start-step"}),
        json!({"type": "finish-step"}),
        json!({"type": "abort"}),
        json!({"type": "error", "errorText": "why"}),
        json!({"type": "text-start", "id": "0", "providerMetadata": {"p": {}}}),
        json!({"type": "text-delta", "id": "0", "delta": "d", "providerMetadata": {"p": {}}}),
        json!({"type": "text-delta", "delta": "of an agent without ids"}),
        json!({"type": "text-end", "id": "0", "providerMetadata": {"p": {}}}),
        json!({"type": "reasoning-start", "id": "0", "providerMetadata": {"p": {}}}),
        json!({"type": "reasoning-delta", "id": "0", "delta": "d", "providerMetadata": {"p": {}}}),
        json!({"type": "reasoning-end", "id": "0", "providerMetadata": {"p": {}}}),
        call("tool-input-start", json!({"toolName": "t", "title": "T", "inputEncoding": "json"})),
        json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{"}),
        call("tool-input-available", json!({"toolName": "t", "title": "T", "input": {"a": 1}})),
        call("tool-input-error", json!({"toolName": "t", "title": "T", "input": "{", "errorText": "bad"})),
        call("tool-output-available", json!({"output": null, "preliminary": true})),
        call("tool-output-error", json!({"errorText": "why"})),
        json!({"type": "source-url", "sourceId": "s", "url": "https://example.com/", "title": "T", "providerMetadata": {"p": {}}}),
        json!({"type": "source-document", "sourceId": "s", "mediaType": "application/pdf", "title": "T", "filename": "f", "providerMetadata": {}}),
        json!({"type": "file", "url": "data:,", "mediaType": "image/png", "providerMetadata": {"p": {}}}),
        json!({"type": "data-weather", "id": "d", "data": {"x": 1}, "transient": true}),
        // Since 6.
        json!({"type": "abort", "reason": "why"}),
        json!({"type": "tool-approval-request", "approvalId": "q", "toolCallId": "c", "approvalDescriptor": 1, "inputSchemaInput": {}, "signature": "s"}),
        json!({"type": "tool-output-denied", "toolCallId": "c"}),
        // Since 7.
        json!({"type": "tool-approval-request", "approvalId": "q", "toolCallId": "c", "reason": "why", "isAutomatic": true}),
        json!({"type": "tool-approval-response", "approvalId": "q", "approved": false, "reason": "why", "providerExecuted": true, "providerMetadata": {}}),
        json!({"type": "text-end", "id": "0", "citations": [{"source": {"type": "source"}}]}),
        json!({"type": "reset-step"}),
        json!({"type": "reasoning-file", "url": "data:,", "mediaType": "image/png", "providerMetadata": {}}),
        json!({"type": "custom", "kind": "provider.type", "providerMetadata": {}}),
        json!({"type": "steering-message", "id": "m", "parts": [{"type": "text", "text": "t"}]}),
    ]
}

fn parts() -> Vec<Value> {
    vec![
        json!({"type": "text", "text": "t", "state": "streaming", "providerMetadata": {"p": {}}, "citations": []}),
        json!({"type": "reasoning", "text": "t", "id": "0", "state": "done", "providerMetadata": {"p": {}}}),
        json!({"type": "file", "mediaType": "image", "url": "data:,", "filename": "f", "providerMetadata": {}, "providerReference": {}}),
        json!({"type": "reasoning-file", "mediaType": "image/png", "url": "data:,", "providerMetadata": {}}),
        json!({"type": "source-url", "sourceId": "s", "url": "https://example.com/", "title": "T", "providerMetadata": {}}),
        json!({"type": "source-document", "sourceId": "s", "mediaType": "m/t", "title": "T", "filename": "f", "providerMetadata": {}}),
        json!({"type": "step-start"}),
        json!({"type": "data-weather", "id": "d", "data": null}),
        json!({"type": "custom", "kind": "provider.type", "providerMetadata": {}}),
        json!({"type": "steering-message", "id": "m", "parts": [{"type": "text", "text": "t"}, {"type": "new"}]}),
    ]
}

/// A call in each state, in both forms.
fn calls() -> Vec<(Value, ToolState)> {
    let asked = json!({"id": "q", "descriptor": 1, "signature": "s", "requestReason": "r", "isAutomatic": true});
    let answered = |approved: bool| json!({"id": "q", "approved": approved, "reason": "why", "new": 1});
    let states = [
        (json!({"state": "input-streaming", "rawInput": "{", "inputEncoding": "json"}), ToolState::InputStreaming),
        (json!({"state": "input-available", "input": {}, "callProviderMetadata": {}}), ToolState::InputAvailable),
        (json!({"state": "approval-requested", "input": {}, "approval": asked}), ToolState::ApprovalRequested),
        (json!({"state": "approval-responded", "input": {}, "approval": answered(true)}), ToolState::ApprovalResponded),
        (
            json!({"state": "output-available", "input": {}, "output": null, "preliminary": true, "resultProviderMetadata": {}}),
            ToolState::OutputAvailable,
        ),
        (json!({"state": "output-error", "rawInput": "x", "errorText": "why", "approval": answered(true)}), ToolState::OutputError),
        (json!({"state": "output-denied", "input": {}, "approval": answered(false)}), ToolState::OutputDenied),
        (json!({"state": "output-new", "input": {}}), ToolState::Unknown("output-new".to_owned())),
    ];
    let forms =
        [json!({"type": "tool-get-weather", "toolName": "get-weather"}), json!({"type": "dynamic-tool", "toolName": "get-weather"})];
    let all = states.iter().flat_map(|(fields, state)| {
        forms.iter().map(move |form| {
            let mut call = json!({"toolCallId": "c", "title": "T", "providerExecuted": false, "toolMetadata": {}});
            for more in [form, fields] {
                call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            }
            (call, state.clone())
        })
    });
    all.collect()
}

/// The same with a field that no release has, in front and behind.
fn with_unknown_fields(value: &Value) -> Value {
    let fields = value.as_object().unwrap().clone().into_iter();
    Value::Object(
        [("new".to_owned(), json!([null, {"deep": 1.5}]))].into_iter().chain(fields).chain([("newer".to_owned(), json!(true))]).collect(),
    )
}

#[test]
fn every_frame_of_the_agent_is_known_and_survives() {
    for plain in server_frames() {
        for value in [plain.clone(), with_unknown_fields(&plain)] {
            let frame = ServerFrame::parse(&value.to_string()).unwrap();
            assert!(!matches!(frame, ServerFrame::Unknown(_)), "{value}");
            assert_eq!(frame.type_name(), value["type"], "{value}");
            assert_eq!(serde_json::from_str::<Value>(&frame.to_json()).unwrap(), value);
        }
    }
}

#[test]
fn every_frame_of_a_client_is_known_and_survives() {
    for plain in client_frames() {
        for value in [plain.clone(), with_unknown_fields(&plain)] {
            let frame = ClientFrame::parse(&value.to_string()).unwrap();
            assert!(!matches!(frame, ClientFrame::Unknown(_)), "{value}");
            let mut written: Value = serde_json::from_str(&frame.to_json()).unwrap();
            let mut value = value;
            // JSON in a text: the same object, in whatever order.
            for side in [&mut written, &mut value] {
                if let Some(body) = side.pointer_mut("/init/body") {
                    *body = serde_json::from_str(body.as_str().unwrap()).unwrap();
                }
            }
            assert_eq!(written, value);
        }
    }
}

#[test]
fn every_chunk_is_known_and_survives() {
    for plain in chunks() {
        for value in [plain.clone(), with_unknown_fields(&plain)] {
            let chunk = Chunk::from_value(value.clone());
            assert!(!matches!(chunk, Chunk::Unknown(_)), "{value}");
            assert_eq!(chunk.type_name(), value["type"], "{value}");
            assert_eq!(serde_json::from_str::<Value>(&chunk.to_json()).unwrap(), value);
        }
    }
}

#[test]
fn every_part_is_known_and_survives_alone_and_in_a_message() {
    let parts: Vec<_> = parts().into_iter().chain(calls().into_iter().map(|(call, _)| call)).collect();
    for plain in &parts {
        let part = Part::from_value(plain.clone());
        assert!(!matches!(part, Part::Unknown(_)), "{plain}");
        for value in [plain.clone(), with_unknown_fields(plain)] {
            assert_eq!(serde_json::to_value(Part::from_value(value.clone())).unwrap(), value);
        }
    }
    let message = json!({"id": "m", "role": "assistant", "parts": parts, "content": "of a release before 5", "createdAt": 1});
    let read: UiMessage = serde_json::from_value(message.clone()).unwrap();
    assert_eq!(serde_json::to_value(read).unwrap(), message);
}

#[test]
fn every_state_of_a_call_is_known_in_both_forms() {
    for (value, state) in calls() {
        let Part::Tool(call) = Part::from_value(value.clone()) else { panic!("{value}") };
        assert_eq!(call.state, state);
        assert_eq!(call.tool_name, "get-weather", "all that follows the first dash");
        assert_eq!(call.dynamic, value["type"] == "dynamic-tool");
        assert_eq!(call.awaits_decision(), state == ToolState::ApprovalRequested);
        assert!(!call.is_settled() || state.is_terminal());
    }
}

#[test]
fn what_no_release_has_is_kept_as_it_is() {
    for value in [json!({"type": "cf_new", "x": 1}), json!({"error": "at Durable Object"}), json!(["push", []]), json!(7), json!(null)] {
        let frame = ServerFrame::parse(&value.to_string()).unwrap();
        assert!(matches!(frame, ServerFrame::Unknown(_)));
        assert_eq!(serde_json::from_str::<Value>(&frame.to_json()).unwrap(), value);
        assert_eq!(serde_json::to_value(Part::from_value(value.clone())).unwrap(), value);
        assert_eq!(serde_json::to_value(Chunk::from_value(value.clone())).unwrap(), value);
    }
}
