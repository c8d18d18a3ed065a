//! Before approvals there were results: a client says `Yes, confirmed.` in a tool's place, and sends all messages again. The SDK's client shows
//! the call twice then: what the agent writes as a message of its own, it puts behind what it has of the one before.

use std::time::Duration;

use callbox_link::LinkState;
use serde_json::{Value, json};

use super::{call_of, calls, script, text_of};
use crate::{ours::Ours, place::Place, proxy::Side, room::Room, sdk::Release::Old};

/// The SDK's client is told which tools ask. Ours finds out, and does not wait long for the agent to say how old it is.
fn place() -> Place {
    Place::default().with(json!({"confirms": ["pay"]})).asking(Duration::from_millis(100))
}

fn paying() -> String {
    script(&json!([[{"call": "pay", "input": {"sum": 5}}], [{"text": ["As you say."]}]]))
}

/// The answer stops in the middle until the gate is opened.
fn paying_slowly() -> String {
    script(&json!([[{"call": "pay", "input": {"sum": 5}}], [{"text": ["As "]}, {"gate": "g"}, {"text": ["you say."]}]]))
}

fn asks(ours: &Ours) -> bool {
    ours.status.confirmations.len() == 1
}

/// A question that both clients show; the call comes back.
async fn asked(room: &mut Room, text: String) -> String {
    room.ours.link.send(text).await.unwrap();
    let stored = room.agree("a question", calls("input-available")).await;
    room.ours.until(asks).await;
    call_of(&stored)["toolCallId"].as_str().unwrap().to_owned()
}

fn answered(stored: &[Value]) -> bool {
    stored.len() == 3 && text_of(stored) == "As you say."
}

/// How many requests for a turn our client has sent.
fn requests(room: &Room) -> usize {
    room.proxy.sent_by(Side::Ours, "cf_agent_use_chat_request")
}

/// The SDK's client decides, and ours sees it.
async fn theirs(name: &str, output: &str) {
    let mut room = Room::at(Old, name, place()).await;
    room.theirs.tell("send", paying()).await;
    let stored = room.agree("a question", calls("input-available")).await;
    room.ours.until(asks).await;
    let call = call_of(&stored)["toolCallId"].clone();
    room.theirs.tell("result", json!({"tool": "pay", "toolCallId": call, "output": output})).await;
    let stored = room.settled("the answer after it", answered).await;
    assert_eq!(call_of(&stored[..2])["output"], output, "stored as it was said");
    assert_eq!((requests(&room), asks(&room.ours)), (0, false), "and nothing is asked any more");
}

#[tokio::test]
async fn old_the_other_client_confirms_a_call() {
    theirs("confirmed", "Yes, confirmed.").await;
}

#[tokio::test]
async fn old_the_other_client_denies_a_call() {
    theirs("denied", "No, denied.").await;
}

/// Ours decides, as the SDK's client does: the agent stores the same, and its tool runs or does not.
async fn ours(name: &str, approved: bool, output: &str) {
    let mut room = Room::at(Old, name, place()).await;
    let call = asked(&mut room, paying()).await;
    room.ours.link.decide(&call, approved).await.unwrap();
    let stored = room.agree("the answer after it", answered).await;
    assert_eq!(call_of(&stored[..2])["output"], output);
    assert_eq!((requests(&room), room.ask("paid").await), (2, if approved { "1" } else { "0" }.to_owned()));
    // The conversation goes on for both.
    room.theirs.tell("send", super::saying("Two.")).await;
    room.agree("theirs is answered", |stored| stored.len() == 5 && text_of(stored) == "Two.").await;
}

#[tokio::test]
async fn old_our_client_confirms_a_call() {
    ours("our-yes", true, "Yes, confirmed.").await;
}

#[tokio::test]
async fn old_our_client_denies_a_call() {
    ours("our-no", false, "No, denied.").await;
}

/// Two calls of one step: the agent hears of both decisions at once, as from the SDK's client.
#[tokio::test]
async fn old_two_calls_are_decided_and_sent_together() {
    let mut room = Room::at(Old, "our-two", place()).await;
    let both = json!([{"call": "pay", "input": {"sum": 1}}, {"call": "pay", "input": {"sum": 2}}]);
    room.ours.link.send(script(&json!([both, [{"text": ["As you say."]}]]))).await.unwrap();
    room.agree("two questions", |stored| json!(stored).to_string().matches("input-available").count() == 2).await;
    room.ours.until(|ours| ours.status.confirmations.len() == 2).await;
    let ids = room.ours.status.confirmations.clone();
    room.ours.link.decide(&ids[1], false).await.unwrap();
    room.ours.until(|ours| ours.status.decisions.len() == 1).await;
    assert_eq!(requests(&room), 1, "half of it is nothing that the agent could act on");
    room.ours.link.decide(&ids[0], true).await.unwrap();
    room.agree("the answer after both", answered).await;
    assert_eq!((requests(&room), room.ask("paid").await), (2, "1".to_owned()));
}

/// The socket is cut when the agent has the decision and before anything of the answer: nothing is said twice, and the tool runs once.
#[tokio::test]
async fn old_a_socket_drops_between_a_decision_and_its_answer() {
    let mut room = Room::at(Old, "our-drop", place()).await;
    let call = asked(&mut room, paying_slowly()).await;
    room.ours.link.decide(&call, true).await.unwrap();
    room.both_show("As ").await;
    room.drop_ours().await;
    room.open("g").await;
    room.agree_live("the answer after it", answered).await;
    assert_eq!((requests(&room), room.ask("paid").await), (2, "1".to_owned()));
}

/// The same when the agent never got it: it is looked up, and sent once more.
#[tokio::test]
async fn old_a_socket_takes_a_decision_with_it() {
    let mut room = Room::at(Old, "our-loss", place()).await;
    let call = asked(&mut room, paying()).await;
    let sockets = room.proxy.opened_by_ours();
    room.proxy.swallow(Side::Ours, "Yes, confirmed.");
    room.ours.link.decide(&call, true).await.unwrap();
    room.again(sockets).await;
    let stored = room.agree_live("the answer after it", answered).await;
    assert_eq!(call_of(&stored[..2])["output"], "Yes, confirmed.");
    assert_eq!((requests(&room), room.ask("paid").await), (3, "1".to_owned()), "of three, one was swallowed");
}

/// The agent is killed while the question stands, and comes back on its storage.
#[tokio::test]
async fn old_a_question_outlives_the_agent() {
    let mut room = Room::at(Old, "our-killed", place()).await;
    let call = asked(&mut room, paying()).await;
    let sockets = room.proxy.opened_by_ours();
    room.kill_agent().await;
    room.again(sockets).await;
    room.ours.until(|ours| ours.status.link == LinkState::Online && asks(ours)).await;
    room.ours.link.decide(&call, true).await.unwrap();
    room.agree_live("the answer after it", answered).await;
    assert_eq!(room.ask("paid").await, "1");
}

/// Theirs has decided, and ours does not know yet: the list that it asks for shows it, and what was decided first stands.
#[tokio::test]
async fn old_both_clients_decide() {
    let mut room = Room::at(Old, "our-second", place()).await;
    let call = asked(&mut room, paying_slowly()).await;
    room.proxy.keep_ours_out(true);
    room.ours.until(|ours| ours.status.link != LinkState::Online).await;
    room.theirs.tell("result", json!({"tool": "pay", "toolCallId": call, "output": "No, denied."})).await;
    room.until("the agent has it", |stored, _, _| stored.len() == 2 && json!(stored).to_string().contains("No, denied.")).await;
    room.ours.link.decide(&call, true).await.unwrap();
    room.proxy.keep_ours_out(false);
    room.open("g").await;
    let stored = room.settled("the answer after it", answered).await;
    assert_eq!(call_of(&stored[..2])["output"], "No, denied.", "the first decision");
    assert_eq!((requests(&room), room.ask("paid").await), (1, "0".to_owned()));
}
