//! An OpenAI-compatible model behind the agent, played by a small server.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, extract::State, response::IntoResponse, routing::post};
use callbox_sandbox::{Model, OpenAi, Sandbox, SandboxConfig};
use serde_json::{Value, json};

use crate::{
    agent::{Client, chunk, messages, said, shape},
    app,
};

type Seen = Arc<Mutex<Vec<(String, Value)>>>;

/// Answers by the last message: a tool's result, or a question about the weather, or anything else.
async fn completions(State(seen): State<Seen>, headers: http::HeaderMap, Json(body): Json<Value>) -> impl IntoResponse {
    let key = headers["authorization"].to_str().unwrap().to_owned();
    let last = body["messages"].as_array().unwrap().last().unwrap().clone();
    seen.lock().unwrap().push((key, body));
    let text = last["content"].as_str().unwrap_or_default().to_owned();
    let delta = |delta: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let events = if last["role"] == "tool" {
        vec![delta(json!({"content": "The tool said: "})), delta(json!({"content": text}))]
    } else if text.contains("weather") {
        let call = |arguments: &str| json!([{"index": 0, "function": {"arguments": arguments}}]);
        vec![
            delta(
                json!({"tool_calls": [{"index": 0, "id": "call_w", "type": "function", "function": {"name": "getWeather", "arguments": ""}}]}),
            ),
            delta(json!({"tool_calls": call("{\"city\":")})),
            delta(json!({"tool_calls": call("\"Lima\"}")})),
        ]
    } else if text.contains("explode") {
        vec![json!({"error": {"message": "out of tokens"}})]
    } else {
        vec![delta(json!({"role": "assistant", "content": ""})), delta(json!({"content": "Hello, "})), delta(json!({"content": "wörld."}))]
    };
    let mut sse: String = events.iter().map(|event| format!("data: {event}\n\n")).collect();
    sse.push_str(": a comment\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n");
    ([("content-type", "text/event-stream")], sse)
}

async fn with_model(key: &str) -> (Sandbox, Seen) {
    let seen = Seen::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}/v1", listener.local_addr().unwrap()).parse().unwrap();
    let router = Router::new().route("/v1/chat/completions", post(completions)).with_state(seen.clone());
    tokio::spawn(async move { axum::serve(listener, router).await });
    let model = Model::OpenAi(OpenAi::new(base, key.to_owned(), Some("test-model".to_owned())));
    assert!(!format!("{model:?}").contains(key), "the key is not shown");
    (app::with(SandboxConfig { model, ..SandboxConfig::default() }).await, seen)
}

#[tokio::test]
async fn its_text_is_streamed_and_it_knows_the_tools_and_the_history() {
    let (sandbox, seen) = with_model("the-key").await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "hi").await;
    let frames = client.until_done().await;
    assert_eq!(shape(&frames), ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish", "done"]);
    assert_eq!(said(&frames), "Hello, wörld.");
    client.ask("r2", "u2", "again").await;
    client.until_done().await;
    let seen = seen.lock().unwrap();
    let (key, body) = &seen[1];
    assert_eq!((key.as_str(), &body["model"], &body["stream"]), ("Bearer the-key", &json!("test-model"), &json!(true)));
    let names: Vec<&Value> = body["tools"].as_array().unwrap().iter().map(|tool| &tool["function"]["name"]).collect();
    assert_eq!(names, ["getTime", "getWeather", "checkUsersCalendar", "listContacts", "placeOrder", "readBilling"]);
    let history: Vec<&Value> = body["messages"].as_array().unwrap().iter().skip(1).map(|message| &message["content"]).collect();
    assert_eq!(history, ["hi", "Hello, wörld.", "again"]);
}

#[tokio::test]
async fn its_weather_call_asks_the_person_and_it_learns_the_decision() {
    for approved in [true, false] {
        let (sandbox, seen) = with_model("k").await;
        let mut client = Client::ready(&sandbox, "c1", "pk1").await;
        client.ask("r1", "u1", "weather?").await;
        let frames = client.until_done().await;
        assert!(shape(&frames).contains(&"tool-approval-request".to_owned()));
        let available = frames.iter().filter_map(chunk).find(|chunk| chunk["type"] == "tool-input-available").unwrap();
        assert_eq!(available["input"], json!({"city": "Lima"}));
        client.decide("call_w", approved, "p1").await;
        let offered = client.until(|frame| frame["type"] == "cf_agent_stream_resuming").await;
        client.ack(offered.last().unwrap()["id"].as_str().unwrap()).await;
        client.until_done().await;
        let (_, body) = seen.lock().unwrap()[1].clone();
        let told = body["messages"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&told["role"], &told["tool_call_id"]), (&json!("tool"), &json!("call_w")));
        let expected = if approved { "Made up by the sandbox" } else { "denied this call" };
        assert!(told["content"].as_str().unwrap().contains(expected), "{told}");
        let state = &messages(&sandbox, "c1").await[1]["parts"][1]["state"];
        assert_eq!(state, if approved { "output-available" } else { "output-denied" });
    }
}

#[tokio::test]
async fn its_failures_are_told_without_the_key() {
    let (sandbox, _) = with_model("very-secret").await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "explode").await;
    let frames = client.until_done().await;
    let error = &frames[frames.len() - 2];
    assert_eq!((&error["error"], &error["body"]), (&json!(true), &json!("The model failed: out of tokens")));

    // Nothing listens there.
    let model = Model::OpenAi(OpenAi::new("http://127.0.0.1:9/v1".parse().unwrap(), "very-secret".to_owned(), None));
    let sandbox = app::with(SandboxConfig { model, ..SandboxConfig::default() }).await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "hi").await;
    let frames = client.until_done().await;
    let text = frames[frames.len() - 2]["body"].as_str().unwrap();
    assert!(text.contains("could not be reached") && !text.contains("very-secret"), "{text}");
}
