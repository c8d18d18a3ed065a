//! The link that comes back from the browser.

/// Why a link was ignored. It changed nothing: attempts that wait go on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Longer than any real one.
    TooLong,
    /// Not an address, a parameter twice, broken encoding, neither code nor error.
    Malformed,
    /// Not the redirect URI of the attempt that its `state` names.
    NotOurs,
    /// No attempt has this `state`.
    Unknown,
    /// The attempt has had its answer.
    AlreadyUsed,
    /// The attempt is over: too old, or cancelled.
    Over,
    /// The app is closing.
    Closed,
}

impl Ignored {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "link-too-long",
            Self::Malformed => "link-malformed",
            Self::NotOurs => "link-not-ours",
            Self::Unknown => "link-unknown",
            Self::AlreadyUsed => "link-already-used",
            Self::Over => "link-over",
            Self::Closed => "session-closed",
        }
    }
}
