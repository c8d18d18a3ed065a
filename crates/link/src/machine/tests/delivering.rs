//! Messages, decisions, and turns that are looked after.

use super::*;

fn chunk(request: &str, seq: u64, chunk: &Value) -> Value {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq})
}

fn done(request: &str, messages: &[&str]) -> Value {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "messageIds": messages, "outcome": "completed"})
}

#[test]
fn a_message_is_written_alone_and_is_a_delivery_until_the_agent_answers() {
    let mut table = Table::online(vec![user("u1", "hello"), said("a1", "Hello.")]);
    let id = table.send("what time is it").unwrap();
    let written = table.written();
    let (request, message) = submitted(&written[0]);
    assert_eq!((written.len(), message["id"].as_str()), (1, Some(id.as_str())));
    assert_eq!(
        (table.deliveries(), table.shown()),
        (vec![DeliveryState::Sending], vec!["hello".into(), "Hello.".into(), "what time is it".into()])
    );
    table.frame(&chunk(&request, 0, &json!({"type": "start", "messageId": "a2"})));
    assert_eq!((table.deliveries(), table.wrote()), (vec![], vec![]));
}

#[test]
fn it_is_known_which_message_answers_ours_whoever_else_is_answered_meanwhile() {
    let mut table = Table::online(vec![user("u1", "from another client")]);
    let begin = |table: &mut Table, request: &str, message: &str| {
        table.frame(&chunk(request, 0, &json!({"type": "start", "messageId": message})));
        table.frame(&chunk(request, 1, &json!({"type": "text-start", "id": "0"})));
        table.frame(&chunk(request, 2, &json!({"type": "text-delta", "id": "0", "delta": message})));
    };
    begin(&mut table, "theirs", "a1");
    let id = table.send("and mine").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&chunk("theirs", 3, &json!({"type": "text-delta", "id": "0", "delta": " goes on"})));
    assert_eq!(table.machine.status().replies, []);
    table.frame(&done("theirs", &["a1"]));
    begin(&mut table, &request, "a2");
    let reply = Reply { message_id: id, reply_id: "a2".to_owned() };
    assert_eq!(table.machine.status().replies, std::slice::from_ref(&reply));
    table.frame(&done(&request, &["a2"]));
    assert_eq!(table.machine.status().replies, [reply], "and stays known");
}

#[test]
fn what_cannot_be_sent_is_told_at_once() {
    let mut table = Table::online(vec![]);
    assert_eq!(table.send(" \n\t"), Err(CommandError::Empty));
    let error = table.send("\u{1}".repeat(5 << 20)).unwrap_err();
    assert!(matches!(error, CommandError::TooLong { len, max } if len > max), "escaped twice, it is longer than it looks: {error}");
    assert_eq!((table.deliveries(), table.wrote()), (vec![], vec![]));
}

#[test]
fn what_is_sent_offline_is_shown_at_once_and_written_in_order_when_online() {
    let mut table = Table::signed_in();
    for text in ["one", "two", "three"] {
        table.send(text).unwrap();
    }
    assert_eq!(table.effects(), []);
    assert_eq!((table.deliveries(), table.shown()), (vec![DeliveryState::Queued; 3], vec!["one".into(), "two".into(), "three".into()]));
    let written = table.connect(vec![user("u1", "earlier"), said("a1", "Yes.")]);
    assert_eq!(kinds(&written), ["use_chat_request", "use_chat_request", "use_chat_request", "stream_resume_request"], "asked last");
    let texts: Vec<Value> = written[..3].iter().map(|frame| submitted(frame).1["parts"][0]["text"].clone()).collect();
    assert_eq!(texts, ["one", "two", "three"]);
    assert_eq!((table.deliveries(), table.shown().join(" ")), (vec![DeliveryState::Sending; 3], "earlier Yes. one two three".to_owned()));
}

#[test]
fn a_message_on_a_socket_that_died_is_looked_up_before_it_is_sent_again() {
    // The agent has it.
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    table.effects();
    table.machine.lost(LinkError::Broken, table.now);
    table.pass(secs(1));
    table.effects();
    assert_eq!(table.deliveries(), [DeliveryState::Sending], "nobody knows");
    assert_eq!(kinds(&table.connect(vec![user(&id, "hello")])), ["stream_resume_request"]);
    assert_eq!((table.deliveries(), table.shown()), (vec![], vec!["hello".to_owned()]));

    // The agent does not have it.
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (first, _) = submitted(&table.written()[0]);
    table.machine.lost(LinkError::Broken, table.now);
    table.pass(secs(1));
    table.effects();
    let written = table.connect(vec![]);
    assert_eq!(kinds(&written), ["use_chat_request", "stream_resume_request"]);
    let (second, messages) = resubmitted(&written[0]);
    assert_ne!(first, second, "a new request");
    assert_eq!(messages.last().unwrap()["id"], id, "the same message");
    assert_eq!((table.deliveries(), table.shown()), (vec![DeliveryState::Sending], vec!["hello".to_owned()]));
}

#[test]
fn a_message_that_is_sent_again_comes_with_the_whole_conversation() {
    let history = vec![user("u1", "hello"), said("a1", "Hello.")];
    let mut table = Table::online(history.clone());
    for text in ["one", "two"] {
        table.send(text).unwrap();
    }
    table.effects();
    table.machine.lost(LinkError::Broken, table.now);
    table.pass(secs(1));
    table.effects();
    let written = table.connect(history);
    for (frame, own) in written.iter().zip([&["one"][..], &["one", "two"]]) {
        // Should the agent have it after all, a list that lacks the rest would delete the rest.
        let (_, messages) = resubmitted(frame);
        let texts: Vec<&Value> = messages.iter().map(|message| &message["parts"][0]["text"]).collect();
        assert_eq!(texts, [&["hello", "Hello."], own].concat());
    }
}

#[test]
fn a_message_that_ends_every_connection_fails_and_can_be_retried_or_dropped() {
    let mut table = Table::online(vec![]);
    let id = table.send("poison").unwrap();
    for _ in 0..3 {
        table.effects();
        table.machine.closed(1011, "Unexpected error", table.now);
        table.pass(secs(30));
        table.effects();
        table.connect(vec![user("u0", "before")]);
    }
    assert_eq!(table.deliveries(), [DeliveryState::Failed(DeliveryError::NotTaken)]);
    assert_eq!(table.shown().last().unwrap(), "poison", "it is not lost");
    assert_eq!(table.machine.retry("unknown", table.now), Err(CommandError::NoSuchMessage));
    table.machine.retry(&id, table.now).unwrap();
    assert_eq!((table.wrote(), table.deliveries()), (vec!["use_chat_request".to_owned()], vec![DeliveryState::Sending]));
    assert_eq!(table.machine.discard(&id), Err(CommandError::NoSuchMessage), "what is being sent cannot be taken back");
    table.machine.closed(1009, "Message is too large", table.now);
    assert_eq!(table.deliveries(), [DeliveryState::Failed(DeliveryError::TooLarge)]);
    table.machine.discard(&id).unwrap();
    table.effects();
    assert_eq!((table.deliveries(), table.shown()), (vec![], vec!["before".to_owned()]));
}

#[test]
fn a_message_that_the_agent_skipped_has_failed() {
    let mut table = Table::online(vec![]);
    table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": []}));
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": "skipped"}));
    assert_eq!(table.deliveries(), [DeliveryState::Failed(DeliveryError::Skipped)]);
    table.effects();
    assert_eq!(table.shown(), ["hello"], "its text is not lost");
}

#[test]
fn a_message_that_the_agent_stored_and_does_not_answer_is_delivered() {
    for stored in [true, false] {
        let mut table = Table::online(vec![]);
        let id = table.send("hello").unwrap();
        let (request, _) = submitted(&table.written()[0]);
        table.effects();
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": "skipped"}));
        assert_eq!(table.deliveries(), [DeliveryState::Sending], "the agent's list has the last word");
        assert!(table.effects().contains(&Effect::History));
        let messages = if stored { vec![UiMessage::user(id, "hello")] } else { vec![] };
        table.machine.history(Ok(messages), table.now);
        let failed = DeliveryState::Failed(DeliveryError::Skipped);
        assert_eq!(table.deliveries(), if stored { vec![] } else { vec![failed] });
        table.effects();
        assert_eq!(table.shown(), ["hello"]);
    }
}

#[test]
fn messages_that_the_agent_joined_are_delivered_and_not_sent_again_after_a_reconnect() {
    let mut table = Table::online(vec![]);
    table.send("one").unwrap();
    let second = table.send("two").unwrap();
    table.effects();
    table.machine.closed(1006, "", table.now);
    table.pass(secs(30));
    table.effects();
    assert_eq!(kinds(&table.connect(vec![UiMessage::user(second, "one\n\ntwo")])), ["stream_resume_request"]);
    assert_eq!(table.deliveries(), []);
    assert_eq!(table.shown(), ["one\n\ntwo"]);
}

#[test]
fn cancelling_offline_stops_what_has_not_been_sent() {
    let mut table = Table::signed_in();
    table.send("hello").unwrap();
    table.machine.cancel(table.now).unwrap();
    assert_eq!(table.deliveries(), [DeliveryState::Failed(DeliveryError::Cancelled)]);
    assert_eq!(kinds(&table.connect(vec![])), ["stream_resume_request"]);
}

#[test]
fn a_cancelled_turn_is_cancelled_at_the_agent_now_or_on_the_next_socket() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.machine.cancel(table.now).unwrap();
    let written = table.written();
    assert_eq!((kinds(&written), &written[0]["id"]), (vec!["chat_request_cancel".to_owned()], &json!(request)));

    table.machine.lost(LinkError::Broken, table.now);
    table.effects();
    table.machine.cancel(table.now).unwrap();
    table.pass(secs(1));
    table.effects();
    let written = table.connect(vec![user(&id, "hello")]);
    assert_eq!((kinds(&written), &written[0]["id"]), (vec!["chat_request_cancel".into(), "stream_resume_request".into()], &json!(request)));
}

#[test]
fn a_decision_is_followed_by_a_question_and_kept_until_it_shows() {
    for frame in [
        json!({"type": "cf_agent_message_updated", "message": calling("approval-responded")}),
        json!({"type": "cf_agent_chat_messages", "messages": [user("u1", "weather"), calling("output-available")]}),
    ] {
        let mut table = Table::online(vec![user("u1", "weather"), calling("approval-requested")]);
        table.machine.decide("call-1", true, table.now).unwrap();
        let written = table.written();
        assert_eq!(kinds(&written), ["tool_approval", "stream_resume_request"]);
        assert_eq!(written[0], json!({"type": "cf_agent_tool_approval", "toolCallId": "call-1", "approved": true, "autoContinue": true}));
        assert_eq!(table.machine.status().decisions.len(), 1);
        table.machine.decide("call-1", false, table.now).unwrap();
        assert_eq!(table.wrote(), Vec::<String>::new(), "the first decision stands");
        table.frame(&frame);
        assert_eq!(table.machine.status().decisions, []);
    }
    let mut table = Table::online(vec![]);
    assert_eq!(table.machine.decide("call-1", true, table.now), Err(CommandError::NoSuchCall));
}

#[test]
fn a_decision_goes_to_each_socket_once_and_not_to_one_where_it_is_moot() {
    let history = |state: &str| vec![user("u1", "weather"), calling(state)];
    let mut table = Table::online(history("approval-requested"));
    table.machine.decide("call-1", false, table.now).unwrap();
    assert_eq!(table.wrote(), ["tool_approval", "stream_resume_request"]);
    table.machine.lost(LinkError::Broken, table.now);
    table.pass(secs(1));
    table.effects();
    let written = table.connect(history("approval-requested"));
    assert_eq!(kinds(&written).iter().filter(|kind| *kind == "tool_approval").count(), 1, "{written:?}");
    assert_eq!(written[0]["approved"], false);
    for settled in ["approval-responded", "output-denied", "output-available", "output-error"] {
        table.machine.lost(LinkError::Broken, table.now);
        table.pass(secs(30));
        table.effects();
        assert_eq!(kinds(&table.connect(history(settled))), ["stream_resume_request"], "{settled}: decided, here or elsewhere");
        let status = table.machine.status();
        assert_eq!((status.decisions, status.error), (vec![], None), "quietly");
    }
}

#[test]
fn a_decision_without_a_trace_is_looked_up_tried_once_more_and_given_up() {
    let history = || vec![user("u1", "weather"), calling("approval-requested")];
    let mut table = Table::online(history());
    table.machine.decide("call-1", true, table.now).unwrap();
    table.effects();
    table.idle();
    table.pass(secs(5));
    assert!(table.effects().contains(&Effect::History), "looked up");
    table.machine.history(Ok(history()), table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: false }], "never twice on one socket");
    let written = table.connect(history());
    assert_eq!(kinds(&written)[0], "tool_approval");
    table.idle();
    table.pass(secs(5));
    assert!(table.effects().contains(&Effect::History));
    table.machine.history(Ok(history()), table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: false }]);
    assert_eq!(kinds(&table.connect(history())), ["stream_resume_request"], "it is not sent a third time");
    let status = table.machine.status();
    assert_eq!((status.decisions, status.error), (vec![], Some(TurnError::DecisionNotTaken)));
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.wrote()[0], "tool_approval", "and can be taken again");
}

#[test]
fn that_nothing_runs_is_no_news_about_what_was_sent_after_the_question() {
    let mut table = Table::signed_in();
    let written = table.connect(vec![]);
    table.send("hello").unwrap();
    table.effects();
    table.frame(&json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": written[0]["probeId"]}));
    assert!(table.machine.status().turn.is_active(), "{:?}", table.machine.status().turn);
    assert_eq!((table.effects(), table.deliveries()), (vec![], vec![DeliveryState::Sending]));
}

#[test]
fn an_agent_that_failed_without_a_word_is_asked_and_the_turn_ends() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    table.effects();
    table.pass(secs(14));
    assert_eq!(table.wrote(), Vec::<String>::new());
    table.pass(secs(1));
    assert_eq!(table.wrote(), ["stream_resume_request"]);
    table.idle();
    assert_eq!(table.effects(), [Effect::History], "the messages tell how it ended");
    table.machine.history(Ok(vec![user(&id, "hello")]), table.now);
    let status = table.machine.status();
    assert!(!status.turn.is_active());
    assert_eq!((status.deliveries, status.error), (vec![], Some(TurnError::NoAnswer)));
}

#[test]
fn a_submit_that_the_agent_ignored_is_sent_again_when_that_is_proven() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (first, _) = submitted(&table.written()[0]);
    table.pass(secs(15));
    table.effects();
    table.idle();
    table.effects();
    table.machine.history(Ok(vec![]), table.now);
    let written = table.written();
    let (second, messages) = resubmitted(&written[0]);
    assert_ne!(first, second);
    assert_eq!((messages[0]["id"].as_str(), table.shown()), (Some(id.as_str()), vec!["hello".to_owned()]));
}

#[test]
fn a_silent_turn_is_asked_after_and_ends_when_nobody_answers() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&chunk(&request, 0, &json!({"type": "start", "messageId": "a1"})));
    table.frame(&chunk(&request, 1, &json!({"type": "text-start", "id": "t"})));
    table.frame(&chunk(&request, 2, &json!({"type": "text-delta", "id": "t", "delta": "par"})));
    table.effects();
    let mut asked = 0;
    let begun = table.now;
    while table.machine.status().turn.is_active() {
        table.pass(secs(1));
        table.machine.alive(table.now);
        for effect in table.effects() {
            match effect {
                Effect::Write(text) if text.contains("resume_request") => asked += 1,
                Effect::History => table.machine.history(Ok(vec![user(&id, "hello")]), table.now),
                Effect::Ping => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(table.now - begun < secs(200), "it ends");
    }
    assert_eq!(asked, 3);
    assert_eq!(table.link(), LinkState::Online, "the socket is not to blame");
}

#[test]
fn a_turn_that_goes_on_is_not_asked_after() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&chunk(&request, 0, &json!({"type": "start", "messageId": "a1"})));
    table.frame(&chunk(&request, 1, &json!({"type": "text-start", "id": "t"})));
    for seq in 2..20 {
        table.pass(secs(29));
        table.frame(&chunk(&request, seq, &json!({"type": "text-delta", "id": "t", "delta": "word "})));
    }
    table.frame(&done(&request, &[&id]));
    table.pass(secs(15));
    let frames: Vec<Effect> = table.effects().into_iter().filter(|effect| *effect != Effect::Ping).collect();
    assert_eq!(frames, []);
}

#[test]
fn a_failure_is_told_once_and_gone_with_the_next_message() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(
        &json!({"type": "cf_agent_use_chat_response", "id": request, "body": "provider\u{7} exploded", "error": true, "done": false}),
    );
    table.frame(
        &json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": "error", "messageIds": [id]}),
    );
    assert_eq!(table.machine.status().error, Some(TurnError::Failed { text: "provider exploded".to_owned() }));
    table.send("again").unwrap();
    assert_eq!(table.machine.status().error, None);
}

#[test]
fn a_cancelled_turn_ends_even_if_the_agent_never_says_so() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    table.effects();
    table.machine.cancel(table.now).unwrap();
    assert_eq!(table.wrote(), ["chat_request_cancel"]);
    table.pass(secs(3));
    assert_eq!(table.wrote(), ["stream_resume_request"]);
    table.pass(secs(5));
    assert!(!table.machine.status().turn.is_active());
    assert_eq!(table.effects(), [Effect::History]);
    table.machine.history(Ok(vec![user(&id, "hello")]), table.now);
    assert_eq!(table.deliveries(), []);
}

#[test]
fn messages_that_could_not_be_had_are_asked_for_again() {
    let mut table = Table::online(vec![]);
    // A turn of which nothing was heard, because it was offered and ended before the offer was taken up.
    table.frame(&json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
    table.frame(&done("r1", &[]));
    let asked = |effects: &[Effect]| effects.iter().filter(|effect| **effect == Effect::History).count();
    assert_eq!(asked(&table.effects()), 1);
    for _ in 0..5 {
        table.machine.history(Err(LinkError::Broken), table.now);
        assert_eq!((asked(&table.effects()), table.link()), (0, LinkState::Online), "not at once, and the socket stays");
        let mut waited = Duration::ZERO;
        while asked(&table.effects()) == 0 {
            assert!(waited < secs(31), "it is asked for again");
            waited += Duration::from_millis(100);
            table.pass(Duration::from_millis(100));
            table.machine.alive(table.now);
        }
    }
    table.machine.history(Ok(vec![user("u1", "hello"), said("a1", "Hello.")]), table.now);
    table.effects();
    assert_eq!(table.shown(), ["hello", "Hello."]);
}

#[test]
fn a_list_that_was_asked_for_before_something_was_said_does_not_take_it_away() {
    let mut table = Table::online(vec![user("u0", "before"), said("a0", "Yes.")]);
    let history = vec![user("u0", "before"), said("a0", "Yes.")];
    table.frame(&json!({"type": "cf_agent_chat_clear"}));
    assert!(table.effects().contains(&Effect::History), "a clear by somebody else is looked into");
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&chunk(&request, 0, &json!({"type": "start", "messageId": "a1"})));
    table.frame(&chunk(&request, 1, &json!({"type": "text-start", "id": "t"})));
    table.frame(&chunk(&request, 2, &json!({"type": "text-delta", "id": "t", "delta": "Hello."})));
    table.frame(&chunk(&request, 3, &json!({"type": "text-end", "id": "t"})));
    table.frame(&chunk(&request, 4, &json!({"type": "finish"})));
    table.frame(&done(&request, &[&id]));
    table.machine.history(Ok(history), table.now);
    table.effects();
    assert_eq!(table.shown(), ["before", "Yes.", "hello", "Hello."]);
}

#[test]
fn a_list_that_was_asked_for_before_a_message_was_confirmed_does_not_take_it_away() {
    let mut table = Table::online(vec![]);
    // A turn of somebody else's of which nothing was heard.
    table.frame(&json!({"type": "cf_agent_stream_resuming", "id": "theirs"}));
    table.frame(&done("theirs", &[]));
    assert!(table.effects().contains(&Effect::History));
    let id = table.send("hello").unwrap();
    table.effects();
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": [user(&id, "hello")]}));
    assert_eq!(table.deliveries(), []);
    table.machine.history(Ok(vec![]), table.now);
    table.effects();
    assert_eq!(table.shown(), ["hello"], "it was read before the agent had the message");
}

#[test]
fn an_answer_says_that_its_message_is_there_although_its_request_was_given_up() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.machine.timing.doubt = secs(3);
    table.machine.lost(LinkError::Silent, table.now);
    table.pass(secs(1));
    table.effects();
    table.connect(vec![]);
    table.idle();
    assert_eq!(table.deliveries(), [DeliveryState::Sending], "it is in doubt: it may still be on its way");
    table.effects();
    table.machine.history(Ok(vec![]), table.now);
    table.pass(secs(3));
    table.effects();
    // It arrives when the list has been read, and the answer comes before the list.
    table.frame(&chunk(&request, 0, &json!({"type": "start", "messageId": "a1"})));
    table.frame(&chunk(&request, 1, &json!({"type": "text-start", "id": "t"})));
    table.frame(&chunk(&request, 2, &json!({"type": "text-delta", "id": "t", "delta": "Hel"})));
    assert_eq!(table.deliveries(), []);
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.wrote(), Vec::<String>::new(), "it is not sent again");
    table.frame(&chunk(&request, 3, &json!({"type": "text-delta", "id": "t", "delta": "lo."})));
    table.frame(&done(&request, &[&id]));
    table.effects();
    assert_eq!(table.shown(), ["hello", "Hello."], "nor is its answer given up");
    // And when somebody empties the conversation, it goes with the rest.
    table.frame(&json!({"type": "cf_agent_chat_clear"}));
    table.effects();
    table.machine.history(Ok(vec![]), table.now);
    table.effects();
    assert_eq!(table.shown(), Vec::<String>::new());
}

#[test]
fn a_message_that_was_stopped_on_a_silent_socket_is_looked_up_on_the_next() {
    let mut table = Table::online(vec![]);
    table.send("hello").unwrap();
    table.effects();
    table.machine.cancel(table.now).unwrap();
    table.pass(secs(9));
    assert!(table.effects().contains(&Effect::History), "neither the cancel nor a question is answered");
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.effects(), [Effect::Cut], "the message may still be in that socket: nothing is concluded");
    assert_eq!(table.deliveries(), [DeliveryState::Sending]);
}
