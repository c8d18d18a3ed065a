//! The fuzzer, on any compiler: what it needs is in every rustc, behind flags, and its engine is a crate.
//!
//! Seeds are made from the recordings of the tests at each run. What the fuzzer learns is kept beside them in the target folder, and so is
//! every input that it finds something with.

mod seeds;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Child;

use anyhow::{Context, Result, bail, ensure};
use clap::{Args, ValueEnum};

use crate::process::Cmd;
use crate::setup::{self, Need};
use crate::workspace;

/// Counters at every edge, told to the fuzzer, and the operands of every comparison.
const FLAGS: [&str; 6] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cforce-frame-pointers",
];
/// The target folder is shared with whatever else the machine does.
const AT_ONCE: usize = 2;
/// Bytes of an input; longer ones are slower and find no more.
const LONGEST: usize = 8192;
/// Seconds after which an input is one that never ends.
const ENDLESS: u32 = 10;
/// Lines that a target has said last.
const LAST_WORDS: usize = 40;

#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Only these targets.
    #[arg(long, value_name = "TARGET", num_args = 1..)]
    target: Vec<Target>,
    /// How long each target runs.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Run the one target with this input only, once: one that was found, or any other.
    #[arg(long, value_name = "FILE", conflicts_with = "seconds")]
    input: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { target: Vec::new(), seconds: 60, input: None }
    }
}

/// What reads something that others wrote; a program each in fuzz/targets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Target {
    /// Text to frames and back.
    Frames,
    /// The bodies of responses to chunks and back.
    Chunks,
    /// Whatever may happen to a conversation.
    Fold,
    /// Links from the browser.
    Links,
    /// What a server wants to see before it answers.
    Challenges,
}

impl Target {
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    setup::system(&[Need::Fuzzer])?;
    let all = Target::value_variants();
    let chosen: Vec<Target> = all.iter().copied().filter(|target| options.target.is_empty() || options.target.contains(target)).collect();
    let host = host()?;
    build(&host, &chosen)?;
    let program = |target: Target| folder().join(&host).join("release").join(format!("{}{}", target.name(), std::env::consts::EXE_SUFFIX));
    if let Some(input) = &options.input {
        let [target] = chosen[..] else { bail!("--input goes with one --target: which program is to read it?") };
        let input = std::path::absolute(input)?;
        ensure!(input.is_file(), "there is no file {}", input.display());
        return Cmd::new(program(target)).arg(input).env("CALLBOX_TELL", "1").run();
    }
    let mut found = Vec::new();
    for some in chosen.chunks(AT_ONCE) {
        let running = some.iter().map(|target| Running::start(*target, &program(*target), options.seconds)).collect::<Result<Vec<_>>>()?;
        for one in running {
            found.extend(one.wait()?);
        }
    }
    ensure!(found.is_empty(), "the fuzzer has found something:\n{}", found.join("\n"));
    Ok(())
}

/// Where all of it is: programs, seeds, what was learnt, what was found.
fn folder() -> PathBuf {
    workspace::target().join("fuzz")
}

/// The compiler's own target. It has to be named, or the flags would go into build scripts and macros too.
fn host() -> Result<String> {
    let version = Cmd::new("rustc").arg("-vV").output()?;
    version.lines().find_map(|line| line.strip_prefix("host: ")).map(str::to_owned).context("rustc does not say what it compiles for")
}

fn build(host: &str, targets: &[Target]) -> Result<()> {
    let manifest = workspace::root().join("fuzz").join("Cargo.toml");
    let flags: Vec<_> = FLAGS.iter().map(Into::into).collect();
    let mut cargo = Cmd::cargo().args(["build", "--quiet", "--release", "--locked", "--target", host]);
    cargo = cargo.arg("--manifest-path").arg(manifest).arg("--target-dir").arg(folder());
    for target in targets {
        cargo = cargo.args(["--bin", &target.name()]);
    }
    cargo.rustflags(&flags).run()
}

/// A target that is being run.
struct Running {
    target: Target,
    child: Child,
    log: PathBuf,
    findings: PathBuf,
}

impl Running {
    fn start(target: Target, program: &Path, seconds: u64) -> Result<Self> {
        let folder = |name: &str| {
            let path = folder().join(name).join(target.name());
            fs::create_dir_all(&path).map(|()| path)
        };
        let (corpus, seeds, findings) = (folder("corpus")?, folder("seeds")?, folder("findings")?);
        let words = seeds::write(target, &seeds)?;
        let log = self::folder().join(format!("{}.log", target.name()));
        let child = Cmd::new(program)
            .arg(&corpus)
            .arg(&seeds)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={LONGEST}"))
            .arg(format!("-timeout={ENDLESS}"))
            .arg(format!("-dict={}", words.display()))
            .arg(format!("-artifact_prefix={}/", findings.display()))
            .arg("-print_final_stats=1")
            .spawn_logged(&File::create(&log).with_context(|| format!("{} cannot be written", log.display()))?)?;
        Ok(Self { target, child, log, findings })
    }

    /// Waits for the end; how to see again what was found, if anything was.
    fn wait(mut self) -> Result<Option<String>> {
        let status = self.child.wait()?;
        let log = String::from_utf8_lossy(&fs::read(&self.log)?).into_owned();
        if status.success() {
            let number = |name: &str| log.lines().rev().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim();
            let (inputs, new) = (number("stat::number_of_executed_units:"), number("stat::new_units_added:"));
            println!("{}: {inputs} inputs, {new} of which were new to it; nothing was found", self.target.name());
            return Ok(None);
        }
        let lines: Vec<&str> = log.lines().collect();
        // From the panic on, or else the end.
        let from = lines.iter().position(|line| line.contains("panicked at")).unwrap_or(lines.len().saturating_sub(LAST_WORDS));
        println!("{}", lines.iter().skip(from).take(LAST_WORDS).copied().collect::<Vec<_>>().join("\n"));
        let told = lines.iter().rev().find_map(|line| line.split_once("Test unit written to "));
        let Some((_, input)) = told else { bail!("{} ended ({status}) without a word of why: {}", self.target.name(), self.log.display()) };
        let input = self.findings.join(Path::new(input.trim()).file_name().unwrap_or_default());
        Ok(Some(format!("    cargo xtask fuzz --target {} --input {}", self.target.name(), input.display())))
    }
}
