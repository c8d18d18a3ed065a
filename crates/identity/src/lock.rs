//! One process at a time: the lock that a refresh is made under, and whatever else two processes must not do at once. It dies with its owner,
//! however that ends.

use std::{
    fs::{File, OpenOptions, TryLockError, create_dir_all},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::{Instant, sleep};

/// How long another process may take: two requests with their time limits, and a slow keychain.
const PATIENCE: Duration = Duration::from_secs(60);
const INTERVAL: Duration = Duration::from_millis(50);

/// Held until it is dropped or its process ends. An advisory lock on an open file: nothing is left behind that could be stale.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "closing it is what lets go")] File);

/// What came of waiting for a lock.
#[derive(Debug)]
pub enum Taken {
    /// It is held.
    Had(Lock),
    /// Another process has it, and has not let go of it in time.
    Elsewhere,
    /// There are no locks in this place, for this reason.
    Unsupported(io::ErrorKind),
}

/// Waits for the lock of this name in this folder, for a minute at most. The folder is made if there is none.
pub async fn take(folder: PathBuf, name: String) -> Taken {
    let opened = tokio::task::spawn_blocking(move || open(&folder, &name)).await;
    let file = match opened {
        Ok(Ok(file)) => file,
        Ok(Err(error)) => return Taken::Unsupported(error.kind()),
        Err(_) => return Taken::Unsupported(io::ErrorKind::Other),
    };
    let until = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => return Taken::Had(Lock(file)),
            Err(TryLockError::Error(error)) => return Taken::Unsupported(error.kind()),
            Err(TryLockError::WouldBlock) if Instant::now() >= until => return Taken::Elsewhere,
            Err(TryLockError::WouldBlock) => sleep(INTERVAL).await,
        }
    }
}

/// The lock of this name, if nobody has it and there are locks in this place.
pub(crate) fn try_take(folder: &Path, name: &str) -> Option<Lock> {
    let file = open(folder, name).ok()?;
    file.try_lock().is_ok().then_some(Lock(file))
}

/// Whether somebody has the lock of this name.
pub(crate) fn is_taken(folder: &Path, name: &str) -> bool {
    open(folder, name).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// The file stays when the lock is gone: removing it would let two processes lock two files of one name.
fn open(folder: &Path, name: &str) -> io::Result<File> {
    create_dir_all(folder)?;
    OpenOptions::new().create(true).truncate(false).write(true).open(folder.join(format!("{name}.lock")))
}

#[cfg(test)]
mod tests {
    use std::{
        io::{BufRead, BufReader, Write},
        process::{Command, Stdio},
    };

    use super::*;

    const FOLDER: &str = "CALLBOX_TEST_LOCK_FOLDER";

    async fn take_in(folder: &Path) -> Taken {
        take(folder.to_owned(), "session".to_owned()).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_has_one_holder_and_waiting_for_it_ends() {
        let folder = tempfile::tempdir().unwrap();
        let first = take_in(folder.path()).await;
        assert!(matches!(first, Taken::Had(_)));
        assert!(matches!(take_in(folder.path()).await, Taken::Elsewhere));
        drop(first);
        assert!(matches!(take_in(folder.path()).await, Taken::Had(_)));
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_is_told_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert!(matches!(take_in(&file).await, Taken::Unsupported(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_dies_with_a_process_that_is_killed() {
        if let Some(folder) = std::env::var_os(FOLDER) {
            // The other process: holds the lock until it is killed.
            let _held = take_in(Path::new(&folder)).await;
            std::io::stdout().write_all(b"\nheld\n").unwrap();
            let _ = std::io::stdin().lines().next();
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let mut owner = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", "lock::tests::a_lock_dies_with_a_process_that_is_killed"])
            .env(FOLDER, folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(owner.stdout.take().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line == "held"));
        assert!(matches!(take_in(folder.path()).await, Taken::Elsewhere));
        owner.kill().unwrap();
        owner.wait().unwrap();
        assert!(matches!(take_in(folder.path()).await, Taken::Had(_)));
    }
}
