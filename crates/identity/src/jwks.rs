//! The tenant's signing keys (RFC 7517): which are used, and when they are asked for again.

use std::time::Duration;

use jsonwebtoken::DecodingKey;
use serde_json::Value;
use tokio::time::Instant;

use crate::{IdTokenError, fetch::Reply};

/// An unknown key id makes the set be fetched again, this often at most: tokens cannot make the app flood its tenant.
const PAUSE: Duration = Duration::from_secs(60);
/// More keys than any tenant has.
const MAX_KEYS: usize = 64;

/// The keys of one answer.
#[derive(Default)]
pub(crate) struct KeySet(Vec<(String, DecodingKey)>);

impl KeySet {
    /// Keeps RSA keys for RS256 signatures that have an id; leaves out everything else. `None` if this is no key set at all.
    pub(crate) fn read(reply: &Reply) -> Option<Self> {
        let document = reply.json().filter(|_| reply.status == 200)?;
        let keys = document.get("keys")?.as_array()?;
        let usable = keys.iter().take(MAX_KEYS).filter_map(|key| {
            let text = |name: &str| key.get(name).and_then(Value::as_str);
            let fits = |name: &str, wanted: &str| key.get(name).is_none_or(|value| value == wanted);
            if text("kty") != Some("RSA") || !fits("use", "sig") || !fits("alg", "RS256") {
                return None;
            }
            let public = DecodingKey::from_rsa_components(text("n")?, text("e")?).ok()?;
            Some((text("kid")?.to_owned(), public))
        });
        Some(Self(usable.collect()))
    }

    /// The key with this id.
    ///
    /// # Errors
    /// [`IdTokenError::UnknownKey`] if there is none, or more than one.
    pub(crate) fn find(&self, kid: &str) -> Result<&DecodingKey, IdTokenError> {
        let mut found = self.0.iter().filter(|(id, _)| id == kid);
        match (found.next(), found.next()) {
            (Some((_, key)), None) => Ok(key),
            _ => Err(IdTokenError::UnknownKey),
        }
    }
}

/// When the key set may be fetched again for an unknown key id. The first fetch is free.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct RefetchLimit(Option<Instant>);

impl RefetchLimit {
    /// Whether a fetch is allowed now; if so, it is counted.
    pub(crate) fn allow(&mut self, now: Instant) -> bool {
        let allowed = self.0.is_none_or(|last| now.duration_since(last) >= PAUSE);
        if allowed {
            self.0 = Some(now);
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fetch::tests::reply;

    fn key(changes: &[(&str, Value)]) -> Value {
        let mut key = json!({"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "a", "n": "u1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gunVTLw7onLRnrq0_IzW7yWR7QkrmBL7jTKEn5u-qKhbwKfBstIs-bMY2Zkp18gnTxKLxoS2tFczGkPLPgizskuemMghRniWaoLcyehkd3qqGElvW_VDL5AaWTg0nLVkjRo9z-40RQzuVaE8AkAFmxZzow3x-VJYKdjykkJ0iT9wCS0DRTXu269V264Vf_3jvredZiKRkgwlL9xNAwxXFg0x_XFw005UWVRIkdgcKWTjpBP2dPwVZ4WWC-9aGVd-Gyn1o0CLelf4rEjGoXbAAEgAqeGUxrcIlbjXfbcmw", "e": "AQAB"});
        for (name, value) in changes {
            if value.is_null() {
                key.as_object_mut().unwrap().remove(*name);
            } else {
                key[*name] = value.clone();
            }
        }
        key
    }

    fn finds_a(keys: &[Value]) -> bool {
        KeySet::read(&reply(200, &[], &json!({ "keys": keys }).to_string())).unwrap().find("a").is_ok()
    }

    #[test]
    fn only_rsa_signature_keys_with_an_id_are_used() {
        assert!(finds_a(&[key(&[])]));
        assert!(finds_a(&[key(&[("use", Value::Null), ("alg", Value::Null)])]));
        for (name, value) in [
            ("kty", json!("EC")),
            ("kty", json!("oct")),
            ("use", json!("enc")),
            ("alg", json!("RS512")),
            ("kid", json!("b")),
            ("kid", Value::Null),
            ("n", Value::Null),
            ("e", json!(7)),
        ] {
            assert!(!finds_a(&[key(&[(name, value.clone())])]), "{name} {value}");
        }
    }

    #[test]
    fn one_id_for_two_keys_names_neither() {
        assert!(finds_a(&[key(&[]), key(&[("kid", json!("b"))])]));
        assert!(!finds_a(&[key(&[]), key(&[])]));
    }

    #[test]
    fn what_is_no_key_set_is_none() {
        for (status, body) in [(200, "<html>"), (200, "{}"), (200, r#"{"keys": 1}"#), (200, "[]"), (500, r#"{"keys": []}"#)] {
            assert!(KeySet::read(&reply(status, &[], body)).is_none(), "{body}");
        }
    }

    #[test]
    fn a_flood_of_unknown_ids_makes_one_fetch_a_minute() {
        let (start, mut limit) = (Instant::now(), RefetchLimit::default());
        let fetches = (0..180).filter(|second| limit.allow(start + Duration::from_secs(*second))).count();
        assert_eq!(fetches, 3);
    }
}
