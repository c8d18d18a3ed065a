//! What a tenant says about itself (OpenID Connect Discovery 1.0 §3 and §4, RFC 8414 §2, RFC 9207 §3).

use std::time::SystemTime;

use serde_json::{Map, Value};
use url::Url;

use crate::{DiscoveryError, Issuer, dpop, fetch::Reply, profile::is_secure};

/// What only Auth0 says of itself, in every tenant's document and under every custom domain, with that domain's address: its host's name does not
/// tell, and no standard knows this one. Nothing is trusted for it. It tells what can be asked for, and where the browser signs out: a tenant that has
/// it and is no Auth0 refuses the one (which costs no session) and has no page for the other.
const AUTH0S_OWN: &str = "mfa_challenge_endpoint";

/// The tenant's endpoints, each safe to use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// The issuer, as the tenant writes it: what every `iss` is compared with.
    pub(crate) issuer: String,
    pub(crate) authorization: Url,
    pub(crate) token: Url,
    /// None: this tenant issues no ID tokens.
    pub(crate) jwks: Option<Url>,
    pub(crate) registration: Option<Url>,
    pub(crate) revocation: Option<Url>,
    pub(crate) end_session: Option<Url>,
    /// Whether every answer that comes by browser names its issuer.
    pub(crate) names_issuer: bool,
    /// It says that it supports PKCE with S256. Some that do say nothing.
    pub(crate) says_s256: bool,
    /// It is one of Auth0's, under whatever name: see [`AUTH0S_OWN`].
    pub(crate) is_auth0: bool,
    /// What it says that can be asked for.
    pub(crate) scopes: Vec<String>,
    /// It says that it binds tokens to keys for ES256 (RFC 9449 §5.1).
    pub(crate) binds: bool,
    /// By how many seconds its clock was ahead of this computer's when it said all this.
    pub(crate) ahead: Option<i64>,
}

impl Metadata {
    /// Takes from another document of the same tenant what this one does not say.
    pub(crate) fn complete(&mut self, other: Self) {
        if (&self.issuer, &self.token) == (&other.issuer, &other.token) {
            self.registration = self.registration.take().or(other.registration);
            self.revocation = self.revocation.take().or(other.revocation);
            self.end_session = self.end_session.take().or(other.end_session);
            self.names_issuer |= other.names_issuer;
            self.says_s256 |= other.says_s256;
            self.is_auth0 |= other.is_auth0;
            self.binds |= other.binds;
        }
    }
}

/// Where the metadata of `issuer` may be: behind its path (OpenID Connect Discovery 1.0 §4), whether that ends in a slash or not, then
/// between its host and its path (RFC 8414 §3.1 and §5).
pub(crate) fn addresses(issuer: &Issuer) -> Vec<Url> {
    let base = issuer.url().path().trim_end_matches('/');
    let at = |path: String| {
        let mut url = issuer.url().clone();
        url.set_path(&path);
        url
    };
    let mut all =
        vec![at(format!("{base}/.well-known/openid-configuration")), at(format!("/.well-known/oauth-authorization-server{base}"))];
    if !base.is_empty() {
        all.push(at(format!("/.well-known/openid-configuration{base}")));
    }
    all
}

/// Reads the tenant's answer.
///
/// # Errors
/// Anything that is not the metadata of exactly this issuer. One difference is let pass, because people type it: the slash after a bare host.
/// From then on the tenant's own spelling counts.
pub(crate) fn read(issuer: &Issuer, reply: &Reply, now: SystemTime) -> Result<Metadata, DiscoveryError> {
    if let Some(trouble) = reply.trouble(now) {
        return Err(trouble.into());
    }
    if reply.status != 200 {
        return Err(DiscoveryError::NotFound { status: reply.status });
    }
    let document = match reply.json() {
        Some(document) => document,
        None if reply.begins_as_json() => return Err(DiscoveryError::Malformed("it is not valid JSON")),
        None => return Err(crate::Trouble::Intercepted { status: 200 }.into()),
    };
    let found = document.get("issuer").and_then(Value::as_str).ok_or(DiscoveryError::Malformed("it names no issuer"))?;
    if !is_same_issuer(issuer, found) {
        let clean = found.chars().filter(|c| !c.is_control()).take(200).collect();
        return Err(DiscoveryError::WrongIssuer { expected: issuer.as_str().to_owned(), found: clean });
    }
    let endpoints = Endpoints { document: &document, plain_is_fine: issuer.url().scheme() == "http" };
    let methods = document.get("code_challenge_methods_supported");
    let says_s256 = methods.and_then(Value::as_array).is_some_and(|methods| methods.iter().any(|method| method == "S256"));
    if methods.is_some() && !says_s256 {
        return Err(DiscoveryError::Malformed("it does not support PKCE with S256"));
    }
    let list = |name: &str| document.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    Ok(Metadata {
        issuer: found.to_owned(),
        authorization: endpoints.required("authorization_endpoint")?,
        token: endpoints.required("token_endpoint")?,
        jwks: endpoints.optional("jwks_uri")?,
        registration: endpoints.optional("registration_endpoint")?,
        revocation: endpoints.optional("revocation_endpoint")?,
        end_session: endpoints.optional("end_session_endpoint")?,
        names_issuer: document.get("authorization_response_iss_parameter_supported") == Some(&Value::Bool(true)),
        says_s256,
        is_auth0: endpoints.optional(AUTH0S_OWN)?.is_some_and(|url| url.origin() == issuer.url().origin()),
        scopes: list("scopes_supported").map(str::to_owned).collect(),
        binds: list("dpop_signing_alg_values_supported").any(|algorithm| algorithm == "ES256"),
        ahead: dpop::ahead(&reply.headers, now),
    })
}

fn is_same_issuer(issuer: &Issuer, found: &str) -> bool {
    let bare = |text: &str| issuer.url().path() == "/" && text.strip_suffix('/').unwrap_or(text) == issuer.as_str().trim_end_matches('/');
    found == issuer.as_str() || (bare(found) && !found.ends_with("//"))
}

struct Endpoints<'a> {
    document: &'a Map<String, Value>,
    /// Plain http (on loopback) is for a tenant that is itself there.
    plain_is_fine: bool,
}

impl Endpoints<'_> {
    fn required(&self, name: &'static str) -> Result<Url, DiscoveryError> {
        self.optional(name)?.ok_or(DiscoveryError::Malformed(match name {
            "authorization_endpoint" => "it names no authorization endpoint",
            _ => "it names no token endpoint",
        }))
    }

    fn optional(&self, name: &'static str) -> Result<Option<Url>, DiscoveryError> {
        let Some(value) = self.document.get(name).filter(|value| !value.is_null()) else { return Ok(None) };
        let url = value.as_str().and_then(|text| Url::parse(text).ok()).ok_or(DiscoveryError::Malformed("an address in it is not one"))?;
        if is_secure(&url) && (self.plain_is_fine || url.scheme() == "https") { Ok(Some(url)) } else { Err(DiscoveryError::Insecure(name)) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::json;

    use super::*;
    use crate::{Trouble, fetch::tests::reply};

    const ISSUER: &str = "https://tenant.example/";

    fn document() -> Value {
        json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://tenant.example/authorize",
            "token_endpoint": "https://tenant.example/oauth/token",
            "jwks_uri": "https://tenant.example/.well-known/jwks.json",
            "code_challenge_methods_supported": ["S256", "plain"],
        })
    }

    fn read_as(issuer: &str, document: &Value) -> Result<Metadata, DiscoveryError> {
        read(&Issuer::parse(issuer).unwrap(), &reply(200, &[], &document.to_string()), SystemTime::UNIX_EPOCH)
    }

    pub(crate) fn metadata() -> Metadata {
        read_as(ISSUER, &document()).unwrap()
    }

    #[test]
    fn what_one_document_does_not_say_another_of_the_same_tenant_may() {
        let with = |name: &str, value: Value| {
            let mut changed = document();
            changed[name] = value;
            read_as(ISSUER, &changed).unwrap()
        };
        let place = "https://tenant.example/revoke";
        let mut known = metadata();
        assert_eq!(known.revocation, None);
        let elsewhere =
            Metadata { token: Url::parse("https://tenant.example/other").unwrap(), ..with("revocation_endpoint", json!(place)) };
        known.complete(elsewhere);
        assert_eq!(known, metadata(), "another server");
        known.complete(with("revocation_endpoint", json!(place)));
        known.complete(with("revocation_endpoint", json!("https://tenant.example/later")));
        assert_eq!(known.revocation.as_ref().map(Url::as_str), Some(place), "the first word counts");
    }

    #[test]
    fn the_addresses_are_behind_the_issuers_path_and_before_it() {
        let of = |issuer: &str| addresses(&Issuer::parse(issuer).unwrap()).iter().map(Url::to_string).collect::<Vec<_>>();
        for issuer in ["https://t.example", "https://t.example/"] {
            let expected =
                ["https://t.example/.well-known/openid-configuration", "https://t.example/.well-known/oauth-authorization-server"];
            assert_eq!(of(issuer), expected);
        }
        for issuer in ["https://t.example/realms/a", "https://t.example/realms/a/"] {
            let expected = [
                "https://t.example/realms/a/.well-known/openid-configuration",
                "https://t.example/.well-known/oauth-authorization-server/realms/a",
                "https://t.example/.well-known/openid-configuration/realms/a",
            ];
            assert_eq!(of(issuer), expected);
        }
    }

    #[test]
    fn the_issuer_must_be_the_one_that_was_asked_character_by_character() {
        assert_eq!(read_as(ISSUER, &document()).unwrap().issuer, ISSUER);
        for other in [
            "https://tenant.example//",
            "https://Tenant.example/",
            "https://tenant.example/a",
            "https://evil.example/",
            "http://tenant.example/",
        ] {
            let mut changed = document();
            changed["issuer"] = json!(other);
            let error = read_as(ISSUER, &changed).unwrap_err();
            assert_eq!(error, DiscoveryError::WrongIssuer { expected: ISSUER.to_owned(), found: other.to_owned() });
        }
        let mut changed = document();
        changed["issuer"] = json!("https://tenant.example/realm/");
        assert_eq!(read_as("https://tenant.example/realm", &changed).unwrap_err().code(), "discovery-wrong-issuer");
    }

    #[test]
    fn only_the_slash_after_a_bare_host_may_differ_and_the_tenants_spelling_counts() {
        assert_eq!(read_as("https://tenant.example", &document()).unwrap().issuer, ISSUER);
    }

    #[test]
    fn every_endpoint_must_be_https_unless_the_tenant_is_on_loopback() {
        for name in
            ["authorization_endpoint", "token_endpoint", "jwks_uri", "revocation_endpoint", "end_session_endpoint", "registration_endpoint"]
        {
            for address in ["http://tenant.example/x", "http://127.0.0.1/x", "ftp://tenant.example/x"] {
                let mut changed = document();
                changed[name] = json!(address);
                assert_eq!(read_as(ISSUER, &changed), Err(DiscoveryError::Insecure(name)), "{name} {address}");
            }
        }
        let local = document().to_string().replace("https://tenant.example", "http://127.0.0.1:9");
        assert!(read_as("http://127.0.0.1:9/", &serde_json::from_str(&local).unwrap()).is_ok());
    }

    #[test]
    fn a_tenant_binds_tokens_if_it_takes_es256() {
        for (algorithms, binds) in [
            (json!(["RS256", "ES256"]), true),
            (json!(["ES384"]), false),
            (json!("ES256"), false),
            (json!([]), false),
            (Value::Null, false),
        ] {
            let mut changed = document();
            changed["dpop_signing_alg_values_supported"] = algorithms.clone();
            assert_eq!(read_as(ISSUER, &changed).unwrap().binds, binds, "{algorithms}");
        }
        assert!(!read_as(ISSUER, &document()).unwrap().binds);
    }

    #[test]
    fn an_auth0_is_known_by_what_it_says_and_not_by_its_name() {
        let said = |endpoint: Value| {
            let mut changed = document();
            changed["mfa_challenge_endpoint"] = endpoint;
            read_as(ISSUER, &changed).map(|metadata| metadata.is_auth0)
        };
        assert_eq!(said(json!("https://tenant.example/mfa/challenge")), Ok(true), "a custom domain is the tenant's own");
        assert_eq!(said(json!("https://tenant.eu.auth0.com/mfa/challenge")), Ok(false), "somebody else's is no sign");
        assert_eq!((said(Value::Null), read_as(ISSUER, &document()).map(|metadata| metadata.is_auth0)), (Ok(false), Ok(false)));
    }

    #[test]
    fn what_is_missing_or_unsupported_is_named() {
        for name in ["issuer", "authorization_endpoint", "token_endpoint"] {
            let mut changed = document();
            changed.as_object_mut().unwrap().remove(name);
            assert!(matches!(read_as(ISSUER, &changed), Err(DiscoveryError::Malformed(_))), "{name}");
        }
        let mut plain = document();
        plain["code_challenge_methods_supported"] = json!(["plain"]);
        assert_eq!(read_as(ISSUER, &plain), Err(DiscoveryError::Malformed("it does not support PKCE with S256")));
    }

    #[test]
    fn an_answer_that_is_not_metadata_says_what_it_is() {
        let issuer = Issuer::parse(ISSUER).unwrap();
        let read = |status, body| read(&issuer, &reply(status, &[], body), SystemTime::UNIX_EPOCH).unwrap_err();
        assert_eq!(read(404, "{}"), DiscoveryError::NotFound { status: 404 });
        assert_eq!(read(200, "<html>"), Trouble::Intercepted { status: 200 }.into());
        assert_eq!(read(302, ""), Trouble::Intercepted { status: 302 }.into());
        assert_eq!(read(503, ""), Trouble::Unwell { status: 503, retry_in: None }.into());
        assert_eq!(read(200, "{\"issuer\": "), DiscoveryError::Malformed("it is not valid JSON"));
    }
}
