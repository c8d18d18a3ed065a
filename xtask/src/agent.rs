//! The hosted agent of agent/, built and started on a local Workers runtime.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{self, Child, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::process::Cmd;
use crate::setup::npm;
use crate::workspace;

/// How long the runtime may take to listen; it compiles the agent first.
const START: Duration = Duration::from_secs(120);
/// How long it may take to end after it was asked to.
const STOP: Duration = Duration::from_secs(5);

/// Where the agent's code is.
pub(crate) fn folder() -> PathBuf {
    workspace::root().join("agent")
}

/// Whether this work tree has the agent.
pub(crate) fn exists() -> bool {
    folder().join("package.json").is_file()
}

/// The type check and the tests.
pub(crate) fn test() -> Result<()> {
    npm::npm().args(["run", "--silent", "check"]).dir(folder()).run()?;
    npm::npm().arg("test").dir(folder()).run()
}

/// The agent as it runs; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    url: String,
    tenant_port: u16,
}

impl Running {
    /// Starts the agent for tokens of a tenant that will listen on a port of this machine that is free now.
    pub(crate) fn start() -> Result<Self> {
        npm::ensure(&folder(), "the hosted agent and the local Workers runtime it is tested on")?;
        let tenant_port = free_port()?;
        let mut child = Cmd::new("node")
            .args(["scripts/serve.mjs", "--issuer", &format!("http://127.0.0.1:{tenant_port}/")])
            .dir(folder())
            .spawn(Stdio::piped())?;
        let ready = first_ready_line(&mut child);
        let mut running = Self { child, url: String::new(), tenant_port };
        running.url = ready?;
        println!("The agent listens at {}", running.url);
        Ok(running)
    }

    /// Where to reach the agent, as `--agent` of the app takes it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The port at which the agent expects its tenant.
    pub(crate) fn tenant_port(&self) -> u16 {
        self.tenant_port
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Asked first, so that it can end the runtime that it started.
        if cfg!(unix) {
            let _ = Cmd::new("kill").args(["-TERM", &self.child.id().to_string()]).probe();
            let started = Instant::now();
            while started.elapsed() < STOP {
                if !matches!(self.child.try_wait(), Ok(None)) {
                    return;
                }
                thread::sleep(Duration::from_millis(20));
            }
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the line `READY ADDRESS`; everything else that the agent prints is passed on.
fn first_ready_line(child: &mut Child) -> Result<String> {
    let output = child.stdout.take().context("the agent has no output")?;
    let (tell, ready) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            match line.strip_prefix("READY ") {
                Some(address) => drop(tell.send(address.trim().to_owned())),
                None => println!("  agent: {line}"),
            }
        }
    });
    match ready.recv_timeout(START) {
        Ok(address) => Ok(address),
        Err(mpsc::RecvTimeoutError::Timeout) => bail!("the agent did not start within {} s", START.as_secs()),
        Err(mpsc::RecvTimeoutError::Disconnected) => bail!("the agent ended before it was ready"),
    }
}

/// Not one of those that the system gives away: it is taken much later, and again by each test, and somebody would have been given it by then.
fn free_port() -> Result<u16> {
    const PORTS: u32 = 10_000;
    let mut ports = (0..PORTS).filter_map(|n| u16::try_from(20_000 + process::id().wrapping_add(n) % PORTS).ok());
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    ports.find(is_free).context("no free port on the loopback interface")
}
