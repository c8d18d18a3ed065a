//! An agent that is added by its address alone: found out about, registered at, remembered.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use callbox_identity::{FindError, Known, Profile, RegistrationError, Slot, Step, SystemClock, accounts, find_agent};
use callbox_ipc::{NoticeKind, ProvenanceStep, UserError};
use callbox_vault::Vault;
use url::Url;

use super::{
    Jobs, PlaceError,
    place::{self, Place},
    seat, store_key, trust, view,
};
use crate::settings::SettingsError;

/// What tenants may show when they ask whether this app may act for somebody.
pub(super) const NAME: &str = "Callbox";
/// How many profiles an agent may have here.
const MAX_PROFILES: usize = 9;

/// Why an agent could not be added.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddError {
    #[error("This is no address of an agent. It looks like https://agent.example.com/agents/chat-agent.")]
    Address,
    #[error("This agent is here {MAX_PROFILES} times already, for as many sign-in servers. Remove one of them first.")]
    TooMany,
    #[error(transparent)]
    Find(#[from] FindError),
    #[error(transparent)]
    Register(#[from] RegistrationError),
    #[error(transparent)]
    Place(#[from] PlaceError),
}

impl From<callbox_link::ClientError> for AddError {
    fn from(error: callbox_link::ClientError) -> Self {
        Self::Place(error.into())
    }
}

impl AddError {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Address => "agent-no-address",
            Self::TooMany => "agent-too-often",
            Self::Find(error) => error.code(),
            Self::Register(error) => error.code(),
            Self::Place(error) => error.code(),
        }
    }
}

/// What an address leads to.
pub(super) enum Way {
    /// An agent that was added before, and at which somebody is signed in.
    Known { profile: Profile, file: PathBuf, accounts: Vec<Known> },
    /// One of which all is found out anew. Its profile is not kept yet.
    New(Profile),
}

/// Finds out what there is to know of the agent at this address, and moves there. Nobody is signed in by that, nor out.
pub(super) async fn add(jobs: &Jobs, address: &str, client_id: Option<String>) -> Result<(), UserError> {
    let (vault, data, config) = jobs.run(|desk| (desk.vault(), desk.data(), desk.config())).await?;
    let way = way(&config, &data, &vault, address, client_id.as_deref()).await.map_err(|error| view::error(&error))?;
    let (profile, slot, kept) = match way {
        Way::Known { profile, file, accounts } => {
            let slot = accounts.into_iter().next().map_or_else(|| Slot::first(&profile), |known| known.slot);
            (profile, slot, Ok(file))
        }
        Way::New(profile) => {
            let kept = keep(&config, &profile);
            (profile.clone(), Slot::first(&profile), kept)
        }
    };
    let (id, file) = (seat::id(&profile, &slot), kept.as_ref().ok().cloned());
    let place = Place::new(profile, slot, file, &vault, &data, None).map_err(|error| view::error(&error))?;
    jobs.run(move |desk| {
        match kept {
            Ok(file) => desk.remember_agent(file),
            Err(error) => desk.notify(NoticeKind::Warning, view::error(&error)),
        }
        if desk.has_seat(&id, &place.profile) {
            desk.go(&id)
        } else {
            desk.take_place(place, None)
        }
        desk.look_at_accounts();
    })
    .await
}

/// Where an address leads. An agent that was added before and at which somebody is signed in is taken as it is, as long as it does not contradict that
/// and nobody brings another client: what is found out anew otherwise is kept beside it, for only a person ends a sign-in. At any other the tenant is
/// asked to register this installation, unless somebody has brought a client id.
///
/// # Errors
/// See [`AddError`].
pub(super) async fn way(config: &Path, data: &Path, vault: &Vault, address: &str, client_id: Option<&str>) -> Result<Way, AddError> {
    let agent = parse(address).ok_or(AddError::Address)?;
    let client_id = client_id.map(str::trim).filter(|client_id| !client_id.is_empty());
    for id in names(&agent) {
        let file = file(config, &id);
        let profile = match place::read_profile(&file) {
            Ok(profile) if profile.agent == agent => profile,
            _ => return Ok(Way::New(find(&agent, &id, client_id).await?)),
        };
        let accounts = match accounts(vault, &profile, store_key::locks(data)).await {
            Ok(known) if known.is_empty() => return Ok(Way::New(find(&agent, &id, client_id).await?)),
            Ok(known) => known,
            // Somebody may be.
            Err(_) => Vec::new(),
        };
        if client_id.is_none_or(|client_id| client_id == profile.client_id) && trust::mismatch(&profile).await.is_none() {
            return Ok(Way::Known { profile, file, accounts });
        }
    }
    Err(AddError::TooMany)
}

/// The profile of the agent, under this name. What its tenant registers is an installation of its own each time.
async fn find(agent: &Url, id: &str, client_id: Option<&str>) -> Result<Profile, AddError> {
    let http = callbox_link::http_client(agent)?;
    let found = find_agent(&http, &SystemClock, agent).await?;
    match client_id {
        Some(client_id) => Ok(found.with_client(id, client_id)),
        None => {
            let http = callbox_link::http_client(found.issuer().url())?;
            Ok(found.register(&http, &SystemClock, id, NAME).await?)
        }
    }
}

/// As people write addresses: with or without the scheme.
pub(super) fn parse(address: &str) -> Option<Url> {
    let address = address.trim();
    let url = if address.contains("://") { Url::parse(address) } else { Url::parse(&format!("https://{address}")) };
    url.ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.has_host() && !url.path().trim_matches('/').is_empty())
}

/// A name for files and lists: the address with everything but letters and digits made dashes.
fn id(agent: &Url) -> String {
    let text = format!("{}{}", place::host(agent), agent.path());
    let dashed: String = text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    dashed.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-")
}

/// Where the profile of the agent with this name is kept.
fn file(config: &Path, id: &str) -> PathBuf {
    config.join("agents").join(format!("{id}.toml"))
}

/// The names under which its profiles may be kept: one for each tenant or client.
fn names(agent: &Url) -> impl Iterator<Item = String> {
    let id = id(agent);
    (1..=MAX_PROFILES).map(move |number| if number == 1 { id.clone() } else { format!("{id}-{number}") })
}

/// Writes the profile down, as a whole or not at all.
pub(super) fn keep(config: &Path, profile: &Profile) -> Result<PathBuf, SettingsError> {
    let file = file(config, &profile.id);
    let failed = |source| SettingsError::Write { path: file.clone(), source };
    let text = toml::to_string_pretty(profile).map_err(|error| failed(io::Error::other(error)))?;
    fs::create_dir_all(config.join("agents")).map_err(failed)?;
    let new = file.with_extension("toml.new");
    fs::write(&new, text).map_err(failed)?;
    fs::rename(&new, &file).map_err(failed)?;
    Ok(file)
}

/// How a profile was found, for the window.
pub(super) fn provenance(steps: &[Step]) -> Vec<ProvenanceStep> {
    let step = |step: &Step| {
        let (step, detail) = match step {
            Step::Challenged { scheme } => ("challenged", scheme.clone()),
            Step::Resource { at, .. } => ("resource", at.to_string()),
            Step::AlsoNamed { issuers } => ("also-named", issuers.iter().map(|issuer| issuer.as_str()).collect::<Vec<_>>().join(", ")),
            Step::Tenant { at, .. } => ("tenant", at.to_string()),
            Step::Bound { .. } => ("bound", String::new()),
            Step::Registered { redirect_uri } => ("registered", redirect_uri.clone()),
            Step::ClientGiven => ("client-given", String::new()),
        };
        ProvenanceStep { step: step.to_owned(), detail }
    };
    steps.iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_people_write_them() {
        let read = |text: &str| parse(text).map(|url| url.to_string());
        assert_eq!(read(" agent.example.com/agents/chat ").as_deref(), Some("https://agent.example.com/agents/chat"));
        assert_eq!(read("http://127.0.0.1:8787/agents/chat").as_deref(), Some("http://127.0.0.1:8787/agents/chat"));
        for text in
            ["", "  ", "agent.example.com", "https://agent.example.com/", "ftp://agent.example.com/x", "no address at all", "javascript:x"]
        {
            assert_eq!(read(text), None, "{text:?}");
        }
        assert_eq!(
            id(&Url::parse("https://Agent.example.com:8443/agents/chat-agent").unwrap()),
            "agent-example-com-8443-agents-chat-agent"
        );
    }

    #[test]
    fn what_was_found_is_kept_and_read_again_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let issuer = "https://tenant.example/".parse().unwrap();
        let mut profile = Profile::new("found", Url::parse("https://agent.example/agents/a").unwrap(), issuer, "client");
        profile.resource = Some("https://agent.example/".to_owned());
        profile.provenance = vec![
            Step::Challenged { scheme: "bearer".to_owned() },
            Step::Resource { at: profile.agent.clone(), identifier: "https://agent.example/".to_owned(), wider: true },
            Step::AlsoNamed { issuers: vec!["https://other.example/".parse().unwrap()] },
            Step::Tenant { at: Url::parse("https://tenant.example/x").unwrap(), issuer: profile.issuer.clone() },
            Step::Bound { required: true },
            Step::Registered { redirect_uri: "http://127.0.0.1/callback".to_owned() },
        ];
        let file = keep(folder.path(), &profile).unwrap();
        assert_eq!(toml::from_str::<Profile>(&fs::read_to_string(file).unwrap()).unwrap(), profile);
        let steps: Vec<String> = provenance(&profile.provenance).into_iter().map(|step| step.step).collect();
        assert_eq!(steps, ["challenged", "resource", "also-named", "tenant", "bound", "registered"]);
    }
}
