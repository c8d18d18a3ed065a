//! The SDK's own programs: the agent on the Workers runtime, and the client in Node.

use std::{fs, path::PathBuf, process::Stdio};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::mpsc,
};

/// A release of the SDK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Release {
    /// agents 0.32, ai-chat 0.12, AI SDK 7.
    Newest,
    /// agents 0.2, AI SDK 5.
    Old,
}

impl Release {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Newest => "newest",
            Self::Old => "v0.2",
        }
    }

    fn folder(self) -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(self.name())
    }
}

/// The agent. It is killed when this is dropped.
pub(crate) struct Agent {
    pub(crate) port: u16,
    runtime: Child,
}

impl Agent {
    /// Starts the agent on this storage; it listens when this returns.
    pub(crate) async fn start(release: Release, state: &std::path::Path) -> Self {
        let dist = release.folder().join("dist");
        let program = fs::read_to_string(dist.join("runtime")).expect("`cargo xtask test --only interop` builds the agents first");
        let mut runtime = Command::new(program)
            .arg("serve")
            .arg(dist.join("agent.capnp"))
            .args(["--experimental", "--control-fd=1"])
            .arg(format!("--directory-path=state={}", state.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(runtime.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next_line().await.unwrap().expect("the runtime ended");
            let said: Value = serde_json::from_str(&line).unwrap_or_default();
            if said["event"] == "listen" {
                break u16::try_from(said["port"].as_u64().unwrap()).unwrap();
            }
        };
        // What the agent prints must go somewhere.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { port, runtime }
    }

    /// As a crash: no goodbye, nothing written any more.
    pub(crate) async fn kill(mut self) {
        self.runtime.kill().await.unwrap();
    }
}

/// What the SDK's client shows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Shown {
    pub(crate) ready: bool,
    pub(crate) messages: Vec<Value>,
    /// What went wrong last.
    pub(crate) error: Option<String>,
    /// The agent's states, as they came.
    pub(crate) states: Vec<Value>,
    /// What other agents do for calls, where the release tells of it.
    pub(crate) runs: Vec<Value>,
}

/// The SDK's client. It is killed when this is dropped.
pub(crate) struct Client {
    input: ChildStdin,
    news: mpsc::UnboundedReceiver<Value>,
    asked: u64,
    _program: Child,
}

impl Client {
    /// Starts it with these options; see `client.mjs`.
    pub(crate) fn start(release: Release, options: &Value) -> Self {
        let mut program = Command::new("node")
            .arg("client.cjs")
            .arg(options.to_string())
            .current_dir(release.folder().join("dist"))
            .env("NODE_ENV", "production")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let (tell, news) = mpsc::unbounded_channel();
        tokio::spawn(read(BufReader::new(program.stdout.take().unwrap()).lines(), tell));
        Self { input: program.stdin.take().unwrap(), news, asked: 0, _program: program }
    }

    /// Tells it to do something; see `client.mjs`.
    pub(crate) async fn tell(&mut self, command: &str, value: impl Into<Value>) {
        let line = format!("{}\n", json!({command: value.into()}));
        self.input.write_all(line.as_bytes()).await.unwrap();
    }

    /// What it shows now.
    pub(crate) async fn show(&mut self) -> Shown {
        self.asked += 1;
        self.tell("show", self.asked).await;
        loop {
            let mut news = self.heard().await;
            if news["number"] == self.asked {
                let mut list = |name: &str| news[name].as_array_mut().map(std::mem::take).unwrap_or_default();
                let (messages, states, runs) = (list("messages"), list("states"), list("runs"));
                return Shown { ready: news["ready"] == true, messages, error: news["error"].as_str().map(str::to_owned), states, runs };
            }
        }
    }

    /// Calls a method of the agent.
    pub(crate) async fn call(&mut self, method: &str, arguments: [Value; 2]) -> Value {
        self.tell("call", json!([method, arguments[0], arguments[1]])).await;
        loop {
            let mut news = self.heard().await;
            if news.get("result").is_some() {
                return news["result"].take();
            }
        }
    }

    /// Returns when it has drawn something new since it was last asked.
    pub(crate) async fn changed(&mut self) {
        self.heard().await;
    }

    async fn heard(&mut self) -> Value {
        self.news.recv().await.expect("the SDK's client ended")
    }
}

async fn read(mut lines: Lines<BufReader<ChildStdout>>, tell: mpsc::UnboundedSender<Value>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(news) = serde_json::from_str(&line) else { continue };
        if tell.send(news).is_err() {
            return;
        }
    }
}
