//! An agent of the oldest generation, which has no frame for a question: in the window and on the command line it asks like any other.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::time::Duration;

use callbox_e2e::{View, World, testids};
use callbox_sandbox::Generation;
use serde_json::Value;

async fn world() -> World {
    let world = World::new().await.unwrap();
    world.control().set(|settings| settings.generation = Generation::Oldest);
    world.control().set_pace(Duration::from_millis(1));
    world
}

/// What has been put in the place of the results, by call.
fn results(world: &World, conversation: &str) -> Vec<Value> {
    let messages = world.control().messages(conversation);
    let parts = messages.iter().flat_map(|message| message["parts"].as_array().unwrap().clone());
    parts.filter(|part| part["toolCallId"].is_string()).map(|part| part["output"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_window_asks_and_the_agent_acts_on_what_is_said() {
    let world = world().await;
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    for (button, word, state, answer) in [
        (testids::APPROVE, "Yes, confirmed.", "approved", "Paris: "),
        (testids::DENY, "No, denied.", "denied", "I did not look up the weather in Paris"),
    ] {
        let before = window.look().await.unwrap();
        window.say("weather in Paris").await.unwrap();
        let tool = window.asked().await.unwrap();
        assert_eq!((tool.name.as_str(), tool.input.as_deref().is_some_and(|input| input.contains("Paris"))), ("getWeather", true));
        window.click(button).await.unwrap();
        let decided = |view: &View| view.tools().last().is_some_and(|tool| tool.state == state);
        let answered = |view: &View| view.settled() && view.since(&before).any(|message| message.text.contains(answer)) && decided(view);
        let view = window.until("the answer after it", answered).await.unwrap();
        assert_eq!(results(&world, view.conversation.as_ref().unwrap()).last().unwrap(), word);
    }
    app.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_asks_is_denied_without_a_terminal_unless_it_is_allowed_by_its_name() {
    let world = world().await;
    world.sign_in().await.unwrap();
    for (name, allowed, exit, answer, words) in [
        ("no", "getWeathe", 3, "I did not look up the weather in Paris", ["No, denied."; 2]),
        ("yes", "getWeather", 0, "**Rome**", ["Yes, confirmed."; 2]),
    ] {
        let arguments = ["--conversation", name, "--allow", allowed, "weather in Paris and Rome"];
        let ended = world.ask(arguments).unwrap().ended().await.unwrap();
        assert_eq!(ended.exit, Some(exit), "{ended:?}");
        assert!(ended.output.contains(answer), "{}", ended.output);
        assert_eq!(results(&world, name), words);
    }
}
