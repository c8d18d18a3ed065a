//! How fast the fold is, beside the parsing of the same bytes and nothing more.
//!
//! Run by `cargo xtask bench`, which measures the SDK's own reader beside it, in turns. A line of JSON comes in, another goes out:
//! `{"load": FILE}` gives the number of frames, their bytes and the messages that come of them; `{"measure": "fold" | "parse" | "outer"}` the
//! nanoseconds of one pass over all frames; `{"growth": true}` what a delta costs as the answer and the history grow.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark")]

use std::{fs, hint::black_box, io, time::Instant};

use callbox_protocol::{ClientFrame, Conversation, Incoming, UiMessage};
use serde_json::{Value, json};

/// A measurement takes so long at least, in nanoseconds.
const LONG_ENOUGH: u128 = 10_000_000;
/// Measurements of what a delta costs; the least counts.
const ROUNDS: usize = 15;

enum Line {
    Open,
    Closed,
    In(String),
    Out(Box<ClientFrame>),
}

fn read(path: &str) -> Vec<Line> {
    let text = fs::read_to_string(path).unwrap();
    let line = |line: &str| -> Option<Line> {
        let value: Value = serde_json::from_str(line).unwrap();
        let raw = || value["raw"].as_str().unwrap().to_owned();
        match (value["dir"].as_str()?, value["text"].as_str().unwrap_or_default()) {
            ("in", _) => Some(Line::In(raw())),
            ("out", _) => ClientFrame::parse(&raw()).ok().map(|frame| Line::Out(Box::new(frame))),
            ("meta", text) if text.starts_with("socket open") => Some(Line::Open),
            ("meta", text) if text.starts_with("socket closed") => Some(Line::Closed),
            _ => None,
        }
    };
    text.lines().filter_map(line).collect()
}

/// What the app does with each frame, the changes for the window included.
fn fold(lines: &[Line], history: &[UiMessage]) -> Conversation {
    let mut conversation = Conversation::new();
    for line in lines {
        match line {
            Line::Open => {
                conversation.connected();
                if !history.is_empty() {
                    conversation.snapshot(history.to_vec());
                }
            }
            Line::Closed => conversation.disconnected(),
            Line::Out(frame) => conversation.sent(frame),
            Line::In(raw) => {
                if let Ok(frame) = Incoming::parse(raw) {
                    black_box(conversation.receive(frame));
                }
            }
        }
        black_box(conversation.take_ops());
    }
    conversation
}

/// Nothing but parsing: each frame, and the chunk that is text inside it.
fn parse(lines: &[Line], inner: bool) {
    for line in lines {
        let Line::In(raw) = line else { continue };
        let frame: Value = serde_json::from_str(raw).unwrap();
        if let (true, Some(body)) = (inner, frame["body"].as_str().filter(|body| !body.is_empty())) {
            let _ = black_box(serde_json::from_str::<Value>(body));
        }
        black_box(frame);
    }
}

/// Nanoseconds of one pass, over as many as take long enough.
fn measure(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    let mut passes = 0_u32;
    while passes == 0 || started.elapsed().as_nanos() < LONG_ENOUGH {
        work();
        passes += 1;
    }
    started.elapsed().as_nanos() as f64 / f64::from(passes)
}

fn main() {
    // A program that has run for a while has seen a large block come and go. Before that, the C library gives what is free back to the system
    // at once, and takes it again for the next frame.
    drop(black_box(vec![0_u8; 16 << 20]));
    let mut lines = Vec::new();
    for question in io::stdin().lines() {
        let question: Value = serde_json::from_str(&question.unwrap()).unwrap();
        let answer = if let Some(path) = question["load"].as_str() {
            lines = read(path);
            let raw = |line: &Line| if let Line::In(raw) = line { Some(raw.len()) } else { None };
            let (frames, bytes) = (lines.iter().filter_map(raw).count(), lines.iter().filter_map(raw).sum::<usize>());
            json!({"frames": frames, "bytes": bytes, "messages": fold(&lines, &[]).messages()})
        } else if question["growth"] == true {
            growth()
        } else {
            json!({"nanoseconds": match question["measure"].as_str().unwrap() {
                "fold" => measure(|| drop(black_box(fold(&lines, &[])))),
                "parse" => measure(|| parse(&lines, true)),
                "outer" => measure(|| parse(&lines, false)),
                other => panic!("{other} is nothing to measure"),
            }})
        };
        println!("{answer}");
    }
}

/// What a delta costs as the answer and the history grow.
fn growth() -> Value {
    let delta = |n: usize| {
        let body = json!({"type": "text-delta", "id": "t", "delta": format!("word{n} ")}).to_string();
        Line::In(json!({"type": "cf_agent_use_chat_response", "id": "r", "body": body, "done": false, "seq": n + 2}).to_string())
    };
    let chunk = |seq: usize, chunk: Value| {
        Line::In(json!({"type": "cf_agent_use_chat_response", "id": "r", "body": chunk.to_string(), "done": false, "seq": seq}).to_string())
    };
    let cost = |(deltas, history): (usize, usize)| {
        let mut lines = vec![
            Line::Open,
            Line::Out(Box::new(ClientFrame::submit("r", vec![UiMessage::user("u", "go")]))),
            chunk(0, json!({"type": "start", "messageId": "assistant_1"})),
            chunk(1, json!({"type": "text-start", "id": "t"})),
        ];
        lines.extend((0..deltas).map(delta));
        let known: Vec<UiMessage> = (0..history).map(|n| UiMessage::user(format!("h{n}"), "something that was said before")).collect();
        // What is there before the first delta is not the delta's cost.
        let least = |lines: &[Line]| (0..ROUNDS).map(|_| measure(|| drop(black_box(fold(lines, &known))))).fold(f64::INFINITY, f64::min);
        json!({"deltas": deltas, "history": history, "nanoseconds": (least(&lines) - least(&lines[..4])) / f64::from(deltas as u32)})
    };
    [(1_000, 0), (10_000, 0), (100_000, 0), (10_000, 1_000), (10_000, 10_000)].map(cost).into_iter().collect()
}
