//! Every period that a link waits for, in one place.

use std::time::Duration;

/// How long a link waits, and for what. The default is for people; tests that need a real socket shorten it.
#[derive(Debug, Clone, PartialEq)]
pub struct Timing {
    /// For a handshake to be answered.
    pub handshake: Duration,
    /// For the messages of a conversation to begin to arrive, and then for each further piece of them.
    pub history: Duration,
    /// Without a word from the agent before it is pinged, and between pings.
    pub ping: Duration,
    /// Without a word from the agent, pongs included, until the socket counts as dead.
    pub silence: Duration,
    /// For an answer to the ping of [`crate::Link::reconnect`] and [`crate::Link::wake`].
    pub check: Duration,
    /// Before the second try; the first is immediate.
    pub backoff_base: Duration,
    /// How much longer each further pause is.
    pub backoff_factor: f64,
    /// The longest pause.
    pub backoff_cap: Duration,
    /// A connection that has lasted this long is a good one: tries and token refreshes count anew.
    pub stable: Duration,
    /// After a submit, until the agent is asked whether it works on it.
    pub first_answer: Duration,
    /// Between two pieces of an answer, likewise.
    pub next_answer: Duration,
    /// After the agent said that a turn is pending, likewise.
    pub pending: Duration,
    /// After an acknowledgement, likewise.
    pub acknowledged: Duration,
    /// After a cancel, likewise.
    pub cancelled: Duration,
    /// For the answer to such a question.
    pub probe: Duration,
    /// On a new socket, until a message that was written to the one before and is not stored counts as lost: as long as it may take to arrive.
    pub doubt: Duration,
    /// For the agent's confirmation of a decision, or of a tool's result.
    pub decision: Duration,
    /// For a call of somebody else's to get a result from whoever asked for it, before a tool of ours that changes nothing is run for it.
    pub left_alone: Duration,
    /// For a tool of this client's to end.
    pub tool: Duration,
    /// Between two updates of a subscriber.
    pub frame: Duration,
    /// For the last frames to leave when a link is closed.
    pub goodbye: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            handshake: seconds(15),
            history: seconds(20),
            ping: seconds(20),
            silence: seconds(40),
            check: seconds(5),
            backoff_base: Duration::from_millis(500),
            backoff_factor: 1.7,
            backoff_cap: seconds(30),
            stable: seconds(10),
            first_answer: seconds(15),
            next_answer: seconds(30),
            pending: seconds(60),
            acknowledged: seconds(5),
            cancelled: seconds(3),
            probe: seconds(5),
            doubt: seconds(3),
            decision: seconds(5),
            left_alone: seconds(5),
            tool: seconds(60),
            frame: Duration::from_millis(16),
            goodbye: seconds(1),
        }
    }
}

impl Timing {
    /// The pause after `failures` failed tries in a row: exponential, with jitter, between half of it and all of it. `chance` is random.
    pub(crate) fn backoff(&self, failures: u32, chance: u16) -> Duration {
        let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX).min(64);
        let full = self.backoff_base.as_secs_f64() * self.backoff_factor.powi(exponent);
        let full = full.min(self.backoff_cap.as_secs_f64());
        Duration::from_secs_f64(full * (0.5 + f64::from(chance) / f64::from(u16::MAX) / 2.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_the_cap_and_jitter_takes_at_most_half() {
        let timing = Timing::default();
        let full: Vec<u128> = (1..12).map(|failures| timing.backoff(failures, u16::MAX).as_millis()).collect();
        assert_eq!(full, [500, 850, 1445, 2456, 4176, 7099, 12068, 20516, 30000, 30000, 30000]);
        assert_eq!(timing.backoff(1, 0), Duration::from_millis(250));
        assert_eq!(timing.backoff(u32::MAX, 0), Duration::from_secs(15));
    }

    #[test]
    fn a_half_open_socket_is_noticed_within_45_seconds() {
        let timing = Timing::default();
        assert!(timing.silence > timing.ping, "a ping comes first");
        assert!(timing.silence <= Duration::from_secs(45));
    }
}
