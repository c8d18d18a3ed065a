//! What stops a request before its server has heard of it: the network's proxy, or a connection that is not safe.

use std::{error::Error, io};

use rustls::CertificateError;

use crate::Retry;

/// Why there is no connection, where more is known than that. The same for the tenant and the agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// The proxy answered 407: no user name and password, or the wrong ones.
    #[error(
        "The proxy of this network wants a user name and a password. Put them into the system's proxy settings, or into the variable \
         https_proxy (http://name:password@host:port), and start Callbox again."
    )]
    ProxyWantsPassword,
    /// No connection to the proxy.
    #[error("The proxy of this network could not be reached. Check the network connection and the system's proxy settings.")]
    ProxyUnreachable,
    /// The proxy does not let this connection through, or cannot make it.
    #[error("The proxy of this network did not connect to the server. Ask whoever runs it to allow the server's address.")]
    ProxyRefused,
    /// The certificate was good until some time ago.
    #[error(
        "The server's certificate has expired. Check the date and time of this computer; if they are right, tell whoever runs the server."
    )]
    CertificateExpired,
    /// The certificate will be good.
    #[error("The server's certificate is not valid yet. Check the date and time of this computer.")]
    CertificateNotYetValid,
    /// The certificate is somebody else's.
    #[error("The certificate at the server's address belongs to another address. Does this network want a sign-in of its own?")]
    CertificateWrongHost,
    /// Neither this system nor Mozilla trusts who has issued the certificate.
    #[error(
        "The server's certificate was issued by an authority that this computer does not trust. Does this network inspect connections? Then \
         its authority must be among the system's."
    )]
    CertificateUnknownIssuer,
    /// Anything else is wrong with the certificate (RFC 5280 §6).
    #[error("The server's certificate is not good. Tell whoever runs the server.")]
    CertificateBad,
    /// The server does not speak TLS, or not as it should.
    #[error("A safe connection to the server could not be made. Does this network inspect connections, or want a sign-in of its own?")]
    Insecure,
}

impl Obstacle {
    /// What the error says of an obstacle; `None` if it is about something else.
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Option<Self> {
        tunnel(error).or_else(|| {
            Some(match tls(error)? {
                rustls::Error::InvalidCertificate(cause) => match cause {
                    CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::CertificateExpired,
                    CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::CertificateNotYetValid,
                    CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Self::CertificateWrongHost,
                    CertificateError::UnknownIssuer => Self::CertificateUnknownIssuer,
                    _ => Self::CertificateBad,
                },
                _ => Self::Insecure,
            })
        })
    }

    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ProxyWantsPassword => "proxy-wants-password",
            Self::ProxyUnreachable => "proxy-unreachable",
            Self::ProxyRefused => "proxy-refused",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotYetValid => "certificate-not-yet-valid",
            Self::CertificateWrongHost => "certificate-wrong-host",
            Self::CertificateUnknownIssuer => "certificate-unknown-issuer",
            Self::CertificateBad => "certificate-bad",
            Self::Insecure => "connection-insecure",
        }
    }

    /// How to go on. Another network, the right time or a new certificate help, and can come at any time.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            // A wrong password that is tried again and again can lock somebody's account.
            Self::ProxyWantsPassword => Retry::Never,
            _ => Retry::Later(None),
        }
    }
}

/// What the proxy said to CONNECT (RFC 9110 §9.3.6), if it is the cause. The library's type is private, only its sentences are not; tests of
/// the link with a real proxy hold them, and without them the server is unreachable, which is as true.
fn tunnel(error: &(dyn Error + 'static)) -> Option<Obstacle> {
    match error.to_string().strip_prefix("tunnel error: ") {
        Some("proxy authorization required") => Some(Obstacle::ProxyWantsPassword),
        Some("failed to create underlying connection") => Some(Obstacle::ProxyUnreachable),
        Some(_) => Some(Obstacle::ProxyRefused),
        None => error.source().and_then(tunnel),
    }
}

/// The TLS error among the causes.
fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    // An I/O error keeps what it was made of to itself, out of the chain of causes.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.downcast_ref().or_else(|| inner.and_then(|inner| tls(inner))).or_else(|| error.source().and_then(tls))
}
