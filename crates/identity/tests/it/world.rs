//! A tenant, a keychain and a session on top of both.

use std::{
    collections::HashMap,
    future::Future,
    path::Path,
    sync::{Arc, Mutex, mpsc},
    time::{Duration, SystemTime},
};

use callbox_identity::{
    AccessToken, CallbackOutcome, Clock, Config, Issuer, Profile, Session, SessionState, SignInStart, SystemClock, SystemEntropy,
    TokenError,
};
use callbox_sandbox::{AUDIENCE, Control, Endpoint, Sandbox, SandboxConfig, Visitor};
use callbox_vault::{Backend, Secret, Vault, VaultError};
use url::Url;

pub(crate) const ADA: &str = "ada@example.com";
pub(crate) const GRACE: &str = "grace@example.com";
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

/// A keychain that outlives its vaults and does what it is told. Clones are the same keychain.
#[derive(Clone, Default)]
pub(crate) struct Keychain(Arc<Mutex<Drawer>>);

#[derive(Default)]
struct Drawer {
    entries: HashMap<String, Vec<u8>>,
    refusal: Option<VaultError>,
    read_only: bool,
    writes: u64,
    gate: Option<(mpsc::Sender<()>, mpsc::Receiver<()>)>,
}

/// Holds up the next write of a keychain.
pub(crate) struct Gate {
    entered: mpsc::Receiver<()>,
    open: mpsc::Sender<()>,
}

impl Gate {
    /// Returns when the write has come; fails if it never does.
    pub(crate) async fn entered(self) -> mpsc::Sender<()> {
        let entered = self.entered;
        tokio::task::spawn_blocking(move || entered.recv_timeout(Duration::from_secs(10))).await.unwrap().unwrap();
        self.open
    }
}

impl Keychain {
    pub(crate) fn vault(&self) -> Vault {
        Vault::with_backend(self.clone(), Duration::from_secs(5))
    }

    pub(crate) fn refuse(&self, refusal: Option<VaultError>) {
        self.0.lock().unwrap().refusal = refusal;
    }

    /// Reads go well, writes are refused.
    pub(crate) fn read_only(&self, read_only: bool) {
        self.0.lock().unwrap().read_only = read_only;
    }

    /// What it holds, to be put back later.
    pub(crate) fn entries(&self) -> HashMap<String, Vec<u8>> {
        self.0.lock().unwrap().entries.clone()
    }

    pub(crate) fn put_back(&self, entries: HashMap<String, Vec<u8>>) {
        self.0.lock().unwrap().entries = entries;
    }

    pub(crate) fn hold_next_write(&self) -> Gate {
        let (enter, entered) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        self.0.lock().unwrap().gate = Some((enter, opened));
        Gate { entered, open }
    }

    /// How often something was written.
    pub(crate) fn writes(&self) -> u64 {
        self.0.lock().unwrap().writes
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().entries.is_empty()
    }

    /// The refresh token of the one record.
    pub(crate) fn refresh_token(&self) -> String {
        let drawer = self.0.lock().unwrap();
        let records: Vec<_> = drawer.entries.iter().filter(|(key, _)| key.starts_with("session-")).collect();
        assert_eq!(records.len(), 1);
        let record: serde_json::Value = serde_json::from_slice(records[0].1).unwrap();
        record["rt"].as_str().unwrap().to_owned()
    }

    pub(crate) fn overwrite(&self, bytes: &[u8]) {
        for entry in self.0.lock().unwrap().entries.values_mut() {
            *entry = bytes.to_vec();
        }
    }

    fn check(&self) -> Result<(), VaultError> {
        self.0.lock().unwrap().refusal.clone().map_or(Ok(()), Err)
    }
}

impl Backend for Keychain {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        self.check()?;
        Ok(self.0.lock().unwrap().entries.get(key).map(|bytes| bytes.as_slice().into()))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        let gate = self.0.lock().unwrap().gate.take();
        if let Some((enter, opened)) = gate {
            let _ = enter.send(());
            let _ = opened.recv();
        }
        self.check()?;
        if self.0.lock().unwrap().read_only {
            return Err(VaultError::Denied);
        }
        let mut drawer = self.0.lock().unwrap();
        drawer.writes += 1;
        drawer.entries.insert(key.to_owned(), value.expose().clone());
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.check()?;
        self.0.lock().unwrap().entries.remove(key);
        Ok(())
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        self.check()
    }
}

/// A clock that is wrong by a fixed amount, in seconds.
pub(crate) struct Skewed(pub(crate) i64);

impl Clock for Skewed {
    fn now(&self) -> SystemTime {
        let by = Duration::from_secs(self.0.unsigned_abs());
        if self.0 < 0 { SystemTime::now() - by } else { SystemTime::now() + by }
    }
}

/// A clock that goes with the runtime's: time that a test lets pass has passed on the wall too.
pub(crate) struct Following(SystemTime, tokio::time::Instant);

impl Following {
    pub(crate) fn new() -> Self {
        Self(SystemTime::now(), tokio::time::Instant::now())
    }
}

impl Clock for Following {
    fn now(&self) -> SystemTime {
        self.0 + self.1.elapsed()
    }
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) keychain: Keychain,
    /// The session's own.
    pub(crate) vault: Vault,
    pub(crate) session: Session,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(SandboxConfig::default()).await
    }

    pub(crate) async fn with(config: SandboxConfig) -> Self {
        let sandbox = Sandbox::start(SandboxConfig { agent: None, ..config }).await.unwrap();
        let keychain = Keychain::default();
        let vault = keychain.vault();
        let session = Session::spawn(config_for(&sandbox, vault.clone()));
        Self { sandbox, keychain, vault, session }
    }

    /// With Ada signed in.
    pub(crate) async fn signed_in() -> Self {
        Self::signed_in_with(SandboxConfig::default()).await
    }

    pub(crate) async fn signed_in_with(config: SandboxConfig) -> Self {
        let world = Self::with(config).await;
        assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
        world
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    pub(crate) fn requests(&self, endpoint: Endpoint) -> u64 {
        self.control().requests(endpoint)
    }

    /// Returns when the keychain has seen everything that the session has asked of it so far.
    pub(crate) async fn settled(&self) {
        self.vault.probe().await;
    }

    /// Another start of the app, with the same keychain.
    pub(crate) fn restart(&self) -> Session {
        Session::spawn(config_for(&self.sandbox, self.keychain.vault()))
    }

    pub(crate) async fn begin(&self) -> SignInStart {
        let start = self.session.begin_sign_in().await.unwrap();
        // The vault may not have answered yet, and until then that is what the session shows.
        self.session.state().wait_for(|state| *state != SessionState::Restoring).await.unwrap();
        start
    }

    /// The whole way as Ada.
    pub(crate) async fn sign_in(&self) -> CallbackOutcome {
        let start = self.begin().await;
        self.session.handle_callback(&visit(&start.url, ADA).await).await
    }

    pub(crate) fn state(&self) -> SessionState {
        self.session.state().borrow().clone()
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        matches!(self.state(), SessionState::SignedIn { .. })
    }

    /// A token after the present one has expired.
    pub(crate) async fn refreshed(&self) -> Result<AccessToken, TokenError> {
        elapse(HOUR).await;
        self.session.access_token().await
    }
}

pub(crate) fn profile(sandbox: &Sandbox) -> Profile {
    let agent = Url::parse("http://127.0.0.1:9/agents/chat-agent").unwrap();
    let mut profile = Profile::new("sandbox", agent, Issuer::try_from(sandbox.issuer()).unwrap(), sandbox.client_id());
    profile.audience = Some(AUDIENCE.to_owned());
    profile
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

pub(crate) fn config_for(sandbox: &Sandbox, vault: Vault) -> Config {
    Config { profile: profile(sandbox), vault, http: http(), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
}

/// A person at the browser; the link comes back.
pub(crate) async fn visit(page: &Url, email: &str) -> String {
    Visitor::new().unwrap().sign_in(page, email).await.unwrap()
}

/// One parameter of an address.
pub(crate) fn param(url: &str, name: &str) -> String {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).unwrap()
}

/// Lets time pass for everything that measures it by the runtime. Nothing else does.
pub(crate) async fn elapse(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// Waits until the session is in such a state.
pub(crate) async fn until(session: &Session, what: impl FnMut(&SessionState) -> bool) -> SessionState {
    session.state().wait_for(what).await.unwrap().clone()
}

/// Waits for what no event tells of: another thread's doing. The runner ends a test that waits for ever.
pub(crate) async fn eventually(what: impl Fn() -> bool) {
    while !what() {
        tokio::task::yield_now().await;
    }
}

/// Whether a sign-out has said in this folder of locks that it is one.
pub(crate) fn says_that_it_leaves(locks: &Path) -> bool {
    std::fs::read_dir(locks).unwrap().flatten().any(|file| file.path().extension() == Some("left".as_ref()))
}

/// Whether a future is ready, without waiting for it.
pub(crate) fn is_ready<F: Future>(future: &mut std::pin::Pin<&mut F>) -> bool {
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    future.as_mut().poll(&mut context).is_ready()
}
