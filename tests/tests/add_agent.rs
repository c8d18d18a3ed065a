//! An agent of which nothing is known but its address.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Launch, Look, World, keychain, testids, wait, window::named};
use callbox_sandbox::{Endpoint, Fault, Sandbox, SandboxConfig};
use serde_json::json;

/// Says the address of the world's agent where it is asked for.
async fn say_address(world: &World, app: &App) {
    let driver = app.window().driver();
    driver.type_into(&named(testids::AGENT_ADDRESS), world.sandbox.agent_url().as_str()).await.unwrap();
    driver.click(&named(testids::AGENT_SUBMIT)).await.unwrap();
}

/// Returns when it is said how the agent was found, and all of this is in it.
async fn until_found(app: &App, parts: &[&str]) {
    let driver = app.window().driver();
    driver.click(&named(testids::PROVENANCE)).await.unwrap();
    let look = async || {
        let said = driver.run("return document.querySelector('[data-testid=provenance]').innerText", Vec::new()).await?;
        let all = parts.iter().all(|part| said.as_str().is_some_and(|said| said.contains(part)));
        Ok(Look::when(all.then_some(()), said))
    };
    wait::until("it is said how it was found", look).await.unwrap();
}

async fn sign_in(world: &World, app: &App) {
    let page = world.begin(app).await.unwrap();
    let link = world.callback(&page).await.unwrap();
    assert!(world.deliver(&link).await.unwrap().success());
    app.window().screen("main").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_is_added_by_its_address_alone_and_is_there_after_a_restart() {
    let world = World::new().await.unwrap();
    let bare = Launch::with(Vec::<String>::new());
    let app = App::start(&world.desktop, &bare).await.unwrap();
    let window = app.window();
    window.screen("sign-in").await.unwrap();
    let (address, submit) = (named(testids::AGENT_ADDRESS), named(testids::AGENT_SUBMIT));
    window.driver().type_into(&address, "agent.example").await.unwrap();
    window.driver().click(&submit).await.unwrap();
    window.until("that is no address", |view| view.errors == ["agent-no-address"]).await.unwrap();
    window.driver().clear(&address).await.unwrap();
    say_address(&world, &app).await;
    // What was found is shown before anybody signs in anywhere. The last: the agent takes bound tokens, and the tenant gives them.
    until_found(&app, &["oauth-protected-resource", "dev.callbox.desktop://callback", "bound to this computer"]).await;
    sign_in(&world, &app).await;
    window.ask("stream 3").await.unwrap();
    assert!(keychain::entries().unwrap().iter().any(|entry| entry.user.starts_with("dpop-")));
    app.close().await.unwrap();

    let app = App::start(&world.desktop, &bare).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 4").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_added_again_is_gone_to_and_one_that_has_moved_is_kept_beside_the_sign_in_that_there_was() {
    let world = World::new().await.unwrap();
    let app = App::start(&world.desktop, &Launch::with(Vec::<String>::new())).await.unwrap();
    let (control, window) = (world.control(), app.window());
    window.screen("sign-in").await.unwrap();
    say_address(&world, &app).await;
    sign_in(&world, &app).await;
    window.ask("stream 3").await.unwrap();

    window.open_account().await.unwrap();
    window.click(testids::NEW_AGENT_OPEN).await.unwrap();
    say_address(&world, &app).await;
    let closed = async || {
        let dialogs = window.driver().run("return document.querySelectorAll('[role=dialog]').length", Vec::new()).await?;
        Ok(Look::when((dialogs == 0).then_some(()), dialogs))
    };
    wait::until("the dialog has gone", closed).await.unwrap();
    window.screen("main").await.unwrap();
    assert_eq!((control.requests(Endpoint::Register), keychain::sessions().unwrap()), (1, 1), "nobody is registered or signed in anew");
    window.ask("stream 4").await.unwrap();

    // It trusts another tenant by now.
    let new = Sandbox::start(SandboxConfig { agent: None, ..SandboxConfig::default() }).await.unwrap();
    let resource = world.sandbox.agent_url().origin().ascii_serialization();
    let document = json!({"resource": resource, "authorization_servers": [new.issuer()], "audience": new.audience()});
    control.always(Endpoint::ResourceMetadata, [Fault::json(200, &document)]);
    control.always(Endpoint::Socket, [Fault::status(401)]);
    control.drop_sockets();
    window.until("the new tenant is named", |view| view.reason.as_deref() == Some("agent-trusts-another")).await.unwrap();
    window.click(testids::NEW_AGENT_OPEN).await.unwrap();
    // The address is there already.
    window.click(testids::AGENT_SUBMIT).await.unwrap();
    window.screen("sign-in").await.unwrap();
    until_found(&app, &[new.issuer().as_str()]).await;
    assert_eq!(new.control().requests(Endpoint::Register), 1);
    assert_eq!((keychain::sessions().unwrap(), control.live_families()), (1, 1), "nobody is signed out by that");

    // Whoever was signed in before still is.
    control.clear(Endpoint::ResourceMetadata);
    control.clear(Endpoint::Socket);
    window.driver().click(&format!("{}:not([aria-current])", named(testids::ACCOUNT_ENTRY))).await.unwrap();
    window.screen("main").await.unwrap();
    window.ask("stream 5").await.unwrap();
}
