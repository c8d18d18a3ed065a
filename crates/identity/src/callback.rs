//! The link that comes back from the browser (RFC 6749 §4.1.2, RFC 9207 §2.4). Anybody can make the system hand one over.

use std::fmt;

use callbox_vault::Secret;

use crate::{
    SignInError, TenantError,
    discovery::Metadata,
    query::{self, Parts, Unreadable},
};

/// Why a link was ignored. It changed nothing: attempts that wait go on waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// Longer than any real one.
    TooLong,
    /// Not an address, a parameter twice, broken encoding, neither code nor error.
    Malformed,
    /// Not the redirect URI of the attempt that its `state` names.
    NotOurs,
    /// No attempt has this `state`.
    Unknown,
    /// The attempt has had its answer.
    AlreadyUsed,
    /// The attempt is over: too old, or cancelled.
    Over,
    /// The app is closing.
    Closed,
}

impl Ignored {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "link-too-long",
            Self::Malformed => "link-malformed",
            Self::NotOurs => "link-not-ours",
            Self::Unknown => "link-unknown",
            Self::AlreadyUsed => "link-already-used",
            Self::Over => "link-over",
            Self::Closed => "session-closed",
        }
    }
}

/// A well-formed link, not yet matched to anything.
pub(crate) struct Link {
    /// Everything before the query.
    pub(crate) address: String,
    pub(crate) state: String,
    iss: Option<String>,
    answer: Answer,
}

enum Answer {
    Code(Secret<String>),
    Error(TenantError),
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Link {
    /// Takes a link apart.
    ///
    /// # Errors
    /// [`Ignored::TooLong`] and [`Ignored::Malformed`]; without a `state`, [`Ignored::Unknown`].
    pub(crate) fn parse(link: &str) -> Result<Self, Ignored> {
        let Parts { address, mut params } = query::take_apart(link).map_err(|why| match why {
            Unreadable::TooLong => Ignored::TooLong,
            Unreadable::Malformed => Ignored::Malformed,
        })?;
        let mut take = |name: &str| {
            let index = params.iter().position(|(known, _)| known == name)?;
            Some(params.swap_remove(index).1).filter(|value| !value.is_empty())
        };
        let state = take("state").ok_or(Ignored::Unknown)?;
        let iss = take("iss");
        let answer = match (take("code").map(Secret::new), take("error")) {
            (Some(code), None) => Answer::Code(code),
            (None, Some(error)) => Answer::Error(TenantError::new(&error, take("error_description").as_deref())),
            _ => return Err(Ignored::Malformed),
        };
        Ok(Self { address, state, iss, answer })
    }

    /// The code, once the answer is known to be from the right tenant. Only then is an error looked at.
    ///
    /// # Errors
    /// The attempt has failed.
    pub(crate) fn code(self, metadata: &Metadata) -> Result<Secret<String>, SignInError> {
        let right = match &self.iss {
            Some(iss) => *iss == metadata.issuer,
            None => !metadata.names_issuer,
        };
        if !right {
            return Err(SignInError::WrongIssuer);
        }
        match self.answer {
            Answer::Code(code) => Ok(code),
            Answer::Error(error) => Err(match error.error.as_str() {
                "access_denied" => SignInError::Declined,
                "unauthorized" => SignInError::NotLetIn(error),
                "login_required" | "consent_required" | "interaction_required" | "mfa_required" | "account_selection_required" => {
                    SignInError::Interaction(error)
                }
                "server_error" | "temporarily_unavailable" => crate::Trouble::Unwell { status: 302, retry_in: None }.into(),
                _ => SignInError::Configuration(error),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Trouble, discovery::tests::metadata, query::MAX_LEN};

    const BASE: &str = "dev.callbox.desktop://callback";

    fn parse(query: &str) -> Result<Link, Ignored> {
        Link::parse(&format!("{BASE}?{query}"))
    }

    fn code(query: &str, names_issuer: bool) -> Result<String, SignInError> {
        let metadata = Metadata { names_issuer, ..metadata() };
        parse(query).unwrap().code(&metadata).map(|code| code.expose().clone())
    }

    #[test]
    fn a_link_is_taken_apart() {
        let link = Link::parse(&format!(" {BASE}?code=a%2Bb+c&state=s&iss=https%3A%2F%2Ftenant.example%2F&extra=1\n")).unwrap();
        assert_eq!((link.address.as_str(), link.state.as_str()), (BASE, "s"));
        assert_eq!(link.code(&metadata()).unwrap().expose(), "a+b c");
    }

    #[test]
    fn duplicate_params_are_malformed() {
        for query in [
            "code=a&code=b&state=s",
            "code=a&state=s&state=t",
            "code=a&state=s&state=s",
            "code=a&state=s&iss=x&iss=y",
            "code=a&state=s&%73tate=t",
            "code=a&state=s&extra=1&extra=2",
        ] {
            assert_eq!(parse(query).unwrap_err(), Ignored::Malformed, "{query}");
        }
    }

    #[test]
    fn oversized_links_are_refused_before_they_are_read() {
        let link = format!("{BASE}?code=a&state=s&x=");
        let fill = |len: usize| link.clone() + &"y".repeat(len - link.len());
        assert!(Link::parse(&fill(MAX_LEN)).is_ok());
        assert_eq!(Link::parse(&fill(MAX_LEN + 1)).unwrap_err(), Ignored::TooLong);
        assert_eq!(Link::parse(&fill(1 << 20)).unwrap_err(), Ignored::TooLong);
    }

    #[test]
    fn malformed_links_are_ignored() {
        for link in [
            "",
            "?",
            "callback",
            BASE,
            "dev.callbox.desktop://callback?code=a&state=s#fragment",
            "dev.callbox.desktop://callback#code=a&state=s",
            "dev.callbox.desktop://callback?state=s",
            "dev.callbox.desktop://callback?code=a&error=b&state=s",
            "dev.callbox.desktop://callback?code=&state=s",
            "dev.callbox.desktop://callback?code=a%00b&state=s",
            "dev.callbox.desktop://callback?code=a%0d%0ab&state=s",
            "dev.callbox.desktop://callback?code=%&state=s",
            "dev.callbox.desktop://callback?code=%4&state=s",
            "dev.callbox.desktop://callback?code=%+1&state=s",
            "dev.callbox.desktop://callback?code=%ff&state=s",
            "dev.callbox.desktop://callback?code=a b&state=s",
            "dev.callbox.desktop://callback?code=ä&state=s",
        ] {
            assert_eq!(Link::parse(link).unwrap_err(), Ignored::Malformed, "{link}");
        }
        assert_eq!(parse("code=a").unwrap_err(), Ignored::Unknown);
        assert_eq!(parse("code=a&state=").unwrap_err(), Ignored::Unknown);
    }

    #[test]
    fn the_issuer_table_of_rfc_9207() {
        let right = "iss=https%3A%2F%2Ftenant.example%2F";
        for (iss, names_issuer, accepted) in [
            (right, true, true),
            (right, false, true),
            ("", false, true),
            ("", true, false),
            ("iss=", true, false),
            ("iss=https%3A%2F%2Ftenant.example", true, false),
            ("iss=https%3A%2F%2Ftenant.example", false, false),
            ("iss=https%3A%2F%2FTENANT.example%2F", true, false),
            ("iss=https%3A%2F%2Fevil.example%2F", false, false),
        ] {
            for answer in ["code=a", "error=access_denied&error_description=visit+evil.example"] {
                let result = code(&format!("{answer}&state=s&{iss}"), names_issuer);
                let refused = result == Err(SignInError::WrongIssuer);
                assert_eq!(!refused, accepted, "{answer} {iss} {names_issuer}");
            }
        }
    }

    #[test]
    fn errors_are_told_apart_and_their_text_is_cleaned() {
        let of = |error: &str| code(&format!("error={error}&error_description=why%3F&state=s"), false).unwrap_err();
        assert_eq!(of("access_denied"), SignInError::Declined);
        assert_eq!(of("login_required"), SignInError::Interaction(TenantError::new("login_required", Some("why?"))));
        assert_eq!(of("invalid_scope"), SignInError::Configuration(TenantError::new("invalid_scope", Some("why?"))));
        assert_eq!(of("unauthorized"), SignInError::NotLetIn(TenantError::new("unauthorized", Some("why?"))));
        for (error, kind) in [
            ("consent_required", "sign-in-interaction"),
            ("interaction_required", "sign-in-interaction"),
            ("invalid_request", "sign-in-configuration"),
            ("unsupported_response_type", "sign-in-configuration"),
            ("server_error", "tenant-unwell"),
            ("something_new", "sign-in-configuration"),
        ] {
            assert_eq!(of(error).code(), kind, "{error}");
        }
        assert_eq!(of("temporarily_unavailable"), Trouble::Unwell { status: 302, retry_in: None }.into());
        let long = of(&format!("x{}", "y".repeat(2000)));
        assert!(long.to_string().len() < 600);
    }

    #[test]
    fn debug_shows_neither_code_nor_state() {
        let text = format!("{:?}", parse("code=the-code&state=the-state").unwrap());
        assert!(!text.contains("the-"), "{text}");
    }
}
