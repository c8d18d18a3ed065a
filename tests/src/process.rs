//! Programs that end with the test, and a look at those that run.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{self, Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{Look, Result, error::While as _, wait};

/// How long a killed process may take to be gone.
const WAY_OUT: Duration = Duration::from_secs(60);
/// Ports from here on are nobody's in particular, and no browser refuses to go there.
const LOWEST_PORT: u32 = 20_000;
const PORTS: u32 = 10_000;

/// A program and everything that descends from it; all of it ends when this is dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    name: String,
}

impl Process {
    /// Starts `command`. What it and its children write goes to the end of `log`.
    ///
    /// # Errors
    /// When the log or the program cannot be opened.
    pub fn start(mut command: Command, log: &Path) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let output = || fs::File::options().create(true).append(true).open(log).doing(format!("the log {}", log.display()));
        command.stdin(Stdio::null()).stdout(output()?).stderr(output()?);
        let child = command.spawn().doing(format!("{name} could not be started"))?;
        Ok(Self { child, name })
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended by itself.
    ///
    /// # Errors
    /// When that cannot be found out.
    pub fn has_ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait().doing("its status")?.is_some())
    }

    /// Returns when it has ended by itself.
    ///
    /// # Errors
    /// [`crate::Error::TimedOut`].
    pub async fn ended(&mut self) -> Result<ExitStatus> {
        let what = format!("{} ends", self.name);
        wait::until(&what, async || Ok(Look::when(self.child.try_wait().doing("its status")?, "it still runs"))).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            // It has ended by itself: nothing descends from it any more, and its number may be another's.
            return;
        }
        // Drivers leave what they have started behind when they are killed. Nothing is put into a process group of its own, so that
        // whoever stops the tests stops all of it.
        let all = descendants(&running(), self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in &all {
            // It may have followed its parent by itself.
            let _ = kill(process.pid);
        }
        // The next one to be started must not meet the last one that is still on its way out.
        let started = Instant::now();
        while all.iter().any(|process| look(process.pid).is_some()) && started.elapsed() < WAY_OUT {
            thread::sleep(Duration::from_millis(5));
        }
    }
}

/// Ends a process at once.
///
/// # Errors
/// When there is no such process or it is not ours.
pub fn kill(pid: u32) -> Result<()> {
    let status =
        Command::new("kill").args(["-KILL", &pid.to_string()]).stderr(Stdio::null()).status().doing("kill could not be started")?;
    crate::error::ensure(status.success(), || format!("process {pid} could not be ended"))
}

/// A port of this computer that nobody listens on. It is none of those that the system gives to whoever wants any, so nobody is given it before the
/// program for which it is meant listens there.
///
/// # Errors
/// When there is none.
pub fn free_port() -> Result<u16> {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let next = || process::id().wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed)) % PORTS;
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    let mut ports = (0..PORTS).filter_map(|_| u16::try_from(LOWEST_PORT + next()).ok());
    ports.find(is_free).ok_or_else(|| crate::Error::unexpected("no free port on the loopback interface"))
}

/// A program that runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    pub pid: u32,
    pub parent: u32,
    /// What lies on the disk; empty if it cannot be told.
    pub executable: PathBuf,
    /// Its arguments, each ended by a zero byte, the program's own name first.
    pub arguments: Vec<u8>,
}

/// Everything that runs on this computer and that we may look at.
#[must_use]
pub fn running() -> Vec<Running> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    // A process may end between two looks at it.
    pids.filter_map(look).collect()
}

fn look(pid: u32) -> Option<Running> {
    let folder = PathBuf::from(format!("/proc/{pid}"));
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    // The name stands in parentheses and may contain anything, even those.
    let after_name = stat.rsplit_once(')')?.1;
    let mut fields = after_name.split_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    if state == "Z" {
        return None;
    }
    let executable = fs::read_link(folder.join("exe")).unwrap_or_default();
    Some(Running { pid, parent, executable, arguments: fs::read(folder.join("cmdline")).unwrap_or_default() })
}

/// Of `all`, those that descend from `ancestor`, itself excepted.
#[must_use]
pub fn descendants(all: &[Running], ancestor: u32) -> Vec<Running> {
    let mut found: Vec<Running> = Vec::new();
    let mut known = vec![ancestor];
    while let Some(parent) = known.pop() {
        for child in all.iter().filter(|process| process.parent == parent) {
            known.push(child.pid);
            found.push(child.clone());
        }
    }
    found
}
