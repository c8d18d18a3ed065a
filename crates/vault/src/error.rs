//! Why a keychain did not do what it was asked.

use std::time::Duration;

/// What is wrong with the keychain, and what to do about it.
///
/// "No entry" is not among these: a missing secret is `Ok(None)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The keychain is there, but this program may not use it.
    #[error("The system's keychain refused access. Allow Callbox to use it, then try again.")]
    Denied,
    /// The keychain is there and locked, and nobody unlocked it.
    #[error("The system's keychain is locked. Unlock it, then try again.")]
    Locked,
    /// There is no keychain to talk to.
    #[error("No keychain is available on this system. Start or install one (for example GNOME Keyring or KWallet), then try again.")]
    Unavailable,
    /// The keychain did not answer within the bound; most likely it is waiting for its own unlock prompt.
    #[error("The system's keychain did not answer within {} seconds. Look for a prompt that asks to unlock it, then try again.", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The keychain does not hold what it was given: it has been replaced, emptied or put back to an earlier state, or keeps nothing at all.
    #[error(
        "The system's keychain is not the one from before, or does not keep what it is given. Sign in again; if that does not last, look at the keychain's own settings."
    )]
    Changed,
    /// The value is larger than [`crate::MAX_LEN`]. It is not kept.
    #[error("A secret of {len} bytes is too large for the system's keychain ({max} at most).")]
    TooLarge { len: usize, max: usize },
    /// Callbox was told not to use a keychain.
    #[error("No keychain is in use in this session. Nothing is kept after it.")]
    NotUsed,
    /// Anything else, in the keychain's own words. Never contains a secret.
    #[error("The system's keychain failed: {0}")]
    Backend(String),
}

impl VaultError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Denied => "keychain-denied",
            Self::Locked => "keychain-locked",
            Self::Unavailable => "keychain-unavailable",
            Self::TimedOut(_) => "keychain-timed-out",
            Self::Changed => "keychain-changed",
            Self::TooLarge { .. } => "keychain-too-large",
            Self::NotUsed => "keychain-not-used",
            Self::Backend(_) => "keychain-failed",
        }
    }

    /// Whether asking again can help, once the user has done what the sentence says.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        !matches!(self, Self::TooLarge { .. } | Self::NotUsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_error_has_its_own_code() {
        let all = [
            VaultError::Denied,
            VaultError::Locked,
            VaultError::Unavailable,
            VaultError::TimedOut(Duration::from_secs(5)),
            VaultError::Changed,
            VaultError::TooLarge { len: 65537, max: 65536 },
            VaultError::NotUsed,
            VaultError::Backend("x".to_owned()),
        ];
        let codes: std::collections::BTreeSet<_> = all.iter().map(VaultError::code).collect();
        assert_eq!(codes.len(), all.len());
        assert!(all[3].to_string().contains("5 seconds"));
    }
}
