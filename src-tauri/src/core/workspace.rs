//! What a command without a window works with: a profile, somebody who is signed in there, and the account's conversations.
//!
//! Session, keychain entries, store and locks are those of the window, which may run at the same time. A command keeps no message on the disk:
//! what it sends is its own until the agent has it, and what the window has on its way stays the window's. So no message is sent by two.

use std::{path::Path, time::Duration};

use callbox_identity::{SessionState, SignOut, SignedOutReason};
use callbox_ipc::{ProfileView, SessionView, UserError};
use callbox_link::{Link, LinkConfig};
use callbox_store::{Conversation, Store, StoreError};
use callbox_vault::{Vault, VaultError};
use tokio::time::timeout;

use super::{
    place::{self, Place, PlaceError},
    shelf, store_key, view,
};
use crate::{folders::Folders, settings::Settings};

/// How long the end of a command waits for a refresh under way: a rotated token that were not kept would end the session.
const LAST_REFRESH: Duration = Duration::from_secs(10);

/// Why there is nothing to work with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WorkspaceError {
    #[error("No agent is set up. Name a profile with --profile FILE, or put one at {0}.")]
    NoProfile(String),
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The keychain does not say who is signed in.
    #[error(transparent)]
    Keychain(#[from] VaultError),
    #[error("{}Open Callbox, sign in to {agent}, then try again.", why.as_ref().map(|why| format!("{} ", why.text)).unwrap_or_default())]
    SignedOut { agent: String, why: Option<UserError> },
}

impl WorkspaceError {
    /// A stable name for tests and scripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoProfile(_) => "no-profile",
            Self::Place(error) => error.code(),
            Self::Keychain(error) => error.code(),
            Self::SignedOut { .. } => "signed-out",
        }
    }
}

pub(crate) struct Workspace {
    place: Place,
    store: Store,
    account: String,
    /// What had to be given up for the list of conversations; the window would show it as a notice.
    pub(crate) trouble: Option<UserError>,
}

/// Who is signed in where.
pub(crate) struct Standing {
    pub(crate) profile: ProfileView,
    pub(crate) session: SessionView,
}

/// What a sign-out has achieved.
pub(crate) struct Left {
    pub(crate) out: SignOut,
    /// Why the account's list may still be there.
    pub(crate) list: Option<StoreError>,
}

impl Workspace {
    /// Opens the profile in this file, else the remembered one. Returns when it is known who is signed in, within the vault's bound.
    pub(crate) async fn open(folders: &Folders, profile: Option<&Path>, vault: &Vault) -> Result<Self, WorkspaceError> {
        let (place, state) = find(folders, profile, vault).await?;
        let reason = match state {
            Some(SessionState::SignedIn { account, .. }) => {
                let store_key::Opened { store, trouble } = store_key::open_store(vault, &folders.data).await;
                return Ok(Self { place, store, account: place::account_key(&account), trouble });
            }
            Some(SessionState::SignedOut { reason }) => reason,
            _ => None,
        };
        Err(WorkspaceError::SignedOut { agent: place.profile.name.clone(), why: reason.as_ref().and_then(view::signed_out_reason) })
    }

    /// Who is signed in at the profile in this file, else at the installed one. Nobody but the keychain is asked.
    pub(crate) async fn standing(folders: &Folders, profile: Option<&Path>, vault: &Vault) -> Result<Standing, WorkspaceError> {
        let (place, state) = find(folders, profile, vault).await?;
        let session = state.as_ref().map_or(SessionView::SignedOut { reason: None }, view::session);
        Ok(Standing { profile: place.view(), session })
    }

    /// The agent, as the user has named it.
    pub(crate) fn agent(&self) -> &str {
        &self.place.profile.name
    }

    /// The agent's host, and its port where that is not the usual one.
    pub(crate) fn agent_host(&self) -> String {
        self.place.view().agent_host
    }

    /// The names of the tools that run here.
    pub(crate) fn tools(&self) -> Vec<String> {
        self.place.tools.iter().map(|tool| tool.name.clone()).collect()
    }

    /// Connects to a conversation. What is sent there lives in this process alone.
    pub(crate) fn link(&self, conversation: &str) -> Link {
        let Place { agent, session, http, tools, .. } = &self.place;
        let config = LinkConfig::new(agent.clone(), conversation.to_owned(), session.clone(), http.clone());
        Link::spawn(LinkConfig { tools: tools.clone(), ..config })
    }

    /// A name for a conversation that nobody has.
    pub(crate) fn new_conversation() -> String {
        place::new_id()
    }

    /// Puts a conversation on top of the account's list, named after the first words said in it. Returns whether it is new there.
    pub(crate) fn enter(&self, conversation: &str, text: &str) -> Result<bool, StoreError> {
        let known = self.store.list(&self.account)?.into_iter().find(|known| known.id == conversation);
        let is_new = known.is_none();
        let title = known.map(|known| known.title).filter(|title| !title.is_empty()).unwrap_or_else(|| shelf::title(text));
        self.store.put(&self.account, &Conversation { id: conversation.to_owned(), title, updated_at: view::now() })?;
        Ok(is_new)
    }

    /// Ends the sign-in: forgotten here, revoked at the tenant; and the account's list goes. The key of the list stays where it is, for a window
    /// may have the list open.
    pub(crate) async fn sign_out(self) -> Left {
        let list = self.store.wipe(&self.account).err();
        let out = self.place.session.sign_out().await;
        self.leave().await;
        Left { out, list }
    }

    /// Gives everything up. Returns when a refresh that was under way has been kept. All links must have been closed.
    pub(crate) async fn leave(self) {
        let mut states = self.place.session.state();
        drop(self);
        // The session's actor ends when its last handle has gone and nothing is under way.
        let ended = timeout(LAST_REFRESH, async { while states.changed().await.is_ok() {} }).await;
        if ended.is_err() {
            tracing::warn!("a refresh was still under way at the end");
        }
    }
}

/// The place that a profile describes, and the session there once it is known.
async fn find(folders: &Folders, profile: Option<&Path>, vault: &Vault) -> Result<(Place, Option<SessionState>), WorkspaceError> {
    let settings = Settings::load(&Settings::file(&folders.config));
    let remembered = || place::remembered_profile(&folders.config, &settings);
    let Some(file) = profile.map(Path::to_owned).or_else(remembered) else {
        return Err(WorkspaceError::NoProfile(place::installed_profile(&folders.config).display().to_string()));
    };
    let place = Place::from_file(&file, vault, &folders.data)?;
    let mut states = place.session.state();
    let state = states.wait_for(|state| !matches!(state, SessionState::Restoring)).await.map(|state| state.clone());
    match state {
        Ok(SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(why)) }) => Err(why.into()),
        state => Ok((place, state.ok())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A profile of an agent and a tenant that nobody asks for anything.
    fn profile(folder: &Path) -> std::path::PathBuf {
        let file = folder.join("house.toml");
        let text = "id = \"house\"\nname = \"House agent\"\nagent = \"https://agent.example/agents/chat-agent\"\nissuer = \"https://t.example/\"\n\
                    client_id = \"c\"\n";
        std::fs::write(&file, text).unwrap();
        file
    }

    fn folders(top: &Path) -> Folders {
        Folders { config: top.join("config"), data: top.join("data") }
    }

    #[tokio::test]
    async fn without_a_profile_or_a_sign_in_it_says_what_to_do() {
        let top = tempfile::tempdir().unwrap();
        let folders = folders(top.path());
        let error = Workspace::open(&folders, None, &Vault::memory()).await.err().unwrap();
        assert!(matches!(error, WorkspaceError::NoProfile(_)) && error.to_string().contains("profile.toml"), "{error}");
        let error = Workspace::open(&folders, Some(&profile(top.path())), &Vault::memory()).await.err().unwrap();
        assert_eq!(error.code(), "signed-out");
        assert_eq!(error.to_string(), "Open Callbox, sign in to House agent, then try again.");
    }

    #[tokio::test]
    async fn a_conversation_keeps_its_title_and_comes_to_the_top() {
        let top = tempfile::tempdir().unwrap();
        let place = Place::from_file(&profile(top.path()), &Vault::memory(), top.path()).unwrap();
        let workspace = Workspace { place, store: Store::in_memory(), account: "ada".to_owned(), trouble: None };
        assert!(workspace.enter("a", "the first words").unwrap());
        assert!(workspace.enter("b", "others").unwrap());
        workspace.store.put("ada", &Conversation { id: "b".to_owned(), title: String::new(), updated_at: 1 }).unwrap();
        assert!(!workspace.enter("a", "later words").unwrap());
        assert!(!workspace.enter("b", "what  was said").unwrap());
        let list = workspace.store.list("ada").unwrap();
        let mut titles: Vec<&str> = list.iter().map(|conversation| conversation.title.as_str()).collect();
        titles.sort_unstable();
        assert_eq!(titles, ["the first words", "what was said"]);
        workspace.leave().await;
    }
}
