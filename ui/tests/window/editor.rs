use callbox_ipc::{Bootstrap, ConversationSummary, Draft, ThreadStatus, ThreadUpdate, ThreadView, TurnView, UserError};
use callbox_protocol::{MessageOp, UiMessage};
use serde_json::{Value, json};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::HtmlTextAreaElement;

use crate::stage::{Stage, document, frames, press, signed_in, status};

/// A window in which somebody has left other words for the message `u`, “words”.
async fn left_open() -> Stage {
    let left = Draft { conversation: Some("c".into()), message: Some("u".into()), text: "other words".into() };
    let stage = Stage::with(Bootstrap { drafts: vec![left], ..signed_in() }).await;
    stage.until("the conversation is asked for", || stage.count("open_conversation") > 0).await;
    stage.thread(ThreadUpdate::Opened(ThreadView { messages: vec![UiMessage::user("u", "words")], status: status() }));
    stage.until("the message is there", || stage.find("message").is_some()).await;
    stage
}

fn editor(stage: &Stage) -> Option<HtmlTextAreaElement> {
    stage.find("editor").map(|editor| editor.dyn_into().unwrap())
}

/// What the shell was told of the other words last.
fn kept(stage: &Stage) -> Option<Value> {
    stage.calls("keep_draft").into_iter().rfind(|call| call["message"] == "u")
}

fn words(text: &str) -> Value {
    json!({ "seat": "seat-ada", "conversation": "c", "message": "u", "text": text })
}

#[wasm_bindgen_test]
async fn other_words_that_were_left_are_there_again_without_the_focus_and_are_kept_as_they_grow() {
    let stage = left_open().await;
    frames().await;
    let editor = editor(&stage).unwrap();
    assert_eq!(editor.value(), "other words");
    assert_eq!(document().active_element().and_then(|element| element.get_attribute("data-testid")).as_deref(), Some("composer"));
    editor.set_value("other words, and more");
    let init = web_sys::EventInit::new();
    init.set_bubbles(true);
    editor.dispatch_event(&web_sys::Event::new_with_event_init_dict("input", &init).unwrap()).unwrap();
    stage.until("they are kept", || kept(&stage) == Some(words("other words, and more"))).await;
    // Sent, they stay kept until the agent has them.
    stage.hold("edit_message");
    stage.click("editor-send");
    stage.until("they are sent", || stage.count("edit_message") == 1).await;
    frames().await;
    assert_eq!(kept(&stage), Some(words("other words, and more")));
    stage.answer("edit_message", Ok(Value::Null));
    stage.until("the agent has them", || kept(&stage) == Some(words("")) && stage.find("editor").is_none()).await;
}

#[wasm_bindgen_test]
async fn other_words_that_are_given_up_are_kept_no_more() {
    let stage = left_open().await;
    press(&stage.get("editor"), "Escape", |_| {});
    stage.until("they are forgotten", || kept(&stage) == Some(words("")) && stage.find("editor").is_none()).await;
}

#[wasm_bindgen_test]
async fn other_words_that_have_arrived_unseen_are_open_no_more() {
    let stage = left_open().await;
    stage.ops(vec![MessageOp::Replace { index: 0, message: UiMessage::user("u", "quite other words") }]);
    frames().await;
    assert_eq!(editor(&stage).map(|editor| editor.value()).as_deref(), Some("other words"), "somebody else's are no reason to lose these");
    stage.ops(vec![MessageOp::Replace { index: 0, message: UiMessage::user("u", "other words") }]);
    stage.until("they are forgotten", || kept(&stage) == Some(words("")) && stage.find("editor").is_none()).await;
}

#[wasm_bindgen_test]
async fn words_on_their_way_are_kept_for_whoever_goes_elsewhere_and_open_again_if_they_are_refused() {
    let left = Draft { conversation: Some("c".into()), message: Some("u".into()), text: "other words".into() };
    let mut bootstrap = Bootstrap { drafts: vec![left], ..signed_in() };
    bootstrap.conversations.push(ConversationSummary { id: "d".into(), title: "Other".into(), updated_at: 0 });
    let stage = Stage::with(bootstrap).await;
    let messages = |text: &str| vec![UiMessage::user("u", text)];
    stage.until("the conversation is asked for", || stage.count("open_conversation") > 0).await;
    stage.thread(ThreadUpdate::Opened(ThreadView { messages: messages("words"), status: status() }));
    stage.until("the editor is there", || editor(&stage).is_some()).await;
    stage.hold("edit_message");
    stage.click("editor-send");
    stage.until("they are sent", || stage.count("edit_message") == 1).await;

    // Elsewhere and back, where they are shown ahead of the agent.
    let go = |id: &str| stage.select(&format!("[data-testid=conversation-item][data-conversation={id}]")).unwrap().click();
    go("d");
    stage.until("elsewhere", || editor(&stage).is_none()).await;
    go("c");
    let asked = json!({ "conversation": "c" });
    stage.until("the conversation is asked for again", || stage.calls("open_conversation").last() == Some(&asked)).await;
    let waiting = ThreadStatus { turn: TurnView::Waiting, ..status() };
    stage.thread(ThreadUpdate::Opened(ThreadView { messages: messages("other words"), status: waiting }));
    stage.until("the message is there", || stage.find("message").is_some()).await;
    frames().await;
    assert!(editor(&stage).is_none());
    assert_eq!(kept(&stage), None, "the shell was told of nothing, so it keeps them");

    stage.answer("edit_message", Err(UserError::new("change-not-taken", "The agent did not take it.")));
    stage.ops(vec![MessageOp::Replace { index: 0, message: UiMessage::user("u", "words") }]);
    stage.thread(ThreadUpdate::status(status()));
    stage.until("they are open again", || editor(&stage).is_some_and(|editor| editor.value() == "other words")).await;
    stage.until("it is said", || stage.attribute("notice", "data-code").as_deref() == Some("change-not-taken")).await;
    assert_eq!(kept(&stage), None);
}

#[wasm_bindgen_test]
async fn other_words_for_a_message_that_is_taken_back_are_in_the_box_and_that_is_said() {
    let stage = left_open().await;
    stage.ops(vec![MessageOp::Truncate { len: 0 }]);
    stage.until("they are in the box", || stage.composer().value() == "other words").await;
    stage.until("it is said", || stage.attribute("notice", "data-code").as_deref() == Some("edit-homeless")).await;
    let box_ = json!({ "seat": "seat-ada", "conversation": "c", "message": null, "text": "other words" });
    stage.until("they are kept there", || stage.calls("keep_draft").contains(&box_) && kept(&stage) == Some(words(""))).await;
}
