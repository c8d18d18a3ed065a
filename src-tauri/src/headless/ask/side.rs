//! Who speaks to the agent: the person who is signed in, or a machine for itself.

use callbox_ipc::UserError;
use callbox_link::Link;
use callbox_store::StoreError;
use callbox_vault::Vault;

use super::{Failure, Options};
use crate::{
    core::{Machine, Workspace},
    folders::Folders,
};

pub(super) enum Side {
    Person(Box<Workspace>),
    Machine(Box<Machine>),
}

impl Side {
    /// Returns when it is known who speaks; a machine has its token then.
    pub(super) async fn open(options: &Options, folders: &Folders, vault: &Vault) -> Result<Self, Failure> {
        if !options.client_credentials {
            return Ok(Self::Person(Box::new(
                Workspace::open(folders, options.profile.as_deref(), options.account.as_deref(), vault).await?,
            )));
        }
        let machine = Machine::open(folders, options.profile.as_deref(), vault).await?;
        machine.ready().await?;
        Ok(Self::Machine(Box::new(machine)))
    }

    /// The agent, as the user has named it.
    pub(super) fn agent(&self) -> &str {
        match self {
            Self::Person(workspace) => workspace.agent(),
            Self::Machine(machine) => machine.agent(),
        }
    }

    pub(super) fn agent_host(&self) -> String {
        match self {
            Self::Person(workspace) => workspace.agent_host(),
            Self::Machine(machine) => machine.agent_host(),
        }
    }

    /// The names of the tools that run here.
    pub(super) fn tools(&self) -> Vec<String> {
        match self {
            Self::Person(workspace) => workspace.tools(),
            Self::Machine(machine) => machine.tools(),
        }
    }

    /// The conversation that is meant: the one of this name, or the one that is begun next.
    pub(super) fn conversation(&self, named: Option<&str>) -> Result<String, Failure> {
        let (next, one) = match self {
            Self::Person(workspace) => (workspace.next_conversation(), workspace.has_one_conversation()),
            Self::Machine(machine) => (machine.next_conversation(), machine.has_one_conversation()),
        };
        match named {
            Some(_) if one => Err(Failure::OneConversation),
            named => Ok(named.map_or(next, str::to_owned)),
        }
    }

    pub(super) fn link(&self, conversation: &str) -> Link {
        match self {
            Self::Person(workspace) => workspace.link(conversation),
            Self::Machine(machine) => machine.link(conversation),
        }
    }

    /// What had to be given up for the list of conversations.
    pub(super) fn trouble(&self) -> Option<&UserError> {
        match self {
            Self::Person(workspace) => workspace.trouble.as_ref(),
            Self::Machine(_) => None,
        }
    }

    /// Puts a conversation on top of the person's list. Whether it is new there: a machine has no list, and new is what it was given no name for.
    pub(super) fn enter(&self, conversation: &str, named: bool, text: &str) -> Result<bool, StoreError> {
        match self {
            Self::Person(workspace) => workspace.enter(conversation, text),
            Self::Machine(_) => Ok(!named),
        }
    }

    /// Gives everything up. All links must have been closed.
    pub(super) async fn leave(self) {
        match self {
            Self::Person(workspace) => workspace.leave().await,
            Self::Machine(machine) => drop(machine),
        }
    }
}
