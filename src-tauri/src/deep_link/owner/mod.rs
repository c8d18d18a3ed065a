//! Which program the system would start for a link of ours.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "macos")]
mod macos;
#[cfg(any(windows, test))]
mod registry;
#[cfg(windows)]
mod windows;

use std::path::PathBuf;

#[cfg(target_os = "linux")]
pub(crate) use self::linux::owner;
#[cfg(target_os = "macos")]
pub(crate) use self::macos::owner;
#[cfg(windows)]
pub(crate) use self::windows::owner;

/// Whose our scheme is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// This very program.
    Us,
    /// Nobody's: the window registers it when it starts.
    Nobody,
    /// Another program, or this one at another place.
    Other(PathBuf),
    /// This system cannot be asked.
    Unknown,
}
