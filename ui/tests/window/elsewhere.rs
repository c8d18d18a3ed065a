use callbox_ipc::{LinkView, ThreadStatus, ThreadUpdate, TurnView, UserError};
use callbox_protocol::UiMessage;
use serde_json::{Value, json};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, frames, messages, status};

fn interrupt(call: &str, mut members: Value) -> String {
    members["name"] = json!("AUTH0_AI_INTERRUPT");
    members["toolCall"] = json!({ "id": call, "name": "checkUsersCalendar" });
    format!("AUTH0_AI_INTERRUPTION:{members}")
}

fn account(call: &str) -> String {
    let scopes = json!(["calendar.read", "tides.read"]);
    interrupt(call, json!({ "code": "TOKEN_VAULT_ERROR", "connection": "google-oauth2", "scopes": scopes }))
}

fn approval(code: &str, requested_at: f64) -> String {
    let request = json!({ "requestedAt": requested_at, "expiresIn": 300, "bindingMessage": "Crates #K7" });
    interrupt("call-7", json!({ "code": format!("ASYNC_AUTHORIZATION_{code}"), "request": request }))
}

fn failed(error: &str) -> Vec<UiMessage> {
    let part =
        json!({ "type": "tool-checkUsersCalendar", "toolCallId": "call-7", "state": "output-error", "input": {}, "errorText": error });
    messages(json!([{ "id": "a", "role": "assistant", "parts": [part] }]))
}

async fn stopped(error: &str) -> Stage {
    let stage = Stage::open(failed(error)).await;
    stage.until("it has stopped", || stage.find("elsewhere-card").is_some()).await;
    stage
}

#[wasm_bindgen_test]
async fn the_card_names_the_service_and_every_scope_and_shows_no_raw_text() {
    let stage = stopped(&account("call-7")).await;
    let text = stage.get("elsewhere-card").inner_text();
    for part in
        ["Desk needs your account at Google", "google-oauth2", "Read your calendar", "calendar.read", "tides.read", "tenant.example"]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!stage.page.inner_text().contains("AUTH0"), "{}", stage.page.inner_text());
    assert_eq!(stage.count("connect_account"), 0, "nothing is opened before somebody wants it");
}

#[wasm_bindgen_test]
async fn connecting_waits_can_be_cancelled_and_says_why_it_failed() {
    let stage = stopped(&account("call-7")).await;
    stage.hold("connect_account");
    stage.click("connect-account");
    stage.until("it waits", || stage.find("cancel-connect").is_some()).await;
    assert_eq!(stage.calls("connect_account"), [json!({ "conversation": "c", "tool_call": "call-7" })]);
    stage.click("cancel-connect");
    assert_eq!(stage.count("cancel_connect"), 1);
    stage.answer("connect_account", Err(UserError::new("connect-cancelled", "Cancelled.")));
    stage.until("it can be connected again", || stage.find("connect-account").is_some()).await;
    assert!(stage.find("error").is_none(), "whoever cancels knows why");

    stage.hold("connect_account");
    stage.click("connect-account");
    stage.answer("connect_account", Err(UserError::new("connect-not-offered", "Use the agent's own web app.")));
    stage.until("it is said", || stage.find("error").is_some()).await;
    assert!(stage.find("connect-account").is_none(), "no further try helps");
}

#[wasm_bindgen_test]
async fn what_is_told_of_the_turn_is_shown_at_the_call_that_it_names_and_else_as_a_failure() {
    let part = json!({ "type": "tool-checkUsersCalendar", "toolCallId": "call-7", "state": "input-available", "input": {} });
    let stage = Stage::open(messages(json!([{ "id": "a", "role": "assistant", "parts": [part] }]))).await;
    let error = || Some(UserError::new("turn-interrupted", "A tool needs something of you first."));
    let told = |call: &str| ThreadUpdate::status(ThreadStatus { interrupt: Some(account(call)), error: error(), ..status() });
    stage.thread(told("call-8"));
    stage.until("it is said", || stage.find("error").is_some()).await;
    assert!(stage.find("elsewhere-card").is_none());
    stage.thread(told("call-7"));
    stage.until("it is said at the call", || stage.find("elsewhere-card").is_some()).await;
    stage.until("and there alone", || stage.find("error").is_none()).await;
    stage.thread(ThreadUpdate::status(ThreadStatus { turn: TurnView::Streaming, interrupt: Some(account("call-7")), ..status() }));
    stage.until("the agent is at work", || stage.find("elsewhere-card").is_none()).await;
}

#[wasm_bindgen_test]
async fn an_approval_shows_its_words_and_the_time_that_is_left() {
    let now = js_sys::Date::now() / 1000.0;
    let stage = stopped(&approval("AUTHORIZATION_PENDING", now - 60.0)).await;
    assert_eq!(stage.get("binding-message").inner_text(), "Crates #K7");
    let left = stage.get("countdown").inner_text();
    assert!(left.starts_with("3:5") || left.starts_with("4:00"), "{left}");
    stage.click("resume-call");
    frames().await;
    assert_eq!(stage.calls("resume_call"), [json!({ "conversation": "c", "tool_call": "call-7" })]);
    for (code, ago, expected) in
        [("ACCESS_DENIED", 60.0, "denied"), ("ACCESS_DENIED", 310.0, "expired"), ("AUTHORIZATION_PENDING", 310.0, "over")]
    {
        let stage = stopped(&approval(code, now - ago)).await;
        assert_eq!(stage.attribute("elsewhere-card", "data-stage").as_deref(), Some(expected), "{code} {ago}");
        assert_eq!(stage.get("countdown").inner_text(), "");
    }
}

#[wasm_bindgen_test]
async fn an_older_answer_and_one_that_cannot_be_read_ask_for_nothing() {
    let mut list = failed(&account("call-7"));
    list.extend(messages(json!([{ "id": "u", "role": "user", "parts": [{ "type": "text", "text": "never mind" }] }])));
    for messages in [list, failed(&account("call-8")), failed("AUTH0_AI_INTERRUPTION:{\"request\"")] {
        let stage = Stage::open(messages).await;
        stage.until("the call is there", || stage.find("tool-card").is_some()).await;
        assert!(stage.find("elsewhere-card").is_none());
        stage.select("[data-testid='tool-card'] .fold").unwrap().click();
        stage.until("it unfolds", || stage.find("tool-output").is_some()).await;
        let text = stage.get("tool-output").inner_text();
        assert!(text.contains("needs something of you first") && !text.contains('{'), "{text}");
    }
}

#[wasm_bindgen_test]
async fn what_an_agent_wants_beyond_what_was_granted_is_listed_before_the_browser_opens() {
    let stage = Stage::open(failed("It failed.")).await;
    let wanted = |scopes: &[&str]| {
        let link = LinkView::MoreWanted { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() };
        ThreadUpdate::status(ThreadStatus { link, ..status() })
    };
    stage.thread(wanted(&["chat", "admin:everything"]));
    stage.until("it is listed", || stage.find("scopes").is_some()).await;
    let text = stage.get("scopes").inner_text();
    assert!(text.contains("Talk to the agent for you") && text.contains("admin:everything"), "{text}");
    assert_eq!(stage.count("step_up"), 0);
    stage.click("step-up");
    assert_eq!(stage.calls("step_up"), [json!({ "conversation": "c" })]);
    stage.thread(wanted(&[]));
    stage.until("there is nothing to grant", || stage.find("step-up").is_none()).await;
}
