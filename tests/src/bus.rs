//! Message buses of a test's own, and a keychain on one of them that never answers.

use std::{
    ffi::OsString,
    fs,
    io::{BufRead as _, BufReader},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
};

use tempfile::TempDir;
use tokio::task::JoinHandle;
use zbus::{MessageStream, message::Type};

use crate::{Error, Look, Result, error::While as _, wait};

/// A bus that can start nothing: what is on it has come by itself.
const BARE: &str = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context=\"default\">\
                    <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>";

fn bare_config(folder: &Path) -> Result<std::path::PathBuf> {
    let config = folder.join("bus.conf");
    fs::write(&config, BARE).doing("the bus's configuration")?;
    Ok(config)
}

/// A message bus with nobody on it. It ends when this is dropped.
#[derive(Debug)]
pub struct Bus {
    daemon: Child,
    address: String,
    _folder: TempDir,
}

impl Bus {
    /// Starts one.
    ///
    /// # Errors
    /// When there is no dbus-daemon.
    pub fn bare() -> Result<Self> {
        let folder = tempfile::tempdir().doing("a folder for a bus")?;
        let mut command = Command::new("dbus-daemon");
        command.arg("--config-file").arg(bare_config(folder.path())?).args(["--nofork", "--print-address=1"]);
        let mut daemon = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().doing("dbus-daemon could not be started")?;
        let mut address = String::new();
        let output = daemon.stdout.take().ok_or_else(|| Error::unexpected("a bus without output"))?;
        BufReader::new(output).read_line(&mut address).doing("the bus's address")?;
        Ok(Self { daemon, address: address.trim().to_owned(), _folder: folder })
    }

    /// Where it is.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// A Secret Service that takes every call and answers none, as one does that waits for somebody at a prompt which nobody sees.
#[derive(Debug)]
pub struct MuteKeychain {
    calls: Arc<Mutex<Vec<String>>>,
    listening: JoinHandle<()>,
}

impl MuteKeychain {
    /// Takes its place on the bus.
    ///
    /// # Errors
    /// When the bus does not let it.
    pub async fn on(bus: &Bus) -> Result<Self> {
        let refused = |error: zbus::Error| Error::unexpected(format!("the bus refuses the keychain: {error}"));
        let builder = zbus::connection::Builder::address(bus.address()).and_then(|builder| builder.name("org.freedesktop.secrets"));
        let connection = builder.map_err(refused)?.build().await.map_err(refused)?;
        let calls = Arc::new(Mutex::new(Vec::new()));
        let heard = calls.clone();
        let listening = tokio::spawn(async move {
            let mut messages = Box::pin(MessageStream::from(&connection));
            while let Some(message) = std::future::poll_fn(|context| next(&mut messages, context)).await {
                let Ok(message) = message else { return };
                let header = message.header();
                if header.message_type() == Type::MethodCall {
                    let name = header.member().map(|member| member.as_str().to_owned()).unwrap_or_default();
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(name);
                }
            }
        });
        Ok(Self { calls, listening })
    }

    /// What it was called for.
    #[must_use]
    pub fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Returns when somebody waits for it.
    ///
    /// # Errors
    /// [`Error::TimedOut`].
    pub async fn until_called(&self) -> Result<()> {
        wait::until("somebody asks the keychain", async || Ok(Look::when((!self.calls().is_empty()).then_some(()), "nobody"))).await
    }
}

impl Drop for MuteKeychain {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

fn next(
    messages: &mut std::pin::Pin<Box<MessageStream>>,
    context: &mut std::task::Context<'_>,
) -> std::task::Poll<Option<zbus::Result<zbus::Message>>> {
    futures_util::Stream::poll_next(messages.as_mut(), context)
}

/// `command`, once the keychain is there: a command does not wait long for one that is still being started.
fn behind_keychain(command: &Command) -> Command {
    let script = "gdbus wait --session --activate org.freedesktop.secrets --timeout 120 org.freedesktop.secrets && exec \"$@\"";
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell
}

/// How a command's keychain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keychain {
    /// On a bus on which there is none and none can be started.
    Absent,
    /// Set up before, and locked since.
    Locked,
}

/// A message bus for one command, with a keychain in this state.
#[derive(Debug)]
pub struct Inner {
    top: TempDir,
    keychain: Keychain,
}

impl Inner {
    /// Prepares it.
    ///
    /// # Errors
    /// When the keychain cannot be set up.
    pub fn with(keychain: Keychain) -> Result<Self> {
        let top = tempfile::tempdir().doing("a folder for a session")?;
        for name in ["runtime", "data"] {
            fs::create_dir(top.path().join(name)).doing("a folder for a session")?;
        }
        fs::set_permissions(top.path().join("runtime"), fs::Permissions::from_mode(0o700)).doing("a folder for a session")?;
        let inner = Self { top, keychain };
        if keychain == Keychain::Locked {
            // The daemon is there a moment after it says so.
            let script = "printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null && \
                          gdbus wait --session --timeout 120 org.freedesktop.secrets && \
                          printf x | secret-tool store --label=x service somebody-else username x";
            let mut set_up = Command::new("sh");
            set_up.args(["-c", script]);
            let status = inner.around(&set_up, &[])?.status().doing("dbus-run-session could not be started")?;
            crate::error::ensure(status.success(), || format!("the keychain was not set up: {status}"))?;
        }
        Ok(inner)
    }

    /// `command` in this session. Its data, the keychain's file among them, are the session's.
    ///
    /// # Errors
    /// When the bus's configuration cannot be written.
    pub fn wrap(&self, command: &Command) -> Result<Command> {
        match self.keychain {
            Keychain::Absent => self.around(command, &["--config-file".into(), bare_config(self.top.path())?.into_os_string()]),
            Keychain::Locked => self.around(&behind_keychain(command), &[]),
        }
    }

    fn around(&self, command: &Command, options: &[OsString]) -> Result<Command> {
        let mut outer = Command::new("dbus-run-session");
        outer.args(options).arg("--").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => outer.env(name, value),
                None => outer.env_remove(name),
            };
        }
        for name in ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL"] {
            outer.env_remove(name);
        }
        outer.env("XDG_RUNTIME_DIR", self.top.path().join("runtime")).env("XDG_DATA_HOME", self.top.path().join("data"));
        Ok(outer)
    }
}
