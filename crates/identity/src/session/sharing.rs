//! What the processes of one user share: a lock, a journal, and in the vault beside the refresh token the access token that came with it.
//!
//! A process that had to wait for the lock finds there what the other one was given, and asks the tenant nothing.

use std::{io, path::PathBuf, sync::Arc};

use callbox_vault::{Secret, VaultError};
use tokio::time::Instant;

use super::{
    Storage,
    actor::{Actor, Event},
    my_account::Purpose,
    refreshing::Flight,
    stored::{self, Stored},
};
use crate::{
    Trouble,
    journal::{Entry, Journal},
    lock::{self, Lock, Taken},
    record::{Record, Spare},
    refresh::Held,
};

/// Where the processes of one user meet for one session. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Sharing {
    folder: PathBuf,
    name: String,
    journal: Journal,
}

/// What there is when the lock is had.
pub(super) struct Found {
    pub(super) taken: Taken,
    /// Another process has a newer token than the vault, which did not take it.
    pub(super) newer_elsewhere: bool,
    pub(super) stored: Option<Stored>,
    pub(super) spare: Option<Secret<Vec<u8>>>,
    pub(super) entry: Entry,
}

impl Sharing {
    pub(super) fn new(folder: PathBuf, name: &str) -> Self {
        let journal = Journal::new(&folder, name);
        Self { folder, name: name.to_owned(), journal }
    }

    /// Where the locks are.
    pub(super) fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// What the journal says now.
    pub(super) async fn entry(&self) -> Entry {
        let journal = self.journal.clone();
        tokio::task::spawn_blocking(move || journal.read()).await.unwrap_or_default()
    }

    /// How often somebody has signed out here ([`Entry::left`]); `None` where nothing is shared.
    pub(super) async fn left(sharing: Option<&Self>) -> Option<u64> {
        match sharing {
            Some(sharing) => Some(sharing.entry().await.left),
            None => None,
        }
    }

    /// Writes into the journal. A disk that does not take it is a warning: without a journal a crash is less safe, and nothing else.
    pub(super) async fn note(&self, write: impl FnOnce(&Journal) -> io::Result<()> + Send + 'static) {
        let journal = self.journal.clone();
        match tokio::task::spawn_blocking(move || write(&journal)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(kind = ?error.kind(), "the journal of the session was not written"),
            Err(_) => tracing::warn!("the journal of the session crashed"),
        }
    }

    /// Waits until no other process refreshes or signs in, for a minute at most; where there are no locks, or one of them hangs, not at all.
    pub(super) async fn alone(&self) -> Option<Arc<Lock>> {
        match lock::take(self.folder.clone(), self.name.clone()).await {
            Taken::Had(lock) => Some(Arc::new(lock)),
            Taken::Elsewhere | Taken::Unsupported(_) => None,
        }
    }

    /// Tells the other processes, for as long as it is held, that the vault's token is not the newest.
    pub(super) async fn custody(&self) -> Option<Arc<Lock>> {
        let (folder, name) = (self.folder.clone(), self.custody_name());
        tokio::task::spawn_blocking(move || lock::try_take(&folder, &name)).await.ok().flatten().map(Arc::new)
    }

    fn custody_name(&self) -> String {
        format!("{}.newer", self.name)
    }
}

impl Actor {
    /// Looks into the journal, if nobody is signed in here.
    pub(super) fn look(&self) {
        // Who is about to leave is still there for others, and does not come back here.
        let is_free = !self.restoring && self.departures.is_empty();
        let (None, true, Some(sharing)) = (&self.live, is_free, self.sharing.clone()) else { return };
        self.fly(async move { Event::Looked(sharing.entry().await) }, Event::Looked(Entry::default()));
    }

    /// Another process has stored a sign-in if the journal names another session than before.
    pub(super) fn looked(&mut self, entry: &Entry) {
        if self.live.is_some() || self.restoring || !self.departures.is_empty() {
            return;
        }
        let known = std::mem::replace(&mut self.seen, entry.session());
        if entry.generation > 0 && entry.session() != known {
            self.restore();
        }
    }

    /// The access token's place in the vault.
    pub(super) fn spare_key(&self) -> String {
        self.key.replacen("session", "access", 1)
    }

    /// Waits for the lock, then looks at what is there. Not before: what is read under it stays true while it is held.
    pub(super) fn meet(&mut self, sharing: Sharing, token: Secret<String>) {
        self.flights += 1;
        let flight = self.flights;
        let (vault, key, spare_key) = (self.vault.clone(), self.key.clone(), self.spare_key());
        let ours = self.live.as_ref().is_some_and(|live| live.custody.is_some());
        let our_key = self.our_key();
        let work = async move {
            let taken = lock::take(sharing.folder.clone(), sharing.name.clone()).await;
            let newer_elsewhere = !ours && matches!(taken, Taken::Had(_)) && {
                let (folder, name) = (sharing.folder.clone(), sharing.custody_name());
                tokio::task::spawn_blocking(move || lock::is_taken(&folder, &name)).await.unwrap_or_default()
            };
            let stored = stored::read(&vault, &key, our_key).await.ok();
            let spare = vault.get(&spare_key).await.ok().flatten();
            let entry = sharing.entry().await;
            Event::Locked { flight, found: Found { taken, newer_elsewhere, stored, spare, entry } }
        };
        self.flight = Some(Flight::waiting(flight, token));
        let nothing = Found { taken: Taken::Elsewhere, newer_elsewhere: false, stored: None, spare: None, entry: Entry::default() };
        self.fly(work, Event::Locked { flight, found: nothing });
    }

    /// The lock is had, or will not be. Another process may have rotated the token while we waited, or have died over it.
    pub(super) fn met(&mut self, flight: u64, found: Found) {
        let Some(current) = self.flight.as_mut().filter(|current| current.id() == flight) else { return };
        match found.taken {
            Taken::Had(lock) => current.hold(lock),
            Taken::Elsewhere => return self.over(&Trouble::Elsewhere.into()),
            Taken::Unsupported(why) => tracing::info!(?why, "no lock: other processes may refresh too"),
        }
        if self.is_left(Some(found.entry.left)) {
            // One that the vault did not take is known to nobody else.
            let live = self.live.as_ref().filter(|live| live.custody.is_some());
            let untold = live.and_then(|live| live.refresh.clone());
            return self.left_elsewhere(untold);
        }
        if found.newer_elsewhere {
            return self.over(&Trouble::Elsewhere.into());
        }
        let Some(live) = &self.live else { return };
        // Ours is newer than what the vault holds if the vault did not take it, or has been put back to an earlier state.
        let mine = |record: &Record| (&record.account.iss, &record.account.sub) == (&live.account.iss, &live.account.sub);
        let newer = |record: &Record| mine(record) && record.generation >= live.generation;
        if let Some(stored) = found.stored.filter(|stored| live.storage == Some(Storage::Keychain) && stored.record().is_some_and(newer)) {
            match (self.whole(stored), self.live.as_mut()) {
                (Some((record, binding)), Some(live)) => live.adopt(record, binding),
                // Another process has signed in, and its key is not there. Ours is of the sign-in before.
                _ => return self.over(&Trouble::Elsewhere.into()),
            }
        }
        let Some(token) = self.live.as_ref().and_then(|live| live.refresh.clone()) else { return };
        let unfinished = found.entry.is_open_for(&token);
        if !unfinished && self.purpose == Purpose::MyAccount {
            if !self.my_account.is_wanted() {
                self.flight = None;
                return self.serve();
            }
        } else if !unfinished {
            if let Some(held) = found.spare.and_then(|bytes| self.fitting(&bytes, &token)) {
                tracing::debug!("another process has an access token");
                if let Some(live) = self.live.as_mut() {
                    live.held = Some(held);
                }
                self.flight = None;
                return self.serve();
            }
            self.waiters.retain(|waiter| !waiter.reply.is_closed());
            if self.waiters.is_empty() {
                self.flight = None;
                return;
            }
        }
        // A process died between the question and the answer: that was the first time, this is the second.
        self.present(token, unfinished, false);
    }

    /// The access token of another process, if it came with this refresh token, is fresh, and is neither what we have nor what an agent has
    /// refused.
    fn fitting(&self, bytes: &Secret<Vec<u8>>, refresh: &Secret<String>) -> Option<Held> {
        let spare = Spare::decode(bytes).filter(|spare| spare.came_with(refresh))?;
        let (now, wall) = (Instant::now(), self.wings.clock.now());
        let live = self.live.as_ref()?;
        let prover = match (&spare.thumbprint, &live.binding) {
            (None, binding) if binding.as_ref().is_none_or(|binding| !binding.access) => None,
            (Some(thumbprint), Some(binding)) if thumbprint == binding.prover.key().thumbprint() => Some(binding.prover.clone()),
            _ => return None,
        };
        let held = Held::found(spare.access, spare.lifetime, spare.since, now, wall)?.bound(prover);
        let print = held.token.fingerprint();
        let ours = live.held.as_ref().is_some_and(|ours| ours.token.fingerprint() == print);
        let refused = live.refused == Some(print) || self.waiters.iter().any(|waiter| waiter.rejected == Some(print));
        (!ours && !refused).then_some(held)
    }

    /// Leaves the access token for the other processes, under the lock if there is one.
    pub(super) fn leave_spare(&self) {
        let Some(live) = self.live.as_ref().filter(|live| live.storage == Some(Storage::Keychain)) else { return };
        let (Some(_), Some(refresh), Some(held)) = (&self.sharing, &live.refresh, &live.held) else { return };
        let kept = self.vault.set(&self.spare_key(), Spare::of(held, refresh).encode());
        let lock = self.flight.as_ref().and_then(Flight::lock);
        tokio::spawn(async move {
            if let Err(why) = kept.await {
                tracing::info!(code = why.code(), "the access token is not shared");
            }
            drop(lock);
        });
    }

    /// No token is under way any more, and none was changed.
    pub(super) fn settle(&self) {
        let Some(sharing) = self.sharing.clone() else { return };
        let lock = self.flight.as_ref().and_then(Flight::lock);
        tokio::spawn(async move {
            sharing.note(Journal::settled).await;
            drop(lock);
        });
    }

    /// Nothing of the session stays with the other processes.
    pub(super) fn unshare(&self) {
        let Some(sharing) = self.sharing.clone() else { return };
        drop(self.vault.delete(&self.spare_key()));
        let lock = self.flight.as_ref().and_then(Flight::lock);
        tokio::spawn(async move {
            sharing.note(Journal::forget).await;
            drop(lock);
        });
    }

    /// Why the vault's answer at the start is not believed: it held more when this computer looked last.
    pub(super) fn is_behind(record: Option<&Record>, entry: &Entry) -> Option<VaultError> {
        (record.map_or(0, |record| record.generation) < entry.generation).then_some(VaultError::Changed)
    }
}
