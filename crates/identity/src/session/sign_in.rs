//! From the wish to sign in to the session: preparing, the link, the exchange.

use std::{sync::Arc, time::Duration};

use callbox_vault::Secret;
use tokio::{sync::oneshot, time::Instant};

use super::{
    CallbackOutcome, SignInStart, SignedOutReason, StartReply,
    actor::{Actor, Event, Live},
    flights::Proof,
};
use crate::{
    AttemptId, DiscoveryError, SignInError, Trouble,
    attempts::{Opening, Wish},
    callback::Link,
    discovery::Metadata,
};

/// For how long a tenant's metadata is not asked for again before a sign-in.
const METADATA_AGE: Duration = Duration::from_secs(600);

/// How often the person is sent to the browser for the same missing scopes.
const MAX_STEP_UPS: u32 = 3;
/// An agent that thinks of ever new ones does not fill the memory.
const MAX_REMEMBERED: usize = 64;

impl Actor {
    /// What a sign-in asks for.
    pub(super) fn usual_wish(&self) -> Wish {
        let consent = self.wings.profile.registered_itself() || self.unlasting;
        Wish { scopes: self.wings.profile.scopes.clone(), login_hint: None, consent, somebody_else: false }
    }

    /// Asks for what was granted and what is missing, a few times for the same.
    pub(super) fn step_up(&mut self, missing: Vec<String>, reply: StartReply) {
        let Some(live) = &self.live else {
            return self.begin(self.usual_wish(), reply);
        };
        let mut wish = self.usual_wish();
        wish.login_hint.clone_from(&live.account.email);
        let granted = live.granted.as_deref().unwrap_or(&self.wings.profile.scopes);
        let lacks = missing.iter().any(|scope| !granted.contains(scope));
        for scope in granted.iter().chain(&missing) {
            if !wish.scopes.contains(scope) {
                wish.scopes.push(scope.clone());
            }
        }
        if self.step_ups.len() >= MAX_REMEMBERED {
            self.step_ups.clear();
        }
        let times = self.step_ups.entry(missing.into_iter().collect()).or_default();
        *times += 1;
        // What is granted already is not what the agent lacks; and nobody is sent to the browser for the same again and again.
        if !lacks || *times > MAX_STEP_UPS {
            let _ = reply.send(Err(SignInError::NotGranted));
            return;
        }
        self.begin(wish, reply);
    }

    pub(super) fn begin(&mut self, wish: Wish, reply: StartReply) {
        let attempt = AttemptId(self.next_attempt);
        self.next_attempt += 1;
        let known = self.metadata.as_ref().filter(|(_, since)| since.elapsed() < METADATA_AGE).map(|(metadata, _)| metadata.clone());
        match known {
            Some(metadata) => self.open(attempt, wish, &metadata, reply),
            None => {
                self.preparing.push((attempt, wish, reply));
                if self.preparing.len() == 1 {
                    let wings = self.wings.clone();
                    self.fly(async move { Event::Discovered(wings.discover().await) }, Event::Discovered(Err(Trouble::Crashed.into())));
                }
            }
        }
    }

    pub(super) fn discovered(&mut self, answer: &Result<Arc<Metadata>, DiscoveryError>) {
        match answer {
            Ok(metadata) => {
                self.metadata = Some((metadata.clone(), Instant::now()));
                for (attempt, wish, reply) in std::mem::take(&mut self.preparing) {
                    self.open(attempt, wish, metadata, reply);
                }
            }
            Err(error) => {
                tracing::info!(code = error.code(), "the tenant's metadata cannot be had");
                for (.., reply) in std::mem::take(&mut self.preparing) {
                    self.failed(&error.clone().into());
                    let _ = reply.send(Err(error.clone().into()));
                }
            }
        }
    }

    fn open(&mut self, attempt: AttemptId, wish: Wish, metadata: &Arc<Metadata>, reply: StartReply) {
        // Nobody would open the page.
        if reply.is_closed() {
            return;
        }
        // The key before the page: the page names it.
        let opened = self.wings.bind(metadata).and_then(|binding| {
            let opening = Opening { wish, metadata: metadata.clone(), binding };
            self.attempts.open(attempt, &self.wings.profile, opening, &*self.entropy, Instant::now())
        });
        if let Err(error) = &opened {
            self.failed(error);
        }
        let _ = reply.send(opened.map(|url| SignInStart { attempt, url }));
    }

    pub(super) fn open_door(&mut self, attempt: AttemptId, redirect_uri: String, open: oneshot::Sender<()>, reply: StartReply) {
        let url = self.attempts.open_door(attempt, &self.wings.profile, redirect_uri, open, Instant::now());
        let _ = reply.send(url.unwrap_or(Err(SignInError::Expired)).map(|url| SignInStart { attempt, url }));
    }

    pub(super) fn callback(&mut self, link: &Secret<String>, reply: oneshot::Sender<CallbackOutcome>) {
        let claimed = Link::parse(link.expose()).and_then(|link| {
            let attempt = self.attempts.claim(&link.state, &link.address, Instant::now())?;
            Ok((link, attempt))
        });
        let (link, attempt) = match claimed {
            Ok(claimed) => claimed,
            Err(why) => {
                tracing::info!(code = why.code(), "a link was ignored");
                let _ = reply.send(CallbackOutcome::Ignored(why));
                return;
            }
        };
        let id = attempt.id;
        match link.code(&attempt.metadata) {
            Ok(code) => {
                self.exchanging.push((id, reply));
                let wings = self.wings.clone();
                let crashed = Event::Proved { attempt: id, result: Err(Trouble::Crashed.into()) };
                let (sharing, roll, slot) = (self.sharing.clone(), self.roll.clone(), self.slot.clone());
                let exchange = async move {
                    let mut result = wings.exchange(&attempt, &code).await.map(Box::new);
                    if result.is_ok() {
                        // On the list first: a record that is not would be found by nobody.
                        roll.enter(&slot).await;
                    }
                    if let (Ok(proof), Some(sharing)) = (&mut result, sharing) {
                        // A refresh of another process is let end first, or its token would be stored over this sign-in.
                        proof.lock = sharing.alone().await;
                        let entry = sharing.entry().await;
                        (proof.generation, proof.left) = (entry.generation + 1, entry.left);
                    }
                    Event::Proved { attempt: id, result }
                };
                self.fly(exchange, crashed);
            }
            Err(error) => {
                self.failed(&error);
                let _ = reply.send(CallbackOutcome::Failed(error));
            }
        }
    }

    pub(super) fn proved(&mut self, attempt: AttemptId, result: Result<Box<Proof>, SignInError>) {
        let mine = self.exchanging.iter().position(|(id, _)| *id == attempt).map(|index| self.exchanging.swap_remove(index));
        match (result, mine) {
            (Ok(proof), Some(mine)) => self.signed_in(*proof, mine),
            // Signed out meanwhile: what came of it is not wanted any more.
            (Ok(proof), None) => self.abandon(proof.refresh, &proof.metadata),
            (Err(error), mine) => {
                self.failed(&error);
                if let Some((_, reply)) = mine {
                    let _ = reply.send(CallbackOutcome::Failed(error));
                }
            }
        }
    }

    fn signed_in(&mut self, proof: Proof, mine: (AttemptId, oneshot::Sender<CallbackOutcome>)) {
        let Proof { account, refresh, generation, lock, held, binding, granted, ends, browser, left, metadata } = proof;
        let is_bound = binding.is_some();
        let before = self.live.as_ref().and_then(|live| live.binding.clone());
        // The one sign-in that was wanted is here; pages that are still open lead nowhere.
        self.cancel();
        self.unlasting = refresh.is_none();
        let old = self.live.replace(Live {
            account,
            refresh,
            generation,
            held: Some(held),
            granted: Some(granted),
            refused: None,
            ends,
            browser,
            left,
            storage: None,
            custody: None,
            binding,
            before,
        });
        // A session of somebody else is not left behind at the tenant. One of the same person is: at some tenants, revoking it would end
        // the new one too.
        let same =
            |old: &Live| self.live.as_ref().is_some_and(|new| (&new.account.iss, &new.account.sub) == (&old.account.iss, &old.account.sub));
        if let Some(old) = old.filter(|old| !same(old)) {
            self.abandon(old.refresh, &metadata);
        }
        self.metadata = Some((metadata, Instant::now()));
        self.session += 1;
        self.flight = None;
        self.my_account.renew();
        self.pause.succeeded();
        self.reason = None;
        self.unread = false;
        self.keeping.push(mine);
        self.keep_under(lock);
        if !is_bound {
            // That of an earlier sign-in, if there is one.
            drop(self.vault.delete(&self.key_name()));
        }
        self.pay_what_is_owed();
        self.serve();
    }

    /// Revokes a token that nobody will use, if the tenant can be reached.
    pub(super) fn abandon(&self, token: Option<Secret<String>>, metadata: &Arc<Metadata>) {
        if let Some(token) = token {
            let (wings, metadata) = (self.wings.clone(), metadata.clone());
            tokio::spawn(async move { wings.revoke(&metadata, &token).await });
        }
    }

    fn failed(&mut self, error: &SignInError) {
        tracing::info!(code = error.code(), "a sign-in failed");
        if self.live.is_none() {
            self.reason = Some(SignedOutReason::SignInFailed(error.clone()));
        }
    }

    pub(super) fn cancel(&mut self) {
        self.attempts.cancel();
        for (.., reply) in std::mem::take(&mut self.preparing) {
            let _ = reply.send(Err(SignInError::Cancelled));
        }
    }

    pub(super) fn expire(&mut self) {
        if self.attempts.sweep(Instant::now()) && self.attempts.newest().is_none() {
            self.failed(&SignInError::Expired);
        }
    }
}
