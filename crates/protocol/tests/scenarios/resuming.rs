//! Sockets that come and go.

use callbox_protocol::{ClientFrame, Conversation, Outcome, Reaction, ServerFrame, Turn, UiMessage};
use serde_json::json;

use super::support::{chunk, done, frame, json_of, message, replayed};
use super::{answering, opening, receive, user};

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

/// The agent was killed, and has this much of the answer: it sends that and ends the turn.
fn killed(conversation: &mut Conversation, frames: Vec<ServerFrame>) -> Vec<Reaction> {
    conversation.disconnected();
    conversation.connected();
    conversation.sent(&ClientFrame::probe("p"));
    receive(conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    // Said by the same agent at the same moment; the offer counts.
    receive(conversation, [frame(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"}))]);
    let end = json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "", "done": true, "replay": true, "outcome": "aborted"});
    receive(conversation, frames.into_iter().chain([frame(end)]))
}

#[test]
fn an_agent_that_was_killed_has_what_it_sends_again_and_no_more() {
    let mut conversation = answering(&["a", "b", "c"]);
    let again = ["a", "b"].map(|text| json!({"type": "text-delta", "id": "t", "delta": text}));
    let opening = [json!({"type": "start", "messageId": "a1"}), json!({"type": "start-step"}), json!({"type": "text-start", "id": "t"})];
    let frames = (0..).zip(opening.into_iter().chain(again)).map(|(seq, value)| replayed("r1", seq, value)).collect();
    let reactions = killed(&mut conversation, frames);
    assert_eq!(conversation.messages()[1].text(), "ab");
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn an_agent_that_was_killed_before_it_stored_anything_has_nothing() {
    let mut conversation = answering(&["a"]);
    killed(&mut conversation, Vec::new());
    assert_eq!(conversation.messages().len(), 1, "only what we said is left");
}

#[test]
fn a_turn_that_recovers_under_another_id_is_over() {
    let mut conversation = answering(&["a"]);
    conversation.disconnected();
    conversation.connected();
    receive(&mut conversation, [frame(json!({"type": "cf_agent_chat_recovering", "recovering": true, "id": "r1"}))]);
    assert_eq!(*conversation.turn(), Turn::Recovering { request_id: Some("r1".to_owned()) });
    let reactions = receive(&mut conversation, [frame(json!({"type": "cf_agent_chat_recovering", "recovering": false, "id": "r1"}))]);
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
    assert_eq!(*conversation.turn(), Turn::Idle);
}

#[test]
fn a_turn_that_ends_before_its_offer_was_taken_up_is_asked_after() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.snapshot(vec![message(user("u1"))]);
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    // What it said meanwhile was held back.
    let reactions = receive(&mut conversation, [done("r1")]);
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
}

#[test]
fn a_list_that_is_ahead_of_the_frames_is_not_continued_by_them() {
    let mut conversation = answering(&["There ", "is "]);
    let whole = json!({"id": "a1", "role": "assistant", "parts": [
        {"type": "step-start"}, {"type": "text", "text": "There is nothing.", "state": "done"}
    ]});
    let mut list = conversation.stored();
    list.retain(|known| known.id != "a1");
    list.push(message(whole));
    conversation.snapshot(list);
    receive(&mut conversation, [chunk("r1", 5, json!({"type": "text-delta", "id": "t", "delta": "nothing."}))]);
    receive(
        &mut conversation,
        [chunk("r1", 6, json!({"type": "text-end", "id": "t"})), chunk("r1", 7, json!({"type": "finish"})), done("r1")],
    );
    assert_eq!(conversation.messages().last().unwrap().text(), "There is nothing.");
}

#[test]
fn an_answer_that_a_killed_agent_makes_anew_takes_the_place_of_the_first() {
    let mut conversation = answering(&["Before "]);
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(vec![UiMessage::user("u1", "hi")]);
    let recovering = |on: bool| frame(json!({"type": "cf_agent_chat_recovering", "recovering": on, "id": "r1"}));
    receive(&mut conversation, [recovering(true), chunk("r2", 0, json!({"type": "start", "messageId": "a2"}))]);
    receive(
        &mut conversation,
        [chunk("r2", 1, json!({"type": "text-start", "id": "t"})), chunk("r2", 2, json!({"type": "finish"})), done("r2")],
    );
    let reactions = receive(&mut conversation, [recovering(false)]);
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
    let anew = json!({"id": "a2", "role": "assistant", "parts": [{"type": "text", "text": "Before after.", "state": "done"}]});
    conversation.snapshot(vec![UiMessage::user("u1", "hi"), message(anew)]);
    let ids: Vec<&str> = conversation.messages().iter().map(|message| message.id.as_str()).collect();
    assert_eq!(ids, ["u1", "a2"], "nothing is left of the first");
}

#[test]
fn an_agent_that_offers_an_old_failure_says_that_what_was_cut_off_is_over() {
    let mut conversation = answering(&["par"]);
    let failed = frame(json!({"type": "cf_agent_use_chat_response", "id": "r2", "body": "exploded", "error": true, "done": true}));
    receive(&mut conversation, [failed]);
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(vec![UiMessage::user("u1", "hi")]);
    assert_eq!(conversation.turn().request_id(), Some("r1"), "nobody knows");
    let offer = frame(json!({"type": "cf_agent_stream_resuming", "id": "r2", "probeId": "p1"}));
    let reactions = receive(&mut conversation, [offer.clone()]);
    let over = Reaction::TurnEnded { request_id: "r1".to_owned(), outcome: Outcome::Lost };
    assert!(reactions.contains(&over) && reactions.contains(&Reaction::Refetch), "{reactions:?}");
    assert!(!conversation.turn().is_active());
    // What has begun on this socket is not what was cut off.
    receive(&mut conversation, [chunk("r3", 0, json!({"type": "start", "messageId": "a3"}))]);
    receive(&mut conversation, [offer]);
    assert_eq!(conversation.turn().request_id(), Some("r3"));
}

#[test]
fn a_request_that_was_given_up_and_only_late_is_answered_all_the_same() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(vec![]);
    conversation.give_up("r1");
    assert!(!conversation.turn().is_active());
    receive(
        &mut conversation,
        [chunk("r1", 0, json!({"type": "start", "messageId": "a1"})), chunk("r1", 1, json!({"type": "text-start", "id": "t"}))],
    );
    assert_eq!(conversation.turn().request_id(), Some("r1"));
    receive(&mut conversation, [chunk("r1", 2, json!({"type": "text-delta", "id": "t", "delta": "Hello."}))]);
    assert_eq!(conversation.messages().last().unwrap().text(), "Hello.");
    let reactions = receive(&mut conversation, [chunk("r1", 3, json!({"type": "finish"})), done("r1")]);
    assert!(reactions.contains(&Reaction::Refetch), "what else it did, the agent has told only the others: {reactions:?}");
}

#[test]
fn an_offer_of_a_turn_of_ours_says_that_its_message_is_there() {
    for kind in ["cf_agent_stream_resuming", "cf_agent_stream_pending"] {
        let mut conversation = Conversation::new();
        conversation.connected();
        conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u1", "hi")]));
        conversation.disconnected();
        conversation.connected();
        let reactions = receive(&mut conversation, [frame(json!({"type": kind, "id": "r1"}))]);
        assert!(reactions.contains(&Reaction::Delivered { message_ids: vec!["u1".to_owned()] }), "{kind}: {reactions:?}");
        conversation.fetching();
        conversation.snapshot(vec![]);
        assert_eq!(conversation.messages(), [], "{kind}: it has been deleted since");
    }
}

#[test]
fn what_a_request_did_that_was_only_late_is_asked_for() {
    let mut conversation = Conversation::new();
    conversation.connected();
    conversation.sent(&ClientFrame::regenerate("r1", vec![UiMessage::user("u1", "hi")]));
    conversation.disconnected();
    conversation.connected();
    conversation.snapshot(vec![]);
    // It arrives after all, and the list that comes of it is sent to everybody but to us.
    receive(&mut conversation, opening("r1", &["Hello."]));
    let reactions = receive(&mut conversation, [chunk("r1", 4, json!({"type": "finish"})), done("r1")]);
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
}

#[test]
fn a_failed_continuation_that_is_told_again_after_a_list_that_has_it_is_asked_for() {
    let mut conversation = Conversation::new();
    conversation.connected();
    let said = json!({"id": "a1", "role": "assistant", "parts": [{"type": "text", "text": "par", "state": "streaming"}]});
    let stored = vec![UiMessage::user("u1", "hi"), message(said)];
    conversation.snapshot(stored.clone());
    let again = |seq: u64, chunk: serde_json::Value| {
        let body = chunk.to_string();
        frame(
            json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": body, "done": false, "seq": seq, "replay": true, "continuation": true}),
        )
    };
    receive(&mut conversation, [frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"}))]);
    receive(
        &mut conversation,
        [
            again(0, json!({"type": "start"})),
            again(1, json!({"type": "text-start", "id": "t"})),
            again(2, json!({"type": "text-delta", "id": "t", "delta": "par"})),
        ],
    );
    let failed =
        json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "exploded", "error": true, "done": true, "continuation": true});
    let reactions = receive(&mut conversation, [frame(failed)]);
    assert!(reactions.contains(&Reaction::Refetch), "{reactions:?}");
    conversation.fetching();
    conversation.snapshot(stored.clone());
    assert_eq!(json_of(conversation.messages()), json_of(&stored), "nothing is there twice");
}
