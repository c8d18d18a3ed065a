//! What a look at this installation needs of the core.

use std::path::Path;

use callbox_identity::{Profile, SessionState, SignedOutReason, Slot, accounts};
use callbox_vault::{Health, Vault, VaultError};

use super::{
    WorkspaceError,
    place::{self, Place},
    roster, store_key, workspace,
};
use crate::folders::Folders;

/// What the keychain holds of one account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holding {
    /// A sign-in.
    SignIn,
    /// It works, and has none.
    Nothing,
    /// It works, and what it has is of another version.
    Unreadable,
    /// It works, and has a sign-in without the key that it is bound to.
    KeyLost,
    /// It does not work, or is not the one from before.
    Failing(VaultError),
}

/// An agent, and what the keychain holds of each account there: one at least.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agent {
    pub profile: Profile,
    pub accounts: Vec<Holding>,
}

/// The profile in this file, else the remembered one.
pub(crate) fn profile(folders: &Folders, file: Option<&Path>) -> Result<Profile, WorkspaceError> {
    Ok(place::read_profile(&workspace::chosen(folders, file)?)?)
}

/// Asks the keychain, within its bound, whether it works and what it holds: of `profile` first, if there is one, then of every other agent at which
/// somebody is signed in.
///
/// # Errors
/// When it does not say.
pub(crate) async fn agents(folders: &Folders, profile: Option<&Profile>, vault: &Vault) -> Result<Vec<Agent>, VaultError> {
    if let Health::SessionOnly(why) = vault.probe().await {
        return Err(why);
    }
    let mut all = Vec::new();
    if let Some(profile) = profile {
        let mut slots: Vec<Slot> = signed_in(folders, profile, vault).await?;
        if slots.is_empty() {
            slots.push(Slot::first(profile));
        }
        all.push((profile.clone(), slots));
    }
    for agent in roster::read(folders.config.clone(), folders.data.clone(), vault.clone(), Vec::new()).await {
        let slots: Vec<Slot> = agent.accounts.into_iter().map(|known| known.slot).collect();
        if !slots.is_empty() && profile.is_none_or(|profile| profile.id != agent.profile.id) {
            all.push((agent.profile, slots));
        }
    }
    let mut agents = Vec::new();
    for (profile, slots) in all {
        let mut accounts = Vec::new();
        for slot in slots {
            accounts.push(holding(folders, &profile, slot, vault).await);
        }
        agents.push(Agent { profile, accounts });
    }
    Ok(agents)
}

async fn signed_in(folders: &Folders, profile: &Profile, vault: &Vault) -> Result<Vec<Slot>, VaultError> {
    let known = accounts(vault, profile, store_key::locks(&folders.data)).await?;
    Ok(known.into_iter().map(|known| known.slot).collect())
}

/// What the keychain holds at one account's place.
async fn holding(folders: &Folders, profile: &Profile, slot: Slot, vault: &Vault) -> Holding {
    let Ok(place) = Place::new(profile.clone(), slot, None, vault, &folders.data, None) else { return Holding::Nothing };
    let known = workspace::known_at(&place).await;
    workspace::leave(place).await;
    match known {
        Some(SessionState::SignedIn { .. }) => Holding::SignIn,
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(why)) }) => Holding::Failing(why),
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::Unreadable) }) => Holding::Unreadable,
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::KeyLost { .. }) }) => Holding::KeyLost,
        _ => Holding::Nothing,
    }
}
