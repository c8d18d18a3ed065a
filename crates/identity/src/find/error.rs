//! Why an agent's address did not lead to its tenant, or the tenant did not take this app.

use crate::{DiscoveryError, Retry, TenantError, Trouble};

/// Why nothing is known of how to sign in for an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FindError {
    /// The agent, or its tenant, could not be asked.
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("The agent's address must begin with https://. Plain http is for this computer's own addresses only.")]
    Insecure,
    #[error("This agent answers without a sign-in. Add it as an agent that needs none, or check the address.")]
    Open,
    /// Cloudflare Access, or something like it, sends to a page that only a browser can pass.
    #[error(
        "There is a sign-in page before this agent that apps cannot pass. Ask whoever runs the agent to turn on managed OAuth for it, or to let \
         the agent's own sign-in through."
    )]
    PageBefore,
    /// 403 for somebody of whom nothing is known yet, and no word of how to become known; such as an application of Cloudflare Access for services
    /// alone.
    #[error(
        "This agent, or a server before it, turns away everybody that it does not know (status 403). Ask whoever runs it to let people sign in."
    )]
    Shut,
    #[error("This agent does not say which sign-in server it trusts. Ask whoever runs it for a profile file.")]
    Untold,
    /// RFC 9728 §7.7.
    #[error("The agent sends to another server for what it says about itself ({found}). That is not safe to follow.")]
    ForeignMetadata { found: String },
    /// RFC 9728 §3.3.
    #[error("What the agent says about itself is about something else: {found}.")]
    WrongResource { found: String },
    #[error("What the agent says about itself is not usable: {0}.")]
    Malformed(&'static str),
    /// The tenant of the agent cannot be used.
    #[error(transparent)]
    Tenant(DiscoveryError),
    /// RFC 9700 §2.1.1: what the code is bound with. It cannot be found out otherwise whether a server looks at it.
    #[error("The agent's sign-in server does not say that it supports PKCE with S256. That is not safe to use.")]
    NoPkce,
}

impl FindError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trouble(trouble) => trouble.code(),
            Self::Insecure => "agent-insecure",
            Self::Open => "agent-without-sign-in",
            Self::PageBefore => "agent-behind-a-page",
            Self::Shut => "agent-shut",
            Self::Untold => "agent-untold",
            Self::ForeignMetadata { .. } => "agent-foreign-metadata",
            Self::WrongResource { .. } => "agent-wrong-resource",
            Self::Malformed(_) => "agent-malformed",
            Self::Tenant(error) => error.code(),
            Self::NoPkce => "tenant-without-pkce",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Trouble(trouble) => trouble.retry(),
            Self::Tenant(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

impl From<DiscoveryError> for FindError {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::Trouble(trouble) => Self::Trouble(trouble),
            error => Self::Tenant(error),
        }
    }
}

/// Why a tenant did not make this app known to itself (RFC 7591 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RegistrationError {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// The tenant cannot be used, or not any more.
    #[error(transparent)]
    Tenant(DiscoveryError),
    #[error("This sign-in server does not let apps register themselves. Ask whoever runs it for a client id.")]
    Unavailable,
    #[error("The sign-in server does not allow the addresses that it would send the browser back to. {0} Ask whoever runs it to allow {LOOPBACK}.", LOOPBACK = super::LOOPBACK)]
    Redirect(TenantError),
    #[error("The sign-in server did not register this app. {0} Ask whoever runs it for a client id.")]
    Refused(TenantError),
    #[error(
        "The sign-in server registers apps with a secret only, which no app on a computer can keep. Ask whoever runs it for a client id."
    )]
    NotPublic,
    #[error("The sign-in server's answer to the registration is not usable: {0}.")]
    Malformed(&'static str),
}

impl RegistrationError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trouble(trouble) => trouble.code(),
            Self::Tenant(error) => error.code(),
            Self::Unavailable => "registration-unavailable",
            Self::Redirect(_) => "registration-redirect",
            Self::Refused(_) => "registration-refused",
            Self::NotPublic => "registration-not-public",
            Self::Malformed(_) => "registration-malformed",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Trouble(trouble) => trouble.retry(),
            Self::Tenant(error) => error.retry(),
            _ => Retry::Never,
        }
    }
}

impl From<DiscoveryError> for RegistrationError {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::Trouble(trouble) => Self::Trouble(trouble),
            error => Self::Tenant(error),
        }
    }
}
