//! A keychain that takes every call and answers none.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

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

/// A computer with such a keychain.
struct Computer {
    world: World,
    keychain: MuteKeychain,
    _bus: Bus,
}

impl Computer {
    async fn new() -> Self {
        let mut world = World::new().await.unwrap();
        let bus = Bus::bare().unwrap();
        let keychain = MuteKeychain::on(&bus).await.unwrap();
        world.desktop.move_to_bus(bus.address());
        Self { world, keychain, _bus: bus }
    }

    /// The app, when it has asked the keychain.
    async fn asking(&self) -> App {
        let app = App::start(&self.world.desktop, &self.world.launch()).await.unwrap();
        self.keychain.until_called().await.unwrap();
        app
    }
}

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

/// Returns when the app has gone in time.
async fn goodbye(app: App, way: Way) -> Result<(), Error> {
    let pid = app.pid();
    end(&app, way);
    wait::until_within(GOODBYE, "the app ends", async || {
        let left = process::running().into_iter().find(|process| process.pid == pid);
        Ok(callbox_e2e::Look::when(left.is_none().then_some(()), left))
    })
    .await
}

/// Holds that the app that `use_it` leaves behind ends in time, in one of some tries.
async fn assert_ends_in_time(way: Way, use_it: impl AsyncFn(&Computer) -> App) {
    let mut tries = Vec::new();
    for _ in 0..TRIES {
        let computer = Computer::new().await;
        let app = use_it(&computer).await;
        match goodbye(app, way).await {
            Ok(_) => return,
            Err(error) => tries.push(error.to_string()),
        }
    }
    panic!("{way:?}: {tries:?}");
}

/// The app, when it has said what to do and somebody has signed in, for this session, and talked.
async fn signed_in_for_now(computer: &Computer) -> App {
    let world = &computer.world;
    let app = computer.asking().await;
    let view = app.window().screen("sign-in").await.unwrap();
    assert_eq!(view.errors, ["keychain-timed-out"]);
    let said = app.window().driver().run("return document.querySelector('[data-testid=error]').innerText", Vec::new()).await.unwrap();
    assert!(said.as_str().unwrap().contains("unlock"), "it says what to do: {said}");

    let page = world.begin(&app).await.unwrap();
    world.deliver(&world.callback(&page).await.unwrap()).await.unwrap();
    app.window().screen("main").await.unwrap();
    app.window().open_account().await.unwrap();
    let script = "return document.querySelector(arguments[0]).dataset.state";
    let storage = app.window().driver().run(script, vec![named(testids::STORAGE).into()]).await.unwrap();
    assert_eq!(storage, "session-only");
    app.window().close_account().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_is_there_while_the_keychain_is_asked() {
    for _ in 0..TRIES {
        let computer = Computer::new().await;
        let app = computer.asking().await;
        let view = app.window().until("the window shows something", |view| view.screen.is_some()).await.unwrap();
        // The app waits for an answer, and its window is there all the same.
        if view.screen.as_deref() == Some("starting") {
            assert!(view.errors.is_empty() && view.notices.is_empty(), "{view:?}");
            return;
        }
    }
    panic!("the window is not there before the keychain is given up");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_whose_keychain_does_not_answer_says_what_to_do_can_be_used_and_ends_within_two_seconds() {
    assert_ends_in_time(Way::Cross, signed_in_for_now).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_still_asks_its_keychain_ends_within_two_seconds() {
    for way in [Way::Cross, Way::Terminate] {
        assert_ends_in_time(way, Computer::asking).await;
    }
}
