use callbox_ipc::{AgentToolView, RunPhase, ThreadStatus, ThreadUpdate, ToolServerView, TurnView};
use callbox_protocol::UiMessage;
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, messages, status};

fn calling() -> Vec<UiMessage> {
    let part = |call: &str| json!({ "type": "tool-research", "toolCallId": call, "state": "input-available", "input": { "topic": "tea" } });
    messages(json!([{ "id": "a", "role": "assistant", "parts": [part("call-1"), part("call-2")] }]))
}

fn run(call: &str, phase: RunPhase, line: &str, percent: Option<u8>) -> AgentToolView {
    AgentToolView {
        run: format!("run-{call}"),
        tool_call: call.into(),
        name: "Reader\u{202E}".into(),
        phase,
        line: Some(line.into()),
        percent,
    }
}

fn told(agent_tools: Vec<AgentToolView>) -> ThreadUpdate {
    ThreadUpdate::status(ThreadStatus { turn: TurnView::Streaming, agent_tools, ..status() })
}

#[wasm_bindgen_test]
async fn what_another_agent_does_for_a_call_stands_at_that_call_and_goes_with_its_end() {
    let stage = Stage::open(calling()).await;
    stage.thread(told(vec![run("call-2", RunPhase::Running, "3 of 7 pages", Some(42))]));
    stage.until("it is shown", || stage.find("agent-tool").is_some()).await;
    assert!(stage.select("[data-call='call-1'] [data-testid='agent-tool']").is_none());
    let line = stage.select("[data-call='call-2'] [data-testid='agent-tool']").unwrap().inner_text();
    assert!(line.contains("3 of 7 pages"), "{line}");
    assert!(!line.contains('\u{202E}'), "a name made to deceive is shown as what it is: {line:?}");
    assert_eq!(stage.select("progress").unwrap().get_attribute("value").as_deref(), Some("42"));
    stage.thread(told(vec![run("call-2", RunPhase::Failed, "No more money.", None)]));
    stage.until("it has failed", || stage.attribute("agent-tool", "data-state").as_deref() == Some("failed")).await;
    assert!(stage.select("progress").is_none());
    stage.thread(told(Vec::new()));
    stage.until("it is gone", || stage.find("agent-tool").is_none()).await;
}

#[wasm_bindgen_test]
async fn a_server_of_tools_names_itself_and_its_page_and_is_opened_by_the_shell() {
    let stage = Stage::open(calling()).await;
    let closed_servers = vec![ToolServerView { id: "s1".into(), name: "linear".into(), host: "mcp.linear.example".into() }];
    stage.thread(ThreadUpdate::status(ThreadStatus { closed_servers, ..status() }));
    stage.until("it is shown", || stage.find("tool-server").is_some()).await;
    let text = stage.get("tool-server").inner_text();
    assert!(text.contains("linear") && text.contains("mcp.linear.example"), "{text}");
    assert_eq!(stage.count("open_tool_server"), 0);
    stage.click("open-tool-server");
    assert_eq!(stage.calls("open_tool_server"), [json!({ "conversation": "c", "server": "s1" })]);
    stage.thread(ThreadUpdate::status(status()));
    stage.until("the agent was let in", || stage.find("tool-server").is_none()).await;
}
