//! Commands that need no window: nothing of them touches a display, the keychain or the running app.
//!
//! What a command has to say goes to stdout and nothing else does; complaints and logs go to stderr. The exit codes are those of
//! `sysexits.h`, so that a script can tell a wrong file from a wrong command.

mod readable;
pub(crate) mod replay;

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::cli::Command;

/// The input is there and is not what it should be (`EX_DATAERR`).
const DATA_ERROR: u8 = 65;
/// The input cannot be read (`EX_NOINPUT`).
const NO_INPUT: u8 = 66;
/// The output cannot be written (`EX_IOERR`).
const IO_ERROR: u8 = 74;

/// Runs a command to its end. The exit code is the command's.
pub(crate) fn run(command: Command) -> ExitCode {
    match command {
        Command::Replay(options) => finish(replay::run(&options, &mut io::stdout().lock())),
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
