//! What stands where nothing has been said yet.

use leptos::prelude::*;

use crate::backend::Shell;
use crate::elements::{Brand, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::testids;

/// A greeting and a few things to say.
#[component]
pub(super) fn Welcome() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let sandbox = move || app.profile.with(|profile| profile.as_ref().is_some_and(|profile| profile.sandbox));
    let agent = move || app.profile.with(|profile| profile.as_ref().map(|profile| profile.name.clone()).unwrap_or_default());
    let chips = move || {
        let keys: &[&str] = if sandbox() {
            &["suggestion-time", "suggestion-weather", "suggestion-list"]
        } else {
            &["suggestion-abilities", "suggestion-start"]
        };
        keys.iter()
            .map(|key| {
                let say = move |_| super::composer::say(app, shell, i18n.t(key));
                view! {
                    <li>
                        <button type="button" class="chip" data-testid=testids::SUGGESTION on:click=say>{move || i18n.t(key)}</button>
                    </li>
                }
            })
            .collect_view()
    };
    view! {
        <section class="welcome">
            <Brand />
            <h3>{move || spans::prose(&i18n.with("welcome", &[("agent", Argument::from(agent()))]))}</h3>
            <p>{move || if sandbox() { i18n.t("welcome-sandbox") } else { i18n.t("welcome-lead") }}</p>
            <ul>{chips}</ul>
        </section>
    }
}
