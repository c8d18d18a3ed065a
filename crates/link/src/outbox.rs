//! Where messages are kept until the agent has confirmed them.

use callbox_identity::Retry;
use callbox_protocol::UiMessage;
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use crate::DeliveryError;

/// A message that the agent has not confirmed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxEntry {
    pub message: UiMessage,
    /// It may have been written to a socket, so the agent may have it.
    pub tried: bool,
    /// It is not sent again by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<DeliveryError>,
}

/// The messages of one conversation that are on their way, on a disk or whatever else outlives the process.
///
/// A link calls one at a time and waits for the end of it. A message is written to a socket only after it has been saved as tried, and whoever
/// sends it learns that it is safe only after it has been saved.
pub trait OutboxStore: Send + Sync {
    /// All entries, in the order in which they were first saved.
    fn load(&self) -> BoxFuture<'static, Result<Vec<OutboxEntry>, OutboxError>>;

    /// Keeps an entry, in place of the one with the same message id if there is one. Durable when it returns.
    fn save(&self, entry: OutboxEntry) -> BoxFuture<'static, Result<(), OutboxError>>;

    /// Forgets an entry; one that is not there is fine.
    fn remove(&self, message_id: String) -> BoxFuture<'static, Result<(), OutboxError>>;
}

/// Why the outbox could not be read or written: the keeper's error, as far as a link has to know it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct OutboxError {
    /// A stable name for translation and tests.
    pub code: &'static str,
    /// A sentence that says what happened and what to do.
    pub text: String,
    /// How to go on.
    pub retry: Retry,
}
