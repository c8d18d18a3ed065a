//! The key under which the list of conversations is sealed: made once, kept in the keychain, forgotten at sign-out.
//!
//! Several processes may do that at once: from the look at the keychain until the file is open, and while both are forgotten, one of them
//! holds a lock. Two that both find no key would make two, and the file of one would be unreadable to the other.

use std::path::{Path, PathBuf};

use callbox_identity::{
    Entropy, SystemEntropy,
    lock::{self, Taken},
};
use callbox_ipc::UserError;
use callbox_store::{Store, StoreError};
use callbox_vault::{Health, Kept, Secret, Vault, VaultError};

use super::view;

const ENTRY: &str = "store-key";
const KEY_LENGTH: usize = 32;
const LOCK: &str = "store";

/// A store that works, and what had to be given up for it.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) trouble: Option<UserError>,
}

/// Opens the store of this computer. Where the keychain or the disk do not work, one in memory takes its place and the trouble is told.
pub(super) async fn open_store(vault: &Vault, data: &Path) -> Opened {
    match open_sealed(vault, data).await {
        Ok(opened) => opened,
        Err(trouble) => Opened { store: Store::in_memory(), trouble },
    }
}

async fn open_sealed(vault: &Vault, data: &Path) -> Result<Opened, Option<UserError>> {
    let _lock = alone(data).await.map_err(Some)?;
    if let Health::SessionOnly(_) = vault.probe().await {
        // The window already says that this session is not kept.
        return Err(None);
    }
    // A key that is not kept must not seal a file: nobody could open it tomorrow. The window already says so.
    let key = key(vault).await.map_err(|error| Some(view::error(&error)))?.ok_or(None)?;
    let path = file(data);
    let opened = tokio::task::spawn_blocking(move || {
        if let Some(folder) = path.parent() {
            // Its failure shows when the store is opened.
            let _ = std::fs::create_dir_all(folder);
        }
        Store::open(&path, key)
    })
    .await
    .map_err(|_| Some(view::closing()))?;
    match opened {
        Ok(store) => {
            let trouble = store.replaced().map(view::error);
            Ok(Opened { store, trouble })
        }
        Err(error) => Err(Some(view::error(&error))),
    }
}

/// Waits until no other process makes or forgets the key. Where there are no locks, everybody goes on.
async fn alone(data: &Path) -> Result<Taken, UserError> {
    match lock::take(locks(data), LOCK.to_owned()).await {
        Taken::Elsewhere => Err(view::error(&StoreError::Busy)),
        taken => Ok(taken),
    }
}

/// The folder of the locks that all processes of this user share.
pub(super) fn locks(data: &Path) -> PathBuf {
    data.join("locks")
}

/// The key, made if there was none; `None` if the keychain did not take the new one.
async fn key(vault: &Vault) -> Result<Option<[u8; KEY_LENGTH]>, VaultError> {
    if let Some(kept) = vault.get(ENTRY).await?
        && let Ok(key) = <[u8; KEY_LENGTH]>::try_from(kept.expose().as_slice())
    {
        return Ok(Some(key));
    }
    let mut key = [0; KEY_LENGTH];
    SystemEntropy.fill(&mut key);
    Ok(match vault.set(ENTRY, Secret::new(key.to_vec())).await? {
        Kept::Protected => Some(key),
        Kept::SessionOnly(_) => None,
    })
}

/// Forgets the key and the file, so that nothing of the account is left on this computer.
pub(super) async fn forget(vault: &Vault, data: &Path) -> Result<(), UserError> {
    let _lock = alone(data).await?;
    let path = file(data);
    match tokio::task::spawn_blocking(move || Store::erase(&path)).await {
        Ok(Err(error)) => tracing::warn!(%error, "a file of the store was left behind"),
        Ok(Ok(())) => {}
        Err(_) => return Err(view::closing()),
    }
    vault.delete(ENTRY).await.map_err(|error| view::error(&error))
}

fn file(data: &Path) -> PathBuf {
    data.join("conversations.sqlite3")
}
