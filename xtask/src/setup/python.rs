//! Python packages, in a folder of their own, exactly as requirements.txt has them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::{Need, system};
use crate::process::Cmd;
use crate::workspace;

/// Installs the packages of `folder` into its `.venv` unless those of the very same list are there.
pub(crate) fn ensure(folder: &Path, why: &str) -> Result<()> {
    let list = folder.join("requirements.txt");
    let wanted = fs::read(&list).with_context(|| format!("{} cannot be read", list.display()))?;
    let place = folder.join(".venv");
    // A copy of the list among the packages: written last, so an interrupted installation starts again.
    let stamp = place.join("installed.txt");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    // Whoever has a Python of their own may have no package of that name.
    if Cmd::new("python3").args(["-c", "import ensurepip, venv"]).probe().is_none() {
        system(&[Need::Python])?;
    }
    println!("Installing Python packages in {}: {why}.", folder.strip_prefix(workspace::root()).unwrap_or(folder).display());
    Cmd::new("python3").args(["-m", "venv", "--clear", ".venv"]).dir(folder).run()?;
    let pip =
        ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "-r", "requirements.txt"];
    Cmd::new(place.join("bin").join("python")).args(pip).dir(folder).run()?;
    fs::write(&stamp, wanted).with_context(|| format!("{} cannot be written", stamp.display()))
}
