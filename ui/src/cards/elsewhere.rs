//! A tool call that has stopped because it needs the person somewhere else: an account to be connected in the browser, an approval on a phone.
//!
//! Promises: the service is named by the tenant's own name for it, made honest; every permission is listed, in words where they are known and
//! beside them as it is written; nothing is opened before somebody presses the button; the time that is left is not counted by a clock that
//! somebody can set.

use std::time::Duration;

use callbox_ipc::UserError;
use callbox_protocol::interrupt::{AccountWanted, ApprovalRequest, ApprovalStatus, Interrupt, Want};
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::ErrorCard;
use crate::backend::{Answer, Shell, unattended};
use crate::elements::{Icon, Show, Sign, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::interrupt::{self, Seen, Stage};
use crate::state::{App, Thread, put};
use crate::testids;

/// After these nothing is gained by trying again.
const FINAL: [&str; 5] = ["connect-not-offered", "connect-bad-name", "connect-too-many-scopes", "connect-loops", "connect-foreign-page"];

/// How far a card has come.
#[derive(Debug, Clone, PartialEq)]
enum Way {
    Idle,
    /// The browser is open, or the agent is being told.
    Under,
    /// The call goes on.
    Gone,
    Failed(UserError),
}

/// One call that has stopped.
#[component]
pub fn ElsewhereCard(interrupt: Memo<Option<Interrupt>>, thread: Thread) -> impl IntoView {
    let way = RwSignal::new(Way::Idle);
    let conversation = StoredValue::new(thread.conversation.clone());
    move || {
        let Interrupt { tool_call_id, tool_name, want, .. } = interrupt.get()?;
        Some(match want {
            Want::Account(wanted) => {
                view! { <Account wanted=wanted call=tool_call_id tool=tool_name conversation=conversation way=way /> }.into_any()
            }
            Want::Approval { status, request } => {
                let seen = thread.seen(&tool_call_id, request.as_ref(), page::monotonic(), page::now().unsigned_abs());
                view! { <Approval status=status request=request seen=seen call=tool_call_id tool=tool_name conversation=conversation way=way /> }
                    .into_any()
            }
            Want::Unknown { code } => view! { <Unknown code=code tool=tool_name /> }.into_any(),
        })
    }
}

fn agent(i18n: I18n, app: App) -> String {
    app.profile.with(|profile| profile.as_ref().map_or_else(|| i18n.t("agent"), |profile| profile.name.clone()))
}

/// Runs what a button stands for, and shows what comes of it.
fn go(way: RwSignal<Way>, answer: Answer<()>) {
    way.set(Way::Under);
    spawn_local(async move {
        let outcome = answer.await;
        put(
            way,
            match outcome {
                Ok(()) => Way::Gone,
                Err(error) if error.code == "connect-cancelled" => Way::Idle,
                Err(error) => Way::Failed(error),
            },
        );
    });
}

fn failure(way: RwSignal<Way>) -> impl IntoView {
    move || match way.get() {
        Way::Failed(error) => Some(view! { <ErrorCard error=error /> }.into_any()),
        Way::Idle | Way::Under | Way::Gone => None,
    }
}

#[component]
fn Account(wanted: AccountWanted, call: String, tool: String, conversation: StoredValue<String>, way: RwSignal<Way>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let AccountWanted { connection, required_scopes, .. } = wanted;
    let name = interrupt::service(&connection).map_or_else(|| callbox_approvals::readable(&connection), str::to_owned);
    let title = {
        let name = name.clone();
        move || i18n.with("account-wanted", &[("agent", Argument::from(agent(i18n, app))), ("service", Argument::from(name.as_str()))])
    };
    let heading = title.clone();
    let host = move || app.profile.with(|profile| profile.as_ref().map(|profile| profile.tenant_host.clone()).unwrap_or_default());
    let connect = move |_| go(way, shell.connect_account(conversation.get_value(), call.clone()));
    let cancel = move |_| unattended(shell.cancel_connect());
    let none = required_scopes.is_empty();
    let ended = move || way.with(|way| matches!(way, Way::Failed(error) if FINAL.contains(&error.code.as_str())));
    view! {
        <div class="elsewhere" role="group" aria-label=move || title() data-testid=testids::ELSEWHERE_CARD data-want="account" data-way=move || way.with(way_name)>
            <header>
                <Icon sign=Sign::Key />
                <div>
                    <h4>{move || spans::prose(&heading())}</h4>
                    <p>{move || i18n.with("account-wanted-lead", &[("host", Argument::from(host()))])}</p>
                </div>
            </header>
            <div class="elsewhere-tool"><code>{spans::strict(&tool)}</code> <span>{move || i18n.t("account-wanted-at")}</span> <code>{spans::strict(&connection)}</code></div>
            <p class="elsewhere-lead">{move || i18n.t(if none { "account-wanted-no-scopes" } else { "account-wanted-scopes" })}</p>
            <Scopes scopes=required_scopes />
            {failure(way)}
            {move || match way.get() {
                Way::Under => view! {
                    <footer>
                        <p role="status">{move || i18n.t("account-connecting")}</p>
                        <button type="button" class="secondary small" data-testid=testids::CANCEL_CONNECT on:click=cancel>{move || i18n.t("cancel")}</button>
                    </footer>
                }.into_any(),
                Way::Gone => view! { <footer><p role="status">{move || i18n.t("account-connected")}</p></footer> }.into_any(),
                Way::Idle | Way::Failed(_) if ended() => ().into_any(),
                Way::Idle | Way::Failed(_) => view! {
                    <footer>
                        <p></p>
                        <button type="button" class="primary" data-testid=testids::CONNECT_ACCOUNT on:click=connect.clone()>
                            <Icon sign=Sign::Open />
                            {move || i18n.t("connect-account")}
                        </button>
                    </footer>
                }.into_any(),
            }}
        </div>
    }
}

/// What is asked for: in words where they are known, and as it is written.
#[component]
pub fn Scopes(scopes: Vec<String>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let entries = scopes.into_iter().map(|scope| {
        let words = interrupt::scope_words(&scope);
        view! {
            <li>
                {words.map(|key| view! { <span>{move || i18n.t(key)}</span> " " }.into_any())}
                <code>{spans::strict(&scope)}</code>
            </li>
        }
    });
    view! { <ul class="scopes" data-testid=testids::SCOPES>{entries.collect_view()}</ul> }
}

#[component]
fn Approval(
    status: ApprovalStatus,
    request: Option<ApprovalRequest>,
    seen: Seen,
    call: String,
    tool: String,
    conversation: StoredValue<String>,
    way: RwSignal<Way>,
) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let binding = request.as_ref().and_then(|request| request.binding_message.clone());
    let look = move || interrupt::stage(status, request.as_ref(), seen, page::monotonic());
    let stage = RwSignal::new(look());
    let timer = set_interval_with_handle(move || put(stage, look()), Duration::from_secs(1)).ok();
    on_cleanup(move || {
        if let Some(timer) = timer {
            timer.clear();
        }
    });
    let title = move || {
        let [key, _] = stage.get().words();
        i18n.with(key, &[("agent", Argument::from(agent(i18n, app)))])
    };
    let waits = Memo::new(move |_| matches!(stage.get(), Stage::Waiting(_) | Stage::WaitingUntold));
    let asks = Memo::new(move |_| stage.get() != Stage::NoDevice);
    let resume = move |_| go(way, shell.resume_call(conversation.get_value(), call.clone()));
    view! {
        <div
            class="elsewhere"
            role="group"
            aria-label=move || title()
            data-testid=testids::ELSEWHERE_CARD
            data-want="approval"
            data-stage=move || stage.with(|stage| stage.name())
            data-way=move || way.with(way_name)
        >
            <header>
                <Icon sign=Sign::Shield />
                <div>
                    <h4><span role="status">{move || spans::prose(&title())}</span></h4>
                    <p>{move || i18n.t(stage.get().words()[1])}</p>
                </div>
            </header>
            <div class="elsewhere-tool"><code>{spans::strict(&tool)}</code></div>
            {binding.map(|message| view! {
                <div class="binding">
                    <p>{move || i18n.t("approval-binding")}</p>
                    <p class="binding-message" data-testid=testids::BINDING>{spans::strict(&message)}</p>
                </div>
            }.into_any())}
            {failure(way)}
            <footer>
                <p class="countdown" data-testid=testids::COUNTDOWN>{move || match stage.get() {
                    Stage::Waiting(left) => i18n.with("approval-left", &[("time", Argument::from(clock(left)))]),
                    _ => String::new(),
                }}</p>
                <Show when=move || asks.get()>
                    <button
                        type="button"
                        class="secondary"
                        data-testid=testids::RESUME_CALL
                        disabled=move || way.with(|way| matches!(way, Way::Under | Way::Gone))
                        on:click=resume.clone()
                    >
                        <Icon sign=Sign::Retry />
                        {move || i18n.t(if waits.get() { "approval-given" } else { "approval-again" })}
                    </button>
                </Show>
            </footer>
        </div>
    }
}

/// Minutes and seconds.
fn clock(milliseconds: u64) -> String {
    let seconds = milliseconds.div_ceil(1000);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[component]
fn Unknown(code: String, tool: String) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let title = move || i18n.with("interrupt-unknown", &[("agent", Argument::from(agent(i18n, app)))]);
    view! {
        <div class="elsewhere" role="group" aria-label=move || title() data-testid=testids::ELSEWHERE_CARD data-want="unknown">
            <header>
                <Icon sign=Sign::Info />
                <div>
                    <h4>{move || spans::prose(&title())}</h4>
                    <p>{move || i18n.t("interrupt-unknown-lead")}</p>
                </div>
            </header>
            <div class="elsewhere-tool"><code>{spans::strict(&tool)}</code> <code>{spans::strict(&code)}</code></div>
        </div>
    }
}

fn way_name(way: &Way) -> &'static str {
    match way {
        Way::Idle => "idle",
        Way::Under => "under",
        Way::Gone => "gone",
        Way::Failed(_) => "failed",
    }
}
