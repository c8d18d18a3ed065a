//! What an agent wants of the person that happens somewhere else: an account to be connected, an approval on a phone, more scopes for the sign-in,
//! to be let in at a server of tools.

use std::time::Duration;

use callbox_identity::ConnectedAccount;
use callbox_ipc::UserError;
use callbox_link::{CommandError, LinkError, LinkState};
use callbox_protocol::{
    ToolServer, ToolServerState,
    interrupt::{AccountWanted, Interrupt, Want},
};
use tokio::time::timeout;
use url::{Host, Url};

use super::{Core, sign_in, view};

/// How long a person may take at the browser; the sign-in's own attempt lasts as long.
const PATIENCE: Duration = Duration::from_secs(600);

impl Core {
    pub(crate) async fn connect_account(&self, conversation: String, tool_call: String) -> Result<(), UserError> {
        let (link, session, browser) =
            self.jobs.run(move |desk| Ok::<_, UserError>((desk.link(&conversation)?, desk.session()?, desk.browser()))).await??;
        // What is asked for is read here and not taken from the window.
        let interrupt = link.interrupt(tool_call.clone()).await.map_err(|error| view::error(&error))?;
        let Interrupt { want: Want::Account(AccountWanted { connection, required_scopes, .. }), .. } = interrupt else {
            return Err(view::error(&CommandError::NoSuchCall));
        };
        let start = session.begin_connect(&connection, &required_scopes).await.map_err(|error| view::error(&error))?;
        let opened = sign_in::open_browser(&browser, start.url.clone()).await;
        if opened.is_err() {
            session.cancel_connect();
        }
        opened?;
        start.finished().await.map_err(|error| view::error(&error))?;
        link.resume(tool_call).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn cancel_connect(&self) -> Result<(), UserError> {
        self.jobs.run(|desk| desk.session()).await??.cancel_connect();
        Ok(())
    }

    pub(crate) async fn resume_call(&self, conversation: String, tool_call: String) -> Result<(), UserError> {
        let link = self.jobs.run(move |desk| desk.link(&conversation)).await??;
        link.resume(tool_call).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn connected_accounts(&self) -> Result<Vec<callbox_ipc::ConnectedAccount>, UserError> {
        let session = self.jobs.run(|desk| desk.session()).await??;
        let accounts = session.connected_accounts().await.map_err(|error| view::error(&error))?;
        let told = |ConnectedAccount { id, connection, scopes, .. }| callbox_ipc::ConnectedAccount { id, connection, scopes };
        Ok(accounts.into_iter().map(told).collect())
    }

    pub(crate) async fn disconnect_account(&self, account: callbox_ipc::ConnectedAccount) -> Result<(), UserError> {
        let session = self.jobs.run(|desk| desk.session()).await??;
        let callbox_ipc::ConnectedAccount { id, connection, scopes } = account;
        let account = ConnectedAccount { id, connection, scopes, created_at: None };
        session.disconnect(&account).await.map_err(|error| view::error(&error))
    }

    pub(crate) async fn step_up(&self, conversation: String) -> Result<(), UserError> {
        let (link, session, browser) =
            self.jobs.run(move |desk| Ok::<_, UserError>((desk.link(&conversation)?, desk.session()?, desk.browser()))).await??;
        let state = link.status().borrow().link.clone();
        let LinkState::Refused(LinkError::InsufficientScope { scopes }) = state else {
            // Meanwhile it was granted, or is not wanted any more.
            return link.reconnect().await.map_err(|error| view::error(&error));
        };
        let mut granted = session.granted();
        granted.mark_unchanged();
        let start = session.begin_step_up(&scopes).await.map_err(|error| view::error(&error))?;
        // Whoever declines changes nothing, and nothing is tried again.
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            if timeout(PATIENCE, granted.changed()).await.is_ok_and(|changed| changed.is_ok()) {
                jobs.post(|desk| desk.look_after_links()).await;
            }
        });
        sign_in::open_browser(&browser, start.url).await
    }

    /// The agent itself takes the answer, and tells of it on the socket.
    pub(crate) async fn open_tool_server(&self, conversation: String, server: String) -> Result<(), UserError> {
        let (link, browser) = self.jobs.run(move |desk| Ok::<_, UserError>((desk.link(&conversation)?, desk.browser()))).await??;
        // What is opened is read here and not taken from the window.
        let page = link.status().borrow().tool_servers.iter().find(|known| known.id == server).and_then(page_of);
        match page {
            Some(page) => sign_in::open_browser(&browser, page).await,
            // Meanwhile the agent was let in, or does not want it any more.
            None => Ok(()),
        }
    }
}

/// The page at which a person lets the agent in at this server: https, or http that never leaves the computer. `None` if nobody has to, or if it is
/// another kind of address, which nobody should open.
pub(super) fn page_of(server: &ToolServer) -> Option<Url> {
    if server.state != ToolServerState::Authenticating {
        return None;
    }
    let url = sign_in::outward(server.auth_url.as_deref()?).ok()?;
    let is_safe = match (url.scheme(), url.host()?) {
        ("https", _) => true,
        ("http", Host::Ipv4(address)) => address.is_loopback(),
        ("http", Host::Ipv6(address)) => address.is_loopback(),
        ("http", Host::Domain(name)) => name == "localhost",
        _ => false,
    };
    is_safe.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_of_tools_has_a_page_only_while_the_agent_waits_to_be_let_in_and_if_it_may_be_opened() {
        let server = |state, auth_url: Option<&str>| ToolServer {
            id: "s".to_owned(),
            name: "weather".to_owned(),
            url: None,
            state,
            auth_url: auth_url.map(str::to_owned),
            error: None,
            tools: Vec::new(),
        };
        let waiting = |auth_url| page_of(&server(ToolServerState::Authenticating, Some(auth_url)));
        for good in ["https://mcp.example/authorize?state=x", "http://127.0.0.1:8/a", "http://[::1]/a", "http://localhost:8/a"] {
            assert_eq!(waiting(good).map(String::from).as_deref(), Some(good));
        }
        for bad in [
            "http://mcp.example/authorize",
            "mailto:a@b.example",
            "javascript:alert(1)",
            "https://a:b@mcp.example/",
            "file:///etc/passwd",
            "",
        ] {
            assert_eq!(waiting(bad), None, "{bad}");
        }
        assert_eq!(page_of(&server(ToolServerState::Ready, Some("https://mcp.example/authorize"))), None);
        assert_eq!(page_of(&server(ToolServerState::Authenticating, None)), None);
    }
}
