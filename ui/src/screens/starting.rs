//! The moment before anything is known.

use leptos::prelude::*;

use crate::elements::Brand;
use crate::i18n::I18n;

/// Shows the mark; words only if it takes long.
#[component]
pub fn Starting() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    view! {
        <main class="starting" aria-busy="true">
            <Brand />
            <p class="late">{move || i18n.t("starting")}</p>
        </main>
    }
}
