//! What can go wrong when a sandbox starts.

use std::{io, net::SocketAddr, path::PathBuf};

/// Why a sandbox could not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The address asked for is taken or not allowed.
    #[error("The address {address} cannot be listened on ({source}). Choose another port, or 0 for any free one.")]
    Bind { address: SocketAddr, source: io::Error },
    /// The sandbox is for this computer alone.
    #[error("The address {0} is not on this computer's loopback. The sandbox listens on 127.0.0.1 only.")]
    NotLoopback(SocketAddr),
    /// A file of the state directory cannot be read or written.
    #[error("The sandbox's state in {path} cannot be used ({source}). Check that the folder is there and that you may write to it.")]
    State { path: PathBuf, source: io::Error },
    /// Another running sandbox has the state directory.
    #[error("The sandbox's state in {0} is in use by another running Callbox. Close it first.")]
    InUse(PathBuf),
    /// The signing key could not be made or read.
    #[error("The sandbox's signing key could not be made ({0}).")]
    Key(String),
    /// The model's address or the HTTP client for it is unusable.
    #[error("The model endpoint cannot be used ({0}). Check OPENAI_BASE_URL.")]
    Model(String),
}

impl SandboxError {
    /// A stable name of the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Bind { .. } => "sandbox-bind",
            Self::NotLoopback(_) => "sandbox-not-loopback",
            Self::State { .. } => "sandbox-state",
            Self::InUse(_) => "sandbox-in-use",
            Self::Key(_) => "sandbox-key",
            Self::Model(_) => "sandbox-model",
        }
    }

    /// Whether the same start can succeed later without a change by the user.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Bind { .. } | Self::InUse(_))
    }
}
