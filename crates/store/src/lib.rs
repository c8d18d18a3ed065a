//! The list of conversations, the messages that are on their way, and the texts that nobody has sent yet, on the disk.
//!
//! A [`Store`] is one SQLite file for all accounts of this installation. What it promises:
//!
//! - **What was written is there after a crash**: write-ahead log, full synchronisation, one transaction for each change.
//! - **The file tells a thief little.** Titles, messages and texts are sealed with AES-256-GCM, each to its own row; accounts are named by a keyed hash.
//!   The key is the caller's, who keeps it in the keychain. Ids and times are not sealed.
//! - **A file that cannot be read is no dead end.** With the wrong key or after damage, the old file is renamed, an empty one takes its place, and
//!   [`Store::replaced`] says so. A file of a newer version is left alone.
//! - **Errors are typed** ([`StoreError`]): a full disk, a disk that may not be written to and a busy file are different things.
//!
//! Calls block for as long as the disk takes, a few milliseconds. Schema versions are SQLite's `user_version`; migrations run on opening,
//! each in a transaction.

mod adopt;
mod drafts;
mod error;
mod files;
mod outbox;
mod schema;
mod seal;
mod store;

pub use drafts::Draft;
pub use error::{Replaced, Retry, StoreError};
pub use store::{Conversation, Store};
