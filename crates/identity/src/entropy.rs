//! Randomness, passed in.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_vault::Secret;

/// Unpredictable bytes.
pub trait Entropy: Send + Sync + 'static {
    /// Fills all of `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The operating system's generator.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        if SystemRandom::new().fill(bytes).is_err() {
            // Nothing that follows could be kept secret.
            std::process::abort();
        }
    }
}

/// 256 bits as 43 characters of base64url: a `state`, a `nonce`, a PKCE verifier (RFC 7636 §4.1 recommends exactly this).
pub(crate) fn token(entropy: &dyn Entropy) -> Secret<String> {
    let mut bytes = Secret::new([0; 32]);
    let mut raw = *bytes.expose();
    entropy.fill(&mut raw);
    bytes = Secret::new(raw);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes.expose()))
}
