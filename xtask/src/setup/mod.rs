//! Brings the machine into the state that a command needs.
//!
//! What is there is left alone; what is missing is named with its reason before it is installed. When nothing is missing this says nothing
//! and takes well under a second. System packages come from the system's own package manager; nothing else is ever downloaded but what
//! Cargo.lock, the package-lock.json files, requirements.txt and the user's own rustup name.

#[cfg(target_os = "linux")]
#[path = "linux.rs"]
mod system;
#[cfg(target_os = "macos")]
#[path = "macos.rs"]
mod system;
#[cfg(windows)]
#[path = "windows.rs"]
mod system;

pub(crate) mod npm;
pub(crate) mod python;

use anyhow::{Result, bail};

#[cfg(target_os = "linux")]
pub(crate) use system::wasm_fallback_packages;

use crate::process::Cmd;
use crate::toolchain::WasmToolchain;
use crate::{agent, workspace};

/// What a command is about to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need {
    /// Compile the app and link it to the system's web view.
    App,
    /// Run wasm tests in a headless browser.
    Browser,
    /// Run the app on a virtual display with a keychain, a link handler and a browser.
    VirtualDesktop,
    /// Compile the fuzzer's engine, which is C++.
    Fuzzer,
    /// Run Python with packages of its own.
    Python,
}

/// Installs the system's packages for these needs.
pub(crate) fn system(needs: &[Need]) -> Result<()> {
    system::ensure(needs)
}

/// Installs whatever any command would install.
pub(crate) fn everything() -> Result<()> {
    let mut needs = vec![Need::App, Need::Browser];
    if cfg!(target_os = "linux") {
        needs.push(Need::VirtualDesktop);
    }
    system(&needs)?;
    let wasm = WasmToolchain::ensure()?;
    npm::ensure(&bundler_tools(), "the Tauri bundler, for `cargo xtask bundle`")?;
    if agent::exists() {
        npm::ensure(&agent::folder(), "the hosted agent and the local Workers runtime it is tested on")?;
    }
    println!("Everything is in place; the front end is compiled with {}.", wasm.describe());
    Ok(())
}

/// The folder with the npm packages that only bundling needs.
pub(crate) fn bundler_tools() -> std::path::PathBuf {
    workspace::root().join("xtask").join("tools")
}

/// A command with the rights to change the system: as it is for root, by sudo for others.
pub(crate) fn as_root(program: &str) -> Result<Cmd> {
    let quiet = "DEBIAN_FRONTEND=noninteractive";
    if Cmd::new("id").arg("-u").probe().is_some_and(|id| id.trim() == "0") {
        Ok(Cmd::new("env").args([quiet, program]))
    } else if workspace::which("sudo").is_some() {
        Ok(Cmd::new("sudo").args(["env", quiet, program]))
    } else {
        bail!("system packages are missing, and this is neither root nor is there sudo: ask an administrator for them")
    }
}
