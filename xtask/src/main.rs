//! The project's build program: `cargo xtask run` and `cargo xtask test` are the two commands a newcomer needs.
//!
//! Each command brings the machine into the state it needs (see [`setup`]) before it does its work, says what it installs and why, and
//! adds little of its own when everything is there. Every command line it runs is printed in a form that can be typed again.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program speaks by printing")]

mod agent;
mod bench;
mod bundle;
mod fuzz;
mod process;
mod run;
mod session;
mod setup;
mod sizes;
mod test;
mod toolchain;
mod ui;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Builds, runs and checks Callbox.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Install what is missing to build, run and test; the other commands do this by themselves.
    Setup,
    /// Build the front end into ui/dist.
    Ui(ui::Options),
    /// Build the app and start it with the sandbox inside it: no account, no key, no network.
    Run(run::Options),
    /// Check everything, in the order in which a mistake is found soonest.
    Test(test::Options),
    /// Measure the fold: beside the SDK's own reader, and beside bare parsing.
    Bench(bench::Options),
    /// Run the fuzzer on what reads the words of others, or one input of it once more.
    Fuzz(fuzz::Options),
    /// Build the installable package for this system and hold it against its size limits.
    Bundle(bundle::Options),
    /// Run a command on a virtual desktop of its own: display, message bus, open keychain, empty home folder (Linux).
    Desktop {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true, value_name = "COMMAND")]
        arguments: Vec<String>,
    },
    /// Run one wasm test binary in a headless browser; cargo calls this.
    #[command(hide = true)]
    WasmTestRunner {
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Setup => setup::everything(),
        Command::Ui(options) => ui::build(&options).map(drop),
        Command::Run(options) => run::run(&options),
        Command::Test(options) => test::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Bundle(options) => bundle::run(&options),
        Command::Desktop { arguments } => session::run(&arguments),
        Command::WasmTestRunner { arguments } => test::wasm_test_runner(arguments),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error:#}");
            process::exit_code(&error)
        }
    }
}
