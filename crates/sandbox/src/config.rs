//! How a sandbox is set up.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use url::Url;

use crate::TokenBinding;

/// The client id of the desktop app at the sandbox's tenant: a public client, no secret.
pub const CLIENT_ID: &str = "callbox-sandbox";
/// The client id of a machine, for the client credentials grant.
pub const SERVICE_CLIENT_ID: &str = "callbox-sandbox-service";
/// That machine's secret. It protects nothing but demo data on loopback.
pub const SERVICE_CLIENT_SECRET: &str = "sandbox-secret";
/// The identifier of the agent's API: what access tokens are made out to.
pub const AUDIENCE: &str = "https://sandbox.callbox.dev/api";
/// The password of every demo person. The login page fills it in.
pub const PASSWORD: &str = "sandbox";

/// Everything a sandbox needs to know. `SandboxConfig::default()` is a good one for tests: free ports, nothing on disk, scripted model.
#[derive(Debug, Clone)]
pub struct SandboxConfig {
    /// Where the tenant listens. Port 0: the port of the last time if `state_dir` knows one and it is free, else any.
    pub tenant: SocketAddr,
    /// Where the agent listens, same rule; `None` starts no agent.
    pub agent: Option<SocketAddr>,
    /// Life of an access token. One hour.
    pub access_token_ttl: Duration,
    /// Life of an ID token. Ten hours, as at Auth0.
    pub id_token_ttl: Duration,
    /// How long after its first use the latest used refresh token may be used once more. Zero, as at Auth0: any reuse ends the family.
    pub refresh_overlap: Duration,
    /// Absolute life of a refresh token family, not extended by rotation. 30 days.
    pub refresh_ttl: Duration,
    /// Whether tokens are bound to keys (RFC 9449). All of them, for a client that proves to have one.
    pub dpop: TokenBinding,
    /// Redirect URIs of the desktop app, compared exactly. An entry `http://127.0.0.1/*` stands for any port and path (RFC 8252 §7.3).
    pub redirect_uris: Vec<String>,
    /// Where the logout endpoints may send the browser, same rules.
    pub logout_uris: Vec<String>,
    /// Who answers at the agent.
    pub model: Model,
    /// Between two pieces of text of the scripted model.
    pub pace: Duration,
    /// Serves [`crate::Control`] over HTTP too, under `/control/` of the tenant. For tests in other languages; never on in the app.
    pub control_http: bool,
    /// Where tenant and agent keep what must outlive them (see [`crate::Sandbox`]). `None`: nothing does.
    pub state_dir: Option<PathBuf>,
    /// What time it is, for tokens and for the clock tool.
    pub clock: Clock,
    /// Who can sign in. The first one is filled in on the login page.
    pub people: Vec<Person>,
}

impl Default for SandboxConfig {
    fn default() -> Self {
        let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self {
            tenant: free,
            agent: Some(free),
            access_token_ttl: Duration::from_secs(3600),
            id_token_ttl: Duration::from_secs(36_000),
            refresh_overlap: Duration::ZERO,
            refresh_ttl: Duration::from_secs(2_592_000),
            dpop: TokenBinding::On,
            redirect_uris: ["dev.callbox.desktop://callback", "http://127.0.0.1/*"].map(str::to_owned).to_vec(),
            logout_uris: ["dev.callbox.desktop://callback", "dev.callbox.desktop://signed-out", "http://127.0.0.1/*"]
                .map(str::to_owned)
                .to_vec(),
            model: Model::Scripted,
            pace: Duration::from_millis(14),
            control_http: false,
            state_dir: None,
            clock: Clock::system(),
            people: vec![Person::new("ada", "Ada", "Lovelace"), Person::new("grace", "Grace", "Hopper")],
        }
    }
}

/// A demo person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Subject identifier, `sandbox|ada`.
    pub sub: String,
    pub email: String,
    pub given_name: String,
    pub family_name: String,
}

impl Person {
    /// A person with the address `{nick}@example.com`.
    #[must_use]
    pub fn new(nick: &str, given_name: &str, family_name: &str) -> Self {
        Self {
            sub: format!("sandbox|{nick}"),
            email: format!("{nick}@example.com"),
            given_name: given_name.to_owned(),
            family_name: family_name.to_owned(),
        }
    }

    /// Given and family name.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// Who answers at the agent.
#[derive(Debug, Clone, Default)]
pub enum Model {
    /// A script that says that it is one.
    #[default]
    Scripted,
    /// An OpenAI-compatible endpoint.
    OpenAi(OpenAi),
}

impl Model {
    /// The model that `OPENAI_BASE_URL`, `OPENAI_API_KEY` and `OPENAI_MODEL` name; the script when the first two are not both set to
    /// something usable.
    #[must_use]
    pub fn from_environment() -> Self {
        let read = |name| std::env::var(name).ok().filter(|value: &String| !value.trim().is_empty());
        match (read("OPENAI_BASE_URL").and_then(|url| url.parse().ok()), read("OPENAI_API_KEY")) {
            (Some(base_url), Some(key)) => Self::OpenAi(OpenAi::new(base_url, key, read("OPENAI_MODEL"))),
            _ => Self::Scripted,
        }
    }
}

/// An OpenAI-compatible endpoint. `Debug` does not show the key.
#[derive(Clone)]
pub struct OpenAi {
    pub(crate) base_url: Url,
    pub(crate) key: String,
    pub(crate) model: String,
}

impl OpenAi {
    /// `base_url` ends before `/chat/completions`; without a model it is `gpt-4o-mini`.
    #[must_use]
    pub fn new(base_url: Url, key: String, model: Option<String>) -> Self {
        Self { base_url, key, model: model.unwrap_or_else(|| "gpt-4o-mini".to_owned()) }
    }
}

impl fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAi").field("base_url", &self.base_url.as_str()).field("model", &self.model).finish_non_exhaustive()
    }
}

/// A source of time that can be moved forward. Clones share the shift.
#[derive(Clone)]
pub struct Clock {
    base: Arc<dyn Fn() -> SystemTime + Send + Sync>,
    shift_ms: Arc<AtomicU64>,
}

impl Clock {
    /// The computer's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::from_fn(SystemTime::now)
    }

    /// A clock that stands still until it is moved.
    #[must_use]
    pub fn standing(at: SystemTime) -> Self {
        Self::from_fn(move || at)
    }

    /// Any clock.
    #[must_use]
    pub fn from_fn(now: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self { base: Arc::new(now), shift_ms: Arc::default() }
    }

    /// What time it is.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        (self.base)() + Duration::from_millis(self.shift_ms.load(Ordering::SeqCst))
    }

    /// Moves this clock and all its clones forward.
    pub fn advance(&self, by: Duration) {
        self.shift_ms.fetch_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX), Ordering::SeqCst);
    }

    /// Seconds since 1970.
    pub(crate) fn unix(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }

    /// Milliseconds since 1970.
    pub(crate) fn unix_ms(&self) -> u64 {
        self.now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.unix())
    }
}
