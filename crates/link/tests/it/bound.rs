//! Tokens that are bound to a key of this computer (RFC 9449), at an agent that checks every proof.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_identity::{Clock, Config, Dpop, Issuer, Profile, Retry, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkError, LinkState};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, Sandbox, SandboxConfig};
use callbox_vault::Vault;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::world::{ADA, Watched, World, elapse, http, quick, sign_in, soon};

/// A clock that is wrong by so many hours.
struct Late(u64);

impl Clock for Late {
    fn now(&self) -> std::time::SystemTime {
        SystemClock.now() - Duration::from_secs(3600 * self.0)
    }
}

/// Ada, signed in with a key.
async fn world_with(clock: Arc<dyn Clock>) -> World {
    let sandbox = Sandbox::start(SandboxConfig { pace: Duration::ZERO, ..SandboxConfig::default() }).await.unwrap();
    let mut profile = Profile::new("sandbox", sandbox.agent_url(), Issuer::try_from(sandbox.issuer()).unwrap(), sandbox.client_id());
    (profile.audience, profile.dpop) = (Some(AUDIENCE.to_owned()), Dpop::Required);
    let session = Session::spawn(Config { profile, vault: Vault::memory(), http: http(), clock, entropy: Arc::new(SystemEntropy) });
    sign_in(&session, ADA).await;
    assert!(session.access_token().await.unwrap().is_bound());
    World { sandbox, session }
}

async fn world() -> World {
    world_with(Arc::new(SystemClock)).await
}

#[tokio::test]
async fn a_conversation_goes_with_a_proof_for_each_request() {
    let world = world().await;
    let mut watched = world.online("c1").await;
    watched.link.send("hello").await.unwrap();
    watched.until_answered(2).await;
    world.control().drop_sockets();
    watched.mend().await;
    assert_eq!(world.control().handshakes(), (2, 0), "no proof was used twice, none was refused");
    assert_eq!((world.control().requests(Endpoint::Messages), world.control().presented().len()), (2, 0));
    assert_eq!(watched.messages, world.stored("c1"));
}

#[tokio::test]
async fn the_proof_is_about_this_address_without_its_query_and_the_token_is_nowhere_else() {
    let world = world().await;
    let token = world.session.access_token().await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/agents/chat-agent", listener.local_addr().unwrap());
    let address = AgentAddress::new(url.parse().unwrap()).unwrap();
    let link = Link::spawn(LinkConfig { address, timing: quick(), ..world.config("c1", &world.session) });
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (mut stream, _) = soon("a handshake", listener.accept()).await.unwrap();
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(soon("the request", stream.read_u8()).await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 503 Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await.unwrap();
        let request = String::from_utf8(request).unwrap();
        let field = |name: &str| -> Vec<String> {
            let lines = request.lines().filter_map(|line| line.split_once(": "));
            lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
        };
        assert_eq!(field("authorization"), [token.header_value().to_str().unwrap()]);
        let bare = token.header_value().to_str().unwrap().trim_start_matches("DPoP ").to_owned();
        assert_eq!(request.matches(&bare).count(), 1);
        let [proof] = field("dpop").try_into().unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(proof.split('.').nth(1).unwrap()).unwrap()).unwrap();
        assert_eq!((claims["htm"].as_str(), claims["htu"].as_str()), (Some("GET"), Some(format!("{url}/c1").as_str())));
        ids.push(claims["jti"].clone());
    }
    assert_ne!(ids[0], ids[1]);
    link.close().await;
}

#[tokio::test]
async fn an_agent_that_asks_for_a_nonce_gets_it_and_no_token_is_thrown_away() {
    let world = world().await;
    world.control().set(|settings| settings.agent_nonce = true);
    let mut watched = world.online("c1").await;
    assert_eq!((world.control().handshakes(), world.control().requests(Endpoint::Messages)), ((1, 1), 1), "asked once, known from then on");
    world.control().drop_sockets();
    watched.mend().await;
    assert_eq!(world.control().handshakes(), (2, 1));
    // The nonce has become too old, at `get-messages`.
    world.control().once(Endpoint::Messages, Fault::AskForNonce);
    world.control().drop_sockets();
    watched.mend().await;
    assert_eq!((world.control().handshakes(), world.control().requests(Endpoint::Messages)), ((3, 1), 4));
    assert_eq!(world.control().presented().len(), 0, "that is not what an expired token looks like");
}

#[tokio::test]
async fn an_agent_that_always_asks_is_an_error_and_no_loop() {
    for endpoint in [Endpoint::Socket, Endpoint::Messages] {
        let world = world().await;
        world.control().always(endpoint, [Fault::AskForNonce]);
        let mut watched = world.link("c1").await;
        let told = |watched: &Watched| matches!(&watched.status.link, LinkState::Offline { retry_in: Some(_), why: LinkError::NonceLoop });
        watched.until("told", told).await;
        assert_eq!((world.control().requests(endpoint), world.control().presented().len()), (2, 0), "{endpoint:?}");
        world.control().clear(endpoint);
        watched.link.reconnect().await.unwrap();
        watched.until_online().await;
    }
}

#[tokio::test]
async fn an_agent_that_refuses_the_proof_is_not_met_with_another_token() {
    assert_eq!(LinkError::ProofRefused.retry(), Retry::Never);
    for endpoint in [Endpoint::Socket, Endpoint::Messages] {
        let world = world().await;
        world.control().always(endpoint, [Fault::RefuseProof]);
        let mut watched = world.link("c1").await;
        watched.until("told", |watched| watched.status.link == LinkState::Refused(LinkError::ProofRefused)).await;
        assert_eq!((world.control().requests(endpoint), world.control().presented().len()), (1, 0), "{endpoint:?}");
    }
}

#[tokio::test]
async fn an_expired_token_is_still_replaced_at_the_handshake_and_the_new_one_is_bound_too() {
    let world = world().await;
    // The agent takes what it issued itself to be too old; the tenant's clock is the same.
    world.control().once(Endpoint::Socket, Fault::status(401));
    let mut watched = world.link("c1").await;
    watched.until_online().await;
    assert_eq!((world.control().handshakes(), world.control().presented().len()), ((1, 1), 1));
    elapse(Duration::from_secs(3600)).await;
    assert!(world.session.access_token().await.unwrap().is_bound());
}

#[tokio::test]
async fn a_computer_whose_clock_is_two_hours_late_is_let_in() {
    let world = world_with(Arc::new(Late(2))).await;
    world.online("c1").await;
    assert_eq!((world.control().handshakes(), world.control().presented().len()), ((1, 0), 0));
}

#[tokio::test]
async fn a_stolen_token_opens_nothing_without_the_key() {
    let world = world().await;
    let header = world.session.access_token().await.unwrap().header_value();
    let token = header.to_str().unwrap().trim_start_matches("DPoP ").to_owned();
    let place = format!("{}/c1/get-messages", world.sandbox.agent_url());
    for stolen in [format!("Bearer {token}"), format!("DPoP {token}")] {
        let answer = http().get(&place).header("authorization", &stolen).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{}", stolen.split(' ').next().unwrap());
    }
}
