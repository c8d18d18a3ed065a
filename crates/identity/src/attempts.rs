//! Sign-ins that wait for the browser.

/// Names one sign-in attempt of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AttemptId(pub(crate) u64);
