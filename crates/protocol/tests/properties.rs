//! What holds for every order of frames, not only for those that an agent sends.

mod support;

use callbox_protocol::{ClientFrame, Conversation, MessageOp, Part, ServerFrame, UiMessage, apply, chunks, coalesce};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use support::{chunk, continued, done, frame, json_of};

/// Something that happens on a socket.
#[derive(Debug, Clone)]
enum Event {
    In(ServerFrame),
    Out(ClientFrame),
}

fn play(conversation: &mut Conversation, event: &Event) {
    match event {
        Event::In(frame) => drop(conversation.receive(frame)),
        Event::Out(frame) => conversation.sent(frame),
    }
}

fn folded(events: &[Event]) -> Conversation {
    let mut conversation = Conversation::new();
    for event in events {
        play(&mut conversation, event);
    }
    conversation
}

/// What a model does in one step.
#[derive(Debug, Clone)]
enum Step {
    Text(Vec<String>),
    Reasoning(Vec<String>),
    Tool { output: Option<bool> },
    Ask { approve: bool },
    Data(u8),
}

fn step() -> impl Strategy<Value = Step> {
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
struct Agent {
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
        let call = format!("call{}", self.calls);
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

fn history() -> impl Strategy<Value = Vec<Event>> {
    prop::collection::vec(prop::collection::vec(step(), 0..5), 1..4).prop_map(|turns| {
        let mut agent = Agent::default();
        for (number, steps) in turns.iter().enumerate() {
            agent.turn(number, steps);
        }
        agent.events
    })
}

/// The turn's frames up to `end`, as the agent sends them to a socket that takes up its offer.
fn replay_of(events: &[Event], request: &str) -> Vec<ServerFrame> {
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

/// The messages without reasoning that is empty: the agent leaves it out of what it stores.
fn shown(conversation: &Conversation) -> Vec<UiMessage> {
    let mut messages = conversation.messages().to_vec();
    for message in &mut messages {
        message.parts.retain(|part| !matches!(part, Part::Reasoning(part) if part.text.trim().is_empty()));
    }
    messages
}

/// The turn that is going on at the end of these events, if any of it has come.
fn begun(events: &[Event]) -> Option<String> {
    match events.iter().rev().find_map(|event| if let Event::In(ServerFrame::Response(response)) = event { Some(response) } else { None }) {
        Some(response) if response.done == Some(false) => Some(response.id.clone()),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn a_frame_that_comes_twice_changes_nothing(events in history(), doubled in prop::collection::vec(any::<Index>(), 1..6)) {
        let once = folded(&events);
        let doubled: Vec<_> = doubled.iter().map(|index| index.index(events.len())).collect();
        let mut conversation = Conversation::new();
        for (at, event) in events.iter().enumerate() {
            play(&mut conversation, event);
            if let (Event::In(_), true) = (event, doubled.contains(&at)) {
                play(&mut conversation, event);
            }
        }
        prop_assert_eq!(conversation.messages(), once.messages());
        prop_assert_eq!(conversation.turn(), once.turn());
    }

    #[test]
    fn a_client_that_missed_the_beginning_has_all_after_get_messages(events in history(), missed in any::<Index>()) {
        let truth = folded(&events).stored();
        let mut conversation = folded(&events[missed.index(events.len())..]);
        conversation.snapshot(truth.clone());
        prop_assert_eq!(json_of(conversation.messages()), json_of(&truth));
    }

    #[test]
    fn a_client_that_joins_in_the_middle_and_resumes_ends_with_the_same(events in history(), joined in any::<Index>(), twice in any::<bool>()) {
        let joined = joined.index(events.len());
        let before = folded(&events[..joined]);
        let mut conversation = Conversation::new();
        conversation.connected();
        if let Some(request) = begun(&events[..joined]) {
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
            conversation.snapshot(before.stored());
            for _ in 0..=usize::from(twice) {
                for frame in replay_of(&events[..joined], &request) {
                    conversation.receive(&frame);
                }
            }
            prop_assert_eq!(shown(&conversation), shown(&before), "after the replay");
        } else {
            conversation.snapshot(before.stored());
        }
        for event in &events[joined..] {
            play(&mut conversation, event);
        }
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn a_socket_that_drops_anywhere_and_resumes_doubles_and_loses_nothing(
        events in history(), dropped in any::<Index>(), away in 0_usize..12, ask in any::<bool>()
    ) {
        let dropped = dropped.index(events.len());
        // What the agent said while nobody listened; our own frames cannot have been sent then.
        let away = events[dropped..].iter().take(away).take_while(|event| matches!(event, Event::In(_))).count();
        let back = dropped + away;
        let mut conversation = folded(&events[..dropped]);
        conversation.disconnected();
        conversation.connected();
        let there = folded(&events[..back]);
        if ask || begun(&events[..back]).is_none() {
            conversation.snapshot(there.stored());
        }
        if let Some(request) = begun(&events[..back]) {
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
            for frame in replay_of(&events[..back], &request) {
                conversation.receive(&frame);
            }
        } else {
            conversation.sent(&ClientFrame::probe("p"));
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"})));
            conversation.snapshot(there.stored());
        }
        for event in &events[back..] {
            play(&mut conversation, event);
        }
        // Nothing is asked for that the frames tell.
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn a_mirror_that_applies_the_ops_equals_the_messages(events in prop::collection::vec(anything(), 0..60), every in 1_usize..9) {
        let mut conversation = Conversation::new();
        let mut mirror = Vec::new();
        let mut queue = Vec::new();
        for (at, event) in events.iter().enumerate() {
            happen(&mut conversation, event);
            for op in conversation.take_ops() {
                let text = serde_json::to_string(&op).unwrap();
                coalesce(&mut queue, serde_json::from_str::<MessageOp>(&text).unwrap());
            }
            if at % every == 0 {
                for op in queue.drain(..) {
                    apply(&mut mirror, op).unwrap();
                }
                prop_assert_eq!(&mirror, conversation.messages());
            }
        }
    }

    #[test]
    fn no_order_of_frames_reopens_a_call_that_has_ended(events in prop::collection::vec(anything(), 0..80)) {
        let mut conversation = Conversation::new();
        for event in &events {
            let unsettled: Vec<_> = conversation.unsettled().map(str::to_owned).collect();
            let settled: Vec<_> = conversation.messages().iter().flat_map(|message| {
                let ended = message.tools().filter(|tool| tool.is_settled() && !unsettled.contains(&tool.tool_call_id));
                ended.map(|tool| (message.id.clone(), tool.clone())).collect::<Vec<_>>()
            }).collect();
            happen(&mut conversation, event);
            for (message, before) in settled {
                let Some(message) = conversation.messages().iter().find(|known| known.id == message) else { continue };
                if let Some(after) = message.tool(&before.tool_call_id) {
                    prop_assert_eq!(&after.state, &before.state, "after {:?}", event);
                }
            }
        }
    }

    #[test]
    fn no_order_of_frames_takes_back_a_decision_that_the_agent_has_confirmed(events in prop::collection::vec(anything(), 0..80)) {
        let mut conversation = Conversation::new();
        for event in &events {
            let unsettled: Vec<_> = conversation.unsettled().map(str::to_owned).collect();
            let decided: Vec<_> = conversation.messages().iter().flat_map(|message| {
                let decided = message.tools().filter(|tool| {
                    tool.state == callbox_protocol::ToolState::ApprovalResponded && !unsettled.contains(&tool.tool_call_id)
                });
                decided.map(|tool| (message.id.clone(), tool.tool_call_id.clone())).collect::<Vec<_>>()
            }).collect();
            happen(&mut conversation, event);
            for (message, call) in decided {
                let Some(message) = conversation.messages().iter().find(|known| known.id == message) else { continue };
                let asks = message.tool(&call).is_some_and(callbox_protocol::ToolPart::awaits_decision);
                prop_assert!(!asks, "after {:?}", event);
            }
        }
    }

    #[test]
    fn every_json_object_survives_as_a_frame(value in typed_object(FRAME_TYPES)) {
        let text = value.to_string();
        prop_assert_eq!(serde_json::from_str::<Value>(&ServerFrame::parse(&text).unwrap().to_json()).unwrap(), value);
    }

    #[test]
    fn every_json_object_survives_as_a_chunk(value in typed_object(CHUNK_TYPES)) {
        prop_assert_eq!(serde_json::from_str::<Value>(&chunks::Chunk::from_value(value.clone()).to_json()).unwrap(), value);
    }

    #[test]
    fn every_json_object_survives_as_a_part(value in typed_object(PART_TYPES)) {
        let text = value.to_string();
        let part: Part = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&serde_json::to_string(&part).unwrap()).unwrap(), value);
    }

    #[test]
    fn every_message_survives(fields in object(), parts in prop::collection::vec(typed_object(PART_TYPES), 0..4), role in select(ROLES)) {
        let mut fields = fields;
        fields.insert("id".to_owned(), json!("m"));
        fields.insert("role".to_owned(), json!(role));
        fields.insert("parts".to_owned(), json!(parts));
        let value = Value::Object(fields);
        let message: UiMessage = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(serde_json::to_value(&message).unwrap(), value);
    }
}

const ROLES: &[&str] = &["user", "assistant", "system", "tool", "data"];
const FRAME_TYPES: &[&str] = &[
    "cf_agent_identity",
    "cf_agent_state",
    "cf_agent_state_error",
    "rpc",
    "cf_agent_mcp_servers",
    "agent-tool-event",
    "cf_agent_chat_messages",
    "cf_agent_use_chat_response",
    "cf_agent_chat_clear",
    "cf_agent_message_updated",
    "cf_agent_stream_resuming",
    "cf_agent_stream_resume_none",
    "cf_agent_stream_pending",
    "cf_agent_chat_recovering",
    "cf_new",
];
const CHUNK_TYPES: &[&str] = &[
    "start",
    "finish",
    "message-metadata",
    "start-step",
    "finish-step",
    "reset-step",
    "text-start",
    "text-delta",
    "text-end",
    "reasoning-start",
    "reasoning-delta",
    "reasoning-end",
    "tool-input-start",
    "tool-input-delta",
    "tool-input-available",
    "tool-input-error",
    "tool-approval-request",
    "tool-approval-response",
    "tool-output-available",
    "tool-output-error",
    "tool-output-denied",
    "source-url",
    "file",
    "data-x",
    "custom",
    "error",
    "abort",
];
const PART_TYPES: &[&str] = &[
    "text",
    "reasoning",
    "file",
    "reasoning-file",
    "source-url",
    "source-document",
    "step-start",
    "data-x",
    "custom",
    "steering-message",
    "tool-getWeather",
    "tool-a-b",
    "dynamic-tool",
    "",
];
const KEYS: &[&str] = &[
    "id",
    "text",
    "state",
    "name",
    "agent",
    "stateFollows",
    "messages",
    "message",
    "connect",
    "body",
    "done",
    "error",
    "seq",
    "replay",
    "continuation",
    "messageIds",
    "outcome",
    "probeId",
    "reason",
    "recovering",
    "mcp",
    "result",
    "success",
    "messageId",
    "messageMetadata",
    "delta",
    "toolCallId",
    "toolName",
    "input",
    "output",
    "errorText",
    "approval",
    "approvalId",
    "approved",
    "title",
    "providerExecuted",
    "providerMetadata",
    "preliminary",
    "dynamic",
    "inputTextDelta",
    "mediaType",
    "url",
    "filename",
    "sourceId",
    "data",
    "metadata",
    "event",
    "parentToolCallId",
    "sequence",
    "anything",
];

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        select(&["streaming", "done", "output-available", "approval-requested", "input-streaming", "output-new"][..]).prop_map(Value::from),
        Just(json!({"id": "q", "approved": true, "reason": "x", "more": 1})),
        Just(json!([{"id": "m", "role": "user", "parts": [{"type": "text", "text": "t"}]}])),
        Just(json!({"id": "m", "role": "user", "parts": []})),
        Just(json!(["a", "b"])),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(select(KEYS).prop_map(str::to_owned), inner, 0..3).prop_map(|map| json!(map)),
        ]
    })
}

/// An object with well-known keys and values of any type.
fn object() -> impl Strategy<Value = Map<String, Value>> {
    prop::collection::btree_map(select(KEYS).prop_map(str::to_owned), any_json(), 0..10).prop_map(|map| map.into_iter().collect())
}

fn typed_object(types: &'static [&'static str]) -> impl Strategy<Value = Value> {
    // Half of them have what makes them a tool call, a frame, a text.
    let usual =
        json!({"id": "i", "toolCallId": "c", "toolName": "t", "state": "input-available", "text": "x", "delta": "d", "errorText": "e"});
    (select(types), object(), any::<bool>()).prop_map(move |(kind, mut object, complete)| {
        if let (true, Value::Object(usual)) = (complete, usual.clone()) {
            object.extend(usual);
        }
        if !kind.is_empty() {
            object.insert("type".to_owned(), json!(kind));
        }
        match kind {
            // Messages are read as such, and come with all that makes a message.
            "cf_agent_chat_messages" | "cf_agent_message_updated" => {
                object.insert("messages".to_owned(), json!([{"id": "m", "role": "x", "parts": [7, {"type": "text"}], "content": null}]));
                object.insert("message".to_owned(), json!({"id": "m", "role": "assistant", "parts": [], "createdAt": 1.5}));
            }
            _ => {}
        }
        Value::Object(object)
    })
}

/// Frames and other happenings, in no order at all, about few enough things that they meet.
#[derive(Debug, Clone)]
enum Happening {
    Event(Event),
    Fetched(Vec<UiMessage>),
    Dropped,
    Opened,
}

fn happen(conversation: &mut Conversation, happening: &Happening) {
    match happening {
        Happening::Event(event) => play(conversation, event),
        Happening::Fetched(messages) => conversation.snapshot(messages.clone()),
        Happening::Dropped => conversation.disconnected(),
        Happening::Opened => conversation.connected(),
    }
}

fn some_message() -> impl Strategy<Value = Value> {
    let tool = (
        select(&["c1", "c2"][..]),
        select(
            &[
                "input-streaming",
                "input-available",
                "approval-requested",
                "approval-responded",
                "output-available",
                "output-error",
                "output-denied",
            ][..],
        ),
    )
        .prop_map(|(call, state)| json!({"type": "tool-t", "toolName": "t", "toolCallId": call, "state": state, "input": {}}));
    let text = "[ab]{0,3}".prop_map(|text| json!({"type": "text", "text": text}));
    let part = prop_oneof![3 => tool, 1 => text, 1 => Just(json!({"type": "step-start"}))];
    let assistant = (select(&["a1", "a2"][..]), prop::collection::vec(part, 0..4)).prop_map(|(id, parts)| {
        let mut seen = Vec::new();
        // A call stands once in a message.
        let once = |part: &Value| {
            let call = part.get("toolCallId").cloned();
            let new = call.is_none() || !seen.contains(&call);
            seen.push(call);
            new
        };
        let parts: Vec<_> = parts
            .into_iter()
            .filter({
                let mut once = once;
                move |part| once(part)
            })
            .collect();
        json!({"id": id, "role": "assistant", "parts": parts})
    });
    let user = select(&["u1", "u2"][..]).prop_map(|id| json!({"id": id, "role": "user", "parts": [{"type": "text", "text": "x"}]}));
    prop_oneof![3 => assistant, 1 => user]
}

fn some_messages() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(some_message(), 0..4).prop_map(|mut messages| {
        let mut seen = Vec::new();
        messages.retain(|message| {
            let new = !seen.contains(&message["id"]);
            seen.push(message["id"].clone());
            new
        });
        messages
    })
}

fn some_chunk() -> impl Strategy<Value = Value> {
    let call = || select(&["c1", "c2"][..]);
    prop_oneof![
        select(&["a1", "a2"][..]).prop_map(|id| json!({"type": "start", "messageId": id})),
        Just(json!({"type": "start"})),
        Just(json!({"type": "start-step"})),
        Just(json!({"type": "text-start", "id": "0"})),
        Just(json!({"type": "text-delta", "id": "0", "delta": "ab"})),
        Just(json!({"type": "text-end", "id": "0"})),
        Just(json!({"type": "reasoning-start", "id": "0"})),
        Just(json!({"type": "reasoning-delta", "id": "0", "delta": "x", "providerMetadata": {"p": 1}})),
        call().prop_map(|call| json!({"type": "tool-input-start", "toolCallId": call, "toolName": "t"})),
        call().prop_map(|call| json!({"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": "{\"a\": 1"})),
        call().prop_map(|call| json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {"a": 1}})),
        call().prop_map(|call| json!({"type": "tool-input-error", "toolCallId": call, "toolName": "t", "errorText": "e"})),
        call().prop_map(|call| json!({"type": "tool-approval-request", "toolCallId": call, "approvalId": "q"})),
        call().prop_map(|call| json!({"type": "tool-output-available", "toolCallId": call, "output": 1})),
        call().prop_map(|call| json!({"type": "tool-output-available", "toolCallId": call, "output": 0, "preliminary": true})),
        call().prop_map(|call| json!({"type": "tool-output-error", "toolCallId": call, "errorText": "e"})),
        call().prop_map(|call| json!({"type": "tool-output-denied", "toolCallId": call})),
        Just(json!({"type": "finish"})),
    ]
}

fn anything() -> impl Strategy<Value = Happening> {
    let request = || select(&["r1", "r2"][..]);
    let event = |frame: Value| Happening::Event(Event::In(support::frame(frame)));
    let out = |frame: ClientFrame| Happening::Event(Event::Out(frame));
    let response = (request(), prop::option::of(0_u64..6), some_chunk(), any::<bool>(), any::<bool>());
    prop_oneof![
        12 => response.prop_map(move |(id, seq, chunk, replay, continuation)| event(json!({
            "type": "cf_agent_use_chat_response", "id": id, "body": chunk.to_string(), "done": false, "seq": seq, "replay": replay,
            "continuation": continuation
        }))),
        1 => (request(), select(&["completed", "error", "aborted", "skipped", "recovering"][..])).prop_map(|(id, outcome)| {
            Happening::Event(Event::In(support::ended(id, outcome)))
        }),
        2 => some_messages().prop_map(move |messages| event(json!({"type": "cf_agent_chat_messages", "messages": messages}))),
        2 => some_messages().prop_map(|messages| Happening::Fetched(messages.into_iter().map(support::message).collect())),
        3 => some_message().prop_map(move |message| event(json!({"type": "cf_agent_message_updated", "message": message}))),
        1 => request().prop_map(move |id| event(json!({"type": "cf_agent_stream_resuming", "id": id}))),
        1 => Just(event(json!({"type": "cf_agent_chat_clear"}))),
        1 => Just(event(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"}))),
        1 => Just(out(ClientFrame::probe("p"))),
        2 => (select(&["c1", "c2"][..]), any::<bool>()).prop_map(move |(call, approved)| out(ClientFrame::decide(call, approved))),
        1 => select(&["c1", "c2"][..]).prop_map(move |call| out(ClientFrame::tool_output(call, "t", json!(1)))),
        2 => (select(&["r1", "r2", "r3"][..]), select(&["u1", "u2"][..])).prop_map(move |(request, user)| {
            out(ClientFrame::submit(request, vec![UiMessage::user(user, "x")]))
        }),
        1 => some_messages().prop_map(move |messages| {
            out(ClientFrame::regenerate("r4", messages.into_iter().map(support::message).collect()))
        }),
        1 => Just(Happening::Dropped),
        1 => Just(Happening::Opened),
    ]
}
