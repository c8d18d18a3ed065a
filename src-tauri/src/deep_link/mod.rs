//! Being the program that the system starts for our links.
//!
//! Registration is a convenience of the sign-in, never a condition of the start: whatever goes wrong is logged and the app goes on.

#[cfg(target_os = "linux")]
mod linux;
mod owner;

pub(crate) use self::owner::{Owner, owner};

use tauri::{AppHandle, Runtime};

/// Makes this executable the handler of our scheme, on a thread of its own because the system's tools take their time.
pub(crate) fn register_in_background<R: Runtime>(app: &AppHandle<R>) {
    let app = app.clone();
    let spawned = std::thread::Builder::new().name("scheme".into()).spawn(move || {
        if let Err(error) = register(&app) {
            tracing::warn!(%error, "links with our scheme may not reach Callbox");
        }
    });
    if let Err(error) = spawned {
        tracing::warn!(%error, "links with our scheme may not reach Callbox");
    }
}

#[cfg(target_os = "linux")]
fn register<R: Runtime>(app: &AppHandle<R>) -> Result<(), linux::RegisterError> {
    linux::register(app)
}

/// Windows: the plugin writes the user's own class. macOS: the bundle's Info.plist has registered the scheme already.
#[cfg(not(target_os = "linux"))]
fn register<R: Runtime>(app: &AppHandle<R>) -> Result<(), tauri_plugin_deep_link::Error> {
    use tauri_plugin_deep_link::DeepLinkExt;

    if cfg!(windows) { app.deep_link().register(crate::cli::SCHEME) } else { Ok(()) }
}

/// The program that the system starts for our links, if that is another one than this; an empty name if there is none. What can be mended is
/// mended first. Asks the system's tools, which take their time.
#[cfg(target_os = "linux")]
pub(crate) fn stranger<R: Runtime>(app: &AppHandle<R>) -> Option<String> {
    linux::stranger(app)
}

/// On macOS nothing can be mended from here: its bundle says what an app is for.
#[cfg(not(target_os = "linux"))]
pub(crate) fn stranger<R: Runtime>(app: &AppHandle<R>) -> Option<String> {
    fn name(owner: Owner) -> Option<String> {
        match owner {
            Owner::Us | Owner::Unknown => None,
            Owner::Nobody => Some(String::new()),
            Owner::Other(program) => Some(program.display().to_string()),
        }
    }
    name(owner())?;
    if let Err(error) = register(app) {
        tracing::warn!(%error, "links with our scheme may not reach Callbox");
    }
    name(owner())
}
