//! What a command without a window works with: a profile, somebody who is signed in there, and the account's conversations.
//!
//! Session, keychain entries, store and locks are those of the window, which may run at the same time. A command keeps no message on the disk:
//! what it sends is its own until the agent has it, and what the window has on its way stays the window's. So no message is sent by two.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use callbox_identity::{Account, Conversations, Known, SessionState, SignOut, SignedOutReason, Slot, accounts};
use callbox_ipc::{AccountEntry, AccountView, ProfileView, SessionView, UserError};
use callbox_link::{Link, LinkConfig};
use callbox_store::{Conversation, Store, StoreError};
use callbox_vault::{Vault, VaultError};
use tokio::time::timeout;

use super::{
    place::{self, Place, PlaceError},
    roster, seat, shelf, store_key, view,
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
    #[error("{}Sign in to {agent} with “callbox login” or in the window, then try again.", why.as_ref().map(|why| format!("{} ", why.text)).unwrap_or_default())]
    SignedOut { agent: String, why: Option<UserError> },
    #[error("Several people are signed in to {agent}: {}. Say who is meant with --account.", who.join(", "))]
    Several { agent: String, who: Vec<String> },
    #[error("“{wanted}” is not signed in to {agent}.{}", if who.is_empty() { " Nobody is.".to_owned() } else { format!(" These are: {}.", who.join(", ")) })]
    NoSuchAccount { wanted: String, agent: String, who: Vec<String> },
}

impl WorkspaceError {
    /// A stable name for tests and scripts.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoProfile(_) => "no-profile",
            Self::Place(error) => error.code(),
            Self::Keychain(error) => error.code(),
            Self::SignedOut { .. } => "signed-out",
            Self::Several { .. } => "several-accounts",
            Self::NoSuchAccount { .. } => "no-such-account",
        }
    }
}

pub(crate) struct Workspace {
    place: Place,
    store: Store,
    person: Account,
    account: String,
    /// What had to be given up for the list of conversations; the window would show it as a notice.
    pub(crate) trouble: Option<UserError>,
}

/// Who is signed in where.
pub(crate) struct Standing {
    pub(crate) profile: ProfileView,
    pub(crate) session: SessionView,
    /// Everybody who is signed in, at all agents.
    pub(crate) accounts: Vec<AccountEntry>,
}

/// What a sign-out has achieved.
pub(crate) struct Left {
    pub(crate) out: SignOut,
    /// Why the account's list may still be there.
    pub(crate) list: Option<StoreError>,
}

impl Workspace {
    /// Opens the profile in this file, else the remembered one, for this account: its address, name or identifier. Only where nobody else is
    /// signed in, nobody need be named. Returns when it is known who is signed in, within the vault's bound.
    pub(crate) async fn open(
        folders: &Folders,
        profile: Option<&Path>,
        account: Option<&str>,
        vault: &Vault,
    ) -> Result<Self, WorkspaceError> {
        let (place, state) = find(folders, profile, Meant { account, several: false }, vault).await?;
        let reason = match state {
            Some(SessionState::SignedIn { account, .. }) => {
                let store_key::Opened { store, trouble } = store_key::open_store(vault, &folders.data).await;
                let key = place::account_key(&place.profile, &account);
                let adopted = store.adopt(&place::earlier_account_key(&account), &key);
                let trouble = trouble.or(adopted.err().as_ref().map(view::error));
                return Ok(Self { place, store, person: account, account: key, trouble });
            }
            Some(SessionState::SignedOut { reason }) => reason,
            _ => None,
        };
        Err(WorkspaceError::SignedOut { agent: place.profile.name.clone(), why: reason.as_ref().and_then(view::signed_out_reason) })
    }

    /// Who is signed in at the profile in this file, else at the installed one. Nobody but the keychain is asked.
    /// Where several are and none is named, it is the one that the window showed last.
    pub(crate) async fn standing(
        folders: &Folders,
        profile: Option<&Path>,
        account: Option<&str>,
        vault: &Vault,
    ) -> Result<Standing, WorkspaceError> {
        let (place, state) = find(folders, profile, Meant { account, several: true }, vault).await?;
        let session = state.as_ref().map_or(SessionView::SignedOut { reason: None }, view::session);
        let agents = roster::read(folders.config.clone(), folders.data.clone(), vault.clone(), vec![place.profile.clone()]).await;
        let current = seat::id(&place.profile, &place.slot);
        let entry = |agent: &roster::KnownAgent, known: &Known| AccountEntry {
            id: seat::id(&agent.profile, &known.slot),
            account: Some(AccountView { name: known.account.name.clone(), email: known.account.email.clone() }),
            agent: agent.profile.name.clone(),
            agent_host: place::host(&agent.profile.agent),
            tenant_host: agent.profile.issuer.host(),
            sandbox: false,
            current: seat::id(&agent.profile, &known.slot) == current,
            removable: false,
        };
        let accounts = agents.iter().flat_map(|agent| agent.accounts.iter().map(|known| entry(agent, known))).collect();
        Ok(Standing { profile: place.view(), session, accounts })
    }

    /// Whom this is about.
    pub(crate) fn who(&self) -> String {
        called(&self.person)
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

    /// Whether there is no other conversation than one.
    pub(crate) fn has_one_conversation(&self) -> bool {
        self.place.profile.conversations == Conversations::One
    }

    /// The id of the conversation that is begun next.
    pub(crate) fn next_conversation(&self) -> String {
        place::next_conversation(&self.place.profile)
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
        let keys = [self.account.clone(), place::earlier_account_key(&self.person)];
        let list = keys.iter().try_for_each(|key| self.store.wipe(key)).err();
        let out = self.place.session.sign_out().await;
        self.leave().await;
        Left { out, list }
    }

    /// Gives everything up. Returns when a refresh that was under way has been kept. All links must have been closed.
    pub(crate) async fn leave(self) {
        leave(self.place).await;
    }
}

/// Gives a place up. Returns when a refresh that was under way has been kept.
pub(super) async fn leave(place: Place) {
    let mut states = place.session.state();
    drop(place);
    // The session's actor ends when its last handle has gone and nothing is under way.
    let ended = timeout(LAST_REFRESH, async { while states.changed().await.is_ok() {} }).await;
    if ended.is_err() {
        tracing::warn!("a refresh was still under way at the end");
    }
}

/// The file of the profile to work with: this one, else the remembered one.
pub(super) fn chosen(folders: &Folders, profile: Option<&Path>) -> Result<PathBuf, WorkspaceError> {
    let settings = Settings::load(&Settings::file(&folders.config));
    let remembered = || place::remembered_profile(&folders.config, &settings);
    let nothing = || WorkspaceError::NoProfile(place::installed_profile(&folders.config).display().to_string());
    profile.map(Path::to_owned).or_else(remembered).ok_or_else(nothing)
}

/// What the session at a place is, once it is known. `None`: it has ended.
pub(super) async fn known_at(place: &Place) -> Option<SessionState> {
    let mut states = place.session.state();
    let known = states.wait_for(|state| !matches!(state, SessionState::Restoring)).await;
    known.map(|state| state.clone()).ok()
}

/// Who is meant by a command line.
#[derive(Clone, Copy)]
struct Meant<'a> {
    account: Option<&'a str>,
    /// One of several will do.
    several: bool,
}

/// A person's name, and the address that tells two of one name apart.
fn called(account: &Account) -> String {
    match account.email.as_ref().filter(|email| **email != account.name) {
        Some(email) => format!("{} ({email})", account.name),
        None => account.name.clone(),
    }
}

/// The place of the account that is meant; `None` if nobody is signed in.
fn choose(known: &[Known], meant: Meant<'_>, remembered: Option<&str>, agent: &str) -> Result<Option<Slot>, WorkspaceError> {
    let who = |known: &mut dyn Iterator<Item = &Known>| known.map(|known| called(&known.account)).collect::<Vec<_>>();
    let agent = agent.to_owned();
    let Some(wanted) = meant.account else {
        let last = known.iter().find(|known| remembered == Some(known.slot.name()));
        return match known {
            [] => Ok(None),
            [only] => Ok(Some(only.slot.clone())),
            [first, ..] if meant.several => Ok(Some(last.unwrap_or(first).slot.clone())),
            several => Err(WorkspaceError::Several { agent, who: who(&mut several.iter()) }),
        };
    };
    let is = |known: &&Known| {
        let Account { sub, name, email, .. } = &known.account;
        sub == wanted
            || name.to_lowercase() == wanted.to_lowercase()
            || email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case(wanted))
    };
    let meant: Vec<&Known> = known.iter().filter(is).collect();
    match meant[..] {
        [] => Err(WorkspaceError::NoSuchAccount { wanted: wanted.to_owned(), agent, who: who(&mut known.iter()) }),
        [only] => Ok(Some(only.slot.clone())),
        _ => Err(WorkspaceError::Several { agent, who: who(&mut meant.into_iter()) }),
    }
}

/// The place that a profile describes, and the session there once it is known.
async fn find(
    folders: &Folders,
    profile: Option<&Path>,
    meant: Meant<'_>,
    vault: &Vault,
) -> Result<(Place, Option<SessionState>), WorkspaceError> {
    let file = chosen(folders, profile)?;
    let profile = place::read_profile(&file)?;
    let known = accounts(vault, &profile, store_key::locks(&folders.data)).await?;
    let settings = Settings::load(&Settings::file(&folders.config));
    let slot = choose(&known, meant, settings.slot.as_deref(), &profile.name)?.unwrap_or_else(|| Slot::first(&profile));
    let place = Place::new(profile, slot, Some(file), vault, &folders.data, None)?;
    match known_at(&place).await {
        Some(SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(why)) }) => Err(why.into()),
        state => Ok((place, state)),
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

    fn person(nick: &str) -> Account {
        let iss = "https://t.example/".to_owned();
        Account { iss, sub: format!("auth0|{nick}"), name: nick.to_owned(), email: Some(format!("{nick}@example.com")), picture: None }
    }

    #[test]
    fn an_account_is_meant_by_address_name_or_identifier_and_nobody_is_guessed() {
        let top = tempfile::tempdir().unwrap();
        let profile = place::read_profile(&profile(top.path())).unwrap();
        let slots = [Slot::first(&profile), Slot::find(&profile, &format!("{}-01", Slot::first(&profile).name())).unwrap()];
        let of = |nick: &str, slot: &Slot| Known { slot: slot.clone(), account: person(nick) };
        let two = [of("ada", &slots[0]), of("grace", &slots[1])];
        let chosen = |known: &[Known], account: Option<&str>, several: bool, last: Option<&str>| {
            choose(known, Meant { account, several }, last, "House agent").map(|slot| slot.map(|slot| slot.name().to_owned()))
        };
        for wanted in ["grace", "GRACE@example.com", "auth0|grace", "Grace"] {
            assert_eq!(chosen(&two, Some(wanted), false, None).unwrap().as_deref(), Some(slots[1].name()), "{wanted}");
        }
        assert_eq!(chosen(&two, Some("eve"), false, None).unwrap_err().code(), "no-such-account");
        assert_eq!(chosen(&[], Some("eve"), false, None).unwrap_err().to_string(), "“eve” is not signed in to House agent. Nobody is.");
        let error = chosen(&two, None, false, Some(slots[1].name())).unwrap_err();
        assert_eq!(error.code(), "several-accounts");
        assert!(
            error.to_string().contains("ada (ada@example.com), grace (grace@example.com). Say who is meant with --account."),
            "{error}"
        );
        assert_eq!(chosen(&two, None, true, Some(slots[1].name())).unwrap().as_deref(), Some(slots[1].name()));
        assert_eq!(chosen(&two, None, true, None).unwrap().as_deref(), Some(slots[0].name()));
        assert_eq!(chosen(&two[1..], None, false, None).unwrap().as_deref(), Some(slots[1].name()));
        assert_eq!(chosen(&[], None, false, None).unwrap(), None);
        let namesakes = [of("ada", &slots[0]), of("ada", &slots[1])];
        assert_eq!(chosen(&namesakes, Some("ada"), false, None).unwrap_err().code(), "several-accounts");
    }

    fn folders(top: &Path) -> Folders {
        Folders { config: top.join("config"), data: top.join("data") }
    }

    #[tokio::test]
    async fn without_a_profile_or_a_sign_in_it_says_what_to_do() {
        let top = tempfile::tempdir().unwrap();
        let folders = folders(top.path());
        let error = Workspace::open(&folders, None, None, &Vault::memory()).await.err().unwrap();
        assert!(matches!(error, WorkspaceError::NoProfile(_)) && error.to_string().contains("profile.toml"), "{error}");
        let error = Workspace::open(&folders, Some(&profile(top.path())), None, &Vault::memory()).await.err().unwrap();
        assert_eq!(error.code(), "signed-out");
        assert_eq!(error.to_string(), "Sign in to House agent with “callbox login” or in the window, then try again.");
    }

    #[tokio::test]
    async fn a_conversation_keeps_its_title_and_comes_to_the_top() {
        let top = tempfile::tempdir().unwrap();
        let place = Place::from_file(&profile(top.path()), None, &Vault::memory(), top.path()).unwrap();
        let workspace = Workspace { place, store: Store::in_memory(), person: person("ada"), account: "ada".to_owned(), trouble: None };
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
