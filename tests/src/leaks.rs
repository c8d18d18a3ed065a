//! The search for secrets where none may be.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use aho_corasick::AhoCorasick;

use crate::{Error, Result, error::While as _, memory, process::Running};

/// A secret is looked for in pieces of this length, so that one that was cut off is found as well.
const PIECE: usize = 24;

/// Looks for a set of secrets.
#[derive(Debug)]
pub struct Search {
    patterns: AhoCorasick,
    /// The name of the secret that each pattern is a piece of.
    names: Vec<String>,
}

/// A secret at a place where it must not be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    pub secret: String,
    pub place: String,
}

impl Search {
    /// For these secrets, each with a name.
    ///
    /// # Errors
    /// When one of them is too short to be told from anything else.
    pub fn for_secrets<N: Into<String>>(secrets: impl IntoIterator<Item = (N, String)>) -> Result<Self> {
        let (mut pieces, mut names) = (Vec::new(), Vec::new());
        for (name, secret) in secrets {
            let name = name.into();
            if secret.len() < PIECE || !secret.is_ascii() {
                return Err(Error::unexpected(format!("the secret {name} has {} bytes", secret.len())));
            }
            for piece in secret.as_bytes().chunks_exact(PIECE) {
                // In memory, a script's strings may have two bytes for each character.
                let wide: Vec<u8> = piece.iter().flat_map(|byte| [*byte, 0]).collect();
                pieces.extend([piece.to_vec(), wide]);
                names.extend([name.clone(), name.clone()]);
            }
        }
        let patterns = AhoCorasick::new(&pieces).map_err(|error| Error::unexpected(error.to_string()))?;
        Ok(Self { patterns, names })
    }

    /// In these bytes.
    #[must_use]
    pub fn bytes(&self, place: &str, bytes: &[u8]) -> Vec<Leak> {
        let mut leaks: Vec<Leak> = Vec::new();
        for found in self.patterns.find_iter(bytes) {
            let leak = Leak { secret: self.names[found.pattern().as_usize()].clone(), place: place.to_owned() };
            if !leaks.contains(&leak) {
                leaks.push(leak);
            }
        }
        leaks
    }

    /// In every file of a folder, and in the files' names; `left_out` and what is in them excepted. How many files that were comes along.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn folder(&self, folder: &Path, left_out: &[PathBuf]) -> Result<(Vec<Leak>, usize)> {
        let (mut leaks, mut files) = (Vec::new(), 0);
        let mut folders = vec![folder.to_owned()];
        while let Some(inner) = folders.pop() {
            let entries = match fs::read_dir(&inner) {
                // One inside may have gone since it was listed.
                Err(error) if inner != folder && error.kind() == io::ErrorKind::NotFound => continue,
                entries => entries.doing(format!("the folder {}", inner.display()))?,
            };
            for entry in entries {
                let path = entry.doing("a folder's entry")?.path();
                if left_out.contains(&path) {
                    continue;
                }
                leaks.extend(self.bytes("a file's name", path.as_os_str().as_encoded_bytes()));
                // Sockets, pipes and links are no files.
                match fs::symlink_metadata(&path) {
                    Ok(metadata) if metadata.is_dir() => folders.push(path),
                    Ok(metadata) if metadata.is_file() => {
                        files += 1;
                        let content = fs::read(&path).or_else(gone).doing(format!("the file {}", path.display()))?;
                        leaks.extend(self.bytes(&path.display().to_string(), &content));
                    }
                    _ => {}
                }
            }
        }
        Ok((leaks, files))
    }

    /// In the arguments of these processes.
    #[must_use]
    pub fn arguments(&self, processes: &[Running]) -> Vec<Leak> {
        let place = |process: &Running| format!("the arguments of {} ({})", process.pid, process.executable.display());
        processes.iter().flat_map(|process| self.bytes(&place(process), &process.arguments)).collect()
    }

    /// In everything that a process has written into its memory.
    ///
    /// # Errors
    /// When we may not look.
    pub fn memory(&self, pid: u32) -> Result<Vec<Leak>> {
        let mut leaks = Vec::new();
        memory::each_block(pid, |block| leaks.extend(self.bytes(&format!("the memory of {pid}"), block)))?;
        leaks.dedup();
        Ok(leaks)
    }
}

/// A file that is there when the folder is listed may have gone when it is read.
fn gone(error: io::Error) -> io::Result<Vec<u8>> {
    if error.kind() == io::ErrorKind::NotFound { Ok(Vec::new()) } else { Err(error) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

    fn search() -> Search {
        Search::for_secrets([("token", SECRET.to_owned())]).unwrap()
    }

    #[test]
    fn a_secret_is_found_whole_cut_off_and_in_wide_characters() {
        let wide: Vec<u8> = SECRET.bytes().flat_map(|byte| [byte, 0]).collect();
        for text in [SECRET.as_bytes(), &SECRET.as_bytes()[..30], &wide] {
            assert_eq!(search().bytes("here", text), [Leak { secret: "token".to_owned(), place: "here".to_owned() }]);
        }
        assert!(search().bytes("here", b"0123456789 nothing").is_empty());
    }

    #[test]
    fn a_secret_is_found_in_a_file_deep_in_a_folder_and_not_where_it_may_be() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/b")).unwrap();
        fs::write(folder.path().join("a/b/file"), format!("x{SECRET}")).unwrap();
        assert_eq!(search().folder(folder.path(), &[]).unwrap().0.len(), 1);
        assert_eq!(search().folder(folder.path(), &[folder.path().join("a/b")]).unwrap(), (Vec::new(), 0));
    }

    #[test]
    fn a_secret_is_found_in_memory() {
        // Reversed, because the search itself has the secret in its memory.
        let held: Vec<u8> = SECRET.bytes().rev().collect();
        let reversed = String::from_utf8(held.clone()).unwrap();
        let leaks = Search::for_secrets([("token", reversed)]).unwrap().memory(std::process::id()).unwrap();
        assert!(!leaks.is_empty(), "{}", held.len());
    }
}
