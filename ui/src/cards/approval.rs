//! The question whether a tool may be used.
//!
//! Promises: every argument is there in full before the question can be answered with yes; yes and no differ in shape, place, sign, words
//! and colour; yes can only be said after the question has been on screen for a moment, and again so whenever what is asked changes,
//! so that no key press or click meant for something else approves; the keys A and D count only while the card itself has the focus.

use std::time::Duration;

use callbox_approvals::{Warning, warnings};
use callbox_protocol::ToolPart;
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde_json::Value;

use super::{ErrorCard, values};
use crate::backend::Shell;
use crate::elements::{Icon, Sign, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::state::put;
use crate::testids;

/// How long a question stands before it can be answered with yes.
pub const ARMING: Duration = Duration::from_millis(700);

/// Asks about one tool call.
#[component]
pub fn ApprovalCard(tool: RwSignal<ToolPart>, conversation: String) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let card = NodeRef::<html::Div>::new();
    let sent = RwSignal::new(None::<bool>);
    let failed = RwSignal::new(None);
    let asked = Memo::new(move |_| tool.with(|tool| (tool.tool_name.clone(), tool.title.clone(), tool.input.clone())));
    let armed = arming(asked);
    let decide = move |approved: bool| {
        if sent.get_untracked().is_some() || (approved && !armed.get_untracked()) {
            return;
        }
        sent.set(Some(approved));
        failed.set(None);
        let answer = shell.decide(conversation.clone(), tool.with_untracked(|tool| tool.tool_call_id.clone()), approved);
        spawn_local(async move {
            if let Err(error) = answer.await {
                put(failed, Some(error));
                put(sent, None);
            }
        });
    };
    let decide = StoredValue::new(decide);
    // The card goes once the decision is known to be kept. Whoever had the focus in it goes on writing, not at the top of the page.
    on_cleanup(move || {
        if sent.try_get_untracked().flatten().is_some() {
            request_animation_frame(|| page::focus_box_from("body"));
        }
    });
    let pressed = move |event: KeyboardEvent| {
        let on_card = event.target().is_some() && event.target() == event.current_target();
        if !on_card || event.repeat() || event.ctrl_key() || event.alt_key() || event.meta_key() || event.is_composing() {
            return;
        }
        match event.key().as_str() {
            "a" | "A" => decide.with_value(|decide| decide(true)),
            "d" | "D" => decide.with_value(|decide| decide(false)),
            _ => return,
        }
        event.prevent_default();
    };
    let agent = move || app.profile.with(|profile| profile.as_ref().map_or_else(|| i18n.t("agent"), |profile| profile.name.clone()));
    view! {
        <div
            class="approval"
            node_ref=card
            tabindex="0"
            role="group"
            aria-label=move || asked.with(|(tool, ..)| i18n.with("approval-label", &[("tool", Argument::from(callbox_approvals::readable(tool)))]))
            data-testid=testids::APPROVAL_CARD
            data-armed=move || armed.get().to_string()
            on:keydown=pressed
        >
            <header>
                <Icon sign=Sign::Key />
                <div>
                    <h4>{move || spans::prose(&i18n.with("approval-question", &[("agent", Argument::from(agent()))]))}</h4>
                    <p>{move || i18n.t("approval-explanation")}</p>
                </div>
            </header>
            <div class="approval-tool">
                {move || asked.with(|(tool, title, _)| {
                    let title = title.as_deref().filter(|title| !title.trim().is_empty());
                    view! { <code>{spans::strict(tool)}</code> {title.map(|title| view! { <span>{spans::strict(title)}</span> }.into_any())} }
                })}
            </div>
            {move || asked.with(|(tool, _, input)| arguments(i18n, tool, input.as_ref()))}
            {move || failed.get().map(|error| view! { <ErrorCard error=error /> })}
            <footer>
                <button
                    type="button"
                    class="deny"
                    data-testid=testids::DENY
                    aria-keyshortcuts="D"
                    disabled=move || sent.get().is_some()
                    on:click=move |_| decide.with_value(|decide| decide(false))
                >
                    <Icon sign=Sign::Deny />
                    <span>{move || i18n.t("deny")}</span>
                    <kbd aria-hidden="true">"D"</kbd>
                </button>
                <button
                    type="button"
                    class="approve"
                    data-testid=testids::APPROVE
                    aria-keyshortcuts="A"
                    aria-disabled=move || (!armed.get()).to_string()
                    disabled=move || sent.get().is_some()
                    on:click=move |_| decide.with_value(|decide| decide(true))
                >
                    <Icon sign=Sign::Approve />
                    <span>{move || i18n.t("approve")}</span>
                    <kbd aria-hidden="true">"A"</kbd>
                </button>
            </footer>
        </div>
    }
}

type Asked = (String, Option<String>, Option<Value>);

/// True once what is asked has stood unchanged for a moment.
fn arming(asked: Memo<Asked>) -> RwSignal<bool> {
    let armed = RwSignal::new(false);
    let timer = StoredValue::new_local(None::<TimeoutHandle>);
    let stop = move || {
        if let Some(running) = timer.try_update_value(Option::take).flatten() {
            running.clear();
        }
    };
    Effect::new(move |_| {
        asked.track();
        stop();
        armed.set(false);
        let handle = set_timeout_with_handle(move || put(armed, true), ARMING).ok();
        timer.set_value(handle);
    });
    on_cleanup(stop);
    armed
}

fn arguments(i18n: I18n, tool: &str, input: Option<&Value>) -> impl IntoView + use<> {
    let found = warnings(tool, input.unwrap_or(&Value::Null));
    let list = match input {
        Some(input) => values::draw(input),
        None => view! { <p class="none">{move || i18n.t("arguments-none")}</p> }.into_any(),
    };
    let warned = (!found.is_empty()).then(|| {
        let entries = found.into_iter().map(|warning| view! { <li>{move || spans::prose(&words(i18n, &warning))}</li> }).collect_view();
        view! {
            <div class="approval-warnings">
                <Icon sign=Sign::Warning />
                <ul>{entries}</ul>
            </div>
        }
    });
    view! { <div class="approval-arguments">{list}</div> {warned} }
}

fn words(i18n: I18n, warning: &Warning) -> String {
    let at = |place: &str| {
        let place =
            if place.is_empty() { i18n.t("warning-tool-name") } else { i18n.with("warning-place", &[("place", Argument::from(place))]) };
        ("place", Argument::from(place))
    };
    match warning {
        Warning::Direction { place } => i18n.with("warning-direction", &[at(place)]),
        Warning::Hidden { place, count } => i18n.with("warning-hidden", &[at(place), ("count", Argument::from(*count))]),
        Warning::MixedLetters { place, word } => i18n.with("warning-mixed-letters", &[at(place), ("word", Argument::from(word.as_str()))]),
        Warning::Padding { place } => i18n.with("warning-padding", &[at(place)]),
        Warning::EncodedHost { place } => i18n.with("warning-encoded-host", &[at(place)]),
        Warning::Long { place, bytes } => i18n.with("warning-long", &[at(place), ("bytes", Argument::from(*bytes))]),
        Warning::OddName => i18n.t("warning-odd-name"),
    }
}
