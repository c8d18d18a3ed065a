//! Tools that run here.

use super::*;

fn tool(name: &str, read_only: bool) -> ClientTool {
    let handler: crate::ToolHandler = Arc::new(|input| Box::pin(async move { Ok(input) }));
    ClientTool { name: name.to_owned(), description: "Does it".to_owned(), parameters: json!({"type": "object"}), read_only, handler }
}

fn table(messages: Vec<UiMessage>) -> Table {
    Table::offering(&[tool("look", true), tool("act", false)]).go_online(messages)
}

/// An answer that calls this tool and waits for a result.
fn calling(id: &str, tool: &str) -> UiMessage {
    let part = json!({"type": format!("tool-{tool}"), "toolCallId": "call-1", "state": "input-available", "input": {"x": 1}});
    serde_json::from_value(json!({"id": id, "role": "assistant", "parts": [part]})).unwrap()
}

fn runs(tool: &str) -> Effect {
    Effect::RunTool { tool_call_id: "call-1".to_owned(), tool_name: tool.to_owned(), input: json!({"x": 1}) }
}

/// A turn that ends in a call.
fn call(table: &mut Table, request: &str, tool: &str) {
    for (seq, chunk) in [
        json!({"type": "start", "messageId": "a1"}),
        json!({"type": "tool-input-available", "toolCallId": "call-1", "toolName": tool, "input": {"x": 1}}),
        json!({"type": "finish"}),
    ]
    .iter()
    .enumerate()
    {
        let body = chunk.to_string();
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": body, "done": false, "seq": seq}));
    }
    assert!(table.effects().is_empty(), "not before the turn has ended");
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": "completed"}));
}

#[test]
fn tools_are_offered_with_each_request_and_a_call_in_a_turn_of_ours_is_run_once() {
    let mut table = table(vec![]);
    table.send("do it").unwrap();
    let written = table.written();
    let body: Value = serde_json::from_str(written[0]["init"]["body"].as_str().unwrap()).unwrap();
    let look = json!({"name": "look", "description": "Does it", "parameters": {"type": "object"}});
    assert_eq!((&body["clientTools"][0], body["clientTools"][1]["name"].as_str()), (&look, Some("act")));
    let (request, _) = submitted(&written[0]);
    call(&mut table, &request, "act");
    assert_eq!(table.effects(), [runs("act")]);
    table.machine.ran("call-1", "act", Ok(json!({"done": true})), table.now);
    let written = table.written();
    assert_eq!(kinds(&written), ["tool_result", "stream_resume_request"]);
    assert_eq!(written[0]["output"], json!({"done": true}));
    assert_eq!((written[0]["toolCallId"].as_str(), written[0]["autoContinue"].as_bool()), (Some("call-1"), Some(true)));
    table.idle();
    assert_eq!(table.effects(), [], "the question is answered, and it does not run again");
}

#[test]
fn a_call_of_somebody_elses_is_run_only_if_that_changes_nothing() {
    for (name, expected) in [("look", vec![runs("look")]), ("act", vec![]), ("unknown", vec![])] {
        let mut table = table(vec![user("u1", "do it")]);
        call(&mut table, "theirs", name);
        assert_eq!(table.effects(), [], "{name}: whoever asked may answer");
        table.pass(secs(5));
        assert_eq!(table.effects(), expected, "{name}, of a turn that was watched");
        let mut table = Table::offering(&[tool("look", true), tool("act", false)]).sign_in();
        table.connect(vec![user("u1", "do it"), calling("a1", name)]);
        assert_eq!(table.effects(), [], "something may be running");
        table.idle();
        table.pass(secs(5));
        assert_eq!(table.effects(), expected, "{name}, of a turn of which nobody knows");
    }
}

#[test]
fn a_call_that_whoever_asked_for_it_answers_is_not_run_a_second_time() {
    let mut table = table(vec![user("u1", "do it")]);
    call(&mut table, "theirs", "look");
    table.pass(secs(4));
    let answered = json!({"id": "a1", "role": "assistant", "parts": [
        {"type": "tool-look", "toolCallId": "call-1", "state": "output-available", "input": {"x": 1}, "output": 2},
    ]});
    table.frame(&json!({"type": "cf_agent_message_updated", "message": answered}));
    table.pass(secs(5));
    assert_eq!(table.effects(), [], "the agent goes on once for each result");
}

#[test]
fn a_call_that_was_left_behind_or_settled_is_not_run() {
    let settled = serde_json::from_value(json!({"id": "a1", "role": "assistant", "parts": [
        {"type": "tool-look", "toolCallId": "call-1", "state": "output-available", "input": {}, "output": 1},
        {"type": "tool-look", "toolCallId": "call-2", "state": "input-available", "input": {}, "providerExecuted": true},
        {"type": "tool-look", "toolCallId": "call-3", "state": "approval-requested", "input": {}, "approval": {"id": "q"}},
    ]}));
    for messages in [vec![user("u1", "do it"), settled.unwrap()], vec![calling("a1", "look"), user("u2", "never mind")]] {
        assert_eq!(table(messages).effects(), []);
    }
}

#[test]
fn a_result_is_kept_until_the_agent_shows_one_and_the_first_one_counts() {
    let mut table = table(vec![user("u1", "do it"), calling("a1", "look")]);
    table.pass(secs(5));
    assert_eq!(table.effects(), [runs("look")]);
    // It ends while there is no socket.
    table.machine.lost(LinkError::Broken, table.now);
    table.machine.ran("call-1", "look", Err("No.".to_owned()), table.now);
    table.pass(secs(1));
    table.effects();
    let written = table.connect(vec![user("u1", "do it"), calling("a1", "look")]);
    assert_eq!(kinds(&written), ["tool_result", "stream_resume_request", "stream_resume_request"]);
    assert_eq!((written[0]["state"].as_str(), written[0]["errorText"].as_str()), (Some("output-error"), Some("No.")));
    // That socket dies, too, and by then somebody else has answered.
    table.machine.lost(LinkError::Broken, table.now);
    table.pass(secs(1));
    table.effects();
    let answered = serde_json::from_value(json!({"id": "a1", "role": "assistant", "parts": [
        {"type": "tool-look", "toolCallId": "call-1", "state": "output-available", "input": {"x": 1}, "output": 2},
    ]}));
    assert_eq!(kinds(&table.connect(vec![user("u1", "do it"), answered.unwrap()])), ["stream_resume_request"]);
    assert_eq!(serde_json::to_value(&table.mirror[1].parts[0]).unwrap()["output"], json!(2));
}

#[test]
fn a_result_that_the_agent_could_not_take_is_a_failure() {
    let mut table = table(vec![user("u1", "do it"), calling("a1", "look")]);
    table.effects();
    table.machine.ran("call-1", "look", Ok(json!("\u{1}".repeat(6 << 20))), table.now);
    let written = table.written();
    assert_eq!((kinds(&written)[0].as_str(), written[0]["state"].as_str()), ("tool_result", Some("output-error")));
}
