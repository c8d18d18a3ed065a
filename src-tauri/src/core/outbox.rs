//! The outbox of a conversation, in the store of this computer.

use std::sync::Arc;

use callbox_identity::Retry;
use callbox_link::{OutboxEntry, OutboxError, OutboxStore};
use callbox_store::{Store, StoreError};
use futures_util::future::BoxFuture;

use super::view;

#[derive(Clone)]
pub(super) struct StoredOutbox {
    pub(super) store: Arc<Store>,
    pub(super) account: String,
    pub(super) conversation: String,
}

impl StoredOutbox {
    /// Runs something that waits for the disk.
    fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, OutboxError> + Send + 'static,
    ) -> BoxFuture<'static, Result<T, OutboxError>> {
        let own = self.clone();
        Box::pin(async move {
            let closing = || OutboxError { code: "session-closed", text: view::closing().text, retry: Retry::Never };
            tokio::task::spawn_blocking(move || work(&own)).await.unwrap_or_else(|_| Err(closing()))
        })
    }
}

impl OutboxStore for StoredOutbox {
    fn load(&self) -> BoxFuture<'static, Result<Vec<OutboxEntry>, OutboxError>> {
        self.run(|own| {
            let bodies = own.store.outgoing(&own.account, &own.conversation).map_err(outbox_error)?;
            let read = |body: &Vec<u8>| {
                let entry = serde_json::from_slice(body);
                if entry.is_err() {
                    tracing::warn!("a message in the outbox is of a form that this version does not know; it is left there");
                }
                entry.ok()
            };
            Ok(bodies.iter().filter_map(read).collect())
        })
    }

    fn save(&self, entry: OutboxEntry) -> BoxFuture<'static, Result<(), OutboxError>> {
        self.run(move |own| {
            let body = serde_json::to_vec(&entry).map_err(|error| outbox_error(StoreError::Internal(error.to_string())))?;
            own.store.put_outgoing(&own.account, &own.conversation, &entry.message.id, &entry.message.text(), &body).map_err(outbox_error)
        })
    }

    fn remove(&self, message_id: String) -> BoxFuture<'static, Result<(), OutboxError>> {
        self.run(move |own| own.store.remove_outgoing(&own.account, &own.conversation, &message_id).map_err(outbox_error))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "passed to map_err")]
fn outbox_error(error: StoreError) -> OutboxError {
    let retry = match error.retry() {
        callbox_store::Retry::Later => Retry::Later(None),
        callbox_store::Retry::Never => Retry::Never,
    };
    OutboxError { code: error.code(), text: error.to_string(), retry }
}
