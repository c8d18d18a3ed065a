//! The access token.

use std::{fmt, sync::Arc};

use callbox_vault::Secret;
use http::HeaderValue;

/// An access token, opaque to the app (RFC 9068 §6). Clones share one copy in memory.
#[derive(Clone)]
pub struct AccessToken {
    value: Arc<Secret<String>>,
    fingerprint: u64,
}

impl AccessToken {
    /// The value of an `Authorization` header: `Bearer …`, marked as sensitive so that HTTP libraries keep it out of their logs.
    #[must_use]
    pub fn header_value(&self) -> HeaderValue {
        let text = Secret::new(format!("Bearer {}", self.value.expose()));
        let mut header = HeaderValue::from_str(text.expose()).unwrap_or_else(|_| HeaderValue::from_static("Bearer"));
        header.set_sensitive(true);
        header
    }

    /// Tells two tokens apart without showing either: 64 bits of a hash.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }
}

impl fmt::Debug for AccessToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccessToken(…)")
    }
}
