//! The app on a command line: a process with its input, its output and its errors in the hands of the test.

use std::{
    process::{Command, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _},
    process::{Child, ChildStdin},
    task::JoinHandle,
};

use crate::{Error, Look, Result, error::While as _, wait};

/// A command that runs. It ends when this is dropped.
#[derive(Debug)]
pub struct Console {
    child: Child,
    input: Option<ChildStdin>,
    output: Reader,
    errors: Reader,
}

/// What a command has left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Ended {
    /// The exit code; `None` if a signal ended it.
    pub exit: Option<i32>,
    pub output: String,
    pub errors: String,
}

impl Console {
    /// Starts `command`, and reads what it writes.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(mut command: Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = tokio::process::Command::from(command).kill_on_drop(true).spawn().doing(format!("{name} could not be started"))?;
        let (output, errors) = (Reader::of(child.stdout.take()), Reader::of(child.stderr.take()));
        Ok(Self { input: child.stdin.take(), child, output, errors })
    }

    /// Writes to its stdin.
    ///
    /// # Errors
    /// When nobody reads there.
    pub async fn write(&mut self, text: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or_else(|| Error::unexpected("its input is closed"))?;
        input.write_all(text.as_bytes()).await.doing("its input")?;
        input.flush().await.doing("its input")
    }

    /// Returns when its output satisfies `condition`.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what is there.
    pub async fn until(&self, what: &str, condition: impl Fn(&str) -> bool) -> Result<()> {
        wait::until(what, async || {
            let output = self.output.text();
            Ok(Look::when(condition(&output).then_some(()), format!("{output}\n{}", self.errors.text())))
        })
        .await
    }

    /// Its process id, as long as it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// What it has written to its output so far.
    #[must_use]
    pub fn output(&self) -> String {
        self.output.text()
    }

    /// Returns when its errors satisfy `condition`.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what is there.
    pub async fn until_said(&self, what: &str, condition: impl Fn(&str) -> bool) -> Result<()> {
        wait::until(what, async || {
            let errors = self.errors.text();
            Ok(Look::when(condition(&errors).then_some(()), format!("{}\n{errors}", self.output.text())))
        })
        .await
    }

    /// Reads its output no more, and lets it notice.
    pub fn close_output(&mut self) {
        self.output.task.abort();
    }

    /// Sends it a signal, such as `INT`.
    ///
    /// # Errors
    /// When it does not run any more.
    pub fn signal(&self, signal: &str) -> Result<()> {
        let pid = self.child.id().ok_or_else(|| Error::unexpected("it has ended"))?;
        let status = Command::new("kill").args([format!("-{signal}"), pid.to_string()]).status().doing("kill could not be started")?;
        crate::error::ensure(status.success(), || format!("process {pid} takes no signal"))
    }

    /// Closes its input and returns when it has ended by itself.
    ///
    /// # Errors
    /// [`Error::TimedOut`] with what it has written.
    pub async fn ended(mut self) -> Result<Ended> {
        drop(self.input.take());
        let (output, errors) = (self.output.so_far.clone(), self.errors.so_far.clone());
        let said = || format!("{}\n{}", text(&output), text(&errors));
        let ended = tokio::time::timeout(wait::PATIENCE, self.child.wait()).await;
        let status = match ended {
            Ok(status) => status.doing("its status")?,
            Err(_) => return Err(Error::TimedOut { what: "the command ends".to_owned(), bound: wait::PATIENCE, seen: said() }),
        };
        Ok(Ended { exit: status.code(), output: self.output.all().await, errors: self.errors.all().await })
    }
}

#[derive(Debug)]
struct Reader {
    so_far: Arc<Mutex<Vec<u8>>>,
    task: JoinHandle<()>,
}

impl Reader {
    fn of(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Self {
        let so_far = Arc::new(Mutex::new(Vec::new()));
        let read = so_far.clone();
        let task = tokio::spawn(async move {
            let Some(mut stream) = stream else { return };
            let mut piece = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut piece).await {
                lock(&read).extend_from_slice(&piece[..count]);
            }
        });
        Self { so_far, task }
    }

    fn text(&self) -> String {
        text(&self.so_far)
    }

    async fn all(self) -> String {
        // The end of the stream, or of the wish to read it.
        let _ = self.task.await;
        text(&self.so_far)
    }
}

fn lock(bytes: &Mutex<Vec<u8>>) -> MutexGuard<'_, Vec<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn text(bytes: &Mutex<Vec<u8>>) -> String {
    String::from_utf8_lossy(&lock(bytes)).into_owned()
}
