//! The package that people install, held against its limits, and tried on this machine if asked.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::process::Cmd;
use crate::setup::{self, Need, npm};
use crate::{session, sizes, ui, workspace};

/// Limits in bytes.
const PACKAGE_LIMIT: u64 = 9_000_000;
const FRONT_END_LIMIT: u64 = 350_000;

/// The project's own key, with which every package is signed beside what the system asks for.
const SIGNING_KEY: &str = "TAURI_SIGNING_PRIVATE_KEY";

/// The scheme that the package registers, and its name as a package.
const SCHEME_TYPE: &str = "x-scheme-handler/dev.callbox.desktop";
const PACKAGE: &str = "callbox";

/// How long the installed app may take to show its window on a slow machine.
const WINDOW: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Install the package on this machine, start it on a virtual desktop, check its link handler, and remove it again (Linux).
    #[arg(long)]
    smoke: bool,
    /// Passed to the Tauri bundler, for example `--target universal-apple-darwin`.
    #[arg(last = true)]
    bundler: Vec<String>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut needs = vec![Need::App];
    if options.smoke {
        ensure!(cfg!(target_os = "linux"), "--smoke tries the .deb, so it works on Linux only");
        needs.push(Need::VirtualDesktop);
    }
    setup::system(&needs)?;
    npm::ensure(&setup::bundler_tools(), "the Tauri bundler")?;
    let page = ui::build(&ui::Options::default())?;

    let started = SystemTime::now();
    bundler().args(["build", "--ci", "--bundles", kind()]).args(&options.bundler).rustflags(&workspace::neutral_paths()).run()?;
    let packages = newer_than(started)?;
    ensure!(!packages.is_empty(), "the bundler made no package");

    if env::var_os(SIGNING_KEY).is_some_and(|key| !key.is_empty()) {
        for package in &packages {
            let version = env!("CARGO_PKG_VERSION");
            bundler().args(["signer", "sign", "--app-version", version]).arg(package).run().context("the package could not be signed")?;
        }
    } else {
        println!("{SIGNING_KEY} is not set, so the package is not signed.");
    }

    let (files, front_end) = sizes::of_folder(&page)?;
    println!();
    sizes::print(&files, front_end);
    let mut largest = 0;
    for package in &packages {
        let size = fs::metadata(package)?.len();
        largest = largest.max(size);
        println!("  {:<28} {:>9} kB", "package", sizes::kilobytes(size));
        println!("  {}", package.display());
    }
    ensure!(front_end.brotli <= FRONT_END_LIMIT, "the front end is over its limit of {} kB", sizes::kilobytes(FRONT_END_LIMIT));
    ensure!(largest <= PACKAGE_LIMIT, "the package is over its limit of {} kB", sizes::kilobytes(PACKAGE_LIMIT));

    match packages.iter().find(|package| package.extension().is_some_and(|extension| extension == "deb")) {
        Some(package) if options.smoke => smoke(package),
        _ => Ok(()),
    }
}

fn bundler() -> Cmd {
    let name = if cfg!(windows) { "tauri.cmd" } else { "tauri" };
    Cmd::new(setup::bundler_tools().join("node_modules").join(".bin").join(name))
}

/// The kind of package for this system.
fn kind() -> &'static str {
    if cfg!(target_os = "macos") {
        "dmg"
    } else if cfg!(windows) {
        "nsis"
    } else {
        "deb"
    }
}

/// The packages that were written since then, for whatever target.
fn newer_than(started: SystemTime) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![workspace::target().join("release").join("bundle").join(kind())];
    for entry in fs::read_dir(workspace::target())? {
        folders.push(entry?.path().join("release").join("bundle").join(kind()));
    }
    folders.sort();
    folders.dedup();
    for folder in folders.iter().filter(|folder| folder.is_dir()) {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let is_package = ["deb", "dmg", "exe"].iter().any(|kind| entry.path().extension().is_some_and(|extension| extension == *kind));
            if is_package && entry.metadata()?.modified()? >= started {
                found.push(entry.path());
            }
        }
    }
    Ok(found)
}

/// Installs the package, tries what only an installed app can do, and removes it again whatever came of it.
fn smoke(package: &Path) -> Result<()> {
    println!("\nInstalling the package on this machine, to try it.");
    setup::as_root("apt-get")?.args(["install", "-y", "--reinstall"]).arg(package).run()?;
    let outcome = try_installed();
    println!("Removing it again.");
    let removed = setup::as_root("apt-get")?.args(["purge", "-y", PACKAGE]).run();
    outcome.and(removed)
}

fn try_installed() -> Result<()> {
    let desktop = session::Session::new()?;
    let handler = desktop.wrap(Cmd::new("xdg-mime").args(["query", "default", SCHEME_TYPE])).output()?;
    ensure!(handler.trim().ends_with(".desktop"), "no application is registered for {SCHEME_TYPE}");
    println!("Links are handled by {}", handler.trim());

    // The script waits for the window; a shell because display and app have to be in one session.
    let script = r#"callbox --sandbox & app=$!
        while kill -0 $app 2>/dev/null; do
            if xdotool search --onlyvisible --class callbox >/dev/null 2>&1; then kill $app; exit 0; fi
            sleep 0.1
        done
        echo "the app ended before it showed a window" >&2; exit 1"#;
    let mut child = desktop.wrap(Cmd::new("sh").args(["-c", script])).spawn(Stdio::inherit())?;
    wait(&mut child)?;
    println!("The installed app shows its window.");
    Ok(())
}

fn wait(child: &mut Child) -> Result<()> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().context("the app's fate is unknown")? {
            ensure!(status.success(), "the installed app did not start ({status})");
            return Ok(());
        }
        if started.elapsed() > WINDOW {
            let _ = child.kill();
            let _ = child.wait();
            bail!("the installed app showed no window within {} s", WINDOW.as_secs());
        }
        thread::sleep(Duration::from_millis(100));
    }
}
