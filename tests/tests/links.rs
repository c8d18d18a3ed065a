//! Links with the app's scheme, whoever opens them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{
    Look, View, World,
    journey::{self, at_the_tenant},
    keychain, process,
    testids::REOPEN,
    wait,
};
use url::Url;

#[tokio::test(flavor = "multi_thread")]
async fn a_forged_link_changes_nothing_and_the_true_one_still_signs_in() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let page = world.begin(&app).await.unwrap();
    app.window().screen("waiting").await.unwrap();
    let link = world.callback(&page).await.unwrap();
    let mut forged = Url::parse(&link).unwrap();
    let code = forged.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    forged.query_pairs_mut().clear().append_pair("code", &code).append_pair("state", "a-state-that-nobody-asked-for");

    world.deliver(forged.as_str()).await.unwrap();
    let view = app.window().until("the link is refused", |view| !view.notices.is_empty()).await.unwrap();
    assert_eq!(view.screen.as_deref(), Some("waiting"), "the sign-in goes on: {view:?}");
    assert_eq!(keychain::sessions().unwrap(), 0);

    world.deliver(&link).await.unwrap();
    app.window().screen("main").await.unwrap();
    assert_eq!(keychain::sessions().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_delivered_twice_signs_in_once() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let page = world.begin(&app).await.unwrap();
    let link = world.callback(&page).await.unwrap();
    for _ in 0..2 {
        world.deliver(&link).await.unwrap();
    }
    app.window().screen("main").await.unwrap();
    app.window().ask("hello").await.unwrap();
    assert_eq!(world.control().live_families(), 1, "one session at the tenant");
    assert_eq!(keychain::sessions().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_for_an_app_that_does_not_run_starts_it_and_does_no_harm() {
    let world = World::new().await.unwrap();
    world.registered().await.unwrap();

    let opener = world.open("dev.callbox.desktop://callback?code=a-code-from-another-day&state=nobody-asked").unwrap();
    let started = wait::until("the app is started", async || {
        let running = process::descendants(&process::running(), opener.id());
        Ok(Look::when(running.iter().find(|process| process.executable == world.desktop.app()).map(|process| process.pid), &running))
    });
    let pid = started.await.unwrap();
    wait::until("it has a window", async || Ok(Look::when(callbox_e2e::screen::has_window(pid)?.then_some(()), "none"))).await.unwrap();
    assert_eq!(keychain::sessions().unwrap(), 0);
    callbox_e2e::screen::close_window_of(pid).unwrap();
    let mut opener = opener;
    opener.ended().await.unwrap();

    let app = world.app().await.unwrap();
    assert!(app.window().look().await.unwrap().errors.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_link_on_the_command_line_does_no_harm() {
    let world = World::new().await.unwrap();
    let launch = world.launch().and("dev.callbox.desktop://callback?code=a-code-from-another-day&state=nobody-asked");
    let app = callbox_e2e::App::start(&world.desktop, &launch).await.unwrap();
    app.window().screen("sign-in").await.unwrap();
    let view = app.window().until("it says that the link is of no use", |view| !view.notices.is_empty()).await.unwrap();
    assert!(view.errors.is_empty(), "{view:?}");
    assert_eq!(world.control().live_families(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cancels_in_the_browser_is_asked_again() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let browser = at_the_tenant(&world.desktop, &app).await.unwrap();
    browser.press("button[value=cancel]").await.unwrap();
    let refused = |view: &View| view.screen.as_deref() == Some("sign-in") && view.errors.len() == 1;
    app.window().until("it says why nobody is signed in", refused).await.unwrap();
    browser.close().await.unwrap();
    journey::sign_in(&world.desktop, &app, |_| Ok(())).await.unwrap();
    assert_eq!(keychain::sessions().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_can_be_opened_once_more() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let page = world.begin(&app).await.unwrap();
    app.window().click(REOPEN).await.unwrap();
    assert_eq!(world.desktop.opened_page(1).await.unwrap(), page, "the same attempt");
    world.deliver(&world.callback(&page).await.unwrap()).await.unwrap();
    app.window().screen("main").await.unwrap();
}
