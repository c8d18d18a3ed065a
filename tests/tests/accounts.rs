//! Several accounts: the real window, keychain and browser, and an agent that knows whose token it was shown.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, path::PathBuf};

use callbox_e2e::{App, Browser, Console, Ended, View, Window, World, journey, keychain, testids, window::named};
use callbox_sandbox::{Endpoint, Fault, Visitor};
use serde_json::{Value, json};
use thirtyfour::Key;

const GRACE: &str = "grace@example.com";

async fn run(world: &World, arguments: &[&str]) -> Ended {
    Console::start(world.commanding(arguments)).unwrap().ended().await.unwrap()
}

/// Who the window says is signed in.
async fn name(window: Window<'_>) -> String {
    let script = "return document.querySelector(arguments[0])?.textContent ?? ''";
    let name = window.driver().run(script, vec![named(testids::ACCOUNT_NAME).into()]).await.unwrap();
    name.as_str().unwrap().to_owned()
}

async fn until_name(app: &App, expected: &str) {
    let what = format!("{expected} is shown");
    callbox_e2e::wait::until(&what, async || {
        let shown = name(app.window()).await;
        Ok(callbox_e2e::Look::when((shown == expected).then_some(()), shown))
    })
    .await
    .unwrap();
}

/// Presses Ctrl and a digit.
async fn press_digit(window: Window<'_>, digit: char) {
    let keys = format!("{}{digit}{}", char::from(Key::Control), char::from(Key::Null));
    window.driver().type_into(&named(testids::COMPOSER), &keys).await.unwrap();
}

/// Opens the account's menu, waits until it lists so many, and closes it.
async fn until_listed(app: &App, count: u64) {
    app.window().open_account().await.unwrap();
    callbox_e2e::wait::until("the accounts are listed", async || {
        let script = "return document.querySelectorAll(arguments[0]).length";
        let listed = app.window().driver().run(script, vec![named(testids::ACCOUNT_ENTRY).into()]).await?;
        Ok(callbox_e2e::Look::when((listed == json!(count)).then_some(()), listed))
    })
    .await
    .unwrap();
    app.window().close_account().await.unwrap();
}

async fn conversation(app: &App) -> String {
    app.window().look().await.unwrap().conversation.unwrap()
}

/// Adds an account from the menu; the page that was opened for it comes back.
async fn add_account(world: &World, app: &App) -> url::Url {
    let known = world.desktop.opened_pages().len();
    app.window().open_account().await.unwrap();
    app.window().click(testids::ADD_ACCOUNT).await.unwrap();
    let page = world.desktop.opened_page(known).await.unwrap();
    app.window().screen("waiting").await.unwrap();
    page
}

/// Adds Grace beside whoever is there.
async fn add_grace(world: &World, app: &App) {
    let page = add_account(world, app).await;
    let link = Visitor::new().unwrap().sign_in(&page, GRACE).await.unwrap();
    world.deliver(&link).await.unwrap();
    app.window().screen("main").await.unwrap();
    until_name(app, "Grace Hopper").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_accounts_at_one_tenant_talk_each_with_their_own_token_and_are_a_key_apart() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    // A browser that keeps its own session: the second sign-in must not silently be the first person's.
    let browser = journey::at_the_tenant(&world.desktop, &app).await.unwrap();
    browser.fill_in(journey::PERSON, journey::PASSWORD).await.unwrap();
    browser.press("button.primary").await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    let ada = conversation(&app).await;

    let page = add_account(&world, &app).await;
    assert!(page.query_pairs().any(|(name, value)| (&*name, &*value) == ("prompt", "select_account")), "{page}");
    browser.go(&page).await.unwrap();
    browser.until_shown("#username").await.unwrap();
    browser.fill_in(GRACE, journey::PASSWORD).await.unwrap();
    browser.press("button.primary").await.unwrap();
    app.window().screen("main").await.unwrap();
    browser.close().await.unwrap();
    until_name(&app, "Grace Hopper").await;
    let view = app.window().look().await.unwrap();
    assert!(view.messages.is_empty() && view.conversations.is_empty(), "nothing of Ada's is in sight: {view:?}");
    app.window().ask("stream 4").await.unwrap();
    let grace = conversation(&app).await;
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families()), (2, 2));

    // To and fro, by key and by menu; what was typed waits for its owner.
    app.window().driver().type_into(&named(testids::COMPOSER), "half a sentence").await.unwrap();
    press_digit(app.window(), '1').await;
    until_name(&app, "Ada Lovelace").await;
    let back = |view: &View, conversation: &str| view.conversation.as_deref() == Some(conversation) && view.settled();
    let view = app.window().until("Ada's conversation is back", |view| back(view, &ada)).await.unwrap();
    assert_eq!(view.messages.len(), 2, "{view:?}");
    app.window().ask("stream 5").await.unwrap();
    app.window().open_account().await.unwrap();
    let other = format!("{}:not([aria-current])", named(testids::ACCOUNT_ENTRY));
    app.window().driver().click(&other).await.unwrap();
    until_name(&app, "Grace Hopper").await;
    let view = app.window().until("Grace's conversation is back", |view| back(view, &grace)).await.unwrap();
    assert_eq!(view.messages.len(), 2, "{view:?}");
    assert_eq!(app.window().unsent().await.unwrap(), "half a sentence");
    // The agent lets nobody into somebody else's conversation, and knows whose token it was shown.
    assert_eq!(world.control().owner(&ada).as_deref(), Some("sandbox|ada"));
    assert_eq!(world.control().owner(&grace).as_deref(), Some("sandbox|grace"));
    assert_eq!((world.control().messages(&ada).len(), world.control().messages(&grace).len()), (4, 2));

    // The next start begins with the one who was in use, and knows the other one.
    app.close().await.unwrap();
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    until_name(&app, "Grace Hopper").await;
    until_listed(&app, 2).await;
    press_digit(app.window(), '1').await;
    until_name(&app, "Ada Lovelace").await;
    assert_eq!(world.control().live_families(), 2, "nobody had to sign in again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_account_has_on_its_way_goes_out_as_its_own_while_another_one_is_shown() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 1").await.unwrap();
    let ada = conversation(&app).await;
    add_grace(&world, &app).await;
    app.window().ask("stream 2").await.unwrap();
    let grace = conversation(&app).await;
    world.control().always(Endpoint::Socket, [Fault::status(503)]);
    world.control().drop_sockets();
    app.window().until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    app.window().say("stream 9").await.unwrap();
    press_digit(app.window(), '1').await;
    until_name(&app, "Ada Lovelace").await;
    world.control().clear(Endpoint::Socket);
    world.control().until(|| world.control().messages(&grace).len() == 4).await;
    assert_eq!(world.control().messages(&ada).len(), 2, "it is not in the other one's conversation");
    assert_eq!(world.control().owner(&grace).as_deref(), Some("sandbox|grace"));
    assert_eq!(world.control().requests(Endpoint::Turn), 3, "each was asked once");
    assert_eq!(name(app.window()).await, "Ada Lovelace");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_one_account_leaves_the_other_with_all_that_is_its_own() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 1").await.unwrap();
    let ada = conversation(&app).await;
    add_grace(&world, &app).await;
    app.window().ask("stream 2").await.unwrap();

    // Each command says whom it means, or asks.
    let all: Value = serde_json::from_str(&run(&world, &["status", "--json"]).await.output).unwrap();
    let names: Vec<&str> = all["accounts"].as_array().unwrap().iter().map(|account| account["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ada Lovelace", "Grace Hopper"], "{all}");
    let ended = run(&world, &["ask", "stream 3"]).await;
    assert!(ended.exit == Some(2) && ended.errors.contains("--account") && ended.errors.contains(GRACE), "{ended:?}");
    let ended = run(&world, &["ask", "--account", "ADA@example.com", "--conversation", "by-hand", "stream 3"]).await;
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(world.control().owner("by-hand").as_deref(), Some("sandbox|ada"));

    // Grace leaves, also at the browser.
    let pages = world.desktop.opened_pages().len();
    app.window().open_account().await.unwrap();
    app.window().click(testids::SIGN_OUT).await.unwrap();
    app.window().click(testids::SIGN_OUT_BROWSER).await.unwrap();
    app.window().click(testids::SIGN_OUT_CONFIRM).await.unwrap();
    until_name(&app, "Ada Lovelace").await;
    let page = world.desktop.opened_page(pages).await.unwrap();
    assert_eq!(page.path(), "/oidc/logout");
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families()), (1, 1));
    let view = app.window().until("Ada's conversation is there", |view| view.settled() && view.messages.len() == 2).await.unwrap();
    assert!(view.conversations.contains(&ada) && !view.notices.iter().any(|code| code == "not-revoked"), "{view:?}");
    app.window().ask("stream 4").await.unwrap();
    assert_eq!(world.control().owner(&conversation(&app).await).as_deref(), Some("sandbox|ada"));

    // And by the command line, nothing of anybody is left.
    let ended = run(&world, &["logout"]).await;
    assert_eq!((ended.exit, ended.errors.as_str()), (Some(0), "Signed out.\n"));
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_added_after_all_leaves_everything_as_it_was() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 1").await.unwrap();
    add_account(&world, &app).await;
    app.window().click(testids::CANCEL_SIGN_IN).await.unwrap();
    until_name(&app, "Ada Lovelace").await;
    app.window().until("the conversation is back", |view| view.settled() && view.messages.len() == 2).await.unwrap();
    // The same person once more: one account, the newer sign-in, the same conversations.
    let page = add_account(&world, &app).await;
    let link = world.callback(&page).await.unwrap();
    world.deliver(&link).await.unwrap();
    until_name(&app, "Ada Lovelace").await;
    app.window().until("the conversation is back", |view| view.settled() && view.messages.len() == 2).await.unwrap();
    app.window().ask("stream 2").await.unwrap();
    // The earlier sign-in is forgotten in its own time, and nobody but the keychain hears of it.
    keychain::until_sessions(1).await.unwrap();
    assert_eq!(world.control().requests(Endpoint::Revoke), 0, "at some tenants that would end the new one too");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_another_program_takes_our_links_the_browser_comes_back_by_loopback() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    // Another program has the scheme, and keeps it: what the system's tool would write its list to is in the way.
    let command = world.desktop.command("true");
    let folder = |name: &str| command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value).map(PathBuf::from).unwrap();
    let entry = "[Desktop Entry]\nType=Application\nName=Squatter\nExec=true %u\nMimeType=x-scheme-handler/dev.callbox.desktop;\n";
    fs::write(folder("XDG_DATA_HOME").join("applications/squatter.desktop"), entry).unwrap();
    let list = folder("XDG_CONFIG_HOME").join("mimeapps.list");
    let ours = "dev.callbox.desktop-handler.desktop";
    let registered = callbox_e2e::wait::until("the app has registered itself", async || {
        let text = fs::read_to_string(&list).unwrap_or_default();
        Ok(callbox_e2e::Look::when(text.contains(ours).then(|| text.clone()), &text))
    });
    let registered = registered.await.unwrap();
    fs::write(&list, registered.replace(ours, "squatter.desktop")).unwrap();
    fs::create_dir(list.with_extension("list.new")).unwrap();

    let page = world.begin(&app).await.unwrap();
    let redirect = page.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    assert!(redirect.starts_with("http://127.0.0.1:"), "{redirect}");
    app.window().until("it is said", |view| view.notices.contains(&"scheme-taken".to_owned())).await.unwrap();
    let browser = Browser::open(&world.desktop, &page).await.unwrap();
    browser.until_shown("#username").await.unwrap();
    browser.fill_in(journey::PERSON, journey::PASSWORD).await.unwrap();
    browser.press("button.primary").await.unwrap();
    app.window().screen("main").await.unwrap();
    browser.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waiting_screen_gives_the_link_and_comes_back_another_way() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let page = world.begin(&app).await.unwrap();
    app.window().screen("waiting").await.unwrap();
    let link = app.window().driver().run("return window.__TAURI_INTERNALS__.invoke('sign_in_link')", Vec::new());
    assert_eq!(link.await.unwrap(), json!(page.as_str()));
    assert!(!page.as_str().contains("verifier"), "{page}");
    // After a while the dead ends are explained, and there is another way back.
    app.window().click(testids::WAITING_HELP).await.unwrap();
    let known = world.desktop.opened_pages().len();
    app.window().click(testids::BY_LOOPBACK).await.unwrap();
    let second = world.desktop.opened_page(known).await.unwrap();
    let param = |page: &url::Url, name: &str| page.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
    assert_eq!(param(&page, "state"), param(&second, "state"), "it is the same attempt");
    assert!(param(&second, "redirect_uri").unwrap().starts_with("http://127.0.0.1:"));
    let browser = Browser::open(&world.desktop, &second).await.unwrap();
    browser.until_shown("#username").await.unwrap();
    browser.fill_in(journey::PERSON, journey::PASSWORD).await.unwrap();
    browser.press("button.primary").await.unwrap();
    app.window().screen("main").await.unwrap();
    browser.close().await.unwrap();
}
