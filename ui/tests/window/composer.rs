use callbox_ipc::{LinkView, ThreadStatus, ThreadUpdate, TurnView, UserError};
use serde_json::json;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, frames, press, signed_in, status, turn};

fn enter(stage: &Stage) {
    press(&stage.get("composer"), "Enter", |init| init.set_key_code(13));
}

#[wasm_bindgen_test]
async fn enter_sends_and_the_text_leaves_only_when_it_is_safe() {
    let stage = Stage::open(vec![]).await;
    stage.hold("send_message");
    stage.type_text("hello");
    enter(&stage);
    enter(&stage);
    stage.until("it is handed over", || stage.count("send_message") == 1).await;
    frames().await;
    assert_eq!(stage.calls("send_message"), [json!({ "conversation": "c", "text": "hello" })], "once");
    assert_eq!(stage.composer().value(), "hello", "not safe yet");
    stage.answer("send_message", Ok(json!("m1")));
    stage.until("the box is empty", || stage.composer().value().is_empty()).await;
}

#[wasm_bindgen_test]
async fn a_text_that_could_not_be_kept_stays_in_the_box() {
    let stage = Stage::open(vec![]).await;
    stage.hold("send_message");
    stage.type_text("hello");
    enter(&stage);
    stage.answer("send_message", Err(UserError::new("store-disk-full", "The disk is full. Make room, then try again.")));
    stage.until("it is said", || stage.find("error").is_some()).await;
    assert_eq!(stage.composer().value(), "hello");
    assert!(stage.get("error").inner_text().contains("disk is full"));
}

#[wasm_bindgen_test]
async fn what_is_typed_while_a_text_is_handed_over_stays() {
    let stage = Stage::open(vec![]).await;
    stage.hold("send_message");
    stage.type_text("hello");
    enter(&stage);
    stage.type_text("hello, and more");
    stage.answer("send_message", Ok(json!("m1")));
    stage.until("the sent part is gone", || stage.composer().value() == ", and more").await;
}

#[wasm_bindgen_test]
async fn the_enter_of_an_input_method_never_sends() {
    let stage = Stage::open(vec![]).await;
    let composer = stage.get("composer");
    let composition = |name: &str| {
        composer.dispatch_event(&web_sys::CompositionEvent::new(name).unwrap()).unwrap();
    };
    stage.type_text("とうきょう");
    // The usual order: the composition is known when the key comes.
    composition("compositionstart");
    press(&composer, "Enter", |init| init.set_key_code(13));
    press(&composer, "Enter", |init| {
        init.set_is_composing(true);
        init.set_key_code(229);
    });
    composition("compositionend");
    // WebKitGTK: the key comes first, with nothing but the old code to tell.
    press(&composer, "Enter", |init| init.set_key_code(229));
    composition("compositionstart");
    composition("compositionend");
    frames().await;
    assert_eq!(stage.count("send_message"), 0);
    enter(&stage);
    stage.until("the next one sends", || stage.count("send_message") == 1).await;
}

#[wasm_bindgen_test]
async fn shift_enter_and_empty_boxes_send_nothing() {
    let stage = Stage::open(vec![]).await;
    enter(&stage);
    stage.type_text("  \n ");
    enter(&stage);
    stage.type_text("hello");
    let event = press(&stage.get("composer"), "Enter", |init| {
        init.set_key_code(13);
        init.set_shift_key(true);
    });
    frames().await;
    assert_eq!(stage.count("send_message"), 0);
    assert!(!event.default_prevented(), "the browser makes the new line");
}

#[wasm_bindgen_test]
async fn a_running_turn_is_stopped_and_nothing_is_sent_meanwhile() {
    let stage = Stage::open(vec![]).await;
    stage.thread(turn(TurnView::Streaming));
    stage.until("it can be stopped", || stage.find("stop").is_some()).await;
    stage.type_text("next question");
    enter(&stage);
    stage.click("stop");
    press(&stage.get("composer"), "Escape", |_| {});
    frames().await;
    assert_eq!(stage.count("send_message"), 0);
    assert_eq!(stage.calls("cancel_turn"), [json!({ "conversation": "c" }), json!({ "conversation": "c" })]);
    stage.thread(turn(TurnView::Idle));
    stage.until("it can be sent", || stage.find("send").is_some()).await;
    assert_eq!(stage.composer().value(), "next question");
}

#[wasm_bindgen_test]
async fn a_closed_door_says_why() {
    let stage = Stage::open(vec![]).await;
    let reason = UserError::new("not-yours", "This conversation belongs to somebody else.");
    stage.thread(ThreadUpdate::status(ThreadStatus { link: LinkView::Refused { reason }, ..status() }));
    stage.until("the box is closed", || stage.composer().disabled()).await;
    assert_eq!(stage.attribute("connection", "data-state").as_deref(), Some("refused"));
    assert!(stage.page.inner_text().contains("belongs to somebody else"));
    assert!(!stage.select("#composer-hint").unwrap().inner_text().is_empty());
    // It may be open by now.
    stage.click("reconnect");
    stage.until("it is tried again", || stage.calls("reconnect") == [json!({ "conversation": "c" })]).await;
}

#[wasm_bindgen_test]
async fn an_agent_that_has_moved_can_be_added_again_by_the_address_that_it_has() {
    let stage = Stage::open(vec![]).await;
    let reason = UserError::new("agent-trusts-another", "The agent now trusts somebody else.");
    let link = LinkView::AgentMoved { reason, agent: "https://agent.example/agents/a".into() };
    stage.thread(ThreadUpdate::status(ThreadStatus { link, ..status() }));
    stage.until("the box is closed", || stage.composer().disabled()).await;
    assert!(stage.page.inner_text().contains("now trusts somebody else"));
    assert!(stage.find("sign-in").is_none(), "the same sign-in again would not help");
    stage.click("new-agent-open");
    stage.until("the dialog is there", || stage.find("agent-address").is_some()).await;
    stage.click("agent-submit");
    let added = json!({ "address": "https://agent.example/agents/a", "client_id": null });
    stage.until("it is added", || stage.calls("add_agent") == [added.clone()]).await;
    stage.until("the dialog has gone", || stage.find("agent-address").is_none()).await;
}

#[wasm_bindgen_test]
async fn the_first_message_begins_a_conversation() {
    let mut bootstrap = signed_in();
    bootstrap.conversations.clear();
    bootstrap.open = None;
    let stage = Stage::with(bootstrap).await;
    stage.until("there is a box", || stage.find("composer").is_some()).await;
    stage.hold("new_conversation");
    stage.type_text("hello");
    enter(&stage);
    stage.answer("new_conversation", Ok(json!("new")));
    stage.until("it is sent", || stage.count("send_message") == 1).await;
    assert_eq!(stage.calls("send_message"), [json!({ "conversation": "new", "text": "hello" })]);
    stage.until("the box is empty", || stage.composer().value().is_empty()).await;
}

#[wasm_bindgen_test]
async fn a_suggestion_is_said_with_one_click() {
    let stage = Stage::open(vec![]).await;
    stage.click("suggestion");
    stage.until("it is sent", || stage.count("send_message") == 1).await;
    assert_eq!(stage.calls("send_message")[0]["text"], "What can you do?");
}
