//! The folders of the app: whether something can be written there, and whether there is room for it.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
    process,
};

use super::Finding;

/// As much as a conversation list and a journal need, many times over.
const PIECE: usize = 64 * 1024;

/// Looks at the folder for what `check` names. What is not there yet is made by whoever needs it, so the folder above it counts.
pub(super) fn look(check: &'static str, folder: &Path) -> Finding {
    let nearest = folder.ancestors().find(|folder| folder.exists()).unwrap_or(Path::new("/"));
    judge(check, folder, try_to_write(nearest))
}

fn try_to_write(folder: &Path) -> io::Result<()> {
    let note = Note(folder.join(format!(".callbox-doctor-{}", process::id())));
    let mut file = File::create_new(&note.0)?;
    file.write_all(&[0; PIECE])?;
    // A full disk may say so no earlier.
    file.sync_all()
}

/// Gone when this is dropped.
struct Note(PathBuf);

impl Drop for Note {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

fn judge(check: &'static str, folder: &Path, written: io::Result<()>) -> Finding {
    let folder = folder.display();
    match written.map_err(|error| (error.kind(), error)) {
        Ok(()) => Finding::ok(check, format!("There is room in {folder}.")),
        Err((io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded, _)) => Finding::problem(
            check,
            "disk-full",
            format!("The disk with {folder} is full. Make room on it: nothing new is kept until then."),
        ),
        Err((io::ErrorKind::ReadOnlyFilesystem, _)) => {
            let text = format!("{folder} is on a disk that cannot be written to. Make it writable, or set HOME to a folder that is.");
            Finding::problem(check, "disk-read-only", text)
        }
        Err((_, error)) => {
            let text = format!("Nothing can be written to {folder} ({error}). Look at whose it is and who may write there.");
            Finding::problem(check, "folder-unwritable", text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headless::doctor::State;

    #[test]
    fn a_folder_is_well_if_something_can_be_written_there_and_nothing_is_left_behind() {
        let top = tempfile::tempdir().unwrap();
        assert_eq!(look("data", top.path()).state, State::Ok);
        assert_eq!(look("data", &top.path().join("not/made/yet")).state, State::Ok);
        assert_eq!(fs::read_dir(top.path()).unwrap().count(), 0);
        fs::write(top.path().join("file"), "").unwrap();
        let finding = look("data", &top.path().join("file/folder"));
        assert_eq!((finding.state, finding.code), (State::Problem, "folder-unwritable"), "{finding:?}");
    }

    #[test]
    fn what_is_wrong_with_a_disk_is_named() {
        for (kind, code) in [
            (io::ErrorKind::StorageFull, "disk-full"),
            (io::ErrorKind::QuotaExceeded, "disk-full"),
            (io::ErrorKind::ReadOnlyFilesystem, "disk-read-only"),
            (io::ErrorKind::PermissionDenied, "folder-unwritable"),
        ] {
            let finding = judge("data", Path::new("/d"), Err(kind.into()));
            assert_eq!((finding.state, finding.code), (State::Problem, code));
            assert!(finding.text.contains("/d"));
        }
    }
}
