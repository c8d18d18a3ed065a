use callbox_ipc::{DecisionView, Delivery, LinkView};
use callbox_protocol::{Part, apply};
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::markdown::Block;
use crate::state::content::BlockSlot;

fn status() -> ThreadStatus {
    ThreadStatus { link: LinkView::Online, ..ThreadStatus::default() }
}

fn messages(value: serde_json::Value) -> Vec<UiMessage> {
    serde_json::from_value(value).unwrap()
}

fn open(value: serde_json::Value) -> Thread {
    Thread::new("c".into(), ThreadView { messages: messages(value), status: status() })
}

fn part(value: serde_json::Value) -> Part {
    serde_json::from_value(value).unwrap()
}

fn keys(thread: &Thread) -> Vec<u64> {
    thread.messages.get_untracked().iter().map(|message| message.key).collect()
}

fn slot_keys(message: &Message) -> Vec<u64> {
    message.slots.get_untracked().iter().map(|slot| slot.key).collect()
}

fn blocks(message: &Message, index: usize) -> Vec<BlockSlot> {
    match &message.slots.get_untracked()[index].content {
        Content::Text(text) | Content::Reasoning(text) => text.blocks.get_untracked(),
        _ => panic!("a text"),
    }
}

fn hello() -> serde_json::Value {
    json!([
        { "id": "u1", "role": "user", "parts": [{ "type": "text", "text": "hi" }] },
        { "id": "a1", "role": "assistant", "parts": [{ "type": "step-start" }, { "type": "text", "text": "Hel", "state": "streaming" }] },
    ])
}

#[test]
fn a_delta_changes_one_block_and_no_list() {
    let owner = Owner::new();
    owner.set();
    let thread = open(hello());
    let message = thread.messages.get_untracked()[1].clone();
    thread.apply(MessageOp::AppendText { message: 1, part: 1, delta: "lo\n\nsecond\n\nthi".into() }).unwrap();
    let before = blocks(&message, 1);
    let (messages, slots, list, first, last) = (
        Watch::new(thread.messages.clone()),
        Watch::new(message.slots.clone()),
        Watch::new(match &message.slots.get_untracked()[1].content {
            Content::Text(text) => text.blocks.clone(),
            _ => panic!("a text"),
        }),
        Watch::new(before[0].block.clone()),
        Watch::new(before[2].block.clone()),
    );
    thread.apply(MessageOp::AppendText { message: 1, part: 1, delta: "rd".into() }).unwrap();
    assert!(last.changed(), "the open block");
    assert!(!first.changed(), "a closed block");
    assert!(!list.changed(), "the list of blocks");
    assert!(!slots.changed(), "the list of parts");
    assert!(!messages.changed(), "the list of messages");
    assert_eq!(message.text(), "Hello\n\nsecond\n\nthird");
}

/// Tells whether a signal has been set since, by the subscriptions it wakes.
struct Watch(ArcMemo<u32>, u32);

impl Watch {
    fn new<T: Send + Sync + 'static>(signal: ArcRwSignal<T>) -> Self {
        let counter = std::sync::Arc::new(std::sync::atomic::AtomicU32::new(0));
        let memo = ArcMemo::new(move |_| {
            signal.track();
            counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
        });
        let seen = memo.get_untracked();
        Self(memo, seen)
    }

    fn changed(&self) -> bool {
        self.0.get_untracked() != self.1
    }
}

#[test]
fn a_part_that_changes_its_value_keeps_its_place_and_one_that_changes_its_kind_does_not() {
    let thread = open(hello());
    let message = thread.messages.get_untracked()[1].clone();
    let before = slot_keys(&message);
    thread
        .apply(MessageOp::SetPart { message: 1, part: 1, value: part(json!({ "type": "text", "text": "Hello", "state": "done" })) })
        .unwrap();
    assert_eq!(slot_keys(&message), before);
    thread.apply(MessageOp::SetPart { message: 1, part: 1, value: part(json!({ "type": "reasoning", "text": "Hm" })) }).unwrap();
    assert_eq!(slot_keys(&message)[0], before[0]);
    assert_ne!(slot_keys(&message)[1], before[1]);
}

#[test]
fn a_message_that_gets_its_final_id_stays_the_same_message() {
    let thread = open(hello());
    let before = keys(&thread);
    let mut message = messages(hello()).remove(1);
    message.id = "assistant_1".into();
    thread.apply(MessageOp::Replace { index: 1, message }).unwrap();
    assert_eq!(keys(&thread), before);
    assert_eq!(thread.messages.get_untracked()[1].id.get_untracked(), "assistant_1");
}

#[test]
fn opening_again_keeps_what_is_the_same() {
    let thread = open(hello());
    let before = keys(&thread);
    let mut again = messages(hello());
    again.push(UiMessage::user("u2", "more"));
    thread.replace(ThreadView { messages: again, status: status() });
    assert_eq!(keys(&thread)[..2], before[..]);
    assert_eq!(keys(&thread).len(), 3);
    thread.replace(ThreadView { messages: messages(hello()).split_off(1), status: status() });
    assert_eq!(keys(&thread), before[1..]);
}

#[test]
fn a_change_to_something_that_is_not_there_says_so() {
    let thread = open(hello());
    for op in [
        MessageOp::AppendText { message: 2, part: 0, delta: "x".into() },
        MessageOp::AppendText { message: 1, part: 2, delta: "x".into() },
        MessageOp::AppendText { message: 1, part: 0, delta: "x".into() },
        MessageOp::SetPart { message: 1, part: 3, value: Part::StepStart },
        MessageOp::TruncateParts { message: 0, len: 2 },
        MessageOp::Truncate { len: 3 },
        MessageOp::Insert { index: 3, message: UiMessage::user("x", "x") },
        MessageOp::SetMeta { message: 2, metadata: None },
    ] {
        assert_eq!(thread.apply(op.clone()), Err(OutOfStep), "{op:?}");
    }
}

#[test]
fn a_question_asks_until_it_is_decided() {
    let thread = open(json!([{ "id": "a1", "role": "assistant", "parts": [
        { "type": "tool-a", "toolCallId": "1", "state": "approval-requested", "approval": { "id": "p1" } },
        { "type": "tool-b", "toolCallId": "2", "state": "approval-requested", "approval": { "id": "p2" } },
        { "type": "tool-c", "toolCallId": "3", "state": "output-available", "output": 1 },
    ] }]));
    let asking = |thread: &Thread| untrack(|| thread.asking()).into_iter().map(|tool| tool.tool_name).collect::<Vec<_>>();
    assert_eq!(asking(&thread), ["a", "b"]);
    thread.set_status(ThreadStatus { decisions: vec![DecisionView { tool_call: "1".into(), approved: false }], ..status() });
    assert_eq!(asking(&thread), ["b"]);
    assert_eq!(untrack(|| thread.around("1").decision), Some(false));
}

#[test]
fn a_call_asks_that_the_core_says_is_waiting_for_the_user() {
    let thread = open(json!([{ "id": "a1", "role": "assistant", "parts": [
        { "type": "tool-a", "toolCallId": "1", "state": "input-available", "input": {} },
        { "type": "tool-b", "toolCallId": "2", "state": "input-available", "input": {} },
    ] }]));
    let asking = |thread: &Thread| untrack(|| thread.asking()).into_iter().map(|tool| tool.tool_name).collect::<Vec<_>>();
    assert!(asking(&thread).is_empty());
    thread.set_status(ThreadStatus { confirmations: vec!["2".into()], ..status() });
    assert_eq!(asking(&thread), ["b"]);
}

#[test]
fn the_delivery_of_a_message_is_found_by_its_id() {
    let thread = open(hello());
    thread.set_status(ThreadStatus { deliveries: vec![Delivery { message: "u1".into(), state: DeliveryState::Queued }], ..status() });
    assert_eq!(untrack(|| thread.delivery("u1")), Some(DeliveryState::Queued));
    assert_eq!(untrack(|| thread.delivery("u2")), None);
}

#[test]
fn the_users_own_words_are_not_markdown() {
    let thread = open(json!([{ "id": "u1", "role": "user", "parts": [{ "type": "text", "text": "**no** <b>" }] }]));
    assert!(
        matches!(&thread.messages.get_untracked()[0].slots.get_untracked()[0].content, Content::Plain(text) if text.get_untracked() == "**no** <b>")
    );
}

#[test]
fn a_finished_text_is_drawn_as_it_was_written() {
    let thread =
        open(json!([{ "id": "a1", "role": "assistant", "parts": [{ "type": "text", "text": "some **bo", "state": "streaming" }] }]));
    let message = thread.messages.get_untracked()[0].clone();
    let drawn = |message: &Message| match blocks(message, 0)[0].block.get_untracked() {
        Block::Paragraph(content) => content.len(),
        _ => 0,
    };
    assert_eq!(drawn(&message), 2, "completed for the eye");
    thread
        .apply(MessageOp::SetPart { message: 0, part: 0, value: part(json!({ "type": "text", "text": "some **bo", "state": "done" })) })
        .unwrap();
    assert_eq!(drawn(&message), 1);
}

/// What can be compared of a mirror: ids, roles and texts.
fn shape(thread: &Thread) -> Vec<(String, Role, String)> {
    thread.messages.get_untracked().iter().map(|message| (message.id.get_untracked(), message.role, message.text())).collect()
}

fn expected(messages: &[UiMessage]) -> Vec<(String, Role, String)> {
    let text = |message: &UiMessage| {
        let texts = message.parts.iter().filter_map(|part| part.as_text().map(|part| part.text.clone()));
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join("\n\n")
    };
    messages.iter().map(|message| (message.id.clone(), message.role, text(message))).collect()
}

fn any_part() -> impl Strategy<Value = Part> {
    prop_oneof![
        "[a-z *\n]{0,12}".prop_map(|text| part(json!({ "type": "text", "text": text, "state": "streaming" }))),
        "[a-z]{0,6}".prop_map(|text| part(json!({ "type": "reasoning", "text": text }))),
        Just(Part::StepStart),
        Just(part(json!({ "type": "tool-x", "toolCallId": "1", "state": "input-available", "input": {} }))),
    ]
}

fn any_message() -> impl Strategy<Value = UiMessage> {
    (0..5_u8, any::<bool>(), prop::collection::vec(any_part(), 0..3)).prop_map(|(id, user, parts)| {
        let mut message = if user { UiMessage::user(format!("m{id}"), "") } else { UiMessage::assistant(format!("m{id}")) };
        message.parts = parts;
        message
    })
}

fn any_op() -> impl Strategy<Value = MessageOp> {
    let (message, part) = (0..4_usize, 0..4_usize);
    prop_oneof![
        prop::collection::vec(any_message(), 0..4).prop_map(|messages| MessageOp::Reset { messages }),
        (message.clone(), any_message()).prop_map(|(index, message)| MessageOp::Insert { index, message }),
        (message.clone(), any_message()).prop_map(|(index, message)| MessageOp::Replace { index, message }),
        message.clone().prop_map(|len| MessageOp::Truncate { len }),
        (message.clone(), part.clone(), any_part()).prop_map(|(message, part, value)| MessageOp::SetPart { message, part, value }),
        (message.clone(), part.clone()).prop_map(|(message, len)| MessageOp::TruncateParts { message, len }),
        (message, part, "[a-z*`\n]{0,6}").prop_map(|(message, part, delta)| MessageOp::AppendText { message, part, delta }),
    ]
}

proptest! {
    #[test]
    fn the_mirror_always_equals_the_list_that_the_same_changes_make(ops in prop::collection::vec(any_op(), 0..40)) {
        let thread = open(json!([]));
        let mut list = Vec::new();
        for op in ops {
            let fits = apply(&mut list, op.clone()).is_ok();
            prop_assert_eq!(thread.apply(op).is_ok(), fits);
            prop_assert_eq!(shape(&thread), expected(&list));
        }
    }
}
