//! Taking something back, in the window: another answer, other words, an empty conversation.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{Look, View, Window, World, testids, wait};
use callbox_sandbox::Fault;
use thirtyfour::Key;

async fn focused(window: Window<'_>) -> String {
    let name = window.driver().run("return document.activeElement?.dataset.testid ?? document.activeElement?.id ?? ''", Vec::new());
    name.await.unwrap().as_str().unwrap().to_owned()
}

async fn until_focused(window: Window<'_>, testid: &str) {
    let look = async || {
        let name = focused(window).await;
        Ok(Look::when((name == testid).then_some(()), &name))
    };
    wait::until(&format!("{testid} has the focus"), look).await.unwrap();
}

/// Presses keys one after the other, wherever the focus is.
async fn press(window: Window<'_>, keys: impl Into<thirtyfour::TypingData>) {
    window.driver().session().unwrap().action_chain().send_keys(keys).perform().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_given_again_a_message_is_put_in_other_words_and_everything_can_be_cleared() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    let first = window.ask("stream 3").await.unwrap();
    let second = window.ask("stream 5").await.unwrap();

    window.click(testids::REGENERATE).await.unwrap();
    let again = window
        .until("another answer", |view| view.settled() && view.messages.get(3).is_some_and(|last| last.id != second.messages[3].id))
        .await
        .unwrap();
    assert_eq!((again.messages.len(), &again.messages[3].text), (4, &second.messages[3].text), "in the place of the old one");
    assert_eq!(again.messages[..3], second.messages[..3]);

    // Given up, nothing has happened, and the focus is where it was.
    window.click(testids::EDIT_MESSAGE).await.unwrap();
    until_focused(window, testids::EDITOR).await;
    press(window, "x").await;
    press(window, Key::Escape).await;
    until_focused(window, testids::EDIT_MESSAGE).await;
    assert_eq!(window.look().await.unwrap(), again);

    // The first one is the first that can be edited.
    press(window, Key::Enter).await;
    until_focused(window, testids::EDITOR).await;
    press(window, "1").await;
    press(window, Key::Enter).await;
    let reworded = |view: &View| view.settled() && view.messages.len() == 2 && view.messages[1].text.contains("w30");
    let edited = window.until("an answer to other words", reworded).await.unwrap();
    assert_eq!((edited.messages[0].text.as_str(), &edited.messages[0].id), ("stream 31", &first.messages[0].id));
    until_focused(window, testids::COMPOSER).await;
    let conversation = edited.conversation.clone().unwrap();
    let stored = world.control().messages(&conversation);
    assert_eq!(stored.len(), 2, "and what came after it is gone at the agent");

    window.click(testids::CLEAR_CONVERSATION).await.unwrap();
    assert_eq!(window.look().await.unwrap().messages.len(), 2, "the first click only asks");
    window.click(testids::CLEAR_CONVERSATION).await.unwrap();
    window.until("nothing", |view| view.messages.is_empty()).await.unwrap();
    let wait_for_agent = async || Ok(Look::when(world.control().messages(&conversation).is_empty().then_some(()), "messages"));
    wait::until("the agent has cleared it", wait_for_agent).await.unwrap();
    assert_eq!(window.ask("stream 2").await.unwrap().messages.len(), 2);
    assert_eq!(window.look().await.unwrap().errors, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_failed_is_answered_again() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    window.ask("stream 3").await.unwrap();
    world.control().once(callbox_sandbox::Endpoint::Turn, Fault::ModelError { text: "Too much to do".to_owned(), chunks: 0 });
    window.say("stream 4").await.unwrap();
    window.until("a failure", |view| view.errors == ["turn-failed"]).await.unwrap();
    window.click(testids::ANSWER_AGAIN).await.unwrap();
    let answered = window.until("an answer", |view| view.settled() && view.messages.len() == 4).await.unwrap();
    assert_eq!((answered.errors, answered.messages[2].text.as_str()), (Vec::new(), "stream 4"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_of_this_app_runs_here_when_the_agent_calls_it() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let answered = app.window().ask("use getTimeZone").await.unwrap();
    let call = answered.tools().next().unwrap();
    // A machine without a zone says that it has none, which is a result, too.
    assert!(["done", "failed"].contains(&call.state.as_str()), "{call:?}");
    let said = &answered.messages[1].text;
    assert!(said.contains("getTimeZone") && said.contains("timeZone") || said.contains("time zone of this computer"), "{said}");
}
