//! Which message answers which of ours. Where several speak at once, the place in the list does not tell.

use std::collections::VecDeque;

use callbox_protocol::{Conversation, Role, UiMessage};

use crate::Reply;

/// How many are remembered.
const MAX_REPLIES: usize = 16;

/// Own messages whose turn has been asked for, and what is written in it, the last few.
#[derive(Debug, Default)]
pub(super) struct Replies {
    /// Request and message.
    asked: VecDeque<(String, String)>,
    begun: VecDeque<Reply>,
}

impl Replies {
    /// Takes note of a request for an answer to a message.
    pub(super) fn ask(&mut self, request_id: &str, message_id: &str) {
        self.asked.truncate(MAX_REPLIES - 1);
        self.asked.push_front((request_id.to_owned(), message_id.to_owned()));
    }

    /// Takes note of a request that goes on with what these messages end with. It answers the same message, if that is one of ours.
    pub(super) fn go_on(&mut self, request_id: &str, messages: &[UiMessage]) {
        let asked = messages.iter().rfind(|message| message.role == Role::User).map(|message| message.id.clone());
        if let Some(asked) = asked.filter(|id| self.asked.iter().any(|(_, known)| known == id)) {
            self.ask(request_id, &asked);
        }
    }

    /// Looks at what is being written now.
    pub(super) fn look(&mut self, conversation: &Conversation) {
        for (request_id, message_id) in &self.asked {
            let Some(written) = conversation.written_in(request_id) else { continue };
            match self.begun.iter_mut().find(|reply| reply.message_id == *message_id) {
                Some(reply) if reply.reply_id == written => {}
                Some(reply) => written.clone_into(&mut reply.reply_id),
                None => {
                    self.begun.truncate(MAX_REPLIES - 1);
                    self.begun.push_front(Reply { message_id: message_id.clone(), reply_id: written.to_owned() });
                }
            }
        }
    }

    pub(super) fn begun(&self) -> Vec<Reply> {
        self.begun.iter().cloned().collect()
    }
}
