//! Tool calls and decisions.

use callbox_protocol::{ClientFrame, Conversation, Reaction, ToolState, UiMessage};
use serde_json::{Value, json};

use super::support::{chunk, continued, done, ended, frame, json_of, message};
use super::{asking, receive, said, state_of, tool, updated};

#[test]
fn a_decision_shows_in_the_form_in_which_the_agent_will_store_it() {
    for (approved, state, json) in [
        (true, "approval-responded", json!({"approval": {"id": "q", "approved": true}})),
        (false, "output-denied", json!({"approval": {"id": "q", "approved": false}})),
    ] {
        let mut conversation = asking();
        assert_eq!(conversation.undecided().map(|tool| tool.tool_call_id.as_str()).collect::<Vec<_>>(), ["c"]);
        conversation.sent(&ClientFrame::decide("c", approved));
        assert_eq!(conversation.undecided().count(), 0);
        assert_eq!(conversation.unsettled().collect::<Vec<_>>(), ["c"]);
        let before = json_of(conversation.messages());
        assert_eq!(before[1]["parts"][1], tool(state, json.clone()));
        let reactions = receive(&mut conversation, [updated("a1", tool(state, json))]);
        assert_eq!(reactions, [Reaction::Settled { tool_call_id: "c".to_owned() }]);
        assert_eq!(json_of(conversation.messages()), before);
    }
}

#[test]
fn the_first_decision_wins_whoever_took_it() {
    let mut conversation = asking();
    conversation.sent(&ClientFrame::decide("c", false));
    conversation.sent(&ClientFrame::decide("c", true));
    assert_eq!(state_of(&conversation), ToolState::OutputDenied, "our own second decision is none");
    receive(&mut conversation, [updated("a1", tool("approval-responded", json!({"approval": {"id": "q", "approved": true}})))]);
    assert_eq!(state_of(&conversation), ToolState::ApprovalResponded, "somebody else was first");
    receive(&mut conversation, [updated("a1", tool("output-denied", json!({"approval": {"id": "q", "approved": false}})))]);
    let after = state_of(&conversation);
    assert!(after != ToolState::ApprovalRequested, "and nothing asks again: {after:?}");
}

#[test]
fn a_decision_that_was_lost_with_its_socket_gives_way_to_get_messages() {
    let mut conversation = asking();
    let open = conversation.messages().to_vec();
    conversation.sent(&ClientFrame::decide("c", true));
    conversation.snapshot(open.clone());
    assert_eq!(state_of(&conversation), ToolState::ApprovalResponded, "the answer may be older than the decision");
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(open);
    assert_eq!(state_of(&conversation), ToolState::ApprovalRequested);
    assert_eq!(conversation.unsettled().collect::<Vec<_>>(), ["c"], "still to be sent again");
}

#[test]
fn a_replay_does_not_ask_again_what_was_decided() {
    let mut conversation = asking();
    conversation.sent(&ClientFrame::decide("c", true));
    receive(&mut conversation, [updated("a1", tool("approval-responded", json!({"approval": {"id": "q", "approved": true}})))]);
    let before = json_of(conversation.messages());
    receive(&mut conversation, [continued("k", 0, json!({"type": "start"}))]);
    for (seq, value) in (1..).zip([
        json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "getWeather"}),
        json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "getWeather", "input": {"city": "Rome"}}),
        json!({"type": "tool-approval-request", "toolCallId": "c", "approvalId": "q2"}),
        json!({"type": "tool-output-denied", "toolCallId": "c"}),
    ]) {
        receive(&mut conversation, [continued("k", seq, value)]);
    }
    assert_eq!(json_of(conversation.messages()), before);
}

#[test]
fn arguments_that_come_after_the_question_are_taken_only_if_there_were_none() {
    let late = |input: Value| json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "getWeather", "input": input});
    let ask = json!({"type": "tool-approval-request", "toolCallId": "c", "approvalId": "q"});
    let mut conversation = Conversation::new();
    for (seq, value) in (0..).zip([
        json!({"type": "start", "messageId": "a1"}),
        json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "getWeather"}),
        json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{\"city\":\"Par"}),
        ask.clone(),
        late(json!({"city": "Paris"})),
        ask.clone(),
        late(json!({"city": "Rome"})),
        ask,
    ]) {
        receive(&mut conversation, [chunk("r1", seq, value)]);
    }
    let call = conversation.messages()[0].tool("c").unwrap();
    assert_eq!(call.input, Some(json!({"city": "Paris"})));
    assert!(call.awaits_decision());
}

#[test]
fn arguments_can_be_read_while_they_are_written_and_are_gone_if_they_never_end() {
    let mut conversation = Conversation::new();
    for (seq, value) in (0..).zip([
        json!({"type": "start", "messageId": "a1"}),
        json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "t"}),
        json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{\"city\":\"Par"}),
    ]) {
        receive(&mut conversation, [chunk("r1", seq, value)]);
    }
    assert_eq!(conversation.messages()[0].tool("c").unwrap().input, Some(json!({"city": "Par"})));
    receive(&mut conversation, [ended("r1", "aborted")]);
    assert_eq!(conversation.messages()[0].tool("c").unwrap().input, Some(json!({})), "as the agent shows what it did not store");
}

#[test]
fn an_update_is_found_by_its_call_keeps_the_id_here_and_is_never_added() {
    let mut conversation = asking();
    receive(&mut conversation, [updated("another-id", tool("output-available", json!({"output": 21, "preliminary": false})))]);
    assert_eq!(conversation.messages().len(), 2);
    assert_eq!(conversation.messages()[1].id, "a1");
    assert_eq!(state_of(&conversation), ToolState::OutputAvailable);
    let nowhere = frame(json!({"type": "cf_agent_message_updated", "message": said("a9", "x")}));
    receive(&mut conversation, [nowhere]);
    assert_eq!(conversation.messages().len(), 2);
}

#[test]
fn a_continuation_extends_the_message_and_other_clients_see_it_without_a_handshake() {
    let mut conversation = asking();
    receive(&mut conversation, [updated("a1", tool("approval-responded", json!({"approval": {"id": "q", "approved": true}})))]);
    for (seq, value) in (0..).zip([
        json!({"type": "start"}),
        json!({"type": "tool-output-available", "toolCallId": "c", "output": {"t": 21}}),
        json!({"type": "start-step"}),
        json!({"type": "text-start", "id": "t"}),
        json!({"type": "text-delta", "id": "t", "delta": "Sunny."}),
    ]) {
        receive(&mut conversation, [continued("k", seq, value)]);
    }
    assert_eq!(conversation.messages().len(), 2);
    assert_eq!(conversation.messages()[1].text(), "Sunny.");
    let stored = conversation.stored();
    assert_eq!(stored[1].tool("c").unwrap().state, ToolState::ApprovalResponded, "the agent stores the continuation when it ends");
}

#[test]
fn parallel_results_in_any_order_are_all_kept() {
    let mut conversation = Conversation::new();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    receive(&mut conversation, [chunk("r1", 0, json!({"type": "start", "messageId": "a1"}))]);
    for (seq, call) in (1..).zip(["x", "y", "z"]) {
        let value = json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {}});
        receive(&mut conversation, [chunk("r1", seq, value)]);
    }
    receive(&mut conversation, [done("r1")]);
    let mut stored = conversation.messages()[1].clone();
    conversation.sent(&ClientFrame::tool_output("z", "t", json!(3)));
    conversation.sent(&ClientFrame::tool_error("x", "t", "no", false));
    conversation.sent(&ClientFrame::tool_output("y", "t", json!(2)));
    let ours = conversation.messages()[1].clone();
    // The agent takes in one after the other, and tells each time how far it is.
    for index in [2, 0, 1] {
        stored.parts[index] = ours.parts[index].clone();
        receive(&mut conversation, [frame(json!({"type": "cf_agent_message_updated", "message": stored}))]);
        assert_eq!(conversation.messages()[1], ours);
    }
    assert_eq!(conversation.unsettled().count(), 0);
}

#[test]
fn a_better_result_replaces_a_result_and_never_a_failure_or_a_denial() {
    for (first, second, state, output) in [
        (
            json!({"type": "tool-output-available", "output": 1}),
            json!({"type": "tool-output-available", "output": 2}),
            "output-available",
            json!(2),
        ),
        (
            json!({"type": "tool-output-error", "errorText": "e"}),
            json!({"type": "tool-output-available", "output": 2}),
            "output-error",
            Value::Null,
        ),
        (json!({"type": "tool-output-denied"}), json!({"type": "tool-output-available", "output": 2}), "output-denied", Value::Null),
        (
            json!({"type": "tool-output-available", "output": 1}),
            json!({"type": "tool-output-error", "errorText": "e"}),
            "output-available",
            json!(1),
        ),
    ] {
        let mut conversation = Conversation::new();
        let start = json!({"type": "start", "messageId": "a1"});
        let input = json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "t", "input": {}});
        for (seq, mut value) in (0..).zip([start, input, first, second]) {
            if seq > 1 {
                value["toolCallId"] = json!("c");
            }
            receive(&mut conversation, [chunk("r1", seq, value)]);
        }
        let call = conversation.messages()[0].tool("c").unwrap();
        assert_eq!(call.state.as_str(), state);
        assert_eq!(call.output.as_deref().cloned().unwrap_or_default(), output);
    }
}

#[test]
fn the_older_way_to_confirm_is_a_result_that_goes_back_with_the_whole_conversation() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "weather")]));
    let response =
        |id: &str, chunk: Value| frame(json!({"type": "cf_agent_use_chat_response", "id": id, "body": chunk.to_string(), "done": false}));
    for value in [
        json!({"type": "start"}),
        json!({"type": "start-step"}),
        json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "getWeather", "input": {"city": "Paris"}}),
        json!({"type": "finish"}),
    ] {
        receive(&mut conversation, [response("r1", value)]);
    }
    receive(&mut conversation, [done("r1")]);
    let user = json!({"id": "u1", "role": "user", "parts": [{"type": "text", "text": "weather"}]});
    let call = |state: &str, output: Value| {
        let mut call = json!({"type": "tool-getWeather", "toolCallId": "c", "state": state, "input": {"city": "Paris"}});
        if !output.is_null() {
            call["output"] = output;
        }
        json!({"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, call]})
    };
    let list = |messages: Value| frame(json!({"type": "cf_agent_chat_messages", "messages": messages}));
    receive(&mut conversation, [list(json!([user, call("input-available", Value::Null)]))]);
    assert_eq!(conversation.messages()[1].id, "a1", "named by the agent when the turn is over");
    let mut answered = conversation.messages().to_vec();
    answered[1] = message(call("output-available", json!("Yes, confirmed.")));
    conversation.sent(&ClientFrame::submit("r2", answered));
    receive(&mut conversation, [list(json!([user, call("output-available", json!("Yes, confirmed."))]))]);
    assert_eq!(state_of(&conversation), ToolState::OutputAvailable);
    receive(&mut conversation, [list(json!([user, call("input-available", Value::Null)]))]);
    assert_eq!(state_of(&conversation), ToolState::OutputAvailable, "what was answered stays answered");
}

/// A response without a number.
fn unnumbered(replay: bool, continuation: bool, value: &Value) -> callbox_protocol::ServerFrame {
    frame(json!({
        "type": "cf_agent_use_chat_response", "id": "r1", "body": value.to_string(), "done": false, "replay": replay,
        "continuation": continuation
    }))
}

#[test]
fn a_call_that_has_ended_stays_so_when_its_turn_is_written_anew_and_begins_with_it() {
    let mut conversation = Conversation::new();
    let failed = json!({"type": "tool-input-error", "toolCallId": "c", "toolName": "getWeather", "errorText": "no"});
    receive(&mut conversation, [unnumbered(false, false, &failed)]);
    // The same turn is asked for under its id once more, and the first of it that comes is the call.
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "weather")]));
    let available = json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "getWeather", "input": {}});
    receive(&mut conversation, [unnumbered(true, false, &available)]);
    assert_eq!(state_of(&conversation), ToolState::OutputError);
}

#[test]
fn a_stored_copy_does_not_change_how_a_call_has_ended_when_a_continuation_is_sent_again() {
    let mut conversation = Conversation::new();
    let failed = json!({"type": "tool-input-error", "toolCallId": "c", "toolName": "getWeather", "errorText": "no"});
    receive(&mut conversation, [unnumbered(false, true, &json!({"type": "start", "messageId": "a1"}))]);
    receive(&mut conversation, [unnumbered(false, false, &failed)]);
    conversation.snapshot(vec![message(json!({"id": "a1", "role": "assistant", "parts": [tool("output-denied", json!({}))]}))]);
    let asks = json!({"type": "tool-approval-request", "toolCallId": "c", "approvalId": "q"});
    receive(&mut conversation, [unnumbered(true, false, &asks)]);
    assert_eq!(state_of(&conversation), ToolState::OutputError);
}

#[test]
fn a_call_that_has_ended_stays_so_when_the_agent_was_killed_and_has_stored_less() {
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(json!({"id": "a1", "role": "assistant", "parts": [tool("approval-responded", json!({}))]}))]);
    receive(&mut conversation, [unnumbered(false, true, &json!({"type": "tool-output-available", "toolCallId": "c", "output": 1}))]);
    let end = json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "", "done": true, "replay": true, "outcome": "aborted"});
    receive(&mut conversation, [frame(end)]);
    assert_eq!(state_of(&conversation), ToolState::OutputAvailable);
}

#[test]
fn a_result_that_is_sent_with_the_conversation_shows_at_once_and_only_where_none_was() {
    let user = json!({"id": "u1", "role": "user", "parts": [{"type": "text", "text": "pay"}]});
    let call = |state: &str, output: Value| {
        let mut call = tool(state, json!({"output": output}));
        if output.is_null() {
            call.as_object_mut().unwrap().remove("output");
        }
        message(json!({"id": "a1", "role": "assistant", "parts": [call]}))
    };
    let output = |conversation: &Conversation| conversation.messages()[1].tool("c").unwrap().output.as_deref().cloned();
    let yes = || call("output-available", json!("Yes, confirmed."));
    for (before, after) in [
        (call("input-available", Value::Null), Some(json!("Yes, confirmed."))),
        (call("approval-requested", Value::Null), None),
        (call("output-available", json!("No, denied.")), Some(json!("No, denied."))),
    ] {
        let mut conversation = Conversation::new();
        conversation.connected();
        conversation.snapshot(vec![message(user.clone()), before]);
        conversation.sent(&ClientFrame::submit("r1", vec![message(user.clone()), yes()]));
        assert_eq!(output(&conversation), after);
    }
    // Until the agent shows it, a socket that dies takes it back.
    let mut conversation = Conversation::new();
    conversation.connected();
    let open = || vec![message(user.clone()), call("input-available", Value::Null)];
    conversation.snapshot(open());
    conversation.sent(&ClientFrame::submit("r1", vec![message(user.clone()), yes()]));
    assert_eq!(
        (conversation.unsettled().collect::<Vec<_>>(), conversation.messages()[1].tool("c").unwrap().confirmation()),
        (vec!["c"], Some(true))
    );
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(open());
    assert_eq!(output(&conversation), None);
    conversation.snapshot(vec![message(user.clone()), yes()]);
    assert_eq!((conversation.unsettled().count(), output(&conversation)), (0, Some(json!("Yes, confirmed."))));
}
