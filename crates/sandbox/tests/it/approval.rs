//! A tool that asks: the traces of approving and denying.

use callbox_sandbox::{Endpoint, SandboxConfig};
use serde_json::{Value, json};

use crate::{
    agent::{Client, chunk, messages, quick, said, sequence, shape, user},
    app,
};

/// Asks for the weather; the id of the call that waits comes back.
async fn asked(client: &mut Client, question: &str) -> Vec<String> {
    client.ask("r1", "u1", question).await;
    let frames = client.until_done().await;
    let requests = frames.iter().filter_map(chunk).filter(|chunk| chunk["type"] == "tool-approval-request");
    requests.map(|chunk| chunk["toolCallId"].as_str().unwrap().to_owned()).collect()
}

/// Frames of a decision up to its continuation's end, acknowledging the offer as it comes.
async fn continued(client: &mut Client) -> Vec<Value> {
    let mut frames = client.until(|frame| frame["type"] == "cf_agent_stream_resuming").await;
    let id = frames.last().unwrap()["id"].as_str().unwrap().to_owned();
    client.ack(&id).await;
    frames.extend(client.until_done().await);
    frames
}

#[tokio::test]
async fn the_turn_ends_while_it_waits_for_the_person() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "weather in Paris").await;
    let frames = client.until_done().await;
    let expected = [
        "start",
        "start-step",
        "tool-input-start",
        "tool-input-delta",
        "tool-input-available",
        "tool-approval-request",
        "finish-step",
        "finish",
        "done",
    ];
    assert_eq!(shape(&frames), expected);
    let finish = chunk(&frames[frames.len() - 2]).unwrap();
    assert_eq!(finish["messageMetadata"], json!({"finishReason": "tool-calls"}));
    assert!(frames.last().unwrap().get("outcome").is_none());
    let stored = messages(&sandbox, "c1").await;
    let part = &stored[1]["parts"][1];
    assert_eq!((&part["type"], &part["state"]), (&json!("tool-getWeather"), &json!("approval-requested")));
    assert_eq!(part["input"], json!({"city": "Paris", "unit": "celsius"}));
    assert_eq!(part["approval"].as_object().unwrap().keys().collect::<Vec<_>>(), ["id"]);
}

#[tokio::test]
async fn approving_runs_the_tool_and_the_answer_goes_on_under_a_new_request() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    let call = asked(&mut client, "weather in Paris").await.remove(0);
    client.decide(&call, true, "p1").await;
    let frames = continued(&mut client).await;

    let shape = shape(&frames);
    assert_eq!(shape[..3], ["message_updated", "stream_pending", "stream_resuming"]);
    let part = &frames[0]["message"]["parts"][1];
    assert_eq!((&part["state"], &part["approval"]["approved"]), (&json!("approval-responded"), &json!(true)));
    let id = &frames[1]["id"];
    assert_eq!(frames[1], json!({"type": "cf_agent_stream_pending", "id": id, "probeId": "p1"}));
    assert_eq!(frames[2], json!({"type": "cf_agent_stream_resuming", "id": id}));

    let stream: Vec<&String> = shape[3..].iter().filter(|kind| *kind != "replay-complete").collect();
    let mut expected = ["start", "tool-output-available", "start-step", "text-start", "text-delta"].to_vec();
    expected.extend(["text-end", "finish-step", "finish", "chat_messages", "done"]);
    let once: Vec<&String> =
        stream.iter().enumerate().filter(|(at, kind)| *at == 0 || **kind != stream[at - 1]).map(|(_, kind)| *kind).collect();
    assert_eq!(once, expected, "deltas may be replayed in part");
    assert_eq!(shape.iter().filter(|kind| *kind == "replay-complete").count(), 1);

    let responses: Vec<&Value> = frames.iter().filter(|frame| frame["type"] == "cf_agent_use_chat_response").collect();
    assert!(responses.iter().all(|frame| frame["continuation"] == true && frame["id"] == *id));
    let boundary = responses.iter().position(|frame| frame["replayComplete"] == true).unwrap();
    assert!(responses[..boundary].iter().all(|frame| frame["replay"] == true));
    assert!(responses[boundary + 1..].iter().all(|frame| frame.get("replay").is_none()));
    assert_eq!(chunk(responses[0]).unwrap(), json!({"type": "start"}), "it belongs to the message that is there");
    let seq = sequence(&frames);
    assert_eq!(seq, (0..u64::try_from(seq.len()).unwrap()).collect::<Vec<_>>(), "no chunk is lost between replay and live");
    assert_eq!(
        *responses.last().unwrap(),
        &json!({"type": "cf_agent_use_chat_response", "id": id, "body": "", "done": true, "continuation": true})
    );

    let stored = messages(&sandbox, "c1").await;
    assert_eq!(frames[frames.len() - 2]["messages"], json!(stored), "the one who approved gets the list, too");
    let part = &stored[1]["parts"][1];
    assert_eq!((&part["state"], &part["output"]["city"]), (&json!("output-available"), &json!("Paris")));
    assert!(part["output"]["note"].as_str().unwrap().contains("Made up"));
    assert_eq!(stored[1]["parts"][3]["text"], said(&frames));
    assert_eq!((sandbox.control().decisions(&call), sandbox.control().acks(id.as_str().unwrap())), (1, 1));
}

#[tokio::test]
async fn denying_settles_the_call_at_once_and_the_answer_accepts_it() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    let call = asked(&mut client, "weather in Oslo").await.remove(0);
    client.decide(&call, false, "p1").await;
    let frames = continued(&mut client).await;
    let shape = shape(&frames);
    assert_eq!(shape[..3], ["message_updated", "stream_pending", "stream_resuming"]);
    let part = &frames[0]["message"]["parts"][1];
    assert_eq!((&part["state"], &part["approval"]["approved"]), (&json!("output-denied"), &json!(false)));
    assert!(!shape.contains(&"tool-output-available".to_owned()), "it did not run: {shape:?}");
    assert!(said(&frames).contains("did not look up the weather in Oslo"));

    // The first decision stands.
    client.decide(&call, true, "p2").await;
    let after = client.until(|frame| frame["probeId"] == "p2").await;
    assert_eq!(after, [json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p2"})]);
    assert_eq!(messages(&sandbox, "c1").await[1]["parts"][1]["state"], "output-denied");
}

#[tokio::test]
async fn with_two_calls_the_answer_waits_for_the_second_decision() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    let calls = asked(&mut client, "weather in Oslo and Rome").await;
    assert_eq!(calls.len(), 2);
    client.decide(&calls[1], true, "p1").await;
    let frames = client.until(|frame| frame["probeId"] == "p1").await;
    assert_eq!(shape(&frames), ["message_updated", "stream_pending"]);
    assert_eq!(sandbox.control().requests(Endpoint::Turn), 1);
    client.decide(&calls[0], false, "p2").await;
    let frames = continued(&mut client).await;
    assert_eq!(sandbox.control().requests(Endpoint::Turn), 2);
    assert!(said(&frames).contains("Rome") && said(&frames).contains("Oslo"));
    let stored = messages(&sandbox, "c1").await;
    let states: Vec<&Value> =
        stored[1]["parts"].as_array().unwrap().iter().filter_map(|part| part.get("toolCallId").and(part.get("state"))).collect();
    assert_eq!(states, ["output-denied", "output-available"]);
}

#[tokio::test]
async fn another_window_sees_the_continuation_live_and_the_approver_only_after_accepting() {
    let sandbox = quick().await;
    let mut approving = Client::ready(&sandbox, "c1", "pk1").await;
    let mut watching = Client::ready(&sandbox, "c1", "pk2").await;
    let call = asked(&mut approving, "weather in Paris").await.remove(0);
    watching.until_done().await;
    approving.decide(&call, true, "p1").await;
    let seen = watching.until_done().await;
    assert_eq!(shape(&seen)[..3], ["message_updated", "start", "tool-output-available"]);
    assert!(seen.iter().all(|frame| frame.get("replay").is_none()));
    // Never accepted: no chunk, but the list and the last frame.
    let frames = approving.until_done().await;
    assert_eq!(shape(&frames), ["message_updated", "stream_pending", "stream_resuming", "chat_messages", "done"]);
    assert_eq!(frames[3]["messages"], json!(messages(&sandbox, "c1").await));
}

#[tokio::test]
async fn an_approval_can_be_given_after_a_reconnect_and_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let config = SandboxConfig { pace: std::time::Duration::ZERO, ..SandboxConfig::default() }.with_state(folder.path());
    let sandbox = app::with(config.clone()).await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    let call = asked(&mut client, "weather in Paris").await.remove(0);
    sandbox.control().drop_sockets();
    drop(client);
    sandbox.shutdown().await;

    let sandbox = app::with(config).await;
    let stored = messages(&sandbox, "c1").await;
    assert_eq!(stored[1]["parts"][1]["state"], "approval-requested");
    let mut client = Client::ready(&sandbox, "c1", "pk2").await;
    client.decide(&call, true, "p1").await;
    continued(&mut client).await;
    assert_eq!(messages(&sandbox, "c1").await[1]["parts"][1]["state"], "output-available");
}

#[tokio::test]
async fn a_new_question_settles_what_was_left_open() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    let call = asked(&mut client, "weather in Paris").await.remove(0);
    client.submit("r2", json!([user("u2", "thank you")]), "submit-message").await;
    let frames = client.until_done().await;
    assert_eq!(shape(&frames)[0], "message_updated");
    let part = &messages(&sandbox, "c1").await[1]["parts"][1];
    assert_eq!(
        (&part["state"], &part["errorText"]),
        (&json!("output-error"), &json!("The tool call was interrupted before a result was recorded."))
    );
    client.decide(&call, true, "p1").await;
    let after = client.until(|frame| frame["probeId"] == "p1").await;
    assert_eq!(shape(&after), ["stream_resume_none"], "too late");
}
