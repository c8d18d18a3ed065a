//! Texts from outside, with their hidden characters brought to light.

use callbox_approvals::{Hidden, Marker, Span, visible, visible_prose};
use leptos::prelude::*;

use crate::i18n::{Argument, I18n};

/// Draws a text of which every code point matters.
pub fn strict(text: &str) -> impl IntoView + use<> {
    draw(visible(text))
}

/// Draws a text that is written to be read.
pub fn prose(text: &str) -> AnyView {
    // By far the most texts have nothing to mark.
    let plain = text.chars().all(|character| callbox_approvals::characters::hidden(character).is_none());
    if plain { text.to_owned().into_any() } else { draw(visible_prose(text)).into_any() }
}

/// Draws spans.
pub fn draw(spans: Vec<Span>) -> impl IntoView {
    spans
        .into_iter()
        .map(|span| match span {
            Span::Text(text) => text.into_any(),
            Span::Marker(marker) => sign(marker).into_any(),
        })
        .collect_view()
}

fn sign(marker: Marker) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let key = kind(marker.kind);
    let title = move || i18n.with("marker-title", &[("name", Argument::from(i18n.t(key))), ("code", Argument::from(marker.code()))]);
    let soft = matches!(marker.character, '\n' | '\t' | '\u{A0}');
    view! {
        <span class="marker" class:marker-soft=soft title=title>{marker.sign()}</span>
        {marker.breaks_line().then(|| view! { <br /> }.into_any())}
    }
}

fn kind(kind: Hidden) -> &'static str {
    match kind {
        Hidden::LineBreak => "marker-line-break",
        Hidden::Tab => "marker-tab",
        Hidden::Control => "marker-control",
        Hidden::Direction => "marker-direction",
        Hidden::ZeroWidth => "marker-zero-width",
        Hidden::Invisible => "marker-invisible",
        Hidden::Tag => "marker-tag",
        Hidden::Variation => "marker-variation",
        Hidden::Blank => "marker-blank",
        Hidden::PrivateUse => "marker-private-use",
        Hidden::Stacked => "marker-stacked",
    }
}
