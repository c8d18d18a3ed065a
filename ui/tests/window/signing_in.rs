use callbox_ipc::{Bootstrap, Event, SessionView, SignInStage, UserError};
use serde_json::json;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, document, signed_in};

async fn out(reason: Option<UserError>) -> Stage {
    let stage =
        Stage::with(Bootstrap { session: SessionView::SignedOut { reason }, conversations: vec![], open: None, ..signed_in() }).await;
    stage.until("the screen is there", || stage.attribute("window", "data-screen").as_deref() == Some("sign-in")).await;
    stage
}

fn stage_of(stage: SignInStage) -> Event {
    Event::Session(SessionView::SigningIn { stage })
}

#[wasm_bindgen_test]
async fn it_says_where_one_signs_in_and_to_what() {
    let stage = out(None).await;
    let text = stage.page.inner_text();
    assert!(text.contains("tenant.example") && text.contains("agent.example") && text.contains("Desk"), "{text}");
    stage.click("sign-in");
    assert_eq!(stage.count("sign_in"), 1);
}

#[wasm_bindgen_test]
async fn the_sandbox_is_one_click_away() {
    let stage = out(None).await;
    stage.click("try-sandbox");
    assert_eq!(stage.count("use_sandbox"), 1);
}

#[wasm_bindgen_test]
async fn without_a_profile_there_is_only_the_sandbox() {
    let bootstrap =
        Bootstrap { session: SessionView::SignedOut { reason: None }, profile: None, conversations: vec![], open: None, ..signed_in() };
    let stage = Stage::with(bootstrap).await;
    stage.until("the screen is there", || stage.find("try-sandbox").is_some()).await;
    assert!(stage.find("sign-in").is_none());
}

#[wasm_bindgen_test]
async fn why_somebody_is_signed_out_is_said() {
    let stage = out(Some(UserError::new("sign-in-expired", "The sign-in took too long. Sign in again."))).await;
    assert_eq!(stage.attribute("error", "data-code").as_deref(), Some("sign-in-expired"));
    assert!(stage.get("error").inner_text().contains("took too long"));
}

#[wasm_bindgen_test]
async fn while_the_browser_is_open_there_are_three_ways_on() {
    let stage = out(None).await;
    stage.emit(stage_of(SignInStage::WaitingForBrowser));
    stage.until("it waits", || stage.attribute("window", "data-screen").as_deref() == Some("waiting")).await;
    stage.click("reopen");
    stage.until("the browser is opened again", || stage.count("reopen_browser") == 1).await;
    stage.click("paste-link");
    stage.until("there is a field", || stage.find("paste-field").is_some()).await;
    let field: web_sys::HtmlInputElement = stage.get("paste-field").dyn_into().unwrap();
    field.set_value(" dev.callbox.desktop://callback?code=x&state=y ");
    stage.click("paste-submit");
    assert_eq!(stage.calls("paste_callback"), [json!({ "link": "dev.callbox.desktop://callback?code=x&state=y" })]);
    assert_eq!(field.value(), "", "the link does not stay in the page");
    stage.click("cancel-sign-in");
    assert_eq!(stage.count("cancel_sign_in"), 1);
}

#[wasm_bindgen_test]
async fn a_link_that_is_refused_says_why() {
    let stage = out(None).await;
    stage.emit(stage_of(SignInStage::WaitingForBrowser));
    stage.until("it waits", || stage.find("paste-link").is_some()).await;
    stage.click("paste-link");
    stage.until("there is a field", || stage.find("paste-field").is_some()).await;
    stage.hold("paste_callback");
    let field: web_sys::HtmlInputElement = stage.get("paste-field").dyn_into().unwrap();
    field.set_value("nonsense");
    stage.click("paste-submit");
    stage.answer("paste_callback", Err(UserError::new("link-not-ours", "That address does not belong to this sign-in.")));
    stage.until("it says so", || stage.find("error").is_some()).await;
    assert_eq!(stage.attribute("error", "data-code").as_deref(), Some("link-not-ours"));
}

#[wasm_bindgen_test]
async fn signing_in_leads_to_the_conversations() {
    let stage = out(None).await;
    *stage.played.bootstrap() = Some(signed_in());
    stage.emit(Event::Session(signed_in().session));
    stage.until("the conversation is asked for", || stage.count("open_conversation") == 1).await;
    assert_eq!(stage.attribute("window", "data-screen").as_deref(), Some("main"));
}

#[wasm_bindgen_test]
async fn signing_out_asks_first() {
    let stage = Stage::open(vec![]).await;
    stage.click("account-menu");
    stage.until("the panel is open", || stage.find("sign-out").is_some()).await;
    assert_eq!(stage.attribute("storage", "data-state").as_deref(), Some("keychain"));
    assert!(stage.get("account-panel").inner_text().contains("ada@example.com"));
    stage.click("sign-out");
    stage.until("it asks", || stage.find("sign-out-confirm").is_some()).await;
    assert_eq!(stage.count("sign_out"), 0);
    stage.click("sign-out-confirm");
    assert_eq!(stage.count("sign_out"), 1);
    stage.emit(Event::Session(SessionView::SignedOut { reason: None }));
    stage.until("the door is shown", || stage.find("sign-in").is_some()).await;
}

#[wasm_bindgen_test]
async fn theme_and_language_hold_at_once_and_are_kept() {
    let stage = Stage::open(vec![]).await;
    stage.click("account-menu");
    stage.until("the panel is open", || stage.find("theme").is_some()).await;
    stage.select("[data-testid='theme'] [value='dark']").unwrap().click();
    stage.until("it is dark", || root("data-theme").as_deref() == Some("dark")).await;
    stage.select("[data-testid='language'] [value='japanese']").unwrap().click();
    stage.until("it is Japanese", || root("lang").as_deref() == Some("ja")).await;
    assert!(stage.get("sign-out").inner_text().contains("サインアウト"));
    let kept = stage.calls("set_preferences");
    assert_eq!(kept.last(), Some(&json!({ "preferences": { "theme": "dark", "language": "japanese" } })));
    stage.select("[data-testid='theme'] [value='system']").unwrap().click();
    stage.until("the system decides", || root("data-theme").is_none()).await;
}

fn root(attribute: &str) -> Option<String> {
    document().document_element().unwrap().get_attribute(attribute)
}
