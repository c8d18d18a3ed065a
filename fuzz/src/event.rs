//! [`Event`]: what happens to a conversation; read from lines of text, or made by decisions about few enough things that they meet.

use callbox_protocol::{ClientFrame, Conversation, ServerFrame, UiMessage};
use serde_json::{Value, json};

use crate::Choices;

/// Something that happens to a conversation.
#[derive(Debug, Clone)]
pub enum Event {
    /// A frame of the agent.
    In(Box<ServerFrame>),
    /// A frame of ours.
    Out(Box<ClientFrame>),
    /// `get-messages` has answered.
    Fetched(Vec<UiMessage>),
    /// `get-messages` is asked.
    Fetching,
    /// The socket is gone.
    Dropped,
    /// A socket is open.
    Opened,
}

impl Event {
    /// What a line says: `<` and a frame of the agent, `>` and one of ours, `*` and a chunk of the turn `r1`, `=` and the messages of
    /// `get-messages`, `?`, `-` and `+` for the other three. `seq` is the number of such a chunk.
    pub fn read(text: &str, seq: u64) -> Option<Self> {
        let mut rest = text.chars();
        match rest.next()? {
            '<' => ServerFrame::parse(rest.as_str()).ok().map(|frame| Self::In(frame.into())),
            '>' => ClientFrame::parse(rest.as_str()).ok().map(|frame| Self::Out(frame.into())),
            '*' => Some(Self::chunk("r1", Some(seq), rest.as_str(), false, false)),
            '=' => serde_json::from_str(rest.as_str()).ok().map(Self::Fetched),
            '?' => Some(Self::Fetching),
            '-' => Some(Self::Dropped),
            '+' => Some(Self::Opened),
            _ => None,
        }
    }

    /// Tells a conversation of it.
    pub fn happen(&self, conversation: &mut Conversation) {
        match self {
            Self::In(frame) => drop(conversation.receive(&**frame)),
            Self::Out(frame) => conversation.sent(frame),
            Self::Fetched(messages) => conversation.snapshot(messages.clone()),
            Self::Fetching => conversation.fetching(),
            Self::Dropped => conversation.disconnected(),
            Self::Opened => conversation.connected(),
        }
    }

    /// A frame of the agent, by way of its text.
    pub fn from_agent(frame: &Value) -> Self {
        match ServerFrame::parse(&frame.to_string()) {
            Ok(frame) => Self::In(frame.into()),
            Err(error) => panic!("{error}"),
        }
    }

    /// A frame with a chunk.
    pub fn chunk(request: &str, seq: Option<u64>, body: &str, replay: bool, continuation: bool) -> Self {
        let mut frame = json!({"type": "cf_agent_use_chat_response", "id": request, "body": body, "done": false});
        if let Some(seq) = seq {
            frame["seq"] = seq.into();
        }
        if replay {
            frame["replay"] = true.into();
        }
        if continuation {
            frame["continuation"] = true.into();
        }
        Self::from_agent(&frame)
    }

    /// One of many, in no order at all.
    pub fn any(choices: &mut Choices<'_>) -> Self {
        let request = |choices: &mut Choices<'_>| choices.one(&["r1", "r2"]);
        let call = |choices: &mut Choices<'_>| choices.one(&["c1", "c2"]);
        let out = |frame: ClientFrame| Self::Out(frame.into());
        match choices.below(32) {
            0 => Self::Dropped,
            1 => Self::Opened,
            2 => Self::Fetching,
            3 | 4 => Self::Fetched(messages(choices).into_iter().filter_map(|message| serde_json::from_value(message).ok()).collect()),
            5 | 6 => Self::from_agent(&json!({"type": "cf_agent_chat_messages", "messages": messages(choices), "connect": choices.yes()})),
            7 | 8 => Self::from_agent(&json!({"type": "cf_agent_message_updated", "message": message(choices)})),
            9 => Self::from_agent(&json!({"type": "cf_agent_stream_resuming", "id": request(choices)})),
            10 => Self::from_agent(&json!({"type": "cf_agent_chat_clear"})),
            11 => Self::from_agent(&json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"})),
            12 => Self::from_agent(&json!({"type": "cf_agent_chat_recovering", "recovering": choices.yes(), "id": request(choices)})),
            13 => Self::from_agent(&json!({"type": "cf_agent_stream_pending", "id": request(choices)})),
            14 => {
                let outcome = choices.one(&["completed", "error", "aborted", "skipped", "recovering"]);
                let request = request(choices);
                let replay = choices.yes();
                let error = choices.below(4) == 3;
                Self::from_agent(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true,
                    "outcome": outcome, "replay": replay, "error": error}))
            }
            15 => out(ClientFrame::probe("p")),
            16 => out(ClientFrame::clear()),
            17 => out(ClientFrame::cancel(request(choices))),
            18 | 19 => {
                let call = call(choices);
                out(ClientFrame::decide(call, choices.yes()))
            }
            20 => out(ClientFrame::tool_output(call(choices), "t", json!(1))),
            21 => {
                let messages = messages(choices).into_iter().filter_map(|message| serde_json::from_value(message).ok()).collect();
                out(ClientFrame::regenerate("r3", messages))
            }
            22 | 23 => {
                let request = choices.one(&["r1", "r2", "r3"]);
                out(ClientFrame::submit(request, vec![UiMessage::user(choices.one(&["u1", "u2"]), "x")]))
            }
            _ => {
                let request = request(choices);
                let seq = choices.below(9) as u64;
                let flags = choices.below(4);
                Self::chunk(request, (seq < 8).then_some(seq), &chunk(choices).to_string(), flags & 1 > 0, flags & 2 > 0)
            }
        }
    }
}

const STATES: [&str; 7] =
    ["input-streaming", "input-available", "approval-requested", "approval-responded", "output-available", "output-error", "output-denied"];

fn message(choices: &mut Choices<'_>) -> Value {
    if choices.below(4) == 3 {
        return json!({"id": choices.one(&["u1", "u2"]), "role": "user", "parts": [{"type": "text", "text": "x"}]});
    }
    let id = choices.one(&["a1", "a2"]);
    let parts: Vec<Value> = (0..choices.below(4)).map(|_| part(choices)).collect();
    json!({"id": id, "role": "assistant", "parts": parts})
}

fn part(choices: &mut Choices<'_>) -> Value {
    match choices.below(6) {
        0 => json!({"type": "step-start"}),
        1 => json!({"type": "text", "text": choices.one(&["", "ab", "abab"]), "state": choices.one(&["done", "streaming"])}),
        2 => json!({"type": "reasoning", "text": choices.one(&["", "x", "xx"]), "state": choices.one(&["done", "streaming"])}),
        _ => {
            json!({"type": "tool-t", "toolName": "t", "toolCallId": choices.one(&["c1", "c2"]), "state": choices.one(&STATES), "input": {}})
        }
    }
}

fn messages(choices: &mut Choices<'_>) -> Vec<Value> {
    (0..choices.below(4)).map(|_| message(choices)).collect()
}

fn chunk(choices: &mut Choices<'_>) -> Value {
    let call = choices.one(&["c1", "c2"]);
    match choices.below(24) {
        0 => json!({"type": "start", "messageId": choices.one(&["a1", "a2"])}),
        1 => json!({"type": "start"}),
        2 => json!({"type": "start-step"}),
        3 => json!({"type": "text-start", "id": choices.one(&["0", "r1"])}),
        4 => json!({"type": "text-delta", "id": "0", "delta": "ab"}),
        5 => json!({"type": "text-end", "id": "0"}),
        6 => json!({"type": "reasoning-start", "id": "0"}),
        7 => json!({"type": "reasoning-delta", "id": "0", "delta": "x", "providerMetadata": {"p": 1}}),
        8 => json!({"type": "reasoning-end", "id": "0"}),
        9 | 10 => json!({"type": "tool-input-start", "toolCallId": call, "toolName": "t"}),
        11 => {
            json!({"type": "tool-input-delta", "toolCallId": call, "inputTextDelta": choices.one(&["{\"a\":", " 1", ",\"b\": [\"", "\\u12", "}"])})
        }
        12 | 13 => json!({"type": "tool-input-available", "toolCallId": call, "toolName": "t", "input": {"a": 1}}),
        14 => json!({"type": "tool-input-error", "toolCallId": call, "toolName": "t", "errorText": "e"}),
        15 | 16 => json!({"type": "tool-approval-request", "toolCallId": call, "approvalId": "q"}),
        17 => json!({"type": "tool-output-available", "toolCallId": call, "output": 1}),
        18 => json!({"type": "tool-output-available", "toolCallId": call, "output": 0, "preliminary": true}),
        19 => json!({"type": "tool-output-error", "toolCallId": call, "errorText": "e"}),
        20 => json!({"type": "tool-output-denied", "toolCallId": call}),
        21 => json!({"type": "data-x", "id": "d", "data": choices.below(3)}),
        22 => json!({"type": "message-metadata", "messageMetadata": {"m": choices.below(3)}}),
        _ => json!({"type": "finish"}),
    }
}
