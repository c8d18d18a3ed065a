//! A session as the vault holds it: the record, and beside it the key that it is bound to.

use std::future::Future;

use callbox_vault::{Secret, Vault, VaultError};

use super::actor::Actor;
use crate::{
    dpop::{Binding, ProofKey},
    record::Record,
};

/// What the vault holds of a session.
pub(super) enum Stored {
    Nothing,
    /// Something that this version does not know.
    Unreadable,
    /// The session is bound to a key, and that is not there, or another is in its place: its tokens are worth nothing.
    Keyless(Record),
    /// The session is bound to the key that this process has already.
    Ours(Record),
    /// All of it; with the key, if it is bound to one.
    Whole(Record, Option<ProofKey>),
}

impl Stored {
    pub(super) fn record(&self) -> Option<&Record> {
        match self {
            Self::Nothing | Self::Unreadable => None,
            Self::Keyless(record) | Self::Ours(record) | Self::Whole(record, _) => Some(record),
        }
    }
}

/// The place of a session's key in the vault, beside its record.
fn key_name(record: &str) -> String {
    record.replacen("session", "dpop", 1)
}

/// Reads the record under `name`, and its key if it is bound to another one than `ours` (a thumbprint). The vault is asked for the record when this
/// is called.
///
/// # Errors
/// The vault's, also if only the key cannot be had: nobody knows then whether it is there.
pub(super) fn read(vault: &Vault, name: &str, ours: Option<String>) -> impl Future<Output = Result<Stored, VaultError>> + Send + use<> {
    let (first, vault, name) = (vault.get(name), vault.clone(), name.to_owned());
    async move {
        match judge(&vault, &name, ours.as_deref(), first.await?).await? {
            // Another process may have been between its key and its record.
            Stored::Keyless(_) => {
                let again = vault.get(&name).await?;
                judge(&vault, &name, ours.as_deref(), again).await
            }
            stored => Ok(stored),
        }
    }
}

async fn judge(vault: &Vault, name: &str, ours: Option<&str>, bytes: Option<Secret<Vec<u8>>>) -> Result<Stored, VaultError> {
    let Some(bytes) = bytes else { return Ok(Stored::Nothing) };
    let Some(record) = Record::decode(&bytes) else { return Ok(Stored::Unreadable) };
    let Some(bound) = &record.bound else { return Ok(Stored::Whole(record, None)) };
    if ours == Some(&bound.thumbprint) {
        return Ok(Stored::Ours(record));
    }
    Ok(match vault.get(&key_name(name)).await?.and_then(|bytes| ProofKey::decode(&bytes, &bound.thumbprint)) {
        Some(key) => Stored::Whole(record, Some(key)),
        None => Stored::Keyless(record),
    })
}

impl Actor {
    /// The place of the key in the vault.
    pub(super) fn key_name(&self) -> String {
        key_name(&self.key)
    }

    /// The key's bytes, if there is one and the vault does not hold it for sure.
    pub(super) fn key_to_keep(&self) -> Option<Secret<Vec<u8>>> {
        let live = self.live.as_ref().filter(|live| live.storage != Some(super::Storage::Keychain))?;
        live.binding.as_ref()?.prover.key().encode(live.before.as_ref().map(|binding| binding.prover.key())).ok()
    }

    /// The record is in place: the key of the session before is good for nothing any more.
    pub(super) fn forget_key_before(&mut self) {
        let Some(live) = self.live.as_mut().filter(|live| live.storage == Some(super::Storage::Keychain)) else { return };
        if let (Some(_), Some(binding)) = (live.before.take(), &live.binding)
            && let Ok(bytes) = binding.prover.key().encode(None)
        {
            // In its own time: until then it is one key too many.
            drop(self.vault.set(&self.key_name(), bytes));
        }
    }

    /// Takes the session out of the vault, in its own time: the record first, because a key alone is nothing.
    pub(super) fn erase(&self) -> impl Future<Output = Result<(), VaultError>> + Send + use<> {
        let (record, key) = (self.vault.delete(&self.key), self.vault.delete(&self.key_name()));
        async move { record.await.and(key.await) }
    }

    /// The thumbprint of the key that this process has.
    pub(super) fn our_key(&self) -> Option<String> {
        let binding = self.live.as_ref()?.binding.as_ref()?;
        Some(binding.prover.key().thumbprint().to_owned())
    }

    /// A stored session with what it is bound to, if that can be had.
    pub(super) fn whole(&self, stored: Stored) -> Option<(Record, Option<Binding>)> {
        match stored {
            Stored::Nothing | Stored::Unreadable | Stored::Keyless(_) => None,
            Stored::Whole(record, key) => {
                let binding = self.binding(&record, key);
                Some((record, binding))
            }
            Stored::Ours(record) => {
                let ours = self.live.as_ref()?.binding.as_ref()?;
                let bound = record.bound.as_ref().filter(|bound| bound.thumbprint == ours.prover.key().thumbprint())?;
                let binding = Binding { prover: ours.prover.clone(), access: bound.access };
                Some((record, Some(binding)))
            }
        }
    }

    /// What a stored session is bound to.
    pub(super) fn binding(&self, record: &Record, key: Option<ProofKey>) -> Option<Binding> {
        let bound = record.bound.as_ref()?;
        Some(Binding { prover: self.wings.prover(key?), access: bound.access })
    }
}
