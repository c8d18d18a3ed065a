//! Arguments and results of a tool, in full.

use callbox_approvals::{Argument, Name, Shown, arguments};
use leptos::prelude::*;
use serde_json::Value;

use crate::elements::spans;
use crate::i18n::{self, I18n};

/// From this size on it is said how long a value is, in bytes.
const WORTH_SAYING: usize = 120;

/// Draws the input of a tool as a list of names and values.
pub fn draw(input: &Value) -> AnyView {
    let i18n = expect_context::<I18n>();
    let list = arguments(input);
    if list.is_empty() {
        return view! { <p class="none">{move || i18n.t("arguments-none")}</p> }.into_any();
    }
    view! { <dl class="values">{list.into_iter().map(entry).collect_view()}</dl> }.into_any()
}

fn entry(argument: Argument) -> AnyView {
    let i18n = expect_context::<I18n>();
    let name = match argument.name {
        Name::Whole => ().into_any(),
        Name::Key(name) => view! { <dt>{spans::draw(name)}</dt> }.into_any(),
        Name::Place(place) => view! { <dt class="place">{place}</dt> }.into_any(),
    };
    let bytes = argument.bytes;
    let size = (bytes >= WORTH_SAYING).then(|| {
        let size = move || i18n.with("bytes", &[("bytes", i18n::Argument::from(bytes))]);
        view! { <span class="size">{size}</span> }
    });
    view! {
        {name}
        <dd>{value(argument.value)} {size}</dd>
    }
    .into_any()
}

fn value(value: Shown) -> AnyView {
    match value {
        Shown::Text(spans) => view! { <bdi class="value string" dir="ltr">{spans::draw(spans)}</bdi> }.into_any(),
        Shown::Json(spans) => view! { <bdi class="value json" dir="ltr">{spans::draw(spans)}</bdi> }.into_any(),
        Shown::Literal(text) => view! { <span class="value literal">{text}</span> }.into_any(),
        Shown::List(entries) if entries.is_empty() => view! { <span class="value literal">"[ ]"</span> }.into_any(),
        Shown::Object(entries) if entries.is_empty() => view! { <span class="value literal">"{ }"</span> }.into_any(),
        Shown::List(entries) => view! { <dl class="values list">{entries.into_iter().map(entry).collect_view()}</dl> }.into_any(),
        Shown::Object(entries) => view! { <dl class="values">{entries.into_iter().map(entry).collect_view()}</dl> }.into_any(),
    }
}
