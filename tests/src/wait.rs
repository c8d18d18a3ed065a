//! Waiting for a condition, never for a time.

use std::{
    fmt::Debug,
    time::{Duration, Instant},
};

use crate::{Error, Result};

/// How long anything on a slow machine under load may take. It matters only where something is broken, and is far below what a whole test may take.
pub const PATIENCE: Duration = Duration::from_secs(120);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(25);

/// What a look gives.
#[derive(Debug)]
pub enum Look<T> {
    /// What was waited for.
    There(T),
    /// Not yet; the text says what is there instead.
    NotYet(String),
}

impl<T> Look<T> {
    /// [`Look::There`] if `found`, and what was `seen` instead if not.
    pub fn when(found: Option<T>, seen: impl Debug) -> Self {
        found.map_or_else(|| Self::NotYet(format!("{seen:?}")), Self::There)
    }
}

/// Looks again and again until it is there.
///
/// # Errors
/// [`Error::TimedOut`] with what was seen last; any error of `look` at once.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    until_within(PATIENCE, what, look).await
}

/// [`until`], with another bound.
///
/// # Errors
/// As [`until`].
pub async fn until_within<T>(bound: Duration, what: &str, mut look: impl AsyncFnMut() -> Result<Look<T>>) -> Result<T> {
    let started = Instant::now();
    loop {
        match look().await? {
            Look::There(found) => return Ok(found),
            Look::NotYet(seen) if started.elapsed() > bound => {
                return Err(Error::TimedOut { what: what.to_owned(), bound, seen: format!("Last seen: {seen}") });
            }
            Look::NotYet(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}
