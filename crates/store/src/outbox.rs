//! Messages that are on their way, each sealed to its place.

use rusqlite::TransactionBehavior;

use crate::{Store, StoreError, drafts, seal::NAME_LEN, store::Base};

/// What a message is sealed to. A conversation's id has no NUL; a title's place has none after the account.
pub(crate) fn place(account: &[u8; NAME_LEN], conversation: &str, message: &str) -> Vec<u8> {
    [&account[..], b"\0", conversation.as_bytes(), b"\0", message.as_bytes()].concat()
}

impl Store {
    /// Keeps a message of a conversation, in place of what was kept under its id. It stays where it was among the others; a new one is last.
    /// `body` is the caller's business, and sealed. `text`: what the person wrote. With a new message, what was kept of it as unsent is gone
    /// in the same step: a crash leaves it sent or unsent, not both.
    ///
    /// # Errors
    /// [`StoreError::NoConversation`]: what was forgotten while it was being saved would be sent by the next start. Else see [`StoreError`]; nothing
    /// was changed.
    pub fn put_outgoing(&self, account: &str, conversation: &str, message: &str, text: &str, body: &[u8]) -> Result<(), StoreError> {
        let mut base = self.base()?;
        let name = base.keys.account(account);
        let sealed = base.keys.seal(&place(&name, conversation, message), body)?;
        let Base { connection, keys, .. } = &mut *base;
        let step = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let updated = step
            .prepare_cached("UPDATE outbox SET body = ?4 WHERE account = ?1 AND conversation = ?2 AND message = ?3")?
            .execute((&name, conversation, message, &sealed))?;
        if updated == 0 {
            let kept = step
                .prepare_cached(
                    "INSERT INTO outbox (account, conversation, message, position, body)
                     SELECT ?1, ?2, ?3, (SELECT coalesce(max(position), 0) + 1 FROM outbox WHERE account = ?1 AND conversation = ?2), ?4
                     WHERE EXISTS (SELECT 1 FROM conversation WHERE account = ?1 AND id = ?2)",
                )?
                .execute((&name, conversation, message, &sealed))?;
            if kept == 0 {
                return Err(StoreError::NoConversation);
            }
            drafts::sent(&step, keys, &name, conversation, text)?;
        }
        step.commit()?;
        Ok(())
    }

    /// The messages that are kept for a conversation, oldest first. One that somebody has tampered with is left out, and left in the file.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn outgoing(&self, account: &str, conversation: &str) -> Result<Vec<Vec<u8>>, StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let mut statement = base
            .connection
            .prepare_cached("SELECT message, body FROM outbox WHERE account = ?1 AND conversation = ?2 ORDER BY position")?;
        let rows = statement.query_map((&name, conversation), |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut bodies = Vec::new();
        for row in rows {
            let (message, sealed): (String, Vec<u8>) = row?;
            match base.keys.open(&place(&name, conversation, &message), &sealed) {
                Some(body) => bodies.push(body),
                None => tracing::warn!("a message in the outbox does not open under its key"),
            }
        }
        Ok(bodies)
    }

    /// The conversations that have messages on their way, in no particular order.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn conversations_with_outgoing(&self, account: &str) -> Result<Vec<String>, StoreError> {
        let base = self.base()?;
        let mut statement = base.connection.prepare_cached("SELECT DISTINCT conversation FROM outbox WHERE account = ?1")?;
        let rows = statement.query_map([&base.keys.account(account)], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a message. One that is not known is fine.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn remove_outgoing(&self, account: &str, conversation: &str, message: &str) -> Result<(), StoreError> {
        let base = self.base()?;
        base.connection.prepare_cached("DELETE FROM outbox WHERE account = ?1 AND conversation = ?2 AND message = ?3")?.execute((
            &base.keys.account(account),
            conversation,
            message,
        ))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conversation, Retry, Store, StoreError};

    #[test]
    fn a_full_disk_keeps_what_was_there_and_takes_more_when_there_is_room() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite3"), [7; 32]).unwrap();
        store.put("ada", &Conversation { id: "a".to_owned(), title: String::new(), updated_at: 1 }).unwrap();
        store.put_outgoing("ada", "a", "m1", "", b"first").unwrap();
        let limit = |pages: u32| {
            let base = store.base().unwrap();
            let taken: u32 = base.connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
            base.connection.query_row(&format!("PRAGMA max_page_count = {}", taken + pages), [], |_| Ok(())).unwrap();
        };
        limit(0);
        let large = vec![b'x'; 100_000];
        let error = store.put_outgoing("ada", "a", "m2", "", &large).unwrap_err();
        assert_eq!((&error, error.retry()), (&StoreError::DiskFull, Retry::Later));
        assert_eq!(store.put_outgoing("ada", "a", "m1", "", &large), Err(StoreError::DiskFull));
        assert_eq!(store.outgoing("ada", "a").unwrap(), [b"first"]);
        limit(100);
        store.put_outgoing("ada", "a", "m2", "", &large).unwrap();
        assert_eq!(store.outgoing("ada", "a").unwrap().len(), 2);
    }
}
