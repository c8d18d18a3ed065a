//! No token in any log at any level. One test in a process of its own: it takes all of its logs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    io,
    sync::{Arc, Mutex},
};

use callbox_identity::{Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkState, Status, Timing};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, Sandbox, SandboxConfig, Visitor};
use callbox_vault::Vault;
use tracing_subscriber::util::SubscriberInitExt;

/// What is logged, by way of `tracing` and of `log`.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

async fn until(link: &Link, condition: impl FnMut(&Status) -> bool) {
    let mut status = link.status();
    tokio::time::timeout(std::time::Duration::from_secs(30), status.wait_for(condition)).await.unwrap().unwrap();
}

#[tokio::test]
async fn no_token_is_in_any_log_or_debug_output() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish().init();

    let sandbox = Sandbox::start(SandboxConfig { pace: std::time::Duration::ZERO, ..SandboxConfig::default() }).await.unwrap();
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let mut profile = Profile::new("sandbox", sandbox.agent_url(), Issuer::try_from(sandbox.issuer()).unwrap(), sandbox.client_id());
    profile.audience = Some(AUDIENCE.to_owned());
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let session = Session::spawn(Config { profile, vault: Vault::memory(), http: http.clone(), clock, entropy });
    let start = session.begin_sign_in().await.unwrap();
    let callback = Visitor::new().unwrap().sign_in(&start.url, "ada@example.com").await.unwrap();
    session.handle_callback(&callback).await;

    let mut tokens = vec![session.access_token().await.unwrap()];
    let config = LinkConfig::new(AgentAddress::new(sandbox.agent_url()).unwrap(), "c1".to_owned(), session.clone(), http);
    let short = std::time::Duration::from_millis(1);
    let link = Link::spawn(LinkConfig { timing: Timing { backoff_base: short, backoff_cap: short, ..Timing::default() }, ..config });
    until(&link, |status| status.link == LinkState::Online).await;
    let seen = link.subscribe().await.unwrap();
    link.send("hello").await.unwrap();
    sandbox.control().until_requests(Endpoint::Turn, 1).await;
    until(&link, |status| !status.turn.is_active() && status.deliveries.is_empty()).await;
    // Every way to be refused, and every way to lose a socket.
    let control = sandbox.control();
    for (endpoint, fault) in [
        (Endpoint::Messages, Fault::status(401)),
        (Endpoint::Socket, Fault::html()),
        (Endpoint::Messages, Fault::status(503)),
        (Endpoint::Socket, Fault::Drop),
        (Endpoint::Messages, Fault::Drop),
        (Endpoint::Socket, Fault::SetupError),
    ] {
        control.once(endpoint, fault);
        let loaded = control.requests(Endpoint::Messages) + u64::from(endpoint == Endpoint::Messages);
        control.drop_sockets();
        control.until_requests(Endpoint::Messages, loaded + 1).await;
        until(&link, |status| status.link == LinkState::Online).await;
    }
    tokens.push(session.access_token().await.unwrap());
    assert_ne!(tokens[0].fingerprint(), tokens[1].fingerprint(), "a fresh one was used, too");
    let shown = format!("{link:?} {seen:?} {:?}", link.status().borrow());
    link.close().await;

    let log = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned();
    assert!(log.contains("hyper_util") && log.contains("reqwest"), "the log has the libraries' own lines");
    for token in &tokens {
        let header = token.header_value();
        let token = header.to_str().unwrap().trim_start_matches("Bearer ");
        // The signature alone would be enough.
        for secret in [token, token.rsplit('.').next().unwrap()] {
            assert!(!log.contains(secret), "in a log");
            assert!(!shown.contains(secret), "in Debug output");
        }
    }
}
