//! Leaving: forgotten here at once, revoked at the tenant as far as it can be reached.

use std::{future::Future, pin::Pin};

use callbox_vault::{Secret, VaultError};
use tokio::sync::oneshot;
use url::Url;

use super::{CallbackOutcome, SignOut, actor::Actor, owed::Revocation};
use crate::{SignInError, TokenError, discovery::Metadata};

type Erased = Pin<Box<dyn Future<Output = Result<(), VaultError>> + Send>>;

/// A sign-out that waits for a refresh to come back, to revoke what that brings.
pub(super) struct Departure {
    flight: u64,
    token: Option<Secret<String>>,
    reply: oneshot::Sender<SignOut>,
    erased: Erased,
}

impl Actor {
    pub(super) fn sign_out(&mut self, reply: oneshot::Sender<SignOut>) {
        self.cancel();
        for (_, reply) in self.exchanging.drain(..).chain(self.keeping.drain(..)) {
            let _ = reply.send(CallbackOutcome::Failed(SignInError::Cancelled));
        }
        // The vault is asked here and now, behind every write that came before.
        let erased: Erased = Box::pin(self.erase());
        self.unshare();
        let live = self.live.take();
        // What the journal says until it is forgotten is no news.
        self.seen = live.as_ref().map_or(self.seen, |live| live.generation);
        let token = live.and_then(|live| live.refresh);
        self.session += 1;
        self.reason = None;
        self.unread = false;
        self.my_account.forget();
        self.answer(&Err(TokenError::SignedOut));
        match self.flight.take().and_then(|flight| flight.is_out()) {
            Some(flight) => self.departures.push(Departure { flight, token, reply, erased }),
            None => self.leave(token, reply, erased),
        }
    }

    /// A refresh of a session that is no more has come back, perhaps with a newer token than the one that was known.
    pub(super) fn depart(&mut self, flight: u64, newest: Option<Secret<String>>) {
        if let Some(index) = self.departures.iter().position(|departure| departure.flight == flight) {
            let Departure { token, reply, erased, .. } = self.departures.swap_remove(index);
            self.leave(newest.or(token), reply, erased);
        }
    }

    fn leave(&self, token: Option<Secret<String>>, reply: oneshot::Sender<SignOut>, erased: Erased) {
        let (wings, ledger) = (self.wings.clone(), self.ledger());
        let (roll, slot) = (self.roll.clone(), self.slot.clone());
        let known = self.metadata.as_ref().map(|(metadata, _)| metadata.clone());
        tokio::spawn(async move {
            let left_in_keychain = erased.await.err();
            if left_in_keychain.is_none() {
                roll.strike(&slot).await;
            }
            let metadata = match (known, &token) {
                (None, Some(_)) => wings.discover().await.ok(),
                (known, _) => known,
            };
            let revocation = match (&metadata, &token) {
                (Some(metadata), Some(token)) => wings.revoke(metadata, token).await,
                _ => Revocation::Unheard,
            };
            let revoked = revocation == Revocation::Done;
            let will_be_revoked = match token.filter(|_| revocation == Revocation::Unheard) {
                Some(token) => ledger.owe(token, wings.clock.now()).await,
                None => false,
            };
            let browser_logout = metadata.and_then(|metadata| logout_page(&metadata, &wings.profile.client_id));
            let _ = reply.send(SignOut { revoked, will_be_revoked, left_in_keychain, browser_logout });
        });
    }
}

impl Actor {
    /// Gives the session up without a word to the tenant.
    pub(super) fn forget(&mut self, reply: oneshot::Sender<()>) {
        self.cancel();
        let erased = self.erase();
        self.unshare();
        self.live = None;
        self.flight = None;
        self.session += 1;
        self.reason = None;
        self.unread = false;
        self.answer(&Err(TokenError::SignedOut));
        let (roll, slot) = (self.roll.clone(), self.slot.clone());
        tokio::spawn(async move {
            if erased.await.is_ok() {
                roll.strike(&slot).await;
            }
            let _ = reply.send(());
        });
    }
}

/// The page that ends the browser's own session (OpenID Connect RP-Initiated Logout 1.0 §2), or Auth0's older one where the tenant is such and
/// does not announce any. No ID token is kept to hint with, so the tenant may ask the user.
fn logout_page(metadata: &Metadata, client_id: &str) -> Option<Url> {
    let mut page = metadata.end_session.clone().or_else(|| auth0_logout(metadata))?;
    page.query_pairs_mut().append_pair("client_id", client_id);
    Some(page)
}

/// The page of a tenant whose endpoints lie where only Auth0's do, whatever its host is called.
fn auth0_logout(metadata: &Metadata) -> Option<Url> {
    let at = |path: &str| metadata.authorization.join(path).ok();
    let is_auth0 = metadata.authorization.path() == "/authorize"
        && at("/oauth/token").as_ref() == Some(&metadata.token)
        && metadata.revocation.is_some()
        && at("/oauth/revoke") == metadata.revocation;
    if is_auth0 { at("/v2/logout") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::tests::metadata;

    fn page(change: impl FnOnce(&mut Metadata)) -> Option<String> {
        let mut metadata = metadata();
        change(&mut metadata);
        logout_page(&metadata, "c").map(String::from)
    }

    #[test]
    fn the_browsers_page_is_the_tenants_own_or_auth0s() {
        let url = |text: &str| Url::parse(text).unwrap();
        let auth0 = |metadata: &mut Metadata| {
            metadata.end_session = None;
            metadata.authorization = url("https://login.example/authorize");
            metadata.token = url("https://login.example/oauth/token");
            metadata.revocation = Some(url("https://login.example/oauth/revoke"));
        };
        assert_eq!(page(auth0).as_deref(), Some("https://login.example/v2/logout?client_id=c"));
        let announced = |metadata: &mut Metadata| {
            auth0(metadata);
            metadata.end_session = Some(url("https://login.example/oidc/logout"));
        };
        assert_eq!(page(announced).as_deref(), Some("https://login.example/oidc/logout?client_id=c"));
        for elsewhere in ["https://login.example/token", "https://other.example/oauth/token"] {
            let change = |metadata: &mut Metadata| {
                auth0(metadata);
                metadata.token = url(elsewhere);
            };
            assert_eq!(page(change), None, "{elsewhere}");
        }
    }
}
