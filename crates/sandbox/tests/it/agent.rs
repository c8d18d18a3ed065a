//! Conversations over a real WebSocket, frame by frame.

use std::time::Duration;

use callbox_sandbox::{Endpoint, Fault, Sandbox, SandboxConfig};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Request, protocol::CloseFrame},
};

use crate::app;

pub(crate) const ADA_SUB: &str = "sandbox|ada";
pub(crate) const GRACE_SUB: &str = "sandbox|grace";

/// A sandbox that does not take its time.
pub(crate) async fn quick() -> Sandbox {
    app::with(SandboxConfig { pace: Duration::ZERO, ..SandboxConfig::default() }).await
}

/// A client at the agent: one socket.
pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What a socket ended with.
#[derive(Debug, PartialEq)]
pub(crate) enum Gone {
    Closed(Option<(u16, String)>),
    /// Without a close frame.
    Cut,
}

pub(crate) fn request(sandbox: &Sandbox, conversation: &str, pk: &str, token: Option<&str>) -> Request {
    let url = format!("{}/{conversation}?_pk={pk}", sandbox.agent_url()).replacen("http", "ws", 1);
    let mut request = url.into_client_request().unwrap();
    if let Some(token) = token {
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

impl Client {
    pub(crate) async fn connect(sandbox: &Sandbox, conversation: &str, pk: &str) -> Self {
        let token = sandbox.access_token(ADA_SUB).unwrap();
        let (socket, response) = tokio_tungstenite::connect_async(request(sandbox, conversation, pk, Some(&token))).await.unwrap();
        assert!(response.headers().get("sec-websocket-protocol").is_none());
        Self(socket)
    }

    /// Connected and greeted.
    pub(crate) async fn ready(sandbox: &Sandbox, conversation: &str, pk: &str) -> Self {
        let mut client = Self::connect(sandbox, conversation, pk).await;
        assert_eq!(client.frame().await, json!({"type": "cf_agent_identity", "name": conversation, "agent": "chat-agent"}));
        let servers = json!({"prompts": [], "resources": [], "servers": {}, "tools": []});
        assert_eq!(client.frame().await, json!({"type": "cf_agent_mcp_servers", "mcp": servers}));
        client
    }

    pub(crate) async fn raw(&mut self) -> Result<String, Gone> {
        let next = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("the agent says something");
        match next {
            Some(Ok(Message::Text(text))) => Ok(text.as_str().to_owned()),
            Some(Ok(Message::Close(frame))) => {
                Err(Gone::Closed(frame.map(|CloseFrame { code, reason }| (code.into(), reason.as_str().to_owned()))))
            }
            Some(Err(Error::Protocol(_) | Error::Io(_))) | None => Err(Gone::Cut),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn frame(&mut self) -> Value {
        serde_json::from_str(&self.raw().await.expect("the socket is open")).unwrap()
    }

    /// All frames up to the last one of a request.
    pub(crate) async fn until_done(&mut self) -> Vec<Value> {
        self.until(|frame| frame["done"] == true).await
    }

    pub(crate) async fn until(&mut self, last: impl Fn(&Value) -> bool) -> Vec<Value> {
        let mut frames = Vec::new();
        loop {
            let frame = self.frame().await;
            let is_last = last(&frame);
            frames.push(frame);
            if is_last {
                return frames;
            }
        }
    }

    /// Waits until the socket is gone, however.
    pub(crate) async fn gone(&mut self) -> Gone {
        loop {
            if let Err(gone) = self.raw().await {
                return gone;
            }
        }
    }

    pub(crate) async fn send(&mut self, frame: Value) {
        self.0.send(Message::text(frame.to_string())).await.unwrap();
    }

    pub(crate) async fn submit(&mut self, request: &str, messages: Value, trigger: &str) {
        let body = json!({"messages": messages, "trigger": trigger}).to_string();
        let init = json!({"method": "POST", "body": body});
        self.send(json!({"type": "cf_agent_use_chat_request", "id": request, "init": init})).await;
    }

    pub(crate) async fn ask(&mut self, request: &str, message: &str, text: &str) {
        self.submit(request, json!([user(message, text)]), "submit-message").await;
    }

    pub(crate) async fn decide(&mut self, call: &str, approved: bool, probe: &str) {
        self.send(json!({"type": "cf_agent_tool_approval", "toolCallId": call, "approved": approved, "autoContinue": true})).await;
        self.send(json!({"type": "cf_agent_stream_resume_request", "probeId": probe})).await;
    }

    pub(crate) async fn ack(&mut self, request: &str) {
        self.send(json!({"type": "cf_agent_stream_resume_ack", "id": request})).await;
    }

    /// Nothing has arrived: what was sent before a probe's answer would have come before it.
    pub(crate) async fn probe(&mut self, probe: &str) -> Vec<Value> {
        self.send(json!({"type": "cf_agent_stream_resume_request", "probeId": probe})).await;
        self.until(|frame| frame["probeId"] == probe).await
    }
}

pub(crate) fn user(id: &str, text: &str) -> Value {
    json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
}

/// The chunk in a response frame.
pub(crate) fn chunk(frame: &Value) -> Option<Value> {
    serde_json::from_str(frame["body"].as_str()?).ok()
}

/// Frames in short: types of chunks for responses, types of frames for the rest; runs of deltas once.
pub(crate) fn shape(frames: &[Value]) -> Vec<String> {
    let mut shape: Vec<String> = Vec::new();
    for frame in frames {
        let kind = match (frame["type"].as_str().unwrap(), chunk(frame)) {
            ("cf_agent_use_chat_response", Some(chunk)) => chunk["type"].as_str().unwrap().to_owned(),
            ("cf_agent_use_chat_response", None) if frame["done"] == true => "done".to_owned(),
            ("cf_agent_use_chat_response", None) if frame["replayComplete"] == true => "replay-complete".to_owned(),
            ("cf_agent_use_chat_response", None) => "error".to_owned(),
            (kind, _) => kind.strip_prefix("cf_agent_").unwrap().to_owned(),
        };
        if !(kind.ends_with("-delta") && shape.last() == Some(&kind)) {
            shape.push(kind);
        }
    }
    shape
}

pub(crate) fn said(frames: &[Value]) -> String {
    frames.iter().filter_map(chunk).filter_map(|chunk| chunk["delta"].as_str().map(str::to_owned)).collect()
}

pub(crate) fn sequence(frames: &[Value]) -> Vec<u64> {
    frames.iter().filter_map(|frame| frame["seq"].as_u64()).collect()
}

pub(crate) async fn messages(sandbox: &Sandbox, conversation: &str) -> Vec<Value> {
    let token = sandbox.access_token(ADA_SUB).unwrap();
    let url = format!("{}/{conversation}/get-messages", sandbox.agent_url());
    app::http().get(url).bearer_auth(token).send().await.unwrap().json().await.unwrap()
}

#[tokio::test]
async fn a_question_is_answered_in_numbered_pieces_and_kept() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "hello").await;
    let frames = client.until_done().await;
    assert_eq!(shape(&frames), ["start", "start-step", "text-start", "text-delta", "text-end", "finish-step", "finish", "done"]);
    assert_eq!(sequence(&frames), (0..u64::try_from(frames.len() - 1).unwrap()).collect::<Vec<_>>());
    assert!(frames.iter().all(|frame| frame["id"] == "r1"));
    let start = chunk(&frames[0]).unwrap();
    assert!(start["messageId"].as_str().unwrap().starts_with("assistant_"));
    assert_eq!(chunk(&frames[frames.len() - 2]).unwrap()["messageMetadata"], json!({"finishReason": "stop"}));
    let last = json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "", "done": true, "messageIds": ["u1"]});
    assert_eq!(frames.last(), Some(&last));
    assert!(said(&frames).contains("script"), "the first answer says what it is");

    let answer = json!({"id": start["messageId"], "role": "assistant", "parts": [
        {"type": "step-start"}, {"type": "text", "text": said(&frames), "state": "done"}
    ]});
    assert_eq!(messages(&sandbox, "c1").await, [user("u1", "hello"), answer]);
    assert_eq!((sandbox.control().submits("u1"), sandbox.control().requests(Endpoint::Turn)), (1, 1));
}

#[tokio::test]
async fn the_clock_tool_just_runs() {
    let clock = callbox_sandbox::Clock::standing(std::time::UNIX_EPOCH + Duration::from_secs(1_767_323_045));
    let sandbox = app::with(SandboxConfig { clock, pace: Duration::ZERO, ..SandboxConfig::default() }).await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "what time is it").await;
    let frames = client.until_done().await;
    let expected = [
        "start",
        "start-step",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-output-available",
        "finish-step",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
        "done",
    ];
    assert_eq!(shape(&frames), expected);
    let stored = messages(&sandbox, "c1").await;
    let tool = &stored[1]["parts"][1];
    assert_eq!((&tool["type"], &tool["toolName"], &tool["state"]), (&json!("tool-getTime"), &json!("getTime"), &json!("output-available")));
    assert_eq!(tool["output"]["time"], "2026-01-02T03:04:05Z");
    assert!(said(&frames).contains("03:04 UTC"));
}

#[tokio::test]
async fn others_see_the_list_twice_the_stream_and_the_list_again() {
    let sandbox = quick().await;
    let mut asking = Client::ready(&sandbox, "c1", "pk1").await;
    let mut watching = Client::ready(&sandbox, "c1", "pk2").await;
    asking.ask("r1", "u1", "hello").await;
    let own = asking.until_done().await;
    let seen = watching.until_done().await;
    assert!(!shape(&own).contains(&"chat_messages".to_owned()));
    let expected = [
        "chat_messages",
        "chat_messages",
        "start",
        "start-step",
        "text-start",
        "text-delta",
        "text-end",
        "finish-step",
        "finish",
        "chat_messages",
        "done",
    ];
    assert_eq!(shape(&seen), expected);
    assert_eq!(seen[0]["messages"], json!([user("u1", "hello")]));
    assert_eq!(seen[seen.len() - 2]["messages"], json!(messages(&sandbox, "c1").await));
    assert_eq!(said(&own), said(&seen));
}

#[tokio::test]
async fn cancel_keeps_what_was_said_and_ends_with_aborted() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    sandbox.control().hold_after(13);
    client.ask("r1", "u1", "stream 500").await;
    sandbox.control().until_held().await;
    client.send(json!({"type": "cf_agent_chat_request_cancel", "id": "r1"})).await;
    let frames = client.until_done().await;
    let last =
        json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "", "done": true, "outcome": "aborted", "messageIds": ["u1"]});
    assert_eq!(frames.last(), Some(&last));
    let part = &messages(&sandbox, "c1").await[1]["parts"][1];
    assert_eq!((part["text"].as_str(), part["state"].as_str()), (Some("w0 w1 w2 w3 w4 w5 w6 w7 w8 w9 "), Some("streaming")));

    sandbox.control().release();
    client.ask("r2", "u2", "thank you").await;
    let frames = client.until_done().await;
    assert_eq!(frames.last().unwrap()["messageIds"], json!(["u2"]), "the next turn is not disturbed");
    assert_eq!(messages(&sandbox, "c1").await.len(), 4);
}

#[tokio::test]
async fn turns_run_one_after_the_other_and_a_waiting_one_can_be_cancelled() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    sandbox.control().hold_after(5);
    for (request, message) in [("r1", "u1"), ("r2", "u2"), ("r3", "u3")] {
        client.ask(request, message, "stream 20").await;
    }
    sandbox.control().until_held().await;
    client.send(json!({"type": "cf_agent_chat_request_cancel", "id": "r2"})).await;
    let frames = client.until(|frame| frame["id"] == "r2").await;
    assert_eq!(frames.last().unwrap()["outcome"], "aborted");
    sandbox.control().release();
    let rest = client.until(|frame| frame["id"] == "r3" && frame["done"] == true).await;
    let order: Vec<&str> = rest.iter().filter(|frame| frame["done"] == true).map(|frame| frame["id"].as_str().unwrap()).collect();
    assert_eq!(order, ["r1", "r3"]);
}

#[tokio::test]
async fn clear_empties_it_for_everybody_and_nothing_of_the_running_turn_comes_back() {
    let sandbox = quick().await;
    let mut clearing = Client::ready(&sandbox, "c1", "pk1").await;
    let mut watching = Client::ready(&sandbox, "c1", "pk2").await;
    sandbox.control().hold_after(9);
    clearing.ask("r1", "u1", "stream 500").await;
    sandbox.control().until_held().await;
    clearing.send(json!({"type": "cf_agent_chat_clear"})).await;
    let frames = watching.until_done().await;
    let shape = shape(&frames);
    assert_eq!(&shape[shape.len() - 2..], ["chat_clear", "done"]);
    assert_eq!(messages(&sandbox, "c1").await, Vec::<Value>::new());
    sandbox.control().release();
    clearing.ask("r2", "u2", "stream 3").await;
    clearing.until(|frame| frame["id"] == "r2" && frame["done"] == true).await;
    assert_eq!(messages(&sandbox, "c1").await.len(), 2);
}

#[tokio::test]
async fn regenerating_replaces_the_answer() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "hello").await;
    let first = chunk(&client.until_done().await[0]).unwrap();
    client.submit("r2", json!([user("u1", "hello")]), "regenerate-message").await;
    let second = chunk(&client.until_done().await[0]).unwrap();
    assert_ne!(first["messageId"], second["messageId"]);
    let ids: Vec<Value> = messages(&sandbox, "c1").await.iter().map(|message| message["id"].clone()).collect();
    assert_eq!(ids, [json!("u1"), second["messageId"].clone()]);
}

#[tokio::test]
async fn a_failing_model_leaves_its_text_and_says_why() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    sandbox.control().once(Endpoint::Turn, Fault::ModelError { text: "provider exploded".to_owned(), chunks: 2 });
    client.ask("r1", "u1", "stream 5").await;
    let frames = client.until_done().await;
    assert_eq!(shape(&frames), ["start", "start-step", "text-start", "text-delta", "error", "done"]);
    let error = &frames[frames.len() - 2];
    assert_eq!((&error["body"], &error["error"], &error["done"]), (&json!("provider exploded"), &json!(true), &json!(false)));
    assert_eq!(frames.last().unwrap()["outcome"], "error");
    assert_eq!(messages(&sandbox, "c1").await[1]["parts"][1]["text"], "w0 w1 ");

    // A later socket asks, and is told what happened, once it accepts.
    let mut later = Client::ready(&sandbox, "c1", "pk2").await;
    let answer = later.probe("p1").await;
    assert_eq!(answer, [json!({"type": "cf_agent_stream_resuming", "id": "r1", "probeId": "p1"})]);
    later.ack("r1").await;
    let frames = later.until_done().await;
    assert_eq!(said(&frames), "w0 w1 ");
    let last = frames.last().unwrap();
    assert_eq!((&last["body"], &last["error"], last.get("replay")), (&json!("provider exploded"), &json!(true), None));
}

#[tokio::test]
async fn a_silent_failure_says_nothing_and_an_empty_one_says_so() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    sandbox.control().once(Endpoint::Turn, Fault::Silence);
    client.ask("r1", "u1", "hello").await;
    sandbox.control().until_requests(Endpoint::Turn, 1).await;
    sandbox.control().once(Endpoint::Turn, Fault::NoAnswer);
    client.ask("r2", "u2", "hello").await;
    let frames = client.until_done().await;
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!((&frames[0]["id"], &frames[0]["body"]), (&json!("r2"), &json!("No response was generated by the agent.")));
    let idle = json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p1"});
    assert_eq!(client.probe("p1").await, [idle]);
}

#[tokio::test]
async fn frames_that_mean_nothing_are_left_alone() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    for frame in [
        json!({"type": "unknown"}),
        json!([1, 2]),
        json!({"type": "cf_agent_use_chat_request", "id": "r", "init": {"method": "GET", "body": "{}"}}),
        json!({"type": "cf_agent_use_chat_request", "id": "r", "init": {"method": "POST", "body": "not json"}}),
        json!({"type": "cf_agent_chat_request_cancel", "id": "nobody"}),
        json!({"type": "rpc", "id": 1, "method": "x", "args": []}),
    ] {
        client.send(frame).await;
    }
    client.send(json!({"type": "rpc", "id": "1", "method": "nope", "args": []})).await;
    let answer = client.frame().await;
    assert_eq!(answer, json!({"type": "rpc", "id": "1", "success": false, "error": "Method nope does not exist"}));
}
