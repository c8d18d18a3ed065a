//! Linux goes by desktop files, and `xdg-mime` says which one is for our scheme.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::Owner;
use crate::cli::SCHEME;

/// Asks the system. Starts a program and waits for it, so it is for threads that may block.
pub(crate) fn owner() -> Owner {
    let mut question = Command::new("xdg-mime");
    question.args(["query", "default", &format!("x-scheme-handler/{SCHEME}")]).stdin(Stdio::null()).stderr(Stdio::null());
    let Ok(answer) = question.output() else { return Owner::Unknown };
    let name = String::from_utf8_lossy(&answer.stdout).trim().to_owned();
    if name.is_empty() {
        return Owner::Nobody;
    }
    let folders = applications();
    let Some(entry) = folders.iter().find_map(|folder| fs::read_to_string(folder.join(&name)).ok()) else { return Owner::Nobody };
    match (program(&entry), env::current_exe()) {
        (Some(program), Ok(us)) if is_same(&program, &us) => Owner::Us,
        (Some(program), _) => Owner::Other(program),
        (None, _) => Owner::Other(name.into()),
    }
}

/// Where desktop files lie, the user's own first (XDG Base Directory Specification).
fn applications() -> Vec<PathBuf> {
    let system = env::var_os("XDG_DATA_DIRS").filter(|folders| !folders.is_empty());
    let system = system.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
    dirs::data_dir().into_iter().chain(env::split_paths(&system)).map(|folder| folder.join("applications")).collect()
}

/// The program of a desktop file: the first word of its `Exec` key (Desktop Entry Specification, "The Exec key").
fn program(entry: &str) -> Option<PathBuf> {
    let exec = entry.lines().find_map(|line| line.strip_prefix("Exec="))?.trim();
    let mut word = String::new();
    match exec.strip_prefix('"') {
        Some(quoted) => {
            let mut characters = quoted.replace("\\\\", "\\").chars().collect::<Vec<_>>().into_iter();
            while let Some(character) = characters.next() {
                match character {
                    '"' => break,
                    '\\' => word.extend(characters.next()),
                    other => word.push(other),
                }
            }
        }
        None => word.extend(exec.chars().take_while(|character| !character.is_whitespace())),
    }
    (!word.is_empty()).then(|| word.replace("%%", "%").into())
}

/// Whether both are the same file; a bare name is looked for where programs are.
fn is_same(program: &Path, us: &Path) -> bool {
    let known = |path: &Path| fs::canonicalize(path).ok();
    let found = match program.components().count() {
        1 => env::split_paths(&env::var_os("PATH").unwrap_or_default()).find_map(|folder| known(&folder.join(program))),
        _ => known(program),
    };
    found.is_some() && found == known(us)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_of_a_desktop_file_is_its_first_word_quoted_or_not() {
        for (exec, program) in [
            ("/usr/bin/callbox %u", Some("/usr/bin/callbox")),
            ("callbox", Some("callbox")),
            (r#""/opt/My Apps/call\\$box" %u"#, Some("/opt/My Apps/call$box")),
            ("/opt/100%%/callbox %u", Some("/opt/100%/callbox")),
            ("", None),
        ] {
            let entry = format!("[Desktop Entry]\nName=Callbox\nExec={exec}\n");
            assert_eq!(super::program(&entry), program.map(PathBuf::from), "{exec}");
        }
        assert_eq!(super::program("[Desktop Entry]\nName=x\n"), None);
    }

    #[test]
    fn a_program_is_the_same_by_its_file_and_not_by_its_name() {
        let us = env::current_exe().unwrap();
        assert!(is_same(&us, &us));
        assert!(!is_same(Path::new("/no/such/callbox"), &us));
        assert!(!is_same(Path::new("sh"), &us));
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("callbox");
        std::os::unix::fs::symlink(&us, &link).unwrap();
        assert!(is_same(&link, &us));
    }
}
