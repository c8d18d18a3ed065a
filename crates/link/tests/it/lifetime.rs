//! Sockets that go down, fall silent, or are closed.

use std::time::Duration;

use callbox_link::{CommandError, LinkError, LinkState};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::json;

use crate::world::{ADA, GRACE, HALF_OPEN, Watched, World, elapse, quick, sign_in, soon};

fn offline(why: LinkError) -> impl Fn(&Watched) -> bool {
    move |watched| matches!(&watched.status.link, LinkState::Offline { why: told, .. } if *told == why)
}

#[tokio::test]
async fn a_socket_that_goes_down_is_replaced_by_itself() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.link_with("c1", quick()).await;
    watched.until_online().await;
    control.drop_sockets();
    soon("another socket", control.until(|| control.handshakes().0 == 2)).await;
    control.until_open_sockets(1).await;
    control.close_sockets(1011, "Unexpected error");
    soon("another socket", control.until(|| control.handshakes().0 == 3)).await;
    control.until_open_sockets(1).await;
    control.close_sockets(1001, "Durable Object destroyed");
    soon("another socket", control.until(|| control.handshakes().0 == 4)).await;
    watched.link.send("thank you").await.unwrap();
    watched.until_answered(2).await;
}

#[tokio::test]
async fn the_reason_is_told_while_the_link_waits() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    control.drop_sockets();
    watched.until("broken", offline(LinkError::Broken)).await;
    watched.mend().await;
    control.close_sockets(1011, "Unexpected error");
    watched.until("closed", offline(LinkError::Closed { code: 1011, reason: "Unexpected error".to_owned() })).await;
    control.once(Endpoint::Socket, Fault::SetupError);
    watched.link.reconnect().await.unwrap();
    let setup = LinkError::Closed { code: 1011, reason: "Uncaught exception during session setup".to_owned() };
    watched.until("an agent that fails while it connects", offline(setup)).await;
    watched.mend().await;
}

#[tokio::test]
async fn close_1008_is_met_with_a_fresh_token_then_with_pauses_and_believed_in_the_end() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.link_with("c1", quick()).await;
    watched.until_online().await;
    control.close_sockets(1008, "Unauthorized");
    soon("another socket", control.until(|| control.handshakes().0 == 2)).await;
    watched.until_idle().await;
    assert_eq!(control.presented().len(), 1, "with a fresh token");
    for socket in 3..6 {
        control.close_sockets(1008, "This chat is not yours.");
        soon("another socket", control.until(|| control.handshakes().0 == socket)).await;
        watched.until_idle().await;
    }
    control.close_sockets(1008, "This chat is not yours.");
    let refused = LinkState::Refused(LinkError::Closed { code: 1008, reason: "This chat is not yours.".to_owned() });
    watched.until("refused", |watched| watched.status.link == refused).await;
    assert_eq!((control.presented().len(), control.handshakes()), (1, (5, 0)), "one token, no loop, and nobody is signed out");
}

#[tokio::test]
async fn the_applications_own_codes_are_final() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().close_sockets(4001, "session replaced");
    let refused = LinkState::Refused(LinkError::Closed { code: 4001, reason: "session replaced".to_owned() });
    watched.until("refused", |watched| watched.status.link == refused).await;
    elapse(Duration::from_secs(3600)).await;
    assert_eq!(world.control().requests(Endpoint::Socket), 1);
}

#[tokio::test]
async fn a_socket_that_is_only_half_open_is_noticed_and_replaced() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().stall_sockets();
    soon("silence", world.control().until(|| world.control().stalled_sockets() == 1)).await;
    elapse(HALF_OPEN).await;
    watched.until("silent", offline(LinkError::Silent)).await;
    watched.mend().await;
    assert_eq!(world.control().handshakes().0, 2);
}

#[tokio::test]
async fn after_a_sleep_a_dead_socket_is_replaced_at_once_and_a_live_one_stays() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    watched.link.wake().await.unwrap();
    // The pong comes before the answer.
    watched.link.send("thank you").await.unwrap();
    watched.until_answered(2).await;
    elapse(Duration::from_secs(6)).await;
    watched.link.send("thank you").await.unwrap();
    watched.until_answered(4).await;
    assert_eq!((control.handshakes().0, control.presented().len()), (1, 0), "the same socket, the same token");

    control.stall_sockets();
    soon("silence", control.until(|| control.stalled_sockets() == 1)).await;
    watched.link.wake().await.unwrap();
    elapse(Duration::from_secs(6)).await;
    // Pauses are an hour here: there was none.
    soon("another socket", control.until(|| control.handshakes().0 == 2)).await;
    watched.until_online().await;
    watched.link.send("thank you").await.unwrap();
    watched.until_answered(6).await;
}

#[tokio::test]
async fn waking_up_ends_a_pause() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.control().drop_sockets();
    watched.until_offline().await;
    watched.link.wake().await.unwrap();
    watched.until_online().await;
    assert_eq!(world.control().handshakes().0, 2);
}

#[tokio::test]
async fn a_socket_on_which_nothing_is_said_stays_open() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    for _ in 0..20 {
        elapse(Duration::from_secs(20)).await;
        // The pong has to travel; a question on the same socket is answered after it.
        watched.link.send("thank you").await.unwrap();
        watched.until_idle().await;
    }
    assert_eq!(world.control().handshakes().0, 1, "400 seconds on one socket");
}

#[tokio::test]
async fn reconnect_does_not_wait() {
    let world = World::new().await;
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    world.sandbox.stop_agent().await;
    watched.until_offline().await;
    watched.link.reconnect().await.unwrap();
    watched.until("nobody listens", offline(LinkError::Unreachable)).await;
    world.sandbox.start_agent().await.unwrap();
    watched.link.reconnect().await.unwrap();
    watched.until_online().await;
}

#[tokio::test]
async fn signing_out_closes_the_socket_and_signing_in_opens_it() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    world.session.sign_out().await;
    watched.until("sign-in needed", |watched| watched.status.link == LinkState::SignInNeeded { why: None }).await;
    soon("no socket", world.control().until_open_sockets(0)).await;
    sign_in(&world.session, ADA).await;
    watched.until_online().await;

    // Somebody else gets nothing of it.
    world.session.sign_out().await;
    watched.until("sign-in needed", |watched| watched.status.link == LinkState::SignInNeeded { why: None }).await;
    sign_in(&world.session, GRACE).await;
    watched.until("closed", |watched| watched.status.link == LinkState::Closed).await;
    assert_eq!(world.control().handshakes(), (2, 0), "not even a try");
}

#[tokio::test]
async fn closing_closes_the_socket_and_ends_everything() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let clone = watched.link.clone();
    watched.link.close().await;
    soon("no socket", world.control().until_open_sockets(0)).await;
    while watched.next().await {}
    assert_eq!(watched.status.link, LinkState::Closed);
    assert_eq!(clone.send("hello").await, Err(CommandError::Closed));
    assert_eq!(clone.decide("call", true).await, Err(CommandError::Closed));
    assert!(clone.subscribe().await.is_err());
    clone.close().await;
}

#[tokio::test]
async fn dropping_the_last_handle_closes_the_socket() {
    let world = World::new().await;
    let watched = world.online("c1").await;
    drop(watched);
    soon("no socket", world.control().until_open_sockets(0)).await;
}

#[tokio::test]
async fn before_its_token_ends_a_socket_is_replaced_and_a_running_answer_goes_on() {
    let world = World::new().await;
    let control = world.control();
    // Tokens from now on are good for two minutes, and the first one is refused.
    control.set(|settings| settings.access_token_ttl = Duration::from_secs(120));
    control.once(Endpoint::Socket, Fault::status(401));
    let mut watched = world.link_with("c1", quick()).await;
    watched.until_online().await;
    control.hold_after(20);
    watched.link.send("stream 60").await.unwrap();
    soon("the middle of an answer", control.until_held()).await;
    for _ in 0..22 {
        elapse(Duration::from_secs(5)).await;
        // What the link asks now and then has to travel, and so have the answers: the second word comes behind them.
        for word in ["one", "other"] {
            let servers = json!({"type": "cf_agent_mcp_servers", "mcp": {"servers": {"s": {"name": word, "state": "ready"}}}});
            control.inject("c1", &servers.to_string());
            watched.until(word, |watched| watched.status.tool_servers.first().is_some_and(|server| server.name == word)).await;
        }
        assert_eq!(control.handshakes().0, 1, "the answer is waited for");
    }
    soon("the newer token", control.until(|| control.presented().len() == 2)).await;
    elapse(Duration::from_secs(6)).await;
    soon("another socket", control.until(|| control.handshakes().0 == 2)).await;
    control.release();
    watched.until_answered(2).await;
    assert_eq!(watched.texts()[1].trim(), crate::world::counted(60).trim());
    assert_eq!(world.stored("c1"), watched.messages);
    assert_eq!(control.requests(Endpoint::Turn), 1, "it was asked once");
}
