//! A sign-in without a window: at the agent of a profile, or at one of which only the address is known.

use std::path::{Path, PathBuf};

use callbox_identity::{Account, CallbackOutcome, Profile, Session, SessionState, Slot, SystemEntropy, accounts};
use callbox_ipc::{ProfileView, UserError};
use callbox_vault::{Health, Vault, VaultError};

use super::{
    AddError, PlaceError, WorkspaceError,
    add::{self, Way},
    place::{self, Place},
    store_key, view, workspace,
};
use crate::{
    folders::Folders,
    settings::{Settings, SettingsError},
};

/// Why nobody can sign in there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EntranceError {
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    #[error(transparent)]
    Add(#[from] AddError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl From<PlaceError> for EntranceError {
    fn from(error: PlaceError) -> Self {
        Self::Workspace(error.into())
    }
}

/// A place with a door, and who has come in already.
pub(crate) struct Entrance {
    place: Place,
    signed_in: Option<Account>,
    file: PathBuf,
    /// The agent was added by its address.
    added: bool,
}

impl Entrance {
    /// Where the profile in this file leads, else the remembered one. `another`: for somebody else beside those who are signed in. Returns when
    /// it is known who that is, within the vault's bound.
    pub(crate) async fn at(folders: &Folders, profile: Option<&Path>, another: bool, vault: &Vault) -> Result<Self, EntranceError> {
        let file = workspace::chosen(folders, profile)?;
        Self::of(place::read_profile(&file)?, file, another, folders, vault).await
    }

    /// At the agent with this address; see [`add::way`].
    pub(crate) async fn to_agent(
        folders: &Folders,
        address: &str,
        client_id: Option<&str>,
        another: bool,
        vault: &Vault,
    ) -> Result<Self, EntranceError> {
        let (profile, file) = match add::way(&folders.config, &folders.data, vault, address, client_id).await? {
            Way::Known { profile, file, .. } => (profile, file),
            Way::New(profile) => {
                let file = add::keep(&folders.config, &profile)?;
                (profile, file)
            }
        };
        Ok(Self { added: true, ..Self::of(profile, file, another, folders, vault).await? })
    }

    async fn of(profile: Profile, file: PathBuf, another: bool, folders: &Folders, vault: &Vault) -> Result<Self, EntranceError> {
        // A keychain that does not say who is signed in does not keep a sign-in either, which is looked at next.
        let known = accounts(vault, &profile, store_key::locks(&folders.data)).await.unwrap_or_default();
        let slot = match known.first() {
            Some(_) if another => Slot::another(&profile, &SystemEntropy),
            Some(first) => first.slot.clone(),
            None => Slot::first(&profile),
        };
        let place = Place::new(profile, slot, Some(file.clone()), vault, &folders.data, None)?;
        let signed_in = match workspace::known_at(&place).await {
            Some(SessionState::SignedIn { account, .. }) => Some(account),
            _ => None,
        };
        Ok(Self { place, signed_in, file, added: false })
    }

    /// Who is signed in already.
    pub(crate) fn signed_in(&self) -> Option<&Account> {
        self.signed_in.as_ref()
    }

    pub(crate) fn session(&self) -> &Session {
        &self.place.session
    }

    /// The agent, its tenant, and how both were found.
    pub(crate) fn profile(&self) -> ProfileView {
        self.place.view()
    }

    /// Why a sign-in would not outlive this process, if it would not.
    pub(crate) async fn would_not_last(vault: &Vault) -> Option<VaultError> {
        match vault.probe().await {
            Health::SessionOnly(why) => Some(why),
            Health::Protected | Health::Unknown => None,
        }
    }

    /// The next start, of the window or of a command, begins with an agent that was added by its address.
    ///
    /// # Errors
    /// The disk's.
    pub(crate) fn remember(&self, folders: &Folders) -> Result<(), SettingsError> {
        if !self.added {
            return Ok(());
        }
        let file = &self.file;
        let path = Settings::file(&folders.config);
        let mut settings = Settings::load(&path);
        settings.agent = Some(file.strip_prefix(&folders.config).map(Path::to_owned).unwrap_or_else(|_| file.clone()));
        settings.sandbox = false;
        settings.save(&path)
    }

    /// Gives a link to the session: whether it was for this sign-in, and what is to be said of it.
    pub(crate) async fn deliver(session: &Session, link: &str) -> (bool, Option<UserError>) {
        match session.handle_callback(link.trim()).await {
            CallbackOutcome::Ignored(reason) => {
                let known = matches!(reason, callbox_identity::Ignored::AlreadyUsed | callbox_identity::Ignored::Over);
                (known, Some(view::ignored_link(&reason)))
            }
            // The state says what became of it.
            _ => (true, None),
        }
    }

    /// Gives everything up. Returns when the vault has had everything that it was given.
    pub(crate) async fn leave(self, vault: &Vault) {
        workspace::leave(self.place).await;
        // Behind all that was written before.
        vault.probe().await;
    }
}
