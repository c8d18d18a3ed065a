use callbox_ipc::{Bootstrap, Event, SessionView, SignInStage, ThreadUpdate, ThreadView, UserError};
use serde_json::json;
use wasm_bindgen::JsCast;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::stage::{Stage, document, entry, frames, press, signed_in, status};

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
    let browser: web_sys::HtmlInputElement = stage.get("sign-out-browser").dyn_into().unwrap();
    assert!(!browser.checked(), "the browser's own session is a thing of its own");
    browser.click();
    stage.click("sign-out-confirm");
    assert_eq!(stage.calls("sign_out"), [json!({ "browser": true })]);
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

#[wasm_bindgen_test]
async fn whoever_waits_can_copy_the_link_and_come_back_another_way() {
    let stage = out(None).await;
    stage.emit(stage_of(SignInStage::WaitingForBrowser));
    stage.until("it waits", || stage.find("copy-link").is_some()).await;
    stage.click("copy-link");
    assert_eq!(stage.count("sign_in_link"), 1);
    stage.until("it can be asked", || stage.find("waiting-help").is_some()).await;
    stage.click("waiting-help");
    stage.until("there is another way", || stage.find("by-loopback").is_some()).await;
    assert!(stage.page.inner_text().contains("You said no"), "the dead ends are explained");
    stage.click("by-loopback");
    assert_eq!(stage.count("sign_in_by_loopback"), 1);
}

/// A key press somewhere in the window, with Ctrl or without.
fn key(stage: &Stage, key: &str, control: bool) {
    press(&stage.page, key, |init| init.set_ctrl_key(control));
}

/// Two accounts; the second one is in use where `grace` is true.
fn two(grace: bool) -> Bootstrap {
    let accounts =
        vec![entry("seat-ada", "Ada Lovelace", "ada@example.com", !grace), entry("seat-grace", "Grace Hopper", "grace@example.com", grace)];
    let seat = accounts.iter().find(|entry| entry.current).map(|entry| entry.id.clone());
    Bootstrap { seat, accounts, ..signed_in() }
}

#[wasm_bindgen_test]
async fn the_menu_lists_all_accounts_and_goes_to_the_chosen_one() {
    let stage = Stage::open(vec![]).await;
    *stage.played.bootstrap() = Some(two(false));
    stage.emit(Event::Bootstrap(two(false)));
    stage.click("account-menu");
    stage.until("both are listed", || stage.all("[data-testid='account-entry']").len() == 2).await;
    assert_eq!(stage.count("look_at_accounts"), 1, "who is signed in is asked again");
    let entries = stage.all("[data-testid='account-entry']");
    assert_eq!(entries[0].get_attribute("aria-current").as_deref(), Some("true"));
    let text = entries[1].text_content().unwrap_or_default();
    assert!(text.contains("Grace Hopper") && text.contains("grace@example.com") && text.contains("agent.example"), "{text}");
    entries[1].clone().dyn_into::<web_sys::HtmlElement>().unwrap().click();
    assert_eq!(stage.calls("switch_account"), [json!({ "id": "seat-grace" })]);
}

#[wasm_bindgen_test]
async fn a_key_goes_to_an_account_and_what_was_typed_waits_for_its_owner() {
    let stage = Stage::open(vec![]).await;
    stage.emit(Event::Bootstrap(two(false)));
    stage.thread(ThreadUpdate::Opened(ThreadView { messages: vec![], status: status() }));
    stage.until("it can be written", || stage.find("composer").is_some()).await;
    stage.type_text("half a sentence");
    // Drawn, as anything is that a person types before pressing the next key.
    frames().await;
    key(&stage, "2", true);
    stage.until("the shell is asked", || stage.count("switch_account") == 1).await;
    assert_eq!(stage.calls("switch_account"), [json!({ "id": "seat-grace" })]);
    key(&stage, "9", true);
    key(&stage, "2", false);
    stage.emit(Event::Bootstrap(two(true)));
    stage.until("nothing of Ada's is in sight", || stage.composer().value().is_empty()).await;
    key(&stage, "2", true);
    assert_eq!(stage.count("switch_account"), 1, "nobody is there, no key, or there already");
    stage.emit(Event::Bootstrap(two(false)));
    stage.until("her words are back", || stage.composer().value() == "half a sentence").await;
}

#[wasm_bindgen_test]
async fn one_more_agent_is_added_over_what_the_window_shows() {
    let stage = Stage::open(vec![]).await;
    stage.click("account-menu");
    stage.until("the menu is open", || stage.find("new-agent-open").is_some()).await;
    stage.click("new-agent-open");
    stage.until("the dialog is open", || stage.find("agent-address").is_some()).await;
    assert!(stage.find("account-panel").is_none());
    let field: web_sys::HtmlInputElement = stage.get("agent-address").dyn_into().unwrap();
    field.set_value("agent.other.example/agents/chat");
    stage.click("agent-submit");
    assert_eq!(stage.calls("add_agent"), [json!({ "address": "agent.other.example/agents/chat", "client_id": null })]);
    stage.emit(Event::Bootstrap(two(true)));
    stage.until("it has gone", || stage.find("new-agent").is_none()).await;
}

#[wasm_bindgen_test]
async fn an_agent_is_removed_with_the_second_click() {
    let stage = Stage::open(vec![]).await;
    stage.click("account-menu");
    stage.until("the menu is open", || stage.find("remove-agent").is_some()).await;
    stage.click("remove-agent");
    assert_eq!(stage.count("remove_agent"), 0);
    stage.click("remove-agent");
    assert_eq!(stage.calls("remove_agent"), [json!({ "id": "seat-ada" })]);
}

#[wasm_bindgen_test]
async fn whoever_is_signed_out_at_one_agent_goes_on_at_another() {
    let mut bootstrap = two(false);
    bootstrap.session = SessionView::SignedOut { reason: None };
    let stage = Stage::with(bootstrap).await;
    stage.until("the other one is offered", || stage.find("other-accounts").is_some()).await;
    assert_eq!(stage.all("[data-testid='account-entry']").len(), 1);
    stage.click("account-entry");
    assert_eq!(stage.calls("switch_account"), [json!({ "id": "seat-grace" })]);
}
