//! What an HTTP answer of an agent means: one table for handshakes and for `get-messages`.

use std::{error::Error, io, time::Duration};

use http::{HeaderMap, StatusCode, header};

use crate::{LinkError, error::quote};

/// The longest body of a refusal that is read, in bytes.
const MAX_BODY: usize = 4096;

/// Whether somebody else answered with a web page.
pub(crate) fn is_page(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.trim_start().get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"))
}

/// What a status other than the wanted one means.
pub(crate) fn refusal(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> LinkError {
    let text = || if is_page(headers) { String::new() } else { quote(&String::from_utf8_lossy(body)) };
    let number = status.as_u16();
    match number {
        401 => LinkError::Rejected,
        403 => LinkError::Forbidden { text: text() },
        429 => LinkError::RateLimited { retry_in: retry_after(headers) },
        408 | 425 | 500..=599 => LinkError::Unwell { status: number, retry_in: retry_after(headers) },
        // 511 is what RFC 6585 §6 has for captive portals; most of them redirect, or answer 200 with their own page.
        300..=399 => LinkError::Intercepted { status: number },
        200..=299 if is_page(headers) => LinkError::Intercepted { status: number },
        400 | 404 | 410 => LinkError::NoSuchAgent { status: number, text: text() },
        _ => LinkError::Unexpected { status: number },
    }
}

/// Reads the beginning of a refusal's body and says what it all means.
pub(crate) async fn read_refusal(mut response: reqwest::Response) -> LinkError {
    let (status, headers) = (response.status(), response.headers().clone());
    if status.as_u16() == 511 {
        return LinkError::Intercepted { status: 511 };
    }
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
    match error {
        _ if is_about_tls(error) => LinkError::Insecure,
        _ if says(error, "tunnel error: proxy authorization required") => LinkError::ProxyWantsPassword,
        _ if says(error, "tunnel error: unsuccessful") => LinkError::ProxyRefused,
        _ if error.is_connect() => LinkError::Unreachable,
        _ => LinkError::Broken,
    }
}

/// Whether TLS is among the causes.
fn is_about_tls(error: &(dyn Error + 'static)) -> bool {
    // An I/O error keeps what it was made of to itself, out of the chain of causes.
    let inner = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
    error.is::<rustls::Error>() || inner.is_some_and(|inner| is_about_tls(inner)) || error.source().is_some_and(is_about_tls)
}

/// Whether this is among the causes. The type of an error in a proxy's tunnel is private to its library; a test holds its words, and without
/// them the agent is unreachable, which is as true.
fn says(error: &(dyn Error + 'static), words: &str) -> bool {
    error.to_string() == words || error.source().is_some_and(|source| says(source, words))
}

/// Seconds to wait (RFC 9110 §10.2.3). Dates are not worth a clock: the usual pause applies.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    // Nobody waits for longer than an hour without being asked.
    Some(Duration::from_secs(seconds).min(Duration::from_secs(3600)))
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
        let later = headers(&[("retry-after", "7")]);
        let text = |text: &str| text.to_owned();
        for (status, headers, body, expected) in [
            (401, &none, "", LinkError::Rejected),
            (403, &none, "This chat is not yours.", LinkError::Forbidden { text: text("This chat is not yours.") }),
            (403, &html, "<h1>Forbidden</h1>", LinkError::Forbidden { text: text("") }),
            (404, &none, "Not found", LinkError::NoSuchAgent { status: 404, text: text("Not found") }),
            (400, &none, "Invalid request", LinkError::NoSuchAgent { status: 400, text: text("Invalid request") }),
            (429, &later, "", LinkError::RateLimited { retry_in: Some(Duration::from_secs(7)) }),
            (503, &later, "", LinkError::Unwell { status: 503, retry_in: Some(Duration::from_secs(7)) }),
            (500, &html, "", LinkError::Unwell { status: 500, retry_in: None }),
            (302, &none, "", LinkError::Intercepted { status: 302 }),
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
    }
}
