//! Calls that wait for a person at agents of the oldest generation.

use callbox_protocol::{ToolState, Turn};

use super::*;
use crate::PendingDecision;

const CALLS: [&str; 2] = ["call-1", "call-2"];

/// An answer with these calls of `pay`; `None`: no result yet.
fn paying(outputs: &[Option<&str>]) -> UiMessage {
    let part = |(call, output): (&str, &Option<&str>)| match output {
        Some(output) => json!({"type": "tool-pay", "toolCallId": call, "state": "output-available", "input": {"sum": 5}, "output": output}),
        None => json!({"type": "tool-pay", "toolCallId": call, "state": "input-available", "input": {"sum": 5}}),
    };
    let parts: Vec<Value> = CALLS.into_iter().zip(outputs).map(part).collect();
    serde_json::from_value(json!({"id": "a1", "role": "assistant", "parts": parts})).unwrap()
}

fn asking() -> Vec<UiMessage> {
    vec![user("u1", "pay"), paying(&[None])]
}

impl Table {
    /// Online at an agent that begins as the oldest do and has left the question of what runs unanswered.
    fn at_an_old_agent(self, messages: Vec<UiMessage>) -> Self {
        let mut table = self.sign_in();
        table.connect(messages);
        table.greet();
        assert_eq!(table.asks(), [""; 0], "it may be a newer one yet");
        let waits = table.machine.status().unclear;
        table.pass(secs(5));
        assert!(!table.machine.status().unclear);
        assert!(waits || table.asks().is_empty(), "somebody who has to know waits");
        assert_eq!(table.effects(), []);
        table
    }

    fn old(messages: Vec<UiMessage>) -> Self {
        Self::new().at_an_old_agent(messages)
    }

    /// What such an agent says first.
    fn greet(&mut self) {
        self.frame(&json!({"type": "cf_agent_mcp_servers", "mcp": {}}));
    }

    fn asks(&self) -> Vec<String> {
        self.machine.status().confirmations
    }

    fn decides(&self) -> Vec<(String, bool)> {
        let decisions = self.machine.status().decisions;
        decisions.into_iter().map(|PendingDecision { tool_call_id, approved }| (tool_call_id, approved)).collect()
    }

    /// The list is asked for, and comes; what is written then comes back.
    fn look(&mut self, messages: Vec<UiMessage>) -> Vec<Value> {
        assert_eq!(self.effects(), [Effect::History]);
        self.machine.history(Ok(messages), self.now);
        self.written()
    }

    /// The socket dies, and a new one begins as at the first time.
    fn reconnect(&mut self, messages: Vec<UiMessage>) -> Vec<String> {
        self.machine.lost(LinkError::Broken, self.now);
        self.pass(secs(30));
        self.effects();
        let written = kinds(&self.connect(messages));
        self.greet();
        written
    }

    fn call(&self, id: &str) -> Option<Value> {
        let call = self.mirror.iter().find_map(|message| message.tool(id))?;
        assert!(call.state != ToolState::OutputAvailable || call.output.is_some());
        call.output.as_deref().cloned()
    }
}

#[test]
fn a_call_that_was_left_without_a_result_asks_at_the_oldest_agents_alone() {
    assert_eq!(Table::old(asking()).asks(), ["call-1"]);
    // A newer one, whoever is to give the result.
    assert_eq!(Table::online(asking()).asks(), [""; 0]);
    // It was one of the oldest until it was deployed anew.
    let mut table = Table::old(asking());
    table.frame(&json!({"type": "cf_agent_identity", "name": "c1", "agent": "chat-agent"}));
    assert_eq!(table.asks(), [""; 0]);
}

#[test]
fn a_call_asks_only_if_it_waits_for_a_person() {
    let of = |part: Value| -> UiMessage { serde_json::from_value(json!({"id": "a1", "role": "assistant", "parts": [part]})).unwrap() };
    let by_provider =
        of(json!({"type": "tool-search", "toolCallId": "call-1", "state": "input-available", "input": {}, "providerExecuted": true}));
    let unfinished = of(json!({"type": "tool-pay", "toolCallId": "call-1", "state": "input-streaming"}));
    for (messages, what) in [
        (vec![user("u1", "pay"), by_provider], "the model's provider runs it"),
        (vec![user("u1", "pay"), unfinished], "nobody knows what it would do"),
        (vec![user("u1", "pay"), paying(&[Some("No, denied.")])], "somebody has decided"),
        (vec![user("u1", "pay"), paying(&[None]), user("u2", "never mind")], "it was left behind"),
    ] {
        assert_eq!(Table::old(messages).asks(), [""; 0], "{what}");
    }
    let pay = ClientTool {
        name: "pay".to_owned(),
        description: String::new(),
        parameters: json!({}),
        read_only: true,
        handler: Arc::new(|input| Box::pin(async move { Ok(input) })),
    };
    assert_eq!(Table::offering(&[pay]).at_an_old_agent(asking()).asks(), [""; 0], "it runs here");
}

#[test]
fn a_call_asks_when_its_turn_is_over_and_not_if_that_was_stopped() {
    for stopped in [false, true] {
        let mut table = Table::old(vec![]);
        table.send("pay").unwrap();
        let (request, _) = submitted(&table.written()[0]);
        for chunk in [
            json!({"type": "start"}),
            json!({"type": "tool-input-available", "toolCallId": "call-1", "toolName": "pay", "input": {"sum": 5}}),
        ] {
            table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false}));
        }
        assert_eq!(table.asks(), [""; 0], "the tool may be running");
        if stopped {
            table.machine.cancel(table.now).unwrap();
        }
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}));
        table.frame(&json!({"type": "cf_agent_chat_messages", "messages": [table.mirror[0], paying(&[None])]}));
        assert_eq!(table.asks(), if stopped { vec![] } else { vec!["call-1"] }, "stopped: {stopped}");
    }
}

#[test]
fn a_decision_goes_back_with_the_agents_own_list_and_once() {
    for (approved, word) in [(true, "Yes, confirmed."), (false, "No, denied.")] {
        let mut table = Table::old(asking());
        table.machine.decide("call-1", approved, table.now).unwrap();
        assert_eq!((table.asks(), table.decides()), (vec![], vec![("call-1".to_owned(), approved)]));
        // Somebody has said something beside it meanwhile; it stays as it is.
        let mut list = asking();
        list.insert(0, user("u0", "before"));
        let written = table.look(list.clone());
        assert_eq!(kinds(&written), ["use_chat_request"], "and no frame that such an agent does not know");
        let (request, messages) = resubmitted(&written[0]);
        list[2] = paying(&[Some(word)]);
        assert_eq!(messages, serde_json::to_value(&list).unwrap().as_array().unwrap().clone());
        table.effects();
        assert_eq!(table.call("call-1"), Some(json!(word)), "it shows at once");
        table.machine.decide("call-1", !approved, table.now).unwrap();
        assert_eq!((table.wrote(), table.decides().len()), (vec![], 1), "the first decision stands");
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "{\"type\":\"start\"}", "done": false}));
        assert_eq!(table.decides(), [], "the agent acts on it");
        assert!(table.machine.status().turn.is_active());
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}));
        list.push(said("a2", "As you say."));
        table.frame(&json!({"type": "cf_agent_chat_messages", "messages": list}));
        table.frame(&json!({"type": "cf_agent_chat_messages", "messages": asking()}));
        table.effects();
        assert_eq!((table.call("call-1"), table.asks()), (Some(json!(word)), vec![]), "it never asks again");
    }
}

#[test]
fn a_decision_outlives_a_list_that_was_asked_for_before_there_was_a_question() {
    let mut table = Table::new().sign_in();
    table.connect(vec![]);
    table.greet();
    table.send("pay").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    // The first question is left unanswered while a turn runs, so the list is asked for.
    table.pass(secs(5));
    assert_eq!(table.effects(), [Effect::History]);
    for chunk in
        [json!({"type": "start"}), json!({"type": "tool-input-available", "toolCallId": "call-1", "toolName": "pay", "input": {"sum": 5}})]
    {
        table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false}));
    }
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}));
    table.keep();
    let asked = table.mirror[0].clone();
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": [asked, paying(&[None])]}));
    assert_eq!(table.asks(), ["call-1"]);
    table.pass(secs(1));
    table.machine.decide("call-1", true, table.now).unwrap();
    // It comes now, and knows nothing of the call yet.
    table.machine.history(Ok(vec![asked.clone()]), table.now);
    assert_eq!((table.asks(), table.decides()), (vec![], vec![("call-1".to_owned(), true)]));
    let written = table.look(vec![asked, paying(&[None])]);
    assert_eq!(kinds(&written), ["use_chat_request"]);
}

#[test]
fn what_somebody_else_has_decided_stands() {
    let decided = vec![user("u1", "pay"), paying(&[Some("No, denied.")])];
    // It shows in the list that is asked for before anything is sent.
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.look(decided.clone()), [] as [Value; 0]);
    assert_eq!((table.decides(), table.machine.status().error), (vec![], None), "quietly");
    assert_eq!(table.call("call-1"), Some(json!("No, denied.")));
    // Or it is told while that is on its way.
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.effects(), [Effect::History]);
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": decided}));
    table.machine.history(Ok(asking()), table.now);
    assert_eq!(table.effects(), [Effect::History], "the list may have been from before, so it is asked for once more, and nothing else");
    assert_eq!((table.decides(), table.call("call-1")), (vec![], Some(json!("No, denied."))));
    // Or the conversation has gone on.
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    let gone_on = vec![user("u1", "pay"), paying(&[None]), user("u2", "never mind")];
    assert_eq!(table.look(gone_on), [] as [Value; 0]);
    assert_eq!(table.decides(), []);
}

#[test]
fn a_decision_is_about_the_arguments_that_were_shown() {
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    let mut other = serde_json::to_value(paying(&[None])).unwrap();
    other["parts"][0]["input"]["sum"] = json!(5000);
    let list = vec![user("u1", "pay"), serde_json::from_value(other).unwrap()];
    assert_eq!(table.look(list.clone()), [] as [Value; 0]);
    assert_eq!((table.decides(), table.asks()), (vec![], vec!["call-1".to_owned()]), "it asks anew");
    assert_eq!(table.mirror[1].tool("call-1").unwrap().input, Some(json!({"sum": 5000})));
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(kinds(&table.look(list)), ["use_chat_request"]);
}

#[test]
fn a_list_that_was_asked_for_before_the_decision_does_not_do() {
    let mut table = Table::old(asking());
    table.frame(&json!({"type": "cf_agent_chat_clear"}));
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": asking()}));
    assert_eq!(table.effects(), [Effect::History]);
    table.pass(secs(1));
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.effects(), [], "one is on its way");
    table.machine.history(Ok(asking()), table.now);
    assert_eq!(kinds(&table.look(asking())), ["use_chat_request"], "but another one is needed");
}

#[test]
fn calls_of_one_step_are_answered_together() {
    let both = || vec![user("u1", "pay"), paying(&[None, None])];
    let mut table = Table::old(both());
    table.machine.decide("call-2", false, table.now).unwrap();
    assert_eq!((table.effects(), table.asks(), table.decides().len()), (vec![], vec!["call-1".to_owned()], 1));
    table.machine.decide("call-1", true, table.now).unwrap();
    let written = table.look(both());
    let (_, messages) = resubmitted(&written[0]);
    let outputs: Vec<&str> = messages[1]["parts"].as_array().unwrap().iter().map(|part| part["output"].as_str().unwrap()).collect();
    assert_eq!((written.len(), outputs), (1, vec!["Yes, confirmed.", "No, denied."]));
}

#[test]
fn a_decision_that_a_socket_took_with_it_is_looked_up_before_it_goes_again() {
    for arrived in [true, false] {
        let mut table = Table::old(asking());
        table.machine.timing.doubt = secs(3);
        table.machine.decide("call-1", true, table.now).unwrap();
        let (first, _) = resubmitted(&table.look(asking())[0]);
        assert_eq!(table.reconnect(asking()), ["stream_resume_request"], "it may still be on its way");
        assert_eq!((table.decides().len(), table.asks()), (1, vec![]));
        table.pass(secs(3));
        let list = if arrived { vec![user("u1", "pay"), paying(&[Some("Yes, confirmed.")])] } else { asking() };
        assert_eq!(table.effects(), [Effect::History]);
        table.machine.history(Ok(list), table.now);
        if arrived {
            assert_eq!((table.effects(), table.decides()), (vec![], vec![]));
            assert_eq!(table.call("call-1"), Some(json!("Yes, confirmed.")));
            assert!(matches!(table.machine.status().turn, Turn::Interrupted { .. }), "the agent is at it");
        } else {
            let (second, messages) = resubmitted(&table.look(asking())[0]);
            assert_eq!(messages[1]["parts"][0]["output"], "Yes, confirmed.");
            assert_ne!(first, second);
        }
        assert!(table.effects().iter().all(|effect| !matches!(effect, Effect::Write(_))), "and that is all");
    }
}

#[test]
fn a_decision_that_was_taken_without_a_socket_goes_when_there_is_one() {
    let mut table = Table::old(asking());
    table.machine.lost(LinkError::Broken, table.now);
    assert_eq!(table.asks(), ["call-1"], "the question stands");
    table.machine.decide("call-1", false, table.now).unwrap();
    table.pass(secs(30));
    table.effects();
    assert_eq!(kinds(&table.connect(asking())), ["stream_resume_request"], "nobody knows who is at the other end now");
    table.greet();
    assert_eq!(kinds(&table.look(asking())), ["use_chat_request"]);
}

#[test]
fn a_decision_at_an_agent_that_is_newer_by_then_goes_as_newer_agents_take_it() {
    let mut table = Table::old(asking());
    table.machine.lost(LinkError::Broken, table.now);
    table.machine.decide("call-1", true, table.now).unwrap();
    table.pass(secs(30));
    table.effects();
    table.connect(asking());
    table.frame(&json!({"type": "cf_agent_identity", "name": "c1", "agent": "chat-agent"}));
    table.idle();
    table.send("hello").unwrap();
    assert!(table.wrote().contains(&"tool_approval".to_owned()));
}

#[test]
fn a_decision_that_the_agent_does_not_take_is_tried_once_more_and_given_up() {
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    table.look(asking());
    for round in 1..=2 {
        table.pass(secs(5));
        assert_eq!(table.effects(), [Effect::History], "looked up");
        table.machine.history(Ok(asking()), table.now);
        assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: false }], "never twice on one socket");
        assert_eq!(kinds(&table.connect(asking())), ["stream_resume_request"]);
        table.greet();
        if round == 1 {
            assert_eq!(kinds(&table.look(asking())), ["use_chat_request"]);
        }
    }
    let status = table.machine.status();
    assert_eq!(
        (status.decisions, status.error, status.confirmations),
        (vec![], Some(TurnError::DecisionNotTaken), vec!["call-1".to_owned()])
    );
}

#[test]
fn the_result_of_a_tool_of_ours_goes_the_same_way() {
    let pay = ClientTool {
        name: "pay".to_owned(),
        description: String::new(),
        parameters: json!({}),
        read_only: true,
        handler: Arc::new(|input| Box::pin(async move { Ok(input) })),
    };
    let mut table = Table::offering(&[pay]).at_an_old_agent(asking());
    table.pass(secs(5));
    let runs = Effect::RunTool { tool_call_id: "call-1".to_owned(), tool_name: "pay".to_owned(), input: json!({"sum": 5}) };
    assert_eq!(table.effects(), [runs]);
    table.machine.ran("call-1", "pay", Ok(json!({"paid": 5})), table.now);
    let (_, messages) = resubmitted(&table.look(asking())[0]);
    assert_eq!(messages[1]["parts"][0]["output"], json!({"paid": 5}));
}

#[test]
fn a_call_that_has_stopped_for_want_of_a_person_asks_nothing_and_goes_on_the_same_way() {
    let mut table = Table::old(vec![]);
    let id = table.send("pay").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    let call = json!({"type": "tool-input-available", "toolCallId": "call-1", "toolName": "pay", "input": {"sum": 5}});
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": call.to_string(), "done": false}));
    let reason = json!({"name": "AUTH0_AI_INTERRUPT", "code": "TOKEN_VAULT_ERROR", "connection": "google-oauth2", "scopes": ["calendar"],
        "requiredScopes": ["calendar"], "behavior": "resume", "toolCall": {"id": "call-1", "name": "pay", "args": {"sum": 5}}});
    let text = format!("AUTH0_AI_INTERRUPTION:{reason}");
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": text, "error": true, "done": false}));
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true}));
    let list = || vec![user(&id, "pay"), paying(&[None])];
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": list()}));
    table.effects();
    assert_eq!(table.asks(), [""; 0], "a yes is not what it lacks");
    table.machine.resume("call-1", table.now).unwrap();
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: false }]);
    table.connect(list());
    table.greet();
    let (_, messages) = resubmitted(&table.look(list())[0]);
    assert_eq!(messages[1]["parts"][0]["output"], json!({"continueInterruption": true, "toolName": "pay"}));
}

#[test]
fn what_is_written_meanwhile_comes_after_the_decision() {
    let mut table = Table::old(asking());
    table.machine.decide("call-1", true, table.now).unwrap();
    table.send("and another thing").unwrap();
    let written = table.look(asking());
    assert_eq!(kinds(&written), ["use_chat_request", "use_chat_request"]);
    assert_eq!(resubmitted(&written[0]).1[1]["parts"][0]["output"], "Yes, confirmed.");
    assert_eq!(submitted(&written[1]).1["parts"][0]["text"], "and another thing");
}

#[test]
fn a_turn_that_ended_while_there_was_no_socket_is_over_by_the_agents_list() {
    let mut table = Table::old(vec![]);
    let id = table.send("pay").unwrap();
    table.effects();
    let mine = || user(&id, "pay");
    assert_eq!(table.reconnect(vec![mine()]), ["stream_resume_request"]);
    assert!(table.machine.status().turn.is_active(), "not answered yet");
    table.reconnect(vec![mine(), paying(&[None])]);
    assert_eq!((table.machine.status().turn, table.asks()), (Turn::Idle, vec!["call-1".to_owned()]));
}
