//! One request out, one bounded answer in.

use std::{
    error::Error as _,
    io,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use callbox_vault::Secret;
use http::{HeaderMap, Method, header};
use url::{Url, form_urlencoded};

use crate::{Obstacle, Trouble};

/// The longest that any answer of a tenant may take.
const PATIENCE: Duration = Duration::from_secs(15);
/// The largest answer that is read.
const MAX_BODY: usize = 256 * 1024;
/// The longest pause that a tenant can ask for.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// What is sent.
pub(crate) enum Request {
    Get(Url),
    Post(Url, Form),
    /// With a body that contains no secret.
    Json(Url, serde_json::Value),
    /// With an access token, which is in the further fields; a body is JSON text.
    Authorized {
        method: Method,
        url: Url,
        body: Option<Secret<String>>,
    },
}

impl Request {
    pub(crate) fn url(&self) -> &Url {
        match self {
            Self::Get(url) | Self::Post(url, _) | Self::Json(url, _) | Self::Authorized { url, .. } => url,
        }
    }
}

/// The body of a POST, `application/x-www-form-urlencoded`.
pub(crate) struct Form(Secret<String>);

impl Form {
    /// Encodes the pairs; a pair without a value is left out.
    pub(crate) fn new(pairs: &[(&str, Option<&str>)]) -> Self {
        let pairs = pairs.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
        // Grown once: a buffer that moves would leave a copy behind.
        let mut body = form_urlencoded::Serializer::new(String::with_capacity(16 * 1024));
        body.extend_pairs(pairs);
        Self(Secret::new(body.finish()))
    }

    #[cfg(test)]
    pub(crate) fn text(&self) -> &str {
        self.0.expose()
    }
}

/// An answer as it came.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Secret<Vec<u8>>,
}

impl Reply {
    /// The body as a JSON object.
    pub(crate) fn json(&self) -> Option<serde_json::Map<String, serde_json::Value>> {
        serde_json::from_slice(self.body.expose()).ok()
    }

    /// Whether the body at least begins as a JSON object does.
    pub(crate) fn begins_as_json(&self) -> bool {
        self.body.expose().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{')
    }

    /// Whether there is nothing to read.
    pub(crate) fn is_blank(&self) -> bool {
        self.body.expose().iter().all(u8::is_ascii_whitespace)
    }

    /// The tenant's clock (RFC 9110 §6.6.1).
    pub(crate) fn date(&self) -> Option<SystemTime> {
        httpdate::parse_http_date(self.text(header::DATE.as_str())?).ok()
    }

    /// The pause that the tenant asks for: `Retry-After` in seconds or as a date, else `x-ratelimit-reset`. Never absurdly long.
    pub(crate) fn pause(&self, now: SystemTime) -> Option<Duration> {
        let now = self.date().unwrap_or(now);
        let until = |then: SystemTime| then.duration_since(now).unwrap_or_default();
        let after = self
            .text(header::RETRY_AFTER.as_str())
            .and_then(|text| text.parse().map(Duration::from_secs).ok().or_else(|| httpdate::parse_http_date(text).ok().map(until)));
        let reset = || {
            let seconds: u64 = self.text("x-ratelimit-reset")?.parse().ok()?;
            UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).map(until)
        };
        after.or_else(reset).map(|pause| pause.min(MAX_PAUSE))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// What an answer that is no answer of the tenant's means; `None` for one that may be (any 2xx, any 4xx that is not about time).
    pub(crate) fn trouble(&self, now: SystemTime) -> Option<Trouble> {
        match self.status {
            429 => Some(Trouble::RateLimited { retry_in: self.pause(now) }),
            408 | 425 | 500.. => Some(Trouble::Unwell { status: self.status, retry_in: self.pause(now) }),
            status @ (..200 | 300..400) => Some(Trouble::Intercepted { status }),
            _ => None,
        }
    }
}

/// Sends a request and reads the answer, up to a size, within a time.
pub(crate) async fn fetch(http: &reqwest::Client, request: Request) -> Result<Reply, Trouble> {
    fetch_with(http, request, HeaderMap::new()).await
}

/// The same with further fields.
pub(crate) async fn fetch_with(http: &reqwest::Client, request: Request, fields: HeaderMap) -> Result<Reply, Trouble> {
    let (builder, url) = match request {
        Request::Get(url) => (http.get(url.clone()), url),
        Request::Post(url, form) => {
            let content_type = (header::CONTENT_TYPE, "application/x-www-form-urlencoded");
            (http.post(url.clone()).header(content_type.0, content_type.1).body(form.0.expose().clone()), url)
        }
        Request::Json(url, body) => (http.post(url.clone()).json(&body), url),
        Request::Authorized { method, url, body } => {
            let builder = http.request(method, url.clone());
            let body = body.map(|body| body.expose().clone());
            (body.into_iter().fold(builder, |builder, body| builder.header(header::CONTENT_TYPE, "application/json").body(body)), url)
        }
    };
    let response = builder.header(header::ACCEPT, "application/json").headers(fields).timeout(PATIENCE).send().await;
    let mut response = response.map_err(|error| explain(&error))?;
    let status = response.status().as_u16();
    if *response.url() != url {
        return Err(Trouble::Intercepted { status });
    }
    // One buffer of the final size: growing would leave copies of tokens behind.
    let mut body = Vec::with_capacity(MAX_BODY.min(usize::try_from(response.content_length().unwrap_or(16 * 1024)).unwrap_or(MAX_BODY)));
    while let Some(chunk) = response.chunk().await.map_err(|error| explain(&error))? {
        if body.len() + chunk.len() > MAX_BODY {
            return Err(Trouble::Intercepted { status });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Reply { status, headers: response.headers().clone(), body: Secret::new(body) })
}

/// A request that was never sent can be sent again without a thought; one that may have arrived cannot.
fn explain(error: &reqwest::Error) -> Trouble {
    if let Some(obstacle) = Obstacle::of(error).filter(|_| error.is_connect()) {
        return obstacle.into();
    }
    if error.is_connect() || error.is_builder() {
        return Trouble::Unreachable;
    }
    if error.is_timeout() {
        return Trouble::TimedOut;
    }
    let mut cause = error.source();
    while let Some(source) = cause {
        if source.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Trouble::Unreachable;
        }
        cause = source.source();
    }
    Trouble::ReplyLost
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An answer, for the tests of everything that reads answers.
    pub(crate) fn reply(status: u16, headers: &[(&'static str, &str)], body: &str) -> Reply {
        let headers = headers.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect();
        Reply { status, headers, body: Secret::new(body.as_bytes().to_vec()) }
    }

    const NOW: SystemTime = UNIX_EPOCH;

    #[test]
    fn a_form_is_encoded_and_leaves_out_what_has_no_value() {
        let form = Form::new(&[("code", Some("a+b/c d&e")), ("audience", None), ("client_id", Some("x"))]);
        assert_eq!(form.text(), "code=a%2Bb%2Fc+d%26e&client_id=x");
    }

    #[test]
    fn a_pause_is_seconds_or_a_date_or_a_reset_stamp_and_never_absurd() {
        let date = ("date", "Sun, 06 Nov 1994 08:49:37 GMT");
        for (headers, expected) in [
            (vec![("retry-after", "7")], Some(7)),
            (vec![("retry-after", "99999999999")], Some(600)),
            (vec![date, ("retry-after", "Sun, 06 Nov 1994 08:50:07 GMT")], Some(30)),
            (vec![date, ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")], Some(0)),
            (vec![("retry-after", "soon"), ("x-ratelimit-reset", "12")], Some(12)),
            (vec![("x-ratelimit-reset", "18446744073709551615")], None),
            (vec![("retry-after", "-3")], None),
            (vec![], None),
        ] {
            assert_eq!(reply(429, &headers, "").pause(NOW), expected.map(Duration::from_secs), "{headers:?}");
        }
    }

    #[test]
    fn a_status_says_whether_the_tenant_answered_at_all() {
        for (status, trouble) in [
            (200, None),
            (400, None),
            (403, None),
            (302, Some(Trouble::Intercepted { status: 302 })),
            (429, Some(Trouble::RateLimited { retry_in: None })),
            (408, Some(Trouble::Unwell { status: 408, retry_in: None })),
            (425, Some(Trouble::Unwell { status: 425, retry_in: None })),
            (503, Some(Trouble::Unwell { status: 503, retry_in: None })),
        ] {
            assert_eq!(reply(status, &[], "").trouble(NOW), trouble);
        }
    }
}
