//! An agent that answers as the real one does.

use callbox_protocol::{ClientFrame, Conversation, ServerFrame, UiMessage};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{chunk, continued, done, frame};

/// Something that happens on a socket.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    In(ServerFrame),
    Out(ClientFrame),
}

pub(crate) fn play(conversation: &mut Conversation, event: &Event) {
    match event {
        Event::In(frame) => drop(conversation.receive(frame)),
        Event::Out(frame) => conversation.sent(frame),
    }
}

pub(crate) fn folded(events: &[Event]) -> Conversation {
    let mut conversation = Conversation::new();
    for event in events {
        play(&mut conversation, event);
    }
    conversation
}

/// What a model does in one step.
#[derive(Debug, Clone)]
pub(crate) enum Step {
    Text(Vec<String>),
    Reasoning(Vec<String>),
    Tool { output: Option<bool> },
    Ask { approve: bool },
    Data(u8),
}

pub(crate) fn step() -> impl Strategy<Value = Step> {
    let words = || prop::collection::vec("[a-zé ]{0,4}", 0..4);
    prop_oneof![
        words().prop_map(Step::Text),
        words().prop_map(Step::Reasoning),
        prop::option::of(any::<bool>()).prop_map(|output| Step::Tool { output }),
        any::<bool>().prop_map(|approve| Step::Ask { approve }),
        any::<u8>().prop_map(Step::Data),
    ]
}

/// An agent that answers as the real one does, with numbered frames.
#[derive(Default)]
pub(crate) struct Agent {
    name: &'static str,
    events: Vec<Event>,
    calls: usize,
    request: String,
    seq: u64,
    continuation: bool,
}

impl Agent {
    fn say(&mut self, value: Value) {
        let make = if self.continuation { continued } else { chunk };
        self.events.push(Event::In(make(&self.request, self.seq, value)));
        self.seq += 1;
    }

    fn begin(&mut self, request: String, continuation: bool) {
        (self.request, self.seq, self.continuation) = (request, 0, continuation);
    }

    fn finish(&mut self) {
        self.say(json!({"type": "finish", "messageMetadata": {"finishReason": "stop"}}));
        self.events.push(Event::In(done(&self.request)));
    }

    fn turn(&mut self, number: usize, steps: &[Step]) {
        let user = UiMessage::user(format!("u{number}"), "hello");
        self.events.push(Event::Out(ClientFrame::submit(format!("r{number}"), vec![user])));
        self.begin(format!("r{number}"), false);
        self.say(json!({"type": "start", "messageId": format!("a{number}")}));
        for step in steps {
            self.say(json!({"type": "start-step"}));
            self.step(step);
            self.say(json!({"type": "finish-step"}));
        }
        self.finish();
    }

    fn input(&mut self) -> String {
        self.calls += 1;
        let call = format!("call{}{}", self.name, self.calls);
        self.say(json!({"type": "tool-input-start", "toolCallId": call, "toolName": "t"}));
        self.say(json!({"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": "{\"a\":"}));
        self.say(json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {"a": self.calls}}));
        call
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Text(words) | Step::Reasoning(words) => {
                let kind = if matches!(step, Step::Text(_)) { "text" } else { "reasoning" };
                self.say(json!({"type": format!("{kind}-start"), "id": "0"}));
                for word in words {
                    self.say(json!({"type": format!("{kind}-delta"), "id": "0", "delta": word}));
                }
                self.say(json!({"type": format!("{kind}-end"), "id": "0"}));
            }
            Step::Tool { output } => {
                let call = self.input();
                match output {
                    Some(true) => self.say(json!({"type": "tool-output-available", "toolCallId": call, "output": [1, null]})),
                    Some(false) => self.say(json!({"type": "tool-output-error", "toolCallId": call, "errorText": "no"})),
                    None => {}
                }
            }
            Step::Ask { approve } => {
                let call = self.input();
                self.say(json!({"type": "tool-approval-request", "toolCallId": call, "approvalId": format!("q-{call}")}));
                self.finish();
                self.events.push(Event::Out(ClientFrame::decide(&call, *approve)));
                let message = folded(&self.events).messages().last().unwrap().clone();
                self.events.push(Event::In(frame(json!({"type": "cf_agent_message_updated", "message": message}))));
                self.begin(format!("{}-{call}", self.request), true);
                self.say(json!({"type": "start"}));
                if *approve {
                    self.say(json!({"type": "tool-output-available", "toolCallId": call, "output": "done"}));
                }
            }
            Step::Data(value) => self.say(json!({"type": "data-x", "id": "d", "data": value})),
        }
    }
}

pub(crate) fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(prop::collection::vec(step(), 0..5), 1..4).prop_map(|turns| {
        let mut agent = Agent::default();
        for (number, steps) in turns.iter().enumerate() {
            agent.turn(number, steps);
        }
        agent.events
    })
}

/// The turn's frames, as the agent sends them to a socket that takes up its offer.
pub(crate) fn replay_of(events: &[Event], request: &str) -> Vec<ServerFrame> {
    let again = |event: &Event| match event {
        Event::In(ServerFrame::Response(response)) if response.id == request && response.done == Some(false) => {
            let mut response = response.clone();
            response.replay = Some(true);
            Some(ServerFrame::Response(response))
        }
        _ => None,
    };
    events.iter().filter_map(again).collect()
}

/// The turn that is going on at the end of these events, if any of it has come.
pub(crate) fn begun(events: &[Event]) -> Option<String> {
    match events.iter().rev().find_map(|event| if let Event::In(ServerFrame::Response(response)) = event { Some(response) } else { None }) {
        Some(response) if response.done == Some(false) => Some(response.id.clone()),
        _ => None,
    }
}

/// One turn of its own, with this request and ids that begin so; no questions, for they end a turn.
pub(crate) fn turn_of(name: &'static str) -> impl Strategy<Value = Vec<Event>> {
    let plain = step().prop_map(|step| if matches!(step, Step::Ask { .. }) { Step::Tool { output: None } } else { step });
    prop::collection::vec(plain, 0..5).prop_map(move |steps| {
        let mut agent = Agent { name, ..Agent::default() };
        agent.events.push(Event::Out(ClientFrame::submit(name, vec![UiMessage::user(format!("u-{name}"), "hello")])));
        agent.begin(name.to_owned(), false);
        agent.say(json!({"type": "start", "messageId": format!("a-{name}")}));
        for step in &steps {
            agent.say(json!({"type": "start-step"}));
            agent.step(step);
        }
        agent.finish();
        agent.events
    })
}
