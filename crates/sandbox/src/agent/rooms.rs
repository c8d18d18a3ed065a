//! All conversations, in memory and, where there is a folder, on the disk.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::{
    model::Brain,
    room::Room,
    state::{Failed, Out},
};
use crate::{Clock, Control, SandboxConfig, SandboxError, disk::Disk, random};

const FOLDER: &str = "conversations";

/// What is kept of a conversation.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) messages: Vec<Value>,
    /// As the real one keeps it: whoever comes back is told what went wrong.
    #[serde(default)]
    pub(super) failed: Option<Failed>,
}

impl Kept {
    /// Names are anything a URL can carry, so the file has the hash of it.
    pub(super) fn file(name: &str) -> String {
        format!("{FOLDER}/{}.json", random::sha256(name))
    }
}

/// What every conversation uses.
#[derive(Debug)]
pub(super) struct House {
    pub(super) control: Control,
    pub(super) clock: Clock,
    pub(super) brain: Brain,
    pub(super) disk: Disk,
    pub(super) stop: CancellationToken,
}

/// The conversations of an agent.
#[derive(Debug)]
pub(crate) struct Rooms {
    pub(super) control: Control,
    house: Arc<House>,
    rooms: Mutex<HashMap<String, Arc<Room>>>,
}

impl Rooms {
    pub(crate) fn open(config: &SandboxConfig, control: Control, disk: Disk) -> Result<Arc<Self>, SandboxError> {
        let brain = Brain::open(&config.model)?;
        let kept: Vec<Kept> = disk.list(FOLDER).iter().filter_map(|file| disk.read_json(file)).collect();
        let house = Arc::new(House { control: control.clone(), clock: config.clock.clone(), brain, disk, stop: CancellationToken::new() });
        let rooms = kept.into_iter().map(|kept| (kept.name.clone(), Room::open(kept, house.clone()))).collect();
        Ok(Arc::new(Self { control, house, rooms: Mutex::new(rooms) }))
    }

    fn rooms(&self) -> MutexGuard<'_, HashMap<String, Arc<Room>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self, name: &str) -> Option<Arc<Room>> {
        self.rooms().get(name).cloned()
    }

    fn room_or_new(&self, name: &str) -> Arc<Room> {
        let new = || Room::open(Kept { name: name.to_owned(), owner: None, messages: Vec::new(), failed: None }, self.house.clone());
        self.rooms().entry(name.to_owned()).or_insert_with(new).clone()
    }

    /// Whose conversation it is, if anybody's.
    pub(crate) fn owner(&self, name: &str) -> Option<String> {
        self.room(name)?.owner()
    }

    /// The conversation, new if need be, if it is this person's (or nobody's until now).
    pub(crate) fn enter(&self, name: &str, sub: &str) -> Option<Arc<Room>> {
        let room = self.room_or_new(name);
        room.claim(sub).then_some(room)
    }

    /// Ends all turns and lets go of all sockets.
    pub(crate) fn stop(&self) {
        self.house.stop.cancel();
    }

    fn everywhere(&self, out: &Out) {
        let rooms: Vec<Arc<Room>> = self.rooms().values().cloned().collect();
        for room in rooms {
            room.tell_all(out);
        }
    }

    pub(crate) fn drop_sockets(&self) {
        self.everywhere(&Out::Drop);
    }

    pub(crate) fn close_sockets(&self, code: u16, reason: &str) {
        self.everywhere(&Out::Close { code, reason: reason.to_owned() });
    }

    pub(crate) fn stall_sockets(&self) {
        self.everywhere(&Out::Stall);
    }

    pub(crate) fn inject(&self, conversation: &str, raw: &str) {
        if let Some(room) = self.room(conversation) {
            room.tell_all(&Out::Frame(raw.to_owned()));
        }
    }

    pub(crate) fn messages(&self, conversation: &str) -> Vec<Value> {
        self.room(conversation).map_or_else(Vec::new, |room| room.stored())
    }

    pub(crate) fn set_messages(&self, conversation: &str, owner: &str, messages: Vec<Value>) {
        let room = self.room_or_new(conversation);
        room.claim(owner);
        room.replace(messages);
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        self.stop();
    }
}
