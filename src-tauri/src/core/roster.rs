//! Everybody who is signed in anywhere: which agents this computer knows, and who is signed in there by what the keychain holds.

use std::path::{Path, PathBuf};

use callbox_identity::{Known, Profile, Slot, accounts};
use callbox_ipc::{AccountEntry, AccountView};
use callbox_vault::Vault;

use super::{
    desk::Desk,
    place::{self, Place},
    seat::{self, Seat},
    store_key,
};

/// An agent that this computer knows.
#[derive(Clone)]
pub(super) struct KnownAgent {
    pub(super) profile: Profile,
    /// None: it is in no file that this app keeps.
    pub(super) file: Option<PathBuf>,
    /// In the order in which they came.
    pub(super) accounts: Vec<Known>,
}

/// The folder of the agents that were added by their address.
pub(super) fn added(config: &Path) -> PathBuf {
    config.join("agents")
}

/// The profiles in the configuration folder: the installed one, then those that were added, by name.
fn files(config: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(added(config)).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|extension| extension == "toml")).collect();
    files.sort();
    files.insert(0, place::installed_profile(config));
    files.retain(|file| file.exists());
    files
}

/// Asks disk and keychain. `others`: profiles in use that are in no file here. An agent whose file cannot be read is left out, and an account
/// that the keychain does not tell of now is not told of.
pub(super) async fn read(config: PathBuf, data: PathBuf, vault: Vault, others: Vec<Profile>) -> Vec<KnownAgent> {
    let kept = tokio::task::spawn_blocking(move || {
        let read = |file: PathBuf| match place::read_profile(&file) {
            Ok(profile) => Some((profile, Some(file))),
            Err(error) => {
                tracing::info!(%error, "an agent is left out");
                None
            }
        };
        files(&config).into_iter().filter_map(read).collect::<Vec<_>>()
    });
    let mut profiles = kept.await.unwrap_or_default();
    for other in others {
        if !profiles.iter().any(|(profile, _)| profile.id == other.id) {
            profiles.push((other, None));
        }
    }
    let mut agents = Vec::new();
    for (profile, file) in profiles {
        let accounts = accounts(&vault, &profile, store_key::locks(&data)).await.unwrap_or_else(|why| {
            tracing::info!(code = why.code(), "the keychain does not tell who is signed in");
            Vec::new()
        });
        agents.push(KnownAgent { profile, file, accounts });
    }
    agents
}

impl Desk {
    /// Looks again, in its own time; what is found reaches the window if it is news.
    pub(super) fn look_at_accounts(&self) {
        let (config, data, vault) = (self.config(), self.data(), self.vault());
        let others = self.seats.iter().map(|seat| seat.place.profile.clone()).collect();
        let jobs = self.jobs.clone();
        tokio::spawn(async move {
            let agents = read(config, data, vault, others).await;
            jobs.post(move |desk| {
                desk.agents = agents;
                desk.tell_accounts();
            })
            .await;
        });
    }

    /// The agents, those that were heard of since the last look included.
    pub(super) fn agents(&self) -> Vec<KnownAgent> {
        let mut agents = self.agents.clone();
        for Seat { place: Place { profile, file, .. }, .. } in &self.seats {
            match agents.iter_mut().find(|agent| agent.profile.id == profile.id) {
                // It was registered again, or its file was written anew.
                Some(agent) if agent.profile != *profile => {
                    agent.profile = profile.clone();
                    agent.accounts.clear();
                }
                Some(_) => {}
                None => agents.push(KnownAgent { profile: profile.clone(), file: file.clone(), accounts: Vec::new() }),
            }
        }
        agents
    }

    /// All accounts at all agents; an agent where nobody is signed in has one entry without an account.
    pub(super) fn accounts(&self) -> Vec<AccountEntry> {
        let mut entries = Vec::new();
        let removable = |file: Option<&PathBuf>| file.is_some_and(|file| file.starts_with(added(&self.config())));
        for KnownAgent { profile, file, accounts } in self.agents() {
            let removable = removable(file.as_ref());
            let entry = |id: String, account: Option<AccountView>| AccountEntry {
                current: self.current.as_deref() == Some(&id),
                agent: profile.name.clone(),
                agent_host: place::host(&profile.agent),
                tenant_host: profile.issuer.host(),
                sandbox: self.seats.iter().any(|seat| seat.place.profile.id == profile.id && seat.place.is_sandbox()),
                removable,
                id,
                account,
            };
            let before = entries.len();
            for known in &accounts {
                let id = seat::id(&profile, &known.slot);
                match self.seats.iter().find(|seat| seat.id == id) {
                    // A seat knows better than what was read a while ago.
                    Some(Seat { view: callbox_ipc::SessionView::Restoring, .. }) | None => {
                        let account = AccountView { name: known.account.name.clone(), email: known.account.email.clone() };
                        entries.push(entry(id, Some(account)));
                    }
                    Some(seat) => entries.extend(seat.account_view().map(|account| entry(id, Some(account)))),
                }
            }
            let here = |seat: &&Seat| seat.place.profile.id == profile.id;
            for seat in self.seats.iter().filter(here) {
                if let Some(account) = seat.account_view().filter(|_| !entries.iter().any(|entry| entry.id == seat.id)) {
                    entries.push(entry(seat.id.clone(), Some(account)));
                }
            }
            if entries.len() == before {
                let seat = self.seats.iter().find(here).map(|seat| seat.id.clone());
                entries.push(entry(seat.unwrap_or_else(|| seat::id(&profile, &Slot::first(&profile))), None));
            }
        }
        entries
    }

    /// Tells the window, if it has not heard this yet.
    pub(super) fn tell_accounts(&mut self) {
        let accounts = self.accounts();
        if self.told != accounts {
            self.told.clone_from(&accounts);
            self.emit(callbox_ipc::Event::Accounts(accounts));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_installed_agent_comes_first_and_a_file_that_cannot_be_read_is_left_out() {
        let top = tempfile::tempdir().unwrap();
        let config = top.path().join("config");
        std::fs::create_dir_all(added(&config)).unwrap();
        let text = |id: &str| {
            format!(
                "id = \"{id}\"\nname = \"{id}\"\nagent = \"https://a.example/agents/{id}\"\nissuer = \"https://t.example/\"\nclient_id = \"c\"\n"
            )
        };
        for (file, content) in [
            ("agents/b.toml", text("b")),
            ("agents/a.toml", text("a")),
            ("agents/c.toml", "id = ".to_owned()),
            ("profile.toml", text("house")),
        ] {
            std::fs::write(config.join(file), content).unwrap();
        }
        let other: Profile = toml::from_str(&text("sandbox")).unwrap();
        let again: Profile = toml::from_str(&text("a")).unwrap();
        let agents = read(config.clone(), top.path().to_owned(), Vault::memory(), vec![other, again]).await;
        let ids: Vec<&str> = agents.iter().map(|agent| agent.profile.id.as_str()).collect();
        assert_eq!(ids, ["house", "a", "b", "sandbox"]);
        assert!(agents[3].file.is_none() && agents[1].file == Some(config.join("agents/a.toml")));
    }
}
