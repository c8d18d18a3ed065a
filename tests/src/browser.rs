//! A real browser at the tenant's pages. It hands the app's links to the desktop by itself.

use std::{env, path::PathBuf};

use serde_json::{Map, Value, json};
use url::Url;

use crate::{Desktop, Driver, Error, Look, Result, error::While as _, keychain::SERVICE, process, wait};

/// A browser with a profile of its own. It ends when this is dropped.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
}

impl Browser {
    /// Starts the browser and opens `page`. It may open the app's links from there without asking, as if a person had ticked the box.
    ///
    /// # Errors
    /// When there is no browser.
    pub async fn open(desktop: &Desktop, page: &Url) -> Result<Self> {
        let driver = Self::start(desktop, &page.origin().ascii_serialization()).await?;
        driver.session()?.goto(page.as_str()).await.doing("the tenant's page")?;
        Ok(Self { driver })
    }

    /// Types into a field.
    ///
    /// # Errors
    /// When it is not shown.
    pub async fn type_into(&self, css: &str, text: &str) -> Result<()> {
        self.driver.type_into(css, text).await
    }

    async fn start(desktop: &Desktop, tenant: &str) -> Result<Driver> {
        let port = process::free_port()?;
        let profile = desktop.outside().join("browser-profile");
        let scheme = SERVICE;
        let mut arguments = vec![
            format!("--user-data-dir={}", profile.display()),
            "--no-first-run".to_owned(),
            "--disable-dev-shm-usage".to_owned(),
            "--disable-gpu".to_owned(),
            "--window-size=1100,900".to_owned(),
            "--window-position=0,0".to_owned(),
            // No request of the browser's own leaves the computer.
            "--disable-background-networking".to_owned(),
            "--disable-component-update".to_owned(),
            "--disable-sync".to_owned(),
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1".to_owned(),
        ];
        if is_root() {
            arguments.push("--no-sandbox".to_owned());
        }
        let mut options = json!({
            "args": arguments,
            "prefs": {
                "protocol_handler": { "allowed_origin_protocol_pairs": { tenant: { scheme: true } } },
                "credentials_enable_service": false,
                "profile": { "password_manager_leak_detection": false },
            },
        });
        if let Some(binary) = ["chromium", "chromium-browser"].iter().find_map(|name| which(name)) {
            options["binary"] = json!(binary);
        }
        let mut server = desktop.command(driver_program()?);
        server.arg(format!("--port={port}"));
        let capabilities = Map::from_iter([("browserName".to_owned(), json!("chrome")), ("goog:chromeOptions".to_owned(), options)]);
        Driver::start(server, port, capabilities, &desktop.outside().join("browser.log")).await
    }

    /// Goes to another page.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub async fn go(&self, page: &Url) -> Result<()> {
        self.driver.session()?.goto(page.as_str()).await.doing("another page")
    }

    /// Waits for a page with `css` on it.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with the page that is there instead.
    pub async fn until_shown(&self, css: &str) -> Result<()> {
        wait::until(&format!("the browser shows {css}"), async || {
            let script = "return [document.querySelector(arguments[0]) !== null, location.pathname, document.title]";
            let answer = self.driver.run(script, vec![json!(css)]).await?;
            Ok(Look::when((answer[0] == Value::Bool(true)).then_some(()), answer))
        })
        .await
    }

    /// Fills in the login page.
    ///
    /// # Errors
    /// When it is not shown.
    pub async fn fill_in(&self, email: &str, password: &str) -> Result<()> {
        for (field, text) in [("#username", email), ("#password", password)] {
            self.driver.clear(field).await?;
            self.driver.type_into(field, text).await?;
        }
        Ok(())
    }

    /// Presses a button.
    ///
    /// # Errors
    /// When it cannot be pressed.
    pub async fn press(&self, css: &str) -> Result<()> {
        self.driver.click(css).await
    }

    /// What a person sees, as PNG.
    ///
    /// # Errors
    /// When there is nothing to see.
    pub async fn picture(&self) -> Result<Vec<u8>> {
        self.driver.picture().await
    }

    /// Closes it.
    ///
    /// # Errors
    /// When it does not close.
    pub async fn close(mut self) -> Result<()> {
        self.driver.quit().await
    }
}

/// Whether we may do everything, in which case the browser refuses to start with its own sandbox.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|me| std::os::unix::fs::MetadataExt::uid(&me) == 0)
}

fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The browser's driver: the one that was chosen, on the search path, or where hosted runners keep it.
fn driver_program() -> Result<PathBuf> {
    let chosen = env::var_os("CHROMEDRIVER").map(PathBuf::from);
    let hosted = || Some(PathBuf::from(env::var_os("CHROMEWEBDRIVER")?).join("chromedriver"));
    chosen.or_else(|| which("chromedriver")).or_else(hosted).ok_or_else(|| Error::unexpected("there is no chromedriver; install it"))
}
