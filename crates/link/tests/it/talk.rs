//! Messages and answers, on connections that do not last.

use std::time::{Duration, Instant};

use callbox_link::{DeliveryState, Subscription, Timing, TurnError};
use callbox_protocol::{Turn, UiMessage, apply};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::json;

use crate::world::{HALF_OPEN, Watched, World, counted, elapse, soon};

fn streams(watched: &Watched) -> bool {
    matches!(watched.status.turn, Turn::Streaming { .. })
}

/// The parts of the list that do not depend on who has folded it.
fn content(messages: &[UiMessage]) -> Vec<(String, String)> {
    messages.iter().map(|message| (message.id.clone(), message.text())).collect()
}

#[tokio::test]
async fn a_message_is_answered() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let (before, begun) = (watched.count, Instant::now());
    let id = watched.link.send("stream 100").await.unwrap();
    watched.until_answered(2).await;
    // However long it took: what comes in one frame is one update.
    let frames = begun.elapsed().as_millis() / Timing::default().frame.as_millis() + 1;
    assert!((watched.count - before) as u128 <= frames, "{} updates in {frames} frames", watched.count - before);
    assert_eq!(watched.texts(), ["stream 100".to_owned(), counted(100)]);
    assert_eq!(content(&watched.messages), content(&world.stored("c1")));
    assert_eq!((watched.messages[0].id.clone(), world.control().submits(&id)), (id, 1));
}

#[tokio::test]
async fn a_conversation_is_there_when_it_is_opened_again() {
    let world = World::new().await;
    let mut first = world.online("c1").await;
    for (n, text) in ["hello", "what time is it"].into_iter().enumerate() {
        first.link.send(text).await.unwrap();
        first.until_answered(2 * n + 2).await;
    }
    first.link.close().await;
    let second = world.online("c1").await;
    assert_eq!((second.messages.len(), content(&second.messages)), (4, content(&world.stored("c1"))));
}

#[tokio::test]
async fn an_answer_that_was_cut_in_the_middle_is_resumed_with_each_piece_once() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    control.hold_after(60);
    let id = watched.link.send("stream 300").await.unwrap();
    soon("in the middle", control.until_held()).await;
    watched.until("half of it is shown", |watched| streams(watched) && watched.texts().last().unwrap().contains("w50 ")).await;
    for _ in 0..3 {
        control.drop_sockets();
        watched.until("interrupted", |watched| matches!(watched.status.turn, Turn::Interrupted { .. })).await;
        assert!(watched.texts().last().unwrap().contains("w50 "), "what is there stays");
        watched.mend().await;
        watched.until("streaming again", streams).await;
    }
    control.release();
    watched.until_idle().await;
    assert_eq!(watched.texts(), ["stream 300".to_owned(), counted(300)]);
    assert_eq!(content(&watched.messages), content(&world.stored("c1")));
    assert_eq!((control.submits(&id), control.requests(Endpoint::Turn)), (1, 1));
}

#[tokio::test]
async fn each_offer_is_accepted_once_on_a_socket() {
    let world = World::new().await;
    let control = world.control();
    let mut first = world.online("c1").await;
    control.hold_after(20);
    first.link.send("stream 50").await.unwrap();
    soon("in the middle", control.until_held()).await;
    first.until("streaming", streams).await;
    let request = first.status.turn.request_id().unwrap().to_owned();
    // A second window is offered the stream twice: on connect, and in answer to its question.
    let mut second = world.link("c1").await;
    second.until("streaming", streams).await;
    control.release();
    second.until_answered(2).await;
    assert_eq!((second.texts(), control.acks(&request)), (vec!["stream 50".to_owned(), counted(50)], 1));
}

#[tokio::test]
async fn a_message_that_reached_the_agent_before_the_drop_is_not_sent_again() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    control.hold_after(0);
    let id = watched.link.send("stream 30").await.unwrap();
    soon("the agent has it", control.until_held()).await;
    assert_eq!(watched.link.status().borrow().deliveries.len(), 1, "nobody has said so");
    control.drop_sockets();
    watched.mend().await;
    watched.until("confirmed", |watched| watched.status.deliveries.is_empty()).await;
    control.release();
    watched.until_answered(2).await;
    assert_eq!(watched.texts(), ["stream 30".to_owned(), counted(30)]);
    assert_eq!((control.submits(&id), control.requests(Endpoint::Turn)), (1, 1));
}

#[tokio::test]
async fn a_message_that_did_not_reach_the_agent_is_sent_once_more() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    control.stall_sockets();
    soon("silence", control.until(|| control.stalled_sockets() == 1)).await;
    let id = watched.link.send("stream 30").await.unwrap();
    watched.until("written", |watched| watched.status.deliveries.iter().any(|delivery| delivery.state == DeliveryState::Sending)).await;
    assert_eq!((watched.texts(), control.submits(&id)), (vec!["stream 30".to_owned()], 0));
    elapse(HALF_OPEN).await;
    watched.mend().await;
    watched.until_answered(2).await;
    assert_eq!(watched.texts(), ["stream 30".to_owned(), counted(30)]);
    assert_eq!((control.submits(&id), control.requests(Endpoint::Turn), world.stored("c1").len()), (1, 1, 2));
}

#[tokio::test]
async fn what_is_written_without_a_network_is_sent_in_order_when_it_returns() {
    let world = World::new().await;
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    world.sandbox.stop_agent().await;
    watched.until_offline().await;
    let mut ids = Vec::new();
    for text in ["stream 1", "stream 2", "stream 3"] {
        ids.push(watched.link.send(text).await.unwrap());
    }
    watched.until("shown", |watched| watched.messages.len() == 3).await;
    assert!(watched.link.status().borrow().deliveries.iter().all(|delivery| delivery.state == DeliveryState::Queued));
    world.sandbox.start_agent().await.unwrap();
    watched.link.reconnect().await.unwrap();
    watched.until_answered(6).await;
    let asked: Vec<String> = world.stored("c1").iter().map(UiMessage::text).filter(|text| text.starts_with("stream")).collect();
    assert_eq!(asked, ["stream 1", "stream 2", "stream 3"]);
    assert!(ids.iter().all(|id| world.control().submits(id) == 1));
    assert_eq!(content(&watched.messages).len(), 6);
}

#[tokio::test]
async fn cancel_stops_the_agent_and_keeps_what_was_said() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    control.hold_after(23);
    watched.link.send("stream 500").await.unwrap();
    soon("in the middle", control.until_held()).await;
    watched.until("streaming", streams).await;
    watched.link.cancel().await.unwrap();
    watched.until_idle().await;
    assert_eq!((watched.texts()[1].clone(), watched.status.error.clone()), (counted(20), None));
    assert_eq!(content(&watched.messages), content(&world.stored("c1")));
    control.release();
    watched.link.send("stream 2").await.unwrap();
    watched.until_answered(4).await;
    assert_eq!(watched.texts()[3], counted(2), "the next turn is not disturbed");
}

#[tokio::test]
async fn a_cancel_during_a_drop_reaches_the_agent_on_the_next_socket() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    control.hold_after(23);
    watched.link.send("stream 500").await.unwrap();
    soon("in the middle", control.until_held()).await;
    watched.until("streaming", streams).await;
    control.drop_sockets();
    watched.until_offline().await;
    watched.link.cancel().await.unwrap();
    watched.mend().await;
    watched.until_idle().await;
    assert_eq!(watched.texts()[1], counted(20));
}

#[tokio::test]
async fn two_links_in_one_conversation_see_the_same() {
    let world = World::new().await;
    let mut one = world.online("c1").await;
    let mut two = world.online("c1").await;
    one.link.send("stream 40").await.unwrap();
    one.until_answered(2).await;
    two.until_answered(2).await;
    two.link.send("stream 50").await.unwrap();
    one.until_answered(4).await;
    two.until_answered(4).await;
    let expected = content(&world.stored("c1"));
    assert_eq!((content(&one.messages), content(&two.messages)), (expected.clone(), expected));
    assert_eq!(one.texts()[3], counted(50));
}

#[tokio::test]
async fn a_subscriber_that_does_not_read_gets_everything_in_few_updates() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let Subscription { snapshot, updates: mut slow } = watched.link.subscribe().await.unwrap();
    watched.link.send("stream 1500").await.unwrap();
    watched.until_answered(2).await;
    watched.link.close().await;
    let mut messages = snapshot.messages;
    let mut count = 0;
    while let Some(update) = slow.next().await {
        count += 1;
        assert!(update.ops.len() <= 256);
        update.ops.into_iter().for_each(|op| apply(&mut messages, op).unwrap());
    }
    assert_eq!(count, 1, "all changes and the last status");
    assert!(messages == watched.messages && messages[1].text() == counted(1500));
}

#[tokio::test]
async fn a_subscription_in_the_middle_of_an_answer_has_no_gap() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().hold_after(25);
    watched.link.send("stream 600").await.unwrap();
    let mut others = Vec::new();
    for n in 1..=20 {
        // Before the first word are three pieces without any.
        let word = format!("w{} ", 25 * n - 4);
        watched.until("so far", |watched| watched.texts().last().is_some_and(|text| text.contains(&word))).await;
        // The answer goes on while it is subscribed to.
        world.control().hold_after(25 * (n + 1));
        others.push(Watched::new(watched.link.clone()).await);
    }
    world.control().release();
    watched.until_answered(2).await;
    for mut other in others {
        other.until_answered(2).await;
        assert!(other.messages == watched.messages);
    }
    assert!(watched.texts()[1] == counted(600));
}

#[tokio::test]
async fn a_failing_model_is_told_with_what_it_said_before() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().once(Endpoint::Turn, Fault::ModelError { text: "provider exploded".to_owned(), chunks: 2 });
    watched.link.send("stream 5").await.unwrap();
    watched.until("told", |watched| watched.status.error.is_some()).await;
    watched.until_idle().await;
    assert_eq!(watched.status.error, Some(TurnError::Failed { text: "provider exploded".to_owned() }));
    assert_eq!(watched.texts(), ["stream 5", "w0 w1 "]);
}

#[tokio::test]
async fn an_agent_that_fails_without_a_word_does_not_leave_a_spinner() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().once(Endpoint::Turn, Fault::Silence);
    let id = watched.link.send("hello").await.unwrap();
    soon("the agent has it", world.control().until(|| world.control().submits(&id) == 1)).await;
    watched.until("waiting", |watched| watched.status.turn.is_active()).await;
    elapse(Duration::from_secs(15)).await;
    watched.until("told", |watched| watched.status.error == Some(TurnError::NoAnswer)).await;
    watched.until_idle().await;
    assert_eq!((watched.texts(), world.control().submits(&id)), (vec!["hello".to_owned()], 1));
}

#[tokio::test]
async fn frames_that_make_no_sense_break_nothing() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    for raw in ["", "not json", "[]", "42", "{\"type\":42}", "{\"type\":\"from_the_future\"}", "{\"error\":\"stack\"}"] {
        world.control().inject("c1", raw);
    }
    for frame in [
        json!({"type": "cf_agent_use_chat_response"}),
        json!({"type": "cf_agent_use_chat_response", "id": "unknown", "body": "{\"type\":\"text-delta\",\"id\":\"t\",\"delta\":\"x\"}", "done": true, "replay": true}),
        json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "not-ours"}),
        json!({"type": "cf_agent_message_updated", "message": {"id": "unknown", "role": "assistant", "parts": []}}),
    ] {
        world.control().inject("c1", &frame.to_string());
    }
    watched.link.send("stream 3").await.unwrap();
    watched.until_answered(2).await;
    assert_eq!(watched.texts(), ["stream 3".to_owned(), counted(3)]);
    assert_eq!(world.control().handshakes().0, 1);
}
