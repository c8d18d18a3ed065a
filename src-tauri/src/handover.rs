//! When the instance that runs already ends just while we hand our arguments to it.
//!
//! Its place is free a moment later, so we start again and take it. GTK cannot be set up twice in a process, so starting again means a new
//! program in the same process, with the same arguments.

use std::{env, time::Duration};

/// Counts the starts, from one program to the next.
const COUNTER: &str = "CALLBOX_HANDOVER";
/// For two seconds in all.
const STARTS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct HandoverError(String);

/// Starts the program again. Comes back only with an error: the running instance does not go, or there is no way to start again.
pub(crate) fn again(why: &str) -> HandoverError {
    let starts: u32 = env::var(COUNTER).ok().and_then(|count| count.parse().ok()).unwrap_or_default();
    if starts >= STARTS {
        return HandoverError(why.to_owned());
    }
    tracing::info!(why, starts, "the running instance is on its way out");
    std::thread::sleep(PAUSE);
    HandoverError(replace(starts + 1).unwrap_or_else(|error| error.to_string()))
}

#[cfg(unix)]
fn replace(starts: u32) -> std::io::Result<String> {
    use std::os::unix::process::CommandExt;

    let mut program = std::process::Command::new(env::current_exe()?);
    Err(program.args(env::args_os().skip(1)).env(COUNTER, starts.to_string()).exec())
}

/// On Windows the lock of the running instance goes with it, before anything is handed over.
#[cfg(not(unix))]
fn replace(_starts: u32) -> std::io::Result<String> {
    Ok("it did not take the arguments".to_owned())
}
