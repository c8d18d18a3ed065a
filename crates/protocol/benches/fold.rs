//! How fast the fold is, beside the parsing of the same bytes and nothing more.
//!
//! Run by `cargo xtask bench`, which measures the SDK's own reader beside it. Arguments: recordings. One line of JSON on the output for each,
//! times in nanoseconds for one pass over all frames, the median of the passes.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::{env, fs, hint::black_box, time::Instant};

use callbox_protocol::{ClientFrame, Conversation, ServerFrame, UiMessage};
use serde_json::{Value, json};

/// Passes per measurement; each is repeated until it takes long enough to be measured.
const PASSES: usize = 15;
/// Nanoseconds.
const LONG_ENOUGH: u128 = 20_000_000;

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
                if let Ok(frame) = ServerFrame::parse(raw) {
                    black_box(conversation.receive(&frame));
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

/// Nanoseconds of each of two works, alternating, so that whatever else the computer does befalls both.
fn pairs(mut one: impl FnMut(), mut two: impl FnMut()) -> (f64, f64) {
    let time = |work: &mut dyn FnMut(), times: u32| {
        let started = Instant::now();
        (0..times).for_each(|_| work());
        started.elapsed().as_nanos()
    };
    let times = |work: &mut dyn FnMut()| u32::try_from(LONG_ENOUGH / time(work, 1).max(1) + 1).unwrap_or(u32::MAX);
    // The first pass warms up, too.
    let (often, oftener) = (times(&mut one), times(&mut two));
    let (mut ones, mut twos) = (Vec::new(), Vec::new());
    for _ in 0..PASSES {
        ones.push(time(&mut one, often) as f64 / f64::from(often));
        twos.push(time(&mut two, oftener) as f64 / f64::from(oftener));
    }
    (median(ones), median(twos))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn main() {
    for path in env::args().skip(1).filter(|argument| !argument.starts_with("--")) {
        let lines = read(&path);
        let frames = lines.iter().filter(|line| matches!(line, Line::In(_))).count();
        let bytes: usize = lines.iter().map(|line| if let Line::In(raw) = line { raw.len() } else { 0 }).sum();
        let (folding, parsing) = pairs(|| drop(black_box(fold(&lines, &[]))), || parse(&lines, true));
        let (_, outer) = pairs(|| parse(&lines, false), || parse(&lines, false));
        let messages =
            fold(&lines, &[]).messages().iter().filter(|message| message.id.starts_with("assistant")).cloned().collect::<Vec<_>>();
        println!(
            "{}",
            json!({"file": path, "frames": frames, "bytes": bytes, "fold": folding, "parse": parsing, "parse_outer": outer, "messages": messages})
        );
    }
    if env::args().any(|argument| argument == "--growth") {
        growth();
    }
}

/// What a delta costs as the answer and the history grow.
fn growth() {
    let delta = |n: usize| {
        let body = json!({"type": "text-delta", "id": "t", "delta": format!("word{n} ")}).to_string();
        Line::In(json!({"type": "cf_agent_use_chat_response", "id": "r", "body": body, "done": false, "seq": n + 2}).to_string())
    };
    let chunk = |seq: usize, chunk: Value| {
        Line::In(json!({"type": "cf_agent_use_chat_response", "id": "r", "body": chunk.to_string(), "done": false, "seq": seq}).to_string())
    };
    for (deltas, history) in [(1_000, 0), (10_000, 0), (100_000, 0), (10_000, 1_000), (10_000, 10_000)] {
        let mut lines = vec![
            Line::Open,
            Line::Out(Box::new(ClientFrame::submit("r", vec![UiMessage::user("u", "go")]))),
            chunk(0, json!({"type": "start", "messageId": "assistant_1"})),
            chunk(1, json!({"type": "text-start", "id": "t"})),
        ];
        lines.extend((0..deltas).map(delta));
        let known: Vec<UiMessage> = (0..history).map(|n| UiMessage::user(format!("h{n}"), "something that was said before")).collect();
        // What is there before the first delta is not the delta's cost.
        let (with, without) = pairs(|| drop(black_box(fold(&lines, &known))), || drop(black_box(fold(&lines[..4], &known))));
        println!("{}", json!({"deltas": deltas, "history": history, "per_delta": (with - without) / f64::from(deltas as u32)}));
    }
}
