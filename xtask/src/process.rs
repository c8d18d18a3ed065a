//! Other programs: started, shown as they would be typed, and their failures told apart from ours.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};

use anyhow::{Context, Result};

use crate::workspace;

const ENCODED_FLAGS: &str = "CARGO_ENCODED_RUSTFLAGS";
const SEPARATOR: &str = "\u{1f}";

/// A program ended with a status other than success.
#[derive(Debug)]
pub(crate) struct Failed {
    command: String,
    status: ExitStatus,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "this command failed ({}):\n    {}", self.status, self.command)
    }
}

impl std::error::Error for Failed {}

/// Our own exit code for an error: that of the program that failed, where one did.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let code = error.downcast_ref::<Failed>().and_then(|failed| failed.status.code());
    ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0).unwrap_or(1))
}

/// A command that runs at the top of the work tree unless told otherwise.
#[derive(Debug)]
pub(crate) struct Cmd {
    program: OsString,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
    removed: Vec<OsString>,
    directory: PathBuf,
    /// How this is shown if not by what it consists of.
    shown: Option<String>,
}

impl Cmd {
    pub(crate) fn new(program: impl AsRef<OsStr>) -> Self {
        Self {
            program: program.as_ref().to_owned(),
            arguments: Vec::new(),
            variables: Vec::new(),
            removed: Vec::new(),
            directory: workspace::root().to_owned(),
            shown: None,
        }
    }

    /// The cargo that runs us.
    pub(crate) fn cargo() -> Self {
        Self::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
    }

    pub(crate) fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.arguments.push(argument.as_ref().to_owned());
        self
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    pub(crate) fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.variables.push((name.as_ref().to_owned(), value.as_ref().to_owned()));
        self
    }

    /// Flags for the compiler, in place of any from outside. The encoded form is the one that bears spaces in paths.
    pub(crate) fn rustflags(self, flags: &[OsString]) -> Self {
        self.env(ENCODED_FLAGS, flags.join(OsStr::new(SEPARATOR))).env_remove("RUSTFLAGS")
    }

    pub(crate) fn env_remove(mut self, name: impl AsRef<OsStr>) -> Self {
        self.removed.push(name.as_ref().to_owned());
        self
    }

    pub(crate) fn dir(mut self, directory: impl AsRef<Path>) -> Self {
        self.directory = directory.as_ref().to_owned();
        self
    }

    /// Shows this command as something shorter that does the same when it is typed.
    pub(crate) fn shown_as(mut self, shown: String) -> Self {
        self.shown = Some(shown);
        self
    }

    /// This command as it would be typed after `wrapper`.
    pub(crate) fn shown_after(&self, wrapper: &str) -> String {
        let mut parts = Vec::new();
        if self.directory != workspace::root() {
            let directory = self.directory.strip_prefix(workspace::root()).unwrap_or(&self.directory);
            parts.push(format!("cd {} &&", directory.display()));
        }
        parts.extend(self.variables.iter().map(|(name, value)| {
            if name == ENCODED_FLAGS {
                let flags = value.to_string_lossy().replace(SEPARATOR, " ");
                return format!("RUSTFLAGS={}", quoted(OsStr::new(&flags)));
            }
            format!("{}={}", name.to_string_lossy(), quoted(value))
        }));
        if !wrapper.is_empty() {
            parts.push(wrapper.to_owned());
        }
        let own_cargo = env::var_os("CARGO").is_some_and(|cargo| cargo == self.program);
        parts.push(if own_cargo { "cargo".to_owned() } else { quoted(&self.program) });
        parts.extend(self.arguments.iter().map(|argument| quoted(argument)));
        parts.join(" ")
    }

    /// This command as the arguments of another one that prepares the ground for it; variables and folder go along.
    pub(crate) fn inside(self, outer: Self) -> Self {
        let mut outer = outer.arg(&self.program).args(&self.arguments);
        outer.variables.extend(self.variables);
        outer.removed.extend(self.removed);
        outer.directory = self.directory;
        outer
    }

    /// Runs to the end with our own input and output.
    pub(crate) fn run(&self) -> Result<()> {
        self.show();
        self.run_silently()
    }

    /// The same without showing the command, for one that the user has just typed.
    pub(crate) fn run_silently(&self) -> Result<()> {
        let status = self.command().status().with_context(|| self.not_started())?;
        self.check(status)
    }

    /// Runs to the end and keeps what it prints; its complaints still reach the screen.
    pub(crate) fn output(&self) -> Result<String> {
        let output = self.command().stdin(Stdio::null()).stderr(Stdio::inherit()).output().with_context(|| self.not_started())?;
        self.check(output.status)?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What it prints, or nothing if it cannot be started or fails. Complaints are dropped.
    pub(crate) fn probe(&self) -> Option<String> {
        let output = self.command().stdin(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Starts in the background with `stdout` as given.
    pub(crate) fn spawn(&self, stdout: Stdio) -> Result<Child> {
        self.show();
        self.command().stdin(Stdio::null()).stdout(stdout).spawn().with_context(|| self.not_started())
    }

    /// Starts in the background; all that it prints goes into `log`.
    pub(crate) fn spawn_logged(&self, log: &File) -> Result<Child> {
        self.show();
        let (stdout, stderr) = (log.try_clone()?, log.try_clone()?);
        self.command().stdin(Stdio::null()).stdout(stdout).stderr(stderr).spawn().with_context(|| self.not_started())
    }

    /// Starts in the background; its input and output are the caller's.
    pub(crate) fn spawn_to_talk(&self) -> Result<Child> {
        self.show();
        self.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| self.not_started())
    }

    fn check(&self, status: ExitStatus) -> Result<()> {
        if status.success() { Ok(()) } else { Err(Failed { command: self.to_string(), status }.into()) }
    }

    fn not_started(&self) -> String {
        format!("this command could not be started:\n    {self}")
    }

    fn show(&self) {
        println!("  $ {self}");
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).current_dir(&self.directory);
        // `cargo run` tells us about our own package and where our libraries are; none of it concerns what we start.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
                command.env_remove(name);
            }
        }
        match library_path() {
            Some(path) if !path.is_empty() => command.env("LD_LIBRARY_PATH", path),
            _ => command.env_remove("LD_LIBRARY_PATH"),
        };
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        for name in &self.removed {
            command.env_remove(name);
        }
        command
    }
}

/// The user's library path without the folders that cargo put in front of it for us.
fn library_path() -> Option<OsString> {
    let path = env::var_os("LD_LIBRARY_PATH")?;
    let ours = workspace::target();
    let kept = env::split_paths(&path).filter(|dir| !dir.starts_with(&ours) && !dir.join("rustlib").is_dir());
    env::join_paths(kept).ok()
}

impl fmt::Display for Cmd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shown {
            Some(shown) => f.write_str(shown),
            None => f.write_str(&self.shown_after("")),
        }
    }
}

fn quoted(text: &OsStr) -> String {
    let text = text.to_string_lossy();
    let plain = |c: char| c.is_alphanumeric() || "-_=+./:,@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.into_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let command = Cmd::new("npm").args(["run", "start", "--", "--name=a b"]).env("CI", "1").dir(workspace::root().join("agent"));
        assert_eq!(command.to_string(), "cd agent && CI=1 npm run start -- '--name=a b'");
    }

    #[test]
    fn an_inner_command_keeps_its_variables() {
        let command = Cmd::new("app").arg("--sandbox").env("B", "2").inside(Cmd::new("env").env("A", "1"));
        assert_eq!(command.to_string(), "A=1 B=2 env app --sandbox");
    }

    #[cfg(unix)]
    #[test]
    fn the_code_of_a_failed_program_is_ours() {
        let failed = Cmd::new("sh").args(["-c", "exit 7"]).run().unwrap_err();
        assert_eq!(format!("{:?}", exit_code(&failed)), format!("{:?}", ExitCode::from(7)));
        assert_eq!(format!("{:?}", exit_code(&anyhow::anyhow!("ours"))), format!("{:?}", ExitCode::from(1)));
    }
}
