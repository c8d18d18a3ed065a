//! Somebody with two windows on one conversation, who does this and that while the network does what it does.

use std::{
    collections::HashSet,
    pin::Pin,
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use callbox_link::{AgentAddress, DeliveryState, Link, LinkConfig, LinkState, ThreadSnapshot};
use callbox_protocol::{ToolState, UiMessage};
use callbox_sandbox::{BareAgent, Clock};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::{CONVERSATION, chance::Chance, diary::Diary, disk::Disk, network::Ether, tokens::Tokens, weather::Weather};

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

/// A window: its disk outlives it.
struct Window {
    disk: Disk,
    link: Link,
    polls_left: Arc<AtomicI64>,
}

/// A message that was typed.
#[derive(Clone)]
struct Typed {
    window: usize,
    text: String,
    /// Once the window has said that it is safe.
    id: Option<String>,
    /// How many sockets there had been by then.
    opened: u64,
}

pub(crate) struct World {
    chance: Chance,
    weather: Weather,
    ether: Ether,
    windows: Vec<Window>,
    typed: Arc<Mutex<Vec<Typed>>>,
    /// Texts that were retried, discarded or stopped: they may be out of order, or not there.
    touched: HashSet<String>,
    decided: Arc<Mutex<Vec<Decided>>>,
    /// Only the first window is used, and has answers written again; the other one watches. Two that talk and take back at once can delete each
    /// other's messages: a list that does so cannot be told from one that means it (notes 6.4).
    alone: bool,
    diary: Diary,
}

/// A decision that was taken on a call.
#[derive(Clone)]
struct Decided {
    window: usize,
    call: String,
    approved: bool,
    /// The window has taken it, and has lived since.
    kept: bool,
}

impl World {
    pub(crate) fn new(seed: u64, loud: bool) -> Self {
        let chance = Chance::new(seed);
        let weather = Weather::stormy(chance.clone());
        let started = Instant::now();
        let clock = Clock::from_fn(move || SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000) + started.elapsed());
        let agent = Arc::new(BareAgent::new(clock, Duration::from_millis(40)).unwrap());
        let tokens = Tokens::new(chance.clone(), weather.clone());
        let opened = Arc::new(AtomicU64::new(0));
        let diary = Diary::new(loud);
        let ether = Ether { agent, tokens, chance: chance.clone(), weather: weather.clone(), opened, diary: diary.clone() };
        let windows = (0..2).map(|_| Window::open(Disk::new(chance.clone(), weather.clone()), &ether)).collect();
        let (typed, decided) = (Arc::default(), Arc::default());
        let alone = chance.percent(25);
        Self { chance, weather, ether, windows, typed, touched: HashSet::new(), decided, alone, diary }
    }

    fn note(&self, what: &str) {
        self.diary.write(what);
    }

    pub(crate) async fn live(mut self) -> Vec<String> {
        for step in 0..4 + self.chance.below(14) {
            self.act(step).await;
            sleep(self.chance.delay(20_000)).await;
        }
        self.note("calm");
        self.weather.calm();
        self.ether.tokens.sign_in();
        for window in 0..self.windows.len() {
            if self.windows[window].polls_left.load(Ordering::Relaxed) <= 0 || self.shown(window).await.is_none() {
                self.reopen(window);
            }
        }
        self.rest().await;
        self.judge().await;
        self.diary.lines()
    }

    async fn act(&mut self, step: u64) {
        let window = if self.alone { 0 } else { usize::try_from(self.chance.below(2)).unwrap() };
        match self.chance.below(if self.alone { 24 } else { 20 }) {
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
            13..16 => {
                let polls = i64::try_from(self.chance.below(40)).unwrap();
                self.note(&format!("{window} will crash"));
                self.windows[window].polls_left.store(polls, Ordering::Relaxed);
                sleep(self.chance.delay(5_000)).await;
                self.reopen(window);
            }
            16 => {
                self.note("the agent lets go of all sockets");
                self.ether.agent.drop_sockets();
            }
            17 => {
                self.note("the agent forgets all tokens");
                self.ether.tokens.forget();
            }
            18 => {
                self.note("the agent closes all sockets");
                let code = [1000, 1001, 1006, 1008, 1011, 1012][usize::try_from(self.chance.below(6)).unwrap()];
                self.ether.agent.close_sockets(if code == 1006 { 1011 } else { code }, "so be it");
            }
            20.. => {
                self.note(&format!("{window} wants another answer"));
                self.tell(window, |link| async move { link.regenerate(None).await.ok() });
            }
            _ => {
                self.note("signed out for a while");
                self.ether.tokens.sign_out();
                sleep(self.chance.delay(5_000)).await;
                self.ether.tokens.sign_in();
            }
        }
    }

    fn type_text(&mut self, window: usize, step: u64) {
        let kind = self.chance.below(4);
        let text = match kind {
            0 => format!("weather in Town{step}"),
            1 => format!("thank you number {step}"),
            _ => format!("stream {} for {step}", 3 + self.chance.below(60)),
        };
        self.note(&format!("{window} types “{text}”"));
        let mut typed = self.typed.lock().unwrap();
        let index = typed.len();
        typed.push(Typed { window, text: text.clone(), id: None, opened: self.ether.opened.load(Ordering::Relaxed) });
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

    /// Tells a window something, and does not wait for it: it may be about to crash.
    fn tell<F: Future<Output = Option<()>> + Send + 'static>(&self, window: usize, what: impl FnOnce(Link) -> F) {
        let future = what(self.windows[window].link.clone());
        tokio::spawn(future);
    }

    async fn shown(&self, window: usize) -> Option<ThreadSnapshot> {
        self.windows[window].link.subscribe().await.ok().map(|subscription| subscription.snapshot)
    }

    fn reopen(&mut self, window: usize) {
        self.note(&format!("{window} starts again"));
        let old = &self.windows[window];
        old.polls_left.store(0, Ordering::Relaxed);
        // A decision lives in memory: what was not delivered is gone with the window, and the question stands there again.
        self.decided.lock().unwrap().iter_mut().filter(|decided| decided.window == window).for_each(|decided| decided.kept = false);
        self.windows[window] = Window::open(old.disk.clone(), &self.ether);
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
                let status = self.shown(window).await.map(|shown| shown.status).expect("a window that lives");
                let delivered = status.deliveries.iter().all(|delivery| matches!(delivery.state, DeliveryState::Failed(_)));
                all &= status.link == LinkState::Online && !status.turn.is_active() && delivered && status.decisions.is_empty();
                // What came of the storm last is asked once more, as a person would.
                if matches!(status.link, LinkState::SignInNeeded | LinkState::Refused(_)) && pushes < 4 {
                    pushes += 1;
                    self.windows[window].link.reconnect().await.ok();
                }
                why.push(status);
            }
            quiet = if all { quiet + 1 } else { 0 };
            assert!(Instant::now() < deadline, "it never came to rest: {why:#?}");
            assert!(self.ether.opened.load(Ordering::Relaxed) < MAX_SOCKETS, "a loop of sockets: {why:#?}");
        }
    }

    /// Nothing ran that nobody approved, nothing was denied that nobody denied, and no decision was dropped.
    fn judge_decisions(&self, stored: &[Value]) {
        let decided = self.decided.lock().unwrap();
        let parts = stored.iter().flat_map(|message| message["parts"].as_array().unwrap());
        for part in parts.filter(|part| part["toolName"] == "getWeather") {
            let (call, state) = (part["toolCallId"].as_str().unwrap(), part["state"].as_str().unwrap());
            let taken = |approved: bool| decided.iter().any(|decided| decided.call == call && decided.approved == approved);
            match state {
                "output-available" => assert!(taken(true), "{call} ran, and nobody approved it"),
                "output-denied" => assert!(taken(false), "{call} was denied by nobody"),
                "approval-requested" => {
                    assert!(!decided.iter().any(|decided| decided.call == call && decided.kept), "the decision on {call} is lost");
                }
                _ => {}
            }
        }
    }

    /// A message that nobody has touched fails only after it was lost with three sockets.
    fn judge_failures(&self, shown: &ThreadSnapshot, typed: &[Typed]) {
        let opened = self.ether.opened.load(Ordering::Relaxed);
        for failed in shown.status.deliveries.iter().filter(|delivery| matches!(delivery.state, DeliveryState::Failed(_))) {
            let one = typed.iter().find(|typed| typed.id.as_ref() == Some(&failed.message_id));
            let Some(one) = one.filter(|one| !self.touched.contains(&one.text)) else { continue };
            assert!(opened >= one.opened + 2, "“{}” was given up after {} sockets", one.text, opened - one.opened);
        }
    }

    async fn judge(&mut self) {
        let stored = self.ether.agent.messages(CONVERSATION);
        let user = |message: &&Value| message["role"] == "user";
        let said: Vec<&str> = stored.iter().filter(user).map(|message| message["parts"][0]["text"].as_str().unwrap()).collect();
        let typed = self.typed.lock().unwrap().clone();
        let mut failed = HashSet::new();
        for window in 0..self.windows.len() {
            let shown = self.shown(window).await.unwrap();
            let waits: HashSet<&str> = shown.status.deliveries.iter().map(|delivery| delivery.message_id.as_str()).collect();
            let known: Vec<Value> = shown
                .messages
                .iter()
                .filter(|message| !waits.contains(message.id.as_str()))
                .map(|message| serde_json::to_value(message).unwrap())
                .collect();
            let differs = (0..known.len().max(stored.len())).find(|at| known.get(*at) != stored.get(*at));
            if let Some(at) = differs {
                let show = |list: &[Value]| list.get(at).map_or("nothing".to_owned(), Value::to_string);
                panic!(
                    "window {window}, message {at} of {} and {}: it has\n{}\nthe agent\n{}",
                    known.len(),
                    stored.len(),
                    show(&known),
                    show(&stored)
                );
            }
            let texts = shown.messages.iter().filter(|message| waits.contains(message.id.as_str())).map(UiMessage::text);
            failed.extend(texts);
            self.judge_failures(&shown, &typed);
            let kept: HashSet<String> = self.windows[window].disk.ids().into_iter().collect();
            for id in waits {
                assert!(kept.contains(id), "window {window} shows a failed message that would be gone after a restart");
            }
        }
        for (index, one) in said.iter().enumerate() {
            assert!(!said[..index].contains(one), "“{one}” is there twice: {said:?}");
            assert!(!failed.contains(*one), "“{one}” is there and has failed, too");
        }
        self.judge_decisions(&stored);
        for typed in typed.iter().filter(|typed| typed.id.is_some() && !self.touched.contains(&typed.text)) {
            assert!(said.contains(&typed.text.as_str()) || failed.contains(&typed.text), "“{}” is lost: {said:?} {failed:?}", typed.text);
        }
        for window in 0..self.windows.len() {
            let order = |text: &&str| {
                typed.iter().position(|typed| typed.window == window && typed.text == **text && !self.touched.contains(*text))
            };
            let places: Vec<usize> = said.iter().filter_map(order).collect();
            assert!(places.is_sorted(), "window {window}: the order is not that of typing: {said:?}");
        }
    }
}

impl Window {
    fn open(disk: Disk, ether: &Ether) -> Self {
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
        Self { disk, link, polls_left }
    }
}
