//! What takes a part of the conversation back, at an agent that deletes as the real one does.

use callbox_link::CommandError;
use callbox_protocol::{Turn, UiMessage};
use callbox_sandbox::Endpoint;

use crate::world::{HALF_OPEN, Watched, World, counted, elapse, soon};

fn content(messages: &[UiMessage]) -> Vec<(String, String)> {
    messages.iter().map(|message| (message.id.clone(), message.text())).collect()
}

/// A link whose conversation has two questions and their answers.
async fn talked(world: &World) -> Watched {
    let mut watched = world.online("c1").await;
    for (n, text) in ["stream 3", "stream 5"].into_iter().enumerate() {
        watched.link.send(text).await.unwrap();
        watched.until_answered(2 * n + 2).await;
    }
    watched
}

#[tokio::test]
async fn an_answer_is_written_again_in_the_place_of_the_old_one() {
    let world = World::new().await;
    let mut watched = talked(&world).await;
    let mut other = world.online("c1").await;
    let before = content(&watched.messages);
    watched.link.regenerate(None).await.unwrap();
    watched.until_idle().await;
    let after = content(&watched.messages);
    assert_eq!((&after[..3], after.len()), (&before[..3], 4));
    assert_eq!((after[3].1.as_str(), after[3].0 == before[3].0), (counted(5).as_str(), false), "the same words in a new message");
    assert_eq!(after, content(&world.stored("c1")));
    other.until("the other window has it", |other| content(&other.messages) == after).await;
}

#[tokio::test]
async fn a_message_in_other_words_is_answered_and_what_came_after_it_is_gone_everywhere() {
    let world = World::new().await;
    let mut watched = talked(&world).await;
    let mut other = world.online("c1").await;
    let id = watched.messages[0].id.clone();
    watched.link.edit(&id, "stream 7").await.unwrap();
    watched.until_idle().await;
    assert_eq!(watched.texts(), ["stream 7".to_owned(), counted(7)]);
    assert_eq!((watched.messages[0].id == id, content(&watched.messages)), (true, content(&world.stored("c1"))));
    other.until("the other window has it", |other| other.texts() == ["stream 7".to_owned(), counted(7)]).await;
}

#[tokio::test]
async fn an_emptied_conversation_is_empty_for_everybody_and_can_be_used_again() {
    let world = World::new().await;
    let mut watched = talked(&world).await;
    let mut other = world.online("c1").await;
    watched.link.clear().await.unwrap();
    assert_eq!(world.stored("c1"), []);
    watched.until("empty", |watched| watched.messages.is_empty()).await;
    other.until("empty there, too", |other| other.messages.is_empty()).await;
    watched.link.send("stream 2").await.unwrap();
    watched.until_answered(2).await;
    other.until_answered(2).await;
    assert_eq!(other.texts(), ["stream 2".to_owned(), counted(2)]);
}

#[tokio::test]
async fn a_change_survives_the_loss_of_the_socket_before_and_after_it_has_arrived() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = talked(&world).await;
    // After: the new answer is being written.
    control.hold_after(2);
    let link = watched.link.clone();
    let change = tokio::spawn(async move { link.regenerate(None).await });
    soon("in the middle", control.until_held()).await;
    control.drop_sockets();
    watched.mend().await;
    control.release();
    soon("taken", change).await.unwrap().unwrap();
    watched.until_idle().await;
    assert_eq!(
        (watched.texts(), content(&watched.messages)),
        (vec!["stream 3".to_owned(), counted(3), "stream 5".to_owned(), counted(5)], content(&world.stored("c1")),)
    );
    let turns = control.requests(Endpoint::Turn);
    // Before: the agent reads nothing of what is on this socket.
    control.stall_sockets();
    soon("silence", control.until(|| control.stalled_sockets() == 1)).await;
    let link = watched.link.clone();
    let change = tokio::spawn(async move { link.edit(link_first(&link).await, "stream 9").await });
    watched.until("shown", |watched| watched.texts() == ["stream 9"]).await;
    assert_eq!(watched.link.clear().await, Err(CommandError::Busy), "one thing at a time");
    elapse(HALF_OPEN).await;
    watched.mend().await;
    soon("taken", change).await.unwrap().unwrap();
    watched.until_idle().await;
    assert_eq!(watched.texts(), ["stream 9".to_owned(), counted(9)]);
    assert_eq!(control.requests(Endpoint::Turn), turns + 1, "asked once");
    assert!(!matches!(watched.status.turn, Turn::Streaming { .. }));
}

/// The id of the first message.
async fn link_first(link: &callbox_link::Link) -> String {
    link.subscribe().await.unwrap().snapshot.messages[0].id.clone()
}
