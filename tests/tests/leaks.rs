//! Tokens, codes and verifiers are where they belong and nowhere else.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{collections::BTreeSet, env, fs, os::unix::process::CommandExt as _, path::PathBuf, process::Command};

use callbox_e2e::{App, Look, World, app, journey, keychain, leaks::Search, process, wait};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::{Value, json};

const MARKER: &str = "a-marker-that-only-this-test-knows-7f3a91c2d4";

/// A world whose tenant remembers every secret that it was told and that it told.
struct Overheard {
    world: World,
}

impl Overheard {
    async fn new() -> Self {
        let world = World::new().await.unwrap();
        world.control().overhear();
        Self { world }
    }

    async fn start(&self) -> App {
        App::start(&self.world.desktop, &self.world.launch()).await.unwrap()
    }

    /// A search for everything that was secret until now. Fails if not every kind of secret was there.
    fn search(&self) -> Search {
        let secrets = self.world.control().overheard();
        let kinds: BTreeSet<&str> = secrets.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds, BTreeSet::from(["access_token", "code", "code_verifier", "id_token", "refresh_token"]));
        Search::for_secrets(secrets).unwrap()
    }

    /// Looks wherever the app could have left something, and returns how many files there were.
    fn assert_clean(&self, app: &App, when: &str) -> usize {
        let search = self.search();
        assert_eq!(search.arguments(&process::running()), [], "{when}");
        let log = fs::read(app::log(&self.world.desktop)).unwrap();
        assert!(String::from_utf8_lossy(&log).contains(" TRACE "), "not everything is logged");
        assert_eq!(search.bytes("the log", &log), [], "{when}");
        let web = app.web_processes();
        assert!(!web.is_empty(), "the window has no process of its own");
        for pid in web {
            assert_eq!(search.memory(pid).unwrap(), [], "{when}");
        }
        let (left_out, mut files) = (self.left_out(), 0);
        for folder in self.folders() {
            let (leaks, looked_at) = search.folder(&folder, &left_out).unwrap();
            assert_eq!(leaks, [], "{when}");
            files += looked_at;
        }
        files
    }

    /// The user's folders on this desktop, and those of the desktop around it.
    fn folders(&self) -> Vec<PathBuf> {
        let around = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR"];
        let around = around.iter().filter_map(|name| Some(PathBuf::from(env::var_os(name)?)));
        self.world.desktop.folders().into_iter().chain(around).collect()
    }

    /// The keychain's own files, and what is the test's or the browser's.
    fn left_out(&self) -> Vec<PathBuf> {
        let keychain = env::var_os("XDG_DATA_HOME").map(|data| PathBuf::from(data).join("keyrings"));
        keychain.into_iter().chain([self.world.desktop.outside()]).collect()
    }
}

/// Returns when nobody brings a link any more: its code stands in the arguments of the programs that do, and cannot be anywhere else.
async fn until_links_are_brought() {
    let link = b"dev.callbox.desktop://callback?";
    wait::until("whoever brings a link has ended", async || {
        let brings = |process: &process::Running| process.arguments.windows(link.len()).any(|part| part == link);
        let left: Vec<_> = process::running().into_iter().filter(brings).map(|process| process.executable).collect();
        Ok(Look::when(left.is_empty().then_some(()), left))
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_finds_what_is_planted() {
    let overheard = Overheard::new().await;
    let app = overheard.start().await;
    app.window().screen("sign-in").await.unwrap();
    let search = Search::for_secrets([("marker", MARKER.to_owned())]).unwrap();

    let memory = |app: &App| app.web_processes().iter().flat_map(|pid| search.memory(*pid).unwrap()).count();
    assert_eq!(memory(&app), 0);
    // Put together in the page, as an event is: the script itself does not have it.
    let pieces: Vec<Value> = MARKER.split_inclusive('-').map(|piece| json!(piece)).collect();
    app.window().driver().run("window.planted = JSON.parse(JSON.stringify([...arguments].join('')));", pieces).await.unwrap();
    assert!(memory(&app) > 0, "not seen in the memory of the web view");

    let found = |overheard: &Overheard| {
        let left_out = overheard.left_out();
        overheard.folders().iter().flat_map(|folder| search.folder(folder, &left_out).unwrap().0).count()
    };
    assert_eq!(found(&overheard), 0);
    for folder in overheard.world.desktop.folders() {
        let file = folder.join("planted");
        fs::write(&file, format!("a line\n{MARKER}\n")).unwrap();
        assert_eq!(found(&overheard), 1, "not seen in {}", folder.display());
        fs::remove_file(file).unwrap();
    }

    let mut planted = Command::new("sleep").arg0(MARKER).arg("60").spawn().unwrap();
    wait::until("the marker is among the arguments", async || {
        let leaks = search.arguments(&process::running());
        Ok(Look::when((!leaks.is_empty()).then_some(()), "nothing"))
    })
    .await
    .unwrap();
    planted.kill().unwrap();
    planted.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_a_log_a_file_an_argument_or_the_web_view() {
    let overheard = Overheard::new().await;
    let world = &overheard.world;
    let app = overheard.start().await;
    app.window().screen("sign-in").await.unwrap();
    // The real browser, which hands the link over as it does for everybody.
    journey::sign_in(&world.desktop, &app, |_| Ok(())).await.unwrap();
    until_links_are_brought().await;
    let kept = keychain::entries().unwrap();
    let search = overheard.search();
    assert!(kept.iter().any(|entry| search.bytes("", entry.secret.as_bytes()).iter().any(|leak| leak.secret == "refresh_token")));
    for entry in &kept {
        let own = if entry.user.starts_with("access-") { "access_token" } else { "refresh_token" };
        assert!(search.bytes("", entry.secret.as_bytes()).iter().all(|leak| leak.secret == own), "{} has another's secret", entry.user);
    }
    let own: BTreeSet<String> = search.memory(app.pid()).unwrap().into_iter().map(|leak| leak.secret).collect();
    assert!(own.contains("access_token"), "the app's own memory is where it has to be, or the search is blind: {own:?}");
    overheard.assert_clean(&app, "after the exchange");

    let window = app.window();
    window.ask("what time is it").await.unwrap();
    window.say("weather in Paris").await.unwrap();
    let asked = window.asked().await.unwrap();
    window.decide(&asked, true).await.unwrap();
    // A refusal, a refresh whose answer is lost, another handshake: errors are logged as well.
    world.control().once(Endpoint::Token, Fault::DropReply);
    world.control().once(Endpoint::Socket, Fault::status(401));
    let (accepted, _) = world.control().handshakes();
    world.control().drop_sockets();
    world.control().until(|| world.control().handshakes().0 > accepted).await;
    window.ask("stream 5").await.unwrap();
    let files = overheard.assert_clean(&app, "after a talk and a refresh");
    assert!(files > 5, "the app has left {files} files");
    app.close().await.unwrap();

    let app = overheard.start().await;
    app.window().until("the history is there", |view| view.messages.len() == 6).await.unwrap();
    overheard.assert_clean(&app, "after a restart");
    app.window().sign_out().await.unwrap();
    overheard.assert_clean(&app, "after the sign-out");
    keychain::emptied().await.unwrap();
}

/// Takes the place of the window's own listener and keeps whatever arrives, the answers to its commands included.
const LISTEN: &str = "
    const bridge = window.__TAURI_INTERNALS__;
    window.heard = [];
    window.hear = (what) => window.heard.push(JSON.stringify(what) ?? 'undefined');
    window.ask = (command, given) => bridge.invoke(command, given).then(window.hear, window.hear);
    // Events are JSON text within the bridge's own messages.
    const event = (sent) => window.hear(typeof sent.message === 'string' ? { ...sent, message: JSON.parse(sent.message) } : sent);
    window.ask('subscribe', { events: `__CHANNEL__:${bridge.transformCallback(event)}` });";

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_among_the_events_that_the_web_view_is_sent() {
    let overheard = Overheard::new().await;
    let world = &overheard.world;
    let app = overheard.start().await;
    app.window().screen("sign-in").await.unwrap();
    let page = app.window().driver();
    page.run(LISTEN, Vec::new()).await.unwrap();
    let heard = async || {
        let heard = page.run("return window.heard", Vec::new()).await.unwrap();
        heard.as_array().unwrap().iter().map(|event| event.as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let until_event = async |is_it: &dyn Fn(&str) -> bool| {
        wait::until("the event", async || {
            let heard = heard().await;
            Ok(Look::when(heard.iter().find(|event| is_it(event)).cloned(), &heard))
        })
        .await
        .unwrap()
    };
    let until = async |words: &str| until_event(&|event| event.contains(words)).await;
    let ask = async |command: &str, given: Value| {
        page.run("window.ask(arguments[0], arguments[1])", vec![json!(command), given]).await.unwrap();
    };

    ask("bootstrap", json!({})).await;
    ask("sign_in", json!({})).await;
    let opened = world.desktop.opened_page(0).await.unwrap();
    world.deliver(&world.callback(&opened).await.unwrap()).await.unwrap();
    until("signed-in").await;
    assert!(until("Ada Lovelace").await.contains("ada@example.com"), "what is meant for the window is heard");
    ask("new_conversation", json!({})).await;
    // The answer is the conversation's name alone, a text and not an object.
    let conversation: Value = serde_json::from_str(&until_event(&|event| event.starts_with('"')).await).unwrap();
    ask("send_message", json!({ "conversation": conversation, "text": "weather in Paris" })).await;
    let question = until("approval-requested").await;
    let call = question.split(r#""toolCallId":""#).nth(1).unwrap().split('"').next().unwrap();
    ask("decide", json!({ "conversation": conversation, "tool_call": call, "approved": true })).await;
    until("output-available").await;
    world.control().once(Endpoint::Socket, Fault::status(401));
    let (accepted, _) = world.control().handshakes();
    world.control().drop_sockets();
    world.control().until(|| world.control().handshakes().0 > accepted).await;
    ask("bootstrap", json!({})).await;
    ask("sign_out", json!({"browser": false})).await;
    until_event(&|event| event.contains("signed-out") && !event.contains("bootstrap")).await;

    let events = heard().await;
    let search = overheard.search();
    for event in &events {
        assert_eq!(search.bytes(event, event.as_bytes()), []);
    }
    // How many there are depends on how fast both sides are, because what comes at once is told at once.
    let kind = |event: &String| serde_json::from_str::<Value>(event).ok()?["message"].as_object()?.keys().next().cloned();
    let kinds: BTreeSet<String> = events.iter().filter_map(kind).collect();
    for kind in ["bootstrap", "conversations", "session", "thread"] {
        assert!(kinds.contains(kind), "no {kind} was heard, only {kinds:?}");
    }
    let stored = "return JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie, location.href, document.documentElement.outerHTML])";
    let stored = page.run(stored, Vec::new()).await.unwrap();
    assert_eq!(search.bytes("what the page keeps", stored.as_str().unwrap().as_bytes()), []);
}
