//! The tenant's signing keys and its key set (RFC 7517).

use aws_lc_rs::{
    encoding::{AsDer, Pkcs8V1Der},
    rsa::{KeyPair, KeySize},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey, Validation, crypto,
    jwk::{Jwk, PublicKeyUse, ThumbprintHash},
};
use serde_json::{Map, Value, json};

use crate::{SandboxError, Signature};

/// The file of the current key: PKCS#8, readable by the user alone. It signs for this sandbox only; nobody else trusts it.
pub(crate) const FILE: &str = "signing-key.p8";

/// One RSA key pair.
#[derive(Debug, Clone)]
struct SigningKey {
    kid: String,
    private: EncodingKey,
    public: DecodingKey,
    jwk: Jwk,
}

#[expect(clippy::needless_pass_by_value, reason = "it is handed to map_err")]
fn failed(error: impl ToString) -> SandboxError {
    SandboxError::Key(error.to_string())
}

fn generate() -> Result<Vec<u8>, SandboxError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
    Ok(der.as_ref().to_vec())
}

impl SigningKey {
    fn from_pkcs8(der: &[u8]) -> Result<Self, SandboxError> {
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines(&STANDARD.encode(der)));
        let private = EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(failed)?;
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::RS256).map_err(failed)?;
        // RFC 7638: the same key always has the same id, so that only the key itself needs to be kept.
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(failed)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(failed)?;
        Ok(Self { kid, private, public, jwk })
    }
}

fn lines(text: &str) -> String {
    text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect::<Vec<_>>().join("\n")
}

/// Why a token was not accepted, in the words that the JOSE library of the hosted agent uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenFault {
    Malformed,
    Signature,
    Expired,
    Issuer,
    Audience,
}

impl TokenFault {
    pub(crate) fn description(self) -> &'static str {
        match self {
            Self::Malformed => "Invalid Compact JWS",
            Self::Signature => "signature verification failed",
            Self::Expired => "'exp' claim timestamp check failed",
            Self::Issuer => "unexpected 'iss' claim value",
            Self::Audience => "unexpected 'aud' claim value",
        }
    }
}

/// The key that signs, and those that did before.
#[derive(Debug)]
pub(crate) struct KeyRing {
    current: SigningKey,
    retired: Vec<SigningKey>,
}

impl KeyRing {
    /// The ring of a known key, or of a new one, whose PKCS#8 comes back to be kept.
    pub(crate) fn open(known: Option<&[u8]>) -> Result<(Self, Option<Vec<u8>>), SandboxError> {
        if let Some(Ok(current)) = known.map(SigningKey::from_pkcs8) {
            return Ok((Self { current, retired: Vec::new() }, None));
        }
        let der = generate()?;
        Ok((Self { current: SigningKey::from_pkcs8(&der)?, retired: Vec::new() }, Some(der)))
    }

    /// Signs with a new key from now on. Its PKCS#8 comes back to be kept.
    pub(crate) fn rotate(&mut self, forget_old: bool) -> Result<Vec<u8>, SandboxError> {
        let der = generate()?;
        let old = std::mem::replace(&mut self.current, SigningKey::from_pkcs8(&der)?);
        if forget_old {
            self.retired.clear();
        } else {
            self.retired.push(old);
        }
        Ok(der)
    }

    /// The key set as it is published.
    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<&Jwk> = std::iter::once(&self.current).chain(&self.retired).map(|key| &key.jwk).collect();
        json!({ "keys": keys })
    }

    /// A signed token. `header` is added to `alg` and `kid`; `by` replaces the signer.
    pub(crate) fn sign(
        &self,
        typ: &str,
        header: &Map<String, Value>,
        claims: &Map<String, Value>,
        by: Option<Signature>,
    ) -> Result<String, SandboxError> {
        let stranger = match by {
            Some(Signature::UnknownKey | Signature::ForgedKey) => Some(SigningKey::from_pkcs8(&generate()?)?),
            _ => None,
        };
        let kid = match (&stranger, by) {
            (Some(stranger), Some(Signature::UnknownKey)) => &stranger.kid,
            _ => &self.current.kid,
        };
        let algorithm = match by {
            Some(Signature::None) => "none",
            Some(Signature::PublicKeyAsSecret) => "HS256",
            _ => "RS256",
        };
        let mut fields = Map::from_iter([("kid".to_owned(), json!(kid)), ("typ".to_owned(), json!(typ))]);
        crate::control::patch(&mut fields, header);
        fields.insert("alg".to_owned(), json!(algorithm));
        let encode = |value: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(value.clone()).to_string());
        let message = format!("{}.{}", encode(&fields), encode(claims));
        let signature = match by {
            Some(Signature::None) => String::new(),
            Some(Signature::PublicKeyAsSecret) => {
                let modulus = self.jwks()["keys"][0]["n"].as_str().unwrap_or_default().to_owned();
                crypto::sign(message.as_bytes(), &EncodingKey::from_secret(modulus.as_bytes()), Algorithm::HS256).map_err(failed)?
            }
            _ => {
                let key = stranger.as_ref().unwrap_or(&self.current);
                crypto::sign(message.as_bytes(), &key.private, Algorithm::RS256).map_err(failed)?
            }
        };
        Ok(format!("{message}.{signature}"))
    }

    /// The claims of a token that one of these keys signed, whatever they say.
    pub(crate) fn verify(&self, token: &str) -> Result<Map<String, Value>, TokenFault> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| TokenFault::Malformed)?;
        let keys = std::iter::once(&self.current).chain(&self.retired);
        let key = keys.into_iter().find(|key| header.kid.as_deref() == Some(&key.kid)).ok_or(TokenFault::Signature)?;
        let mut only_signature = Validation::new(Algorithm::RS256);
        only_signature.required_spec_claims.clear();
        only_signature.validate_exp = false;
        only_signature.validate_aud = false;
        let data = jsonwebtoken::decode::<Map<String, Value>>(token, &key.public, &only_signature).map_err(|_| TokenFault::Signature)?;
        Ok(data.claims)
    }
}
