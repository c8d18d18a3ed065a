//! Start, addresses, stop.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::Mutex,
};
use url::Url;

use crate::{
    AUDIENCE, CLIENT_ID, Control, SandboxConfig, SandboxError,
    agent::{self, Rooms},
    control::Settings,
    disk::Disk,
    tenant::Tenant,
    wire::Server,
};

const PORTS: &str = "ports.json";
/// Connections that wait to be accepted; as many as tokio lets wait.
const BACKLOG: u32 = 1024;

/// The ports of the last time: a session belongs to an issuer, and the issuer's name contains the port.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
struct Ports {
    tenant: Option<u16>,
    agent: Option<u16>,
}

/// A running tenant and agent. Dropping it stops both.
///
/// With a [`SandboxConfig::state_dir`] the next sandbox on that folder goes on where this one ended: the same ports where they are free, the
/// same signing key, refresh tokens that are still good, conversations. The folder holds refresh tokens as SHA-256 hashes only. The
/// signing key lies there as PKCS#8, readable by the user alone; it is the sandbox's own and worth nothing outside of it.
#[derive(Debug)]
pub struct Sandbox {
    control: Control,
    tenant: Arc<Tenant>,
    tenant_server: Server,
    rooms: Arc<Rooms>,
    agent_address: Option<SocketAddr>,
    agent_server: Mutex<AgentServer>,
    disk: Disk,
}

/// Where the agent is.
#[derive(Debug)]
enum AgentServer {
    Running(Server),
    /// Bound to the agent's port and not listening: whoever connects is refused, and nobody else is given the port.
    Stopped(TcpSocket),
    /// It was never wanted, or its port has been lost.
    Gone,
}

impl Sandbox {
    /// Starts the tenant, and the agent if one is wanted. Both answer when this returns.
    ///
    /// # Errors
    /// See [`SandboxError`].
    pub async fn start(config: SandboxConfig) -> Result<Self, SandboxError> {
        let disk = match &config.state_dir {
            Some(folder) => Disk::open(folder).await?,
            None => Disk::default(),
        };
        let known: Ports = disk.read_json(PORTS).unwrap_or_default();
        let (tenant_listener, tenant_address) = listen(config.tenant, known.tenant).await?;
        let agent_listener = match config.agent {
            Some(address) => Some(listen(address, known.agent).await?),
            None => None,
        };
        let agent_address = agent_listener.as_ref().map(|(_, address)| *address);
        disk.write_json(PORTS, &Ports { tenant: Some(tenant_address.port()), agent: agent_address.map(|a| a.port()).or(known.agent) });

        let settings = Settings {
            refresh_overlap: config.refresh_overlap,
            access_token_ttl: config.access_token_ttl,
            dpop: config.dpop,
            ..Settings::default()
        };
        let control = Control::new(settings, config.clock.clone(), config.pace);
        let tenant = Tenant::open(&config, tenant_address, control.clone(), disk.clone()).await?;
        control.attach_tenant(&tenant);
        let rooms = Rooms::open(&config, control.clone(), disk.clone())?;
        control.attach_rooms(&rooms);
        let tenant_server = Server::start(tenant_listener, tenant.router(config.control_http));
        let agent_server = agent_listener.map_or(AgentServer::Gone, |(listener, address)| {
            AgentServer::Running(Server::start(listener, agent::router(&rooms, &tenant, address)))
        });
        // The ports (and a new key) are on the disk before anybody relies on them.
        disk.flush().await;
        Ok(Self { control, tenant, tenant_server, rooms, agent_address, agent_server: Mutex::new(agent_server), disk })
    }

    /// The tenant's issuer identifier, `http://127.0.0.1:PORT/`, with the slash that Auth0's have.
    #[must_use]
    pub fn issuer(&self) -> Url {
        self.tenant.issuer().clone()
    }

    /// The agent's address, `http://127.0.0.1:PORT/agents/chat-agent`. Port 0 if no agent was wanted.
    #[must_use]
    pub fn agent_url(&self) -> Url {
        let mut url = self.tenant.issuer().clone();
        url.set_path("/agents/chat-agent");
        // Loopback URLs take any port.
        let _ = url.set_port(Some(self.agent_address.map_or(0, |address| address.port())));
        url
    }

    /// The desktop app's client id.
    #[must_use]
    pub fn client_id(&self) -> &'static str {
        CLIENT_ID
    }

    /// What access tokens for the agent are made out to.
    #[must_use]
    pub fn audience(&self) -> &'static str {
        AUDIENCE
    }

    /// The handle on its behaviour.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// An access token for the agent, as a sign-in of the person with this `sub` would give it. No session at the tenant comes of it.
    ///
    /// # Errors
    /// [`SandboxError::Key`] when it cannot be signed.
    pub fn access_token(&self, sub: &str) -> Result<String, SandboxError> {
        self.tenant.access_token_for(sub)
    }

    /// Stops the agent: nothing listens on its port, every socket is cut. Conversations stay in memory.
    pub async fn stop_agent(&self) {
        let mut agent = self.agent_server.lock().await;
        match std::mem::replace(&mut *agent, AgentServer::Gone) {
            AgentServer::Running(server) => {
                server.stop().await;
                if let Some(socket) = self.agent_address.and_then(|address| hold(address).ok()) {
                    *agent = AgentServer::Stopped(socket);
                }
            }
            other => *agent = other,
        }
    }

    /// Starts a stopped agent at the same address, with the same memory. Does nothing if it runs or was never wanted.
    ///
    /// # Errors
    /// [`SandboxError::Bind`] if something else has taken the port meanwhile.
    pub async fn start_agent(&self) -> Result<(), SandboxError> {
        let mut agent = self.agent_server.lock().await;
        let Some(address) = self.agent_address else { return Ok(()) };
        let listener = match std::mem::replace(&mut *agent, AgentServer::Gone) {
            AgentServer::Running(server) => {
                *agent = AgentServer::Running(server);
                return Ok(());
            }
            AgentServer::Stopped(socket) => socket.listen(BACKLOG),
            AgentServer::Gone => TcpListener::bind(address).await,
        };
        let listener = listener.map_err(|source| SandboxError::Bind { address, source })?;
        *agent = AgentServer::Running(Server::start(listener, agent::router(&self.rooms, &self.tenant, address)));
        Ok(())
    }

    /// Stops both and returns when their ports are free and all state is on the disk.
    pub async fn shutdown(self) {
        self.stop_agent().await;
        self.tenant_server.stop().await;
        self.rooms.stop();
        self.disk.flush().await;
    }
}

/// Takes a port without listening on it.
fn hold(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // Connections that were cut a moment ago may still have it. On Windows this would mean something else.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on `wanted`; where any port will do, first on the one of the last time.
async fn listen(wanted: SocketAddr, last: Option<u16>) -> Result<(TcpListener, SocketAddr), SandboxError> {
    if !wanted.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(wanted));
    }
    let again = last.filter(|_| wanted.port() == 0).map(|port| SocketAddr::new(wanted.ip(), port));
    if let Some(address) = again
        && let Ok(listener) = TcpListener::bind(address).await
    {
        return Ok((listener, address));
    }
    let bind = |source| SandboxError::Bind { address: wanted, source };
    let listener = TcpListener::bind(wanted).await.map_err(bind)?;
    let address = listener.local_addr().map_err(bind)?;
    Ok((listener, address))
}

impl SandboxConfig {
    /// This configuration with its state in `folder`.
    #[must_use]
    pub fn with_state(mut self, folder: impl Into<PathBuf>) -> Self {
        self.state_dir = Some(folder.into());
        self
    }
}
