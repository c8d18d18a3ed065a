//! Messages that are sent while an answer is written. An agent is set up to answer them all one after the other, or the last alone, or all at
//! once, or none of them. All but the last store what they do not answer.

use callbox_link::{DeliveryError, DeliveryState};
use serde_json::Value;

use super::{halting, text};
use crate::{
    place::Place,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

/// What is sent while the first message is answered.
const MEANWHILE: [&str; 3] = ["one", "two", "three"];
/// What the model says to words that are no script.
const ANSWER: &str = "Hello, world.";

/// All texts, without those that are scripts.
fn said(stored: &[Value]) -> Vec<String> {
    stored.iter().map(text).filter(|text| !text.starts_with('{')).collect()
}

/// The first message is answered half.
async fn halted(release: Release, agent: &'static str, name: &str) -> Room {
    let mut room = Room::at(release, name, Place::agent(agent)).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room
}

/// Ours sends them, and all of them are stored before the first answer goes on.
async fn ours(release: Release, agent: &'static str, name: &str, stored: &[&str], end: &[&str]) {
    let mut room = halted(release, agent, name).await;
    for text in MEANWHILE {
        room.ours.link.send(text).await.unwrap();
    }
    room.until("all are stored", |list, _, _| said(list).starts_with(&stored.iter().map(ToString::to_string).collect::<Vec<_>>())).await;
    room.open("g").await;
    room.agree("the answers", |list| said(list) == end).await;
}

#[tokio::test]
async fn newest_messages_sent_meanwhile_are_answered_one_after_the_other() {
    let end = ["one", "two", "three", "Before after.", ANSWER, ANSWER, ANSWER];
    ours(Newest, "chat-agent", "queue", &MEANWHILE, &end).await;
}

#[tokio::test]
async fn newest_messages_sent_meanwhile_are_answered_by_the_other_class_one_after_the_other() {
    let end = ["one", "two", "three", "Before after.", ANSWER, ANSWER, ANSWER];
    ours(Newest, "think-agent", "think-queue", &MEANWHILE, &end).await;
}

#[tokio::test]
async fn newest_only_the_latest_of_the_messages_sent_meanwhile_is_answered() {
    ours(Newest, "latest-agent", "latest", &MEANWHILE, &["one", "two", "three", "Before after.", ANSWER]).await;
}

#[tokio::test]
async fn newest_only_the_last_before_a_pause_is_answered() {
    ours(Newest, "debounce-agent", "debounce", &MEANWHILE, &["one", "two", "three", "Before after.", ANSWER]).await;
}

#[tokio::test]
async fn newest_messages_sent_meanwhile_are_joined_and_answered_at_once() {
    let joined = "one\n\ntwo\n\nthree";
    ours(Newest, "merge-agent", "merge", &[joined], &[joined, "Before after.", ANSWER]).await;
}

/// Nothing of them is stored: they have failed, and one of them is sent again when the agent has time.
#[tokio::test]
async fn newest_messages_sent_meanwhile_are_not_taken() {
    let mut room = halted(Newest, "drop-agent", "drop").await;
    for text in MEANWHILE {
        room.ours.link.send(text).await.unwrap();
    }
    let failed = DeliveryState::Failed(DeliveryError::Skipped);
    room.ours.until(|ours| ours.status.deliveries.len() == 3 && ours.status.deliveries.iter().all(|known| known.state == failed)).await;
    room.open("g").await;
    room.until("the first is answered, and the others are not lost", |list, ours, _| {
        said(list) == ["Before after."] && said(&ours.values()) == ["Before after.", "one", "two", "three"] && !ours.status.turn.is_active()
    })
    .await;
    let ids: Vec<String> = room.ours.status.deliveries.iter().map(|known| known.message_id.clone()).collect();
    room.ours.link.discard(&*ids[0]).await.unwrap();
    room.ours.link.retry(&*ids[1]).await.unwrap();
    room.until("it is answered", |list, _, _| said(list) == ["Before after.", "two", ANSWER]).await;
    room.ours.link.discard(&*ids[2]).await.unwrap();
    room.agree("the rest is gone", |list| said(list) == ["Before after.", "two", ANSWER]).await;
}

/// Both send at once, in the middle of an answer. A client of the SDK that sends something while it hears the answer to somebody else shows that
/// answer twice.
async fn both(release: Release, agent: &'static str, name: &str, answers: usize) {
    let mut room = halted(release, agent, name).await;
    room.ours.link.send("ours").await.unwrap();
    room.theirs.tell("send", "theirs").await;
    room.until("both are stored", |list, _, _| ["ours", "theirs"].iter().all(|text| said(list).iter().any(|known| known.contains(text))))
        .await;
    room.open("g").await;
    room.settled("the answers", |list| said(list).iter().filter(|text| *text == ANSWER).count() == answers).await;
}

#[tokio::test]
async fn newest_both_clients_send_meanwhile() {
    both(Newest, "chat-agent", "both-queue", 2).await;
}

#[tokio::test]
async fn newest_both_clients_send_meanwhile_and_the_latest_is_answered() {
    both(Newest, "latest-agent", "both-latest", 1).await;
}

#[tokio::test]
async fn newest_both_clients_send_meanwhile_and_the_messages_are_joined() {
    both(Newest, "merge-agent", "both-merge", 1).await;
}

/// The old agents answer all at the same time.
#[tokio::test]
async fn old_messages_sent_meanwhile_are_answered_at_once() {
    let mut room = halted(Old, "chat-agent", "meanwhile").await;
    for text in MEANWHILE {
        room.ours.link.send(text).await.unwrap();
    }
    room.until("three answers", |list, _, _| said(list).iter().filter(|text| *text == ANSWER).count() == 3).await;
    room.open("g").await;
    room.agree("and the first", |list| said(list).iter().filter(|text| *text == "Before after.").count() == 1).await;
}
