//! What is known of the servers that proofs are made for: the last nonce of each, and how far its clock is from this computer's.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use http::{HeaderMap, header};
use url::Url;

/// More servers than any session talks to. If there are more, all of them are forgotten: what is lost is a nonce.
const MAX_SERVERS: usize = 32;
/// A nonce that is longer is none.
const MAX_NONCE: usize = 512;
/// A difference of the clocks that is as small as this is the way of the answer.
const SMALL: i64 = 5;

/// The nonces and clocks of all servers of a session. Origins are told apart as addresses are (RFC 6454 §4).
#[derive(Debug, Default)]
pub(crate) struct Servers(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    by_origin: HashMap<String, Server>,
    /// By how many seconds the clock of the server that has answered last is ahead.
    ahead: i64,
}

#[derive(Debug, Default)]
struct Server {
    nonce: Option<String>,
    ahead: Option<i64>,
}

/// What a proof for a server says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) nonce: Option<String>,
    /// How far its clock is ahead of this computer's, in seconds; of a server that has not answered yet, that of the last which has.
    pub(super) ahead: i64,
}

impl Servers {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes along what an answer says (RFC 9449 §8.2: the newest nonce counts, whatever the answer is; RFC 9110 §6.6.1). `now`: this computer's
    /// time when it came.
    pub(crate) fn heard(&self, url: &Url, headers: &HeaderMap, now: SystemTime) {
        let mut known = self.known();
        let ahead = ahead(headers, now);
        known.ahead = ahead.unwrap_or(known.ahead);
        let nonce = nonce(headers);
        if nonce.is_none() && ahead.is_none() {
            return;
        }
        let origin = url.origin().ascii_serialization();
        if known.by_origin.len() >= MAX_SERVERS && !known.by_origin.contains_key(&origin) {
            known.by_origin.clear();
        }
        let server = known.by_origin.entry(origin).or_default();
        server.nonce = nonce.or(server.nonce.take());
        server.ahead = ahead.or(server.ahead);
    }

    /// The clock of a server that has said something without a proof.
    pub(crate) fn is_ahead(&self, seconds: Option<i64>) {
        let mut known = self.known();
        known.ahead = seconds.unwrap_or(known.ahead);
    }

    pub(super) fn told(&self, url: &Url) -> Told {
        let known = self.known();
        let server = known.by_origin.get(&url.origin().ascii_serialization());
        Told { nonce: server.and_then(|server| server.nonce.clone()), ahead: server.and_then(|server| server.ahead).unwrap_or(known.ahead) }
    }
}

/// `DPoP-Nonce`, if it is one (RFC 9449 §8.1).
pub(super) fn nonce(headers: &HeaderMap) -> Option<String> {
    let mut fields = headers.get_all("dpop-nonce").iter();
    let (text, None) = (fields.next()?.to_str().ok()?, fields.next()) else { return None };
    let usable = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    (!text.is_empty() && text.len() <= MAX_NONCE && text.bytes().all(usable)).then(|| text.to_owned())
}

/// By how many seconds a server's clock is ahead of `now`, by its `Date`, and by `Age` where a cache has kept the answer (RFC 9111 §5.1).
pub(crate) fn ahead(headers: &HeaderMap, now: SystemTime) -> Option<i64> {
    let text = |name: header::HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = httpdate::parse_http_date(text(header::DATE)?).ok()?;
    let age = text(header::AGE).and_then(|age| age.parse().ok()).map_or(Duration::ZERO, Duration::from_secs);
    let ahead = seconds(date.checked_add(age)?) - seconds(now);
    Some(if ahead.abs() <= SMALL { 0 } else { ahead })
}

/// Since 1970.
pub(super) fn seconds(time: SystemTime) -> i64 {
    let whole = |time: Duration| i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    time.duration_since(UNIX_EPOCH).map_or_else(|before| -whole(before.duration()), whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::tests::reply;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        reply(200, pairs, "").headers
    }

    /// Sun, 06 Nov 1994 08:49:37 GMT
    const THEN: Duration = Duration::from_secs(784_111_777);

    #[test]
    fn the_newest_nonce_of_each_origin_counts() {
        let servers = Servers::default();
        let told = |text: &str| servers.told(&url(text)).nonce;
        assert_eq!(told("https://a.example/x"), None);
        servers.heard(&url("https://a.example/x"), &headers(&[("dpop-nonce", "one")]), UNIX_EPOCH);
        servers.heard(&url("https://a.example:8443/x"), &headers(&[("dpop-nonce", "two")]), UNIX_EPOCH);
        servers.heard(&url("https://a.example/y"), &headers(&[]), UNIX_EPOCH);
        assert_eq!(told("https://a.example:443/z?q").as_deref(), Some("one"));
        servers.heard(&url("https://a.example/y"), &headers(&[("dpop-nonce", "three")]), UNIX_EPOCH);
        assert_eq!((told("https://a.example/").as_deref(), told("https://a.example:8443/").as_deref()), (Some("three"), Some("two")));
        assert_eq!((told("http://a.example/"), told("https://b.example/")), (None, None));
    }

    #[test]
    fn what_is_no_nonce_is_not_taken_for_one() {
        let long = "n".repeat(MAX_NONCE + 1);
        for wrong in ["", "a b", "a\"b", "a\\b", &long] {
            assert_eq!(nonce(&headers(&[("dpop-nonce", wrong)])), None, "{wrong}");
        }
        assert_eq!(nonce(&headers(&[("dpop-nonce", "eyJ7S_zG.eyJH0-Z~!#$%&'()*+,/:;<=>?@[]^`{|}")])).unwrap().len(), 43);
        let mut two = headers(&[("dpop-nonce", "a")]);
        two.append("dpop-nonce", "b".parse().unwrap());
        assert_eq!(nonce(&two), None, "two of them are none");
    }

    #[test]
    fn a_clock_is_that_of_the_server_and_else_that_of_the_last_one() {
        let servers = Servers::default();
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        let of = |text: &str| servers.told(&url(text)).ahead;
        servers.heard(&url("https://t.example/"), &headers(&[date]), UNIX_EPOCH + THEN - Duration::from_secs(7200));
        assert_eq!((of("https://t.example/"), of("https://a.example/")), (7200, 7200));
        servers.heard(&url("https://a.example/"), &headers(&[date]), UNIX_EPOCH + THEN + Duration::from_secs(100));
        assert_eq!((of("https://t.example/"), of("https://a.example/"), of("https://b.example/")), (7200, -100, -100));
        servers.heard(&url("https://a.example/"), &headers(&[date]), UNIX_EPOCH + THEN + Duration::from_secs(3));
        assert_eq!(of("https://a.example/"), 0, "that was the way of the answer");
        servers.heard(&url("https://a.example/"), &headers(&[("date", "yesterday")]), UNIX_EPOCH);
        assert_eq!(of("https://a.example/"), 0);
        servers.is_ahead(Some(50));
        assert_eq!((of("https://c.example/"), of("https://a.example/")), (50, 0));
    }

    #[test]
    fn an_answer_that_a_cache_has_kept_is_as_old_as_it_says() {
        let kept = headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("age", "3600")]);
        assert_eq!(ahead(&kept, UNIX_EPOCH + THEN + Duration::from_secs(3600)), Some(0));
        assert_eq!(ahead(&kept, UNIX_EPOCH + THEN), Some(3600));
        assert_eq!(ahead(&headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("age", "18446744073709551615")]), UNIX_EPOCH), None);
    }

    #[test]
    fn a_flood_of_origins_is_forgotten() {
        let servers = Servers::default();
        for n in 0..1000 {
            servers.heard(&url(&format!("https://h{n}.example/")), &headers(&[("dpop-nonce", "n")]), UNIX_EPOCH);
            assert!(servers.known().by_origin.len() <= MAX_SERVERS);
        }
        assert!(servers.told(&url("https://h999.example/")).nonce.is_some());
    }
}
