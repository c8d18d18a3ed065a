//! What an agent wants of the person somewhere else, in the real window and at the tenant's pages in a real browser.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Browser, Look, Tool, View, World, testids, wait, window::named};
use callbox_sandbox::Endpoint;
use serde_json::json;

/// What a thing in the window says, as soon as it says something.
async fn says(app: &App, selector: &str) -> String {
    let script = "return document.querySelector(arguments[0])?.innerText ?? ''";
    let look = async || {
        let seen = app.window().driver().run(script, vec![json!(selector)]).await?;
        let said = seen.as_str().filter(|said| !said.is_empty()).map(str::to_owned);
        Ok(Look::when(said, &seen))
    };
    wait::until(&format!("{selector} says something"), look).await.unwrap()
}

/// Waits for an attribute of a thing in the window.
async fn until_it_is(app: &App, selector: &str, attribute: &str, value: &str) {
    let script = "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? ''";
    let look = async || {
        let seen = app.window().driver().run(script, vec![json!(selector), json!(attribute)]).await?;
        Ok(Look::when((seen == value).then_some(()), &seen))
    };
    wait::until(&format!("{attribute} of {selector} is {value}"), look).await.unwrap();
}

/// Says something and waits until a call stands there that has stopped.
async fn stopped(app: &App, text: &str) -> Tool {
    let before = app.window().look().await.unwrap();
    app.window().say(text).await.unwrap();
    let is_it = |tool: &&Tool| tool.state == "stopped-for-you" && !before.tools().any(|known| known.call == tool.call);
    let view = app.window().until("a call has stopped", |view| view.tools().any(|tool| is_it(&tool))).await.unwrap();
    view.tools().find(is_it).cloned().unwrap()
}

/// Presses the button that opens the browser, and does what a person does at the page. The browser stays until its link has arrived.
async fn at_the_page(world: &World, app: &App, button: &str, answer: &str) -> Browser {
    let known = world.desktop.opened_pages().len();
    app.window().click(button).await.unwrap();
    let page = world.desktop.opened_page(known).await.unwrap();
    assert_eq!(page.origin(), world.sandbox.issuer().origin(), "the page is the tenant's own");
    let browser = Browser::open(&world.desktop, &page).await.unwrap();
    let button = format!("button[value={answer}]");
    browser.until_shown(&button).await.unwrap();
    browser.press(&button).await.unwrap();
    browser
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_connected_in_the_browser_and_the_call_goes_on() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let call = stopped(&app, "what is in my calendar?").await;
    let card = named(testids::ELSEWHERE_CARD);
    let text = says(&app, &card).await;
    for part in ["House agent needs your account at Sandbox Calendar", "sandbox-calendar", "calendar.read", "checkUsersCalendar"] {
        assert!(text.contains(part), "{part} is not said: {text}");
    }
    assert!(!text.contains("AUTH0_AI") && !text.contains('{'), "{text}");
    assert_eq!(app.window().look().await.unwrap().errors, Vec::<String>::new(), "it is said where it has stopped, and there alone");

    let browser = at_the_page(&world, &app, testids::CONNECT_ACCOUNT, "decline").await;
    until_it_is(&app, &card, "data-way", "failed").await;
    browser.close().await.unwrap();
    let browser = at_the_page(&world, &app, testids::CONNECT_ACCOUNT, "accept").await;
    let done = |tool: &Tool| tool.call == call.call && tool.state == "done";
    let told = |view: &View| view.messages.last().is_some_and(|last| last.text.contains("Tea with Grace"));
    app.window().until("the call has run and is told of", |view| view.settled() && view.tools().any(done) && told(view)).await.unwrap();
    browser.close().await.unwrap();
    assert_eq!(world.control().decisions(&call.call), 1);

    // The same consent is not asked for again when the agent's own exchange fails.
    world.control().set(|settings| settings.vault_is_down = true);
    stopped(&app, "what is in my calendar now?").await;
    let pages = world.desktop.opened_pages().len();
    app.window().click(testids::CONNECT_ACCOUNT).await.unwrap();
    until_it_is(&app, &card, "data-way", "failed").await;
    assert!(says(&app, &named(testids::ERROR)).await.contains("has a problem"));
    assert_eq!(world.desktop.opened_pages().len(), pages);

    // And it can be taken back.
    app.window().open_account().await.unwrap();
    app.window().click(testids::SHOW_CONNECTED).await.unwrap();
    app.window().click(testids::DISCONNECT).await.unwrap();
    let look = async || {
        let seen = says(&app, &named(testids::CONNECTED_ACCOUNTS)).await;
        Ok(Look::when(seen.contains("No account").then_some(()), &seen))
    };
    wait::until("no account is connected", look).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_on_the_phone_is_waited_for_over_a_restart() {
    let world = World::new().await.unwrap();
    world.control().overhear();
    let app = world.signed_in().await.unwrap();
    stopped(&app, "order oranges").await;
    let binding = says(&app, &named(testids::BINDING)).await;
    assert!(binding.starts_with("Order oranges #"), "{binding}");
    let left = says(&app, &named(testids::COUNTDOWN)).await;
    assert!(left.starts_with("4:") || left.starts_with("5:00"), "{left}");
    app.close().await.unwrap();

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    until_it_is(&app, &named(testids::ELSEWHERE_CARD), "data-stage", "waiting").await;
    assert_eq!(says(&app, &named(testids::BINDING)).await, binding, "the same words as before");
    world.control().answer_phone(true);
    app.window().click(testids::RESUME_CALL).await.unwrap();
    let done = |view: &View| view.tools().any(|tool| tool.state == "done");
    let told = |view: &View| view.messages.last().is_some_and(|last| last.text.contains("oranges"));
    app.window().until("it is ordered and told of", |view| view.settled() && done(view) && told(view)).await.unwrap();
    let secrets = world.control().overheard();
    let page = app.window().driver().run("return document.documentElement.outerHTML", Vec::new()).await.unwrap().to_string();
    let ids: Vec<&String> = secrets.iter().filter(|(kind, _)| *kind == "auth_req_id").map(|(_, secret)| secret).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| !page.contains(*id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_wants_more_is_given_it_in_the_browser() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("what time is it").await.unwrap();
    world.control().set(|settings| settings.agent_wants = Some("openid chat".to_owned()));
    world.control().drop_sockets();
    app.window().until("more is wanted", |view| view.connection.as_deref() == Some("more-wanted")).await.unwrap();
    let scopes = says(&app, &named(testids::SCOPES)).await;
    assert!(
        scopes.contains("Talk to the agent for you") && scopes.contains("chat") && !scopes.contains("openid"),
        "only what is new: {scopes}"
    );

    world.control().set(|settings| settings.consent = true);
    let known = world.desktop.opened_pages().len();
    app.window().click(testids::STEP_UP).await.unwrap();
    let page = world.desktop.opened_page(known).await.unwrap();
    let asked = page.query_pairs().find(|(name, _)| name == "scope").unwrap().1.into_owned();
    assert_eq!(asked, "openid profile email offline_access chat", "the union");
    world.deliver(&world.callback(&page).await.unwrap()).await.unwrap();
    app.window().until("the agent is reached", |view| view.connection.as_deref() == Some("online")).await.unwrap();
    assert!(app.window().ask("what time is it").await.unwrap().settled());
    assert_eq!(world.control().requests(Endpoint::Authorize), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_says_nothing_but_unauthorized_is_pointed_out() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("read my bills").await.unwrap();
    let hint = says(&app, &named(testids::REFUSAL_HINT)).await;
    assert!(hint.contains("that is a guess"), "{hint}");
    app.window().ask("what time is it").await.unwrap();
    let hints = "return document.querySelectorAll(arguments[0]).length";
    assert_eq!(app.window().driver().run(hints, vec![json!(named(testids::REFUSAL_HINT))]).await.unwrap(), json!(1));
}
