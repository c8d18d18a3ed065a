//! The one seam between the window and the world.
//!
//! Everything the window knows arrives as an [`Event`] or as the answer to a command; everything it wants leaves as a command. The
//! commands are those of [`callbox_ipc::for_each_command!`], and nothing outside this module knows how they travel: through Tauri in
//! the app ([`tauri`]), to fixtures in the gallery and in tests.

mod ordered;
pub mod tauri;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use callbox_ipc::{Event, UserError};
use leptos::prelude::{LocalStorage, StoredValue, WithValue};
use serde_json::{Map, Value};

/// The answer to a command, when it comes.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, UserError>>>>;

/// Carries commands out and events in.
pub trait Backend {
    /// Sends a command with its arguments by name. The command is on its way when this returns; the answer, JSON text, need not be waited
    /// for.
    fn invoke(&self, command: &'static str, arguments: Map<String, Value>) -> Answer<String>;

    /// Asks for all events from now on. A second call replaces the first.
    fn subscribe(&self, events: Box<dyn Fn(Event)>) -> Answer<()>;
}

/// The shell, as the window calls it: one method for each command.
#[derive(Clone, Copy)]
pub struct Shell(StoredValue<Rc<dyn Backend>, LocalStorage>);

impl Shell {
    /// Speaks to the shell through this backend.
    pub fn new(backend: impl Backend + 'static) -> Self {
        Self(StoredValue::new_local(Rc::new(backend)))
    }

    /// Asks for all events from now on.
    pub fn subscribe(self, events: impl Fn(Event) + 'static) -> Answer<()> {
        self.0.with_value(|backend| backend.subscribe(Box::new(events)))
    }

    fn invoke(self, command: &'static str, arguments: Map<String, Value>) -> Answer<String> {
        self.0.with_value(|backend| backend.invoke(command, arguments))
    }
}

macro_rules! bindings {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Shell {
            $(
                $(#[$doc])*
                pub fn $name(self, $($argument: $type),*) -> impl Future<Output = Result<$result, UserError>> + 'static {
                    #[allow(unused_mut)]
                    let mut arguments = Map::new();
                    $(arguments.insert(stringify!($argument).to_owned(), serde_json::to_value(&$argument).unwrap_or_default());)*
                    let answer = self.invoke(stringify!($name), arguments);
                    async move { serde_json::from_str(&answer.await?).map_err(|_| unreadable()) }
                }
            )*
        }

        #[cfg(all(test, not(target_arch = "wasm32")))]
        const BOUND: &[&str] = &["subscribe", $(stringify!($name)),*];
    };
}
callbox_ipc::for_each_command!(bindings);

/// The shell answered with something that this window does not understand: the two are of different versions.
fn unreadable() -> UserError {
    UserError::new(
        "shell-unreadable",
        "The window and the app do not understand each other. Restart Callbox; if that does not help, install it again.",
    )
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_bound_and_nothing_else() {
        assert_eq!(BOUND, callbox_ipc::COMMANDS);
    }
}
