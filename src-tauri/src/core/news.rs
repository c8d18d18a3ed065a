//! What goes on in the conversation that the window shows, carried to it.

use callbox_identity::{Mismatch, Profile};
use callbox_ipc::{Event, LinkView, ThreadEvent, ThreadStatus, ThreadUpdate};
use callbox_link::{Link, LinkError, LinkState, Status, Subscription, Update};
use tokio::task::{AbortHandle, JoinHandle};

use super::{Jobs, threads::Road, trust, view};

/// Carries the link's news to the window. The link merges what is not taken at once, so a slow window costs no memory.
pub(super) fn forward(link: &Link, conversation: String, road: &Road<'_>) -> AbortHandle {
    let (link, jobs, seat) = (link.clone(), road.jobs.clone(), road.seat.to_owned());
    let (granted, mut inquiry) = (road.place.session.granted(), Inquiry::of(&road.place.profile));
    let task = tokio::spawn(async move {
        let Ok(Subscription { snapshot, mut updates }) = link.subscribe().await else { return };
        let mut status = snapshot.status.clone();
        inquiry.look_at(&status);
        let mut opened = view::thread(snapshot, &granted.borrow());
        inquiry.amend(&mut opened.status);
        tell(&jobs, &seat, &conversation, ThreadUpdate::Opened(opened)).await;
        loop {
            let update = tokio::select! {
                update = updates.next() => match update {
                    Some(update) => update,
                    None => return,
                },
                () = inquiry.answered() => Update { ops: Vec::new(), status: Some(status.clone()) },
            };
            if let Some(news) = &update.status {
                status.clone_from(news);
                inquiry.look_at(news);
            }
            let mut change = view::change(update, &granted.borrow());
            if let Some(told) = &mut change.status {
                inquiry.amend(told);
            }
            tell(&jobs, &seat, &conversation, ThreadUpdate::Changed(change)).await;
        }
    });
    task.abort_handle()
}

async fn tell(jobs: &Jobs, seat: &str, conversation: &str, update: ThreadUpdate) {
    let seat = seat.to_owned();
    let event = Event::Thread(ThreadEvent { conversation: conversation.to_owned(), update });
    // Run, not post: the next update is fetched only when this one has gone out.
    let _ = jobs.run(move |desk| desk.emit_of(&seat, event)).await;
}

/// Why an agent turns away somebody who is signed in: it is asked once each time, because "sign in again" does not help if it trusts another tenant
/// by now.
struct Inquiry {
    profile: Profile,
    turned_away: bool,
    asking: Option<JoinHandle<Option<Mismatch>>>,
    found: Option<Mismatch>,
}

impl Inquiry {
    fn of(profile: &Profile) -> Self {
        Self { profile: profile.clone(), turned_away: false, asking: None, found: None }
    }

    fn look_at(&mut self, status: &Status) {
        let turned_away = matches!(status.link, LinkState::SignInNeeded { why: Some(LinkError::Rejected) });
        if turned_away && !self.turned_away {
            let profile = self.profile.clone();
            self.asking = Some(tokio::spawn(async move { trust::mismatch(&profile).await }));
        } else if !turned_away {
            self.stop();
            self.found = None;
        }
        self.turned_away = turned_away;
    }

    /// Returns when it is known why, and was not before. Safe to cancel.
    async fn answered(&mut self) {
        if let Some(asking) = &mut self.asking {
            let found = asking.await;
            self.asking = None;
            if let Ok(Some(mismatch)) = found {
                self.found = Some(mismatch);
                return;
            }
        }
        std::future::pending().await
    }

    /// Says why, where it is known.
    fn amend(&self, told: &mut ThreadStatus) {
        if let (LinkView::SignInNeeded { .. }, Some(found)) = (&told.link, &self.found) {
            told.link = view::moved(found, &self.profile.agent);
        }
    }

    fn stop(&mut self) {
        if let Some(asking) = self.asking.take() {
            asking.abort();
        }
    }
}

impl Drop for Inquiry {
    fn drop(&mut self) {
        self.stop();
    }
}
