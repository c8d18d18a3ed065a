//! What chunks become, and what frames look like.

use callbox_protocol::{ClientFrame, Conversation, MessageOp, Part, ServerFrame, UiMessage};
use serde_json::{Value, json};

use super::support::{chunk, continued, message};
use super::{answering, receive};

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
