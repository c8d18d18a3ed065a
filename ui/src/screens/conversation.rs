//! One conversation: its head, its messages, the box to write in.

use callbox_ipc::{LinkView, Notice, NoticeKind, ThreadStatus, TurnView, UserError};
use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::{JsCast, closure::Closure};

use super::actions::{AnswerAgain, Clear, free};
use super::composer::Composer;
use super::connection::{Connection, Trouble};
use super::message::Entry;
use super::sidebar::title;
use super::tool_servers::ToolServers;
use super::welcome::Welcome;
use crate::cards::ErrorCard;
use crate::elements::{For, Icon, Show, Sign, page, spans};
use crate::i18n::I18n;
use crate::state::scrolling::{Follow, Place};
use crate::state::window::{Extent, earlier, first};
use crate::state::{App, Message, Thread};
use crate::testids;

/// The right side of the main screen.
#[component]
pub(super) fn Conversation(listing: RwSignal<bool>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let thread = app.thread;
    let turn = move || thread.with(|thread| thread.as_ref().map(|thread| thread.status.with(|status| status.turn)));
    let heading = move || {
        let open = app.open.get();
        app.conversations.with(|list| title(i18n, list.iter().find(|summary| open.as_ref() == Some(&summary.id))))
    };
    let agent = move || app.profile.with(|profile| profile.as_ref().map(|profile| profile.name.clone()).unwrap_or_default());
    view! {
        <main
            class="conversation"
            data-testid=testids::CONVERSATION
            data-conversation=move || app.open.get()
            data-turn=move || turn().map(turn_name)
        >
            <header class="conversation-head">
                <button
                    type="button"
                    class="quiet sidebar-toggle"
                    data-testid=testids::SIDEBAR_TOGGLE
                    aria-label=move || i18n.t("conversations")
                    aria-expanded=move || listing.get().to_string()
                    on:click=move |_| listing.update(|listing| *listing = !*listing)
                >
                    <Icon sign=Sign::Menu />
                </button>
                <div>
                    <h2 data-testid=testids::CONVERSATION_TITLE>{move || spans::prose(&heading())}</h2>
                    <p>
                        <span class="agent">{move || spans::prose(&agent())}</span>
                        {move || thread.get().map(|thread| view! { <Connection status=thread.status /> })}
                    </p>
                </div>
                {move || thread.get().map(|thread| view! { <Clear thread=thread /> })}
            </header>
            {move || thread.get().map(|thread| view! { <Trouble thread=thread.clone() /><ToolServers thread=thread /> })}
            {move || match (thread.get(), app.open.get()) {
                (Some(thread), _) => view! { <Messages thread=thread /> }.into_any(),
                (None, Some(_)) => view! { <div class="scroller" aria-busy="true"></div> }.into_any(),
                (None, None) => view! { <div class="scroller"><Welcome /></div> }.into_any(),
            }}
            <Composer />
        </main>
    }
}

fn turn_name(turn: TurnView) -> &'static str {
    match turn {
        TurnView::Idle => "idle",
        TurnView::Waiting => "waiting",
        TurnView::Streaming => "streaming",
        TurnView::Recovering => "recovering",
        TurnView::Interrupted => "interrupted",
    }
}

/// The messages in their scrolling box, which follows the end while it is there.
#[component]
fn Messages(thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let scroller = NodeRef::<html::Div>::new();
    let column = NodeRef::<html::Div>::new();
    let follow = RwSignal::new(Follow::default());
    let pinned = Memo::new(move |_| follow.get().pinned);
    let place = move || {
        scroller.get_untracked().map(|box_| Place {
            top: f64::from(box_.scroll_top()),
            view: f64::from(box_.client_height()),
            content: f64::from(box_.scroll_height()),
        })
    };
    // Where drawing begins, and, while messages are being put before it, how far the view was from the end.
    let extent = {
        let thread = thread.clone();
        Memo::new(move |_| Extent { len: thread.messages.with(Vec::len), pinned: pinned.get(), asking: thread.asking_at() })
    };
    let start = RwSignal::new(first(usize::MAX, extent.get_untracked()));
    let kept = StoredValue::new(None::<f64>);
    Effect::new(move |_| {
        let wanted = first(start.get_untracked(), extent.get());
        if wanted != start.get_untracked() {
            start.set(wanted);
        }
    });
    let waits = Memo::new(move |_| extent.get().asking.is_some());
    let note = move || {
        let Some(place) = place() else { return };
        follow.update(|follow| *follow = follow.scrolled(place));
        let reading = !follow.with_untracked(|follow| follow.pinned) || !place.scrolls();
        if reading && place.near_start() && start.get_untracked() > 0 && kept.with_value(Option::is_none) {
            kept.set_value(Some(place.content - place.top));
            start.update(|start| *start = earlier(*start));
        }
        let seen = waits.get_untracked() && scroller.get_untracked().is_some_and(|scroller| question_in_view(&scroller));
        if app.question_in_view.get_untracked() != seen {
            app.question_in_view.set(seen);
        }
    };
    let to_end = move || {
        if let Some(scroller) = scroller.get_untracked() {
            scroller.set_scroll_top(scroller.scroll_height());
        }
        note();
    };
    let latest = move |_| {
        follow.update(|follow| *follow = follow.pin());
        to_end();
        page::focus("#composer");
    };
    watch_size(scroller, column, move || {
        let kept = kept.try_update_value(Option::take).flatten();
        if pinned.get_untracked() {
            to_end();
        } else if let (Some(from_end), Some(scroller)) = (kept, scroller.get_untracked()) {
            scroller.set_scroll_top(scroller.scroll_height() - from_end as i32);
            note();
        } else {
            note();
        }
    });
    // What somebody sends is what they want to see.
    let own = {
        let messages = thread.messages.clone();
        Memo::new(move |_| messages.with(|messages| messages.iter().filter(|message| message.role == callbox_protocol::Role::User).count()))
    };
    Effect::new(move |before: Option<usize>| {
        let own = own.get();
        if before.is_some_and(|before| own > before) {
            follow.update(|follow| *follow = follow.pin());
            to_end();
        }
        own
    });
    settle_edits(app, &thread);
    let messages = thread.messages.clone();
    let empty = {
        let messages = messages.clone();
        Memo::new(move |_| messages.with(Vec::is_empty))
    };
    let entries = {
        let thread = thread.clone();
        view! {
            <For each=move || drawn(&messages, start.get()) key=|message| message.key let(message)>
                <Entry message=message thread=thread.clone() />
            </For>
        }
    };
    let status = thread.status.clone();
    view! {
        <div class="scroll-frame">
            <div class="scroller" node_ref=scroller data-testid=testids::MESSAGES on:scroll=move |_| note() tabindex="-1">
                <div class="column" node_ref=column>
                    <Show when=move || empty.get()>
                        <Welcome />
                    </Show>
                    <ol class="messages" aria-label=move || i18n.t("messages")>{entries}</ol>
                    <Turn thread=thread status=status />
                </div>
            </div>
            <Show when=move || !pinned.get()>
                <button type="button" class="latest" data-testid=testids::JUMP_TO_LATEST on:click=latest>
                    <Icon sign=Sign::Down />
                    {move || i18n.t("jump-to-latest")}
                </button>
            </Show>
        </div>
    }
}

/// Sees to other words for messages whenever nothing goes on and the list is the agent's: until then what has arrived may be refused, and what is gone
/// may come back. What goes into the box below is said.
fn settle_edits(app: App, thread: &Thread) {
    let (conversation, messages, status) = (thread.conversation.clone(), thread.messages.clone(), thread.status.clone());
    let settled = Memo::new(move |_| status.with(free));
    Effect::new(move |_| {
        messages.track();
        let own = |id: &str| {
            let is_it = |message: &&Message| message.id.with_untracked(|known| known == id);
            messages.with_untracked(|messages| messages.iter().find(is_it).map(Message::text))
        };
        if settled.get() && app.settle_edits(&conversation, own) {
            app.notify(Notice { kind: NoticeKind::Info, message: UserError::new("edit-homeless", "") });
            request_animation_frame(|| page::focus_box_from("body"));
        }
    });
}

/// The messages from that place on.
fn drawn(messages: &ArcRwSignal<Vec<Message>>, start: usize) -> Vec<Message> {
    messages.with(|messages| messages.get(start..).unwrap_or_default().to_vec())
}

/// Whether the buttons of the oldest question are in the visible part of the box.
fn question_in_view(scroller: &web_sys::Element) -> bool {
    let Some(buttons) = scroller.query_selector(".approval > footer").ok().flatten() else { return false };
    let (box_, buttons) = (scroller.get_bounding_client_rect(), buttons.get_bounding_client_rect());
    buttons.top() >= box_.top() && buttons.bottom() <= box_.bottom()
}

/// Calls back when the box or what is in it changes its size.
fn watch_size(scroller: NodeRef<html::Div>, column: NodeRef<html::Div>, changed: impl Fn() + 'static) {
    let held = StoredValue::new_local(None);
    let changed = std::rc::Rc::new(changed);
    Effect::new(move |_| {
        let (Some(scroller), Some(column)) = (scroller.get(), column.get()) else { return };
        let changed = changed.clone();
        let call = Closure::<dyn Fn()>::new(move || changed());
        let Ok(observer) = web_sys::ResizeObserver::new(call.as_ref().unchecked_ref()) else { return };
        observer.observe(&scroller);
        observer.observe(&column);
        held.set_value(Some((observer, call)));
    });
    on_cleanup(move || {
        if let Some((observer, _call)) = held.try_update_value(Option::take).flatten() {
            observer.disconnect();
        }
    });
}

/// What stands below the last message: that the agent is at work, that it was interrupted, that it failed.
#[component]
fn Turn(thread: Thread, status: ArcRwSignal<ThreadStatus>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let turn = {
        let status = status.clone();
        Memo::new(move |_| status.with(|status| (status.turn, matches!(status.link, LinkView::Online))))
    };
    let error = Memo::new(move |_| status.with(|status| status.error.clone()));
    let again = thread.clone();
    let shown = {
        let thread = thread.clone();
        Memo::new(move |_| thread.is_interrupt_shown())
    };
    let silent = Memo::new(move |_| silent(&thread));
    view! {
        {move || match turn.get() {
            (TurnView::Waiting, _) => view! { <Thinking /> }.into_any(),
            (TurnView::Streaming, _) if silent.get() => view! { <Thinking /> }.into_any(),
            (TurnView::Recovering, _) => view! { <p class="turn"><Icon sign=Sign::Retry />{move || i18n.t("turn-recovering")}</p> }.into_any(),
            (TurnView::Interrupted, false) => view! { <p class="turn"><Icon sign=Sign::Offline />{move || i18n.t("turn-interrupted")}</p> }.into_any(),
            (TurnView::Interrupted, true) => view! { <p class="turn"><Icon sign=Sign::Retry />{move || i18n.t("turn-resuming")}</p> }.into_any(),
            (TurnView::Idle | TurnView::Streaming, _) => ().into_any(),
        }}
        {move || {
            let thread = again.clone();
            // What has stopped for somebody is said where it has stopped.
            error.get().filter(|_| !shown.get()).map(|error| view! { <ErrorCard error=error><AnswerAgain thread=thread /></ErrorCard> })
        }}
    }
}

/// Whether the answer has nothing to see yet.
fn silent(thread: &Thread) -> bool {
    let last = thread.messages.with(|messages| messages.last().cloned());
    last.is_none_or(|message| message.role == callbox_protocol::Role::User || !message.slots.get().iter().any(|slot| slot.content.drawn()))
}

#[component]
fn Thinking() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    view! {
        <p class="thinking">
            <span class="progress" aria-hidden="true"><span></span><span></span><span></span></span>
            <span class="visually-hidden">{move || i18n.t("turn-waiting")}</span>
        </p>
    }
}
