//! The agent as one of agents 0.2: the traces that its own SDK leaves (notes 9.1).

use callbox_sandbox::{Generation, Sandbox};
use serde_json::{Value, json};

use crate::agent::{Client, chunk, messages, quick, said, shape, user};

async fn oldest() -> Sandbox {
    let sandbox = quick().await;
    sandbox.control().set(|settings| settings.generation = Generation::Oldest);
    sandbox
}

/// Connected and greeted, as far as such an agent greets.
async fn ready(sandbox: &Sandbox, pk: &str) -> Client {
    let mut client = Client::connect(sandbox, "c1", pk).await;
    assert_eq!(client.frame().await["type"], "cf_agent_mcp_servers", "nobody says who answers");
    client
}

/// All frames of a turn, and the list that ends it.
async fn turn(client: &mut Client) -> Vec<Value> {
    let mut frames = client.until_done().await;
    frames.push(client.frame().await);
    frames
}

/// The stored list with this word in the place of the result.
fn answered(mut stored: Vec<Value>, word: &str) -> Value {
    let part = &mut stored[1]["parts"][1];
    part["state"] = json!("output-available");
    part["output"] = json!(word);
    json!(stored)
}

#[tokio::test]
async fn nothing_is_numbered_and_everybody_gets_the_list_after_the_last_frame() {
    let sandbox = oldest().await;
    let mut asking = ready(&sandbox, "pk1").await;
    let mut watching = ready(&sandbox, "pk2").await;
    asking.ask("r1", "u1", "what time is it").await;
    let frames = turn(&mut asking).await;
    let list = frames.last().unwrap();
    assert_eq!((&list["type"], &list["messages"]), (&json!("cf_agent_chat_messages"), &json!(messages(&sandbox, "c1").await)));
    for frame in &frames[..frames.len() - 1] {
        let fields: Vec<&String> = frame.as_object().unwrap().keys().collect();
        assert!(fields.iter().all(|field| ["type", "id", "body", "done"].contains(&field.as_str())), "{frame}");
    }
    assert_eq!(chunk(&frames[0]), Some(json!({"type": "start"})), "whose id nobody knows yet");
    assert_eq!(shape(&turn(&mut watching).await)[..2], ["chat_messages", "chat_messages"]);
    assert!(messages(&sandbox, "c1").await[1]["parts"][1].get("toolName").is_none());
}

#[tokio::test]
async fn what_came_with_later_releases_is_not_answered() {
    let sandbox = oldest().await;
    let mut client = ready(&sandbox, "pk1").await;
    client.ask("r1", "u1", "weather in Paris").await;
    turn(&mut client).await;
    let call = messages(&sandbox, "c1").await[1]["parts"][1]["toolCallId"].as_str().unwrap().to_owned();
    client.decide(&call, true, "p1").await;
    client.send(json!({"type": "cf_agent_tool_result", "toolCallId": call, "output": 1, "autoContinue": true})).await;
    client.ack("r1").await;
    // A method is answered, so nothing came before that.
    client.send(json!({"type": "rpc", "id": "1", "method": "nope", "args": []})).await;
    assert_eq!(client.frame().await["type"], "rpc");
    assert_eq!(messages(&sandbox, "c1").await[1]["parts"][1]["state"], "input-available");
}

#[tokio::test]
async fn a_confirmed_call_runs_for_the_model_and_stays_as_it_was_confirmed() {
    let sandbox = oldest().await;
    let mut client = ready(&sandbox, "pk1").await;
    for (id, word) in [("u1", "Yes, confirmed."), ("u2", "No, denied.")] {
        client.send(json!({"type": "cf_agent_chat_clear"})).await;
        client.ask("r1", id, "weather in Paris").await;
        let frames = turn(&mut client).await;
        let expected = ["start", "start-step", "tool-input-start", "tool-input-delta", "tool-input-available", "finish-step", "finish"];
        assert_eq!(shape(&frames)[..7], expected, "that it has no result is the question");
        let stored = messages(&sandbox, "c1").await;
        assert_eq!(stored[1]["parts"][1]["state"], "input-available");
        client.submit("r2", answered(stored, word), "submit-message").await;
        let frames = turn(&mut client).await;
        assert!(!shape(&frames).contains(&"tool-output-available".to_owned()), "what it gave is not told");
        let denied = said(&frames).contains("did not look up the weather in Paris");
        assert_eq!(denied, word == "No, denied.", "{}", said(&frames));
        assert!(denied || said(&frames).contains("**Paris**"), "{}", said(&frames));
        let stored = messages(&sandbox, "c1").await;
        assert_eq!((stored.len(), &stored[1]["parts"][1]["output"]), (3, &json!(word)), "the answer is another message");
    }
}

#[tokio::test]
async fn a_list_is_stored_as_it_comes_and_deletes_nothing() {
    let sandbox = oldest().await;
    let mut client = ready(&sandbox, "pk1").await;
    client.ask("r1", "u1", "hello").await;
    turn(&mut client).await;
    client.submit("r2", json!([user("u1", "thank you")]), "regenerate-message").await;
    let frames = turn(&mut client).await;
    let stored = messages(&sandbox, "c1").await;
    assert_eq!(stored.iter().map(|message| message["role"].as_str().unwrap()).collect::<Vec<_>>(), ["user", "assistant", "assistant"]);
    assert_eq!(stored[0]["parts"][0]["text"], "thank you");
    assert_eq!(frames.last().unwrap()["messages"], json!(stored));
}
