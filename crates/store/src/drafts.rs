//! Texts that nobody has sent yet, each sealed to its place: those in the box of a conversation, and the other words for a message that was sent.

use rusqlite::{Connection, OptionalExtension as _};

use crate::{
    Store, StoreError,
    seal::{Keys, NAME_LEN},
};

/// A text that nobody has sent yet.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Draft {
    /// Empty: the conversation that is yet to begin.
    pub conversation: String,
    /// The sent message that is being put in other words. Empty: the text of the box in which messages are written.
    pub message: String,
    pub text: String,
}

/// What a text is sealed to. No conversation's id has a NUL, and no message on its way begins with one: this is no other place. That of a box is
/// what it was before messages had drafts.
pub(crate) fn place(account: &[u8; NAME_LEN], conversation: &str, message: &str) -> Vec<u8> {
    [&account[..], b"\0", conversation.as_bytes(), b"\0\0", message.as_bytes()].concat()
}

/// A text has been sent: what was kept of it, here or before its conversation began, is not unsent any more. That may be its beginning alone, because
/// not every letter is kept. A text that goes on otherwise stays.
pub(crate) fn sent(step: &Connection, keys: &Keys, account: &[u8; NAME_LEN], conversation: &str, text: &str) -> Result<(), StoreError> {
    for at in [conversation, ""] {
        forget(step, keys, account, (at, ""), |unsent| text.trim().starts_with(unsent.trim()))?;
    }
    Ok(())
}

/// Forgets the text at a place, conversation and message, if it is one of those.
fn forget(
    base: &Connection,
    keys: &Keys,
    account: &[u8; NAME_LEN],
    (conversation, message): (&str, &str),
    is_sent: impl FnOnce(&str) -> bool,
) -> Result<(), StoreError> {
    let sealed = base
        .prepare_cached("SELECT body FROM draft WHERE account = ?1 AND conversation = ?2 AND message = ?3")?
        .query_row((account, conversation, message), |row| row.get::<_, Vec<u8>>(0))
        .optional()?;
    let unsent = sealed.and_then(|sealed| keys.open(&place(account, conversation, message), &sealed));
    if unsent.and_then(|unsent| String::from_utf8(unsent).ok()).is_some_and(|unsent| is_sent(&unsent)) {
        base.prepare_cached("DELETE FROM draft WHERE account = ?1 AND conversation = ?2 AND message = ?3")?.execute((
            account,
            conversation,
            message,
        ))?;
    }
    Ok(())
}

impl Store {
    /// Keeps an unsent text, in place of the one before; nothing is kept of an empty one. The conversation without a name is the one that is yet to
    /// begin; the message without a name is none: the text of the conversation's box. A conversation that is not known keeps none.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn put_draft(&self, account: &str, conversation: &str, message: &str, text: &str) -> Result<(), StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        if text.is_empty() {
            base.connection.prepare_cached("DELETE FROM draft WHERE account = ?1 AND conversation = ?2 AND message = ?3")?.execute((
                &name,
                conversation,
                message,
            ))?;
            return Ok(());
        }
        let sealed = base.keys.seal(&place(&name, conversation, message), text.as_bytes())?;
        base.connection
            .prepare_cached(
                "INSERT OR REPLACE INTO draft (account, conversation, message, body)
                 SELECT ?1, ?2, ?3, ?4 WHERE ?2 = '' OR EXISTS (SELECT 1 FROM conversation WHERE account = ?1 AND id = ?2)",
            )?
            .execute((&name, conversation, message, sealed))?;
        Ok(())
    }

    /// The agent has taken this text in the place of a message's own: it is not unsent any more. Other words that are kept for the message stay.
    ///
    /// # Errors
    /// See [`StoreError`]; nothing was changed.
    pub fn draft_taken(&self, account: &str, conversation: &str, message: &str, text: &str) -> Result<(), StoreError> {
        let base = self.base()?;
        forget(&base.connection, &base.keys, &base.keys.account(account), (conversation, message), |unsent| unsent == text)
    }

    /// The unsent texts of an account, in no particular order. One that somebody has tampered with is left out.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub fn drafts(&self, account: &str) -> Result<Vec<Draft>, StoreError> {
        let base = self.base()?;
        let name = base.keys.account(account);
        let mut statement = base.connection.prepare_cached("SELECT conversation, message, body FROM draft WHERE account = ?1")?;
        let rows = statement.query_map([&name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let mut drafts = Vec::new();
        for row in rows {
            let (conversation, message, sealed): (String, String, Vec<u8>) = row?;
            match base.keys.open(&place(&name, &conversation, &message), &sealed).and_then(|text| String::from_utf8(text).ok()) {
                Some(text) => drafts.push(Draft { conversation, message, text }),
                None => tracing::warn!("an unsent text in the store does not open under its key"),
            }
        }
        Ok(drafts)
    }
}

#[cfg(test)]
mod tests {
    use super::Draft;
    use crate::{Conversation, Store};

    fn draft(conversation: &str, text: &str) -> Draft {
        edit(conversation, "", text)
    }

    fn edit(conversation: &str, message: &str, text: &str) -> Draft {
        Draft { conversation: conversation.to_owned(), message: message.to_owned(), text: text.to_owned() }
    }

    fn conversation(id: &str) -> Conversation {
        Conversation { id: id.to_owned(), title: String::new(), updated_at: 1 }
    }

    fn kept(store: &Store) -> Vec<Draft> {
        let mut kept = store.drafts("ada").unwrap();
        kept.sort();
        kept
    }

    #[test]
    fn an_unsent_text_stays_with_its_conversation_and_its_account() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.sqlite3");
        let store = Store::open(&path, [7; 32]).unwrap();
        for id in ["a", "b"] {
            store.put("ada", &conversation(id)).unwrap();
        }
        for (conversation, message, text) in [
            ("a", "", "half a sent"),
            ("a", "", "half a sentence"),
            ("a", "m1", "in other w"),
            ("a", "m1", "in other words"),
            ("a", "m2", "given up"),
            ("a", "m2", ""),
            ("b", "", "gone"),
            ("b", "", ""),
            ("b", "m1", "of another conversation"),
            ("", "", "yet to begin"),
            ("c", "", "whose?"),
            ("c", "m1", "whose?"),
        ] {
            store.put_draft("ada", conversation, message, text).unwrap();
        }
        drop(store);
        let store = Store::open(&path, [7; 32]).unwrap();
        let of_b = edit("b", "m1", "of another conversation");
        let all = [draft("", "yet to begin"), draft("a", "half a sentence"), edit("a", "m1", "in other words"), of_b.clone()];
        assert_eq!(kept(&store), all);
        assert_eq!(store.drafts("grace").unwrap(), []);
        let file = std::fs::read(&path).unwrap();
        assert!(["sentence", "other words"].iter().all(|text| !String::from_utf8_lossy(&file).contains(text)), "sealed");
        store.remove("ada", "a").unwrap();
        assert_eq!(kept(&store), [draft("", "yet to begin"), of_b.clone()], "forgotten with its conversation");
        assert!(store.adopt("ada", "ada|work").unwrap());
        assert_eq!(store.drafts("ada").unwrap(), []);
        assert_eq!(store.drafts("ada|work").unwrap(), [draft("", "yet to begin"), of_b]);
        store.wipe("ada|work").unwrap();
        assert_eq!(store.drafts("ada|work").unwrap(), []);
    }

    #[test]
    fn a_text_that_was_moved_to_another_message_does_not_open_there() {
        let store = Store::in_memory();
        store.put("ada", &conversation("a")).unwrap();
        store.put_draft("ada", "a", "m1", "in other words").unwrap();
        for message in ["m2", "", "m1"] {
            store.base().unwrap().connection.execute("UPDATE draft SET message = ?1", [message]).unwrap();
            assert_eq!(store.drafts("ada").unwrap().len(), usize::from(message == "m1"), "{message}");
        }
    }

    #[test]
    fn what_the_agent_has_taken_is_not_unsent_and_newer_words_for_the_same_message_are() {
        let store = Store::in_memory();
        store.put("ada", &conversation("a")).unwrap();
        for message in ["", "m1", "m2"] {
            store.put_draft("ada", "a", message, "other words").unwrap();
        }
        store.draft_taken("ada", "a", "m1", "other words").unwrap();
        assert_eq!(kept(&store), [draft("a", "other words"), edit("a", "m2", "other words")]);
        store.put_draft("ada", "a", "m2", "other words, and more").unwrap();
        store.draft_taken("ada", "a", "m2", "other words").unwrap();
        assert_eq!(kept(&store), [draft("a", "other words"), edit("a", "m2", "other words, and more")]);
        // A new message takes nothing away from one that is being put in other words.
        store.put_outgoing("ada", "a", "m3", "other words, and more", b"body").unwrap();
        assert_eq!(kept(&store), [edit("a", "m2", "other words, and more")]);
    }

    #[test]
    fn what_is_sent_is_not_unsent_from_the_same_moment_on_and_other_words_are() {
        let store = Store::in_memory();
        store.put("ada", &conversation("a")).unwrap();
        let send = |message: &str, text: &str| store.put_outgoing("ada", "a", message, text, b"body").unwrap();
        for beginning in ["hello world", "hello ", "h"] {
            store.put_draft("ada", "a", "", beginning).unwrap();
            store.put_draft("ada", "", "", beginning).unwrap();
            send(beginning, "hello world\n");
            assert_eq!(store.drafts("ada").unwrap(), [], "{beginning}");
        }
        store.put_draft("ada", "a", "", "and more").unwrap();
        send("m4", "hello world");
        assert_eq!(store.drafts("ada").unwrap(), [draft("a", "and more")]);
        store.put_draft("ada", "a", "", "hello").unwrap();
        send("m4", "hello world");
        assert_eq!(store.drafts("ada").unwrap(), [draft("a", "hello")], "written after it, and the message has only changed");
        store.put_draft("ada", "b", "", "nowhere").unwrap();
        assert!(store.put_outgoing("ada", "b", "m5", "nowhere", b"body").is_err());
    }
}
