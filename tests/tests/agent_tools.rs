//! What works for the agent inside a call, and where it waits to be let in, in the real window.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Look, World, testids, wait, window::named};
use serde_json::{Value, json};

/// Waits until a thing in the window says all of this; nothing: until it is not there.
async fn until_it_says(app: &App, testid: &str, parts: &[&str]) {
    let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
    let look = async || {
        let seen = app.window().driver().run(script, vec![json!(named(testid))]).await?;
        let said = seen.as_str().unwrap_or_default();
        let is_so = if parts.is_empty() { said.is_empty() } else { parts.iter().all(|part| said.contains(part)) };
        Ok(Look::when(is_so.then_some(()), &seen))
    };
    wait::until(&format!("{testid} says {parts:?}"), look).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_agent_at_work_for_a_call_is_a_line_at_that_call_until_it_is_done() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let view = app.window().ask("what time is it?").await.unwrap();
    let (conversation, call) = (view.conversation.clone().unwrap(), view.tools().next().unwrap().call.clone());
    let tell = |sequence: u64, event: Value| {
        let frame = json!({"type": "agent-tool-event", "parentToolCallId": call, "sequence": sequence, "event": event});
        world.control().inject(&conversation, &frame.to_string());
    };
    let chunk = |chunk: Value| json!({"kind": "chunk", "runId": "run", "body": chunk.to_string()});
    tell(0, json!({"kind": "started", "runId": "run", "agentType": "Clockmaker", "order": 0}));
    until_it_says(&app, testids::AGENT_TOOL, &["Clockmaker"]).await;
    tell(1, chunk(json!({"type": "text-start", "id": "0"})));
    tell(2, chunk(json!({"type": "text-delta", "id": "0", "delta": "Winding it up."})));
    until_it_says(&app, testids::AGENT_TOOL, &["Clockmaker", "Winding it up."]).await;
    tell(3, json!({"kind": "finished", "runId": "run", "summary": "Wound up."}));
    until_it_says(&app, testids::AGENT_TOOL, &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_tools_that_waits_for_a_person_is_opened_in_the_browser_and_gone_when_it_is_ready() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let conversation = app.window().ask("what time is it?").await.unwrap().conversation.unwrap();
    let page = world.sandbox.issuer().join("tools?state=one-use").unwrap();
    let tell = |state: &str, auth_url: Option<&str>| {
        let server = json!({"name": "linear", "server_url": "https://mcp.example/mcp", "state": state, "auth_url": auth_url});
        let mcp = json!({"servers": {"s1": server}, "tools": [], "prompts": [], "resources": []});
        world.control().inject(&conversation, &json!({"type": "cf_agent_mcp_servers", "mcp": mcp}).to_string());
    };
    tell("authenticating", Some(page.as_str()));
    until_it_says(&app, testids::TOOL_SERVER, &["linear", "127.0.0.1"]).await;
    let known = world.desktop.opened_pages().len();
    app.window().click(testids::OPEN_TOOL_SERVER).await.unwrap();
    assert_eq!(world.desktop.opened_page(known).await.unwrap(), page);
    tell("ready", None);
    until_it_says(&app, testids::TOOL_SERVER, &[]).await;
    tell("authenticating", Some("file:///etc/passwd"));
    tell("failed", None);
    // Frames are taken in their order: when the turn after them is there, they have been looked at.
    app.window().ask("what time is it?").await.unwrap();
    until_it_says(&app, testids::TOOL_SERVER, &[]).await;
}
