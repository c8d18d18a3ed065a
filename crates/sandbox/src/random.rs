//! Identifiers and secrets from the operating system's randomness.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

const ALPHANUMERIC: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const URL_SAFE: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

fn bytes(into: &mut [u8]) {
    // The operating system's generator does not fail on systems that run the app; a sandbox id of zeros would still be only an id.
    if SystemRandom::new().fill(into).is_err() {
        tracing::warn!("the system's random generator failed");
    }
}

fn pick(alphabet: &[u8], length: usize) -> String {
    let mut random = vec![0u8; length];
    bytes(&mut random);
    random.iter().map(|byte| char::from(alphabet[usize::from(*byte) % alphabet.len()])).collect()
}

/// Lower-case letters and digits, as the tool call ids and the ends of message ids.
pub(crate) fn base36(length: usize) -> String {
    pick(ALPHANUMERIC, length)
}

/// The alphabet of nanoid, as the request ids that the agent makes.
pub(crate) fn nanoid(length: usize) -> String {
    pick(URL_SAFE, length)
}

/// 256 bits, base64url: authorization codes, refresh tokens, cookies.
pub(crate) fn secret() -> String {
    let mut random = [0u8; 32];
    bytes(&mut random);
    URL_SAFE_NO_PAD.encode(random)
}

/// SHA-256, base64url: all that is kept of a secret, and the S256 code challenge (RFC 7636 §4.2).
pub(crate) fn sha256(value: &str) -> String {
    URL_SAFE_NO_PAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, value.as_bytes()))
}
