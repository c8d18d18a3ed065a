//! The agent.
use crate::{Control, SandboxConfig, SandboxError, disk::Disk, tenant::Tenant};
use axum::Router;
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc};

#[derive(Debug)]
pub(crate) struct Rooms;

pub(crate) fn router(_rooms: &Arc<Rooms>, _tenant: &Arc<Tenant>, _address: SocketAddr) -> Router {
    Router::new()
}

impl Rooms {
    pub(crate) fn open(_config: &SandboxConfig, _control: Control, _disk: Disk) -> Result<Arc<Self>, SandboxError> {
        Ok(Arc::new(Self))
    }
    pub(crate) fn stop(&self) {}
    pub(crate) fn drop_sockets(&self) {}
    pub(crate) fn close_sockets(&self, _code: u16, _reason: &str) {}
    pub(crate) fn stall_sockets(&self) {}
    pub(crate) fn inject(&self, _conversation: &str, _raw: &str) {}
    pub(crate) fn messages(&self, _conversation: &str) -> Vec<Value> {
        Vec::new()
    }
    pub(crate) fn set_messages(&self, _conversation: &str, _owner: &str, _messages: Vec<Value>) {}
}
