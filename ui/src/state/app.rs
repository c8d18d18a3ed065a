//! Everything that the window shows, and how events change it.

use std::collections::HashMap;

use callbox_ipc::{
    AccountEntry, Bootstrap, ConversationSummary, Event, Notice, Preferences, ProfileView, SessionView, ThreadEvent, ThreadUpdate,
};
use leptos::prelude::*;

use super::drafts::DraftOf;
use super::thread::Thread;

/// At most so many notices are kept in sight.
const NOTICES: usize = 4;

/// The state of the window.
#[derive(Clone, Copy)]
pub struct App {
    /// None until the shell has been heard of for the first time.
    pub session: RwSignal<Option<SessionView>>,
    pub profile: RwSignal<Option<ProfileView>>,
    /// Which account the window is at; none while the shell has none.
    pub seat: RwSignal<Option<String>>,
    /// All accounts, everywhere.
    pub accounts: RwSignal<Vec<AccountEntry>>,
    /// The dialog for one more agent is open, with this address in it; empty where that is for the person to say.
    pub adding_agent: RwSignal<Option<String>>,
    pub conversations: RwSignal<Vec<ConversationSummary>>,
    /// The conversation in view.
    pub open: RwSignal<Option<String>>,
    /// Its content, once the shell has sent it.
    pub thread: RwSignal<Option<Thread>>,
    pub preferences: RwSignal<Preferences>,
    /// Newest last.
    pub notices: RwSignal<Vec<(u64, Notice)>>,
    /// All texts that nobody has sent yet.
    pub drafts: RwSignal<HashMap<DraftOf, String>>,
    /// What the shell keeps of them, as far as it has been told.
    pub(super) kept: StoredValue<HashMap<DraftOf, String>>,
    /// Where a text is on its way to the shell: until it is known whether it is sent, nothing is said of what is unsent there.
    pub(super) leaving: StoredValue<Option<DraftOf>>,
    /// Whether the oldest question of the conversation can be seen, down to its buttons.
    pub question_in_view: RwSignal<bool>,
    /// A conversation whose content came before the window knew that it would be opened.
    early: StoredValue<Option<Thread>>,
    counter: StoredValue<u64>,
}

/// What has to be asked of the shell after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Somebody has signed in: ask for their conversations.
    Bootstrap,
    /// Open this conversation: it comes into view, or its mirror is incomplete.
    Open(String),
}

impl Default for App {
    fn default() -> Self {
        Self::new()
    }
}

impl App {
    /// A window that knows nothing yet.
    pub fn new() -> Self {
        Self {
            session: RwSignal::new(None),
            profile: RwSignal::new(None),
            seat: RwSignal::new(None),
            accounts: RwSignal::new(Vec::new()),
            adding_agent: RwSignal::new(None),
            conversations: RwSignal::new(Vec::new()),
            open: RwSignal::new(None),
            thread: RwSignal::new(None),
            preferences: RwSignal::new(Preferences::default()),
            notices: RwSignal::new(Vec::new()),
            drafts: RwSignal::new(HashMap::new()),
            kept: StoredValue::new(HashMap::new()),
            leaving: StoredValue::new(None),
            question_in_view: RwSignal::new(false),
            early: StoredValue::new(None),
            counter: StoredValue::new(0),
        }
    }

    /// Takes all that the shell knows, and gives back the conversation that has to be opened.
    fn begin(&self, bootstrap: Bootstrap) -> Option<String> {
        if self.seat.with_untracked(|seat| *seat != bootstrap.seat) {
            // Another account: nothing of the one before stays in sight, and its words wait for it.
            self.show_none();
            self.early.set_value(None);
            self.adding_agent.set(None);
            self.seat.set(bootstrap.seat);
        }
        self.take_accounts(bootstrap.accounts);
        self.take_drafts(bootstrap.drafts);
        self.session.set(Some(bootstrap.session));
        self.profile.set(bootstrap.profile);
        self.conversations.set(bootstrap.conversations);
        if self.preferences.get_untracked() != bootstrap.preferences {
            self.preferences.set(bootstrap.preferences);
        }
        if !self.signed_in() {
            return None;
        }
        let wanted = bootstrap.open.or_else(|| self.conversations.with_untracked(|list| list.first().map(|first| first.id.clone())))?;
        self.show(wanted).then(|| self.open.get_untracked()).flatten()
    }

    /// Takes an event.
    pub fn receive(&self, event: Event) -> Option<Demand> {
        match event {
            Event::Bootstrap(bootstrap) => return self.begin(bootstrap).map(Demand::Open),
            Event::Session(session) => return self.take_session(session),
            Event::Profile(profile) => self.profile.set(Some(profile)),
            Event::Conversations(list) => self.take_conversations(list),
            Event::Accounts(accounts) => self.take_accounts(accounts),
            Event::Thread(event) => return self.take_thread(event),
            Event::Notice(notice) => self.notify(notice),
        }
        None
    }

    /// Brings a conversation into view; `false` if it is there already.
    pub fn show(&self, conversation: String) -> bool {
        if self.open.with_untracked(|open| open.as_ref() == Some(&conversation)) {
            return false;
        }
        let early = self.early.try_update_value(Option::take).flatten().filter(|thread| thread.conversation == conversation);
        self.thread.set(early);
        self.open.set(Some(conversation));
        true
    }

    /// Leaves the conversation in view: the next message begins a new one.
    pub fn show_none(&self) {
        self.open.set(None);
        self.thread.set(None);
    }

    /// Shows a notice; the same one is not shown twice.
    pub fn notify(&self, notice: Notice) {
        let number = self.counter.try_update_value(|counter| {
            *counter += 1;
            *counter
        });
        self.notices.update(|notices| {
            notices.retain(|(_, before)| *before != notice);
            notices.push((number.unwrap_or_default(), notice));
            let surplus = notices.len().saturating_sub(NOTICES);
            notices.drain(..surplus);
        });
    }

    /// Takes a notice away.
    pub fn dismiss(&self, number: u64) {
        self.notices.update(|notices| notices.retain(|(other, _)| *other != number));
    }

    /// Whether somebody is signed in.
    pub fn signed_in(&self) -> bool {
        self.session.with_untracked(|session| matches!(session, Some(SessionView::SignedIn { .. })))
    }

    fn take_session(&self, session: SessionView) -> Option<Demand> {
        let before = self.signed_in();
        if self.session.with_untracked(|now| now.as_ref() == Some(&session)) {
            return None;
        }
        self.session.set(Some(session));
        match (before, self.signed_in()) {
            (false, true) => Some(Demand::Bootstrap),
            (true, false) => {
                self.show_none();
                self.early.set_value(None);
                self.conversations.set(Vec::new());
                // Whoever signs out on purpose leaves nothing behind; whoever is thrown out finds their words again.
                if self.session.with_untracked(|session| matches!(session, Some(SessionView::SignedOut { reason: None }))) {
                    self.forget_drafts(&self.seat.get_untracked());
                }
                None
            }
            _ => None,
        }
    }

    fn take_accounts(&self, accounts: Vec<AccountEntry>) {
        if self.accounts.with_untracked(|before| *before != accounts) {
            self.accounts.set(accounts);
        }
    }

    fn take_conversations(&self, list: Vec<ConversationSummary>) {
        if self.conversations.with_untracked(|before| *before != list) {
            self.conversations.set(list);
        }
    }

    fn take_thread(&self, event: ThreadEvent) -> Option<Demand> {
        let ThreadEvent { conversation, update } = event;
        let in_view = self.open.with_untracked(|open| open.as_ref() == Some(&conversation));
        let known = if in_view { self.thread.get_untracked() } else { self.early.get_value() };
        let known = known.filter(|thread| thread.conversation == conversation);
        match (update, known) {
            (ThreadUpdate::Opened(view), Some(thread)) => thread.replace(view),
            (ThreadUpdate::Opened(view), None) => {
                let thread = Thread::new(conversation, view);
                if in_view { self.thread.set(Some(thread)) } else { self.early.set_value(Some(thread)) }
            }
            (ThreadUpdate::Changed(change), Some(thread)) => {
                if change.ops.into_iter().try_for_each(|op| thread.apply(op)).is_err() {
                    return Some(Demand::Open(conversation));
                }
                if let Some(status) = change.status {
                    thread.set_status(status);
                }
            }
            // Left over from a conversation that is no longer in view.
            (ThreadUpdate::Changed(_), None) => {}
        }
        None
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "app_tests.rs"]
mod tests;
