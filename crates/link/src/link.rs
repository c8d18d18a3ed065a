//! The handle on a link.

use std::sync::Arc;

use callbox_identity::{Entropy, Session, SystemEntropy};
use callbox_protocol::interrupt::Interrupt;
use tokio::sync::{mpsc, oneshot, watch};

use crate::{
    AgentAddress, ClientTool, CommandError, Network, OutboxStore, Status, ThreadSnapshot, Timing, TokenSource, Updates, actor::Actor,
};

/// What a link is made of.
#[derive(Clone)]
pub struct LinkConfig {
    pub address: AgentAddress,
    /// The conversation's name: letters, digits, `-`, `.`, `_` and `~` only.
    pub conversation: String,
    /// Where tokens come from: a [`Session`]. When it is signed out, the link closes its socket.
    pub session: Arc<dyn TokenSource>,
    /// Fetches the messages. Must not follow redirects; best made with [`crate::tls_config`], so that it trusts whom the socket trusts.
    pub http: reqwest::Client,
    /// How the socket speaks TLS; `None` is [`crate::tls_config`]. Must not offer any protocol by ALPN but `http/1.1`.
    pub tls: Option<Arc<rustls::ClientConfig>>,
    /// The way to the agent; `None` is the network of this computer, by `http` and `tls`.
    pub network: Option<Arc<dyn Network>>,
    /// Keeps this conversation's messages until they are delivered; `None`: what is not delivered when the link ends is lost.
    pub outbox: Option<Arc<dyn OutboxStore>>,
    /// What the agent may have done here.
    pub tools: Vec<ClientTool>,
    pub entropy: Arc<dyn Entropy>,
    pub timing: Timing,
}

impl LinkConfig {
    /// With the usual timing, the usual TLS, the system's randomness, no tools, and nothing that keeps messages.
    #[must_use]
    pub fn new(address: AgentAddress, conversation: String, session: Session, http: reqwest::Client) -> Self {
        Self::with_tokens(address, conversation, Arc::new(session), http)
    }

    /// The same with tokens from anywhere.
    #[must_use]
    pub fn with_tokens(address: AgentAddress, conversation: String, session: Arc<dyn TokenSource>, http: reqwest::Client) -> Self {
        let (entropy, timing) = (Arc::new(SystemEntropy), Timing::default());
        Self { address, conversation, session, http, tls: None, network: None, outbox: None, tools: Vec::new(), entropy, timing }
    }
}

/// A snapshot and what comes after it, without a gap.
#[derive(Debug)]
pub struct Subscription {
    pub snapshot: ThreadSnapshot,
    pub updates: Updates,
}

/// The handle on one conversation with an agent. Clones are the same link; it ends with [`Link::close`] or when the last clone is dropped.
#[derive(Clone)]
pub struct Link {
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
}

/// How many commands may wait; more wait at the caller.
const MAX_COMMANDS: usize = 64;

type Reply<T> = oneshot::Sender<Result<T, CommandError>>;

pub(crate) enum Command {
    Subscribe(oneshot::Sender<Subscription>),
    Send(String, Reply<String>),
    Cancel(Reply<()>),
    Decide { tool_call_id: String, approved: bool, reply: Reply<()> },
    Interrupt(String, Reply<Interrupt>),
    Resume(String, Reply<()>),
    Regenerate(Option<String>, Reply<()>),
    Edit { message_id: String, text: String, reply: Reply<()> },
    Clear(Reply<()>),
    Retry(String, Reply<()>),
    Discard(String, Reply<()>),
    Reconnect(Reply<()>),
    Wake(Reply<()>),
    Close(Reply<()>),
}

impl Link {
    /// Starts the link's actor; it connects as soon as somebody is signed in. Must be called inside a tokio runtime.
    #[must_use]
    pub fn spawn(config: LinkConfig) -> Self {
        let (link, actor) = Self::new(config);
        tokio::spawn(actor);
        link
    }

    /// A link whose actor is the caller's to run: nothing happens but by that. Dropping it is what a crash is.
    pub fn new(config: LinkConfig) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (commands, inbox) = mpsc::channel(MAX_COMMANDS);
        let (publish, status) = watch::channel(Status::default());
        let actor = Actor::new(config, publish).run(inbox);
        (Self { commands, status }, actor)
    }

    /// The state beside the messages, now and from now on.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The conversation as it is now, and everything that changes from now on.
    ///
    /// # Errors
    /// [`CommandError::Closed`].
    pub async fn subscribe(&self) -> Result<Subscription, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Subscribe(reply)).await.map_err(|_| CommandError::Closed)?;
        answer.await.map_err(|_| CommandError::Closed)
    }

    /// Sends a text, now or when the link is online again, exactly once. The new message's id comes back when the message is safe in
    /// [`LinkConfig::outbox`]; it is in the list by then, and in [`Status::deliveries`] until the agent has confirmed it.
    ///
    /// # Errors
    /// [`CommandError::Empty`], [`CommandError::TooLong`], [`CommandError::NotSaved`], [`CommandError::Closed`]; nothing was queued.
    pub async fn send(&self, text: impl Into<String>) -> Result<String, CommandError> {
        let text = text.into();
        self.ask(|reply| Command::Send(text, reply)).await
    }

    /// Stops the running turn at the agent, now or when the link is online again; where none runs, the messages that wait to be sent.
    /// What has been said stays.
    ///
    /// # Errors
    /// [`CommandError::Closed`].
    pub async fn cancel(&self) -> Result<(), CommandError> {
        self.ask(Command::Cancel).await
    }

    /// Decides on a tool call. The decision is kept, and sent again on the next connection, until the agent shows that it has one; the first
    /// decision wins, so one that comes too late is dropped without an error.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::Closed`].
    pub async fn decide(&self, tool_call_id: impl Into<String>, approved: bool) -> Result<(), CommandError> {
        let tool_call_id = tool_call_id.into();
        self.ask(|reply| Command::Decide { tool_call_id, approved, reply }).await
    }

    /// Why a call has stopped, if it has for want of a person.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::Closed`].
    pub async fn interrupt(&self, tool_call_id: impl Into<String>) -> Result<Interrupt, CommandError> {
        let tool_call_id = tool_call_id.into();
        self.ask(|reply| Command::Interrupt(tool_call_id, reply)).await
    }

    /// Has such a call go on, now that the person has done what it wants: on a new connection, so that the agent has the newest token. Returns when
    /// that has begun.
    ///
    /// # Errors
    /// [`CommandError::NoSuchCall`], [`CommandError::Busy`], [`CommandError::Closed`]; nothing was done.
    pub async fn resume(&self, tool_call_id: impl Into<String>) -> Result<(), CommandError> {
        let tool_call_id = tool_call_id.into();
        self.ask(|reply| Command::Resume(tool_call_id, reply)).await
    }

    /// Has the answer with this id written again, and everything behind it taken away; without an id the last one. A message that was left
    /// without an answer gets one. Comes back when the agent has the request, over reconnects if need be.
    ///
    /// # Errors
    /// [`CommandError::NotOnline`], [`CommandError::Busy`], [`CommandError::NoSuchAnswer`], [`CommandError::TooLong`]: nothing was sent.
    /// [`CommandError::Skipped`], [`CommandError::NotTaken`], [`CommandError::GoneOn`]: nothing has changed. [`CommandError::Closed`]: nobody knows.
    pub async fn regenerate(&self, answer: Option<String>) -> Result<(), CommandError> {
        self.ask(|reply| Command::Regenerate(answer, reply)).await
    }

    /// Puts these words in place of a message of the user's, which is then answered anew; everything behind it is gone. Comes back when the agent
    /// has it, over reconnects if need be.
    ///
    /// # Errors
    /// [`CommandError::Empty`], and those of [`Link::regenerate`].
    pub async fn edit(&self, message_id: impl Into<String>, text: impl Into<String>) -> Result<(), CommandError> {
        let (message_id, text) = (message_id.into(), text.into());
        self.ask(|reply| Command::Edit { message_id, text, reply }).await
    }

    /// Empties the conversation, for everybody. Comes back when the agent has shown that it is, over reconnects if need be.
    ///
    /// # Errors
    /// Those of [`Link::regenerate`].
    pub async fn clear(&self) -> Result<(), CommandError> {
        self.ask(Command::Clear).await
    }

    /// Sends a failed message again.
    ///
    /// # Errors
    /// [`CommandError::NoSuchMessage`], [`CommandError::Closed`].
    pub async fn retry(&self, message_id: impl Into<String>) -> Result<(), CommandError> {
        let message_id = message_id.into();
        self.ask(|reply| Command::Retry(message_id, reply)).await
    }

    /// Drops a message that failed or has not been sent yet.
    ///
    /// # Errors
    /// [`CommandError::NoSuchMessage`], also for a message that is being sent; [`CommandError::Closed`].
    pub async fn discard(&self, message_id: impl Into<String>) -> Result<(), CommandError> {
        let message_id = message_id.into();
        self.ask(|reply| Command::Discard(message_id, reply)).await
    }

    /// Connects at once, whatever the link is waiting for; an open socket is checked instead, because the network may have changed below it.
    ///
    /// # Errors
    /// [`CommandError::Closed`].
    pub async fn reconnect(&self) -> Result<(), CommandError> {
        self.ask(Command::Reconnect).await
    }

    /// To be called when the computer has slept, or its network is another one: connects at once, with a token that is good by the clock on
    /// the wall. An open socket is checked and stays if it is alive and its token is good.
    ///
    /// # Errors
    /// [`CommandError::Closed`].
    pub async fn wake(&self) -> Result<(), CommandError> {
        self.ask(Command::Wake).await
    }

    /// Closes the socket and ends the link, for all its clones. Returns when it is done, and the outbox is as it shall be.
    pub async fn close(&self) {
        // Closed already is closed, too.
        let _ = self.ask(Command::Close).await;
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, CommandError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| CommandError::Closed)?;
        answer.await.unwrap_or(Err(CommandError::Closed))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Link").field("status", &*self.status.borrow()).finish_non_exhaustive()
    }
}
