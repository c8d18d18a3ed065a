//! Whether an agent still says of itself what a profile was made of.

use super::{FindError, Resource, describe, knock};
use crate::{Clock, Issuer, Profile};

/// The agent takes other tokens than those that a profile leads to. All of it is the agent's word, and nothing is changed by it: whom to trust is
/// for a person to decide, who adds the agent anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// The agent names other tenants; this is the first of them.
    #[error(
        "The agent now trusts the sign-in server {named}, and this sign-in is from {known}. If whoever runs the agent says that this is right, add \
         the agent again by its address."
    )]
    Tenant { named: Issuer, known: Issuer },
    /// The agent names another audience, or calls itself another resource (RFC 8707).
    #[error(
        "The agent now takes tokens for {named}, and this sign-in gets them for {known}. If whoever runs the agent says that this is right, add the \
         agent again by its address."
    )]
    Audience { named: String, known: String },
}

impl Mismatch {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Tenant { .. } => "agent-trusts-another",
            Self::Audience { .. } => "agent-other-audience",
        }
    }

    /// What the agent names, and what the profile has.
    #[must_use]
    pub fn sides(&self) -> (&str, &str) {
        match self {
            Self::Tenant { named, known } => (named.as_str(), known.as_str()),
            Self::Audience { named, known } => (named, known),
        }
    }
}

/// Asks the agent of a profile, without a token, which tokens it takes (RFC 9728), and holds that against the profile. `None`: they agree, as far
/// as the agent says anything. `http` must not follow redirects.
///
/// # Errors
/// See [`FindError`]; [`FindError::Untold`] for an agent that says nothing of itself.
pub async fn compare_with_agent(http: &reqwest::Client, clock: &dyn Clock, profile: &Profile) -> Result<Option<Mismatch>, FindError> {
    let answer = knock(http, clock, &profile.agent).await?;
    let (_, resource) = describe(http, clock, &profile.agent, &answer.challenges).await?;
    Ok(compare(profile, resource))
}

fn compare(profile: &Profile, resource: Resource) -> Option<Mismatch> {
    let plain = |text: &str| text.trim_end_matches('/').to_owned();
    let differ = |one: &str, other: &str| plain(one) != plain(other);
    let Resource { identifier, audience, servers, .. } = resource;
    if servers.iter().all(|server| differ(server.as_str(), profile.issuer.as_str())) {
        let named = servers.into_iter().next()?;
        return Some(Mismatch::Tenant { named, known: profile.issuer.clone() });
    }
    [(audience, &profile.audience), (Some(identifier), &profile.resource)].into_iter().find_map(|(named, known)| match (named, known) {
        (Some(named), Some(known)) if differ(&named, known) => {
            let named = named.chars().filter(|character| !character.is_control()).take(200).collect();
            Some(Mismatch::Audience { named, known: known.clone() })
        }
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGENT: &str = "https://agent.example/agents/chat";

    fn resource(servers: &[&str], audience: Option<&str>) -> Resource {
        Resource {
            identifier: AGENT.to_owned(),
            wider: false,
            servers: servers.iter().map(|server| server.parse().unwrap()).collect(),
            scopes: Vec::new(),
            audience: audience.map(str::to_owned),
            proofs: None,
        }
    }

    fn profile(audience: Option<&str>, resource: Option<&str>) -> Profile {
        let mut profile = Profile::new("chat", AGENT.parse().unwrap(), "https://tenant.example/".parse().unwrap(), "client");
        profile.audience = audience.map(str::to_owned);
        profile.resource = resource.map(str::to_owned);
        profile
    }

    #[test]
    fn another_tenant_is_told_and_one_of_several_or_another_spelling_is_not() {
        let known = profile(None, None);
        for same in [&["https://tenant.example"][..], &["https://tenant.example/"], &["https://new.example", "https://tenant.example"]] {
            assert_eq!(compare(&known, resource(same, None)), None, "{same:?}");
        }
        let told = compare(&known, resource(&["https://new.example"], None)).unwrap();
        assert_eq!((told.code(), told.sides()), ("agent-trusts-another", ("https://new.example", "https://tenant.example/")));
        assert!(told.to_string().contains("https://new.example"));
    }

    #[test]
    fn another_audience_is_told_where_both_sides_name_one() {
        let servers = &["https://tenant.example/"];
        for (known, named, differs) in [
            (profile(None, None), Some("https://api.example"), false),
            (profile(Some("https://api.example/"), None), Some("https://api.example"), false),
            (profile(Some("https://api.example"), None), None, false),
            (profile(Some("https://api.example"), None), Some("https://new.example"), true),
            (profile(None, Some(AGENT)), None, false),
            (profile(None, Some("https://agent.example/agents/old")), None, true),
        ] {
            let told = compare(&known, resource(servers, named));
            assert_eq!(told.as_ref().map(Mismatch::code), differs.then_some("agent-other-audience"), "{known:?} {named:?}");
        }
    }
}
