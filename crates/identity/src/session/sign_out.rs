//! Leaving: forgotten here at once, revoked at the tenant as far as it can be reached.
//!
//! Other processes may have the same session. A sign-out says first that it is one ([`Journal::leave`]), so that nobody keeps what a refresh under
//! way brings; then it takes the lock of the refresh, and only under it the vault is emptied and the newest token taken along to be revoked.

use std::{future::Future, pin::Pin, sync::Arc, time::Duration};

use callbox_vault::{Secret, VaultError};
use tokio::{sync::oneshot, time::timeout};
use url::Url;

use super::{
    CallbackOutcome, SignOut,
    actor::{Actor, Event},
    owed::Revocation,
    refreshing::Flight,
    sharing::Sharing,
};
use crate::{SignInError, TokenError, discovery::Metadata, journal::Journal, lock::Lock, record::Record};

/// Longer than a refresh takes that is answered. Whoever hangs is not waited for: what comes of it is not kept.
const PATIENCE: Duration = Duration::from_secs(10);

/// The vault's answer, and what lay there.
type Gone = Pin<Box<dyn Future<Output = (Result<(), VaultError>, Option<Record>)> + Send>>;

/// A sign-out that waits: for a refresh that is under way here, to revoke what it brings, or for other processes.
pub(super) struct Departure {
    /// The number of the flight, or one of its own.
    id: u64,
    leaving: Leaving,
    lock: Option<Arc<Lock>>,
    /// None: the vault has not been asked to forget yet.
    gone: Option<Gone>,
    /// The other processes can know already.
    is_told: bool,
    reply: Reply,
}

/// What is known of the session that ends.
#[derive(Default)]
struct Leaving {
    subject: Option<(String, String)>,
    generation: u64,
    left: u64,
    token: Option<Secret<String>>,
    browser: Option<String>,
}

impl Leaving {
    /// What another process was given for the same account is newer than what is known here.
    fn newest(self, lay_there: Option<Record>) -> Option<Secret<String>> {
        let newer = |record: &Record| {
            let subject = (&record.account.iss, &record.account.sub);
            record.generation > self.generation && self.subject.as_ref().map(|(iss, sub)| (iss, sub)) == Some(subject)
        };
        lay_there.filter(newer).map(|record| record.refresh).or(self.token)
    }
}

/// Who waits for it.
enum Reply {
    SignedOut(oneshot::Sender<SignOut>),
    /// The tenant hears nothing of it.
    Forgotten(oneshot::Sender<()>),
}

/// What became of a token that is not wanted any more.
#[derive(Default)]
struct Returned {
    revoked: bool,
    will_be_revoked: bool,
    metadata: Option<Arc<Metadata>>,
}

impl Actor {
    pub(super) fn sign_out(&mut self, reply: oneshot::Sender<SignOut>) {
        for (_, reply) in self.exchanging.drain(..).chain(self.keeping.drain(..)) {
            let _ = reply.send(CallbackOutcome::Failed(SignInError::Cancelled));
        }
        self.go(Reply::SignedOut(reply));
    }

    /// Gives the session up without a word to the tenant.
    pub(super) fn forget(&mut self, reply: oneshot::Sender<()>) {
        self.go(Reply::Forgotten(reply));
    }

    fn go(&mut self, reply: Reply) {
        self.cancel();
        let flight = self.flight.take();
        let (lock, out) = (flight.as_ref().and_then(Flight::lock), flight.as_ref().and_then(Flight::is_out));
        let leaving = match self.live.take() {
            Some(live) => {
                // What the journal says until it is forgotten is no news.
                self.seen = (live.generation, live.left + 1);
                let subject = Some((live.account.iss, live.account.sub));
                Leaving { subject, generation: live.generation, left: live.left, token: live.refresh, browser: live.browser }
            }
            None => Leaving::default(),
        };
        self.session += 1;
        self.reason = None;
        self.unread = false;
        self.my_account.forget();
        self.answer(&Err(TokenError::SignedOut));
        self.flights += 1;
        let mut departure = Departure { id: out.unwrap_or(self.flights), leaving, lock, gone: None, is_told: false, reply };
        match (&self.sharing, out) {
            (Some(sharing), None) if departure.lock.is_none() => {
                self.wait_for_others(departure.id, sharing.clone(), Some(departure.leaving.left));
                departure.is_told = true;
                self.departures.push(departure);
            }
            // Nobody else is at it. The vault is asked here and now, behind every write that came before.
            (_, out) => {
                departure.gone = Some(self.take_out());
                match out {
                    Some(_) => self.departures.push(departure),
                    None => self.leave(departure),
                }
            }
        }
    }

    /// Says that this is a sign-out, of a session of which `left` is known, then waits until no other process refreshes or signs in.
    fn wait_for_others(&self, departure: u64, sharing: Sharing, left: Option<u64>) {
        let (vault, key) = (self.vault.clone(), self.key.clone());
        let work = async move {
            if let Some(left) = left {
                sharing.note(move |journal| journal.leave(left)).await;
            }
            let lock = timeout(PATIENCE, sharing.alone()).await.ok().flatten();
            let lies_there = vault.get(&key).await.ok().flatten().and_then(|bytes| Record::decode(&bytes));
            Event::Alone { departure, lock, lies_there }
        };
        self.fly(work, Event::Alone { departure, lock: None, lies_there: None });
    }

    pub(super) fn alone(&mut self, departure: u64, lock: Option<Arc<Lock>>, lies_there: Option<Record>) {
        let Some(index) = self.departures.iter().position(|waiting| waiting.id == departure) else { return };
        let mut departure = self.departures.swap_remove(index);
        departure.lock = lock;
        // Somebody may have signed in meanwhile, here or elsewhere; then what lies there is theirs.
        let theirs = lies_there.is_some_and(|record| departure.leaving.subject.is_some() && record.left > departure.leaving.left);
        if self.live.is_none() && !theirs {
            departure.gone = Some(self.take_out());
        }
        self.leave(departure);
    }

    /// What a refresh of a session that is no more has come to, perhaps with a newer token than the one that was known.
    pub(super) fn depart(&mut self, flight: u64, newest: Option<Secret<String>>) {
        if let Some(index) = self.departures.iter().position(|departure| departure.id == flight) {
            let mut departure = self.departures.swap_remove(index);
            departure.leaving.token = newest.or(departure.leaving.token);
            self.leave(departure);
        }
    }

    fn take_out(&self) -> Gone {
        let lay_there = self.vault.get(&self.key);
        let erased = self.erase();
        drop(self.vault.delete(&self.spare_key()));
        Box::pin(async move {
            let lay_there = lay_there.await.ok().flatten().and_then(|bytes| Record::decode(&bytes));
            (erased.await, lay_there)
        })
    }

    fn leave(&self, departure: Departure) {
        let Departure { leaving, lock, gone, is_told, reply, .. } = departure;
        let (sharing, roll, slot) = (self.sharing.clone(), self.roll.clone(), self.slot.clone());
        let (returning, client_id) = (self.returning(), self.wings.profile.client_id.clone());
        let (browser, left) = (leaving.browser.clone(), leaving.left);
        tokio::spawn(async move {
            let (mut left_in_keychain, mut lay_there) = (None, None);
            if let Some(sharing) = sharing.as_ref().filter(|_| !is_told) {
                sharing.note(move |journal| journal.leave(left)).await;
            }
            if let Some(gone) = gone {
                let (erased, record) = gone.await;
                (left_in_keychain, lay_there) = (erased.err(), record);
                if let Some(sharing) = &sharing {
                    sharing.note(Journal::forget).await;
                }
                if left_in_keychain.is_none() {
                    roll.strike(&slot).await;
                }
            }
            drop(lock);
            let token = leaving.newest(lay_there);
            match reply {
                Reply::Forgotten(reply) => drop(reply.send(())),
                Reply::SignedOut(reply) => {
                    let Returned { revoked, will_be_revoked, metadata } = returning(token).await;
                    let browser_logout = metadata.and_then(|metadata| logout_page(&metadata, &client_id, browser.as_deref()));
                    let _ = reply.send(SignOut { revoked, will_be_revoked, left_in_keychain, browser_logout });
                }
            }
        });
    }

    /// Makes a token worthless, or has that done later.
    fn returning(&self) -> impl FnOnce(Option<Secret<String>>) -> Pin<Box<dyn Future<Output = Returned> + Send>> + Send + use<> {
        let (wings, ledger) = (self.wings.clone(), self.ledger());
        let known = self.metadata.as_ref().map(|(metadata, _)| metadata.clone());
        move |token| {
            Box::pin(async move {
                let Some(token) = token else { return Returned { metadata: known, ..Returned::default() } };
                let metadata = match known {
                    Some(metadata) => Some(metadata),
                    None => wings.discover().await.ok(),
                };
                let revocation = match &metadata {
                    Some(metadata) => wings.revoke(metadata, &token).await,
                    None => Revocation::Unheard,
                };
                let will_be_revoked = revocation == Revocation::Unheard && ledger.owe(token, wings.clock.now()).await;
                Returned { revoked: revocation == Revocation::Done, will_be_revoked, metadata }
            })
        }
    }

    /// Whether another process has signed out since this session was read.
    pub(super) fn is_left(&self, left: Option<u64>) -> bool {
        self.live.as_ref().zip(left).is_some_and(|(live, left)| live.left < left)
    }

    /// What lies in the vault is of a session that somebody has signed out of: they are about to take it out, or their process died before it
    /// could. It is brought to its end here too.
    pub(super) fn finish_sign_out(&mut self, record: Record) {
        let Some(sharing) = self.sharing.clone() else { return };
        self.flights += 1;
        let subject = Some((record.account.iss, record.account.sub));
        let Record { refresh, generation, left, .. } = record;
        let leaving = Leaving { subject, generation, left, token: Some(refresh), browser: None };
        let (reply, _) = oneshot::channel();
        let (id, reply) = (self.flights, Reply::SignedOut(reply));
        self.departures.push(Departure { id, leaving, lock: None, gone: None, is_told: true, reply });
        self.wait_for_others(id, sharing, None);
    }

    /// Another process has signed out. Nobody goes on with what is known here, and what came since is revoked. Whoever has signed in after that
    /// is found in the vault.
    pub(super) fn left_elsewhere(&mut self, newest: Option<Secret<String>>) {
        tracing::info!("signed out by another process");
        if newest.is_some() {
            tokio::spawn(self.returning()(newest));
        }
        self.live = None;
        self.flight = None;
        self.session += 1;
        self.reason = None;
        self.restore();
    }

    /// The same, when the token that came since is in the vault already.
    pub(super) fn left_elsewhere_too_late(&mut self) {
        let (erased, lock) = (self.erase(), self.flight.as_ref().and_then(Flight::lock));
        self.unshare();
        tokio::spawn(async move {
            let _ = erased.await;
            drop(lock);
        });
        let rotated = self.live.as_ref().and_then(|live| live.refresh.clone());
        self.left_elsewhere(rotated);
    }
}

/// The page that ends the browser's own session: the tenant's (OpenID Connect RP-Initiated Logout 1.0 §2), or Auth0's older one where the tenant
/// is such and does not announce any.
///
/// There is no `id_token_hint`: an ID token is about a person and good for nothing else, so none is kept, and none stands in a browser's history.
/// Without one a provider has to ask the person (§2, §6), which is right for a link that anybody can make. Auth0 takes the browser session's id for a
/// `logout_hint` in its place, and asks only if the browser has another session by then; elsewhere a hint means what the provider likes, so none is given.
/// Nor is there an address to go to afterwards: it would have to be registered, and the tenant's own page says how it ended.
fn logout_page(metadata: &Metadata, client_id: &str, browser: Option<&str>) -> Option<Url> {
    let announced = metadata.end_session.clone();
    let hint = browser.filter(|_| metadata.is_auth0 && announced.is_some());
    let mut page = match announced {
        Some(page) => page,
        None if metadata.is_auth0 => metadata.authorization.join("/v2/logout").ok()?,
        None => return None,
    };
    page.query_pairs_mut().append_pair("client_id", client_id).extend_pairs(hint.map(|hint| ("logout_hint", hint)));
    Some(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::tests::metadata;

    fn page(end_session: Option<&str>, is_auth0: bool, browser: Option<&str>) -> Option<String> {
        let end_session = end_session.map(|page| Url::parse(page).unwrap());
        let metadata = Metadata { end_session, is_auth0, ..metadata() };
        logout_page(&metadata, "c", browser).map(String::from)
    }

    #[test]
    fn the_browsers_page_is_the_tenants_own_or_auth0s() {
        assert_eq!(page(None, true, Some("s1")).as_deref(), Some("https://tenant.example/v2/logout?client_id=c"));
        let announced = Some("https://tenant.example/oidc/logout");
        assert_eq!(page(announced, true, None).as_deref(), Some("https://tenant.example/oidc/logout?client_id=c"));
        assert_eq!(page(None, false, Some("s1")), None);
        assert_eq!(page(Some("https://t.example/end?realm=a"), false, None).as_deref(), Some("https://t.example/end?realm=a&client_id=c"));
    }

    #[test]
    fn auth0_alone_is_told_which_session_of_the_browser_it_was() {
        let announced = Some("https://tenant.example/oidc/logout");
        assert_eq!(page(announced, true, Some("s&1")).as_deref(), Some("https://tenant.example/oidc/logout?client_id=c&logout_hint=s%261"));
        assert_eq!(page(announced, false, Some("s1")).as_deref(), Some("https://tenant.example/oidc/logout?client_id=c"));
    }
}
