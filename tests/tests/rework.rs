//! Taking something back, in the window: another answer, other words, an empty conversation.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{App, Look, View, Window, World, testids, wait, window::named};
use callbox_sandbox::{Endpoint, Fault};
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

/// Goes to a conversation; returns when it is in view and the agent is there.
async fn open(window: Window<'_>, conversation: &str) -> View {
    window.driver().click(&format!("{}[data-conversation=\"{conversation}\"]", named(testids::CONVERSATION_ITEM))).await.unwrap();
    let is_open = |view: &View| view.conversation.as_deref() == Some(conversation) && view.connection.as_deref() == Some("online");
    window.until("the conversation is in view", is_open).await.unwrap()
}

/// Waits until this stands in the editor of a message; none: until there is no editor.
async fn until_editor_has(window: Window<'_>, text: Option<&str>) {
    let script = "return document.querySelector(arguments[0])?.value ?? null";
    let look = async || {
        let value = window.driver().run(script, vec![named(testids::EDITOR).into()]).await?;
        Ok(Look::when((value.as_str() == text).then_some(()), value))
    };
    wait::until(&format!("the editor has {text:?}"), look).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn other_words_that_were_begun_wait_for_their_message_and_reach_the_agent_once() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    let conversation = window.ask("stream 3").await.unwrap().conversation.unwrap();
    window.click(testids::EDIT_MESSAGE).await.unwrap();
    until_focused(window, testids::EDITOR).await;
    press(window, "1").await;

    // Somewhere else and back.
    window.click(testids::NEW_CONVERSATION).await.unwrap();
    window.until("another one", |view| view.conversation.as_ref().is_some_and(|id| *id != conversation)).await.unwrap();
    window.ask("stream 2").await.unwrap();
    until_editor_has(window, None).await;
    open(window, &conversation).await;
    until_editor_has(window, Some("stream 31")).await;
    until_focused(window, testids::COMPOSER).await;

    // On their way to an agent that hears nothing, when the app crashes.
    world.desktop.keeps_drafts(&["stream 31"]).await.unwrap();
    // Only a socket that is there can fall silent.
    window.until("the agent is reached", |view| view.connection.as_deref() == Some("online")).await.unwrap();
    world.control().stall_sockets();
    window.click(testids::EDITOR_SEND).await.unwrap();
    let look = async || {
        let sending = window.driver().run("return document.querySelector(arguments[0])?.readOnly", vec![named(testids::EDITOR).into()]);
        let sending = sending.await?;
        Ok(Look::when((sending == true).then_some(()), sending))
    };
    wait::until("they are on their way", look).await.unwrap();
    app.kill().await.unwrap();
    assert_eq!(world.control().requests(Endpoint::Turn), 2, "the agent does not have them");

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let window = app.window();
    open(window, &conversation).await;
    until_editor_has(window, Some("stream 31")).await;
    window.click(testids::EDITOR_SEND).await.unwrap();
    let reworded = |view: &View| view.settled() && view.messages.len() == 2 && view.messages[1].text.contains("w30");
    let edited = window.until("an answer to other words", reworded).await.unwrap();
    assert_eq!((edited.messages[0].text.as_str(), edited.errors), ("stream 31", Vec::new()));
    until_editor_has(window, None).await;
    let stored = world.control().messages(&conversation);
    let asked: Vec<_> =
        stored.iter().filter(|message| message["role"] == "user").map(|message| message["parts"][0]["text"].as_str().unwrap()).collect();
    assert_eq!((asked, stored.len(), world.control().requests(Endpoint::Turn)), (vec!["stream 31"], 2, 3), "once");
    world.desktop.keeps_drafts(&[]).await.unwrap();
    app.close().await.unwrap();

    let app = App::start(&world.desktop, &world.launch()).await.unwrap();
    let window = app.window();
    open(window, &conversation).await;
    window.until("the history is there", reworded).await.unwrap();
    until_editor_has(window, None).await;
    assert_eq!(window.unsent().await.unwrap(), "");

    // What was begun for a message that is taken back is not lost with it.
    window.click(testids::EDIT_MESSAGE).await.unwrap();
    until_focused(window, testids::EDITOR).await;
    press(window, "5").await;
    window.click(testids::CLEAR_CONVERSATION).await.unwrap();
    window.click(testids::CLEAR_CONVERSATION).await.unwrap();
    let told = window.until("nothing, and a word about it", |view| view.messages.is_empty() && !view.notices.is_empty()).await.unwrap();
    assert_eq!((told.notices, window.unsent().await.unwrap().as_str()), (vec!["edit-homeless".to_owned()], "stream 315"));
    world.desktop.keeps_drafts(&["stream 315"]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_whose_answer_failed_is_answered_again() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    window.ask("stream 3").await.unwrap();
    world.control().once(Endpoint::Turn, Fault::ModelError { text: "Too much to do".to_owned(), chunks: 0 });
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
