//! What happens in the conversations.

use callbox_link::LinkState;
use serde_json::{Value, json};

use crate::{
    proxy::Side,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

/// What the model is told to do, as the user's message.
fn script(steps: &Value) -> String {
    json!({ "steps": steps }).to_string()
}

fn text_of(stored: &[Value]) -> String {
    let parts = stored.last().and_then(|message| message["parts"].as_array()).cloned().unwrap_or_default();
    parts.iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}

/// So many messages, the last of which ends so.
fn answered(count: usize, end: &str) -> impl Fn(&[Value]) -> bool {
    move |stored| stored.len() == count && stored.last().is_some_and(|last| last["role"] == "assistant") && text_of(stored).ends_with(end)
}

async fn plain(release: Release) {
    let mut room = Room::new(release, "plain").await;
    room.ours.link.send(script(&json!([[{"text": ["**Hello** ", "from ", "ours."]}]]))).await.unwrap();
    room.agree("ours is answered", answered(2, "ours.")).await;
    room.theirs.tell("send", script(&json!([[{"text": ["- and ", "theirs."]}]]))).await;
    room.agree("theirs is answered", answered(4, "theirs.")).await;
}

#[tokio::test]
async fn newest_messages_of_both_clients_are_answered() {
    plain(Newest).await;
}

#[tokio::test]
async fn old_messages_of_both_clients_are_answered() {
    plain(Old).await;
}

/// Everything that a model can say in one answer, and a tool that runs by itself.
async fn parts(release: Release) {
    let mut room = Room::new(release, "parts").await;
    let calls =
        json!([{"reasoning": ["Let me ", "think."]}, {"text": ["Looking."]}, {"call": "echo", "input": {"city": "Zürich", "n": [1, 2]}}]);
    let answer = json!([{"source": "https://example.com/"}, {"file": "iVBORw0KGgo="}, {"text": ["All ", "found."]}]);
    let extras = json!([{"type": "data-weather", "id": "d1", "data": {"degrees": 21}}]);
    room.ours.link.send(json!({"steps": [calls, answer], "extras": extras}).to_string()).await.unwrap();
    room.agree("everything is there", answered(2, "found.")).await;
}

#[tokio::test]
async fn newest_every_kind_of_part_arrives() {
    parts(Newest).await;
}

#[tokio::test]
async fn old_every_kind_of_part_arrives() {
    parts(Old).await;
}

async fn tool_error(release: Release) {
    let mut room = Room::new(release, "tool-error").await;
    room.ours.link.send(script(&json!([[{"call": "broken"}], [{"text": ["It broke."]}]]))).await.unwrap();
    let stored = room.agree("the answer after it", answered(2, "broke.")).await;
    assert!(json!(stored).to_string().contains("output-error"), "the call has failed: {stored:#?}");
}

#[tokio::test]
async fn newest_a_tool_fails() {
    tool_error(Newest).await;
}

#[tokio::test]
async fn old_a_tool_fails() {
    tool_error(Old).await;
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

/// A question is asked, our socket drops and comes back, and then we decide.
#[tokio::test]
async fn newest_an_approval_is_given_after_a_reconnect() {
    let mut room = Room::new(Newest, "approval-after-reconnect").await;
    room.ours.link.send(script(&json!([[{"call": "ask", "input": {"a": 1}}], [{"text": ["Done so."]}]]))).await.unwrap();
    let stored = room.agree("a question", |stored| json!(stored).to_string().contains("approval-requested")).await;
    room.cut(Side::Ours);
    room.ours.until(|ours| ours.status.link != LinkState::Online).await;
    room.ours.until(|ours| ours.status.link == LinkState::Online).await;
    let parts = stored[1]["parts"].as_array().unwrap();
    let call = parts.iter().find_map(|part| part["toolCallId"].as_str()).unwrap();
    room.ours.link.decide(call, true).await.unwrap();
    room.agree("the answer after it", answered(2, "Done so.")).await;
}

/// The process is killed while it answers, and started on the same storage.
#[tokio::test]
async fn newest_the_agent_is_killed_in_mid_stream() {
    let mut room = Room::new(Newest, "killed").await;
    room.ours.link.send(script(&json!([[{"text": ["Before "]}, {"gate": "g"}, {"text": ["after."]}]]))).await.unwrap();
    room.both_show("Before").await;
    room.kill_agent().await;
    room.open("g").await;
    room.settled("whatever survived", |stored| stored.len() >= 2).await;
}

/// The object is dropped from memory, as when it hibernates: nothing of it is left but its storage.
#[tokio::test]
async fn newest_the_agent_forgets_everything_but_its_storage() {
    let mut room = Room::new(Newest, "abort").await;
    room.ours.link.send(script(&json!([[{"text": ["One."]}]]))).await.unwrap();
    room.agree("an answer", answered(2, "One.")).await;
    room.ask("abort").await;
    room.ours.link.send(script(&json!([[{"text": ["Two."]}]]))).await.unwrap();
    room.settled("another", answered(4, "Two.")).await;
}

/// Our socket drops while the model speaks; the answer is resumed.
#[tokio::test]
async fn newest_a_socket_drops_in_mid_stream() {
    let mut room = Room::new(Newest, "dropped").await;
    room.ours.link.send(script(&json!([[{"text": ["Before "]}, {"gate": "g"}, {"text": ["after."]}]]))).await.unwrap();
    room.both_show("Before").await;
    room.cut(Side::Ours);
    room.ours.until(|ours| ours.status.link != LinkState::Online).await;
    room.ours.until(|ours| ours.status.link == LinkState::Online).await;
    room.open("g").await;
    room.agree_live("the whole answer", answered(2, "Before after.")).await;
}
