//! Texts that nobody has sent yet: in the boxes of the conversations, and in the editors of messages that are being put in other words.

use callbox_ipc::Draft;
use leptos::prelude::*;

use super::App;

/// Whose draft it is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DraftOf {
    /// The account.
    pub seat: Option<String>,
    /// None: that of the conversation which is yet to begin.
    pub conversation: Option<String>,
    /// The sent message that is being put in other words; none: the text of the conversation's box.
    pub message: Option<String>,
}

impl DraftOf {
    fn composer(seat: Option<String>, conversation: Option<String>) -> Self {
        Self { seat, conversation, message: None }
    }
}

/// The boxes in which messages are written.
impl App {
    /// The unsent text of the conversation in view.
    pub fn draft(&self) -> String {
        let of = DraftOf::composer(self.seat.get(), self.open.get());
        self.drafts.with(|drafts| drafts.get(&of).cloned().unwrap_or_default())
    }

    /// The unsent text of a conversation of this account, as it is now.
    pub fn draft_of(&self, conversation: Option<String>) -> String {
        let of = DraftOf::composer(self.seat.get_untracked(), conversation);
        self.drafts.with_untracked(|drafts| drafts.get(&of).cloned().unwrap_or_default())
    }

    /// Takes the unsent text of a conversation away from it.
    pub fn take_draft(&self, conversation: Option<String>) -> Option<String> {
        let of = DraftOf::composer(self.seat.get_untracked(), conversation);
        self.drafts.try_update(|drafts| drafts.remove(&of)).flatten()
    }

    /// Keeps the unsent text of a conversation.
    pub fn set_draft(&self, conversation: Option<String>, text: String) {
        self.keep(DraftOf::composer(self.seat.get_untracked(), conversation), text);
    }

    /// The text of this conversation is being sent.
    pub fn leaves(&self, conversation: &str) {
        self.leaving.set_value(Some(DraftOf::composer(self.seat.get_untracked(), Some(conversation.to_owned()))));
    }

    /// Nothing is being sent any more; what is unsent is looked at again.
    pub fn left(&self) {
        self.leaving.set_value(None);
        self.drafts.notify();
    }
}

/// The editors.
impl App {
    /// Whose draft other words for a message in view are.
    pub fn edit_of(&self, conversation: &str, message: &str) -> DraftOf {
        DraftOf { message: Some(message.to_owned()), ..DraftOf::composer(self.seat.get_untracked(), Some(conversation.to_owned())) }
    }

    /// The unsent other words for a message. Those that are its own by now are none; they may be on their way still, and be refused.
    pub fn edit(&self, of: &DraftOf, own: &str) -> Option<String> {
        let unsent = self.drafts.with_untracked(|drafts| drafts.get(of).cloned())?;
        (unsent.trim() != own.trim()).then_some(unsent)
    }

    /// Keeps other words for a message; its own are none.
    pub fn set_edit(&self, of: DraftOf, text: String, own: &str) {
        self.keep(of, if text == own { String::new() } else { text });
    }

    /// The agent has this text in the place of the message's own. What has been written since stays.
    pub fn edit_taken(&self, of: &DraftOf, text: &str) {
        if self.drafts.with_untracked(|drafts| drafts.get(of).is_some_and(|unsent| unsent == text)) {
            self.drop_edit(of);
        }
    }

    /// Forgets the other words for a message.
    pub fn drop_edit(&self, of: &DraftOf) {
        self.drafts.update(|drafts| drop(drafts.remove(of)));
    }

    /// Nothing goes on in a conversation, and its messages are the agent's. `own`: what a message says; none for one that is not there. Other words
    /// that have arrived when nobody was there to see it are forgotten. Those for a message that is gone are put into the conversation's box, from
    /// where they can be sent, and that is told; where something stands there already they stay kept, for another time.
    pub fn settle_edits(&self, conversation: &str, own: impl Fn(&str) -> Option<String>) -> bool {
        let composer = DraftOf::composer(self.seat.get_untracked(), Some(conversation.to_owned()));
        let here = |of: &DraftOf| of.seat == composer.seat && of.conversation == composer.conversation;
        let said = |of: &DraftOf| of.message.as_deref().map(&own);
        let arrived = |of: &DraftOf, text: &str| here(of) && said(of).flatten().is_some_and(|own| own.trim() == text.trim());
        if self.drafts.with_untracked(|drafts| drafts.iter().any(|(of, text)| arrived(of, text))) {
            self.drafts.update(|drafts| drafts.retain(|of, text| !arrived(of, text)));
        }
        let homeless = |of: &&DraftOf| here(of) && said(of) == Some(None);
        let found = self.drafts.with_untracked(|drafts| {
            let free = drafts.get(&composer).is_none_or(|text| text.trim().is_empty());
            drafts.keys().find(homeless).filter(|_| free).cloned()
        });
        let Some(of) = found else { return false };
        self.drafts.update(|drafts| {
            if let Some(text) = drafts.remove(&of) {
                drafts.insert(composer, text);
            }
        });
        true
    }
}

/// All of them.
impl App {
    fn keep(&self, of: DraftOf, text: String) {
        self.drafts.update(|drafts| {
            if text.is_empty() {
                drafts.remove(&of)
            } else {
                drafts.insert(of, text)
            };
        });
    }

    /// Takes what was left unsent at an earlier start, where there are no newer words.
    pub(super) fn take_drafts(&self, left: Vec<Draft>) {
        let seat = self.seat.get_untracked();
        for Draft { conversation, message, text } in left {
            let of = DraftOf { seat: seat.clone(), conversation, message };
            self.kept.update_value(|kept| drop(kept.insert(of.clone(), text.clone())));
            if !self.drafts.with_untracked(|drafts| drafts.contains_key(&of)) {
                self.drafts.update(|drafts| drop(drafts.insert(of, text)));
            }
        }
    }

    /// The texts that are other than the shell was told last; from now on they are told. Empty: there is none any more.
    pub fn unkept_drafts(&self) -> Vec<(DraftOf, String)> {
        let mut now = self.drafts.get_untracked();
        if let Some(of) = self.leaving.get_value() {
            match self.kept.with_value(|kept| kept.get(&of).cloned()) {
                Some(known) => drop(now.insert(of, known)),
                None => drop(now.remove(&of)),
            }
        }
        let before = self.kept.try_update_value(|kept| std::mem::replace(kept, now.clone())).unwrap_or_default();
        let gone = before.keys().filter(|of| !now.contains_key(*of)).map(|of| (of.clone(), String::new()));
        let new = now.iter().filter(|(of, text)| before.get(*of) != Some(*text)).map(|(of, text)| (of.clone(), text.clone()));
        new.chain(gone).collect()
    }

    /// An account has been signed out on purpose: its words go with it.
    pub fn forget_drafts(&self, seat: &Option<String>) {
        self.drafts.update(|drafts| drafts.retain(|of, _| of.seat != *seat));
    }
}
