//! Handing out access tokens, and the one refresh that may be under way.
//!
//! The steps of a refresh, each of which comes back to the actor: present the token; keep what it was rotated to; look at the rest. A caller
//! that goes away, or a step that crashes, loses none of it.

use std::sync::Arc;

use callbox_vault::{Secret, VaultError};
use tokio::time::Instant;

use super::{
    SignedOutReason, TokenReply,
    actor::{Actor, Event, Since, Written},
    my_account::Purpose,
    sharing::Sharing,
    stored::{self, Stored},
};
use crate::{
    AccessToken, Account, TenantError, TokenError, Trouble,
    discovery::Metadata,
    dpop::{self, Unfit},
    fetch::Reply,
    id_token::{Expected, IdToken},
    journal::Journal,
    lock::Lock,
    record::Record,
    refresh::{Held, Next, next},
    token::{self, Grant, Refusal, Rest, Tokens},
};

/// Somebody who wants an access token, other than `rejected`.
pub(super) struct Waiter {
    pub(super) rejected: Option<u64>,
    pub(super) reply: TokenReply,
}

/// The refresh under way.
pub(super) struct Flight {
    id: u64,
    /// The token that was presented.
    presented: Secret<String>,
    /// It has been presented twice.
    again: bool,
    /// It was found in the vault after ours had been refused.
    adopted: bool,
    /// Its answer is still out, or on its way into the vault.
    is_out: bool,
    /// Keeps other processes from refreshing until this flight is over.
    lock: Option<Arc<Lock>>,
}

impl Flight {
    /// One that waits for other processes.
    pub(super) fn waiting(id: u64, presented: Secret<String>) -> Self {
        Self { id, presented, again: false, adopted: false, is_out: false, lock: None }
    }

    pub(super) fn id(&self) -> u64 {
        self.id
    }

    /// From now on, and until it is over, no other process refreshes.
    pub(super) fn hold(&mut self, lock: Lock) {
        self.lock = Some(Arc::new(lock));
    }

    /// The number of this flight, if its answer is still out, or on its way into the vault: what comes may be a newer token than any that is known,
    /// and is written behind whatever is asked of the vault before that.
    pub(super) fn is_out(&self) -> Option<u64> {
        self.is_out.then_some(self.id)
    }

    pub(super) fn lock(&self) -> Option<Arc<Lock>> {
        self.lock.clone()
    }
}

impl Actor {
    /// Gives every waiter what there is; sends a refresh out if somebody is left.
    pub(super) fn serve(&mut self) {
        if self.restoring {
            return;
        }
        self.waiters.retain(|waiter| !waiter.reply.is_closed());
        self.end_in_time();
        let Some(live) = &self.live else {
            self.my_account.forget();
            return self.answer(&Err(TokenError::SignedOut));
        };
        let (now, wall) = (Instant::now(), self.wings.clock.now());
        if let Some(held) = live.held.as_ref().filter(|held| held.is_fresh(now, wall) && live.refused != Some(held.token.fingerprint())) {
            let (token, print) = (held.token.clone(), held.token.fingerprint());
            for waiter in self.waiters.extract_if(.., |waiter| waiter.rejected != Some(print)) {
                let _ = waiter.reply.send(Ok(token.clone()));
            }
        }
        let wanted = self.my_account.is_wanted();
        if self.flight.is_some() || (self.waiters.is_empty() && !wanted) {
            return;
        }
        if let Some(trouble) = self.pause.holds(now) {
            self.my_account.answer(&Err(trouble.clone().into()));
            return self.answer(&Err(trouble.into()));
        }
        self.purpose = if self.waiters.is_empty() { Purpose::MyAccount } else { Purpose::Agent };
        match live.refresh.clone() {
            Some(token) => self.refresh(token),
            // The agent's token is good for a while yet.
            None if self.waiters.is_empty() => {
                self.my_account.answer(&Err(TokenError::Configuration(TenantError::new("no_refresh_token", None))))
            }
            // Nothing to refresh with: the session is over with its access token.
            None => {
                let account = live.account.clone();
                self.end(SignedOutReason::Ended { account });
            }
        }
    }

    pub(super) fn answer(&mut self, answer: &Result<AccessToken, TokenError>) {
        for waiter in std::mem::take(&mut self.waiters) {
            let _ = waiter.reply.send(answer.clone());
        }
    }

    /// Begins a refresh: at once, or when no other process is at one.
    pub(super) fn refresh(&mut self, token: Secret<String>) {
        match self.sharing.clone() {
            Some(sharing) => self.meet(sharing, token),
            None => self.present(token, false, false),
        }
    }

    pub(super) fn present(&mut self, token: Secret<String>, again: bool, adopted: bool) {
        let lock = self.flight.take().and_then(|flight| flight.lock);
        self.flights += 1;
        let flight = self.flights;
        let known = self.metadata.as_ref().map(|(metadata, _)| metadata.clone());
        let (wings, presented, sharing, purpose) = (self.wings.clone(), token.clone(), self.sharing.clone(), self.purpose);
        let binding = self.live.as_ref().and_then(|live| live.binding.clone());
        let since = Since(Instant::now(), self.wings.clock.now());
        let crashed = Event::Answered { flight, metadata: None, since, answer: Err(Trouble::Crashed.into()), left: None };
        let work = async move {
            let found = match known {
                Some(metadata) => Ok(metadata),
                None => wings.discover().await,
            };
            let since = Since(Instant::now(), wings.clock.now());
            match found {
                Ok(metadata) if purpose == Purpose::MyAccount && !metadata.is_auth0 => {
                    let answer = Err(TokenError::Configuration(TenantError::new("not_offered", None)));
                    Event::Answered { flight, metadata: Some(metadata), since, answer, left: None }
                }
                Ok(metadata) => {
                    if let Some(sharing) = &sharing {
                        let token = token.clone();
                        sharing.note(move |journal| journal.sent(&token)).await;
                    }
                    let prover = binding.as_ref().map(|binding| &*binding.prover);
                    let answer = wings.refresh(&metadata, &token, purpose, prover).await.map_err(TokenError::from);
                    let left = Sharing::left(sharing.as_ref()).await;
                    Event::Answered { flight, metadata: Some(metadata), since, answer, left }
                }
                Err(error) => Event::Answered { flight, metadata: None, since, answer: Err(error.into()), left: None },
            }
        };
        self.flight = Some(Flight { id: flight, presented, again, adopted, is_out: true, lock });
        self.fly(work, crashed);
    }

    pub(super) fn answered(
        &mut self,
        flight: u64,
        metadata: Option<Arc<Metadata>>,
        since: Since,
        answer: Result<Reply, TokenError>,
        left: Option<u64>,
    ) {
        if let Some(metadata) = metadata.filter(|_| self.metadata.is_none()) {
            self.metadata = Some((metadata, Instant::now()));
        }
        let tokens = match answer {
            Ok(reply) => token::read(&reply, self.wings.clock.now()).map_err(Failure::Refused),
            Err(TokenError::Transient(trouble)) => Err(Failure::Refused(Refusal::Trouble(trouble))),
            Err(error) => Err(Failure::Before(error)),
        };
        let is_left = self.is_left(left);
        let Some(current) = self.flight.as_mut().filter(|current| current.id == flight) else {
            // The session was signed out or replaced meanwhile.
            return self.depart(flight, tokens.ok().and_then(|tokens| tokens.refresh));
        };
        if is_left {
            return self.left_elsewhere(tokens.ok().and_then(|tokens| tokens.refresh));
        }
        let (again, adopted) = (current.again, current.adopted);
        match tokens {
            Ok(tokens) => self.rotate(flight, tokens, since),
            Err(Failure::Before(error)) => self.over(&error),
            Err(Failure::Refused(refusal)) => match next(&refusal, again) {
                Next::Again => {
                    let presented = current.presented.clone();
                    self.present(presented, true, adopted);
                }
                Next::AskVault => {
                    let (answer, sharing) = (stored::read(&self.vault, &self.key, self.our_key()), self.sharing.clone());
                    let crashed = Event::Reread { flight, answer: Err(VaultError::Unavailable) };
                    let work = async move {
                        if let Some(sharing) = sharing {
                            sharing.note(Journal::settled).await;
                        }
                        Event::Reread { flight, answer: answer.await }
                    };
                    self.fly(work, crashed);
                }
                Next::GiveUp => {
                    if !refusal.may_have_happened() {
                        self.settle();
                    }
                    self.over(&refusal.into());
                }
            },
        }
    }

    /// The rotated token first: into memory at once, into the vault before anything else is looked at.
    fn rotate(&mut self, flight: u64, tokens: Tokens, since: Since) {
        let Tokens { refresh, rest } = tokens;
        let Some(rotated) = refresh else {
            self.settle();
            return self.rotation_kept(flight, None, rest, since, None);
        };
        let Some(live) = self.live.as_mut() else { return };
        live.refresh = Some(rotated);
        live.generation += 1;
        let Some(writing) = self.write() else { return };
        let crashed = Event::Answered { flight, metadata: None, since, answer: Err(Trouble::Crashed.into()), left: None };
        let sharing = self.sharing.clone();
        let work = async move {
            let written = Some(writing.await);
            // Afterwards: a sign-out that says so later empties the vault later too.
            let left = Sharing::left(sharing.as_ref()).await;
            Event::RotationKept { flight, written, rest, since, left }
        };
        self.fly(work, crashed);
    }

    pub(super) fn rotation_kept(&mut self, flight: u64, written: Option<Written>, rest: Rest, since: Since, left: Option<u64>) {
        if self.flight.as_ref().is_none_or(|current| current.id != flight) {
            return self.depart(flight, None);
        }
        if self.is_left(left) {
            return self.left_elsewhere_too_late();
        }
        if let Some(current) = self.flight.as_mut() {
            current.is_out = false;
        }
        if let Some(written) = written {
            self.kept(self.session, written);
        }
        let grant = match rest.grant() {
            Ok(grant) => grant,
            Err(what) => return self.over(&TokenError::Malformed(what)),
        };
        let binding = self.live.as_ref().and_then(|live| live.binding.as_ref());
        let prover = match dpop::fits(binding, grant.kind) {
            Ok(prover) => prover,
            Err(Unfit::Unbound) => return self.over(&TokenError::Unbound),
            Err(unfit) => return self.over(&TokenError::Malformed(unfit.what())),
        };
        match self.confirm(&grant) {
            Confirmed::Same(None) => {}
            Confirmed::Same(Some((account, ends))) => self.remember(account, ends),
            Confirmed::Other => return self.somebody_else(),
            Confirmed::Wrong => return self.over(&TokenError::Malformed("its ID token is not for this session")),
        }
        let held = Held::new(grant.access.clone(), grant.lifetime, since.0, since.1).bound(prover);
        if self.purpose == Purpose::MyAccount {
            // The agent's token is as good as before, and goes with the new refresh token now.
            self.leave_spare();
            self.flight = None;
            self.pause.succeeded();
            self.my_account_granted(grant, held);
            return self.serve();
        }
        let access = held.token.clone();
        if let Some(live) = self.live.as_mut() {
            live.held = Some(held);
            live.granted = grant.scopes.or(live.granted.take());
        }
        self.leave_spare();
        self.flight = None;
        self.pause.succeeded();
        self.end_in_time();
        self.my_account.is_not_given();
        // All of them, also if its life is so short that it is not fresh even now: there is none better.
        self.answer(&Ok(access));
        self.serve();
    }

    /// Whom the answer is about (OpenID Connect Core §12.2).
    fn confirm(&self, grant: &Grant) -> Confirmed {
        let (Some(token), Some(live)) = (&grant.id_token, &self.live) else { return Confirmed::Same(None) };
        let (client_id, now) = (&self.wings.profile.client_id, self.wings.clock.now());
        let expected = Expected { issuer: &live.account.iss, client_id, now, organization: None, max_age: None };
        match IdToken::parse(token.expose()).and_then(|token| Ok((token.confirm(&expected)?, token.session_expiry()))) {
            Ok((account, ends)) if account.sub == live.account.sub => Confirmed::Same(Some((account, ends))),
            Ok(_) => Confirmed::Other,
            Err(_) => Confirmed::Wrong,
        }
    }

    /// A new name or address is kept too; so is an earlier end. A later one is not believed: a refresh extends no session.
    fn remember(&mut self, account: Account, ends: Option<u64>) {
        let Some(live) = self.live.as_mut() else { return };
        let ends = [live.ends, ends].into_iter().flatten().min();
        if live.account != account || live.ends != ends {
            live.account = account;
            live.ends = ends;
            self.keep();
        }
    }

    /// The refresh token was refused for good. If another process of this user has a newer one, that is ours now; else the session is over.
    pub(super) fn reread(&mut self, flight: u64, answer: Result<Stored, VaultError>) {
        let Some(current) = self.flight.as_ref().filter(|current| current.id == flight) else { return };
        let refused = |record: &Record| record.refresh.expose() == current.presented.expose();
        let is_dead = answer.as_ref().is_ok_and(|stored| stored.record().is_some_and(refused));
        let newer = answer.ok().filter(|_| !is_dead && !current.adopted).and_then(|stored| self.whole(stored));
        match (newer, self.live.as_mut()) {
            (Some((record, binding)), Some(live)) => {
                let token = record.refresh.clone();
                live.adopt(record, binding);
                self.present(token, false, true);
            }
            (None, Some(_)) if self.purpose == Purpose::MyAccount => {
                let (token, adopted) = (current.presented.clone(), current.adopted);
                self.doubt(token, adopted);
            }
            (None, Some(live)) => {
                let account = live.account.clone();
                if is_dead {
                    // Happens in its own time; nothing depends on it.
                    drop(self.erase());
                }
                self.end(SignedOutReason::Ended { account });
            }
            (_, None) => {}
        }
    }

    /// The tenant answers for another subject: nothing of it is used, and nothing of it is left (OpenID Connect Core §12.2).
    fn somebody_else(&mut self) {
        let Some(live) = &self.live else { return };
        let (account, token) = (live.account.clone(), live.refresh.clone());
        if let Some((metadata, _)) = &self.metadata {
            self.abandon(token, metadata);
        }
        drop(self.erase());
        self.end(SignedOutReason::AccountChanged { account });
    }

    /// Ends the session softly: what belongs to the account stays on this computer.
    pub(super) fn end(&mut self, reason: SignedOutReason) {
        tracing::info!("the session has ended");
        self.unshare();
        self.seen = self.live.take().map_or(self.seen, |live| (live.generation, live.left));
        self.flight = None;
        self.session += 1;
        self.reason = Some(reason);
        self.my_account.forget();
        self.answer(&Err(TokenError::SignedOut));
    }

    /// Ends a session that the tenant has given an end, a moment before that by the tenant's clock: whoever has a token then has one that works.
    pub(super) fn end_in_time(&mut self) {
        let now = self.wings.tenants_time();
        let Some(live) = self.live.as_ref().filter(|live| now.is_some_and(|now| live.is_over(now))) else { return };
        let account = live.account.clone();
        drop(self.erase());
        self.end(SignedOutReason::Ended { account });
    }

    /// The refresh under way has failed; the session stays.
    pub(super) fn over(&mut self, error: &TokenError) {
        tracing::info!(code = error.code(), "no new access token");
        self.flight = None;
        if let TokenError::Transient(trouble) = error {
            self.pause.failed(trouble, Instant::now());
        }
        if let TokenError::Configuration(told) = error {
            self.forget.send_replace(told.forgot_client());
        }
        match self.purpose {
            Purpose::MyAccount => self.my_account.answer(&Err(error.clone())),
            Purpose::Agent => {
                self.my_account.is_not_known(error);
                self.answer(&Err(error.clone()));
            }
        }
        // Whoever wants a token of the other kind is not answered by that.
        self.serve();
    }
}

/// Why there are no tokens.
enum Failure {
    /// The token endpoint was not even asked.
    Before(TokenError),
    Refused(Refusal),
}

enum Confirmed {
    /// The same account, what the tenant says about it now, and when its session is over.
    Same(Option<(Account, Option<u64>)>),
    Other,
    /// Not a token for this session at all.
    Wrong,
}

impl From<Refusal> for TokenError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Trouble(trouble) => Self::Transient(trouble),
            Refusal::InvalidGrant => Self::SignedOut,
            Refusal::Interaction(error) => Self::Interaction(error),
            Refusal::Proof(error) => Self::ProofRefused(error),
            Refusal::Configuration(error) => Self::Configuration(error),
        }
    }
}
