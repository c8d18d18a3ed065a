//! Adding an agent from where one is, over whatever the window shows.

use leptos::ev::KeyboardEvent;
use leptos::prelude::*;

use super::add_agent::AddAgent;
use super::sign_in::Calls;
use crate::backend::Shell;
use crate::cards::ErrorCard;
use crate::elements::{Show, page};
use crate::i18n::I18n;
use crate::state::App;
use crate::testids;

/// The dialog. It goes when the shell is at the agent, or with Escape.
#[component]
pub fn NewAgent() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let in_sandbox = move || app.profile.with(|profile| profile.as_ref().is_some_and(|profile| profile.sandbox));
    let calls = Calls::new();
    let known = app.adding_agent.get_untracked().unwrap_or_default();
    let close = move || {
        app.adding_agent.set(None);
        page::focus(".account > button");
    };
    // The shell has moved to the agent, or was there already.
    Effect::new(move |before: Option<bool>| {
        let running = calls.running.get();
        if before == Some(true) && !running && calls.refusal.with_untracked(Option::is_none) {
            app.adding_agent.set(None);
        }
        running
    });
    let escape = window_event_listener(leptos::ev::keydown, move |event: KeyboardEvent| {
        if event.key() == "Escape" {
            close();
        }
    });
    on_cleanup(move || escape.remove());
    view! {
        <div class="dialog-veil" on:click=move |_| close()></div>
        <section
            class="dialog"
            role="dialog"
            aria-modal="true"
            aria-labelledby="new-agent"
            data-testid=testids::NEW_AGENT
        >
            <h2 id="new-agent">{move || i18n.t("new-agent")}</h2>
            <p>{move || i18n.t("new-agent-lead")}</p>
            {move || calls.refusal.get().map(|error| view! { <ErrorCard error=error /> })}
            <AddAgent calls=calls first=Memo::new(|_| true) known=known />
            <Show when=move || !in_sandbox()>
                <button
                    type="button"
                    class="secondary"
                    data-testid=testids::TRY_SANDBOX
                    disabled=move || calls.running.get()
                    on:click=move |_| calls.start(shell.use_sandbox())
                >
                    {move || i18n.t("try-sandbox")}
                </button>
            </Show>
            <button type="button" class="text" data-testid=testids::CLOSE_DIALOG on:click=move |_| close()>
                {move || i18n.t("cancel")}
            </button>
        </section>
    }
}
