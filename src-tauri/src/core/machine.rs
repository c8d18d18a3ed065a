//! A machine that speaks to an agent for itself, as a confidential client of the tenant (RFC 6749 §4.4): no window, no sign-in, and no keychain if the
//! secret comes from the environment.

use std::{env, path::Path, sync::Arc};

use callbox_identity::{
    Conversations, Issuer, Profile, Quota, Service, ServiceConfig, SystemClock, SystemEntropy, TokenError, TokenShelf, Trouble,
    client_secret_key,
};
use callbox_link::{AgentAddress, ClientTool, Link, LinkConfig};
use callbox_vault::{Kept, Secret, Vault, VaultError};

use super::{PlaceError, WorkspaceError, place, store_key, tools, workspace};
use crate::folders::Folders;

/// The names of the variables that a machine is told by.
const CLIENT_ID: &str = "CALLBOX_CLIENT_ID";
const CLIENT_SECRET: &str = "CALLBOX_CLIENT_SECRET";
const ORGANIZATION: &str = "CALLBOX_ORGANIZATION";

/// Why a machine cannot speak.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error("Which client the machine is, is not known. Put service_client_id into the profile, or set {CLIENT_ID}.")]
    NoClient,
    #[error("The secret of the client {0} is not known. Give it to “callbox client-secret”, or set {CLIENT_SECRET}.")]
    NoSecret(String),
    /// The keychain does not say the secret.
    #[error(transparent)]
    Keychain(#[from] VaultError),
    #[error("The sign-in server does not give this client a token. {error}{}", quota.as_ref().map(|quota| format!(" {quota}")).unwrap_or_default())]
    Token { error: TokenError, quota: Option<Quota> },
}

/// A client, as somebody has named it.
pub(crate) struct Client {
    profile: Profile,
    id: String,
}

impl Client {
    /// The client of the profile in this file, else of the remembered one; the environment's comes before either.
    pub(crate) fn find(folders: &Folders, profile: Option<&Path>) -> Result<Self, MachineError> {
        let profile = place::read_profile(&workspace::chosen(folders, profile)?).map_err(WorkspaceError::from)?;
        let id = variable(CLIENT_ID).or_else(|| profile.service_client_id.clone()).ok_or(MachineError::NoClient)?;
        Ok(Self { profile, id })
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    fn key(&self) -> String {
        let issuer: &Issuer = &self.profile.issuer;
        client_secret_key(issuer, &self.id)
    }

    /// Puts the client's secret into the keychain.
    pub(crate) async fn keep(&self, vault: &Vault, secret: Secret<Vec<u8>>) -> Result<(), VaultError> {
        match vault.set(&self.key(), secret).await? {
            Kept::Protected => Ok(()),
            Kept::SessionOnly(why) => Err(why),
        }
    }

    /// Takes it away.
    pub(crate) async fn forget(&self, vault: &Vault) -> Result<(), VaultError> {
        vault.delete(&self.key()).await
    }

    async fn secret(&self, vault: &Vault) -> Result<Secret<String>, MachineError> {
        let kept = vault.get(&self.key()).await?;
        let text = kept.and_then(|bytes| String::from_utf8(bytes.expose().clone()).ok());
        text.map(Secret::new).ok_or_else(|| MachineError::NoSecret(self.id.clone()))
    }
}

/// A machine with its agent.
pub(crate) struct Machine {
    profile: Profile,
    service: Service,
    http: reqwest::Client,
    agent: AgentAddress,
    tools: Vec<ClientTool>,
}

impl Machine {
    /// The machine at the profile in this file, else at the remembered one. The keychain is asked for the secret if the environment has none;
    /// then it keeps the token too, from one process to the next.
    pub(crate) async fn open(folders: &Folders, profile: Option<&Path>, vault: &Vault) -> Result<Self, MachineError> {
        let client = Client::find(folders, profile)?;
        let (client_secret, shelf) = match variable(CLIENT_SECRET) {
            Some(secret) => (Secret::new(secret), None),
            None => {
                let shelf = TokenShelf { vault: vault.clone(), locks: store_key::locks(&folders.data) };
                (client.secret(vault).await?, Some(shelf))
            }
        };
        let Client { profile, id } = client;
        let failed = |error: PlaceError| MachineError::Workspace(error.into());
        let http = callbox_link::http_client(&profile.agent).map_err(|error| failed(error.into()))?;
        let agent = place::address(&profile).map_err(failed)?;
        let tools = tools::named(&profile.client_tools).map_err(|name| failed(PlaceError::Tool(name)))?;
        let service = Service::spawn(ServiceConfig {
            issuer: profile.issuer.clone(),
            client_id: id,
            client_secret,
            audience: profile.audience.clone(),
            resource: profile.resource.clone(),
            organization: variable(ORGANIZATION).or_else(|| profile.organization.clone()),
            // The scopes of a profile are a person's; a client has those that it was given.
            scopes: Vec::new(),
            dpop: profile.service_dpop(),
            shelf,
            http: callbox_link::http_client(profile.issuer.url()).map_err(|error| failed(error.into()))?,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        });
        Ok(Self { profile, service, http, agent, tools })
    }

    /// Returns when the machine has a token.
    pub(crate) async fn ready(&self) -> Result<(), MachineError> {
        match self.service.access_token().await {
            Ok(_) => Ok(()),
            Err(error) => {
                let limited = matches!(error, TokenError::Transient(Trouble::RateLimited { .. }));
                Err(MachineError::Token { error, quota: self.service.quota().filter(|_| limited) })
            }
        }
    }

    /// The agent, as the user has named it.
    pub(crate) fn agent(&self) -> &str {
        &self.profile.name
    }

    /// The agent's host, and its port where that is not the usual one.
    pub(crate) fn agent_host(&self) -> String {
        place::host(&self.profile.agent)
    }

    /// The names of the tools that run here.
    pub(crate) fn tools(&self) -> Vec<String> {
        self.tools.iter().map(|tool| tool.name.clone()).collect()
    }

    /// Connects to a conversation. What is sent there lives in this process alone.
    /// Whether there is no other conversation than one.
    pub(crate) fn has_one_conversation(&self) -> bool {
        self.profile.conversations == Conversations::One
    }

    /// The id of the conversation that is begun next.
    pub(crate) fn next_conversation(&self) -> String {
        place::next_conversation(&self.profile)
    }

    pub(crate) fn link(&self, conversation: &str) -> Link {
        let tokens = Arc::new(self.service.clone());
        let config = LinkConfig::with_tokens(self.agent.clone(), conversation.to_owned(), tokens, self.http.clone());
        Link::spawn(LinkConfig { tools: self.tools.clone(), ..config })
    }
}

/// What a variable says, if it says anything.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.trim().is_empty())
}
