//! Our client: a link with a subscriber.

use callbox_link::{Link, LinkState, Status, Subscription, Update, Updates};
use callbox_protocol::{UiMessage, apply};
use serde_json::Value;

use crate::room::PATIENCE;

pub(crate) struct Ours {
    pub(crate) link: Link,
    pub(crate) messages: Vec<UiMessage>,
    pub(crate) status: Status,
    updates: Updates,
}

impl Ours {
    pub(crate) async fn new(link: Link) -> Self {
        let Subscription { snapshot, updates } = link.subscribe().await.unwrap();
        Self { link, messages: snapshot.messages, status: snapshot.status, updates }
    }

    /// Takes the next update.
    pub(crate) async fn next(&mut self) {
        let Update { ops, status } = self.updates.next().await.expect("the link is open");
        ops.into_iter().for_each(|op| apply(&mut self.messages, op).expect("every change fits"));
        if let Some(status) = status {
            self.status = status;
        }
    }

    /// Takes updates until there is nothing that it does not have.
    pub(crate) async fn take_all(&mut self) {
        loop {
            let now = self.link.subscribe().await.unwrap().snapshot;
            if now.messages == self.messages && now.status == self.status {
                return;
            }
            self.next().await;
        }
    }

    pub(crate) async fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        let follow = async {
            while !condition(self) {
                self.next().await;
            }
        };
        if tokio::time::timeout(PATIENCE, follow).await.is_err() {
            panic!("our client never came to this\n{:#?}", self.status);
        }
    }

    pub(crate) fn is_idle(&self) -> bool {
        let Status { link, turn, deliveries, decisions, .. } = &self.status;
        *link == LinkState::Online && !turn.is_active() && deliveries.is_empty() && decisions.is_empty()
    }

    pub(crate) fn values(&self) -> Vec<Value> {
        self.messages.iter().map(|message| serde_json::to_value(message).unwrap()).collect()
    }
}
