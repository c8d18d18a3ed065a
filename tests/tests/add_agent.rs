//! An agent of which nothing is known but its address.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Launch, World, keychain, testids, window::named};

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
    let said = window.driver().run("return document.querySelector('[data-testid=provenance]').innerText", Vec::new()).await.unwrap();
    let said = said.as_str().unwrap();
    assert!(said.contains("oauth-protected-resource") && said.contains("dev.callbox.desktop://callback"), "{said}");
    assert!(said.contains("bound to this computer"), "the agent takes bound tokens, and the tenant gives them: {said}");
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
