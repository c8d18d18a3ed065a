//! Other agents at work for a call, and servers of tools.

use callbox_link::RunPhase;
use callbox_protocol::{AgentToolRuns, RunState, ServerFrame, ToolServerState};
use serde_json::{Value, json};

use super::{answered, call_of, script};
use crate::{room::Room, sdk::Release::Newest};

/// A call for which another agent says this.
fn delegating(pieces: &Value) -> String {
    script(&json!([[{"call": "delegate", "input": {"steps": [pieces]}}], [{"text": ["It is done."]}]]))
}

/// What the frames that our client has heard come to.
fn folded(room: &Room) -> AgentToolRuns {
    let mut runs = AgentToolRuns::default();
    for frame in room.proxy.heard_by_ours("agent-tool-event") {
        let ServerFrame::AgentToolEvent(event) = ServerFrame::from_value(frame) else { panic!("an event") };
        runs.apply(&event);
    }
    runs
}

#[tokio::test]
async fn newest_what_another_agent_does_for_a_call_is_followed_through_a_drop_and_is_what_the_sdk_makes_of_it() {
    let mut room = Room::new(Newest, "agent-tool").await;
    let pieces = json!([{"reasoning": ["Hm."]}, {"text": ["One ", "two"]}, {"gate": "g"}, {"text": ["Three."]}]);
    room.ours.link.send(delegating(&pieces)).await.unwrap();
    room.until("both follow it", |_, ours, theirs| {
        let ours = ours.status.agent_tools.first().and_then(|run| run.line.as_deref());
        ours == Some("One two") && theirs.runs.first().is_some_and(|run| run["parts"].to_string().contains("One two"))
    })
    .await;
    let run = room.ours.status.agent_tools[0].clone();
    assert_eq!((run.name.as_str(), run.phase), ("HelperAgent", RunPhase::Running));

    room.drop_ours().await;
    room.until("it is the same after a drop", |_, ours, _| ours.status.agent_tools.first() == Some(&run)).await;
    let helper = format!("sub/helper-agent/{}", run.run_id.replace(':', "%3A"));
    assert_eq!(room.ask(&format!("{helper}/open?gate=g")).await, "ok");
    let stored = room.agree("the whole answer", answered(2, "It is done.")).await;
    assert_eq!(call_of(&stored)["toolCallId"], json!(run.tool_call_id));
    room.until("it has done its work", |_, ours, theirs| {
        ours.status.agent_tools.is_empty() && theirs.runs.first().is_some_and(|run| run["status"] == "completed")
    })
    .await;

    let (runs, theirs) = (folded(&room), room.theirs.show().await.runs);
    let ours: Vec<_> = runs.of(&run.tool_call_id).collect();
    assert_eq!((ours.len(), theirs.len()), (1, 1));
    assert_eq!(json!(ours[0].parts()), theirs[0]["parts"]);
    assert_eq!(ours[0].state, RunState::Completed { summary: theirs[0]["summary"].as_str().unwrap().to_owned() });
    assert_eq!((json!(ours[0].agent_type), json!(ours[0].order)), (theirs[0]["agentType"].clone(), theirs[0]["order"].clone()));
}

#[tokio::test]
async fn newest_another_agent_that_breaks_says_why_at_its_call() {
    let mut room = Room::new(Newest, "agent-tool-fails").await;
    room.ours.link.send(delegating(&json!([{"text": ["So far."]}, {"fail": "The model is broken."}]))).await.unwrap();
    room.agree("the turn goes on", answered(2, "It is done.")).await;
    room.until("it has failed for both", |_, ours, theirs| {
        let failed = ours.status.agent_tools.first().is_some_and(|run| run.phase == RunPhase::Failed);
        failed && theirs.runs.first().is_some_and(|run| run["status"] == "error")
    })
    .await;
    let theirs = room.theirs.show().await.runs;
    assert_eq!(json!(room.ours.status.agent_tools[0].line), theirs[0]["error"]);
}

#[tokio::test]
async fn newest_the_servers_of_tools_are_known_with_their_state_and_their_tools() {
    let mut room = Room::new(Newest, "tool-servers").await;
    assert!(room.ours.status.tool_servers.is_empty());
    room.ask("tools").await;
    room.until("it is ready", |_, ours, _| ours.status.tool_servers.iter().any(|server| server.state == ToolServerState::Ready)).await;
    let server = &room.ours.status.tool_servers[0];
    assert_eq!((server.name.as_str(), &server.tools[..]), ("weather", &["forecast".to_owned()][..]));
}
