//! What outlives a sandbox: a folder of small files, each replaced as a whole.
//!
//! Writes happen in order on a thread of their own. [`Disk::flush`] returns when all writes asked for before it are on the disk.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, mpsc},
    time::Duration,
};

use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use crate::SandboxError;

enum Job {
    Write { file: PathBuf, bytes: Vec<u8> },
    Flush(oneshot::Sender<()>),
}

/// A folder for state, or none.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    jobs: mpsc::Sender<Job>,
}

impl Disk {
    /// Takes possession of `folder`, which is made if need be, readable by the user only.
    ///
    /// # Errors
    /// [`SandboxError::InUse`] if another process (or another sandbox here) has it, [`SandboxError::State`] if it cannot be used.
    pub(crate) async fn open(folder: &Path) -> Result<Self, SandboxError> {
        let state = |source| SandboxError::State { path: folder.to_owned(), source };
        private_folder(folder).map_err(state)?;
        let lock = private_file(&folder.join("lock")).map_err(state)?;
        // One that was just closed may need a moment to let go.
        let mut tries = 0;
        while let Err(error) = lock.try_lock() {
            match error {
                TryLockError::WouldBlock if tries < 40 => tokio::time::sleep(Duration::from_millis(50)).await,
                TryLockError::WouldBlock => return Err(SandboxError::InUse(folder.to_owned())),
                TryLockError::Error(source) => return Err(state(source)),
            }
            tries += 1;
        }
        let (jobs, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("callbox-sandbox-disk".to_owned())
            .spawn(move || {
                for job in inbox {
                    match job {
                        Job::Write { file, bytes } => {
                            if let Err(error) = replace(&file, &bytes) {
                                tracing::warn!(%error, file = %file.display(), "the sandbox's state was not saved");
                            }
                        }
                        Job::Flush(done) => drop(done.send(())),
                    }
                }
                drop(lock);
            })
            .map_err(state)?;
        Ok(Self(Some(Arc::new(Inner { folder: folder.to_owned(), jobs }))))
    }

    /// Reads a file; `None` if there is no folder or no such file, or if it holds something else.
    pub(crate) fn read_json<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let bytes = self.read(name)?;
        serde_json::from_slice(&bytes).map_err(|error| tracing::warn!(%error, name, "a file of the sandbox's state is not valid")).ok()
    }

    /// Reads a file as it is.
    pub(crate) fn read(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.0.as_ref()?.folder.join(name)).ok()
    }

    /// All files of a folder inside.
    pub(crate) fn list(&self, folder: &str) -> Vec<String> {
        let Some(inner) = &self.0 else { return Vec::new() };
        let Ok(entries) = fs::read_dir(inner.folder.join(folder)) else { return Vec::new() };
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        names.filter(|name| Path::new(name).extension().is_some_and(|end| end == "json")).map(|name| format!("{folder}/{name}")).collect()
    }

    /// Replaces a file, soon.
    pub(crate) fn write(&self, name: &str, bytes: Vec<u8>) {
        if let Some(inner) = &self.0 {
            // The thread lives as long as this sender.
            let _ = inner.jobs.send(Job::Write { file: inner.folder.join(name), bytes });
        }
    }

    /// Replaces a file, soon.
    pub(crate) fn write_json<T: Serialize>(&self, name: &str, value: &T) {
        if self.0.is_some() {
            match serde_json::to_vec(value) {
                Ok(bytes) => self.write(name, bytes),
                Err(error) => tracing::warn!(%error, name, "the sandbox's state cannot be written as JSON"),
            }
        }
    }

    /// Returns when everything written before is on the disk.
    pub(crate) async fn flush(&self) {
        if let Some(inner) = &self.0 {
            let (done, wait) = oneshot::channel();
            if inner.jobs.send(Job::Flush(done)).is_ok() {
                let _ = wait.await;
            }
        }
    }
}

/// Writes beside and renames, so that a reader (or a crash) sees the old or the new, never half.
fn replace(file: &Path, bytes: &[u8]) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        private_folder(folder)?;
    }
    let beside = file.with_extension("new");
    let mut out = private_file(&beside)?;
    out.set_len(0)?;
    out.write_all(bytes)?;
    out.sync_all()?;
    drop(out);
    fs::rename(&beside, file)
}

fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn private_file(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(file)
}
