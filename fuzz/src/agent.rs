//! [`history`]: what an agent says that does as it should, with numbered frames. What it does is decided by the fuzzer.

use callbox_protocol::{ClientFrame, Conversation, UiMessage};
use serde_json::{Value, json};

use crate::{Choices, Event};

/// One to four turns, each with the user's message before it.
pub fn history(choices: &mut Choices<'_>) -> Vec<Event> {
    let mut agent = Agent::default();
    for turn in 0..=choices.below(4) {
        agent.turn(turn, choices);
    }
    agent.events
}

#[derive(Default)]
struct Agent {
    events: Vec<Event>,
    request: String,
    seq: u64,
    calls: usize,
    continuation: bool,
}

impl Agent {
    fn say(&mut self, chunk: &Value) {
        self.events.push(Event::chunk(&self.request, Some(self.seq), &chunk.to_string(), false, self.continuation));
        self.seq += 1;
    }

    fn turn(&mut self, turn: usize, choices: &mut Choices<'_>) {
        (self.request, self.seq, self.continuation) = (format!("r{turn}"), 0, false);
        let user = UiMessage::user(format!("u{turn}"), "hello");
        self.events.push(Event::Out(ClientFrame::submit(&*self.request, vec![user]).into()));
        self.say(&json!({"type": "start", "messageId": format!("a{turn}")}));
        for _ in 0..choices.below(5) {
            self.say(&json!({"type": "start-step"}));
            self.step(choices);
            self.say(&json!({"type": "finish-step"}));
        }
        self.finish();
    }

    fn finish(&mut self) {
        self.say(&json!({"type": "finish"}));
        self.events.push(Event::from_agent(&json!({"type": "cf_agent_use_chat_response", "id": self.request, "body": "", "done": true})));
    }

    fn step(&mut self, choices: &mut Choices<'_>) {
        match choices.below(8) {
            kind @ (0 | 1) => {
                let kind = ["text", "reasoning"][kind];
                self.say(&json!({"type": format!("{kind}-start"), "id": "0"}));
                for _ in 0..choices.below(4) {
                    self.say(&json!({"type": format!("{kind}-delta"), "id": "0", "delta": choices.one(&["a ", "", "é", "\n"])}));
                }
                self.say(&json!({"type": format!("{kind}-end"), "id": "0"}));
            }
            2 => self.say(&json!({"type": "data-x", "id": "d", "data": choices.below(3)})),
            3 => self.say(&json!({"type": "source-url", "sourceId": "s", "url": "https://example.com"})),
            4 => {
                let call = self.input();
                self.say(&json!({"type": "tool-output-available", "toolCallId": call, "output": 0, "preliminary": true}));
                self.say(&json!({"type": "tool-output-available", "toolCallId": call, "output": choices.below(3)}));
            }
            5 => {
                let call = self.input();
                self.say(&json!({"type": "tool-output-error", "toolCallId": call, "errorText": "no"}));
            }
            6 => {
                let call = self.input();
                self.say(&json!({"type": "tool-output-available", "toolCallId": call, "output": [1, null]}));
            }
            _ => self.ask(choices.yes()),
        }
    }

    fn input(&mut self) -> String {
        self.calls += 1;
        let call = format!("call{}", self.calls);
        self.say(&json!({"type": "tool-input-start", "toolCallId": call, "toolName": "t"}));
        self.say(&json!({"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": "{\"a\":"}));
        self.say(&json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {"a": self.calls}}));
        call
    }

    /// The turn ends in a question, and goes on under another request when it is answered.
    fn ask(&mut self, approve: bool) {
        let call = self.input();
        self.say(&json!({"type": "tool-approval-request", "toolCallId": call, "approvalId": format!("q-{call}")}));
        self.finish();
        self.events.push(Event::Out(ClientFrame::decide(&*call, approve).into()));
        let mut conversation = Conversation::new();
        self.events.iter().for_each(|event| event.happen(&mut conversation));
        let message = conversation.messages().last();
        self.events.push(Event::from_agent(&json!({"type": "cf_agent_message_updated", "message": message})));
        (self.request, self.seq, self.continuation) = (format!("{}-{call}", self.request), 0, true);
        self.say(&json!({"type": "start"}));
        if approve {
            self.say(&json!({"type": "tool-output-available", "toolCallId": call, "output": "done"}));
        }
    }
}
