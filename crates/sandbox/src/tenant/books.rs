//! What the tenant remembers: refresh token families, browser sessions, consents. Secrets are kept as SHA-256 hashes only.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::my_account::Connected;
use crate::{Presented, RefreshOutcome, Settings, random};

/// A browser stays signed in for three days, as at Auth0.
const BROWSER_SESSION: u64 = 259_200;

/// Who signed in, when, and for what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    pub(crate) sub: String,
    pub(crate) sid: String,
    pub(crate) auth_time: u64,
    pub(crate) client_id: String,
    pub(crate) audience: Option<String>,
    /// Separated by spaces.
    pub(crate) scope: String,
    /// What the tokens are for, as the app named it (RFC 8707).
    #[serde(default)]
    pub(crate) resource: Option<String>,
    /// The thumbprint of the key that the tokens are bound to (RFC 9449 §6.1).
    #[serde(default)]
    pub(crate) jkt: Option<String>,
}

/// A client that has made itself known.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Client {
    id: String,
    redirect_uris: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct RefreshToken {
    sha256: String,
    generation: u64,
    used_ms: Option<u64>,
}

/// All refresh tokens that come of one sign-in.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Family {
    id: u64,
    grant: Grant,
    expires_ms: u64,
    alive: bool,
    tokens: Vec<RefreshToken>,
}

impl Family {
    fn issue(&mut self, generation: u64) -> String {
        let token = random::secret();
        self.tokens.push(RefreshToken { sha256: random::sha256(&token), generation, used_ms: None });
        token
    }
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BrowserSession {
    sha256: String,
    pub(crate) sub: String,
    pub(crate) sid: String,
    pub(crate) auth_time: u64,
}

/// A refresh token that was accepted: what to sign, and the token to hand out, if it changed.
#[derive(Debug)]
pub(crate) struct Refreshed {
    pub(crate) grant: Grant,
    pub(crate) next: Option<String>,
}

/// Everything that outlives the process.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Books {
    families: Vec<Family>,
    browsers: Vec<BrowserSession>,
    consents: BTreeSet<(String, String, String)>,
    clients: Vec<Client>,
    connected: Vec<Connected>,
    count: u64,
}

impl Books {
    /// The first refresh token of a new family, and the family's number.
    pub(crate) fn found(&mut self, grant: Grant, now_ms: u64, ttl_ms: u64) -> (String, u64) {
        self.families.retain(|family| family.expires_ms > now_ms);
        self.count += 1;
        let mut family = Family { id: self.count, grant, expires_ms: now_ms.saturating_add(ttl_ms), alive: true, tokens: Vec::new() };
        let token = family.issue(1);
        self.families.push(family);
        (token, self.count)
    }

    /// Presents a refresh token. Reuse of a used one, beyond the overlap or when its child was used already, kills the family
    /// (RFC 9700 §4.14.2). `is_for`: whether what is asked for goes with what was signed in for (RFC 8707 §2.2).
    pub(crate) fn refresh(
        &mut self,
        token: &str,
        client_id: &str,
        is_for: impl Fn(Option<&str>) -> bool,
        jkt: Option<&str>,
        now_ms: u64,
        settings: &Settings,
    ) -> (Presented, Option<Refreshed>) {
        let sha256 = random::sha256(token);
        let found = self
            .families
            .iter_mut()
            .find_map(|family| family.tokens.iter().position(|token| token.sha256 == sha256).map(|index| (family, index)));
        let Some((family, index)) = found.filter(|(family, _)| family.grant.client_id == client_id) else {
            return (Presented { family: 0, generation: 0, outcome: RefreshOutcome::Unknown }, None);
        };
        let generation = family.tokens[index].generation;
        let overlap = u64::try_from(settings.refresh_overlap.as_millis()).unwrap_or(u64::MAX);
        let newest = family.tokens.iter().map(|token| token.generation).max().unwrap_or(generation);
        let outcome = if !is_for(family.grant.resource.as_deref()) {
            RefreshOutcome::WrongTarget
        } else if family.grant.jkt.is_some() && family.grant.jkt.as_deref() != jkt {
            RefreshOutcome::WrongKey
        } else if !family.alive {
            RefreshOutcome::Dead
        } else if now_ms >= family.expires_ms {
            RefreshOutcome::Expired
        } else {
            match family.tokens[index].used_ms {
                None if !settings.rotation => RefreshOutcome::Kept,
                None => RefreshOutcome::Rotated,
                Some(used) if newest == generation + 1 && now_ms < used.saturating_add(overlap) => RefreshOutcome::Overlapped,
                Some(_) => RefreshOutcome::Reused,
            }
        };
        let refreshed = match outcome {
            RefreshOutcome::Rotated | RefreshOutcome::Overlapped => {
                family.tokens[index].used_ms.get_or_insert(now_ms);
                let next = family.issue(generation + 1);
                Some(Refreshed { grant: family.grant.clone(), next: Some(next) })
            }
            RefreshOutcome::Kept => Some(Refreshed { grant: family.grant.clone(), next: None }),
            RefreshOutcome::Reused => {
                family.alive = false;
                None
            }
            RefreshOutcome::WrongTarget
            | RefreshOutcome::WrongKey
            | RefreshOutcome::Dead
            | RefreshOutcome::Expired
            | RefreshOutcome::Unknown => None,
        };
        (Presented { family: family.id, generation, outcome }, refreshed)
    }

    /// Ends the family of this token, if there is one and it is this client's.
    pub(crate) fn revoke(&mut self, token: &str, client_id: &str) {
        let sha256 = random::sha256(token);
        for family in self.families.iter_mut().filter(|family| family.grant.client_id == client_id) {
            if family.tokens.iter().any(|token| token.sha256 == sha256) {
                family.alive = false;
            }
        }
    }

    /// A new public client; its id comes back.
    pub(crate) fn register(&mut self, redirect_uris: Vec<String>) -> String {
        let id = format!("tpc_{}", random::nanoid(24));
        self.clients.push(Client { id: id.clone(), redirect_uris });
        id
    }

    /// Where a client that has registered itself may have the browser sent.
    pub(crate) fn redirect_uris(&self, client_id: &str) -> Option<Vec<String>> {
        self.clients.iter().find(|client| client.id == client_id).map(|client| client.redirect_uris.clone())
    }

    /// Forgets every client that has registered itself, and what was given to it.
    pub(crate) fn forget_clients(&mut self) {
        for client in std::mem::take(&mut self.clients) {
            self.families.retain(|family| family.grant.client_id != client.id);
        }
    }

    /// Ends one family.
    pub(crate) fn kill(&mut self, id: u64) {
        for family in self.families.iter_mut().filter(|family| family.id == id) {
            family.alive = false;
        }
    }

    /// Ends all of them.
    pub(crate) fn kill_all(&mut self) {
        for family in &mut self.families {
            family.alive = false;
        }
    }

    pub(crate) fn live(&self) -> usize {
        self.families.iter().filter(|family| family.alive).count()
    }

    /// Signs a browser in; its cookie's value comes back beside what is kept of it.
    pub(crate) fn open_browser(&mut self, sub: &str, now: u64) -> (String, BrowserSession) {
        self.browsers.retain(|session| session.auth_time + BROWSER_SESSION > now);
        let cookie = random::secret();
        let session = BrowserSession { sha256: random::sha256(&cookie), sub: sub.to_owned(), sid: random::nanoid(32), auth_time: now };
        self.browsers.push(session.clone());
        (cookie, session)
    }

    /// The session of a browser with this cookie.
    pub(crate) fn browser(&self, cookie: &str, now: u64) -> Option<&BrowserSession> {
        let sha256 = random::sha256(cookie);
        self.browsers.iter().find(|session| session.sha256 == sha256 && session.auth_time + BROWSER_SESSION > now)
    }

    /// Signs a browser out.
    pub(crate) fn close_browser(&mut self, sid: &str) {
        self.browsers.retain(|session| session.sid != sid);
    }

    /// Connects an account; an earlier one of the same connection is replaced.
    pub(super) fn connect(&mut self, account: Connected) {
        self.connected.retain(|known| (&known.sub, &known.connection) != (&account.sub, &account.connection));
        self.connected.push(account);
    }

    /// A person's connected accounts.
    pub(super) fn connected(&self, sub: &str) -> Vec<Connected> {
        self.connected.iter().filter(|account| account.sub == sub).cloned().collect()
    }

    /// Disconnects an account. False if there is none.
    pub(super) fn disconnect(&mut self, sub: &str, id: &str) -> bool {
        let before = self.connected.len();
        self.connected.retain(|account| account.sub != sub || account.id() != id);
        self.connected.len() < before
    }

    /// Whether a person has agreed to these scopes for this client.
    pub(crate) fn consented(&self, sub: &str, client_id: &str, scope: &str) -> bool {
        self.consents.contains(&(sub.to_owned(), client_id.to_owned(), scope.to_owned()))
    }

    /// The person agrees.
    pub(crate) fn consent(&mut self, sub: &str, client_id: &str, scope: &str) {
        self.consents.insert((sub.to_owned(), client_id.to_owned(), scope.to_owned()));
    }
}
