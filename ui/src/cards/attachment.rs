//! Files and sources: named, never loaded.

use leptos::prelude::*;

use crate::elements::markdown::draw_link;
use crate::elements::{Icon, Sign, spans};
use crate::i18n::I18n;
use crate::markdown::link;
use crate::state::content::{File, Source};

/// A file of a message.
pub fn file(file: ArcRwSignal<File>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    move || {
        let file = file.get();
        let name = file.name.clone().filter(|name| !name.trim().is_empty()).unwrap_or_else(|| i18n.t("file-unnamed"));
        let content = view! { <span>{spans::prose(&name)}</span> <small>{spans::prose(&file.media_type)}</small> };
        // What is inside the message itself has no address to be opened at.
        if file.url.starts_with("data:") {
            view! { <span class="attachment"><Icon sign=Sign::Document />{content}</span> }.into_any()
        } else {
            let link = draw_link(&link::check(&file.url), &name, content.into_any(), false);
            view! { <span class="attachment"><Icon sign=Sign::Document />{link}</span> }.into_any()
        }
    }
}

/// A page or document that the agent refers to.
pub fn source(source: ArcRwSignal<Source>) -> impl IntoView {
    move || {
        let source = source.get();
        let title = source.title.clone().filter(|title| !title.trim().is_empty());
        match source.url {
            Some(url) => {
                let label = title.unwrap_or_else(|| callbox_approvals::readable(&url));
                let link = draw_link(&link::check(&url), &label, spans::prose(&label), false);
                view! { <span class="attachment"><Icon sign=Sign::Open />{link}</span> }.into_any()
            }
            None => {
                let label = title.unwrap_or_default();
                view! { <span class="attachment"><Icon sign=Sign::Document /><span>{spans::prose(&label)}</span></span> }.into_any()
            }
        }
    }
}
