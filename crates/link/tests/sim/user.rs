//! Somebody with two windows on one conversation, who does this and that while the network does what it does.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use callbox_link::{AgentAddress, DeliveryState, Link, LinkConfig, LinkState, Status, ThreadSnapshot};
use callbox_protocol::{Role, ToolState, UiMessage};
use callbox_sandbox::{BareAgent, Clock, Endpoint, Fault};
use tokio::time::{Instant, sleep};

use crate::{
    CONVERSATION,
    chance::Chance,
    changes::{Case, Changes, Kind},
    diary::Diary,
    disk::Disk,
    line::Lines,
    network::Ether,
    tokens::Tokens,
    weather::Weather,
};

/// After this much calm everything must have come to rest.
const PATIENCE: Duration = Duration::from_secs(1_200);
/// More sockets than this in one life are a loop.
const MAX_SOCKETS: u64 = 600;

/// Asked for nothing; to make one takes longer than a life.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| reqwest::Client::builder().no_proxy().build().unwrap());

/// Runs an actor until it is killed: at any of its awaits.
struct Mortal<F> {
    actor: Pin<Box<F>>,
    polls_left: Arc<AtomicI64>,
}

impl<F: Future<Output = ()>> Future for Mortal<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.polls_left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Poll::Ready(());
        }
        self.actor.as_mut().poll(context)
    }
}

/// A window: its disk and its network outlive it.
pub(crate) struct Window {
    pub(crate) disk: Disk,
    ether: Ether,
    link: Link,
    polls_left: Arc<AtomicI64>,
}

/// A message that was typed.
#[derive(Clone)]
pub(crate) struct Typed {
    pub(crate) window: usize,
    pub(crate) text: String,
    /// Once the window has said that it is safe.
    pub(crate) id: Option<String>,
    /// How many sockets its window had asked for by then.
    pub(crate) opened: u64,
}

/// Who does something.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Company {
    /// Two talk; nothing is taken back.
    Talk,
    /// One talks and takes back; the other one watches.
    Alone,
    /// Both do everything. Two that talk and take back at once can delete each other's messages: a list that does so cannot be told from one that
    /// means it (notes 6.4). They see what there is, all the same.
    Crowd,
}

pub(crate) struct World {
    chance: Chance,
    weather: Weather,
    tokens: Tokens,
    pub(crate) agent: Arc<BareAgent>,
    pub(crate) windows: Vec<Window>,
    pub(crate) typed: Arc<Mutex<Vec<Typed>>>,
    /// Texts that were retried, discarded or stopped: they may be out of order, or not there.
    pub(crate) touched: HashSet<String>,
    pub(crate) decided: Arc<Mutex<Vec<Decided>>>,
    pub(crate) changes: Changes,
    /// How many requests the agent was told to skip.
    pub(crate) skips: u64,
    pub(crate) company: Company,
    diary: Diary,
}

/// A decision that was taken on a call.
#[derive(Clone)]
pub(crate) struct Decided {
    window: usize,
    pub(crate) call: String,
    pub(crate) approved: bool,
    /// The window has taken it, and has lived since.
    pub(crate) kept: bool,
}

impl World {
    pub(crate) fn new(seed: u64, loud: bool) -> Self {
        let chance = Chance::new(seed);
        let weather = Weather::stormy(chance.clone());
        let started = Instant::now();
        let clock = Clock::from_fn(move || SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + started.elapsed());
        let agent = Arc::new(BareAgent::new(clock, Duration::from_millis(40)).unwrap());
        let tokens = Tokens::new(chance.clone(), weather.clone());
        let diary = Diary::new(loud);
        let ether = || Ether {
            agent: agent.clone(),
            tokens: tokens.clone(),
            chance: chance.clone(),
            weather: weather.clone(),
            opened: Arc::default(),
            lines: Lines::default(),
            diary: diary.clone(),
        };
        let windows = (0..2).map(|_| Window::open(Disk::new(chance.clone(), weather.clone()), ether())).collect();
        let company = match chance.below(10) {
            0..5 => Company::Talk,
            5..9 => Company::Alone,
            _ => Company::Crowd,
        };
        Self {
            chance,
            weather,
            tokens,
            agent,
            windows,
            typed: Arc::default(),
            touched: HashSet::new(),
            decided: Arc::default(),
            changes: Changes::default(),
            skips: 0,
            company,
            diary,
        }
    }

    fn note(&self, what: &str) {
        self.diary.write(what);
    }

    /// How many sockets a window has asked for.
    pub(crate) fn opened(&self, window: usize) -> u64 {
        self.windows[window].ether.opened.load(Ordering::Relaxed)
    }

    pub(crate) async fn live(mut self) -> Vec<String> {
        for step in 0..4 + self.chance.below(14) {
            self.act(step).await;
            sleep(self.chance.delay(20_000)).await;
        }
        self.note("calm");
        self.weather.calm();
        self.tokens.sign_in();
        self.agent.control().clear(Endpoint::Turn);
        self.agent.control().clear(Endpoint::Submit);
        for window in 0..self.windows.len() {
            if self.windows[window].polls_left.load(Ordering::Relaxed) <= 0 || self.shown(window).await.is_none() {
                self.reopen(window).await;
            }
        }
        self.rest().await;
        self.judge().await;
        self.diary.lines()
    }

    async fn act(&mut self, step: u64) {
        let window = if self.company == Company::Alone { 0 } else { usize::try_from(self.chance.below(2)).unwrap() };
        match self.chance.below(if self.company == Company::Talk { 21 } else { 30 }) {
            0..6 => self.type_text(window, step),
            6..10 => self.decide(window).await,
            10 => {
                self.note(&format!("{window} cancels"));
                // What waits fails by that; if the disk is full in that moment, a restart does not know of it.
                self.touched
                    .extend(self.typed.lock().unwrap().iter().filter(|typed| typed.window == window).map(|typed| typed.text.clone()));
                self.tell(window, |link| async move { link.cancel().await.ok() });
            }
            11 => self.touch(window).await,
            12 => {
                self.note(&format!("{window} wakes"));
                self.tell(window, |link| async move { link.wake().await.ok() });
            }
            13..16 => self.crash(window).await,
            16 => {
                self.note("the agent lets go of all sockets");
                self.agent.drop_sockets();
            }
            17 => {
                self.note("the agent forgets all tokens");
                self.tokens.forget();
            }
            18 => {
                self.note("the agent closes all sockets");
                let code = [1000, 1001, 1006, 1008, 1011, 1012][usize::try_from(self.chance.below(6)).unwrap()];
                self.agent.close_sockets(if code == 1006 { 1011 } else { code }, "so be it");
            }
            19 => self.trouble(),
            21.. => self.change(window, step).await,
            _ => {
                self.note("signed out for a while");
                self.tokens.sign_out();
                sleep(self.chance.delay(5_000)).await;
                self.tokens.sign_in();
            }
        }
    }

    /// The agent fails at its next turn, or takes its time over it, or does not take the next request.
    fn trouble(&mut self) {
        let control = self.agent.control();
        let fault = match self.chance.below(5) {
            0 => Fault::ModelError { text: "provider exploded".to_owned(), chunks: usize::try_from(self.chance.below(5)).unwrap() },
            1 => Fault::Silence,
            2 => Fault::NoAnswer,
            3 => {
                self.skips += 1;
                self.note("the agent will skip a request");
                return control.once(Endpoint::Submit, Fault::Skip);
            }
            _ => Fault::Delay { by: self.chance.delay(90_000) },
        };
        self.note(&format!("the agent's next turn: {fault:?}"));
        control.once(Endpoint::Turn, fault);
    }

    fn type_text(&mut self, window: usize, step: u64) {
        let kind = self.chance.below(4);
        let text = match kind {
            0 => format!("weather in Town{step}"),
            1 => format!("thank you number {step}"),
            _ => format!("stream {} for {step}", 3 + self.chance.below(60)),
        };
        self.note(&format!("{window} types “{text}”"));
        let opened = self.opened(window);
        let mut typed = self.typed.lock().unwrap();
        let index = typed.len();
        typed.push(Typed { window, text: text.clone(), id: None, opened });
        drop(typed);
        let (book, link) = (self.typed.clone(), self.windows[window].link.clone());
        tokio::spawn(async move {
            if let Ok(id) = link.send(text).await {
                book.lock().unwrap()[index].id = Some(id);
            }
        });
    }

    async fn decide(&mut self, window: usize) {
        let Some(shown) = self.shown(window).await else { return };
        let waits = |message: &UiMessage| {
            message.tools().find(|tool| tool.state == ToolState::ApprovalRequested).map(|tool| tool.tool_call_id.clone())
        };
        let Some(call) = shown.messages.iter().rev().find_map(waits) else {
            return self.type_text(window, 1_000 + self.chance.below(1_000_000));
        };
        let approved = self.chance.percent(50);
        self.note(&format!("{window} decides {approved}"));
        let (book, index) = (self.decided.clone(), self.decided.lock().unwrap().len());
        self.decided.lock().unwrap().push(Decided { window, call: call.clone(), approved, kept: false });
        self.tell(window, move |link| async move {
            let taken = link.decide(call, approved).await.is_ok();
            book.lock().unwrap()[index].kept = taken;
            Some(())
        });
    }

    /// Retries or drops the first message that has failed.
    async fn touch(&mut self, window: usize) {
        let Some(shown) = self.shown(window).await else { return };
        let failed = shown.status.deliveries.iter().find(|delivery| matches!(delivery.state, DeliveryState::Failed(_)));
        let Some(id) = failed.map(|delivery| delivery.message_id.clone()) else { return };
        let text = shown.messages.iter().find(|message| message.id == id).map(UiMessage::text).unwrap();
        self.touched.insert(text);
        let retry = self.chance.percent(70);
        self.note(&format!("{window} {} what failed", if retry { "retries" } else { "drops" }));
        self.tell(window, move |link| async move { if retry { link.retry(id).await.ok() } else { link.discard(id).await.ok() } });
    }

    async fn crash(&mut self, window: usize) {
        let polls = i64::try_from(self.chance.below(40)).unwrap();
        self.note(&format!("{window} will crash"));
        self.windows[window].polls_left.store(polls, Ordering::Relaxed);
        sleep(self.chance.delay(5_000)).await;
        self.reopen(window).await;
    }

    /// Takes something back, as soon as that can be done; most of the time something goes wrong with it.
    async fn change(&mut self, window: usize, step: u64) {
        let Some(shown) = self.idle(window).await.filter(|_| !self.changes.is_open(window)) else { return };
        let waits = |message: &UiMessage| shown.status.deliveries.iter().any(|delivery| delivery.message_id == message.id);
        let stored: Vec<&UiMessage> = shown.messages.iter().filter(|message| !waits(message)).collect();
        if stored.is_empty() {
            return self.type_text(window, 1_000 + self.chance.below(1_000_000));
        }
        let at = usize::try_from(self.chance.below(stored.len().try_into().unwrap())).unwrap();
        let is_users = stored[at].role == Role::User;
        let (kind, cut) = match self.chance.below(8) {
            0 => (Kind::Clear, 0),
            1..5 if is_users => (Kind::Edit(stored[at].id.clone(), format!("thanks in other words, {step}")), at + 1),
            _ => (Kind::Regenerate(stored[at].id.clone()), at + usize::from(is_users)),
        };
        let what = match &kind {
            Kind::Clear => "empties the conversation".to_owned(),
            Kind::Edit(id, text) => format!("rewords {id} to “{text}”"),
            Kind::Regenerate(id) => format!("wants another answer than {}", if is_users { id } else { "that" }),
        };
        self.note(&format!("{window} {what}, {at} of {}", stored.len()));
        let gone = stored[cut..].iter().map(|message| message.id.clone()).collect();
        let case = Case { alone: self.company == Company::Alone, whole: self.is_whole(&stored) };
        let Window { link, ether, .. } = &self.windows[window];
        self.changes.make(window, link.clone(), kind, gone, ether, case);
        sleep(self.chance.delay(500)).await;
        match self.chance.below(8) {
            0 | 1 => {
                self.note("the agent lets go of all sockets");
                self.agent.drop_sockets();
            }
            2 => {
                self.note("the agent lets go of all sockets");
                self.agent.drop_sockets();
                self.type_text(window, 2_000_000 + step);
            }
            3 => self.type_text(window, 2_000_000 + step),
            4 => self.crash(window).await,
            _ => {}
        }
    }

    /// Whether these are all messages that the agent has, and it owes no answer.
    fn is_whole(&self, shown: &[&UiMessage]) -> bool {
        let stored = self.agent.messages(CONVERSATION);
        let same = stored.len() == shown.len() && stored.iter().zip(shown).all(|(stored, shown)| stored["id"] == shown.id.as_str());
        let questions = shown.iter().filter(|message| message.role == Role::User).count();
        same && 2 * questions <= shown.len()
    }

    /// A window when nothing goes on in it, if that is soon.
    async fn idle(&self, window: usize) -> Option<ThreadSnapshot> {
        for _ in 0..60 {
            let status = self.windows[window].link.status();
            if is_idle(&status.borrow()) {
                return self.shown(window).await;
            }
            sleep(Duration::from_millis(500)).await;
        }
        None
    }

    /// Tells a window something, and does not wait for it: it may be about to crash.
    fn tell<F: Future<Output = Option<()>> + Send + 'static>(&self, window: usize, what: impl FnOnce(Link) -> F) {
        let future = what(self.windows[window].link.clone());
        tokio::spawn(future);
    }

    pub(crate) async fn shown(&self, window: usize) -> Option<ThreadSnapshot> {
        self.windows[window].link.subscribe().await.ok().map(|subscription| subscription.snapshot)
    }

    async fn reopen(&mut self, window: usize) {
        self.note(&format!("{window} starts again"));
        let old = &self.windows[window];
        old.polls_left.store(0, Ordering::Relaxed);
        // A decision lives in memory: what was not delivered is gone with the window, and the question stands there again.
        self.decided.lock().unwrap().iter_mut().filter(|decided| decided.window == window).for_each(|decided| decided.kept = false);
        if self.changes.is_open(window) {
            // A change lives in memory, too, and a window that starts knows nothing of it.
            old.ether.lines.are_left();
            sleep(Duration::from_secs(1)).await;
            self.changes.forget(window);
        }
        let old = &self.windows[window];
        self.windows[window] = Window::open(old.disk.clone(), old.ether.clone());
    }

    /// Waits until nothing goes on.
    async fn rest(&mut self) {
        let deadline = Instant::now() + PATIENCE;
        let (mut quiet, mut pushes) = (0, 0);
        while quiet < 12 {
            sleep(Duration::from_secs(10)).await;
            let mut all = true;
            let mut why = Vec::new();
            for window in 0..self.windows.len() {
                let watch = self.windows[window].link.status();
                assert!(watch.has_changed().is_ok(), "a window that lives");
                let status = watch.borrow().clone();
                all &= is_idle(&status);
                // What came of the storm last is asked once more, as a person would.
                if matches!(status.link, LinkState::SignInNeeded { .. } | LinkState::Refused(_)) && pushes < 4 {
                    pushes += 1;
                    self.windows[window].link.reconnect().await.ok();
                }
                why.push(status);
            }
            quiet = if all { quiet + 1 } else { 0 };
            assert!(Instant::now() < deadline, "it never came to rest: {why:#?}");
            let sockets: u64 = (0..self.windows.len()).map(|window| self.opened(window)).sum();
            assert!(sockets < MAX_SOCKETS, "a loop of sockets: {why:#?}");
        }
    }
}

/// Whether nothing goes on.
fn is_idle(status: &Status) -> bool {
    let failed = status.deliveries.iter().all(|delivery| matches!(delivery.state, DeliveryState::Failed(_)));
    status.link == LinkState::Online && !status.turn.is_active() && failed && status.decisions.is_empty() && !status.refetching
}

impl Window {
    fn open(disk: Disk, ether: Ether) -> Self {
        let address = AgentAddress::new("https://agent.test/agents/chat-agent".parse().unwrap()).unwrap();
        let polls_left = Arc::new(AtomicI64::new(i64::MAX));
        let (link, actor) = Link::new(LinkConfig {
            address,
            conversation: CONVERSATION.to_owned(),
            session: Arc::new(ether.tokens.clone()),
            http: HTTP.clone(),
            tls: None,
            network: Some(Arc::new(ether.clone())),
            outbox: Some(Arc::new(disk.clone())),
            tools: Vec::new(),
            entropy: Arc::new(ether.chance.clone()),
            timing: callbox_link::Timing::default(),
        });
        tokio::spawn(Mortal { actor: Box::pin(actor), polls_left: polls_left.clone() });
        Self { disk, ether, link, polls_left }
    }
}
