//! Wall-clock time, passed in. Monotonic time is `tokio::time::Instant`, which tests can pause and move.

use std::time::SystemTime;

/// What time it is.
pub trait Clock: Send + Sync + 'static {
    /// Now, as this computer believes it to be.
    fn now(&self) -> SystemTime;
}

/// The computer's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}
