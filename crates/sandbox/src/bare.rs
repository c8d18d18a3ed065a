//! The agent alone: no tenant, no listener, no token. For simulations, which bring a network and a clock of their own.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::sync::mpsc;

use crate::{
    Clock, Control, Model, SandboxConfig, SandboxError, Settings,
    agent::{Out, Room, Rooms},
    disk::Disk,
};

/// An agent in memory. Its turns are tasks of the current tokio runtime and follow its clock.
#[derive(Debug)]
pub struct BareAgent {
    rooms: Arc<Rooms>,
    control: Control,
}

/// What the agent does with a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Send this text message.
    Frame(String),
    /// Close it.
    Close { code: u16, reason: String },
    /// Let go of it without a word.
    Drop,
}

/// A socket's place in a conversation. Dropping it is the end of the socket.
#[derive(Debug)]
pub struct Seat {
    room: Arc<Room>,
    key: u64,
    inbox: mpsc::UnboundedReceiver<Out>,
}

impl BareAgent {
    /// An agent with the scripted model, `pace` between two pieces of text.
    ///
    /// # Errors
    /// None that a scripted model has.
    pub fn new(clock: Clock, pace: Duration) -> Result<Self, SandboxError> {
        let config = SandboxConfig { clock: clock.clone(), pace, model: Model::Scripted, ..SandboxConfig::default() };
        let control = Control::new(Settings::default(), clock, pace);
        Ok(Self { rooms: Rooms::open(&config, control.clone(), Disk::default())?, control })
    }

    /// Makes it misbehave, and tells what it was asked.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Seats a socket with the connection id `pk` of the person `sub`; `None`: the conversation is somebody else's.
    #[must_use]
    pub fn connect(&self, conversation: &str, sub: &str, pk: &str) -> Option<Seat> {
        let room = self.rooms.enter(conversation, sub)?;
        let (out, inbox) = mpsc::unbounded_channel();
        let key = room.connect(pk, out, false);
        Some(Seat { room, key, inbox })
    }

    /// What is stored of a conversation.
    #[must_use]
    pub fn messages(&self, conversation: &str) -> Vec<Value> {
        self.rooms.messages(conversation)
    }

    /// Lets go of every socket.
    pub fn drop_sockets(&self) {
        self.rooms.drop_sockets();
    }

    /// Closes every socket.
    pub fn close_sockets(&self, code: u16, reason: &str) {
        self.rooms.close_sockets(code, reason);
    }
}

impl Seat {
    /// What to do next. Never ends while the agent has nothing to say. Safe to cancel.
    pub async fn next(&mut self) -> Said {
        match self.inbox.recv().await {
            Some(Out::Frame(text)) => Said::Frame(text),
            Some(Out::Close { code, reason }) => Said::Close { code, reason },
            Some(Out::Drop | Out::Stall) | None => Said::Drop,
        }
    }

    /// A text message came on this socket.
    pub fn receive(&self, text: &str) {
        self.room.receive(self.key, text);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.room.disconnect(self.key);
    }
}
