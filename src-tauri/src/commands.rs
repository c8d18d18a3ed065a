//! The handlers of the window's commands, generated from the one list of commands.

use callbox_ipc::UserError;
use tauri::{State, ipc::Channel};

use crate::core::Core;

/// Gives the window its channel of events. A window that reloads subscribes again; the newest subscription is the one that is served.
#[tauri::command]
async fn subscribe(core: State<'_, Core>, events: Channel<String>) -> Result<(), UserError> {
    core.subscribe(Box::new(move |event| {
        // As text, because the web view's own reading of JSON rounds large integers, and arguments have to be shown as they are.
        let sent = serde_json::to_string(&event).map_err(tauri::Error::from).and_then(|event| events.send(event));
        if let Err(error) = sent {
            tracing::warn!(%error, "the window did not take an event");
        }
    }))
    .await
}

macro_rules! handlers {
    ($($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(
            $(#[$doc])*
            #[tauri::command(rename_all = "snake_case")]
            async fn $name(core: State<'_, Core>, $($argument: $type),*) -> Result<$result, UserError> {
                core.$name($($argument),*).await
            }
        )*

        /// The registry of all handlers.
        pub(crate) fn registry<R: tauri::Runtime>() -> impl Fn(tauri::ipc::Invoke<R>) -> bool + Send + Sync + 'static {
            tauri::generate_handler![subscribe, $($name),*]
        }
    };
}
callbox_ipc::for_each_command!(handlers);

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use callbox_ipc::COMMANDS;

    /// A struct, because its fields keep their order whatever features the JSON library is built with.
    #[derive(serde::Serialize)]
    struct Capability {
        identifier: &'static str,
        description: &'static str,
        windows: [&'static str; 1],
        permissions: Vec<String>,
    }

    /// What the capability file must say: one permission for each command, and nothing else.
    fn expected() -> String {
        let capability = Capability {
            identifier: "main",
            description: "What the one window may ask of the shell: the commands of crates/ipc, and nothing of any plugin.",
            windows: ["main"],
            permissions: COMMANDS.iter().map(|command| format!("allow-{}", command.replace('_', "-"))).collect(),
        };
        format!("{}\n", serde_json::to_string_pretty(&capability).unwrap())
    }

    #[test]
    fn the_capability_file_allows_exactly_the_listed_commands() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src-tauri/capabilities/main.json");
        if std::env::var_os("CALLBOX_BLESS").is_some() {
            fs::write(&path, expected()).unwrap();
        }
        let present = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(present, expected(), "the list of commands has changed: run this test once with CALLBOX_BLESS=1 and commit the file");
    }
}
