//! `callbox login`: the real program, the real keychain, the sandbox's tenant, and a browser that goes where it is sent.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{collections::HashMap, env, process::Command};

use callbox_e2e::{Console, Ended, Look, World, keychain, process, wait};
use callbox_sandbox::{Endpoint, Page, Visitor};
use url::Url;

const SIGNED_IN: &str = "Signed in to House agent as Ada Lovelace (ada@example.com), kept in the keychain.\n";

/// The noting browser, as a command.
fn browser(world: &World) -> String {
    world.desktop.outside().join("browser").display().to_string()
}

fn login(world: &World, arguments: &[&str]) -> Console {
    Console::start(world.commanding([&["login"][..], arguments].concat())).unwrap()
}

async fn run(command: Command) -> Ended {
    Console::start(command).unwrap().ended().await.unwrap()
}

fn redirect_uri(page: &Url) -> String {
    let parameters: HashMap<_, _> = page.query_pairs().into_owned().collect();
    parameters["redirect_uri"].clone()
}

/// Goes where the tenant sends the browser, and gives back what is shown there.
async fn come_back(link: &str) -> String {
    match Visitor::new().unwrap().open(&Url::parse(link).unwrap()).await.unwrap() {
        Page::Shown { html, .. } => html,
        page => panic!("{page:?}"),
    }
}

/// The command with the display that the others go without.
fn at_the_display(mut command: Command) -> Command {
    command.env("DISPLAY", env::var_os("DISPLAY").unwrap());
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_comes_back_to_a_port_signs_in_and_the_sign_in_is_the_windows() {
    let world = World::new().await.unwrap();
    let login = login(&world, &["--browser", &browser(&world)]);
    let page = world.desktop.opened_page(0).await.unwrap();
    assert!(redirect_uri(&page).starts_with("http://127.0.0.1:"), "{page}");
    let shown = come_back(&world.callback(&page).await.unwrap()).await;
    assert!(shown.contains("You are signed in."), "{shown}");
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.output.is_empty() && ended.errors.ends_with(SIGNED_IN), "{ended:?}");
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families()), (1, 1));

    let tokens = world.control().requests(Endpoint::Token);
    assert_eq!(world.ask(["stream 3"]).unwrap().ended().await.unwrap().exit, Some(0));
    assert_eq!(world.control().requests(Endpoint::Token), tokens, "the access token is there for the others");
    let ended = run(world.commanding(["login"])).await;
    let already = "Ada Lovelace (ada@example.com) is signed in to House agent already. “callbox logout” signs out, “callbox login --another” lets somebody else in beside.\n";
    assert_eq!(ended, Ended { exit: Some(0), output: String::new(), errors: already.to_owned() });
    let app = callbox_e2e::App::start(&world.desktop, &world.launch()).await.unwrap();
    app.window().screen("main").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_browser_the_address_is_printed_and_the_link_can_be_pasted() {
    let world = World::new().await.unwrap();
    let mut login = login(&world, &[]);
    login.until("the address", |output| output.ends_with('\n')).await.unwrap();
    let page = Url::parse(login.output().trim()).unwrap();
    let link = world.callback(&page).await.unwrap();
    // Whatever else is pasted changes nothing.
    let forged = link.replace("state=", "state=x");
    for wrong in ["what is this", &forged] {
        login.write(&format!("{wrong}\n")).await.unwrap();
    }
    login
        .until_said("both are refused", |errors| errors.contains("not the address") || errors.contains("not the whole address"))
        .await
        .unwrap();
    login.until_said("the forged one too", |errors| errors.contains("another sign-in")).await.unwrap();
    login.write(&format!("{link}\n")).await.unwrap();
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.output == format!("{page}\n") && ended.errors.ends_with(SIGNED_IN), "{ended:?}");
    assert!(ended.errors.contains("No browser was opened (there is no display). Open this address:\n"), "{}", ended.errors);
    let code = Url::parse(&link).unwrap().query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();
    assert!(!ended.errors.contains(&code), "nothing of the link is repeated");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_fails_is_told_and_the_address_with_it() {
    let world = World::new().await.unwrap();
    let login = login(&world, &["--browser", "false"]);
    login.until("the address", |output| output.ends_with('\n')).await.unwrap();
    let page = Url::parse(login.output().trim()).unwrap();
    come_back(&world.callback(&page).await.unwrap()).await;
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.errors.contains("false ended with exit status: 1"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_up_or_says_no_leaves_nothing_behind() {
    let world = World::new().await.unwrap();
    let waiting = login(&world, &["--browser", &browser(&world)]);
    waiting.until_said("it waits", |errors| errors.contains("Ctrl-C gives up")).await.unwrap();
    // The browser takes its time, and would note its page behind that of the next sign-in.
    world.desktop.opened_page(0).await.unwrap();
    waiting.signal("INT").unwrap();
    let ended = waiting.ended().await.unwrap();
    assert!(ended.exit == Some(130) && ended.errors.ends_with("Stopped.\n"), "{ended:?}");

    let declined = login(&world, &["--browser", &browser(&world)]);
    let page = world.desktop.opened_page(1).await.unwrap();
    let state = page.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let mut link = Url::parse(&redirect_uri(&page)).unwrap();
    let issuer = world.sandbox.issuer().to_string();
    link.query_pairs_mut().append_pair("error", "access_denied").append_pair("state", &state).append_pair("iss", &issuer);
    come_back(link.as_str()).await;
    let ended = declined.ended().await.unwrap();
    assert!(ended.exit == Some(1) && ended.errors.ends_with("The sign-in was declined.\n"), "{ended:?}");
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families(), world.control().requests(Endpoint::Token)), (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_that_could_not_be_kept_does_not_begin() {
    let world = World::new().await.unwrap();
    let mut command = world.commanding(["login", "--browser", &browser(&world)]);
    command.env("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nonexistent");
    let ended = run(command).await;
    assert!(ended.exit == Some(69) && ended.errors.contains("has to be kept in the keychain. No keychain is available"), "{ended:?}");
    assert_eq!((world.desktop.opened_pages(), world.control().requests(Endpoint::Authorize)), (Vec::new(), 0));

    world.control().always(Endpoint::Discovery, [callbox_sandbox::Fault::status(503)]);
    let ended = run(world.commanding(["login", "--browser", &browser(&world)])).await;
    assert!(ended.exit == Some(69) && ended.errors.contains("is not well (status 503)"), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_apps_own_link_reaches_the_sign_in_in_the_terminal_and_opens_no_window() {
    let world = World::new().await.unwrap();
    world.registered().await.unwrap();
    // The desktop's browser, and the app's own link.
    let login = Console::start(at_the_display(world.commanding(["login"]))).unwrap();
    let page = world.desktop.opened_page(0).await.unwrap();
    assert_eq!(redirect_uri(&page), "dev.callbox.desktop://callback");
    // Other sign-ins, in tests before this one, may have been killed and have left theirs.
    let folder = std::path::PathBuf::from(env::var_os("XDG_RUNTIME_DIR").unwrap()).join(keychain::SERVICE);
    let letterbox = folder.join(format!("login-{}.socket", login.id().unwrap()));
    assert!(letterbox.exists(), "links can be brought");
    assert!(world.deliver(&world.callback(&page).await.unwrap()).await.unwrap().success());
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.errors.ends_with(SIGNED_IN), "{ended:?}");
    // The process that has brought the link ends by itself; a window would stay.
    wait::until("no app runs", async || {
        let left: Vec<_> = process::running().into_iter().filter(|process| process.executable == world.desktop.app()).collect();
        Ok(Look::when(left.is_empty().then_some(()), left))
    })
    .await
    .unwrap();
    assert!(!letterbox.exists(), "nobody waits there any more");

    // Where it is wanted, or the link leads elsewhere, it is a port.
    run(world.commanding(["logout"])).await;
    let login = Console::start(at_the_display(world.commanding(["login", "--loopback"]))).unwrap();
    assert!(redirect_uri(&world.desktop.opened_page(1).await.unwrap()).starts_with("http://127.0.0.1:"));
    drop(login);
    let elsewhere = world.desktop.folders()[2].join("applications/dev.callbox.desktop-handler.desktop");
    let entry = std::fs::read_to_string(&elsewhere).unwrap().replace(&world.desktop.app().display().to_string(), "/usr/bin/true");
    std::fs::write(&elsewhere, entry).unwrap();
    let login = Console::start(at_the_display(world.commanding(["login"]))).unwrap();
    assert!(redirect_uri(&world.desktop.opened_page(2).await.unwrap()).starts_with("http://127.0.0.1:"));
    drop(login);
}

#[tokio::test(flavor = "multi_thread")]
async fn beside_a_window_each_link_goes_to_the_sign_in_that_it_is_for() {
    let world = World::new().await.unwrap();
    world.registered().await.unwrap();
    let app = world.app().await.unwrap();
    let login = Console::start(at_the_display(world.commanding(["login"]))).unwrap();
    let in_terminal = world.desktop.opened_page(0).await.unwrap();
    let in_window = world.begin(&app).await.unwrap();
    assert_ne!(in_terminal, in_window);
    world.deliver(&world.callback(&in_window).await.unwrap()).await.unwrap();
    app.window().screen("main").await.unwrap();
    let waits = process::running().into_iter().any(|process| Some(process.pid) == login.id());
    assert!(waits, "the other one is not for it");
    world.deliver(&world.callback(&in_terminal).await.unwrap()).await.unwrap();
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.errors.ends_with(SIGNED_IN), "{ended:?}");
    // The window goes on, and so do the commands.
    let view = app.window().ask("stream 3").await.unwrap();
    assert!(view.notices.is_empty() && view.errors.is_empty(), "{view:?}");
    assert_eq!(world.ask(["stream 4"]).unwrap().ended().await.unwrap().exit, Some(0));
    assert_eq!(keychain::sessions().unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_open_takes_over_the_sign_in_of_a_terminal() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let login = login(&world, &["--browser", &browser(&world)]);
    let page = world.desktop.opened_page(0).await.unwrap();
    come_back(&world.callback(&page).await.unwrap()).await;
    assert_eq!(login.ended().await.unwrap().exit, Some(0));
    app.window().screen("main").await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agents_address_is_enough_and_how_it_was_found_is_told_before_anybody_signs_in() {
    let world = World::new().await.unwrap();
    let address = world.sandbox.agent_url().to_string();
    let login = Console::start(world.bare(["login", "--agent", &address, "--browser", &browser(&world)])).unwrap();
    let page = world.desktop.opened_page(0).await.unwrap();
    login
        .until_said("how it was found", |errors| errors.contains("oauth-protected-resource") && errors.contains("has registered this app"))
        .await
        .unwrap();
    come_back(&world.callback(&page).await.unwrap()).await;
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.errors.ends_with("kept in the keychain.\n"), "{ended:?}");
    assert_eq!(run(world.bare(["ask", "stream 3"])).await.exit, Some(0), "it is the agent from now on");
    let ended = run(world.bare(["login", "--agent", &address])).await;
    assert!(ended.exit == Some(0) && ended.errors.contains("signed in to 127.0.0.1 already"), "{ended:?}");
    assert_eq!(world.control().requests(Endpoint::Register), 1);

    assert_eq!(run(world.bare(["login", "--agent", "no address"])).await.exit, Some(2));
    let ended = run(world.bare(["login", "--agent", "http://127.0.0.1:1/agents/none"])).await;
    assert_eq!(ended.exit, Some(69), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_is_let_in_beside_who_is_there_if_that_is_wanted() {
    let world = World::new().await.unwrap();
    world.sign_in().await.unwrap();
    let login = login(&world, &["--another", "--browser", &browser(&world)]);
    let page = world.desktop.opened_page(0).await.unwrap();
    let link = Visitor::new().unwrap().sign_in(&page, "grace@example.com").await.unwrap();
    come_back(&link).await;
    let ended = login.ended().await.unwrap();
    assert!(ended.exit == Some(0) && ended.errors.contains("as Grace Hopper (grace@example.com), kept in the keychain"), "{ended:?}");
    assert_eq!((keychain::sessions().unwrap(), world.control().live_families()), (2, 2), "nobody is signed out for it");
    assert_eq!(world.ask(["hello"]).unwrap().ended().await.unwrap().exit, Some(2), "who is meant has to be said");
    assert_eq!(world.ask(["--account", "grace@example.com", "stream 3"]).unwrap().ended().await.unwrap().exit, Some(0));
}
