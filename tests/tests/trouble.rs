//! A tenant and an agent that misbehave.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

use callbox_e2e::{App, View, World, keychain, testids, window::named};
use callbox_sandbox::{Endpoint, Fault, RefreshOutcome};
use serde_json::json;
use thirtyfour::Key;

/// Longer than any access token lives: until then, the one in the keychain is used, and the tenant is not asked.
const A_DAY: Duration = Duration::from_secs(86_400);

/// What became of the refresh tokens that the app presented so far.
fn outcomes(world: &World) -> Vec<RefreshOutcome> {
    world.control().presented().iter().map(|presented| presented.outcome).collect()
}

/// What “stream N” is answered with.
fn counted(words: usize) -> String {
    let word = |n: usize| if n % 40 == 39 { format!("w{n}.") } else { format!("w{n}") };
    (0..words).map(word).collect::<Vec<_>>().join(" ")
}

/// What was said, on one line each.
fn said(view: &View) -> Vec<String> {
    view.messages.iter().map(|message| message.text.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// Cuts the connection and waits for the next one; the app has to present a new token for it if `refused`.
async fn reconnect(world: &World, app: &App) {
    let (accepted, _) = world.control().handshakes();
    world.control().drop_sockets();
    world.control().until(|| world.control().handshakes().0 > accepted).await;
    app.window().until("the agent is reached again", |view| view.connection.as_deref() == Some("online")).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_was_cut_off_is_completed_and_nothing_is_there_twice() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let control = world.control();
    control.hold_after(120);
    app.window().say("stream 400").await.unwrap();
    control.until_held().await;
    app.window().until("the answer has begun", |view| view.messages.last().is_some_and(|last| last.text.contains("w80"))).await.unwrap();
    // While it cannot come back, so that the window has to show the break.
    control.always(Endpoint::Socket, [Fault::status(503)]);
    control.drop_sockets();
    let cut = app.window().until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    assert!(cut.messages.last().unwrap().text.contains("w80"), "what has arrived stays: {cut:?}");
    control.clear(Endpoint::Socket);
    control.release();
    let whole =
        app.window().until("the answer is complete", |view| view.settled() && view.messages[1].text.contains("w399")).await.unwrap();
    assert_eq!(said(&whole), ["stream 400".to_owned(), counted(400)]);
    assert_eq!(control.requests(Endpoint::Turn), 1, "the agent answered once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_the_agent_refuses_is_refreshed_and_the_talk_goes_on() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 5").await.unwrap();
    world.control().once(Endpoint::Socket, Fault::status(401));
    reconnect(&world, &app).await;
    assert_eq!(outcomes(&world), [RefreshOutcome::Rotated]);
    let view = app.window().ask("stream 7").await.unwrap();
    assert_eq!(view.messages.last().unwrap().text, counted(7));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_reply_that_was_lost_costs_no_sign_in() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 5").await.unwrap();
    world.control().once(Endpoint::Token, Fault::DropReply);
    world.control().once(Endpoint::Socket, Fault::status(401));
    reconnect(&world, &app).await;
    assert_eq!(outcomes(&world), [RefreshOutcome::Rotated, RefreshOutcome::Overlapped], "the same token once more, at once");
    app.window().ask("stream 7").await.unwrap();
    app.close().await.unwrap();

    world.control().advance(A_DAY);
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let view = app.window().until("the history is there", |view| view.messages.len() == 4).await.unwrap();
    assert_eq!(view.screen.as_deref(), Some("main"));
    assert_eq!(*outcomes(&world).last().unwrap(), RefreshOutcome::Rotated, "what was kept is good");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crash_costs_neither_the_sign_in_nor_the_question_that_waits_nor_words_that_were_not_sent() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().say("weather in Oslo").await.unwrap();
    let asked = app.window().asked().await.unwrap();
    app.window().driver().type_into(&named(testids::COMPOSER), "half a sentence").await.unwrap();
    world.desktop.keeps_drafts(&["half a sentence"]).await.unwrap();
    app.kill().await.unwrap();

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let again = app.window().asked().await.unwrap();
    assert_eq!((&again.call, &again.name, &again.input), (&asked.call, &asked.name, &asked.input), "the same question");
    assert_eq!(app.window().unsent().await.unwrap(), "half a sentence");
    app.window().decide(&again, true).await.unwrap();
    assert_eq!(world.control().decisions(&asked.call), 1);
    // What is sent is not unsent any more.
    app.window().driver().type_into(&named(testids::COMPOSER), &char::from(Key::Enter).to_string()).await.unwrap();
    world.desktop.keeps_drafts(&[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_typed_while_the_agent_was_away_is_sent_once_when_it_is_back() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    world.sandbox.stop_agent().await;
    app.window().until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    app.window().say("stream 9").await.unwrap();
    let waits = |view: &View| view.messages.last().is_some_and(|message| message.delivery.as_deref() == Some("queued"));
    app.window().until("it is shown that it waits", waits).await.unwrap();
    world.sandbox.start_agent().await.unwrap();
    let there = |view: &View| view.settled() && view.messages.len() == 4;
    let view = app.window().until("it is answered", there).await.unwrap();
    assert_eq!(view.messages.last().unwrap().text, counted(9));
    assert_eq!(world.control().requests(Endpoint::Turn), 2, "each was asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_the_tenant_has_ended_leads_back_to_the_door() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    app.close().await.unwrap();
    world.control().revoke_everything();

    world.control().advance(A_DAY);
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let ended = |view: &View| view.screen.as_deref() == Some("sign-in") && view.errors == ["session-ended"];
    app.window().until("it says why nobody is signed in", ended).await.unwrap();
    keychain::rid_of("session-").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_down_when_the_app_starts_ends_no_session() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    app.close().await.unwrap();
    world.control().always(Endpoint::Token, [Fault::status(503)]);
    world.control().always(Endpoint::Discovery, [Fault::status(503)]);

    world.control().advance(A_DAY);
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    app.window().until("it says that it is offline", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    assert_eq!(app.window().look().await.unwrap().screen.as_deref(), Some("main"), "still signed in");
    world.control().clear(Endpoint::Token);
    world.control().clear(Endpoint::Discovery);
    // It may have come back by itself just now, and then there is no button any more.
    let reconnect = "document.querySelector(arguments[0])?.click()";
    app.window().driver().run(reconnect, vec![named(testids::RECONNECT).into()]).await.unwrap();
    app.window().until("the history is there", |view| view.messages.len() == 2).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_turns_a_good_sign_in_away_says_which_tenant_it_trusts_by_now() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let (control, window) = (world.control(), app.window());
    window.ask("stream 3").await.unwrap();
    control.always(Endpoint::Socket, [Fault::status(401)]);
    control.drop_sockets();
    let refused = |view: &View| view.connection.as_deref() == Some("sign-in-needed") && view.reason.as_deref() == Some("agent-rejected");
    window.until("it is the agent that does not accept the sign-in", refused).await.unwrap();
    assert_eq!(keychain::sessions().unwrap(), 1, "nobody is signed out for that");

    // It has moved, and the same sign-in again would lead nowhere.
    let agent = world.sandbox.agent_url();
    let document = json!({"resource": agent.origin().ascii_serialization(), "authorization_servers": ["https://login.new.example/"]});
    control.always(Endpoint::ResourceMetadata, [Fault::json(200, &document)]);
    let link = world.callback(&world.begin(&app).await.unwrap()).await.unwrap();
    assert!(world.deliver(&link).await.unwrap().success());
    window.until("the new tenant is named", |view| view.reason.as_deref() == Some("agent-trusts-another")).await.unwrap();
    let said = window.driver().run("return document.querySelector('.trouble').innerText", Vec::new()).await.unwrap();
    assert!(said.as_str().unwrap().contains("https://login.new.example/"), "{said}");

    control.clear(Endpoint::Socket);
    control.clear(Endpoint::ResourceMetadata);
    window.click(testids::RECONNECT).await.unwrap();
    window.until("all is well again", |view| view.connection.as_deref() == Some("online") && view.reason.is_none()).await.unwrap();
    window.ask("stream 4").await.unwrap();
}
