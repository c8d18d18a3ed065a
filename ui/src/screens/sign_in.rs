//! Signing in: what one signs in to, one button, and the wait for the browser with all ways out of it.

use std::time::Duration;

use callbox_ipc::{ProfileView, SessionView, SignInStage, UserError};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::accounts::AccountList;
use super::add_agent::{AddAgent, Provenance};
use crate::backend::{Answer, Shell};
use crate::cards::ErrorCard;
use crate::elements::{Brand, Icon, Show, Sign, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::state::put;
use crate::testids;

/// How long a button says that it has worked.
const SAID: Duration = Duration::from_millis(1600);
/// After so long, whoever waits begins to wonder.
const UNEASY: Duration = Duration::from_secs(15);

/// The whole screen, in each of its states.
#[component]
pub fn SignIn() -> impl IntoView {
    let app = expect_context::<App>();
    let stage = Memo::new(move |_| {
        app.session.with(|session| match session {
            Some(SessionView::SigningIn { stage }) => Some(*stage),
            _ => None,
        })
    });
    let reason = Memo::new(move |_| {
        app.session.with(|session| match session {
            Some(SessionView::SignedOut { reason }) => reason.clone(),
            _ => None,
        })
    });
    let calls = Calls::new();
    view! {
        <main class="sign-in">
            <div class="sign-in-card">
                <Brand />
                {move || match stage.get() {
                    None => view! { <Door reason=reason calls=calls /> }.into_any(),
                    Some(stage) => view! { <Waiting stage=stage calls=calls /> }.into_any(),
                }}
            </div>
        </main>
    }
}

/// Commands of this screen: one at a time, the refusal of the last one kept.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    pub(super) running: RwSignal<bool>,
    pub(super) refusal: RwSignal<Option<UserError>>,
}

impl Calls {
    pub(super) fn new() -> Self {
        Self { running: RwSignal::new(false), refusal: RwSignal::new(None) }
    }

    pub(super) fn start(self, answer: Answer<()>) {
        self.running.set(true);
        self.refusal.set(None);
        spawn_local(async move {
            let answer = answer.await;
            put(self.refusal, answer.err());
            put(self.running, false);
        });
    }
}

/// Nobody is signed in.
#[component]
fn Door(reason: Memo<Option<UserError>>, calls: Calls) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let named = move || app.profile.with(|profile| profile.as_ref().filter(|profile| !profile.sandbox).cloned());
    let has_profile = Memo::new(move |_| app.profile.with(Option::is_some));
    let in_sandbox = Memo::new(move |_| app.profile.with(|profile| profile.as_ref().is_some_and(|profile| profile.sandbox)));
    let heading = move || match named() {
        Some(profile) => i18n.with("sign-in-heading", &[("name", Argument::from(callbox_approvals::readable(&profile.name)))]),
        None if in_sandbox.get() => i18n.t("sign-in-heading-sandbox"),
        None => i18n.t("sign-in-heading-none"),
    };
    let others = move || app.accounts.with(|accounts| accounts.iter().any(|entry| !entry.current));
    let error = move || calls.refusal.get().or_else(|| reason.get());
    let sign_in = move |_| calls.start(shell.sign_in());
    let sandbox = move |_| calls.start(shell.use_sandbox());
    // A new profile ends the search for one.
    let adding = RwSignal::new(false);
    Effect::new(move |before: Option<Option<ProfileView>>| {
        let profile = app.profile.get();
        if before.is_some_and(|before| before != profile) {
            adding.set(false);
        }
        profile
    });
    view! {
        <h1>{move || heading()}</h1>
        <p class="sign-in-lead">
            {move || if has_profile.get() { i18n.t("sign-in-lead") } else { i18n.t("sign-in-lead-none") }}
        </p>
        {move || app.profile.get().map(|profile| view! { <Hosts profile=profile /> })}
        {move || error().map(|error| view! { <ErrorCard error=error /> })}
        <Show when=move || adding.get() || !has_profile.get()>
            <AddAgent calls=calls first=Memo::new(move |_| !has_profile.get()) />
        </Show>
        <div class="sign-in-actions">
            <Show when=move || has_profile.get()>
                <button type="button" class="primary" data-testid=testids::SIGN_IN disabled=move || calls.running.get() on:click=sign_in>
                    {move || i18n.t("sign-in")}
                </button>
            </Show>
            <Show when=move || !in_sandbox.get()>
                <button
                    type="button"
                    class="secondary"
                    data-testid=testids::TRY_SANDBOX
                    disabled=move || calls.running.get()
                    on:click=sandbox
                >
                    {move || i18n.t("try-sandbox")}
                </button>
            </Show>
            <Show when=move || has_profile.get() && !adding.get()>
                <button type="button" class="text" data-testid=testids::ADD_AGENT on:click=move |_| adding.set(true)>
                    {move || i18n.t("add-agent")}
                </button>
            </Show>
        </div>
        <Show when=others>
            <section class="sign-in-others" data-testid=testids::OTHER_ACCOUNTS>
                <h2>{move || i18n.t("other-accounts")}</h2>
                <AccountList others=true gone=Callback::new(|()| ()) />
            </section>
        </Show>
        <p class="sign-in-note">
            {move || if has_profile.get() { i18n.t("sign-in-note") } else { i18n.t("sandbox-note") }}
        </p>
    }
}

/// Where the sign-in happens and what it is for.
#[component]
fn Hosts(profile: ProfileView) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    view! {
        <dl class="hosts">
            <dt>{move || i18n.t("tenant-host")}</dt>
            <dd>{spans::strict(&profile.tenant_host)}</dd>
            <dt>{move || i18n.t("agent-host")}</dt>
            <dd>{spans::strict(&profile.agent_host)}</dd>
        </dl>
        {(!profile.provenance.is_empty()).then(|| view! { <Provenance steps=profile.provenance /> })}
    }
}

/// A sign-in is under way.
#[component]
fn Waiting(stage: SignInStage, calls: Calls) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let pasting = RwSignal::new(false);
    let host = app.profile.with_untracked(|profile| profile.as_ref().map(|profile| profile.tenant_host.clone()).unwrap_or_default());
    let heading = move || match stage {
        SignInStage::Preparing => i18n.t("waiting-heading-preparing"),
        SignInStage::WaitingForBrowser => i18n.t("waiting-heading"),
        SignInStage::Exchanging => i18n.t("waiting-heading-exchanging"),
    };
    let lead = move || match stage {
        SignInStage::Preparing => i18n.with("waiting-lead-preparing", &[("host", Argument::from(callbox_approvals::readable(&host)))]),
        SignInStage::WaitingForBrowser => i18n.with("waiting-lead", &[("host", Argument::from(callbox_approvals::readable(&host)))]),
        SignInStage::Exchanging => i18n.t("waiting-lead-exchanging"),
    };
    let in_browser = stage == SignInStage::WaitingForBrowser;
    let browser = move || {
        view! {
            <div class="sign-in-pair">
                <button type="button" class="secondary" data-testid=testids::REOPEN on:click=move |_| calls.start(shell.reopen_browser())>
                    <Icon sign=Sign::Open />
                    {move || i18n.t("reopen")}
                </button>
                <CopyLink calls=calls />
            </div>
            <Show
                when=move || pasting.get()
                fallback=move || view! {
                    <button type="button" class="text" data-testid=testids::PASTE_LINK on:click=move |_| pasting.set(true)>
                        {move || i18n.t("paste-link")}
                    </button>
                }
            >
                <Paste calls=calls />
            </Show>
        }
    };
    view! {
        <div role="status">
            <h1>{move || heading()}</h1>
            <p class="sign-in-lead">{move || lead()}</p>
        </div>
        <div class="progress" aria-hidden="true"><span></span><span></span><span></span></div>
        {move || calls.refusal.get().map(|error| view! { <ErrorCard error=error /> })}
        {in_browser.then(browser)}
        <button type="button" class="text" data-testid=testids::CANCEL_SIGN_IN on:click=move |_| calls.start(shell.cancel_sign_in())>
            {move || i18n.t("cancel")}
        </button>
        {in_browser.then(|| view! { <Help calls=calls /> })}
    }
}

/// The page's address for another browser, or for one on another screen.
#[component]
fn CopyLink(calls: Calls) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let copied = RwSignal::new(false);
    let copy = move |_| {
        let link = shell.sign_in_link();
        calls.start(Box::pin(async move {
            if page::copy(&link.await?).await {
                put(copied, true);
                set_timeout(move || put(copied, false), SAID);
            }
            Ok(())
        }));
    };
    view! {
        <button type="button" class="secondary" data-testid=testids::COPY_LINK on:click=copy>
            {move || if copied.get() { view! { <Icon sign=Sign::Check /> } } else { view! { <Icon sign=Sign::Copy /> } }}
            <span role="status">{move || i18n.t(if copied.get() { "copied" } else { "copy-link" })}</span>
        </button>
    }
}

/// The ways in which a sign-in ends at the tenant without coming back, once somebody has waited for a while.
#[component]
fn Help(calls: Calls) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let shown = RwSignal::new(false);
    let timer = set_timeout_with_handle(move || put(shown, true), UNEASY).ok();
    on_cleanup(move || {
        if let Some(timer) = timer {
            timer.clear();
        }
    });
    let case = move |what: &'static str, then: &'static str| {
        view! {
            <li>
                <strong>{move || i18n.t(what)}</strong>
                " "
                {move || i18n.t(then)}
            </li>
        }
    };
    view! {
        <Show
            when=move || shown.get()
            fallback=move || view! {
                <button type="button" class="text" data-testid=testids::WAITING_HELP on:click=move |_| shown.set(true)>
                    {move || i18n.t("waiting-help")}
                </button>
            }
        >
            <section class="sign-in-help" aria-live="polite">
                <h2>{move || i18n.t("waiting-help")}</h2>
                <ul>
                    {case("waiting-help-closed", "waiting-help-closed-then")}
                    {case("waiting-help-confirm", "waiting-help-confirm-then")}
                    {case("waiting-help-declined", "waiting-help-declined-then")}
                    {case("waiting-help-error", "waiting-help-error-then")}
                    {case("waiting-help-stuck", "waiting-help-stuck-then")}
                </ul>
            </section>
            <button
                type="button"
                class="secondary"
                data-testid=testids::BY_LOOPBACK
                on:click=move |_| calls.start(shell.sign_in_by_loopback())
            >
                {move || i18n.t("by-loopback")}
            </button>
        </Show>
    }
}

/// The third way in: the address that the browser could not hand over.
#[component]
fn Paste(calls: Calls) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let field = NodeRef::<html::Input>::new();
    Effect::new(move |_| {
        if let Some(field) = field.get() {
            drop(field.focus());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let Some(field) = field.get_untracked() else { return };
        let link = field.value().trim().to_owned();
        // The address is worth a sign-in: it does not stay in the page.
        field.set_value("");
        if !link.is_empty() {
            calls.start(shell.paste_callback(link));
        }
    };
    view! {
        <form class="paste" on:submit=submit>
            <label for="paste-field">{move || i18n.t("paste-label")}</label>
            <div>
                <input
                    id="paste-field"
                    node_ref=field
                    type="text"
                    inputmode="url"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    placeholder="dev.callbox.desktop://callback?…"
                    data-testid=testids::PASTE_FIELD
                />
                <button type="submit" class="secondary" data-testid=testids::PASTE_SUBMIT disabled=move || calls.running.get()>
                    {move || i18n.t("paste-submit")}
                </button>
            </div>
        </form>
    }
}
