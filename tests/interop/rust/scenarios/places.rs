//! Agents that work for the agent, of the same Worker and servers of tools; and addresses that name no conversation.

use serde_json::json;

use super::{answered, script};
use crate::{place::Place, room::Room, sdk::Release::Newest};

/// The model's call is done by another agent, of which all clients hear while it goes on.
#[tokio::test]
async fn newest_a_call_is_done_by_an_agent_inside_the_agent() {
    let mut room = Room::new(Newest, "delegate").await;
    let errand = json!({"steps": [[{"text": ["The helper ", "was here."]}]]});
    room.ours.link.send(script(&json!([[{"call": "delegate", "input": errand}], [{"text": ["Done by another."]}]]))).await.unwrap();
    let stored = room.agree("the answer after it", answered(2, "Done by another.")).await;
    assert!(json!(stored).to_string().contains("The helper was here."), "{stored:#?}");
    let kinds: Vec<_> = room.proxy.heard_by_ours("agent-tool-event").iter().map(|frame| frame["event"]["kind"].clone()).collect();
    assert_eq!((kinds.first(), kinds.last()), (Some(&json!("started")), Some(&json!("finished"))), "{kinds:?}");
    // They are told again to whoever comes back.
    room.drop_ours().await;
    room.agree_live("after a reconnect", answered(2, "Done by another.")).await;
    let replayed = room.proxy.heard_by_ours("agent-tool-event").iter().filter(|frame| frame["replay"] == true).count();
    assert!(replayed > 0);
}

/// The agent gets tools from a server while it answers, and everybody is told.
#[tokio::test]
async fn newest_a_server_of_tools_comes_while_an_answer_is_written() {
    let mut room = Room::new(Newest, "mcp").await;
    room.ours.link.send(super::halting()).await.unwrap();
    room.both_show("Before").await;
    assert_eq!(room.ask("tools").await, "ok");
    room.open("g").await;
    room.agree("the whole answer", answered(2, "Before after.")).await;
    let lists = room.proxy.heard_by_ours("cf_agent_mcp_servers");
    let last = &lists.last().unwrap()["mcp"];
    assert_eq!(last["tools"][0]["name"], "forecast", "{last}");
    assert_eq!(last["servers"].as_object().unwrap().values().next().unwrap()["state"], "ready", "{last}");
}

/// The client names no conversation: the Worker chooses, and may choose another for the next socket.
#[tokio::test]
async fn newest_an_address_leads_to_the_conversation_that_the_agent_chooses() {
    let mut room = Room::at(Newest, "own-address", Place::own()).await;
    room.ours.link.send(script(&json!([[{"text": ["In the first."]}]]))).await.unwrap();
    room.agree("an answer", answered(2, "In the first.")).await;
    let names = |room: &Room| room.proxy.heard_by_ours("cf_agent_identity").iter().map(|frame| frame["name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&room), ["of-own-address"], "only the agent tells");
    // What is said meanwhile goes where the address leads.
    assert_eq!(room.ask("move?to=another").await, "ok");
    room.drop_ours().await;
    room.ours.until(|ours| ours.messages.is_empty()).await;
    assert_eq!(names(&room), ["of-own-address", "another"]);
    room.ours.link.send(script(&json!([[{"text": ["In the second."]}]]))).await.unwrap();
    room.ours.until(|ours| ours.messages.len() == 2 && ours.messages[1].text() == "In the second.").await;
    let stored = room.stored().await;
    assert_eq!(json!(stored), json!(room.ours.messages), "nothing of the first is left");
}
