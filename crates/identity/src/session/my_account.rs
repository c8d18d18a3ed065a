//! Tokens for the tenant's own API, by the refresh token that the agent's come by (multi-resource refresh tokens).
//!
//! They share the one flight: whichever is under way, the other waits, because both would present the same refresh token.

use callbox_vault::Secret;
use tokio::time::Instant;

use super::{actor::Actor, refreshing::Waiter};
use crate::{AccessToken, TenantError, TokenError, connected::CREATE, refresh::Held, token::Grant};

/// Which API a refresh is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Purpose {
    /// The agent's, or whatever the tenant gives without being told.
    #[default]
    Agent,
    /// The tenant's own.
    MyAccount,
}

/// What is known of tokens for the tenant's API.
#[derive(Default)]
pub(super) struct MyAccount {
    pub(super) waiters: Vec<Waiter>,
    held: Option<Held>,
    /// The tenant gives no token for it. Whether the session is over is being asked, by a refresh as any other.
    refused: bool,
}

impl MyAccount {
    /// Nobody waits, or nobody any more.
    pub(super) fn is_wanted(&mut self) -> bool {
        self.waiters.retain(|waiter| !waiter.reply.is_closed());
        !self.waiters.is_empty()
    }

    pub(super) fn answer(&mut self, answer: &Result<AccessToken, TokenError>) {
        for waiter in std::mem::take(&mut self.waiters) {
            let _ = waiter.reply.send(answer.clone());
        }
    }

    /// There is a new session: what waits is served by it, and what was given in the last one is not.
    pub(super) fn renew(&mut self) {
        self.refused = false;
        self.held = None;
    }

    /// The session is still there: it is this API that the tenant does not give.
    pub(super) fn is_not_given(&mut self) {
        if std::mem::take(&mut self.refused) {
            self.answer(&Err(TokenError::Configuration(TenantError::new("invalid_grant", None))));
        }
    }

    /// Nobody knows whether the session is still there.
    pub(super) fn is_not_known(&mut self, error: &TokenError) {
        if std::mem::take(&mut self.refused) {
            self.answer(&Err(error.clone()));
        }
    }

    /// The session is over.
    pub(super) fn forget(&mut self) {
        self.refused = false;
        self.held = None;
        self.answer(&Err(TokenError::SignedOut));
    }
}

impl Actor {
    pub(super) fn my_account(&mut self, waiter: Waiter) {
        let (now, wall) = (Instant::now(), self.wings.clock.now());
        let mine = &mut self.my_account;
        if waiter.rejected.is_some() && waiter.rejected == mine.held.as_ref().map(|held| held.token.fingerprint()) {
            mine.held = None;
        }
        match mine.held.as_ref().filter(|held| held.is_fresh(now, wall)) {
            Some(held) if self.live.is_some() => drop(waiter.reply.send(Ok(held.token.clone()))),
            _ => {
                self.my_account.waiters.push(waiter);
                self.serve();
            }
        }
    }

    /// The tenant has answered `invalid_grant` to a refresh for its own API. That may be about this API alone (a policy, a scope, a client that it is
    /// not for), so it ends nothing: the same token is presented once more for the agent, and what comes of that counts.
    pub(super) fn doubt(&mut self, token: Secret<String>, adopted: bool) {
        self.my_account.refused = true;
        self.purpose = Purpose::Agent;
        self.present(token, false, adopted);
    }

    /// A refresh for the tenant's API has succeeded. A tenant that drops the scopes without a word does not offer it.
    pub(super) fn my_account_granted(&mut self, grant: Grant, held: Held) {
        let lacks = grant.scopes.is_some_and(|scopes| !scopes.iter().any(|scope| scope == CREATE));
        let answer = if lacks {
            Err(TokenError::Configuration(TenantError::new("invalid_scope", None)))
        } else {
            Ok(self.my_account.held.insert(held).token.clone())
        };
        self.my_account.answer(&answer);
    }
}
