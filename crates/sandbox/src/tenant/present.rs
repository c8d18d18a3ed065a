//! Access tokens as they are presented: by bearer (RFC 6750 §2.1), or with a proof (RFC 9449 §7).

use http::{HeaderMap, header};
use serde_json::{Map, Value};

use super::{Tenant, keys::TokenFault};
use crate::{
    TokenBinding,
    dpop::{ProofFault, Proofs, Wanted},
};

/// How a token came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Bearer,
    Dpop,
}

/// Why nobody is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// There is no token.
    Missing,
    Token(Scheme, TokenFault),
    /// A token that is bound to a key came without a proof (RFC 9449 §7.2), or came with one of another key, or is bound to none.
    Binding(Scheme),
    Proof(ProofFault),
}

impl Refused {
    /// The scheme, the code and the words of a challenge (RFC 6750 §3, RFC 9449 §7.1).
    pub(crate) fn told(self) -> Option<(Scheme, &'static str, &'static str)> {
        match self {
            Self::Missing => None,
            Self::Token(scheme, fault) => Some((scheme, "invalid_token", fault.description())),
            Self::Binding(Scheme::Bearer) => {
                Some((Scheme::Bearer, "invalid_token", "the token is bound to a key and came without a proof"))
            }
            Self::Binding(Scheme::Dpop) => Some((Scheme::Dpop, "invalid_token", "the token is not bound to the key of the proof")),
            Self::Proof(fault) => Some((Scheme::Dpop, fault.code(), fault.description())),
        }
    }
}

/// The token of an `Authorization` header.
pub(crate) fn credentials(headers: &HeaderMap) -> Option<(Scheme, &str)> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Scheme::Bearer,
        "dpop" => Scheme::Dpop,
        _ => return None,
    };
    Some((scheme, token.trim())).filter(|(_, token)| !token.is_empty())
}

impl Tenant {
    /// Checks what a request presents; the token's claims come back. `wanted.token` is not looked at: it is what the request brings.
    pub(crate) fn admit(
        &self,
        headers: &HeaderMap,
        audience: &str,
        proofs: &Proofs,
        wanted: Wanted<'_>,
    ) -> Result<Map<String, Value>, Refused> {
        let (scheme, token) = credentials(headers).ok_or(Refused::Missing)?;
        if scheme == Scheme::Dpop && self.control.settings().dpop == TokenBinding::Off {
            return Err(Refused::Missing);
        }
        let claims = self.check(token, audience).map_err(|fault| Refused::Token(scheme, fault))?;
        let bound_to = claims.get("cnf").and_then(|cnf| cnf.get("jkt")).and_then(Value::as_str);
        match scheme {
            Scheme::Bearer if bound_to.is_some() => Err(Refused::Binding(scheme)),
            Scheme::Bearer => Ok(claims),
            Scheme::Dpop => {
                let thumbprint = proofs.check(headers, &Wanted { token: Some(token), ..wanted }).map_err(Refused::Proof)?;
                if bound_to == Some(&thumbprint) { Ok(claims) } else { Err(Refused::Binding(scheme)) }
            }
        }
    }
}
