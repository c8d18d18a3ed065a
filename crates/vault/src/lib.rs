//! Secrets in the OS keychain: bounded in time, honest about failure.
//!
//! A [`Vault`] keeps small secrets in the keychain of the operating system: Secret Service on Linux, the login keychain on macOS, the
//! Credential Manager on Windows. What it promises:
//!
//! - **No call blocks for longer than its bound** (5 seconds), whatever the keychain does. The keychain is talked to on one thread of its
//!   own, which is detached: a call that hangs at an unlock prompt keeps neither the window from opening nor the process from exiting.
//! - **"No entry" is not an error**, and denied, locked, unavailable and timed out are four different ones ([`VaultError`]).
//! - **Nothing is refused silently, nothing falls back to plain text.** A value that could not be written to the keychain is kept in memory
//!   for the rest of the session, the caller is told so ([`Kept::SessionOnly`]), and [`Vault::state`] says it to everybody else.
//! - **Writes happen in the order in which they were asked for**, also when a caller has stopped waiting: what was asked for last is what
//!   the keychain holds in the end.
//! - **What is kept was read back**, and what does not fit into one entry is split so that a crash leaves the old value or the new one.
//! - Values are raw bytes in a [`Secret`], which is zeroed on drop and has no readable `Debug`.

mod backend;
mod dump;
mod error;
mod secret;
mod split;
mod system;
mod vault;
mod worker;

pub use backend::Backend;
pub use dump::forbid_core_dumps;
pub use error::VaultError;
pub use secret::Secret;
pub use vault::{ENTRY_LEN, Health, Kept, MAX_LEN, Vault};
