//! An agent of which nothing is known but its address.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Launch, Look, World, keychain, testids, wait, window::named};

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
    window.driver().type_into(&address, world.sandbox.agent_url().as_str()).await.unwrap();
    window.driver().click(&submit).await.unwrap();
    // What was found is shown before anybody signs in anywhere.
    window.driver().click(&named(testids::PROVENANCE)).await.unwrap();
    // The last: the agent takes bound tokens, and the tenant gives them.
    let parts = ["oauth-protected-resource", "dev.callbox.desktop://callback", "bound to this computer"];
    let look = async || {
        let said = window.driver().run("return document.querySelector('[data-testid=provenance]').innerText", Vec::new()).await?;
        let all = parts.iter().all(|part| said.as_str().is_some_and(|said| said.contains(part)));
        Ok(Look::when(all.then_some(()), said))
    };
    wait::until("it is said how it was found", look).await.unwrap();
    let page = world.begin(&app).await.unwrap();
    let link = world.callback(&page).await.unwrap();
    assert!(world.deliver(&link).await.unwrap().success());
    window.screen("main").await.unwrap();
    window.ask("stream 3").await.unwrap();
    assert!(keychain::entries().unwrap().iter().any(|entry| entry.user.starts_with("dpop-")));
    app.close().await.unwrap();

    let app = App::start(&world.desktop, &bare).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 4").await.unwrap();
}
