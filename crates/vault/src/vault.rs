//! The handle that everybody holds.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{oneshot, watch},
    time::timeout,
};

use crate::{
    Backend, Secret, VaultError,
    split::Split,
    system::SystemBackend,
    worker::{Job, Worker},
};

/// The largest value that is one entry in every system's keychain, in bytes: the Credential Manager's limit. Larger ones are split.
pub const ENTRY_LEN: usize = 2560;

/// The largest value that is taken, in bytes.
pub const MAX_LEN: usize = 64 * 1024;

/// How long a caller waits for the keychain.
const BOUND: Duration = Duration::from_secs(5);

/// How the keychain is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Nobody has asked yet.
    Unknown,
    /// The keychain works: what is set survives a restart.
    Protected,
    /// The keychain does not work, for this reason; what is set lives in memory and is gone when the app ends.
    SessionOnly(VaultError),
}

/// Where a value that was set is now.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Kept {
    /// In the keychain.
    Protected,
    /// In memory, for this reason. It moves to the keychain as soon as that works again; [`Vault::state`] tells when.
    SessionOnly(VaultError),
}

/// Secrets under the name of one service. Clones are handles on the same vault.
///
/// Reading sees what was written last through the same vault, whether it has reached the keychain or not.
#[derive(Clone)]
pub struct Vault {
    shared: Arc<Shared>,
    worker: Result<Worker, VaultError>,
    bound: Duration,
}

impl Vault {
    /// The operating system's keychain; entries are named by `service` (the bundle identifier) and key. Returns at once: the keychain is
    /// not asked before the first call.
    #[must_use]
    pub fn system(service: &str) -> Self {
        Self::with_backend(SystemBackend::new(service), BOUND)
    }

    /// No keychain: everything lives in memory and ends with the app.
    #[must_use]
    pub fn memory() -> Self {
        let shared = Arc::new(Shared::new(Health::SessionOnly(VaultError::NotUsed)));
        Self { shared, worker: Err(VaultError::NotUsed), bound: BOUND }
    }

    /// Any keychain, each call bounded by `bound`. No entry that it is given is larger than [`ENTRY_LEN`], and each is read back.
    #[must_use]
    pub fn with_backend(backend: impl Backend, bound: Duration) -> Self {
        let shared = Arc::new(Shared::new(Health::Unknown));
        let worker = Worker::start(Split::new(backend), &shared);
        if let Err(error) = &worker {
            shared.publish(Health::SessionOnly(error.clone()));
        }
        Self { shared, worker, bound }
    }

    /// Asks the keychain whether it works, and tells everybody who watches [`Vault::state`]. Leaves nothing behind. What was kept in
    /// memory meanwhile is written if it does.
    pub async fn probe(&self) -> Health {
        let (reply, answer) = oneshot::channel();
        match self.ask(Job::Probe(reply), answer).await {
            Ok(()) => Health::Protected,
            Err(error) => Health::SessionOnly(error),
        }
    }

    /// How the keychain is, as last seen.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<Health> {
        self.shared.health.subscribe()
    }

    /// The value under `key`; `None` if there is none.
    ///
    /// The keychain is asked when this is called, not when the result is awaited; the same holds for [`Vault::set`] and [`Vault::delete`].
    ///
    /// # Errors
    /// When the keychain cannot say: that is not "no entry". Do not set a new value over one that could not be read unless it is meant to
    /// replace it.
    pub fn get(&self, key: &str) -> impl Future<Output = Result<Option<Secret<Vec<u8>>>, VaultError>> + Send + use<> {
        let known = self.shared.overlay().get(key).map(|pending| pending.value.as_deref().cloned());
        let asked = match known {
            Some(_) => None,
            None => {
                let (reply, answer) = oneshot::channel();
                Some(self.ask(Job::Get { key: key.to_owned(), reply }, answer))
            }
        };
        async move {
            match (known, asked) {
                (Some(value), _) => Ok(value),
                (None, Some(asked)) => match asked.await {
                    // Without a keychain, there is nothing but what was set.
                    Err(VaultError::NotUsed) => Ok(None),
                    answer => answer,
                },
                (None, None) => Ok(None),
            }
        }
    }

    /// Puts `value` under `key`, in place of what was there. It is kept in any case; the answer says where.
    ///
    /// # Errors
    /// [`VaultError::TooLarge`], and nothing was changed.
    pub fn set(&self, key: &str, value: Secret<Vec<u8>>) -> impl Future<Output = Result<Kept, VaultError>> + Send + use<> {
        let len = value.expose().len();
        let asked = if len > MAX_LEN { None } else { Some(self.write(key, Some(value))) };
        async move {
            match asked {
                None => Err(VaultError::TooLarge { len, max: MAX_LEN }),
                Some(asked) => Ok(asked.await.map_or_else(Kept::SessionOnly, |()| Kept::Protected)),
            }
        }
    }

    /// Removes what is under `key`. Nothing there is fine.
    ///
    /// # Errors
    /// When the keychain may still hold it. It is removed as soon as the keychain works again, if the app still runs then, and this vault
    /// acts as if it were gone.
    pub fn delete(&self, key: &str) -> impl Future<Output = Result<(), VaultError>> + Send + use<> {
        let asked = self.write(key, None);
        async move {
            match asked.await {
                // Without a keychain, forgetting is all there is to do.
                Err(VaultError::NotUsed) => Ok(()),
                answer => answer,
            }
        }
    }

    fn write(&self, key: &str, value: Option<Secret<Vec<u8>>>) -> impl Future<Output = Result<(), VaultError>> + Send + use<> {
        self.shared.remember(key, value);
        let (reply, answer) = oneshot::channel();
        self.ask(Job::Sync { key: key.to_owned(), reply }, answer)
    }

    /// Hands a job to the thread at once; the future waits for the answer, no longer than the bound. Behind a call that is stuck already it
    /// does not wait at all, but the job stays queued: a write that was asked for happens.
    fn ask<T: Send + 'static>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, VaultError>>,
    ) -> impl Future<Output = Result<T, VaultError>> + Send + use<T> {
        let bound = self.bound;
        let worker = self.worker.clone().map(|worker| {
            let stuck = worker.is_stuck(bound);
            worker.push(job);
            (worker, stuck)
        });
        let shared = self.shared.clone();
        async move {
            let late = Err(VaultError::TimedOut(bound));
            let answer = match worker? {
                (_, true) => late,
                (worker, false) => match timeout(bound, answer).await {
                    Ok(Ok(answer)) => return answer,
                    Ok(Err(_)) => Err(VaultError::Backend("the thread that talks to it has ended".to_owned())),
                    Err(_) => {
                        worker.give_up();
                        late
                    }
                },
            };
            if let Err(error) = &answer {
                shared.publish(Health::SessionOnly(error.clone()));
            }
            answer
        }
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("health", &*self.shared.health.borrow()).finish_non_exhaustive()
    }
}

/// A write that has not reached the keychain. No value: a deletion.
pub(crate) struct Pending {
    pub(crate) number: u64,
    pub(crate) value: Option<Arc<Secret<Vec<u8>>>>,
}

/// What the handles and the thread share. Locked for moments only, never while the keychain is asked.
pub(crate) struct Shared {
    overlay: Mutex<HashMap<String, Pending>>,
    health: watch::Sender<Health>,
}

impl Shared {
    fn new(health: Health) -> Self {
        Self { overlay: Mutex::default(), health: watch::Sender::new(health) }
    }

    pub(crate) fn overlay(&self) -> MutexGuard<'_, HashMap<String, Pending>> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, key: &str, value: Option<Secret<Vec<u8>>>) {
        let mut overlay = self.overlay();
        let number = overlay.get(key).map_or(0, |pending| pending.number + 1);
        overlay.insert(key.to_owned(), Pending { number, value: value.map(Arc::new) });
    }

    pub(crate) fn publish(&self, health: Health) {
        self.health.send_if_modified(|current| {
            let changed = *current != health;
            if changed {
                tracing::info!(keychain = ?health, "the keychain's state changed");
                *current = health;
            }
            changed
        });
    }
}
