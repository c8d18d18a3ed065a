//! ID tokens: who signed in (OpenID Connect Core §2, §3.1.3.7, §12.2; RFC 8725).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_vault::Secret;
use jsonwebtoken::Algorithm;
use serde_json::{Map, Value};

use crate::{Account, IdTokenError, jwks::KeySet};

/// How far this computer's clock and the tenant's may be apart.
pub(crate) const LEEWAY: Duration = Duration::from_secs(60);
/// Auth0's have 32 characters.
const MAX_SID: usize = 128;

/// What an ID token must say to be believed.
pub(crate) struct Expected<'a> {
    pub(crate) issuer: &'a str,
    pub(crate) client_id: &'a str,
    pub(crate) now: SystemTime,
    /// The organization that was asked for.
    pub(crate) organization: Option<&'a str>,
    /// How long ago the person may have proved who they are, in seconds.
    pub(crate) max_age: Option<u64>,
}

/// A token taken apart, nothing of it believed yet.
pub(crate) struct IdToken<'a> {
    signed: &'a str,
    signature: &'a str,
    pub(crate) kid: String,
    claims: Map<String, Value>,
}

impl<'a> IdToken<'a> {
    /// Takes a token apart and looks at its header: RS256 and nothing else, a key id, no critical extension. Keys and key addresses that a
    /// token brings along (`jwk`, `jku`, `x5c`, `x5u`) are not looked at.
    ///
    /// # Errors
    /// [`IdTokenError::Malformed`], [`IdTokenError::Algorithm`], [`IdTokenError::UnknownKey`].
    pub(crate) fn parse(token: &'a str) -> Result<Self, IdTokenError> {
        let (signed, signature) = token.rsplit_once('.').ok_or(IdTokenError::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(IdTokenError::Malformed)?;
        let object = |segment: &str| -> Result<Map<String, Value>, IdTokenError> {
            let bytes = URL_SAFE_NO_PAD.decode(segment).map_err(|_| IdTokenError::Malformed)?;
            serde_json::from_slice(&bytes).map_err(|_| IdTokenError::Malformed)
        };
        let header = object(header)?;
        if header.get("alg").and_then(Value::as_str) != Some("RS256") {
            return Err(IdTokenError::Algorithm);
        }
        if header.contains_key("crit") {
            return Err(IdTokenError::Malformed);
        }
        let kid = header.get("kid").and_then(Value::as_str).ok_or(IdTokenError::UnknownKey)?.to_owned();
        Ok(Self { signed, signature, kid, claims: object(claims)? })
    }

    /// Believes a token of a sign-in, if it is signed by the tenant, fresh, for this client and this very attempt.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub(crate) fn verify(&self, keys: &KeySet, expected: &Expected<'_>, nonce: &str) -> Result<Account, IdTokenError> {
        let key = keys.find(&self.kid)?;
        match jsonwebtoken::crypto::verify(self.signature, self.signed.as_bytes(), key, Algorithm::RS256) {
            Ok(true) => {}
            _ => return Err(IdTokenError::Signature),
        }
        self.check(expected)?;
        if self.text("nonce") != Some(nonce) {
            return Err(IdTokenError::Nonce);
        }
        self.check_organization(expected)?;
        self.check_age(expected)?;
        self.account()
    }

    /// Whether it belongs to this access token, where it says to which (OpenID Connect Core §3.1.3.8): the left half of its hash.
    ///
    /// # Errors
    /// [`IdTokenError::AccessToken`].
    pub(crate) fn check_access_token(&self, access: &Secret<String>) -> Result<(), IdTokenError> {
        let Some(told) = self.claims.get("at_hash") else { return Ok(()) };
        let hash = digest(&SHA256, access.expose().as_bytes());
        let half = URL_SAFE_NO_PAD.encode(&hash.as_ref()[..hash.as_ref().len() / 2]);
        if told.as_str() == Some(&half) { Ok(()) } else { Err(IdTokenError::AccessToken) }
    }

    /// When the session is over whatever happens (IPSIE), in seconds since 1970, if the tenant says so. For a token that is believed.
    pub(crate) fn session_expiry(&self) -> Option<u64> {
        self.claims.get("session_expiry").and_then(Value::as_u64)
    }

    /// The browser's session at the tenant (`sid`), if the tenant says so and it is of a length that there is room for. For a token that is believed.
    pub(crate) fn browser_session(&self) -> Option<String> {
        self.text("sid")
            .filter(|sid| (1..=MAX_SID).contains(&sid.len()) && sid.bytes().all(|byte| byte.is_ascii_graphic()))
            .map(str::to_owned)
    }

    /// The account that a token of a refresh speaks of. It came straight from the tenant, and it only confirms what is known; so the
    /// signature is not asked for (OpenID Connect Core §3.1.3.7, item 6), and its age does not matter.
    ///
    /// # Errors
    /// When it is from another issuer or for another client.
    pub(crate) fn confirm(&self, expected: &Expected<'_>) -> Result<Account, IdTokenError> {
        self.check_parties(expected)?;
        self.account()
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.claims.get(name).and_then(Value::as_str)
    }

    fn check_parties(&self, expected: &Expected<'_>) -> Result<(), IdTokenError> {
        if self.text("iss") != Some(expected.issuer) {
            return Err(IdTokenError::Issuer);
        }
        let authorized_party = self.text("azp");
        let for_us = match self.claims.get("aud") {
            Some(Value::String(one)) => one == expected.client_id && authorized_party.is_none_or(|azp| azp == expected.client_id),
            Some(Value::Array(several)) => {
                let named = several.iter().any(|audience| audience == expected.client_id);
                let party = match authorized_party {
                    Some(azp) => azp == expected.client_id,
                    None => several.len() == 1 && !self.claims.contains_key("azp"),
                };
                named && party
            }
            _ => false,
        };
        if for_us { Ok(()) } else { Err(IdTokenError::Audience) }
    }

    /// Auth0's organizations: an id is compared as it is, a name in the lower case that the tenant keeps it in.
    fn check_organization(&self, expected: &Expected<'_>) -> Result<(), IdTokenError> {
        let right = match expected.organization {
            None => true,
            Some(id) if id.starts_with("org_") => self.text("org_id") == Some(id),
            Some(name) => self.text("org_name") == Some(name.to_lowercase().as_str()),
        };
        if right { Ok(()) } else { Err(IdTokenError::Organization) }
    }

    /// OpenID Connect Core §3.1.3.7, item 13.
    fn check_age(&self, expected: &Expected<'_>) -> Result<(), IdTokenError> {
        let Some(max_age) = expected.max_age else { return Ok(()) };
        let proved = self.claims.get("auth_time").and_then(Value::as_f64).ok_or(IdTokenError::TooLongAgo)?;
        // Ages are seconds, far from where these lose precision.
        #[expect(clippy::cast_precision_loss, reason = "an age in seconds")]
        let oldest = seconds(expected.now) - max_age as f64 - LEEWAY.as_secs_f64();
        if proved >= oldest { Ok(()) } else { Err(IdTokenError::TooLongAgo) }
    }

    fn check(&self, expected: &Expected<'_>) -> Result<(), IdTokenError> {
        self.check_parties(expected)?;
        let now = seconds(expected.now);
        let leeway = LEEWAY.as_secs_f64();
        let time = |name: &str| self.claims.get(name).map(|value| value.as_f64().ok_or(IdTokenError::Malformed)).transpose();
        let expires = time("exp")?.ok_or(IdTokenError::Malformed)?;
        let issued = time("iat")?.ok_or(IdTokenError::Malformed)?;
        if expires <= now - leeway {
            return Err(IdTokenError::Expired);
        }
        if issued > now + leeway || time("nbf")?.is_some_and(|not_before| not_before > now + leeway) {
            return Err(IdTokenError::NotYet);
        }
        Ok(())
    }

    fn account(&self) -> Result<Account, IdTokenError> {
        let told = |name: &str| self.text(name).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let sub = self.text("sub").filter(|sub| !sub.is_empty()).ok_or(IdTokenError::Subject)?;
        let email = told("email");
        let name = told("name").or_else(|| told("nickname")).or_else(|| email.clone()).unwrap_or_else(|| sub.to_owned());
        let iss = self.text("iss").unwrap_or_default().to_owned();
        Ok(Account { iss, sub: sub.to_owned(), name, email, picture: told("picture") })
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -before.duration().as_secs_f64(), |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use aws_lc_rs::{
        rand::SystemRandom,
        rsa::{KeyPair, KeySize, PublicKeyComponents},
        signature::{KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512},
    };
    use serde_json::json;

    use super::*;
    use crate::fetch::tests::reply;

    const NOW: u64 = 1_800_000_000;
    const ISSUER: &str = "https://tenant.example/";

    static KEY: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());
    static OTHER: LazyLock<KeyPair> = LazyLock::new(|| KeyPair::generate(KeySize::Rsa2048).unwrap());

    fn modulus() -> Vec<u8> {
        PublicKeyComponents::<Vec<u8>>::from(KEY.public_key()).n
    }

    fn keys() -> KeySet {
        let public = PublicKeyComponents::<Vec<u8>>::from(KEY.public_key());
        let (n, e) = (URL_SAFE_NO_PAD.encode(&public.n), URL_SAFE_NO_PAD.encode(&public.e));
        let set = json!({"keys": [{"kty": "RSA", "kid": "k1", "use": "sig", "n": n, "e": e}]});
        KeySet::read(&reply(200, &[], &set.to_string())).unwrap()
    }

    fn header() -> Value {
        json!({"alg": "RS256", "typ": "JWT", "kid": "k1"})
    }

    fn claims() -> Value {
        json!({
            "iss": ISSUER, "sub": "auth0|ada", "aud": "the-client", "iat": NOW, "exp": NOW + 36000, "nonce": "the-nonce",
            "name": "Ada Lovelace", "email": "ada@example.com",
        })
    }

    fn input(header: &Value, claims: &Value) -> String {
        format!("{}.{}", URL_SAFE_NO_PAD.encode(header.to_string()), URL_SAFE_NO_PAD.encode(claims.to_string()))
    }

    fn rsa(key: &KeyPair, encoding: &'static dyn aws_lc_rs::signature::RsaEncoding, input: &str) -> Vec<u8> {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(encoding, &SystemRandom::new(), input.as_bytes(), &mut signature).unwrap();
        signature
    }

    fn signed(header: &Value, claims: &Value) -> String {
        let input = input(header, claims);
        let signature = rsa(&KEY, &RSA_PKCS1_SHA256, &input);
        format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn with(name: &str, value: Value) -> Value {
        let mut claims = claims();
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value;
        }
        claims
    }

    fn expected(now: u64) -> Expected<'static> {
        let now = UNIX_EPOCH + Duration::from_secs(now);
        Expected { issuer: ISSUER, client_id: "the-client", now, organization: None, max_age: None }
    }

    fn verify_at(token: &str, now: u64) -> Result<Account, IdTokenError> {
        let expected = expected(now);
        IdToken::parse(token)?.verify(&keys(), &expected, "the-nonce")
    }

    fn verify(token: &str) -> Result<Account, IdTokenError> {
        verify_at(token, NOW)
    }

    fn verify_claims(claims: &Value) -> Result<Account, IdTokenError> {
        verify(&signed(&header(), claims))
    }

    #[test]
    fn a_good_token_names_the_account() {
        let account = verify_claims(&claims()).unwrap();
        assert_eq!((account.iss.as_str(), account.sub.as_str(), account.name.as_str()), (ISSUER, "auth0|ada", "Ada Lovelace"));
        assert_eq!(account.email.as_deref(), Some("ada@example.com"));
    }

    #[test]
    fn a_nameless_account_goes_by_nickname_address_or_subject() {
        let mut bare = with("name", Value::Null);
        bare["nickname"] = json!("ada");
        assert_eq!(verify_claims(&bare).unwrap().name, "ada");
        bare.as_object_mut().unwrap().remove("nickname");
        assert_eq!(verify_claims(&bare).unwrap().name, "ada@example.com");
        bare.as_object_mut().unwrap().remove("email");
        assert_eq!(verify_claims(&bare).unwrap().name, "auth0|ada");
    }

    #[test]
    fn an_id_token_that_names_an_access_token_belongs_to_that_one_alone() {
        let check = |at_hash: Value, access: &str| {
            IdToken::parse(&signed(&header(), &with("at_hash", at_hash))).unwrap().check_access_token(&access.into())
        };
        // The example of OpenID Connect Core, appendix A.3.
        let (access, hash) = ("jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y", "77QmUPtjPfzWtF2AnpK9RQ");
        assert_eq!((check(json!(hash), access), check(Value::Null, access)), (Ok(()), Ok(())));
        for (at_hash, access) in [(json!(hash), "another"), (json!(""), access), (json!(7), access)] {
            assert_eq!(check(at_hash, access), Err(IdTokenError::AccessToken));
        }
    }

    #[test]
    fn a_browsers_session_has_a_name_of_a_length_that_there_is_room_for() {
        let named = |sid: Value| IdToken::parse(&signed(&header(), &with("sid", sid))).unwrap().browser_session();
        assert_eq!(named(json!("s1")).as_deref(), Some("s1"));
        assert_eq!(named(json!("s".repeat(MAX_SID))).map(|sid| sid.len()), Some(MAX_SID));
        for no in [Value::Null, json!(""), json!("a b"), json!("a\n"), json!(7), json!("s".repeat(MAX_SID + 1))] {
            assert_eq!(named(no.clone()), None, "{no}");
        }
    }

    #[test]
    fn algorithm_games_are_refused() {
        let alg = |alg: &str| json!({"alg": alg, "typ": "JWT", "kid": "k1"});
        let none = input(&alg("none"), &claims());
        assert_eq!(verify(&format!("{none}.")), Err(IdTokenError::Algorithm));
        let hs = input(&alg("HS256"), &claims());
        let tag = aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &modulus()), hs.as_bytes());
        assert_eq!(verify(&format!("{hs}.{}", URL_SAFE_NO_PAD.encode(tag.as_ref()))), Err(IdTokenError::Algorithm));
        let rs512 = input(&alg("RS512"), &claims());
        let signature = rsa(&KEY, &RSA_PKCS1_SHA512, &rs512);
        assert_eq!(verify(&format!("{rs512}.{}", URL_SAFE_NO_PAD.encode(&signature))), Err(IdTokenError::Algorithm));
        // The right name over the wrong signature.
        let lie = input(&header(), &claims());
        let signature = rsa(&KEY, &RSA_PKCS1_SHA512, &lie);
        assert_eq!(verify(&format!("{lie}.{}", URL_SAFE_NO_PAD.encode(&signature))), Err(IdTokenError::Signature));
        assert_eq!(verify(&format!("{}.", input(&header(), &claims()))), Err(IdTokenError::Signature));
        for name in ["ES256", "PS256", "rs256", "RS256 ", ""] {
            assert_eq!(verify(&signed(&alg(name), &claims())), Err(IdTokenError::Algorithm), "{name}");
        }
    }

    #[test]
    fn keys_that_the_token_brings_along_are_not_used() {
        let public = PublicKeyComponents::<Vec<u8>>::from(OTHER.public_key());
        let jwk = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(&public.n), "e": URL_SAFE_NO_PAD.encode(&public.e)});
        for (kid, error) in [(json!("k1"), IdTokenError::Signature), (json!("k2"), IdTokenError::UnknownKey)] {
            let header = json!({"alg": "RS256", "kid": kid, "jwk": jwk, "jku": "https://evil.example/jwks.json"});
            let input = input(&header, &claims());
            let signature = rsa(&OTHER, &RSA_PKCS1_SHA256, &input);
            assert_eq!(verify(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature))), Err(error));
        }
    }

    #[test]
    fn a_missing_or_unknown_kid_and_critical_extensions_are_refused() {
        assert_eq!(verify(&signed(&json!({"alg": "RS256"}), &claims())), Err(IdTokenError::UnknownKey));
        assert_eq!(verify(&signed(&json!({"alg": "RS256", "kid": "k2"}), &claims())), Err(IdTokenError::UnknownKey));
        assert_eq!(
            verify(&signed(&json!({"alg": "RS256", "kid": "k1", "crit": ["b64"], "b64": false}), &claims())),
            Err(IdTokenError::Malformed)
        );
    }

    #[test]
    fn what_is_not_a_token_is_malformed() {
        let good = signed(&header(), &claims());
        for token in ["", "a", "a.b", "a.b.c", "..", &format!("{good}.x"), &good.replacen('.', "=.", 1), &good.replacen('.', "+.", 1)] {
            assert!(matches!(verify(token), Err(IdTokenError::Malformed)), "{token:.20}");
        }
    }

    #[test]
    fn the_issuer_is_compared_character_by_character() {
        for issuer in [json!("https://tenant.example"), json!("https://evil.example/"), json!([ISSUER]), Value::Null] {
            assert_eq!(verify_claims(&with("iss", issuer)), Err(IdTokenError::Issuer));
        }
    }

    #[test]
    fn the_audience_is_this_client_and_with_several_the_authorized_party_too() {
        let of = |aud: Value, azp: Value| {
            let mut claims = with("aud", aud);
            if !azp.is_null() {
                claims["azp"] = azp;
            }
            verify_claims(&claims).map(|_| ())
        };
        let us = || json!("the-client");
        for (aud, azp) in [(us(), us()), (json!(["the-client"]), Value::Null), (json!(["the-client", "other"]), us())] {
            assert_eq!(of(aud.clone(), azp), Ok(()), "{aud}");
        }
        for (aud, azp) in [
            (json!("other"), Value::Null),
            (json!("other"), us()),
            (us(), json!("other")),
            (json!(["the-client", "other"]), Value::Null),
            (json!(["the-client", "other"]), json!("other")),
            (json!(["the-client"]), json!(7)),
            (json!([]), Value::Null),
            (json!({}), Value::Null),
            (Value::Null, Value::Null),
        ] {
            assert_eq!(of(aud.clone(), azp), Err(IdTokenError::Audience), "{aud}");
        }
    }

    #[test]
    fn the_organization_that_was_asked_for_is_the_one_that_is_named() {
        let of = |asked: &'static str, claim: &str, value: &str| {
            let token = signed(&header(), &with(claim, json!(value)));
            let expected = Expected { organization: Some(asked), ..expected(NOW) };
            IdToken::parse(&token).unwrap().verify(&keys(), &expected, "the-nonce").map(|_| ())
        };
        for (asked, claim, value) in [("org_Acme1", "org_id", "org_Acme1"), ("Acme", "org_name", "acme"), ("acme", "org_name", "acme")] {
            assert_eq!(of(asked, claim, value), Ok(()), "{asked}");
        }
        for (asked, claim, value) in [
            ("org_Acme1", "org_id", "org_other"),
            ("org_Acme1", "org_id", "org_acme1"),
            ("org_Acme1", "org_name", "org_acme1"),
            ("acme", "org_name", "Acme"),
            ("acme", "org_id", "acme"),
            ("acme", "email", "ada@example.com"),
        ] {
            assert_eq!(of(asked, claim, value), Err(IdTokenError::Organization), "{asked} {claim} {value}");
        }
    }

    #[test]
    fn a_proof_that_is_older_than_was_asked_for_is_none() {
        let of = |auth_time: Value| {
            let token = signed(&header(), &with("auth_time", auth_time));
            let expected = Expected { max_age: Some(600), ..expected(NOW) };
            IdToken::parse(&token).unwrap().verify(&keys(), &expected, "the-nonce").map(|_| ())
        };
        assert_eq!((of(json!(NOW)), of(json!(NOW - 660))), (Ok(()), Ok(())));
        for old in [json!(NOW - 661), json!("now"), Value::Null] {
            assert_eq!(of(old.clone()), Err(IdTokenError::TooLongAgo), "{old}");
        }
        assert!(verify_claims(&with("auth_time", json!(0))).is_ok(), "nobody has asked");
    }

    #[test]
    fn times_have_a_leeway_of_a_minute_and_must_be_there() {
        let token = signed(&header(), &claims());
        assert!(verify_at(&token, NOW - 60).is_ok());
        assert_eq!(verify_at(&token, NOW - 61), Err(IdTokenError::NotYet));
        assert!(verify_at(&token, NOW + 36000 + 59).is_ok());
        assert_eq!(verify_at(&token, NOW + 36000 + 60), Err(IdTokenError::Expired));
        assert_eq!(verify_claims(&with("nbf", json!(NOW + 61))), Err(IdTokenError::NotYet));
        assert!(verify_claims(&with("nbf", json!(NOW + 60))).is_ok());
        for name in ["exp", "iat"] {
            assert_eq!(verify_claims(&with(name, Value::Null)), Err(IdTokenError::Malformed), "{name}");
            assert_eq!(verify_claims(&with(name, json!("soon"))), Err(IdTokenError::Malformed), "{name}");
        }
        assert!(verify_at(&signed(&header(), &with("exp", json!(4_102_444_800_u64))), NOW).is_ok(), "beyond 2038");
    }

    #[test]
    fn the_nonce_is_the_attempts_own() {
        for nonce in [json!("another"), json!(""), json!(1), Value::Null] {
            assert_eq!(verify_claims(&with("nonce", nonce)), Err(IdTokenError::Nonce));
        }
    }

    #[test]
    fn an_account_needs_a_subject() {
        for sub in [json!(""), json!(7), Value::Null] {
            assert_eq!(verify_claims(&with("sub", sub)), Err(IdTokenError::Subject));
        }
    }

    #[test]
    fn a_refreshed_token_confirms_the_parties_whatever_its_age() {
        let expected = expected(0);
        let confirm = |claims: &Value| IdToken::parse(&signed(&header(), claims)).unwrap().confirm(&expected).map(|account| account.sub);
        assert_eq!(confirm(&with("nonce", Value::Null)), Ok("auth0|ada".to_owned()));
        assert_eq!(confirm(&with("iss", json!("x"))), Err(IdTokenError::Issuer));
        assert_eq!(confirm(&with("aud", json!("x"))), Err(IdTokenError::Audience));
    }
}
