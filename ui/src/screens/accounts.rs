//! Everybody who is signed in, everywhere: the list in the account's menu and on the sign-in screen, and the keys that go through it.

use callbox_ipc::{AccountEntry, NoticeKind};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use super::ask::ask;
use crate::backend::Shell;
use crate::elements::{For, Icon, Sign, Twice, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::state::accounts::{address, initial, place, title};
use crate::testids;

/// So many accounts have a key of their own.
const KEYS: usize = 9;

/// Goes to an account or agent. What comes of it is told by the shell.
pub(super) fn switch(app: App, shell: Shell, id: String) {
    ask(app, NoticeKind::Warning, shell.switch_account(id));
}

/// The account that a key press goes to: Ctrl or Cmd and a digit.
pub fn chosen(app: App, event: &KeyboardEvent) -> Option<String> {
    let command = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
    let digit = event.key().parse::<usize>().ok().filter(|digit| command && (1..=KEYS).contains(digit))?;
    app.accounts.with_untracked(|accounts| accounts.get(digit - 1).map(|entry| entry.id.clone()))
}

/// Listens for these keys for as long as the window is there.
pub fn listen(app: App, shell: Shell) {
    let listener = window_event_listener(leptos::ev::keydown, move |event: KeyboardEvent| {
        let Some(id) = chosen(app, &event) else { return };
        event.prevent_default();
        if app.seat.with_untracked(|seat| seat.as_ref() != Some(&id)) {
            switch(app, shell, id);
        }
    });
    on_cleanup(move || listener.remove());
}

/// The list. `others`: without the account that is in use. `gone` is told when somebody has chosen.
#[component]
pub(super) fn AccountList(#[prop(optional)] others: bool, #[prop(into)] gone: Callback<()>) -> impl IntoView {
    let app = expect_context::<App>();
    let shown = move || {
        let entries = app.accounts.with(|accounts| accounts.iter().cloned().enumerate().collect::<Vec<_>>());
        entries.into_iter().filter(|(_, entry)| !(others && entry.current)).collect::<Vec<_>>()
    };
    view! {
        <ul class="account-list" data-testid=testids::ACCOUNTS on:keydown=move_focus>
            <For each=shown key=Clone::clone let((index, entry))>
                <Row index=index entry=entry gone=gone />
            </For>
        </ul>
    }
}

#[component]
fn Row(index: usize, entry: AccountEntry, gone: Callback<()>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let AccountEntry { id, current, removable, .. } = entry.clone();
    let go = {
        let id = id.clone();
        move |_| {
            gone.run(());
            if !current {
                switch(app, shell, id.clone());
            }
        }
    };
    let remove = {
        let id = id.clone();
        Callback::new(move |()| ask(app, NoticeKind::Error, shell.remove_agent(id.clone())))
    };
    let agent = callbox_approvals::readable(&entry.agent);
    let label = move || i18n.with("remove-agent", &[("agent", Argument::from(agent.clone()))]);
    let signed_out = entry.account.is_none();
    view! {
        <li class="account-row" class:current=current class:empty=signed_out>
            <button
                type="button"
                data-testid=testids::ACCOUNT_ENTRY
                data-account=id
                aria-current=current.then_some("true")
                aria-keyshortcuts=(index < KEYS).then(|| format!("Control+{}", index + 1))
                on:click=go
            >
                <span class="avatar" aria-hidden="true">{initial(&entry)}</span>
                <span class="who">
                    <span class="name">{spans::prose(&title(&entry))}</span>
                    <span class="email">
                        {address(&entry).map(|address| view! { <span>{spans::prose(address)}</span> }.into_any())}
                        <span class="place">{move || spans::prose(&app.accounts.with(|all| place(&entry, all)))}</span>
                        {signed_out.then(|| view! { <span>{move || i18n.t("account-none")}</span> }.into_any())}
                    </span>
                </span>
                {if current {
                    view! { <span class="mark"><Icon sign=Sign::Check /></span> }.into_any()
                } else if index < KEYS {
                    view! { <kbd aria-hidden="true">{format!("{}{}", page::command_key(), index + 1)}</kbd> }.into_any()
                } else {
                    ().into_any()
                }}
            </button>
            {removable
                .then(|| view! {
                    <Twice
                        class="forget"
                        testid=testids::REMOVE_AGENT
                        label=Memo::new(move |_| label())
                        question=Memo::new(move |_| i18n.t("remove"))
                        act=remove
                    />
                })}
        </li>
    }
}

/// Arrow keys, Home and End move the focus through the list.
fn move_focus(event: KeyboardEvent) {
    let list = event.current_target().and_then(|target| target.dyn_into::<web_sys::Element>().ok());
    let Some(buttons) = list.and_then(|list| list.query_selector_all(".account-row > button:first-child").ok()) else { return };
    let focused = page::document().and_then(|document| document.active_element());
    let at = (0..buttons.length())
        .find(|index| buttons.item(*index).is_some_and(|node| focused.as_ref().is_some_and(|focused| node.is_same_node(Some(focused)))));
    let last = buttons.length().saturating_sub(1);
    let to = match (event.key().as_str(), at) {
        ("ArrowDown", at) => at.map_or(0, |at| (at + 1).min(last)),
        ("ArrowUp", at) => at.map_or(last, |at| at.saturating_sub(1)),
        ("Home", _) => 0,
        ("End", _) => last,
        _ => return,
    };
    event.prevent_default();
    if let Some(button) = buttons.item(to).and_then(|node| node.dyn_into::<web_sys::HtmlElement>().ok()) {
        drop(button.focus());
    }
}
