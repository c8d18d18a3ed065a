//! What the user chose, kept in a small file.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use callbox_ipc::Preferences;
use serde::{Deserialize, Serialize};

/// The content of `settings.json`. Unknown fields of a newer version are dropped, missing ones have their defaults.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Settings {
    pub preferences: Preferences,
    /// The built-in tenant and agent were the last profile in use.
    pub sandbox: bool,
    /// The profile of the agent that the user has added last, a file in the folder for settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<PathBuf>,
    /// The account in use there: the name of its place in the keychain, which says nothing about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slot: Option<String>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error("The settings file {path} could not be written ({source}). Your choice holds until Callbox is closed.")]
    Write { path: PathBuf, source: io::Error },
}

impl SettingsError {
    /// A stable name for translation and tests.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Write { .. } => "settings-write",
        }
    }
}

impl Settings {
    /// The file, in the folder for settings.
    pub(crate) fn file(config: &Path) -> PathBuf {
        config.join("settings.json")
    }

    /// Reads the file; defaults where there is none or where it cannot be understood (which is logged, and the file kept aside).
    pub(crate) fn load(path: &Path) -> Self {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Self::default(),
            Err(error) => {
                tracing::warn!(%error, path = %path.display(), "the settings could not be read");
                return Self::default();
            }
        };
        serde_json::from_str(&text).unwrap_or_else(|error| {
            let aside = path.with_extension("json.broken");
            tracing::warn!(%error, kept = %aside.display(), "the settings could not be understood and were set aside");
            if let Err(error) = fs::rename(path, &aside) {
                tracing::warn!(%error, "the broken settings could not be set aside");
            }
            Self::default()
        })
    }

    /// Replaces the file as a whole, so that a crash leaves the old or the new.
    pub(crate) fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let failed = |source| SettingsError::Write { path: path.to_owned(), source };
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        let text = serde_json::to_string_pretty(self).map_err(|error| failed(error.into()))?;
        let new = path.with_extension("json.new");
        fs::write(&new, text).map_err(failed)?;
        fs::rename(&new, path).map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use callbox_ipc::Theme;

    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("settings.json");
        let settings =
            Settings { sandbox: true, preferences: Preferences { theme: Theme::Dark, ..Default::default() }, ..Settings::default() };
        settings.save(&path).unwrap();
        assert_eq!(Settings::load(&path), settings);
    }

    #[test]
    fn a_broken_file_is_set_aside_and_the_defaults_hold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, "{ not json").unwrap();
        assert_eq!(Settings::load(&path), Settings::default());
        assert_eq!(fs::read_to_string(folder.path().join("settings.json.broken")).unwrap(), "{ not json");
    }

    #[test]
    fn a_field_of_a_newer_version_does_no_harm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("settings.json");
        fs::write(&path, r#"{"sandbox":true,"future":1}"#).unwrap();
        assert!(Settings::load(&path).sandbox);
    }
}
