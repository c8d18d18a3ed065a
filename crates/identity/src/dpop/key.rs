//! The key of a session: P-256, made here, kept in the vault, shown to nobody. What others see of it is its public half (RFC 7517) and the
//! hash of that (RFC 7638).

use std::fmt;

use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsBigEndian, EcPrivateKeyBin},
    error::Unspecified,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_vault::Secret;
use serde::{Deserialize, Serialize};

const VERSION: u32 = 1;
/// What two keys take, in bytes.
const MAX_STORED: usize = 512;
/// A coordinate of P-256, in bytes.
const COORDINATE: usize = 32;

/// A key pair with what its public half is called.
pub(crate) struct ProofKey {
    pair: EcdsaKeyPair,
    jwk: String,
    thumbprint: String,
}

/// The stored form. Names are short because the keychain is small.
#[derive(Serialize)]
struct StoredKeys<'a> {
    v: u32,
    /// The private scalar (RFC 7518 §6.2.2.1).
    d: &'a str,
    /// The public point, uncompressed.
    p: &'a str,
    /// The same of the key before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<StoredKey<'a>>,
}

#[derive(Serialize)]
struct StoredKey<'a> {
    d: &'a str,
    p: &'a str,
}

impl ProofKey {
    /// A new key, of the randomness of the cryptography library, which is the operating system's as everywhere in this app.
    ///
    /// # Errors
    /// When that has none.
    pub(crate) fn generate() -> Result<Self, Unspecified> {
        EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Self::of)
    }

    fn of(pair: EcdsaKeyPair) -> Self {
        // 4, x, y (SEC 1 §2.3.3).
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(COORDINATE);
        let jwk = public(&URL_SAFE_NO_PAD.encode(x), &URL_SAFE_NO_PAD.encode(y));
        let thumbprint = thumbprint(&jwk);
        Self { pair, jwk, thumbprint }
    }

    /// The public half, as JSON (RFC 7517 §4).
    pub(super) fn jwk(&self) -> &str {
        &self.jwk
    }

    /// The hash of the public half, base64url (RFC 7638 §3).
    pub(crate) fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// An ES256 signature, base64url (RFC 7518 §3.4).
    ///
    /// # Errors
    /// The cryptography library's.
    pub(super) fn sign(&self, message: &[u8]) -> Result<String, Unspecified> {
        // The library does not look at this argument: it has the system's randomness of its own.
        Ok(URL_SAFE_NO_PAD.encode(self.pair.sign(&SystemRandom::new(), message)?))
    }

    /// Both halves, base64url.
    fn halves(&self) -> Result<(Secret<String>, String), Unspecified> {
        let scalar: EcPrivateKeyBin<'_> = self.pair.private_key().as_be_bytes()?;
        Ok((Secret::new(URL_SAFE_NO_PAD.encode(scalar.as_ref())), URL_SAFE_NO_PAD.encode(self.pair.public_key().as_ref())))
    }

    /// The bytes to store. `before`: the key of the session before, as long as its record may still be in place of this session's.
    ///
    /// # Errors
    /// The cryptography library's.
    pub(crate) fn encode(&self, before: Option<&Self>) -> Result<Secret<Vec<u8>>, Unspecified> {
        let (scalar, point) = self.halves()?;
        let before = before.map(Self::halves).transpose()?;
        let before = before.as_ref().map(|(scalar, point)| StoredKey { d: scalar.expose(), p: point });
        let stored = StoredKeys { v: VERSION, d: scalar.expose(), p: &point, before };
        // One buffer of the final size: growing would leave copies of the key behind.
        let mut bytes = Vec::with_capacity(MAX_STORED);
        // Strings always serialize.
        let _ = serde_json::to_writer(&mut bytes, &stored);
        Ok(Secret::new(bytes))
    }

    /// The key with this thumbprint in what [`ProofKey::encode`] wrote. `None`: another version, another key, or halves that do not belong together.
    pub(crate) fn decode(bytes: &Secret<Vec<u8>>, thumbprint: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Read {
            v: u32,
            d: String,
            p: String,
            #[serde(default)]
            before: Option<Before>,
        }
        #[derive(Deserialize)]
        struct Before {
            d: String,
            p: String,
        }
        let read: Read = serde_json::from_slice(bytes.expose()).ok()?;
        let before = read.before.map(|before| (Secret::new(before.d), before.p));
        let all = [Some((Secret::new(read.d), read.p)), before].into_iter().flatten();
        if read.v != VERSION {
            return None;
        }
        all.filter_map(|(scalar, point)| Self::join(&scalar, &point)).find(|key| key.thumbprint == thumbprint)
    }

    fn join(scalar: &Secret<String>, point: &str) -> Option<Self> {
        let scalar = Secret::new(URL_SAFE_NO_PAD.decode(scalar.expose()).ok()?);
        let point = URL_SAFE_NO_PAD.decode(point).ok()?;
        if point.len() != 1 + 2 * COORDINATE || point.first() != Some(&4) {
            return None;
        }
        let pair = EcdsaKeyPair::from_private_key_and_public_key(&ECDSA_P256_SHA256_FIXED_SIGNING, scalar.expose(), &point);
        pair.ok().map(Self::of)
    }
}

/// A public key as JSON, with exactly the members of RFC 7638 §3.2 in their order.
fn public(x: &str, y: &str) -> String {
    format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#)
}

fn thumbprint(jwk: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, jwk.as_bytes()))
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ProofKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thumbprint_is_that_of_the_rfc() {
        // The key of RFC 9449 §4.1 and its hash in §6.1.
        let jwk = public("l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs", "9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA");
        assert_eq!(thumbprint(&jwk), "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I");
    }

    #[test]
    fn a_key_reads_what_it_writes_and_shows_nothing_of_itself() {
        let (key, before) = (ProofKey::generate().unwrap(), ProofKey::generate().unwrap());
        for with in [None, Some(&before)] {
            let bytes = key.encode(with).unwrap();
            let again = ProofKey::decode(&bytes, key.thumbprint()).unwrap();
            assert_eq!((again.thumbprint(), again.jwk()), (key.thumbprint(), key.jwk()));
            assert_eq!(bytes.expose(), again.encode(with).unwrap().expose());
            assert_eq!(ProofKey::decode(&bytes, before.thumbprint()).is_some(), with.is_some(), "the one before, if it is there");
            assert!(ProofKey::decode(&bytes, "another").is_none());
            assert!(bytes.expose().len() <= MAX_STORED, "the buffer did not move");
        }
        assert_eq!(format!("{key:?}"), "ProofKey(…)");
        assert!(!key.jwk().contains("\"d\""));
        assert_ne!(key.thumbprint(), before.thumbprint());
    }

    #[test]
    fn halves_that_do_not_belong_together_and_other_things_are_no_key() {
        let (one, other) = (ProofKey::generate().unwrap(), ProofKey::generate().unwrap());
        let read = |text: &str| [&one, &other].iter().any(|key| ProofKey::decode(&text.as_bytes().into(), key.thumbprint()).is_some());
        let text = |key: &ProofKey| String::from_utf8(key.encode(None).unwrap().expose().clone()).unwrap();
        let point = |text: &str| text.split("\"p\":").nth(1).unwrap().to_owned();
        let (mine, theirs) = (text(&one), text(&other));
        assert!(read(&mine));
        assert!(!read(&mine.replace(&point(&mine), &point(&theirs))));
        for bytes in ["", "{}", "null", &mine.replace("\"v\":1", "\"v\":2"), r#"{"v":1,"d":"","p":""}"#, r#"{"v":1,"d":"AA","p":"BA"}"#] {
            assert!(!read(bytes), "{bytes}");
        }
    }
}
