//! One authorization request on its way through the pages (RFC 6749 §4.1, OIDC Core §3.1.2).

use url::Url;

use super::params::Params;
use crate::AUDIENCE;

/// A sign-in that was begun is good for ten minutes.
pub(crate) const VISIT_TTL: u64 = 600;
/// What the desktop app can ask for.
const SCOPES: [&str; 5] = ["openid", "profile", "email", "offline_access", "chat"];

/// A request that passed the checks.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) client_id: String,
    pub(crate) redirect_uri: String,
    pub(crate) state: Option<String>,
    pub(crate) scope: String,
    pub(crate) audience: Option<String>,
    pub(crate) resource: Option<String>,
    pub(crate) nonce: Option<String>,
    pub(crate) challenge: String,
    /// The thumbprint of the key that the code is bound to (RFC 9449 §10).
    pub(crate) jkt: Option<String>,
    pub(crate) prompt: Option<String>,
    pub(crate) login_hint: Option<String>,
    pub(crate) max_age: Option<u64>,
}

/// What is wrong with a request.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// Nothing about it can be trusted, the redirect URI least of all: shown in the browser.
    Page(&'static str),
    /// Sent back to the app (RFC 6749 §4.1.2.1).
    Back { redirect_uri: String, state: Option<String>, error: &'static str, description: &'static str },
}

impl Request {
    /// Checks an authorization request: client and redirect URI first. `registered`: the redirect URIs of a client, if there is one of this id.
    pub(crate) fn check(params: &Params, registered: impl Fn(&str) -> Option<Vec<String>>) -> Result<Self, Refusal> {
        if params.repeated().is_some() {
            return Err(Refusal::Page("A parameter is included more than once."));
        }
        let client_id = params.get("client_id").unwrap_or_default().to_owned();
        let registered = registered(&client_id).ok_or(Refusal::Page("Unknown client."))?;
        let redirect_uri = params.get("redirect_uri").ok_or(Refusal::Page("Missing required parameter: redirect_uri"))?.to_owned();
        if !is_registered(&registered, &redirect_uri) {
            return Err(Refusal::Page("Callback URL mismatch. The app's redirect URI is not in its list of allowed callback URLs."));
        }
        let own = |name| params.get(name).map(str::to_owned);
        let state = own("state");
        let back = |error, description| Refusal::Back { redirect_uri: redirect_uri.clone(), state: state.clone(), error, description };
        match params.get("response_type") {
            Some("code") => {}
            Some(_) => return Err(back("unsupported_response_type", "Only the response type code is supported.")),
            None => return Err(back("invalid_request", "Missing required parameter: response_type")),
        }
        if params.get("response_mode").is_some_and(|mode| mode != "query") {
            return Err(back("invalid_request", "Only the response mode query is supported."));
        }
        let challenge = own("code_challenge").ok_or_else(|| back("invalid_request", "Parameter 'code_challenge' is required"))?;
        if params.get("code_challenge_method") != Some("S256") {
            return Err(back("invalid_request", "Only the code challenge method S256 is supported."));
        }
        if challenge.len() != 43 {
            return Err(back("invalid_request", "The code challenge is not one of method S256."));
        }
        if params.get("audience").is_some_and(|audience| audience != AUDIENCE) {
            return Err(back("access_denied", "Service not found."));
        }
        // The agent is on this computer, whatever its port is; without an audience, that is what the tokens are for.
        let here = |resource: &str| Url::parse(resource).is_ok_and(|url| url.host_str() == Some("127.0.0.1") && url.fragment().is_none());
        if params.get("resource").is_some_and(|resource| !here(resource)) {
            return Err(back("invalid_target", "The resource is not known here."));
        }
        let audience = own("audience").or_else(|| params.get("resource").map(|_| AUDIENCE.to_owned()));
        let wanted = params.get("scope").unwrap_or_default();
        let scope = wanted.split(' ').filter(|scope| SCOPES.contains(scope)).collect::<Vec<_>>().join(" ");
        let max_age = params.get("max_age").and_then(|age| age.parse().ok());
        Ok(Self {
            scope,
            max_age,
            audience,
            client_id,
            resource: own("resource"),
            nonce: own("nonce"),
            jkt: own("dpop_jkt"),
            prompt: own("prompt"),
            login_hint: own("login_hint"),
            challenge,
            state,
            redirect_uri,
        })
    }

    /// Whether the app wants this of the tenant (OpenID Connect Core §3.1.2.1: a list).
    pub(crate) fn prompts(&self, what: &str) -> bool {
        self.prompt.as_deref().is_some_and(|prompt| prompt.split(' ').any(|wanted| wanted == what))
    }

    /// Whether another app could take the redirect URI for itself: a private scheme, or loopback.
    pub(crate) fn unverifiable(&self) -> bool {
        Url::parse(&self.redirect_uri).map_or(true, |url| url.scheme() != "https")
    }

    /// Whether the redirect URI is on a host of this name (where consent can never be skipped).
    pub(crate) fn on_localhost(&self) -> bool {
        Url::parse(&self.redirect_uri).is_ok_and(|url| url.host_str() == Some("localhost"))
    }
}

/// Exact comparison, but for two kinds of entries: `http://127.0.0.1/*` stands for any port and path of it, any other address on 127.0.0.1
/// without a port for any port (RFC 8252 §7.3).
pub(crate) fn is_registered(registered: &[String], uri: &str) -> bool {
    registered.iter().any(|entry| match entry.strip_suffix("/*") {
        None => entry == uri || (entry.starts_with("http://127.0.0.1/") && without_port(uri).as_ref() == Some(entry)),
        Some(base) => match (Url::parse(base), Url::parse(uri)) {
            (Ok(base), Ok(url)) => {
                url.scheme() == base.scheme()
                    && url.host_str() == base.host_str()
                    && url.fragment().is_none()
                    && url.username().is_empty()
                    && url.password().is_none()
            }
            _ => false,
        },
    })
}

fn without_port(uri: &str) -> Option<String> {
    let mut url = Url::parse(uri).ok()?;
    url.set_port(None).ok()?;
    Some(url.into())
}

/// A person who has come in.
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    pub(crate) sub: String,
    pub(crate) sid: String,
    pub(crate) auth_time: u64,
}

/// A request with what happened to it so far.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) request: Request,
    pub(crate) begun: u64,
    pub(crate) guest: Option<Guest>,
    /// The person has seen and answered a page of this visit.
    pub(crate) seen_page: bool,
    pub(crate) consented: bool,
}

/// Where a redirect goes, with these parameters added to what the URI has already.
pub(crate) fn redirect_with(uri: &str, params: &[(&str, Option<&str>)]) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in params {
        if let Some(value) = value {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    match (query.is_empty(), uri.contains('?')) {
        (true, _) => uri.to_owned(),
        (false, true) => format!("{uri}&{query}"),
        (false, false) => format!("{uri}?{query}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_entry_stands_for_any_port_and_nothing_else() {
        let registered = ["app://callback".to_owned(), "http://127.0.0.1/*".to_owned()];
        for good in ["app://callback", "http://127.0.0.1:4711/", "http://127.0.0.1/callback"] {
            assert!(is_registered(&registered, good), "{good}");
        }
        for bad in [
            "app://callback/",
            "app://callback?x=1",
            "https://127.0.0.1:4711/",
            "http://127.0.0.1.evil.example/",
            "http://localhost:4711/",
            "http://user@127.0.0.1:4711/",
            "http://127.0.0.1:4711/#x",
        ] {
            assert!(!is_registered(&registered, bad), "{bad}");
        }
    }

    #[test]
    fn a_loopback_address_stands_for_any_port_and_no_other_path() {
        let registered = ["http://127.0.0.1/callback".to_owned()];
        for good in ["http://127.0.0.1:4711/callback", "http://127.0.0.1/callback"] {
            assert!(is_registered(&registered, good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:4711/",
            "http://127.0.0.1:4711/callback/x",
            "http://127.0.0.1:4711/callback?x",
            "http://localhost:4711/callback",
        ] {
            assert!(!is_registered(&registered, bad), "{bad}");
        }
    }

    #[test]
    fn parameters_are_added_to_a_redirect_uri_with_and_without_a_query() {
        assert_eq!(redirect_with("app://cb", &[("code", Some("a b")), ("state", None)]), "app://cb?code=a+b");
        assert_eq!(redirect_with("http://127.0.0.1/?x=1", &[("state", Some("s"))]), "http://127.0.0.1/?x=1&state=s");
        assert_eq!(redirect_with("app://cb", &[("state", None)]), "app://cb");
    }
}
