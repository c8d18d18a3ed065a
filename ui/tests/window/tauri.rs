use std::cell::RefCell;
use std::rc::Rc;

use callbox_ipc::{Event, NoticeKind, ThreadEvent, ThreadUpdate};
use callbox_protocol::MessageOp;
use callbox_ui::backend::Backend;
use callbox_ui::backend::tauri::Tauri;
use js_sys::{Function, Reflect};
use serde_json::{Map, Value, json};
use wasm_bindgen::JsValue;
use wasm_bindgen_test::wasm_bindgen_test;

/// Puts a bridge into the page that answers as the script says, and keeps what it was asked.
fn bridge(answer: &str) -> Tauri {
    let script = format!(
        "window.__TAURI_INTERNALS__ = {{ asked: [], callbacks: [],
            transformCallback(call) {{ this.callbacks.push(call); return 4242; }},
            invoke(command, payload) {{ this.asked.push(JSON.stringify([command, payload])); {answer} }} }}"
    );
    Function::new_no_args(&script).call0(&JsValue::NULL).unwrap();
    Tauri::find().unwrap()
}

fn evaluate(script: &str) -> JsValue {
    Function::new_no_args(script).call0(&JsValue::NULL).unwrap()
}

fn asked() -> Value {
    let text = evaluate("return '[' + window.__TAURI_INTERNALS__.asked.join(',') + ']'").as_string().unwrap();
    serde_json::from_str(&text).unwrap()
}

fn arguments(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

#[wasm_bindgen_test]
async fn a_command_crosses_with_its_arguments_by_name_and_its_answer_comes_back() {
    let tauri = bridge("return Promise.resolve('id-1')");
    let answer = tauri.invoke("decide", arguments(json!({ "conversation": "c", "tool_call": "t", "approved": false }))).await;
    assert_eq!(answer, Ok(r#""id-1""#.to_owned()));
    assert_eq!(asked(), json!([["decide", { "conversation": "c", "tool_call": "t", "approved": false }]]));
}

#[wasm_bindgen_test]
async fn a_refusal_is_the_shells_own_error() {
    let tauri = bridge("return Promise.reject({ code: 'store-busy', text: 'In use.', arguments: { a: 'b' } })");
    let error = tauri.invoke("sign_in", Map::new()).await.unwrap_err();
    assert_eq!((error.code.as_str(), error.text.as_str(), error.arguments["a"].as_str()), ("store-busy", "In use.", "b"));
}

#[wasm_bindgen_test]
async fn a_bridge_that_fails_in_words_of_its_own_is_reported() {
    let tauri = bridge("return Promise.reject('command sign_in not found')");
    let error = tauri.invoke("sign_in", Map::new()).await.unwrap_err();
    assert_eq!(error.code, "shell-refused");
    assert!(error.text.contains("not found"));
}

#[wasm_bindgen_test]
async fn nothing_as_an_answer_is_nothing() {
    let tauri = bridge("return Promise.resolve(undefined)");
    assert_eq!(tauri.invoke("sign_in", Map::new()).await, Ok("null".to_owned()));
}

#[wasm_bindgen_test]
async fn events_come_in_the_order_of_their_numbers_and_a_bad_one_stops_none() {
    let tauri = bridge("return Promise.resolve(null)");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sink = seen.clone();
    let record = move |event| {
        if let Event::Notice(notice) = event {
            assert_eq!(notice.kind, NoticeKind::Info);
            sink.borrow_mut().push(notice.message.code);
        }
    };
    tauri.subscribe(Box::new(record)).await.unwrap();
    assert_eq!(asked(), json!([["subscribe", { "events": "__CHANNEL__:4242" }]]));
    let notice = |code: &str| json!({ "notice": { "kind": "info", "message": { "code": code, "text": "x" } } });
    let send = |index: u32, message: &Value| {
        evaluate(&format!("window.__TAURI_INTERNALS__.callbacks[0]({{ index: {index}, message: {message} }})"));
    };
    send(0, &notice("a"));
    send(3, &notice("d"));
    send(1, &json!({ "something-new": {} }));
    assert_eq!(*seen.borrow(), ["a"]);
    send(2, &notice("c"));
    assert_eq!(*seen.borrow(), ["a", "c", "d"]);
    evaluate("window.__TAURI_INTERNALS__.callbacks[0]({ end: true, index: 4 })");
    assert_eq!(seen.borrow().len(), 3);
}

#[wasm_bindgen_test]
async fn an_event_that_comes_as_text_keeps_its_numbers_digit_by_digit() {
    let tauri = bridge("return Promise.resolve(null)");
    let seen = Rc::new(RefCell::new(Vec::new()));
    let sink = seen.clone();
    tauri.subscribe(Box::new(move |event| sink.borrow_mut().push(event))).await.unwrap();
    let part = json!({ "type": "tool-pay", "toolCallId": "t", "state": "input-available", "input": { "to": 9_007_199_254_740_993_u64 } });
    let op = MessageOp::SetPart { message: 0, part: 0, value: serde_json::from_value(part).unwrap() };
    let event = Event::Thread(ThreadEvent { conversation: "c".into(), update: ThreadUpdate::ops(vec![op]) });
    let text = Value::String(serde_json::to_string(&event).unwrap());
    evaluate(&format!("window.__TAURI_INTERNALS__.callbacks[0]({{ index: 0, message: {text} }})"));
    assert_eq!(*seen.borrow(), [event]);
}

#[wasm_bindgen_test]
fn outside_the_app_there_is_no_bridge() {
    Reflect::delete_property(web_sys::window().unwrap().as_ref(), &"__TAURI_INTERNALS__".into()).unwrap();
    assert!(Tauri::find().is_none());
}
