//! Through a proxy that asks for a password, to an agent whose certificate only this computer trusts: as in many a company.
//!
//! What a process knows of proxies and certificates it reads from its environment once, so each case is a process of its own.

use std::{
    env, fs,
    process::Command,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkError, LinkState, tls_config};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
};

use crate::{
    tls::{HOST, certificate, front},
    world::{Watched, World, patient},
};

const PASSWORD: &str = "ada:se cret";

/// What a proxy was asked for.
type Asked = Arc<Mutex<Vec<String>>>;

/// A proxy that knows one host, and lets Ada through to it (RFC 9110 §9.3.6).
async fn proxy() -> (u16, Asked) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, asked) = (listener.local_addr().unwrap().port(), Asked::default());
    let book = asked.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(tunnel(stream, book.clone()));
        }
    });
    (port, asked)
}

async fn tunnel(stream: TcpStream, asked: Asked) -> Option<()> {
    let mut stream = BufReader::new(stream);
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|length| *length > 0)?;
        if line.trim().is_empty() {
            break;
        }
        head.push(line.trim().to_owned());
    }
    let target = head[0].split(' ').nth(1)?.to_owned();
    asked.lock().unwrap().push(head[0].clone());
    let wanted = format!("Basic {}", STANDARD.encode(PASSWORD));
    let header = |line: &String| {
        line.split_once(": ").is_some_and(|(name, value)| name.eq_ignore_ascii_case("proxy-authorization") && value == wanted)
    };
    let authorized = head.iter().any(header);
    let (host, port) = target.split_once(':')?;
    if !authorized {
        return stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic\r\n\r\n").await.ok();
    }
    if host != HOST {
        return stream.write_all(b"HTTP/1.1 403 Forbidden\r\n\r\n").await.ok();
    }
    let mut agent = TcpStream::connect(("127.0.0.1", port.parse::<u16>().ok()?)).await.ok()?;
    stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
    tokio::io::copy_bidirectional(&mut stream, &mut agent).await.ok().map(drop)
}

/// Runs one of the tests below in a process with these proxy settings; what the proxy was asked for comes back.
async fn in_a_company(test: &str, user: &str) -> Vec<String> {
    let (port, asked) = proxy().await;
    let folder = tempfile::tempdir().unwrap();
    let mut process = Command::new(env::current_exe().unwrap());
    process.args(["--exact", &format!("proxy::{test}"), "--ignored", "--nocapture"]);
    for name in ["http_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy", "SSL_CERT_DIR"] {
        process.env_remove(name);
    }
    process.env("https_proxy", format!("http://{user}127.0.0.1:{port}")).env("SSL_CERT_FILE", folder.path().join("company.pem"));
    let output = tokio::task::spawn_blocking(move || process.output()).await.unwrap().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!told.contains("se cret") && !String::from_utf8_lossy(&output.stderr).contains("cret"), "the password is nobody's business");
    asked.lock().unwrap().clone()
}

/// A link to this host, with the usual TLS and the usual way to find a proxy. The world lasts as long as the link is needed.
async fn link(host: &str) -> (World, Watched) {
    let certificate = certificate(HOST);
    fs::write(env::var_os("SSL_CERT_FILE").unwrap(), certificate.cert.pem()).unwrap();
    let world = World::new().await;
    let port = front(world.agent(), &certificate).await;
    let http = reqwest::Client::builder().tls_backend_preconfigured((*tls_config().unwrap()).clone()).build().unwrap();
    let address = AgentAddress::new(format!("https://{host}:{port}/agents/chat-agent").parse().unwrap()).unwrap();
    let config = LinkConfig { address, http, timing: patient(), ..world.config("c1", &world.session) };
    (world, Watched::new(Link::spawn(config)).await)
}

async fn refusal(host: &str) -> LinkError {
    let (_world, mut watched) = link(host).await;
    watched.until_offline().await;
    match watched.status.link {
        LinkState::Offline { why, .. } => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_and_socket_go_through_the_proxy_with_the_password_and_trust_the_companys_certificate() {
    let asked = in_a_company("child_talks", "ada:se%20cret@").await;
    assert!(asked.len() >= 2 && asked.iter().all(|line| line.starts_with("CONNECT agent.test:")), "{asked:?}");
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn child_talks() {
    let (_world, mut watched) = link(HOST).await;
    watched.until_online().await;
    watched.link.send("thank you").await.unwrap();
    watched.until_answered(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_wants_a_password_is_named() {
    assert_eq!(in_a_company("child_is_asked_for_a_password", "").await.len(), 1);
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn child_is_asked_for_a_password() {
    assert_eq!(refusal(HOST).await, LinkError::ProxyWantsPassword);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proxy_that_lets_nobody_through_is_named() {
    assert_eq!(in_a_company("child_is_not_let_through", "ada:se%20cret@").await.len(), 1);
}

#[tokio::test]
#[ignore = "run by the test above"]
async fn child_is_not_let_through() {
    assert_eq!(refusal("elsewhere.test").await, LinkError::ProxyRefused);
}
