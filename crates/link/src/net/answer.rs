//! What an HTTP answer of an agent means: one table for handshakes and for `get-messages`.

use std::time::Duration;

use callbox_identity::{Answered, Challenge, Obstacle, Presentation};
use http::{HeaderMap, StatusCode, header};

use crate::{LinkError, error::quote};

/// The longest body of a refusal that is read, in bytes.
const MAX_BODY: usize = 4096;

/// Whether the answer says of itself that it is a web page.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("text/html") || kind.eq_ignore_ascii_case("application/xhtml+xml")
}

/// Whether it is a web page, whatever it says. Nothing that an agent answers begins like this.
pub(crate) fn looks_like_a_page(body: &[u8]) -> bool {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<')
}

/// What a status other than the wanted one means.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> LinkError {
    let page = is_page(headers) || looks_like_a_page(body);
    let text = || if page { String::new() } else { explanation(body) };
    let number = status.as_u16();
    match number {
        401 => LinkError::Rejected,
        403 => match missing_scopes(headers) {
            Some(scopes) => LinkError::InsufficientScope { scopes },
            None => LinkError::Forbidden { text: text() },
        },
        // A proxy that was not asked for a tunnel.
        407 => Obstacle::ProxyWantsPassword.into(),
        429 => LinkError::RateLimited { retry_in: retry_after(headers) },
        // 511 is what RFC 6585 §6 has for captive portals; most of them redirect, or answer 200 with their own page.
        511 => LinkError::Intercepted { status: number },
        408 | 425 | 500..=599 => LinkError::Unwell { status: number, retry_in: retry_after(headers) },
        300..=399 => match login_page(headers) {
            Some(host) => LinkError::LoginPage { host },
            None => LinkError::Intercepted { status: number },
        },
        200..=299 if page => LinkError::Intercepted { status: number },
        // Something on the way has taken the wish for a socket out of the request (RFC 9110 §15.5.22).
        426 => LinkError::Intercepted { status: number },
        400 | 404 | 410 => LinkError::NoSuchAgent { status: number, text: text() },
        _ => LinkError::Unexpected { status: number },
    }
}

/// The most scopes that an agent can ask for at once, and the longest one in bytes. What is more is nobody's honest wish.
const MAX_SCOPES: usize = 32;
const MAX_SCOPE: usize = 256;

/// The scopes that a refusal says are missing (RFC 6750 §3.1); `None` if that is not what it says. What cannot be shown to a person is as good as untold.
fn missing_scopes(headers: &HeaderMap) -> Option<Vec<String>> {
    let mut scopes = Challenge::missing_scopes(&Challenge::all(headers))?;
    let token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    let is_scope = |scope: &String| scope.len() <= MAX_SCOPE && scope.bytes().all(token);
    if scopes.len() > MAX_SCOPES || !scopes.iter().all(is_scope) {
        scopes.clear();
    }
    Some(scopes)
}

/// What a refusal says about itself: the sentence in a problem description (RFC 9457 §3.1) or an OAuth error (RFC 6750 §3.1), else all of it.
fn explanation(body: &[u8]) -> String {
    let object: Option<serde_json::Map<String, serde_json::Value>> = serde_json::from_slice(body).ok();
    let sentence = object.as_ref().and_then(|object| {
        let text = |name: &&str| object.get(*name)?.as_str().filter(|text| !text.trim().is_empty());
        ["detail", "error_description", "message", "title", "error"].iter().find_map(text)
    });
    quote(sentence.unwrap_or(&String::from_utf8_lossy(body)))
}

/// The host of the Cloudflare Access page to which a redirect leads: no network's portal, but the door of this very agent.
fn login_page(headers: &HeaderMap) -> Option<String> {
    let location = headers.get(header::LOCATION)?.to_str().ok()?;
    let location = url::Url::parse(location).ok()?;
    let host = location.host_str()?;
    let access = host.ends_with(".cloudflareaccess.com") && location.path().starts_with("/cdn-cgi/access/");
    access.then(|| quote(host))
}

/// Whether the request is to be made again, with another proof that the token is this computer's (RFC 9449 §9). Such an answer says nothing against
/// the token.
///
/// # Errors
/// The agent is content with no proof.
pub(crate) fn again(presentation: &mut Presentation, response: &reqwest::Response) -> Result<bool, LinkError> {
    match presentation.answered(response.status(), response.headers()) {
        Answered::Judged => Ok(false),
        Answered::Again => Ok(true),
        Answered::NonceLoop => Err(LinkError::NonceLoop),
        Answered::ProofRefused => Err(LinkError::ProofRefused),
    }
}

/// Reads the beginning of a refusal's body and says what it all means.
pub(crate) async fn read_refusal(mut response: reqwest::Response) -> LinkError {
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while body.len() < MAX_BODY {
        match response.chunk().await {
            Ok(Some(piece)) => body.extend_from_slice(&piece[..piece.len().min(MAX_BODY - body.len())]),
            Ok(None) | Err(_) => break,
        }
    }
    refusal(status, &headers, &body)
}

/// Why there was no answer at all.
pub(crate) fn failure(error: &reqwest::Error) -> LinkError {
    if error.is_timeout() {
        return LinkError::TimedOut;
    }
    match Obstacle::of(error) {
        Some(obstacle) => obstacle.into(),
        None if error.is_connect() => LinkError::Unreachable,
        None => LinkError::Broken,
    }
}

/// How long to wait (RFC 9110 §10.2.3): seconds, or a date, which is compared with the answer's own (§6.6.1): this computer's clock may be wrong.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: header::HeaderName| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |name| httpdate::parse_http_date(text(name)?).ok();
    let pause = match text(header::RETRY_AFTER)?.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => date(header::RETRY_AFTER)?.duration_since(date(header::DATE)?).unwrap_or_default(),
    };
    // Nobody waits for longer than an hour without being asked.
    Some(pause.min(Duration::from_secs(3600)))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn each_status_means_one_thing() {
        let none = headers(&[]);
        let html = headers(&[("content-type", "Text/HTML; charset=utf-8")]);
        let xhtml = headers(&[("content-type", "application/xhtml+xml")]);
        let access = headers(&[("location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/agent.example?kid=1")]);
        let lookalike = headers(&[("location", "https://cloudflareaccess.com.example/cdn-cgi/access/login/agent.example")]);
        let more = headers(&[("www-authenticate", r#"Bearer realm="a", error="insufficient_scope", scope="chat files" "#)]);
        let untold = headers(&[("www-authenticate", r#"DPoP error="insufficient_scope" "#)]);
        let odd = headers(&[("www-authenticate", r#"Bearer error="insufficient_scope", scope="chat \"x\" y" "#)]);
        let other = headers(&[("www-authenticate", r#"Bearer error="invalid_token" "#)]);
        let scopes = |scopes: &[&str]| LinkError::InsufficientScope { scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() };
        let later = headers(&[("retry-after", "7")]);
        let text = |text: &str| text.to_owned();
        for (status, headers, body, expected) in [
            (401, &none, "", LinkError::Rejected),
            (403, &none, "This chat is not yours.", LinkError::Forbidden { text: text("This chat is not yours.") }),
            (403, &more, "Insufficient Scope", scopes(&["chat", "files"])),
            (403, &untold, "", scopes(&[])),
            (403, &odd, "", scopes(&[])),
            (403, &other, "", LinkError::Forbidden { text: text("") }),
            (401, &more, "", LinkError::Rejected),
            (403, &html, "<h1>Forbidden</h1>", LinkError::Forbidden { text: text("") }),
            (404, &none, "Not found", LinkError::NoSuchAgent { status: 404, text: text("Not found") }),
            (400, &none, "Invalid request", LinkError::NoSuchAgent { status: 400, text: text("Invalid request") }),
            (429, &later, "", LinkError::RateLimited { retry_in: Some(Duration::from_secs(7)) }),
            (503, &later, "", LinkError::Unwell { status: 503, retry_in: Some(Duration::from_secs(7)) }),
            (500, &html, "", LinkError::Unwell { status: 500, retry_in: None }),
            (
                403,
                &none,
                r#"{"title":"Forbidden","detail":"Not on Sundays.\u0007"}"#,
                LinkError::Forbidden { text: text("Not on Sundays.") },
            ),
            (403, &none, r#"{"error":"insufficient_scope","error_description":"chat"}"#, LinkError::Forbidden { text: text("chat") }),
            (403, &none, r#"{"error":7}"#, LinkError::Forbidden { text: text(r#"{"error":7}"#) }),
            (403, &none, " <!doctype html>", LinkError::Forbidden { text: text("") }),
            (407, &html, "", Obstacle::ProxyWantsPassword.into()),
            (511, &html, "", LinkError::Intercepted { status: 511 }),
            (426, &none, "", LinkError::Intercepted { status: 426 }),
            (302, &none, "", LinkError::Intercepted { status: 302 }),
            (302, &access, "", LinkError::LoginPage { host: text("team.cloudflareaccess.com") }),
            (302, &lookalike, "", LinkError::Intercepted { status: 302 }),
            (200, &xhtml, "", LinkError::Intercepted { status: 200 }),
            (200, &none, "\u{feff}\n<html>", LinkError::Intercepted { status: 200 }),
            (307, &none, "", LinkError::Intercepted { status: 307 }),
            (200, &html, "<title>Hotel</title>", LinkError::Intercepted { status: 200 }),
            (200, &none, "", LinkError::Unexpected { status: 200 }),
            (418, &none, "", LinkError::Unexpected { status: 418 }),
        ] {
            assert_eq!(refusal(StatusCode::from_u16(status).unwrap(), headers, body.as_bytes()), expected, "{status}");
        }
    }

    #[test]
    fn a_pause_that_was_asked_for_is_seconds_and_has_an_end() {
        assert_eq!(retry_after(&headers(&[("retry-after", "9999999")])), Some(Duration::from_secs(3600)));
        assert_eq!(retry_after(&headers(&[("retry-after", "Fri, 31 Dec 1999 23:59:59 GMT")])), None);
        assert_eq!(retry_after(&headers(&[("retry-after", "-1")])), None);
        let until = |date| retry_after(&headers(&[("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", date)]));
        assert_eq!(until("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(until("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO), "it is over");
        assert_eq!(until("Fri, 31 Dec 2100 23:59:59 GMT"), Some(Duration::from_secs(3600)));
    }
}
