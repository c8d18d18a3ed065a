//! Messages that are on their way, each sealed to its place.

use crate::{Store, StoreError, seal::NAME_LEN};

/// What a message is sealed to. A conversation's id has no NUL; a title's place has none after the account.
fn place(account: &[u8; NAME_LEN], conversation: &str, message: &str) -> Vec<u8> {
    [&account[..], b"\0", conversation.as_bytes(), b"\0", message.as_bytes()].concat()
}

impl Store {
    /// Keeps a message of a conversation, in place of what was kept under its id. It stays where it was among the others; a new one is last.
    /// `body` is the caller's business, and sealed.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn put_outgoing(&self, account: &str, conversation: &str, message: &str, body: &[u8]) -> Result<(), StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let sealed = base.keys.seal(&place(&name, conversation, message), body)?;
        base.connection
            .prepare_cached(
                "INSERT INTO outbox (account, conversation, message, position, body)
                 VALUES (?1, ?2, ?3, (SELECT coalesce(max(position), 0) + 1 FROM outbox WHERE account = ?1 AND conversation = ?2), ?4)
                 ON CONFLICT DO UPDATE SET body = excluded.body",
            )?
            .execute((&name, conversation, message, sealed))?;
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
