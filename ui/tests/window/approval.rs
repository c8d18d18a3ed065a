use callbox_ipc::{DecisionView, ThreadStatus, ThreadUpdate, UserError};
use callbox_protocol::{MessageOp, UiMessage};
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, document, frames, messages, press, status};

fn question(input: &Value) -> Value {
    json!({ "type": "tool-get-Weather", "toolCallId": "call-7", "state": "approval-requested", "input": input, "approval": { "id": "p" } })
}

async fn asked() -> Stage {
    let stage = Stage::open(messages(json!([{ "id": "a", "role": "assistant", "parts": [question(&json!({ "city": "Paris" }))] }]))).await;
    stage.until("it asks", || stage.find("approval-card").is_some()).await;
    stage
}

async fn armed() -> Stage {
    let stage = asked().await;
    stage.until("it can be approved", || stage.attribute("approval-card", "data-armed").as_deref() == Some("true")).await;
    stage
}

fn decision(approved: bool) -> Value {
    json!({ "conversation": "c", "tool_call": "call-7", "approved": approved })
}

#[wasm_bindgen_test]
async fn the_card_shows_the_whole_name_and_every_argument() {
    let stage = asked().await;
    let text = stage.get("approval-card").inner_text();
    for part in ["get-Weather", "city", "Paris", "Desk"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(stage.attribute("tool-card", "data-tool").as_deref(), Some("get-Weather"));
    assert_eq!(stage.attribute("tool-card", "data-state").as_deref(), Some("waiting"));
}

#[wasm_bindgen_test]
async fn approve_says_yes_once() {
    let stage = armed().await;
    stage.click("approve");
    stage.click("approve");
    stage.click("deny");
    frames().await;
    assert_eq!(stage.calls("decide"), [decision(true)]);
}

#[wasm_bindgen_test]
async fn deny_says_no_at_once() {
    let stage = asked().await;
    stage.click("deny");
    assert_eq!(stage.calls("decide"), [decision(false)]);
}

#[wasm_bindgen_test]
async fn nothing_approves_before_the_question_has_stood_for_a_moment() {
    let stage = asked().await;
    assert_eq!(stage.attribute("approval-card", "data-armed").as_deref(), Some("false"));
    stage.click("approve");
    let card = stage.get("approval-card");
    card.focus().unwrap();
    press(&card, "a", |_| {});
    assert_eq!(stage.count("decide"), 0);
}

#[wasm_bindgen_test]
async fn a_question_that_changes_has_to_stand_for_a_moment_again() {
    let stage = armed().await;
    let value = serde_json::from_value(question(&json!({ "city": "somewhere else" }))).unwrap();
    stage.ops(vec![MessageOp::SetPart { message: 0, part: 0, value }]);
    stage.until("the new question is shown", || stage.get("approval-card").inner_text().contains("somewhere else")).await;
    stage.click("approve");
    assert_eq!(stage.count("decide"), 0);
}

#[wasm_bindgen_test]
async fn no_button_has_the_focus_by_itself() {
    let stage = armed().await;
    let focused = || document().active_element().and_then(|element| element.get_attribute("data-testid"));
    stage.until("the box has the focus", || focused().as_deref() == Some("composer")).await;
    press(&stage.get("composer"), "Enter", |_| {});
    frames().await;
    assert_eq!(stage.count("decide"), 0, "a stray Enter decides nothing");
}

#[wasm_bindgen_test]
async fn the_keys_count_only_on_the_card_itself() {
    let stage = armed().await;
    press(&stage.get("composer"), "a", |_| {});
    press(&stage.get("deny"), "a", |_| {});
    press(&stage.get("approval-card"), "a", |init| init.set_ctrl_key(true));
    press(&stage.get("approval-card"), "a", |init| init.set_repeat(true));
    assert_eq!(stage.count("decide"), 0);
    press(&stage.get("approval-card"), "a", |_| {});
    assert_eq!(stage.calls("decide"), [decision(true)]);
}

#[wasm_bindgen_test]
async fn the_key_for_no_says_no() {
    let stage = asked().await;
    press(&stage.get("approval-card"), "D", |_| {});
    assert_eq!(stage.calls("decide"), [decision(false)]);
}

#[wasm_bindgen_test]
async fn a_decision_on_its_way_leaves_no_buttons() {
    let stage = armed().await;
    stage.click("approve");
    let decisions = vec![DecisionView { tool_call: "call-7".into(), approved: true }];
    stage.thread(ThreadUpdate::status(ThreadStatus { decisions, ..status() }));
    stage.until("the question is gone", || stage.find("approval-card").is_none()).await;
    assert_eq!(stage.attribute("tool-card", "data-state").as_deref(), Some("approving"));
}

#[wasm_bindgen_test]
async fn whoever_has_answered_can_go_on_writing() {
    let stage = armed().await;
    stage.get("approve").focus().unwrap();
    stage.click("approve");
    let decisions = vec![DecisionView { tool_call: "call-7".into(), approved: true }];
    stage.thread(ThreadUpdate::status(ThreadStatus { decisions, ..status() }));
    stage.until("the question is gone", || stage.find("approval-card").is_none()).await;
    stage.until("the box has the focus", || document().active_element().is_some_and(|element| element.id() == "composer")).await;
}

#[wasm_bindgen_test]
async fn the_way_to_the_question_is_shown_only_while_the_question_is_out_of_sight() {
    let stage = asked().await;
    let seen = || stage.get("go-to-approval").class_list().contains("seen");
    stage.until("the question is in sight", seen).await;
    let more = (1..30).map(|index| MessageOp::Insert { index, message: UiMessage::user(format!("u{index}"), "and then") }).collect();
    stage.ops(more);
    stage.until("the question is far above", || !seen()).await;
    stage.click("go-to-approval");
    stage.until("the question is in sight again", seen).await;
}

#[wasm_bindgen_test]
async fn a_decision_that_was_not_taken_can_be_taken_again() {
    let stage = armed().await;
    stage.hold("decide");
    stage.click("deny");
    stage.answer("decide", Err(UserError::new("store-busy", "The list is in use. Try again.")));
    stage.until("it says so", || stage.find("error").is_some()).await;
    stage.click("deny");
    assert_eq!(stage.calls("decide"), [decision(false), decision(false)]);
}

#[wasm_bindgen_test]
async fn the_way_to_the_question_leads_there() {
    let stage = armed().await;
    stage.click("go-to-approval");
    let focused = document().active_element().and_then(|element| element.get_attribute("data-testid"));
    assert_eq!(focused.as_deref(), Some("approval-card"));
}

#[wasm_bindgen_test]
async fn deception_is_marked_and_told() {
    let input = json!({ "to": "p\u{430}ypal.com", "file": "a\u{202E}fdp.exe" });
    let stage = Stage::open(messages(json!([{ "id": "a", "role": "assistant", "parts": [question(&input)] }]))).await;
    stage.until("it asks", || stage.find("approval-card").is_some()).await;
    let text = stage.get("approval-card").inner_text();
    assert!(text.contains("U+202E"), "{text}");
    assert_eq!(stage.all(".approval-warnings li").len(), 2, "{text}");
    assert!(!text.contains('\u{202E}'), "the control itself is not drawn");
}

#[wasm_bindgen_test]
async fn it_is_said_aloud_that_the_agent_asks() {
    let stage = asked().await;
    stage.until("it is said", || stage.get("live-region").inner_text().contains("get-Weather")).await;
}
