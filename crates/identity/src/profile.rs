//! Whom to talk to, and where its sign-in happens.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use url::{Host, Url};

use crate::{ProfileError, SignInError, Step, discovery::Metadata};

/// One agent with its tenant: what a user adds, names and switches. Read from and written to TOML or JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// A short, stable name, unique among the profiles of this installation.
    pub id: String,
    /// What the user sees.
    pub name: String,
    /// The agent's address, `https://host/agents/chat-agent`.
    pub agent: Url,
    /// How many conversations there are at that address.
    #[serde(default, skip_serializing_if = "Conversations::is_many")]
    pub conversations: Conversations,
    /// The tenant.
    pub issuer: Issuer,
    /// The public client that the tenant knows this app as.
    pub client_id: String,
    /// Auth0's name for the agent's API; without it the access token is good for the tenant alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
    /// What the tokens are for, at tenants that go by RFC 8707: said in every request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// What to ask for. `offline_access` is what makes a session that survives a restart; without `openid` the tenant does not say who signed
    /// in.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// Auth0's organization to sign in to, by its id (`org_…`) or its name; the ID token has to name the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    /// Auth0's connection: the identity provider to go to, without asking which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<String>,
    /// Which of the tenant's pages to begin with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_hint: Option<ScreenHint>,
    /// Who is expected to sign in (OpenID Connect Core §3.1.2.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_hint: Option<String>,
    /// How many seconds ago a person may have proved who they are, at most (OpenID Connect Core §3.1.2.1); the ID token has to say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// Where the browser is sent back to; registered at the tenant, character by character. [`crate::LOOPBACK`]: to any port of this computer.
    #[serde(default = "default_redirect_uri")]
    pub redirect_uri: String,
    /// The tools of the app that the agent may use, by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub client_tools: Vec<String>,
    /// The confidential client as which a machine speaks for itself (RFC 6749 §4.4). Its secret is never in a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_client_id: Option<String>,
    /// Whether the tokens are bound to this computer.
    #[serde(default, skip_serializing_if = "Dpop::is_auto")]
    pub dpop: Dpop,
    /// How the profile was found, if nobody wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provenance: Vec<Step>,
}

/// How many conversations a person can have at an agent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Conversations {
    /// As many as wanted, each below the agent's address under a name of its own.
    #[default]
    Many,
    /// One: the address is that of a conversation, and the agent decides of which.
    One,
}

impl Conversations {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_many(&self) -> bool {
        *self == Self::Many
    }
}

/// Whether a session's tokens are bound to a key that only this computer has (DPoP, RFC 9449).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dpop {
    /// If the tenant offers it, and the agent has said that it takes such tokens: one that only knows bearer tokens would refuse them.
    #[default]
    Auto,
    /// Always. A tenant that does not do it is not signed in at.
    Required,
    /// Never.
    Off,
}

impl Dpop {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
    fn is_auto(&self) -> bool {
        *self == Self::Auto
    }
}

/// The tenant's page to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScreenHint {
    /// For people who have no account yet. A session that the browser has is passed over, because it would skip the page.
    Signup,
    Login,
}

impl ScreenHint {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Signup => "signup",
            Self::Login => "login",
        }
    }
}

/// What makes a session: who it is, and that it lasts.
pub(crate) const SESSION_SCOPES: [&str; 4] = ["openid", "profile", "email", "offline_access"];

fn default_scopes() -> Vec<String> {
    SESSION_SCOPES.map(str::to_owned).to_vec()
}

/// The app's own link, which the system hands to it (RFC 8252 §7.1).
pub(crate) const OWN_LINK: &str = "dev.callbox.desktop://callback";

fn default_redirect_uri() -> String {
    OWN_LINK.to_owned()
}

impl Profile {
    /// A profile with the usual scopes and the app's own redirect URI; `id` is also its name.
    #[must_use]
    pub fn new(id: &str, agent: Url, issuer: Issuer, client_id: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            agent,
            conversations: Conversations::Many,
            issuer,
            client_id: client_id.to_owned(),
            audience: None,
            resource: None,
            scopes: default_scopes(),
            organization: None,
            connection: None,
            screen_hint: None,
            login_hint: None,
            max_age: None,
            redirect_uri: default_redirect_uri(),
            client_tools: Vec::new(),
            service_client_id: None,
            dpop: Dpop::Auto,
            provenance: Vec::new(),
        }
    }

    /// Whether this installation is a client of its own at the tenant (RFC 7591), which it can be again when the tenant has forgotten it.
    #[must_use]
    pub fn registered_itself(&self) -> bool {
        self.provenance.iter().any(|step| matches!(step, Step::Registered { .. }))
    }

    /// Whether a sign-in at this tenant is bound to a key.
    ///
    /// # Errors
    /// [`SignInError::Unbound`] if it has to be, and cannot.
    pub(crate) fn binds(&self, metadata: &Metadata) -> Result<bool, SignInError> {
        match self.dpop {
            Dpop::Off => Ok(false),
            Dpop::Auto => Ok(metadata.binds && self.provenance.iter().any(|step| matches!(step, Step::Bound { .. }))),
            Dpop::Required if metadata.binds => Ok(true),
            Dpop::Required => Err(SignInError::Unbound),
        }
    }

    /// Whether the tokens of a machine at this agent are bound ([`crate::ServiceConfig::dpop`]): by the same rule as a session's.
    #[must_use]
    pub fn service_dpop(&self) -> Dpop {
        let takes_proofs = self.provenance.iter().any(|step| matches!(step, Step::Bound { .. }));
        if self.dpop == Dpop::Auto && !takes_proofs { Dpop::Off } else { self.dpop }
    }

    /// Whether a bearer token is of no use.
    pub(crate) fn needs_bound_tokens(&self) -> bool {
        let wanted = || self.provenance.iter().any(|step| matches!(step, Step::Bound { required: true }));
        match self.dpop {
            Dpop::Off => false,
            Dpop::Auto => wanted(),
            Dpop::Required => true,
        }
    }

    /// Whether the tenant is asked who signed in (OpenID Connect Core §3.1.2.1).
    pub(crate) fn asks_who(&self) -> bool {
        self.scopes.iter().any(|scope| scope == "openid")
    }
}

/// A tenant's issuer identifier (RFC 8414 §2): the exact string, because issuers are compared character by character, never as URLs.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Issuer {
    exact: String,
    url: Url,
}

impl Issuer {
    /// Checks an identifier: https, or http on loopback; no query, no fragment, no user.
    ///
    /// # Errors
    /// [`ProfileError`] says which of these it is.
    pub fn parse(exact: &str) -> Result<Self, ProfileError> {
        let url = Url::parse(exact).map_err(|_| ProfileError::NotAnAddress)?;
        if !is_secure(&url) {
            return Err(ProfileError::Insecure);
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(ProfileError::Decorated);
        }
        Ok(Self { exact: exact.to_owned(), url })
    }

    /// The identifier, as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.exact
    }

    /// The identifier as an address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host and, where it is not the usual one, port: what a user is shown.
    #[must_use]
    pub fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// Whether secrets may be sent there: https, or http that never leaves the computer.
pub(crate) fn is_secure(url: &Url) -> bool {
    match (url.scheme(), url.host()) {
        ("https", Some(_)) => true,
        ("http", Some(Host::Ipv4(ip))) => ip.is_loopback(),
        ("http", Some(Host::Ipv6(ip))) => ip.is_loopback(),
        ("http", Some(Host::Domain(name))) => name == "localhost",
        _ => false,
    }
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Issuer({})", self.exact)
    }
}

impl fmt::Display for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exact)
    }
}

impl FromStr for Issuer {
    type Err = ProfileError;

    fn from_str(exact: &str) -> Result<Self, Self::Err> {
        Self::parse(exact)
    }
}

impl TryFrom<Url> for Issuer {
    type Error = ProfileError;

    fn try_from(url: Url) -> Result<Self, Self::Error> {
        Self::parse(url.as_str())
    }
}

impl Serialize for Issuer {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.exact)
    }
}

impl<'de> Deserialize<'de> for Issuer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_keeps_its_exact_string() {
        for exact in
            ["https://tenant.auth0.com/", "https://tenant.auth0.com", "http://127.0.0.1:8080/", "http://[::1]:9/", "http://localhost:1"]
        {
            assert_eq!(Issuer::parse(exact).unwrap().as_str(), exact);
        }
    }

    #[test]
    fn an_issuer_is_https_or_loopback_and_bare() {
        for (exact, error) in [
            ("tenant.auth0.com", ProfileError::NotAnAddress),
            ("http://tenant.auth0.com/", ProfileError::Insecure),
            ("http://127.0.0.1.evil.example/", ProfileError::Insecure),
            ("http://localhost.evil.example/", ProfileError::Insecure),
            ("http://10.0.0.1/", ProfileError::Insecure),
            ("file:///etc/passwd", ProfileError::Insecure),
            ("https://tenant.auth0.com/?a=b", ProfileError::Decorated),
            ("https://tenant.auth0.com/#a", ProfileError::Decorated),
            ("https://user@tenant.auth0.com/", ProfileError::Decorated),
        ] {
            assert_eq!(Issuer::parse(exact), Err(error), "{exact}");
        }
    }

    #[test]
    fn a_profile_reads_what_it_writes_and_fills_in_the_usual() {
        let json =
            r#"{"id":"work","name":"Work","agent":"https://agent.example/agents/chat-agent","issuer":"https://t.example","client_id":"c"}"#;
        let profile: Profile = serde_json::from_str(json).unwrap();
        assert_eq!(profile.issuer.as_str(), "https://t.example");
        assert_eq!(profile.scopes, ["openid", "profile", "email", "offline_access"]);
        assert_eq!(profile.redirect_uri, "dev.callbox.desktop://callback");
        let again: Profile = serde_json::from_str(&serde_json::to_string(&profile).unwrap()).unwrap();
        assert_eq!(again, profile);
        assert!(serde_json::from_str::<Profile>(&json.replace("https://t.example", "http://t.example")).is_err());
        assert!(serde_json::from_str::<Profile>(&json.replace("client_id", "clientid")).is_err());
    }

    #[test]
    fn a_profile_says_whether_tokens_are_bound_and_says_nothing_else_about_it() {
        let json = r#"{"id":"w","name":"W","agent":"https://a.example/x","issuer":"https://t.example","client_id":"c","dpop":"auto"}"#;
        for (text, dpop) in [("auto", Dpop::Auto), ("required", Dpop::Required), ("off", Dpop::Off)] {
            let profile: Profile = serde_json::from_str(&json.replace("auto", text)).unwrap();
            assert_eq!(profile.dpop, dpop);
            let written = serde_json::to_string(&profile).unwrap();
            assert_eq!(written.contains("dpop"), dpop != Dpop::Auto, "{written}");
        }
        for wrong in ["on", "Required", "true", ""] {
            assert!(serde_json::from_str::<Profile>(&json.replace("auto", wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_session_is_bound_where_tenant_and_agent_agree_or_the_profile_says_so() {
        let mut metadata = crate::discovery::tests::metadata();
        let mut profile = Profile::new("p", Url::parse("https://a.example").unwrap(), Issuer::parse("https://t.example/").unwrap(), "c");
        let said = [Vec::new(), vec![Step::Bound { required: false }], vec![Step::Bound { required: true }]];
        for (offers, dpop, expected) in [
            (true, Dpop::Auto, [(Ok(false), false), (Ok(true), false), (Ok(true), true)]),
            (false, Dpop::Auto, [(Ok(false), false), (Ok(false), false), (Ok(false), true)]),
            (true, Dpop::Required, [(Ok(true), true), (Ok(true), true), (Ok(true), true)]),
            (false, Dpop::Required, [const { (Err(SignInError::Unbound), true) }; 3]),
            (true, Dpop::Off, [const { (Ok(false), false) }; 3]),
        ] {
            for (provenance, expected) in said.iter().zip(expected) {
                metadata.binds = offers;
                let machine = if dpop == Dpop::Auto && provenance.is_empty() { Dpop::Off } else { dpop };
                (profile.dpop, profile.provenance) = (dpop, provenance.clone());
                assert_eq!((profile.binds(&metadata), profile.needs_bound_tokens()), expected, "{offers} {dpop:?} {provenance:?}");
                assert_eq!(profile.service_dpop(), machine, "{dpop:?} {provenance:?}");
            }
        }
    }
}
