//! macOS: the command line developer tools; the web view and the keychain are part of the system.

use anyhow::{Result, bail};

use super::Need;
use crate::process::Cmd;
use crate::workspace;

/// Installs what is missing for `needs`.
pub(super) fn ensure(needs: &[Need]) -> Result<()> {
    if Cmd::new("xcode-select").arg("--print-path").probe().is_none() {
        println!("Installing the command line developer tools: compiler, linker and system headers. Confirm in the window that opens.");
        Cmd::new("xcode-select").arg("--install").run()?;
        bail!("run this command again once the developer tools are installed");
    }
    if needs.contains(&Need::Browser) && workspace::which("chromedriver").is_none() && workspace::which("safaridriver").is_none() {
        bail!("no browser driver was found: run `sudo safaridriver --enable` once, or install Chrome and chromedriver");
    }
    Ok(())
}
