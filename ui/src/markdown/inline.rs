//! Finishing touches on the content of a line.

use super::{Inline, link};

/// Puts neighbouring texts together and turns bare web addresses into links.
pub(super) fn settle(content: Vec<Inline>) -> Vec<Inline> {
    let mut merged: Vec<Inline> = Vec::with_capacity(content.len());
    for inline in content {
        match (merged.last_mut(), inline) {
            (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(&text),
            (_, inline) => merged.push(inline),
        }
    }
    if !merged.iter().any(|inline| matches!(inline, Inline::Text(text) if text.contains("://"))) {
        return merged;
    }
    merged
        .into_iter()
        .flat_map(|inline| match inline {
            Inline::Text(text) => with_links(&text),
            inline => vec![inline],
        })
        .collect()
}

fn with_links(mut text: &str) -> Vec<Inline> {
    let mut out = Vec::new();
    while let Some((start, end)) = link::find_bare(text) {
        if start > 0 {
            out.push(Inline::Text(text[..start].to_owned()));
        }
        let url = &text[start..end];
        out.push(Inline::Link { target: link::check(url), content: vec![Inline::Text(url.to_owned())] });
        text = &text[end..];
    }
    if !text.is_empty() {
        out.push(Inline::Text(text.to_owned()));
    }
    out
}
