//! Builds the app and starts it with a tenant and an agent that need no account, no key and no network.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::Args;

use crate::process::Cmd;
use crate::setup::{self, Need};
use crate::{agent, session, ui, workspace};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Talk to the hosted agent of agent/ on a local Workers runtime instead of the one inside the app.
    #[arg(long)]
    agent: bool,
    /// Compile the front end without optimisation.
    #[arg(long)]
    debug: bool,
    /// Walk the journey without a person even if there is a display.
    #[arg(long)]
    journey: bool,
    /// Passed to the app.
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let alone = options.journey || !session::has_display();
    let mut needs = vec![Need::App];
    if alone {
        needs.extend([Need::Browser, Need::VirtualDesktop]);
    }
    setup::system(&needs)?;
    ui::build(&ui::Options::for_run(options.debug))?;
    build_app()?;
    let running = if options.agent { Some(agent::Running::start()?) } else { None };
    if alone { journey(running.as_ref()) } else { window(options, running.as_ref()) }
}

/// Compiles the app and the programs that drive it, with the very features that the tests use, so that nothing is compiled twice.
pub(crate) fn build_app() -> Result<()> {
    Cmd::cargo().args(["build", "--workspace", "--exclude", "callbox-ui", "--exclude", "xtask", "--bins"]).run()
}

fn window(options: &Options, agent: Option<&agent::Running>) -> Result<()> {
    let mut app = Cmd::new(workspace::debug_binary("callbox")).arg("--sandbox");
    if let Some(agent) = agent {
        app = app.args(["--sandbox-port", &agent.tenant_port().to_string(), "--agent", agent.url()]);
    }
    app.args(&options.arguments).run()
}

/// Nobody is there to look: a program walks the whole way by itself and leaves what it saw.
fn journey(agent: Option<&agent::Running>) -> Result<()> {
    println!("There is no display: walking through sign-in, an answer, a denial and an approval on a virtual one.");
    let folder = fresh_folder()?;
    let mut walk =
        Cmd::new(workspace::debug_binary("journey")).arg("--app").arg(workspace::debug_binary("callbox")).arg("--out").arg(&folder);
    if let Some(agent) = agent {
        walk = walk.args(["--sandbox-port", &agent.tenant_port().to_string(), "--agent", agent.url()]);
    }
    let desktop = session::Session::new()?;
    let outcome = desktop.wrap(walk).run();
    println!("Screenshots and the transcript are in {}", folder.display());
    outcome
}

fn fresh_folder() -> Result<PathBuf> {
    let folder = workspace::target().join("journey");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}
