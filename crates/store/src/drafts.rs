//! Texts that nobody has sent yet, each sealed to its place.

use rusqlite::{Connection, OptionalExtension as _};

use crate::{
    Store, StoreError,
    seal::{Keys, NAME_LEN},
};

/// What a text is sealed to. No other place ends with a NUL that two more stand before.
pub(crate) fn place(account: &[u8; NAME_LEN], conversation: &str) -> Vec<u8> {
    [&account[..], b"\0", conversation.as_bytes(), b"\0\0"].concat()
}

/// A text has been sent: what was kept of it, here or before its conversation began, is not unsent any more. That may be its beginning alone, because
/// not every letter is kept. A text that goes on otherwise stays.
pub(crate) fn sent(step: &Connection, keys: &Keys, account: &[u8; NAME_LEN], conversation: &str, text: &str) -> Result<(), StoreError> {
    for at in [conversation, ""] {
        let sealed = step
            .prepare_cached("SELECT body FROM draft WHERE account = ?1 AND conversation = ?2")?
            .query_row((account, at), |row| row.get::<_, Vec<u8>>(0))
            .optional()?;
        let unsent = sealed.and_then(|sealed| keys.open(&place(account, at), &sealed)).and_then(|unsent| String::from_utf8(unsent).ok());
        if unsent.is_some_and(|unsent| text.trim().starts_with(unsent.trim())) {
            step.prepare_cached("DELETE FROM draft WHERE account = ?1 AND conversation = ?2")?.execute((account, at))?;
        }
    }
    Ok(())
}

impl Store {
    /// Keeps the unsent text of a conversation, in place of the one before; nothing is kept of an empty one. The conversation without a name is the one
    /// that is yet to begin. One that is not known keeps none.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn put_draft(&self, account: &str, conversation: &str, text: &str) -> Result<(), StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        if text.is_empty() {
            base.connection.prepare_cached("DELETE FROM draft WHERE account = ?1 AND conversation = ?2")?.execute((&name, conversation))?;
            return Ok(());
        }
        let sealed = base.keys.seal(&place(&name, conversation), text.as_bytes())?;
        base.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO draft (account, conversation, body)
                 SELECT ?1, ?2, ?3 WHERE ?2 = '' OR EXISTS (SELECT 1 FROM conversation WHERE account = ?1 AND id = ?2)",
            )?
            .execute((&name, conversation, sealed))?;
        Ok(())
    }

    /// The unsent texts of an account, each with its conversation, in no particular order. One that somebody has tampered with is left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn drafts(&self, account: &str) -> Result<Vec<(String, String)>, StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let mut statement = base.connection.prepare_cached("SELECT conversation, body FROM draft WHERE account = ?1")?;
        let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let mut drafts = Vec::new();
        for row in rows {
            let (conversation, sealed): (String, Vec<u8>) = row?;
            match base.keys.open(&place(&name, &conversation), &sealed).and_then(|text| String::from_utf8(text).ok()) {
                Some(text) => drafts.push((conversation, text)),
                None => tracing::warn!("an unsent text in the store does not open under its key"),
            }
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod tests {
    use crate::{Conversation, Store};

    fn draft(conversation: &str, text: &str) -> (String, String) {
        (conversation.to_owned(), text.to_owned())
    }

    #[test]
    fn an_unsent_text_stays_with_its_conversation_and_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite3");
        let store = Store::open(&path, [7; 32]).unwrap();
        for id in ["a", "b"] {
            store.put("ada", &Conversation { id: id.to_owned(), title: String::new(), updated_at: 1 }).unwrap();
        }
        for (conversation, text) in
            [("a", "half a sent"), ("a", "half a sentence"), ("b", "gone"), ("b", ""), ("", "yet to begin"), ("c", "whose?")]
        {
            store.put_draft("ada", conversation, text).unwrap();
        }
        drop(store);
        let store = Store::open(&path, [7; 32]).unwrap();
        let mut kept = store.drafts("ada").unwrap();
        kept.sort();
        assert_eq!(kept, [draft("", "yet to begin"), draft("a", "half a sentence")]);
        assert_eq!(store.drafts("grace").unwrap(), []);
        assert!(!String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("sentence"), "sealed");
        store.remove("ada", "a").unwrap();
        assert_eq!(store.drafts("ada").unwrap(), [draft("", "yet to begin")], "forgotten with its conversation");
        assert!(store.adopt("ada", "ada|work").unwrap());
        assert_eq!((store.drafts("ada").unwrap(), store.drafts("ada|work").unwrap()), (vec![], vec![draft("", "yet to begin")]));
        store.wipe("ada|work").unwrap();
        assert_eq!(store.drafts("ada|work").unwrap(), []);
    }

    #[test]
    fn what_is_sent_is_not_unsent_from_the_same_moment_on_and_other_words_are() {
        let store = Store::in_memory();
        store.put("ada", &Conversation { id: "a".to_owned(), title: String::new(), updated_at: 1 }).unwrap();
        let send = |message: &str, text: &str| store.put_outgoing("ada", "a", message, text, b"body").unwrap();
        for beginning in ["hello world", "hello ", "h"] {
            store.put_draft("ada", "a", beginning).unwrap();
            store.put_draft("ada", "", beginning).unwrap();
            send(beginning, "hello world\n");
            assert_eq!(store.drafts("ada").unwrap(), [], "{beginning}");
        }
        store.put_draft("ada", "a", "and more").unwrap();
        send("m4", "hello world");
        assert_eq!(store.drafts("ada").unwrap(), [draft("a", "and more")]);
        store.put_draft("ada", "a", "hello").unwrap();
        send("m4", "hello world");
        assert_eq!(store.drafts("ada").unwrap(), [draft("a", "hello")], "written after it, and the message has only changed");
        store.put_draft("ada", "b", "nowhere").unwrap();
        assert!(store.put_outgoing("ada", "b", "m5", "nowhere", b"body").is_err());
    }
}
