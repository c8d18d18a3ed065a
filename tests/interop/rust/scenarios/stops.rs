//! Turns that are stopped, asked for again, or taken away.

use serde_json::{Value, json};

use super::{answered, halting, saying, text_of};
use crate::{
    place::Place,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

/// Each of the two stops an answer that is being written.
async fn cancel(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.ours.link.cancel().await.unwrap();
    room.agree_live("ours has stopped it", answered(2, "Before ")).await;
    room.theirs.tell("send", halting()).await;
    room.ours.until(|ours| ours.messages.len() == 4 && ours.messages[3].text().contains("Before")).await;
    room.theirs.tell("stop", json!(null)).await;
    room.agree("theirs has stopped it", answered(4, "Before ")).await;
    room.ours.link.send(saying("Go on.")).await.unwrap();
    room.agree("another answer", answered(6, "Go on.")).await;
}

#[tokio::test]
async fn newest_both_clients_stop_an_answer() {
    cancel(Newest, "cancel", Place::default()).await;
}

#[tokio::test]
async fn newest_both_clients_stop_an_answer_of_the_other_class() {
    cancel(Newest, "think-cancel", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_both_clients_stop_an_answer() {
    cancel(Old, "cancel", Place::default()).await;
}

/// The SDK's client clears the conversation, at rest and while an answer is written.
async fn clear(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(saying("One.")).await.unwrap();
    room.agree("an answer", answered(2, "One.")).await;
    room.theirs.tell("clear", json!(null)).await;
    room.agree("nothing is left", |stored| stored.is_empty()).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.theirs.tell("clear", json!(null)).await;
    // A client of the SDK may keep what comes late from the other class.
    room.settled("whatever is left", |stored| !super::answered(2, "Before ")(stored)).await;
    room.ours.link.send(saying("Two.")).await.unwrap();
    room.agree_live("another answer", |stored| text_of(stored).ends_with("Two.")).await;
}

#[tokio::test]
async fn newest_the_other_client_clears_the_conversation() {
    clear(Newest, "clear", Place::default()).await;
}

#[tokio::test]
async fn newest_the_other_client_clears_the_conversation_of_the_other_class() {
    clear(Newest, "think-clear", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_the_other_client_clears_the_conversation() {
    clear(Old, "clear", Place::default()).await;
}

/// The SDK's client asks for another answer, after one and in the middle of one.
async fn regenerate(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.theirs.tell("send", saying("Once more.")).await;
    let first = room.agree("an answer", answered(2, "Once more.")).await;
    room.theirs.tell("regenerate", json!(null)).await;
    let another = |stored: &[Value]| text_of(stored).ends_with("Once more.") && stored.last() != first.last();
    let second = room.agree_live("another in its place", another).await;
    assert_eq!(second[0], first[0], "the same question");
    room.theirs.tell("send", halting()).await;
    room.both_show("Before").await;
    room.theirs.tell("stop", json!(null)).await;
    room.theirs.tell("regenerate", json!(null)).await;
    room.theirs_sent("regenerate-message", 2).await;
    room.open("g").await;
    room.agree_live("an answer in the end", |stored| text_of(stored) == "Before after.").await;
}

#[tokio::test]
async fn newest_the_other_client_has_an_answer_written_anew() {
    regenerate(Newest, "regenerate", Place::default()).await;
}

#[tokio::test]
async fn newest_the_other_client_has_an_answer_of_the_other_class_written_anew() {
    regenerate(Newest, "think-regenerate", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_the_other_client_has_an_answer_written_anew() {
    regenerate(Old, "regenerate", Place::default()).await;
}
