//! Accounts that wait for the browser, by `state`, beside the sign-ins that do.

use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use callbox_vault::Secret;
use tokio::{sync::oneshot, time::Instant};

use super::{ConnectError, ConnectedAccount};
use crate::{Ignored, attempts::is_redirect};

/// How many can wait at once; one more ends the oldest.
const MAX_WAITING: usize = 8;
/// How many are remembered, to tell a doubled link from a forged one.
const MAX_REMEMBERED: usize = 32;

/// Everything that one attempt needs when its link comes back.
pub(super) struct Attempt {
    pub(super) state: Secret<String>,
    pub(super) verifier: Secret<String>,
    pub(super) auth_session: Secret<String>,
    pub(super) redirect_uri: String,
    /// For whom: issuer and subject.
    pub(super) owner: (String, String),
    pub(super) connection: String,
    pub(super) scopes: Vec<String>,
    /// Whoever began it.
    pub(super) done: oneshot::Sender<Result<ConnectedAccount, ConnectError>>,
    /// The listener on loopback stops when this is gone.
    pub(super) door: Option<oneshot::Sender<()>>,
}

enum Phase {
    Waiting(Box<Attempt>),
    Used(Secret<String>),
    Over(Secret<String>),
}

struct Entry {
    expires: Instant,
    phase: Phase,
}

impl Entry {
    fn state(&self) -> &Secret<String> {
        match &self.phase {
            Phase::Waiting(attempt) => &attempt.state,
            Phase::Used(state) | Phase::Over(state) => state,
        }
    }

    /// Ends it; whoever began it learns why.
    fn end(&mut self, why: ConnectError) {
        if !matches!(self.phase, Phase::Waiting(_)) {
            return;
        }
        let state = self.state().clone();
        if let Phase::Waiting(attempt) = std::mem::replace(&mut self.phase, Phase::Over(state)) {
            // Whoever does not listen any more needs no reason.
            let _ = attempt.done.send(Err(why));
        }
    }
}

/// All attempts of a session.
#[derive(Default)]
pub(super) struct Attempts(Vec<Entry>);

impl Attempts {
    /// An attempt waits from now on, for this long.
    pub(super) fn open(&mut self, attempt: Attempt, life: Duration, now: Instant) {
        self.sweep(now);
        let waits = |entry: &&mut Entry| matches!(entry.phase, Phase::Waiting(_));
        if self.0.iter_mut().filter(waits).count() >= MAX_WAITING
            && let Some(oldest) = self.0.iter_mut().find(waits)
        {
            oldest.end(ConnectError::Cancelled);
        }
        if self.0.len() >= MAX_REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Entry { expires: now + life, phase: Phase::Waiting(Box::new(attempt)) });
    }

    fn find(&mut self, state: &str) -> Option<&mut Entry> {
        // Every entry is compared: how long this takes tells nothing.
        let mut found = None;
        for entry in &mut self.0 {
            if verify_slices_are_equal(entry.state().expose().as_bytes(), state.as_bytes()).is_ok() {
                found = Some(entry);
            }
        }
        found
    }

    /// Whether a link with this `state` is for one of these.
    pub(super) fn knows(&mut self, state: &str) -> bool {
        self.find(state).is_some()
    }

    /// Takes the attempt that a link with this `state` and this address belongs to. It is taken once.
    ///
    /// # Errors
    /// Why there is none; nothing has changed then.
    pub(super) fn claim(&mut self, state: &str, address: &str, now: Instant) -> Result<Attempt, Ignored> {
        self.sweep(now);
        let entry = self.find(state).ok_or(Ignored::Unknown)?;
        let state = entry.state().clone();
        match &entry.phase {
            Phase::Used(_) => Err(Ignored::AlreadyUsed),
            Phase::Over(_) => Err(Ignored::Over),
            Phase::Waiting(attempt) if !is_redirect(&attempt.redirect_uri, address) => Err(Ignored::NotOurs),
            Phase::Waiting(_) => match std::mem::replace(&mut entry.phase, Phase::Used(state)) {
                Phase::Waiting(attempt) => Ok(*attempt),
                Phase::Used(_) | Phase::Over(_) => Err(Ignored::AlreadyUsed),
            },
        }
    }

    /// Ends all that wait.
    pub(super) fn cancel(&mut self) {
        self.0.iter_mut().for_each(|entry| entry.end(ConnectError::Cancelled));
    }

    /// Ends what is too old.
    pub(super) fn sweep(&mut self, now: Instant) {
        self.0.iter_mut().filter(|entry| entry.expires <= now).for_each(|entry| entry.end(ConnectError::Expired));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REDIRECT: &str = "dev.callbox.desktop://callback";
    const LIFE: Duration = Duration::from_secs(300);

    type Done = oneshot::Receiver<Result<ConnectedAccount, ConnectError>>;

    fn attempt(state: &str) -> (Attempt, Done) {
        let (done, end) = oneshot::channel();
        let secret = |text: &str| Secret::new(text.to_owned());
        let attempt = Attempt {
            state: secret(state),
            verifier: secret("v"),
            auth_session: secret("a"),
            redirect_uri: REDIRECT.to_owned(),
            owner: ("iss".to_owned(), "sub".to_owned()),
            connection: "calendar".to_owned(),
            scopes: Vec::new(),
            done,
            door: None,
        };
        (attempt, end)
    }

    fn opened(states: &[&str], now: Instant) -> (Attempts, Vec<Done>) {
        let mut attempts = Attempts::default();
        let open = |state: &&str| {
            let (attempt, end) = attempt(state);
            attempts.open(attempt, LIFE, now);
            end
        };
        let ends = states.iter().map(open).collect();
        (attempts, ends)
    }

    #[test]
    fn an_attempt_is_taken_once_by_its_own_state_at_its_own_address() {
        let now = Instant::now();
        let (mut attempts, mut ends) = opened(&["one", "two"], now);
        assert!(attempts.knows("two") && !attempts.knows("three") && !attempts.knows(""));
        assert_eq!(attempts.claim("three", REDIRECT, now).err(), Some(Ignored::Unknown));
        assert_eq!(attempts.claim("one", "dev.callbox.desktop://callback/x", now).err(), Some(Ignored::NotOurs));
        assert_eq!(attempts.claim("one", REDIRECT, now).map(|taken| taken.connection), Ok("calendar".to_owned()));
        assert_eq!(attempts.claim("one", REDIRECT, now).err(), Some(Ignored::AlreadyUsed));
        assert_eq!(ends[1].try_recv(), Err(oneshot::error::TryRecvError::Empty), "the other one waits on");
    }

    #[test]
    fn an_attempt_ends_when_it_is_too_old_or_given_up_and_whoever_began_it_hears_why() {
        let now = Instant::now();
        let (mut attempts, mut ends) = opened(&["one"], now);
        assert_eq!(attempts.claim("one", REDIRECT, now + LIFE).err(), Some(Ignored::Over));
        assert_eq!(ends[0].try_recv(), Ok(Err(ConnectError::Expired)));
        let (mut attempts, mut ends) = opened(&["one"], now);
        attempts.cancel();
        assert_eq!(ends[0].try_recv(), Ok(Err(ConnectError::Cancelled)));
        assert_eq!(attempts.claim("one", REDIRECT, now).err(), Some(Ignored::Over));
        let states: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        let (attempts, mut ends) = opened(&states.iter().map(String::as_str).collect::<Vec<_>>(), now);
        assert_eq!(attempts.0.len(), MAX_REMEMBERED);
        assert_eq!(ends.iter_mut().map(|end| end.try_recv().is_err()).filter(|waits| *waits).count(), MAX_WAITING);
    }
}
