//! The whole way without a mouse.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::{Driver, Look, Tool, Window, World, testids, wait};
use serde_json::json;
use thirtyfour::Key;

/// Presses keys one after the other, wherever the focus is.
async fn press(driver: &Driver, keys: impl Into<thirtyfour::TypingData>) {
    driver.session().unwrap().action_chain().send_keys(keys).perform().await.unwrap();
}

/// Holds one key while another is pressed.
async fn press_with(driver: &Driver, held: Key, key: impl Into<char>) {
    let key = key.into();
    let chain = driver.session().unwrap().action_chain();
    chain.key_down(held.clone()).key_down(key).key_up(key).key_up(held).perform().await.unwrap();
}

/// The name of what has the focus.
async fn focused(driver: &Driver) -> String {
    let name = driver.run("return document.activeElement?.dataset.testid ?? ''", Vec::new()).await.unwrap();
    name.as_str().unwrap().to_owned()
}

/// Waits until the focus is where a key has sent it.
async fn until_focused(driver: &Driver, testid: &str) {
    let look = async || {
        let name = focused(driver).await;
        Ok(Look::when((name == testid).then_some(()), &name))
    };
    wait::until(&format!("{testid} has the focus"), look).await.unwrap();
}

/// Goes through what can have the focus, forwards, until it is on this.
async fn tab_to(driver: &Driver, testid: &str) {
    walk_to(driver, testid, async || press(driver, Key::Tab).await).await;
}

/// Goes through what can have the focus, backwards, until it is on this.
async fn tab_back_to(driver: &Driver, testid: &str) {
    walk_to(driver, testid, async || press_with(driver, Key::Shift, Key::Tab).await).await;
}

async fn walk_to(driver: &Driver, testid: &str, step: impl AsyncFn()) {
    let mut passed = Vec::new();
    while focused(driver).await != testid {
        passed.push(focused(driver).await);
        assert!(passed.len() < 30, "the Tab key does not lead to {testid}: {passed:?}");
        step().await;
    }
    // Whoever works by keyboard has to see where they are: a ring around the thing itself or around the box that it is in.
    let ringed = "
        const ringed = (element) => {
            const style = getComputedStyle(element);
            return style.outlineStyle !== 'none' || style.boxShadow !== 'none';
        };
        const focused = document.activeElement;
        return ringed(focused) || ringed(focused.parentElement) || ringed(focused.parentElement.parentElement)";
    assert_eq!(driver.run(ringed, Vec::new()).await.unwrap(), json!(true), "the focus cannot be seen on {testid}");
}

/// How a question is answered by keyboard.
enum Way {
    /// With the letter, once the way to the question has been taken.
    Letter,
    /// With the button itself.
    Button(&'static str),
}

/// Asks for the weather and answers the question that follows; the letter stands for the answer wherever the question has the focus.
async fn weather(window: Window<'_>, way: Way, letter: &str, end: &str) -> Tool {
    let driver = window.driver();
    until_focused(driver, testids::COMPOSER).await;
    press(driver, "weather in Paris").await;
    press(driver, Key::Enter).await;
    let asked = window.asked().await.unwrap();
    // The letter belongs to the box while that has the focus.
    press(driver, letter).await;
    assert!(window.look().await.unwrap().asking().is_some_and(|tool| tool.armed), "a letter in the box decided");
    press(driver, Key::Backspace).await;
    match way {
        Way::Letter => {
            tab_back_to(driver, testids::GO_TO_APPROVAL).await;
            press(driver, Key::Enter).await;
            until_focused(driver, testids::APPROVAL_CARD).await;
            press(driver, letter).await;
        }
        Way::Button(button) => {
            tab_back_to(driver, button).await;
            press(driver, Key::Enter).await;
        }
    }
    let ended = |tool: &Tool| tool.call == asked.call && tool.state == end;
    let view = window.until("it is decided", |view| view.settled() && view.tools().any(ended)).await.unwrap();
    view.tools().find(|tool| tool.call == asked.call).cloned().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_sign_in_to_an_approval_and_out_again() {
    let world = World::new().await.unwrap();
    let app = world.app().await.unwrap();
    let (window, driver) = (app.window(), app.window().driver());
    tab_to(driver, testids::SIGN_IN).await;
    press(driver, Key::Enter).await;
    let page = world.desktop.opened_page(0).await.unwrap();
    world.deliver(&world.callback(&page).await.unwrap()).await.unwrap();
    window.screen("main").await.unwrap();

    assert_eq!(weather(window, Way::Letter, "d", "denied").await.state, "denied");
    tab_to(driver, testids::COMPOSER).await;
    assert_eq!(weather(window, Way::Button(testids::APPROVE), "a", "done").await.state, "done");

    press_with(driver, Key::Control, 'n').await;
    window.until("a new conversation", |view| view.conversations.len() == 2 && view.messages.is_empty()).await.unwrap();

    tab_to(driver, testids::ACCOUNT_MENU).await;
    press(driver, Key::Enter).await;
    tab_to(driver, testids::SIGN_OUT).await;
    press(driver, Key::Enter).await;
    tab_to(driver, testids::SIGN_OUT_CONFIRM).await;
    press(driver, Key::Enter).await;
    window.screen("sign-in").await.unwrap();
}
