//! The way of a link's news to those who watch it.
//!
//! Each subscriber has a slot of its own. The link puts news in and never waits; the subscriber takes out all that has gathered, in its own
//! time. What gathers is merged: text onto text, and beyond [`MAX_OPS`] changes the whole list takes their place. So a subscriber that does not
//! read costs one copy of the conversation, and one that does read is never behind.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use callbox_protocol::{MessageOp, UiMessage, coalesce};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use crate::Status;

/// How many changes may wait for a subscriber before the whole list takes their place.
const MAX_OPS: usize = 256;

/// News of a conversation. Messages and state come together: one without the other would show what never was.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// Changes of the messages, in order; see [`callbox_protocol::apply`].
    pub ops: Vec<MessageOp>,
    /// The state beside the messages after all of these changes; `None` where it is as before.
    pub status: Option<Status>,
}

#[derive(Debug, Default)]
struct Pending {
    ops: Vec<MessageOp>,
    status: Option<Status>,
    closed: bool,
}

#[derive(Debug, Default)]
struct Slot {
    pending: Mutex<Pending>,
    filled: Notify,
}

impl Slot {
    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The link's end of all subscriptions.
#[derive(Debug, Default)]
pub(crate) struct Subscribers(Vec<Arc<Slot>>);

impl Subscribers {
    /// One more. What it is told first is everything that is published after this call.
    pub(crate) fn add(&mut self, frame: Duration) -> Updates {
        let slot = Arc::new(Slot::default());
        self.0.push(slot.clone());
        Updates { slot, frame, next_at: None }
    }

    /// Tells everybody. `messages` gives the list as it is after `ops`.
    pub(crate) fn publish(&mut self, ops: &[MessageOp], status: Option<&Status>, messages: impl Fn() -> Vec<UiMessage>) {
        if ops.is_empty() && status.is_none() {
            return;
        }
        // Who has dropped its end is the slot's only owner no more.
        self.0.retain(|slot| Arc::strong_count(slot) > 1);
        for slot in &self.0 {
            let mut pending = slot.pending();
            for op in ops {
                coalesce(&mut pending.ops, op.clone());
            }
            if pending.ops.len() > MAX_OPS {
                pending.ops = vec![MessageOp::Reset { messages: messages() }];
            }
            if let Some(status) = status {
                pending.status = Some(status.clone());
            }
            drop(pending);
            slot.filled.notify_one();
        }
    }
}

impl Drop for Subscribers {
    fn drop(&mut self) {
        for slot in &self.0 {
            slot.pending().closed = true;
            slot.filled.notify_one();
        }
    }
}

/// A subscriber's end. Dropping it ends the subscription.
#[derive(Debug)]
pub struct Updates {
    slot: Arc<Slot>,
    frame: Duration,
    next_at: Option<Instant>,
}

impl Updates {
    /// The next update: everything since the last one, merged. At most one in 16 ms; waits for as long as there is nothing new.
    /// `None` when the link is closed and everything has been told. Safe to cancel.
    pub async fn next(&mut self) -> Option<Update> {
        loop {
            if self.has_news() {
                if let Some(at) = self.next_at {
                    sleep_until(at).await;
                }
                self.next_at = Some(Instant::now() + self.frame);
                return Some(self.take());
            } else if self.slot.pending().closed {
                return None;
            } else {
                self.slot.filled.notified().await;
            }
        }
    }

    fn has_news(&self) -> bool {
        let pending = self.slot.pending();
        !pending.ops.is_empty() || pending.status.is_some()
    }

    fn take(&mut self) -> Update {
        let mut pending = self.slot.pending();
        Update { ops: std::mem::take(&mut pending.ops), status: pending.status.take() }
    }
}

#[cfg(test)]
mod tests {
    use callbox_protocol::apply;

    use super::*;
    use crate::LinkState;

    const FRAME: Duration = Duration::from_millis(16);

    fn status(link: LinkState) -> Status {
        Status { link, ..Status::default() }
    }

    fn list(text: &str) -> Vec<UiMessage> {
        vec![UiMessage::user("u", text)]
    }

    fn told(deltas: &[&str], status: Option<Status>) -> Update {
        Update { ops: deltas.iter().map(|delta| append(delta)).collect(), status }
    }

    fn append(delta: &str) -> MessageOp {
        MessageOp::AppendText { message: 0, part: 0, delta: delta.to_owned() }
    }

    #[tokio::test(start_paused = true)]
    async fn deltas_within_a_frame_are_one_update_and_updates_keep_their_distance() {
        let mut subscribers = Subscribers::default();
        let mut updates = subscribers.add(FRAME);
        let started = Instant::now();
        subscribers.publish(&[append("a")], None, || list("a"));
        assert_eq!(updates.next().await, Some(told(&["a"], None)));
        assert_eq!(started.elapsed(), Duration::ZERO, "the first one does not wait");
        subscribers.publish(&[append("b")], None, || list("ab"));
        subscribers.publish(&[append("c")], None, || list("abc"));
        assert_eq!(updates.next().await, Some(told(&["bc"], None)));
        assert_eq!(started.elapsed(), FRAME + Duration::from_millis(0));
        tokio::time::sleep(FRAME * 10).await;
        subscribers.publish(&[append("d")], None, || list("abcd"));
        let before = Instant::now();
        assert_eq!(updates.next().await, Some(told(&["d"], None)));
        assert_eq!(before.elapsed(), Duration::ZERO, "after a pause it does not wait either");
    }

    #[tokio::test(start_paused = true)]
    async fn changes_and_the_state_after_them_are_one_update() {
        let mut subscribers = Subscribers::default();
        let mut updates = subscribers.add(FRAME);
        subscribers.publish(&[append("a")], Some(&status(LinkState::Connecting)), || list("a"));
        subscribers.publish(&[append("b")], Some(&status(LinkState::Online)), || list("ab"));
        assert_eq!(updates.next().await, Some(told(&["ab"], Some(status(LinkState::Online)))), "the newest state, once");
        subscribers.publish(&[append("c")], None, || list("abc"));
        assert_eq!(updates.next().await, Some(told(&["c"], None)));
        subscribers.publish(&[], Some(&status(LinkState::Closed)), || list("abc"));
        assert_eq!(updates.next().await, Some(told(&[], Some(status(LinkState::Closed)))));
    }

    #[tokio::test(start_paused = true)]
    async fn a_subscriber_that_does_not_read_costs_a_bounded_queue_and_misses_nothing() {
        let mut subscribers = Subscribers::default();
        let mut updates = subscribers.add(FRAME);
        let mut messages = Vec::new();
        for n in 0..10_000 {
            let op = MessageOp::Insert { index: 0, message: UiMessage::user(format!("u{n}"), "text") };
            apply(&mut messages, op.clone()).unwrap();
            if messages.len() > 50 {
                messages.truncate(50);
                subscribers.publish(&[op, MessageOp::Truncate { len: 50 }], None, || messages.clone());
            } else {
                subscribers.publish(&[op], None, || messages.clone());
            }
            assert!(updates.slot.pending().ops.len() <= MAX_OPS, "bounded after {n}");
        }
        let Some(Update { ops, .. }) = updates.next().await else { panic!("there is news") };
        let mut mirror = Vec::new();
        for op in ops {
            apply(&mut mirror, op).unwrap();
        }
        assert_eq!(mirror, messages);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_before_the_end_arrives_before_the_end() {
        let mut subscribers = Subscribers::default();
        let mut updates = subscribers.add(FRAME);
        subscribers.publish(&[append("a")], Some(&status(LinkState::Closed)), || list("a"));
        drop(subscribers);
        assert_eq!(updates.next().await, Some(told(&["a"], Some(status(LinkState::Closed)))));
        assert_eq!(updates.next().await, None);
        assert_eq!(updates.next().await, None);
    }

    #[tokio::test(start_paused = true)]
    async fn dropping_a_subscription_ends_it() {
        let mut subscribers = Subscribers::default();
        let updates = subscribers.add(FRAME);
        let other = subscribers.add(FRAME);
        drop(updates);
        subscribers.publish(&[append("a")], None, || list("a"));
        assert_eq!(subscribers.0.len(), 1);
        drop(other);
    }
}
