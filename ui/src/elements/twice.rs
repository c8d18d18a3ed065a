//! A button for what cannot be taken back.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use super::{Icon, Sign};

/// The first click asks, the second one does it. Escape, or going elsewhere, is a no.
#[component]
pub fn Twice(
    /// Where it is and how it looks there.
    class: &'static str,
    testid: &'static str,
    /// What the button is for.
    label: Memo<String>,
    /// What it asks.
    question: Memo<String>,
    act: Callback<()>,
) -> impl IntoView {
    let asked = RwSignal::new(false);
    let clicked = move |_| {
        if asked.get_untracked() {
            asked.set(false);
            act.run(());
        } else {
            asked.set(true);
        }
    };
    let pressed = move |event: KeyboardEvent| {
        if event.key() == "Escape" && asked.get_untracked() {
            event.stop_propagation();
            asked.set(false);
        }
    };
    let words = Memo::new(move |_| if asked.get() { question.get() } else { label.get() });
    view! {
        <button
            type="button"
            class=format!("quiet {class}")
            class:sure=move || asked.get()
            data-testid=testid
            title=move || words.get()
            aria-label=move || words.get()
            on:click=clicked
            on:blur=move |_| asked.set(false)
            on:keydown=pressed
        >
            {move || if asked.get() { question.get().into_any() } else { view! { <Icon sign=Sign::Trash /> }.into_any() }}
        </button>
    }
}
