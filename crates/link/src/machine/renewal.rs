//! A newer token for a socket that is open. The agent looks at the token of the handshake and at no other, so a new token means a new socket:
//! the old one is kept until the token is here, nothing is under way on it, or its time is almost over. A running answer is then resumed.

use std::time::Duration;

use callbox_identity::{Retry, TokenError};

use super::{Effect, Machine, Moment, connect::Phase};

/// How long before the end of a token its socket is left at the latest.
const LAST_CALL: Duration = Duration::from_secs(5);
/// Between two tries to get a newer token.
const PAUSE: Duration = Duration::from_secs(15);

/// The times of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Lease {
    /// From then on a newer one can be had.
    pub(crate) fresh_until: Moment,
    pub(crate) expires: Moment,
}

/// The token of the open socket, and the one that will follow.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    lease: Lease,
    next: Next,
}

#[derive(Debug, Default)]
enum Next {
    /// Ask for it then.
    Later(Moment),
    Asked,
    /// It is here, and the socket is still that of the old one.
    Here(Lease),
    #[default]
    Never,
}

impl Renewal {
    /// A socket is opened with this token.
    pub(super) fn begin(&mut self, lease: Lease, now: Moment) {
        // A token whose life is so short that it is stale at once would be renewed for ever: its socket is left when the agent says so.
        let next = if lease.fresh_until > now { Next::Later(lease.fresh_until) } else { Next::Never };
        *self = Self { lease, next };
    }

    /// The socket is gone.
    pub(super) fn end(&mut self) {
        self.next = Next::Never;
    }

    pub(super) fn deadline(&self) -> Option<Moment> {
        match self.next {
            Next::Later(at) => Some(at),
            Next::Here(_) => Some(self.last_call()),
            Next::Asked | Next::Never => None,
        }
    }

    /// The newer token, if it is here.
    pub(super) fn newer(&self) -> Option<Lease> {
        if let Next::Here(lease) = self.next { Some(lease) } else { None }
    }

    fn last_call(&self) -> Moment {
        self.lease.expires.saturating_sub(LAST_CALL)
    }
}

impl Machine {
    /// Asks for a newer token when it is time, and moves to a socket with it when nothing is under way.
    pub(super) fn look_after_token(&mut self, now: Moment) {
        if !self.phase.is_online() {
            return;
        }
        match self.renewal.next {
            Next::Later(at) if at <= now => self.renew(),
            Next::Here(lease) if self.is_quiet() || self.renewal.last_call() <= now => {
                self.cut();
                self.moving = true;
                self.connect(lease, now);
            }
            _ => {}
        }
    }

    /// Asks whether there is a newer token, unless that is known.
    pub(super) fn renew(&mut self) {
        if self.phase.is_online() && matches!(self.renewal.next, Next::Later(_)) {
            self.renewal.next = Next::Asked;
            self.effects.push_back(Effect::Token { after_rejection: false });
        }
    }

    /// Answers [`Effect::Token`] while the socket is open.
    pub(super) fn renewed(&mut self, outcome: &Result<Lease, TokenError>, now: Moment) {
        if !matches!(self.renewal.next, Next::Asked) {
            return;
        }
        self.renewal.next = match outcome {
            Ok(lease) if lease.expires > self.renewal.lease.expires => Next::Here(*lease),
            Ok(lease) => Next::Later(lease.fresh_until.max(now + PAUSE)),
            // The socket is good for as long as it is; the session says by itself if it is over.
            Err(error) => match error.retry() {
                Retry::Later(wanted) => Next::Later(now + PAUSE.max(wanted.unwrap_or_default())),
                Retry::SignIn | Retry::Never => Next::Never,
            },
        };
        self.look_after_token(now);
    }

    pub(super) fn connect(&mut self, lease: Lease, now: Moment) {
        // The replacement of a refused token is not replaced; a token that came after it is another matter, however short the time between.
        if self.replacement.is_some_and(|replacement| replacement != lease) {
            self.fresh_spent = false;
        }
        self.replacement = self.fresh_spent.then_some(lease);
        self.renewal.begin(lease, now);
        self.phase = Phase::Opening;
        self.effects.push_back(Effect::Connect);
    }

    /// Whether a socket can be left without anybody's noticing.
    fn is_quiet(&self) -> bool {
        !self.conversation.turn().is_active() && self.outbox.written().next().is_none() && self.answers.is_empty() && self.rework.is_none()
    }
}
