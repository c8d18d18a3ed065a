//! What is kept under one account's name goes over to another name.

use crate::{
    Store, StoreError, drafts, outbox,
    store::{self, Base},
};

impl Store {
    /// Moves everything of the account `from` to the account `to`, if that has nothing yet. What somebody has tampered with stays where it is.
    /// Whether anything was moved.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn adopt(&self, from: &str, to: &str) -> Result<bool, StoreError> {
        let mut base = self.base()?;
        let Base { connection, keys, .. } = &mut *base;
        let (old, new) = (keys.account(from), keys.account(to));
        let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        let has = |name: &[u8]| {
            transaction.query_row("SELECT EXISTS (SELECT 1 FROM conversation WHERE account = ?1)", [name], |row| row.get::<_, bool>(0))
        };
        if old == new || has(&new)? || !has(&old)? {
            return Ok(false);
        }
        let titles: Vec<(String, Vec<u8>)> = transaction
            .prepare("SELECT id, title FROM conversation WHERE account = ?1")?
            .query_map([&old], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (id, sealed) in titles {
            let Some(title) = keys.open(&store::place(&old, &id), &sealed) else { continue };
            let sealed = keys.seal(&store::place(&new, &id), &title)?;
            transaction
                .execute("UPDATE conversation SET account = ?1, title = ?2 WHERE account = ?3 AND id = ?4", (&new, sealed, &old, &id))?;
        }
        let messages: Vec<(String, String, Vec<u8>)> = transaction
            .prepare("SELECT conversation, message, body FROM outbox WHERE account = ?1")?
            .query_map([&old], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (conversation, message, sealed) in messages {
            let Some(body) = keys.open(&outbox::place(&old, &conversation, &message), &sealed) else { continue };
            let sealed = keys.seal(&outbox::place(&new, &conversation, &message), &body)?;
            transaction.execute(
                "UPDATE outbox SET account = ?1, body = ?2 WHERE account = ?3 AND conversation = ?4 AND message = ?5",
                (&new, sealed, &old, &conversation, &message),
            )?;
        }
        let drafts: Vec<(String, String, Vec<u8>)> = transaction
            .prepare("SELECT conversation, message, body FROM draft WHERE account = ?1")?
            .query_map([&old], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<Result<_, _>>()?;
        for (conversation, message, sealed) in drafts {
            let Some(body) = keys.open(&drafts::place(&old, &conversation, &message), &sealed) else { continue };
            let sealed = keys.seal(&drafts::place(&new, &conversation, &message), &body)?;
            transaction.execute(
                "UPDATE draft SET account = ?1, body = ?2 WHERE account = ?3 AND conversation = ?4 AND message = ?5",
                (&new, sealed, &old, &conversation, &message),
            )?;
        }
        transaction.commit()?;
        Ok(true)
    }

    /// Whether nothing of anybody is kept.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        let base = self.base()?;
        let any = "SELECT EXISTS (SELECT 1 FROM conversation) OR EXISTS (SELECT 1 FROM outbox) OR EXISTS (SELECT 1 FROM draft)";
        Ok(!base.connection.query_row(any, [], |row| row.get::<_, bool>(0))?)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conversation, Store};

    fn conversation(id: &str, updated_at: u64) -> Conversation {
        Conversation { id: id.to_owned(), title: format!("about {id}"), updated_at }
    }

    #[test]
    fn an_account_under_a_new_name_has_its_conversations_and_its_messages_on_their_way() {
        let store = Store::in_memory();
        assert!(store.is_empty().unwrap());
        for (id, at) in [("a", 1), ("b", 2)] {
            store.put("old", &conversation(id, at)).unwrap();
        }
        store.put("other", &conversation("c", 3)).unwrap();
        for (message, body) in [("m1", b"first"), ("m2", b"other")] {
            store.put_outgoing("old", "a", message, "", body).unwrap();
        }
        assert!(store.adopt("old", "new").unwrap());
        assert_eq!(store.list("new").unwrap(), [conversation("b", 2), conversation("a", 1)]);
        assert_eq!(store.outgoing("new", "a").unwrap(), [b"first", b"other"]);
        assert!(store.list("old").unwrap().is_empty() && store.conversations_with_outgoing("old").unwrap().is_empty());
        assert_eq!(store.list("other").unwrap(), [conversation("c", 3)]);
        store.wipe("new").unwrap();
        assert!(!store.is_empty().unwrap());
        store.wipe("other").unwrap();
        assert!(store.is_empty().unwrap());
    }

    #[test]
    fn whoever_has_something_of_their_own_takes_nothing_over() {
        let store = Store::in_memory();
        store.put("old", &conversation("a", 1)).unwrap();
        store.put("new", &conversation("b", 2)).unwrap();
        assert!(!store.adopt("old", "new").unwrap() && !store.adopt("nobody", "third").unwrap() && !store.adopt("old", "old").unwrap());
        assert_eq!((store.list("old").unwrap().len(), store.list("new").unwrap().len()), (1, 1));
    }
}
