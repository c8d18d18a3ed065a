//! What our client takes back: an answer again, a message in other words, everything away.

use std::time::Duration;

use callbox_link::{CommandError, Link};
use serde_json::Value;

use super::{answered, halting, saying};
use crate::{
    place::Place,
    room::Room,
    sdk::Release::{self, Newest, Old},
};

fn id_of(message: &Value) -> &str {
    message["id"].as_str().unwrap()
}

/// Has something taken back at an old agent. Whether that runs anything is known only when it has left the question unanswered for some
/// seconds; until then nothing is taken back.
async fn when_known(room: &mut Room, change: impl AsyncFn(&Link) -> Result<(), CommandError>) {
    let asked = async {
        while let Err(refused) = change(&room.ours.link).await {
            assert_eq!(refused, CommandError::Busy);
            room.until("the agent is asked what it has", |_, _, _| true).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await.unwrap();
}

/// The last answer, and then the first with everything behind it gone.
async fn regenerate(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(saying("One.")).await.unwrap();
    let first = room.agree("an answer", answered(2, "One.")).await;
    room.ours.link.regenerate(None).await.unwrap();
    let again = |stored: &[Value]| answered(2, "One.")(stored) && stored.last() != first.last();
    let first = room.agree_live("another in its place", again).await;
    room.theirs.tell("send", saying("Two.")).await;
    room.agree_live("theirs is answered", answered(4, "Two.")).await;
    room.ours.link.regenerate(Some(id_of(&first[1]).to_owned())).await.unwrap();
    let again = |stored: &[Value]| answered(2, "One.")(stored) && stored.last() != first.last();
    room.agree_live("one in the place of all that came after it", again).await;
}

#[tokio::test]
async fn newest_our_client_has_answers_written_anew() {
    regenerate(Newest, "our-regenerate", Place::default()).await;
}

#[tokio::test]
async fn newest_our_client_has_answers_of_the_other_class_written_anew() {
    regenerate(Newest, "think-our-regenerate", Place::agent("think-agent")).await;
}

/// The old agents delete nothing: what was to go stays, for everybody.
#[tokio::test]
async fn old_our_client_asks_again_and_has_both_answers() {
    let mut room = Room::new(Old, "our-regenerate").await;
    room.ours.link.send(saying("One.")).await.unwrap();
    room.agree("an answer", answered(2, "One.")).await;
    when_known(&mut room, async |link| link.regenerate(None).await).await;
    room.agree("another behind it", answered(3, "One.")).await;
}

/// A message in other words.
async fn edit(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(saying("One.")).await.unwrap();
    let stored = room.agree("an answer", answered(2, "One.")).await;
    room.ours.link.send(saying("Two.")).await.unwrap();
    room.agree("another", answered(4, "Two.")).await;
    room.ours.link.edit(id_of(&stored[0]), saying("Other words.")).await.unwrap();
    room.agree_live("the answer to it", answered(2, "Other words.")).await;
}

#[tokio::test]
async fn newest_our_client_says_it_in_other_words() {
    edit(Newest, "our-edit", Place::default()).await;
}

#[tokio::test]
async fn newest_our_client_says_it_to_the_other_class_in_other_words() {
    edit(Newest, "think-our-edit", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_our_client_says_it_in_other_words_and_the_rest_stays() {
    let mut room = Room::new(Old, "our-edit").await;
    room.ours.link.send(saying("One.")).await.unwrap();
    let stored = room.agree("an answer", answered(2, "One.")).await;
    when_known(&mut room, async |link| link.edit(id_of(&stored[0]), saying("Other words.")).await).await;
    let stored = room.agree("another behind it", answered(3, "Other words.")).await;
    assert!(super::text(&stored[0]).contains("Other words."));
}

/// Not while something goes on; then everybody sees nothing.
async fn clear(release: Release, name: &str, place: Place) {
    let mut room = Room::at(release, name, place).await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    assert_eq!(room.ours.link.clear().await, Err(CommandError::Busy));
    room.open("g").await;
    room.agree("an answer", answered(2, "after.")).await;
    when_known(&mut room, async |link| link.clear().await).await;
    room.agree("nothing is left", |stored| stored.is_empty()).await;
    room.theirs.tell("send", saying("Two.")).await;
    room.agree("theirs is answered", answered(2, "Two.")).await;
}

#[tokio::test]
async fn newest_our_client_clears_the_conversation() {
    clear(Newest, "our-clear", Place::default()).await;
}

#[tokio::test]
async fn newest_our_client_clears_the_conversation_of_the_other_class() {
    clear(Newest, "think-our-clear", Place::agent("think-agent")).await;
}

#[tokio::test]
async fn old_our_client_clears_the_conversation() {
    clear(Old, "our-clear", Place::default()).await;
}

/// The SDK's client wants the answer again that ours is being given. The agent deletes what it has stored, which that is not yet: both stay.
#[tokio::test]
async fn newest_the_other_client_wants_an_answer_again_while_it_is_written() {
    let mut room = Room::new(Newest, "regenerate-meanwhile").await;
    room.ours.link.send(halting()).await.unwrap();
    room.both_show("Before").await;
    room.theirs.tell("regenerate", Value::Null).await;
    room.theirs_sent("regenerate-message", 1).await;
    room.open("g").await;
    room.until("the first is complete", |stored, _, _| answered(2, "Before after.")(stored)).await;
    room.open("g").await;
    room.agree_live("the second, too", answered(3, "Before after.")).await;
}
