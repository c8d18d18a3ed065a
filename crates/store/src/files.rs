//! The files of a store: the database, its log, and old ones that could not be read.

use std::{
    ffi::OsString,
    fs, io,
    path::{Path, PathBuf},
};

/// At most so many old files are kept; the last of them is overwritten.
const OLD_FILES: u32 = 9;

/// The database file's name with something behind it.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Makes the file, if there is none, so that nobody else on this computer may read it. SQLite gives its log the same permissions.
pub(crate) fn create_private(path: &Path) -> io::Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

/// Renames a database that nobody has open, and its log with it. Its new name comes back.
pub(crate) fn set_aside(path: &Path) -> io::Result<PathBuf> {
    let name = |number: u32| beside(path, &format!(".old-{number}"));
    let old = (1..OLD_FILES).map(name).find(|old| !old.exists()).unwrap_or_else(|| name(OLD_FILES));
    // The log goes first: one that were left behind would be taken for the new file's.
    for suffix in ["-wal", "-shm"] {
        match fs::rename(beside(path, suffix), beside(&old, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    fs::rename(path, &old)?;
    Ok(old)
}

/// Deletes a database that nobody has open, its log, and every old file beside it. What is not there is fine.
pub(crate) fn erase(path: &Path) -> io::Result<()> {
    let old = (1..=OLD_FILES).map(|number| beside(path, &format!(".old-{number}")));
    for database in std::iter::once(path.to_owned()).chain(old) {
        for suffix in ["-wal", "-shm", ""] {
            match fs::remove_file(beside(&database, suffix)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}
