//! The screen of somebody who is signed in: conversations on the left, one of them on the right.

use callbox_ipc::{Notice, NoticeKind};
use leptos::ev::KeyboardEvent;
use leptos::prelude::*;
use leptos::task::spawn_local;

use super::ask::ask;
use super::conversation::Conversation;
use super::sidebar::Sidebar;
use crate::backend::Shell;
use crate::elements::{Show, page};
use crate::state::App;

/// The whole screen.
#[component]
pub fn Main() -> impl IntoView {
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    // Only on narrow windows: there the list lies over the conversation.
    let listing = RwSignal::new(false);
    let shortcut = window_event_listener(leptos::ev::keydown, move |event: KeyboardEvent| {
        let command = (event.ctrl_key() || event.meta_key()) && !event.alt_key() && !event.shift_key();
        if command && event.key().eq_ignore_ascii_case("n") {
            event.prevent_default();
            begin(app, shell);
        } else if event.key() == "Escape" && listing.get_untracked() {
            listing.set(false);
        }
    });
    on_cleanup(move || shortcut.remove());
    // The focus goes into the list with the eyes, and back when the list goes; unless it has gone on by itself.
    Effect::new(move |before: Option<bool>| {
        let listing = listing.get();
        match before {
            Some(false) if listing => request_animation_frame(|| {
                page::focus(".sidebar button");
                page::focus(".sidebar .entry.current button");
            }),
            Some(true) if !listing => request_animation_frame(|| page::focus_box_from(".sidebar *")),
            _ => {}
        }
        listing
    });
    view! {
        <div class="main" class:listing=move || listing.get()>
            <Sidebar listing=listing />
            <Show when=move || listing.get()>
                <div class="veil" on:click=move |_| listing.set(false)></div>
            </Show>
            <Conversation listing=listing />
        </div>
    }
}

/// Begins a new conversation. One that is still empty is used again.
pub(super) fn begin(app: App, shell: Shell) {
    let empty = app.thread.with_untracked(|thread| thread.as_ref().is_some_and(|thread| thread.messages.with_untracked(Vec::is_empty)));
    if !empty && app.open.with_untracked(Option::is_some) {
        let answer = shell.new_conversation();
        spawn_local(async move {
            match answer.await {
                Ok(conversation) => drop(app.show(conversation)),
                Err(error) => app.notify(Notice { kind: NoticeKind::Error, message: error }),
            }
            page::focus("#composer");
        });
    } else {
        page::focus("#composer");
    }
}

/// Brings a conversation into view and asks the shell for its content.
pub(super) fn open(app: App, shell: Shell, conversation: String) {
    if app.show(conversation.clone()) {
        ask(app, NoticeKind::Error, shell.open_conversation(conversation));
    }
}
