//! What a look at this installation needs of the core.

use std::path::Path;

use callbox_identity::{Profile, SessionState, SignedOutReason, Slot, accounts};
use callbox_vault::{Health, Vault, VaultError};

use super::{
    WorkspaceError,
    place::{self, Place},
    store_key, workspace,
};
use crate::folders::Folders;

/// What the keychain holds for a profile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holding {
    /// A sign-in.
    SignIn,
    /// It works, and has none.
    Nothing,
    /// It works, and what it has is of another version.
    Unreadable,
    /// It does not work, or is not the one from before.
    Failing(VaultError),
}

/// The profile in this file, else the remembered one.
pub(crate) fn profile(folders: &Folders, file: Option<&Path>) -> Result<Profile, WorkspaceError> {
    Ok(place::read_profile(&workspace::chosen(folders, file)?)?)
}

/// Asks the keychain, within its bound, whether it works and what it holds. `profile`: for whom, if there is one.
pub(crate) async fn keychain(folders: &Folders, profile: Option<&Profile>, vault: &Vault) -> Holding {
    if let Health::SessionOnly(why) = vault.probe().await {
        return Holding::Failing(why);
    }
    let Some(profile) = profile else { return Holding::Nothing };
    let slot = match accounts(vault, profile, store_key::locks(&folders.data)).await {
        Ok(known) => known.first().map_or_else(|| Slot::first(profile), |known| known.slot.clone()),
        Err(why) => return Holding::Failing(why),
    };
    let Ok(place) = Place::new(profile.clone(), slot, None, vault, &folders.data, None) else { return Holding::Nothing };
    let known = workspace::known_at(&place).await;
    workspace::leave(place).await;
    match known {
        Some(SessionState::SignedIn { .. }) => Holding::SignIn,
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(why)) }) => Holding::Failing(why),
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::Unreadable) }) => Holding::Unreadable,
        _ => Holding::Nothing,
    }
}
