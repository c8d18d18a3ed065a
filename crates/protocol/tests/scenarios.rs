//! The life of a conversation, case by case: what users of comparable clients complain about (notes 10), turned into tests.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "functions that only tests call, with literals")]

mod support;

use callbox_protocol::{ClientFrame, Conversation, MessageOp, Outcome, Part, Reaction, ServerFrame, ToolState, Turn, UiMessage};
use serde_json::{Value, json};

use support::{chunk, continued, done, ended, frame, json_of, message, replayed};

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

#[test]
fn a_message_shows_at_once_and_is_delivered_when_the_agent_answers() {
    let mut conversation = Conversation::new();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    assert_eq!(json_of(conversation.messages())[0]["id"], "u1");
    assert_eq!(*conversation.turn(), Turn::Waiting { request_id: Some("r1".to_owned()) });
    assert_eq!(conversation.unconfirmed().collect::<Vec<_>>(), ["u1"]);
    let reactions = receive(&mut conversation, opening("r1", &[]));
    assert!(reactions.contains(&Reaction::Delivered { message_ids: vec!["u1".to_owned()] }));
    assert_eq!(conversation.unconfirmed().count(), 0);
    assert_eq!(*conversation.turn(), Turn::Streaming { request_id: "r1".to_owned() });
}

#[test]
fn a_text_that_grows_is_told_as_what_was_added() {
    let mut conversation = answering(&["Hel"]);
    conversation.take_ops();
    receive(&mut conversation, [chunk("r1", 4, json!({"type": "text-delta", "id": "t", "delta": "lo"}))]);
    receive(&mut conversation, [chunk("r1", 5, json!({"type": "text-delta", "id": "t", "delta": "!"}))]);
    assert_eq!(conversation.take_ops(), [MessageOp::AppendText { message: 1, part: 1, delta: "lo!".to_owned() }]);
}

#[test]
fn appending_never_copies_the_text_so_far() {
    let mut conversation = answering(&["x"]);
    let place = |conversation: &Conversation| conversation.messages()[1].parts[1].as_text().unwrap().text.as_ptr();
    let (mut moved, mut before) = (0, place(&conversation));
    for seq in 4..20_004 {
        receive(&mut conversation, [chunk("r1", seq, json!({"type": "text-delta", "id": "t", "delta": "twenty bytes of text"}))]);
        conversation.take_ops();
        moved += usize::from(place(&conversation) != before);
        before = place(&conversation);
    }
    assert_eq!(conversation.messages()[1].text().len(), 1 + 20 * 20_000);
    assert!(moved <= 24, "the text moved {moved} times; only a buffer that doubles may move");
}

#[test]
fn two_offers_are_acknowledged_once_per_socket() {
    let mut conversation = answering(&["a"]);
    conversation.disconnected();
    assert_eq!(*conversation.turn(), Turn::Interrupted { request_id: Some("r1".to_owned()) });
    let offer = frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
    for _ in 0..2 {
        conversation.connected();
        let reactions = receive(&mut conversation, [offer.clone(), offer.clone()]);
        assert_eq!(reactions, [Reaction::Acknowledge { request_id: "r1".to_owned() }]);
        conversation.disconnected();
    }
}

#[test]
fn a_replay_of_what_is_here_changes_nothing_and_a_replay_without_numbers_builds_anew() {
    let mut conversation = answering(&["a", "b"]);
    let before = json_of(conversation.messages());
    conversation.disconnected();
    conversation.connected();
    conversation.take_ops();
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    receive(&mut conversation, [replayed("r1", 0, json!({"type": "start", "messageId": "a1"}))]);
    receive(&mut conversation, [replayed("r1", 3, json!({"type": "text-delta", "id": "t", "delta": "a"}))]);
    assert_eq!(conversation.take_ops(), []);
    for value in [json!({"type": "start", "messageId": "a1"}), json!({"type": "start-step"}), json!({"type": "text-start", "id": "t"})]
        .into_iter()
        .chain(["a", "b"].map(|text| json!({"type": "text-delta", "id": "t", "delta": text})))
    {
        let body = value.to_string();
        let frame = frame(json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": body, "done": false, "replay": true}));
        conversation.receive(&frame);
    }
    assert_eq!(json_of(conversation.messages()), before);
}

#[test]
fn a_replay_that_nobody_asked_for_is_ignored() {
    let mut conversation = Conversation::new();
    conversation.connected();
    receive(&mut conversation, [replayed("other", 0, json!({"type": "start", "messageId": "a9"}))]);
    receive(&mut conversation, [replayed("other", 1, json!({"type": "start-step"}))]);
    assert_eq!(conversation.messages(), []);
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn an_answer_whose_beginning_was_missed_is_not_shown_in_pieces() {
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(user("u1"))]);
    receive(&mut conversation, [chunk("r7", 40, json!({"type": "text-delta", "id": "t", "delta": "the middle"}))]);
    assert_eq!(conversation.messages().len(), 1);
    assert_eq!(*conversation.turn(), Turn::Streaming { request_id: "r7".to_owned() });
    let reactions = receive(&mut conversation, [done("r7")]);
    assert!(reactions.contains(&Reaction::Refetch), "the whole is asked for: {reactions:?}");
}

#[test]
fn nothing_runs_only_if_the_agent_says_so_to_our_own_probe() {
    let mut conversation = answering(&["a"]);
    conversation.disconnected();
    conversation.connected();
    conversation.sent(&ClientFrame::probe("p1"));
    for other in [json!({}), json!({"reason": "idle"}), json!({"reason": "idle", "probeId": "p0"}), json!({"probeId": "p1"})] {
        let mut none = json!({"type": "cf_agent_stream_resume_none"});
        none.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        assert_eq!(receive(&mut conversation, [frame(none)]), []);
        assert!(conversation.turn().is_active());
    }
    // Asked for after the probe left, so the answer does not speak of it.
    conversation.sent(&ClientFrame::submit("r2", vec![UiMessage::user("u2", "more")]));
    let reactions = receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p1"}))]);
    assert!(reactions.contains(&Reaction::TurnEnded { request_id: "r1".to_owned(), outcome: Outcome::Lost }));
    assert!(reactions.contains(&Reaction::Refetch));
    assert_eq!(*conversation.turn(), Turn::Waiting { request_id: Some("r2".to_owned()) });
}

#[test]
fn a_turn_that_waits_to_start_is_shown_as_waiting() {
    let mut conversation = Conversation::new();
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_pending"}))]);
    assert_eq!(*conversation.turn(), Turn::Waiting { request_id: None });
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_pending", "id": "r5"}))]);
    assert_eq!(*conversation.turn(), Turn::Waiting { request_id: Some("r5".to_owned()) });
}

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
fn cancelled_text_stays_and_late_chunks_change_nothing() {
    let mut conversation = answering(&["par"]);
    conversation.sent(&ClientFrame::cancel("r1"));
    receive(&mut conversation, [chunk("r1", 4, json!({"type": "text-delta", "id": "t", "delta": "tial"}))]);
    let reactions = receive(&mut conversation, [ended("r1", "aborted")]);
    assert!(reactions.contains(&Reaction::TurnEnded { request_id: "r1".to_owned(), outcome: Outcome::Aborted }));
    receive(&mut conversation, [chunk("r1", 5, json!({"type": "text-delta", "id": "t", "delta": " late"}))]);
    assert_eq!(conversation.messages()[1].text(), "partial");
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn a_cancel_that_is_never_answered_can_be_given_up() {
    let mut conversation = answering(&["par"]);
    let reactions = conversation.abandon("r1");
    assert_eq!(reactions, [Reaction::TurnEnded { request_id: "r1".to_owned(), outcome: Outcome::Aborted }]);
    assert_eq!(conversation.abandon("r1"), []);
}

#[test]
fn a_failure_is_told_once_and_keeps_what_was_written() {
    let mut conversation = answering(&["par"]);
    let error = frame(json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "it {broke}", "error": true, "done": false}));
    let reactions = receive(&mut conversation, [error.clone(), ended("r1", "error"), error]);
    let failures = reactions.iter().filter(|reaction| matches!(reaction, Reaction::TurnFailed { .. }));
    assert_eq!(failures.collect::<Vec<_>>(), [&Reaction::TurnFailed { request_id: "r1".to_owned(), text: "it {broke}".to_owned() }]);
    assert_eq!(conversation.messages()[1].text(), "par");
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn a_failure_that_came_while_nobody_was_there_is_told_on_resume() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.snapshot(vec![message(user("u1"))]);
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    let mut frames: Vec<_> = vec![replayed("r1", 0, json!({"type": "start", "messageId": "a1"}))];
    frames.push(replayed("r1", 1, json!({"type": "start-step"})));
    frames.push(replayed("r1", 2, json!({"type": "text-delta", "id": "t", "delta": "par"})));
    frames.push(frame(json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "broke", "error": true, "done": true})));
    let reactions = receive(&mut conversation, frames);
    assert!(reactions.contains(&Reaction::TurnFailed { request_id: "r1".to_owned(), text: "broke".to_owned() }));
    assert_eq!(conversation.messages()[1].text(), "par");
}

#[test]
fn an_answer_in_plain_words_is_a_notice() {
    let mut conversation = answering(&[]);
    let body = "No response was generated by the agent.";
    let reactions = receive(
        &mut conversation,
        [frame(json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": body, "done": true, "outcome": "completed"}))],
    );
    assert!(reactions.contains(&Reaction::Notice { request_id: "r1".to_owned(), text: body.to_owned() }));
}

#[test]
fn an_answer_that_the_agent_does_not_name_gets_its_name_in_place() {
    let mut conversation = Conversation::new();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    receive(&mut conversation, [chunk("r1", 0, json!({"type": "text-start", "id": "r1"}))]);
    receive(&mut conversation, [chunk("r1", 1, json!({"type": "text-delta", "id": "r1", "delta": "plain"}))]);
    receive(&mut conversation, [chunk("r1", 2, json!({"type": "text-end", "id": "r1"}))]);
    let reactions = receive(&mut conversation, [done("r1")]);
    assert!(reactions.contains(&Reaction::Refetch));
    conversation.take_ops();
    let stored = json!([user("u1"), {"id": "true-id", "role": "assistant", "parts": [{"type": "text", "text": "plain", "state": "done"}]}]);
    receive(&mut conversation, [transcript(stored.clone())]);
    assert_eq!(json_of(conversation.messages()), stored);
    assert!(matches!(conversation.take_ops().as_slice(), [MessageOp::Replace { index: 1, .. }]));
}

#[test]
fn a_second_message_during_an_answer_stands_where_the_agent_stores_it() {
    let mut conversation = answering(&["a"]);
    conversation.sent(&ClientFrame::submit("r2", vec![UiMessage::user("u2", "and?")]));
    receive(&mut conversation, [done("r1")]);
    receive(
        &mut conversation,
        [chunk("r2", 0, json!({"type": "start", "messageId": "a2"})), chunk("r2", 1, json!({"type": "start-step"}))],
    );
    let ids: Vec<_> = conversation.messages().iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["u1", "u2", "a1", "a2"]);
}

#[test]
fn a_transcript_in_the_middle_does_not_take_back_what_is_being_written() {
    let mut conversation = answering(&["Hel", "lo"]);
    receive(&mut conversation, [transcript(json!([user("u1")]))]);
    assert_eq!(conversation.messages()[1].text(), "Hello");
    let stale =
        json!({"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": "Hel", "state": "streaming"}]});
    receive(&mut conversation, [transcript(json!([user("u1"), stale]))]);
    assert_eq!(conversation.messages()[1].text(), "Hello");
    let other =
        json!({"id": "a1", "role": "assistant", "parts": [{"type": "step-start"}, {"type": "text", "text": "Bye", "state": "streaming"}]});
    receive(&mut conversation, [transcript(json!([user("u1"), other]))]);
    assert_eq!(conversation.messages()[1].text(), "Bye", "a text that is no continuation of the agent's is corrupt");
}

#[test]
fn another_client_that_sends_only_its_new_message_does_not_blank_the_history() {
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(user("u1")), message(said("a1", "one"))]);
    receive(&mut conversation, [transcript(json!([user("u2")]))]);
    let ids: Vec<_> = conversation.messages().iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["u1", "a1", "u2"]);
    receive(&mut conversation, [transcript(json!([user("u1"), said("a1", "one")]))]);
    assert_eq!(conversation.messages().len(), 2, "a list of known messages is the whole list");
}

#[test]
fn regenerating_takes_the_answer_away_and_puts_the_new_one_in_its_place() {
    let mut conversation = answering(&["first"]);
    receive(&mut conversation, [done("r1")]);
    conversation.sent(&ClientFrame::regenerate("r2", vec![UiMessage::user("u1", "hi")]));
    assert_eq!(conversation.messages().len(), 1);
    receive(
        &mut conversation,
        [chunk("r2", 0, json!({"type": "start", "messageId": "a2"})), chunk("r2", 1, json!({"type": "start-step"}))],
    );
    assert_eq!(conversation.messages()[1].id, "a2");
}

#[test]
fn clearing_ends_everything_and_nothing_that_comes_late_is_shown_before_the_agent_has_stored_it() {
    for by_us in [true, false] {
        let mut conversation = answering(&["a"]);
        if by_us {
            conversation.sent(&ClientFrame::clear());
        } else {
            receive(&mut conversation, [frame(json!({"type": "cf_agent_chat_clear"}))]);
        }
        assert_eq!(conversation.messages(), []);
        assert_eq!(*conversation.turn(), Turn::Idle);
        receive(&mut conversation, [chunk("r1", 4, json!({"type": "text-delta", "id": "t", "delta": " late"}))]);
        assert_eq!(conversation.messages(), []);
        assert_eq!(*conversation.turn(), Turn::Idle);
        // It empties the conversation first and ends the turn after that, with what was written of it.
        let reactions = receive(&mut conversation, [ended("r1", "aborted")]);
        assert_eq!(reactions, [Reaction::Refetch]);
        assert_eq!(conversation.messages()[0].text(), "a late");
        assert_eq!(conversation.messages().len(), 1);
    }
}

#[test]
fn clearing_a_turn_that_has_written_nothing_leaves_nothing() {
    let mut conversation = Conversation::new();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    conversation.sent(&ClientFrame::clear());
    receive(&mut conversation, [chunk("r1", 0, json!({"type": "start", "messageId": "a1"})), ended("r1", "aborted")]);
    assert_eq!(conversation.messages(), []);
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn a_message_that_never_arrived_stays_until_it_is_discarded() {
    let mut conversation = Conversation::new();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(Vec::new());
    assert_eq!(conversation.unconfirmed().collect::<Vec<_>>(), ["u1"]);
    assert!(conversation.discard("u1"));
    assert_eq!(conversation.messages(), []);
    assert!(!conversation.discard("u1"));
}

#[test]
fn a_submit_that_the_agent_drops_is_rolled_back() {
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(user("u0"))]);
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    let reactions = receive(&mut conversation, [transcript(json!([user("u0")])), ended("r1", "skipped")]);
    assert!(reactions.contains(&Reaction::RolledBack { message_ids: vec!["u1".to_owned()] }));
    assert_eq!(json_of(conversation.messages()), json!([user("u0")]));
}

#[test]
fn recovery_is_neither_an_end_nor_a_failure() {
    let mut conversation = answering(&["a"]);
    receive(&mut conversation, [frame(json!({"type": "cf_agent_chat_recovering", "recovering": true, "id": "r1"}))]);
    assert_eq!(*conversation.turn(), Turn::Recovering { request_id: Some("r1".to_owned()) });
    let reactions = receive(&mut conversation, [ended("r1", "recovering")]);
    assert!(!reactions.iter().any(|reaction| matches!(reaction, Reaction::TurnFailed { .. })));
    assert!(matches!(conversation.turn(), Turn::Recovering { .. }));
    receive(&mut conversation, [frame(json!({"type": "cf_agent_chat_recovering", "recovering": false}))]);
    assert_eq!(*conversation.turn(), Turn::Idle);
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
fn sources_files_and_data_become_parts_and_unknown_chunks_do_no_harm() {
    let mut conversation = answering(&[]);
    for (seq, value) in (3..).zip([
        json!({"type": "source-url", "sourceId": "s", "url": "https://example.com", "title": "T"}),
        json!({"type": "file", "mediaType": "image/png", "url": "data:,", "providerMetadata": {"x": 1}}),
        json!({"type": "data-weather", "id": "d", "data": 1}),
        json!({"type": "data-weather", "id": "d", "data": 2}),
        json!({"type": "data-blink", "data": 1, "transient": true}),
        json!({"type": "new-in-v9", "x": 1}),
    ]) {
        receive(&mut conversation, [chunk("r1", seq, value)]);
    }
    let expected = json!([
        {"type": "source-url", "sourceId": "s", "url": "https://example.com", "title": "T"},
        {"type": "file", "mediaType": "image/png", "url": "data:,"},
        {"type": "data-weather", "id": "d", "data": 2},
    ]);
    assert_eq!(serde_json::to_value(&conversation.messages()[1].parts[2..]).unwrap(), expected);
}

#[test]
fn metadata_of_the_application_stay_and_the_reason_of_the_end_does_not() {
    let mut conversation = Conversation::new();
    for (seq, value) in (0..).zip([
        json!({"type": "start", "messageId": "a1", "messageMetadata": {"model": "m", "n": {"a": 1}}}),
        json!({"type": "start-step"}),
        json!({"type": "message-metadata", "messageMetadata": {"n": {"b": 2}}}),
        json!({"type": "finish", "messageMetadata": {"finishReason": "stop"}}),
    ]) {
        receive(&mut conversation, [chunk("r1", seq, value)]);
    }
    assert_eq!(conversation.messages()[0].metadata, Some(json!({"model": "m", "n": {"b": 2}})));
}

#[test]
fn an_interrupted_reasoning_goes_on_in_its_own_part() {
    let open = json!({"id": "a1", "role": "assistant", "parts": [{"type": "reasoning", "text": "so ", "state": "streaming"}]});
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(open)]);
    for (seq, value) in (0..).zip([
        json!({"type": "start"}),
        json!({"type": "reasoning-start", "id": "0"}),
        json!({"type": "reasoning-delta", "id": "0", "delta": "far"}),
        json!({"type": "reasoning-end", "id": "0", "providerMetadata": {"p": {"signature": "s"}}}),
    ]) {
        receive(&mut conversation, [continued("k", seq, value)]);
    }
    let [Part::Reasoning(part)] = conversation.messages()[0].parts.as_slice() else { panic!("one part") };
    assert_eq!(part.text, "so far");
    assert_eq!(part.extra["providerMetadata"], json!({"p": {"signature": "s"}}));
}

#[test]
fn frames_that_make_no_sense_are_no_error() {
    assert!(ServerFrame::parse("<html>").is_err());
    for text in ["[\"push\",[]]", "{\"error\":\"stack\"}", "{\"type\":\"cf_agent_use_chat_response\"}", "7", "{\"type\":\"cf_new\"}"] {
        let frame = ServerFrame::parse(text).unwrap();
        assert!(matches!(frame, ServerFrame::Unknown(_)), "{text}");
        assert_eq!(Conversation::new().receive(&frame), []);
    }
}

#[test]
fn our_frames_have_the_form_that_the_agent_reads() {
    let json = |frame: ClientFrame| serde_json::from_str::<Value>(&frame.to_json()).unwrap();
    let submit = json(ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    assert_eq!(submit["type"], "cf_agent_use_chat_request");
    assert_eq!(submit["init"]["method"], "POST");
    let body: Value = serde_json::from_str(submit["init"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"messages": [{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}], "trigger": "submit-message"})
    );
    assert_eq!(
        json(ClientFrame::decide("c", false)),
        json!({"type": "cf_agent_tool_approval", "toolCallId": "c", "approved": false, "autoContinue": true})
    );
    assert_eq!(json(ClientFrame::acknowledge("r")), json!({"type": "cf_agent_stream_resume_ack", "id": "r"}));
    assert_eq!(json(ClientFrame::probe("p")), json!({"type": "cf_agent_stream_resume_request", "probeId": "p"}));
    assert_eq!(json(ClientFrame::cancel("r")), json!({"type": "cf_agent_chat_request_cancel", "id": "r"}));
    assert_eq!(json(ClientFrame::clear()), json!({"type": "cf_agent_chat_clear"}));
    assert_eq!(ClientFrame::parse(&submit.to_string()).unwrap(), ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
}
