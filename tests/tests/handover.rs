//! One app at a time, also while one goes and the next one comes.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::fs;

use callbox_e2e::{App, Desktop, Launch, Look, process, screen, wait};

/// Stops a process where it stands, so that it answers nobody and still has its place.
fn freeze(pid: u32) {
    assert!(std::process::Command::new("kill").args(["-STOP", &pid.to_string()]).status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_is_started_while_the_last_one_dies_takes_its_place() {
    let desktop = Desktop::new().unwrap();
    let first = App::start(&desktop, &Launch::sandbox()).await.unwrap();
    first.window().screen("sign-in").await.unwrap();
    freeze(first.pid());

    let log = desktop.outside().join("second.log");
    let mut command = desktop.command(desktop.app());
    command.arg("--sandbox").env("CALLBOX_LOG", "callbox_desktop=info,zbus=trace");
    let second = process::Process::start(command, &log).unwrap();
    let said = |word: &str| {
        let text = fs::read_to_string(&log).unwrap_or_default();
        Look::when(text.contains(word).then_some(()), text.lines().last().unwrap_or_default().to_owned())
    };
    wait::until("it hands its arguments to the first", async || Ok(said("ExecuteCallback"))).await.unwrap();
    first.kill().await.unwrap();
    wait::until("it sees that nobody took them", async || Ok(said("on its way out"))).await.unwrap();
    wait::until("it has a window", async || Ok(Look::when(screen::has_window(second.id())?.then_some(()), "none"))).await.unwrap();

    screen::close_window_of(second.id()).unwrap();
    let mut second = second;
    assert!(second.ended().await.unwrap().success());
}
