//! Calls of tools: by the agent, by a client, after a person's decision.

use std::sync::Arc;

use callbox_link::ClientTool;
use serde_json::{Value, json};

use super::{answered, call_of, calls, script, text_of};
use crate::{
    place::Place,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

async fn tool_error(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(script(&json!([[{"call": "broken"}], [{"text": ["It broke."]}]]))).await.unwrap();
    let stored = room.agree("the answer after it", answered(2, "broke.")).await;
    assert!(json!(stored).to_string().contains("output-error"), "the call has failed: {stored:#?}");
}

#[tokio::test]
async fn newest_a_tool_fails() {
    tool_error(Newest, "tool-error", Place::default()).await;
}

#[tokio::test]
async fn newest_a_tool_of_the_other_class_fails() {
    tool_error(Newest, "think-tool-error", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_a_tool_fails() {
    tool_error(Old, "tool-error", Place::default()).await;
}

pub(super) fn asking() -> String {
    script(&json!([[{"call": "ask", "input": {"a": 1}}], [{"text": ["Done so."]}]]))
}

/// A question is asked, our socket drops and comes back, and then we decide.
async fn approval(name: &str, approved: bool) {
    let mut room = Room::new(Newest, name).await;
    room.ours.link.send(asking()).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    room.drop_ours().await;
    room.ours.link.decide(call_of(&stored)["toolCallId"].as_str().unwrap(), approved).await.unwrap();
    let stored = room.agree("the answer after it", answered(2, "Done so.")).await;
    assert_eq!(call_of(&stored)["state"], if approved { "output-available" } else { "output-denied" });
}

#[tokio::test]
async fn newest_an_approval_is_given_after_a_reconnect() {
    approval("approval-after-reconnect", true).await;
}

#[tokio::test]
async fn newest_a_denial_is_given_after_a_reconnect() {
    approval("denial-after-reconnect", false).await;
}

/// The other class goes on in another message. The SDK's client shows what is said there twice, in that one and at the end of the one before.
#[tokio::test]
async fn newest_the_other_class_is_given_an_approval_after_a_reconnect() {
    let mut room = Room::at(Newest, "think-approval-after-reconnect", Place::agent("think-agent")).await;
    room.ours.link.send(asking()).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    room.drop_ours().await;
    room.ours.link.decide(call_of(&stored)["toolCallId"].as_str().unwrap(), true).await.unwrap();
    let stored = room.settled("the answer after it", answered(3, "Done so.")).await;
    assert_eq!(call_of(&stored[..2])["state"], "output-available");
}

/// The SDK's client decides what ours was asked.
#[tokio::test]
async fn newest_the_other_client_decides() {
    let mut room = Room::new(Newest, "approval-elsewhere").await;
    room.ours.link.send(asking()).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    room.theirs.tell("approve", json!({"id": call_of(&stored)["approval"]["id"], "approved": true})).await;
    room.agree("the answer after it", answered(2, "Done so.")).await;
}

/// Both decide at once, and not the same: the first wins. The SDK's client may show an empty message of its own behind the answer then.
#[tokio::test]
async fn newest_both_clients_decide_at_once() {
    let mut room = Room::new(Newest, "approval-twice").await;
    room.ours.link.send(asking()).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    let call = call_of(&stored);
    room.theirs.tell("approve", json!({"id": call["approval"]["id"], "approved": true})).await;
    room.ours.link.decide(call["toolCallId"].as_str().unwrap(), false).await.unwrap();
    room.settled("the answer after it", answered(2, "Done so.")).await;
}

/// Two questions at once, one for each client; the agent goes on when both are answered.
#[tokio::test]
async fn newest_each_client_decides_one_of_two_questions() {
    let mut room = Room::new(Newest, "two-questions").await;
    let questions = json!([{"call": "ask", "input": {"n": 1}}, {"call": "ask", "input": {"n": 2}}]);
    room.ours.link.send(script(&json!([questions, [{"text": ["Done so."]}]]))).await.unwrap();
    let stored = room.agree("two questions", |stored| json!(stored).to_string().matches("approval-requested").count() == 2).await;
    let parts: Vec<&Value> = stored[1]["parts"].as_array().unwrap().iter().filter(|part| part["toolCallId"].is_string()).collect();
    room.ours.link.decide(parts[0]["toolCallId"].as_str().unwrap(), true).await.unwrap();
    room.until("one is decided", |stored, _, _| json!(stored).to_string().matches("approval-requested").count() == 1).await;
    room.theirs.tell("approve", json!({"id": parts[1]["approval"]["id"], "approved": false})).await;
    let stored = room.agree_live("the answer after both", |stored| text_of(stored).ends_with("Done so.")).await;
    assert!(json!(stored).to_string().contains("output-denied"));
}

/// Something else is said in place of a decision: the agent gives the question up, and so does ours.
#[tokio::test]
async fn newest_a_question_is_left_behind() {
    let mut room = Room::new(Newest, "left-behind").await;
    room.ours.link.send(asking()).await.unwrap();
    room.agree("a question", calls("approval-requested")).await;
    room.ours.link.send(script(&json!([[{"text": ["Never mind."]}]]))).await.unwrap();
    room.agree("the answer to that", answered(4, "Never mind.")).await;
}

/// The tool is the SDK's client's, which says so with its message and runs it; ours sees what came of it.
#[tokio::test]
async fn newest_the_other_client_runs_a_tool_of_its_own() {
    let mut room = Room::at(Newest, "client-tool", Place::default().with(json!({"runs": true}))).await;
    room.theirs.tell("send", script(&json!([[{"call": "clock", "input": {"zone": "Rome"}}], [{"text": ["It is noon."]}]]))).await;
    let stored = room.agree("the answer after it", answered(2, "noon.")).await;
    assert_eq!(call_of(&stored)["output"], json!({"time": "12:00", "zone": "Rome"}));
}

/// Nobody can run it until a person at the other client gives a result.
async fn result_by_hand(name: &str, place: Place) {
    let mut room = Room::at(Newest, name, place).await;
    room.ours.link.send(script(&json!([[{"call": "here"}], [{"text": ["There you are."]}]]))).await.unwrap();
    let stored = room.agree("a call", calls("input-available")).await;
    let call = call_of(&stored)["toolCallId"].clone();
    room.theirs.tell("result", json!({"tool": "here", "toolCallId": call, "output": {"lat": 1}})).await;
    // The other class answers in another message.
    let stored = room.agree("the answer after it", |stored| text_of(stored) == "There you are.").await;
    assert_eq!(call_of(&stored[..2])["output"], json!({"lat": 1}));
}

#[tokio::test]
async fn newest_the_other_client_gives_the_result_of_a_call() {
    result_by_hand("result", Place::default()).await;
}

#[tokio::test]
async fn newest_the_other_client_gives_the_result_of_a_call_to_the_other_class() {
    result_by_hand("think-result", Place::agent("think-agent")).await;
}

/// A tool that runs at our client.
fn clock(works: bool) -> Vec<ClientTool> {
    let run = move |input: Value| async move {
        if works { Ok(json!({"time": "12:00", "zone": input["zone"]})) } else { Err("No clock here.".to_owned()) }
    };
    let (name, description) = ("clock".to_owned(), "What time it is here".to_owned());
    let parameters = json!({"type": "object", "properties": {"zone": {"type": "string"}}});
    vec![ClientTool { name, description, parameters, read_only: true, handler: Arc::new(move |input| Box::pin(run(input))) }]
}

async fn our_tool(name: &str, place: Place, state: &str) {
    let mut room = Room::at(Newest, name, place).await;
    room.ours.link.send(script(&json!([[{"call": "clock", "input": {"zone": "Rome"}}], [{"text": ["It is noon."]}]]))).await.unwrap();
    let stored = room.settled("the answer after it", |stored| text_of(stored) == "It is noon.").await;
    assert_eq!(call_of(&stored[..2])["state"], state);
}

#[tokio::test]
async fn newest_our_client_runs_a_tool_of_its_own() {
    our_tool("our-tool", Place::default().offering(clock(true)), "output-available").await;
}

#[tokio::test]
async fn newest_our_client_runs_a_tool_of_its_own_for_the_other_class() {
    our_tool("think-our-tool", Place::agent("think-agent").offering(clock(true)), "output-available").await;
}

/// Both can run it. The agent goes on for each result that it is told, so ours waits whether the client that asked tells one.
#[tokio::test]
async fn newest_both_clients_can_run_a_tool_and_the_one_that_asked_does() {
    let place = Place::default().offering(clock(false)).with(json!({"runs": true}));
    let mut room = Room::at(Newest, "tool-of-both", place).await;
    room.theirs.tell("send", script(&json!([[{"call": "clock", "input": {"zone": "Rome"}}], [{"text": ["It is noon."]}]]))).await;
    let stored = room.agree("one answer", |stored| text_of(stored) == "It is noon.").await;
    assert_eq!(call_of(&stored)["output"], json!({"time": "12:00", "zone": "Rome"}));
}

#[tokio::test]
async fn newest_a_tool_of_our_client_fails() {
    let mut room = Room::at(Newest, "our-tool-error", Place::default().offering(clock(false))).await;
    room.ours.link.send(script(&json!([[{"call": "clock", "input": {"zone": "Rome"}}], [{"text": ["It is noon."]}]]))).await.unwrap();
    let stored = room.agree_live("the answer after it", answered(2, "It is noon.")).await;
    assert_eq!(call_of(&stored)["state"], "output-error");
    assert_eq!(call_of(&stored)["errorText"], "No clock here.");
}
