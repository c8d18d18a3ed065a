//! Sockets that go down, and streams that are picked up.

use callbox_sandbox::{Endpoint, Fault};
use serde_json::json;

use crate::agent::{Client, Gone, messages, quick, said, sequence, shape};

#[tokio::test]
async fn a_stream_is_resumed_after_a_drop_with_every_piece_exactly_once() {
    let sandbox = quick().await;
    let control = sandbox.control();
    let mut first = Client::ready(&sandbox, "c1", "pk1").await;
    control.hold_after(40);
    first.ask("r1", "u1", "stream 100").await;
    control.until_held().await;
    control.drop_sockets();
    assert_eq!(first.gone().await, Gone::Cut);
    control.until_open_sockets(0).await;

    let mut second = Client::connect(&sandbox, "c1", "pk1").await;
    let greeting = second.until(|frame| frame["type"] == "cf_agent_mcp_servers").await;
    assert_eq!(shape(&greeting), ["stream_resuming", "identity", "mcp_servers"], "the offer comes before anything else");
    assert_eq!(greeting[0], json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
    let again = second.probe("p1").await;
    assert_eq!(again, [json!({"type": "cf_agent_stream_resuming", "id": "r1", "probeId": "p1"})]);
    second.ack("r1").await;
    let replayed = second.until(|frame| frame["replayComplete"] == true).await;
    assert!(replayed.iter().all(|frame| frame["replay"] == true && frame["done"] == false));
    assert_eq!(sequence(&replayed), (0..40).collect::<Vec<_>>());
    control.release();
    let live = second.until_done().await;
    assert!(live.iter().all(|frame| frame.get("replay").is_none()));
    assert_eq!(sequence(&live).first(), Some(&40));
    let text = format!("{}{}", said(&replayed), said(&live));
    assert_eq!(messages(&sandbox, "c1").await[1]["parts"][1]["text"], text);
    assert!(text.starts_with("w0 w1 ") && text.ends_with("w99 "), "{text}");
}

#[tokio::test]
async fn who_does_not_accept_the_offer_gets_no_pieces_but_the_end() {
    let sandbox = quick().await;
    let control = sandbox.control();
    let mut asking = Client::ready(&sandbox, "c1", "pk1").await;
    control.hold_after(10);
    asking.ask("r1", "u1", "stream 50").await;
    control.until_held().await;
    let mut ignoring = Client::connect(&sandbox, "c1", "pk2").await;
    ignoring.until(|frame| frame["type"] == "cf_agent_mcp_servers").await;
    control.release();
    assert_eq!(shape(&ignoring.until_done().await), ["chat_messages", "done"]);
}

#[tokio::test]
async fn a_turn_that_has_not_begun_is_pending_and_is_offered_when_it_does() {
    let sandbox = quick().await;
    let control = sandbox.control();
    let mut first = Client::ready(&sandbox, "c1", "pk1").await;
    control.hold_after(0);
    first.ask("r1", "u1", "stream 5").await;
    control.until_held().await;
    let mut second = Client::connect(&sandbox, "c1", "pk2").await;
    let greeting = second.until(|frame| frame["type"] == "cf_agent_mcp_servers").await;
    assert_eq!(greeting[0], json!({"type": "cf_agent_stream_pending", "id": "r1"}));
    assert_eq!(second.probe("p1").await, [json!({"type": "cf_agent_stream_pending", "id": "r1", "probeId": "p1"})]);
    control.release();
    assert_eq!(second.frame().await, json!({"type": "cf_agent_stream_resuming", "id": "r1"}));
    second.ack("r1").await;
    let frames = second.until_done().await;
    assert_eq!(said(&frames), "w0 w1 w2 w3 w4 ");
}

#[tokio::test]
async fn an_ended_stream_is_acknowledged_with_its_end_only() {
    let sandbox = quick().await;
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    client.ask("r1", "u1", "stream 5").await;
    client.until_done().await;
    client.ack("r1").await;
    let end = json!({"type": "cf_agent_use_chat_response", "id": "r1", "body": "", "done": true, "replay": true, "messageIds": ["u1"]});
    assert_eq!(client.frame().await, end);
    client.ack("never-heard-of").await;
    let end = json!({"type": "cf_agent_use_chat_response", "id": "never-heard-of", "body": "", "done": true, "replay": true});
    assert_eq!(client.frame().await, end);
}

#[tokio::test]
async fn an_agent_that_was_restarted_has_its_conversations_and_the_running_turn() {
    let sandbox = quick().await;
    let control = sandbox.control();
    let mut first = Client::ready(&sandbox, "c1", "pk1").await;
    control.hold_after(10);
    first.ask("r1", "u1", "stream 20").await;
    control.until_held().await;
    sandbox.stop_agent().await;
    assert_eq!(first.gone().await, Gone::Cut);
    let address = sandbox.agent_url().socket_addrs(|| None).unwrap()[0];
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens");
    sandbox.start_agent().await.unwrap();
    let mut second = Client::connect(&sandbox, "c1", "pk1").await;
    assert_eq!(second.frame().await["type"], "cf_agent_stream_resuming");
    second.ack("r1").await;
    control.release();
    let frames = second.until_done().await;
    assert!(said(&frames).ends_with("w19 "));
}

#[tokio::test]
async fn sockets_can_be_cut_or_closed_after_so_many_frames() {
    let sandbox = quick().await;
    let control = sandbox.control();
    control.once(Endpoint::Socket, Fault::DropAfterFrames { frames: 1 });
    let mut client = Client::connect(&sandbox, "c1", "pk1").await;
    assert_eq!(client.frame().await["type"], "cf_agent_identity");
    assert_eq!(client.raw().await, Err(Gone::Cut));

    for (code, reason) in [(1008, "Unauthorized"), (1011, "Unexpected error"), (4001, "application")] {
        control.once(Endpoint::Socket, Fault::CloseAfterFrames { frames: 2, code, reason: reason.to_owned() });
        let mut client = Client::ready(&sandbox, "c1", "pk1").await;
        assert_eq!(client.raw().await, Err(Gone::Closed(Some((code, reason.to_owned())))));
    }
    control.until_open_sockets(0).await;

    control.once(Endpoint::Socket, Fault::SetupError);
    let mut client = Client::connect(&sandbox, "c1", "pk1").await;
    let frame = client.frame().await;
    assert!(frame["error"].is_string() && frame.get("type").is_none(), "{frame}");
    let gone = Gone::Closed(Some((1011, "Uncaught exception during session setup".to_owned())));
    assert_eq!(client.raw().await, Err(gone));

    control.once(Endpoint::Socket, Fault::SuppressProtocol);
    let mut client = Client::connect(&sandbox, "c1", "pk1").await;
    assert_eq!(client.probe("p1").await.len(), 1, "no identity, no servers");
}

#[tokio::test]
async fn open_sockets_can_be_closed_injected_into_and_stalled() {
    let sandbox = quick().await;
    let control = sandbox.control();
    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    control.inject("c1", "not even json");
    assert_eq!(client.raw().await, Ok("not even json".to_owned()));
    control.close_sockets(1001, "Durable Object destroyed");
    assert_eq!(client.gone().await, Gone::Closed(Some((1001, "Durable Object destroyed".to_owned()))));

    let mut client = Client::ready(&sandbox, "c1", "pk1").await;
    control.stall_sockets();
    control.until(|| control.stalled_sockets() == 1).await;
    client.ask("r1", "u1", "hello").await;
    let silence = tokio::time::timeout(std::time::Duration::from_millis(150), client.raw()).await;
    assert!(silence.is_err(), "{silence:?}");
    assert_eq!(control.submits("u1"), 0, "it does not read either");
}
