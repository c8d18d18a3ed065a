//! What can go wrong when an account is connected.

use std::time::Duration;

use serde_json::Value;

use crate::{Retry, TenantError, TokenError, Trouble, fetch::Reply};

/// Why an account was not connected, listed or disconnected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// There is no access token to ask with.
    #[error(transparent)]
    Token(TokenError),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The tenant has no such API, or does not give it to this app.
    #[error("This sign-in server does not let this app connect accounts. Use the agent's own web app for it.")]
    NotOffered,
    /// `unmet_authentication_requirements` and its like: a refresh cannot cure it.
    #[error("The sign-in server wants you to prove again that it is you before an account is connected. Sign out and in again. {0}")]
    Interaction(TenantError),
    /// The token was not taken (401).
    #[error("The sign-in server did not accept this sign-in for connecting an account. Try again.")]
    Rejected,
    /// A name that no connection has.
    #[error("The agent asks for a service by a name that none can have. Nothing was opened.")]
    Connection,
    /// More than 100.
    #[error("The agent asks for more permissions than can be asked for at once.")]
    TooMany,
    /// The page is not the tenant's.
    #[error("The sign-in server named a page that is not its own. It was not opened.")]
    ForeignPage,
    /// The same was connected a moment ago, and the agent still asks for it.
    #[error(
        "This account has just been connected, and the agent asks again: the service or the sign-in server has a problem. Try again later."
    )]
    Loops { retry_in: Duration },
    /// 409.
    #[error("The sign-in server says that this account is connected already, here or to somebody else.")]
    Conflict,
    /// Any other refusal, in the tenant's words.
    #[error("The sign-in server did not connect the account. {0}")]
    Refused(Problem),
    /// The answer is not one.
    #[error("The sign-in server's answer is not usable: {0}.")]
    Malformed(&'static str),
    /// `access_denied`: the person, or the service, said no.
    #[error("Connecting the account was declined.")]
    Declined,
    /// The service or the tenant failed at its page.
    #[error("The account could not be connected. {0}")]
    Failed(TenantError),
    /// The answer names another issuer (RFC 9207).
    #[error("The answer came from another sign-in server than the one that was asked. Connect the account again.")]
    WrongIssuer,
    #[error("Connecting the account took too long. Try again.")]
    Expired,
    #[error("Connecting the account was cancelled.")]
    Cancelled,
    /// There is no port to listen on.
    #[error("This computer does not let the app wait for the browser on a port of its own ({0}).")]
    Loopback(std::io::ErrorKind),
}

impl ConnectError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Token(error) => error.code(),
            Self::Trouble(trouble) => trouble.code(),
            Self::NotOffered => "connect-not-offered",
            Self::Interaction(_) => "connect-interaction",
            Self::Rejected => "connect-rejected",
            Self::Connection => "connect-bad-name",
            Self::TooMany => "connect-too-many-scopes",
            Self::ForeignPage => "connect-foreign-page",
            Self::Loops { .. } => "connect-loops",
            Self::Conflict => "connect-conflict",
            Self::Refused(_) => "connect-refused",
            Self::Malformed(_) => "connect-malformed",
            Self::Declined => "connect-declined",
            Self::Failed(_) => "connect-failed",
            Self::WrongIssuer => "connect-wrong-issuer",
            Self::Expired => "connect-expired",
            Self::Cancelled => "connect-cancelled",
            Self::Loopback(_) => "loopback-unavailable",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Token(error) => error.retry(),
            Self::Trouble(trouble) => trouble.retry(),
            Self::Loops { retry_in } => Retry::Later(Some(*retry_in)),
            Self::Interaction(_) => Retry::SignIn,
            Self::Rejected | Self::Declined | Self::Failed(_) | Self::WrongIssuer | Self::Expired | Self::Cancelled | Self::Loopback(_) => {
                Retry::Later(None)
            }
            Self::NotOffered
            | Self::Connection
            | Self::TooMany
            | Self::ForeignPage
            | Self::Conflict
            | Self::Refused(_)
            | Self::Malformed(_) => Retry::Never,
        }
    }
}

impl From<TokenError> for ConnectError {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Interaction(told) => Self::Interaction(told),
            TokenError::Configuration(_) => Self::NotOffered,
            TokenError::Transient(trouble) => Self::Trouble(trouble),
            error => Self::Token(error),
        }
    }
}

/// A refusal in the tenant's words (RFC 9457 §3.1), cut and cleaned of control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("It answered “{title}” (status {status}){}.", .detail.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct Problem {
    pub status: u16,
    pub title: String,
    pub detail: Option<String>,
}

impl Problem {
    fn read(reply: &Reply) -> Option<Self> {
        let members = reply.json()?;
        let clean = |text: &str, max: usize| -> String { text.chars().filter(|c| !c.is_control()).take(max).collect() };
        let text = |name: &str, max| members.get(name).and_then(Value::as_str).map(|text| clean(text, max)).filter(|text| !text.is_empty());
        let title = text("title", 100).or_else(|| text("type", 100))?;
        Some(Self { status: reply.status, title, detail: text("detail", 300) })
    }
}

/// What an answer without success means.
pub(super) fn refusal(reply: &Reply, now: std::time::SystemTime) -> ConnectError {
    if let Some(trouble) = reply.trouble(now) {
        return trouble.into();
    }
    match (reply.status, Problem::read(reply)) {
        (401, _) => ConnectError::Rejected,
        (403 | 404, _) => ConnectError::NotOffered,
        (409, _) => ConnectError::Conflict,
        (_, Some(problem)) => ConnectError::Refused(problem),
        (status, None) => Trouble::Intercepted { status }.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;
    use crate::fetch::tests::reply;

    #[test]
    fn each_refusal_has_its_meaning_and_says_how_to_go_on() {
        let problem = r#"{"type":"https://t.example/errors/validation","status":400,"title":"Bad\u0007 Request","detail":"No such connection","validation_errors":[]}"#;
        let told = || Problem { status: 400, title: "Bad Request".to_owned(), detail: Some("No such connection".to_owned()) };
        for (status, body, expected, retry) in [
            (400, problem, ConnectError::Refused(told()), Retry::Never),
            (401, "", ConnectError::Rejected, Retry::Later(None)),
            (403, problem, ConnectError::NotOffered, Retry::Never),
            (404, "Not found", ConnectError::NotOffered, Retry::Never),
            (409, problem, ConnectError::Conflict, Retry::Never),
            (429, problem, Trouble::RateLimited { retry_in: None }.into(), Retry::Later(None)),
            (503, "", Trouble::Unwell { status: 503, retry_in: None }.into(), Retry::Later(None)),
            (302, "", Trouble::Intercepted { status: 302 }.into(), Retry::Later(None)),
            (400, "<html>", Trouble::Intercepted { status: 400 }.into(), Retry::Later(None)),
        ] {
            let error = refusal(&reply(status, &[], body), SystemTime::UNIX_EPOCH);
            assert_eq!((&error, error.retry()), (&expected, retry), "{status}");
        }
        assert_eq!(told().to_string(), "It answered “Bad Request” (status 400): No such connection.");
    }
}
