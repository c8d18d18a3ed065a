//! Does for the outbox's store what the machine wants, one thing after the other.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use futures_util::future::BoxFuture;
use tokio::sync::oneshot;

use crate::{CommandError, OutboxEntry, OutboxError, OutboxStore};

type Reply = oneshot::Sender<Result<String, CommandError>>;

enum Job {
    Save { number: u64, entry: OutboxEntry },
    Remove { message_id: String },
}

/// Something that has ended.
pub(crate) enum Done {
    Saved(Saved),
    Removed { message_id: String, outcome: Result<(), OutboxError> },
}

/// A save that has ended.
pub(crate) struct Saved {
    pub(crate) number: u64,
    message_id: String,
    outcome: Result<(), OutboxError>,
}

impl Saved {
    pub(crate) fn is_well(&self) -> bool {
        self.outcome.is_ok()
    }
}

pub(crate) struct Keeper {
    /// `None`: everything is as safe as it gets at once.
    store: Option<Arc<dyn OutboxStore>>,
    /// What goes on. One thing at a time, so that the last word on a message is the last that is kept.
    job: Option<BoxFuture<'static, Done>>,
    jobs: VecDeque<Job>,
    /// Who waits to hear that this message is safe.
    senders: HashMap<String, Reply>,
}

impl Keeper {
    pub(crate) fn new(store: Option<Arc<dyn OutboxStore>>) -> Self {
        Self { store, job: None, jobs: VecDeque::new(), senders: HashMap::new() }
    }

    /// What an earlier link could not deliver.
    pub(crate) fn load(&self) -> BoxFuture<'static, Result<Vec<OutboxEntry>, OutboxError>> {
        match &self.store {
            Some(store) => store.load(),
            None => Box::pin(async { Ok(Vec::new()) }),
        }
    }

    pub(crate) fn save(&mut self, number: u64, entry: OutboxEntry) {
        self.jobs.push_back(Job::Save { number, entry });
    }

    pub(crate) fn remove(&mut self, message_id: String) {
        self.jobs.push_back(Job::Remove { message_id });
    }

    /// `sender` learns what becomes of the next save of this message.
    pub(crate) fn promise(&mut self, message_id: String, sender: Reply) {
        self.senders.insert(message_id, sender);
    }

    /// The next thing that has ended. Safe to cancel. Never ends while there is nothing to do.
    pub(crate) async fn next(&mut self) -> Done {
        match self.step().await {
            Some(done) => done,
            None => std::future::pending().await,
        }
    }

    /// Tells whoever sent the message.
    pub(crate) fn answer(&mut self, Saved { message_id, outcome, .. }: Saved) {
        if let Some(sender) = self.senders.remove(&message_id) {
            // Whoever asked and does not listen any more has what it wanted nevertheless.
            let _ = sender.send(outcome.map(|()| message_id).map_err(CommandError::NotSaved));
        }
    }

    /// Does everything that is left to do.
    pub(crate) async fn finish(mut self) {
        while let Some(done) = self.step().await {
            if let Done::Saved(saved) = done {
                self.answer(saved);
            }
        }
    }

    /// Does one thing. `None`: there is nothing to do.
    async fn step(&mut self) -> Option<Done> {
        if self.job.is_none() {
            self.job = Some(run(self.store.clone(), self.jobs.pop_front()?));
        }
        let done = self.job.as_mut()?.await;
        self.job = None;
        Some(done)
    }
}

fn run(store: Option<Arc<dyn OutboxStore>>, job: Job) -> BoxFuture<'static, Done> {
    Box::pin(async move {
        match job {
            Job::Save { number, entry } => {
                let message_id = entry.message.id.clone();
                let outcome = match store {
                    Some(store) => store.save(entry).await,
                    None => Ok(()),
                };
                if let Err(error) = &outcome {
                    tracing::warn!(code = error.code, "a message could not be kept in the outbox");
                }
                Done::Saved(Saved { number, message_id, outcome })
            }
            Job::Remove { message_id } => {
                let outcome = match store {
                    Some(store) => store.remove(message_id.clone()).await,
                    None => Ok(()),
                };
                if let Err(error) = &outcome {
                    tracing::warn!(code = error.code, "a delivered message is still in the outbox");
                }
                Done::Removed { message_id, outcome }
            }
        }
    })
}
