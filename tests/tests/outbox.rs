//! Messages on their way, and an app that dies.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{env, time::Duration};

use callbox_e2e::{App, View, Window, World, testids, window::named};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::Value;
use thirtyfour::Key;

/// How often the app is killed in the ordinary run. `CALLBOX_KILLS` says otherwise.
const KILLS: u64 = 8;

/// The same numbers for the same seed (splitmix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

fn number(name: &str, usual: u64) -> u64 {
    env::var(name).map_or(usual, |value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Role and words of each message that the agent has.
fn stored(world: &World, conversation: &str) -> Vec<(String, String)> {
    let text = |message: &Value| {
        let parts = message["parts"].as_array().unwrap();
        let texts = parts.iter().filter(|part| part["type"] == "text").map(|part| part["text"].as_str().unwrap());
        words(&texts.collect::<Vec<_>>().join(" "))
    };
    let messages = world.control().messages(conversation);
    messages.iter().map(|message| (message["role"].as_str().unwrap().to_owned(), text(message))).collect()
}

fn shown(view: &View) -> Vec<(String, String)> {
    view.messages.iter().map(|message| (message.role.clone(), words(&message.text))).collect()
}

/// Writes a message and presses Enter, and waits for nothing.
async fn type_in(window: Window<'_>, text: &str) {
    let composer = named(testids::COMPOSER);
    window.driver().type_into(&composer, text).await.unwrap();
    window.driver().type_into(&composer, &char::from(Key::Enter).to_string()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sent_goes_out_with_the_next_start_though_its_conversation_is_not_open() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    app.window().ask("stream 3").await.unwrap();
    let first = app.window().look().await.unwrap().conversation.unwrap();
    world.sandbox.stop_agent().await;
    app.window().until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    app.window().say("stream 9").await.unwrap();
    app.window().click(testids::NEW_CONVERSATION).await.unwrap();
    app.window().until("another conversation", |view| view.conversation.as_ref().is_some_and(|id| *id != first)).await.unwrap();
    app.window().say("stream 4").await.unwrap();
    app.kill().await.unwrap();

    world.sandbox.start_agent().await.unwrap();
    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let view = app.window().until("the open one is answered", |view| view.settled() && view.messages.len() == 2).await.unwrap();
    assert_ne!(view.conversation.as_ref(), Some(&first));
    world.control().until(|| stored(&world, &first).len() == 4).await;
    assert_eq!(stored(&world, &first)[2], ("user".to_owned(), "stream 9".to_owned()));
    assert_eq!(world.control().requests(Endpoint::Turn), 3, "each was asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_it_loses_nothing_and_says_nothing_twice() {
    let (seed, kills) = (number("CALLBOX_SEED", 1), number("CALLBOX_KILLS", KILLS));
    println!("CALLBOX_SEED={seed} CALLBOX_KILLS={kills}");
    let mut chance = Chance(seed);
    let world = World::new().await.unwrap();
    let mut app = world.signed_in().await.unwrap();
    app.window().ask("stream 1").await.unwrap();
    let conversation = app.window().look().await.unwrap().conversation.unwrap();
    // What the window has promised, and everything that was ever typed.
    let (mut promised, mut typed) = (vec!["stream 1".to_owned()], vec!["stream 1".to_owned()]);

    for kill in 0..kills {
        // All different, and so long that there is something to be in the middle of.
        let text = format!("stream {}", 100 + kill);
        typed.push(text.clone());
        match chance.below(3) {
            // While it is typed, kept, written.
            0 => {
                type_in(app.window(), &text).await;
                tokio::time::sleep(Duration::from_millis(chance.below(60))).await;
            }
            // As soon as the window shows it.
            1 => {
                app.window().say(&text).await.unwrap();
                promised.push(text);
            }
            // In the middle of an answer.
            _ => {
                world.control().hold_after(usize::try_from(1 + chance.below(90)).unwrap());
                app.window().say(&text).await.unwrap();
                promised.push(text);
                world.control().until_held().await;
            }
        }
        app.kill().await.unwrap();
        world.control().release();
        app = App::start(&world.desktop, &world.launch()).await.unwrap();
        // While an answer runs, the box takes nothing. A long conversation is drawn from its end.
        let whole = |view: &View| view.settled() && stored(&world, &conversation).ends_with(&shown(view));
        app.window().until("everything is delivered and answered, and as the agent has it", whole).await.unwrap();
        // What did not become a message is still there to be sent, as far as it was kept.
        let unsent = app.window().unsent().await.unwrap();
        let asked = stored(&world, &conversation);
        let mut not_sent = typed.iter().filter(|text| !asked.iter().any(|(role, sent)| role == "user" && sent == *text));
        assert!(unsent.is_empty() || not_sent.any(|text| text.starts_with(&unsent)), "{unsent:?} was sent, and is unsent");
        app.window().driver().clear(&named(testids::COMPOSER)).await.unwrap();
    }

    let asked: Vec<String> = stored(&world, &conversation).into_iter().filter(|(role, _)| role == "user").map(|(_, text)| text).collect();
    let lost: Vec<&String> = promised.iter().filter(|text| !asked.contains(text)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let expected: Vec<&String> = typed.iter().filter(|text| asked.contains(text)).collect();
    assert_eq!(asked.iter().collect::<Vec<_>>(), expected, "each once, in the order in which it was typed");
    assert_eq!(world.control().requests(Endpoint::Turn), u64::try_from(asked.len()).unwrap(), "each was asked once");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_in_a_conversation_that_is_not_open_is_told() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    let first = window.ask("stream 3").await.unwrap().conversation.unwrap();
    world.sandbox.stop_agent().await;
    window.until("the break is shown", |view| view.connection.as_deref() == Some("offline")).await.unwrap();
    window.say("stream 9").await.unwrap();
    window.click(testids::NEW_CONVERSATION).await.unwrap();
    window.until("another conversation", |view| view.conversation.as_ref().is_some_and(|id| *id != first)).await.unwrap();
    world.control().once(Endpoint::Submit, Fault::Skip);
    world.sandbox.start_agent().await.unwrap();
    window.until("it is told", |view| view.notices == ["message-failed-elsewhere"]).await.unwrap();
    // It is kept, and can be sent again.
    window.driver().click(&format!("[data-testid=conversation-item][data-conversation=\"{first}\"]")).await.unwrap();
    let failed = |view: &View| view.messages.last().is_some_and(|last| last.delivery.as_deref() == Some("failed"));
    window.until("the failed message", failed).await.unwrap();
    window.click(testids::RETRY_MESSAGE).await.unwrap();
    window.until("an answer", |view| view.settled() && view.messages.len() == 4).await.unwrap();
}
