//! `callbox status` and `callbox logout`: the real program, the real keychain and the sandbox's tenant.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{Console, Ended, World, keychain};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::Value;

async fn run(world: &World, arguments: &[&str]) -> Ended {
    Console::start(world.commanding(arguments)).unwrap().ended().await.unwrap()
}

fn users() -> Vec<String> {
    keychain::entries().unwrap().into_iter().map(|entry| entry.user).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_who_is_signed_in_and_asks_nobody_but_the_keychain() {
    let world = World::new().await.unwrap();
    let ended = run(&world, &["status"]).await;
    assert!(ended.exit == Some(77) && ended.output.ends_with("Signed in: nobody\n"), "{ended:?}");
    world.sign_in().await.unwrap();
    let asked = world.control().requests(Endpoint::Token) + world.control().requests(Endpoint::Discovery);
    let ended = run(&world, &["status"]).await;
    let name = "Signed in: Ada Lovelace (ada@example.com), kept in the keychain\n";
    assert!(ended.exit == Some(0) && ended.output.starts_with("Agent:     House agent, 127.0.0.1:") && ended.output.ends_with(name));
    let ended = run(&world, &["status", "--json"]).await;
    let line: Value = serde_json::from_str(&ended.output).unwrap();
    assert!(ended.exit == Some(0) && line["signed_in"] == true && line["name"] == "Ada Lovelace" && line["kept"] == true, "{line}");
    assert_eq!(world.control().requests(Endpoint::Token) + world.control().requests(Endpoint::Discovery), asked);
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_leaves_nothing_of_the_account_here_or_at_the_tenant() {
    let world = World::new().await.unwrap();
    world.sign_in().await.unwrap();
    assert_eq!(run(&world, &["ask", "stream 3"]).await.exit, Some(0));
    assert_eq!(world.control().live_families(), 1);
    let ended = run(&world, &["logout"]).await;
    assert_eq!(ended, Ended { exit: Some(0), output: String::new(), errors: "Signed out.\n".to_owned() });
    assert_eq!((users(), world.control().live_families()), (vec!["store-key".to_owned()], 0));
    assert_eq!(run(&world, &["status"]).await.exit, Some(77));
    assert_eq!(run(&world, &["ask", "hello"]).await.exit, Some(77));
    let ended = run(&world, &["logout"]).await;
    assert_eq!((ended.exit, ended.errors.as_str()), (Some(0), "Nobody was signed in.\n"));

    world.sign_in().await.unwrap();
    let app = callbox_e2e::App::start(&world.desktop, &world.launch()).await.unwrap();
    let view = app.window().screen("main").await.unwrap();
    assert_eq!((view.conversations, view.notices), (Vec::new(), Vec::new()), "the list is empty, and was not given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_says_what_could_not_be_done() {
    let world = World::new().await.unwrap();
    world.sign_in().await.unwrap();
    world.control().always(Endpoint::Revoke, [Fault::status(503)]);
    let ended = run(&world, &["logout"]).await;
    assert!(ended.exit == Some(69) && ended.errors.contains("could not be told"), "{ended:?}");
    assert!(!users().iter().any(|user| user.starts_with("session-") || user.starts_with("access-")), "{:?}", users());
}
