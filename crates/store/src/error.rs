//! What can go wrong, as types.

use std::path::PathBuf;

use rusqlite::ErrorCode;

/// How to go on after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// The same call can succeed later, when the reason has passed or somebody has removed it.
    Later,
    /// The same call will fail again.
    Never,
}

/// Why the store could not be opened, read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The file is sealed under another key.
    #[error("The list of conversations on this computer is locked with a key that is no longer there.")]
    WrongKey,
    /// The file is not a database, or parts of it are not what they were.
    #[error("The list of conversations on this computer is damaged.")]
    Corrupt,
    /// A newer version of the app has changed the file's form.
    #[error("The list of conversations was written by a newer version of the app. Update the app to see it.")]
    Newer {
        /// `user_version` of the file.
        found: u32,
        /// The newest that this version knows.
        known: u32,
    },
    /// No room.
    #[error("The disk is full. Make room, then try again; the change was not kept.")]
    DiskFull,
    /// The file or its folder may only be read.
    #[error("The list of conversations may not be written to. Check the permissions of the app's data folder.")]
    ReadOnly,
    /// The file could not be opened or made.
    #[error("The list of conversations could not be opened. Check that the app's data folder exists and that you may use it.")]
    CannotOpen,
    /// Another process keeps the file locked.
    #[error("The list of conversations is in use by another program. Try again in a moment.")]
    Busy,
    /// The disk did not do as it was told.
    #[error("The disk could not be read or written. Try again; if it happens again, check the disk.")]
    Io,
    /// The conversation has been forgotten meanwhile.
    #[error("The conversation is no longer on this computer, so nothing was kept in it. Begin a new one.")]
    NoConversation,
    /// A defect of this app. The text is SQLite's and contains nothing of the user's.
    #[error("An internal step of the list of conversations failed ({0}). Please report it.")]
    Internal(String),
}

impl StoreError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::WrongKey => "store-wrong-key",
            Self::Corrupt => "store-corrupt",
            Self::Newer { .. } => "store-newer",
            Self::DiskFull => "store-disk-full",
            Self::ReadOnly => "store-read-only",
            Self::CannotOpen => "store-cannot-open",
            Self::Busy => "store-busy",
            Self::Io => "store-io",
            Self::NoConversation => "store-no-conversation",
            Self::Internal(_) => "store-internal",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::DiskFull | Self::ReadOnly | Self::CannotOpen | Self::Busy | Self::Io => Retry::Later,
            Self::WrongKey | Self::Corrupt | Self::Newer { .. } | Self::NoConversation | Self::Internal(_) => Retry::Never,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let code = error.sqlite_error_code();
        match code {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt,
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::CannotOpen) => Self::CannotOpen,
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::SystemIoFailure) => Self::Io,
            Some(code) => Self::Internal(format!("{code:?}")),
            // A column of another type than ours was found: somebody else has written to the file.
            None if matches!(error, rusqlite::Error::InvalidColumnType(..) | rusqlite::Error::IntegralValueOutOfRange(..)) => Self::Corrupt,
            None => Self::Internal("not a failure of the disk".to_owned()),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory | std::io::ErrorKind::IsADirectory => Self::CannotOpen,
            _ => Self::Io,
        }
    }
}

/// The store was opened empty because the old file could not be read. The old one is still there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why} A new list was begun; the conversations themselves are still with the agent. The old file was kept as {}.", .old.display())]
pub struct Replaced {
    /// What was wrong with the old file: [`StoreError::WrongKey`] or [`StoreError::Corrupt`].
    pub why: StoreError,
    /// Where the old file is now.
    pub old: PathBuf,
}

impl Replaced {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.why {
            StoreError::WrongKey => "store-replaced-wrong-key",
            _ => "store-replaced-corrupt",
        }
    }
}
