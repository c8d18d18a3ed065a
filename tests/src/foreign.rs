//! Identity servers that nobody here wrote, as programs of their own, and the agents that trust them. See `tests/foreign`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;
use url::Url;

use crate::{Desktop, Error, Look, Process, Result, error::While as _, process, wait};

/// A program that says when it is ready, and where.
#[derive(Debug)]
struct Program {
    /// Ends with this.
    _process: Process,
    /// What it says of itself behind `READY`.
    places: Vec<Url>,
}

impl Program {
    async fn start(desktop: &Desktop, name: &str, command: Command) -> Result<Self> {
        let log = desktop.outside().join(format!("{name}.log"));
        // One that was there before has said that it is ready, too.
        let before = fs::read(&log).map_or(0, |log| log.len());
        let mut process = Process::start(command, &log)?;
        let places = wait::until(&format!("{name} is ready"), async || {
            let said = fs::read(&log).unwrap_or_default();
            let said = String::from_utf8_lossy(said.get(before..).unwrap_or_default()).into_owned();
            // A line that is being written has no end yet.
            let ready = said.split_inclusive('\n').find_map(|line| line.strip_prefix("READY ")?.strip_suffix('\n'));
            let places = ready.map(|places| places.split(' ').filter_map(|place| Url::parse(place).ok()).collect::<Vec<_>>());
            if places.is_none() && process.has_ended()? {
                return Err(Error::unexpected(format!("{name} has ended: {said}")));
            }
            Ok(Look::when(places, said))
        })
        .await?;
        Ok(Self { _process: process, places })
    }

    fn place(&self, index: usize) -> Result<&Url> {
        self.places.get(index).ok_or_else(|| Error::unexpected(format!("it says too little of where it is: {:?}", self.places)))
    }
}

fn node(script: &Path) -> Command {
    let mut node = Command::new("node");
    node.arg(script);
    node
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("foreign")
}

/// What is at an address, as text.
async fn fetch(url: &Url) -> Result<String> {
    let failed = |error: &dyn std::fmt::Display| Error::unexpected(format!("{url}: {error}"));
    let http = callbox_link::http_client(url).map_err(|error| failed(&error))?;
    let answer = http.get(url.clone()).send().await.map_err(|error| failed(&error))?;
    answer.text().await.map_err(|error| failed(&error))
}

/// The identity server `oidc-provider`. It forgets everything when it ends.
#[derive(Debug)]
pub struct Tenant {
    port: u16,
    arguments: Vec<String>,
    program: Program,
}

/// What an identity server has in its books.
#[derive(Debug, Clone, Deserialize)]
pub struct Books {
    pub refresh: Vec<RefreshToken>,
    pub clients: Vec<Client>,
    /// Browsers in which somebody is signed in.
    pub sessions: usize,
    pub happened: Vec<Happened>,
}

/// A refresh token that is stored.
#[derive(Debug, Clone, Deserialize)]
pub struct RefreshToken {
    pub client: String,
    /// It has been exchanged.
    pub spent: bool,
    pub rotations: u64,
    /// It is good with the app's key alone (RFC 9449 §5).
    pub bound: bool,
}

/// An app that has registered itself.
#[derive(Debug, Clone, Deserialize)]
pub struct Client {
    pub client_id: String,
    pub application_type: String,
    pub redirect_uris: Vec<String>,
}

/// Something that the server has done or refused to do.
#[derive(Debug, Clone, Deserialize)]
pub struct Happened {
    pub event: String,
    pub grant: Option<String>,
    pub resource: Option<String>,
    /// The request carried a proof of possession.
    pub dpop: bool,
    pub why: Option<String>,
}

impl Books {
    /// How often a refresh token was exchanged for tokens.
    #[must_use]
    pub fn refreshed(&self) -> usize {
        self.happened.iter().filter(|it| it.event == "grant.success" && it.grant.as_deref() == Some("refresh_token")).count()
    }

    /// The refresh tokens that are good.
    pub fn alive(&self) -> impl Iterator<Item = &RefreshToken> {
        self.refresh.iter().filter(|token| !token.spent)
    }

    /// What it has refused.
    #[must_use]
    pub fn refusals(&self) -> Vec<&Happened> {
        self.happened.iter().filter(|it| it.why.is_some()).collect()
    }
}

impl Tenant {
    /// Starts it. `arguments`: what `tests/foreign/tenant.mjs` takes beside the port.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let port = process::free_port()?;
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let program = Self::run(desktop, port, &arguments).await?;
        Ok(Self { port, arguments, program })
    }

    async fn run(desktop: &Desktop, port: u16, arguments: &[String]) -> Result<Program> {
        let mut command = node(&folder().join("tenant.mjs"));
        command.args(["--port", &port.to_string()]).args(arguments);
        Program::start(desktop, "tenant", command).await
    }

    /// Ends it and starts it again at the same place: it knows nobody any more.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn forget_everything(self, desktop: &Desktop) -> Result<Self> {
        let Self { port, arguments, program } = self;
        drop(program);
        let program = Self::run(desktop, port, &arguments).await?;
        Ok(Self { port, arguments, program })
    }

    /// Its issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its books.
    ///
    /// # Errors
    /// When they cannot be read.
    pub async fn books(&self) -> Result<Books> {
        let text = fetch(self.program.place(0)?).await?;
        serde_json::from_str(&text).map_err(|error| Error::unexpected(format!("{error} in {text}")))
    }

    /// Looks at its books until `condition` holds.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what is in them instead.
    pub async fn until(&self, what: &str, condition: impl Fn(&Books) -> bool) -> Result<Books> {
        wait::until(what, async || {
            let books = self.books().await?;
            let seen = format!("{books:?}");
            Ok(Look::when(condition(&books).then_some(books), seen))
        })
        .await
    }
}

/// The hosted agent on the Workers runtime, for tokens of a server elsewhere.
#[derive(Debug)]
pub struct HostedAgent(Program);

impl HostedAgent {
    /// Starts it. What its tokens are for is its own address.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(desktop: &Desktop, issuer: &str) -> Result<Self> {
        let port = process::free_port()?.to_string();
        let mut command = node(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../agent/scripts/serve.mjs"));
        command.args(["--issuer", issuer, "--audience", &format!("http://127.0.0.1:{port}"), "--port", &port]);
        Ok(Self(Program::start(desktop, "agent", command).await?))
    }

    /// Its address.
    ///
    /// # Errors
    /// When it has not said it.
    pub fn address(&self) -> Result<&Url> {
        self.0.place(0)
    }
}

/// Django with the OAuth Toolkit, as a company's own server.
#[derive(Debug)]
pub struct Company(Program);

/// What a company's server has in its books.
#[derive(Debug, Clone, Deserialize)]
pub struct CompanyBooks {
    pub refresh: Vec<CompanyToken>,
    /// Browsers in which somebody is signed in.
    pub sessions: usize,
}

/// A refresh token that is stored there.
#[derive(Debug, Clone, Deserialize)]
pub struct CompanyToken {
    pub client: String,
    /// It has been exchanged, or revoked.
    pub revoked: bool,
}

/// The client as which the company knows this app.
pub const CLIENT_AT_THE_COMPANY: &str = "callbox-at-the-company";
/// What the company's agent asks about tokens with.
const SECRET: &str = "only-on-this-computer";

impl Company {
    /// Starts it. `life`: of an access token, in seconds.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(desktop: &Desktop, life: u32) -> Result<Self> {
        let mut command = Command::new(folder().join(".venv/bin/python"));
        command.arg(folder().join("company.py")).args(["--port", &process::free_port()?.to_string()]);
        command.args(["--agent-secret", SECRET, "--token-life", &life.to_string()]);
        let books = desktop.outside().join("books");
        fs::create_dir_all(&books).doing("a folder for the company's books")?;
        command.arg("--books").arg(books);
        Ok(Self(Program::start(desktop, "company", command).await?))
    }

    /// Its issuer identifier.
    ///
    /// # Errors
    /// When it has not said it.
    pub fn issuer(&self) -> Result<&str> {
        Ok(self.0.place(0)?.as_str())
    }

    /// Looks at its books until `condition` holds.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what is in them instead.
    pub async fn until(&self, what: &str, condition: impl Fn(&CompanyBooks) -> bool) -> Result<CompanyBooks> {
        wait::until(what, async || {
            let text = fetch(self.0.place(1)?).await?;
            let books: CompanyBooks = serde_json::from_str(&text).map_err(|error| Error::unexpected(format!("{error} in {text}")))?;
            Ok(Look::when(condition(&books).then_some(books), text))
        })
        .await
    }
}

/// An agent of the Agents SDK in a Worker, with Cloudflare's library in front of it.
#[derive(Debug)]
pub struct Worker(Program);

impl Worker {
    /// Starts one that issues its own tokens.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(desktop: &Desktop) -> Result<Self> {
        Self::run(desktop, &["worker.mjs"]).await
    }

    /// Starts one that takes the tokens of a company.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn of(desktop: &Desktop, company: &Company) -> Result<Self> {
        let issuer = company.issuer()?;
        let [issuer, introspection] = [format!("ISSUER={issuer}"), format!("INTROSPECTION={issuer}/introspect/")];
        Self::run(desktop, &["looking.mjs", &issuer, &introspection, &format!("SECRET={SECRET}")]).await
    }

    async fn run(desktop: &Desktop, arguments: &[&str]) -> Result<Self> {
        let mut command = node(&folder().join("serve.mjs"));
        command.args(arguments);
        Ok(Self(Program::start(desktop, "worker", command).await?))
    }

    /// The agent's address.
    ///
    /// # Errors
    /// When it has not said where it is.
    pub fn address(&self) -> Result<Url> {
        self.0.place(0)?.join("/agents/chat-agent").map_err(|error| Error::unexpected(error.to_string()))
    }

    /// The names of what it has stored that begin so: `client:`, `grant:`, `token:`.
    ///
    /// # Errors
    /// When its storage cannot be looked at.
    pub async fn stored(&self, prefix: &str) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Page {
            keys: Vec<Key>,
        }
        #[derive(Deserialize)]
        struct Key {
            name: String,
        }
        let mut url = self.0.place(1)?.clone();
        url.query_pairs_mut().append_pair("prefix", prefix);
        let text = fetch(&url).await?;
        let page: Page = serde_json::from_str(&text).map_err(|error| Error::unexpected(format!("{error} in {text}")))?;
        Ok(page.keys.into_iter().map(|key| key.name).collect())
    }

    /// Looks until nothing is stored that begins so.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what is.
    pub async fn until_gone(&self, prefix: &str) -> Result<()> {
        wait::until(&format!("nothing is stored as {prefix}"), async || {
            let left = self.stored(prefix).await?;
            Ok(Look::when(left.is_empty().then_some(()), left))
        })
        .await
    }

    /// The next answer of its token endpoint breaks off, although it has done what it was asked.
    ///
    /// # Errors
    /// When its storage cannot be written.
    pub async fn lose_an_answer(&self) -> Result<()> {
        let failed = |error: &dyn std::fmt::Display| Error::unexpected(error.to_string());
        let url = self.0.place(1)?.join(&format!("/{LOSE}")).map_err(|error| failed(&error))?;
        let http = callbox_link::http_client(&url).map_err(|error| failed(&error))?;
        http.put(url).body("yes").send().await.map(drop).map_err(|error| failed(&error))
    }
}

/// Where the Worker finds that an answer is to be lost.
pub const LOSE: &str = "test:lose-a-reply";
