//! The box in which a message is written.
//!
//! Promises: the text leaves the box only after the shell has said that it is safe; the Enter of an input method never sends; each
//! conversation keeps its own draft.

use callbox_ipc::{Notice, NoticeKind, UserError};
use leptos::ev::{CompositionEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::ask::ask;
use crate::backend::Shell;
use crate::elements::{Icon, Show, Sign, page, spans};
use crate::i18n::I18n;
use crate::state::App;
use crate::state::composing::{Composer as Allowed, composer, left_over, sends};
use crate::state::put;
use crate::testids;

/// What opens a conversation, and has the focus while it does.
const OPENERS: &str = ".entry > button, [data-testid=new-conversation], .welcome button";

/// The box, its buttons and what there is to say about it.
#[component]
pub(super) fn Composer() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let area = NodeRef::<html::Textarea>::new();
    let in_composition = StoredValue::new(false);
    let sending = RwSignal::new(false);
    let refused = RwSignal::new(None::<UserError>);
    let draft = Memo::new(move |_| app.draft());
    let allowed = Memo::new(move |_| {
        let open = app.open.with(Option::is_some);
        app.thread.with(|thread| match thread {
            Some(thread) => thread.status.with(|status| composer(open, Some(status))),
            None => composer(open, None),
        })
    });
    let blocked = move || matches!(allowed.get(), Allowed::Blocked(_));
    let busy = move || allowed.get() == Allowed::Busy;
    let waits = Memo::new(move |_| app.thread.with(|thread| thread.as_ref().is_some_and(|thread| !thread.asking().is_empty())));
    let can_send = move || allowed.get() == Allowed::Ready && !sending.get() && draft.with(|draft| !draft.trim().is_empty());
    let submit = move || {
        if !untrack(can_send) {
            return;
        }
        sending.set(true);
        refused.set(None);
        let text = draft.get_untracked();
        spawn_local(async move {
            let answer = send(app, shell, text).await;
            put(sending, false);
            put(refused, answer.err());
        });
    };
    let stop = move || {
        let Some(conversation) = app.open.get_untracked() else { return };
        ask(app, NoticeKind::Error, shell.cancel_turn(conversation));
    };
    let typed = move |event| app.set_draft(app.open.get_untracked(), event_target_value(&event));
    let pressed = move |event: KeyboardEvent| {
        let press = page::press(&event, in_composition.get_value());
        if sends(press) {
            event.prevent_default();
            submit();
        } else if event.key() == "Escape" && !press.composing && !press.in_composition && untrack(busy) {
            event.prevent_default();
            stop();
        }
    };
    // When a conversation comes into view and can be written in, the box takes the focus, once; but not from where somebody has gone
    // meanwhile.
    let focused = StoredValue::new(None::<Option<String>>);
    Effect::new(move |_| {
        let open = app.open.get();
        if area.get().is_some() && !blocked() && focused.with_value(|focused| focused.as_ref() != Some(&open)) {
            focused.set_value(Some(open));
            // The box is still disabled in the document until this has run.
            request_animation_frame(|| page::focus_box_from(OPENERS));
        }
    });
    let hint = move || match allowed.get() {
        Allowed::Blocked(why) => i18n.t(why.key()),
        Allowed::Busy => i18n.t("composer-busy"),
        Allowed::Ready => i18n.t("composer-hint"),
    };
    view! {
        <footer class="composer">
            <Show when=move || waits.get()>
                <button type="button" class="asks" class:seen=move || app.question_in_view.get() data-testid=testids::GO_TO_APPROVAL on:click=move |_| go_to_approval()>
                    <Icon sign=Sign::Key />
                    {move || i18n.t("approval-waits")}
                    <Icon sign=Sign::Down />
                </button>
            </Show>
            {move || refused.get().map(|error| view! { <crate::cards::ErrorCard error=error /> })}
            <form
                class="box"
                class:blocked=move || blocked()
                on:submit=move |event| {
                    event.prevent_default();
                    submit();
                }
            >
                <div class="grow">
                    <textarea
                        id="composer"
                        node_ref=area
                        rows="1"
                        data-testid=testids::COMPOSER
                        aria-label=move || i18n.t("composer-label")
                        aria-describedby="composer-hint"
                        placeholder=move || i18n.t("composer-placeholder")
                        prop:value=move || draft.get()
                        disabled=move || blocked()
                        on:input=typed
                        on:keydown=pressed
                        on:compositionstart=move |_: CompositionEvent| in_composition.set_value(true)
                        on:compositionend=move |_: CompositionEvent| in_composition.set_value(false)
                    ></textarea>
                    <div class="mirror" aria-hidden="true">{move || draft.get()} "\u{200b}"</div>
                </div>
                <Show
                    when=busy
                    fallback=move || view! {
                        <button
                            type="submit"
                            class="send"
                            data-testid=testids::SEND
                            title=move || i18n.t("send")
                            aria-label=move || i18n.t("send")
                            disabled=move || !can_send()
                        >
                            <Icon sign=Sign::Send />
                        </button>
                    }
                >
                    <button
                        type="button"
                        class="stop"
                        data-testid=testids::STOP
                        title=move || i18n.t("stop")
                        aria-label=move || i18n.t("stop")
                        aria-keyshortcuts="Escape"
                        on:click=move |_| stop()
                    >
                        <Icon sign=Sign::Stop />
                    </button>
                </Show>
            </form>
            <p class="hint" id="composer-hint">{move || spans::prose(&hint())}</p>
        </footer>
    }
}

/// Says something that was offered to be said, as if it had been typed.
pub(super) fn say(app: App, shell: Shell, text: String) {
    let kept = app.draft();
    app.set_draft(app.open.get_untracked(), text.clone());
    spawn_local(async move {
        let answer = send(app, shell, text).await;
        if let Err(error) = answer {
            app.notify(Notice { kind: NoticeKind::Error, message: error });
        }
        if !kept.is_empty() {
            app.set_draft(app.open.get_untracked(), kept);
        }
        page::focus("#composer");
    });
}

/// Hands a text to the shell, in a new conversation where none is open. Only then does it leave the box.
async fn send(app: App, shell: Shell, text: String) -> Result<(), UserError> {
    let conversation = match app.open.get_untracked() {
        Some(conversation) => conversation,
        None => {
            let conversation = shell.new_conversation().await?;
            // What has been typed until now belongs to the new conversation.
            let draft = app.take_draft(None);
            app.set_draft(Some(conversation.clone()), draft.unwrap_or_default());
            app.show(conversation.clone());
            conversation
        }
    };
    app.leaves(&conversation);
    let sent = shell.send_message(conversation.clone(), text.clone()).await;
    if sent.is_ok() {
        let draft = app.draft_of(Some(conversation.clone()));
        app.set_draft(Some(conversation), left_over(&draft, &text));
    }
    app.left();
    sent.map(drop)
}

/// Brings the oldest open question into view and puts the focus on it.
fn go_to_approval() {
    page::focus(".approval");
}
