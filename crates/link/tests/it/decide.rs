//! Tool calls that wait for a person, on connections that do not last.

use callbox_link::CommandError;
use callbox_protocol::ToolState;
use callbox_sandbox::Endpoint;

use crate::world::{HALF_OPEN, Watched, World, elapse, soon};

/// The answer after the decision is here.
async fn until_settled(watched: &mut Watched, state: ToolState) {
    watched.until("settled", |watched| watched.call_is(&state) && watched.texts().last().unwrap().contains("Paris")).await;
    watched.until_idle().await;
}

#[tokio::test]
async fn an_approved_call_runs_and_the_answer_goes_on_in_the_same_message() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    watched.link.decide(&call, true).await.unwrap();
    until_settled(&mut watched, ToolState::OutputAvailable).await;
    assert_eq!((watched.messages.len(), world.control().decisions(&call)), (2, 1));
    assert_eq!(watched.messages, world.stored("c1"));
    assert_eq!(watched.status.error, None);
}

#[tokio::test]
async fn a_denied_call_does_not_run_and_the_agent_is_told() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    watched.link.decide(&call, false).await.unwrap();
    until_settled(&mut watched, ToolState::OutputDenied).await;
    assert!(watched.texts()[1].contains("did not look up"), "{:?}", watched.texts());
    assert_eq!(world.control().decisions(&call), 1);
    // The first decision stands, and there is no fuss about a second one.
    watched.link.decide(&call, true).await.unwrap();
    assert_eq!((watched.call().unwrap().1, world.control().decisions(&call)), (ToolState::OutputDenied, 1));
    assert_eq!(watched.link.decide("no-such-call", true).await, Err(CommandError::NoSuchCall));
}

#[tokio::test]
async fn a_question_is_still_there_after_a_reconnect_and_can_be_answered() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    world.control().drop_sockets();
    watched.mend().await;
    assert!(watched.call_is(&ToolState::ApprovalRequested));
    watched.link.decide(&call, true).await.unwrap();
    until_settled(&mut watched, ToolState::OutputAvailable).await;

    let mut another = world.online("c2").await;
    let call = another.ask_for_weather().await;
    another.link.close().await;
    let mut later = world.online("c2").await;
    assert_eq!(later.call(), Some((call.clone(), ToolState::ApprovalRequested)));
    later.link.decide(&call, false).await.unwrap();
    until_settled(&mut later, ToolState::OutputDenied).await;
}

#[tokio::test]
async fn a_decision_that_was_lost_with_its_socket_is_sent_on_the_next_one() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    control.stall_sockets();
    soon("silence", control.until(|| control.stalled_sockets() == 1)).await;
    watched.link.decide(&call, true).await.unwrap();
    watched.until("kept", |watched| watched.status.decisions.len() == 1).await;
    assert_eq!(control.decisions(&call), 0);
    elapse(HALF_OPEN).await;
    watched.mend().await;
    until_settled(&mut watched, ToolState::OutputAvailable).await;
    assert_eq!((control.decisions(&call), control.requests(Endpoint::Turn)), (1, 2));
}

#[tokio::test]
async fn a_decision_that_was_taken_without_a_network_is_sent_when_it_returns() {
    let world = World::new().await;
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    let call = watched.ask_for_weather().await;
    world.sandbox.stop_agent().await;
    watched.until_offline().await;
    watched.link.decide(&call, true).await.unwrap();
    watched.until("kept", |watched| watched.status.decisions.len() == 1).await;
    world.sandbox.start_agent().await.unwrap();
    watched.link.reconnect().await.unwrap();
    until_settled(&mut watched, ToolState::OutputAvailable).await;
    assert_eq!(world.control().decisions(&call), 1);
}

#[tokio::test]
async fn a_decision_that_the_agent_got_before_the_drop_is_not_sent_again() {
    let world = World::new().await;
    let control = world.control();
    let mut watched = world.online("c1").await;
    let call = watched.ask_for_weather().await;
    control.hold_after(0);
    watched.link.decide(&call, true).await.unwrap();
    soon("the agent has it", control.until(|| control.decisions(&call) == 1)).await;
    soon("the answer goes on", control.until_held()).await;
    control.drop_sockets();
    watched.mend().await;
    control.release();
    until_settled(&mut watched, ToolState::OutputAvailable).await;
    assert_eq!((control.decisions(&call), control.requests(Endpoint::Turn)), (1, 2));
    assert_eq!(watched.texts(), world.stored("c1").iter().map(callbox_protocol::UiMessage::text).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_decision_that_was_taken_elsewhere_meanwhile_is_dropped_quietly() {
    let world = World::new().await;
    let mut here = world.link("c1").await;
    here.until_online().await;
    let call = here.ask_for_weather().await;
    let control = world.control();
    control.drop_sockets();
    here.until_offline().await;
    let mut elsewhere = world.online("c1").await;
    elsewhere.link.decide(&call, false).await.unwrap();
    until_settled(&mut elsewhere, ToolState::OutputDenied).await;

    here.link.decide(&call, true).await.unwrap();
    here.link.reconnect().await.unwrap();
    until_settled(&mut here, ToolState::OutputDenied).await;
    assert_eq!((here.status.error.clone(), control.decisions(&call)), (None, 1));
    assert_eq!(here.texts(), elsewhere.texts());
}

#[tokio::test]
async fn both_links_see_a_decision_and_what_comes_of_it() {
    let world = World::new().await;
    let mut one = world.online("c1").await;
    let mut two = world.online("c1").await;
    let call = one.ask_for_weather().await;
    two.until("the question", |watched| watched.call_is(&ToolState::ApprovalRequested)).await;
    two.link.decide(&call, true).await.unwrap();
    until_settled(&mut two, ToolState::OutputAvailable).await;
    until_settled(&mut one, ToolState::OutputAvailable).await;
    assert_eq!((&one.messages, &two.messages), (&world.stored("c1"), &world.stored("c1")));
}

#[tokio::test]
async fn with_two_calls_the_answer_goes_on_after_the_second_decision() {
    let world = World::new().await;
    let mut watched = world.online("c1").await;
    watched.link.send("weather in Oslo and Rome").await.unwrap();
    let calls = |watched: &Watched| -> Vec<(String, ToolState)> {
        let tools = watched.messages.iter().flat_map(callbox_protocol::UiMessage::tools);
        tools.map(|tool| (tool.tool_call_id.clone(), tool.state.clone())).collect()
    };
    let both_wait = |watched: &Watched| calls(watched).iter().filter(|(_, state)| *state == ToolState::ApprovalRequested).count() == 2;
    watched.until("two questions", both_wait).await;
    watched.until_idle().await;
    let ids: Vec<String> = calls(&watched).into_iter().map(|(id, _)| id).collect();
    watched.link.decide(&ids[1], true).await.unwrap();
    watched.until("confirmed", |watched| calls(watched)[1].1 == ToolState::ApprovalResponded && watched.status.decisions.is_empty()).await;
    assert_eq!(world.control().requests(Endpoint::Turn), 1);
    watched.link.decide(&ids[0], false).await.unwrap();
    watched.until("both settled", |watched| calls(watched).iter().all(|(_, state)| state.is_terminal())).await;
    watched.until_idle().await;
    assert_eq!((world.control().requests(Endpoint::Turn), watched.messages.len()), (2, 2));
    let texts = watched.texts();
    assert!(texts[1].contains("Rome") && texts[1].contains("Oslo"), "{texts:?}");
}
