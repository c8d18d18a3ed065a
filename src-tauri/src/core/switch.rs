//! Going from one account to another, and letting accounts and agents go.

use std::{path::PathBuf, sync::Arc};

use callbox_identity::{Account, Profile, Session, SignOut, Slot, SystemEntropy};
use callbox_ipc::{Event, NoticeKind, SessionView, UserError};
use callbox_link::Link;
use callbox_store::Store;
use callbox_vault::Vault;

use super::{
    Browser, SchemeOwner,
    desk::Desk,
    place::{Place, account_key, earlier_account_key},
    renewal,
    roster::added,
    seat::{self, Seat},
    sign_in, view,
};

/// What a sign-in begins with.
pub(super) struct Door {
    pub(super) seat: String,
    pub(super) session: Session,
    pub(super) browser: Browser,
    pub(super) vault: Vault,
    pub(super) scheme: SchemeOwner,
    /// The browser comes back with a link of ours.
    pub(super) by_scheme: bool,
    /// Somebody else is signed in at this agent.
    pub(super) has_others: bool,
}

/// What has to be ended for an account to be signed out.
pub(super) struct Leaving {
    pub(super) session: Session,
    pub(super) links: Vec<Link>,
    /// Nothing of anybody is in the store any more, and nobody has it open.
    pub(super) store_is_done: bool,
    /// Another agent goes on with the same sign-in, which stays.
    pub(super) stays: bool,
}

impl Desk {
    pub(super) fn seat(&self) -> Option<&Seat> {
        let current = self.current.as_deref()?;
        self.seats.iter().find(|seat| seat.id == current)
    }

    pub(super) fn seat_mut(&mut self, id: &str) -> Option<&mut Seat> {
        self.seats.iter_mut().find(|seat| seat.id == id)
    }

    /// Takes a seat at `place` and goes there. `back`: it is for one more account, and this is where to go if nobody comes.
    pub(super) fn take_place(&mut self, place: Place, back: Option<String>) {
        let seat = Seat::new(place, back);
        let id = seat.id.clone();
        // An earlier seat of the same profile may be of another client, or of another run of the sandbox: nobody can sit there any more.
        let outdated = |earlier: &Seat| earlier.place.profile.id == seat.place.profile.id && earlier.place.profile != seat.place.profile;
        self.seats.retain(|earlier| !outdated(earlier) && earlier.id != id);
        self.seats.push(seat);
        self.watch(&id);
        self.go(&id);
        for link in std::mem::take(&mut self.early) {
            self.deliver(link);
        }
    }

    /// Whether there is a seat with this name, of exactly this profile.
    pub(super) fn has_seat(&self, id: &str, profile: &Profile) -> bool {
        self.seats.iter().any(|seat| seat.id == id && seat.place.profile == *profile)
    }

    fn watch(&mut self, id: &str) {
        let jobs = self.jobs.clone();
        let Some(seat) = self.seat_mut(id) else { return };
        let mut states = seat.place.session.state();
        let now = states.borrow_and_update().clone();
        renewal::watch(&jobs, seat);
        let name = id.to_owned();
        let task = tokio::spawn(async move {
            while states.changed().await.is_ok() {
                let (state, name) = (states.borrow_and_update().clone(), name.clone());
                jobs.post(move |desk| desk.session_changed(&name, &state)).await;
            }
        });
        seat.watched(task.abort_handle());
        self.session_changed(id, &now);
    }

    /// Makes a seat the one in use: the window shows it, and the next start begins there. The one before keeps its session, and goes on delivering
    /// what it has on its way.
    pub(super) fn go(&mut self, id: &str) {
        let jobs = self.jobs.clone();
        if self.current.as_deref() != Some(id) {
            if let Some(before) = self.current.take().and_then(|before| self.seat_mut(&before).map(|seat| seat.id.clone())) {
                let vacant = self.seat_mut(&before).is_some_and(|seat| {
                    seat.last = seat.threads.shown().map(str::to_owned).or(seat.last.take());
                    seat.threads.put_aside(&before, &jobs);
                    seat.is_vacant()
                });
                if vacant {
                    self.dismiss(&before);
                }
            }
            self.current = Some(id.to_owned());
        }
        self.remember();
        let Some(seat) = self.seat_mut(id) else { return };
        if let Some(shelf) = &mut seat.shelf
            && let Err(error) = shelf.look_again()
        {
            tracing::debug!(code = error.code(), "the list could not be looked at");
        }
        self.told = self.accounts();
        self.shown = self.seat().map_or(SessionView::Restoring, |seat| seat.view.clone());
        self.emit(Event::Bootstrap(self.bootstrap()));
    }

    /// Gives a seat up. Its session's actor ends, its sign-in does not.
    fn dismiss(&mut self, id: &str) {
        if let Some(index) = self.seats.iter().position(|seat| seat.id == id) {
            let session = self.seats.remove(index).session();
            tokio::spawn(async move { session.cancel_sign_in().await });
        }
    }

    /// The next start begins where we are now.
    pub(super) fn remember(&mut self) {
        let Some(Seat { place, back, .. }) = self.seat() else { return };
        if back.is_some() {
            return;
        }
        let (sandbox, slot) = (place.is_sandbox(), Some(place.slot.name().to_owned()));
        let inside = place.file.as_ref().and_then(|file| file.strip_prefix(self.config()).ok()).map(PathBuf::from);
        // An installed profile is where everybody begins; it becomes a choice when somebody comes back to it from elsewhere.
        let chosen = inside.filter(|file| self.settings.agent.is_some() || file.parent().is_some_and(|folder| folder.ends_with("agents")));
        let mut settings = self.settings.clone();
        settings.sandbox = sandbox;
        settings.slot = slot;
        if chosen.is_some() {
            settings.agent = chosen;
        }
        if settings != self.settings {
            self.settings = settings;
            self.save_settings();
        }
    }

    /// Goes to the account or agent that the window has chosen.
    pub(super) fn switch(&mut self, id: &str) -> Result<(), UserError> {
        if self.seats.iter().any(|seat| seat.id == id) {
            if self.settings.agent.is_none() {
                self.settings.agent = self.seat_file(id);
            }
            self.go(id);
            return Ok(());
        }
        let place = self.dormant(id)?;
        if self.settings.agent.is_none() {
            self.settings.agent = place.file.as_ref().and_then(|file| file.strip_prefix(self.config()).ok()).map(PathBuf::from);
        }
        self.take_place(place, None);
        Ok(())
    }

    fn seat_file(&self, id: &str) -> Option<PathBuf> {
        let file = self.seats.iter().find(|seat| seat.id == id)?.place.file.clone()?;
        file.strip_prefix(self.config()).ok().map(PathBuf::from)
    }

    /// The place of an account whose seat nobody has taken yet.
    pub(super) fn dormant(&self, id: &str) -> Result<Place, UserError> {
        for agent in self.agents() {
            let slots = agent.accounts.iter().map(|known| known.slot.clone()).chain([Slot::first(&agent.profile)]);
            if let Some(slot) = slots.into_iter().find(|slot| seat::id(&agent.profile, slot) == id) {
                return Place::new(agent.profile, slot, agent.file, &self.vault(), &self.data(), None).map_err(|error| view::error(&error));
            }
        }
        Err(view::no_account())
    }

    /// Takes a seat for one more account at the agent in use.
    pub(super) fn another(&mut self) -> Result<(), UserError> {
        let seat = self.seat().ok_or_else(view::no_profile)?;
        if seat.is_vacant() {
            return Ok(());
        }
        let (profile, file, sandbox, back) =
            (seat.place.profile.clone(), seat.place.file.clone(), seat.place.sandbox.clone(), seat.id.clone());
        let taken =
            self.accounts().into_iter().any(|entry| entry.account.is_some() && entry.id == seat::id(&profile, &Slot::first(&profile)));
        let slot = if taken { Slot::another(&profile, &SystemEntropy) } else { Slot::first(&profile) };
        let place = Place::new(profile, slot, file, &self.vault(), &self.data(), sandbox).map_err(|error| view::error(&error))?;
        self.take_place(place, Some(back));
        Ok(())
    }

    pub(super) fn door(&self) -> Result<Door, UserError> {
        let seat = self.seat().ok_or_else(view::no_profile)?;
        Ok(Door {
            seat: seat.id.clone(),
            session: seat.session(),
            browser: self.browser(),
            vault: self.vault(),
            scheme: self.surroundings.scheme.clone(),
            by_scheme: seat.place.profile.redirect_uri.starts_with(crate::cli::SCHEME),
            has_others: self.has_others(&seat.id),
        })
    }

    /// Goes to the sandbox, if it runs.
    pub(super) fn go_to_sandbox(&mut self) -> bool {
        let seats = self.seats.iter().filter(|seat| seat.place.is_sandbox() && !seat.is_vacant());
        let found = seats.max_by_key(|seat| seat.account.is_some()).map(|seat| seat.id.clone());
        found.is_some_and(|id| self.switch(&id).is_ok())
    }

    /// Whether somebody else is signed in at the agent of this seat.
    pub(super) fn has_others(&self, id: &str) -> bool {
        let Some(seat) = self.seats.iter().find(|seat| seat.id == id) else { return false };
        let prefix = format!("{}@", seat.place.profile.id);
        self.accounts().iter().any(|entry| entry.id != id && entry.account.is_some() && entry.id.starts_with(&prefix))
    }

    /// Nobody has come to the seat that was made for one more account: back to where we were.
    pub(super) fn retreat(&mut self) {
        let Some(back) = self.seat().filter(|seat| seat.is_vacant()).and_then(|seat| seat.back.clone()) else { return };
        if let Err(error) = self.switch(&back) {
            self.notify(NoticeKind::Warning, error);
        }
    }

    /// One account has come twice: the earlier sign-in is forgotten here, and its conversations are this one's.
    pub(super) fn forget_earlier(&mut self, id: &str, account: &Account) {
        let Some(profile) = self.seats.iter().find(|seat| seat.id == id).map(|seat| seat.place.profile.clone()) else { return };
        let same = |other: &Account| (&other.iss, &other.sub) == (&account.iss, &account.sub);
        let seats = self.seats.iter().filter(|seat| seat.id != id && seat.place.profile == profile);
        let mut twice: Vec<String> = seats.filter(|seat| seat.account.as_ref().is_some_and(same)).map(|seat| seat.id.clone()).collect();
        for agent in self.agents.iter_mut().filter(|agent| agent.profile == profile) {
            let (of_it, others) = std::mem::take(&mut agent.accounts)
                .into_iter()
                .partition(|known| same(&known.account) && seat::id(&profile, &known.slot) != id);
            agent.accounts = others;
            let dormant: Vec<callbox_identity::Known> = of_it;
            for known in dormant {
                let (name, sandbox) = (seat::id(&profile, &known.slot), None);
                if twice.contains(&name) {
                    continue;
                }
                let place = Place::new(profile.clone(), known.slot, None, &self.surroundings.vault, &self.surroundings.data, sandbox);
                match place {
                    Ok(place) => drop(tokio::spawn(async move { place.session.forget().await })),
                    Err(error) => tracing::info!(%error, "an earlier sign-in of the same account stays"),
                }
            }
        }
        for earlier in twice.drain(..) {
            if let Some(index) = self.seats.iter().position(|seat| seat.id == earlier) {
                let session = self.seats.remove(index).session();
                tokio::spawn(async move { session.forget().await });
            }
        }
    }

    /// Gives up everything of a seat's account on this computer; what has to be awaited comes back. `agent_alone`: only what the account has at this
    /// agent.
    pub(super) fn leave(&mut self, id: &str, agent_alone: bool) -> Result<Leaving, UserError> {
        let agents = self.agents();
        let others = self.accounts().into_iter().any(|entry| entry.account.is_some() && entry.id != id);
        let seat = self.seat_mut(id).ok_or_else(view::no_account)?;
        seat.leaving = others;
        let (session, links, shelf) = (seat.session(), seat.threads.take_all(), seat.shelf.take());
        let (account, profile) = (seat.account.clone(), seat.place.profile.clone());
        let first = Slot::first(&profile);
        let sharers: Vec<_> = agents.iter().filter(|agent| Slot::first(&agent.profile) == first).map(|agent| &agent.profile).collect();
        let stays = agent_alone && sharers.len() > 1;
        let mut store_is_done = false;
        if let (Some(shelf), Some(account)) = (shelf, account) {
            // The sign-in is over at every agent that goes by it.
            let gone = sharers.iter().filter(|sharer| !stays || sharer.id == profile.id);
            let keys = gone.map(|profile| account_key(profile, &account)).chain([earlier_account_key(&account)]);
            let wiped = keys.into_iter().try_for_each(|key| shelf.store.wipe(&key)).and_then(|()| shelf.store.is_empty());
            let store: Arc<Store> = shelf.store;
            drop(store);
            match wiped {
                Ok(empty) => store_is_done = empty && self.seats.iter().all(|seat| seat.shelf.is_none()),
                Err(error) => self.notify(NoticeKind::Error, view::error(&error)),
            }
        }
        if !others {
            self.emit_of(id, Event::Conversations(Vec::new()));
        }
        Ok(Leaving { session, links, store_is_done, stays })
    }

    /// An account is signed out. The window goes on with another one, if there is any.
    pub(super) fn left(&mut self, id: &str, left: &SignOut) {
        let who = self.agents.iter().flat_map(|agent| &agent.accounts).find(|known| id.ends_with(known.slot.name()));
        let name = who.map(|known| known.account.name.clone());
        for agent in &mut self.agents {
            agent.accounts.retain(|known| seat::id(&agent.profile, &known.slot) != id);
        }
        if let Some(why) = &left.left_in_keychain {
            self.notify(NoticeKind::Error, view::error(why));
        } else if left.will_be_revoked {
            self.notify(NoticeKind::Warning, view::revoked_later());
        } else if !left.revoked {
            self.notify(NoticeKind::Warning, view::not_revoked());
        }
        if let Some(seat) = self.seat_mut(id) {
            seat.leaving = false;
        }
        if self.current.as_deref() == Some(id) {
            let next = self.accounts().into_iter().find(|entry| entry.account.is_some() && entry.id != id);
            if let Some(next) = next {
                if let Some(name) = name {
                    self.notify(NoticeKind::Info, view::signed_out_of(name));
                }
                if let Err(error) = self.switch(&next.id) {
                    self.notify(NoticeKind::Warning, error);
                }
                self.dismiss(id);
            }
        }
        self.tell_accounts();
        self.look_at_accounts();
    }

    /// The accounts of an agent that was added here, to be signed out before it goes; and its file.
    pub(super) fn removal(&self, id: &str) -> Result<(Vec<String>, PathBuf), UserError> {
        let agent =
            self.agents().into_iter().find(|agent| id.starts_with(&format!("{}@", agent.profile.id))).ok_or_else(view::no_account)?;
        let file = agent.file.filter(|file| file.starts_with(added(&self.config()))).ok_or_else(view::not_removable)?;
        let prefix = format!("{}@", agent.profile.id);
        let of_it = self.accounts().into_iter().filter(|entry| entry.account.is_some() && entry.id.starts_with(&prefix));
        Ok((of_it.map(|entry| entry.id).collect(), file))
    }

    /// The agent's file has gone.
    pub(super) fn removed(&mut self, id: &str, file: &std::path::Path) {
        let agent = id.split('@').next().unwrap_or_default().to_owned();
        self.agents.retain(|known| known.profile.id != agent);
        if self.settings.agent.as_ref().is_some_and(|chosen| self.config().join(chosen) == file) {
            self.settings.agent = None;
            self.save_settings();
        }
        let here = self.current.as_ref().is_some_and(|current| current.starts_with(&format!("{agent}@")));
        if here {
            let accounts = self.accounts().into_iter().filter(|entry| !entry.id.starts_with(&format!("{agent}@"))).collect::<Vec<_>>();
            let next = accounts.iter().find(|entry| entry.account.is_some()).or(accounts.first()).map(|entry| entry.id.clone());
            match next {
                Some(next) => drop(self.switch(&next)),
                None => {
                    self.current = None;
                    self.shown = SessionView::SignedOut { reason: None };
                }
            }
        }
        self.seats.retain(|seat| seat.place.profile.id != agent);
        self.told = self.accounts();
        self.emit(Event::Bootstrap(self.bootstrap()));
    }

    /// A seat that an account's own commands can be sent to, taken if nobody has it yet.
    pub(super) fn seat_at(&mut self, id: &str) -> Result<(), UserError> {
        if !self.seats.iter().any(|seat| seat.id == id) {
            let seat = Seat::new(self.dormant(id)?, None);
            self.seats.push(seat);
            self.watch(id);
        }
        Ok(())
    }

    /// Gives a link to the session that it belongs to, whichever seat that is at.
    pub(super) fn deliver(&mut self, link: String) {
        (self.surroundings.summon)();
        let sessions = self.sessions();
        if sessions.is_empty() {
            self.early.push(link);
            return;
        }
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            if let Err(error) = sign_in::returned(&sessions, &link).await {
                jobs.post(move |desk| desk.notify(NoticeKind::Warning, error)).await;
            }
        });
    }

    /// All sessions, the one in use first.
    pub(super) fn sessions(&self) -> Vec<Session> {
        let mut seats: Vec<&Seat> = self.seats.iter().collect();
        seats.sort_by_key(|seat| self.current.as_deref() != Some(&seat.id));
        seats.into_iter().map(Seat::session).collect()
    }
}
