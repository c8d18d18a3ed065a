//! When an access token is good enough, and how to go on after a refresh that failed. No I/O.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use callbox_vault::Secret;
use tokio::time::Instant;

use crate::{AccessToken, Trouble, dpop::Prover, token::Refusal};

/// An access token is handed out if it is good for this much longer …
const MARGIN: Duration = Duration::from_secs(60);
/// … or for this part of its life, if that is less.
const MARGIN_PART: u32 = 10;
/// The pause after a first refusal that does not say how long; doubled with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const MAX_PAUSE: Duration = Duration::from_secs(60);

/// An access token with its age.
pub(crate) struct Held {
    pub(crate) token: AccessToken,
    since: Instant,
    since_wall: SystemTime,
}

impl Held {
    /// Good for `lifetime`, and handed out until shortly before its end. `since`, `since_wall`: when its request was sent, so that its age is never underestimated.
    pub(crate) fn new(token: Secret<String>, lifetime: Duration, since: Instant, since_wall: SystemTime) -> Self {
        let margin = MARGIN.min(lifetime / MARGIN_PART);
        let token = AccessToken::new(token, since + (lifetime - margin), since + lifetime);
        Self { token, since, since_wall }
    }

    /// The same, bound to a key if there is somebody who has it.
    pub(crate) fn bound(self, prover: Option<Arc<Prover>>) -> Self {
        Self { token: self.token.bound(prover), ..self }
    }

    /// One that another process was given at `since`. `None` if it cannot be handed out now, or if the clocks do not tell how old it is.
    pub(crate) fn found(token: Secret<String>, lifetime: Duration, since: SystemTime, now: Instant, wall: SystemTime) -> Option<Self> {
        let age = wall.duration_since(since).ok()?;
        let held = Self::new(token, lifetime, now.checked_sub(age)?, since);
        held.is_fresh(now, wall).then_some(held)
    }

    /// The token, how long it is good, and since when.
    pub(crate) fn parts(&self) -> (Secret<String>, Duration, SystemTime) {
        (self.token.secret().clone(), self.token.expires() - self.since, self.since_wall)
    }

    /// Whether it can be handed out. The monotonic clock decides; where it stood still while the computer slept, the wall clock knows better.
    /// A wall clock that is set back changes nothing, one that is set forward costs one refresh.
    pub(crate) fn is_fresh(&self, now: Instant, wall: SystemTime) -> bool {
        let slept = wall.duration_since(self.since_wall).unwrap_or_default();
        let fresh_for = self.token.fresh_until() - self.since;
        now.saturating_duration_since(self.since).max(slept) < fresh_for
    }
}

/// How to go on after a refusal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Present the same token again, now.
    Again,
    /// See whether the vault holds a newer one.
    AskVault,
    /// Tell the callers.
    GiveUp,
}

/// `again`: whether the same token has been presented again already.
pub(crate) fn next(refusal: &Refusal, again: bool) -> Next {
    match refusal {
        // The tenant may have rotated the token. If it gives a grace period, that runs now; if it gives none, nothing is left to lose.
        Refusal::Trouble(trouble) if trouble.may_have_happened() && !again => Next::Again,
        Refusal::InvalidGrant => Next::AskVault,
        _ => Next::GiveUp,
    }
}

/// Keeps a tenant that asked for it from being asked too often. A network that is down is not held against it.
#[derive(Debug, Default)]
pub(crate) struct Pause {
    failures: u32,
    until: Option<(Instant, Trouble)>,
}

impl Pause {
    pub(crate) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(crate) fn failed(&mut self, trouble: &Trouble, now: Instant) {
        let (Trouble::RateLimited { retry_in } | Trouble::Unwell { retry_in, .. }) = trouble else { return };
        let usual = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(self.failures)).min(MAX_PAUSE);
        self.failures = self.failures.saturating_add(1);
        self.until = Some((now + retry_in.unwrap_or(usual), trouble.clone()));
    }

    /// The refusal that still holds, with the time that is left of it.
    pub(crate) fn holds(&self, now: Instant) -> Option<Trouble> {
        let (until, trouble) = self.until.as_ref()?;
        let left = until.checked_duration_since(now).filter(|left| !left.is_zero())?;
        Some(match trouble {
            Trouble::Unwell { status, .. } => Trouble::Unwell { status: *status, retry_in: Some(left) },
            _ => Trouble::RateLimited { retry_in: Some(left) },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{TenantError, fetch::tests::reply, token};

    fn held(lifetime: u64, since: Instant) -> Held {
        let body = r#"{"access_token": "a", "token_type": "Bearer"}"#;
        let grant = token::read(&reply(200, &[], body), SystemTime::UNIX_EPOCH).ok().unwrap().rest.grant().ok().unwrap();
        Held::new(grant.access, Duration::from_secs(lifetime), since, SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn a_token_is_good_with_a_minute_left_or_a_tenth_of_its_life() {
        let start = Instant::now();
        for (lifetime, age, fresh) in
            [(3600, 0, true), (3600, 3539, true), (3600, 3540, false), (100, 89, true), (100, 90, false), (0, 0, false)]
        {
            let now = start + Duration::from_secs(age);
            assert_eq!(held(lifetime, start).is_fresh(now, SystemTime::UNIX_EPOCH), fresh, "{age} of {lifetime}");
        }
    }

    #[test]
    fn a_wall_clock_that_went_on_while_the_computer_slept_ages_it_and_one_set_back_does_not() {
        let start = Instant::now();
        let held = held(3600, start);
        assert!(!held.is_fresh(start, SystemTime::UNIX_EPOCH + Duration::from_secs(7200)));
        assert!(held.is_fresh(start, SystemTime::UNIX_EPOCH - Duration::from_secs(7200)));
        assert!(!held.is_fresh(start + Duration::from_secs(3600), SystemTime::UNIX_EPOCH - Duration::from_secs(7200)));
    }

    #[test]
    fn a_token_that_another_process_was_given_is_as_old_as_the_wall_says_and_none_if_the_wall_was_set_back() {
        let (now, wall) = (Instant::now() + Duration::from_secs(10_000), SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000));
        let found = |age: i64| {
            let since =
                if age < 0 { wall + Duration::from_secs(age.unsigned_abs()) } else { wall - Duration::from_secs(age.unsigned_abs()) };
            Held::found("at".into(), Duration::from_secs(3600), since, now, wall)
        };
        let held = found(1000).unwrap();
        assert_eq!(held.token.expires(), now + Duration::from_secs(2600));
        assert!(held.is_fresh(now + Duration::from_secs(2539), wall) && !held.is_fresh(now + Duration::from_secs(2540), wall));
        assert!(found(0).is_some() && found(3539).is_some());
        assert!(found(3540).is_none() && found(-1).is_none());
    }

    #[test]
    fn the_same_token_is_presented_again_once_and_only_after_a_reply_that_may_have_been_lost() {
        let unwell = |status| Trouble::Unwell { status, retry_in: None };
        for trouble in [Trouble::ReplyLost, Trouble::TimedOut, unwell(502), unwell(504)] {
            assert_eq!(next(&Refusal::Trouble(trouble.clone()), false), Next::Again, "{trouble:?}");
            assert_eq!(next(&Refusal::Trouble(trouble), true), Next::GiveUp);
        }
        let limited = Trouble::RateLimited { retry_in: None };
        for trouble in [
            Trouble::Unreachable,
            limited,
            unwell(500),
            unwell(503),
            Trouble::Intercepted { status: 200 },
            Trouble::NonceLoop,
            Trouble::Crashed,
        ] {
            assert_eq!(next(&Refusal::Trouble(trouble.clone()), false), Next::GiveUp, "{trouble:?}");
        }
    }

    #[test]
    fn only_invalid_grant_asks_whether_the_session_is_over() {
        assert_eq!(next(&Refusal::InvalidGrant, false), Next::AskVault);
        assert_eq!(next(&Refusal::InvalidGrant, true), Next::AskVault);
        let error = TenantError::new("invalid_client", None);
        assert_eq!(next(&Refusal::Configuration(error.clone()), false), Next::GiveUp);
        assert_eq!(next(&Refusal::Proof(error.clone()), false), Next::GiveUp);
        assert_eq!(next(&Refusal::Interaction(error), false), Next::GiveUp);
    }

    #[test]
    fn a_tenant_that_asks_for_a_pause_gets_it() {
        let start = Instant::now();
        let mut pause = Pause::default();
        pause.failed(&Trouble::RateLimited { retry_in: Some(Duration::from_secs(7)) }, start);
        let left = pause.holds(start + Duration::from_secs(2));
        assert_eq!(left, Some(Trouble::RateLimited { retry_in: Some(Duration::from_secs(5)) }));
        assert_eq!(pause.holds(start + Duration::from_secs(7)), None);
    }

    #[test]
    fn pauses_double_up_to_a_minute_and_a_success_ends_them() {
        let start = Instant::now();
        let mut pause = Pause::default();
        let mut seconds = Vec::new();
        for _ in 0..9 {
            pause.failed(&Trouble::Unwell { status: 503, retry_in: None }, start);
            seconds.push(pause.holds(start).unwrap().retry_in().unwrap().as_secs());
        }
        assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
        pause.succeeded();
        assert_eq!(pause.holds(start), None);
    }

    #[test]
    fn a_network_that_is_down_needs_no_pause() {
        let start = Instant::now();
        let mut pause = Pause::default();
        for trouble in [Trouble::Unreachable, Trouble::TimedOut, Trouble::ReplyLost, Trouble::Intercepted { status: 302 }] {
            pause.failed(&trouble, start);
            assert_eq!(pause.holds(start), None, "{trouble:?}");
        }
    }
}
