use callbox_ipc::{
    ConversationSummary, Delivery, DeliveryState, Event, LinkView, Notice, NoticeKind, ThreadStatus, ThreadUpdate, TurnView, UserError,
};
use callbox_protocol::{MessageOp, UiMessage};
use js_sys::Array;
use serde_json::{Value, json};
use wasm_bindgen::{JsCast, closure::Closure};
use wasm_bindgen_test::wasm_bindgen_test;
use web_sys::{MutationObserver, MutationObserverInit, MutationRecord};

use crate::stage::{Stage, frames, messages, press, status, turn};

fn long(count: usize) -> Value {
    let turn = |number: usize| {
        [
            json!({ "id": format!("u{number}"), "role": "user", "parts": [{ "type": "text", "text": "question" }] }),
            json!({ "id": format!("a{number}"), "role": "assistant", "parts": [{ "type": "text", "text": "one\n\ntwo\n\nthree", "state": "done" }] }),
        ]
    };
    Value::Array((0..count).flat_map(turn).collect())
}

fn from_end(stage: &Stage) -> i32 {
    let scroller = stage.get("messages");
    scroller.scroll_height() - scroller.client_height() - scroller.scroll_top()
}

#[wasm_bindgen_test]
async fn the_view_follows_the_end_until_the_user_scrolls_up() {
    let stage = Stage::open(messages(long(10))).await;
    stage.until("it is at the end", || stage.get("messages").scroll_top() > 0 && from_end(&stage) <= 1).await;
    let answer = |delta: &str| MessageOp::AppendText { message: 19, part: 0, delta: delta.into() };
    stage.ops(vec![answer("\n\nfour\n\nfive\n\nsix")]);
    stage.until("it is at the new end", || stage.get("messages").inner_text().contains("six") && from_end(&stage) <= 1).await;
    let scroller = stage.get("messages");
    scroller.set_scroll_top(40);
    stage.until("the way back is offered", || stage.find("jump-to-latest").is_some()).await;
    stage.ops(vec![answer("\n\nseven\n\neight")]);
    stage.until("it has grown", || stage.get("messages").inner_text().contains("eight")).await;
    frames().await;
    assert_eq!(scroller.scroll_top(), 40, "the user's place is kept");
    stage.click("jump-to-latest");
    stage.until("it is at the end", || from_end(&stage) <= 1 && stage.find("jump-to-latest").is_none()).await;
}

#[wasm_bindgen_test]
async fn a_long_conversation_is_drawn_from_its_end_and_further_back_for_whoever_goes_there() {
    let stage = Stage::open(messages(long(500))).await;
    let drawn = || stage.all("[data-testid='message']");
    let oldest = || drawn().first().and_then(|message| message.get_attribute("data-id"));
    stage.until("it is at the end", || stage.get("messages").scroll_top() > 0 && from_end(&stage) <= 1).await;
    assert_eq!(drawn().len(), 40);
    let scroller = stage.get("messages");
    let before = oldest();
    let first = drawn().remove(0);
    let place = || first.get_bounding_client_rect().top();
    scroller.set_scroll_top(scroller.scroll_top() - 200);
    stage.until("they are off the end", || stage.find("jump-to-latest").is_some()).await;
    scroller.set_scroll_top(100);
    let there = place();
    stage.until("what comes before is there", || drawn().len() == 80).await;
    frames().await;
    assert_ne!(oldest(), before);
    assert!((place() - there).abs() <= 1.0, "what is being read stays where it is: {there}, then {}", place());
    stage.click("jump-to-latest");
    stage.until("it is at the end", || from_end(&stage) <= 1 && stage.find("jump-to-latest").is_none()).await;
    for index in 1000..1100 {
        stage.ops(vec![MessageOp::Insert { index, message: UiMessage::user(format!("n{index}"), "more") }]);
    }
    stage.until("all is taken", || stage.get("messages").inner_text().matches("more").count() >= 40).await;
    assert!(drawn().len() <= 80, "{} messages are drawn", drawn().len());
}

#[wasm_bindgen_test]
async fn deltas_touch_nothing_but_the_block_they_belong_to() {
    let stage = Stage::open(messages(long(10))).await;
    let changes = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = changes.clone();
    let call = Closure::<dyn Fn(Array)>::new(move |records: Array| {
        seen.borrow_mut().extend(records.iter().map(|record| record.unchecked_into::<MutationRecord>().target().unwrap()));
    });
    let observer = MutationObserver::new(call.as_ref().unchecked_ref()).unwrap();
    let options = MutationObserverInit::new();
    options.set_child_list(true);
    options.set_character_data(true);
    options.set_attributes(true);
    options.set_subtree(true);
    let answer = |delta: &str| MessageOp::AppendText { message: 19, part: 0, delta: delta.into() };
    stage.ops(vec![answer("\n\nA last paragraph")]);
    stage.until("it is there", || stage.get("messages").inner_text().contains("A last")).await;
    frames().await;
    observer.observe_with_options(&stage.select(".messages").unwrap(), &options).unwrap();
    for word in 0..900 {
        stage.ops(vec![answer(&format!(" word{word}"))]);
    }
    stage.until("all words are there", || stage.get("messages").inner_text().contains("word899")).await;
    frames().await;
    observer.disconnect();
    let last = stage.all(".message").pop().unwrap();
    let block = last.query_selector(".markdown > :last-child").unwrap().unwrap();
    let changes = changes.borrow();
    assert!(!changes.is_empty(), "the words were seen to come");
    let elsewhere = changes.iter().filter(|node| !block.contains(Some(node)) && !node.contains(Some(&block))).count();
    assert_eq!(elsewhere, 0, "of {} changes", changes.len());
}

#[wasm_bindgen_test]
async fn what_somebody_sends_is_brought_into_view() {
    let stage = Stage::open(messages(long(10))).await;
    stage.until("it is at the end", || stage.get("messages").scroll_top() > 0).await;
    stage.get("messages").set_scroll_top(0);
    stage.until("the way back is offered", || stage.find("jump-to-latest").is_some()).await;
    stage.ops(vec![MessageOp::Insert { index: 20, message: UiMessage::user("u", "my own") }]);
    stage.until("it is in view", || from_end(&stage) <= 1).await;
}

#[wasm_bindgen_test]
async fn a_failed_message_can_be_sent_again_or_dropped() {
    let stage = Stage::open(vec![UiMessage::user("u1", "lost")]).await;
    let state = DeliveryState::Failed { reason: UserError::new("x", "The agent did not take it.") };
    stage.thread(ThreadUpdate::status(ThreadStatus { deliveries: vec![Delivery { message: "u1".into(), state }], ..status() }));
    stage.until("it says so", || stage.find("retry-message").is_some()).await;
    assert_eq!(stage.attribute("message", "data-delivery").as_deref(), Some("failed"));
    assert!(stage.get("message").inner_text().contains("did not take it"));
    stage.click("retry-message");
    stage.until("the buttons are free again", || stage.get("discard-message").get_attribute("disabled").is_none()).await;
    stage.click("discard-message");
    assert_eq!(stage.calls("retry_message"), [json!({ "conversation": "c", "message": "u1" })]);
    assert_eq!(stage.calls("discard_message"), [json!({ "conversation": "c", "message": "u1" })]);
    stage.thread(ThreadUpdate::status(status()));
    stage.until("it is sent", || stage.attribute("message", "data-delivery").as_deref() == Some("sent")).await;
}

#[wasm_bindgen_test]
async fn a_tool_shows_its_input_and_result_in_full_on_demand() {
    let part = json!({ "type": "tool-getTime", "toolCallId": "t", "state": "output-available", "input": { "zone": "UTC" }, "output": { "time": "09:41" } });
    let stage = Stage::open(messages(json!([{ "id": "a", "role": "assistant", "parts": [part] }]))).await;
    assert_eq!(stage.attribute("tool-card", "data-state").as_deref(), Some("done"));
    assert!(stage.find("tool-output").is_none());
    stage.select("[data-testid='tool-card'] .fold").unwrap().click();
    stage.until("it is open", || stage.find("tool-output").is_some()).await;
    assert!(stage.get("tool-input").inner_text().contains("UTC"));
    assert!(stage.get("tool-output").inner_text().contains("09:41"));
}

#[wasm_bindgen_test]
async fn thoughts_are_open_while_they_come_and_fold_when_the_turn_is_over() {
    let part = json!({ "type": "reasoning", "text": "hmm", "state": "streaming" });
    let stage = Stage::open(messages(json!([{ "id": "a", "role": "assistant", "parts": [part] }]))).await;
    let shown = |stage: &Stage| stage.get("reasoning").inner_text().contains("hmm");
    assert!(!shown(&stage), "cut off long ago");
    stage.thread(turn(TurnView::Streaming));
    stage.until("it is open", || shown(&stage)).await;
    stage.thread(turn(TurnView::Idle));
    stage.until("it is folded", || !shown(&stage)).await;
}

#[wasm_bindgen_test]
async fn a_broken_connection_says_why_and_can_be_tried_at_once() {
    let stage = Stage::open(vec![]).await;
    assert_eq!(stage.attribute("connection", "data-state").as_deref(), Some("online"));
    let link = LinkView::Offline { retry_in: Some(9_000), reason: UserError::new("x", "The agent could not be reached.") };
    stage.thread(ThreadUpdate::status(ThreadStatus { link, ..status() }));
    stage.until("it says so", || stage.find("reconnect").is_some()).await;
    assert_eq!(stage.attribute("connection", "data-state").as_deref(), Some("offline"));
    assert!(stage.page.inner_text().contains("could not be reached"));
    stage.click("reconnect");
    assert_eq!(stage.calls("reconnect"), [json!({ "conversation": "c" })]);
}

#[wasm_bindgen_test]
async fn conversations_are_chosen_by_click_and_by_arrow_keys() {
    let stage = Stage::open(vec![]).await;
    let list = ["c", "d"].map(|id| ConversationSummary { id: id.into(), title: format!("title {id}"), updated_at: 0 });
    stage.emit(Event::Conversations(list.to_vec()));
    stage.until("both are listed", || stage.all("[data-testid='conversation-item']").len() == 2).await;
    let first = stage.select("[data-conversation='c'][data-testid='conversation-item']").unwrap();
    first.focus().unwrap();
    press(&first, "ArrowDown", |_| {});
    let focused = crate::stage::document().active_element().unwrap();
    assert_eq!(focused.get_attribute("data-conversation").as_deref(), Some("d"));
    stage.select("[data-conversation='d'][data-testid='conversation-item']").unwrap().click();
    stage.until("it is asked for", || stage.count("open_conversation") == 2).await;
    assert_eq!(stage.calls("open_conversation")[1], json!({ "conversation": "d" }));
    stage.until("it is marked", || stage.select("[data-conversation='d'][aria-current='true']").is_some()).await;
}

#[wasm_bindgen_test]
async fn the_list_of_a_narrow_window_takes_the_focus_and_gives_it_back() {
    let stage = Stage::open(vec![]).await;
    let focused = || crate::stage::document().active_element().unwrap();
    stage.until("the box has the focus", || focused().id() == "composer").await;
    stage.click("sidebar-toggle");
    stage.until("the list has it", || focused().closest(".sidebar").unwrap().is_some()).await;
    press(&stage.get("conversation-item"), "Escape", |_| {});
    stage.until("the box has it again", || focused().id() == "composer").await;
    assert!(stage.select(".listing").is_none());
}

#[wasm_bindgen_test]
async fn forgetting_takes_two_clicks() {
    let stage = Stage::open(vec![]).await;
    stage.click("forget-conversation");
    frames().await;
    assert_eq!(stage.count("forget_conversation"), 0);
    stage.click("forget-conversation");
    assert_eq!(stage.calls("forget_conversation"), [json!({ "conversation": "c" })]);
}

#[wasm_bindgen_test]
async fn a_notice_stays_until_it_is_dismissed() {
    let stage = Stage::open(vec![]).await;
    stage.emit(Event::Notice(Notice { kind: NoticeKind::Warning, message: UserError::new("store-busy", "In use.") }));
    stage.until("it is shown", || stage.find("notice").is_some()).await;
    assert_eq!(stage.attribute("notice", "data-code").as_deref(), Some("store-busy"));
    stage.click("dismiss-notice");
    stage.until("it is gone", || stage.find("notice").is_none()).await;
}

#[wasm_bindgen_test]
async fn changes_that_do_not_fit_make_the_window_ask_for_the_whole() {
    let stage = Stage::open(vec![]).await;
    stage.ops(vec![MessageOp::Truncate { len: 3 }]);
    stage.until("it asks", || stage.count("open_conversation") == 2).await;
}
