//! The tenant.
use crate::{Control, SandboxConfig, SandboxError, disk::Disk};
use axum::Router;
use std::{net::SocketAddr, sync::Arc};
use url::Url;

#[derive(Debug)]
pub(crate) struct Tenant {
    issuer: Url,
}

impl Tenant {
    pub(crate) fn open(_config: &SandboxConfig, _address: SocketAddr, _control: Control, _disk: Disk) -> Result<Arc<Self>, SandboxError> {
        let mut issuer: Url = "http://127.0.0.1/".parse().map_err(|_| SandboxError::Key(String::new()))?;
        let _ = issuer.set_port(Some(_address.port()));
        Ok(Arc::new(Self { issuer }))
    }
    pub(crate) fn issuer(&self) -> &Url {
        &self.issuer
    }
    pub(crate) fn router(self: &Arc<Self>, _control_http: bool) -> Router {
        Router::new()
    }
    pub(crate) fn access_token_for(&self, _sub: &str) -> Result<String, SandboxError> {
        Ok(String::new())
    }
    pub(crate) fn live_families(&self) -> usize {
        0
    }
    pub(crate) fn revoke_everything(&self) {}
    pub(crate) fn rotate_keys(&self, _forget_old: bool) -> Result<(), SandboxError> {
        Ok(())
    }
}
