//! The store and what it keeps.

use std::{
    fmt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use rusqlite::{Connection, OpenFlags};

use crate::{
    Replaced, StoreError, files, schema,
    seal::{Keys, NAME_LEN},
};

/// A conversation as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// The agent's name for it, unique within an account. Stored in the clear.
    pub id: String,
    /// What the user sees; sealed in the file. Empty while nothing has been said.
    pub title: String,
    /// Milliseconds since 1970-01-01 UTC. Stored in the clear.
    pub updated_at: u64,
}

pub(crate) struct Base {
    pub(crate) connection: Connection,
    pub(crate) keys: Keys,
    /// SQLite's count of the changes that others have made, as of the last look.
    seen: Option<i64>,
}

/// The list of conversations and the messages on their way, account by account. An account is any string that names one, such as `iss|sub`; only its keyed hash is stored.
pub struct Store {
    base: Result<Mutex<Base>, StoreError>,
    replaced: Option<Replaced>,
}

impl Store {
    /// Opens the store in the file `path`, or begins a new one there. The folder must exist. `key` is 32 random bytes, always the same for the
    /// same file.
    ///
    /// A file that cannot be read (another key, or damage) is renamed, and the store is opened empty: [`Store::replaced`] tells.
    ///
    /// # Errors
    /// [`StoreError::Newer`], and the file is untouched; or what is wrong with the disk.
    pub fn open(path: &Path, key: [u8; 32]) -> Result<Self, StoreError> {
        let why = match Self::attempt(path, key) {
            Err(why @ (StoreError::WrongKey | StoreError::Corrupt)) => why,
            outcome => return outcome,
        };
        let old = files::set_aside(path)?;
        tracing::warn!(why = why.code(), old = %old.display(), "the store could not be read and was replaced by an empty one");
        let mut store = Self::attempt(path, key)?;
        store.replaced = Some(Replaced { why, old });
        Ok(store)
    }

    fn attempt(path: &Path, key: [u8; 32]) -> Result<Self, StoreError> {
        files::create_private(path)?;
        // No URI interpretation of the name, no sharing of the handle between threads without our lock.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Ok(Self { base: Ok(Self::prepare(Connection::open_with_flags(path, flags)?, key)?), replaced: None })
    }

    fn prepare(mut connection: Connection, key: [u8; 32]) -> Result<Mutex<Base>, StoreError> {
        let keys = Keys::derive(key)?;
        schema::prepare(&mut connection, &keys)?;
        Ok(Mutex::new(Base { connection, keys, seen: None }))
    }

    /// A store that is gone when it is dropped, sealed under a key that nobody knows. Where even that cannot be had, each call says why.
    #[must_use]
    pub fn in_memory() -> Self {
        let open = || {
            let mut key = [0; 32];
            SystemRandom::new().fill(&mut key).map_err(|_| StoreError::Internal("keys".to_owned()))?;
            Self::prepare(Connection::open_in_memory()?, key)
        };
        Self { base: open(), replaced: None }
    }

    /// Deletes the file `path`, its log, and the old files beside it. No store may be open there.
    ///
    /// # Errors
    /// What is wrong with the disk; some of the files may be gone.
    pub fn erase(path: &Path) -> Result<(), StoreError> {
        Ok(files::erase(path)?)
    }

    /// Why the store was opened empty, if there was an old file that could not be read.
    #[must_use]
    pub fn replaced(&self) -> Option<&Replaced> {
        self.replaced.as_ref()
    }

    /// All conversations of an account, the one that was touched last first. A title that somebody has tampered with is empty.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn list(&self, account: &str) -> Result<Vec<Conversation>, StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let mut statement = base
            .connection
            .prepare_cached("SELECT id, title, updated_at FROM conversation WHERE account = ?1 ORDER BY updated_at DESC, id")?;
        let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.map(|row| {
            let (id, sealed, updated_at): (String, Vec<u8>, i64) = row?;
            let title = base.keys.open(&place(&name, &id), &sealed).and_then(|title| String::from_utf8(title).ok());
            if title.is_none() {
                tracing::warn!("a title in the store does not open under its key");
            }
            Ok(Conversation { id, title: title.unwrap_or_default(), updated_at: u64::try_from(updated_at).unwrap_or(0) })
        })
        .collect()
    }

    /// Whether another process (or another [`Store`] on the same file) has changed anything since the last call. True at the first one.
    /// Where nothing has changed, nothing is read from the disk.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn changed_elsewhere(&self) -> Result<bool, StoreError> {
        let mut base = self.base()?;
        let now: i64 = base.connection.query_row("PRAGMA data_version", [], |row| row.get(0))?;
        Ok(base.seen.replace(now) != Some(now))
    }

    /// Keeps a conversation, in place of what was known under its id.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn put(&self, account: &str, conversation: &Conversation) -> Result<(), StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let sealed = base.keys.seal(&place(&name, &conversation.id), conversation.title.as_bytes())?;
        base.connection
            .prepare_cached("INSERT OR REPLACE INTO conversation (account, id, title, updated_at) VALUES (?1, ?2, ?3, ?4)")?
            .execute((&name, &conversation.id, sealed, signed(conversation.updated_at)))?;
        Ok(())
    }

    /// Notes when something happened in a conversation. Time does not run backwards: an earlier one changes nothing.
    /// False if the conversation is not known.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn touch(&self, account: &str, id: &str, updated_at: u64) -> Result<bool, StoreError> {
        let base = self.base()?;
        let changed = base
            .connection
            .prepare_cached("UPDATE conversation SET updated_at = max(updated_at, ?3) WHERE account = ?1 AND id = ?2")?
            .execute((&base.keys.account(account), id, signed(updated_at)))?;
        Ok(changed > 0)
    }

    /// Gives a conversation another title. False if it is not known.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn rename(&self, account: &str, id: &str, title: &str) -> Result<bool, StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let sealed = base.keys.seal(&place(&name, id), title.as_bytes())?;
        let changed = base
            .connection
            .prepare_cached("UPDATE conversation SET title = ?3 WHERE account = ?1 AND id = ?2")?
            .execute((&name, id, sealed))?;
        Ok(changed > 0)
    }

    /// Forgets a conversation, its outbox and what is unsent of it. One that is not known is fine.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn remove(&self, account: &str, id: &str) -> Result<(), StoreError> {
        let mut base = self.base()?;
        let name = base.keys.account(account);
        let transaction = base.connection.transaction()?;
        transaction.execute("DELETE FROM conversation WHERE account = ?1 AND id = ?2", (&name, id))?;
        for table in ["outbox", "draft"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE account = ?1 AND conversation = ?2"), (&name, id))?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Forgets everything of an account; its bytes are overwritten in the file and gone from its log.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn wipe(&self, account: &str) -> Result<(), StoreError> {
        let mut base = self.base()?;
        let name = base.keys.account(account);
        let transaction = base.connection.transaction()?;
        for table in ["conversation", "outbox", "draft"] {
            transaction.execute(&format!("DELETE FROM {table} WHERE account = ?1"), [&name])?;
        }
        transaction.commit()?;
        base.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok(())
    }

    pub(crate) fn base(&self) -> Result<MutexGuard<'_, Base>, StoreError> {
        // A panic elsewhere leaves nothing half done: every change is one transaction.
        self.base.as_ref().map(|base| base.lock().unwrap_or_else(PoisonError::into_inner)).map_err(Clone::clone)
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("replaced", &self.replaced).finish_non_exhaustive()
    }
}

/// What a title is sealed to: its row.
pub(crate) fn place(account: &[u8; NAME_LEN], id: &str) -> Vec<u8> {
    [&account[..], id.as_bytes()].concat()
}

/// SQLite's integers have a sign; times beyond it are not times.
fn signed(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Retry;

    fn conversation(id: &str, title: &str) -> Conversation {
        Conversation { id: id.to_owned(), title: title.to_owned(), updated_at: 1 }
    }

    #[test]
    fn a_full_disk_is_told_and_what_was_kept_stays() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite3"), [1; 32]).unwrap();
        store.put("ada", &conversation("a", "kept")).unwrap();
        // SQLite's own limit on the file's size ends in the same error as a disk without room.
        let limit = |pages: u32| {
            let base = store.base().unwrap();
            base.connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(())).unwrap();
        };
        limit(1);
        let error = store.put("ada", &conversation("b", &"x".repeat(100_000))).unwrap_err();
        assert_eq!((error.code(), error.retry()), ("store-disk-full", Retry::Later));
        assert_eq!(store.list("ada").unwrap(), [conversation("a", "kept")]);
        limit(1_000_000);
        store.put("ada", &conversation("b", &"x".repeat(100_000))).unwrap();
        assert_eq!(store.list("ada").unwrap().len(), 2, "with room again, it goes on");
    }

    #[test]
    fn a_disk_that_may_not_be_written_to_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite3"), [1; 32]).unwrap();
        store.put("ada", &conversation("a", "kept")).unwrap();
        store.base().unwrap().connection.pragma_update(None, "query_only", "ON").unwrap();
        let error = store.put("ada", &conversation("b", "lost")).unwrap_err();
        assert_eq!((error.code(), error.retry()), ("store-read-only", Retry::Later));
        assert_eq!(store.list("ada").unwrap(), [conversation("a", "kept")], "reading goes on");
    }
}
