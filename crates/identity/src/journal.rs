//! What the disk knows of a session's refreshes: which generation the vault has taken, and whether one is at the tenant.
//!
//! Written before a refresh token is sent and after its successor is in the vault, under the lock of [`crate::lock`]. Whoever finds a token
//! marked as sent knows that nobody knows what became of it. It contains no secret: numbers, and the hash of a token.
//!
//! Beside it is a number that each sign-out makes another. A process that still has the session's tokens in memory compares it before it uses
//! or keeps any. It is a file of its own, so that a sign-out need not wait for whoever writes the rest.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use aws_lc_rs::digest::{SHA256, digest};
use callbox_vault::Secret;
use serde::{Deserialize, Serialize};

/// One line about one session. What cannot be read is as good as none: it protects, it does not decide who is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Entry {
    /// The newest generation that is known to be in the vault. 0: none.
    #[serde(rename = "n")]
    pub(crate) generation: u64,
    /// The hash of the token that was sent and not answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sent: Option<String>,
    /// How often somebody has signed out here.
    #[serde(skip)]
    pub(crate) left: u64,
}

impl Entry {
    /// What is another for each session: its generation, and how many sign-outs there were before.
    pub(crate) fn session(&self) -> (u64, u64) {
        (self.generation, self.left)
    }

    /// Whether this token was sent, and what became of it is not known.
    pub(crate) fn is_open_for(&self, token: &Secret<String>) -> bool {
        self.sent.as_deref() == Some(hash(token).as_str())
    }
}

/// SHA-256 in hexadecimal.
pub(crate) fn hash(token: &Secret<String>) -> String {
    digest(&SHA256, token.expose().as_bytes()).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The journal of one session. All calls are for threads that may block.
#[derive(Debug, Clone)]
pub(crate) struct Journal {
    folder: PathBuf,
    path: PathBuf,
    left: PathBuf,
}

impl Journal {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let at = |kind: &str| folder.join(format!("{name}.{kind}"));
        Self { folder: folder.to_owned(), path: at("journal"), left: at("left") }
    }

    pub(crate) fn read(&self) -> Entry {
        let entry: Entry = fs::read(&self.path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        let left = fs::read_to_string(&self.left).ok().and_then(|text| text.trim().parse().ok()).unwrap_or_default();
        Entry { left, ..entry }
    }

    /// Somebody signs out of a session of which `left` was known: from now on nobody goes on with its tokens.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn leave(&self, left: u64) -> io::Result<()> {
        // The file may have been lost since.
        self.put(&self.left, left.max(self.read().left).saturating_add(1).to_string().as_bytes())
    }

    /// This token is about to be sent.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn sent(&self, token: &Secret<String>) -> io::Result<()> {
        self.write(&Entry { sent: Some(hash(token)), ..self.read() })
    }

    /// The tenant has answered and changed nothing: no token is under way.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn settled(&self) -> io::Result<()> {
        let entry = self.read();
        if entry.sent.is_some() { self.write(&Entry { sent: None, ..entry }) } else { Ok(()) }
    }

    /// The vault holds this generation.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn kept(&self, generation: u64) -> io::Result<()> {
        let known = self.read();
        let entry = Entry { generation, sent: None, left: known.left };
        if known == entry { Ok(()) } else { self.write(&entry) }
    }

    /// The session is over.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn forget(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    fn write(&self, entry: &Entry) -> io::Result<()> {
        self.put(&self.path, &serde_json::to_vec(entry)?)
    }

    /// Whole or not at all, and on the disk when this returns.
    fn put(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let mut new = path.as_os_str().to_owned();
        new.push(".new");
        let mut file = File::create(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        drop(file);
        fs::rename(&new, path)?;
        // The name too. Where folders cannot be opened, the system sees to that itself.
        File::open(&self.folder).map_or(Ok(()), |folder| folder.sync_all())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_open_from_when_it_is_sent_until_it_is_settled() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(&folder.path().join("made"), "s");
        let (one, two) = (Secret::from("one"), Secret::from("two"));
        assert_eq!(journal.read(), Entry::default());
        journal.kept(3).unwrap();
        journal.sent(&one).unwrap();
        assert!(journal.read().is_open_for(&one) && !journal.read().is_open_for(&two));
        assert_eq!(journal.read().generation, 3);
        journal.settled().unwrap();
        assert!(!journal.read().is_open_for(&one));
        journal.sent(&one).unwrap();
        journal.kept(4).unwrap();
        assert_eq!(journal.read(), Entry { generation: 4, ..Entry::default() });
        journal.forget().unwrap();
        journal.forget().unwrap();
        assert_eq!(journal.read(), Entry::default());
    }

    #[test]
    fn each_sign_out_is_counted_whatever_else_is_written_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(&folder.path().join("made"), "s");
        journal.leave(0).unwrap();
        journal.kept(7).unwrap();
        assert_eq!(journal.read(), Entry { generation: 7, sent: None, left: 1 });
        journal.leave(1).unwrap();
        journal.sent(&Secret::from("one")).unwrap();
        journal.forget().unwrap();
        assert_eq!(journal.read(), Entry { left: 2, ..Entry::default() });
        fs::write(folder.path().join("made/s.left"), "nonsense").unwrap();
        assert_eq!(journal.read(), Entry::default());
        journal.leave(2).unwrap();
        assert_eq!(journal.read().left, 3, "of a session that was known to be the third");
    }

    #[test]
    fn it_contains_no_token_and_nonsense_in_it_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::new(folder.path(), "s");
        journal.sent(&Secret::from("the-token")).unwrap();
        let text = fs::read_to_string(folder.path().join("s.journal")).unwrap();
        assert!(text.len() > 64 && !text.contains("the-token"));
        fs::write(folder.path().join("s.journal"), "{\"n\":").unwrap();
        assert_eq!(journal.read(), Entry::default());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
    }
}
