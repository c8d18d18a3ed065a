//! Who opens the tenant's page: a command, the variable `BROWSER`, or the desktop.

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
};

use tokio::sync::mpsc;
use url::Url;

/// What stands for the address in a command.
const PLACE: &str = "%s";

/// Ways to open a page, the first of them first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Browser {
    /// Commands, each as its words.
    Commands(Vec<Vec<String>>),
    Desktop,
    /// There is nobody to show a page to.
    None,
}

impl Browser {
    /// The command that somebody has named, else those of `BROWSER`, else the desktop's if there is one.
    pub(super) fn choose(named: Option<&str>) -> Self {
        Self::by(named, env::var("BROWSER").ok().as_deref(), has_desktop())
    }

    fn by(named: Option<&str>, variable: Option<&str>, has_desktop: bool) -> Self {
        if let Some(named) = named {
            return Self::Commands(vec![words(named)]);
        }
        // As its users have it: several between colons, tried one after the other.
        let commands: Vec<_> = variable.into_iter().flat_map(|list| list.split(':')).map(words).filter(|words| !words.is_empty()).collect();
        match (commands.is_empty(), has_desktop) {
            (false, _) => Self::Commands(commands),
            (true, true) => Self::Desktop,
            (true, false) => Self::None,
        }
    }

    /// Opens the page. `Ok`: it may be open; the receiver tells if it is not after all.
    ///
    /// # Errors
    /// Why it is not.
    pub(super) async fn open(&self, page: &Url) -> Result<mpsc::UnboundedReceiver<String>, String> {
        let (told, failed) = mpsc::unbounded_channel();
        match self {
            Self::None => Err("there is no display".to_owned()),
            Self::Desktop => {
                let page = page.clone();
                let opened = tokio::task::spawn_blocking(move || tauri_plugin_opener::open_url(page.as_str(), None::<&str>)).await;
                match opened {
                    Ok(Ok(())) => Ok(failed),
                    Ok(Err(error)) => Err(error.to_string()),
                    Err(_) => Err("the opener crashed".to_owned()),
                }
            }
            Self::Commands(commands) => {
                let mut why = "no command is named".to_owned();
                for words in commands {
                    match start(words, page) {
                        Ok(mut child) => {
                            let name = words.first().cloned().unwrap_or_default();
                            // A browser may run for as long as it likes, and outlive us.
                            std::thread::spawn(move || match child.wait() {
                                Ok(status) if !status.success() => drop(told.send(format!("{name} ended with {status}"))),
                                _ => {}
                            });
                            return Ok(failed);
                        }
                        Err(error) => why = format!("{}: {error}", words.first().map(String::as_str).unwrap_or_default()),
                    }
                }
                Err(why)
            }
        }
    }
}

/// Whether somebody sits at this computer who can be shown a page.
pub(super) fn has_desktop() -> bool {
    let displays = ["WAYLAND_DISPLAY", "DISPLAY"].map(|name| env::var_os(name).unwrap_or_default());
    !cfg!(target_os = "linux") || displays.iter().any(|display| !display.is_empty())
}

/// The words of a command. No shell reads them; a path with spaces in it is one word if there is such a file.
fn words(command: &str) -> Vec<String> {
    if Path::new(command).is_file() {
        return vec![command.to_owned()];
    }
    command.split_whitespace().map(str::to_owned).collect()
}

/// Starts a command with the address in place of `%s`, or behind all words. What it says is ours to show; what is typed is not its.
fn start(words: &[String], page: &Url) -> std::io::Result<std::process::Child> {
    let (program, rest) = words.split_first().ok_or(std::io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    if rest.iter().any(|word| word.contains(PLACE)) {
        command.args(rest.iter().map(|word| word.replace(PLACE, page.as_str())));
    } else {
        command.args(rest).arg(page.as_str());
    }
    command.stdin(Stdio::null());
    // Ctrl-C is meant for us.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command.spawn()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands(list: &[&[&str]]) -> Browser {
        Browser::Commands(list.iter().map(|words| words.iter().map(|word| (*word).to_owned()).collect()).collect())
    }

    #[test]
    fn the_named_command_comes_before_the_variable_and_that_before_the_desktop() {
        assert_eq!(Browser::by(Some("firefox --new-window"), Some("w3m"), true), commands(&[&["firefox", "--new-window"]]));
        assert_eq!(Browser::by(None, Some("firefox:w3m %s:"), true), commands(&[&["firefox"], &["w3m", "%s"]]));
        assert_eq!(Browser::by(None, Some(""), true), Browser::Desktop);
        assert_eq!(Browser::by(None, None, false), Browser::None);
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_page_is_one_argument_whatever_is_in_it_and_no_shell_reads_it() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (script, noted) = (folder.path().join("my browser"), folder.path().join("noted"));
        std::fs::write(&script, format!("#!/bin/sh\nprintf '%s|' \"$@\" >> '{}'\nexit 3\n", noted.display())).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
        let page = Url::parse("https://t.example/authorize?a=$(touch%20x)&b=1;c").unwrap();
        let mut failed = Browser::by(script.to_str(), None, false).open(&page).await.unwrap();
        assert!(failed.recv().await.unwrap().contains("exit status: 3"));
        assert_eq!(std::fs::read_to_string(noted).unwrap(), format!("{page}|"));
        let missing = Browser::by(Some("/no/such/browser"), None, false).open(&page).await.unwrap_err();
        assert!(missing.starts_with("/no/such/browser: "), "{missing}");
        let second = Browser::by(None, Some("/no/such/browser:true --url=%s"), false).open(&page).await;
        assert!(second.is_ok(), "the next one is tried");
        assert!(Browser::None.open(&page).await.is_err());
    }
}
