//! One conversation: the SDK's agent, the SDK's client and our link in it, and a recording of all that was said.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use callbox_identity::{CallbackOutcome, Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{Link, LinkConfig, LinkState};
use callbox_protocol::{Role, UiMessage, replay};
use callbox_sandbox::{AUDIENCE, Sandbox, SandboxConfig, Visitor};
use callbox_vault::Vault;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    ours::Ours,
    place::Place,
    proxy::{Proxy, Side},
    quirks, recorded,
    sdk::{Agent, Client, Release, Shown},
};

/// How long something may take that takes milliseconds, on a machine that is busy with something else.
pub(crate) const PATIENCE: Duration = Duration::from_secs(40);

pub(crate) struct Room {
    pub(crate) ours: Ours,
    pub(crate) theirs: Client,
    pub(crate) proxy: Proxy,
    release: Release,
    place: Place,
    name: String,
    agent: Option<Agent>,
    state: TempDir,
    http: reqwest::Client,
    _tenant: Sandbox,
}

impl Room {
    /// A new conversation with both clients in it. The name is that of the recording, too.
    pub(crate) async fn new(release: Release, name: &str) -> Self {
        Self::at(release, name, Place::default()).await
    }

    /// The same with another agent, or another client.
    pub(crate) async fn at(release: Release, name: &str, place: Place) -> Self {
        let state = TempDir::new().unwrap();
        // The runtime closes connections that were idle for a while, perhaps just when the next request is written to one.
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).no_proxy();
        let http = http.build().unwrap();
        let agent = Agent::start(release, state.path()).await;
        let proxy = Proxy::start(agent.port, name, http.clone()).await;
        let theirs = Client::start(release, &place.client(&proxy.address.to_string(), name));
        let tenant = Sandbox::start(SandboxConfig::default()).await.unwrap();
        let session = sign_in(&tenant, &http).await;
        let (address, conversation) = place.way(&proxy.address.to_string(), name);
        let link = Link::spawn(LinkConfig {
            timing: place.timing(),
            tools: place.tools(),
            ..LinkConfig::new(address, conversation, session, http.clone())
        });
        let ours = Ours::new(link).await;
        let name = name.to_owned();
        let mut room = Self { ours, theirs, proxy, release, place, name, agent: Some(agent), state, http, _tenant: tenant };
        room.ours.until(|ours| ours.status.link == LinkState::Online).await;
        room.agree("an empty room", |stored| stored.is_empty()).await;
        room
    }

    /// What the agent itself says the conversation is.
    pub(crate) async fn stored(&self) -> Vec<Value> {
        let answer = self.ask("get-messages").await;
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{error}: {answer}"))
    }

    /// Lets the model go on that waits at this gate, or that will come to it.
    pub(crate) async fn open(&self, gate: &str) {
        self.ask(&format!("open?gate={gate}")).await;
    }

    pub(crate) async fn ask(&self, path: &str) -> String {
        let (base, conversation) = self.place.address(&self.name);
        let url = format!("http://127.0.0.1:{}{base}/{conversation}/{path}", self.agent.as_ref().unwrap().port);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Kills the agent's process and starts it on the same storage.
    pub(crate) async fn kill_agent(&mut self) {
        self.agent.take().unwrap().kill().await;
        let agent = Agent::start(self.release, self.state.path()).await;
        self.proxy.moved(agent.port);
        self.agent = Some(agent);
    }

    /// Cuts our socket and waits until there is another one.
    pub(crate) async fn drop_ours(&mut self) {
        let before = self.proxy.opened_by_ours();
        self.proxy.cut(Side::Ours);
        self.again(before).await;
        self.ours.until(|ours| ours.status.link == LinkState::Online).await;
    }

    /// Waits until our client has opened more sockets than these. That it had none may be over before anybody is told.
    pub(crate) async fn again(&mut self, before: usize) {
        self.passes("our next socket", |proxy| proxy.opened_by_ours() > before).await;
        self.ours.take_all().await;
    }

    /// Waits until the SDK's client has sent so many frames with this in them.
    pub(crate) async fn theirs_sent(&mut self, what: &str, count: usize) {
        self.passes(what, |proxy| proxy.sent_by(Side::Theirs, what) >= count).await;
    }

    /// Waits until so many sockets have been opened.
    pub(crate) async fn opened(&mut self, count: u64) {
        self.passes("sockets", |proxy| proxy.sockets() >= count).await;
    }

    async fn passes(&mut self, what: &str, condition: impl Fn(&Proxy) -> bool) {
        let follow = async {
            loop {
                self.proxy.seen();
                if condition(&self.proxy) {
                    return;
                }
                self.proxy.passed().await;
            }
        };
        tokio::time::timeout(PATIENCE, follow).await.unwrap_or_else(|_| panic!("it never came: {what}"));
    }

    /// Both clients show this in an answer that is the last message. The old one shows an answer to somebody else when it is complete.
    pub(crate) async fn both_show(&mut self, text: &str) {
        let (what, release) = (format!("both show {text:?}"), self.release);
        self.until(&what, |_, ours, theirs| {
            let answer = |message: &&UiMessage| message.role == Role::Assistant && message.text().contains(text);
            let their_answer = |message: &&Value| message["role"] == "assistant" && message.to_string().contains(text);
            ours.messages.last().filter(answer).is_some()
                && (release == Release::Old || theirs.messages.last().filter(their_answer).is_some())
        })
        .await;
    }

    /// Waits until nothing goes on, this holds for what the agent has, and the agent, its own client and ours have the same; then plays
    /// the recording, which must come to the same again.
    pub(crate) async fn agree(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let stored = self.agree_live(what, condition).await;
        let lines = self.proxy.recording();
        let checkpoints = replay::play(lines.iter().map(String::as_str)).unwrap();
        // What a client asked for by itself may be of any moment.
        for checkpoint in checkpoints.iter().filter(|checkpoint| is_note(&lines[checkpoint.line - 1])) {
            let differences: Vec<_> = checkpoint.differences().iter().map(ToString::to_string).collect();
            assert!(differences.is_empty(), "{what}, line {}: {differences:#?}", checkpoint.line);
        }
        stored
    }

    /// The same without the frames by themselves: the recording has what our link asked for over HTTP, which is what it does when frames were
    /// sent while it had no socket, and that is taken for granted.
    pub(crate) async fn agree_live(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let release = self.release;
        let holds = |stored: &[Value], ours: &Ours, theirs: &Shown| {
            condition(stored)
                && ours.is_idle()
                && theirs.ready
                && ours.values() == stored
                && quirks::common(release, &theirs.messages) == quirks::common(release, stored)
        };
        self.recorded(what, holds, &[Side::Ours, Side::Theirs]).await
    }

    /// The same without the SDK's own client, where that shows something else.
    pub(crate) async fn settled(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let holds = |stored: &[Value], ours: &Ours, _: &Shown| condition(stored) && ours.is_idle() && ours.values() == stored;
        self.recorded(what, holds, &[Side::Ours]).await
    }

    /// Waits until this holds; what the agent has then is returned.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&[Value], &Ours, &Shown) -> bool) -> Vec<Value> {
        self.reach(what, &condition).await.0
    }

    /// The same, with the length of the recording before anybody was asked.
    async fn reach(&mut self, what: &str, condition: &impl Fn(&[Value], &Ours, &Shown) -> bool) -> (Vec<Value>, usize) {
        let mut last = (Vec::new(), Shown::default());
        let follow = async {
            loop {
                self.proxy.seen();
                let lines = self.proxy.lines();
                last = (self.stored().await, self.theirs.show().await);
                // What the agent has may be older than what was shown after it.
                self.ours.take_all().await;
                if condition(&last.0, &self.ours, &last.1) && self.stored().await == last.0 {
                    return (last.0.clone(), lines);
                }
                tokio::select! {
                    () = self.theirs.changed() => {}
                    () = self.ours.next() => {}
                    () = self.proxy.passed() => {}
                }
            }
        };
        if let Ok(reached) = tokio::time::timeout(PATIENCE, follow).await {
            return reached;
        }
        self.save(&self.proxy.recording());
        let show = |messages: &[Value]| {
            let text = json!(messages).to_string();
            text.chars().take(4000).collect::<String>()
        };
        panic!(
            "it never came to this: {what}\nagent:  {}\nours:   {}\ntheirs: {} {}\n{:#?}",
            show(&last.0),
            show(&self.ours.values()),
            last.1.ready,
            show(&last.1.messages),
            self.ours.status
        );
    }

    /// Waits until this holds and nothing has been said since, writes down what the agent has, and plays the recording with the app itself.
    async fn recorded(&mut self, what: &str, holds: impl Fn(&[Value], &Ours, &Shown) -> bool, sides: &[Side]) -> Vec<Value> {
        loop {
            let (stored, lines) = self.reach(what, &holds).await;
            if let Some(recording) = self.proxy.note(&stored, lines) {
                recorded::check(&self.save(&recording), &self.proxy.clients(sides)).await;
                return stored;
            }
        }
    }

    /// The recording stays where the build's other products are.
    fn save(&self, lines: &[String]) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(self.release.name());
        fs::create_dir_all(&folder).unwrap();
        let file = folder.join(format!("{}.jsonl", self.name));
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        file
    }
}

/// Whether a line of the recording is what the agent had when nothing went on.
fn is_note(line: &str) -> bool {
    let line: Value = serde_json::from_str(line).unwrap();
    line.get("messages").is_some() && line.get("conn").is_none()
}

async fn sign_in(tenant: &Sandbox, http: &reqwest::Client) -> Session {
    let mut profile = Profile::new("sandbox", tenant.agent_url(), Issuer::try_from(tenant.issuer()).unwrap(), tenant.client_id());
    profile.audience = Some(AUDIENCE.to_owned());
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let session = Session::spawn(Config { profile, vault: Vault::memory(), http: http.clone(), clock, entropy });
    let start = session.begin_sign_in().await.unwrap();
    let callback = Visitor::new().unwrap().sign_in(&start.url, "ada@example.com").await.unwrap();
    assert_eq!(session.handle_callback(&callback).await, CallbackOutcome::Completed);
    session
}
