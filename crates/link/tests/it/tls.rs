//! The same over TLS: a server with a certificate in front of the sandbox's agent.

use std::{net::SocketAddr, sync::Arc};

use callbox_link::{AgentAddress, Link, LinkConfig, LinkError, LinkState, tls_config};
use rcgen::{Certificate, CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::{ClientConfig, RootCertStore, ServerConfig, crypto::aws_lc_rs, pki_types::PrivateKeyDer};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, copy, split},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

use crate::world::{Watched, World, counted, patient};

/// A name that no resolver knows (RFC 6761 §6.2).
pub(crate) const HOST: &str = "agent.test";

/// A certificate that nobody knows.
pub(crate) fn certificate(name: &str) -> CertifiedKey<KeyPair> {
    generate_simple_self_signed(vec![name.to_owned()]).unwrap()
}

/// A front that takes TLS off and hands everything on to `agent`; its port.
pub(crate) async fn front(agent: SocketAddr, CertifiedKey { cert, signing_key }: &CertifiedKey<KeyPair>) -> u16 {
    let mut server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], PrivateKeyDer::Pkcs8(signing_key.serialize_der().into()))
        .unwrap();
    // As a front in the field does: a client that took the first offer could not have a socket.
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate ends here.
                let Ok(mut outside) = acceptor.accept(stream).await else { return };
                let Ok(inside) = TcpStream::connect(agent).await else { return };
                let (mut from_client, mut to_client) = split(&mut outside);
                let (mut from_agent, mut to_agent) = inside.into_split();
                tokio::select! {
                    _ = copy(&mut from_agent, &mut to_client) => {}
                    () = pass_on(&mut from_client, &mut to_agent) => {}
                }
            });
        }
    });
    port
}

/// Hands a client's requests on under the only name that the sandbox answers to.
async fn pass_on(from: &mut (impl AsyncRead + Unpin), to: &mut (impl AsyncWrite + Unpin)) {
    let mut piece = vec![0; 1 << 16];
    while let Ok(length @ 1..) = from.read(&mut piece).await {
        let mut bytes = piece[..length].to_vec();
        if let Some(at) = bytes.windows(HOST.len()).position(|window| window == HOST.as_bytes()) {
            bytes.splice(at..at + HOST.len(), *b"127.0.0.1");
        }
        if to.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

/// A client's configuration that trusts this certificate alone.
fn trusting(certificate: &Certificate) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    Arc::new(client.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots).with_no_client_auth())
}

async fn behind_a_front(world: &World) -> (LinkConfig, Arc<ClientConfig>) {
    let certificate = certificate("127.0.0.1");
    let port = front(world.agent(), &certificate).await;
    let address = AgentAddress::new(format!("https://127.0.0.1:{port}/agents/chat-agent").parse().unwrap()).unwrap();
    (LinkConfig { address, timing: patient(), ..world.config("c1", &world.session) }, trusting(&certificate.cert))
}

#[tokio::test]
async fn a_conversation_goes_over_tls() {
    let world = World::new().await;
    let (config, tls) = behind_a_front(&world).await;
    let http = reqwest::Client::builder().tls_backend_preconfigured((*tls).clone()).no_proxy().build().unwrap();
    let mut watched = Watched::new(Link::spawn(LinkConfig { http, tls: Some(tls), ..config })).await;
    watched.until_online().await;
    watched.link.send("stream 50").await.unwrap();
    watched.until_answered(2).await;
    assert_eq!(watched.texts()[1], counted(50));
}

#[tokio::test]
async fn a_certificate_that_nobody_trusts_gets_no_token() {
    let world = World::new().await;
    let (config, _) = behind_a_front(&world).await;
    let mut watched = Watched::new(Link::spawn(config)).await;
    watched.until_offline().await;
    assert!(matches!(watched.status.link, LinkState::Offline { why: LinkError::Insecure, .. }), "{:?}", watched.status.link);
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
    assert!(matches!(watched.status.link, LinkState::Offline { why: LinkError::Insecure, .. }), "{:?}", watched.status.link);
}

#[test]
fn the_usual_configuration_trusts_the_usual_authorities_and_offers_no_protocol() {
    let config = tls_config().unwrap();
    assert!(Arc::ptr_eq(&config, &tls_config().unwrap()), "read once");
    assert!(config.alpn_protocols.is_empty());
}
