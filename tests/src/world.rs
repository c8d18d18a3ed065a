//! A tenant and an agent in the test's own process, which can be made to misbehave, and a desktop for the app that talks to them.

use std::{
    ffi::OsStr,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::{Command, ExitStatus},
    sync::Arc,
    time::Duration,
};

use callbox_identity::{CallbackOutcome, Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_sandbox::{Control, SERVICE_CLIENT_ID, Sandbox, SandboxConfig, Visitor};
use callbox_vault::Vault;
use url::Url;

use crate::{
    App, Console, Desktop, Error, Launch, Look, Process, Result,
    error::{While as _, ensure},
    journey::PERSON,
    keychain, testids, wait,
};

/// Everything that the app meets.
#[derive(Debug)]
pub struct World {
    pub desktop: Desktop,
    pub sandbox: Sandbox,
    profile: PathBuf,
}

impl World {
    /// A fresh desktop, an empty keychain, a tenant that forgives a lost reply as Auth0 can be told to.
    ///
    /// # Errors
    /// When there is no desktop.
    pub async fn new() -> Result<Self> {
        Self::with(SandboxConfig::default(), None).await
    }

    /// The same with another agent than the sandbox's, which takes the tokens of a tenant at this port.
    ///
    /// # Errors
    /// When there is no desktop, or the port is taken.
    pub async fn around(agent: Url, tenant_port: u16) -> Result<Self> {
        let tenant = SocketAddr::from((Ipv4Addr::LOCALHOST, tenant_port));
        Self::with(SandboxConfig { tenant, agent: None, ..SandboxConfig::default() }, Some(agent)).await
    }

    async fn with(config: SandboxConfig, agent: Option<Url>) -> Result<Self> {
        keychain::clear().await?;
        let desktop = Desktop::new()?;
        let config = SandboxConfig { refresh_overlap: Duration::from_secs(30), ..config };
        let sandbox = Sandbox::start(config).await.map_err(|error| Error::unexpected(error.to_string()))?;
        let profile = desktop.outside().join("profile.toml");
        let text = format!(
            "id = \"house\"\nname = \"House agent\"\nagent = \"{}\"\nissuer = \"{}\"\nclient_id = \"{}\"\naudience = \"{}\"\nclient_tools = [\"time-zone\"]\n\
             service_client_id = \"{SERVICE_CLIENT_ID}\"\n",
            agent.unwrap_or_else(|| sandbox.agent_url()),
            sandbox.issuer(),
            sandbox.client_id(),
            sandbox.audience()
        );
        fs::write(&profile, text).doing("the profile")?;
        Ok(Self { desktop, sandbox, profile })
    }

    /// Has the profile say that tokens are bound to the computer, for everything that is started from now on.
    ///
    /// # Errors
    /// When the profile cannot be written.
    pub fn bind(&self) -> Result<()> {
        let text = fs::read_to_string(&self.profile).doing("the profile")?;
        fs::write(&self.profile, text + "dpop = \"required\"\n").doing("the profile")
    }

    /// How the app is started to talk to this tenant and agent.
    #[must_use]
    pub fn launch(&self) -> Launch {
        Launch::with(["--profile".to_owned(), self.profile.display().to_string()])
    }

    /// Makes tenant and agent misbehave, and tells what they were asked.
    #[must_use]
    pub fn control(&self) -> &Control {
        self.sandbox.control()
    }

    /// The app, not signed in.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn app(&self) -> Result<App> {
        let app = App::start(&self.desktop, &self.launch()).await?;
        app.window().screen("sign-in").await?;
        Ok(app)
    }

    /// Has the app be here for the first time; afterwards the system leads its links to it.
    ///
    /// # Errors
    /// When it does not.
    pub async fn registered(&self) -> Result<()> {
        let app = self.app().await?;
        // It registers itself beside everything else, and an app that has ended does not.
        wait::until("the app is registered for its links", async || {
            let mut question = self.desktop.command("xdg-mime");
            let answer = question.args(["query", "default", "x-scheme-handler/dev.callbox.desktop"]).output();
            let answer = String::from_utf8_lossy(&answer.doing("xdg-mime could not be started")?.stdout).trim().to_owned();
            Ok(Look::when((!answer.is_empty()).then_some(()), answer))
        })
        .await?;
        app.close().await
    }

    /// The app, signed in by the link that the desktop brings.
    ///
    /// # Errors
    /// At the first step that does not do what it has to.
    pub async fn signed_in(&self) -> Result<App> {
        let app = self.app().await?;
        let page = self.begin(&app).await?;
        let link = self.callback(&page).await?;
        self.deliver(&link).await?;
        app.window().screen("main").await?;
        Ok(app)
    }

    /// Presses “Sign in” and gives the page that the app opened in the system's browser.
    ///
    /// # Errors
    /// When it opens none.
    pub async fn begin(&self, app: &App) -> Result<Url> {
        let known = self.desktop.opened_pages().len();
        app.window().click(testids::SIGN_IN).await?;
        self.desktop.opened_page(known).await
    }

    /// The link with which the tenant sends the browser back, after somebody has signed in at `page`.
    ///
    /// # Errors
    /// When the tenant does not send it back.
    pub async fn callback(&self, page: &Url) -> Result<String> {
        let visit = async { Visitor::new()?.sign_in(page, PERSON).await };
        visit.await.map_err(|error| Error::unexpected(error.to_string()))
    }

    /// Signs in as the app does, with a session like its own and into the same keychain, for tests that need no window.
    ///
    /// # Errors
    /// When the tenant or the keychain do not take part.
    pub async fn sign_in(&self) -> Result<Session> {
        let unexpected = |error: &dyn std::fmt::Display| Error::unexpected(error.to_string());
        let issuer = Issuer::try_from(self.sandbox.issuer()).map_err(|error| unexpected(&error))?;
        let mut profile = Profile::new("house", self.sandbox.agent_url(), issuer, self.sandbox.client_id());
        profile.audience = Some(self.sandbox.audience().to_owned());
        let http = callbox_link::http_client(profile.issuer.url()).map_err(|error| unexpected(&error))?;
        let vault = Vault::system(keychain::SERVICE);
        let config = Config { profile, vault, http, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
        let session = Session::spawn_shared(config, self.desktop.data().join("locks"));
        let start = session.begin_sign_in().await.map_err(|error| unexpected(&error))?;
        let link = self.callback(&start.url).await?;
        let outcome = session.handle_callback(&link).await;
        ensure(outcome == CallbackOutcome::Completed, || format!("nobody is signed in: {outcome:?}"))?;
        let kept = keychain::entries()?;
        ensure(kept.iter().any(|entry| entry.user.starts_with("session-")), || format!("the sign-in is not in the keychain: {kept:?}"))?;
        Ok(session)
    }

    /// `callbox ask`, with the profile of this world, as from a terminal without a desktop.
    pub fn asking<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.commanding(["ask"]);
        command.args(arguments);
        command
    }

    /// A command of the app (the first argument), with the profile of this world, as from a terminal without a desktop.
    pub fn commanding<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut arguments = arguments.into_iter();
        let mut command = self.bare(arguments.by_ref().take(1));
        command.arg("--profile").arg(&self.profile).args(arguments);
        command
    }

    /// The same without a profile.
    pub fn bare<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = self.desktop.command(self.desktop.app());
        command.args(arguments);
        command.env_remove("DISPLAY").env_remove("WAYLAND_DISPLAY").env("CALLBOX_LOG", "warn");
        command
    }

    /// [`World::asking`], started.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn ask<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Result<Console> {
        Console::start(self.asking(arguments))
    }

    /// Opens a link as any program on a desktop does, and returns when that is done.
    ///
    /// # Errors
    /// When nobody takes it.
    pub async fn deliver(&self, link: &str) -> Result<ExitStatus> {
        self.open(link)?.ended().await
    }

    /// Opens a link as any program on a desktop does. An app that is started by it goes on running until the result is dropped.
    ///
    /// # Errors
    /// When the opener cannot be started.
    pub fn open(&self, link: &str) -> Result<Process> {
        let mut opener = self.desktop.command("xdg-open");
        opener.arg(link).env("CALLBOX_LOG", "trace");
        Process::start(opener, &crate::app::log(&self.desktop))
    }
}
