//! The one TLS configuration: the system's certificate authorities and Mozilla's.

use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};

/// How many authorities are trusted, by where they come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Authorities {
    /// Of the system, or of the list that `SSL_CERT_FILE` names.
    pub system: usize,
    /// Of these, and their lists, so many could not be read.
    pub unreadable: usize,
    /// Of Mozilla's list, which is compiled in.
    pub mozilla: usize,
}

/// Looks at the system's list anew. Reads the disk.
#[must_use]
pub fn authorities() -> Authorities {
    let system = rustls_native_certs::load_native_certs();
    Authorities { system: system.certs.len(), unreadable: system.errors.len(), mozilla: webpki_roots::TLS_SERVER_ROOTS.len() }
}

/// How this app speaks TLS, for HTTP and sockets alike: certificates are trusted that the system trusts (a company's own authority included) or
/// that Mozilla's list has, so that a sign-in that works means a socket that works. TLS 1.2 and 1.3 by aws-lc-rs, no client certificate.
///
/// The first call reads the system's certificates from the disk; later ones return the same configuration.
///
/// # Errors
/// When the cryptography library has no usable protocol version, which no supported build has.
pub fn tls_config() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    if !system.errors.is_empty() {
        tracing::warn!(errors = system.errors.len(), "some of the system's certificates could not be read");
    }
    roots.add_parsable_certificates(system.certs);
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(CONFIG.get_or_init(|| Arc::new(config)).clone())
}
