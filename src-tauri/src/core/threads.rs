//! The conversations that have a link: the one that the window shows, and those that still deliver messages.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
};

use callbox_link::{Delivery, DeliveryState, Link, LinkConfig, LinkState, Status, Subscription};
use callbox_store::Store;
use tokio::task::AbortHandle;

use super::{Jobs, news, outbox::StoredOutbox, place::Place};

/// How many conversations deliver at once beside the one that is shown. The others wait their turn.
const MAX_DELIVERING: usize = 4;

/// What a new link is made of.
pub(super) struct Road<'a> {
    pub(super) place: &'a Place,
    pub(super) store: &'a Arc<Store>,
    pub(super) account: &'a str,
    /// Where the account sits.
    pub(super) seat: &'a str,
    pub(super) jobs: &'a Jobs,
}

impl Road<'_> {
    fn link(&self, conversation: &str) -> Link {
        let (store, account, conversation) = (self.store.clone(), self.account.to_owned(), conversation.to_owned());
        let outbox = StoredOutbox { store, account, conversation: conversation.clone() };
        let Place { agent, session, http, tools, .. } = self.place;
        let config = LinkConfig::new(agent.clone(), conversation, session.clone(), http.clone());
        Link::spawn(LinkConfig { outbox: Some(Arc::new(outbox)), tools: tools.clone(), ..config })
    }
}

#[derive(Default)]
pub(super) struct Threads {
    /// The one that the window shows.
    shown: Option<Shown>,
    delivering: HashMap<String, Delivering>,
    /// These have something to deliver, too.
    waiting: VecDeque<String>,
}

struct Shown {
    conversation: String,
    link: Link,
    /// Carries the link's news to the window.
    news: AbortHandle,
}

struct Delivering {
    link: Link,
    watch: AbortHandle,
}

impl Threads {
    /// The conversation that the window shows.
    pub(super) fn shown(&self) -> Option<&str> {
        self.shown.as_ref().map(|shown| shown.conversation.as_str())
    }

    /// The link of the conversation that the window shows.
    pub(super) fn link(&self, conversation: &str) -> Option<Link> {
        self.shown.as_ref().filter(|shown| shown.conversation == conversation).map(|shown| shown.link.clone())
    }

    /// All links.
    pub(super) fn links(&self) -> Vec<Link> {
        self.shown.iter().map(|shown| &shown.link).chain(self.delivering.values().map(|delivering| &delivering.link)).cloned().collect()
    }

    /// Shows a conversation in the window, from the start. The one that was shown goes on as long as it has something to deliver.
    pub(super) fn show(&mut self, conversation: String, road: &Road<'_>) {
        if self.shown() != Some(&conversation) {
            self.put_aside(road.seat, road.jobs);
        }
        let link = match (self.shown.take(), self.delivering.remove(&conversation)) {
            (Some(shown), _) => {
                shown.news.abort();
                shown.link
            }
            (None, Some(delivering)) => {
                delivering.watch.abort();
                delivering.link
            }
            (None, None) => road.link(&conversation),
        };
        self.waiting.retain(|waiting| *waiting != conversation);
        let news = news::forward(&link, conversation.clone(), road);
        self.shown = Some(Shown { conversation, link, news });
    }

    /// The window shows no conversation any more.
    pub(super) fn put_aside(&mut self, seat: &str, jobs: &Jobs) {
        let Some(shown) = self.shown.take() else { return };
        shown.news.abort();
        let status = shown.link.status().borrow().clone();
        if !delivers(&status) {
            close(shown.link);
        } else if self.delivering.len() < MAX_DELIVERING || !status.decisions.is_empty() {
            self.watch(shown.conversation, shown.link, seat, jobs);
        } else {
            // Messages are on the disk, and a decision is nowhere but in its link.
            close(shown.link);
            self.waiting.push_back(shown.conversation);
        }
    }

    /// These conversations have messages that an earlier run could not deliver.
    pub(super) fn deliver(&mut self, conversations: Vec<String>, road: &Road<'_>) {
        for conversation in conversations {
            if self.shown() != Some(&conversation) && !self.delivering.contains_key(&conversation) && !self.waiting.contains(&conversation)
            {
                self.waiting.push_back(conversation);
            }
        }
        self.deliver_more(road);
    }

    /// A conversation has delivered everything.
    pub(super) fn delivered(&mut self, conversation: &str, road: &Road<'_>) {
        if let Some(delivering) = self.delivering.remove(conversation) {
            close(delivering.link);
        }
        self.deliver_more(road);
    }

    fn deliver_more(&mut self, road: &Road<'_>) {
        while self.delivering.len() < MAX_DELIVERING
            && let Some(conversation) = self.waiting.pop_front()
        {
            let link = road.link(&conversation);
            self.watch(conversation, link, road.seat, road.jobs);
        }
    }

    fn watch(&mut self, conversation: String, link: Link, seat: &str, jobs: &Jobs) {
        let (jobs, status, name, seat) = (jobs.clone(), link.clone(), conversation.clone(), seat.to_owned());
        let watch = tokio::spawn(async move {
            // The snapshot, unlike the status alone, is taken after the outbox has been loaded.
            let Ok(Subscription { snapshot, .. }) = status.subscribe().await else { return };
            if delivers(&snapshot.status) {
                // Its end is the end of the link, whoever wanted that.
                let _ = status.status().wait_for(|status| !delivers(status)).await;
            }
            let has_failed = |delivery: &Delivery| matches!(delivery.state, DeliveryState::Failed(_));
            let was_failed = |delivery: &Delivery| snapshot.status.deliveries.contains(delivery);
            let failed = status.status().borrow().deliveries.iter().any(|delivery| has_failed(delivery) && !was_failed(delivery));
            jobs.post(move |desk| desk.delivered(&seat, &name, failed)).await;
        });
        self.delivering.insert(conversation, Delivering { link, watch: watch.abort_handle() });
    }

    /// Ends the link of a conversation, whatever it is doing.
    pub(super) fn close(&mut self, conversation: &str) {
        if let Some(shown) = self.shown.take_if(|shown| shown.conversation == conversation) {
            shown.news.abort();
            close(shown.link);
        }
        if let Some(delivering) = self.delivering.remove(conversation) {
            delivering.watch.abort();
            close(delivering.link);
        }
        self.waiting.retain(|waiting| waiting != conversation);
    }

    /// Takes the links out, to be closed. The window hears no more of them.
    pub(super) fn take_all(&mut self) -> Vec<Link> {
        self.waiting.clear();
        let shown = self.shown.take().map(|shown| {
            shown.news.abort();
            shown.link
        });
        let delivering = self.delivering.drain().map(|(_, delivering)| {
            delivering.watch.abort();
            delivering.link
        });
        delivering.chain(shown).collect()
    }

    /// Ends all links. What they have not delivered is in the outbox.
    pub(super) fn close_all(&mut self) {
        self.take_all().into_iter().for_each(close);
    }
}

/// Whether there is something that is sent without anybody's doing. An agent that does not want us will not want it either; it is tried again
/// when the conversation is opened, and with the next start.
fn delivers(status: &Status) -> bool {
    if matches!(status.link, LinkState::Refused(_) | LinkState::Closed) {
        return false;
    }
    !status.decisions.is_empty() || status.deliveries.iter().any(|delivery| !matches!(delivery.state, DeliveryState::Failed(_)))
}

fn close(link: Link) {
    tokio::spawn(async move { link.close().await });
}
