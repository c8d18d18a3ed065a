//! How a link gets to a `callbox login` that waits for it.
//!
//! The system starts a new process for each link of ours. Before that becomes a window, or hands the link to the one that runs, it asks every
//! sign-in that waits in a terminal whether the link is its own: over a socket in the user's runtime folder that nobody else can open. Where there
//! is no such folder, a sign-in in a terminal comes back by way of loopback only.

#[cfg(not(unix))]
mod elsewhere;
#[cfg(unix)]
mod unix;

#[cfg(not(unix))]
pub(crate) use self::elsewhere::{Letter, Letterbox, hand_over};
#[cfg(unix)]
pub(crate) use self::unix::{Letter, Letterbox, hand_over};
