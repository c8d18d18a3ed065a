//! Sockets and agents that go away.

use std::time::Duration;

use serde_json::json;

use super::{answered, call_of, calls, calls::asking, halting, saying, script};
use crate::{
    place::Place,
    proxy::Side,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

/// The process is killed while it answers, and started on the same storage.
async fn killed(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.kill_agent().await;
    room.open("g").await;
    room.settled("whatever survived", |stored| !stored.is_empty()).await;
    room.ours.link.send(saying("Well again.")).await.unwrap();
    room.agree_live("the next answer", |stored| super::text_of(stored).ends_with("Well again.")).await;
}

#[tokio::test]
async fn newest_the_agent_is_killed_in_mid_stream() {
    killed(Newest, "killed", Place::default()).await;
}

#[tokio::test]
async fn newest_the_agent_of_the_other_class_is_killed_in_mid_stream() {
    killed(Newest, "think-killed", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_the_agent_is_killed_in_mid_stream() {
    // It takes no questions: it has lost the turn when it has been silent for long.
    killed(Old, "killed", Place::default().impatient(Duration::from_millis(100))).await;
}

/// The runtime puts an object to sleep that has had nothing to do for this long. It can be told neither to do so nor to do so sooner.
const DROWSY: Duration = Duration::from_secs(10);

/// The object sleeps while a question stands, with all sockets open. The decision wakes it, and nobody has to connect anew.
async fn sleeps(name: &str, place: Place) {
    let mut room = Room::at(Newest, name, place).await;
    room.ours.link.send(asking()).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    let (life, sockets) = (room.ask("life").await, room.proxy.sockets());
    // Nobody can ask whether it sleeps: that would wake it. So much longer that a busy machine has put it to sleep, too.
    tokio::time::sleep(DROWSY + Duration::from_secs(5)).await;
    room.ours.link.decide(call_of(&stored)["toolCallId"].as_str().unwrap(), true).await.unwrap();
    room.settled("the answer after it", |stored| super::text_of(stored).ends_with("Done so.")).await;
    assert_ne!(room.ask("life").await, life, "it has slept");
    assert_eq!(room.proxy.sockets(), sockets, "over which the sockets stayed open");
    room.theirs.tell("send", saying("Three.")).await;
    room.settled("theirs is answered", |stored| super::text_of(stored).ends_with("Three.")).await;
}

#[tokio::test]
async fn newest_the_agent_sleeps_and_is_woken_by_a_decision() {
    sleeps("hibernation", Place::default()).await;
}

#[tokio::test]
async fn newest_the_agent_of_the_other_class_sleeps_and_is_woken_by_a_decision() {
    sleeps("think-hibernation", Place::agent("think-agent")).await;
}

/// The object is dropped from memory and its sockets are closed, as when it is deployed anew: nothing of it is left but its storage.
async fn forgets(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(saying("One.")).await.unwrap();
    room.agree("an answer", answered(2, "One.")).await;
    let sockets = room.proxy.sockets();
    room.ask("abort").await;
    room.opened(sockets + 2).await;
    room.ours.link.send(saying("Two.")).await.unwrap();
    room.agree_live("another", answered(4, "Two.")).await;
    room.theirs.tell("send", saying("Three.")).await;
    room.agree_live("theirs is answered", answered(6, "Three.")).await;
}

#[tokio::test]
async fn newest_the_agent_forgets_everything_but_its_storage() {
    forgets(Newest, "abort", Place::default()).await;
}

#[tokio::test]
async fn newest_the_agent_of_the_other_class_forgets_everything_but_its_storage() {
    forgets(Newest, "think-abort", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_the_agent_forgets_everything_but_its_storage() {
    forgets(Old, "abort", Place::default()).await;
}

/// Our socket drops while the model speaks. The newest agents go on where it stopped; of the old ones the whole answer is loaded.
async fn dropped(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.drop_ours().await;
    room.open("g").await;
    room.agree_live("the whole answer", answered(2, "Before after.")).await;
}

#[tokio::test]
async fn newest_a_socket_drops_in_mid_stream() {
    dropped(Newest, "dropped", Place::default()).await;
}

#[tokio::test]
async fn newest_a_socket_to_the_other_class_drops_in_mid_stream() {
    dropped(Newest, "think-dropped", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_a_socket_drops_in_mid_stream() {
    dropped(Old, "dropped", Place::default()).await;
}

/// What a decision has set off is resumed, as any answer is.
#[tokio::test]
async fn newest_a_socket_drops_while_the_agent_goes_on_after_a_decision() {
    let mut room = Room::new(Newest, "dropped-continuation").await;
    let answer = json!([{"text": ["Before "]}, {"gate": "g"}, {"text": ["after."]}]);
    room.ours.link.send(script(&json!([[{"call": "ask"}], answer]))).await.unwrap();
    let stored = room.agree("a question", calls("approval-requested")).await;
    room.ours.link.decide(call_of(&stored)["toolCallId"].as_str().unwrap(), true).await.unwrap();
    room.both_show("Before").await;
    room.drop_ours().await;
    room.open("g").await;
    room.agree_live("the whole answer", answered(2, "Before after.")).await;
}

/// The SDK's client comes back, too.
#[tokio::test]
async fn newest_the_socket_of_the_other_client_drops_in_mid_stream() {
    let mut room = Room::new(Newest, "their-drop").await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.proxy.cut(Side::Theirs);
    room.theirs_sent("cf_agent_stream_resume_ack", 1).await;
    room.open("g").await;
    room.agree_live("the whole answer", answered(2, "Before after.")).await;
}
