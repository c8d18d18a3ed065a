//! [`Watched`]: a conversation with all that has to hold after each event, whatever it was.

use std::env;

use callbox_protocol::{Conversation, UiMessage, apply};

use crate::Event;

/// A conversation, and a mirror of it that knows the ops alone.
#[derive(Debug, Default)]
pub struct Watched {
    conversation: Conversation,
    mirror: Vec<UiMessage>,
    /// Every event is told.
    aloud: bool,
}

impl Watched {
    /// An empty conversation. With `CALLBOX_TELL` in the environment, it says what happens to it.
    pub fn new() -> Self {
        Self { aloud: env::var_os("CALLBOX_TELL").is_some(), ..Self::default() }
    }

    /// Lets it happen, and looks whether the mirror follows and what was settled stays settled.
    pub fn happen(&mut self, event: &Event) {
        if self.aloud {
            eprintln!("{event:?}");
        }
        let before = self.settled();
        event.happen(&mut self.conversation);
        for op in self.conversation.take_ops() {
            apply(&mut self.mirror, op).expect("an op fits the list that it is for");
        }
        assert!(self.mirror == self.conversation.messages(), "the mirror is {:?}, not {:?}", self.mirror, self.conversation.messages());
        for (message, call, state) in before {
            let Some(after) = only(self.conversation.messages(), &message, &call) else { continue };
            assert_eq!(after.state.as_str(), state, "{call} in {message} was settled before {event:?}");
        }
    }

    /// Message, call and state of the calls that have ended. Not those that are only ours to say so, and none that are there twice, which
    /// the agent's messages are free to have.
    fn settled(&self) -> Vec<(String, String, String)> {
        let unsettled: Vec<&str> = self.conversation.unsettled().collect();
        let messages = self.conversation.messages();
        let calls = messages.iter().flat_map(|message| message.tools().map(move |tool| (message, tool)));
        let ended = calls.filter(|(message, tool)| {
            tool.is_settled()
                && !unsettled.contains(&tool.tool_call_id.as_str())
                && only(messages, &message.id, &tool.tool_call_id).is_some()
        });
        ended.map(|(message, tool)| (message.id.clone(), tool.tool_call_id.clone(), tool.state.as_str().to_owned())).collect()
    }
}

/// The call in that message, if there is one of each.
fn only<'a>(messages: &'a [UiMessage], message: &str, call: &str) -> Option<&'a callbox_protocol::ToolPart> {
    let mut found = messages.iter().filter(|known| known.id == message);
    let (first, None) = (found.next()?, found.next()) else { return None };
    let mut calls = first.tools().filter(|tool| tool.tool_call_id == call);
    let (tool, None) = (calls.next()?, calls.next()) else { return None };
    Some(tool)
}
