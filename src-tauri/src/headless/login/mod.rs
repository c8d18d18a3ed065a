//! `callbox login`: the window's sign-in from a terminal. Same keychain, same locks, same session.

mod browser;

use std::{
    io::{self, BufRead as _, Write as _},
    path::PathBuf,
    time::Duration,
};

use callbox_identity::{Account, SessionState, SignInError, SignedOutReason, Storage};
use callbox_ipc::{ProfileView, ProvenanceStep};
use callbox_vault::{Vault, VaultError};
use clap::Args;
use tokio::{sync::mpsc, task::JoinSet, time::timeout};
use url::Url;

use self::browser::Browser;
use super::{FAILED, INTERRUPTED, UNAVAILABLE, USAGE, account::complain, exit_code, interrupts::Interrupts, plain};
use crate::{
    IDENTIFIER,
    core::{AddError, Entrance, EntranceError},
    deep_link::{self, Owner},
    folders::Folders,
    letterbox::{Letter, Letterbox},
};

/// How long the end of a sign-in waits for those who have brought links to it.
const ANSWERING: Duration = Duration::from_secs(2);

/// Sign in without a window. The sign-in is the window's: kept in the keychain, and there for “callbox ask”.
///
/// The sign-in server's page is opened in a browser, which comes back by itself: by the app's own link where there is a display and that link is this
/// program's, else to a port of this computer. Where the browser is on another computer, paste the address
/// that it ends at here. If no browser can be opened, the page's address is on stdout; all else is on stderr.
///
/// Ctrl-C gives up.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  somebody is signed in, now or already
   1  the sign-in did not succeed; stderr says why
   2  the command line is wrong
  65  the profile is not what it should be
  66  the profile cannot be read
  69  the agent, the sign-in server or the keychain cannot be reached or refuses; stderr says which
 130  interrupted")]
pub(crate) struct Options {
    /// The agent and tenant to use, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE", conflicts_with = "agent")]
    pub profile: Option<PathBuf>,

    /// Add the agent at this address, by what it says about itself, and sign in to it. How it was found is told before anybody signs in.
    #[arg(long, value_name = "URL")]
    pub agent: Option<String>,

    /// The client id that you were given for the agent; without, this installation is registered at its sign-in server.
    #[arg(long, value_name = "ID", requires = "agent")]
    pub client_id: Option<String>,

    /// Sign in one more account beside those that are signed in.
    #[arg(long)]
    pub another: bool,

    /// Open the page with this command: its words, and the address in place of %s or behind them. No shell reads it (default: BROWSER, else the
    /// desktop's browser).
    #[arg(long, value_name = "CMD")]
    pub browser: Option<String>,

    /// Have the browser come back to a port of this computer, whatever the app's own link would do.
    #[arg(long)]
    pub loopback: bool,
}

/// Why nobody is signed in.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Entrance(#[from] EntranceError),
    /// It would end with this process.
    #[error("A sign-in without a window has to be kept in the keychain. {0}")]
    NotKept(VaultError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error("The sign-in did not succeed. Try again.")]
    Ended,
    #[error("Stopped.")]
    Interrupted,
}

impl Failure {
    fn exit_code(&self) -> u8 {
        match self {
            Self::Entrance(EntranceError::Workspace(error)) => exit_code(error),
            Self::Entrance(EntranceError::Add(AddError::Address)) => USAGE,
            Self::Entrance(EntranceError::Settings(_)) | Self::Ended => FAILED,
            Self::Entrance(EntranceError::Add(_))
            | Self::NotKept(_)
            | Self::SignIn(SignInError::Discovery(_) | SignInError::Trouble(_)) => UNAVAILABLE,
            Self::SignIn(_) => FAILED,
            Self::Interrupted => INTERRUPTED,
        }
    }
}

/// Runs `callbox login`; the exit code comes back.
pub(crate) fn run(options: &Options) -> u8 {
    let Some(folders) = Folders::find() else {
        return complain("Callbox does not know where its files are. Set HOME to your home folder, then try again.", FAILED);
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("core").build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("Callbox could not start ({error})."), FAILED),
    };
    let done = runtime.block_on(async {
        let (mut interrupts, vault) = (Interrupts::listen(), Vault::system(IDENTIFIER));
        let entrance = tokio::select! {
            biased;
            () = interrupts.first() => return Err(Failure::Interrupted),
            entrance = enter(options, &folders, &vault) => entrance?,
        };
        let done = sign_in(options, &entrance, &vault, &mut interrupts).await;
        // An agent that somebody wants to sign in to is the one to begin with, as in the window.
        let remembered = entrance.remember(&folders).map_err(EntranceError::from);
        entrance.leave(&vault).await;
        let done = done?;
        remembered?;
        Ok(done)
    });
    // A keychain that does not answer holds nobody up, nor does somebody who does not type.
    runtime.shutdown_background();
    match done {
        Ok(text) => complain(&text, 0),
        Err(failure) => complain(&failure.to_string(), failure.exit_code()),
    }
}

async fn enter(options: &Options, folders: &Folders, vault: &Vault) -> Result<Entrance, EntranceError> {
    let Some(address) = &options.agent else { return Entrance::at(folders, options.profile.as_deref(), options.another, vault).await };
    let client_id = options.client_id.as_deref().map(str::trim).filter(|client_id| !client_id.is_empty());
    let entrance = Entrance::to_agent(folders, address, client_id, options.another, vault).await?;
    for step in entrance.profile().provenance {
        say(&found(&step));
    }
    Ok(entrance)
}

/// Lets somebody in who is not in already. A sentence about it comes back.
async fn sign_in(options: &Options, entrance: &Entrance, vault: &Vault, interrupts: &mut Interrupts) -> Result<String, Failure> {
    let profile = entrance.profile();
    if let Some(account) = entrance.signed_in() {
        return Ok(format!(
            "{} is signed in to {} already. “callbox logout” signs out, “callbox login --another” lets somebody else in beside.",
            person(account),
            profile.name
        ));
    }
    let prepared = async {
        if let Some(why) = Entrance::would_not_last(vault).await {
            return Err(Failure::NotKept(why));
        }
        Ok(Waiting::begin(options, entrance, &profile).await?)
    };
    let waiting = tokio::select! {
        biased;
        () = interrupts.first() => return Err(Failure::Interrupted),
        waiting = prepared => waiting?,
    };
    let done = waiting.run(interrupts).await;
    if done.is_err() {
        entrance.session().cancel_sign_in().await;
    }
    match done? {
        (account, Storage::Keychain) => Ok(format!("Signed in to {} as {}, kept in the keychain.", profile.name, person(&account))),
        (_, Storage::SessionOnly(why)) => Err(Failure::NotKept(why)),
    }
}

/// A sign-in that waits for somebody at a browser.
struct Waiting<'a> {
    entrance: &'a Entrance,
    letterbox: Option<Letterbox>,
    page: Url,
    browser: Browser,
    /// The page for a browser that does not come back by the app's own link.
    other_page: Option<Url>,
}

impl<'a> Waiting<'a> {
    async fn begin(options: &Options, entrance: &'a Entrance, profile: &ProfileView) -> Result<Self, SignInError> {
        let browser = Browser::choose(options.browser.as_deref());
        // Where there is no display, the browser is on another computer, and so is whoever would get the app's own link.
        let letterbox = if options.loopback || !browser::has_desktop() { None } else { letterbox().await };
        let session = entrance.session();
        let start = session.begin_sign_in().await?;
        // The same attempt, and whichever way comes back first.
        let loopback = session.open_loopback(start.attempt).await;
        let (page, other_page) = match (&letterbox, loopback) {
            (Some(_), loopback) => (start.url, loopback.ok().map(|start| start.url)),
            (None, Ok(loopback)) => (loopback.url, None),
            (None, Err(error)) => {
                say(&error.to_string());
                (start.url, None)
            }
        };
        say(&format!("Signing in to {} at {}.", profile.name, profile.tenant_host));
        Ok(Self { entrance, letterbox, page, browser, other_page })
    }

    async fn run(self, interrupts: &mut Interrupts) -> Result<(Account, Storage), Failure> {
        let mut letters = JoinSet::new();
        let done = self.wait(interrupts, &mut letters).await;
        // Whoever has brought a link waits to hear whose it was.
        let _ = timeout(ANSWERING, async { while letters.join_next().await.is_some() {} }).await;
        done
    }

    async fn wait(&self, interrupts: &mut Interrupts, letters: &mut JoinSet<()>) -> Result<(Account, Storage), Failure> {
        let mut failed = self.open_browser().await;
        say("Waiting for the browser. Ctrl-C gives up.");
        match &self.other_page {
            Some(page) => {
                say(&format!("If it does not come back by itself, open this page instead, or paste the address it ends at here:\n  {page}"))
            }
            None => say("If it is on another computer, paste the address it ends at here."),
        }
        let (session, mut lines) = (self.entrance.session(), typed());
        let mut states = session.state();
        loop {
            match states.borrow_and_update().clone() {
                SessionState::SignedIn { account, storage } => return Ok((account, storage)),
                SessionState::SignedOut { reason: Some(SignedOutReason::SignInFailed(why)) } => return Err(why.into()),
                SessionState::SignedOut { .. } => return Err(Failure::Ended),
                SessionState::Restoring | SessionState::SigningIn { .. } => {}
            }
            tokio::select! {
                biased;
                () = interrupts.first() => return Err(Failure::Interrupted),
                changed = states.changed() => if changed.is_err() { return Err(SignInError::Closed.into()) },
                letter = next(self.letterbox.as_ref()) => {
                    let session = session.clone();
                    // The exchange takes its time, and another link may come meanwhile.
                    letters.spawn(async move {
                        let (ours, _) = Entrance::deliver(&session, letter.link.expose()).await;
                        letter.answer(ours).await;
                    });
                }
                Some(line) = lines.recv() => if let (_, Some(why)) = Entrance::deliver(session, &line).await { say(&why.text) },
                Some(why) = failed.recv() => self.give_address(&why),
            }
        }
    }

    /// Opens the page, or says where it is. The receiver tells if it was not opened after all.
    async fn open_browser(&self) -> mpsc::UnboundedReceiver<String> {
        match self.browser.open(&self.page).await {
            Ok(failed) => failed,
            Err(why) => {
                self.give_address(&why);
                mpsc::unbounded_channel().1
            }
        }
    }

    fn give_address(&self, why: &str) {
        say(&format!("No browser was opened ({why}). Open this address:"));
        // Whoever closes stdout does not want to know.
        let _ = writeln!(io::stdout(), "{}", self.page);
    }
}

/// Where the app's own link would reach this process, if it would.
async fn letterbox() -> Option<Letterbox> {
    let owner = tokio::task::spawn_blocking(deep_link::owner).await;
    if owner.is_ok_and(|owner| owner == Owner::Us) {
        Letterbox::open().inspect_err(|error| tracing::info!(%error, "the app's own link cannot be handed to this process")).ok().flatten()
    } else {
        None
    }
}

async fn next(letterbox: Option<&Letterbox>) -> Letter {
    match letterbox {
        Some(letterbox) => letterbox.next().await,
        None => std::future::pending().await,
    }
}

/// The lines that are typed from now on. A thread reads them, which holds up nobody's end.
fn typed() -> mpsc::UnboundedReceiver<String> {
    let (lines, read) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok).filter(|line| !line.trim().is_empty()) {
            if lines.send(line).is_err() {
                return;
            }
        }
    });
    read
}

fn person(account: &Account) -> String {
    account.email.as_ref().map_or_else(|| account.name.clone(), |email| format!("{} ({email})", account.name))
}

/// One step on the way from an agent's address to its tenant, as a sentence.
fn found(step: &ProvenanceStep) -> String {
    let ProvenanceStep { step, detail } = step;
    match step.as_str() {
        "challenged" => format!("The agent asked for a token ({detail})."),
        "resource" => format!("What the agent says of itself: {detail}"),
        "also-named" => format!("It also trusts {detail}, which was not chosen."),
        "tenant" => format!("What its sign-in server says of itself: {detail}"),
        "registered" => format!("That server has registered this app, which it sends back to {detail}"),
        "bound" => "Tokens are bound to this computer: both the agent and the server say so.".to_owned(),
        "client-given" => "You have brought the client id.".to_owned(),
        other => format!("{other}: {detail}"),
    }
}

/// Says something on stderr.
fn say(text: &str) {
    let _ = writeln!(io::stderr(), "{}", plain::prose(text));
}

#[cfg(test)]
mod tests {
    use callbox_identity::{DiscoveryError, Trouble};
    use clap::Parser;

    use super::*;
    use crate::core::WorkspaceError;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn the_command_line_names_an_agent_by_file_or_by_address() {
        let parsed = |arguments: &[&str]| {
            let arguments = std::iter::once("login").chain(arguments.iter().copied());
            Line::try_parse_from(arguments).map(|line| line.options).map_err(|error| error.exit_code())
        };
        let options =
            parsed(&["--agent", "agent.example/agents/a", "--client-id", "c", "--browser", "firefox -P x", "--loopback"]).unwrap();
        assert_eq!((options.agent.as_deref(), options.browser.as_deref()), (Some("agent.example/agents/a"), Some("firefox -P x")));
        assert!(options.loopback && parsed(&[]).is_ok());
        for wrong in [&["--client-id", "c"][..], &["--agent", "a", "--profile", "p"], &["more"]] {
            assert_eq!(parsed(wrong).err(), Some(2), "{wrong:?}");
        }
    }

    #[test]
    fn each_end_has_its_exit_code() {
        let trouble = || SignInError::Trouble(Trouble::Unreachable);
        for (failure, exit) in [
            (Failure::Entrance(EntranceError::Workspace(WorkspaceError::NoProfile("x".to_owned()))), 66),
            (Failure::Entrance(EntranceError::Add(AddError::Address)), 2),
            (Failure::Entrance(EntranceError::Add(AddError::Find(callbox_identity::FindError::Untold))), 69),
            (Failure::NotKept(VaultError::Locked), 69),
            (trouble().into(), 69),
            (SignInError::Discovery(DiscoveryError::NotFound { status: 404 }).into(), 69),
            (SignInError::Declined.into(), 1),
            (SignInError::Expired.into(), 1),
            (Failure::Interrupted, 130),
        ] {
            assert_eq!(failure.exit_code(), exit, "{failure:?}");
        }
    }

    #[test]
    fn every_step_on_the_way_to_a_tenant_has_its_sentence_as_in_the_window() {
        let window = include_str!("../../../../ui/locales/en.ftl");
        for line in window.lines().filter(|line| line.starts_with("step-")) {
            let (name, sentence) = line.split_once(" = ").unwrap();
            let step = ProvenanceStep { step: name["step-".len()..].to_owned(), detail: "x".to_owned() };
            assert_eq!(found(&step), sentence.replace("{ $detail }", "x"));
        }
    }
}
