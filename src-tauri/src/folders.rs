//! Where this user's files are: the same folders for the window and for the commands that need none.

use std::path::PathBuf;

use crate::IDENTIFIER;

/// The folders of this app. They need not exist.
#[derive(Debug, Clone)]
pub(crate) struct Folders {
    /// Settings and profiles.
    pub config: PathBuf,
    /// Conversations, locks, the sandbox's own files: what stays on this computer.
    pub data: PathBuf,
}

impl Folders {
    /// As the system and its variables have them (`XDG_CONFIG_HOME` and `XDG_DATA_HOME` on Linux); `None` where nobody is at home.
    pub(crate) fn find() -> Option<Self> {
        Some(Self { config: dirs::config_dir()?.join(IDENTIFIER), data: dirs::data_local_dir()?.join(IDENTIFIER) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folders_are_named_as_the_app_is_towards_the_system() {
        let configuration: serde_json::Value = serde_json::from_str(include_str!("../../tauri.conf.json")).unwrap();
        assert_eq!(configuration["identifier"], IDENTIFIER);
    }
}
