//! The link with which the person's page comes back. Auth0's documents put the answer into the fragment, its own library reads it in the query:
//! either is taken, both at once never.

use std::fmt;

use callbox_vault::Secret;

use crate::{
    Ignored, TenantError,
    query::{self, Parts, Unreadable},
};

/// A well-formed link, not yet matched to anything.
pub(super) struct Link {
    /// Everything before the query and the fragment.
    pub(super) address: String,
    pub(super) state: String,
    /// The issuer, where it is named (RFC 9207).
    pub(super) iss: Option<String>,
    pub(super) answer: Result<Secret<String>, TenantError>,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

/// Address and parameters, those of the query and then those of the fragment.
fn parts(link: &str) -> Result<(String, Vec<(String, String)>), Ignored> {
    let unreadable = |why| match why {
        Unreadable::TooLong => Ignored::TooLong,
        Unreadable::Malformed => Ignored::Malformed,
    };
    if link.len() > query::MAX_LEN {
        return Err(Ignored::TooLong);
    }
    let link = link.trim();
    let (before, fragment) = link.split_once('#').unwrap_or((link, ""));
    let with_query = if before.contains('?') { before.to_owned() } else { format!("{before}?") };
    let Parts { address, mut params } = query::take_apart(&with_query).map_err(unreadable)?;
    if !fragment.is_empty() {
        params.extend(query::take_apart(&format!("{address}?{fragment}")).map_err(unreadable)?.params);
    }
    Ok((address, params))
}

/// Every `state` that a link has, wherever. Any text at all may be passed.
pub(super) fn states(link: &str) -> Vec<String> {
    let params = parts(link).map(|(_, params)| params).unwrap_or_default();
    params.into_iter().filter(|(name, _)| name == "state").map(|(_, value)| value).collect()
}

/// Whether it is a link of an account that is being connected, whoever's: it has what no sign-in's has.
pub(super) fn is_of_an_account(link: &str) -> bool {
    Link::parse(link).is_ok_and(|parsed| parsed.answer.is_ok() || link.contains('#'))
}

impl Link {
    /// Takes a link apart.
    ///
    /// # Errors
    /// [`Ignored::TooLong`]; [`Ignored::Malformed`], also for a parameter that query and fragment both have.
    pub(super) fn parse(link: &str) -> Result<Self, Ignored> {
        let (address, mut params) = parts(link)?;
        let doubled = |(index, (name, _)): (usize, &(String, String))| params.iter().skip(index + 1).any(|(other, _)| other == name);
        if params.iter().enumerate().any(doubled) {
            return Err(Ignored::Malformed);
        }
        let mut take = |name: &str| {
            let index = params.iter().position(|(known, _)| known == name)?;
            Some(params.swap_remove(index).1).filter(|value| !value.is_empty())
        };
        let state = take("state").ok_or(Ignored::Unknown)?;
        let iss = take("iss");
        let answer = match (take("connect_code").map(Secret::new), take("error")) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => Err(TenantError::new(&error, take("error_description").as_deref())),
            _ => return Err(Ignored::Malformed),
        };
        Ok(Self { address, state, iss, answer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = "dev.callbox.desktop://callback";

    fn parse(rest: &str) -> Result<String, Ignored> {
        let link = Link::parse(&format!("{BASE}{rest}"))?;
        assert_eq!((link.address.as_str(), link.state.as_str()), (BASE, "s"));
        Ok(match link.answer {
            Ok(code) => code.expose().clone(),
            Err(error) => format!("error {}", error.error),
        })
    }

    #[test]
    fn the_code_is_in_the_query_or_in_the_fragment() {
        for rest in ["?connect_code=c&state=s", "#connect_code=c&state=s", "?state=s#connect_code=c", "?connect_code=c#state=s"] {
            assert_eq!(parse(rest), Ok("c".to_owned()), "{rest}");
        }
        assert_eq!(parse("?error=access_denied&state=s"), Ok("error access_denied".to_owned()));
        assert_eq!(parse("#error=access_denied&state=s"), Ok("error access_denied".to_owned()));
    }

    #[test]
    fn a_code_in_both_and_anything_twice_is_refused() {
        for rest in [
            "?connect_code=c&state=s#connect_code=c",
            "?connect_code=c&state=s#connect_code=d&x=1",
            "?connect_code=c&state=s#state=s",
            "?connect_code=c&connect_code=c&state=s",
            "?connect_code=c&error=e&state=s",
            "?connect_code=c&state=s#error=e",
            "?state=s",
            "?connect_code=&state=s",
            "?connect_code=c&state=s#a#b",
            "?connect_code=%ff&state=s",
            "?connect_code=c d&state=s",
        ] {
            assert_eq!(parse(rest), Err(Ignored::Malformed), "{rest}");
        }
        assert_eq!(parse("?connect_code=c"), Err(Ignored::Unknown));
        assert_eq!(Link::parse(&format!("{BASE}?state=s&connect_code={}", "x".repeat(query::MAX_LEN))).unwrap_err(), Ignored::TooLong);
    }

    #[test]
    fn every_state_is_found_wherever_it_is_and_nothing_is_shown() {
        assert_eq!(states(&format!("{BASE}?connect_code=c&state=a#state=b")), ["a", "b"]);
        for text in ["", "?", "#", "x", BASE] {
            assert!(states(text).is_empty(), "{text}");
        }
        assert!(is_of_an_account(&format!("{BASE}?connect_code=c&state=a")) && is_of_an_account(&format!("{BASE}#error=e&state=a")));
        assert!(!is_of_an_account(&format!("{BASE}?code=c&state=a")) && !is_of_an_account(&format!("{BASE}?error=e&state=a")));
        let text = format!("{:?}", Link::parse(&format!("{BASE}?connect_code=the-code&state=the-state")).unwrap());
        assert!(!text.contains("the-"), "{text}");
    }
}
