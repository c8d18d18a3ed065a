//! The app, started as a person would start it and driven through its own web view.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Map, json};

use crate::{Desktop, Driver, Error, Look, Result, Window, error::While as _, keychain, process, screen, wait};

/// A running app with its window. It ends when this is dropped.
#[derive(Debug)]
pub struct App {
    driver: Driver,
    pid: u32,
}

/// Lets a test add to what the app is started with.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    arguments: Vec<String>,
}

impl Launch {
    /// The arguments on the command line.
    pub fn with<S: Into<String>>(arguments: impl IntoIterator<Item = S>) -> Self {
        Self { arguments: arguments.into_iter().map(Into::into).collect() }
    }

    /// The tenant and the agent that are built in.
    #[must_use]
    pub fn sandbox() -> Self {
        Self::with(["--sandbox"])
    }

    /// The built-in tenant at this port, and another agent than the built-in one.
    #[must_use]
    pub fn sandbox_with(port: Option<u16>, agent: Option<&str>) -> Self {
        let mut arguments = vec!["--sandbox".to_owned()];
        arguments.extend(port.map(|port| format!("--sandbox-port={port}")));
        arguments.extend(agent.map(|agent| format!("--agent={agent}")));
        Self::with(arguments)
    }

    /// One more argument.
    #[must_use]
    pub fn and(mut self, argument: &str) -> Self {
        self.arguments.push(argument.to_owned());
        self
    }
}

impl App {
    /// Starts it; returns when its page can be asked and its window can be closed.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(desktop: &Desktop, launch: &Launch) -> Result<Self> {
        alone().await?;
        let port = process::free_port()?;
        let mut server = desktop.command("WebKitWebDriver");
        server.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
        // Everything is logged, so that the tests for what must not be in a log have something to search.
        server.env("CALLBOX_LOG", "trace");
        let options = json!({ "binary": desktop.app(), "args": launch.arguments });
        let capabilities = Map::from_iter([("webkitgtk:browserOptions".to_owned(), options)]);
        let driver = Driver::start(server, port, capabilities, &log(desktop)).await?;
        let children = process::descendants(&process::running(), driver.server());
        let found = children.iter().find(|process| process.executable == desktop.app());
        let pid = found.ok_or_else(|| Error::unexpected(format!("the app does not run: {children:?}")))?.pid;
        // A page may be there before its window is on the screen.
        wait::until("the window is on the screen", async || Ok(Look::when(screen::has_window(pid)?.then_some(()), "none"))).await?;
        Ok(Self { driver, pid })
    }

    /// What is in the window.
    #[must_use]
    pub fn window(&self) -> Window<'_> {
        Window::new(&self.driver)
    }

    /// The process id of the app.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// The processes that draw the window and run its page.
    #[must_use]
    pub fn web_processes(&self) -> Vec<u32> {
        let is_web = |process: &process::Running| process.executable.file_name().is_some_and(|name| name == "WebKitWebProcess");
        process::descendants(&process::running(), self.pid).iter().filter(|process| is_web(process)).map(|process| process.pid).collect()
    }

    /// Closes the window, as a person does, and returns when the app has ended by itself.
    ///
    /// # Errors
    /// When it goes on running.
    pub async fn close(mut self) -> Result<()> {
        screen::close_window_of(self.pid)?;
        self.ended().await?;
        // The session has lost its app; there is nothing left that could fail.
        let _ = self.driver.quit().await;
        Ok(())
    }

    /// Ends it without a word, as a crash or a power cut does.
    ///
    /// # Errors
    /// When it cannot be ended.
    pub async fn kill(mut self) -> Result<()> {
        process::kill(self.pid)?;
        self.ended().await?;
        let _ = self.driver.quit().await;
        Ok(())
    }

    async fn ended(&self) -> Result<()> {
        wait::until("the app ends", async || {
            let left = process::running().into_iter().find(|process| process.pid == self.pid);
            Ok(Look::when(left.is_none().then_some(()), left))
        })
        .await
    }
}

/// Waits until no other app answers for this one. A program that has ended may own its name on the bus for a moment longer.
async fn alone() -> Result<()> {
    let bus = "org.freedesktop.DBus";
    let name = format!("{}.SingleInstance", keychain::SERVICE);
    let question = ["call", "--session", "--dest", bus, "--object-path", "/org/freedesktop/DBus", "--method"];
    wait::until("no other app runs on this desktop", async || {
        let asked = Command::new("gdbus").args(question).arg(format!("{bus}.NameHasOwner")).arg(&name).output();
        let answer = String::from_utf8_lossy(&asked.doing("gdbus could not be started")?.stdout).trim().to_owned();
        Ok(Look::when((answer == "(false,)").then_some(()), answer))
    })
    .await
}

/// Where everything that the app (and what it starts) writes on its error output ends.
#[must_use]
pub fn log(desktop: &Desktop) -> PathBuf {
    desktop.outside().join("app.log")
}

/// The last lines of a log, for a test that has failed.
#[must_use]
pub fn tail(log: &Path, lines: usize) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    // At the lowest level libraries print whole frames.
    let all: Vec<String> = text.lines().map(|line| line.chars().take(200).collect()).collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}
