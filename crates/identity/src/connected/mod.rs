//! Accounts at other services that the signed-in person connects at the tenant, so that an agent may use them: Auth0's Connected Accounts for
//! Token Vault, by its My Account API.
//!
//! What it promises:
//!
//! - The token for it comes by the same single refresh as any other (multi-resource refresh token): never two at once, the rotated one kept first.
//! - The person's page is opened at the tenant's own origin or not at all. It comes back by the ways of a sign-in, bound to its attempt by `state`
//!   and PKCE (RFC 7636, S256), good once, for the account that it was begun for.
//! - What was granted before is asked for again beside what is new, because the tenant replaces the one by the other.
//! - An agent that asks for what has just been given is not served with another page: the mistake is somewhere else.
//!
//! The exchange of such an account for a token of its service is not here and cannot be: the tenant gives that to confidential clients alone.

mod api;
mod attempts;
mod breaker;
mod connector;
mod error;
mod link;

pub use connector::ConnectStart;
pub(crate) use connector::{Connector, Door, route};
pub use error::{ConnectError, Problem};

/// What a token has to be for.
pub(crate) const SCOPES: &str = "create:me:connected_accounts read:me:connected_accounts delete:me:connected_accounts";
/// The one of them without which nothing can be connected.
pub(crate) const CREATE: &str = "create:me:connected_accounts";

/// The identifier of the tenant's own API for a person's account; one host throughout, that of the issuer.
pub(crate) fn audience(issuer: &crate::Issuer) -> String {
    format!("{}/me/", issuer.url().origin().ascii_serialization())
}

/// An account at another service. All texts are the tenant's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectedAccount {
    /// What it is disconnected by.
    pub id: String,
    /// The tenant's name for the service.
    pub connection: String,
    /// What was granted.
    pub scopes: Vec<String>,
    /// When, as the tenant writes it (RFC 3339).
    pub created_at: Option<String>,
}
