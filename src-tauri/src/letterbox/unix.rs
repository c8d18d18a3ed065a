//! A socket in the user's runtime folder (XDG Base Directory Specification, `XDG_RUNTIME_DIR`).

use std::{
    fs::{self, DirBuilder, Permissions},
    io::{self, Read as _, Write as _},
    net::Shutdown,
    os::unix::{
        fs::{DirBuilderExt as _, PermissionsExt as _},
        net::UnixStream as BlockingStream,
    },
    path::{Path, PathBuf},
    process,
    time::Duration,
};

use callbox_vault::Secret;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    time::{sleep, timeout},
};

use crate::IDENTIFIER;

/// The longest link that is handed over; longer ones are nobody's.
const MAX_LINK: usize = 16 * 1024;
/// How long whoever hands a link over waits for a sign-in to end: it may have to ask its tenant twice.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a link may take to be written.
const WRITING: Duration = Duration::from_secs(5);
const TAKEN: u8 = b'+';
const NOT_OURS: u8 = b'-';

/// The folder of the sockets. `None`: the system has none that is the user's alone.
fn folder() -> Option<PathBuf> {
    Some(dirs::runtime_dir()?.join(IDENTIFIER))
}

/// Hands a link to the sign-in that waits for it, and returns whether there was one. May be called without a runtime.
pub(crate) fn hand_over(link: &str) -> bool {
    folder().is_some_and(|folder| hand_over_in(&folder, link))
}

fn hand_over_in(folder: &Path, link: &str) -> bool {
    let Ok(entries) = fs::read_dir(folder) else { return false };
    let sockets =
        entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|extension| extension == "socket"));
    sockets.into_iter().any(|socket| match offer(&socket, link) {
        Ok(taken) => taken,
        Err(error) => {
            // Its process has ended without taking it away.
            if error.kind() == io::ErrorKind::ConnectionRefused {
                let _ = fs::remove_file(&socket);
            }
            false
        }
    })
}

fn offer(socket: &Path, link: &str) -> io::Result<bool> {
    let mut stream = BlockingStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(WRITING))?;
    stream.write_all(link.as_bytes())?;
    stream.shutdown(Shutdown::Write)?;
    let mut answer = [0];
    stream.read_exact(&mut answer)?;
    Ok(answer == [TAKEN])
}

/// Where links come in while this is there.
pub(crate) struct Letterbox {
    listener: UnixListener,
    socket: PathBuf,
}

/// A link that came in, and whoever waits to hear whose it is.
pub(crate) struct Letter {
    pub(crate) link: Secret<String>,
    stream: UnixStream,
}

impl Letterbox {
    /// Opens one. `None`: there is no folder for it. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn open() -> io::Result<Option<Self>> {
        folder().map(|folder| Self::open_in(&folder)).transpose()
    }

    fn open_in(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        // One that was there before; it fails if it is somebody else's.
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
        let socket = folder.join(format!("login-{}.socket", process::id()));
        let _ = fs::remove_file(&socket);
        let listener = UnixListener::bind(&socket)?;
        fs::set_permissions(&socket, Permissions::from_mode(0o600))?;
        Ok(Self { listener, socket })
    }

    /// The next link. Safe to cancel.
    pub(crate) async fn next(&self) -> Letter {
        loop {
            let Ok((mut stream, _)) = self.listener.accept().await else {
                // Out of file descriptors: the next one may work.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let mut bytes = Secret::new(Vec::with_capacity(MAX_LINK + 1));
            let limit = u64::try_from(MAX_LINK + 1).unwrap_or(u64::MAX);
            let read = timeout(WRITING, (&mut stream).take(limit).read_to_end(bytes.expose_mut())).await;
            if matches!(read, Ok(Ok(1..=MAX_LINK)))
                && let Ok(link) = String::from_utf8(bytes.expose().clone())
            {
                return Letter { link: Secret::new(link), stream };
            }
        }
    }
}

impl Drop for Letterbox {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.socket);
    }
}

impl Letter {
    /// Says whether the link was for this sign-in.
    pub(crate) async fn answer(mut self, taken: bool) {
        let answer = [if taken { TAKEN } else { NOT_OURS }];
        // Whoever does not wait for it need not know.
        let _ = self.stream.write_all(&answer).await;
        let _ = self.stream.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener as BlockingListener;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    async fn handed_over(folder: &Path, link: &str) -> bool {
        let (folder, link) = (folder.to_owned(), link.to_owned());
        tokio::task::spawn_blocking(move || hand_over_in(&folder, &link)).await.unwrap()
    }

    #[tokio::test]
    async fn a_link_goes_to_the_sign_in_that_takes_it_and_nobody_else_can_reach_it() {
        let top = tempfile::tempdir().unwrap();
        let folder = top.path().join("app");
        fs::create_dir(&folder).unwrap();
        let letterbox = Letterbox::open_in(&folder).unwrap();
        let socket = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
        assert_eq!((mode(&folder), mode(&socket)), (0o700, 0o600));
        let serving = tokio::spawn(async move {
            for taken in [false, true] {
                let letter = letterbox.next().await;
                assert_eq!(letter.link.expose(), "app://callback?code=a");
                letter.answer(taken).await;
            }
        });
        assert!(!handed_over(&folder, "app://callback?code=a").await, "it is for somebody else");
        assert!(handed_over(&folder, "app://callback?code=a").await);
        serving.await.unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 0, "nothing is left behind");
        assert!(!handed_over(&folder, "app://callback?code=a").await, "nobody waits any more");
    }

    #[tokio::test]
    async fn what_a_killed_process_has_left_is_taken_away_and_holds_nobody_up() {
        let top = tempfile::tempdir().unwrap();
        let socket = top.path().join("login-1.socket");
        drop(BlockingListener::bind(&socket).unwrap());
        assert!(!handed_over(top.path(), "app://callback?code=a").await);
        assert!(!socket.exists());
        assert!(!handed_over(&top.path().join("no-such-folder"), "x").await);
    }

    #[tokio::test]
    async fn what_is_no_link_or_too_long_for_one_is_passed_over() {
        let top = tempfile::tempdir().unwrap();
        let letterbox = Letterbox::open_in(top.path()).unwrap();
        let serving = tokio::spawn(async move {
            let letter = letterbox.next().await;
            assert_eq!(letter.link.expose(), "good");
            letter.answer(true).await;
        });
        for bad in ["", &"x".repeat(MAX_LINK + 1)] {
            assert!(!handed_over(top.path(), bad).await);
        }
        assert!(handed_over(top.path(), "good").await);
        serving.await.unwrap();
    }
}
