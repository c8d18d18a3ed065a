//! How many tokens a tenant still gives a machine: Auth0's `Auth0-Client-Quota-Limit` and `Auth0-Organization-Quota-Limit`.

use std::{fmt, time::Duration};

use http::HeaderMap;

const HEADERS: [&str; 2] = ["auth0-client-quota-limit", "auth0-organization-quota-limit"];
/// A tenant has two: for the hour and for the day.
const MAX_LIMITS: usize = 8;

/// The limit that is reached first, as the tenant said it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quota {
    /// So many tokens may be given …
    pub limit: u64,
    /// … in a time of this name, `hour` or `day`.
    pub period: String,
    /// So many of them are left.
    pub left: u64,
    /// When there are all of them again, counted from the answer.
    pub resets_in: Option<Duration>,
}

impl Quota {
    /// Reads `b=per_hour;q=10;r=7;t=3540` and its like, several of them between commas. What is not one is passed over.
    pub(crate) fn read(headers: &HeaderMap) -> Option<Self> {
        let values = HEADERS.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).take(MAX_LIMITS).filter_map(Self::one).min_by_key(|quota| quota.left)
    }

    fn one(text: &str) -> Option<Self> {
        let mut quota = Self { limit: 0, period: String::new(), left: 0, resets_in: None };
        let (mut has_limit, mut has_left) = (false, false);
        for (name, value) in text.split(';').filter_map(|pair| pair.trim().split_once('=')) {
            match name {
                "b" => quota.period = value.trim_start_matches("per_").chars().filter(char::is_ascii_alphanumeric).take(20).collect(),
                "q" => (quota.limit, has_limit) = (value.parse().ok()?, true),
                "r" => (quota.left, has_left) = (value.parse().ok()?, true),
                "t" => quota.resets_in = Some(Duration::from_secs(value.parse().ok()?)),
                _ => {}
            }
        }
        (has_limit && has_left && !quota.period.is_empty()).then_some(quota)
    }
}

/// A sentence: what is allowed, what is left, and when that changes.
impl fmt::Display for Quota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { limit, period, left, resets_in } = self;
        write!(f, "The sign-in server gives this client {limit} tokens per {period}; {left} are left")?;
        match resets_in {
            Some(pause) => write!(f, ", and all of them again in {} seconds.", pause.as_secs()),
            None => f.write_str("."),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fetch::tests::reply;

    fn read(name: &'static str, value: &str) -> Option<Quota> {
        Quota::read(&reply(200, &[(name, value)], "").headers)
    }

    #[test]
    fn the_limit_that_is_reached_first_is_told() {
        let quota = read(HEADERS[0], "b=per_hour;q=10;r=7;t=3540,b=per_day; q=20;r=0;t=86000").unwrap();
        assert_eq!(quota, Quota { limit: 20, period: "day".to_owned(), left: 0, resets_in: Some(Duration::from_secs(86_000)) });
        let said = "The sign-in server gives this client 20 tokens per day; 0 are left, and all of them again in 86000 seconds.";
        assert_eq!(quota.to_string(), said);
        assert!(read(HEADERS[1], "b=per_hour;q=3;r=1").unwrap().to_string().ends_with("1 are left."));
    }

    #[test]
    fn what_is_no_quota_is_none() {
        for value in ["", "b=per_hour", "b=per_hour;q=ten;r=1", "q=1;r=1", "b=;q=1;r=1", "b=per_hour;q=-1;r=0", ",,;;=="] {
            assert_eq!(read(HEADERS[0], value), None, "{value:?}");
        }
        assert_eq!(read("x-quota", "b=per_hour;q=10;r=7"), None);
    }
}
