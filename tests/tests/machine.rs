//! `callbox ask --client-credentials`: a machine with a client of its own at the sandbox's tenant.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::process::Command;

use callbox_e2e::{Console, Ended, World, keychain};
use callbox_sandbox::{Endpoint, Fault, SERVICE_CLIENT_SECRET};

const SECRET: &str = "CALLBOX_CLIENT_SECRET";

fn asking(world: &World, arguments: &[&str]) -> Command {
    world.asking([&["--client-credentials"][..], arguments].concat())
}

async fn run(command: Command) -> Ended {
    Console::start(command).unwrap().ended().await.unwrap()
}

/// Gives a secret to the keychain, as a script does.
async fn keep(world: &World, secret: &str) -> Ended {
    let mut console = Console::start(world.commanding(["client-secret"])).unwrap();
    console.write(secret).await.unwrap();
    console.ended().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_from_the_environment_nobody_signs_in_and_no_keychain_is_asked() {
    let world = World::new().await.unwrap();
    world.control().overhear();
    let mut command = asking(&world, &["--conversation", "nightly", "stream 3"]);
    command.env(SECRET, SERVICE_CLIENT_SECRET).env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent").env("CALLBOX_LOG", "trace");
    let ended = run(command).await;
    assert_eq!((ended.exit, ended.output.as_str()), (Some(0), "w0 w1 w2 \n"), "{}", ended.errors);
    assert_eq!(world.control().messages("nightly").len(), 2);
    let requests = |endpoint| world.control().requests(endpoint);
    assert_eq!((requests(Endpoint::Authorize), requests(Endpoint::Token)), (0, 1));
    assert!(keychain::entries().unwrap().is_empty());
    let mut secrets = vec![SERVICE_CLIENT_SECRET.to_owned()];
    secrets.extend(world.control().overheard().into_iter().map(|(_, secret)| secret));
    assert!(secrets.len() > 1, "the token was heard");
    for secret in secrets {
        assert!(!ended.errors.contains(&secret), "{} bytes of a secret are in the log", secret.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_in_the_keychain_its_token_is_there_for_the_next_run() {
    let world = World::new().await.unwrap();
    let ended = run(asking(&world, &["hello"])).await;
    assert!(ended.exit == Some(77) && ended.errors.contains("Give it to “callbox client-secret”"), "{ended:?}");
    let ended = keep(&world, &format!("{SERVICE_CLIENT_SECRET}\n")).await;
    let kept = "The secret of callbox-sandbox-service is in the keychain.\n";
    assert_eq!(ended, Ended { exit: Some(0), output: String::new(), errors: kept.to_owned() });

    let asking_at_once: Vec<_> = (0..4).map(|n| Console::start(asking(&world, &[&format!("stream {}", n + 2)])).unwrap()).collect();
    for asking in asking_at_once {
        let ended = asking.ended().await.unwrap();
        assert_eq!(ended.exit, Some(0), "{ended:?}");
    }
    assert_eq!(run(asking(&world, &["stream 9"])).await.exit, Some(0));
    assert_eq!(world.control().requests(Endpoint::Token), 1, "five processes, one token");
    let ended = run(world.commanding(["status"])).await;
    assert_eq!(ended.exit, Some(77), "a machine is nobody who is signed in");

    assert_eq!(run(world.commanding(["client-secret", "--forget"])).await.exit, Some(0));
    assert_eq!(run(asking(&world, &["hello"])).await.exit, Some(77));
    for (wrong, exit) in [("\n", 2), ("two words\n", 65)] {
        let ended = keep(&world, wrong).await;
        assert_eq!(ended.exit, Some(exit), "{ended:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_taken_or_has_had_its_share_is_told_so_and_nothing_is_sent() {
    let world = World::new().await.unwrap();
    let mut command = asking(&world, &["hello"]);
    command.env(SECRET, "not-the-secret-at-all");
    let ended = run(command).await;
    assert!(ended.exit == Some(77) && ended.errors.contains("invalid_client"), "{ended:?}");
    assert!(!ended.errors.contains("not-the-secret-at-all"), "{ended:?}");

    world.control().once(Endpoint::Token, Fault::client_quota(3540));
    let mut command = asking(&world, &["--json", "hello"]);
    command.env(SECRET, SERVICE_CLIENT_SECRET);
    let ended = run(command).await;
    assert!(ended.exit == Some(69) && ended.output.contains("\"tenant-rate-limited\""), "{ended:?}");
    assert!(ended.output.contains("10 tokens per hour") && ended.output.contains("3540 seconds"), "{ended:?}");

    let mut command = asking(&world, &["hello"]);
    command.env(SECRET, SERVICE_CLIENT_SECRET).env("CALLBOX_CLIENT_ID", "somebody-else");
    let ended = run(command).await;
    assert!(ended.exit == Some(77), "the environment's client comes before the profile's: {ended:?}");
    assert_eq!((world.control().requests(Endpoint::Turn), world.control().handshakes()), (0, (0, 0)));
}
