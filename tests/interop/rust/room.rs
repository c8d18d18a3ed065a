//! One conversation: the SDK's agent, the SDK's client and our link in it, and a recording of all that was said.

use std::{fs, path::PathBuf, sync::Arc, time::Duration};

use callbox_identity::{CallbackOutcome, Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkState, Status, Subscription, Timing, Update, Updates};
use callbox_protocol::{UiMessage, apply, replay};
use callbox_sandbox::{AUDIENCE, Sandbox, SandboxConfig, Visitor};
use callbox_vault::Vault;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    proxy::{Proxy, Side},
    quirks,
    sdk::{Agent, Client, Release, Shown},
};

/// How long something may take that takes milliseconds, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(40);
/// How often the agent is asked again what the conversation is, where nobody was told anything.
const AGAIN: Duration = Duration::from_millis(50);

pub(crate) struct Room {
    pub(crate) ours: Ours,
    pub(crate) theirs: Client,
    pub(crate) proxy: Proxy,
    pub(crate) release: Release,
    name: String,
    agent: Option<Agent>,
    state: TempDir,
    http: reqwest::Client,
    _tenant: Sandbox,
}

impl Room {
    /// A new conversation with both clients in it. The name is that of the recording, too.
    pub(crate) async fn new(release: Release, name: &str) -> Self {
        let state = TempDir::new().unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        let agent = Agent::start(release, state.path()).await;
        let proxy = Proxy::start(agent.port, name, http.clone()).await;
        let theirs = Client::start(release, &proxy.address.to_string(), name);
        let tenant = Sandbox::start(SandboxConfig::default()).await.unwrap();
        let session = sign_in(&tenant, &http).await;
        let address = AgentAddress::new(format!("http://{}/agents/chat-agent", proxy.address).parse().unwrap()).unwrap();
        let pause = Duration::from_millis(20);
        let timing = Timing { backoff_base: pause, backoff_cap: 5 * pause, ..Timing::default() };
        let link = Link::spawn(LinkConfig { timing, ..LinkConfig::new(address, name.to_owned(), session, http.clone()) });
        let ours = Ours::new(link).await;
        let mut room = Self { ours, theirs, proxy, release, name: name.to_owned(), agent: Some(agent), state, http, _tenant: tenant };
        room.ours.until(|ours| ours.status.link == LinkState::Online).await;
        room.agree("an empty room", |stored| stored.is_empty()).await;
        room
    }

    /// What the agent itself says the conversation is.
    pub(crate) async fn stored(&self) -> Vec<Value> {
        let answer = self.ask("get-messages").await;
        serde_json::from_str(&answer).unwrap()
    }

    /// Lets the model go on that waits at this gate, or that will come to it.
    pub(crate) async fn open(&self, gate: &str) {
        self.ask(&format!("open?gate={gate}")).await;
    }

    pub(crate) async fn ask(&self, path: &str) -> String {
        let url = format!("http://127.0.0.1:{}/agents/chat-agent/{}/{path}", self.agent.as_ref().unwrap().port, self.name);
        self.http.get(url).send().await.unwrap().text().await.unwrap()
    }

    /// Kills the agent's process and starts it on the same storage.
    pub(crate) async fn kill_agent(&mut self) {
        self.agent.take().unwrap().kill().await;
        let agent = Agent::start(self.release, self.state.path()).await;
        self.proxy.moved(agent.port);
        self.agent = Some(agent);
    }

    /// Both clients show this in the last message.
    pub(crate) async fn both_show(&mut self, text: &str) {
        let what = format!("both show {text:?}");
        self.until(&what, |_, ours, theirs| {
            ours.messages.last().is_some_and(|message| message.text().contains(text))
                && theirs.messages.last().is_some_and(|message| message.to_string().contains(text))
        })
        .await;
    }

    /// Waits until nothing goes on, this holds for what the agent has, and the agent, its own client and ours have the same; then plays
    /// the recording, which must come to the same again.
    pub(crate) async fn agree(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let stored = self.agree_live(what, condition).await;
        let lines = self.proxy.recording();
        let checkpoints = replay::play(lines.iter().map(String::as_str)).unwrap();
        for checkpoint in &checkpoints {
            let differences: Vec<_> = checkpoint.differences().iter().map(ToString::to_string).collect();
            assert!(differences.is_empty(), "{what}, line {}: {differences:#?}", checkpoint.line);
        }
        stored
    }

    /// The same without the recording. It has no frame of what our link asked for over HTTP, which is what it does when an answer ended between
    /// the agent's offer to resume it and the acknowledgement.
    pub(crate) async fn agree_live(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let release = self.release;
        let stored = self
            .until(what, |stored, ours, theirs| {
                condition(stored)
                    && ours.is_idle()
                    && theirs.ready
                    && ours.values() == stored
                    && quirks::common(release, &theirs.messages) == quirks::common(release, stored)
            })
            .await;
        self.proxy.note(&stored);
        self.save(&self.proxy.recording());
        stored
    }

    /// The same without the SDK's own client, which loads nothing anew when its socket comes back: it shows what it had.
    pub(crate) async fn settled(&mut self, what: &str, condition: impl Fn(&[Value]) -> bool) -> Vec<Value> {
        let stored = self.until(what, |stored, ours, _| condition(stored) && ours.is_idle() && ours.values() == stored).await;
        self.save(&self.proxy.recording());
        stored
    }

    async fn until(&mut self, what: &str, condition: impl Fn(&[Value], &Ours, &Shown) -> bool) -> Vec<Value> {
        let mut last = (Vec::new(), Shown::default());
        let follow = async {
            loop {
                last = (self.stored().await, self.theirs.show().await);
                // What the agent has may be older than what was shown after it.
                self.ours.take_all().await;
                if condition(&last.0, &self.ours, &last.1) && self.stored().await == last.0 {
                    return last.0.clone();
                }
                tokio::select! {
                    () = self.theirs.changed() => {}
                    () = self.ours.next() => {}
                    () = tokio::time::sleep(AGAIN) => {}
                }
            }
        };
        if let Ok(stored) = tokio::time::timeout(PATIENCE, follow).await {
            return stored;
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

    /// The recording stays where the build's other products are.
    fn save(&self, lines: &[String]) {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(self.release.name());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(format!("{}.jsonl", self.name)), lines.join("\n") + "\n").unwrap();
    }

    pub(crate) fn cut(&self, side: Side) {
        self.proxy.cut(side);
    }
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

/// Our client: a link with a subscriber.
pub(crate) struct Ours {
    pub(crate) link: Link,
    pub(crate) messages: Vec<UiMessage>,
    pub(crate) status: Status,
    updates: Updates,
}

impl Ours {
    async fn new(link: Link) -> Self {
        let Subscription { snapshot, updates } = link.subscribe().await.unwrap();
        Self { link, messages: snapshot.messages, status: snapshot.status, updates }
    }

    /// Takes the next update.
    async fn next(&mut self) {
        let Update { ops, status } = self.updates.next().await.expect("the link is open");
        ops.into_iter().for_each(|op| apply(&mut self.messages, op).expect("every change fits"));
        if let Some(status) = status {
            self.status = status;
        }
    }

    /// Takes updates until what was subscribed to is what the link has now.
    async fn take_all(&mut self) {
        let now = self.link.subscribe().await.unwrap().snapshot;
        while now.messages != self.messages || now.status != self.status {
            tokio::select! {
                () = self.next() => {}
                // It went past that moment.
                () = tokio::time::sleep(AGAIN) => return,
            }
        }
    }

    pub(crate) async fn until(&mut self, condition: impl Fn(&Self) -> bool) {
        let follow = async {
            while !condition(self) {
                self.next().await;
            }
        };
        if tokio::time::timeout(PATIENCE, follow).await.is_err() {
            panic!("our client never came to this\n{:#?}", self.status);
        }
    }

    fn is_idle(&self) -> bool {
        let Status { link, turn, deliveries, decisions, .. } = &self.status;
        *link == LinkState::Online && !turn.is_active() && deliveries.is_empty() && decisions.is_empty()
    }

    fn values(&self) -> Vec<Value> {
        self.messages.iter().map(|message| serde_json::to_value(message).unwrap()).collect()
    }
}
