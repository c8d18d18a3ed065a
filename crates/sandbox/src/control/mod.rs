//! The control surface: makes tenant and agent misbehave, request by request, and counts what they were asked.
//!
//! Nothing here is reachable from outside the process unless [`crate::SandboxConfig::control_http`] is on.

mod agent;
mod fault;
pub(crate) mod gate;
pub(crate) mod http;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, watch};

pub(crate) use agent::AgentCounters;
pub(crate) use fault::patch;
pub use fault::{Endpoint, Fault, Signature};

use crate::{Clock, tenant::Tenant};

/// What tenant and agent do unless a fault says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// `iss` in authorization responses (RFC 9207), and its announcement in the metadata.
    pub response_iss: ResponseIss,
    /// For how long the latest used refresh token may be used once more.
    #[serde(rename = "refresh_overlap_ms", with = "fault::millis")]
    pub refresh_overlap: Duration,
    /// Life of access tokens.
    #[serde(rename = "access_token_ttl_ms", with = "fault::millis")]
    pub access_token_ttl: Duration,
    /// Asks for consent, once per person and set of scopes.
    pub consent: bool,
    /// Declining consent sends the browser back with `access_denied`; otherwise it stays on a page of the tenant.
    pub decline_redirects: bool,
    /// Shows a page before it sends a code to a redirect URI that any app can claim, when no other page was shown; `prompt=none` is
    /// refused there.
    pub confirm: bool,
    /// Refresh tokens change with each use.
    pub rotation: bool,
    /// Who may make itself known as a client.
    pub registration: Registration,
    /// The tenant lets the app connect accounts at other services.
    pub my_account: bool,
    /// The page for that sends its answer back in the fragment of the address, as Auth0's documents have it; else in the query.
    pub connect_in_fragment: bool,
    /// The agent gets no token for any of them, and says that the person has to connect one.
    pub vault_is_down: bool,
    /// Scopes, separated by spaces, that the agent wants in every token; empty: it wants some, and does not say which.
    pub agent_wants: Option<String>,
    /// Whether tokens are bound to the key of a proof (RFC 9449), and whether tenant and agent say so.
    pub dpop: TokenBinding,
    /// The tenant wants a nonce of its own in each proof, as Auth0 does of public clients.
    pub token_nonce: bool,
    /// The agent wants one of its own.
    pub agent_nonce: bool,
    /// The agent's document says that it takes no other tokens.
    pub dpop_required: bool,
    /// As of which release the agent speaks. To be set before anybody connects.
    pub generation: Generation,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            response_iss: ResponseIss::On,
            refresh_overlap: Duration::ZERO,
            access_token_ttl: Duration::from_secs(3600),
            consent: false,
            decline_redirects: true,
            confirm: true,
            rotation: true,
            registration: Registration::On,
            my_account: true,
            connect_in_fragment: false,
            vault_is_down: false,
            agent_wants: None,
            dpop: TokenBinding::On,
            token_nonce: true,
            agent_nonce: false,
            dpop_required: false,
            generation: Generation::Newest,
        }
    }
}

/// The `iss` parameter of authorization responses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponseIss {
    /// Announced and sent.
    On,
    /// Neither announced nor sent: Auth0's default.
    Off,
    /// Announced, not sent: an attack or a broken tenant.
    Missing,
    /// Announced, and this value is sent.
    Wrong(String),
}

/// Dynamic client registration (RFC 7591).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Registration {
    /// Native apps without a secret, with any redirect URI.
    On,
    /// The same, with redirect URIs on loopback alone: as Cloudflare Access is often set up.
    LoopbackOnly,
    /// Nobody: Auth0's default.
    Off,
}

/// What of a client's tokens is bound to the key that it proves to have (RFC 9449 §5). A client that proves nothing gets bearer tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenBinding {
    /// Nothing; proofs are not looked at.
    Off,
    /// All of them.
    On,
    /// The refresh token alone.
    RefreshOnly,
}

/// A generation of agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Generation {
    /// agents 0.32 with `@cloudflare/ai-chat` 0.12.
    Newest,
    /// agents 0.2 with AI SDK 5.
    Oldest,
}

/// A refresh token that somebody presented. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Presented {
    /// Which family, counted from 1 in the order of sign-ins. 0: not a token of this tenant.
    pub family: u64,
    /// Which generation, 1 for the one that the sign-in gave.
    pub generation: u64,
    pub outcome: RefreshOutcome,
}

/// What became of a presented refresh token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshOutcome {
    /// Exchanged for the next one.
    Rotated,
    /// Good, and stays good: rotation is off.
    Kept,
    /// Used before, within the overlap: exchanged once more.
    Overlapped,
    /// Used before: the whole family died.
    Reused,
    /// Its family was dead already: reused, revoked, or signed out everywhere.
    Dead,
    /// Bound to another key than that of the proof, or there was no proof. Nothing has happened to it.
    WrongKey,
    /// For another resource than was signed in for (RFC 8707 §2.2). Costs nothing.
    WrongTarget,
    /// Too old.
    Expired,
    /// Not a token of this tenant.
    Unknown,
}

#[derive(Debug, Default)]
struct Desk {
    once: HashMap<Endpoint, VecDeque<Vec<Fault>>>,
    always: HashMap<Endpoint, Vec<Fault>>,
    requests: BTreeMap<Endpoint, u64>,
    settings: Settings,
    presented: Vec<Presented>,
}

#[derive(Debug)]
struct Inner {
    desk: Mutex<Desk>,
    changed: Notify,
    go_on: Notify,
    clock: Clock,
    agent: Mutex<AgentCounters>,
    overheard: Mutex<Overheard>,
    hold: watch::Sender<Option<usize>>,
    pace: watch::Sender<Duration>,
    tenant: Mutex<std::sync::Weak<Tenant>>,
    rooms: Mutex<std::sync::Weak<crate::agent::Rooms>>,
}

/// The secrets that went over the line, where somebody wants to know them. Not for logs, so not for `Debug`.
#[derive(Default)]
struct Overheard(Option<BTreeSet<(&'static str, String)>>);

impl std::fmt::Debug for Overheard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Overheard(…)")
    }
}

/// The handle on a running sandbox's behaviour. Clones are the same handle.
#[derive(Debug, Clone)]
pub struct Control(Arc<Inner>);

impl Control {
    pub(crate) fn new(settings: Settings, clock: Clock, pace: Duration) -> Self {
        Self(Arc::new(Inner {
            desk: Mutex::new(Desk { settings, ..Desk::default() }),
            changed: Notify::new(),
            go_on: Notify::new(),
            clock,
            agent: Mutex::default(),
            overheard: Mutex::default(),
            hold: watch::Sender::new(None),
            pace: watch::Sender::new(pace),
            tenant: Mutex::default(),
            rooms: Mutex::default(),
        }))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every secret that goes over the tenant's token endpoint is remembered, so that a test can look for it where it must not be.
    pub fn overhear(&self) {
        self.0.overheard.lock().unwrap_or_else(PoisonError::into_inner).0.get_or_insert_default();
    }

    /// The secrets since [`Control::overhear`], with their names in the protocol (RFC 6749 §4.1.3, §5.1 and §6, RFC 7636 §4.5).
    #[must_use]
    pub fn overheard(&self) -> Vec<(&'static str, String)> {
        self.0.overheard.lock().unwrap_or_else(PoisonError::into_inner).0.iter().flatten().cloned().collect()
    }

    pub(crate) fn hear<'a>(&self, names: &[&'static str], value: impl Fn(&str) -> Option<&'a str>) {
        if let Some(heard) = &mut self.0.overheard.lock().unwrap_or_else(PoisonError::into_inner).0 {
            heard.extend(names.iter().filter_map(|name| Some((*name, value(name)?.to_owned()))));
        }
    }

    /// The next request to `endpoint` goes wrong in this way. Calls queue up: the second call is for the second request.
    pub fn once(&self, endpoint: Endpoint, fault: Fault) {
        self.next(endpoint, [fault]);
    }

    /// The next request to `endpoint` goes wrong in all of these ways. No faults: it goes well.
    pub fn next(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Fault>) {
        self.desk().once.entry(endpoint).or_default().push_back(faults.into_iter().collect());
    }

    /// Every request to `endpoint` for which nothing else is queued goes wrong in all of these ways, until [`Control::clear`].
    pub fn always(&self, endpoint: Endpoint, faults: impl IntoIterator<Item = Fault>) {
        self.desk().always.insert(endpoint, faults.into_iter().collect());
    }

    /// Requests to `endpoint` go well again.
    pub fn clear(&self, endpoint: Endpoint) {
        let mut desk = self.desk();
        desk.once.remove(&endpoint);
        desk.always.remove(&endpoint);
    }

    /// One reply that [`Fault::HoldReply`] holds is sent; the next one, if none is held now.
    pub fn go_on(&self) {
        self.0.go_on.notify_one();
    }

    pub(crate) async fn told_to_go_on(&self) {
        self.0.go_on.notified().await;
    }

    /// How many requests `endpoint` has had, the ones that went wrong included. [`Endpoint::Turn`] counts turns.
    #[must_use]
    pub fn requests(&self, endpoint: Endpoint) -> u64 {
        self.desk().requests.get(&endpoint).copied().unwrap_or(0)
    }

    /// Returns when `endpoint` has had at least `count` requests.
    pub async fn until_requests(&self, endpoint: Endpoint, count: u64) {
        self.until(|| self.requests(endpoint) >= count).await;
    }

    /// Returns when `condition` holds. It is asked again whenever something was requested, sent, opened or closed.
    pub async fn until(&self, condition: impl Fn() -> bool) {
        loop {
            let changed = self.0.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if condition() {
                return;
            }
            changed.await;
        }
    }

    /// Counts a request and takes the faults meant for it.
    pub(crate) fn take(&self, endpoint: Endpoint) -> Vec<Fault> {
        let faults = {
            let mut desk = self.desk();
            *desk.requests.entry(endpoint).or_default() += 1;
            match desk.once.get_mut(&endpoint).and_then(VecDeque::pop_front) {
                Some(faults) => faults,
                None => desk.always.get(&endpoint).cloned().unwrap_or_default(),
            }
        };
        self.touch();
        faults
    }

    pub(crate) fn touch(&self) {
        self.0.changed.notify_waiters();
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.desk().settings.clone()
    }

    /// Changes settings, from the next request on.
    pub fn set(&self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.desk().settings);
    }

    /// Sets how authorization responses name the issuer.
    pub fn set_response_iss(&self, response_iss: ResponseIss) {
        self.set(|settings| settings.response_iss = response_iss);
    }

    /// The clock of tenant, agent and clock tool.
    pub(crate) fn clock(&self) -> Clock {
        self.0.clock.clone()
    }

    /// Moves the clock of tenant, agent and clock tool forward. The machine's own clock stays.
    pub fn advance(&self, by: Duration) {
        self.0.clock.advance(by);
    }

    /// All refresh tokens presented so far, in order, as generations.
    #[must_use]
    pub fn presented(&self) -> Vec<Presented> {
        self.desk().presented.clone()
    }

    pub(crate) fn log_presented(&self, presented: Presented) {
        self.desk().presented.push(presented);
        self.touch();
    }

    /// How many refresh token families are alive.
    #[must_use]
    pub fn live_families(&self) -> usize {
        self.tenant().map_or(0, |tenant| tenant.live_families())
    }

    /// Ends every refresh token family, as an administrator does. Access tokens live on until they expire.
    pub fn revoke_everything(&self) {
        if let Some(tenant) = self.tenant() {
            tenant.revoke_everything();
        }
    }

    /// Forgets every client that has registered itself, as tenants do after a while, and what was given to it.
    pub fn forget_clients(&self) {
        if let Some(tenant) = self.tenant() {
            tenant.forget_clients();
        }
    }

    /// Signs with a new key from now on. The key set lists the old one too, unless `forget_old`.
    ///
    /// # Errors
    /// When no key can be made.
    pub fn rotate_keys(&self, forget_old: bool) -> Result<(), crate::SandboxError> {
        self.tenant().map_or(Ok(()), |tenant| tenant.rotate_keys(forget_old))
    }

    /// Answers every approval that waits on somebody's phone.
    pub fn answer_phone(&self, approved: bool) {
        if let Some(tenant) = self.tenant() {
            tenant.answer_phone(approved);
        }
    }

    pub(crate) fn attach_tenant(&self, tenant: &Arc<Tenant>) {
        *self.0.tenant.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(tenant);
    }

    pub(crate) fn tenant(&self) -> Option<Arc<Tenant>> {
        self.0.tenant.lock().unwrap_or_else(PoisonError::into_inner).upgrade()
    }
}
