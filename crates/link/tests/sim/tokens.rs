//! Tokens that are made here, end, and are sometimes not to be had.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use callbox_identity::{AccessToken, Account, SessionState, Storage, TokenError, Trouble};
use callbox_link::TokenSource;
use callbox_vault::Secret;
use futures_util::future::BoxFuture;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::{chance::Chance, weather::Weather};

/// What the tenant knows: which tokens are good until when.
#[derive(Clone)]
pub(crate) struct Tokens(Arc<Inner>);

struct Inner {
    chance: Chance,
    weather: Weather,
    state: Mutex<SessionState>,
    /// One for each link, because those who wait for the same one are woken in any order.
    watches: Mutex<Vec<watch::Sender<SessionState>>>,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    made: u64,
    current: Option<AccessToken>,
    good: HashMap<u64, Instant>,
}

fn signed_in() -> SessionState {
    let account = Account { iss: "https://tenant.test/".into(), sub: "ada".into(), name: "Ada".into(), email: None, picture: None };
    SessionState::SignedIn { account, storage: Storage::Keychain }
}

impl Tokens {
    pub(crate) fn new(chance: Chance, weather: Weather) -> Self {
        Self(Arc::new(Inner { chance, weather, state: Mutex::new(signed_in()), watches: Mutex::default(), books: Mutex::default() }))
    }

    pub(crate) fn is_good(&self, token: &AccessToken) -> bool {
        self.0.books.lock().unwrap().good.get(&token.fingerprint()).is_some_and(|end| *end > Instant::now())
    }

    /// The tenant, or the agent's memory of it, no longer knows any token.
    pub(crate) fn forget(&self) {
        self.0.books.lock().unwrap().good.clear();
    }

    pub(crate) fn sign_out(&self) {
        self.become_state(&SessionState::SignedOut { reason: None });
    }

    pub(crate) fn sign_in(&self) {
        self.become_state(&signed_in());
    }

    fn become_state(&self, state: &SessionState) {
        if *self.0.state.lock().unwrap() == *state {
            return;
        }
        self.0.state.lock().unwrap().clone_from(state);
        for watch in self.0.watches.lock().unwrap().iter() {
            watch.send_replace(state.clone());
        }
    }
}

impl Inner {
    fn token(&self, rejected: Option<&AccessToken>) -> AccessToken {
        let (now, mut books) = (Instant::now(), self.books.lock().unwrap());
        let usable = |token: &&AccessToken| token.fresh_until() > now && rejected.is_none_or(|no| no.fingerprint() != token.fingerprint());
        if let Some(token) = books.current.as_ref().filter(usable) {
            return token.clone();
        }
        books.made += 1;
        let lifetime = Duration::from_secs(30 + self.chance.below(600));
        let token = AccessToken::new(Secret::new(format!("token-{}", books.made)), now + lifetime * 9 / 10, now + lifetime);
        books.good.insert(token.fingerprint(), now + lifetime);
        books.current = Some(token.clone());
        token
    }
}

impl TokenSource for Tokens {
    fn state(&self) -> watch::Receiver<SessionState> {
        let (watch, state) = watch::channel(self.0.state.lock().unwrap().clone());
        self.0.watches.lock().unwrap().push(watch);
        state
    }

    fn access_token(&self, rejected: Option<AccessToken>) -> BoxFuture<'static, Result<AccessToken, TokenError>> {
        let inner = self.0.clone();
        Box::pin(async move {
            sleep(inner.chance.delay(2_000)).await;
            if !matches!(*inner.state.lock().unwrap(), SessionState::SignedIn { .. }) {
                return Err(TokenError::SignedOut);
            }
            if inner.weather.strikes(15) {
                let trouble = if inner.chance.percent(50) { Trouble::Unreachable } else { Trouble::Unwell { status: 503, retry_in: None } };
                return Err(TokenError::Transient(trouble));
            }
            Ok(inner.token(rejected.as_ref()))
        })
    }
}
