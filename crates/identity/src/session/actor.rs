//! The actor: one loop, one owner of everything that a session remembers.

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callbox_vault::{Kept, Secret, Vault, VaultError};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until},
};

use super::{
    CallbackOutcome, Command, Config, SessionState, SignInStage, SignOut, SignedOutReason, StartReply, Storage,
    flights::{Proof, Wings},
    my_account::{MyAccount, Purpose},
    refreshing::{Flight, Waiter},
    sharing::{Found, Sharing},
    sign_out::Departure,
    stored::Stored,
};
use crate::{
    Account, AttemptId, DiscoveryError, Entropy, SignInError, TokenError,
    attempts::{Attempts, Wish},
    discovery::Metadata,
    dpop::Binding,
    fetch::Reply,
    journal,
    lock::Lock,
    record::Record,
    refresh::{Held, Pause},
    slots::{Roll, Slot},
    token::Rest,
};

/// A session that is alive.
pub(super) struct Live {
    pub(super) account: Account,
    /// None: the tenant gave none, and the session ends with its access token.
    pub(super) refresh: Option<Secret<String>>,
    /// The number of this refresh token, see [`Record::generation`].
    pub(super) generation: u64,
    pub(super) held: Option<Held>,
    /// What the tenant says that it has granted; else it is what was asked for.
    pub(super) granted: Option<Vec<String>>,
    /// The fingerprint of an access token that an agent has refused: nobody gets it again.
    pub(super) refused: Option<u64>,
    /// When the session is over whatever happens, as the tenant said at the sign-in; in seconds since 1970.
    pub(super) ends: Option<u64>,
    /// See [`Record::browser`].
    pub(super) browser: Option<String>,
    /// See [`Record::left`].
    pub(super) left: u64,
    /// None: the vault has not answered yet.
    pub(super) storage: Option<Storage>,
    /// Keeps other processes from presenting the vault's token while it is older than ours.
    pub(super) custody: Option<Arc<Lock>>,
    /// None: a session of bearer tokens, and that it stays.
    pub(super) binding: Option<Binding>,
    /// That of the session before, until the vault has this one's record.
    pub(super) before: Option<Binding>,
}

impl Live {
    /// Goes on with what another process has put into the vault.
    pub(super) fn adopt(&mut self, record: Record, binding: Option<Binding>) {
        self.binding = binding;
        self.refresh = Some(record.refresh);
        self.account = record.account;
        self.generation = record.generation;
        self.ends = record.ends.or(self.ends);
        self.browser = record.browser;
        self.left = record.left;
    }

    /// How long it may go on by the tenant's clock; `None` where the tenant has set no end. A moment less than the tenant says.
    fn time_left(&self, now: SystemTime) -> Option<Duration> {
        let ends = UNIX_EPOCH.checked_add(Duration::from_secs(self.ends?))?;
        Some(ends.duration_since(now).unwrap_or_default().saturating_sub(MARGIN))
    }

    pub(super) fn is_over(&self, now: SystemTime) -> bool {
        self.time_left(now) == Some(Duration::ZERO)
    }
}

/// How long before the tenant's end a session is ended here.
const MARGIN: Duration = Duration::from_secs(30);
/// Sleeping longer at once is beyond what timers have to do.
const LONGEST_SLEEP: Duration = Duration::from_secs(86_400);

/// What has become of a record that was given to the vault.
pub(super) struct Written {
    pub(super) kept: Result<Kept, VaultError>,
    /// The vault did not take it, and the other processes can know.
    pub(super) custody: Option<Arc<Lock>>,
}

impl Written {
    pub(super) fn crashed() -> Self {
        Self { kept: Err(VaultError::Backend("the write to it crashed".to_owned())), custody: None }
    }
}

/// What a flight comes back with.
pub(super) enum Event {
    Restored {
        answer: Result<Stored, VaultError>,
        entry: journal::Entry,
    },
    Looked(journal::Entry),
    Discovered(Result<Arc<Metadata>, DiscoveryError>),
    Proved {
        attempt: AttemptId,
        result: Result<Box<Proof>, SignInError>,
    },
    /// The record of session number `session` has been given to the vault.
    Kept {
        session: u64,
        written: Written,
    },
    /// No other process refreshes now, and this is what there is.
    Locked {
        flight: u64,
        found: Found,
    },
    Answered {
        flight: u64,
        metadata: Option<Arc<Metadata>>,
        since: Since,
        answer: Result<Reply, TokenError>,
        /// What [`journal::Entry::left`] was after that.
        left: Option<u64>,
    },
    /// The rotated token is in the vault; now the rest of its answer may be looked at.
    RotationKept {
        flight: u64,
        written: Option<Written>,
        rest: Rest,
        since: Since,
        /// What [`journal::Entry::left`] was after that.
        left: Option<u64>,
    },
    /// No other process refreshes now, or one does and hangs: somebody can leave.
    Alone {
        departure: u64,
        lock: Option<Arc<Lock>>,
        /// What the vault holds then.
        lies_there: Option<Record>,
    },
    Reread {
        flight: u64,
        answer: Result<Stored, VaultError>,
    },
}

/// Where the session tells how it stands.
pub(super) struct Publish {
    pub(super) state: watch::Sender<SessionState>,
    pub(super) granted: watch::Sender<Vec<String>>,
}

/// Whether it is another value now.
fn renew<T: PartialEq>(current: &mut T, new: T) -> bool {
    let changed = *current != new;
    if changed {
        *current = new;
    }
    changed
}

/// When a request was sent, on both clocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Since(pub(super) Instant, pub(super) SystemTime);

pub(super) struct Actor {
    pub(super) wings: Wings,
    pub(super) vault: Vault,
    pub(super) key: String,
    /// Whose place in the vault `key` is, and the list that it may be on.
    pub(super) slot: Slot,
    pub(super) roll: Roll,
    /// What is shared with other processes.
    pub(super) sharing: Option<Sharing>,
    pub(super) entropy: Arc<dyn Entropy>,
    publish: Publish,
    pub(super) forget: watch::Sender<bool>,
    events: mpsc::UnboundedSender<Event>,
    pub(super) restoring: bool,
    /// The vault could not be read, and may hold a session that nobody has ended.
    pub(super) unread: bool,
    /// Which session the journal named last ([`journal::Entry::session`]), of what is not this session any more.
    pub(super) seen: (u64, u64),
    pub(super) live: Option<Live>,
    /// Counts sessions: what comes back for an earlier one is recognised.
    pub(super) session: u64,
    pub(super) reason: Option<SignedOutReason>,
    pub(super) metadata: Option<(Arc<Metadata>, Instant)>,
    pub(super) attempts: Attempts,
    pub(super) next_attempt: u64,
    /// Attempts that wait for the tenant's metadata.
    pub(super) preparing: Vec<(AttemptId, Wish, StartReply)>,
    /// How often more scopes were asked for, by what was missing.
    pub(super) step_ups: HashMap<BTreeSet<String>, u32>,
    /// The last sign-in has brought no refresh token.
    pub(super) unlasting: bool,
    /// Attempts whose code is at the tenant.
    pub(super) exchanging: Vec<(AttemptId, oneshot::Sender<CallbackOutcome>)>,
    /// Attempts that have succeeded; the vault has not answered yet.
    pub(super) keeping: Vec<(AttemptId, oneshot::Sender<CallbackOutcome>)>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) flight: Option<Flight>,
    pub(super) flights: u64,
    /// What the flight is for.
    pub(super) purpose: Purpose,
    pub(super) my_account: MyAccount,
    pub(super) pause: Pause,
    pub(super) departures: Vec<Departure>,
    pub(super) deferred: Vec<oneshot::Sender<SignOut>>,
    pub(super) forgets: Vec<oneshot::Sender<()>>,
}

/// Where others hear of the session.
pub(super) struct Told {
    pub(super) publish: Publish,
    /// The tenant does not know the client.
    pub(super) forget: watch::Sender<bool>,
}

/// Runs a session until its last handle is gone, and then until a refresh that is under way has been kept.
pub(super) async fn run(
    config: Config,
    slot: Slot,
    sharing: Option<Sharing>,
    mut inbox: mpsc::Receiver<Command>,
    Told { publish, forget }: Told,
) {
    let (events, mut results) = mpsc::unbounded_channel();
    let mut health = config.vault.state();
    let mut actor = Actor {
        key: slot.name().to_owned(),
        roll: Roll::new(&config.profile, &config.vault, sharing.as_ref().map(Sharing::folder)),
        slot,
        sharing,
        wings: Wings::new(config.http, config.profile, config.clock, config.entropy.clone()),
        vault: config.vault,
        entropy: config.entropy,
        publish,
        forget,
        events,
        restoring: true,
        unread: false,
        seen: (0, 0),
        live: None,
        session: 0,
        reason: None,
        metadata: None,
        attempts: Attempts::default(),
        next_attempt: 0,
        preparing: Vec::new(),
        step_ups: HashMap::new(),
        unlasting: false,
        exchanging: Vec::new(),
        keeping: Vec::new(),
        waiters: Vec::new(),
        flight: None,
        flights: 0,
        purpose: Purpose::default(),
        my_account: MyAccount::default(),
        pause: Pause::default(),
        departures: Vec::new(),
        deferred: Vec::new(),
        forgets: Vec::new(),
    };
    actor.restore();
    loop {
        let expiry = actor.attempts.next_expiry();
        let end = actor.live.as_ref().and_then(|live| live.time_left(actor.wings.tenants_time()?));
        let end = end.map(|left| Instant::now() + left.min(LONGEST_SLEEP));
        tokio::select! {
            command = inbox.recv() => match command {
                Some(command) => actor.command(command),
                None => break,
            },
            Some(event) = results.recv() => actor.event(event),
            Ok(()) = health.changed() => actor.vault_changed(&health.borrow_and_update().clone()),
            () = sleep_until(expiry.unwrap_or_else(Instant::now)), if expiry.is_some() => actor.expire(),
            () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => actor.end_in_time(),
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
            Command::Begin(reply) => self.begin(self.usual_wish(), reply),
            Command::BeginOther(reply) => self.begin(Wish { somebody_else: true, ..self.usual_wish() }, reply),
            // What the vault answers would bring it back.
            Command::Forget(reply) if self.restoring => self.forgets.push(reply),
            Command::Forget(reply) => self.forget(reply),
            Command::StepUp { missing, reply } => self.step_up(missing, reply),
            Command::Callback(link, reply) => self.callback(&link, reply),
            Command::Cancel => self.cancel(),
            Command::Look => self.look(),
            Command::Loopback { attempt, redirect_uri, open, reply } => self.open_door(attempt, redirect_uri, open, reply),
            Command::Token { rejected, reply } => {
                if let (Some(live), Some(_)) = (self.live.as_mut(), rejected) {
                    live.refused = rejected;
                }
                self.waiters.push(Waiter { rejected, reply });
                self.serve();
            }
            Command::MyAccount { rejected, reply } => self.my_account(Waiter { rejected, reply }),
            // What is to be revoked is not known yet.
            Command::SignOut(reply) if self.restoring => self.deferred.push(reply),
            Command::SignOut(reply) => self.sign_out(reply),
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Restored { answer, entry } => self.restored(answer, &entry),
            Event::Looked(entry) => self.looked(&entry),
            Event::Discovered(answer) => self.discovered(&answer),
            Event::Proved { attempt, result } => self.proved(attempt, result),
            Event::Kept { session, written } => self.kept(session, written),
            Event::Locked { flight, found } => self.met(flight, found),
            Event::Answered { flight, metadata, since, answer, left } => self.answered(flight, metadata, since, answer, left),
            Event::RotationKept { flight, written, rest, since, left } => self.rotation_kept(flight, written, rest, since, left),
            Event::Alone { departure, lock, lies_there } => self.alone(departure, lock, lies_there),
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
    pub(super) fn show(&self) {
        let state = match &self.live {
            _ if self.restoring => SessionState::Restoring,
            Some(Live { account, storage: Some(storage), .. }) => {
                SessionState::SignedIn { account: account.clone(), storage: storage.clone() }
            }
            _ => self.signed_out(),
        };
        let granted = self.live.as_ref().and_then(|live| live.granted.clone()).unwrap_or_else(|| self.wings.profile.scopes.clone());
        self.publish.granted.send_if_modified(|current| renew(current, granted));
        self.publish.state.send_if_modified(|current| renew(current, state));
    }

    fn signed_out(&self) -> SessionState {
        let signing_in = |attempt, stage| SessionState::SigningIn { attempt, stage };
        if let Some((attempt, _)) = self.exchanging.last().or(self.keeping.last()) {
            signing_in(*attempt, SignInStage::Exchanging)
        } else if let Some((attempt, ..)) = self.preparing.last() {
            signing_in(*attempt, SignInStage::Preparing)
        } else if let Some(attempt) = self.attempts.newest() {
            signing_in(attempt, SignInStage::WaitingForBrowser)
        } else {
            SessionState::SignedOut { reason: self.reason.clone() }
        }
    }
}
