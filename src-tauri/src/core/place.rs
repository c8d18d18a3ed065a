//! Where the user is: a profile, its session, and the sandbox if it is the sandbox's.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use callbox_identity::{
    Account, Config, Conversations, Dpop, Entropy, Issuer, Profile, ProfileError, ProfileFileError, Session, Slot, Step, SystemClock,
    SystemEntropy, find_agent,
};
use callbox_ipc::{ProfileView, UserError};
use callbox_link::{AgentAddress, ClientError, ClientTool};
use callbox_sandbox::{Model, Sandbox, SandboxConfig};
use callbox_vault::Vault;
use url::Url;

use super::{Jobs, tools, view};
use crate::settings::Settings;

/// The profile of the built-in tenant and agent.
pub(super) const SANDBOX: &str = "sandbox";

/// How long the built-in tenant still takes the refresh token before the newest: a lost reply must not end a session (RFC 9700 §4.14.2).
const REFRESH_OVERLAP: Duration = Duration::from_secs(30);

/// How long an agent beside the built-in tenant may take to say what tokens it takes. One that does not gets bearer tokens.
const INTRODUCTION: Duration = Duration::from_secs(3);

/// The profile that was installed with the app or put into the configuration folder, if there is one.
pub(super) fn installed_profile(config: &Path) -> PathBuf {
    config.join("profile.toml")
}

/// The profile to begin with: of the agent that the user has added last, else the installed one.
pub(super) fn remembered_profile(config: &Path, settings: &Settings) -> Option<PathBuf> {
    let added = settings.agent.as_ref().map(|agent| config.join(agent)).filter(|file| file.exists());
    added.or_else(|| Some(installed_profile(config)).filter(|file| file.exists()))
}

pub(super) struct Place {
    pub(super) profile: Profile,
    /// Whose session it is, of those at this profile.
    pub(super) slot: Slot,
    /// The file that describes it, if there is one.
    pub(super) file: Option<PathBuf>,
    pub(super) session: Session,
    pub(super) http: reqwest::Client,
    pub(super) agent: AgentAddress,
    /// What the agent may have done on this computer.
    pub(super) tools: Vec<ClientTool>,
    /// Kept alive as long as it is in use.
    pub(super) sandbox: Option<Arc<Sandbox>>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum PlaceError {
    #[error("The profile {path} could not be read ({source}). Check that the file is there and that you may read it.")]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("The profile {path} is not valid: {source}")]
    Invalid { path: PathBuf, source: ProfileFileError },
    #[error("The network could not be set up ({0}). Check the proxy settings and the certificates of this system.")]
    Network(#[source] reqwest::Error),
    #[error("Safe connections could not be set up ({0}). Install Callbox again.")]
    Tls(#[source] rustls::Error),
    #[error("The agent's address {0} cannot be used. It must be an https address, or http on this computer.")]
    Agent(Url),
    #[error(transparent)]
    Issuer(#[from] ProfileError),
    #[error("The profile names a tool, “{0}”, that this app does not have. It has: {known}.", known = tools::NAMES.join(", "))]
    Tool(String),
    #[error("The built-in sandbox could not be started: {0}")]
    Sandbox(#[from] callbox_sandbox::SandboxError),
}

impl From<ClientError> for PlaceError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Tls(error) => Self::Tls(error),
            ClientError::Http(error) => Self::Network(error),
        }
    }
}

impl PlaceError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "profile-unreadable",
            Self::Invalid { .. } => "profile-invalid",
            Self::Network(_) => "network-setup",
            Self::Tls(_) => "tls-setup",
            Self::Agent(_) => "agent-address",
            Self::Issuer(error) => error.code(),
            Self::Tool(_) => "profile-unknown-tool",
            Self::Sandbox(_) => "sandbox-start",
        }
    }
}

/// The profile in a file.
pub(super) fn read_profile(path: &Path) -> Result<Profile, PlaceError> {
    let text = std::fs::read_to_string(path).map_err(|source| PlaceError::Unreadable { path: path.to_owned(), source })?;
    Profile::from_toml(&text).map_err(|source| PlaceError::Invalid { path: path.to_owned(), source })
}

impl Place {
    /// The place that a TOML file describes. `slot`: the name of the account that was in use last, if it is one of this profile's.
    pub(super) fn from_file(path: &Path, slot: Option<&str>, vault: &Vault, data: &Path) -> Result<Self, PlaceError> {
        let profile = read_profile(path)?;
        let slot = slot.and_then(|slot| Slot::find(&profile, slot)).unwrap_or_else(|| Slot::first(&profile));
        Self::new(profile, slot, Some(path.to_owned()), vault, data, None)
    }

    pub(super) fn new(
        profile: Profile,
        slot: Slot,
        file: Option<PathBuf>,
        vault: &Vault,
        data: &Path,
        sandbox: Option<Arc<Sandbox>>,
    ) -> Result<Self, PlaceError> {
        // Two clients: one side of a sign-in can be on this computer, where no proxy is asked, and the other not.
        let http = callbox_link::http_client(&profile.agent)?;
        let agent = address(&profile)?;
        let config = Config {
            profile: profile.clone(),
            vault: vault.clone(),
            http: callbox_link::http_client(profile.issuer.url())?,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        };
        let tools = tools::named(&profile.client_tools).map_err(PlaceError::Tool)?;
        let session = Session::spawn_at(config, super::store_key::locks(data), slot.clone());
        Ok(Self { profile, slot, file, session, http, agent, tools, sandbox })
    }

    pub(super) fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    pub(super) fn view(&self) -> ProfileView {
        ProfileView {
            name: self.profile.name.clone(),
            agent_host: host(&self.profile.agent),
            tenant_host: self.profile.issuer.host(),
            sandbox: self.is_sandbox(),
            one_conversation: self.profile.conversations == Conversations::One,
            provenance: super::add::provenance(&self.profile.provenance),
        }
    }
}

/// Starts the built-in tenant (and the built-in agent, unless another one is named) and moves there.
pub(super) async fn use_sandbox(jobs: &Jobs, port: Option<u16>, agent: Option<Url>) -> Result<(), UserError> {
    let (vault, data, slot) = jobs.run(|desk| (desk.vault(), desk.data(), desk.remembered_slot())).await?;
    let place = sandbox(&vault, &data, slot.as_deref(), port, agent).await.map_err(|error| view::error(&error))?;
    jobs.run(move |desk| desk.take_place(place, None)).await
}

async fn sandbox(vault: &Vault, data: &Path, slot: Option<&str>, port: Option<u16>, agent: Option<Url>) -> Result<Place, PlaceError> {
    let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let sandbox = Sandbox::start(SandboxConfig {
        tenant: loopback(port.unwrap_or(0)),
        agent: agent.is_none().then(|| loopback(0)),
        state_dir: Some(data.join("sandbox")),
        refresh_overlap: REFRESH_OVERLAP,
        model: Model::from_environment(),
        ..SandboxConfig::default()
    })
    .await?;
    let issuer = Issuer::try_from(sandbox.issuer()).map_err(PlaceError::Issuer)?;
    // The built-in agent takes bound tokens. Of another, that is so if it says so.
    let (dpop, provenance) = match &agent {
        None => (Dpop::Required, Vec::new()),
        Some(agent) => (Dpop::Auto, introduction(agent, &issuer).await),
    };
    let mut profile = Profile::new(SANDBOX, agent.unwrap_or_else(|| sandbox.agent_url()), issuer, sandbox.client_id());
    "Sandbox".clone_into(&mut profile.name);
    profile.audience = Some(sandbox.audience().to_owned());
    profile.client_tools = tools::NAMES.map(str::to_owned).to_vec();
    profile.dpop = dpop;
    profile.provenance = provenance;
    let slot = slot.and_then(|slot| Slot::find(&profile, slot)).unwrap_or_else(|| Slot::first(&profile));
    Place::new(profile, slot, None, vault, data, Some(Arc::new(sandbox)))
}

/// What an agent says of itself, if it answers and trusts this tenant.
async fn introduction(agent: &Url, issuer: &Issuer) -> Vec<Step> {
    let Ok(http) = callbox_link::http_client(agent) else { return Vec::new() };
    match tokio::time::timeout(INTRODUCTION, find_agent(&http, &SystemClock, agent)).await {
        Ok(Ok(found)) if found.issuer() == issuer => found.steps().to_vec(),
        _ => Vec::new(),
    }
}

/// Under which name an account's conversations at an agent are kept: the tenant's and the account's identifiers (OIDC Core §5.7) and the
/// profile's. One person at two agents of one tenant has two lists: what is said to one is not for the other.
pub(super) fn account_key(profile: &Profile, account: &Account) -> String {
    format!("{}|{}", earlier_account_key(account), profile.id)
}

/// The name that an earlier version used for all agents of a tenant.
pub(super) fn earlier_account_key(account: &Account) -> String {
    format!("{}|{}", account.iss, account.sub)
}

/// Where the agent of a profile is.
pub(super) fn address(profile: &Profile) -> Result<AgentAddress, PlaceError> {
    let address = AgentAddress::new(profile.agent.clone()).map_err(|_| PlaceError::Agent(profile.agent.clone()))?;
    Ok(match profile.conversations {
        Conversations::Many => address,
        Conversations::One => address.with_one_conversation(),
    })
}

/// What the one conversation is called here, where there is but one.
const ONLY: &str = "only";

/// The id of the conversation that is begun next at the agent of a profile: that of the only one, or a new one.
pub(super) fn next_conversation(profile: &Profile) -> String {
    match profile.conversations {
        Conversations::Many => new_id(),
        Conversations::One => ONLY.to_owned(),
    }
}

/// A new conversation's id: 26 characters that a URL path carries unescaped, 130 bits of chance.
fn new_id() -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0u8; 26];
    SystemEntropy.fill(&mut random);
    random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect()
}

pub(super) fn host(url: &Url) -> String {
    match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (Some(host), None) => host.to_owned(),
        (None, _) => url.to_string(),
    }
}
