//! Messages that come whole, and messages without a name.

use callbox_protocol::{ClientFrame, Conversation, MessageOp, Reaction, Response, ServerFrame, UiMessage};
use serde_json::json;

use super::support::{chunk, continued, done, frame, json_of, message};
use super::{answering, asking, receive, said, transcript, user};

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
fn the_agent_says_twice_what_another_client_has_sent_and_it_is_no_more_the_whole_the_second_time() {
    let mut conversation = Conversation::new();
    conversation.snapshot(vec![message(user("u1")), message(said("a1", "one"))]);
    receive(&mut conversation, [transcript(json!([user("u2")])), transcript(json!([user("u3")]))]);
    receive(&mut conversation, [transcript(json!([user("u2")])), transcript(json!([user("u3")]))]);
    let ids = |conversation: &Conversation| conversation.messages().iter().map(|message| message.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&conversation), ["u1", "a1", "u2", "u3"]);
    receive(&mut conversation, [transcript(json!([user("u1")]))]);
    assert_eq!(ids(&conversation), ["u1"], "a list of what was known, said for the first time, is what is left");
}

#[test]
fn an_own_message_that_a_broadcast_has_confirmed_is_not_taken_away_by_an_older_list() {
    let mut conversation = Conversation::new();
    conversation.connected();
    let before = vec![UiMessage::user("u1", "hello")];
    conversation.snapshot(before.clone());
    conversation.fetching();
    let own = UiMessage::user("u2", "and more");
    conversation.sent(&ClientFrame::submit("r2", vec![own.clone()]));
    let after = [before.clone(), vec![own]].concat();
    conversation.receive(&frame(json!({"type": "cf_agent_chat_messages", "messages": after})));
    assert_eq!(conversation.unconfirmed().count(), 0);
    conversation.snapshot(before);
    assert_eq!(conversation.messages(), after);
}

#[test]
fn a_list_that_has_an_answer_of_which_only_the_name_has_come_does_not_double_it() {
    let words = |request: &str| {
        vec![
            chunk(request, 1, json!({"type": "text-start", "id": "t"})),
            chunk(request, 2, json!({"type": "text-delta", "id": "t", "delta": "Hello."})),
            chunk(request, 3, json!({"type": "text-end", "id": "t"})),
            chunk(request, 4, json!({"type": "finish"})),
        ]
    };
    let named = || {
        let mut conversation = Conversation::new();
        conversation.connected();
        conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
        receive(&mut conversation, [chunk("r1", 0, json!({"type": "start", "messageId": "a1"}))]);
        conversation
    };
    let answer = json!({"id": "a1", "role": "assistant", "parts": [{"type": "text", "text": "Hello.", "state": "done"}]});
    let stored = vec![UiMessage::user("u1", "hi"), message(answer)];
    // The list comes before the frames of the same socket.
    let mut conversation = named();
    conversation.snapshot(stored.clone());
    receive(&mut conversation, words("r1"));
    receive(&mut conversation, [done("r1")]);
    assert_eq!(json_of(conversation.messages()), json_of(&stored));
    // The socket has gone, and the agent sends the turn again.
    let mut conversation = named();
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(stored.clone());
    assert_eq!(json_of(conversation.messages()), json_of(&stored));
    let again: Vec<_> = [chunk("r1", 0, json!({"type": "start", "messageId": "a1"}))].into_iter().chain(words("r1")).collect();
    let again = again.into_iter().map(|frame| match frame {
        ServerFrame::Response(response) => ServerFrame::Response(Response { replay: Some(true), ..response }),
        other => other,
    });
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    receive(&mut conversation, again);
    receive(&mut conversation, [done("r1")]);
    assert_eq!(json_of(conversation.messages()), json_of(&stored));
}

#[test]
fn an_answer_that_was_gone_on_with_is_not_taken_back_by_an_older_list() {
    let mut conversation = asking();
    conversation.fetching();
    let before = conversation.messages().to_vec();
    conversation.sent(&ClientFrame::decide("c", false));
    receive(
        &mut conversation,
        [
            continued("r2", 0, json!({"type": "start"})),
            continued("r2", 1, json!({"type": "text-start", "id": "t"})),
            continued("r2", 2, json!({"type": "text-delta", "id": "t", "delta": "As you like."})),
            continued("r2", 3, json!({"type": "text-end", "id": "t"})),
            continued("r2", 4, json!({"type": "finish"})),
            done("r2"),
        ],
    );
    let after = json_of(conversation.messages());
    conversation.snapshot(before);
    assert_eq!(json_of(conversation.messages()), after);
}

#[test]
fn a_change_of_a_message_that_is_not_here_is_a_reason_to_ask() {
    let mut conversation = Conversation::new();
    let reactions = receive(&mut conversation, [frame(json!({"type": "cf_agent_message_updated", "message": said("a1", "one")}))]);
    assert_eq!((conversation.messages().len(), reactions), (0, vec![Reaction::Refetch]));
}

#[test]
fn a_message_that_only_the_messages_have_told_of_is_not_taken_away_by_a_list_from_before_it() {
    let stored = json!([user("u0"), said("a0", "one"), user("u1")]);
    let list = || stored.as_array().unwrap().iter().map(|one| message(one.clone())).collect::<Vec<_>>();
    let mut conversation = Conversation::new();
    conversation.snapshot(list()[..2].to_vec());
    conversation.connected();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    conversation.fetching();
    conversation.snapshot(list());
    assert_eq!(conversation.unconfirmed().count(), 0);
    let before = || transcript(json!([user("u0"), said("a0", "one")]));
    let reactions = receive(&mut conversation, [before()]);
    assert_eq!(json_of(conversation.messages()), stored, "it was typed here");
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
    // It may as well have been taken back since: the next answer tells.
    let mut taken_back = conversation.clone();
    taken_back.fetching();
    taken_back.snapshot(list()[..2].to_vec());
    assert_eq!(json_of(taken_back.messages()), json!([user("u0"), said("a0", "one")]));
    conversation.fetching();
    conversation.snapshot(list());
    let reactions = receive(&mut conversation, [before()]);
    assert!(reactions.contains(&Reaction::Refetch), "a second such list: {reactions:?}");
    assert_eq!(json_of(conversation.messages()), stored);
    // From the first list on that has it, the frames are ahead again.
    receive(&mut conversation, [transcript(stored.clone())]);
    let reactions = receive(&mut conversation, [before()]);
    assert_eq!((reactions, json_of(conversation.messages())), (Vec::new(), json!([user("u0"), said("a0", "one")])));
}

#[test]
fn a_list_that_lacks_what_only_the_messages_have_told_of_is_a_reason_to_ask() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.snapshot(vec![message(user("u0")), message(said("a0", "one"))]);
    let reactions = receive(&mut conversation, [transcript(json!([user("u0")]))]);
    assert_eq!((reactions, conversation.messages().len()), (vec![Reaction::Refetch], 1));
    // A new socket tells nothing that is older than what was asked for before it.
    conversation.snapshot(vec![message(user("u0")), message(said("a0", "one"))]);
    conversation.disconnected();
    conversation.connected();
    assert_eq!(receive(&mut conversation, [transcript(json!([user("u0")]))]), Vec::new());
}
