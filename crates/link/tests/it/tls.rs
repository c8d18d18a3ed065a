//! The same over TLS: a server with a certificate in front of the sandbox's agent.

use std::sync::Arc;

use callbox_identity::{Config, Issuer, Obstacle, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkError, LinkState, tls_config};
use callbox_vault::Vault;

use crate::{
    front::{Authority, GOOD},
    world::{Watched, World, counted, patient},
};

fn behind(world: &World, port: u16) -> LinkConfig {
    let address = AgentAddress::new(format!("https://127.0.0.1:{port}/agents/chat-agent").parse().unwrap()).unwrap();
    LinkConfig { address, timing: patient(), ..world.config("c1", &world.session) }
}

#[tokio::test]
async fn a_conversation_goes_over_tls() {
    let world = World::new().await;
    let authority = Authority::new();
    let (port, tls) = (authority.front("127.0.0.1", GOOD, world.agent()).await, authority.trusting());
    let http = reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).no_proxy().build().unwrap();
    let mut watched = Watched::new(Link::spawn(LinkConfig { http, tls: Some(tls), ..behind(&world, port) })).await;
    watched.until_online().await;
    watched.link.send("stream 50").await.unwrap();
    watched.until_answered(2).await;
    assert_eq!(watched.texts()[1], counted(50));
}

#[tokio::test]
async fn a_certificate_that_is_not_good_gets_no_token_and_is_named_for_what_it_is() {
    let world = World::new().await;
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (issuer, name, years, expected) in [
        (&stranger, "127.0.0.1", GOOD, Obstacle::CertificateUnknownIssuer),
        (&authority, "127.0.0.1", (2000, 2001), Obstacle::CertificateExpired),
        (&authority, "127.0.0.1", (2119, 2120), Obstacle::CertificateNotYetValid),
        (&authority, "portal.example", GOOD, Obstacle::CertificateWrongHost),
    ] {
        let port = issuer.front(name, years, world.agent()).await;
        let config = LinkConfig { tls: Some(authority.trusting()), ..behind(&world, port) };
        let mut watched = Watched::new(Link::spawn(config)).await;
        watched.until_offline().await;
        let LinkState::Offline { why, retry_in: Some(_) } = &watched.status.link else { panic!("{:?}", watched.status.link) };
        assert_eq!(*why, LinkError::Obstacle(expected));
        watched.link.close().await;

        // The same for a tenant, before anybody is sent to its page.
        let profile = Profile::new("tls", world.sandbox.agent_url(), Issuer::parse(&format!("https://127.0.0.1:{port}/")).unwrap(), "app");
        let http = reqwest::Client::builder().tls_backend_preconfigured((*authority.trusting()).clone()).no_proxy().build().unwrap();
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let session = Session::spawn(Config { profile, vault: Vault::memory(), http, clock, entropy });
        assert_eq!(session.begin_sign_in().await.unwrap_err().code(), expected.code());
    }
    assert_eq!(world.control().handshakes(), (0, 0));
}

#[tokio::test]
async fn a_server_without_tls_at_an_https_address_gets_no_token() {
    let world = World::new().await;
    let mut url = world.sandbox.agent_url();
    url.set_scheme("https").unwrap();
    let address = AgentAddress::new(url).unwrap();
    let mut watched = Watched::new(Link::spawn(LinkConfig { address, timing: patient(), ..world.config("c1", &world.session) })).await;
    watched.until_offline().await;
    assert!(
        matches!(watched.status.link, LinkState::Offline { why: LinkError::Obstacle(Obstacle::Insecure), .. }),
        "{:?}",
        watched.status.link
    );
}

#[test]
fn the_usual_configuration_trusts_the_usual_authorities_and_offers_no_protocol() {
    let config = tls_config().unwrap();
    assert!(Arc::ptr_eq(&config, &tls_config().unwrap()), "read once");
    assert!(config.alpn_protocols.is_empty());
}
