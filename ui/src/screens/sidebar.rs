//! The list of conversations, and the account at its foot.

use callbox_ipc::{ConversationSummary, NoticeKind};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::account::Account;
use super::ask::ask;
use super::main::{begin, open};
use crate::backend::Shell;
use crate::elements::{Brand, For, Icon, Show, Sign, Twice, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::state::put;
use crate::state::time::{Age, age};
use crate::testids;

/// The left side of the main screen.
#[component]
pub(super) fn Sidebar(listing: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let now = clock();
    let one = move || app.profile.with(|profile| profile.as_ref().is_some_and(|profile| profile.one_conversation));
    let ids = move || app.conversations.with(|list| list.iter().map(|conversation| conversation.id.clone()).collect::<Vec<_>>());
    view! {
        <aside class="sidebar" data-testid=testids::SIDEBAR aria-label=move || i18n.t("conversations")>
            <header>
                <Brand />
                <strong>"Callbox"</strong>
                <Show when=move || !one()>
                    <button
                        type="button"
                        class="quiet"
                        data-testid=testids::NEW_CONVERSATION
                        title=move || i18n.t("new-conversation")
                        aria-label=move || i18n.t("new-conversation")
                        aria-keyshortcuts="Control+N"
                        on:click=move |_| {
                            listing.set(false);
                            begin(app, shell);
                        }
                    >
                        <Icon sign=Sign::New />
                    </button>
                </Show>
            </header>
            <nav aria-label=move || i18n.t("conversations")>
                <ul on:keydown=move_focus>
                    <For each=ids key=Clone::clone let(id)>
                        <Entry id=id now=now listing=listing />
                    </For>
                </ul>
                <Show when=move || app.conversations.with(Vec::is_empty)>
                    <p class="none">{move || i18n.t("conversations-none")}</p>
                </Show>
            </nav>
            <Account />
        </aside>
    }
}

#[component]
fn Entry(id: String, now: RwSignal<i64>, listing: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let summary = {
        let id = id.clone();
        Memo::new(move |_| app.conversations.with(|list| list.iter().find(|conversation| conversation.id == id).cloned()))
    };
    let current = {
        let id = id.clone();
        Memo::new(move |_| app.open.with(|open| open.as_ref() == Some(&id)))
    };
    let title = move || summary.with(|summary| title(i18n, summary.as_ref()));
    let since = move || summary.with(|summary| summary.as_ref().map(|summary| words(i18n, summary.updated_at as i64, now.get())));
    let forget = {
        let id = id.clone();
        move |()| {
            let answer = shell.forget_conversation(id.clone());
            if current.get_untracked() {
                app.show_none();
            }
            ask(app, NoticeKind::Error, answer);
        }
    };
    let go = {
        let id = id.clone();
        move |_| {
            listing.set(false);
            open(app, shell, id.clone());
        }
    };
    let label = move || i18n.with("forget-conversation", &[("title", Argument::from(callbox_approvals::readable(&title())))]);
    view! {
        <li class="entry" class:current=move || current.get()>
            <button
                type="button"
                data-testid=testids::CONVERSATION_ITEM
                data-conversation=id
                aria-current=move || current.get().then_some("true")
                on:click=go
            >
                <span class="title">{move || spans::prose(&title())}</span>
                <time>{move || since()}</time>
            </button>
            <Twice
                class="forget"
                testid=testids::FORGET_CONVERSATION
                label=Memo::new(move |_| label())
                question=Memo::new(move |_| i18n.t("forget"))
                act=Callback::new(forget)
            />
        </li>
    }
}

/// The title of a conversation, in one line.
pub(super) fn title(i18n: I18n, summary: Option<&ConversationSummary>) -> String {
    let title = summary.map(|summary| summary.title.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default();
    if title.is_empty() { i18n.t("conversation-untitled") } else { title }
}

/// The age of a conversation in a word or two.
fn words(i18n: I18n, then: i64, now: i64) -> String {
    match age(then, now, page::zone()) {
        Age::Now => i18n.t("age-now"),
        Age::Minutes(count) => i18n.with("age-minutes", &[("count", Argument::from(count))]),
        Age::Hours(count) => i18n.with("age-hours", &[("count", Argument::from(count))]),
        Age::Yesterday => i18n.t("age-yesterday"),
        Age::Days(count) => i18n.with("age-days", &[("count", Argument::from(count))]),
        Age::Date => page::date(then, i18n.locale().tag()),
    }
}

/// The time, good to half a minute.
fn clock() -> RwSignal<i64> {
    let now = RwSignal::new(page::now());
    let timer = set_interval_with_handle(move || put(now, page::now()), std::time::Duration::from_secs(30)).ok();
    on_cleanup(move || {
        if let Some(timer) = timer {
            timer.clear();
        }
    });
    now
}

/// Arrow keys, Home and End move the focus through the list.
fn move_focus(event: KeyboardEvent) {
    let list = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(buttons) = list.and_then(|list| list.query_selector_all(".entry > button:first-child").ok()) else { return };
    let focused = page::document().and_then(|document| document.active_element());
    let at = (0..buttons.length())
        .find(|index| buttons.item(*index).is_some_and(|node| focused.as_ref().is_some_and(|focused| node.is_same_node(Some(focused)))));
    let last = buttons.length().saturating_sub(1);
    let to = match (event.key().as_str(), at) {
        ("ArrowDown", Some(at)) => (at + 1).min(last),
        ("ArrowUp", Some(at)) => at.saturating_sub(1),
        ("Home", _) => 0,
        ("End", _) => last,
        _ => return,
    };
    event.prevent_default();
    if let Some(button) = buttons.item(to).and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok()) {
        drop(button.focus());
    }
}
