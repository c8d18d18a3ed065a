//! What a piece of an answer costs: as much as the piece is long, however long the answer and the conversation are. Counted, not timed.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value, reason = "functions that only tests call, with literals")]

mod support;

use callbox_protocol::{ClientFrame, Conversation, MessageOp, Part, UiMessage};
use serde_json::{Value, json};

use support::{chunk, message};

/// The texts in the ops that a frame makes: what is copied for the window, and moved within the fold.
fn told(conversation: &mut Conversation) -> usize {
    let text = |part: &Part| match part {
        Part::Text(part) => part.text.len(),
        Part::Reasoning(part) => part.text.len(),
        _ => 0,
    };
    let in_op = |op: &MessageOp| match op {
        MessageOp::AppendText { delta, .. } => delta.len(),
        MessageOp::SetPart { value, .. } => text(value),
        MessageOp::Insert { message, .. } | MessageOp::Replace { message, .. } => message.parts.iter().map(text).sum(),
        MessageOp::Reset { messages } => messages.iter().flat_map(|message| &message.parts).map(text).sum(),
        _ => 0,
    };
    conversation.take_ops().iter().map(in_op).sum()
}

/// A conversation with this many messages before, and the beginning of an answer.
fn after(messages: usize) -> Conversation {
    let mut conversation = Conversation::new();
    let said = |at: usize| {
        message(json!({"id": format!("m{at}"), "role": if at.is_multiple_of(2) { "user" } else { "assistant" },
        "parts": [{"type": "text", "text": "something that was said before"}]}))
    };
    conversation.snapshot((0..messages).map(said).collect());
    conversation.sent(&ClientFrame::submit("r1", vec![UiMessage::user("u", "go on")]));
    conversation.receive(&chunk("r1", 0, json!({"type": "start", "messageId": "a"})));
    conversation.take_ops();
    conversation
}

#[test]
fn a_delta_tells_itself_and_nothing_else_in_an_answer_and_a_history_of_any_length() {
    for history in [0, 2_000] {
        for kind in ["text", "reasoning"] {
            let mut conversation = after(history);
            conversation.receive(&chunk("r1", 1, json!({"type": format!("{kind}-start"), "id": "0"})));
            conversation.take_ops();
            for seq in 2..5_000 {
                // Some providers attach something to each piece.
                let delta = json!({"type": format!("{kind}-delta"), "id": "0", "delta": "word ", "providerMetadata": {"p": {"n": seq}}});
                conversation.receive(&chunk("r1", seq, delta));
                assert_eq!(told(&mut conversation), 5, "piece {seq} of a {kind} after {history} messages");
            }
        }
    }
}

#[test]
fn an_answer_in_many_pieces_is_told_twice_at_most_in_all() {
    let mut conversation = after(0);
    let mut all = 0;
    for seq in 1..10_001 {
        conversation.receive(&chunk("r1", seq, json!({"type": "text-delta", "id": "0", "delta": "word "})));
        all += told(&mut conversation);
    }
    conversation.receive(&chunk("r1", 10_001, json!({"type": "text-end", "id": "0"})));
    all += told(&mut conversation);
    let length = conversation.messages().last().unwrap().text().len();
    assert_eq!(length, 50_000);
    assert!(all <= 2 * length, "{all} bytes told for {length}");
}

#[test]
fn arguments_that_are_written_piece_by_piece_are_read_again_only_when_they_have_doubled() {
    let mut conversation = after(0);
    conversation.receive(&chunk("r1", 1, json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "t"})));
    conversation.receive(&chunk("r1", 2, json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{\"text\":\""})));
    conversation.take_ops();
    let (mut read, mut length) = (0, 0);
    for seq in 3..5_000 {
        conversation.receive(&chunk("r1", seq, json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "some text "})));
        length += 10;
        for op in conversation.take_ops() {
            let MessageOp::SetPart { value: Part::Tool(tool), .. } = op else { panic!("{op:?}") };
            read += tool.input.unwrap()["text"].as_str().map_or(0, str::len);
        }
    }
    assert!(read > length / 3 && read < 3 * length, "{read} bytes read for {length}");
}

/// Where the messages are in memory, with their parts and texts: all that is copied or built anew is somewhere else then.
fn places(messages: &[UiMessage]) -> Vec<(usize, Vec<usize>)> {
    let text = |part: &Part| match part {
        Part::Text(part) => part.text.as_ptr() as usize,
        Part::Reasoning(part) => part.text.as_ptr() as usize,
        Part::Tool(part) => part.tool_call_id.as_ptr() as usize,
        Part::Data(part) => part.name.as_ptr() as usize,
        _ => 0,
    };
    messages.iter().map(|message| (message.parts.as_ptr() as usize, message.parts.iter().map(text).collect())).collect()
}

/// All kinds of chunks that come in many pieces, and one piece of each.
fn growing() -> Vec<(Vec<Value>, Value)> {
    vec![
        (vec![json!({"type": "text-start", "id": "0"})], json!({"type": "text-delta", "id": "0", "delta": "word "})),
        (vec![json!({"type": "reasoning-start", "id": "0"})], json!({"type": "reasoning-delta", "id": "0", "delta": "word "})),
        (
            vec![
                json!({"type": "tool-input-start", "toolCallId": "c", "toolName": "t"}),
                json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "{\"text\":\""}),
            ],
            json!({"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "word "}),
        ),
        (vec![json!({"type": "data-x", "id": "d", "data": 0})], json!({"type": "data-x", "id": "d", "data": {"n": [1, 2, 3]}})),
    ]
}

#[test]
fn a_piece_touches_nothing_but_the_part_that_grows_also_when_it_is_sent_again() {
    for (begin, piece) in growing() {
        let mut conversation = after(1_000);
        // A long answer, in many parts.
        let mut chunks: Vec<Value> =
            (0..500).map(|at| json!({"type": "source-url", "sourceId": at.to_string(), "url": "https://x/"})).collect();
        chunks.extend(begin);
        for (seq, chunk_of) in (1..).zip(&chunks) {
            conversation.receive(&chunk("r1", seq, chunk_of.clone()));
        }
        chunks.extend(std::iter::repeat_n(piece, 4_000));
        conversation.take_ops();
        let history = places(&conversation.messages()[..1_001]);
        let (mut told, mut moved, mut last) = (0, 0, None);
        for (seq, piece) in (1..).zip(&chunks).skip(chunks.len() - 4_000) {
            conversation.receive(&chunk("r1", seq, piece.clone()));
            let ops = conversation.take_ops();
            assert!(ops.len() <= 1, "{ops:?}");
            for op in ops {
                let (MessageOp::SetPart { message, part, .. } | MessageOp::AppendText { message, part, .. }) = op else { panic!("{op:?}") };
                assert_eq!((message, part), (1_001, 500));
                told += 1;
            }
            let place = places(&conversation.messages()[1_001..]).pop();
            moved += usize::from(last.is_some() && place != last);
            last = place;
        }
        let kind = chunks.last().unwrap()["type"].as_str().unwrap();
        // A text tells each of its pieces and moves when it outgrows its place. Arguments tell what can be read each time that they have doubled.
        let (tells, moves) = match kind {
            "tool-input-delta" => (4..20, 0..1),
            // The same data again are no change.
            "data-x" => (1..2, 0..1),
            _ => (4_000..4_001, 0..20),
        };
        assert!(tells.contains(&told) && moves.contains(&moved), "{kind}: {told} told, {moved} moved");
        assert_eq!(places(&conversation.messages()[..1_001]), history, "{kind}");

        conversation.disconnected();
        conversation.connected();
        conversation.receive(&support::frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"})));
        conversation.take_ops();
        let shown = places(conversation.messages());
        conversation.receive(&support::replayed("r1", 0, json!({"type": "start", "messageId": "a"})));
        for (seq, piece) in (1..).zip(&chunks) {
            conversation.receive(&support::replayed("r1", seq, piece.clone()));
            assert_eq!(conversation.take_ops(), []);
        }
        assert_eq!(places(conversation.messages()), shown, "{kind}");
    }
}

#[test]
fn a_replay_of_what_is_here_tells_nothing() {
    let mut conversation = after(0);
    let pieces: Vec<Value> = (1..2_000).map(|_| json!({"type": "text-delta", "id": "0", "delta": "word "})).collect();
    for (seq, piece) in (1..).zip(&pieces) {
        conversation.receive(&chunk("r1", seq, piece.clone()));
    }
    conversation.disconnected();
    conversation.connected();
    conversation.receive(&support::frame(json!({"type": "cf_agent_stream_resuming", "id": "r1"})));
    conversation.take_ops();
    conversation.receive(&support::replayed("r1", 0, json!({"type": "start", "messageId": "a"})));
    for (seq, piece) in (1..).zip(pieces) {
        conversation.receive(&support::replayed("r1", seq, piece));
        assert_eq!(conversation.take_ops(), []);
    }
}
