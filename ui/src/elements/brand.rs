//! The mark of Callbox: the panel at the door, its speaker and its lit button.

use leptos::prelude::*;

/// Draws the mark.
#[component]
pub fn Brand() -> impl IntoView {
    view! {
        <svg class="brand" viewBox="0 0 48 64" aria-hidden="true" focusable="false">
            <rect class="brand-panel" x="1" y="1" width="46" height="62" rx="12" />
            <rect class="brand-speaker" x="11" y="13" width="26" height="4" rx="2" />
            <rect class="brand-speaker" x="11" y="20.5" width="26" height="4" rx="2" />
            <rect class="brand-speaker" x="11" y="28" width="26" height="4" rx="2" />
            <circle class="brand-well" cx="24" cy="47" r="9.5" />
            <circle class="brand-button" cx="24" cy="47" r="7" />
        </svg>
    }
}
