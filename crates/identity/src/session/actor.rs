//! The actor: one loop, one owner of everything that a session remembers.

use std::{future::Future, path::PathBuf, sync::Arc, time::SystemTime};

use callbox_vault::{Health, Kept, Secret, Vault, VaultError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    CallbackOutcome, Command, Config, SessionState, SignInStage, SignInStart, SignOut, SignedOutReason, Storage,
    flights::{Proof, Wings},
    refreshing::{Flight, Waiter},
    sign_out::Departure,
};
use crate::{
    Account, AttemptId, DiscoveryError, Entropy, SignInError, TokenError,
    attempts::Attempts,
    discovery::Metadata,
    fetch::Reply,
    lock::Taken,
    record::{self, Record},
    refresh::{Held, Pause},
    token::Rest,
};

/// A session that is alive.
pub(super) struct Live {
    pub(super) account: Account,
    /// None: the tenant gave none, and the session ends with its access token.
    pub(super) refresh: Option<Secret<String>>,
    pub(super) held: Option<Held>,
    /// None: the vault has not answered yet.
    pub(super) storage: Option<Storage>,
}

/// What a flight comes back with.
pub(super) enum Event {
    Restored(Result<Option<Secret<Vec<u8>>>, VaultError>),
    Discovered(Result<Arc<Metadata>, DiscoveryError>),
    Proved {
        attempt: AttemptId,
        result: Result<Box<Proof>, SignInError>,
    },
    /// The record of session number `session` has been given to the vault.
    Kept {
        session: u64,
        kept: Result<Kept, VaultError>,
    },
    /// No other process refreshes now, and this is what the vault holds.
    Locked {
        flight: u64,
        taken: Taken,
        stored: Option<Secret<Vec<u8>>>,
    },
    Answered {
        flight: u64,
        metadata: Option<Arc<Metadata>>,
        since: Since,
        answer: Result<Reply, TokenError>,
    },
    /// The rotated token is in the vault; now the rest of its answer may be looked at.
    RotationKept {
        flight: u64,
        kept: Option<Result<Kept, VaultError>>,
        rest: Rest,
        since: Since,
    },
    Reread {
        flight: u64,
        answer: Result<Option<Secret<Vec<u8>>>, VaultError>,
    },
}

/// When a request was sent, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since(pub(super) Instant, pub(super) SystemTime);

pub(super) struct Actor {
    pub(super) wings: Wings,
    pub(super) vault: Vault,
    pub(super) key: String,
    /// Where the locks are that are shared with other processes.
    pub(super) locks: Option<PathBuf>,
    pub(super) entropy: Arc<dyn Entropy>,
    publish: watch::Sender<SessionState>,
    events: mpsc::UnboundedSender<Event>,
    pub(super) restoring: bool,
    /// The vault could not be read, and may hold a session that nobody has ended.
    pub(super) unread: bool,
    pub(super) live: Option<Live>,
    /// Counts sessions: what comes back for an earlier one is recognised.
    pub(super) session: u64,
    pub(super) reason: Option<SignedOutReason>,
    pub(super) metadata: Option<(Arc<Metadata>, Instant)>,
    pub(super) attempts: Attempts,
    pub(super) next_attempt: u64,
    /// Attempts that wait for the tenant's metadata.
    pub(super) preparing: Vec<(AttemptId, oneshot::Sender<Result<SignInStart, SignInError>>)>,
    /// Attempts whose code is at the tenant.
    pub(super) exchanging: Vec<(AttemptId, oneshot::Sender<CallbackOutcome>)>,
    /// Attempts that have succeeded; the vault has not answered yet.
    pub(super) keeping: Vec<(AttemptId, oneshot::Sender<CallbackOutcome>)>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) flight: Option<Flight>,
    pub(super) flights: u64,
    pub(super) pause: Pause,
    pub(super) departures: Vec<Departure>,
    deferred: Vec<oneshot::Sender<SignOut>>,
}

/// Runs a session until its last handle is gone, and then until a refresh that is under way has been kept.
pub(super) async fn run(config: Config, locks: Option<PathBuf>, mut inbox: mpsc::Receiver<Command>, publish: watch::Sender<SessionState>) {
    let (events, mut results) = mpsc::unbounded_channel();
    let mut health = config.vault.state();
    let mut actor = Actor {
        key: record::key(&config.profile),
        locks,
        wings: Wings::new(config.http, config.profile, config.clock),
        vault: config.vault,
        entropy: config.entropy,
        publish,
        events,
        restoring: true,
        unread: false,
        live: None,
        session: 0,
        reason: None,
        metadata: None,
        attempts: Attempts::default(),
        next_attempt: 0,
        preparing: Vec::new(),
        exchanging: Vec::new(),
        keeping: Vec::new(),
        waiters: Vec::new(),
        flight: None,
        flights: 0,
        pause: Pause::default(),
        departures: Vec::new(),
        deferred: Vec::new(),
    };
    actor.restore();
    loop {
        let expiry = actor.attempts.next_expiry();
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => actor.command(command),
                None => break,
            },
            Some(event) = results.recv() => actor.event(event),
            Ok(()) = health.changed() => actor.vault_changed(&health.borrow_and_update().clone()),
            () = sleep_until(expiry.unwrap_or_else(Instant::now)), if expiry.is_some() => actor.expire(),
        }
        actor.show();
    }
    while actor.flight.is_some() || !actor.departures.is_empty() {
        match results.recv().await {
            Some(event) => actor.event(event),
            None => break,
        }
    }
}

impl Actor {
    fn command(&mut self, command: Command) {
        match command {
            Command::Begin(reply) => self.begin(reply),
            Command::Callback(link, reply) => self.callback(&link, reply),
            Command::Cancel => self.cancel(),
            Command::Token { rejected, reply } => {
                self.waiters.push(Waiter { rejected, reply });
                self.serve();
            }
            // What is to be revoked is not known yet.
            Command::SignOut(reply) if self.restoring => self.deferred.push(reply),
            Command::SignOut(reply) => self.sign_out(reply),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Restored(answer) => self.restored(answer),
            Event::Discovered(answer) => self.discovered(&answer),
            Event::Proved { attempt, result } => self.proved(attempt, result),
            Event::Kept { session, kept } => self.kept(session, kept),
            Event::Locked { flight, taken, stored } => self.locked(flight, taken, stored),
            Event::Answered { flight, metadata, since, answer } => self.answered(flight, metadata, since, answer),
            Event::RotationKept { flight, kept, rest, since } => self.rotation_kept(flight, kept, rest, since),
            Event::Reread { flight, answer } => self.reread(flight, answer),
        }
    }

    /// Sends a flight out. It comes back as an event, even if it crashes.
    pub(super) fn fly(&self, flight: impl Future<Output = Event> + Send + 'static, crashed: Event) {
        let (events, task) = (self.events.clone(), tokio::spawn(flight));
        tokio::spawn(async move {
            let event = task.await.unwrap_or(crashed);
            // The actor outlives its flights, or nobody is interested any more.
            let _ = events.send(event);
        });
    }

    /// Tells everybody what has become of it all.
    fn show(&self) {
        let state = match &self.live {
            _ if self.restoring => SessionState::Restoring,
            Some(Live { account, storage: Some(storage), .. }) => {
                SessionState::SignedIn { account: account.clone(), storage: storage.clone() }
            }
            _ => self.signed_out(),
        };
        self.publish.send_if_modified(|current| {
            let changed = *current != state;
            if changed {
                *current = state;
            }
            changed
        });
    }

    fn signed_out(&self) -> SessionState {
        let signing_in = |attempt, stage| SessionState::SigningIn { attempt, stage };
        if let Some((attempt, _)) = self.exchanging.last().or(self.keeping.last()) {
            signing_in(*attempt, SignInStage::Exchanging)
        } else if let Some((attempt, _)) = self.preparing.last() {
            signing_in(*attempt, SignInStage::Preparing)
        } else if let Some(attempt) = self.attempts.newest() {
            signing_in(attempt, SignInStage::WaitingForBrowser)
        } else {
            SessionState::SignedOut { reason: self.reason.clone() }
        }
    }
}

/// Restoring, and the vault's ups and downs.
impl Actor {
    fn restore(&mut self) {
        self.restoring = true;
        let answer = self.vault.get(&self.key);
        self.fly(
            async move { Event::Restored(answer.await) },
            Event::Restored(Err(VaultError::Backend("the question to it crashed".to_owned()))),
        );
    }

    fn restored(&mut self, answer: Result<Option<Secret<Vec<u8>>>, VaultError>) {
        self.restoring = false;
        self.unread = answer.is_err();
        if self.live.is_none() {
            // A sign-in may have failed meanwhile; then that is the news.
            let quiet = matches!(self.reason, None | Some(SignedOutReason::Keychain(_)));
            match answer.map(|bytes| bytes.map(|bytes| Record::decode(&bytes))) {
                Ok(Some(Some(record))) => {
                    let storage = match &*self.vault.state().borrow() {
                        Health::SessionOnly(why) => Storage::SessionOnly(why.clone()),
                        Health::Unknown | Health::Protected => Storage::Keychain,
                    };
                    let live = Live { account: record.account, refresh: Some(record.refresh), held: None, storage: Some(storage) };
                    self.live = Some(live);
                    self.session += 1;
                    self.reason = None;
                }
                Ok(Some(None)) if quiet => self.reason = Some(SignedOutReason::Unreadable),
                Ok(None) if quiet => self.reason = None,
                Err(why) if quiet => {
                    tracing::info!(code = why.code(), "the keychain does not say who was signed in");
                    self.reason = Some(SignedOutReason::Keychain(why));
                }
                _ => {}
            }
        }
        self.serve();
        for reply in std::mem::take(&mut self.deferred) {
            self.sign_out(reply);
        }
    }

    fn vault_changed(&mut self, health: &Health) {
        if *health != Health::Protected {
            return;
        }
        match &self.live {
            Some(Live { storage: Some(Storage::SessionOnly(_)), .. }) => self.keep(),
            None if self.unread && !self.restoring => self.restore(),
            _ => {}
        }
    }

    /// The bytes that the vault should hold now.
    pub(super) fn record(&self) -> Option<Secret<Vec<u8>>> {
        let live = self.live.as_ref()?;
        let refresh = live.refresh.clone()?;
        Some(Record { refresh, account: live.account.clone() }.encode())
    }

    /// Gives the record to the vault.
    pub(super) fn keep(&mut self) {
        let session = self.session;
        match self.record() {
            Some(record) => {
                let kept = self.vault.set(&self.key, record);
                let crashed = Err(VaultError::Backend("the write to it crashed".to_owned()));
                // A lock that is held now is held until this is written, or it might undo what the next process writes.
                let lock = self.flight.as_ref().and_then(Flight::lock);
                let work = async move {
                    let kept = kept.await;
                    drop(lock);
                    Event::Kept { session, kept }
                };
                self.fly(work, Event::Kept { session, kept: crashed });
            }
            None => {
                // The record of an earlier session must not come back instead. Happens in its own time.
                drop(self.vault.delete(&self.key));
                self.kept(session, Ok(Kept::SessionOnly(VaultError::NotUsed)));
            }
        }
    }

    pub(super) fn kept(&mut self, session: u64, kept: Result<Kept, VaultError>) {
        if session != self.session {
            return;
        }
        if let Some(live) = self.live.as_mut() {
            live.storage = Some(match kept {
                Ok(Kept::Protected) => Storage::Keychain,
                Ok(Kept::SessionOnly(why)) | Err(why) => Storage::SessionOnly(why),
            });
        }
        for (_, reply) in std::mem::take(&mut self.keeping) {
            let _ = reply.send(CallbackOutcome::Completed);
        }
    }
}
