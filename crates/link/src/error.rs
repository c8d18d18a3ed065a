//! What can go wrong, as types: each with a stable code, a sentence, and how to go on.

use std::time::Duration;

use callbox_identity::{Obstacle, Retry, TokenError};
use callbox_protocol::interrupt::{self, ErrorText, Interrupt};
use serde::{Deserialize, Serialize};

use crate::OutboxError;

/// The longest text of somebody else's that is kept, in characters.
const MAX_TEXT: usize = 300;

/// Text from the agent or from whoever answered in its place, made fit for a sentence: without control characters, and cut.
/// It remains somebody else's text, to be shown as such.
pub(crate) fn quote(text: &str) -> String {
    let clean: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| !c.is_control()).collect();
    let clean = clean.trim();
    match clean.char_indices().nth(MAX_TEXT) {
        None => clean.to_owned(),
        Some((end, _)) => format!("{}…", clean[..end].trim_end()),
    }
}

fn quoted(text: &str) -> String {
    if text.is_empty() { ".".to_owned() } else { format!(": “{text}”") }
}

fn listed(scopes: &[String]) -> String {
    if scopes.is_empty() { ", and does not say what. Ask whoever runs it.".to_owned() } else { format!(": {}.", quote(&scopes.join(", "))) }
}

/// Why a link is not online.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// There is no access token to connect with.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No connection: DNS, routing, nobody listening.
    #[error("The agent could not be reached. Check the network connection.")]
    Unreachable,
    /// No connection, and it is known why: the proxy, or a connection that is not safe.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// Nothing came back in time.
    #[error("The agent did not answer in time.")]
    TimedOut,
    /// The connection ended without a word (close code 1006).
    #[error("The connection to the agent broke.")]
    Broken,
    /// The connection looked open, but the agent had fallen silent.
    #[error("The connection to the agent went dead.")]
    Silent,
    /// A redirect or a web page: most likely the sign-in page of a network.
    #[error("Something between this computer and the agent answered in its place. Does this network want a sign-in of its own?")]
    Intercepted { status: u16 },
    /// A redirect to Cloudflare Access: a sign-in page for browsers stands before the agent. The host is that page's.
    #[error(
        "The agent stands behind the sign-in page of {host}, which lets browsers in and not apps. Ask whoever runs the agent to turn on managed OAuth there."
    )]
    LoginPage { host: String },
    /// 429.
    #[error("The agent asks for a pause.")]
    RateLimited { retry_in: Option<Duration> },
    /// 408, 425, 5xx.
    #[error("The agent is not well (status {status}).")]
    Unwell { status: u16, retry_in: Option<Duration> },
    /// 401, twice: with the token that was there, and with a fresh one.
    #[error(
        "The agent does not accept this sign-in. Sign in again. If it does not accept that either, ask whoever runs it which tenant and audience \
         it trusts."
    )]
    Rejected,
    /// 403 with `insufficient_scope` (RFC 6750 §3.1): the sign-in is good, for too little. Empty: the agent does not say what is missing. A person can
    /// let it have more, by [`callbox_identity::Session::begin_step_up`].
    #[error("The agent wants more than this sign-in allows{}", listed(scopes))]
    InsufficientScope { scopes: Vec<String> },
    /// 401 for a nonce in the proof, and again for another (RFC 9449 §9). Nothing is wrong with the token.
    #[error("The agent asks for another proof again and again.")]
    NonceLoop,
    /// 401 for the proof that the token is this computer's (RFC 9449 §7.1), although its clock was put right by the agent's. Nothing is wrong
    /// with the token.
    #[error(
        "The agent does not accept the proof that the sign-in belongs to this computer. Check date and time of this computer; if they are \
         right, tell whoever runs the agent."
    )]
    ProofRefused,
    /// 403. The text is the agent's.
    #[error("The agent refuses this conversation{}", quoted(text))]
    Forbidden { text: String },
    /// 400, 404, 410: there is no such agent at this address. The text is the server's.
    #[error("No agent answers at this address (status {status}){} Check the agent's address in the profile.", if text.is_empty() { ".".to_owned() } else { format!(": “{text}”.") })]
    NoSuchAgent { status: u16, text: String },
    /// Any other answer that is no socket.
    #[error("The agent gave an answer that was not expected (status {status}).")]
    Unexpected { status: u16 },
    /// The answer has the right status and is wrong nevertheless.
    #[error("What answers at the agent's address does not speak its protocol: {0}.")]
    NotAnAgent(&'static str),
    /// The conversation's messages are more than this app takes, 64 MiB.
    #[error("This conversation is too large to be loaded.")]
    TooLarge,
    /// The agent closed the connection. The reason is the agent's.
    #[error("The agent closed the connection (code {code}){}", quoted(reason))]
    Closed { code: u16, reason: String },
}

impl LinkError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Unreachable => "agent-unreachable",
            Self::Obstacle(obstacle) => obstacle.code(),
            Self::TimedOut => "agent-timed-out",
            Self::Broken => "link-broken",
            Self::Silent => "link-silent",
            Self::Intercepted { .. } => "agent-intercepted",
            Self::LoginPage { .. } => "agent-login-page",
            Self::RateLimited { .. } => "agent-rate-limited",
            Self::Unwell { .. } => "agent-unwell",
            Self::Rejected => "agent-rejected",
            Self::InsufficientScope { .. } => "agent-wants-more",
            Self::NonceLoop => "agent-nonce-loop",
            Self::ProofRefused => "agent-proof-refused",
            Self::Forbidden { .. } => "agent-forbidden",
            Self::NoSuchAgent { .. } => "agent-not-found",
            Self::Unexpected { .. } => "agent-unexpected",
            Self::NotAnAgent(_) => "agent-not-an-agent",
            Self::TooLarge => "conversation-too-large",
            Self::Closed { .. } => "agent-closed",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Token(error) => error.retry(),
            Self::RateLimited { retry_in } | Self::Unwell { retry_in, .. } => Retry::Later(*retry_in),
            Self::Obstacle(obstacle) => obstacle.retry(),
            Self::Unreachable | Self::TimedOut | Self::Broken | Self::Silent | Self::Intercepted { .. } | Self::NonceLoop => {
                Retry::Later(None)
            }
            Self::Rejected => Retry::SignIn,
            Self::LoginPage { .. }
            | Self::InsufficientScope { .. }
            | Self::ProofRefused
            | Self::Forbidden { .. }
            | Self::NoSuchAgent { .. }
            | Self::Unexpected { .. }
            | Self::NotAnAgent(_)
            | Self::TooLarge => Retry::Never,
            // RFC 6455 §7.4: policy and the application's own codes are final, the rest passes.
            Self::Closed { code, .. } if *code == 1008 || (4000..5000).contains(code) => Retry::Never,
            Self::Closed { .. } => Retry::Later(None),
        }
    }
}

/// Why a command to a link was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// The link is closed.
    #[error("This conversation is closed. Open it again.")]
    Closed,
    /// Nothing but white space.
    #[error("There is nothing to send.")]
    Empty,
    /// More than the agent takes in one message, 32 MiB with everything around it.
    #[error("This message is too long for the agent ({len} bytes, at most {max}). Make it shorter.")]
    TooLong { len: usize, max: usize },
    /// There is no tool call with this id.
    #[error("This tool call is no longer part of the conversation.")]
    NoSuchCall,
    /// There is no failed message with this id.
    #[error("This message is no longer waiting to be sent.")]
    NoSuchMessage,
    /// The message could not be made safe from loss, and so was not sent.
    #[error(transparent)]
    NotSaved(#[from] OutboxError),
    /// What takes something back is not queued: nobody can tell what it would take back by then.
    #[error("The agent is not connected. Try again when it is.")]
    NotOnline,
    /// An answer, a message, a decision or another change is on its way.
    #[error("The conversation is busy. Stop the answer or wait for its end, then try again.")]
    Busy,
    /// There is no message with this id, or nothing before it that could be answered.
    #[error("This message is no longer part of the conversation.")]
    NoSuchAnswer,
    /// The agent was busy with something of somebody else's and is set up not to queue.
    #[error("The agent was busy and did not take it. Try again when it has finished.")]
    Skipped,
    /// The connection ended each time that it was sent, or the agent shows no sign of it.
    #[error("The agent did not take it, and nothing has changed. Try again.")]
    NotTaken,
    /// The connection ended, and when it was back the conversation was another.
    #[error("The conversation has gone on in the meantime, so nothing was changed. Look at it and try again.")]
    GoneOn,
}

impl CommandError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Closed => "conversation-closed",
            Self::Empty => "message-empty",
            Self::TooLong { .. } => "message-too-long",
            Self::NoSuchCall => "no-such-call",
            Self::NoSuchMessage => "no-such-message",
            Self::NotSaved(error) => error.code,
            Self::NotOnline => "agent-not-online",
            Self::Busy => "conversation-busy",
            Self::NoSuchAnswer => "no-such-answer",
            Self::Skipped => "change-skipped",
            Self::NotTaken => "change-not-taken",
            Self::GoneOn => "conversation-gone-on",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::NotSaved(error) => error.retry,
            Self::NotOnline | Self::Busy | Self::Skipped | Self::NotTaken | Self::GoneOn => Retry::Later(None),
            Self::Closed | Self::Empty | Self::TooLong { .. } | Self::NoSuchCall | Self::NoSuchMessage | Self::NoSuchAnswer => Retry::Never,
        }
    }
}

/// Why a message was not delivered. It can be sent again or dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DeliveryError {
    /// The connection ended each time that it was sent.
    #[error("The message could not be delivered. Try again, or drop it.")]
    NotTaken,
    /// Close code 1009.
    #[error("The message is too large for the agent. Drop it and send a shorter one.")]
    TooLarge,
    /// The agent was busy and is set up not to queue.
    #[error("The agent was busy and did not take the message. Send it again when it has finished.")]
    Skipped,
    /// Cancelled before it was sent.
    #[error("The message was stopped before it was sent.")]
    Cancelled,
}

impl DeliveryError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotTaken => "message-not-taken",
            Self::TooLarge => "message-too-large",
            Self::Skipped => "message-skipped",
            Self::Cancelled => "message-cancelled",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::NotTaken | Self::Skipped | Self::Cancelled => Retry::Later(None),
            Self::TooLarge => Retry::Never,
        }
    }
}

/// Why the last turn, or the last decision, came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// The agent says so; the text is the agent's.
    #[error("The agent could not answer{}", quoted(text))]
    Failed { text: String },
    /// The turn is over and there is no answer: the agent failed without a word.
    #[error("The agent did not answer. Send the message again.")]
    NoAnswer,
    /// A decision was sent twice, on two connections, and the agent shows no sign of it.
    #[error("The agent did not take the decision. Decide again.")]
    DecisionNotTaken,
    /// A tool has stopped because it needs a person somewhere else first.
    #[error("A tool of the agent needs something of you first. Open the conversation in Callbox's window.")]
    Interrupted(Box<Interrupt>),
    /// The same, and it cannot be read.
    #[error("A tool of the agent was interrupted, and the agent's reason cannot be read. Try again.")]
    InterruptUnreadable,
    /// Messages that an earlier run could not deliver may be there and cannot be read.
    #[error(transparent)]
    OutboxUnreadable(#[from] OutboxError),
}

impl TurnError {
    /// A failure in the agent's words, some of which are not meant for people.
    pub(crate) fn told(text: &str) -> Self {
        match interrupt::read(text) {
            ErrorText::Plain => Self::Failed { text: quote(text) },
            ErrorText::Interrupt(interrupt) => Self::Interrupted(Box::new(interrupt)),
            ErrorText::Unreadable => Self::InterruptUnreadable,
        }
    }

    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed { .. } => "turn-failed",
            Self::NoAnswer => "turn-no-answer",
            Self::DecisionNotTaken => "decision-not-taken",
            Self::Interrupted(_) => "turn-interrupted",
            Self::InterruptUnreadable => "turn-interrupt-unreadable",
            Self::OutboxUnreadable(error) => error.code,
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::OutboxUnreadable(error) => error.retry,
            Self::Failed { .. } | Self::NoAnswer | Self::DecisionNotTaken | Self::InterruptUnreadable => Retry::Later(None),
            Self::Interrupted(_) => Retry::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_one_line_without_controls_and_bounded() {
        assert_eq!(quote("  This chat\nis not\u{1b}[31m yours.\0 "), "This chat is not[31m yours.");
        let long = quote(&"東".repeat(1000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (301, true));
        let error = LinkError::Forbidden { text: quote("This chat is not yours.") };
        assert_eq!(error.to_string(), "The agent refuses this conversation: “This chat is not yours.”");
        assert_eq!(LinkError::Forbidden { text: String::new() }.to_string(), "The agent refuses this conversation.");
    }

    #[test]
    fn policy_and_application_codes_are_final() {
        for (code, retry) in [
            (1000, Retry::Later(None)),
            (1001, Retry::Later(None)),
            (1006, Retry::Later(None)),
            (1011, Retry::Later(None)),
            (1008, Retry::Never),
            (3999, Retry::Later(None)),
            (4000, Retry::Never),
            (4999, Retry::Never),
        ] {
            assert_eq!(LinkError::Closed { code, reason: String::new() }.retry(), retry, "{code}");
        }
    }
}
