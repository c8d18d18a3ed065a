//! A keychain that takes every call and answers none.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::{Duration, Instant};

use callbox_e2e::{
    App, Error, World,
    bus::{Bus, MuteKeychain},
    process, screen, testids, wait,
    window::named,
};

/// What is asked of the app: to be gone within this time, whatever its keychain does.
const GOODBYE: Duration = Duration::from_secs(2);
/// A keychain that were waited for would cost at least its bound of five seconds each time; a computer under load costs that once.
const TRIES: usize = 3;

/// How an app is asked to end.
#[derive(Debug, Clone, Copy)]
enum Way {
    Cross,
    Terminate,
}

fn end(app: &App, way: Way) {
    match way {
        Way::Cross => screen::close_window_of(app.pid()).unwrap(),
        Way::Terminate => {
            let status = std::process::Command::new("kill").args(["-TERM", &app.pid().to_string()]).status();
            assert!(status.unwrap().success());
        }
    }
}

/// How long the app takes to be gone.
async fn goodbye(app: App, way: Way) -> Result<Duration, Error> {
    let pid = app.pid();
    let asked = Instant::now();
    end(&app, way);
    wait::until_within(GOODBYE, "the app ends", async || {
        let left = process::running().into_iter().find(|process| process.pid == pid);
        Ok(callbox_e2e::Look::when(left.is_none().then_some(()), left))
    })
    .await?;
    Ok(asked.elapsed())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_there_while_the_keychain_is_asked_and_says_what_to_do_when_it_does_not_answer() {
    let mut world = World::new().await.unwrap();
    let bus = Bus::bare().unwrap();
    let keychain = MuteKeychain::on(&bus).await.unwrap();
    world.desktop.move_to_bus(bus.address());
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    // The app waits for an answer, and its window is there all the same.
    let view = app.window().screen("starting").await.unwrap();
    assert!(view.errors.is_empty() && view.notices.is_empty(), "{view:?}");
    keychain.until_called().await.unwrap();
    let view = app.window().screen("sign-in").await.unwrap();
    assert_eq!(view.errors, ["keychain-timed-out"]);
    let said = app.window().driver().run("return document.querySelector('[data-testid=error]').innerText", Vec::new()).await.unwrap();
    assert!(said.as_str().unwrap().contains("unlock"), "it says what to do: {said}");

    // It can be used: somebody signs in, for this session, and talks.
    let page = world.begin(&app).await.unwrap();
    world.deliver(&world.callback(&page).await.unwrap()).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().open_account().await.unwrap();
    let script = "return document.querySelector(arguments[0]).dataset.state";
    let storage = app.window().driver().run(script, vec![named(testids::STORAGE).into()]).await.unwrap();
    assert_eq!(storage, "session-only");
    app.window().click(testids::ACCOUNT_MENU).await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    goodbye(app, Way::Cross).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_keychain_never_answers_ends_within_two_seconds() {
    for way in [Way::Cross, Way::Terminate] {
        let mut tries = Vec::new();
        for _ in 0..TRIES {
            let mut world = World::new().await.unwrap();
            let bus = Bus::bare().unwrap();
            let keychain = MuteKeychain::on(&bus).await.unwrap();
            world.desktop.move_to_bus(bus.address());
            let app = App::start(&world.desktop, &world.launch()).await.unwrap();
            app.window().screen("starting").await.unwrap();
            keychain.until_called().await.unwrap();
            tries.push(goodbye(app, way).await.map_err(|error| error.to_string()));
            if tries.iter().any(Result::is_ok) {
                break;
            }
        }
        assert!(tries.iter().any(Result::is_ok), "{way:?}: {tries:?}");
    }
}
