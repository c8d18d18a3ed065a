//! The desktop of one test: folders of its own, a system browser that notes what it is asked to open, and the app to be tested.
//!
//! Display, message bus and keychain are those around the test; they are shared by all tests of a run, one after the other.

use std::{
    env, fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;
use url::Url;

use crate::{Error, Look, Result, error::While as _, keychain, wait};

/// What must be there for a window, a keychain and their buses to work.
const NEEDED: [&str; 3] = ["DISPLAY", "DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR"];
/// What would change how the app behaves.
const HIDDEN: [&str; 7] =
    ["BROWSER", "HTTP_PROXY", "OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_MODEL", "XDG_CURRENT_DESKTOP", "http_proxy"];
const BROWSER: &str = "noting-browser.desktop";
/// By so many bytes a sealed text is longer: the nonce and the tag of AES-GCM.
const SEAL: usize = 12 + 16;

/// Folders and the app. Everything in the folders is gone when this is dropped.
#[derive(Debug)]
pub struct Desktop {
    top: TempDir,
    app: PathBuf,
    /// The address of the message bus, where it is not the one around the test.
    bus: Option<String>,
}

impl Desktop {
    /// A desktop on which nobody has ever been, for the app that `CALLBOX_APP` names.
    ///
    /// # Errors
    /// [`Error::NoDesktop`] outside of `cargo xtask`.
    pub fn new() -> Result<Self> {
        let app = env::var_os("CALLBOX_APP").map(PathBuf::from).ok_or(Error::NoDesktop("CALLBOX_APP"))?;
        Self::for_app(&app)
    }

    /// A desktop on which nobody has ever been, for this app.
    ///
    /// # Errors
    /// [`Error::NoDesktop`] where there is no display, bus or keychain.
    pub fn for_app(app: &Path) -> Result<Self> {
        if let Some(missing) = NEEDED.into_iter().find(|name| env::var_os(name).is_none()) {
            return Err(Error::NoDesktop(missing));
        }
        let top = tempfile::Builder::new().prefix("desktop-").tempdir().doing("folders for a desktop")?;
        let desktop = Self { app: top.path().join("outside/callbox"), top, bus: None };
        for name in ["home", "config", "data/applications", "cache", "state", "tmp", "outside"] {
            fs::create_dir_all(desktop.top.path().join(name)).doing("folders for a desktop")?;
        }
        // Installed here, so that it stays what it is when somebody builds another one meanwhile.
        let installed = fs::hard_link(app, &desktop.app).or_else(|_| fs::copy(app, &desktop.app).map(drop));
        installed.doing(format!("the app {}", app.display()))?;
        desktop.install_browser()?;
        Ok(desktop)
    }

    /// A browser like any other, as far as the desktop knows.
    fn install_browser(&self) -> Result<()> {
        let script = self.outside().join("browser");
        let noted = self.noted();
        fs::write(&script, format!("#!/bin/sh\nprintf '%s\\n' \"$1\" >> '{}'\n", noted.display())).doing("the system browser")?;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).doing("the system browser")?;
        let entry =
            format!("[Desktop Entry]\nType=Application\nName=Browser\nExec={} %u\nMimeType=x-scheme-handler/http;\n", script.display());
        fs::write(self.top.path().join("data/applications").join(BROWSER), entry).doing("the system browser")?;
        let schemes: String = ["http", "https"].map(|scheme| format!("x-scheme-handler/{scheme}={BROWSER}\n")).concat();
        fs::write(self.top.path().join("config/mimeapps.list"), format!("[Default Applications]\n{schemes}")).doing("the system browser")
    }

    /// From now on everything on this desktop is on the message bus at this address.
    pub fn move_to_bus(&mut self, address: &str) {
        self.bus = Some(address.to_owned());
    }

    /// The app.
    #[must_use]
    pub fn app(&self) -> &Path {
        &self.app
    }

    /// What belongs to the user: home folder, settings, data, caches.
    #[must_use]
    pub fn folders(&self) -> Vec<PathBuf> {
        ["home", "config", "data", "cache", "state", "tmp"].map(|name| self.top.path().join(name)).to_vec()
    }

    /// Where the app keeps what stays on this computer.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.top.path().join("data").join(keychain::SERVICE)
    }

    /// Returns when the app keeps these unsent texts on the disk, to their last letters: not every letter is kept at once.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with how long the kept ones are.
    pub async fn keeps_drafts(&self, texts: &[&str]) -> Result<()> {
        let path = self.data().join("conversations.sqlite3");
        // They are sealed, so their lengths are all there is to see.
        let mut expected: Vec<i64> = texts.iter().filter_map(|text| i64::try_from(text.len() + SEAL).ok()).collect();
        expected.sort_unstable();
        wait::until("the unsent texts are kept", async || {
            let file = rusqlite::Connection::open_with_flags(&path, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY);
            let kept = file.and_then(|file| {
                let mut bodies = file.prepare("SELECT length(body) FROM draft ORDER BY 1")?;
                bodies.query_map([], |row| row.get::<_, i64>(0))?.collect::<rusqlite::Result<Vec<_>>>()
            });
            Ok(Look::when(kept.as_ref().is_ok_and(|kept| *kept == expected).then_some(()), kept))
        })
        .await
    }

    /// Where the test keeps what is not the user's: logs, the browser's profile.
    #[must_use]
    pub fn outside(&self) -> PathBuf {
        self.top.path().join("outside")
    }

    /// `program`, as the desktop would start it.
    pub fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        let variables = [
            ("HOME", "home"),
            ("XDG_CONFIG_HOME", "config"),
            ("XDG_DATA_HOME", "data"),
            ("XDG_CACHE_HOME", "cache"),
            ("XDG_STATE_HOME", "state"),
            ("TMPDIR", "tmp"),
        ];
        command.envs(variables.map(|(name, folder)| (name, self.top.path().join(folder))));
        for name in HIDDEN {
            command.env_remove(name);
        }
        if let Some(bus) = &self.bus {
            command.env("DBUS_SESSION_BUS_ADDRESS", bus);
        }
        command.env("LANG", "C.UTF-8").current_dir(self.top.path().join("home"));
        command
    }

    /// The pages that the system browser was asked to open, oldest first.
    #[must_use]
    pub fn opened_pages(&self) -> Vec<String> {
        // A line that is being written has no end yet.
        let noted = fs::read_to_string(self.noted()).unwrap_or_default();
        noted.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }

    /// The page that the system browser is asked to open after `known` others.
    ///
    /// # Errors
    /// [`Error::TimedOut`] if none is.
    pub async fn opened_page(&self, known: usize) -> Result<Url> {
        let page = wait::until("the system browser is asked to open a page", async || {
            let pages = self.opened_pages();
            Ok(Look::when(pages.get(known).cloned(), &pages))
        });
        let page = page.await?;
        Url::parse(&page).map_err(|error| Error::unexpected(format!("the browser was given {page}: {error}")))
    }

    fn noted(&self) -> PathBuf {
        self.outside().join("opened-pages")
    }
}
