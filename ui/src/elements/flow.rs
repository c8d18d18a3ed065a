//! Lists, and what is shown only while something holds.
//!
//! Used like the components of the same names in Leptos, which are compiled anew wherever they are used: some ten kilobytes for each list.
//! Here only a thin wrapper is; behind it all lists are of one type, and so are all conditions.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use leptos::children::ViewFn;
use leptos::either::Either;
use leptos::prelude::*;

/// An entry of a list, and how to draw it.
struct Entry {
    key: u64,
    draw: Box<dyn FnOnce() -> AnyView + Send>,
}

/// Draws the items of a list; one that keeps its key is not drawn again.
#[component(transparent)]
pub fn For<T, I, E, K, D, V>(each: E, key: impl Fn(&T) -> K + Send + Sync + 'static, children: D) -> impl IntoView
where
    T: Send + 'static,
    I: IntoIterator<Item = T>,
    E: Fn() -> I + Send + Sync + 'static,
    K: Hash,
    D: Fn(T) -> V + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let children = Arc::new(children);
    list(Box::new(move || {
        let entry = |item: T| {
            let mut hasher = DefaultHasher::new();
            key(&item).hash(&mut hasher);
            let children = children.clone();
            Entry { key: hasher.finish(), draw: Box::new(move || children(item).into_any()) }
        };
        each().into_iter().map(entry).collect()
    }))
}

fn list(entries: Box<dyn Fn() -> Vec<Entry> + Send + Sync>) -> AnyView {
    let list =
        leptos::control_flow::ForProps::builder().each(entries).key(|entry: &Entry| entry.key).children(|entry: Entry| (entry.draw)());
    leptos::control_flow::For(list.build()).into_any()
}

/// Shows its children while `when` says so, and the fallback while not.
#[component(transparent)]
pub fn Show(
    when: impl Fn() -> bool + Send + Sync + 'static,
    children: ChildrenFn,
    #[prop(optional, into)] fallback: ViewFn,
) -> impl IntoView {
    choose(Memo::new(move |_| when()), children, fallback)
}

fn choose(when: Memo<bool>, children: ChildrenFn, fallback: ViewFn) -> AnyView {
    (move || if when.get() { Either::Left(children()) } else { Either::Right(fallback.run()) }).into_any()
}
