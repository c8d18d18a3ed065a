//! What can be done with a message that stands: copy it, have it answered again, say it in other words. And with all of them.

use callbox_ipc::{DeliveryState, LinkView, Notice, NoticeKind, ThreadStatus, TurnView, UserError};
use leptos::ev::{CompositionEvent, KeyboardEvent};
use leptos::html;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::ask::ask_once;
use crate::backend::Shell;
use crate::cards::ErrorCard;
use crate::elements::{Copy, Icon, Show, Sign, Twice, page};
use crate::i18n::I18n;
use crate::state::composing::sends;
use crate::state::{App, Message, Thread, put};
use crate::testids;

/// Whether something can be taken back now: nothing goes on, and somebody is there.
pub(super) fn free(status: &ThreadStatus) -> bool {
    let quiet = status.deliveries.iter().all(|delivery| matches!(delivery.state, DeliveryState::Failed { .. }));
    matches!(status.link, LinkView::Online) && matches!(status.turn, TurnView::Idle) && quiet && status.decisions.is_empty()
}

/// Below an answer. `last`: it is the last message.
#[component]
pub(super) fn AfterAnswer(message: Message, thread: Thread, last: Memo<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let asked = RwSignal::new(false);
    let text = message.clone();
    let free = {
        let status = thread.status.clone();
        Memo::new(move |_| status.with(free))
    };
    let again = Callback::new(move |()| {
        let answer = shell.regenerate_message(thread.conversation.clone(), message.id.get_untracked());
        ask_once(app, NoticeKind::Error, asked, answer);
    });
    let label = move || i18n.t("regenerate");
    view! {
        <div class="after">
            <Copy text=move |()| text.text() />
            <Show when=move || last.get() && free.get()>
                <button
                    type="button"
                    class="quiet"
                    data-testid=testids::REGENERATE
                    title=move || label()
                    aria-label=move || label()
                    disabled=move || asked.get()
                    on:click=move |_| again.run(())
                >
                    <Icon sign=Sign::Retry />
                </button>
            </Show>
        </div>
    }
}

/// Below an own message that has arrived.
#[component]
pub(super) fn AfterOwn(message: Message, thread: Thread, editing: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let text = message.clone();
    let free = {
        let status = thread.status.clone();
        Memo::new(move |_| status.with(free))
    };
    let label = move || i18n.t("edit-message");
    view! {
        <div class="after">
            <Copy text=move |()| text.text() />
            <Show when=move || free.get()>
                <button
                    type="button"
                    class="quiet"
                    data-testid=testids::EDIT_MESSAGE
                    title=move || label()
                    aria-label=move || label()
                    on:click=move |_| editing.set(true)
                >
                    <Icon sign=Sign::Edit />
                </button>
            </Show>
        </div>
    }
}

/// The box in which an own message is put in other words, in the place of its bubble. The text leaves it only when the agent has it, and is kept
/// as unsent until then.
#[component]
pub(super) fn Editor(message: Message, thread: Thread, editing: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let app = expect_context::<App>();
    let area = NodeRef::<html::Textarea>::new();
    let of = StoredValue::new(app.edit_of(&thread.conversation, &message.id.get_untracked()));
    let left = app.edit(&of.get_value(), &message.text());
    let fresh = left.is_none();
    let text = RwSignal::new(left.unwrap_or_else(|| message.text()));
    let own = {
        let message = message.clone();
        Memo::new(move |_| message.words())
    };
    let in_composition = StoredValue::new(false);
    let sending = RwSignal::new(false);
    let refused = RwSignal::new(None::<UserError>);
    let free = {
        let status = thread.status.clone();
        Memo::new(move |_| status.with(free))
    };
    let can_send = move || free.get() && !sending.get() && text.with(|text| !text.trim().is_empty());
    let id = message.id.clone();
    let leave = Callback::new(move |()| {
        let id = id.get_untracked();
        app.drop_edit(&of.get_value());
        put(editing, false);
        request_animation_frame(move || page::focus(&format!("[data-id=\"{id}\"] [data-testid={}]", testids::EDIT_MESSAGE)));
    });
    let id = message.id.clone();
    let submit = Callback::new(move |()| {
        if !untrack(can_send) {
            return;
        }
        sending.set(true);
        refused.set(None);
        let (of, sent) = (of.get_value(), text.get_untracked());
        let answer = shell.edit_message(thread.conversation.clone(), id.get_untracked(), sent.clone());
        spawn_local(async move {
            let answer = answer.await;
            put(sending, false);
            match answer {
                Ok(()) => {
                    app.edit_taken(&of, &sent);
                    // Whoever has gone to another conversation meanwhile is left alone there.
                    if editing.try_set(false).is_none() {
                        page::focus("#composer");
                    }
                }
                // Where the editor has gone meanwhile, it is told beside the conversation; the words are kept.
                Err(error) => {
                    if let Some(Some(message)) = refused.try_set(Some(error)) {
                        app.notify(Notice { kind: NoticeKind::Warning, message });
                    }
                }
            }
        });
    });
    let pressed = move |event: KeyboardEvent| {
        let press = page::press(&event, in_composition.get_value());
        if sends(press) {
            event.prevent_default();
            submit.run(());
        } else if event.key() == "Escape" && !press.composing && !press.in_composition {
            event.prevent_default();
            event.stop_propagation();
            leave.run(());
        }
    };
    let typed = move |event| {
        let typed: String = event_target_value(&event);
        app.set_edit(of.get_value(), typed.clone(), &own.get_untracked());
        text.set(typed);
    };
    // The message has got these words without an answer to us: sent before a crash, or on another computer. While we send them ourselves it shows
    // them ahead of the agent.
    Effect::new(move |before: Option<String>| {
        let own = own.get();
        let arrived = before.is_some_and(|before| before != own) && text.with_untracked(|text| text.trim() == own.trim());
        if arrived && !sending.get_untracked() {
            app.drop_edit(&of.get_value());
            put(editing, false);
        }
        own
    });
    // Only of one that somebody has just opened: what was left open takes the focus from nobody.
    Effect::new(move |_| {
        if let Some(area) = area.get().filter(|_| fresh) {
            drop(area.focus());
            let end = area.value().encode_utf16().count().try_into().unwrap_or(u32::MAX);
            drop(area.set_selection_range(end, end));
        }
    });
    view! {
        <form
            class="editor"
            on:submit=move |event| {
                event.prevent_default();
                submit.run(());
            }
        >
            <div class="grow">
                <textarea
                    node_ref=area
                    rows="1"
                    data-testid=testids::EDITOR
                    aria-label=move || i18n.t("editor-label")
                    prop:value=move || text.get()
                    readonly=move || sending.get()
                    on:input=typed
                    on:keydown=pressed
                    on:compositionstart=move |_: CompositionEvent| in_composition.set_value(true)
                    on:compositionend=move |_: CompositionEvent| in_composition.set_value(false)
                ></textarea>
                <div class="mirror" aria-hidden="true">{move || text.get()} "\u{200b}"</div>
            </div>
            {move || refused.get().map(|error| view! { <ErrorCard error=error /> })}
            <footer>
                <p>{move || i18n.t("editor-note")}</p>
                <div class="actions">
                    <button type="button" class="text" data-testid=testids::EDITOR_CANCEL disabled=move || sending.get() on:click=move |_| leave.run(())>
                        {move || i18n.t("cancel")}
                    </button>
                    <button type="submit" class="primary small" data-testid=testids::EDITOR_SEND disabled=move || !can_send()>
                        {move || i18n.t("editor-send")}
                    </button>
                </div>
            </footer>
        </form>
    }
}

/// Has the last message answered, where that has failed.
#[component]
pub(super) fn AnswerAgain(thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let asked = RwSignal::new(false);
    let last = {
        let (messages, status) = (thread.messages.clone(), thread.status.clone());
        Memo::new(move |_| status.with(free).then(|| messages.with(|messages| messages.last().map(|last| last.id.get()))).flatten())
    };
    let again = Callback::new(move |()| {
        if let Some(message) = last.get_untracked() {
            ask_once(app, NoticeKind::Error, asked, shell.regenerate_message(thread.conversation.clone(), message));
        }
    });
    view! {
        <Show when=move || last.with(Option::is_some)>
            <button
                type="button"
                class="secondary small"
                data-testid=testids::ANSWER_AGAIN
                disabled=move || asked.get()
                on:click=move |_| again.run(())
            >
                <Icon sign=Sign::Retry />
                {move || i18n.t("answer-again")}
            </button>
        </Show>
    }
}

/// Empties the conversation.
#[component]
pub(super) fn Clear(thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let asked = RwSignal::new(false);
    let possible = {
        let (messages, status) = (thread.messages.clone(), thread.status.clone());
        Memo::new(move |_| status.with(free) && !asked.get() && messages.with(|messages| !messages.is_empty()))
    };
    let clear = Callback::new(move |()| {
        ask_once(app, NoticeKind::Error, asked, shell.clear_conversation(thread.conversation.clone()));
        page::focus("#composer");
    });
    view! {
        <Show when=move || possible.get()>
            <Twice
                class="clear"
                testid=testids::CLEAR_CONVERSATION
                label=Memo::new(move |_| i18n.t("clear-conversation"))
                question=Memo::new(move |_| i18n.t("clear-conversation-sure"))
                act=clear
            />
        </Show>
    }
}
