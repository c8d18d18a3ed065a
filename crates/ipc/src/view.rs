//! What the window is shown. Plain data, made by the shell, drawn by the window.

use std::collections::BTreeMap;

use callbox_protocol::{MessageOp, UiMessage};
use serde::{Deserialize, Serialize};

/// All that the first frame needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bootstrap {
    pub session: SessionView,
    pub profile: Option<ProfileView>,
    pub conversations: Vec<ConversationSummary>,
    /// The conversation to show first, if there is one.
    pub open: Option<String>,
    pub preferences: Preferences,
    /// Which of the accounts this is of; the drafts of another one are not shown in its conversations.
    #[serde(default)]
    pub seat: Option<String>,
    /// All accounts, everywhere.
    #[serde(default)]
    pub accounts: Vec<AccountEntry>,
    /// What this account has left unsent, at this start or an earlier one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drafts: Vec<Draft>,
}

/// A text that nobody has sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// None: that of the conversation which is yet to begin.
    pub conversation: Option<String>,
    /// The sent message that is being put in other words. None: the text of the box in which messages are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    pub text: String,
}

/// Somebody who is signed in somewhere; or an agent where nobody is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountEntry {
    /// What to call it in commands.
    pub id: String,
    pub account: Option<AccountView>,
    /// The agent's name.
    pub agent: String,
    /// Host (and port) of the agent.
    pub agent_host: String,
    /// Host (and port) of the tenant.
    pub tenant_host: String,
    /// The built-in tenant and agent on loopback.
    pub sandbox: bool,
    /// The one that the window shows.
    pub current: bool,
    /// Its agent was added in this app and can be removed.
    pub removable: bool,
}

/// Everything that the shell tells the window on its own account.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// The answer to the command `bootstrap`. An event, because it must neither overtake the others nor be overtaken by them.
    Bootstrap(Bootstrap),
    Session(SessionView),
    Profile(ProfileView),
    Conversations(Vec<ConversationSummary>),
    /// All accounts, in place of what was known of them.
    Accounts(Vec<AccountEntry>),
    Thread(ThreadEvent),
    Notice(Notice),
}

/// Whom the app talks to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProfileView {
    pub name: String,
    /// Host (and port) of the agent.
    pub agent_host: String,
    /// Host (and port) of the tenant where the sign-in happens.
    pub tenant_host: String,
    /// The built-in tenant and agent on loopback.
    pub sandbox: bool,
    /// The agent has one conversation with a person, so there is no beginning another.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub one_conversation: bool,
    /// How the tenant was found, where nobody wrote it down.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provenance: Vec<ProvenanceStep>,
}

/// A step on the way from an agent's address to its tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvenanceStep {
    /// `challenged`, `resource`, `also-named`, `tenant`, `bound`, `registered` or `client-given`; names the sentence in the window's language files.
    pub step: String,
    /// An address, or a name that somebody else chose.
    pub detail: String,
}

/// Whether somebody is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SessionView {
    /// The keychain is being asked; lasts milliseconds, five seconds at most.
    Restoring,
    SignedOut {
        /// Why, where it was not the user's own wish.
        reason: Option<UserError>,
    },
    SigningIn {
        stage: SignInStage,
    },
    SignedIn {
        account: AccountView,
        storage: StorageView,
    },
}

/// How far a sign-in has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignInStage {
    /// Asking the tenant where its pages are.
    Preparing,
    /// The browser is open; nothing more will happen until it sends the user back.
    WaitingForBrowser,
    /// The link came back; code and tokens are being exchanged.
    Exchanging,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AccountView {
    pub name: String,
    pub email: Option<String>,
}

/// Where the sign-in is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageView {
    /// In the system's keychain: survives a restart.
    Keychain,
    /// In memory only, because the keychain did not work; the reason says what to do.
    SessionOnly { reason: UserError },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConversationSummary {
    pub id: String,
    /// The first words of the conversation; empty while nothing has been said.
    pub title: String,
    /// Milliseconds since 1970-01-01 UTC.
    pub updated_at: u64,
}

/// News of one conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadEvent {
    pub conversation: String,
    pub update: ThreadUpdate,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ThreadUpdate {
    /// The whole conversation; replaces whatever the window had of it.
    Opened(ThreadView),
    /// What has changed since then, at most once per frame.
    Changed(ThreadChange),
}

impl ThreadUpdate {
    /// A change of the messages alone.
    pub fn ops(ops: Vec<MessageOp>) -> Self {
        Self::Changed(ThreadChange { ops, status: None })
    }

    /// A change of the state alone.
    pub fn status(status: ThreadStatus) -> Self {
        Self::Changed(ThreadChange { ops: Vec::new(), status: Some(status) })
    }
}

/// A change of a conversation. Messages and state belong together: a window that drew one without the other would show what never was.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadChange {
    /// Changes to the messages, in order.
    pub ops: Vec<MessageOp>,
    /// The state beside them, after all of these changes; none where it is as before.
    pub status: Option<ThreadStatus>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThreadView {
    pub messages: Vec<UiMessage>,
    pub status: ThreadStatus,
}

/// The conversation's state beside its messages.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ThreadStatus {
    pub link: LinkView,
    pub turn: TurnView,
    /// Own messages that the agent has not confirmed yet.
    pub deliveries: Vec<Delivery>,
    /// Own decisions that the agent has not confirmed yet.
    pub decisions: Vec<DecisionView>,
    /// The tool calls that wait for a decision although their state does not say so, as at the oldest agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confirmations: Vec<String>,
    /// Why the last turn failed.
    pub error: Option<UserError>,
    /// Why it stopped, where that is a tool call that needs the person somewhere else first: the text of an interrupt, of which nothing is secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<String>,
    /// What other agents do for tool calls of this conversation, without those that have done their work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agent_tools: Vec<AgentToolView>,
    /// The servers of tools that a person has to let the agent in at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub closed_servers: Vec<ToolServerView>,
}

/// The work of another agent for a tool call, in a line. All texts are the agent's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AgentToolView {
    pub run: String,
    pub tool_call: String,
    pub name: String,
    pub phase: RunPhase,
    /// What it is at, or why it is not.
    pub line: Option<String>,
    /// How far it is, from 0 to 100, if it says so.
    pub percent: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunPhase {
    Running,
    Failed,
    Aborted,
    /// Nobody waits for it any more; it may be taken up again.
    Interrupted,
}

/// A server of tools where the agent waits to be let in. All texts are the agent's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolServerView {
    pub id: String,
    pub name: String,
    /// Where the page is at which it is let in.
    pub host: String,
}

/// The connection, as a user understands it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkView {
    #[default]
    Connecting,
    Online,
    Offline {
        /// Milliseconds until the next try; none if nothing more will be tried by itself.
        retry_in: Option<u64>,
        reason: UserError,
    },
    /// Only a new sign-in helps.
    SignInNeeded {
        /// Why, where somebody is signed in all the same; none: nobody is.
        reason: Option<UserError>,
    },
    /// The agent takes other sign-ins than this one: another at the same tenant does not help.
    AgentMoved {
        reason: UserError,
        /// Its address, by which it can be added again.
        agent: String,
    },
    /// The agent wants more than this sign-in allows; the person can grant it.
    MoreWanted {
        /// What is missing; the agent's words. Empty: it does not say.
        scopes: Vec<String>,
    },
    /// The agent does not want us; trying again changes nothing.
    Refused {
        reason: UserError,
    },
    Closed,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TurnView {
    #[default]
    Idle,
    /// Sent; the agent has not begun to answer.
    Waiting,
    Streaming,
    /// The agent was interrupted and is picking the turn up again.
    Recovering,
    /// The connection broke during the answer; it is resumed when the connection is back.
    Interrupted,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Delivery {
    pub message: String,
    pub state: DeliveryState,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    Queued,
    Sending,
    Failed { reason: UserError },
}

/// An account at another service that agents may use. All texts are the tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectedAccount {
    pub id: String,
    /// The tenant's name for the service.
    pub connection: String,
    pub scopes: Vec<String>,
}

/// A decision that has been taken and not yet been confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionView {
    pub tool_call: String,
    pub approved: bool,
}

/// A sentence that concerns no single conversation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub kind: NoticeKind,
    pub message: UserError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeKind {
    Info,
    Warning,
    Error,
}

/// What happened and what to do, for a person.
///
/// `code` is stable and names the sentence in the window's language files; `text` is the same sentence in English, for a code that the
/// window has no translation of, and for logs. `arguments` fill the translated sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserError {
    pub code: String,
    pub text: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, String>,
}

impl UserError {
    /// An error without arguments.
    pub fn new(code: impl Into<String>, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into(), arguments: BTreeMap::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Preferences {
    #[serde(default)]
    pub theme: Theme,
    #[serde(default)]
    pub language: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Theme {
    #[default]
    System,
    Light,
    Dark,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Language {
    #[default]
    System,
    English,
    Japanese,
}
