//! One account at one agent, or the door that it comes in by: its session, its conversations and its links.

use callbox_identity::{Account, Profile, Session, SignInStart, Slot};
use callbox_ipc::{AccountView, SessionView};
use tokio::task::AbortHandle;

use super::{place::Place, shelf::Shelf, threads::Threads};

/// What the window calls a seat: the profile and the place in the keychain. No secret, and nobody's name.
pub(super) fn id(profile: &Profile, slot: &Slot) -> String {
    format!("{}@{}", profile.id, slot.name())
}

pub(super) struct Seat {
    pub(super) id: String,
    pub(super) place: Place,
    /// The session as the window shows it when this seat is the one in use.
    pub(super) view: SessionView,
    /// Who is signed in.
    pub(super) account: Option<Account>,
    /// The sign-in that waits for the browser.
    pub(super) attempt: Option<SignInStart>,
    /// The account's conversations; there only while somebody is signed in.
    pub(super) shelf: Option<Shelf>,
    pub(super) threads: Threads,
    /// The conversation that was in view when somebody went to another seat.
    pub(super) last: Option<String>,
    /// Made for one more account, and nobody has come yet: where to go if nobody does.
    pub(super) back: Option<String>,
    /// Its account is being signed out, and the window will go on with another one.
    pub(super) leaving: bool,
    /// Watches the session.
    watch: Option<AbortHandle>,
}

impl Seat {
    pub(super) fn new(place: Place, back: Option<String>) -> Self {
        Self {
            id: id(&place.profile, &place.slot),
            place,
            view: SessionView::Restoring,
            account: None,
            attempt: None,
            shelf: None,
            threads: Threads::default(),
            last: None,
            back,
            leaving: false,
            watch: None,
        }
    }

    pub(super) fn watched(&mut self, watch: AbortHandle) {
        self.watch = Some(watch);
    }

    pub(super) fn session(&self) -> Session {
        self.place.session.clone()
    }

    /// Nobody sits here, and nobody would miss it.
    pub(super) fn is_vacant(&self) -> bool {
        self.account.is_none() && self.back.is_some()
    }

    pub(super) fn account_view(&self) -> Option<AccountView> {
        self.account.as_ref().map(|account| AccountView { name: account.name.clone(), email: account.email.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if let Some(watch) = &self.watch {
            watch.abort();
        }
        // At the end of the app there is nobody to close them, and no need.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.threads.close_all();
        }
    }
}
