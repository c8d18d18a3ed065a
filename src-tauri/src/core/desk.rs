//! The state of the app, owned by one task.

use callbox_identity::{Session, SessionState, SignInStart};
use callbox_ipc::{AccountEntry, Bootstrap, ConversationSummary, Event, Notice, NoticeKind, Preferences, SessionView, UserError};
use callbox_link::Link;
use callbox_vault::Vault;
use url::Url;

use super::{
    Browser, Jobs, Sink, Start, Surroundings,
    place::{self, Place},
    roster::KnownAgent,
    seat::Seat,
    shelf::{Shelf, title},
    store_key,
    threads::{Road, Threads},
    view,
};
use crate::settings::Settings;

pub(super) struct Desk {
    pub(super) surroundings: Surroundings,
    pub(super) jobs: Jobs,
    pub(super) settings: Settings,
    sink: Option<Sink>,
    /// The accounts that somebody has been at since the start, and what belongs to each.
    pub(super) seats: Vec<Seat>,
    /// The one that the window shows.
    pub(super) current: Option<String>,
    /// Who is signed in where, as of the last look.
    pub(super) agents: Vec<KnownAgent>,
    /// The accounts as the window was last told them.
    pub(super) told: Vec<AccountEntry>,
    /// The session as the window was last told it.
    pub(super) shown: SessionView,
    /// Links that came before there was a session to give them to.
    pub(super) early: Vec<String>,
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
            seats: Vec::new(),
            current: None,
            agents: Vec::new(),
            told: Vec::new(),
            shown: SessionView::SignedOut { reason: None },
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
        self.look_at_accounts();
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
        let slot = self.remembered_slot();
        match Place::from_file(path, slot.as_deref(), &self.surroundings.vault, &self.surroundings.data) {
            Ok(place) => self.take_place(place, None),
            Err(error) => self.show_session(SessionView::SignedOut { reason: Some(view::error(&error)) }),
        }
    }

    /// The account that was in use last.
    pub(super) fn remembered_slot(&self) -> Option<String> {
        self.settings.slot.clone()
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

    pub(super) fn save_settings(&mut self) {
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
            profile: self.seat().map(|seat| seat.place.view()),
            conversations: self.conversations(),
            open: self.in_view(),
            preferences: self.settings.preferences,
            seat: self.current.clone(),
            accounts: self.accounts(),
            drafts: self.seat().and_then(|seat| seat.shelf.as_ref()).map(Shelf::drafts).unwrap_or_default(),
        }
    }

    /// The conversation that the window shows, or should show first.
    fn in_view(&self) -> Option<String> {
        let seat = self.seat()?;
        let known = |id: &String| self.conversations().iter().any(|known| known.id == *id);
        let last = seat.last.clone().filter(known);
        seat.threads.shown().map(str::to_owned).or(last).or_else(|| self.conversations().first().map(|first| first.id.clone()))
    }

    /// Tells the window something about an account, if that is the one it shows.
    pub(super) fn emit_of(&self, seat: &str, event: Event) {
        if self.current.as_deref() == Some(seat) {
            self.emit(event);
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
        self.seat().map(Seat::session).ok_or_else(view::no_profile)
    }

    pub(super) fn signing_in_at(&mut self, seat: &str, attempt: SignInStart) {
        if let Some(seat) = self.seat_mut(seat) {
            seat.attempt = Some(attempt);
        }
    }

    /// The sign-in that waits for the browser, and whose it is.
    pub(super) fn waiting(&self) -> Result<(String, SignInStart), UserError> {
        let seat = self.seat().ok_or_else(view::no_profile)?;
        seat.attempt.clone().map(|attempt| (seat.id.clone(), attempt)).ok_or_else(view::no_sign_in)
    }

    pub(super) fn waiting_page(&self) -> Result<(Browser, Url), UserError> {
        Ok((self.browser(), self.waiting()?.1.url))
    }

    pub(super) fn session_changed(&mut self, id: &str, state: &SessionState) {
        let view = view::session(state);
        let in_use = self.current.as_deref() == Some(id);
        // The person is at the browser still, unless a link has brought them here already.
        if in_use && matches!((state, &self.shown), (SessionState::SignedIn { .. }, SessionView::SigningIn { .. })) {
            (self.surroundings.summon)();
        }
        let Some(seat) = self.seat_mut(id) else { return };
        if !matches!(state, SessionState::SigningIn { .. }) {
            seat.attempt = None;
        }
        match state {
            SessionState::SignedIn { account, .. } => {
                let is_new = seat.account.as_ref() != Some(account);
                seat.account = Some(account.clone());
                seat.back = None;
                let key = place::account_key(&seat.place.profile, account);
                let earlier = place::earlier_account_key(account);
                let has_shelf = seat.shelf.as_ref().is_some_and(|shelf| shelf.account == key);
                if is_new {
                    self.forget_earlier(id, account);
                    self.look_at_accounts();
                }
                if !has_shelf {
                    // The window learns of the account together with its conversations, so that it need not jump twice.
                    self.open_shelf(id.to_owned(), key, earlier, view);
                    return;
                }
            }
            SessionState::SignedOut { .. } => {
                seat.threads.close_all();
                seat.shelf = None;
                seat.account = None;
            }
            SessionState::Restoring | SessionState::SigningIn { .. } => {}
        }
        self.show(id, view);
        self.tell_accounts();
    }

    /// What the window shows of a seat's session; now, if it is the seat in use.
    fn show(&mut self, id: &str, view: SessionView) {
        if let Some(seat) = self.seat_mut(id) {
            seat.view = view.clone();
            if seat.leaving {
                return;
            }
        }
        if self.current.as_deref() == Some(id) {
            self.show_session(view);
        }
    }

    fn open_shelf(&mut self, seat: String, account: String, earlier: String, shown: SessionView) {
        let (jobs, vault, data) = (self.jobs.clone(), self.vault(), self.data());
        tokio::spawn(async move {
            let opened = store_key::open_store(&vault, &data).await;
            jobs.post(move |desk| desk.shelf_opened(opened, &seat, account, &earlier, shown)).await;
        });
    }

    fn shelf_opened(&mut self, opened: store_key::Opened, id: &str, account: String, earlier: &str, shown: SessionView) {
        if let Some(trouble) = opened.trouble {
            self.notify(NoticeKind::Warning, trouble);
        }
        // Signed out meanwhile.
        let Some(seat) = self.seat_mut(id).filter(|seat| seat.account.is_some()) else { return };
        let adopted = opened.store.adopt(earlier, &account);
        let (shelf, unread) = Shelf::open(opened.store, account);
        seat.shelf = Some(shelf);
        if let Some(error) = unread.or(adopted.err()) {
            self.notify(NoticeKind::Error, view::error(&error));
        }
        if self.current.as_deref() == Some(id) {
            // Somebody has come for good: the next start begins here.
            self.remember();
            self.emit(Event::Conversations(self.conversations()));
        }
        self.show(id, shown);
        self.tell_accounts();
        self.deliver_what_is_left(id);
    }

    /// What could not be delivered before goes out now, whichever conversation the window shows.
    fn deliver_what_is_left(&mut self, id: &str) {
        let Some((threads, road)) = self.road(id) else { return };
        match road.store.conversations_with_outgoing(road.account) {
            Ok(conversations) => threads.deliver(conversations, &road),
            Err(error) => self.notify(NoticeKind::Warning, view::error(&error)),
        }
    }

    /// A conversation that is not open has delivered what it could. `failed`: not all of it.
    pub(super) fn delivered(&mut self, id: &str, conversation: &str, failed: bool) {
        if failed {
            let shelf = self.seat_mut(id).and_then(|seat| seat.shelf.as_ref());
            let title = shelf.and_then(|shelf| shelf.conversations.iter().find(|known| known.id == conversation));
            let title = title.map(|known| known.title.clone()).unwrap_or_default();
            self.notify(NoticeKind::Warning, view::failed_elsewhere(title));
        }
        if let Some((threads, road)) = self.road(id) {
            threads.delivered(conversation, &road);
        }
    }

    /// Something has happened to the network: nobody should have to wait for a pause or a period to end.
    pub(super) fn look_after_links(&self) {
        for link in self.seats.iter().flat_map(|seat| seat.threads.links()) {
            tokio::spawn(async move { link.wake().await });
        }
    }

    /// The links of a seat, and what new ones are made of: its own account's session, and no other.
    fn road(&mut self, id: &str) -> Option<(&mut Threads, Road<'_>)> {
        let seat = self.seats.iter_mut().find(|seat| seat.id == id)?;
        let shelf = seat.shelf.as_ref()?;
        let road = Road { place: &seat.place, store: &shelf.store, account: &shelf.account, seat: &seat.id, jobs: &self.jobs };
        Some((&mut seat.threads, road))
    }

    /// The conversations of the account in use.
    fn shelf_mut(&mut self) -> Option<&mut Shelf> {
        let current = self.current.clone()?;
        self.seat_mut(&current)?.shelf.as_mut()
    }

    // --- Conversations ----------------------------------------------------------------------------------------------------------------

    fn conversations(&self) -> Vec<ConversationSummary> {
        self.seat().and_then(|seat| seat.shelf.as_ref()).map(|shelf| shelf.conversations.clone()).unwrap_or_default()
    }

    /// Another process may have put something into the list, or have signed somebody in.
    pub(super) fn look_at_list(&mut self) {
        if let Some(seat) = self.seat().filter(|seat| seat.shelf.is_none()) {
            let session = seat.place.session.clone();
            tokio::spawn(async move { session.look_again().await });
        }
        let looked = self.shelf_mut().map_or(Ok(false), Shelf::look_again);
        match looked {
            Ok(true) => self.emit(Event::Conversations(self.conversations())),
            Ok(false) => {}
            // It is looked at again soon, and what the window itself wants is told when it fails.
            Err(error) => tracing::debug!(code = error.code(), "the list could not be looked at"),
        }
    }

    /// A new conversation, or the one that is there already and in which nothing has been said.
    pub(super) fn new_conversation(&mut self) -> Result<String, UserError> {
        let next = self.seat().map(|seat| super::place::next_conversation(&seat.place.profile));
        let (Some(shelf), Some(next)) = (self.shelf_mut(), next) else { return Err(view::signed_out()) };
        let (id, new) = shelf.begin(next).map_err(|error| view::error(&error))?;
        if new {
            self.emit(Event::Conversations(self.conversations()));
        }
        self.open(id.clone())?;
        Ok(id)
    }

    /// Opens a conversation, or shows the open one again from the start.
    pub(super) fn open(&mut self, conversation: String) -> Result<(), UserError> {
        let id = self.current.clone().ok_or_else(view::no_profile)?;
        let known = self.shelf_mut().is_some_and(|shelf| shelf.knows(&conversation));
        match self.road(&id) {
            Some((threads, road)) if known => threads.show(conversation, &road),
            _ => return Err(view::no_conversation()),
        }
        Ok(())
    }

    /// Keeps what an account has not sent yet. Whoever has signed out meanwhile keeps nothing.
    pub(super) fn keep_draft(&self, id: &str, conversation: Option<&str>, message: Option<&str>, text: &str) -> Result<(), UserError> {
        self.shelf_of(id).map_or(Ok(()), |shelf| shelf.keep_draft(conversation, message, text)).map_err(|error| view::error(&error))
    }

    fn shelf_of(&self, id: &str) -> Option<&Shelf> {
        self.seats.iter().find(|seat| seat.id == id).and_then(|seat| seat.shelf.as_ref())
    }

    pub(super) fn forget(&mut self, conversation: &str) -> Result<(), UserError> {
        if let Some(id) = self.current.clone()
            && let Some(seat) = self.seat_mut(&id)
        {
            seat.threads.close(conversation);
        }
        let shelf = self.shelf_mut().ok_or_else(view::signed_out)?;
        shelf.remove(conversation).map_err(|error| view::error(&error))?;
        self.emit(Event::Conversations(self.conversations()));
        Ok(())
    }

    /// The link of the conversation in view, and whose it is.
    pub(super) fn link_of(&self, conversation: &str) -> Result<(String, Link), UserError> {
        Ok((self.current.clone().ok_or_else(view::no_profile)?, self.link(conversation)?))
    }

    /// The link of the conversation in view, and whose it is, for other words in a message. They are kept as unsent until the agent has them; that
    /// they cannot be is no reason to hold them back.
    pub(super) fn rewords(&self, conversation: &str, message: &str, text: &str) -> Result<(String, Link), UserError> {
        let (seat, link) = self.link_of(conversation)?;
        if let Err(error) = self.keep_draft(&seat, Some(conversation), Some(message), text) {
            tracing::warn!(code = error.code, "other words for a message cannot be kept");
        }
        Ok((seat, link))
    }

    /// The agent has the other words.
    pub(super) fn reworded(&mut self, seat: &str, conversation: &str, message: &str, text: &str) {
        let taken = self.shelf_of(seat).map_or(Ok(()), |shelf| shelf.draft_taken(conversation, message, text));
        if let Err(error) = taken {
            // The window forgets them as well, and words that are the message's own are not shown as unsent.
            tracing::warn!(code = error.code(), "words that were sent stay kept as unsent");
        }
        self.spoke(seat, conversation, text);
    }

    pub(super) fn link(&self, conversation: &str) -> Result<Link, UserError> {
        self.seat().and_then(|seat| seat.threads.link(conversation)).ok_or_else(view::no_conversation)
    }

    /// Something was said in a conversation: it moves to the top, and is named after the first words if it had no name.
    pub(super) fn spoke(&mut self, seat: &str, conversation: &str, text: &str) {
        if self.seat_mut(seat).is_some_and(|seat| seat.threads.shown() != Some(conversation)) {
            // It was left in the very moment in which the message became safe.
            self.deliver_what_is_left(seat);
        }
        self.summarize(seat, conversation, |summary| {
            if summary.title.is_empty() {
                summary.title = title(text);
            }
        });
    }

    /// A conversation was emptied: it has no name until something is said in it.
    pub(super) fn cleared(&mut self, seat: &str, conversation: &str) {
        self.summarize(seat, conversation, |summary| summary.title.clear());
    }

    /// Changes what the list says of a conversation, which moves to the top.
    fn summarize(&mut self, seat: &str, conversation: &str, change: impl FnOnce(&mut ConversationSummary)) {
        let Some(shelf) = self.seat_mut(seat).and_then(|seat| seat.shelf.as_mut()) else { return };
        if let Err(error) = shelf.summarize(conversation, change) {
            self.notify(NoticeKind::Warning, view::error(&error));
        }
        self.emit_of(seat, Event::Conversations(self.conversations()));
    }
}
