//! npm packages, exactly as the lock file has them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::process::Cmd;
use crate::workspace;

/// The oldest Node that the project's tools run on.
const MINIMUM_NODE: (u32, u32) = (20, 0);

/// Installs the packages of `folder` unless those of the very same lock file are there.
pub(crate) fn ensure(folder: &Path, why: &str) -> Result<()> {
    let lock = folder.join("package-lock.json");
    let wanted = fs::read(&lock).with_context(|| format!("{} cannot be read", lock.display()))?;
    // A copy of the lock file among the packages: written last, so an interrupted installation starts again.
    let stamp = folder.join("node_modules").join(".installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    check_node()?;
    println!("Installing npm packages in {}: {why}.", folder.strip_prefix(workspace::root()).unwrap_or(folder).display());
    npm().args(["ci", "--no-audit", "--no-fund", "--loglevel=error"]).dir(folder).run()?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}

/// npm under the name that this system can start.
pub(crate) fn npm() -> Cmd {
    Cmd::new(if cfg!(windows) { "npm.cmd" } else { "npm" })
}

fn check_node() -> Result<()> {
    let (major, minor) = MINIMUM_NODE;
    let Some(found) = Cmd::new("node").arg("--version").probe() else {
        bail!("Node was not found. Install Node {major}.{minor} or newer, with npm, and run this again.");
    };
    match workspace::version(found.trim().trim_start_matches('v')) {
        Some(version) if version >= MINIMUM_NODE => Ok(()),
        _ => bail!("Node {} is too old: {major}.{minor} or newer is needed.", found.trim()),
    }
}
