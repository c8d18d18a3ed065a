//! What can go wrong on the way.

use std::{io, time::Duration};

use thirtyfour::error::WebDriverError;

/// The result of every step.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a step did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no desktop to run on: {0} is not set. Use `cargo xtask test --only e2e`, or `cargo xtask desktop -- COMMAND`")]
    NoDesktop(&'static str),
    #[error("{what}: {source}")]
    Io { what: String, source: io::Error },
    #[error("{what}: {source}")]
    WebDriver { what: String, source: WebDriverError },
    #[error("not within {bound:?}: {what}. {seen}")]
    TimedOut { what: String, bound: Duration, seen: String },
    /// Something was there and was not as it has to be.
    #[error("{0}")]
    Unexpected(String),
}

impl Error {
    /// [`Error::Unexpected`].
    pub fn unexpected(text: impl Into<String>) -> Self {
        Self::Unexpected(text.into())
    }
}

/// Says what was being done when it failed.
pub trait While<T> {
    /// # Errors
    /// The error with `what` in front.
    fn doing(self, what: impl Into<String>) -> Result<T>;
}

impl<T> While<T> for io::Result<T> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::Io { what: what.into(), source })
    }
}

impl<T> While<T> for Result<T, WebDriverError> {
    fn doing(self, what: impl Into<String>) -> Result<T> {
        self.map_err(|source| Error::WebDriver { what: what.into(), source })
    }
}

/// An error unless `condition` holds.
///
/// # Errors
/// [`Error::Unexpected`] with `otherwise`.
pub fn ensure(condition: bool, otherwise: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::Unexpected(otherwise())) }
}
