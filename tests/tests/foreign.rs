//! Sign-in, refresh and sign-out at identity servers that nobody here wrote. The app has no code for any of them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{
    App, Browser, Desktop, Launch,
    foreign::{CLIENT_AT_THE_COMPANY, Company, HostedAgent, LOSE, Tenant, Worker},
    keychain, testids,
    window::named,
};
use url::Url;

/// An access token's life, in seconds: so short that it ends within a test.
const SOON: [&str; 2] = ["--token-life", "8"];
/// The same, and the server binds tokens to a key of this computer, and asks for a nonce of its own in every proof.
const SOON_BOUND: [&str; 3] = ["--token-life", "8", "--proofs"];

fn bare() -> Launch {
    Launch::with(Vec::<String>::new())
}

/// The app with the agent at `address`, of which nothing else is known; nobody is signed in.
async fn added(desktop: &Desktop, address: &Url) -> App {
    let app = App::start(desktop, &bare()).await.unwrap();
    let window = app.window();
    window.screen("sign-in").await.unwrap();
    window.driver().type_into(&named(testids::AGENT_ADDRESS), address.as_str()).await.unwrap();
    window.click(testids::AGENT_SUBMIT).await.unwrap();
    window.driver().click(&named(testids::PROVENANCE)).await.unwrap();
    app
}

/// The page that the app opens when somebody presses “Sign in”.
async fn begin(desktop: &Desktop, app: &App) -> Url {
    let known = desktop.opened_pages().len();
    app.window().click(testids::SIGN_IN).await.unwrap();
    let page = desktop.opened_page(known).await.unwrap();
    app.window().screen("waiting").await.unwrap();
    page
}

/// Signs in at the pages of `oidc-provider`.
async fn pass(browser: &Browser, app: &App) {
    browser.until_shown("input[name=login]").await.unwrap();
    browser.type_into("input[name=login]", "ada").await.unwrap();
    browser.type_into("input[name=password]", "anything").await.unwrap();
    browser.press("button.login-submit").await.unwrap();
    browser.until_shown("input[name=prompt][value=consent]").await.unwrap();
    browser.press("button.login-submit").await.unwrap();
    app.window().screen("main").await.unwrap();
}

/// Signs out here and, by the page that the app opens for it, in the browser.
async fn sign_out_everywhere(app: &App) {
    let window = app.window();
    window.open_account().await.unwrap();
    window.click(testids::SIGN_OUT).await.unwrap();
    window.click(testids::SIGN_OUT_BROWSER).await.unwrap();
    window.click(testids::SIGN_OUT_CONFIRM).await.unwrap();
    window.screen("sign-in").await.unwrap();
}

fn param(page: &Url, name: &str) -> Option<String> {
    page.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_server_of_others_it_registers_signs_in_refreshes_stays_signed_in_and_signs_out() {
    keychain::clear().await.unwrap();
    let desktop = Desktop::new().unwrap();
    let tenant = Tenant::start(&desktop, &SOON).await.unwrap();
    let agent = HostedAgent::start(&desktop, &tenant.issuer()).await.unwrap();
    let app = added(&desktop, agent.address().unwrap()).await;
    let books = tenant.books().await.unwrap();
    assert!(matches!(&books.clients[..], [client] if client.application_type == "native"), "{books:?}");

    let page = begin(&desktop, &app).await;
    assert_eq!(param(&page, "client_id").as_deref(), Some(books.clients[0].client_id.as_str()));
    let browser = Browser::open(&desktop, &page).await.unwrap();
    pass(&browser, &app).await;
    app.window().ask("stream 3").await.unwrap();

    // The access token comes to its end, and the socket goes on with the next one.
    let books = tenant.until("the app has refreshed", |books| books.refreshed() > 0).await.unwrap();
    assert!(books.refresh.iter().any(|token| token.spent), "the first is spent: {books:?}");
    assert!(books.alive().all(|token| token.rotations > 0) && books.alive().count() == 1, "{books:?}");
    app.window().ask("stream 4").await.unwrap();
    app.close().await.unwrap();

    let pages = desktop.opened_pages().len();
    let app = App::start(&desktop, &bare()).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 5").await.unwrap();
    assert_eq!(desktop.opened_pages().len(), pages, "a browser was needed to stay signed in");
    let books = tenant.books().await.unwrap();
    assert!(books.refusals().is_empty(), "nothing had to be refused: {books:?}");
    let resources = books.happened.iter().filter(|it| it.event == "grant.success").map(|it| it.resource.as_deref());
    let origin = agent.address().unwrap().origin().ascii_serialization();
    assert!(resources.clone().count() > 1 && resources.clone().all(|resource| resource == Some(origin.as_str())), "{books:?}");

    sign_out_everywhere(&app).await;
    let books = tenant.until("the sign-in is revoked", |books| books.refresh.is_empty()).await.unwrap();
    assert_eq!(books.sessions, 1, "the browser is still signed in");
    keychain::emptied().await.unwrap();
    let page = desktop.opened_page(pages).await.unwrap();
    assert!(page.as_str().starts_with(&format!("{}/session/end", tenant.issuer())), "{page}");
    browser.go(&page).await.unwrap();
    browser.press("button[name=logout]").await.unwrap();
    tenant.until("the browser is signed out", |books| books.sessions == 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_forgotten_the_app_is_registered_at_once_more_and_no_conversation_is_lost() {
    keychain::clear().await.unwrap();
    let desktop = Desktop::new().unwrap();
    let tenant = Tenant::start(&desktop, &SOON_BOUND).await.unwrap();
    let agent = HostedAgent::start(&desktop, &tenant.issuer()).await.unwrap();
    let app = added(&desktop, agent.address().unwrap()).await;
    let page = begin(&desktop, &app).await;
    let first = param(&page, "client_id").unwrap();
    let browser = Browser::open(&desktop, &page).await.unwrap();
    pass(&browser, &app).await;
    let before = app.window().ask("stream 3").await.unwrap();

    // Noticed at the next refresh.
    let tenant = tenant.forget_everything(&desktop).await.unwrap();
    let view = app.window().screen("sign-in").await.unwrap();
    app.window().until("it is said", |view| view.notices == ["client-forgotten"]).await.unwrap_or_else(|error| panic!("{error} {view:?}"));
    let books = tenant.books().await.unwrap();
    assert!(matches!(&books.clients[..], [client] if client.client_id != first), "{books:?}");
    let page = begin(&desktop, &app).await;
    assert_eq!(param(&page, "client_id").as_deref(), Some(books.clients[0].client_id.as_str()));
    browser.go(&page).await.unwrap();
    pass(&browser, &app).await;
    let there = |view: &callbox_e2e::View| before.messages.iter().all(|old| view.messages.iter().any(|new| new.id == old.id));
    let view = app.window().until("the conversation is there", there).await.unwrap();
    assert_eq!(view.conversations, before.conversations);
    app.window().ask("stream 4").await.unwrap();
    assert_eq!(tenant.books().await.unwrap().clients.len(), 1, "once is enough");

    // Here as before, the tokens are bound to a key: the server has checked each proof, and the agent, too.
    let books = tenant.until("the app has refreshed", |books| books.refreshed() > 0).await.unwrap();
    assert!(books.refresh.iter().all(|token| token.bound), "{books:?}");
    let granted = || books.happened.iter().filter(|it| it.event == "grant.success");
    assert!(granted().count() > 1 && granted().all(|it| it.dpop), "{books:?}");
    // The first proof of all lacks the nonce, which nobody can know.
    let refused: Vec<_> = books.refusals().into_iter().map(|it| it.why.clone().unwrap_or_default()).collect();
    assert!(refused.iter().all(|why| why.starts_with("use_dpop_nonce") || why.starts_with("invalid_client")), "{refused:?}");
    app.window().ask("stream 5").await.unwrap();

    // Noticed before the browser is opened.
    app.window().sign_out().await.unwrap();
    let second = books.clients[0].client_id.clone();
    let tenant = tenant.forget_everything(&desktop).await.unwrap();
    let page = begin(&desktop, &app).await;
    let books = tenant.books().await.unwrap();
    assert!(
        matches!(&books.clients[..], [client] if client.client_id != second && Some(&client.client_id) == param(&page, "client_id").as_ref()),
        "{books:?}"
    );
    browser.go(&page).await.unwrap();
    pass(&browser, &app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_a_companys_server_that_registers_nobody_a_client_id_that_somebody_was_given_is_enough() {
    keychain::clear().await.unwrap();
    let desktop = Desktop::new().unwrap();
    let company = Company::start(&desktop, 8).await.unwrap();
    let agent = Worker::of(&desktop, &company).await.unwrap();
    let app = App::start(&desktop, &bare()).await.unwrap();
    let window = app.window();
    window.screen("sign-in").await.unwrap();
    window.driver().type_into(&named(testids::AGENT_ADDRESS), agent.address().unwrap().as_str()).await.unwrap();
    window.click(testids::AGENT_SUBMIT).await.unwrap();
    window.until("it registers nobody", |view| view.errors == ["registration-unavailable"]).await.unwrap();
    window.driver().type_into(&named(testids::CLIENT_ID), CLIENT_AT_THE_COMPANY).await.unwrap();
    window.click(testids::AGENT_SUBMIT).await.unwrap();
    window.driver().click(&named(testids::PROVENANCE)).await.unwrap();

    let page = begin(&desktop, &app).await;
    let browser = Browser::open(&desktop, &page).await.unwrap();
    browser.until_shown("input[name=username]").await.unwrap();
    browser.type_into("input[name=username]", "ada").await.unwrap();
    browser.type_into("input[name=password]", "anything").await.unwrap();
    browser.press("form button").await.unwrap();
    browser.until_shown("input[name=allow]").await.unwrap();
    browser.press("input[name=allow]").await.unwrap();
    window.screen("main").await.unwrap();
    let view = window.ask("hello over there").await.unwrap();
    assert_eq!(view.messages.last().map(|message| message.text.as_str()), Some("You said: hello over there"));
    company.until("the app has refreshed", |books| books.refresh.iter().any(|token| token.revoked)).await.unwrap();
    let view = window.ask("and once more").await.unwrap();
    assert_eq!(view.messages.last().map(|message| message.text.as_str()), Some("You said: and once more"));

    let pages = desktop.opened_pages().len();
    sign_out_everywhere(&app).await;
    let revoked = |books: &callbox_e2e::foreign::CompanyBooks| books.refresh.iter().all(|token| token.revoked);
    let books = company.until("the sign-in is revoked", revoked).await.unwrap();
    assert!(books.refresh.iter().all(|token| token.client == CLIENT_AT_THE_COMPANY) && books.sessions == 1, "{books:?}");
    keychain::emptied().await.unwrap();
    browser.go(&desktop.opened_page(pages).await.unwrap()).await.unwrap();
    browser.press("input[name=allow]").await.unwrap();
    company.until("the browser is signed out", |books| books.sessions == 0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_with_cloudflares_oauth_provider_is_found_by_its_address_and_a_lost_refresh_costs_nothing() {
    keychain::clear().await.unwrap();
    let desktop = Desktop::new().unwrap();
    let worker = Worker::start(&desktop).await.unwrap();
    let app = added(&desktop, &worker.address().unwrap()).await;
    assert_eq!(worker.stored("client:").await.unwrap().len(), 1);
    let page = begin(&desktop, &app).await;
    let back = param(&page, "redirect_uri").unwrap();
    assert!(back.starts_with("http://127.0.0.1:"), "{back}");
    assert_eq!(param(&page, "resource").as_deref(), Some(worker.address().unwrap().as_str()));
    let browser = Browser::open(&desktop, &page).await.unwrap();
    browser.until_shown("button[value=approve]").await.unwrap();
    browser.press("button[value=approve]").await.unwrap();
    app.window().screen("main").await.unwrap();
    let view = app.window().ask("hello over there").await.unwrap();
    assert_eq!(view.messages.last().map(|message| message.text.as_str()), Some("You said: hello over there"));
    // The access token is kept while the window goes on.
    keychain::holds("access-").await.unwrap();
    app.close().await.unwrap();

    // The provider rotates the token, and the answer is lost: it takes the old one until somebody has used the new one.
    worker.lose_an_answer().await.unwrap();
    keychain::remove("access-").unwrap();
    let pages = desktop.opened_pages().len();
    let app = App::start(&desktop, &bare()).await.unwrap();
    app.window().screen("main").await.unwrap();
    let view = app.window().ask("and once more").await.unwrap();
    assert_eq!(view.messages.last().map(|message| message.text.as_str()), Some("You said: and once more"));
    assert_eq!(worker.stored(LOSE).await.unwrap(), Vec::<String>::new(), "an answer was lost");
    assert_eq!(desktop.opened_pages().len(), pages, "a browser was needed to stay signed in");
    assert_eq!(worker.stored("grant:").await.unwrap().len(), 1);

    app.window().sign_out().await.unwrap();
    worker.until_gone("grant:").await.unwrap();
    keychain::emptied().await.unwrap();
}
