//! Messages and answers.

use serde_json::{Value, json};

use super::{answered, script, text_of};
use crate::{
    place::Place,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

async fn plain(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(script(&json!([[{"text": ["**Hello** ", "from ", "ours."]}]]))).await.unwrap();
    room.agree("ours is answered", answered(2, "ours.")).await;
    room.theirs.tell("send", script(&json!([[{"text": ["- and ", "theirs."]}]]))).await;
    room.agree("theirs is answered", answered(4, "theirs.")).await;
}

#[tokio::test]
async fn newest_messages_of_both_clients_are_answered() {
    plain(Newest, "plain", Place::default()).await;
}

#[tokio::test]
async fn old_messages_of_both_clients_are_answered() {
    plain(Old, "plain", Place::default()).await;
}

#[tokio::test]
async fn newest_the_other_class_of_agents_answers_too() {
    plain(Newest, "think-plain", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn newest_an_agent_inside_an_agent_has_a_conversation_of_its_own() {
    plain(Newest, "sub-agent", Place::sub("helper-agent", "a b")).await;
}

#[tokio::test]
async fn newest_an_agent_is_found_below_another_path() {
    plain(Newest, "below", Place::below("some/where")).await;
}

/// Everything that a model can say in one answer, and a tool that runs by itself.
async fn parts(release: Release, name: &str, place: Place, kinds: &[&str]) {
    let mut room = Room::at(release, name, place).await;
    let calls =
        json!([{"reasoning": ["Let me ", "think."]}, {"text": ["Looking."]}, {"call": "echo", "input": {"city": "Zürich", "n": [1, 2]}}]);
    let answer =
        json!([{"source": "https://example.com/"}, {"file": "iVBORw0KGgo="}, {"reasoning": ["So."]}, {"text": ["All ", "found."]}]);
    let extras = json!([{"type": "data-weather", "id": "d1", "data": {"degrees": 21}}]);
    room.ours.link.send(json!({"steps": [calls, answer], "extras": extras}).to_string()).await.unwrap();
    let stored = room.agree("everything is there", answered(2, "found.")).await;
    let there: Vec<&str> = stored[1]["parts"].as_array().unwrap().iter().filter_map(|part| part["type"].as_str()).collect();
    for kind in kinds {
        assert!(there.contains(kind), "{kind}: {there:?}");
    }
    // Loaded, they are the same as they were when they came one by one.
    room.drop_ours().await;
    room.agree_live("after a reconnect", answered(2, "found.")).await;
}

#[tokio::test]
async fn newest_every_kind_of_part_arrives() {
    parts(Newest, "parts", Place::default(), &["reasoning", "source-url", "file", "tool-echo", "text", "data-weather"]).await;
}

#[tokio::test]
async fn newest_every_kind_of_part_of_the_other_class_arrives() {
    // It passes no sources on, and no application adds data to its stream.
    parts(Newest, "think-parts", Place::agent("think-agent"), &["reasoning", "file", "tool-echo", "text"]).await;
}

#[tokio::test]
async fn old_every_kind_of_part_arrives() {
    // It stores no data.
    parts(Old, "parts", Place::default(), &["reasoning", "source-url", "file", "tool-echo", "text"]).await;
}

/// Many deltas, and a message of 900 kB.
async fn large(release: Release) {
    let mut room = Room::new(release, "large").await;
    room.ours.link.send(script(&json!([[{"count": 10_000}]]))).await.unwrap();
    room.agree("ten thousand deltas", answered(2, "w9999 ")).await;
    room.ours.link.send(script(&json!([[{"size": 900_000}]]))).await.unwrap();
    let stored = room.agree("900 kB", answered(4, "x")).await;
    assert_eq!(text_of(&stored).len(), 900_000);
}

#[tokio::test]
async fn newest_ten_thousand_deltas_and_a_message_of_900_kb() {
    large(Newest).await;
}

#[tokio::test]
async fn old_ten_thousand_deltas_and_a_message_of_900_kb() {
    large(Old).await;
}

/// The model breaks after it has said something, and the next turn is as any other.
async fn model_error(release: Release) {
    let mut room = Room::new(release, "model-error").await;
    let broken = script(&json!([[{"text": ["So far."]}, {"fail": "The model is broken."}]]));
    room.ours.link.send(broken.clone()).await.unwrap();
    room.ours.until(|ours| ours.status.error.is_some()).await;
    let error = room.ours.status.error.clone().unwrap();
    assert_eq!((error.code(), error.to_string().contains("The model is broken.")), ("turn-failed", true), "{error}");
    room.agree("what there was", |stored| text_of(stored) == "So far.").await;
    room.theirs.tell("send", broken).await;
    room.until("the SDK's client has the same", |_, ours, theirs| ours.status.error == Some(error.clone()) && theirs.error.is_some()).await;
    room.theirs.tell("send", script(&json!([[{"text": ["Better."]}]]))).await;
    room.agree("another answer", |stored| text_of(stored).ends_with("Better.")).await;
}

#[tokio::test]
async fn newest_the_model_breaks() {
    model_error(Newest).await;
}

#[tokio::test]
async fn old_the_model_breaks() {
    model_error(Old).await;
}

/// Frames that are no chat pass while an answer is written: a state of each side, a call of a method.
async fn states(release: Release) {
    let mut room = Room::new(release, "states").await;
    room.ours.link.send(super::halting()).await.unwrap();
    room.both_show("Before").await;
    room.theirs.tell("state", json!({"n": 1})).await;
    assert_eq!(room.theirs.call("add", [json!(2), json!(3)]).await, 5);
    room.ask("state?n=7").await;
    room.until("theirs has the agent's state", |_, _, theirs| theirs.states.last() == Some(&json!({"n": 7}))).await;
    room.open("g").await;
    room.agree("the whole answer", answered(2, "Before after.")).await;
    let heard: Vec<Value> = room.proxy.heard_by_ours("cf_agent_state").into_iter().map(|mut frame| frame["state"].take()).collect();
    assert_eq!(heard, [json!({"n": 1}), json!({"n": 7})], "they came to our client, too");
}

#[tokio::test]
async fn newest_states_and_calls_of_methods_pass_by() {
    states(Newest).await;
}

#[tokio::test]
async fn old_states_and_calls_of_methods_pass_by() {
    states(Old).await;
}
