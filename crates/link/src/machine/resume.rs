//! Calls that have stopped for want of a person, and go on when the person has done what was wanted (notes 8.5).
//!
//! First there is a new socket: the agent looks at the token of the handshake and at no other, and the one that it has may know nothing of what was
//! granted since. Then the call is answered where that can be: with a result that is none, at which the agent runs it. Newer agents take no
//! result for a call that has failed, so there the answer is written again, as where the agent asks for that.

use callbox_protocol::{
    Role, UiMessage,
    interrupt::{Behavior, Interrupt},
};
use serde_json::json;

use super::{
    Machine, Moment,
    answers::{self, Answer},
};
use crate::{CommandError, TurnError};

/// A call that is to go on.
#[derive(Debug)]
pub(super) struct Resuming {
    tool_call_id: String,
    tool_name: String,
    behavior: Behavior,
}

impl Machine {
    /// Why a call has stopped, if it is one of the last message's. What is told of the turn counts for the call that it names, and for no other.
    pub(crate) fn interrupt(&self, call: &str) -> Option<Interrupt> {
        let tool = self.conversation.messages().last().filter(|last| last.role == Role::Assistant)?.tool(call)?;
        match &self.error {
            Some(TurnError::Interrupted(interrupt)) if interrupt.tool_call_id == call => Some((**interrupt).clone()),
            _ => tool.interrupt(),
        }
    }

    /// Has a call go on that has stopped.
    pub(crate) fn resume(&mut self, call: &str, now: Moment) -> Result<(), CommandError> {
        self.open_for_commands()?;
        let interrupt = self.interrupt(call).ok_or(CommandError::NoSuchCall)?;
        if self.conversation.turn().is_active() || self.rework.is_some() || self.answers.has(call) {
            return Err(CommandError::Busy);
        }
        let Interrupt { tool_call_id, tool_name, behavior, .. } = interrupt;
        self.resuming = Some(Resuming { tool_call_id, tool_name, behavior });
        if self.phase.is_online() {
            self.cut();
            self.start_over();
        } else {
            self.reconnect(now);
        }
        Ok(())
    }

    /// There is a new socket.
    pub(super) fn go_on_with_call(&mut self, now: Moment) {
        let Some(Resuming { tool_call_id: call, tool_name, behavior }) = self.resuming.take() else { return };
        let holds = |message: &&UiMessage| message.tool(&call).is_some();
        let Some(message) = self.conversation.messages().last().filter(holds) else { return };
        let open = answers::find(std::slice::from_ref(message), &call).is_some_and(|state| !answers::is_settled(state));
        if open && behavior == Behavior::Resume {
            let output = json!({"continueInterruption": true, "toolName": tool_name});
            self.answers.push(&call, Answer::Output { tool_name, output }, now);
            return;
        }
        let answer = message.id.clone();
        if let Err(error) = self.regenerate(Some(&answer), now) {
            // Somebody has gone on with the conversation: the call is not the last thing in it any more.
            tracing::info!(code = error.code(), "a call that had stopped does not go on");
        }
    }
}
