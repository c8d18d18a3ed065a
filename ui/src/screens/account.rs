//! The account at the foot of the list: who is signed in, where that is kept, how the window looks and speaks, and the way out.

use callbox_ipc::{AccountView, Language, Notice, NoticeKind, Preferences, SessionView, StorageView, Theme};
use leptos::ev::KeyboardEvent;
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::accounts::AccountList;
use super::ask::{ask, ask_once};
use super::connected::ConnectedAccounts;
use crate::backend::Shell;
use crate::elements::{Icon, Show, Sign, page, spans};
use crate::i18n::I18n;
use crate::state::App;
use crate::state::put;
use crate::testids;

/// The button and its panel.
#[component]
pub(super) fn Account() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let open = RwSignal::new(false);
    let root = NodeRef::<html::Div>::new();
    let account = Memo::new(move |_| app.session.with(|session| account(session.as_ref())));
    let session_only = move || app.session.with(|session| matches!(storage(session.as_ref()), Some(StorageView::SessionOnly { .. })));
    let close = move || {
        open.set(false);
        page::focus(".account > button");
    };
    let outside = window_event_listener(leptos::ev::pointerdown, move |event| {
        let target = event.target().map(event_node);
        let inside = root.get_untracked().is_some_and(|root| root.contains(target.flatten().as_ref()));
        if open.get_untracked() && !inside {
            open.set(false);
        }
    });
    on_cleanup(move || outside.remove());
    view! {
        <div
            class="account"
            node_ref=root
            on:keydown=move |event: KeyboardEvent| {
                if event.key() == "Escape" && open.get_untracked() {
                    event.stop_propagation();
                    close();
                }
            }
        >
            <Show when=move || open.get()>
                <Panel close=Callback::new(move |()| open.set(false)) />
            </Show>
            <button
                type="button"
                aria-haspopup="dialog"
                aria-expanded=move || open.get().to_string()
                aria-controls="account-panel"
                data-testid=testids::ACCOUNT_MENU
                on:click=move |_| open.update(|open| *open = !*open)
            >
                <span class="avatar" aria-hidden="true">{move || account.with(initial)}</span>
                <span class="who">
                    <span class="name" data-testid=testids::ACCOUNT_NAME>{move || account.with(|account| spans::prose(&account.name))}</span>
                    <span class="email">{move || account.with(|account| account.email.clone().map(|email| spans::prose(&email)))}</span>
                </span>
                <Show when=session_only>
                    <span class="badge" title=move || i18n.t("storage-session-only")><Icon sign=Sign::Warning /></span>
                </Show>
                <Icon sign=Sign::Chevron />
            </button>
        </div>
    }
}

fn event_node(target: web_sys::EventTarget) -> Option<web_sys::Node> {
    wasm_bindgen::JsCast::dyn_into(target).ok()
}

fn account(session: Option<&SessionView>) -> AccountView {
    match session {
        Some(SessionView::SignedIn { account, .. }) => account.clone(),
        _ => AccountView { name: String::new(), email: None },
    }
}

fn storage(session: Option<&SessionView>) -> Option<&StorageView> {
    match session {
        Some(SessionView::SignedIn { storage, .. }) => Some(storage),
        _ => None,
    }
}

fn initial(account: &AccountView) -> String {
    crate::state::accounts::letter(if account.name.trim().is_empty() {
        account.email.as_deref().unwrap_or_default()
    } else {
        &account.name
    })
}

#[component]
fn Panel(close: Callback<()>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    // Somebody may have signed in or out without this window.
    ask(app, NoticeKind::Warning, shell.look_at_accounts());
    Effect::new(move |_| page::focus(".account-panel .account-row.current > button"));
    let add_account = move |_| {
        close.run(());
        ask(app, NoticeKind::Warning, shell.add_account());
    };
    let add_agent = move |_| {
        close.run(());
        app.adding_agent.set(Some(String::new()));
    };
    let leaving = RwSignal::new(false);
    view! {
        <div class="account-panel" id="account-panel" role="dialog" aria-label=move || i18n.t("account") data-testid=testids::ACCOUNT_PANEL>
            <AccountList gone=close />
            <div class="account-rows">
                <button type="button" class="row" data-testid=testids::ADD_ACCOUNT on:click=add_account>
                    <Icon sign=Sign::New />
                    {move || i18n.t("add-account")}
                </button>
                <button type="button" class="row" data-testid=testids::NEW_AGENT_OPEN on:click=add_agent>
                    <Icon sign=Sign::Open />
                    {move || i18n.t("new-agent")}
                </button>
            </div>
            <hr />
            <Storage />
            <ConnectedAccounts />
            <hr />
            <Choices />
            <hr />
            <Show
                when=move || leaving.get()
                fallback=move || view! {
                    <button type="button" class="row" data-testid=testids::SIGN_OUT on:click=move |_| leaving.set(true)>
                        <Icon sign=Sign::Leave />
                        {move || i18n.t("sign-out")}
                    </button>
                }
            >
                <Leave leaving=leaving />
            </Show>
        </div>
    }
}

/// Where the sign-in is kept; what to do if that is not the keychain.
#[component]
fn Storage() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let kept = Memo::new(move |_| app.session.with(|session| storage(session.as_ref()).cloned()));
    let busy = RwSignal::new(false);
    let retry = move |_| ask_once(app, NoticeKind::Warning, busy, shell.retry_keychain());
    move || {
        match kept.get() {
        Some(StorageView::Keychain) => view! {
            <p class="storage" data-testid=testids::STORAGE data-state="keychain">
                <Icon sign=Sign::Shield />
                <span>{move || i18n.t("storage-keychain")}</span>
            </p>
        }
        .into_any(),
        Some(StorageView::SessionOnly { reason }) => view! {
            <div class="storage warned" data-testid=testids::STORAGE data-state="session-only">
                <Icon sign=Sign::Warning />
                <div>
                    <p>{move || i18n.t("storage-session-only")}</p>
                    <p class="reason">{move || spans::prose(&i18n.error(&reason))}</p>
                    <button type="button" class="secondary small" data-testid=testids::RETRY_KEYCHAIN disabled=move || busy.get() on:click=retry>
                        {move || i18n.t("retry-keychain")}
                    </button>
                </div>
            </div>
        }
        .into_any(),
        None => ().into_any(),
    }
    }
}

/// Theme and language. They hold at once and are kept by the shell.
#[component]
fn Choices() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let keep = move |preferences: Preferences| {
        app.preferences.set(preferences);
        ask(app, NoticeKind::Warning, shell.set_preferences(preferences));
    };
    let themes = [(Theme::System, "system", "theme-system"), (Theme::Light, "light", "theme-light"), (Theme::Dark, "dark", "theme-dark")];
    let themes = themes.map(|(theme, value, key)| {
        let chosen = move || app.preferences.with(|preferences| preferences.theme == theme);
        let choose = move |_| keep(Preferences { theme, ..app.preferences.get_untracked() });
        view! {
            <label>
                <input type="radio" name="theme" value=value prop:checked=move || chosen() on:change=choose />
                <span>{move || i18n.t(key)}</span>
            </label>
        }
        .into_any()
    });
    let languages = [(Language::System, "system"), (Language::English, "english"), (Language::Japanese, "japanese")];
    let languages = languages.map(|(language, value)| {
        let chosen = move || app.preferences.with(|preferences| preferences.language == language);
        let choose = move |_| keep(Preferences { language, ..app.preferences.get_untracked() });
        // A language is named in itself, so that whoever cannot read the window finds the way back.
        let name = move || match language {
            Language::System => i18n.t("language-system"),
            Language::English => "English".to_owned(),
            Language::Japanese => "日本語".to_owned(),
        };
        view! {
            <label>
                <input type="radio" name="language" value=value prop:checked=move || chosen() on:change=choose />
                <span>{move || name()}</span>
            </label>
        }
        .into_any()
    });
    view! {
        <fieldset class="choice" data-testid=testids::THEME>
            <legend>{move || i18n.t("theme")}</legend>
            <div class="segments">{Vec::from(themes)}</div>
        </fieldset>
        <fieldset class="choice" data-testid=testids::LANGUAGE>
            <legend>{move || i18n.t("language")}</legend>
            <div class="segments">{Vec::from(languages)}</div>
        </fieldset>
    }
}

/// The question before signing out.
#[component]
fn Leave(leaving: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let busy = RwSignal::new(false);
    let browser = RwSignal::new(false);
    let several = move || app.accounts.with(|accounts| accounts.iter().filter(|entry| entry.account.is_some()).count() > 1);
    let leave = move |_| {
        busy.set(true);
        let seat = app.seat.get_untracked();
        let answer = shell.sign_out(browser.get_untracked());
        spawn_local(async move {
            match answer.await {
                Ok(()) => app.forget_drafts(&seat),
                Err(error) => app.notify(Notice { kind: NoticeKind::Error, message: error }),
            }
            put(busy, false);
        });
    };
    Effect::new(move |_| page::focus(".leave .secondary"));
    view! {
        <div class="leave" role="group" aria-label=move || i18n.t("sign-out")>
            <p>{move || i18n.t(if several() { "sign-out-question-several" } else { "sign-out-question" })}</p>
            <label>
                <input
                    type="checkbox"
                    data-testid=testids::SIGN_OUT_BROWSER
                    prop:checked=move || browser.get()
                    on:change=move |event| browser.set(event_target_checked(&event))
                />
                <span>{move || i18n.t("sign-out-browser")}</span>
            </label>
            <div class="actions">
                <button type="button" class="secondary" data-testid=testids::SIGN_OUT_CANCEL on:click=move |_| leaving.set(false)>
                    {move || i18n.t("cancel")}
                </button>
                <button type="button" class="danger" data-testid=testids::SIGN_OUT_CONFIRM disabled=move || busy.get() on:click=leave>
                    {move || i18n.t("sign-out")}
                </button>
            </div>
        </div>
    }
}
