//! Leaving: forgotten here at once, revoked at the tenant as far as it can be reached.

use std::{future::Future, pin::Pin};

use callbox_vault::{Secret, VaultError};
use tokio::sync::oneshot;
use url::Url;

use super::{
    CallbackOutcome, SignOut,
    actor::Actor,
    owed::{self, Revocation},
};
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
        let token = self.live.take().and_then(|live| live.refresh);
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
        let (wings, vault, owed) = (self.wings.clone(), self.vault.clone(), self.owed_key());
        let known = self.metadata.as_ref().map(|(metadata, _)| metadata.clone());
        tokio::spawn(async move {
            let left_in_keychain = erased.await.err();
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
                Some(token) => owed::owe(&vault, &owed, token, wings.clock.now()).await,
                None => false,
            };
            let browser_logout = metadata.and_then(|metadata| logout_page(&metadata, &wings.profile.client_id));
            let _ = reply.send(SignOut { revoked, will_be_revoked, left_in_keychain, browser_logout });
        });
    }
}

/// The page that ends the browser's own session (OpenID Connect RP-Initiated Logout 1.0 §2). No ID token is kept to hint with, so the tenant
/// may ask the user.
fn logout_page(metadata: &Metadata, client_id: &str) -> Option<Url> {
    let mut page = metadata.end_session.clone()?;
    page.query_pairs_mut().append_pair("client_id", client_id);
    Some(page)
}
