//! Windows goes by the registry.

use std::{
    env,
    os::windows::process::CommandExt as _,
    process::{Command, Stdio},
};

use super::{Owner, registry};

/// `CREATE_NO_WINDOW`: a program of the console opens no window of its own.
const NO_WINDOW: u32 = 0x0800_0000;

/// Asks the view of the registry that the shell goes by (`HKEY_CLASSES_ROOT`). Starts a program and waits for it, so it is for threads that may
/// block.
pub(crate) fn owner() -> Owner {
    let key = format!(r"HKCR\{}\shell\open\command", crate::cli::SCHEME);
    let mut question = Command::new("reg");
    question.args(["query", &key, "/ve"]).creation_flags(NO_WINDOW).stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(answer) = question.output() else { return Owner::Unknown };
    if !answer.status.success() {
        return Owner::Nobody;
    }
    // It is in the console's own encoding: what is not ASCII may be anything.
    let program = std::str::from_utf8(&answer.stdout).ok().and_then(registry::program);
    match (program, env::current_exe()) {
        (Some(program), Ok(us)) => match (program.canonicalize(), us.canonicalize()) {
            (Ok(found), Ok(us)) if found == us => Owner::Us,
            _ => Owner::Other(program),
        },
        _ => Owner::Unknown,
    }
}
