//! A sandbox, a signed-in session, and somebody who watches a link.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use callbox_identity::{CallbackOutcome, Config, Issuer, Profile, Session, SystemClock, SystemEntropy};
use callbox_link::{AgentAddress, Link, LinkConfig, LinkState, Status, Subscription, Timing, Update, Updates};
use callbox_protocol::{ToolState, UiMessage, apply};
use callbox_sandbox::{AUDIENCE, Control, Sandbox, SandboxConfig, Visitor};
use callbox_vault::Vault;

pub(crate) const ADA: &str = "ada@example.com";
pub(crate) const GRACE: &str = "grace@example.com";

/// After this a socket on which nothing is heard is given up.
pub(crate) const HALF_OPEN: Duration = Duration::from_secs(45);

/// How long something may take that takes milliseconds, on a machine that is busy with something else.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    /// Ada's.
    pub(crate) session: Session,
}

impl World {
    /// A sandbox that does not take its time, with Ada signed in.
    pub(crate) async fn new() -> Self {
        let sandbox = Sandbox::start(SandboxConfig { pace: Duration::ZERO, ..SandboxConfig::default() }).await.unwrap();
        let session = session(&sandbox, ADA).await;
        Self { sandbox, session }
    }

    pub(crate) fn control(&self) -> &Control {
        self.sandbox.control()
    }

    /// Where the agent listens.
    pub(crate) fn agent(&self) -> SocketAddr {
        self.sandbox.agent_url().socket_addrs(|| None).unwrap()[0]
    }

    pub(crate) fn config(&self, conversation: &str, session: &Session) -> LinkConfig {
        let address = AgentAddress::new(self.sandbox.agent_url()).unwrap();
        LinkConfig::new(address, conversation.to_owned(), session.clone(), http())
    }

    /// A link of Ada's that connects again when it is told to, and somebody who watches it.
    pub(crate) async fn link(&self, conversation: &str) -> Watched {
        self.link_with(conversation, patient()).await
    }

    pub(crate) async fn link_with(&self, conversation: &str, timing: Timing) -> Watched {
        Watched::new(Link::spawn(LinkConfig { timing, ..self.config(conversation, &self.session) })).await
    }

    /// The same, online.
    pub(crate) async fn online(&self, conversation: &str) -> Watched {
        let mut watched = self.link(conversation).await;
        watched.until_online().await;
        watched
    }

    /// What the agent has stored.
    pub(crate) fn stored(&self, conversation: &str) -> Vec<UiMessage> {
        let stored = self.control().messages(conversation);
        stored.into_iter().map(|message| serde_json::from_value(message).unwrap()).collect()
    }
}

/// The usual periods, with pauses that nobody has to wait for.
pub(crate) fn quick() -> Timing {
    Timing { backoff_base: Duration::from_millis(20), backoff_cap: Duration::from_millis(200), doubt: Duration::ZERO, ..Timing::default() }
}

/// Pauses that end by somebody's doing or not at all.
pub(crate) fn patient() -> Timing {
    let hour = Duration::from_secs(3600);
    Timing { backoff_base: hour, backoff_cap: hour, doubt: Duration::ZERO, ..Timing::default() }
}

pub(crate) fn http() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap()
}

/// A session with this person signed in at the tenant's own page.
pub(crate) async fn session(sandbox: &Sandbox, email: &str) -> Session {
    let mut profile = Profile::new("sandbox", sandbox.agent_url(), Issuer::try_from(sandbox.issuer()).unwrap(), sandbox.client_id());
    profile.audience = Some(AUDIENCE.to_owned());
    let vault = Vault::memory();
    let config = Config { profile, vault, http: http(), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) };
    let session = Session::spawn(config);
    sign_in(&session, email).await;
    session
}

pub(crate) async fn sign_in(session: &Session, email: &str) {
    let start = session.begin_sign_in().await.unwrap();
    let callback = Visitor::new().unwrap().sign_in(&start.url, email).await.unwrap();
    assert_eq!(session.handle_callback(&callback).await, CallbackOutcome::Completed);
}

/// Lets time pass for everything that measures it by the runtime. Nothing else does.
pub(crate) async fn elapse(by: Duration) {
    tokio::time::pause();
    tokio::time::advance(by).await;
    tokio::time::resume();
}

/// Waits for something, not for ever.
pub(crate) async fn soon<T>(what: &str, wait: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("it never came to this: {what}"))
}

/// A link with a subscriber that keeps up: a window, in short.
pub(crate) struct Watched {
    pub(crate) link: Link,
    pub(crate) messages: Vec<UiMessage>,
    pub(crate) status: Status,
    updates: Updates,
    /// How many updates have come.
    pub(crate) count: usize,
}

impl Watched {
    pub(crate) async fn new(link: Link) -> Self {
        let Subscription { snapshot, updates } = link.subscribe().await.unwrap();
        Self { link, messages: snapshot.messages, status: snapshot.status, updates, count: 0 }
    }

    /// Takes the next update. False: the link is closed.
    pub(crate) async fn next(&mut self) -> bool {
        let Some(Update { ops, status }) = self.updates.next().await else { return false };
        ops.into_iter().for_each(|op| apply(&mut self.messages, op).expect("every change fits"));
        if let Some(status) = status {
            self.status = status;
        }
        self.count += 1;
        true
    }

    /// Follows until this is so.
    pub(crate) async fn until(&mut self, what: &str, condition: impl Fn(&Self) -> bool) {
        let follow = async {
            while !condition(self) {
                assert!(self.next().await, "the link closed before: {what}");
            }
        };
        if tokio::time::timeout(PATIENCE, follow).await.is_err() {
            let texts: Vec<String> = self.texts().iter().map(|text| text.chars().take(60).collect()).collect();
            panic!("it never came to this: {what}\n{:#?}\n{texts:#?}", self.status);
        }
    }

    pub(crate) async fn until_online(&mut self) {
        self.until("online", |watched| watched.status.link == LinkState::Online).await;
    }

    pub(crate) async fn until_offline(&mut self) {
        self.until("offline", |watched| matches!(watched.status.link, LinkState::Offline { .. })).await;
    }

    /// The socket is gone; connects again.
    pub(crate) async fn mend(&mut self) {
        self.until_offline().await;
        self.link.reconnect().await.unwrap();
        self.until_online().await;
    }

    /// Nothing runs, everything sent is confirmed, and all of it has come here.
    pub(crate) async fn until_idle(&mut self) {
        let idle = |status: &Status| {
            status.link == LinkState::Online && !status.turn.is_active() && status.deliveries.is_empty() && status.decisions.is_empty()
        };
        let follow = async {
            loop {
                let now = self.link.subscribe().await.unwrap().snapshot;
                if idle(&now.status) && now.status == self.status && now.messages == self.messages {
                    return;
                }
                assert!(self.next().await, "the link closed");
            }
        };
        if tokio::time::timeout(PATIENCE, follow).await.is_err() {
            panic!("it never came to rest\n{:#?}", self.status);
        }
    }

    /// There are so many messages, and the last of them is complete.
    pub(crate) async fn until_answered(&mut self, messages: usize) {
        self.until_idle().await;
        self.until("an answer", |watched| watched.messages.len() >= messages).await;
        self.until_idle().await;
    }

    pub(crate) fn texts(&self) -> Vec<String> {
        self.messages.iter().map(UiMessage::text).collect()
    }

    /// The one tool call of the conversation: its id and state.
    pub(crate) fn call(&self) -> Option<(String, ToolState)> {
        self.messages.iter().flat_map(UiMessage::tools).last().map(|tool| (tool.tool_call_id.clone(), tool.state.clone()))
    }

    pub(crate) fn call_is(&self, state: &ToolState) -> bool {
        self.call().is_some_and(|(_, current)| current == *state)
    }

    /// Asks for the weather; the call that waits comes back.
    pub(crate) async fn ask_for_weather(&mut self) -> String {
        self.link.send("weather in Paris").await.unwrap();
        self.until("a question", |watched| watched.call_is(&ToolState::ApprovalRequested)).await;
        self.until_idle().await;
        self.call().unwrap().0
    }
}

/// What `stream N` makes the scripted model say.
pub(crate) fn counted(count: usize) -> String {
    (0..count).map(|n| if n % 40 == 39 { format!("w{n}.\n\n") } else { format!("w{n} ") }).collect()
}
