//! What the vault holds of a session: the refresh token and enough to show who is signed in, and beside it an access token. Versioned JSON.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use callbox_vault::{ENTRY_LEN, Secret};
use serde::{Deserialize, Serialize};

use crate::{Account, Profile, journal, refresh::Held};

const VERSION: u32 = 1;
/// Longer names and addresses are cut: the record has to fit into the smallest keychain beside a large refresh token.
const MAX_SHOWN: usize = 120;

/// A session as it outlives the app.
pub(crate) struct Record {
    pub(crate) refresh: Secret<String>,
    pub(crate) account: Account,
    /// One more with each refresh token that the session gets. An earlier version of this app wrote none: 0.
    pub(crate) generation: u64,
    /// When the session is over whatever happens (IPSIE's `session_expiry`), in seconds since 1970.
    pub(crate) ends: Option<u64>,
    /// The browser's session at the tenant in which the person signed in (OpenID Connect Front-Channel Logout 1.0 §3, `sid`).
    pub(crate) browser: Option<String>,
    /// How often somebody had signed out here before ([`journal::Entry::left`]); if it is oftener now, they signed out of this one.
    pub(crate) left: u64,
    /// None: a session of bearer tokens.
    pub(crate) bound: Option<Bound>,
}

/// To which key a session is bound. The key itself lies beside the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Bound {
    /// RFC 7638.
    pub(crate) thumbprint: String,
    /// Not only the refresh token is bound, the access tokens are too.
    pub(crate) access: bool,
}

/// The stored form. Names are short because the keychain is small.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    v: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    n: u64,
    rt: &'a str,
    iss: &'a str,
    sub: &'a str,
    name: &'a str,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    email: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    picture: Option<&'a str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ends: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(default, skip_serializing_if = "is_zero")]
    left: u64,
    /// The hash of the session's key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    jkt: Option<&'a str>,
    /// Only the refresh token is bound to it.
    #[serde(default, skip_serializing_if = "is_false")]
    bearer: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_false(flag: &bool) -> bool {
    !*flag
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The name of a profile's session in the vault: the same issuer, client, audience and resource are the same session. A hash, because some keychains
/// limit and join names.
pub(crate) fn key(profile: &Profile) -> String {
    let mut parts = vec![profile.issuer.as_str(), &profile.client_id, profile.audience.as_deref().unwrap_or_default()];
    parts.extend(profile.resource.as_deref());
    // Tokens for one organization are not those for another.
    let organization = profile.organization.as_ref().map(|name| format!("organization {name}"));
    parts.extend(organization.as_deref());
    let hash = digest(&SHA256, parts.join("\n").as_bytes());
    let hex: String = hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("session-{hex}")
}

impl Record {
    /// The bytes to store. The picture is left out if there is no room for it; so is the record's size never the account's fault.
    pub(crate) fn encode(&self) -> Secret<Vec<u8>> {
        let full = self.encode_with(self.account.picture.as_deref());
        if full.expose().len() > ENTRY_LEN { self.encode_with(None) } else { full }
    }

    fn encode_with(&self, picture: Option<&str>) -> Secret<Vec<u8>> {
        let cut = |text: &'_ str| text.char_indices().nth(MAX_SHOWN).map_or(text.len(), |(end, _)| end);
        let account = &self.account;
        let stored = Stored {
            v: VERSION,
            n: self.generation,
            rt: self.refresh.expose(),
            iss: &account.iss,
            sub: &account.sub,
            name: &account.name[..cut(&account.name)],
            email: account.email.as_deref().map(|email| &email[..cut(email)]),
            picture,
            ends: self.ends,
            sid: self.browser.as_deref(),
            left: self.left,
            jkt: self.bound.as_ref().map(|bound| bound.thumbprint.as_str()),
            bearer: self.bound.as_ref().is_some_and(|bound| !bound.access),
        };
        // One buffer of the final size: growing would leave copies of the token behind.
        let mut bytes = Vec::with_capacity(2 * ENTRY_LEN + self.refresh.expose().len());
        // Strings always serialize.
        let _ = serde_json::to_writer(&mut bytes, &stored);
        Secret::new(bytes)
    }

    /// Reads what [`Record::encode`] wrote. `None`: another version, or not a record.
    pub(crate) fn decode(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        /// Owned, because a string with escapes cannot be borrowed.
        #[derive(Deserialize)]
        struct Read {
            v: u32,
            #[serde(default)]
            n: u64,
            rt: String,
            iss: String,
            sub: String,
            name: String,
            #[serde(default)]
            email: Option<String>,
            #[serde(default)]
            picture: Option<String>,
            #[serde(default)]
            ends: Option<u64>,
            #[serde(default)]
            sid: Option<String>,
            #[serde(default)]
            left: u64,
            #[serde(default)]
            jkt: Option<String>,
            #[serde(default)]
            bearer: bool,
        }
        let read: Read = serde_json::from_slice(bytes.expose()).ok()?;
        let refresh = Secret::new(read.rt);
        let usable = read.v == VERSION && !refresh.expose().is_empty() && !read.sub.is_empty();
        let account = Account { iss: read.iss, sub: read.sub, name: read.name, email: read.email, picture: read.picture };
        let bound = read.jkt.map(|thumbprint| Bound { thumbprint, access: !read.bearer });
        usable.then_some(Self { refresh, account, generation: read.n, ends: read.ends, browser: read.sid, left: read.left, bound })
    }
}

/// An access token as the processes of one user share it: what one of them was given, the others need not ask for.
pub(crate) struct Spare {
    pub(crate) access: Secret<String>,
    pub(crate) lifetime: Duration,
    /// When its request was sent, by the clock on the wall: the one that processes have in common.
    pub(crate) since: SystemTime,
    /// The hash of the refresh token that came with it.
    with: String,
    /// The hash of the key that it is bound to, if it is.
    pub(crate) thumbprint: Option<String>,
}

/// The stored form.
#[derive(Serialize)]
struct StoredSpare<'a> {
    v: u32,
    at: &'a str,
    since_ms: u64,
    lifetime_ms: u64,
    with: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    jkt: Option<&'a str>,
}

impl Spare {
    pub(crate) fn of(held: &Held, refresh: &Secret<String>) -> Self {
        let (access, lifetime, since) = held.parts();
        let thumbprint = held.token.prover().map(|prover| prover.key().thumbprint().to_owned());
        Self { access, lifetime, since, with: journal::hash(refresh), thumbprint }
    }

    pub(crate) fn came_with(&self, refresh: &Secret<String>) -> bool {
        self.with == journal::hash(refresh)
    }

    pub(crate) fn encode(&self) -> Secret<Vec<u8>> {
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let stored = StoredSpare {
            v: VERSION,
            at: self.access.expose(),
            since_ms: millis(self.since.duration_since(UNIX_EPOCH).unwrap_or_default()),
            lifetime_ms: millis(self.lifetime),
            with: &self.with,
            jkt: self.thumbprint.as_deref(),
        };
        let mut bytes = Vec::with_capacity(256 + 2 * self.access.expose().len());
        // Strings and numbers always serialize.
        let _ = serde_json::to_writer(&mut bytes, &stored);
        Secret::new(bytes)
    }

    /// Reads what [`Spare::encode`] wrote. `None`: another version, or something else.
    pub(crate) fn decode(bytes: &Secret<Vec<u8>>) -> Option<Self> {
        #[derive(Deserialize)]
        struct Read {
            v: u32,
            at: String,
            since_ms: u64,
            lifetime_ms: u64,
            with: String,
            #[serde(default)]
            jkt: Option<String>,
        }
        let read: Read = serde_json::from_slice(bytes.expose()).ok()?;
        let access = Secret::new(read.at);
        let since = UNIX_EPOCH.checked_add(Duration::from_millis(read.since_ms))?;
        let usable = read.v == VERSION && !access.expose().is_empty() && access.expose().bytes().all(|byte| byte.is_ascii_graphic());
        let lifetime = Duration::from_millis(read.lifetime_ms);
        usable.then_some(Self { access, lifetime, since, with: read.with, thumbprint: read.jkt })
    }
}

#[cfg(test)]
mod tests {
    use url::Url;

    use super::*;
    use crate::Issuer;

    fn record(refresh: &str) -> Record {
        let account = Account {
            iss: "https://tenant.example/".to_owned(),
            sub: "auth0|ada".to_owned(),
            name: "Ada \"the first\" Løvelace".to_owned(),
            email: Some("ada@example.com".to_owned()),
            picture: Some("https://pictures.example/ada.png".to_owned()),
        };
        Record { refresh: refresh.into(), account, generation: 7, ends: None, browser: None, left: 0, bound: None }
    }

    #[test]
    fn a_record_says_which_key_it_is_bound_to_and_has_no_key() {
        for access in [true, false] {
            let bound = Some(Bound { thumbprint: "the-hash".to_owned(), access });
            let bytes = Record { bound: bound.clone(), ..record("rt") }.encode();
            assert_eq!(Record::decode(&bytes).unwrap().bound, bound);
            let tail = if access { r#","jkt":"the-hash"}"# } else { r#","jkt":"the-hash","bearer":true}"# };
            assert!(String::from_utf8(bytes.expose().clone()).unwrap().ends_with(tail));
        }
    }

    #[test]
    fn a_record_reads_what_it_writes() {
        let read = Record::decode(&record("the-token").encode()).unwrap();
        assert_eq!((read.refresh.expose().as_str(), read.generation, read.account), ("the-token", 7, record("").account));
    }

    #[test]
    fn the_stored_form_is_fixed() {
        let text = String::from_utf8(record("rt").encode().expose().clone()).unwrap();
        assert_eq!(
            text,
            r#"{"v":1,"n":7,"rt":"rt","iss":"https://tenant.example/","sub":"auth0|ada","name":"Ada \"the first\" Løvelace","email":"ada@example.com","picture":"https://pictures.example/ada.png"}"#
        );
    }

    #[test]
    fn the_end_of_a_session_is_kept_with_it() {
        let bytes = Record { ends: Some(1_900_000_000), ..record("rt") }.encode();
        assert!(String::from_utf8(bytes.expose().clone()).unwrap().ends_with(r#","ends":1900000000}"#));
        assert_eq!(Record::decode(&bytes).unwrap().ends, Some(1_900_000_000));
    }

    #[test]
    fn the_browsers_session_and_the_sign_outs_before_are_kept_with_it() {
        let bytes = Record { browser: Some("s1".to_owned()), left: 2, ..record("rt") }.encode();
        assert!(String::from_utf8(bytes.expose().clone()).unwrap().ends_with(r#","sid":"s1","left":2}"#));
        let read = Record::decode(&bytes).unwrap();
        assert_eq!((read.browser.as_deref(), read.left), (Some("s1"), 2));
    }

    #[test]
    fn the_form_of_an_earlier_version_is_read() {
        let earlier = r#"{"v":1,"rt":"rt","iss":"https://tenant.example/","sub":"auth0|ada","name":"Ada"}"#;
        let read = Record::decode(&earlier.as_bytes().into()).unwrap();
        assert_eq!((read.refresh.expose().as_str(), read.generation, read.account.name.as_str()), ("rt", 0, "Ada"));
    }

    #[test]
    fn an_access_token_is_read_with_the_refresh_token_that_it_came_with_and_no_other() {
        let since = UNIX_EPOCH + Duration::from_millis(1_800_000_000_123);
        let held = Held::new("at".into(), Duration::from_secs(3600), tokio::time::Instant::now(), since);
        let bytes = Spare::of(&held, &"rt".into()).encode();
        let spare = Spare::decode(&bytes).unwrap();
        assert_eq!((spare.access.expose().as_str(), spare.lifetime, spare.since), ("at", Duration::from_secs(3600), since));
        assert!(spare.came_with(&"rt".into()) && !spare.came_with(&"rt2".into()));
        assert!(!String::from_utf8(bytes.expose().clone()).unwrap().contains("\"rt\""), "only its hash is there");
        assert!(Spare::decode(&record("rt").encode()).is_none());
    }

    #[test]
    fn a_record_fits_into_the_smallest_keychain_whatever_the_account_is_called() {
        let mut large = record(&"t".repeat(1024));
        large.account.name = "Ж".repeat(5000);
        large.account.email = Some("@".repeat(5000));
        large.account.picture = Some("p".repeat(5000));
        large.bound = Some(Bound { thumbprint: "t".repeat(43), access: false });
        (large.ends, large.browser, large.left) = (Some(u64::MAX), Some("s".repeat(128)), u64::MAX);
        let bytes = large.encode();
        assert!(bytes.expose().len() <= ENTRY_LEN, "{}", bytes.expose().len());
        let read = Record::decode(&bytes).unwrap();
        assert_eq!((read.account.name.chars().count(), read.account.picture), (MAX_SHOWN, None));
        assert_eq!(read.refresh.expose().len(), 1024);
    }

    #[test]
    fn other_versions_and_other_things_are_not_read() {
        let good = String::from_utf8(record("rt").encode().expose().clone()).unwrap();
        for bytes in ["", "null", "{}", "\u{0}", &good.replace("\"v\":1", "\"v\":2"), &good.replace("\"rt\":\"rt\"", "\"rt\":\"\"")] {
            assert!(Record::decode(&bytes.as_bytes().into()).is_none(), "{bytes}");
        }
    }

    #[test]
    fn a_session_belongs_to_issuer_client_and_audience() {
        let profile = |issuer: &str, client: &str, audience: Option<&str>| {
            let mut profile = Profile::new("p", Url::parse("https://a.example").unwrap(), Issuer::parse(issuer).unwrap(), client);
            profile.audience = audience.map(str::to_owned);
            key(&profile)
        };
        let one = profile("https://t.example/", "c", None);
        assert_eq!(one, profile("https://t.example/", "c", None));
        assert_eq!(one.len(), 40);
        let mut organized = Profile::new("p", Url::parse("https://a.example").unwrap(), Issuer::parse("https://t.example/").unwrap(), "c");
        organized.organization = Some("acme".to_owned());
        assert_ne!(one, key(&organized));
        for other in [
            profile("https://t.example", "c", None),
            profile("https://t.example/", "d", None),
            profile("https://t.example/", "c", Some("a")),
        ] {
            assert_ne!(one, other);
        }
    }
}
