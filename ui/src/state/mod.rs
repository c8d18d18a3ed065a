//! What the window knows, apart from how it looks.
//!
//! Signals all the way, one per thing that changes on its own: a message, a part, a block of a text. A delta touches the block it
//! belongs to and nothing else. No module here knows the document; all of it is tested natively.

pub mod accounts;
pub mod app;
pub mod composing;
pub mod content;
pub mod drafts;
pub mod interrupt;
pub mod preferences;
pub mod scrolling;
pub mod thread;
pub mod time;
pub mod tool;
pub mod watching;
pub mod window;

use leptos::prelude::{RwSignal, Set};

pub use app::{App, Demand};
pub use drafts::DraftOf;
pub use thread::{Message, Thread};

/// Sets a signal that may be gone by now, with the part of the window that it belonged to.
pub fn put<T: Send + Sync + 'static>(signal: RwSignal<T>, value: T) {
    let _gone = signal.try_set(value);
}
