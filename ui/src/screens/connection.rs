//! How the connection stands: a dot while all is well, a line with the reason and what to do when it is not.

use std::time::Duration;

use callbox_ipc::{LinkView, NoticeKind, ThreadStatus};
use leptos::prelude::*;

use super::ask::ask;
use crate::backend::Shell;
use crate::cards::elsewhere::Scopes;
use crate::elements::{Icon, Sign, page, spans};
use crate::i18n::{Argument, I18n};
use crate::state::put;
use crate::state::{App, Thread};
use crate::testids;

fn name(link: &LinkView) -> &'static str {
    match link {
        LinkView::Connecting => "connecting",
        LinkView::Online => "online",
        LinkView::Offline { .. } => "offline",
        LinkView::SignInNeeded { .. } => "sign-in-needed",
        LinkView::AgentMoved { .. } => "agent-moved",
        LinkView::MoreWanted { .. } => "more-wanted",
        LinkView::Refused { .. } => "refused",
        LinkView::Closed => "closed",
    }
}

/// The code of what is wrong, where there is one.
fn reason(link: &LinkView) -> Option<String> {
    match link {
        LinkView::Offline { reason, .. }
        | LinkView::SignInNeeded { reason: Some(reason) }
        | LinkView::AgentMoved { reason, .. }
        | LinkView::Refused { reason } => Some(reason.code.clone()),
        _ => None,
    }
}

fn words(i18n: I18n, link: &LinkView) -> String {
    match link {
        LinkView::Connecting => i18n.t("link-connecting"),
        LinkView::Online => i18n.t("link-online"),
        LinkView::Offline { .. } => i18n.t("link-offline"),
        LinkView::SignInNeeded { .. } | LinkView::AgentMoved { .. } => i18n.t("link-sign-in"),
        LinkView::MoreWanted { .. } => i18n.t("link-more-wanted"),
        LinkView::Refused { .. } => i18n.t("link-refused"),
        LinkView::Closed => i18n.t("link-closed"),
    }
}

/// The quiet sign in the header.
#[component]
pub(super) fn Connection(status: ArcRwSignal<ThreadStatus>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let link = Memo::new(move |_| status.with(|status| status.link.clone()));
    let words = move || link.with(|link| words(i18n, link));
    view! {
        <span
            class="connection"
            role="status"
            data-testid=testids::CONNECTION
            data-state=move || link.with(name)
            data-reason=move || link.with(reason)
            title=move || words()
        >
            <span class="dot" aria-hidden="true"></span>
            <span class="connection-words">{move || words()}</span>
        </span>
    }
}

/// The line below the header, while something is wrong.
#[component]
pub(super) fn Trouble(thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let status = thread.status.clone();
    let link = Memo::new(move |_| status.with(|status| status.link.clone()));
    let conversation = StoredValue::new(thread.conversation);
    let reconnect = move |_| ask(app, NoticeKind::Warning, shell.reconnect(conversation.get_value()));
    let sign_in = move |_| ask(app, NoticeKind::Error, shell.sign_in());
    let step_up = move |_| ask(app, NoticeKind::Error, shell.step_up(conversation.get_value()));
    let again = move || {
        view! {
            <button type="button" class="secondary small" data-testid=testids::RECONNECT on:click=reconnect>
                <Icon sign=Sign::Retry />
                {move || i18n.t("reconnect")}
            </button>
        }
    };
    move || {
        match link.get() {
        LinkView::Connecting | LinkView::Online => ().into_any(),
        LinkView::Offline { retry_in, reason } => {
            let wait = retry_in.map(|retry_in| view! { <Countdown milliseconds=retry_in /> });
            view! {
                <div class="trouble" role="status">
                    <Icon sign=Sign::Offline />
                    <p>{move || spans::prose(&i18n.error(&reason))} " " {wait}</p>
                    {again()}
                </div>
            }
            .into_any()
        }
        LinkView::SignInNeeded { reason } => view! {
            <div class="trouble" role="alert">
                <Icon sign=Sign::Warning />
                <p>{move || match &reason {
                    Some(reason) => spans::prose(&i18n.error(reason)),
                    None => i18n.t("trouble-sign-in").into_any(),
                }}</p>
                <button type="button" class="primary small" data-testid=testids::SIGN_IN on:click=sign_in>{move || i18n.t("sign-in")}</button>
            </div>
        }
        .into_any(),
        LinkView::AgentMoved { reason, agent } => {
            let add = move |_| app.adding_agent.set(Some(agent.clone()));
            view! {
                <div class="trouble tall" role="alert">
                    <Icon sign=Sign::Warning />
                    <p>{move || spans::prose(&i18n.error(&reason))}</p>
                    <div class="actions">
                        <button type="button" class="secondary small" data-testid=testids::NEW_AGENT_OPEN on:click=add>{move || i18n.t("add-again")}</button>
                        {again()}
                    </div>
                </div>
            }
            .into_any()
        }
        LinkView::MoreWanted { scopes } => {
            let some = !scopes.is_empty();
            view! {
                <div class="trouble tall" role="alert">
                    <Icon sign=Sign::Key />
                    <div>
                        <p>{move || i18n.t(if some { "trouble-more-wanted" } else { "trouble-more-untold" })}</p>
                        {some.then(|| view! { <Scopes scopes=scopes /> })}
                    </div>
                    {some.then(|| view! {
                        <button type="button" class="primary small" data-testid=testids::STEP_UP on:click=step_up>{move || i18n.t("grant-more")}</button>
                    }.into_any())}
                </div>
            }
            .into_any()
        }
        LinkView::Refused { reason } => view! {
            <div class="trouble stopped" role="alert">
                <Icon sign=Sign::Deny />
                <p>{move || spans::prose(&i18n.error(&reason))}</p>
                {again()}
            </div>
        }
        .into_any(),
        LinkView::Closed => view! {
            <div class="trouble" role="status">
                <Icon sign=Sign::Offline />
                <p>{move || i18n.t("trouble-closed")}</p>
                {again()}
            </div>
        }
        .into_any(),
    }
    }
}

/// Seconds until the next try.
#[component]
fn Countdown(milliseconds: u64) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let end = page::now() + milliseconds as i64;
    let left = move || ((end - page::now()).max(0) + 999) / 1000;
    let seconds = RwSignal::new(left());
    let timer = set_interval_with_handle(move || put(seconds, left()), Duration::from_secs(1)).ok();
    on_cleanup(move || {
        if let Some(timer) = timer {
            timer.clear();
        }
    });
    view! {
        <span aria-hidden="true">
            {move || match seconds.get() {
                0 => i18n.t("retry-now"),
                seconds => i18n.with("retry-in", &[("seconds", Argument::from(seconds))]),
            }}
        </span>
    }
}
