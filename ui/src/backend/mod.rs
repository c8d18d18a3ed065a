//! The one seam between the window and the world.
//!
//! Everything the window knows arrives as an [`Event`] or as the answer to a command; everything it wants leaves as a command. The
//! commands are those of [`callbox_ipc::for_each_command!`], and nothing outside this module knows how they travel: through Tauri in
//! the app ([`tauri`]), to fixtures in the gallery and in tests.

mod ordered;
mod read;
pub mod tauri;

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use callbox_ipc::{Event, UserError};
use leptos::prelude::{LocalStorage, StoredValue, WithValue};
use leptos::task::spawn_local;
use serde::de::DeserializeOwned;
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

    /// Boxed, so that all commands with the same kind of answer share one future.
    fn invoke<T: DeserializeOwned>(self, command: &'static str, arguments: Map<String, Value>) -> Answer<T> {
        let answer = self.0.with_value(|backend| backend.invoke(command, arguments));
        Box::pin(async move { read::read(&answer.await?).ok_or_else(unreadable) })
    }
}

macro_rules! bindings {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        impl Shell {
            $(
                $(#[$doc])*
                pub fn $name(self, $($argument: $type),*) -> Answer<$result> {
                    #[allow(unused_mut)]
                    let mut arguments = Map::new();
                    $(arguments.insert(stringify!($argument).to_owned(), serde_json::to_value(&$argument).unwrap_or_default());)*
                    self.invoke(stringify!($name), arguments)
                }
            )*
        }

        #[cfg(all(test, not(target_arch = "wasm32")))]
        const BOUND: &[&str] = &["subscribe", $(stringify!($name)),*];
    };
}
callbox_ipc::for_each_command!(bindings);

/// Lets a command run of which nobody needs to know whether it has worked.
pub fn unattended(answer: Answer<()>) {
    spawn_local(async move { drop(answer.await) });
}

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
