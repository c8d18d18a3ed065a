//! From the core's words to the window's.

use std::{
    fmt::Display,
    time::{SystemTime, UNIX_EPOCH},
};

use callbox_identity::{Account, ConnectError, Ignored, Mismatch, SessionState, SignInError, SignedOutReason, Storage, TokenError};
use callbox_ipc::{
    AccountView, AgentToolView, ConversationSummary, DecisionView, Delivery, DeliveryState, LinkView, RunPhase, SessionView, SignInStage,
    StorageView, ThreadChange, ThreadStatus, ThreadView, ToolServerView, TurnView, UserError,
};
use callbox_link::{AgentToolStatus, LinkError, LinkState, Status, ThreadSnapshot, TurnError, Update};
use callbox_protocol::{ToolServer, Turn};
use callbox_vault::VaultError;
use url::Url;

/// An error that names itself: a stable code beside its sentence.
pub(super) trait Coded: Display {
    fn code(&self) -> &'static str;

    /// What a translated sentence cannot know: the words of somebody else, or the whole sentence in English.
    fn detail(&self) -> String {
        self.to_string()
    }
}

macro_rules! coded {
    ($($error:ty $({ $($pattern:pat => $detail:expr),* $(,)? })?;)*) => {
        $(impl Coded for $error {
            fn code(&self) -> &'static str {
                <$error>::code(self)
            }

            $(fn detail(&self) -> String {
                match self {
                    $($pattern => $detail,)*
                    other => other.to_string(),
                }
            })?
        })*
    };
}
coded! {
    crate::settings::SettingsError;
    super::add::AddError;
    super::PlaceError { super::PlaceError::Sandbox(why) => why.to_string(), super::PlaceError::Tool(name) => name.clone() };
    ConnectError {
        ConnectError::Interaction(said) | ConnectError::Failed(said) => said.to_string(),
        ConnectError::Refused(problem) => problem.to_string(),
    };
    SignInError {
        SignInError::Interaction(said) | SignInError::Configuration(said) | SignInError::NotLetIn(said) | SignInError::ProofRefused(said) => said.to_string(),
    };
    callbox_link::CommandError;
    callbox_link::DeliveryError;
    LinkError {
        LinkError::Forbidden { text } | LinkError::NoSuchAgent { text, .. } | LinkError::Closed { reason: text, .. } => text.clone(),
        LinkError::LoginPage { host } => host.clone(),
        LinkError::Token(TokenError::Interaction(said) | TokenError::Configuration(said) | TokenError::ProofRefused(said)) => said.to_string(),
    };
    TurnError { TurnError::Failed { text } => text.clone() };
    callbox_store::Replaced;
    callbox_store::StoreError;
    callbox_vault::VaultError;
}

/// Any error, as the window shows it.
pub(super) fn error(error: &impl Coded) -> UserError {
    with("detail", error.detail(), UserError::new(error.code(), error.to_string()))
}

fn with(name: &str, value: impl Into<String>, mut error: UserError) -> UserError {
    error.arguments.insert(name.to_owned(), value.into());
    error
}

// --- Sentences that belong to the shell itself ----------------------------------------------------------------------------------------

pub(super) fn closing() -> UserError {
    UserError::new("session-closed", "The app is closing.")
}

pub(super) fn no_profile() -> UserError {
    UserError::new("no-profile", "No agent is set up yet. Open Callbox with a profile, or try the sandbox.")
}

pub(super) fn no_sign_in() -> UserError {
    UserError::new("no-sign-in", "No sign-in is waiting. Sign in again.")
}

pub(super) fn no_browser(why: &str) -> UserError {
    let text = format!("The web browser could not be opened ({why}). Set a default browser, then try again.");
    with("why", why, UserError::new("no-browser", text))
}

pub(super) fn forbidden_link() -> UserError {
    UserError::new("forbidden-link", "This link was not opened: only web pages and mail addresses are.")
}

pub(super) fn signed_out() -> UserError {
    UserError::new("signed-out", "You are not signed in.")
}

pub(super) fn no_conversation() -> UserError {
    UserError::new("no-conversation", "This conversation is not open any more. Choose it in the list again.")
}

/// The chosen account or agent has gone.
pub(super) fn no_account() -> UserError {
    UserError::new("no-account", "This account is not here any more. Choose another one.")
}

pub(super) fn not_removable() -> UserError {
    UserError::new("agent-not-removable", "This agent came with the app or was named at its start. It cannot be removed here.")
}

pub(super) fn not_removed(path: &std::path::Path, error: &std::io::Error) -> UserError {
    let text = format!("The agent could not be removed: {} cannot be deleted ({error}).", path.display());
    with("detail", error.to_string(), UserError::new("agent-not-removed", text))
}

/// The keychain does not work, and somebody is about to sign in.
pub(super) fn will_not_be_kept(why: &VaultError) -> UserError {
    let text = format!("This sign-in will last until you quit. {why}");
    with("detail", why.to_string(), UserError::new("sign-in-not-kept", text))
}

/// The agent at this address takes other sign-ins than this one.
pub(super) fn moved(found: &Mismatch, agent: &Url) -> LinkView {
    let (named, known) = found.sides();
    let reason = with("from", known, with("detail", named, UserError::new(found.code(), found.to_string())));
    LinkView::AgentMoved { reason, agent: agent.to_string() }
}

/// Another program takes our links.
pub(super) fn scheme_taken(owner: &str) -> UserError {
    if owner.is_empty() {
        return UserError::new(
            "scheme-unclaimed",
            "This computer does not open links for Callbox. Your browser comes back by way of an address on this computer instead.",
        );
    }
    let text = format!(
        "Links for Callbox open another program on this computer ({owner}). Your browser comes back by way of an address on this computer instead."
    );
    with("detail", owner, UserError::new("scheme-taken", text))
}

pub(super) fn signed_out_of(name: String) -> UserError {
    let text = format!("{name} is signed out on this computer.");
    with("name", name, UserError::new("signed-out-of", text))
}

pub(super) fn revoked_later() -> UserError {
    UserError::new(
        "revoked-later",
        "You are signed out on this computer. The sign-in server could not be reached; it is told at the next start or sign-in.",
    )
}

pub(super) fn not_revoked() -> UserError {
    UserError::new(
        "not-revoked",
        "You are signed out on this computer. The sign-in server could not be told; its own sign-in ends by itself after a while.",
    )
}

/// The tenant had forgotten this installation.
pub(super) fn registered_again() -> UserError {
    UserError::new(
        "client-forgotten",
        "The agent’s sign-in server had forgotten this app, which has registered there again. Sign in again; your conversations are kept.",
    )
}

/// A message has failed in a conversation that is not open. Its title is the user's own words.
pub(super) fn failed_elsewhere(title: String) -> UserError {
    let text = format!("A message in “{title}” could not be sent. Open the conversation to send it again or to drop it.");
    with("detail", title, UserError::new("message-failed-elsewhere", text))
}

/// Why a link was not taken. Nothing of the link is repeated.
pub(super) fn ignored_link(reason: &Ignored) -> UserError {
    let text = match reason {
        Ignored::TooLong => "That is too long for a link from the browser. Copy the address alone.",
        Ignored::Malformed => "That is not the whole address. Copy all of it from the browser.",
        Ignored::NotOurs => "That is not the address of this sign-in. Copy the one that begins with dev.callbox.desktop.",
        Ignored::Unknown => "This link belongs to another sign-in. Start again and use the newest page.",
        Ignored::AlreadyUsed => "This link has been used already. If you are not signed in, start again.",
        Ignored::Over => "This link is too old. Sign in again.",
        Ignored::Closed => return closing(),
    };
    UserError::new(reason.code(), text)
}

// --- State --------------------------------------------------------------------------------------------------------------------------------

pub(super) fn session(state: &SessionState) -> SessionView {
    match state {
        SessionState::Restoring => SessionView::Restoring,
        SessionState::SignedOut { reason } => SessionView::SignedOut { reason: reason.as_ref().and_then(signed_out_reason) },
        SessionState::SigningIn { stage, .. } => SessionView::SigningIn {
            stage: match stage {
                callbox_identity::SignInStage::Preparing => SignInStage::Preparing,
                callbox_identity::SignInStage::WaitingForBrowser => SignInStage::WaitingForBrowser,
                callbox_identity::SignInStage::Exchanging => SignInStage::Exchanging,
            },
        },
        SessionState::SignedIn { account, storage } => SessionView::SignedIn {
            account: AccountView { name: account.name.clone(), email: account.email.clone() },
            storage: match storage {
                Storage::Keychain => StorageView::Keychain,
                Storage::SessionOnly(why) => StorageView::SessionOnly { reason: error(why) },
            },
        },
    }
}

pub(super) fn signed_out_reason(reason: &SignedOutReason) -> Option<UserError> {
    Some(match reason {
        SignedOutReason::Ended { account: Account { name, .. } } => {
            let text = format!("The sign-in of {name} has ended. Sign in again to go on; your conversations are still there.");
            with("name", name, UserError::new("session-ended", text))
        }
        SignedOutReason::AccountChanged { account: Account { name, .. } } => {
            let text = format!("The sign-in server answered for somebody else than {name}. Sign in again.");
            with("name", name, UserError::new("account-changed", text))
        }
        SignedOutReason::KeyLost { account: Account { name, .. } } => {
            let text = format!(
                "The key that the sign-in of {name} is bound to is not in the keychain any more. Sign in again; your conversations are still there."
            );
            with("name", name, UserError::new("session-key-lost", text))
        }
        SignedOutReason::Keychain(why) => error(why),
        SignedOutReason::Unreadable => UserError::new(
            "session-unreadable",
            "The stored sign-in was written by another version of Callbox and cannot be read. Sign in again.",
        ),
        // The user's own wish needs no explanation.
        SignedOutReason::SignInFailed(SignInError::Cancelled) => return None,
        SignedOutReason::SignInFailed(why) => error(why),
    })
}

pub(super) fn summary(conversation: callbox_store::Conversation) -> ConversationSummary {
    ConversationSummary { id: conversation.id, title: conversation.title, updated_at: conversation.updated_at }
}

/// `granted`: the scopes of the session, so that only what is new in what an agent wants is shown.
pub(super) fn thread(snapshot: ThreadSnapshot, granted: &[String]) -> ThreadView {
    ThreadView { messages: snapshot.messages, status: status(snapshot.status, granted) }
}

pub(super) fn change(update: Update, granted: &[String]) -> ThreadChange {
    ThreadChange { ops: update.ops, status: update.status.map(|told| status(told, granted)) }
}

fn status(status: Status, granted: &[String]) -> ThreadStatus {
    ThreadStatus {
        link: link(&status.link, granted),
        turn: match status.turn {
            Turn::Idle => TurnView::Idle,
            Turn::Waiting { .. } => TurnView::Waiting,
            Turn::Streaming { .. } => TurnView::Streaming,
            Turn::Recovering { .. } => TurnView::Recovering,
            Turn::Interrupted { .. } => TurnView::Interrupted,
        },
        deliveries: status.deliveries.into_iter().map(delivery).collect(),
        decisions: status
            .decisions
            .into_iter()
            .map(|decision| DecisionView { tool_call: decision.tool_call_id, approved: decision.approved })
            .collect(),
        interrupt: match &status.error {
            Some(TurnError::Interrupted(interrupt)) => Some(interrupt.to_text()),
            _ => None,
        },
        confirmations: status.confirmations,
        error: status.error.as_ref().map(error),
        agent_tools: status.agent_tools.iter().map(agent_tool).collect(),
        closed_servers: status.tool_servers.iter().filter_map(closed_server).collect(),
    }
}

fn agent_tool(run: &AgentToolStatus) -> AgentToolView {
    AgentToolView {
        run: run.run_id.clone(),
        tool_call: run.tool_call_id.clone(),
        name: run.name.clone(),
        phase: match run.phase {
            callbox_link::RunPhase::Running => RunPhase::Running,
            callbox_link::RunPhase::Failed => RunPhase::Failed,
            callbox_link::RunPhase::Aborted => RunPhase::Aborted,
            callbox_link::RunPhase::Interrupted => RunPhase::Interrupted,
        },
        line: run.line.clone(),
        percent: run.percent,
    }
}

/// Nothing of a server at which nobody has to do anything, or whose page would not be opened.
fn closed_server(server: &ToolServer) -> Option<ToolServerView> {
    let url = super::elsewhere::page_of(server)?;
    Some(ToolServerView { id: server.id.clone(), name: server.name.clone(), host: url.host_str()?.to_owned() })
}

fn link(state: &LinkState, granted: &[String]) -> LinkView {
    match state {
        LinkState::Connecting => LinkView::Connecting,
        LinkState::Online => LinkView::Online,
        LinkState::Offline { retry_in, why } => {
            LinkView::Offline { retry_in: retry_in.map(|pause| u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)), reason: error(why) }
        }
        LinkState::SignInNeeded { why } => LinkView::SignInNeeded { reason: why.as_ref().map(error) },
        LinkState::Refused(LinkError::InsufficientScope { scopes }) => {
            // If it has all that it asks for, no browser helps; it is told as what the agent has said.
            let new: Vec<String> = scopes.iter().filter(|scope| !granted.contains(scope)).cloned().collect();
            LinkView::MoreWanted { scopes: new }
        }
        LinkState::Refused(why) => LinkView::Refused { reason: error(why) },
        LinkState::Closed => LinkView::Closed,
    }
}

fn delivery(delivery: callbox_link::Delivery) -> Delivery {
    Delivery {
        message: delivery.message_id,
        state: match delivery.state {
            callbox_link::DeliveryState::Queued => DeliveryState::Queued,
            callbox_link::DeliveryState::Sending => DeliveryState::Sending,
            callbox_link::DeliveryState::Failed(why) => DeliveryState::Failed { reason: error(&why) },
        },
    }
}

/// Milliseconds since 1970-01-01 UTC.
pub(super) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use callbox_identity::Trouble;

    use super::*;

    #[test]
    fn a_cancelled_sign_in_needs_no_explanation_and_a_failed_one_does() {
        let signed_out = |why| session(&SessionState::SignedOut { reason: Some(SignedOutReason::SignInFailed(why)) });
        assert_eq!(signed_out(SignInError::Cancelled), SessionView::SignedOut { reason: None });
        let SessionView::SignedOut { reason: Some(reason) } = signed_out(SignInError::Trouble(Trouble::Unreachable)) else {
            panic!("a reason")
        };
        assert_eq!(reason.code, "tenant-unreachable");
    }

    /// The codes in the sources: every `=> "kebab-case"` of a function named `code`, and every literal first argument of `UserError::new`.
    fn codes() -> BTreeSet<String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut found = BTreeSet::new();
        for source in ["crates/identity/src", "crates/link/src", "crates/store/src", "crates/vault/src", "src-tauri/src"] {
            collect(&root.join(source), &mut found);
        }
        found
    }

    fn collect(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.ends_with("headless") {
                // It has no window, and speaks English like all programs on a command line.
                continue;
            }
            if path.is_dir() {
                collect(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]").next().unwrap();
                let functions = code.split("fn code(&self)").skip(1).map(|after| after.split("\n    }").next().unwrap());
                for literal in functions.flat_map(|body| body.split("=> \"").skip(1)) {
                    found.insert(literal.split('"').next().unwrap().to_owned());
                }
                for call in code.split("UserError::new(").skip(1) {
                    if let Some(literal) = call.trim_start().strip_prefix('"') {
                        found.insert(literal.split('"').next().unwrap().to_owned());
                    }
                }
            }
        }
    }

    #[test]
    fn every_error_that_can_reach_the_window_has_a_japanese_sentence() {
        let file = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ui/locales/ja.ftl")).unwrap();
        let known: BTreeSet<&str> =
            file.lines().filter_map(|line| line.strip_prefix("error-")?.split_once(" =").map(|(code, _)| code)).collect();
        let codes = codes();
        assert!(codes.len() > 60 && codes.contains("keychain-locked") && codes.contains("no-browser"), "the search found {codes:?}");
        let missing: Vec<_> = codes.iter().filter(|code| !known.contains(code.as_str())).collect();
        assert!(missing.is_empty(), "without a sentence in ja.ftl: {missing:#?}");
    }
}
