//! Connecting, listing and disconnecting, for one session.
//!
//! What is remembered here is a short list of attempts under a lock that is never held across an await. Tokens are asked of the session's actor.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use callbox_vault::Secret;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, timeout_at},
};
use url::Url;

use super::{
    ConnectError, ConnectedAccount,
    api::{Api, Begun, Wanted},
    attempts::{Attempt, Attempts},
    breaker::Breaker,
    link::{self, Link},
};
use crate::{
    AccessToken, CallbackOutcome, Config, Entropy, Ignored, SessionState, TokenError, entropy,
    session::{Command, TokenReply},
};

/// The most scopes that can be asked for.
const MAX_SCOPES: usize = 100;
/// The longest name of a connection.
const MAX_NAME: usize = 128;

/// An account that can be connected.
#[derive(Debug)]
pub struct ConnectStart {
    /// The tenant's page, to be opened in the system browser.
    pub url: Url,
    done: oneshot::Receiver<Result<ConnectedAccount, ConnectError>>,
    expires: Instant,
    connector: Connector,
}

impl ConnectStart {
    /// Waits until the account is connected, or will not be. Whoever stops waiting changes nothing.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn finished(self) -> Result<ConnectedAccount, ConnectError> {
        let mut done = self.done;
        if let Ok(outcome) = timeout_at(self.expires, &mut done).await {
            return outcome.unwrap_or(Err(ConnectError::Cancelled));
        }
        // Either it is over now, or its link has come in the last moment and is being dealt with.
        self.connector.desk().attempts.sweep(Instant::now());
        done.await.unwrap_or(Err(ConnectError::Expired))
    }
}

/// The handle. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Inner>);

struct Inner {
    api: Api,
    entropy: Arc<dyn Entropy>,
    redirect_uri: String,
    /// Does not keep the session alive.
    session: mpsc::WeakSender<Command>,
    state: watch::Receiver<SessionState>,
    desk: Mutex<Desk>,
}

#[derive(Default)]
struct Desk {
    attempts: Attempts,
    breaker: Breaker,
    /// The fingerprint of a token that the tenant has refused.
    rejected: Option<u64>,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Connector(…)")
    }
}

/// Where the browser comes back to, and what keeps it open.
pub(crate) struct Door {
    pub(crate) redirect_uri: String,
    pub(crate) open: oneshot::Sender<()>,
}

impl Connector {
    pub(crate) fn new(config: &Config, session: mpsc::WeakSender<Command>, state: watch::Receiver<SessionState>) -> Self {
        let api = Api { http: config.http.clone(), issuer: config.profile.issuer.clone(), clock: config.clock.clone() };
        Self(Arc::new(Inner {
            api,
            entropy: config.entropy.clone(),
            redirect_uri: config.profile.redirect_uri.clone(),
            session,
            state,
            desk: Mutex::default(),
        }))
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.0.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who is signed in now.
    fn owner(&self) -> Option<(String, String)> {
        match &*self.0.state.borrow() {
            SessionState::SignedIn { account, .. } => Some((account.iss.clone(), account.sub.clone())),
            _ => None,
        }
    }

    /// A token for the tenant's API.
    async fn token(&self) -> Result<AccessToken, ConnectError> {
        let commands = self.0.session.upgrade().ok_or(TokenError::Closed)?;
        let rejected = self.desk().rejected.take();
        let (reply, answer): (TokenReply, _) = oneshot::channel();
        commands.send(Command::MyAccount { rejected, reply }).await.map_err(|_| TokenError::Closed)?;
        Ok(answer.await.unwrap_or(Err(TokenError::Closed))?)
    }

    /// Remembers a token that was refused, so that the next try is made with another.
    fn judge<T>(&self, token: &AccessToken, answer: Result<T, ConnectError>) -> Result<T, ConnectError> {
        if answer.as_ref().err() == Some(&ConnectError::Rejected) {
            self.desk().rejected = Some(token.fingerprint());
        }
        answer
    }

    /// Begins to connect an account at `connection`, with these scopes and those that were granted before.
    pub(crate) async fn begin(&self, connection: &str, scopes: &[String], door: Option<Door>) -> Result<ConnectStart, ConnectError> {
        if !is_connection(connection) {
            return Err(ConnectError::Connection);
        }
        if let Some(retry_in) = self.desk().breaker.holds(connection, scopes, Instant::now()) {
            return Err(ConnectError::Loops { retry_in });
        }
        let owner = self.owner().ok_or(TokenError::SignedOut)?;
        let token = self.token().await?;
        let accounts = self.judge(&token, self.0.api.accounts(&token).await)?;
        let scopes = union(scopes, accounts.iter().filter(|account| account.connection == connection).flat_map(|account| &account.scopes));
        if scopes.len() > MAX_SCOPES {
            return Err(ConnectError::TooMany);
        }
        let (state, verifier) = (entropy::token(&*self.0.entropy), entropy::token(&*self.0.entropy));
        let (redirect_uri, open) = match door {
            Some(door) => (door.redirect_uri, Some(door.open)),
            None => (self.0.redirect_uri.clone(), None),
        };
        let wanted = Wanted { connection, scopes: &scopes, redirect_uri: &redirect_uri, state: &state, verifier: &verifier };
        let begun = self.judge(&token, self.0.api.connect(&token, &wanted).await)?;
        let Begun { auth_session, page, life } = begun;
        let (done, end) = oneshot::channel();
        let connection = connection.to_owned();
        let attempt = Attempt { state, verifier, auth_session, redirect_uri, owner, connection, scopes, done, door: open };
        let now = Instant::now();
        self.desk().attempts.open(attempt, life, now);
        Ok(ConnectStart { url: page, done: end, expires: now + life, connector: self.clone() })
    }

    /// Takes a link if it is for one of these attempts. Any text at all may be passed. `None`: it is not.
    pub(crate) fn claim(&self, text: &str) -> Option<impl Future<Output = CallbackOutcome> + Send + 'static + use<>> {
        let mut desk = self.desk();
        if !link::states(text).iter().any(|state| desk.attempts.knows(state)) {
            return None;
        }
        let claimed = Link::parse(text).and_then(|link| {
            let attempt = desk.attempts.claim(&link.state, &link.address, Instant::now())?;
            Ok((link, attempt))
        });
        drop(desk);
        let connector = self.clone();
        Some(async move {
            match claimed {
                Ok((link, attempt)) => {
                    // It runs to its end, whoever listens.
                    let work = tokio::spawn(async move { connector.complete(link, attempt).await });
                    work.await.unwrap_or(CallbackOutcome::Ignored(Ignored::Closed))
                }
                Err(why) => {
                    tracing::info!(code = why.code(), "a link was ignored");
                    CallbackOutcome::Ignored(why)
                }
            }
        })
    }

    async fn complete(&self, link: Link, mut attempt: Attempt) -> CallbackOutcome {
        // The listener stops when the page has been answered.
        let door = attempt.door.take();
        let outcome = self.finish(link, &attempt).await;
        match &outcome {
            Ok(_) => self.desk().breaker.connected(&attempt.connection, &attempt.scopes, Instant::now()),
            Err(error) => tracing::info!(code = error.code(), "an account was not connected"),
        }
        // Whoever does not wait any more sees it in the list.
        let _ = attempt.done.send(outcome.clone());
        drop(door);
        match outcome {
            Ok(account) => CallbackOutcome::Connected(account),
            Err(error) => CallbackOutcome::NotConnected(error),
        }
    }

    async fn finish(&self, link: Link, attempt: &Attempt) -> Result<ConnectedAccount, ConnectError> {
        if link.iss.is_some_and(|iss| iss != attempt.owner.0) {
            return Err(ConnectError::WrongIssuer);
        }
        let code = link.answer.map_err(|error| match error.error.as_str() {
            "access_denied" => ConnectError::Declined,
            _ => ConnectError::Failed(error),
        })?;
        if self.owner().as_ref() != Some(&attempt.owner) {
            return Err(TokenError::SignedOut.into());
        }
        let token = self.token().await?;
        self.judge(&token, self.0.api.complete(&token, attempt, &code).await)
    }

    /// All connected accounts.
    pub(crate) async fn accounts(&self) -> Result<Vec<ConnectedAccount>, ConnectError> {
        let token = self.token().await?;
        self.judge(&token, self.0.api.accounts(&token).await)
    }

    /// Disconnects an account.
    pub(crate) async fn disconnect(&self, account: &ConnectedAccount) -> Result<(), ConnectError> {
        let token = self.token().await?;
        self.judge(&token, self.0.api.delete(&token, &account.id).await)?;
        self.desk().breaker.disconnected(&account.connection);
        Ok(())
    }

    /// Gives up every attempt that waits for the browser.
    pub(crate) fn cancel(&self) {
        self.desk().attempts.cancel();
    }

    /// The account leaves: nothing that was connected in its name counts for the next one.
    pub(crate) fn forget(&self) {
        let mut desk = self.desk();
        desk.attempts.cancel();
        desk.breaker = Breaker::default();
    }
}

/// Whether a connection can have this name: letters, digits and dashes, as the tenant has it, and what else is harmless.
fn is_connection(name: &str) -> bool {
    let harmless = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=MAX_NAME).contains(&name.len()) && name.bytes().all(harmless) && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// These scopes and those, each once. `offline_access` is the tenant's own to add, and not one that it replaces.
fn union<'a>(new: &'a [String], old: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for scope in old.filter(|scope| *scope != "offline_access").chain(new) {
        if !all.contains(scope) {
            all.push(scope.clone());
        }
    }
    all
}

/// Hands a link to whoever it is for: an account that is being connected, else the session.
pub(crate) async fn route(connector: &Connector, commands: &mpsc::Sender<Command>, link: Secret<String>) -> CallbackOutcome {
    if let Some(outcome) = connector.claim(link.expose()) {
        return outcome.await;
    }
    if link::is_of_an_account(link.expose()) {
        // It may be another session's.
        return CallbackOutcome::Ignored(Ignored::Unknown);
    }
    let (reply, answer) = oneshot::channel();
    let closed = CallbackOutcome::Ignored(Ignored::Closed);
    match commands.send(Command::Callback(link, reply)).await {
        Ok(()) => answer.await.unwrap_or(closed),
        Err(_) => closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_name_is_no_connection() {
        for good in ["google-oauth2", "github", "Slack_2", "a", "windowslive"] {
            assert!(is_connection(good), "{good}");
        }
        let long = "x".repeat(MAX_NAME + 1);
        for bad in ["", "-a", "..", "a b", "a/b", "a?b", "gооgle", "a\u{202e}b", "a\n", "{}", &long] {
            assert!(!is_connection(bad), "{bad}");
        }
    }

    #[test]
    fn what_was_granted_before_is_asked_for_again() {
        let list = |scopes: &[&str]| scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        let (new, old) = (list(&["write", "read"]), list(&["offline_access", "read", "openid"]));
        assert_eq!(union(&new, old.iter()), ["read", "openid", "write"]);
        assert_eq!(union(&list(&["offline_access"]), [].iter()), ["offline_access"], "if the agent wants it, it is asked for");
    }
}
