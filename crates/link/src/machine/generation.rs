//! Which generation of agents answers. No agent says so; it shows in what it sends, and in what it leaves unanswered (notes 9).

use callbox_protocol::{Incoming, ServerFrame};

/// What is known of the agent's age.
#[derive(Debug, Default)]
pub(super) struct Generation {
    /// Nothing has come from the socket that is open now.
    is_silent: bool,
    /// A socket has begun with the agent's state or its tool servers, and not with who answers.
    begins_bare: bool,
    /// A question has been left without an answer.
    is_mute: bool,
    /// Something came that only newer agents send.
    is_newer: bool,
}

impl Generation {
    /// There is a new socket.
    pub(super) fn opened(&mut self) {
        self.is_silent = true;
    }

    pub(super) fn heard(&mut self, frame: &Incoming<'_>) {
        let is_first = std::mem::take(&mut self.is_silent);
        let frame = match frame {
            Incoming::Piece(piece) => {
                self.is_newer |= piece.is_marked();
                return;
            }
            Incoming::Frame(frame) => &**frame,
        };
        match frame {
            ServerFrame::State(_) | ServerFrame::McpServers(_) => self.begins_bare |= is_first,
            ServerFrame::Messages(frame) => self.is_newer |= frame.connect.is_some(),
            ServerFrame::Identity(_)
            | ServerFrame::AgentToolEvent(_)
            | ServerFrame::MessageUpdated(_)
            | ServerFrame::Resuming(_)
            | ServerFrame::ResumeNone(_)
            | ServerFrame::Pending(_)
            | ServerFrame::Recovering(_) => self.is_newer = true,
            _ => {}
        }
    }

    /// The agent was asked what runs and has not said anything to that.
    pub(super) fn ignored(&mut self) {
        self.is_mute = true;
    }

    /// The agent is of the oldest generation (agents 0.2): it knows neither decisions nor results as frames of their own, resumes nothing, and
    /// stores an answer when it is complete. What is newer may hide who answers, but not that it answers questions.
    pub(super) fn is_old(&self) -> bool {
        self.begins_bare && self.is_mute && !self.is_newer
    }

    /// It may be, and nothing has shown yet that it is not.
    pub(super) fn may_be_old(&self) -> bool {
        self.begins_bare && !self.is_newer && !self.is_mute
    }

    /// The same as [`Generation::is_old`], of the agent at the other end of this very socket: it may have been replaced by a newer one.
    pub(super) fn is_still_old(&self) -> bool {
        self.is_old() && !self.is_silent
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn hear(generation: &mut Generation, frames: &[Value]) {
        for frame in frames {
            generation.heard(&Incoming::parse(&frame.to_string()).unwrap());
        }
    }

    fn begun(frames: &[Value]) -> Generation {
        let mut generation = Generation::default();
        generation.opened();
        hear(&mut generation, frames);
        generation
    }

    fn tool_servers() -> Value {
        json!({"type": "cf_agent_mcp_servers", "mcp": {}})
    }

    #[test]
    fn an_agent_is_old_that_begins_without_a_name_and_leaves_a_question_unanswered() {
        for first in [tool_servers(), json!({"type": "cf_agent_state", "state": {}})] {
            let mut generation = begun(&[first, tool_servers()]);
            assert!(!generation.is_old() && generation.may_be_old(), "it may answer yet");
            generation.ignored();
            assert!(!generation.may_be_old() && generation.is_old() && generation.is_still_old());
            generation.opened();
            assert!(generation.is_old() && !generation.is_still_old(), "who is at the other end now is not known");
            hear(&mut generation, &[tool_servers()]);
            assert!(generation.is_still_old());
        }
        let mut bare = begun(&[json!({"type": "cf_agent_chat_messages", "messages": []}), tool_servers()]);
        assert!(!bare.may_be_old());
        bare.ignored();
        assert!(!bare.is_old(), "it says nothing of itself, so nothing is known of it");
    }

    #[test]
    fn one_frame_gives_a_newer_agent_away() {
        let response = |more: Value| {
            let mut frame = json!({"type": "cf_agent_use_chat_response", "id": "r", "body": "", "done": false});
            frame.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            frame
        };
        for frame in [
            json!({"type": "cf_agent_identity", "name": "n", "agent": "a"}),
            json!({"type": "cf_agent_stream_resume_none"}),
            json!({"type": "cf_agent_stream_resuming", "id": "r"}),
            json!({"type": "cf_agent_stream_pending"}),
            json!({"type": "cf_agent_chat_recovering", "recovering": false}),
            json!({"type": "cf_agent_message_updated", "message": {"id": "a", "role": "assistant", "parts": []}}),
            json!({"type": "cf_agent_chat_messages", "messages": [], "connect": true}),
            response(json!({"seq": 0})),
            response(json!({"continuation": true})),
            response(json!({"replay": true})),
            response(json!({"outcome": "completed"})),
        ] {
            let mut generation = begun(&[tool_servers()]);
            generation.ignored();
            hear(&mut generation, std::slice::from_ref(&frame));
            assert!(!generation.is_old(), "{frame}");
        }
        let mut old = begun(&[tool_servers()]);
        old.ignored();
        hear(
            &mut old,
            &[response(json!({})), json!({"type": "cf_agent_chat_clear"}), json!({"type": "cf_agent_chat_messages", "messages": []})],
        );
        assert!(old.is_old(), "what the oldest send, too, says nothing");
    }
}
