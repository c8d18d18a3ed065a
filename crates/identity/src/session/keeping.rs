//! What is kept: restoring at the start, the vault's ups and downs, and the record's way into it.

use std::{future::Future, sync::Arc};

use callbox_vault::{Health, Kept, Secret, VaultError};

use super::{
    CallbackOutcome, SignedOutReason, Storage,
    actor::{Actor, Event, Live, Written},
    refreshing::Flight,
    stored::{self, Stored},
};
use crate::{
    dpop::ProofKey,
    journal,
    lock::Lock,
    record::{Bound, Record},
};

impl Actor {
    pub(super) fn restore(&mut self) {
        self.restoring = true;
        let (answer, sharing) = (stored::read(&self.vault, &self.key, None), self.sharing.clone());
        let work = async move {
            // The journal first: what the vault is given meanwhile is newer than what it says, never older.
            let entry = match sharing {
                Some(sharing) => sharing.entry().await,
                None => journal::Entry::default(),
            };
            Event::Restored { answer: answer.await, entry }
        };
        let crashed = Err(VaultError::Backend("the question to it crashed".to_owned()));
        self.fly(work, Event::Restored { answer: crashed, entry: journal::Entry::default() });
    }

    pub(super) fn restored(&mut self, answer: Result<Stored, VaultError>, entry: &journal::Entry) {
        self.restoring = false;
        self.unread = answer.is_err();
        self.seen = entry.session();
        if self.live.is_none() {
            // A sign-in may have failed meanwhile; then that is the news.
            let quiet = matches!(self.reason, None | Some(SignedOutReason::Keychain(_)));
            match answer.and_then(|stored| match stored {
                Stored::Unreadable => Ok(stored),
                // A token that is known to be spent is not presented, and not removed either: another computer may go on with its successor.
                _ => Self::is_behind(stored.record(), entry).map_or(Ok(stored), Err),
            }) {
                Ok(Stored::Whole(record, _) | Stored::Keyless(record)) if record.left < entry.left => {
                    self.reason = self.reason.take().filter(|_| !quiet);
                    self.finish_sign_out(record);
                }
                Ok(Stored::Whole(record, key)) => self.resume(record, key, entry),
                // Left where it is: the key may come back, and a sign-in puts another in its place.
                Ok(Stored::Keyless(record)) if quiet => self.reason = Some(SignedOutReason::KeyLost { account: record.account }),
                Ok(Stored::Unreadable) if quiet => self.reason = Some(SignedOutReason::Unreadable),
                Ok(Stored::Nothing) if quiet => self.reason = None,
                Err(why) if quiet => {
                    tracing::info!(code = why.code(), "the keychain does not say who was signed in");
                    self.reason = Some(SignedOutReason::Keychain(why));
                }
                _ => {}
            }
        }
        self.serve();
        self.pay_what_is_owed();
        for reply in std::mem::take(&mut self.deferred) {
            self.sign_out(reply);
        }
        for reply in std::mem::take(&mut self.forgets) {
            self.forget(reply);
        }
    }

    /// Goes on with the session that the vault holds.
    fn resume(&mut self, record: Record, key: Option<ProofKey>, entry: &journal::Entry) {
        let storage = match &*self.vault.state().borrow() {
            Health::SessionOnly(why) => Storage::SessionOnly(why.clone()),
            Health::Unknown | Health::Protected => Storage::Keychain,
        };
        let binding = self.binding(&record, key);
        let Record { refresh, account, generation, ends, browser, left, .. } = record;
        let unfinished = entry.is_open_for(&refresh).then(|| refresh.clone());
        self.live = Some(Live {
            account,
            refresh: Some(refresh),
            generation,
            held: None,
            granted: None,
            refused: None,
            ends,
            browser,
            left,
            storage: Some(storage),
            custody: None,
            binding,
            before: None,
        });
        self.session += 1;
        self.reason = None;
        // A process died over a refresh. If the tenant gives a grace period, it runs now.
        if let Some(token) = unfinished {
            self.refresh(token);
        }
    }

    pub(super) fn vault_changed(&mut self, health: &Health) {
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
    fn record(&self) -> Option<Secret<Vec<u8>>> {
        let live = self.live.as_ref()?;
        let refresh = live.refresh.clone()?;
        let bound = live.binding.as_ref();
        let bound = bound.map(|binding| Bound { thumbprint: binding.prover.key().thumbprint().to_owned(), access: binding.access });
        let (account, browser) = (live.account.clone(), live.browser.clone());
        let Live { generation, ends, left, .. } = *live;
        Some(Record { refresh, account, generation, ends, browser, left, bound }.encode())
    }

    /// Gives the record to the vault, and tells the journal if that has taken it; `None` if there is nothing to keep.
    pub(super) fn write(&self) -> Option<impl Future<Output = Written> + Send + use<>> {
        let record = self.record()?;
        // The key first: a record without its key is worth nothing.
        let key = self.key_to_keep().map(|key| self.vault.set(&self.key_name(), key));
        let kept = self.vault.set(&self.key, record);
        let (generation, custody) = self.live.as_ref().map(|live| (live.generation, live.custody.clone()))?;
        let sharing = self.sharing.clone();
        let (roll, slot) = (self.roll.clone(), self.slot.clone());
        Some(async move {
            let key = match key {
                Some(key) => key.await,
                None => Ok(Kept::Protected),
            };
            let record = kept.await;
            let kept = if matches!(key, Ok(Kept::Protected)) { record } else { key };
            roll.enter(&slot).await;
            let custody = match (&kept, sharing) {
                (Ok(Kept::Protected), Some(sharing)) => {
                    sharing.note(move |journal| journal.kept(generation)).await;
                    None
                }
                (_, Some(sharing)) if custody.is_none() => sharing.custody().await,
                (Ok(Kept::Protected), None) => None,
                _ => custody,
            };
            Written { kept, custody }
        })
    }

    /// Gives the record to the vault. A lock that is held now is held until that is done, or it might undo what the next process writes.
    pub(super) fn keep(&mut self) {
        self.keep_under(self.flight.as_ref().and_then(Flight::lock));
    }

    /// The same under this lock.
    pub(super) fn keep_under(&mut self, lock: Option<Arc<Lock>>) {
        let session = self.session;
        match self.write() {
            Some(writing) => {
                let work = async move {
                    let written = writing.await;
                    drop(lock);
                    Event::Kept { session, written }
                };
                self.fly(work, Event::Kept { session, written: Written::crashed() });
            }
            None => {
                // The record of an earlier session must not come back instead. Happens in its own time.
                drop(self.erase());
                self.unshare();
                self.kept(session, Written { kept: Ok(Kept::SessionOnly(VaultError::NotUsed)), custody: None });
            }
        }
    }

    pub(super) fn kept(&mut self, session: u64, written: Written) {
        if session != self.session {
            return;
        }
        if let Some(live) = self.live.as_mut() {
            live.custody = written.custody;
            live.storage = Some(match written.kept {
                Ok(Kept::Protected) => Storage::Keychain,
                Ok(Kept::SessionOnly(why)) | Err(why) => Storage::SessionOnly(why),
            });
        }
        self.forget_key_before();
        if self.keeping.is_empty() {
            return;
        }
        self.leave_spare();
        // Whoever hears that it is done finds it done.
        self.show();
        for (_, reply) in std::mem::take(&mut self.keeping) {
            let _ = reply.send(CallbackOutcome::Completed);
        }
    }
}
