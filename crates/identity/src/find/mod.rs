//! From an agent's address alone to a profile: what the agent says about itself (RFC 9728), what its tenant says about itself (RFC 8414 or
//! OpenID Connect Discovery), and a client of that tenant (RFC 7591, or one that somebody has been given).
//!
//! Every step is kept ([`Step`]) and can be shown: which document led where, and what in it was let pass.

mod compare;
mod error;
mod registration;
mod renewal;
mod resource;

use serde::{Deserialize, Serialize};
use url::Url;

pub use self::compare::{Mismatch, compare_with_agent};
pub use self::error::{FindError, RegistrationError};
pub use self::renewal::{is_client_forgotten, renew_client};
use self::resource::{Proofs, Resource};
use crate::{
    Challenge, Clock, DiscoveryError, Issuer, Profile, Trouble,
    discovery::{self, Metadata},
    fetch::{Reply, Request, fetch},
    profile::{self, is_secure},
};

/// The redirect URI of an app that only listens on this computer; the port is any (RFC 8252 §7.3).
pub const LOOPBACK: &str = "http://127.0.0.1/callback";

/// The messages of a conversation that nobody has: an agent behind a login asks for a token before it looks.
const PROBE: &str = "callbox-discovery/get-messages";

/// One step on the way from an agent's address to its profile.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// The agent asked for a token. `scheme`: of the challenge that counted.
    Challenged { scheme: String },
    /// The agent's own document. `wider`: it is about a part of the agent's origin that contains the agent, which is let pass.
    Resource { at: Url, identifier: String, wider: bool },
    /// The document names these tenants too; the first was taken.
    AlsoNamed { issuers: Vec<Issuer> },
    /// The tenant's own document, which names the same issuer.
    Tenant { at: Url, issuer: Issuer },
    /// Tokens are bound to this computer (RFC 9449): the agent says that it takes such tokens, and the tenant that it gives them. `required`: the
    /// agent takes no others.
    Bound { required: bool },
    /// The tenant has registered this installation, to be sent back to this address.
    Registered { redirect_uri: String },
    /// Somebody has brought the client id.
    ClientGiven,
}

/// An agent whose tenant is known. What is missing is a client.
#[derive(Debug, Clone)]
pub struct Found {
    agent: Url,
    issuer: Issuer,
    resource: String,
    audience: Option<String>,
    scopes: Vec<String>,
    metadata: Metadata,
    steps: Vec<Step>,
}

/// Asks an agent which tenant it trusts, and that tenant where its endpoints are. Nothing that is fetched is on an origin that the agent chose,
/// except its tenant's. `http` must not follow redirects.
///
/// # Errors
/// See [`FindError`].
pub async fn find_agent(http: &reqwest::Client, clock: &dyn Clock, agent: &Url) -> Result<Found, FindError> {
    if !is_secure(agent) {
        return Err(FindError::Insecure);
    }
    let mut steps = Vec::new();
    let Answer { status, challenges } = knock(http, clock, agent).await?;
    // Whoever is sent to a page may be shown a way past it. If that is none, it is the page that is in the way.
    let by_page = status < 400 || challenges.iter().any(|challenge| challenge.scheme == "cloudflare-access");
    let or_page = |error: FindError| match error {
        FindError::Untold | FindError::Malformed(_) | FindError::Tenant(DiscoveryError::NotFound { .. }) if by_page => {
            FindError::PageBefore
        }
        FindError::Untold if status == 403 => FindError::Shut,
        error => error,
    };
    let (at, resource) = describe(http, clock, agent, &challenges).await.map_err(or_page)?;
    if let Some(challenge) = challenges.iter().find(|challenge| challenge.param("resource_metadata").is_some()).or(challenges.first()) {
        steps.push(Step::Challenged { scheme: challenge.scheme.clone() });
    }
    let (takes_proofs, required) = (resource.takes_proofs(&challenges), resource.proofs == Some(Proofs::Required));
    let Resource { identifier, wider, mut servers, scopes, audience, .. } = resource;
    steps.push(Step::Resource { at, identifier: identifier.clone(), wider });
    let issuer = servers.remove(0);
    if !servers.is_empty() {
        steps.push(Step::AlsoNamed { issuers: servers });
    }
    let (at, metadata) = discover(http, clock, &issuer).await.map_err(|error| or_page(error.into()))?;
    if !metadata.says_s256 {
        return Err(FindError::NoPkce);
    }
    // The tenant's own spelling counts from here on.
    let issuer = Issuer::parse(&metadata.issuer).unwrap_or(issuer);
    steps.push(Step::Tenant { at, issuer: issuer.clone() });
    if takes_proofs && metadata.binds {
        steps.push(Step::Bound { required });
    }
    let wanted = challenges.iter().find_map(|challenge| challenge.param("scope"));
    let scopes = choose_scopes(wanted, &scopes, &metadata);
    Ok(Found { agent: agent.clone(), issuer, resource: identifier, audience, scopes, metadata, steps })
}

/// What needs a token at an agent.
pub(crate) fn door(agent: &Url) -> Url {
    let mut door = agent.clone();
    door.set_path(&format!("{}/{PROBE}", agent.path().trim_end_matches('/')));
    door
}

/// What came of knocking.
struct Answer {
    status: u16,
    challenges: Vec<Challenge>,
}

/// Asks the agent for something that needs a token.
async fn knock(http: &reqwest::Client, clock: &dyn Clock, agent: &Url) -> Result<Answer, FindError> {
    let reply = fetch(http, Request::Get(door(agent))).await?;
    let challenges = Challenge::all(&reply.headers);
    match reply.status {
        200..300 => Err(FindError::Open),
        // Sent to a page; a page's address may come with the challenge that leads past it.
        300..400 if challenges.is_empty() => Err(FindError::PageBefore),
        429 | 408 | 425 | 500.. => Err(reply.trouble(clock.now()).unwrap_or(Trouble::Intercepted { status: reply.status }).into()),
        // 404 too: an agent may have other routes, and a document all the same.
        status => Ok(Answer { status, challenges }),
    }
}

/// The agent's document: where its challenge says that it is, else where it usually is.
async fn describe(http: &reqwest::Client, clock: &dyn Clock, agent: &Url, challenges: &[Challenge]) -> Result<(Url, Resource), FindError> {
    let places = match resource::named(challenges, agent)? {
        Some(place) => vec![place],
        None => resource::well_known(agent),
    };
    for place in places {
        let reply = fetch(http, Request::Get(place.clone())).await?;
        if let Some(resource) = resource::read(agent, &reply, clock.now())? {
            return Ok((place, resource));
        }
    }
    Err(FindError::Untold)
}

/// The tenant's metadata, and where it was: at each place in turn, until one has it. One that does not say where tokens are revoked, of which OpenID
/// Connect Discovery knows nothing, is completed by the others.
pub(crate) async fn discover(http: &reqwest::Client, clock: &dyn Clock, issuer: &Issuer) -> Result<(Url, Metadata), DiscoveryError> {
    let (places, metadata) = discover_all(http, clock, issuer, |_| {}).await?;
    let place = places.into_iter().next().unwrap_or_else(|| issuer.url().clone());
    Ok((place, metadata))
}

/// The same with every place that has it, the first one first. `heard`: what to do with every answer, whatever is in it.
pub(crate) async fn discover_all(
    http: &reqwest::Client,
    clock: &dyn Clock,
    issuer: &Issuer,
    mut heard: impl FnMut(&Reply),
) -> Result<(Vec<Url>, Metadata), DiscoveryError> {
    let (mut first, mut found) = (None, None::<(Vec<Url>, Metadata)>);
    for place in discovery::addresses(issuer) {
        let answer = match fetch(http, Request::Get(place.clone())).await {
            Ok(reply) => {
                heard(&reply);
                discovery::read(issuer, &reply, clock.now())
            }
            Err(trouble) => Err(trouble.into()),
        };
        match answer {
            Ok(metadata) => {
                let (places, known) = found.get_or_insert_with(|| (Vec::new(), metadata.clone()));
                places.push(place);
                known.complete(metadata);
                if known.revocation.is_some() {
                    break;
                }
            }
            Err(_) if found.is_some() => {}
            // A server that has another document, or answers every address with its page, has none here.
            Err(error @ (DiscoveryError::NotFound { .. } | DiscoveryError::Trouble(Trouble::Intercepted { .. }))) => {
                first = first.or(Some(error))
            }
            Err(error) => return Err(error),
        }
    }
    found.ok_or(first.unwrap_or(DiscoveryError::NotFound { status: 404 }))
}

/// What to ask for: what the challenge wants, else what the agent's document names; and what makes a session, where the tenant has it.
fn choose_scopes(challenge: Option<&str>, resource: &[String], metadata: &Metadata) -> Vec<String> {
    let mut chosen: Vec<String> = match challenge {
        Some(scopes) => scopes.split(' ').filter(|scope| resource::is_scope(scope)).map(str::to_owned).collect(),
        None => resource.to_vec(),
    };
    // Without keys there is nobody to be known by an ID token.
    if metadata.jwks.is_none() {
        chosen.retain(|scope| scope != "openid");
    }
    for scope in profile::SESSION_SCOPES {
        let has_it = metadata.scopes.iter().any(|known| known == scope) && (scope != "openid" || metadata.jwks.is_some());
        if has_it && !chosen.iter().any(|chosen| chosen == scope) {
            chosen.push(scope.to_owned());
        }
    }
    chosen
}

impl Found {
    /// The tenant.
    #[must_use]
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// How it was found.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Whether [`Found::register`] can be tried.
    #[must_use]
    pub fn can_register(&self) -> bool {
        self.metadata.registration.is_some()
    }

    /// The profile, with a client id that somebody was given.
    #[must_use]
    pub fn with_client(&self, id: &str, client_id: &str) -> Profile {
        let mut profile = Profile::new(id, self.agent.clone(), self.issuer.clone(), client_id);
        profile.name = self.agent.host_str().unwrap_or(id).to_owned();
        // A tenant goes by the one that it knows; Auth0, which may know both, by the audience.
        profile.audience.clone_from(&self.audience);
        profile.resource = Some(self.resource.clone());
        profile.scopes.clone_from(&self.scopes);
        profile.provenance.clone_from(&self.steps);
        profile.provenance.push(Step::ClientGiven);
        profile
    }

    /// Registers this installation as a client of its own, and gives the profile with it. `name`: what the tenant may show when it asks for
    /// consent.
    ///
    /// The browser is to come back to a port of this computer: some tenants take the app's own link at the registration and refuse it at the
    /// sign-in, on a page from which nothing comes back (and MCP's authorization of 2026-07-28 allows nothing else). Where the agent names an
    /// audience it is the app's own link, because Auth0, whose word that is, does not say that it allows any port.
    ///
    /// When the tenant has forgotten the client, see [`renew_client`].
    ///
    /// # Errors
    /// See [`RegistrationError`].
    pub async fn register(&self, http: &reqwest::Client, clock: &dyn Clock, id: &str, name: &str) -> Result<Profile, RegistrationError> {
        let mut profile = self.with_client(id, "");
        profile.provenance.pop();
        if self.audience.is_none() {
            LOOPBACK.clone_into(&mut profile.redirect_uri);
        }
        registration::register(http, clock, &self.metadata, profile, name).await
    }
}
