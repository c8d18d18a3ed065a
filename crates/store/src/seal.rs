//! Sealing of titles and messages and naming of accounts, both under one key.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    hkdf, hmac,
};
use zeroize::Zeroize;

use crate::StoreError;

/// Length of an account's name in the file, in bytes.
pub(crate) const NAME_LEN: usize = 32;

/// The keys that are derived from the caller's (HKDF-SHA-256, RFC 5869), one for each use.
pub(crate) struct Keys {
    titles: RandomizedNonceKey,
    accounts: hmac::Key,
}

impl Keys {
    /// Derives the keys and wipes the original.
    pub(crate) fn derive(mut key: [u8; 32]) -> Result<Self, StoreError> {
        let keys = Self::expand(&key);
        key.zeroize();
        keys.map_err(|_| StoreError::Internal("keys".to_owned()))
    }

    fn expand(key: &[u8; 32]) -> Result<Self, aws_lc_rs::error::Unspecified> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"callbox-store").extract(key);
        let mut bytes = [0; 32];
        root.expand(&[b"titles"], &AES_256_GCM)?.fill(&mut bytes)?;
        let titles = RandomizedNonceKey::new(&AES_256_GCM, &bytes);
        bytes.zeroize();
        Ok(Self { titles: titles?, accounts: root.expand(&[b"accounts"], hmac::HMAC_SHA256)?.into() })
    }

    /// How an account is called in the file: nobody without the key can tell whose it is, or try names.
    pub(crate) fn account(&self, account: &str) -> [u8; NAME_LEN] {
        let tag = hmac::sign(&self.accounts, account.as_bytes());
        let mut name = [0; NAME_LEN];
        name.copy_from_slice(&tag.as_ref()[..NAME_LEN]);
        name
    }

    /// Seals `text` to `place`: nonce (random, 96 bits), ciphertext, tag. What is sealed to one place does not open at another.
    pub(crate) fn seal(&self, place: &[u8], text: &[u8]) -> Result<Vec<u8>, StoreError> {
        let mut body = text.to_vec();
        let nonce =
            self.titles.seal_in_place_append_tag(Aad::from(place), &mut body).map_err(|_| StoreError::Internal("sealing".to_owned()))?;
        let mut sealed = nonce.as_ref().to_vec();
        sealed.append(&mut body);
        Ok(sealed)
    }

    /// Opens what was sealed to `place`; `None` if it was not, or not under this key.
    pub(crate) fn open(&self, place: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let text = self.titles.open_in_place(nonce, Aad::from(place), &mut body).ok()?;
        Some(text.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_at_its_place_under_its_key_only() {
        let keys = Keys::derive([1; 32]).unwrap();
        let sealed = keys.seal(b"here", b"a title").unwrap();
        assert_eq!(keys.open(b"here", &sealed).as_deref(), Some(&b"a title"[..]));
        assert_eq!(keys.open(b"there", &sealed), None, "moved to another row");
        assert_eq!(Keys::derive([2; 32]).unwrap().open(b"here", &sealed), None, "another key");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(keys.open(b"here", &changed), None, "byte {at} changed");
            assert_eq!(keys.open(b"here", &sealed[..at]), None, "cut to {at} bytes");
        }
        assert_ne!(keys.seal(b"here", b"a title").unwrap(), sealed, "equal titles do not look equal");
    }

    #[test]
    fn accounts_are_named_by_key_and_name() {
        let keys = Keys::derive([1; 32]).unwrap();
        assert_eq!(keys.account("iss|ada"), keys.account("iss|ada"));
        assert_ne!(keys.account("iss|ada"), keys.account("iss|grace"));
        assert_ne!(keys.account("iss|ada"), Keys::derive([2; 32]).unwrap().account("iss|ada"));
    }
}
