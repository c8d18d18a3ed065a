//! Request parameters: query, form or JSON, in the order in which they came.

use std::collections::HashSet;

use axum::body::Bytes;
use http::{HeaderMap, header};
use url::form_urlencoded;

/// Named values. A name may occur twice, which OAuth forbids (RFC 6749 §3.1).
#[derive(Debug, Clone, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn from_query(query: Option<&str>) -> Self {
        Self::from_form(query.unwrap_or_default().as_bytes())
    }

    fn from_form(bytes: &[u8]) -> Self {
        Self(form_urlencoded::parse(bytes).into_owned().collect())
    }

    /// A form or a JSON object, by content type. `None` if it is neither.
    pub(crate) fn from_body(headers: &HeaderMap, body: &Bytes) -> Option<Self> {
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            let object: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(body).ok()?;
            let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(Self(object.into_iter().map(|(name, value)| (name, text(value))).collect()))
        } else if kind.starts_with("application/x-www-form-urlencoded") {
            Some(Self::from_form(body))
        } else {
            None
        }
    }

    /// The value of a parameter; an empty one counts as left out (RFC 6749 §3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// A parameter that occurs more than once.
    pub(crate) fn repeated(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        self.0.iter().find(|(name, _)| !seen.insert(name.as_str())).map(|(name, _)| name.as_str())
    }
}
