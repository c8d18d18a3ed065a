//! One message: what the user said in a bubble, what the agent said as plain text.

use callbox_ipc::{DeliveryState, NoticeKind};
use callbox_protocol::Role;
use leptos::prelude::*;

use super::actions::{AfterAnswer, AfterOwn, Editor};
use super::ask::ask_once;
use crate::backend::Shell;
use crate::cards::{Reasoning, ToolCard, attachment};
use crate::elements::{Blocks, For, Icon, Show, Sign, page, spans};
use crate::i18n::I18n;
use crate::state::content::{Content, Slot};
use crate::state::{App, Message, Thread};
use crate::testids;

/// A message in its place.
#[component]
pub(super) fn Entry(message: Message, thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let role = message.role;
    let who = move || match role {
        Role::User => i18n.t("you"),
        Role::Assistant => i18n.t("agent"),
        Role::System => i18n.t("system"),
    };
    let id = message.id.clone();
    let delivery = {
        let (id, thread) = (id.clone(), thread.clone());
        Memo::new(move |_| (role == Role::User).then(|| id.with(|id| thread.delivery(id))).flatten())
    };
    let state = move || (role == Role::User).then(|| delivery.with(delivery_name));
    let slots = message.slots.clone();
    let day = day(&message, &thread);
    let after = (message.clone(), thread.clone());
    let after_own = after.clone();
    let last = {
        let (messages, key) = (thread.messages.clone(), message.key);
        Memo::new(move |_| messages.with(|messages| messages.last().is_some_and(|last| last.key == key)))
    };
    let settled = {
        let (slots, thread) = (slots.clone(), thread.clone());
        Memo::new(move |_| {
            let busy = thread.status.with(|status| !matches!(status.turn, callbox_ipc::TurnView::Idle));
            let words = slots.get().iter().any(|slot| matches!(slot.content, Content::Text(_)) && slot.content.drawn());
            role == Role::Assistant && words && !(last.get() && busy)
        })
    };
    // What somebody has begun to put in other words is open again when the message is drawn again.
    let app = expect_context::<App>();
    let of = app.edit_of(&thread.conversation, &id.get_untracked());
    let editing = RwSignal::new(role == Role::User && app.edit(&of, &message.text()).is_some());
    {
        let message = message.clone();
        // So are words that were shown ahead of the agent and that it has refused.
        Effect::new(move |_| {
            if role == Role::User && app.edit(&of, &message.words()).is_some() && !editing.get_untracked() {
                editing.set(true);
            }
        });
    }
    let arrived = {
        let words = message.slots.clone();
        let words = move || words.with(|slots| slots.iter().any(|slot| matches!(slot.content, Content::Plain(_))));
        Memo::new(move |_| role == Role::User && delivery.with(Option::is_none) && !editing.get() && words())
    };
    let parts = {
        let (message, thread) = (message.clone(), thread.clone());
        move || {
            if editing.get() {
                return view! { <Editor message=message.clone() thread=thread.clone() editing=editing /> }.into_any();
            }
            let (slots, thread) = (slots.clone(), thread.clone());
            view! {
                <For each=move || slots.get() key=|slot| slot.key let(slot)>
                    {part(slot, thread.clone())}
                </For>
            }
            .into_any()
        }
    };
    view! {
        {day}
        <li
            class="message"
            class:own=role == Role::User
            class:editing=move || editing.get()
            aria-label=move || who()
            data-testid=testids::MESSAGE
            data-role=role_name(role)
            data-id=move || id.get()
            data-delivery=move || state()
        >
            <div class="content">{parts}</div>
            <Show when=move || settled.get()>
                {
                    let (message, thread) = after.clone();
                    view! { <AfterAnswer message=message thread=thread last=last /> }
                }
            </Show>
            <Show when=move || arrived.get()>
                {
                    let (message, thread) = after_own.clone();
                    view! { <AfterOwn message=message thread=thread editing=editing /> }
                }
            </Show>
            {move || delivery.get().map(|state| view! { <Delivery state=state message=message.id.clone() conversation=thread.conversation.clone() /> })}
        </li>
    }
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Assistant => "assistant",
        Role::System => "system",
    }
}

fn delivery_name(state: &Option<DeliveryState>) -> &'static str {
    match state {
        Some(DeliveryState::Queued) => "queued",
        Some(DeliveryState::Sending) => "sending",
        Some(DeliveryState::Failed { .. }) => "failed",
        None => "sent",
    }
}

fn part(slot: Slot, thread: Thread) -> AnyView {
    match slot.content {
        Content::Plain(text) => view! { <p class="bubble">{move || text.with(|text| spans::prose(text))}</p> }.into_any(),
        Content::Text(text) => view! { <Blocks blocks=text.blocks /> }.into_any(),
        Content::Reasoning(text) => view! { <Reasoning text=text thread=thread /> }.into_any(),
        Content::Tool(tool) => view! { <ToolCard tool=tool thread=thread /> }.into_any(),
        Content::File(file) => attachment::file(file).into_any(),
        Content::Source(source) => attachment::source(source).into_any(),
        Content::Nothing => ().into_any(),
    }
}

/// The day above the first message of each day, for agents that say when a message was made.
fn day(message: &Message, thread: &Thread) -> impl IntoView + use<> {
    let i18n = expect_context::<I18n>();
    let time = |message: &Message| {
        message.metadata.with(|metadata| metadata.as_ref().and_then(|metadata| metadata.get("createdAt")).and_then(page::parse_time))
    };
    let (message, messages) = (message.clone(), thread.messages.clone());
    let shown = Memo::new(move |_| {
        let own = time(&message)?;
        let before = messages.with(|messages| {
            let at = messages.iter().position(|other| other.key == message.key)?;
            messages[..at].iter().rev().find_map(time)
        });
        before.is_none_or(|before| crate::state::time::other_day(before, own, page::zone())).then_some(own)
    });
    move || {
        shown
            .get()
            .map(|time| view! { <li class="day" role="presentation"><time>{page::date(time, i18n.locale().tag())}</time></li> }.into_any())
    }
}

/// How an own message stands that the agent has not confirmed yet.
#[component]
fn Delivery(state: DeliveryState, message: ArcRwSignal<String>, conversation: String) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let asked = RwSignal::new(false);
    match state {
        DeliveryState::Queued => view! { <p class="delivery"><Icon sign=Sign::Clock />{move || i18n.t("delivery-queued")}</p> }.into_any(),
        DeliveryState::Sending => view! { <p class="delivery late">{move || i18n.t("delivery-sending")}</p> }.into_any(),
        DeliveryState::Failed { reason } => {
            let retry = {
                let (message, conversation) = (message.clone(), conversation.clone());
                move |_| ask_once(app, NoticeKind::Error, asked, shell.retry_message(conversation.clone(), message.get_untracked()))
            };
            let discard =
                move |_| ask_once(app, NoticeKind::Error, asked, shell.discard_message(conversation.clone(), message.get_untracked()));
            view! {
                <div class="delivery failed" role="alert">
                    <Icon sign=Sign::Warning />
                    <p>{move || spans::prose(&i18n.error(&reason))}</p>
                    <div class="actions">
                        <button type="button" class="text" data-testid=testids::DISCARD_MESSAGE disabled=move || asked.get() on:click=discard>
                            {move || i18n.t("discard-message")}
                        </button>
                        <button type="button" class="secondary small" data-testid=testids::RETRY_MESSAGE disabled=move || asked.get() on:click=retry>
                            <Icon sign=Sign::Retry />
                            {move || i18n.t("retry-message")}
                        </button>
                    </div>
                </div>
            }
            .into_any()
        }
    }
}
