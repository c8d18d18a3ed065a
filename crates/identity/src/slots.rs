//! Several accounts at one profile: each has a place of its own in the vault.
//!
//! The first account of a profile lies under the name that it has always had, so nothing has to be moved. Every further one has a name of
//! its own, and a list of these names lies beside them. The list names places and nobody: who is signed in is told by the records alone. A
//! place is on the list before anything lies there, and a name without a record is struck off when the list is next read; so after a crash
//! at any point the two agree again.

use std::{fmt, path::PathBuf};

use callbox_vault::{Secret, Vault, VaultError};
use serde::{Deserialize, Serialize};

use crate::{
    Account, Entropy, Profile,
    lock::{self, Taken},
    record::{self, Record},
};

const VERSION: u32 = 1;

/// The place of one account's session in the vault.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Slot {
    key: String,
    /// Not the profile's first.
    listed: bool,
}

impl Slot {
    /// The profile's first place.
    #[must_use]
    pub fn first(profile: &Profile) -> Self {
        Self { key: record::key(profile), listed: false }
    }

    /// One more place, that nobody has.
    #[must_use]
    pub fn another(profile: &Profile, entropy: &dyn Entropy) -> Self {
        let mut chance = [0; 8];
        entropy.fill(&mut chance);
        Self::named(profile, &chance.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    }

    /// The place of this name, if it is one of the profile's.
    #[must_use]
    pub fn find(profile: &Profile, name: &str) -> Option<Self> {
        let first = Self::first(profile);
        if first.key == name {
            return Some(first);
        }
        let suffix = name.strip_prefix(&first.key)?.strip_prefix('-')?;
        Some(Self::named(profile, suffix))
    }

    fn named(profile: &Profile, suffix: &str) -> Self {
        Self { key: format!("{}-{suffix}", record::key(profile)), listed: true }
    }

    /// The place's name: unique on this computer, without a secret, and without the person's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.key
    }

    fn suffix<'a>(&'a self, profile: &Profile) -> Option<&'a str> {
        self.key.strip_prefix(&record::key(profile))?.strip_prefix('-')
    }
}

impl fmt::Debug for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slot({})", self.key)
    }
}

/// Somebody who is signed in, as the keychain has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub slot: Slot,
    pub account: Account,
}

/// The accounts that are signed in at a profile, the first place first, then as they were added. Nobody but the vault is asked. An account that
/// has two places is told once, with the newer one.
///
/// `locks`: the folder of the locks that all processes of this user share.
///
/// # Errors
/// When the vault cannot say. That is not "nobody".
pub async fn accounts(vault: &Vault, profile: &Profile, locks: PathBuf) -> Result<Vec<Known>, VaultError> {
    Roll::new(profile, vault, Some(locks)).read().await
}

#[derive(Serialize, Deserialize)]
struct Stored {
    v: u32,
    slots: Vec<String>,
}

fn encode(suffixes: Vec<String>) -> Secret<Vec<u8>> {
    // Strings always serialize.
    Secret::new(serde_json::to_vec(&Stored { v: VERSION, slots: suffixes }).unwrap_or_default())
}

fn decode(bytes: &Secret<Vec<u8>>) -> Vec<String> {
    let read = serde_json::from_slice::<Stored>(bytes.expose()).ok().filter(|read| read.v == VERSION);
    read.map(|read| read.slots).unwrap_or_default()
}

/// The list of a profile's further places.
#[derive(Clone)]
pub(crate) struct Roll {
    vault: Vault,
    profile: Profile,
    locks: Option<PathBuf>,
    key: String,
}

impl Roll {
    pub(crate) fn new(profile: &Profile, vault: &Vault, locks: Option<PathBuf>) -> Self {
        Self { vault: vault.clone(), profile: profile.clone(), locks, key: record::key(profile).replacen("session", "accounts", 1) }
    }

    /// Nobody else changes the list while this is held. Where there are no locks, or somebody does not let go, everybody goes on: what is lost by
    /// that comes back with the next record that is kept.
    async fn alone(&self) -> Option<Taken> {
        match &self.locks {
            Some(folder) => Some(lock::take(folder.clone(), self.key.clone()).await),
            None => None,
        }
    }

    async fn names(&self) -> Result<Vec<String>, VaultError> {
        Ok(self.vault.get(&self.key).await?.map(|bytes| decode(&bytes)).unwrap_or_default())
    }

    async fn write(&self, names: Vec<String>) {
        let written =
            if names.is_empty() { self.vault.delete(&self.key).await } else { self.vault.set(&self.key, encode(names)).await.map(drop) };
        if let Err(why) = written {
            tracing::info!(code = why.code(), "the list of accounts was not written");
        }
    }

    /// Puts a place on the list, if it is one that belongs there.
    pub(crate) async fn enter(&self, slot: &Slot) {
        let Some(suffix) = slot.suffix(&self.profile).filter(|_| slot.listed) else { return };
        let known = |names: &[String]| names.iter().any(|name| name == suffix);
        if self.names().await.is_ok_and(|names| known(&names)) {
            return;
        }
        let _alone = self.alone().await;
        let Ok(mut names) = self.names().await else { return };
        if !known(&names) {
            names.push(suffix.to_owned());
            self.write(names).await;
        }
    }

    /// Takes a place off the list. Nothing may lie there any more.
    pub(crate) async fn strike(&self, slot: &Slot) {
        let Some(suffix) = slot.suffix(&self.profile).filter(|_| slot.listed) else { return };
        let _alone = self.alone().await;
        let Ok(mut names) = self.names().await else { return };
        let before = names.len();
        names.retain(|name| name != suffix);
        if names.len() != before {
            self.write(names).await;
        }
    }

    async fn read(&self) -> Result<Vec<Known>, VaultError> {
        let _alone = self.alone().await;
        let names = self.names().await?;
        let mut found: Vec<Known> = Vec::new();
        let mut kept = Vec::new();
        let places = std::iter::once(Slot::first(&self.profile)).chain(names.iter().map(|name| Slot::named(&self.profile, name)));
        for slot in places {
            let Some(bytes) = self.vault.get(&slot.key).await? else { continue };
            kept.extend(slot.suffix(&self.profile).map(str::to_owned));
            // What this version cannot read stays where it is.
            let Some(Record { account, .. }) = Record::decode(&bytes) else { continue };
            found.retain(|known| (&known.account.iss, &known.account.sub) != (&account.iss, &account.sub));
            found.push(Known { slot, account });
        }
        if kept.len() != names.len() {
            self.write(kept).await;
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::{Issuer, SystemEntropy};

    fn profile() -> Profile {
        Profile::new("p", Url::parse("https://a.example/agents/a").unwrap(), Issuer::parse("https://t.example/").unwrap(), "c")
    }

    async fn keep(vault: &Vault, slot: &Slot, sub: &str) {
        let account =
            Account { iss: "https://t.example/".to_owned(), sub: sub.to_owned(), name: sub.to_owned(), email: None, picture: None };
        let record = Record { refresh: "rt".into(), account, generation: 1, ends: None, browser: None, left: 0, bound: None };
        let _ = vault.set(&slot.key, record.encode()).await.unwrap();
    }

    async fn subs(vault: &Vault, folder: &std::path::Path) -> Vec<String> {
        accounts(vault, &profile(), folder.to_owned()).await.unwrap().into_iter().map(|known| known.account.sub).collect()
    }

    #[tokio::test]
    async fn the_records_say_who_is_signed_in_and_the_list_only_where_they_lie() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Vault::memory());
        let roll = Roll::new(&profile(), &vault, None);
        assert!(subs(&vault, folder.path()).await.is_empty());
        let (first, second, third) =
            (Slot::first(&profile()), Slot::another(&profile(), &SystemEntropy), Slot::another(&profile(), &SystemEntropy));
        assert!(first != second && second != third);
        keep(&vault, &first, "ada").await;
        assert_eq!(subs(&vault, folder.path()).await, ["ada"], "the place of earlier versions needs no list");
        // A place on the list without a record: the app was killed between the two.
        roll.enter(&third).await;
        roll.enter(&second).await;
        roll.enter(&second).await;
        keep(&vault, &second, "grace").await;
        assert_eq!(subs(&vault, folder.path()).await, ["ada", "grace"]);
        assert_eq!(roll.names().await.unwrap(), [second.suffix(&profile()).unwrap()], "the name without a record is struck off");
        // A record whose sign-out was cut off before the list was written.
        vault.delete(&second.key).await.unwrap();
        assert_eq!(subs(&vault, folder.path()).await, ["ada"]);
        assert!(vault.get(&roll.key).await.unwrap().is_none(), "an empty list is none");
    }

    #[tokio::test]
    async fn an_account_with_two_places_is_told_once_with_the_newer_one() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Vault::memory());
        let second = Slot::another(&profile(), &SystemEntropy);
        keep(&vault, &Slot::first(&profile()), "ada").await;
        Roll::new(&profile(), &vault, None).enter(&second).await;
        keep(&vault, &second, "ada").await;
        let known = accounts(&vault, &profile(), folder.path().to_owned()).await.unwrap();
        assert_eq!(known.iter().map(|known| &known.slot).collect::<Vec<_>>(), [&second]);
    }

    #[tokio::test]
    async fn two_that_enter_at_once_are_both_on_the_list() {
        let (folder, vault) = (tempfile::tempdir().unwrap(), Vault::memory());
        let roll = Roll::new(&profile(), &vault, Some(folder.path().to_owned()));
        let slots: Vec<Slot> = (0..8).map(|_| Slot::another(&profile(), &SystemEntropy)).collect();
        let entering = slots.iter().cloned().map(|slot| {
            let roll = roll.clone();
            tokio::spawn(async move { roll.enter(&slot).await })
        });
        for entered in entering.collect::<Vec<_>>() {
            entered.await.unwrap();
        }
        assert_eq!(roll.names().await.unwrap().len(), 8);
    }

    #[test]
    fn places_of_different_profiles_have_different_names() {
        let mut other = profile();
        other.client_id = "d".to_owned();
        assert_ne!(Slot::first(&profile()), Slot::first(&other));
        let another = Slot::another(&profile(), &SystemEntropy);
        assert_eq!(another.suffix(&other), None);
        assert_eq!((Slot::find(&profile(), another.name()), Slot::find(&other, another.name())), (Some(another.clone()), None));
        assert_eq!(Slot::find(&other, Slot::first(&other).name()), Some(Slot::first(&other)));
    }
}
