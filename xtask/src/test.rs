//! Everything that has to hold before a change is merged; continuous integration runs the same.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, iter};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};

use crate::process::Cmd;
use crate::setup::{self, Need, npm, python};
use crate::toolchain::{TARGET, WasmToolchain};
use crate::{agent, fuzz, run, session, ui, workspace};

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these steps.
    #[arg(long, value_name = "STEP", num_args = 1..)]
    only: Vec<Step>,
    /// Go on after a step has failed, and fail at the end.
    #[arg(long)]
    keep_going: bool,
    /// Passed to the test runner of `unit`, `wasm`, `interop` and `e2e`, for example a part of a test's name.
    #[arg(last = true)]
    runner: Vec<String>,
}

/// The steps, in the order in which they run: those that fail soonest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Step {
    /// The formatting of the Rust code.
    Fmt,
    /// The front end builds.
    Ui,
    /// No warnings in native code.
    Clippy,
    /// No warnings in the front end, compiled for wasm.
    ClippyUi,
    /// Unit, integration and documentation tests, and whether generated files are as generated.
    Unit,
    /// The fuzzer, a minute for each of its targets.
    Fuzz,
    /// The front end's tests in a headless browser.
    Wasm,
    /// The hosted agent: types and tests on the Workers runtime.
    Agent,
    /// The link beside the SDK's own client, in conversations with the SDK's own agents, the newest and an old one.
    Interop,
    /// End to end: a real window, keychain, browser and agent on a virtual desktop.
    E2e,
}

/// What is neither compiled natively (the front end) nor to be replaced while it runs (this program).
const NATIVE: [&str; 5] = ["--workspace", "--exclude", "callbox-ui", "--exclude", "xtask"];
/// What the front end decides is plain Rust; only what it shows needs a browser.
const FRONT_END: [&str; 3] = ["--package", "callbox-ui", "--lib"];
const E2E: &str = "callbox-e2e";
const INTEROP: &str = "callbox-interop";
/// The releases of the SDK in tests/interop, a package each.
const RELEASES: [&str; 2] = ["newest", "v0.2"];

pub(crate) fn run(options: &Options) -> Result<()> {
    let chosen: Vec<Step> =
        Step::value_variants().iter().copied().filter(|step| options.only.is_empty() || options.only.contains(step)).collect();
    let started = Instant::now();
    prepare(&chosen)?;
    let mut times = vec![("set-up".to_owned(), started.elapsed(), true)];

    let mut failures = Vec::new();
    for step in chosen {
        println!("\n== {}", step.name());
        let started = Instant::now();
        let outcome = step.run(&options.runner);
        times.push((step.name(), started.elapsed(), outcome.is_ok()));
        if let Err(error) = outcome {
            let error = error.context(format!("step `{0}` failed; to run it alone: cargo xtask test --only {0}", step.name()));
            if !options.keep_going {
                summary(&times);
                return Err(error);
            }
            eprintln!("{error:#}");
            failures.push(step.name());
        }
    }
    summary(&times);
    if failures.is_empty() { Ok(()) } else { bail!("failed: {}", failures.join(", ")) }
}

fn prepare(steps: &[Step]) -> Result<()> {
    let any = |wanted: &[Step]| steps.iter().any(|step| wanted.contains(step));
    let mut needs = Vec::new();
    if any(&[Step::Clippy, Step::Unit, Step::Interop, Step::E2e]) {
        needs.push(Need::App);
    }
    if cfg!(target_os = "linux") && any(&[Step::Fuzz]) {
        needs.push(Need::Fuzzer);
    }
    if any(&[Step::Wasm, Step::E2e]) {
        needs.push(Need::Browser);
    }
    // The tests of the keychain need a message bus, those of the shell a display.
    if cfg!(target_os = "linux") && any(&[Step::Unit, Step::E2e]) {
        needs.push(Need::VirtualDesktop);
    }
    setup::system(&needs)?;
    if any(&[Step::Ui, Step::ClippyUi, Step::Wasm]) {
        WasmToolchain::ensure()?;
    }
    if any(&[Step::Agent, Step::E2e]) && agent::exists() {
        npm::ensure(&agent::folder(), "the hosted agent and the local Workers runtime it is tested on")?;
    }
    if cfg!(target_os = "linux") && any(&[Step::E2e]) {
        let foreign = workspace::root().join("tests").join("foreign");
        npm::ensure(&foreign, "identity servers that nobody here wrote, to sign in at")?;
        python::ensure(&foreign, "one of them is Django")?;
    }
    Ok(())
}

impl Step {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    fn run(self, runner: &[String]) -> Result<()> {
        match self {
            Self::Fmt => {
                Cmd::cargo().args(["fmt", "--all", "--check"]).run()?;
                Cmd::cargo().args(["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]).run()
            }
            Self::Ui => ui::build(&ui::Options::default()).map(drop),
            Self::Clippy => {
                page_for_the_app()?;
                Cmd::cargo().args(["clippy", "--workspace", "--exclude", "callbox-ui", "--all-targets", "--", "-D", "warnings"]).run()
            }
            Self::ClippyUi => {
                let arguments = ["--package", "callbox-ui", "--all-targets", "--all-features", "--target", TARGET, "--", "-D", "warnings"];
                WasmToolchain::ensure()?.clippy(&arguments).run()
            }
            Self::Unit => unit(runner),
            Self::Fuzz => fuzzer(),
            Self::Wasm => wasm(runner),
            Self::Agent => agent::test(),
            Self::Interop => interop(runner),
            Self::E2e => end_to_end(runner),
        }
    }
}

/// The app embeds the front end when it is compiled, so there has to be one.
fn page_for_the_app() -> Result<()> {
    if ui::is_built() { Ok(()) } else { ui::build(&ui::Options::default()).map(drop) }
}

fn unit(runner: &[String]) -> Result<()> {
    page_for_the_app()?;
    Cmd::cargo().args(["test", "--quiet", "--package", "xtask"]).run()?;
    if nextest() {
        let rest = format!("not package({E2E}) and not package({INTEROP})");
        // A part of a name may well be in one of the two selections only.
        let runner: Vec<&str> =
            if runner.is_empty() { Vec::new() } else { iter::once("--no-tests=pass").chain(runner.iter().map(String::as_str)).collect() };
        Cmd::cargo().args(["nextest", "run"]).args(NATIVE).args(["-E", &rest]).args(&runner).run()?;
        Cmd::cargo().args(["nextest", "run"]).args(FRONT_END).args(&runner).run()?;
    } else {
        Cmd::cargo()
            .arg("test")
            .args(NATIVE)
            .args(["--exclude", E2E, "--exclude", INTEROP, "--lib", "--bins", "--tests"])
            .args(runner)
            .run()?;
        Cmd::cargo().arg("test").args(FRONT_END).args(runner).run()?;
    }
    Cmd::cargo().args(["test", "--doc", "--quiet"]).args(NATIVE).args(["--exclude", E2E, "--exclude", INTEROP]).run()
}

/// Builds the agent of each release and the app, then lets everybody talk.
fn interop(runner: &[String]) -> Result<()> {
    page_for_the_app()?;
    Cmd::cargo().args(["build", "--package", "callbox", "--bin", "callbox"]).run()?;
    let folder = workspace::root().join("tests").join("interop");
    for release in RELEASES {
        npm::ensure(&folder.join(release), "the SDK's own agent and client, which the link is held against")?;
        Cmd::new("node").args(["build.mjs", release]).dir(&folder).run()?;
    }
    let tests = if nextest() {
        Cmd::cargo().args(["nextest", "run", "--package", INTEROP]).args(runner)
    } else {
        Cmd::cargo().args(["test", "--package", INTEROP, "--", "--test-threads=2"]).args(runner)
    };
    tests.env("CALLBOX_APP", workspace::debug_binary("callbox")).run()
}

fn fuzzer() -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("Left out: the fuzzer reads the same everywhere, and has been tried on Linux.");
        return Ok(());
    }
    fuzz::run(&fuzz::Options::default())
}

fn wasm(runner: &[String]) -> Result<()> {
    let this = env::current_exe().context("where this program lies is unknown")?;
    // Browsers leave their profiles behind.
    let scratch = tempfile::tempdir()?;
    let mut runner_command = this.into_os_string();
    runner_command.push(" wasm-test-runner");
    let mut cargo = WasmToolchain::ensure()?
        .cargo(&["test", "--package", "callbox-ui", "--target", TARGET])
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", runner_command)
        .env("WASM_BINDGEN_TEST_TIMEOUT", "120")
        .env("TMPDIR", scratch.path());
    if let Some(driver) = browser_driver() {
        cargo = cargo.env("CHROMEDRIVER", driver);
    }
    if !runner.is_empty() {
        cargo = cargo.arg("--").args(runner);
    }
    cargo.run()
}

/// Runs a wasm test binary in the browser; cargo gives its path and what follows `--`.
pub(crate) fn wasm_test_runner(arguments: Vec<OsString>) -> Result<()> {
    let name = OsString::from("wasm-bindgen-test-runner");
    wasm_bindgen_cli::wasm_bindgen_test_runner::run_cli_with_args(iter::once(name).chain(arguments))
}

/// The driver of Chromium, on the search path or where hosted runners keep it.
fn browser_driver() -> Option<PathBuf> {
    if let Some(chosen) = env::var_os("CHROMEDRIVER") {
        return Some(chosen.into());
    }
    workspace::which("chromedriver").or_else(|| {
        let folder = PathBuf::from(env::var_os("CHROMEWEBDRIVER")?);
        Some(folder.join(format!("chromedriver{}", env::consts::EXE_SUFFIX)))
    })
}

fn end_to_end(runner: &[String]) -> Result<()> {
    if !cfg!(target_os = "linux") {
        println!("Left out: the system's web view can be driven in a virtual desktop on Linux only.");
        return Ok(());
    }
    ui::build(&ui::Options::default())?;
    run::build_app()?;
    let tests = if nextest() {
        let cargo = |then: &[&str]| Cmd::cargo().args(["nextest", "run"]).args(NATIVE).args(["-E", &format!("package({E2E})")]).args(then);
        cargo(&["--no-run"]).run()?;
        cargo(&["--no-tests=warn", "--test-threads=1"]).args(runner)
    } else {
        let cargo = || Cmd::cargo().args(["test", "--package", E2E]);
        cargo().arg("--no-run").run()?;
        cargo().args(["--", "--test-threads=1"]).args(runner)
    };
    let desktop = session::Session::new()?;
    let mut tests = tests.env("CALLBOX_APP", workspace::debug_binary("callbox"));
    let running = if agent::exists() { Some(agent::Running::start()?) } else { None };
    if let Some(agent) = &running {
        tests = tests.env("CALLBOX_AGENT", agent.url()).env("CALLBOX_AGENT_TENANT_PORT", agent.tenant_port().to_string());
    }
    desktop.wrap(tests).run()
}

/// nextest where it is installed: one process for each test, and all failures at the end.
fn nextest() -> bool {
    Cmd::cargo().args(["nextest", "--version"]).probe().is_some()
}

fn summary(times: &[(String, Duration, bool)]) {
    let total: Duration = times.iter().map(|(_, time, _)| *time).sum();
    println!();
    for (name, time, good) in times {
        println!("  {name:<12} {:>8.1} s  {}", time.as_secs_f64(), if *good { "ok" } else { "failed" });
    }
    println!("  {:<12} {:>8.1} s", "together", total.as_secs_f64());
}
