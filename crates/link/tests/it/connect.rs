//! Getting in: tokens, refusals, portals.

use std::time::Duration;

use callbox_link::{AgentAddress, Link, LinkConfig, LinkError, LinkState};
use callbox_sandbox::{Endpoint, Fault};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{GRACE, Watched, World, elapse, quick, session, soon};

const HOUR: Duration = Duration::from_secs(3600);

fn respond(status: u16, kind: &str, body: &str) -> Fault {
    Fault::Respond { status, headers: vec![("content-type".to_owned(), kind.to_owned())], body: body.to_owned() }
}

/// Waits until nothing is under way any more: a request that were still made would have been made.
async fn is_final(watched: &mut Watched, requests: impl Fn() -> u64) {
    let before = requests();
    for _ in 0..10 {
        elapse(HOUR).await;
        watched.link.subscribe().await.unwrap();
    }
    assert_eq!(requests(), before, "nothing more is tried by itself");
}

#[tokio::test]
async fn an_expired_token_is_refreshed_at_the_handshake() {
    let world = World::new().await;
    world.session.access_token().await.unwrap();
    // The agent's clock is ahead: what the session holds to be good has expired there.
    world.control().advance(HOUR * 2);
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    assert_eq!(world.control().handshakes(), (1, 1), "refused once, then accepted");
    assert_eq!(world.control().presented().len(), 1, "one refresh");
}

#[tokio::test]
async fn a_fresh_token_that_is_refused_too_needs_a_person() {
    let world = World::new().await;
    world.control().always(Endpoint::Socket, [Fault::status(401)]);
    let mut watched = world.link("c1").await;
    watched.until("sign-in needed", |watched| watched.status.link == LinkState::SignInNeeded { why: Some(LinkError::Rejected) }).await;
    assert_eq!(world.control().handshakes(), (0, 2), "once with each token");
    is_final(&mut watched, || world.control().requests(Endpoint::Socket)).await;
    world.control().clear(Endpoint::Socket);
    watched.link.reconnect().await.unwrap();
    watched.until_online().await;
}

#[tokio::test]
async fn somebody_elses_conversation_is_refused_with_the_agents_words() {
    let world = World::new().await;
    let _ada = world.online("c1").await;
    let grace = session(&world.sandbox, GRACE).await;
    let mut watched = Watched::new(Link::spawn(LinkConfig { timing: quick(), ..world.config("c1", &grace) })).await;
    let refused = LinkState::Refused(LinkError::Forbidden { text: "This chat is not yours.".to_owned() });
    watched.until("refused", |watched| watched.status.link == refused).await;
    assert_eq!((watched.messages.len(), world.control().handshakes()), (0, (1, 1)));
    is_final(&mut watched, || world.control().requests(Endpoint::Socket)).await;
}

#[tokio::test]
async fn a_portal_in_between_is_named_and_the_link_comes_back_when_it_is_gone() {
    let world = World::new().await;
    for (endpoint, fault, status) in [
        (Endpoint::Socket, Fault::redirect("https://portal.example/login"), 302),
        (Endpoint::Socket, Fault::html(), 200),
        (Endpoint::Messages, Fault::redirect("https://portal.example/login"), 302),
        (Endpoint::Messages, Fault::html(), 200),
        (Endpoint::Messages, respond(200, "text/plain", "\n<!DOCTYPE html><title>Hotel</title>"), 200),
        (Endpoint::Messages, respond(200, "application/json", "<html>"), 200),
        (Endpoint::Socket, respond(511, "text/html", "<html>"), 511),
        (Endpoint::Messages, respond(511, "text/html", "<html>"), 511),
    ] {
        world.control().always(endpoint, [fault]);
        let mut watched = world.link("c1").await;
        let portal = LinkError::Intercepted { status };
        let named = |watched: &Watched| matches!(&watched.status.link, LinkState::Offline { retry_in: Some(_), why } if *why == portal);
        watched.until("the portal is named", named).await;
        assert!(!watched.status.turn.is_active());
        world.control().clear(endpoint);
        watched.link.reconnect().await.unwrap();
        watched.until_online().await;
        watched.link.close().await;
    }
    assert_eq!(world.control().presented().len(), 0, "no token is thrown away for that");
}

#[tokio::test]
async fn a_sign_in_page_for_browsers_is_told_from_a_portal() {
    let world = World::new().await;
    let page = "https://team.cloudflareaccess.com/cdn-cgi/access/login/agent.example?kid=1&redirect_url=%2Fagents";
    world.control().always(Endpoint::Socket, [Fault::redirect(page)]);
    let mut watched = world.link("c1").await;
    let told = LinkState::Refused(LinkError::LoginPage { host: "team.cloudflareaccess.com".to_owned() });
    watched.until("the page is named", |watched| watched.status.link == told).await;
    is_final(&mut watched, || world.control().requests(Endpoint::Socket)).await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_words_of_its_problem_description() {
    let world = World::new().await;
    let problem = r#"{"type": "about:blank", "title": "Forbidden", "detail": "Your team has no access to this agent."}"#;
    world.control().always(Endpoint::Socket, [respond(403, "application/problem+json", problem)]);
    let mut watched = world.link("c1").await;
    let refused = LinkState::Refused(LinkError::Forbidden { text: "Your team has no access to this agent.".to_owned() });
    watched.until("refused", |watched| watched.status.link == refused).await;
    assert_eq!(world.control().presented().len(), 0);
}

#[tokio::test]
async fn messages_that_cannot_be_had_are_not_an_empty_conversation() {
    let world = World::new().await;
    let mut first = world.online("c1").await;
    first.link.send("hello").await.unwrap();
    first.until_answered(2).await;
    first.link.close().await;

    world.control().once(Endpoint::Messages, Fault::status(500));
    let mut watched = world.link("c1").await;
    let unwell = LinkError::Unwell { status: 500, retry_in: None };
    watched.until("unwell", |watched| matches!(&watched.status.link, LinkState::Offline { why, .. } if *why == unwell)).await;
    assert_eq!(world.control().requests(Endpoint::Messages), 2);
    world.control().once(Endpoint::Messages, Fault::Respond { status: 403, headers: vec![], body: "No.".to_owned() });
    watched.link.reconnect().await.unwrap();
    let refused = LinkState::Refused(LinkError::Forbidden { text: "No.".to_owned() });
    watched.until("refused", |watched| watched.status.link == refused).await;
    world.control().once(Endpoint::Messages, Fault::status(401));
    watched.link.reconnect().await.unwrap();
    watched.until_online().await;
    assert_eq!(world.control().presented().len(), 1, "a fresh token for the messages, too");
    watched.until("both messages", |watched| watched.messages.len() == 2).await;
    assert_eq!(watched.messages, world.stored("c1"));
}

#[tokio::test]
async fn an_address_where_no_agent_is_is_told() {
    let world = World::new().await;
    let mut elsewhere = world.sandbox.agent_url();
    elsewhere.set_path("/agents/no-such-agent");
    let address = AgentAddress::new(elsewhere).unwrap();
    let mut watched = Watched::new(Link::spawn(LinkConfig { address, ..world.config("c1", &world.session) })).await;
    let told = |watched: &Watched| matches!(watched.status.link, LinkState::Refused(LinkError::NoSuchAgent { .. }));
    watched.until("no such agent", told).await;
}

#[tokio::test]
async fn the_token_is_in_the_header_and_the_connections_id_is_kept() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/agents/chat-agent", listener.local_addr().unwrap());
    let address = AgentAddress::new(url.parse().unwrap()).unwrap();
    let link = Link::spawn(LinkConfig { address, timing: quick(), ..world.config("c1", &world.session) });
    let mut seen = Vec::new();
    for _ in 0..3 {
        let (mut stream, _) = soon("a handshake", listener.accept()).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(soon("the request", stream.read_u8()).await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        seen.push(String::from_utf8(request).unwrap());
    }
    link.close().await;
    let target = |request: &String| request.lines().next().unwrap().to_owned();
    for request in &seen {
        let headers = request.to_ascii_lowercase();
        assert!(request.starts_with("GET /agents/chat-agent/c1?_pk=") && !target(request).contains("token"), "{}", target(request));
        assert_eq!(target(request), target(&seen[0]), "one id for all sockets of a link");
        assert_eq!(headers.matches("authorization: bearer ").count(), 1);
        for absent in ["sec-websocket-protocol", "sec-websocket-extensions", "cookie", "origin"] {
            assert!(!headers.contains(absent), "{absent}");
        }
    }
}

#[tokio::test]
async fn what_is_no_websocket_is_not_spoken_to() {
    let world = World::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/agents/chat-agent", listener.local_addr().unwrap());
    let address = AgentAddress::new(url.parse().unwrap()).unwrap();
    let mut watched = Watched::new(Link::spawn(LinkConfig { address, ..world.config("c1", &world.session) })).await;
    let (mut stream, _) = soon("a handshake", listener.accept()).await.unwrap();
    let accept = "sec-websocket-accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let answer = format!("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n{accept}\r\n\r\n");
    stream.write_all(answer.as_bytes()).await.unwrap();
    let told = |watched: &Watched| matches!(watched.status.link, LinkState::Refused(LinkError::NotAnAgent(_)));
    watched.until("not an agent", told).await;
}
