//! A disk: what was saved is there after a crash, whether or not anybody still waited for it.

use std::sync::{Arc, Mutex};

use callbox_identity::Retry;
use callbox_link::{OutboxEntry, OutboxError, OutboxStore};
use futures_util::future::BoxFuture;
use tokio::time::sleep;

use crate::{chance::Chance, weather::Weather};

#[derive(Clone)]
pub(crate) struct Disk {
    chance: Chance,
    weather: Weather,
    entries: Arc<Mutex<Vec<OutboxEntry>>>,
}

impl Disk {
    pub(crate) fn new(chance: Chance, weather: Weather) -> Self {
        Self { chance, weather, entries: Arc::default() }
    }

    pub(crate) fn ids(&self) -> Vec<String> {
        self.entries.lock().unwrap().iter().map(|entry| entry.message.id.clone()).collect()
    }

    /// Takes its time, before and after: a crash can come on either side of what it does.
    fn does<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<OutboxEntry>) -> T + Send + 'static,
    ) -> BoxFuture<'static, Result<T, OutboxError>> {
        let own = self.clone();
        Box::pin(async move {
            sleep(own.chance.delay(40)).await;
            if own.weather.strikes(3) {
                return Err(OutboxError { code: "store-disk-full", text: "The disk is full.".to_owned(), retry: Retry::Later(None) });
            }
            let done = work(&mut own.entries.lock().unwrap());
            sleep(own.chance.delay(40)).await;
            Ok(done)
        })
    }
}

impl OutboxStore for Disk {
    fn load(&self) -> BoxFuture<'static, Result<Vec<OutboxEntry>, OutboxError>> {
        // A start that cannot read its disk is another story.
        let entries = self.entries.lock().unwrap().clone();
        Box::pin(async move { Ok(entries) })
    }

    fn save(&self, entry: OutboxEntry) -> BoxFuture<'static, Result<(), OutboxError>> {
        self.does(move |entries| match entries.iter_mut().find(|known| known.message.id == entry.message.id) {
            Some(known) => *known = entry,
            None => entries.push(entry),
        })
    }

    fn remove(&self, message_id: String) -> BoxFuture<'static, Result<(), OutboxError>> {
        self.does(move |entries| entries.retain(|known| known.message.id != message_id))
    }
}
