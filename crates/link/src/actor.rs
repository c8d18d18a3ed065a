//! The actor: carries out what the machine decides, and tells it what comes of it.

use std::{pin::Pin, sync::Arc, time::Duration};

use callbox_identity::{AccessToken, SessionState, TokenError};
use callbox_protocol::{Incoming, UiMessage};
use futures_util::{FutureExt, StreamExt, stream::FuturesUnordered};
use serde_json::Value;
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::{Instant, sleep_until, timeout},
};
use url::Url;

use crate::{
    ClientTool, CommandError, LinkConfig, LinkError, Status, Subscription, ThreadSnapshot, Timing, ids,
    keeper::{Done, Keeper},
    link::Command,
    machine::{Effect, Lease, Machine, Moment, Presence},
    net::{Internet, Network, Road, Socket, SocketEvent},
    tokens::TokenSource,
    updates::Subscribers,
};

/// How many frames that have arrived together are folded before anybody is told.
const BATCH: usize = 128;

type Flight<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a step on the way to a socket brought.
enum Step {
    Token(Result<AccessToken, TokenError>),
    Socket(Result<Socket, LinkError>),
}

pub(crate) struct Actor {
    machine: Machine,
    session: Arc<dyn TokenSource>,
    network: Arc<dyn Network>,
    timing: Timing,
    socket_url: Url,
    messages_url: Url,
    started: Instant,
    /// The last token that was used.
    token: Option<AccessToken>,
    socket: Option<Socket>,
    step: Option<Flight<Step>>,
    history: Option<Flight<Result<Vec<UiMessage>, LinkError>>>,
    keeper: Keeper,
    tools: Vec<ClientTool>,
    /// Those that run.
    runs: FuturesUnordered<Flight<Ran>>,
    /// Who waits for a change of the conversation.
    reworker: Option<oneshot::Sender<Result<(), CommandError>>>,
    subscribers: Subscribers,
    status: watch::Sender<Status>,
    stopped: bool,
    /// Who waits for the end.
    closers: Vec<oneshot::Sender<Result<(), CommandError>>>,
}

/// A tool that has run.
struct Ran {
    tool_call_id: String,
    tool_name: String,
    outcome: Result<Value, String>,
}

/// What woke the actor.
enum Event {
    Command(Option<Command>),
    Session(bool),
    Step(Step),
    History(Result<Vec<UiMessage>, LinkError>),
    Socket(SocketEvent),
    Kept(Done),
    Ran(Ran),
    Time,
}

impl Actor {
    pub(crate) fn new(config: LinkConfig, status: watch::Sender<Status>) -> Self {
        let LinkConfig { address, conversation, session, http, tls, network, outbox, tools, entropy, timing } = config;
        // One for the life of the link: the agent tells connections apart by it, over reconnects, too.
        let connection = ids::connection(&*entropy);
        Self {
            machine: Machine::new(timing.clone(), entropy.clone(), &tools),
            session,
            network: network.unwrap_or_else(|| {
                let road = Road { local: address.is_local(), tls, entropy, patience: timing.handshake };
                Arc::new(Internet { http, road, patience: timing.history })
            }),
            timing,
            socket_url: address.socket_url(&conversation, &connection),
            messages_url: address.messages_url(&conversation),
            started: Instant::now(),
            token: None,
            socket: None,
            step: None,
            history: None,
            keeper: Keeper::new(outbox),
            tools,
            runs: FuturesUnordered::new(),
            reworker: None,
            subscribers: Subscribers::default(),
            status,
            stopped: false,
            closers: Vec::new(),
        }
    }

    pub(crate) async fn run(mut self, mut inbox: mpsc::Receiver<Command>) {
        let kept = self.keeper.load().await;
        self.machine.restore(kept);
        let mut session = self.session.state();
        let mut has_session = true;
        self.machine.presence(presence(&session.borrow_and_update()));
        loop {
            self.carry_out();
            self.publish();
            if self.stopped {
                break;
            }
            let deadline = self.machine.deadline().map(|deadline| self.started + deadline);
            let reads = self.machine.reads();
            // In a fixed order, so that a simulation runs the same way each time. What may never end comes last.
            let event = tokio::select! {
                biased;
                command = inbox.recv() => Event::Command(command),
                changed = session.changed(), if has_session => Event::Session(changed.is_ok()),
                step = fly(&mut self.step) => Event::Step(step),
                history = fly(&mut self.history) => Event::History(history),
                done = self.keeper.next() => Event::Kept(done),
                Some(ran) = self.runs.next(), if !self.runs.is_empty() => Event::Ran(ran),
                () = until(deadline) => Event::Time,
                event = read(&mut self.socket), if reads => Event::Socket(event),
            };
            let now = self.now();
            match event {
                Event::Command(Some(command)) => self.command(command, now),
                Event::Command(None) => self.machine.close(),
                Event::Session(true) => self.machine.presence(presence(&session.borrow_and_update())),
                Event::Session(false) => {
                    has_session = false;
                    self.machine.presence(Presence::Absent);
                }
                Event::Step(step) => self.step(step, now),
                Event::History(outcome) => self.machine.history(outcome, now),
                Event::Socket(event) => self.socket_events(event, now),
                Event::Kept(Done::Removed { message_id, outcome }) => self.machine.removed(&message_id, outcome, now),
                Event::Kept(Done::Saved(saved)) => {
                    self.machine.saved(saved.number, saved.is_well(), now);
                    // Whoever sent the message finds it in the list.
                    self.carry_out();
                    self.publish();
                    self.keeper.answer(saved);
                }
                Event::Ran(Ran { tool_call_id, tool_name, outcome }) => self.machine.ran(&tool_call_id, &tool_name, outcome, now),
                Event::Time => self.machine.time(now),
            }
        }
        self.end(inbox).await;
    }

    fn now(&self) -> Moment {
        self.started.elapsed()
    }

    fn command(&mut self, command: Command, now: Moment) {
        // Whoever asked and does not listen any more has what it wanted nevertheless.
        match command {
            Command::Subscribe(reply) => {
                let snapshot = ThreadSnapshot { messages: self.machine.messages(), status: self.machine.status() };
                let _ = reply.send(Subscription { snapshot, updates: self.subscribers.add(self.timing.frame) });
            }
            Command::Send(text, reply) => match self.machine.send(text) {
                Ok(message_id) => self.keeper.promise(message_id, reply),
                Err(error) => drop(reply.send(Err(error))),
            },
            Command::Cancel(reply) => drop(reply.send(self.machine.cancel(now))),
            Command::Decide { tool_call_id, approved, reply } => {
                drop(reply.send(self.machine.decide(&tool_call_id, approved, now)));
            }
            Command::Interrupt(call, reply) => drop(reply.send(self.machine.interrupt(&call).ok_or(CommandError::NoSuchCall))),
            Command::Resume(call, reply) => drop(reply.send(self.machine.resume(&call, now))),
            Command::Regenerate(answer, reply) => {
                let outcome = self.machine.regenerate(answer.as_deref(), now);
                self.rework(outcome, reply);
            }
            Command::Edit { message_id, text, reply } => {
                let outcome = self.machine.edit(&message_id, text, now);
                self.rework(outcome, reply);
            }
            Command::Clear(reply) => {
                let outcome = self.machine.clear(now);
                self.rework(outcome, reply);
            }
            Command::Retry(message, reply) => drop(reply.send(self.machine.retry(&message, now))),
            Command::Discard(message, reply) => drop(reply.send(self.machine.discard(&message))),
            Command::Reconnect(reply) => {
                self.machine.reconnect(now);
                let _ = reply.send(Ok(()));
            }
            Command::Wake(reply) => {
                self.machine.wake(now);
                let _ = reply.send(Ok(()));
            }
            // Answered by the end of the actor.
            Command::Close(reply) => {
                self.machine.close();
                self.closers.push(reply);
            }
        }
    }

    /// Whoever wants a change waits until the agent has it.
    fn rework(&mut self, begun: Result<(), CommandError>, reply: oneshot::Sender<Result<(), CommandError>>) {
        match begun {
            Ok(()) => self.reworker = Some(reply),
            Err(error) => drop(reply.send(Err(error))),
        }
    }

    fn step(&mut self, step: Step, now: Moment) {
        match step {
            Step::Token(Ok(token)) => {
                let at = |instant: Instant| instant.saturating_duration_since(self.started);
                let lease = Lease { fresh_until: at(token.fresh_until()), expires: at(token.expires()) };
                self.token = Some(token);
                self.machine.token(Ok(lease), now);
            }
            Step::Token(Err(error)) => self.machine.token(Err(error), now),
            Step::Socket(Ok(socket)) => {
                self.socket = Some(socket);
                self.machine.opened(now);
            }
            Step::Socket(Err(error)) => self.machine.refused(error, now),
        }
    }

    /// Takes an event from the socket, and those that are there already.
    fn socket_events(&mut self, first: SocketEvent, now: Moment) {
        self.socket_event(first, now);
        for _ in 1..BATCH {
            if !self.machine.reads() {
                return;
            }
            match read(&mut self.socket).now_or_never() {
                Some(event) => self.socket_event(event, now),
                None => return,
            }
        }
    }

    fn socket_event(&mut self, event: SocketEvent, now: Moment) {
        match event {
            SocketEvent::Text(text) => match Incoming::parse(&text) {
                Ok(frame) => self.machine.frame(frame, now),
                Err(error) => {
                    tracing::debug!(code = error.code(), "a frame was ignored");
                    self.machine.alive(now);
                }
            },
            SocketEvent::Alive => self.machine.alive(now),
            SocketEvent::Closed { code, reason } => self.machine.closed(code, &reason, now),
            SocketEvent::Broken => self.machine.lost(LinkError::Broken, now),
        }
    }

    fn carry_out(&mut self) {
        while let Some(effect) = self.machine.effect() {
            match effect {
                Effect::Token { after_rejection } => {
                    let token = self.session.access_token(self.token.clone().filter(|_| after_rejection));
                    self.step = Some(Box::pin(async move { Step::Token(token.await) }));
                }
                Effect::Connect => {
                    let Some(token) = self.token.clone() else { continue };
                    let wire = self.network.open(self.socket_url.clone(), token);
                    self.step = Some(Box::pin(async move {
                        Step::Socket(match wire.await {
                            Ok(wire) => Ok(Socket::new(wire).await),
                            Err(error) => Err(error),
                        })
                    }));
                }
                Effect::History => {
                    let Some(token) = self.token.clone() else { continue };
                    self.history = Some(self.network.messages(self.messages_url.clone(), token));
                }
                Effect::Write(text) => self.put(|socket| socket.send(text)),
                Effect::Ping => self.put(Socket::ping),
                Effect::Save { number, entry } => self.keeper.save(number, entry),
                Effect::Remove { message_id } => self.keeper.remove(message_id),
                Effect::RunTool { tool_call_id, tool_name, input } => {
                    let tool = self.tools.iter().find(|tool| tool.name == tool_name);
                    if let Some(tool) = tool.cloned() {
                        self.runs.push(Box::pin(run(tool_call_id, tool, input, self.timing.tool)));
                    }
                }
                Effect::Reworked(outcome) => {
                    if let Some(reply) = self.reworker.take() {
                        let _ = reply.send(outcome);
                    }
                }
                Effect::Cut => self.drop_everything(),
                Effect::Stop => self.stopped = true,
            }
        }
    }

    /// Queues something for the socket. A line that takes nothing any more is a dead one.
    fn put(&mut self, send: impl FnOnce(&Socket) -> bool) {
        if self.socket.as_ref().is_some_and(|socket| !send(socket)) {
            let now = self.now();
            self.machine.lost(LinkError::Silent, now);
        }
    }

    fn drop_everything(&mut self) {
        self.socket = None;
        self.step = None;
        self.history = None;
    }

    /// Tells everybody what has changed.
    fn publish(&mut self) {
        let ops = self.machine.take_ops();
        let status = self.machine.status();
        let changed = self.status.send_if_modified(|known| {
            let changed = *known != status;
            if changed {
                known.clone_from(&status);
            }
            changed
        });
        self.subscribers.publish(&ops, changed.then_some(&status), || self.machine.messages());
    }

    async fn end(mut self, mut inbox: mpsc::Receiver<Command>) {
        inbox.close();
        if let Some(socket) = self.socket.take() {
            socket.close(self.timing.goodbye).await;
        }
        // What was to be kept is kept, so that the next link of this conversation finds it.
        self.keeper.finish().await;
        for reply in self.closers {
            let _ = reply.send(Ok(()));
        }
    }
}

/// What a session's state means for a link.
fn presence(state: &SessionState) -> Presence {
    match state {
        SessionState::Restoring => Presence::Unknown,
        SessionState::SigningIn { .. } => Presence::Signing,
        SessionState::SignedIn { account, .. } => Presence::Present(format!("{}|{}", account.iss, account.sub)),
        SessionState::SignedOut { .. } => Presence::Absent,
    }
}

/// Runs a tool, for as long as it may take.
async fn run(tool_call_id: String, tool: ClientTool, input: Value, patience: Duration) -> Ran {
    let outcome = match timeout(patience, (tool.handler)(input)).await {
        Ok(outcome) => outcome,
        Err(_) => Err("The tool did not end in time.".to_owned()),
    };
    Ran { tool_call_id, tool_name: tool.name, outcome }
}

/// Waits for something that may not be under way.
async fn fly<T>(flight: &mut Option<Flight<T>>) -> T {
    match flight {
        Some(under_way) => {
            let outcome = under_way.await;
            *flight = None;
            outcome
        }
        None => std::future::pending().await,
    }
}

async fn read(socket: &mut Option<Socket>) -> SocketEvent {
    match socket {
        Some(socket) => socket.next().await,
        None => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}
