//! Commands that need no window, and no display.
//!
//! What a command has to say goes to stdout and nothing else does; complaints and logs go to stderr. The exit codes are those of
//! `sysexits.h`, so that a script can tell a wrong file from a wrong command.

pub(crate) mod account;
pub(crate) mod ask;
pub(crate) mod doctor;
mod interrupts;
pub(crate) mod login;
mod plain;
mod readable;
pub(crate) mod replay;
pub(crate) mod secret;
mod terminal;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::{
    cli::Command,
    core::{PlaceError, WorkspaceError},
};

/// What was asked for could not be done.
const FAILED: u8 = 1;
/// The command line is wrong, as clap has it.
const USAGE: u8 = 2;
/// Done, and something was denied because nobody could be asked.
const DENIED: u8 = 3;
/// The input is there and is not what it should be (`EX_DATAERR`).
const DATA_ERROR: u8 = 65;
/// The input cannot be read (`EX_NOINPUT`).
const NO_INPUT: u8 = 66;
/// Somebody else is needed and cannot be reached (`EX_UNAVAILABLE`).
const UNAVAILABLE: u8 = 69;
/// The output cannot be written (`EX_IOERR`).
const IO_ERROR: u8 = 74;
/// Somebody has to sign in (`EX_NOPERM`).
const SIGN_IN: u8 = 77;
/// Ended from outside, as shells count it: 128 and the number of SIGINT.
const INTERRUPTED: u8 = 130;

/// Runs a command to its end. The exit code is the command's.
pub(crate) fn run(command: Command) -> ExitCode {
    match command {
        Command::Ask(options) => ExitCode::from(ask::run(&options)),
        Command::Login(options) => ExitCode::from(login::run(&options)),
        Command::Doctor(options) => ExitCode::from(doctor::run(&options)),
        Command::ClientSecret(options) => ExitCode::from(secret::run(&options)),
        Command::Status(options) => ExitCode::from(account::status(&options)),
        Command::Logout(options) => ExitCode::from(account::logout(&options)),
        Command::Replay(options) => finish(replay::run(&options, &mut io::stdout().lock())),
    }
}

/// The exit code for a profile or a sign-in that cannot be worked with.
fn exit_code(error: &WorkspaceError) -> u8 {
    match error {
        WorkspaceError::NoProfile(_) | WorkspaceError::Place(PlaceError::Unreadable { .. }) => NO_INPUT,
        WorkspaceError::Place(PlaceError::Invalid { .. } | PlaceError::Agent(_) | PlaceError::Issuer(_) | PlaceError::Tool(_)) => {
            DATA_ERROR
        }
        WorkspaceError::Place(_) | WorkspaceError::Keychain(_) => UNAVAILABLE,
        WorkspaceError::SignedOut { .. } => SIGN_IN,
        WorkspaceError::Several { .. } | WorkspaceError::NoSuchAccount { .. } => USAGE,
    }
}

/// Says on stderr what went wrong, and ends with the code for it.
fn finish(result: Result<(), replay::Failure>) -> ExitCode {
    let Err(failure) = result else { return ExitCode::SUCCESS };
    if failure.is_closed_pipe() {
        // Whoever reads has seen enough, which is no failure: `callbox replay … | head`.
        return ExitCode::SUCCESS;
    }
    let _ = writeln!(io::stderr().lock(), "{failure}");
    ExitCode::from(failure.exit_code())
}
