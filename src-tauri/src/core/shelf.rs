//! The list of an account's conversations, on the disk and in memory. Other processes of this user may change it too.

use std::{sync::Arc, time::Duration};

use callbox_ipc::{ConversationSummary, Draft};
use callbox_store::{Conversation, Store, StoreError};
use tokio::time::{MissedTickBehavior, interval};

use super::{Jobs, view};

/// A title is the beginning of the first message, this many characters of it at most.
const TITLE_LENGTH: usize = 80;
/// How soon the window shows what another process has put into the list.
const TICK: Duration = Duration::from_secs(2);

pub(super) struct Shelf {
    pub(super) store: Arc<Store>,
    pub(super) account: String,
    /// The one that was touched last first.
    pub(super) conversations: Vec<ConversationSummary>,
}

impl Shelf {
    /// An account's conversations as the store has them. Where it cannot be read, there are none, and the reason comes too.
    pub(super) fn open(store: Store, account: String) -> (Self, Option<StoreError>) {
        let mut shelf = Self { store: Arc::new(store), account, conversations: Vec::new() };
        // What was changed before is in the list that is read now.
        let read = shelf.store.changed_elsewhere().and_then(|_| shelf.read());
        (shelf, read.err())
    }

    fn read(&mut self) -> Result<(), StoreError> {
        self.conversations = self.store.list(&self.account)?.into_iter().map(view::summary).collect();
        Ok(())
    }

    /// Takes in what other processes have changed. True if the list is another one now.
    pub(super) fn look_again(&mut self) -> Result<bool, StoreError> {
        if !self.store.changed_elsewhere()? {
            return Ok(false);
        }
        let before = std::mem::take(&mut self.conversations);
        let read = self.read();
        if read.is_err() {
            self.conversations = before;
            return read.map(|()| false);
        }
        Ok(self.conversations != before)
    }

    pub(super) fn knows(&self, conversation: &str) -> bool {
        self.conversations.iter().any(|known| known.id == conversation)
    }

    /// The conversation with this id, or the one that is there already and in which nothing has been said; and whether it is new.
    pub(super) fn begin(&mut self, id: String) -> Result<(String, bool), StoreError> {
        if self.knows(&id) {
            return Ok((id, false));
        }
        if let Some(empty) = self.conversations.iter().find(|conversation| conversation.title.is_empty()) {
            return Ok((empty.id.clone(), false));
        }
        let conversation = Conversation { id, title: String::new(), updated_at: view::now() };
        self.store.put(&self.account, &conversation)?;
        let id = conversation.id.clone();
        self.conversations.insert(0, view::summary(conversation));
        Ok((id, true))
    }

    /// What is unsent. Where it cannot be read there is none, which is worth a line in the log and no more.
    pub(super) fn drafts(&self) -> Vec<Draft> {
        let drafts = self.store.drafts(&self.account).unwrap_or_else(|error| {
            tracing::warn!(code = error.code(), "what is unsent cannot be read");
            Vec::new()
        });
        let named = |id: String| Some(id).filter(|id| !id.is_empty());
        let draft = |callbox_store::Draft { conversation, message, text }| Draft {
            conversation: named(conversation),
            message: named(message),
            text,
        };
        drafts.into_iter().map(draft).collect()
    }

    /// A message whose id is empty, as an agent may name it, keeps none: its place is the box's.
    pub(super) fn keep_draft(&self, conversation: Option<&str>, message: Option<&str>, text: &str) -> Result<(), StoreError> {
        if message == Some("") {
            return Ok(());
        }
        self.store.put_draft(&self.account, conversation.unwrap_or_default(), message.unwrap_or_default(), text)
    }

    pub(super) fn draft_taken(&self, conversation: &str, message: &str, text: &str) -> Result<(), StoreError> {
        self.store.draft_taken(&self.account, conversation, message, text)
    }

    pub(super) fn remove(&mut self, conversation: &str) -> Result<(), StoreError> {
        self.store.remove(&self.account, conversation)?;
        self.conversations.retain(|known| known.id != conversation);
        Ok(())
    }

    /// Changes what the list says of a conversation, which moves to the top. One that is not known is fine.
    pub(super) fn summarize(&mut self, conversation: &str, change: impl FnOnce(&mut ConversationSummary)) -> Result<(), StoreError> {
        let Some(index) = self.conversations.iter().position(|known| known.id == conversation) else { return Ok(()) };
        let mut summary = self.conversations.remove(index);
        change(&mut summary);
        summary.updated_at = view::now();
        let row = Conversation { id: summary.id.clone(), title: summary.title.clone(), updated_at: summary.updated_at };
        self.conversations.insert(0, summary);
        self.store.put(&self.account, &row)
    }
}

/// Has the list looked at again and again, for as long as the app runs. Nothing is read from the disk where nothing has changed.
pub(super) fn watch(jobs: &Jobs) {
    let jobs = jobs.clone();
    tokio::spawn(async move {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            jobs.post(|desk| desk.look_at_list()).await;
        }
    });
}

/// The first words of a message, on one line.
pub(super) fn title(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(TITLE_LENGTH) {
        None => line,
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_one_line_of_bounded_length() {
        assert_eq!(title("  what\n time   is it "), "what time is it");
        let long = title(&"東京 ".repeat(100));
        assert!(long.ends_with('…') && long.chars().count() <= 81, "{long}");
    }

    #[test]
    fn where_there_is_one_conversation_it_is_begun_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("store.sqlite3"), [1; 32]).unwrap();
        let (mut shelf, _) = Shelf::open(store, "ada".to_owned());
        assert_eq!(shelf.begin("only".to_owned()), Ok(("only".to_owned(), true)));
        shelf.summarize("only", |summary| summary.title = "hello".to_owned()).unwrap();
        assert_eq!(shelf.begin("only".to_owned()), Ok(("only".to_owned(), false)));
        assert_eq!(shelf.begin("another".to_owned()), Ok(("another".to_owned(), true)));
        assert_eq!(shelf.begin("a third".to_owned()), Ok(("another".to_owned(), false)), "nothing has been said in it");
    }

    #[test]
    fn what_another_process_puts_into_the_list_is_taken_in_once() {
        let folder = tempfile::tempdir().unwrap();
        let open = || Store::open(&folder.path().join("store.sqlite3"), [1; 32]).unwrap();
        let other = open();
        let conversation = |id: &str, updated_at| Conversation { id: id.to_owned(), title: id.to_owned(), updated_at };
        other.put("ada", &conversation("a", 1)).unwrap();
        let (mut shelf, trouble) = Shelf::open(open(), "ada".to_owned());
        assert!(trouble.is_none() && shelf.knows("a"));
        assert_eq!(shelf.look_again(), Ok(false), "nothing has changed");
        shelf.summarize("a", |summary| summary.title = "own".to_owned()).unwrap();
        assert_eq!(shelf.look_again(), Ok(false), "our own changes are known");
        other.put("grace", &conversation("g", 2)).unwrap();
        assert_eq!(shelf.look_again(), Ok(false), "somebody else's are not ours");
        other.put("ada", &conversation("b", u64::MAX >> 1)).unwrap();
        assert_eq!(shelf.look_again(), Ok(true));
        let titles: Vec<&str> = shelf.conversations.iter().map(|known| known.title.as_str()).collect();
        assert_eq!(titles, ["b", "own"]);
        assert_eq!(shelf.look_again(), Ok(false));
    }
}
