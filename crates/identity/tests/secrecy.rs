//! No token, code, verifier or key in any log, error, state or `Debug` output. One test in a process of its own: it takes all of its logs.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    fmt::Write as _,
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_identity::{Config, Dpop, Entropy, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, Sandbox, SandboxConfig, Visitor};
use callbox_vault::{Backend, Secret, Vault, VaultError};
use serde_json::json;
use tracing_subscriber::util::SubscriberInitExt;
use url::Url;

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

/// Real randomness that remembers what it gave away.
#[derive(Clone, Default)]
struct Remembering(Arc<Mutex<Vec<String>>>);

impl Entropy for Remembering {
    fn fill(&self, bytes: &mut [u8]) {
        SystemEntropy.fill(bytes);
        self.0.lock().unwrap().push(URL_SAFE_NO_PAD.encode(bytes));
    }
}

/// A keychain that remembers every value that it was ever given.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<Entry>>>);

type Entry = (String, Vec<u8>);

impl Backend for Seen {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        Ok(self.0.lock().unwrap().iter().rfind(|(known, _)| known == key).map(|(_, bytes)| bytes.as_slice().into()))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.0.lock().unwrap().push((key.to_owned(), value.expose().clone()));
        Ok(())
    }

    fn delete(&mut self, _: &str) -> Result<(), VaultError> {
        Ok(())
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

async fn elapse(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

#[tokio::test]
async fn no_secret_is_in_any_log_error_or_debug_output() {
    let log = Log::default();
    let writer = log.clone();
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish().init();

    let sandbox = Sandbox::start(SandboxConfig { agent: None, ..SandboxConfig::default() }).await.unwrap();
    let (entropy, keychain) = (Remembering::default(), Seen::default());
    let agent = Url::parse("http://127.0.0.1:9/agents/chat-agent").unwrap();
    let mut profile = Profile::new("sandbox", agent, Issuer::try_from(sandbox.issuer()).unwrap(), sandbox.client_id());
    profile.audience = Some(AUDIENCE.to_owned());
    profile.dpop = Dpop::Required;
    let vault = Vault::with_backend(keychain.clone(), Duration::from_secs(5));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
    let config = Config { profile, vault: vault.clone(), http, clock: Arc::new(SystemClock), entropy: Arc::new(entropy.clone()) };

    let mut shown = String::new();
    let mut secrets = Vec::new();
    let code_of = |link: &str| Url::parse(link).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    let session = Session::spawn(config);

    // A sign-in that fails after the exchange, one that is replayed, one that succeeds.
    for fault in [Some(Fault::wrong_nonce()), Some(Fault::response("access_token", json!("no token"))), None] {
        let before = entropy.0.lock().unwrap().len();
        let start = session.begin_sign_in().await.unwrap();
        // Each attempt draws state, nonce and verifier. The first two go into an address; the verifier goes nowhere.
        secrets.push(entropy.0.lock().unwrap()[before + 2].clone());
        let link = Visitor::new().unwrap().sign_in(&start.url, "ada@example.com").await.unwrap();
        secrets.push(code_of(&link));
        if let Some(fault) = fault {
            // The tenant asks for its nonce first, and for that only once.
            if secrets.len() == 2 {
                sandbox.control().next(Endpoint::Token, []);
            }
            sandbox.control().once(Endpoint::Token, fault);
        }
        let first = session.handle_callback(&link).await;
        let second = session.handle_callback(&format!("{link}&code=again")).await;
        write!(shown, "{first:?} {second:?} {:?} ", session.state().borrow()).unwrap();
    }
    // Refreshes that succeed, are told to wait, are told nonsense, lose their reply, and the end.
    for fault in [None, Some(Fault::rate_limited(None)), Some(Fault::response("token_type", json!("mac"))), Some(Fault::DropReply)] {
        elapse(Duration::from_secs(3600)).await;
        if let Some(fault) = fault {
            sandbox.control().once(Endpoint::Token, fault);
        }
        let token = session.access_token().await;
        write!(shown, "{token:?} {:?} ", session.state().borrow()).unwrap();
        if let Ok(token) = token {
            secrets.push(token.header_value().to_str().unwrap().trim_start_matches("DPoP ").to_owned());
            write!(shown, "{:?} {:?} ", token.header_value(), token.fingerprint()).unwrap();
        }
    }
    write!(shown, "{:?} {vault:?}", session.sign_out().await).unwrap();

    let records: Vec<serde_json::Value> =
        keychain.0.lock().unwrap().iter().map(|(_, bytes)| serde_json::from_slice(bytes).unwrap()).collect();
    secrets.extend(records.iter().map(|record| record["rt"].as_str().or(record["d"].as_str()).unwrap().to_owned()));

    assert_eq!(records.iter().filter(|record| record["d"].is_string()).count(), 1, "the key was stored, once");
    assert!(records.len() >= 4, "{}", records.len());
    assert_eq!(secrets.len(), 3 + 3 + 1 + records.len());
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let proof = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256","typ":"dpop+jwt""#);
    assert!(!log.contains(&proof[..40]), "no proof either, although it is good once only");
    assert!(log.contains("TRACE") && log.contains("a link was ignored"), "the log was taken");
    for (n, secret) in secrets.iter().enumerate() {
        assert!(secret.len() >= 20, "secret {n} is one");
        assert!(!log.contains(secret.as_str()), "secret {n} is in the log");
        assert!(!shown.contains(secret.as_str()), "secret {n} is shown");
    }
}
