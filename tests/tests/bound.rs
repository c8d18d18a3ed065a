//! A sign-in that is bound to this computer (DPoP, RFC 9449), in a real window and a real keychain.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{fs, path::PathBuf};

use callbox_e2e::{App, World, app, keychain, leaks::Search, process};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::Value;

/// The entry of this kind.
fn entry(kind: &str) -> Value {
    let entries = keychain::entries().unwrap();
    let found: Vec<_> = entries.iter().filter(|entry| entry.user.starts_with(kind)).collect();
    assert_eq!(found.len(), 1, "{entries:?}");
    serde_json::from_str(&found[0].secret).unwrap()
}

/// Looks wherever the app could have left the key.
fn assert_clean(world: &World, app: &App, search: &Search, when: &str) {
    assert_eq!(search.arguments(&process::running()), [], "{when}");
    let log = fs::read(app::log(&world.desktop)).unwrap();
    assert!(String::from_utf8_lossy(&log).contains(" TRACE "), "not everything is logged");
    assert_eq!(search.bytes("the log", &log), [], "{when}");
    for pid in app.web_processes() {
        assert_eq!(search.memory(pid).unwrap(), [], "{when}");
    }
    let left_out: Vec<PathBuf> = vec![world.desktop.outside()];
    for folder in world.desktop.folders() {
        assert_eq!(search.folder(&folder, &left_out).unwrap().0, [], "{when}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_and_a_command_beside_it_prove_with_one_key_which_is_in_the_keychain_and_nowhere_else() {
    let world = World::new().await.unwrap();
    world.bind().unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 5").await.unwrap();
    let key = entry("dpop-");
    let search = Search::for_secrets([("key", key["d"].as_str().unwrap().to_owned())]).unwrap();
    assert!(!search.bytes("", key.to_string().as_bytes()).is_empty(), "the search is not blind");
    assert_clean(&world, &app, &search, "after a talk");

    // A refresh, and an agent that asks for a nonce of its own, on a new socket.
    world.control().set(|settings| settings.agent_nonce = true);
    world.control().once(Endpoint::Socket, Fault::status(401));
    let (accepted, _) = world.control().handshakes();
    world.control().drop_sockets();
    world.control().until(|| world.control().handshakes().0 > accepted).await;
    app.window().ask("stream 6").await.unwrap();
    assert_eq!(world.control().presented().len(), 1);

    let ended = world.ask(["what time is it"]).unwrap().ended().await.unwrap();
    assert_eq!(ended.exit, Some(0), "{ended:?}");
    assert_eq!(world.control().presented().len(), 1, "the command took the window's token, and has the key");
    assert_eq!(entry("dpop-"), key);
    assert_clean(&world, &app, &search, "after all that");
    app.close().await.unwrap();

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 7").await.unwrap();
    app.window().sign_out().await.unwrap();
    keychain::emptied().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_whose_key_is_gone_says_so_and_signs_in_again() {
    let world = World::new().await.unwrap();
    world.bind().unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 5").await.unwrap();
    app.close().await.unwrap();
    keychain::remove("dpop-").unwrap();

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    app.window().screen("sign-in").await.unwrap();
    app.window().until("it is said why", |view| view.errors == ["session-key-lost"]).await.unwrap();
    assert_eq!(world.control().presented(), [], "nothing was presented without a proof");
    let page = world.begin(&app).await.unwrap();
    let link = world.callback(&page).await.unwrap();
    assert!(world.deliver(&link).await.unwrap().success());
    app.window().screen("main").await.unwrap();
    app.window().until("the conversation is still there", |view| view.messages.len() == 2).await.unwrap();
    app.window().ask("stream 6").await.unwrap();
}
