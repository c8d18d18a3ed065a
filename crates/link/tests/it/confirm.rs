//! Calls that wait for a person at an agent of the oldest generation, on connections that do not last.

use std::time::Duration;

use callbox_link::Timing;
use callbox_protocol::ToolState;
use callbox_sandbox::{Endpoint, Generation};

use crate::world::{Watched, World, patient, soon};

/// An agent that does not say what it is, and links that do not wait long for it to do so.
async fn old_world() -> World {
    let world = World::new().await;
    world.control().set(|settings| settings.generation = Generation::Oldest);
    world
}

fn hasty() -> Timing {
    Timing { probe: Duration::from_millis(20), ..patient() }
}

async fn online(world: &World, conversation: &str) -> Watched {
    let mut watched = world.link_with(conversation, hasty()).await;
    watched.until_online().await;
    watched
}

async fn asks(watched: &mut Watched) -> String {
    watched.until("a question", |watched| watched.status.confirmations.len() == 1).await;
    watched.status.confirmations[0].clone()
}

async fn ask_for_weather(watched: &mut Watched) -> String {
    watched.link.send("weather in Paris").await.unwrap();
    let call = asks(watched).await;
    assert!(watched.call_is(&ToolState::InputAvailable));
    call
}

/// The answer to the decision is there, in a message of its own, and everybody has the agent's list.
async fn until_settled(world: &World, watched: &mut Watched, approved: bool) {
    let said = if approved { "**Paris**" } else { "did not look up the weather in Paris" };
    watched.until("the answer after it", |watched| watched.messages.len() == 3 && watched.texts()[2].contains(said)).await;
    watched.until_idle().await;
    watched.until("the agent's list", |watched| watched.messages == world.stored("c1")).await;
    let call = watched.messages[1].tools().next().unwrap();
    assert_eq!((call.confirmation(), watched.status.confirmations.len(), watched.status.error.clone()), (Some(approved), 0, None));
}

/// How often the agent was asked for a turn: once by the message, and once by the decision.
fn turns(world: &World) -> (u64, u64) {
    let id = world.stored("c1")[0].id.clone();
    (world.control().submits(&id), world.control().requests(Endpoint::Turn))
}

#[tokio::test]
async fn a_decision_is_acted_on_and_the_answer_goes_on_in_another_message() {
    for approved in [true, false] {
        let world = old_world().await;
        let mut watched = online(&world, "c1").await;
        let call = ask_for_weather(&mut watched).await;
        watched.link.decide(&call, approved).await.unwrap();
        until_settled(&world, &mut watched, approved).await;
        watched.link.decide(&call, !approved).await.unwrap();
        watched.until_idle().await;
        assert_eq!((turns(&world), world.control().decisions(&call)), ((2, 2), 0), "no frame that it does not know");
    }
}

#[tokio::test]
async fn a_question_is_still_there_after_a_reconnect_and_in_another_process() {
    let world = old_world().await;
    let mut watched = online(&world, "c1").await;
    let call = ask_for_weather(&mut watched).await;
    world.control().drop_sockets();
    watched.mend().await;
    assert_eq!(asks(&mut watched).await, call);
    watched.link.close().await;
    let mut later = online(&world, "c1").await;
    assert_eq!(asks(&mut later).await, call);
    later.link.decide(&call, true).await.unwrap();
    until_settled(&world, &mut later, true).await;
    assert_eq!(turns(&world), (2, 2));
}

#[tokio::test]
async fn a_decision_that_was_taken_without_a_network_is_sent_when_it_returns() {
    let world = old_world().await;
    let mut watched = online(&world, "c1").await;
    let call = ask_for_weather(&mut watched).await;
    world.sandbox.stop_agent().await;
    watched.until_offline().await;
    watched.link.decide(&call, true).await.unwrap();
    watched.until("kept", |watched| watched.status.decisions.len() == 1).await;
    world.sandbox.start_agent().await.unwrap();
    watched.link.reconnect().await.unwrap();
    until_settled(&world, &mut watched, true).await;
    assert_eq!(turns(&world), (2, 2));
}

#[tokio::test]
async fn a_decision_that_the_agent_got_before_the_drop_is_not_sent_again() {
    let world = old_world().await;
    let control = world.control();
    let mut watched = online(&world, "c1").await;
    let call = ask_for_weather(&mut watched).await;
    control.hold_after(0);
    watched.link.decide(&call, true).await.unwrap();
    soon("the agent has it", control.until_held()).await;
    control.drop_sockets();
    watched.mend().await;
    control.release();
    until_settled(&world, &mut watched, true).await;
    assert_eq!(turns(&world), (2, 2));
}

#[tokio::test]
async fn what_another_window_has_decided_stands() {
    let world = old_world().await;
    let mut here = online(&world, "c1").await;
    let mut elsewhere = online(&world, "c1").await;
    let call = ask_for_weather(&mut here).await;
    assert_eq!(asks(&mut elsewhere).await, call, "both are asked");
    // This one hears nothing of it until it looks.
    world.sandbox.control().hold_after(0);
    elsewhere.link.decide(&call, false).await.unwrap();
    soon("the agent has it", world.control().until_held()).await;
    here.link.decide(&call, true).await.unwrap();
    world.control().release();
    until_settled(&world, &mut here, false).await;
    until_settled(&world, &mut elsewhere, false).await;
    assert_eq!((turns(&world), here.messages), ((2, 2), elsewhere.messages));
}

#[tokio::test]
async fn an_agent_of_today_is_asked_in_no_such_way() {
    let world = World::new().await;
    // Not a hasty one: that an agent is slow to say what it is does not make it an old one.
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    assert!(watched.status.confirmations.is_empty() && !watched.status.unclear);
    watched.link.decide(&call, true).await.unwrap();
    watched.until_answered(2).await;
    assert_eq!((world.control().decisions(&call), turns(&world).0), (1, 1));
}
