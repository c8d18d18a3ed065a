//! Whether a session is bound to a key, and what of its tokens is.

use std::sync::Arc;

use super::Prover;
use crate::token::Kind;

/// The key of a session. Its refresh token is bound to it (RFC 9449 §5); its access tokens are if the tenant says so.
#[derive(Debug, Clone)]
pub(crate) struct Binding {
    pub(crate) prover: Arc<Prover>,
    /// The access tokens are bound too. A tenant may choose to bind the refresh token alone, for agents that take bearer tokens only; from
    /// then on that is how the session is.
    pub(crate) access: bool,
}

/// Why an access token does not go with a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unfit {
    /// A bearer token where a bound one is expected: whoever got hold of it could use it (RFC 9449 §5 lets the app discard it).
    Unbound,
    /// Bound, to a key that is not this session's.
    Foreign,
}

impl Unfit {
    /// As the rest of a sentence about an answer that is not usable.
    pub(crate) fn what(self) -> &'static str {
        match self {
            Self::Unbound => "its access token is not bound to this computer",
            Self::Foreign => "its access token is bound to a key that was not shown",
        }
    }
}

/// Who has the key that an access token of this kind is bound to.
///
/// # Errors
/// See [`Unfit`].
pub(crate) fn fits(binding: Option<&Binding>, kind: Kind) -> Result<Option<Arc<Prover>>, Unfit> {
    match (binding, kind) {
        (None, Kind::Bound) => Err(Unfit::Foreign),
        (Some(Binding { access: true, .. }), Kind::Bearer) => Err(Unfit::Unbound),
        (Some(binding), Kind::Bound) => Ok(Some(binding.prover.clone())),
        (_, Kind::Bearer) => Ok(None),
    }
}
