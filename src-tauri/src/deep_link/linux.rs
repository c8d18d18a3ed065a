//! The handler file for our scheme on Linux, written so that every opener can run it.
//!
//! The plugin's own file quotes its `Exec` path, which the generic mode of `xdg-open` (bare window managers) cannot run, and it leaves a
//! path alone that has moved. Ours has a fixed name, is replaced as a whole whenever its content is not what it should be, and quotes only
//! paths that need it (Desktop Entry Specification, "The Exec key").

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Mutex, PoisonError},
};

use tauri::{AppHandle, Manager, Runtime};

use crate::cli::SCHEME;

/// The file of the packages.
const PACKAGED: &str = "Callbox.desktop";
const FILE: &str = "dev.callbox.desktop-handler.desktop";

#[derive(Debug, thiserror::Error)]
pub(super) enum RegisterError {
    #[error("this account has no place to register in: {0}")]
    NoHome(#[from] tauri::Error),
    #[error("the path of this program is unknown: {0}")]
    NoExecutable(#[source] io::Error),
    #[error("the handler file {path} could not be written: {source}")]
    Write { path: PathBuf, source: io::Error },
    #[error("`{program}` could not be run: {source}; is xdg-utils installed?")]
    Run { program: &'static str, source: io::Error },
    #[error("`{program}` failed with {status}")]
    Failed { program: &'static str, status: std::process::ExitStatus },
}

/// The start and a sign-in may both register. The system's tool, like us, writes a new file beside the old one, and two at once take it from each other.
static REGISTERING: Mutex<()> = Mutex::new(());

/// Makes this executable the default handler of our scheme for the user, unless an installed package already has done so.
pub(super) fn register<R: Runtime>(app: &AppHandle<R>) -> Result<(), RegisterError> {
    let _alone = REGISTERING.lock().unwrap_or_else(PoisonError::into_inner);
    let executable = std::env::current_exe().map_err(RegisterError::NoExecutable)?;
    let applications = app.path().data_dir()?.join("applications");
    if installed_handler_is(&executable) && !applications.join(FILE).exists() {
        return Ok(());
    }
    write_if_different(&applications.join(FILE), &handler_file(&executable))?;
    // The database is a cache: openers without it read the file itself.
    if let Err(error) = run("update-desktop-database", &[&applications.to_string_lossy()]) {
        tracing::debug!(%error, "the cache of desktop files was not refreshed");
    }
    run("xdg-mime", &["default", FILE, &format!("x-scheme-handler/{SCHEME}")])
}

/// The handler that the system has for our scheme, if it is none of ours even after another registration.
pub(super) fn stranger<R: Runtime>(app: &AppHandle<R>) -> Option<String> {
    let ours = |handler: &str| {
        handler == FILE || (handler == PACKAGED && std::env::current_exe().is_ok_and(|executable| installed_handler_is(&executable)))
    };
    judge(default_handler, ours, || register(app).is_ok())
}

/// Asks who it is; if it is somebody else, registers and asks once more. A system that cannot be asked names nobody.
fn judge(ask: impl Fn() -> Option<String>, ours: impl Fn(&str) -> bool, register: impl FnOnce() -> bool) -> Option<String> {
    let handler = ask()?;
    if ours(&handler) {
        return None;
    }
    register();
    ask().filter(|handler| !ours(handler))
}

/// The name of the handler's file; `None` where nobody can say. None at all is an empty one.
fn default_handler() -> Option<String> {
    let scheme = format!("x-scheme-handler/{SCHEME}");
    let output = Command::new("xdg-mime").args(["query", "default", &scheme]).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a package has registered exactly this executable for all users.
fn installed_handler_is(executable: &Path) -> bool {
    fs::read_to_string("/usr/share/applications/Callbox.desktop").is_ok_and(|entry| {
        entry.contains(&format!("x-scheme-handler/{SCHEME}"))
            && entry
                .lines()
                .filter_map(|line| line.strip_prefix("Exec="))
                .any(|exec| exec.split(' ').next().is_some_and(|program| Path::new("/usr/bin").join(program) == executable))
    })
}

fn handler_file(executable: &Path) -> String {
    format!(
        "[Desktop Entry]\nType=Application\nName=Callbox\nExec={} %u\nTerminal=false\nNoDisplay=true\nStartupWMClass=callbox\nMimeType=x-scheme-handler/{SCHEME};\n",
        quoted(&executable.to_string_lossy())
    )
}

/// A path as the first word of an `Exec` key: bare where that is allowed, quoted and escaped where not.
fn quoted(path: &str) -> String {
    let reserved = |character: char| " \t\n\"'\\><~|&;$*?#()`".contains(character);
    let doubled = path.replace('%', "%%");
    if !path.contains(reserved) {
        return doubled;
    }
    let mut quoted = String::from("\"");
    for character in doubled.chars() {
        match character {
            // Once for the quoting rule, once more for the key file's own string escape.
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => {
                quoted.push_str("\\\\");
                quoted.push(character);
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

fn write_if_different(path: &Path, content: &str) -> Result<(), RegisterError> {
    if fs::read_to_string(path).is_ok_and(|present| present == content) {
        return Ok(());
    }
    let failed = |source| RegisterError::Write { path: path.to_owned(), source };
    let parent = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(parent).map_err(failed)?;
    let new = path.with_extension("desktop.new");
    fs::write(&new, content).map_err(failed)?;
    fs::rename(&new, path).map_err(failed)
}

fn run(program: &'static str, arguments: &[&str]) -> Result<(), RegisterError> {
    let status = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .map_err(|source| RegisterError::Run { program, source })?;
    if status.success() { Ok(()) } else { Err(RegisterError::Failed { program, status }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_path_is_not_quoted_because_xdg_open_cannot_run_quotes() {
        assert!(handler_file(Path::new("/usr/bin/callbox")).contains("\nExec=/usr/bin/callbox %u\n"));
    }

    #[test]
    fn a_path_with_reserved_characters_is_quoted_and_escaped() {
        assert_eq!(quoted("/opt/My Apps/call$box"), r#""/opt/My Apps/call\\$box""#);
        assert_eq!(quoted("/opt/100%/callbox"), "/opt/100%%/callbox");
    }

    #[test]
    fn a_handler_that_is_not_ours_is_named_unless_registering_helps() {
        use std::cell::Cell;

        let judged = |before: Option<&str>, after: &str| {
            let asked = Cell::new(0);
            let registered = Cell::new(false);
            let ask = || {
                asked.set(asked.get() + 1);
                if registered.get() { Some(after.to_owned()) } else { before.map(str::to_owned) }
            };
            let stranger = judge(ask, |handler| handler == FILE, || registered.replace(true));
            (stranger, registered.get())
        };
        assert_eq!(judged(Some(FILE), FILE), (None, false), "nothing to do");
        assert_eq!(judged(Some("evil.desktop"), FILE), (None, true), "mended");
        assert_eq!(judged(Some(""), FILE), (None, true), "nobody had registered yet");
        assert_eq!(judged(Some("evil.desktop"), "evil.desktop"), (Some("evil.desktop".to_owned()), true));
        assert_eq!(judged(None, "evil.desktop"), (None, false), "a system that cannot be asked");
    }

    #[test]
    fn the_file_says_which_scheme_it_handles() {
        assert!(handler_file(Path::new("/x")).contains("MimeType=x-scheme-handler/dev.callbox.desktop;"));
    }

    #[test]
    fn writing_a_hundred_times_leaves_one_file_of_the_same_size_and_moving_the_program_replaces_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("applications").join(FILE);
        for _ in 0..100 {
            write_if_different(&path, &handler_file(Path::new("/a/callbox"))).unwrap();
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), handler_file(Path::new("/a/callbox")));
        write_if_different(&path, &handler_file(Path::new("/b/callbox"))).unwrap();
        let content = fs::read_to_string(&path).unwrap();
        assert!(content.contains("/b/callbox") && !content.contains("/a/callbox"), "{content}");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }
}
