//! Getting a socket and losing it: tokens, refusals, pauses, and when to stop trying.

use std::time::Duration;

use callbox_identity::{Retry, TokenError};
use callbox_protocol::UiMessage;

use super::{Effect, Lease, Machine, Moment, Presence};
use crate::{LinkError, LinkState, ids};

/// How often in a row the agent may close a socket with 1008, each time with a token that is good, before that counts as its last word.
const MAX_EVICTIONS: u32 = 4;

/// How far the connection has come.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Phase {
    /// Waits for somebody to be signed in.
    Parked,
    /// Waits for a token.
    Authorizing,
    /// Waits for the handshake.
    Opening,
    /// The socket is open and not read; the messages are being fetched. What the agent sends meanwhile waits in the socket.
    Loading {
        since: Moment,
    },
    /// Reads and writes.
    Online {
        since: Moment,
    },
    /// Waits before the next try.
    Pausing {
        until: Moment,
        pause: Duration,
        why: LinkError,
    },
    /// Waits for somebody to do something.
    Resting(LinkState),
    Closed,
}

impl Phase {
    pub(super) fn is_online(&self) -> bool {
        matches!(self, Self::Online { .. })
    }

    fn has_socket(&self) -> bool {
        matches!(self, Self::Loading { .. } | Self::Online { .. })
    }
}

impl Machine {
    /// Whether the owner shall read from the socket.
    pub(crate) fn reads(&self) -> bool {
        self.phase.is_online()
    }

    pub(super) fn pause_ends(&self) -> Option<Moment> {
        if let Phase::Pausing { until, .. } = self.phase { Some(until) } else { None }
    }

    pub(super) fn link_state(&self) -> LinkState {
        match &self.phase {
            Phase::Parked if self.presence == Presence::Unknown => LinkState::Connecting,
            Phase::Parked => LinkState::SignInNeeded { why: None },
            Phase::Opening | Phase::Loading { .. } if self.moving => LinkState::Online,
            Phase::Authorizing | Phase::Opening | Phase::Loading { .. } => LinkState::Connecting,
            Phase::Online { .. } => LinkState::Online,
            Phase::Pausing { pause, why, .. } => LinkState::Offline { retry_in: Some(*pause), why: why.clone() },
            Phase::Resting(state) => state.clone(),
            Phase::Closed => LinkState::Closed,
        }
    }

    /// The session's state has changed.
    pub(crate) fn presence(&mut self, presence: Presence) {
        if self.phase == Phase::Closed {
            return;
        }
        let before = std::mem::replace(&mut self.presence, presence);
        match &self.presence {
            Presence::Unknown | Presence::Signing => {}
            Presence::Absent => {
                self.cut();
                self.phase = Phase::Parked;
            }
            // What is in memory belongs to the first account; nobody else gets to see it.
            Presence::Present(account) if self.owner.as_ref().is_some_and(|owner| owner != account) => self.close(),
            Presence::Present(account) => {
                self.owner = Some(account.clone());
                let waits = matches!(self.phase, Phase::Parked | Phase::Resting(LinkState::SignInNeeded { .. }));
                if waits && before != self.presence {
                    self.start_over();
                }
            }
        }
    }

    /// Connects now, or looks whether the socket is still alive.
    pub(crate) fn reconnect(&mut self, now: Moment) {
        match &self.phase {
            Phase::Pausing { .. } => {
                self.failures = 0;
                self.start();
            }
            Phase::Resting(_) if matches!(self.presence, Presence::Present(_) | Presence::Signing) => self.start_over(),
            Phase::Online { .. } => {
                self.effects.push_back(Effect::Ping);
                self.life.check(now, &self.timing);
            }
            Phase::Parked | Phase::Authorizing | Phase::Opening | Phase::Loading { .. } | Phase::Resting(_) | Phase::Closed => {}
        }
    }

    /// The computer has slept, or its network is another one: what is under way is most likely dead, what failed may work now, and the token
    /// may have ended unnoticed, because the clock stood still.
    pub(crate) fn wake(&mut self, now: Moment) {
        if matches!(self.phase, Phase::Opening | Phase::Loading { .. }) {
            self.cut();
            self.failures = 0;
            self.start();
            return;
        }
        self.reconnect(now);
        self.renew();
    }

    /// The socket did not answer the ping of [`Machine::reconnect`]. That it is dead is no news of the agent: nothing is held against it.
    pub(super) fn found_dead(&mut self) {
        self.cut();
        self.start_over();
    }

    /// Ends the link.
    pub(crate) fn close(&mut self) {
        if self.phase != Phase::Closed {
            self.conversation.disconnected();
            self.phase = Phase::Closed;
            self.effects.push_back(Effect::Stop);
        }
    }

    pub(super) fn start_over(&mut self) {
        self.is_good();
        self.start();
    }

    /// What went wrong before counts no more.
    fn is_good(&mut self) {
        self.failures = 0;
        self.fresh_spent = false;
        self.replacement = None;
        self.evictions = 0;
    }

    pub(super) fn start(&mut self) {
        self.moving = false;
        self.phase = Phase::Authorizing;
        self.effects.push_back(Effect::Token { after_rejection: false });
    }

    /// Answers [`Effect::Token`].
    pub(crate) fn token(&mut self, outcome: Result<Lease, TokenError>, now: Moment) {
        if self.phase.is_online() {
            return self.renewed(&outcome, now);
        }
        if self.phase != Phase::Authorizing {
            return;
        }
        match outcome {
            Ok(lease) => self.connect(lease, now),
            Err(TokenError::Closed) => self.close(),
            Err(error) => match error.retry() {
                Retry::SignIn => {
                    let why = (error != TokenError::SignedOut).then(|| error.into());
                    self.rest(LinkState::SignInNeeded { why });
                }
                Retry::Later(_) => self.pause(error.into(), now),
                Retry::Never => self.rest(LinkState::Offline { retry_in: None, why: error.into() }),
            },
        }
    }

    /// Answers [`Effect::Connect`]: the socket is open.
    pub(crate) fn opened(&mut self, now: Moment) {
        if self.phase == Phase::Opening {
            self.phase = Phase::Loading { since: now };
            self.conversation.connected();
            self.generation.opened();
            self.outbox.prepare();
            self.fetch();
        }
    }

    /// Answers [`Effect::Connect`]: there is no socket.
    pub(crate) fn refused(&mut self, error: LinkError, now: Moment) {
        if self.phase == Phase::Opening {
            self.fail(error, now);
        }
    }

    /// Asks for the messages.
    pub(super) fn fetch(&mut self) {
        self.conversation.fetching();
        self.effects.push_back(Effect::History);
    }

    /// Answers [`Effect::History`].
    pub(crate) fn history(&mut self, outcome: Result<Vec<UiMessage>, LinkError>, now: Moment) {
        match (&self.phase, outcome) {
            (Phase::Loading { since }, Ok(messages)) => {
                self.phase = Phase::Online { since: *since };
                self.moving = false;
                self.arrive(messages, now);
            }
            (Phase::Loading { .. }, Err(error)) => self.fail(error, now),
            (Phase::Online { .. }, outcome) => self.refetched(outcome, now),
            _ => {}
        }
    }

    /// Online: the messages are those of the agent, everything that waits is written, and a running turn is asked for.
    fn arrive(&mut self, messages: Vec<UiMessage>, now: Moment) {
        self.life.begin(now);
        self.take_snapshot(messages, false, now);
        if let Some(request) = self.cancel.take() {
            self.cancel_turn(request, now);
        }
        self.flush(now);
        self.ask(now);
    }

    /// The agent closed the socket.
    pub(crate) fn closed(&mut self, code: u16, reason: &str, now: Moment) {
        if code == 1009 && !self.rework_is_too_large() {
            self.outbox.too_large();
        }
        let error = match code {
            // RFC 6455 §7.4.1: no code, or none that says more than that it is over.
            1005 | 1006 => LinkError::Broken,
            _ => LinkError::Closed { code, reason: crate::error::quote(reason) },
        };
        self.lost(error, now);
    }

    /// The socket is gone.
    pub(crate) fn lost(&mut self, error: LinkError, now: Moment) {
        if !self.phase.has_socket() {
            return;
        }
        if matches!(self.phase, Phase::Online { since } if now >= since + self.timing.stable) {
            self.is_good();
        }
        self.fail(error, now);
    }

    /// A try, or a connection, has ended with an error.
    fn fail(&mut self, error: LinkError, now: Moment) {
        let newer = self.renewal.newer();
        self.cut();
        self.moving = false;
        // A close with 1008 can mean a token that has expired, or an agent that has slept and lost it.
        let evicted = matches!(error, LinkError::Closed { code: 1008, .. });
        let unauthorized = evicted || error == LinkError::Rejected;
        if unauthorized && !self.fresh_spent {
            if let Some(lease) = newer {
                return self.connect(lease, now);
            }
            self.fresh_spent = true;
            self.phase = Phase::Authorizing;
            self.effects.push_back(Effect::Token { after_rejection: true });
            return;
        }
        self.evictions += u32::from(evicted);
        match error.retry() {
            Retry::Later(_) => self.pause(error, now),
            // It can fall asleep again.
            Retry::Never if evicted && self.evictions < MAX_EVICTIONS => self.pause(error, now),
            Retry::SignIn => self.rest(LinkState::SignInNeeded { why: Some(error) }),
            Retry::Never => self.rest(LinkState::Refused(error)),
        }
    }

    /// Drops the socket and everything that is under way. What was written to it is in doubt.
    pub(super) fn cut(&mut self) {
        if self.phase.has_socket() {
            self.conversation.disconnected();
            self.outbox.lost();
            self.answers.lost();
            self.confirming.lost();
            if let Some(rework) = &mut self.rework {
                rework.lost();
            }
            self.questions = super::Questions::default();
            self.renewal.end();
        }
        self.effects.push_back(Effect::Cut);
    }

    fn pause(&mut self, why: LinkError, now: Moment) {
        self.failures = self.failures.saturating_add(1);
        let usual = self.timing.backoff(self.failures, ids::chance(&*self.entropy));
        let pause = match why.retry() {
            Retry::Later(Some(wanted)) => usual.max(wanted),
            _ => usual,
        };
        self.phase = Phase::Pausing { until: now + pause, pause, why };
    }

    fn rest(&mut self, state: LinkState) {
        self.phase = Phase::Resting(state);
    }
}
