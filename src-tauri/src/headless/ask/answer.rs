//! What an agent says in answer to one message, told once: a mirror of the conversation, and how much of the answer has been told.

use std::collections::HashMap;

use callbox_protocol::{MessageOp, Part, Role, ToolPart, ToolState, UiMessage, apply};

/// Something of the answer that has not been told yet.
#[derive(Debug, PartialEq)]
pub(super) enum News {
    /// A text goes on, the answer's or one of its reasoning.
    Text {
        place: Place,
        kind: Kind,
        delta: String,
        /// What was told of it before is not what it begins with any more.
        anew: bool,
    },
    /// A tool call has come to another state.
    Tool(Box<ToolPart>),
    /// Anything else that has come, whole.
    Part(Box<Part>),
}

/// Message and part, counted from 0 at the beginning of the answer.
pub(super) type Place = (usize, usize);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Answer,
    Reasoning,
}

/// As much of a part as has been told.
#[derive(Debug)]
enum Told {
    Text(String),
    Tool(ToolState),
    Whole,
}

#[derive(Debug)]
pub(super) struct Answer {
    /// The message that is answered.
    message_id: String,
    messages: Vec<UiMessage>,
    /// The message that answers it, as far as the link knows.
    reply_id: Option<String>,
    /// What it begins with, where it may go on in another message.
    first: Option<String>,
    settled: bool,
    told: HashMap<Place, Told>,
}

impl Answer {
    /// The answer to this message, in a conversation that looked like this before.
    pub(super) fn to(message_id: String, messages: Vec<UiMessage>) -> Self {
        Self { message_id, messages, reply_id: None, first: None, settled: false, told: HashMap::new() }
    }

    /// Takes changes of the conversation in. False if they do not fit it.
    pub(super) fn apply(&mut self, ops: Vec<MessageOp>) -> bool {
        ops.into_iter().all(|op| apply(&mut self.messages, op).is_ok())
    }

    /// Whether the conversation has the message.
    pub(super) fn has_message(&self) -> bool {
        self.messages.iter().any(|message| message.id == self.message_id)
    }

    /// The agent has begun this message in answer to ours.
    pub(super) fn begun(&mut self, reply_id: &str) {
        if self.reply_id.as_deref() != Some(reply_id) {
            self.reply_id = Some(reply_id.to_owned());
        }
    }

    /// Something has been decided, after which some agents go on in another message. What there is until now stays a part of the answer.
    pub(super) fn goes_on(&mut self) {
        self.first = self.messages().first().map(|message| message.id.clone());
    }

    /// Nothing is being written now, so the place in the list may tell what the agent has not.
    pub(super) fn settled(&mut self, settled: bool) {
        self.settled = settled;
    }

    /// The answer: the message that was begun for ours. If none is known and nothing is being written, the agent's messages after ours, up to
    /// the next one of a person; where somebody else spoke before the agent did, after that.
    pub(super) fn messages(&self) -> &[UiMessage] {
        let begun = |id: &String| self.messages.iter().position(|message| message.id == *id);
        if let Some(at) = self.reply_id.as_ref().and_then(begun) {
            let Some(first) = &self.first else { return &self.messages[at..=at] };
            // It may have had another name then.
            let from = begun(first).or_else(|| self.after_own()).unwrap_or(at).min(at);
            let more = self.messages[at + 1..].iter().take_while(|message| message.role == Role::Assistant).count();
            return &self.messages[from..=at + more];
        }
        let Some(own) = self.own().filter(|_| self.settled) else { return &[] };
        let after = &self.messages[own + 1..];
        let begin = after.iter().position(|message| message.role == Role::Assistant).unwrap_or(after.len());
        let answer = &after[begin..];
        let end = answer.iter().position(|message| message.role == Role::User).unwrap_or(answer.len());
        &answer[..end]
    }

    /// The place of the message that is answered.
    fn own(&self) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == self.message_id)
    }

    /// The first of the agent's messages after it.
    fn after_own(&self) -> Option<usize> {
        let own = self.own()?;
        self.messages[own..].iter().position(|message| message.role == Role::Assistant).map(|after| own + after)
    }

    /// The tool calls of the answer.
    pub(super) fn calls(&self) -> impl Iterator<Item = &ToolPart> {
        self.messages().iter().flat_map(UiMessage::tools)
    }

    /// The tool calls after which nothing has been said.
    pub(super) fn calls_at_the_end(&self) -> impl Iterator<Item = &ToolPart> {
        let parts = self.messages().iter().rev().flat_map(|message| message.parts.iter().rev());
        parts.filter(|part| !matches!(part, Part::StepStart)).map_while(Part::as_tool)
    }

    /// The tool call with this id.
    pub(super) fn call(&self, id: &str) -> Option<&ToolPart> {
        self.calls().find(|call| call.tool_call_id == id)
    }

    /// What has come since the last call, in the order of the answer.
    pub(super) fn news(&mut self) -> Vec<News> {
        let mut told = std::mem::take(&mut self.told);
        let mut news = Vec::new();
        for (m, message) in self.messages().iter().enumerate() {
            for (p, part) in message.parts.iter().enumerate() {
                news.extend(look(&mut told, (m, p), part));
            }
        }
        self.told = told;
        news
    }
}

fn look(told: &mut HashMap<Place, Told>, place: Place, part: &Part) -> Option<News> {
    match part {
        Part::Text(part) => more(told, place, Kind::Answer, &part.text),
        Part::Reasoning(part) => more(told, place, Kind::Reasoning, &part.text),
        Part::Tool(call) => {
            let known = matches!(told.get(&place), Some(Told::Tool(state)) if *state == call.state);
            // Arguments that are still being written are nothing to go by.
            if known || call.state == ToolState::InputStreaming {
                return None;
            }
            told.insert(place, Told::Tool(call.state.clone()));
            Some(News::Tool(Box::new(call.clone())))
        }
        Part::StepStart => None,
        part => told.insert(place, Told::Whole).is_none().then(|| News::Part(Box::new(part.clone()))),
    }
}

fn more(told: &mut HashMap<Place, Told>, place: Place, kind: Kind, text: &str) -> Option<News> {
    let known = match told.get_mut(&place) {
        Some(Told::Text(known)) => known,
        _ if text.is_empty() => return None,
        _ => {
            told.insert(place, Told::Text(text.to_owned()));
            return Some(News::Text { place, kind, delta: text.to_owned(), anew: false });
        }
    };
    let (delta, anew) = match text.strip_prefix(known.as_str()) {
        Some("") => return None,
        Some(delta) => (delta.to_owned(), false),
        None => (text.to_owned(), true),
    };
    if anew {
        known.clear();
    }
    known.push_str(&delta);
    Some(News::Text { place, kind, delta, anew })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(value: serde_json::Value) -> UiMessage {
        serde_json::from_value(value).unwrap()
    }

    /// Another question with its answer, and ours.
    fn asked() -> Answer {
        let before = ["q", "a"].map(|id| message(json!({"id": id, "role": if id == "q" { "user" } else { "assistant" }, "parts": []})));
        let mut answer = Answer::to("own".to_owned(), before.to_vec());
        assert!(!answer.has_message());
        assert!(answer.apply(vec![MessageOp::Insert { index: 2, message: UiMessage::user("own", "hi") }]));
        assert!(answer.has_message() && answer.messages().is_empty());
        answer.settled(true);
        answer
    }

    fn text(place: Place, delta: &str, anew: bool) -> News {
        News::Text { place, kind: Kind::Answer, delta: delta.to_owned(), anew }
    }

    #[test]
    fn each_piece_is_told_once_and_nothing_of_what_was_there_before() {
        let mut answer = asked();
        assert_eq!(answer.news(), []);
        let begun = message(json!({"id": "b", "role": "assistant", "parts": [{"type": "text", "text": "one "}]}));
        assert!(answer.apply(vec![MessageOp::Insert { index: 3, message: begun }]));
        assert_eq!(answer.news(), [text((0, 0), "one ", false)]);
        assert!(answer.apply(vec![MessageOp::AppendText { message: 3, part: 0, delta: "two".to_owned() }]));
        assert_eq!(answer.news(), [text((0, 0), "two", false)]);
        assert_eq!(answer.news(), []);
        let stored = message(json!({"id": "c", "role": "assistant", "parts": [{"type": "text", "text": "one two", "state": "done"}]}));
        assert!(answer.apply(vec![MessageOp::Replace { index: 3, message: stored }]));
        assert_eq!(answer.news(), [], "the same under another name");
        let other = message(json!({"id": "c", "role": "assistant", "parts": [{"type": "text", "text": "three"}]}));
        assert!(answer.apply(vec![MessageOp::Replace { index: 3, message: other }]));
        assert_eq!(answer.news(), [text((0, 0), "three", true)]);
        assert!(!answer.apply(vec![MessageOp::Truncate { len: 9 }]), "what does not fit is told");
    }

    #[test]
    fn a_tool_call_is_told_with_each_state_and_not_while_its_arguments_are_written() {
        let mut answer = asked();
        let call = |state: &str| json!({"type": "tool-x", "toolCallId": "1", "state": state, "input": {}});
        let mut states = Vec::new();
        for state in ["input-streaming", "input-available", "approval-requested", "approval-requested", "output-denied"] {
            let parts = [json!({"type": "step-start"}), call(state), json!({"type": "data-x", "data": 1})];
            let message = message(json!({"id": "b", "role": "assistant", "parts": parts}));
            assert!(answer.apply(vec![MessageOp::Truncate { len: 3 }, MessageOp::Insert { index: 3, message }]));
            for news in answer.news() {
                match news {
                    News::Tool(call) => states.push(call.state.as_str().to_owned()),
                    News::Part(part) => states.push(format!("{:?}", matches!(*part, Part::Data(_)))),
                    News::Text { .. } => panic!("{news:?}"),
                }
            }
        }
        assert_eq!(states, ["true", "input-available", "approval-requested", "output-denied"]);
    }

    #[test]
    fn calls_are_at_the_end_until_something_is_said_about_them() {
        let mut answer = asked();
        let call = |id: &str| json!({"type": "tool-x", "toolCallId": id, "state": "output-available"});
        let (text, step) = (json!({"type": "text", "text": "so"}), json!({"type": "step-start"}));
        for (parts, expected) in [
            (vec![text.clone(), call("1"), call("2"), step.clone()], vec!["2", "1"]),
            (vec![call("1"), step, text, call("2")], vec!["2"]),
            (vec![call("1"), json!({"type": "text", "text": "so"})], vec![]),
        ] {
            let message = message(json!({"id": "b", "role": "assistant", "parts": parts}));
            assert!(answer.apply(vec![MessageOp::Truncate { len: 3 }, MessageOp::Insert { index: 3, message }]));
            let ids: Vec<&str> = answer.calls_at_the_end().map(|call| call.tool_call_id.as_str()).collect();
            assert_eq!(ids, expected);
        }
    }

    #[test]
    fn the_answer_ends_where_somebody_speaks_and_may_come_after_somebody_elses_words() {
        let mut answer = asked();
        let assistant = |id: &str| message(json!({"id": id, "role": "assistant", "parts": []}));
        let list = [UiMessage::user("other", "me too"), assistant("b"), assistant("c"), UiMessage::user("next", "and"), assistant("d")];
        assert!(answer.apply(list.into_iter().enumerate().map(|(n, message)| MessageOp::Insert { index: 3 + n, message }).collect()));
        let ids = |answer: &Answer| answer.messages().iter().map(|message| message.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&answer), ["b", "c"]);
        answer.settled(false);
        assert!(ids(&answer).is_empty(), "it may be somebody else's that is being written");
        answer.begun("d");
        assert_eq!(ids(&answer), ["d"], "the link knows better");
        let add = |index, message| vec![MessageOp::Insert { index, message }];
        assert!(answer.apply(add(8, assistant("e"))));
        assert_eq!(ids(&answer), ["d"], "another message is another answer");
        answer.goes_on();
        assert_eq!(ids(&answer), ["d", "e"], "unless something was decided in between");
        assert!(answer.apply([add(9, UiMessage::user("last", "well")), add(10, assistant("f"))].concat()));
        assert_eq!(ids(&answer), ["d", "e"]);
        answer.begun("e");
        assert_eq!(ids(&answer), ["d", "e"], "where the link knows of the other one, too");
        answer.begun("gone");
        answer.settled(true);
        assert_eq!(ids(&answer), ["b", "c"], "what has another name now is found by its place");
    }
}
