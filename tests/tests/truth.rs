//! What the window says on the way is true, however short it stands there.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use callbox_e2e::World;
use serde_json::Value;

/// Notes every state that a tool card or an own message has been in, in order.
const WATCH: &str = r#"
    window.states = {};
    const note = () => {
        for (const card of document.querySelectorAll("[data-testid=tool-card]")) add(card.dataset.tool, card.dataset.state);
        for (const own of document.querySelectorAll("[data-testid=message][data-role=user]")) add(own.dataset.id, own.dataset.delivery);
    };
    const add = (name, state) => {
        const states = (window.states[name] ??= []);
        if (states.at(-1) !== state) states.push(state);
    };
    new MutationObserver(note).observe(document.body, { subtree: true, childList: true, attributes: true });
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_card_goes_through_its_states_in_order_and_a_message_is_not_sent_before_it_is() {
    let world = World::new().await.unwrap();
    let app = world.signed_in().await.unwrap();
    let window = app.window();
    window.driver().run(WATCH, Vec::new()).await.unwrap();
    window.ask("what time is it").await.unwrap();
    window.say("weather in Paris").await.unwrap();
    let asked = window.asked().await.unwrap();
    window.decide(&asked, true).await.unwrap();
    let states = window.driver().run("return window.states", Vec::new()).await.unwrap();
    let within = |name: &str, order: &[&str]| {
        let seen: Vec<&str> = states[name].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let mut rest = order.iter();
        assert!(seen.iter().all(|state| rest.any(|other| other == state)), "{name} went through {seen:?}");
        assert_eq!(seen.last(), order.last(), "{name}");
    };
    within("getTime", &["preparing", "running", "done"]);
    // The agent says that the arguments are complete before it says that it asks.
    within("getWeather", &["preparing", "running", "waiting", "approving", "running", "done"]);
    let own = window.look().await.unwrap().messages.into_iter().filter(|message| message.role == "user");
    for message in own {
        within(&message.id, &["queued", "sending", "sent"]);
    }
}
