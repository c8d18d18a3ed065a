//! What can go wrong, as types: each with a stable code, a sentence, and how to go on.

use std::time::Duration;

use crate::Obstacle;

/// How to go on after an error. Part of every error; nothing is guessed from text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Try again later, not before this much time has passed if the tenant asked for it. The session is kept.
    Later(Option<Duration>),
    /// A person has to sign in (again).
    SignIn,
    /// Trying again changes nothing: somebody has to change a setting.
    Never,
}

/// Why the tenant gave no usable answer. Nearly all of these pass; none of them says anything about the session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No connection: DNS, routing, nobody listening. Nothing was sent.
    #[error("The sign-in server could not be reached. Check the network connection.")]
    Unreachable,
    /// No connection, and it is known why. Nothing was sent.
    #[error(transparent)]
    Obstacle(#[from] Obstacle),
    /// The connection stood, the answer did not come in time.
    #[error("The sign-in server did not answer in time. Try again in a moment.")]
    TimedOut,
    /// The connection broke before the whole answer was here.
    #[error("The connection to the sign-in server broke. Try again in a moment.")]
    ReplyLost,
    /// 429.
    #[error("The sign-in server asks for a pause. Try again in a moment.")]
    RateLimited { retry_in: Option<Duration> },
    /// 408, 425, 5xx, `server_error`, `temporarily_unavailable`.
    #[error("The sign-in server is not well (status {status}). Try again in a moment.")]
    Unwell { status: u16, retry_in: Option<Duration> },
    /// A redirect, a web page, or anything else that this server would never say: most likely the sign-in page of a network.
    #[error("Something between this computer and the sign-in server answered in its place. Does this network want a sign-in of its own?")]
    Intercepted { status: u16 },
    /// Another process of this user is renewing the sign-in and has not come to an end in time. Nothing was sent.
    #[error("Another copy of this app is renewing the sign-in. Try again in a moment.")]
    Elsewhere,
    /// It has asked for its nonce in a proof, and was not content with it (RFC 9449 §8). Nothing was carried out.
    #[error("The sign-in server asks for another proof again and again. Try again in a moment.")]
    NonceLoop,
    /// A flight ended without a result. A defect of this app; the session is unharmed.
    #[error("An internal step failed. Try again; if it happens again, please report it.")]
    Crashed,
}

impl Trouble {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable => "tenant-unreachable",
            Self::Obstacle(obstacle) => obstacle.code(),
            Self::TimedOut => "tenant-timed-out",
            Self::ReplyLost => "tenant-reply-lost",
            Self::RateLimited { .. } => "tenant-rate-limited",
            Self::Unwell { .. } => "tenant-unwell",
            Self::Intercepted { .. } => "tenant-intercepted",
            Self::Elsewhere => "refresh-elsewhere",
            Self::NonceLoop => "tenant-nonce-loop",
            Self::Crashed => "internal-step-failed",
        }
    }

    /// How long the tenant asked to wait.
    #[must_use]
    pub fn retry_in(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_in } | Self::Unwell { retry_in, .. } => *retry_in,
            _ => None,
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Obstacle(obstacle) => obstacle.retry(),
            _ => Retry::Later(self.retry_in()),
        }
    }

    /// Whether the request may have been carried out although no answer came.
    pub(crate) fn may_have_happened(&self) -> bool {
        match self {
            Self::TimedOut | Self::ReplyLost => true,
            // A gateway that lost its server does not know either.
            Self::Unwell { status, .. } => matches!(status, 502 | 504),
            Self::Unreachable
            | Self::Obstacle(_)
            | Self::RateLimited { .. }
            | Self::Intercepted { .. }
            | Self::Elsewhere
            | Self::NonceLoop
            | Self::Crashed => false,
        }
    }
}

/// An OAuth error that the tenant answered with (RFC 6749 §4.1.2.1, §5.2). The description is the tenant's text, cut and cleaned of
/// control characters; it is shown as such or not at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("The sign-in server answered “{error}”{}.", .description.as_ref().map(|text| format!(": {text}")).unwrap_or_default())]
pub struct TenantError {
    pub error: String,
    pub description: Option<String>,
}

impl TenantError {
    /// Whether the tenant says that it does not know this client (RFC 6749 §5.2). One that has registered itself does so again.
    #[must_use]
    pub fn forgot_client(&self) -> bool {
        self.error == "invalid_client"
    }

    /// With everything that does not belong into a sentence removed.
    pub(crate) fn new(error: &str, description: Option<&str>) -> Self {
        let clean = |text: &str, max: usize| -> String { text.chars().filter(|c| !c.is_control()).take(max).collect() };
        Self { error: clean(error, 64), description: description.map(|text| clean(text, 300)).filter(|text| !text.is_empty()) }
    }
}

/// What is wrong with an issuer identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProfileError {
    #[error("The sign-in server's address is not one. It looks like https://tenant.example.com/.")]
    NotAnAddress,
    #[error("The sign-in server's address must begin with https://. Plain http is for this computer's own addresses only.")]
    Insecure,
    #[error("The sign-in server's address must have no user, query or fragment.")]
    Decorated,
}

impl ProfileError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotAnAddress => "issuer-not-an-address",
            Self::Insecure => "issuer-insecure",
            Self::Decorated => "issuer-decorated",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        Retry::Never
    }
}

/// Why the tenant's metadata could not be used (OpenID Connect Discovery 1.0 §4, RFC 8414 §3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DiscoveryError {
    #[error(transparent)]
    Trouble(#[from] Trouble),
    #[error("No sign-in server answers at this address (status {status}). Check the issuer in the profile.")]
    NotFound { status: u16 },
    #[error("The sign-in server's description is not usable: {0}.")]
    Malformed(&'static str),
    #[error("The sign-in server calls itself {found}, the profile calls it {expected}. Correct the issuer in the profile.")]
    WrongIssuer { expected: String, found: String },
    #[error("The sign-in server names an address without https for “{0}”. That is not safe to use.")]
    Insecure(&'static str),
}

impl DiscoveryError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Trouble(trouble) => trouble.code(),
            Self::NotFound { .. } => "discovery-not-found",
            Self::Malformed(_) => "discovery-malformed",
            Self::WrongIssuer { .. } => "discovery-wrong-issuer",
            Self::Insecure(_) => "discovery-insecure",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Trouble(trouble) => trouble.retry(),
            _ => Retry::Never,
        }
    }
}

/// Why an ID token was not accepted (OpenID Connect Core §3.1.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenError {
    #[error("it is missing")]
    Missing,
    #[error("it is not a signed token")]
    Malformed,
    #[error("it is not signed with RS256")]
    Algorithm,
    #[error("its key is not among the server's keys")]
    UnknownKey,
    #[error("its signature is wrong")]
    Signature,
    #[error("it is from another issuer")]
    Issuer,
    #[error("it is for another app")]
    Audience,
    #[error("it has no subject")]
    Subject,
    #[error("it has expired, or this computer's clock is wrong")]
    Expired,
    #[error("it is not valid yet, or this computer's clock is wrong")]
    NotYet,
    #[error("it belongs to another sign-in")]
    Nonce,
    #[error("it is for another organization than the one that was asked for")]
    Organization,
    #[error("it does not say that you have proved who you are as recently as was asked for")]
    TooLongAgo,
    #[error("it belongs to another access token")]
    AccessToken,
}

impl IdTokenError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Missing => "id-token-missing",
            Self::Malformed => "id-token-malformed",
            Self::Algorithm => "id-token-algorithm",
            Self::UnknownKey => "id-token-unknown-key",
            Self::Signature => "id-token-signature",
            Self::Issuer => "id-token-issuer",
            Self::Audience => "id-token-audience",
            Self::Subject => "id-token-subject",
            Self::Expired => "id-token-expired",
            Self::NotYet => "id-token-not-yet",
            Self::Nonce => "id-token-nonce",
            Self::Organization => "id-token-organization",
            Self::TooLongAgo => "id-token-too-long-ago",
            Self::AccessToken => "id-token-access-token",
        }
    }
}

/// Why a sign-in did not begin or did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    #[error(transparent)]
    Trouble(#[from] Trouble),
    /// `access_denied`: the person, or a rule of the tenant, said no.
    #[error("The sign-in was declined.")]
    Declined,
    /// `unauthorized`: the tenant knows the person, and does not let them in here.
    #[error("The sign-in server does not let this account in. {0} Sign in with another account, or ask whoever runs the agent.")]
    NotLetIn(TenantError),
    /// The answer names another issuer, or none although this one always does (RFC 9207). Nothing of it is shown.
    #[error("The answer came from another sign-in server than the one that was asked. Sign in again.")]
    WrongIssuer,
    /// `invalid_grant` for a code: spent, too old, or not of this sign-in.
    #[error("The sign-in server did not accept the sign-in that came back from the browser. Sign in again.")]
    CodeRejected,
    /// The tenant wants another sign-in: `login_required`, `mfa_required` and their like.
    #[error("The sign-in server wants another step. Sign in again. {0}")]
    Interaction(TenantError),
    /// The tenant does not serve this app as it is set up.
    #[error("The sign-in server does not accept this app as it is set up. {0} Check client id, audience and redirect URI.")]
    Configuration(TenantError),
    /// `invalid_dpop_proof` (RFC 9449 §5), although this computer's clock was put right by the tenant's.
    #[error("The sign-in server did not accept the proof that the sign-in belongs to this computer. Sign in again. {0}")]
    ProofRefused(TenantError),
    /// The profile or the agent wants tokens that are bound to this computer, and the tenant does not give them (RFC 9449 §5).
    #[error(
        "The sign-in has to be bound to this computer, and the sign-in server does not do that. Ask whoever runs it to turn on DPoP, or whoever \
         runs the agent to do without."
    )]
    Unbound,
    #[error("The sign-in server's proof of who signed in was not accepted: {0}. Sign in again.")]
    IdToken(IdTokenError),
    /// The token response is not one (RFC 6749 §5.1).
    #[error("The sign-in server's answer is not usable: {0}.")]
    Malformed(&'static str),
    #[error("The sign-in took too long. Sign in again.")]
    Expired,
    /// More was asked for than the tenant gives this person, or has given already without the agent being content.
    #[error("The agent asks for more than the sign-in server grants. Ask whoever runs the agent for access.")]
    NotGranted,
    /// There is no port to listen on.
    #[error("This computer does not let the app wait for the browser on a port of its own ({0}). Finish the sign-in with the page's link.")]
    Loopback(std::io::ErrorKind),
    #[error("The sign-in was cancelled.")]
    Cancelled,
    /// The session's actor has ended.
    #[error("The app is closing.")]
    Closed,
}

impl SignInError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Discovery(error) => error.code(),
            Self::Trouble(trouble) => trouble.code(),
            Self::Declined => "sign-in-declined",
            Self::NotLetIn(_) => "sign-in-not-let-in",
            Self::WrongIssuer => "sign-in-wrong-issuer",
            Self::CodeRejected => "sign-in-code-rejected",
            Self::Interaction(_) => "sign-in-interaction",
            Self::Configuration(_) => "sign-in-configuration",
            Self::ProofRefused(_) => "sign-in-proof-refused",
            Self::Unbound => "sign-in-unbound",
            Self::IdToken(error) => error.code(),
            Self::Malformed(_) => "sign-in-malformed",
            Self::Expired => "sign-in-expired",
            Self::Loopback(_) => "loopback-unavailable",
            Self::NotGranted => "sign-in-not-granted",
            Self::Cancelled => "sign-in-cancelled",
            Self::Closed => "session-closed",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Discovery(error) => error.retry(),
            Self::Trouble(trouble) => trouble.retry(),
            Self::Declined
            | Self::NotLetIn(_)
            | Self::WrongIssuer
            | Self::CodeRejected
            | Self::Interaction(_)
            | Self::ProofRefused(_)
            | Self::IdToken(_)
            | Self::Expired
            | Self::Loopback(_)
            | Self::Cancelled => Retry::SignIn,
            Self::Configuration(_) | Self::Unbound | Self::Malformed(_) | Self::NotGranted | Self::Closed => Retry::Never,
        }
    }
}

/// Why there is no access token now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Nobody is signed in, or the session has just ended. The state says why.
    #[error("You are not signed in.")]
    SignedOut,
    /// The session is kept; try again.
    #[error(transparent)]
    Transient(#[from] Trouble),
    /// The tenant wants a person before it issues another token. The session is kept.
    #[error("The sign-in server wants you to sign in again. {0}")]
    Interaction(TenantError),
    /// The tenant does not serve this app as it is set up. The session is kept.
    #[error("The sign-in server does not accept this app as it is set up. {0}")]
    Configuration(TenantError),
    /// `invalid_dpop_proof` (RFC 9449 §5), although this computer's clock was put right by the tenant's. The session is kept.
    #[error("The sign-in server did not accept the proof that the sign-in belongs to this computer. Sign in again. {0}")]
    ProofRefused(TenantError),
    /// The session has tokens that are bound to this computer, and the new one is not (RFC 9449 §5). It is not used; the session is kept.
    #[error("The sign-in server no longer binds this sign-in to this computer. Sign in again.")]
    Unbound,
    /// The profile wants a machine's tokens to be bound to this computer, and the tenant does not give such (RFC 9449 §5).
    #[error("The token has to be bound to this computer, and the sign-in server does not do that. Ask whoever runs it to turn on DPoP.")]
    CannotBind,
    /// The tenant's metadata is not usable. The session is kept.
    #[error(transparent)]
    Discovery(DiscoveryError),
    /// The token response is not one (RFC 6749 §5.1). The session is kept.
    #[error("The sign-in server's answer is not usable: {0}.")]
    Malformed(&'static str),
    /// The session's actor has ended.
    #[error("The app is closing.")]
    Closed,
}

impl TokenError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::SignedOut => "signed-out",
            Self::Transient(trouble) => trouble.code(),
            Self::Interaction(_) => "token-interaction",
            Self::Configuration(_) => "token-configuration",
            Self::ProofRefused(_) => "token-proof-refused",
            Self::Unbound => "token-unbound",
            Self::CannotBind => "token-cannot-bind",
            Self::Discovery(error) => error.code(),
            Self::Malformed(_) => "token-malformed",
            Self::Closed => "session-closed",
        }
    }

    /// How to go on.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::SignedOut | Self::Interaction(_) | Self::ProofRefused(_) | Self::Unbound => Retry::SignIn,
            Self::Transient(trouble) => trouble.retry(),
            Self::Discovery(error) => error.retry(),
            Self::Configuration(_) | Self::CannotBind | Self::Malformed(_) | Self::Closed => Retry::Never,
        }
    }
}

impl From<DiscoveryError> for TokenError {
    fn from(error: DiscoveryError) -> Self {
        match error {
            DiscoveryError::Trouble(trouble) => Self::Transient(trouble),
            error => Self::Discovery(error),
        }
    }
}
