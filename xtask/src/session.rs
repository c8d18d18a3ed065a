//! A desktop of its own for one command: display, message bus, keychain and home folder that nobody else uses and that are gone afterwards.
//!
//! It is as plain as a desktop can be, with no window manager and no desktop's name, so that what works here works everywhere.

use std::env;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::process::Cmd;
use crate::setup::{self, Need};

/// Opens the keychain, runs the command that it is given once the keychain answers, and closes the keychain again.
const WITH_KEYCHAIN: &str = r#"
printf callbox | gnome-keyring-daemon --foreground --unlock --components=secrets >/dev/null 2>&1 &
keychain=$!
trap 'kill $keychain 2>/dev/null' EXIT
gdbus wait --session --timeout 60 org.freedesktop.secrets || exit 1
"$@""#;

/// Variables of the user's own desktop that must not shine through.
const HIDDEN: [&str; 12] = [
    "BROWSER",
    "DBUS_SESSION_BUS_ADDRESS",
    "DESKTOP_SESSION",
    "DISPLAY",
    "GNOME_KEYRING_CONTROL",
    "SSH_AUTH_SOCK",
    "WAYLAND_DISPLAY",
    "XAUTHORITY",
    "XDG_CONFIG_DIRS",
    "XDG_CURRENT_DESKTOP",
    "XDG_DATA_DIRS",
    "XDG_SESSION_TYPE",
];

/// The folders of an isolated desktop; they go when this is dropped.
#[derive(Debug)]
pub(crate) struct Session {
    top: TempDir,
}

impl Session {
    /// Makes the folders. The needed programs are those of [`crate::setup::Need::VirtualDesktop`].
    pub(crate) fn new() -> Result<Self> {
        if !cfg!(target_os = "linux") {
            bail!("a virtual desktop exists on Linux only");
        }
        let top = tempfile::Builder::new().prefix("callbox-").tempdir().context("no folder for a virtual desktop")?;
        for name in ["home", "config", "data", "cache", "state", "runtime", "tmp"] {
            fs::create_dir(top.path().join(name))?;
        }
        restrict(&top.path().join("runtime"))?;
        Ok(Self { top })
    }

    /// `command`, to be run on this desktop.
    pub(crate) fn wrap(&self, command: Cmd) -> Cmd {
        let path = |name: &str| self.top.path().join(name);
        let mut outer = Cmd::new("xvfb-run")
            .args(["-a", "-s", "-screen 0 1280x900x24", "dbus-run-session", "--", "sh", "-c", WITH_KEYCHAIN, "sh"])
            .env("HOME", path("home"))
            .env("XDG_CONFIG_HOME", path("config"))
            .env("XDG_DATA_HOME", path("data"))
            .env("XDG_CACHE_HOME", path("cache"))
            .env("XDG_STATE_HOME", path("state"))
            .env("XDG_RUNTIME_DIR", path("runtime"))
            .env("TMPDIR", path("tmp"));
        // Cargo and rustup keep their things in the real home, unless told otherwise.
        if let Some(home) = env::home_dir() {
            for (name, folder) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
                outer = outer.env(name, env::var_os(name).unwrap_or_else(|| home.join(folder).into_os_string()));
            }
        }
        let shown = command.shown_after("cargo xtask desktop --");
        HIDDEN.iter().fold(command.inside(outer), Cmd::env_remove).shown_as(shown)
    }
}

/// Runs one command on a desktop of its own.
pub(crate) fn run(arguments: &[String]) -> Result<()> {
    let (program, arguments) = arguments.split_first().context("a command is needed")?;
    setup::system(&[Need::VirtualDesktop])?;
    Session::new()?.wrap(Cmd::new(program).args(arguments)).run_silently()
}

/// Whether there is a screen to show a window on.
pub(crate) fn has_display() -> bool {
    !cfg!(target_os = "linux") || ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}

#[cfg(unix)]
fn restrict(folder: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?)
}

#[cfg(not(unix))]
fn restrict(_: &Path) -> Result<()> {
    Ok(())
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    fn says(session: &Session, script: &str) -> String {
        session.wrap(Cmd::new("sh").args(["-c", script])).output().unwrap().trim().to_owned()
    }

    #[test]
    fn a_desktop_has_an_open_keychain_that_outlives_its_commands_and_nobody_shares() {
        let desktop = Session::new().unwrap();
        says(&desktop, "printf first | secret-tool store --label callbox test desktop");
        assert_eq!(says(&desktop, "secret-tool lookup test desktop"), "first", "kept from one command to the next");
        let other = Session::new().unwrap();
        assert_eq!(says(&other, "secret-tool lookup test desktop || true"), "", "another desktop knows nothing of it");
    }

    #[test]
    fn a_desktop_has_a_display_and_a_home_of_its_own() {
        let desktop = Session::new().unwrap();
        let home = says(&desktop, r#"test -n "$DISPLAY" && test -z "$WAYLAND_DISPLAY" && printf %s "$HOME""#);
        assert_eq!(Path::new(&home), desktop.top.path().join("home"));
        assert_eq!(says(&desktop, r#"stat -c %a "$XDG_RUNTIME_DIR""#), "700", "the bus refuses anything wider");
    }

    #[test]
    fn a_commands_exit_code_passes_through() {
        let desktop = Session::new().unwrap();
        let failed = desktop.wrap(Cmd::new("sh").args(["-c", "exit 7"])).run().unwrap_err();
        assert!(failed.to_string().contains("exit status: 7"), "{failed}");
    }

    #[test]
    fn the_folders_go_with_the_desktop() {
        let desktop = Session::new().unwrap();
        let top = desktop.top.path().to_owned();
        says(&desktop, r#"echo left > "$HOME/file""#);
        drop(desktop);
        assert!(!top.exists(), "nothing is left behind");
    }
}
