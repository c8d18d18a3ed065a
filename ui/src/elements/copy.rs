//! A button that copies a text.

use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::{Icon, Sign, page};
use crate::i18n::I18n;
use crate::state::put;

/// How long the button says that it has worked.
const SAID: Duration = Duration::from_millis(1600);

/// Copies what `text` gives at the moment of the click.
#[component]
pub fn Copy(#[prop(into)] text: Callback<(), String>, #[prop(default = "copy")] class: &'static str) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let done = RwSignal::new(false);
    let copy = move |_| {
        let text = text.run(());
        spawn_local(async move {
            if page::copy(&text).await {
                done.set(true);
                set_timeout(move || put(done, false), SAID);
            }
        });
    };
    let label = move || if done.get() { i18n.t("copied") } else { i18n.t("copy") };
    view! {
        <button type="button" class=format!("quiet {class}") title=move || label() aria-label=move || label() on:click=copy>
            {move || if done.get() { view! { <Icon sign=Sign::Check /> } } else { view! { <Icon sign=Sign::Copy /> } }}
        </button>
    }
}
