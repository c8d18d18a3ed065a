//! The conversation that the window shows: its link, and the way of its news to the window.

use callbox_ipc::{Event, ThreadEvent, ThreadUpdate, UserError};
use callbox_link::{Link, LinkConfig, Subscription};
use tokio::task::AbortHandle;

use super::{Jobs, place::Place, view};

pub(super) struct OpenThread {
    pub(super) conversation: String,
    pub(super) link: Link,
    news: AbortHandle,
}

impl OpenThread {
    pub(super) fn open(place: &Place, conversation: String, jobs: &Jobs) -> Result<Self, UserError> {
        let link = Link::spawn(LinkConfig::new(place.agent.clone(), conversation.clone(), place.session.clone(), place.http.clone()));
        let news = forward(&link, conversation.clone(), jobs);
        Ok(Self { conversation, link, news })
    }

    /// Sends the whole conversation to the window once more, its updates after it.
    pub(super) fn show_again(&mut self, jobs: &Jobs) {
        self.news.abort();
        self.news = forward(&self.link, self.conversation.clone(), jobs);
    }

    pub(super) fn close(self) {
        self.news.abort();
        tokio::spawn(async move { self.link.close().await });
    }
}

/// Carries the link's news to the window. The link merges what is not taken at once, so a slow window costs no memory.
fn forward(link: &Link, conversation: String, jobs: &Jobs) -> AbortHandle {
    let (link, jobs) = (link.clone(), jobs.clone());
    let task = tokio::spawn(async move {
        let Ok(Subscription { snapshot, mut updates }) = link.subscribe().await else { return };
        tell(&jobs, &conversation, ThreadUpdate::Opened(view::thread(snapshot))).await;
        while let Some(update) = updates.next().await {
            tell(&jobs, &conversation, view::update(update)).await;
        }
    });
    task.abort_handle()
}

async fn tell(jobs: &Jobs, conversation: &str, update: ThreadUpdate) {
    let event = Event::Thread(ThreadEvent { conversation: conversation.to_owned(), update });
    // Run, not post: the next update is fetched only when this one has gone out.
    let _ = jobs.run(move |desk| desk.emit(event)).await;
}
