//! The state of the app, owned by one task.

use callbox_identity::{Session, SessionState, SignOut};
use callbox_ipc::{Bootstrap, ConversationSummary, Event, Notice, NoticeKind, Preferences, SessionView, UserError};
use callbox_link::Link;
use callbox_vault::Vault;
use url::Url;

use super::{
    Browser, Jobs, Sink, Start, Surroundings,
    place::{self, Place},
    shelf::{Shelf, title},
    sign_in, store_key,
    threads::{Road, Threads},
    view,
};
use crate::settings::Settings;

pub(super) struct Desk {
    surroundings: Surroundings,
    jobs: Jobs,
    settings: Settings,
    sink: Option<Sink>,
    place: Option<Place>,
    /// The session as the window was last told it.
    shown: SessionView,
    /// The page of the waiting sign-in.
    page: Option<Url>,
    /// The account's conversations; there only while somebody is signed in.
    shelf: Option<Shelf>,
    threads: Threads,
    /// Links that came before there was a session to give them to.
    early: Vec<String>,
    /// What was to be said before there was a window.
    unheard: Vec<Notice>,
}

impl Desk {
    pub(super) fn new(surroundings: Surroundings, jobs: Jobs) -> Self {
        let settings = surroundings.settings.clone();
        Self {
            surroundings,
            jobs,
            settings,
            sink: None,
            place: None,
            shown: SessionView::SignedOut { reason: None },
            page: None,
            shelf: None,
            threads: Threads::default(),
            early: Vec::new(),
            unheard: Vec::new(),
        }
    }

    // --- Start and surroundings -------------------------------------------------------------------------------------------------------

    pub(super) fn begin(&mut self, start: Start) {
        let remembered = place::remembered_profile(&self.surroundings.config, &self.settings);
        let chosen = self.settings.agent.is_some();
        match (start, remembered) {
            (Start::Profile(path), _) => self.use_profile_file(&path),
            (Start::Sandbox { port, agent }, _) => self.begin_sandbox(port, agent),
            // Whoever has tried the sandbox beside an agent of their own goes on there; an installed profile is no choice of theirs.
            (Start::Remembered, Some(file)) if !(chosen && self.settings.sandbox) => self.use_profile_file(&file),
            (Start::Remembered, _) if self.settings.sandbox => self.begin_sandbox(None, None),
            (Start::Remembered, _) => {}
        }
    }

    fn begin_sandbox(&mut self, port: Option<u16>, agent: Option<Url>) {
        self.shown = SessionView::Restoring;
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            if let Err(error) = place::use_sandbox(&jobs, port, agent).await {
                jobs.post(move |desk| desk.show_session(SessionView::SignedOut { reason: Some(error) })).await;
            }
        });
    }

    fn use_profile_file(&mut self, path: &std::path::Path) {
        match Place::from_file(path, &self.surroundings.vault, &self.surroundings.data) {
            Ok(place) => self.take_place(place),
            Err(error) => self.show_session(SessionView::SignedOut { reason: Some(view::error(&error)) }),
        }
    }

    /// Makes `place` the one in use and watches its session.
    pub(super) fn take_place(&mut self, place: Place) {
        self.threads.close_all();
        self.shelf = None;
        let sandbox = place.is_sandbox();
        if self.settings.sandbox != sandbox {
            self.settings.sandbox = sandbox;
            self.save_settings();
        }
        let session = place.session.clone();
        let mut states = session.state();
        self.emit(Event::Profile(place.view()));
        self.place = Some(place);
        let now = states.borrow_and_update().clone();
        self.session_changed(&now);
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            while states.changed().await.is_ok() {
                let state = states.borrow_and_update().clone();
                jobs.post(move |desk| desk.session_changed(&state)).await;
            }
        });
        for link in std::mem::take(&mut self.early) {
            self.deliver(link);
        }
    }

    /// Gives up the place in use: its session's actor and its sandbox end, and what they held is free for the next one.
    pub(super) fn leave_place(&mut self) {
        self.threads.close_all();
        self.shelf = None;
        self.place = None;
    }

    pub(super) fn vault(&self) -> Vault {
        self.surroundings.vault.clone()
    }

    pub(super) fn data(&self) -> std::path::PathBuf {
        self.surroundings.data.clone()
    }

    pub(super) fn config(&self) -> std::path::PathBuf {
        self.surroundings.config.clone()
    }

    /// The next start begins with the profile in this file.
    pub(super) fn remember_agent(&mut self, file: std::path::PathBuf) {
        let file = file.strip_prefix(&self.surroundings.config).map(std::path::Path::to_owned).unwrap_or(file);
        self.settings.agent = Some(file);
        self.save_settings();
    }

    pub(super) fn browser(&self) -> Browser {
        self.surroundings.browser.clone()
    }

    pub(super) fn set_preferences(&mut self, preferences: Preferences) -> Result<(), UserError> {
        (self.surroundings.dress)(preferences.theme);
        self.settings.preferences = preferences;
        self.settings.save(&self.settings_file()).map_err(|error| view::error(&error))
    }

    fn settings_file(&self) -> std::path::PathBuf {
        Settings::file(&self.surroundings.config)
    }

    fn save_settings(&mut self) {
        if let Err(error) = self.settings.save(&self.settings_file()) {
            self.notify(NoticeKind::Warning, view::error(&error));
        }
    }

    // --- The window -------------------------------------------------------------------------------------------------------------------

    pub(super) fn subscribe(&mut self, sink: Sink) {
        for notice in std::mem::take(&mut self.unheard) {
            sink(Event::Notice(notice));
        }
        self.sink = Some(sink);
    }

    pub(super) fn bootstrap(&self) -> Bootstrap {
        Bootstrap {
            session: self.shown.clone(),
            profile: self.place.as_ref().map(Place::view),
            conversations: self.conversations(),
            open: self.threads.shown().map(str::to_owned).or_else(|| self.conversations().first().map(|first| first.id.clone())),
            preferences: self.settings.preferences,
        }
    }

    pub(super) fn emit(&self, event: Event) {
        if let Some(sink) = &self.sink {
            sink(event);
        }
    }

    /// Says something to the user; before there is a window to say it in, it is kept for it.
    pub(super) fn notify(&mut self, kind: NoticeKind, message: UserError) {
        let notice = Notice { kind, message };
        if self.sink.is_some() {
            self.emit(Event::Notice(notice));
        } else {
            self.unheard.push(notice);
        }
    }

    pub(super) fn show_session(&mut self, shown: SessionView) {
        if self.shown != shown {
            self.shown = shown.clone();
            self.emit(Event::Session(shown));
        }
    }

    // --- The session ------------------------------------------------------------------------------------------------------------------

    pub(super) fn session(&self) -> Result<Session, UserError> {
        self.place.as_ref().map(|place| place.session.clone()).ok_or_else(view::no_profile)
    }

    pub(super) fn session_and_browser(&self) -> Result<(Session, Browser), UserError> {
        Ok((self.session()?, self.browser()))
    }

    pub(super) fn signing_in_at(&mut self, page: Url) {
        self.page = Some(page);
    }

    pub(super) fn waiting_page(&self) -> Result<(Browser, Url), UserError> {
        let page = self.page.clone().ok_or_else(view::no_sign_in)?;
        Ok((self.browser(), page))
    }

    pub(super) fn deliver(&mut self, link: String) {
        (self.surroundings.summon)();
        let Ok(session) = self.session() else {
            self.early.push(link);
            return;
        };
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            if let Err(error) = sign_in::pasted(&session, &link).await {
                jobs.post(move |desk| desk.notify(NoticeKind::Warning, error)).await;
            }
        });
    }

    fn session_changed(&mut self, state: &SessionState) {
        if !matches!(state, SessionState::SigningIn { .. }) {
            self.page = None;
        }
        match state {
            SessionState::SignedIn { account, .. } => {
                let key = place::account_key(account);
                if self.shelf.as_ref().is_none_or(|shelf| shelf.account != key) {
                    // The window learns of the account together with its conversations, so that it need not jump twice.
                    self.open_shelf(key, view::session(state));
                    return;
                }
            }
            SessionState::SignedOut { .. } => {
                self.threads.close_all();
                self.shelf = None;
            }
            SessionState::Restoring | SessionState::SigningIn { .. } => {}
        }
        self.show_session(view::session(state));
    }

    fn open_shelf(&mut self, account: String, shown: SessionView) {
        let (jobs, vault, data) = (self.jobs.clone(), self.vault(), self.data());
        tokio::spawn(async move {
            let opened = store_key::open_store(&vault, &data).await;
            jobs.post(move |desk| desk.shelf_opened(opened, account, shown)).await;
        });
    }

    fn shelf_opened(&mut self, opened: store_key::Opened, account: String, shown: SessionView) {
        if let Some(trouble) = opened.trouble {
            self.notify(NoticeKind::Warning, trouble);
        }
        let (shelf, unread) = Shelf::open(opened.store, account);
        if let Some(error) = unread {
            self.notify(NoticeKind::Error, view::error(&error));
        }
        self.shelf = Some(shelf);
        self.emit(Event::Conversations(self.conversations()));
        self.show_session(shown);
        self.deliver_what_is_left();
    }

    /// What could not be delivered before goes out now, whichever conversation the window shows.
    fn deliver_what_is_left(&mut self) {
        let Some((threads, road)) = self.road() else { return };
        match road.store.conversations_with_outgoing(road.account) {
            Ok(conversations) => threads.deliver(conversations, &road),
            Err(error) => self.notify(NoticeKind::Warning, view::error(&error)),
        }
    }

    /// A conversation that is not open has delivered what it could. `failed`: not all of it.
    pub(super) fn delivered(&mut self, conversation: &str, failed: bool) {
        if failed {
            let known = self.conversations().into_iter().find(|known| known.id == conversation);
            self.notify(NoticeKind::Warning, view::failed_elsewhere(known.map(|known| known.title).unwrap_or_default()));
        }
        if let Some((threads, road)) = self.road() {
            threads.delivered(conversation, &road);
        }
    }

    /// Something has happened to the network: nobody should have to wait for a pause or a period to end.
    pub(super) fn look_after_links(&self) {
        for link in self.threads.links() {
            tokio::spawn(async move { link.wake().await });
        }
    }

    /// The links, and what new ones are made of.
    fn road(&mut self) -> Option<(&mut Threads, Road<'_>)> {
        let (place, shelf) = (self.place.as_ref()?, self.shelf.as_ref()?);
        Some((&mut self.threads, Road { place, store: &shelf.store, account: &shelf.account, jobs: &self.jobs }))
    }

    /// Gives up everything of the account, and gives back the session to be signed out and the links to be closed.
    pub(super) fn leave(&mut self) -> Result<(Session, Vec<Link>), UserError> {
        let session = self.session()?;
        let links = self.threads.take_all();
        if let Some(shelf) = self.shelf.take()
            && let Err(error) = shelf.store.wipe(&shelf.account)
        {
            self.notify(NoticeKind::Error, view::error(&error));
        }
        self.emit(Event::Conversations(Vec::new()));
        Ok((session, links))
    }

    pub(super) fn left(&mut self, left: &SignOut) {
        if let Some(why) = &left.left_in_keychain {
            self.notify(NoticeKind::Error, view::error(why));
        } else if !left.revoked {
            self.notify(NoticeKind::Warning, view::not_revoked());
        }
    }

    // --- Conversations ----------------------------------------------------------------------------------------------------------------

    fn conversations(&self) -> Vec<ConversationSummary> {
        self.shelf.as_ref().map(|shelf| shelf.conversations.clone()).unwrap_or_default()
    }

    /// Another process may have put something into the list.
    pub(super) fn look_at_list(&mut self) {
        let looked = self.shelf.as_mut().map_or(Ok(false), Shelf::look_again);
        match looked {
            Ok(true) => self.emit(Event::Conversations(self.conversations())),
            Ok(false) => {}
            // It is looked at again soon, and what the window itself wants is told when it fails.
            Err(error) => tracing::debug!(code = error.code(), "the list could not be looked at"),
        }
    }

    /// A new conversation, or the one that is there already and in which nothing has been said.
    pub(super) fn new_conversation(&mut self) -> Result<String, UserError> {
        let shelf = self.shelf.as_mut().ok_or_else(view::signed_out)?;
        let (id, new) = shelf.begin().map_err(|error| view::error(&error))?;
        if new {
            self.emit(Event::Conversations(self.conversations()));
        }
        self.open(id.clone())?;
        Ok(id)
    }

    /// Opens a conversation, or shows the open one again from the start.
    pub(super) fn open(&mut self, conversation: String) -> Result<(), UserError> {
        let known = self.shelf.as_ref().is_some_and(|shelf| shelf.knows(&conversation));
        if self.place.is_none() {
            return Err(view::no_profile());
        }
        match self.road() {
            Some((threads, road)) if known => threads.show(conversation, &road),
            _ => return Err(view::no_conversation()),
        }
        Ok(())
    }

    pub(super) fn forget(&mut self, conversation: &str) -> Result<(), UserError> {
        self.threads.close(conversation);
        let shelf = self.shelf.as_mut().ok_or_else(view::signed_out)?;
        shelf.remove(conversation).map_err(|error| view::error(&error))?;
        self.emit(Event::Conversations(self.conversations()));
        Ok(())
    }

    pub(super) fn link(&self, conversation: &str) -> Result<Link, UserError> {
        self.threads.link(conversation).ok_or_else(view::no_conversation)
    }

    /// Something was said in a conversation: it moves to the top, and is named after the first words if it had no name.
    pub(super) fn spoke(&mut self, conversation: &str, text: &str) {
        if self.threads.shown() != Some(conversation) {
            // It was left in the very moment in which the message became safe.
            self.deliver_what_is_left();
        }
        self.summarize(conversation, |summary| {
            if summary.title.is_empty() {
                summary.title = title(text);
            }
        });
    }

    /// A conversation was emptied: it has no name until something is said in it.
    pub(super) fn cleared(&mut self, conversation: &str) {
        self.summarize(conversation, |summary| summary.title.clear());
    }

    /// Changes what the list says of a conversation, which moves to the top.
    fn summarize(&mut self, conversation: &str, change: impl FnOnce(&mut ConversationSummary)) {
        let Some(shelf) = &mut self.shelf else { return };
        if let Err(error) = shelf.summarize(conversation, change) {
            self.notify(NoticeKind::Warning, view::error(&error));
        }
        self.emit(Event::Conversations(self.conversations()));
    }
}
