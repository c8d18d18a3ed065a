//! What an agent says about itself as a protected resource (RFC 9728): which tenants issue tokens for it.
//!
//! All of it comes from the agent, which is not trusted. So the document has to be on the agent's own origin, which also keeps the agent from
//! having addresses of its choice fetched from this computer (RFC 9728 §7.7), and it has to be about the agent (§3.3).

use std::time::SystemTime;

use serde_json::Value;
use url::{Position, Url};

use super::FindError;
use crate::{Challenge, Issuer, Trouble, fetch::Reply};

const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// More than anybody can choose from.
const MAX_SERVERS: usize = 16;

/// A resource whose document was believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// The resource identifier, as the document writes it: what `resource` is in requests (RFC 8707).
    pub(crate) identifier: String,
    /// The document is about a part of the agent's origin that contains the agent, not about exactly this address.
    pub(crate) wider: bool,
    /// In the order of the document, never empty.
    pub(crate) servers: Vec<Issuer>,
    pub(crate) scopes: Vec<String>,
    /// Not in the RFC: the API identifier that an Auth0 tenant wants.
    pub(crate) audience: Option<String>,
    /// None: the document does not speak of proofs.
    pub(crate) proofs: Option<Proofs>,
}

/// What a resource's document says about tokens that are bound to a key (RFC 9728 §2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Proofs {
    /// With ES256, beside bearer tokens.
    Taken,
    /// It takes no others.
    Required,
    /// With other algorithms only.
    Foreign,
}

impl Resource {
    /// Whether the agent takes ES256 proofs, by its document or by a challenge of the scheme (RFC 9449 §7.1). One of which nothing is known may
    /// know bearer tokens only, and refuse a bound one.
    pub(crate) fn takes_proofs(&self, challenges: &[Challenge]) -> bool {
        let asks = |challenge: &Challenge| {
            challenge.scheme == "dpop" && challenge.param("algs").is_none_or(|algorithms| algorithms.split(' ').any(|one| one == "ES256"))
        };
        match self.proofs {
            Some(Proofs::Taken | Proofs::Required) => true,
            Some(Proofs::Foreign) => false,
            None => challenges.iter().any(asks),
        }
    }
}

/// Where the document may be: for exactly this address, and for its origin (RFC 9728 §3.1).
pub(crate) fn well_known(agent: &Url) -> Vec<Url> {
    let at = |path: &str| {
        let mut url = agent.clone();
        url.set_path(path);
        url.set_query(None);
        url.set_fragment(None);
        url
    };
    let path = agent.path().trim_end_matches('/');
    let mut all = vec![at(&format!("{WELL_KNOWN}{path}"))];
    if !path.is_empty() {
        all.push(at(WELL_KNOWN));
    }
    all
}

/// Where a challenge says that the document is; the parameter is not tied to a scheme (RFC 9728 §5.1).
///
/// # Errors
/// It is not on the agent's origin.
pub(crate) fn named(challenges: &[Challenge], agent: &Url) -> Result<Option<Url>, FindError> {
    let Some(text) = challenges.iter().find_map(|challenge| challenge.param("resource_metadata")) else { return Ok(None) };
    let foreign = || FindError::ForeignMetadata { found: text.chars().filter(|c| !c.is_control()).take(200).collect() };
    let url = Url::parse(text).map_err(|_| foreign())?;
    let ours = url.origin() == agent.origin() && url.username().is_empty() && url.password().is_none();
    if ours { Ok(Some(url)) } else { Err(foreign()) }
}

/// Reads the document; `None` if there is none.
///
/// # Errors
/// It is not usable, or about something else.
pub(crate) fn read(agent: &Url, reply: &Reply, now: SystemTime) -> Result<Option<Resource>, FindError> {
    if let Some(trouble) = reply.trouble(now).filter(|trouble| !matches!(trouble, Trouble::Intercepted { .. })) {
        return Err(trouble.into());
    }
    // A site that answers every address with its page has none.
    let Some(document) = reply.json().filter(|_| reply.status == 200) else { return Ok(None) };
    let text = |name: &str| document.get(name).and_then(Value::as_str);
    let list = |name: &str| -> Vec<&str> {
        let values = document.get(name).and_then(Value::as_array);
        values.into_iter().flatten().filter_map(Value::as_str).take(MAX_SERVERS).collect()
    };
    let identifier = text("resource").ok_or(FindError::Malformed("it does not say what it is about"))?;
    let foreign = || FindError::WrongResource { found: identifier.chars().filter(|c| !c.is_control()).take(200).collect() };
    let about = Url::parse(identifier).map_err(|_| foreign())?;
    let wider = match contains(&about, agent) {
        Some(wider) => wider,
        None => return Err(foreign()),
    };
    let servers: Vec<_> = list("authorization_servers").into_iter().filter_map(|server| Issuer::parse(server).ok()).collect();
    // On loopback only for an agent that is there itself: another one does not get to name this computer's own servers.
    let servers: Vec<_> = servers.into_iter().filter(|issuer| issuer.url().scheme() == "https" || agent.scheme() == "http").collect();
    if servers.is_empty() {
        return Err(FindError::Malformed("it names no sign-in server"));
    }
    let algorithms = list("dpop_signing_alg_values_supported");
    let proofs = match (document.get("dpop_bound_access_tokens_required") == Some(&Value::Bool(true)), algorithms.contains(&"ES256")) {
        (_, false) if !algorithms.is_empty() => Some(Proofs::Foreign),
        (true, _) => Some(Proofs::Required),
        (false, true) => Some(Proofs::Taken),
        (false, false) => None,
    };
    let scopes = list("scopes_supported").into_iter().filter(|scope| is_scope(scope)).map(str::to_owned).collect();
    Ok(Some(Resource { identifier: identifier.to_owned(), wider, servers, scopes, audience: text("audience").map(str::to_owned), proofs }))
}

/// Whether the agent is this resource (`Some(false)`), or a part of it (`Some(true)`): the same origin, and a path that begins with its path. A
/// slash at the end makes no difference.
fn contains(about: &Url, agent: &Url) -> Option<bool> {
    let plain = about.fragment().is_none() && about.query().is_none() && about.username().is_empty() && about.password().is_none();
    if about.origin() != agent.origin() || !plain {
        return None;
    }
    let (whole, part) = (about.path().trim_end_matches('/'), agent[Position::BeforePath..Position::AfterPath].trim_end_matches('/'));
    let rest = part.strip_prefix(whole)?;
    if rest.is_empty() { Some(false) } else { rest.starts_with('/').then_some(true) }
}

/// RFC 6749 §3.3.
pub(crate) fn is_scope(text: &str) -> bool {
    !text.is_empty() && text.len() <= 200 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fetch::tests::reply;

    const AGENT: &str = "https://agent.example/agents/chat-agent";

    fn agent() -> Url {
        Url::parse(AGENT).unwrap()
    }

    fn read_as(agent: &str, document: &Value) -> Result<Option<Resource>, FindError> {
        read(&Url::parse(agent).unwrap(), &reply(200, &[], &document.to_string()), SystemTime::UNIX_EPOCH)
    }

    fn document(resource: &str) -> Value {
        json!({"resource": resource, "authorization_servers": ["https://tenant.example/"]})
    }

    #[test]
    fn the_document_is_looked_for_at_the_address_and_at_its_origin() {
        let at = |agent: &str| well_known(&Url::parse(agent).unwrap()).iter().map(Url::to_string).collect::<Vec<_>>();
        let root = "https://agent.example/.well-known/oauth-protected-resource";
        assert_eq!(at(AGENT), [&format!("{root}/agents/chat-agent"), root]);
        assert_eq!(at("https://agent.example/"), [root]);
        assert_eq!(at("https://agent.example/a/?q#f"), [&format!("{root}/a"), root]);
    }

    #[test]
    fn a_challenge_of_any_scheme_names_the_document_and_only_on_the_agents_origin() {
        let named = |field: &str| named(&Challenge::parse(field.as_bytes()).unwrap(), &agent());
        let there = "https://agent.example/.well-known/cloudflare-access-protected-resource/agents";
        for scheme in ["Bearer realm=\"OAuth\",", "Cloudflare-Access", "Basic realm=x, DPoP"] {
            assert_eq!(named(&format!("{scheme} resource_metadata=\"{there}\"")).unwrap().unwrap().as_str(), there);
        }
        assert_eq!(named("Bearer realm=x"), Ok(None));
        for found in [
            "/relative",
            "http://agent.example/m",
            "https://agent.example:444/m",
            "https://agent.example.evil.example/m",
            "https://evil.example/m",
            "https://10.0.0.1/m",
            "https://127.0.0.1/m",
            "https://user@agent.example/m",
            "file:///etc/passwd",
            "",
        ] {
            let error = FindError::ForeignMetadata { found: found.to_owned() };
            assert_eq!(named(&format!("Bearer resource_metadata=\"{found}\"")), Err(error), "{found}");
        }
    }

    #[test]
    fn the_document_must_be_about_the_agent_or_what_contains_it() {
        for (about, wider) in [
            (AGENT, false),
            ("https://agent.example/agents/chat-agent/", false),
            ("https://agent.example/agents", true),
            ("https://agent.example/", true),
            ("https://agent.example", true),
        ] {
            let resource = read_as(AGENT, &document(about)).unwrap().unwrap();
            assert_eq!((resource.identifier.as_str(), resource.wider), (about, wider));
        }
        for about in [
            "https://agent.example/agents/chat",
            "https://agent.example/agents/chat-agent/one",
            "https://agent.example/agents?x=1",
            "https://agent.example/#x",
            "https://evil.example/agents/chat-agent",
            "http://agent.example/agents/chat-agent",
            "https://agent.example:444/",
            "https://user@agent.example/",
            "not an address",
        ] {
            assert_eq!(read_as(AGENT, &document(about)), Err(FindError::WrongResource { found: about.to_owned() }), "{about}");
        }
    }

    #[test]
    fn servers_are_https_unless_the_agent_is_on_this_computer() {
        let of = |agent: &str, servers: Value| {
            let document = json!({"resource": agent, "authorization_servers": servers});
            read_as(agent, &document)
                .map(|found| found.unwrap().servers.iter().map(|issuer| issuer.as_str().to_owned()).collect::<Vec<_>>())
        };
        let mixed = json!(["http://127.0.0.1:9/", "http://evil.example/", 7, "https://b.example", "https://a.example/t?x"]);
        assert_eq!(of(AGENT, mixed.clone()).unwrap(), ["https://b.example"]);
        assert_eq!(of("http://127.0.0.1:8/", mixed).unwrap(), ["http://127.0.0.1:9/", "https://b.example"]);
        for none in [json!([]), json!(["http://evil.example/"]), json!("https://a.example/"), Value::Null] {
            assert_eq!(of(AGENT, none), Err(FindError::Malformed("it names no sign-in server")));
        }
    }

    #[test]
    fn scopes_and_audience_are_taken_along_and_nonsense_is_left_out() {
        let mut document = document(AGENT);
        document["scopes_supported"] = json!(["chat", "a b", "", 7, "x\"y", "openid"]);
        document["audience"] = json!("https://api.example");
        let resource = read_as(AGENT, &document).unwrap().unwrap();
        assert_eq!(
            (resource.scopes, resource.audience.as_deref()),
            (vec!["chat".to_owned(), "openid".to_owned()], Some("https://api.example"))
        );
    }

    #[test]
    fn an_agent_takes_proofs_if_it_says_so_and_not_otherwise() {
        let none = "Bearer realm=x";
        for (algorithms, required, challenge, takes, proofs) in [
            (Value::Null, Value::Null, none, false, None),
            (Value::Null, Value::Null, "Bearer, DPoP", true, None),
            (Value::Null, Value::Null, "DPoP algs=\"PS256 ES256\"", true, None),
            (Value::Null, Value::Null, "DPoP algs=\"PS256\"", false, None),
            (Value::Null, json!(true), none, true, Some(Proofs::Required)),
            (Value::Null, json!(false), none, false, None),
            (Value::Null, json!("true"), none, false, None),
            (json!(["ES256", "RS256"]), Value::Null, none, true, Some(Proofs::Taken)),
            (json!(["ES256"]), json!(true), none, true, Some(Proofs::Required)),
            (json!(["RS256"]), json!(true), "DPoP algs=\"ES256\"", false, Some(Proofs::Foreign)),
            (json!([]), Value::Null, none, false, None),
        ] {
            let mut document = document(AGENT);
            document["dpop_signing_alg_values_supported"] = algorithms.clone();
            document["dpop_bound_access_tokens_required"] = required.clone();
            let resource = read_as(AGENT, &document).unwrap().unwrap();
            let challenges = Challenge::parse(challenge.as_bytes()).unwrap();
            assert_eq!((resource.takes_proofs(&challenges), resource.proofs), (takes, proofs), "{algorithms} {required} {challenge}");
        }
    }

    #[test]
    fn an_answer_that_is_no_document_is_none_and_a_server_that_is_ill_is_ill() {
        let read = |status, body: &str| read(&agent(), &reply(status, &[], body), SystemTime::UNIX_EPOCH);
        for (status, body) in [(404, "{}"), (200, "<html>"), (302, ""), (403, "no")] {
            assert_eq!(read(status, body), Ok(None), "{status} {body}");
        }
        assert_eq!(read(503, "").unwrap_err().code(), "tenant-unwell");
        assert_eq!(read(200, "{}"), Err(FindError::Malformed("it does not say what it is about")));
    }
}
