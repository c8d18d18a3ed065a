//! What the agent thought on the way: open while it thinks, folded when it is done, as the user likes afterwards.

use callbox_ipc::TurnView;
use leptos::prelude::*;

use crate::elements::{Blocks, Icon, Show, Sign};
use crate::i18n::I18n;
use crate::state::Thread;
use crate::state::content::Text;
use crate::testids;

/// A train of thought.
#[component]
pub fn Reasoning(text: Text, thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let chosen = RwSignal::new(None::<bool>);
    // A thought that was cut off is stored as if it went on for ever: only a turn that runs can still add to it.
    let (streaming, status) = (text.streaming, thread.status);
    let thinking = Memo::new(move |_| streaming.get() && status.with(|status| status.turn == TurnView::Streaming));
    let label = move || if thinking.get() { i18n.t("reasoning-now") } else { i18n.t("reasoning-done") };
    let open = Memo::new(move |_| chosen.get().unwrap_or_else(|| thinking.get()));
    view! {
        <section class="reasoning" class:open=move || open.get() data-testid=testids::REASONING>
            <button type="button" class="fold" aria-expanded=move || open.get().to_string() on:click=move |_| chosen.set(Some(!open.get_untracked()))>
                <Icon sign=Sign::Thought />
                <span>{move || label()}</span>
                <Icon sign=Sign::Chevron />
            </button>
            <Show when=move || open.get()>
                <Blocks blocks=text.blocks.clone() />
            </Show>
        </section>
    }
}
