//! One account at one tenant: the handle and what it tells.

mod actor;
mod flights;
mod keeping;
mod my_account;
mod owed;
mod refreshing;
mod sharing;
mod sign_in;
mod sign_out;
mod stored;

use std::{path::PathBuf, sync::Arc};

use callbox_vault::{Secret, Vault, VaultError};
use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use self::sharing::Sharing;
use crate::{
    AccessToken, Account, AttemptId, Clock, ConnectError, ConnectStart, ConnectedAccount, Entropy, Ignored, Profile, SignInError, Slot,
    TokenError,
    connected::{self, Connector},
    find::LOOPBACK,
    loopback::Loopback,
};

/// What a session is made of.
#[derive(Clone)]
pub struct Config {
    pub profile: Profile,
    pub vault: Vault,
    /// Must not follow redirects, so that no token follows one.
    pub http: reqwest::Client,
    pub clock: Arc<dyn Clock>,
    pub entropy: Arc<dyn Entropy>,
}

/// What a session is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// The vault is being asked; milliseconds, five seconds at most.
    Restoring,
    SignedOut {
        /// Why, where it was not the user's own wish.
        reason: Option<SignedOutReason>,
    },
    /// Somebody is at the browser. The newest attempt, if there are several.
    SigningIn {
        attempt: AttemptId,
        stage: SignInStage,
    },
    SignedIn {
        account: Account,
        storage: Storage,
    },
}

/// Why nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedOutReason {
    /// The tenant has ended the session (`invalid_grant`). What belongs to the account on this computer stays.
    Ended { account: Account },
    /// The tenant answered for somebody else than before. What belongs to the account on this computer stays.
    AccountChanged { account: Account },
    /// The key that the session is bound to is not in the keychain any more, or another one is in its place (RFC 9449): nothing can be proved
    /// with it. What belongs to the account on this computer stays.
    KeyLost { account: Account },
    /// The keychain could not be asked who was signed in. When it works again ([`Vault::probe`]), the session comes back by itself.
    Keychain(VaultError),
    /// What the keychain holds for this profile is not readable by this version.
    Unreadable,
    /// The last sign-in did not succeed.
    SignInFailed(SignInError),
}

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInStage {
    /// Asking the tenant where its pages are.
    Preparing,
    /// Nothing will happen until the browser sends the user back.
    WaitingForBrowser,
    /// The link came back; code and tokens are being exchanged.
    Exchanging,
}

/// Where the sign-in is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// In the keychain: survives a restart.
    Keychain,
    /// In memory only, for this reason. Moves to the keychain when that works again.
    SessionOnly(VaultError),
}

/// A sign-in that can begin.
#[derive(Debug, Clone)]
pub struct SignInStart {
    pub attempt: AttemptId,
    /// The page to open in the system browser. Contains `state` and `nonce`, no verifier.
    pub url: Url,
}

/// What became of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallbackOutcome {
    /// Signed in.
    Completed,
    /// Not meant for us, or not any more. Nothing changed.
    Ignored(Ignored),
    /// The attempt that it belongs to is over.
    Failed(SignInError),
    /// An account at another service is connected now.
    Connected(ConnectedAccount),
    /// The attempt to connect one is over.
    NotConnected(ConnectError),
}

/// What a sign-out achieved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignOut {
    /// The tenant has confirmed that the refresh token is worthless now.
    pub revoked: bool,
    /// The tenant could not be reached. The token waits in the keychain, and is revoked at a later start or sign-in.
    pub will_be_revoked: bool,
    /// Why the keychain may still hold the refresh token; `None` if it is gone.
    pub left_in_keychain: Option<VaultError>,
    /// The page that ends the browser's own session at the tenant, where there is one; to be opened if the user wants that too.
    pub browser_logout: Option<Url>,
}

/// The handle on a session. Clones are the same session; it ends when the last one is dropped.
#[derive(Clone)]
pub struct Session {
    commands: mpsc::Sender<Command>,
    state: watch::Receiver<SessionState>,
    forgotten: watch::Receiver<bool>,
    granted: watch::Receiver<Vec<String>>,
    connector: Connector,
    /// The profile's only way back is a listener on this computer.
    comes_back_here: bool,
}

/// Whoever wants to begin a sign-in.
type StartReply = oneshot::Sender<Result<SignInStart, SignInError>>;
/// Whoever wants a token.
pub(crate) type TokenReply = oneshot::Sender<Result<AccessToken, TokenError>>;

pub(crate) enum Command {
    Begin(StartReply),
    BeginOther(StartReply),
    Forget(oneshot::Sender<()>),
    Callback(Secret<String>, oneshot::Sender<CallbackOutcome>),
    Cancel,
    Look,
    StepUp { missing: Vec<String>, reply: StartReply },
    Loopback { attempt: AttemptId, redirect_uri: String, open: oneshot::Sender<()>, reply: StartReply },
    Token { rejected: Option<u64>, reply: TokenReply },
    MyAccount { rejected: Option<u64>, reply: TokenReply },
    SignOut(oneshot::Sender<SignOut>),
}

impl Session {
    /// Starts the session's actor; it restores from the vault in the background. Must be called inside a tokio runtime.
    #[must_use]
    pub fn spawn(config: Config) -> Self {
        let slot = Slot::first(&config.profile);
        Self::start(config, None, slot)
    }

    /// The same for a vault that other processes use too: a refresh is made under a lock in the folder `locks`, which has to be the same
    /// for all of them, and with the token that the vault holds then. Whoever had to wait finds the new access token in the vault and makes
    /// no request. The lock of a process that dies is free at once, and a journal beside it says whether it died over a refresh; then the
    /// same token is presented once more, at once.
    ///
    /// Where the folder has no locks, refreshes go on without; if another process keeps the lock for a minute, they fail with
    /// [`Trouble::Elsewhere`](crate::Trouble::Elsewhere).
    #[must_use]
    pub fn spawn_shared(config: Config, locks: PathBuf) -> Self {
        let slot = Slot::first(&config.profile);
        Self::start(config, Some(locks), slot)
    }

    /// The same for another account than the profile's first: `slot` says which ([`crate::accounts`]), or is the place of one that is yet to
    /// sign in ([`Slot::another`]).
    #[must_use]
    pub fn spawn_at(config: Config, locks: PathBuf, slot: Slot) -> Self {
        Self::start(config, Some(locks), slot)
    }

    fn start(config: Config, locks: Option<PathBuf>, slot: Slot) -> Self {
        let (commands, inbox) = mpsc::channel(256);
        let (publish, state) = watch::channel(SessionState::Restoring);
        let (forget, forgotten) = watch::channel(false);
        let (publish_granted, granted) = watch::channel(config.profile.scopes.clone());
        let sharing = locks.map(|folder| Sharing::new(folder, slot.name()));
        let comes_back_here = config.profile.redirect_uri == LOOPBACK;
        let connector = Connector::new(&config, commands.downgrade(), state.clone());
        let publish = actor::Publish { state: publish, granted: publish_granted };
        tokio::spawn(actor::run(config, slot, sharing, inbox, actor::Told { publish, forget }));
        Self { commands, state, forgotten, granted, connector, comes_back_here }
    }

    /// Becomes true when the tenant refuses a refresh because it does not know the client ([`crate::TenantError::forgot_client`]). The session is kept: the
    /// tenant may be wrong. A client that has registered itself can be renewed ([`crate::renew_client`]).
    #[must_use]
    pub fn client_forgotten(&self) -> watch::Receiver<bool> {
        self.forgotten.clone()
    }

    /// What the session is doing, now and from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<SessionState> {
        self.state.clone()
    }

    /// The scopes that this session has, as far as the tenant has said; else those of the profile. For showing what is new in what an agent wants.
    #[must_use]
    pub fn granted(&self) -> watch::Receiver<Vec<String>> {
        self.granted.clone()
    }

    /// Prepares a sign-in; the caller opens the page. Earlier attempts stay good: whichever comes back first wins.
    ///
    /// # Errors
    /// When the tenant's metadata cannot be had, or the attempt is cancelled meanwhile.
    pub async fn begin_sign_in(&self) -> Result<SignInStart, SignInError> {
        let start = self.ask(Command::Begin).await.unwrap_or(Err(SignInError::Closed))?;
        if self.comes_back_here { self.open_loopback(start.attempt).await } else { Ok(start) }
    }

    /// The same for one more account: the tenant is asked to let the person choose (OpenID Connect Core §3.1.2.1, `select_account`), or the browser
    /// might silently give the account that it knows.
    ///
    /// # Errors
    /// As [`Session::begin_sign_in`].
    pub async fn begin_other_sign_in(&self) -> Result<SignInStart, SignInError> {
        let start = self.ask(Command::BeginOther).await.unwrap_or(Err(SignInError::Closed))?;
        if self.comes_back_here { self.open_loopback(start.attempt).await } else { Ok(start) }
    }

    /// Prepares a sign-in that asks for more, because an agent has refused a token that lacks these scopes
    /// ([`crate::Challenge::missing_scopes`]): for them and for all that was granted before. The session stays as it is until the sign-in has
    /// succeeded. Show the person what is asked for: the agent has chosen it.
    ///
    /// # Errors
    /// [`SignInError::NotGranted`] if the scopes are granted already, or were asked for three times; else as [`Session::begin_sign_in`].
    pub async fn begin_step_up(&self, missing: &[String]) -> Result<SignInStart, SignInError> {
        let missing = missing.to_vec();
        let start = self.ask(|reply| Command::StepUp { missing, reply }).await.unwrap_or(Err(SignInError::Closed))?;
        if self.comes_back_here { self.open_loopback(start.attempt).await } else { Ok(start) }
    }

    /// Opens a second way back for an attempt that waits: a listener on this computer (RFC 8252 §7.3), for browsers and systems that do not
    /// open the app's own link. The page that comes back leads there; the first page stays good, and whichever comes back first wins. The
    /// listener ends with the attempt.
    ///
    /// # Errors
    /// [`SignInError::Loopback`] if there is no port, [`SignInError::Expired`] if the attempt does not wait any more.
    pub async fn open_loopback(&self, attempt: AttemptId) -> Result<SignInStart, SignInError> {
        let loopback = Loopback::bind().await.map_err(|error| SignInError::Loopback(error.kind()))?;
        let redirect_uri = loopback.redirect_uri();
        let (open, over) = oneshot::channel();
        let answer = self.ask(|reply| Command::Loopback { attempt, redirect_uri, open, reply }).await;
        let start = answer.unwrap_or(Err(SignInError::Closed))?;
        self.serve(loopback, over);
        Ok(start)
    }

    /// Takes what comes back to this computer, until the sender of `over` is gone.
    fn serve(&self, loopback: Loopback, over: oneshot::Receiver<()>) {
        // The session may end while somebody is at the browser.
        let (commands, connector) = (self.commands.downgrade(), self.connector.clone());
        tokio::spawn(loopback.serve(over, move |link| {
            let (commands, connector) = (commands.upgrade(), connector.clone());
            async move {
                let Some(commands) = commands else { return (CallbackOutcome::Ignored(Ignored::Closed), None) };
                let outcome = connected::route(&connector, &commands, link).await;
                // The session lives on until the browser has been told, or a program that ends with it would leave a broken page.
                (outcome, Some(commands))
            }
        }));
    }

    /// Takes a link that the system, the user or a loopback listener handed over. Any text at all may be passed.
    ///
    /// A caller that stops waiting changes nothing: the exchange runs in the session.
    pub async fn handle_callback(&self, link: &str) -> CallbackOutcome {
        connected::route(&self.connector, &self.commands, Secret::from(link)).await
    }

    /// Prepares to connect an account at another service, because an agent needs one (Auth0's Connected Accounts): with these scopes and those
    /// that were granted for it before. The caller opens the page. Show the person what is asked for: the agent has chosen it.
    ///
    /// # Errors
    /// See [`ConnectError`]; [`ConnectError::NotOffered`] wherever the tenant has no such thing, or not for this app.
    pub async fn begin_connect(&self, connection: &str, scopes: &[String]) -> Result<ConnectStart, ConnectError> {
        if !self.comes_back_here {
            return self.connector.begin(connection, scopes, None).await;
        }
        let loopback = Loopback::bind().await.map_err(|error| ConnectError::Loopback(error.kind()))?;
        let (open, over) = oneshot::channel();
        let door = connected::Door { redirect_uri: loopback.redirect_uri(), open };
        let start = self.connector.begin(connection, scopes, Some(door)).await?;
        self.serve(loopback, over);
        Ok(start)
    }

    /// Gives up every account that is being connected.
    pub fn cancel_connect(&self) {
        self.connector.cancel();
    }

    /// The accounts that are connected.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn connected_accounts(&self) -> Result<Vec<ConnectedAccount>, ConnectError> {
        self.connector.accounts().await
    }

    /// Disconnects an account: agents get no tokens for it any more. One that is gone already is gone.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub async fn disconnect(&self, account: &ConnectedAccount) -> Result<(), ConnectError> {
        self.connector.disconnect(account).await
    }

    /// Gives up every attempt that waits for the browser. An exchange that has begun goes on.
    pub async fn cancel_sign_in(&self) {
        let _ = self.commands.send(Command::Cancel).await;
    }

    /// Has the session look whether another process has signed somebody in meanwhile, if nobody is here: then it is this one's sign-in too. Without
    /// a sign-in by another process only a note on the disk is read, so this can be asked often.
    pub async fn look_again(&self) {
        let _ = self.commands.send(Command::Look).await;
    }

    /// An access token that is good for a while: for 60 seconds at least, or a tenth of its life if that is less. Refreshed if need be;
    /// however many ask at once, the tenant is asked once.
    ///
    /// # Errors
    /// See [`TokenError`]; each says how to go on.
    pub async fn access_token(&self) -> Result<AccessToken, TokenError> {
        self.ask(|reply| Command::Token { rejected: None, reply }).await.unwrap_or(Err(TokenError::Closed))
    }

    /// An access token other than `rejected`, which an agent has just refused: the one that has replaced it already, else a new one.
    ///
    /// # Errors
    /// See [`TokenError`]; each says how to go on.
    pub async fn access_token_after_rejection(&self, rejected: &AccessToken) -> Result<AccessToken, TokenError> {
        let rejected = Some(rejected.fingerprint());
        self.ask(|reply| Command::Token { rejected, reply }).await.unwrap_or(Err(TokenError::Closed))
    }

    /// Ends the session: forgets it here, revokes the refresh token at the tenant (RFC 7009).
    pub async fn sign_out(&self) -> SignOut {
        self.connector.forget();
        let nothing = SignOut { revoked: false, will_be_revoked: false, left_in_keychain: None, browser_logout: None };
        self.ask(Command::SignOut).await.unwrap_or(nothing)
    }

    /// Forgets the session here and tells the tenant nothing: another session of the same account goes on, and at some tenants revoking this one's
    /// token would end that too.
    pub async fn forget(&self) {
        let _ = self.ask(Command::Forget).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}
