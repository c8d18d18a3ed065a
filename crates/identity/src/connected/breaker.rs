//! Keeps a person from being sent to the same page again and again: an agent says "not authorized" for everything that goes wrong between it, the
//! tenant and the service.

use std::time::Duration;

use tokio::time::Instant;

/// For how long an agent that asks for what was just given is believed to be wrong.
const PERIOD: Duration = Duration::from_secs(300);
const MAX_REMEMBERED: usize = 32;

/// What was connected lately.
#[derive(Default)]
pub(super) struct Breaker(Vec<Given>);

struct Given {
    connection: String,
    scopes: Vec<String>,
    at: Instant,
}

impl Breaker {
    /// An account was connected with these scopes.
    pub(super) fn connected(&mut self, connection: &str, scopes: &[String], now: Instant) {
        self.0.retain(|given| given.connection != connection);
        if self.0.len() >= MAX_REMEMBERED {
            self.0.remove(0);
        }
        self.0.push(Given { connection: connection.to_owned(), scopes: scopes.to_vec(), at: now });
    }

    /// How long it is to be left alone, if this was given a moment ago.
    pub(super) fn holds(&self, connection: &str, scopes: &[String], now: Instant) -> Option<Duration> {
        let given = self.0.iter().find(|given| given.connection == connection)?;
        let left = PERIOD.checked_sub(now.saturating_duration_since(given.at)).filter(|left| !left.is_zero())?;
        scopes.iter().all(|scope| given.scopes.contains(scope)).then_some(left)
    }

    /// The account of this connection is no more, so it may be asked for.
    pub(super) fn disconnected(&mut self, connection: &str) {
        self.0.retain(|given| given.connection != connection);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_a_moment_ago_is_not_asked_for_again_and_more_than_that_is() {
        let (mut breaker, now) = (Breaker::default(), Instant::now());
        let scopes = |list: &[&str]| list.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>();
        breaker.connected("calendar", &scopes(&["read", "write"]), now);
        let later = now + Duration::from_secs(60);
        assert_eq!(breaker.holds("calendar", &scopes(&["read"]), later), Some(Duration::from_secs(240)));
        assert_eq!(breaker.holds("calendar", &scopes(&[]), later), Some(Duration::from_secs(240)));
        assert_eq!(breaker.holds("calendar", &scopes(&["read", "delete"]), later), None);
        assert_eq!(breaker.holds("mail", &scopes(&["read"]), later), None);
        assert_eq!(breaker.holds("calendar", &scopes(&["read"]), now + PERIOD), None);
        breaker.disconnected("calendar");
        assert_eq!(breaker.holds("calendar", &scopes(&["read"]), later), None);
        for n in 0..100 {
            breaker.connected(&n.to_string(), &[], now);
        }
        assert_eq!(breaker.0.len(), MAX_REMEMBERED);
    }
}
