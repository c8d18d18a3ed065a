//! A look at a tenant and at an agent without a sign-in: what answers there, what it offers, and how far its clock is from this computer's.

use std::time::SystemTime;

use http::{HeaderMap, header};
use url::Url;

use crate::{
    Challenge, Clock, DiscoveryError, Issuer, Trouble,
    discovery::Metadata,
    fetch::{Reply, Request, fetch},
    find,
};

/// What was found, and what the clock of whoever answered says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected<T> {
    pub found: T,
    /// By how many seconds this computer's clock is ahead of the server's `Date` (RFC 9110 §6.6.1); negative: behind. `None`: nobody said.
    pub ahead: Option<i64>,
}

/// What a tenant says that it can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offers {
    /// Where its documents are: the one that counts first, then those that complete it.
    pub at: Vec<Url>,
    /// The issuer, as it writes it.
    pub issuer: String,
    /// It says that it supports PKCE with S256 (RFC 7636). Some that do say nothing.
    pub s256: bool,
    /// Apps can register themselves (RFC 7591).
    pub registration: bool,
    /// Refresh tokens can be revoked (RFC 7009).
    pub revocation: bool,
    /// It can end the browser's own session (OpenID Connect RP-Initiated Logout 1.0).
    pub logout: bool,
    /// It issues ID tokens.
    pub identity: bool,
    /// Every answer that comes by browser names its issuer (RFC 9207).
    pub names_issuer: bool,
    /// Tokens can be bound to a key (RFC 9449).
    pub dpop: bool,
}

/// What an agent answers to somebody without a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AgentAnswer {
    /// It asks for a token, as it should. `schemes`: of its challenges, in lower case; none: it does not say how.
    WantsToken { schemes: Vec<String> },
    /// It lets everybody in.
    Open,
    /// Cloudflare Access sends to a page that only a browser can pass. The host is that page's.
    LoginPage { host: String },
    /// 403.
    Forbidden,
    /// 400, 404, 410: no agent is there.
    NotThere { status: u16 },
    /// It could not be asked, or something else answered.
    Trouble(Trouble),
}

/// Asks a tenant for its documents (OpenID Connect Discovery 1.0, RFC 8414), exactly as a sign-in does. `http` must not follow redirects.
pub async fn inspect_tenant(http: &reqwest::Client, clock: &dyn Clock, issuer: &Issuer) -> Inspected<Result<Offers, DiscoveryError>> {
    let mut ahead = None;
    let heard = |reply: &Reply| ahead = behind(reply, clock.now()).or(ahead);
    let found = find::discover_all(http, clock, issuer, heard).await.map(|(at, metadata)| offers(at, metadata));
    Inspected { found, ahead }
}

fn offers(at: Vec<Url>, metadata: Metadata) -> Offers {
    Offers {
        at,
        issuer: metadata.issuer,
        s256: metadata.says_s256,
        registration: metadata.registration.is_some(),
        revocation: metadata.revocation.is_some(),
        logout: metadata.end_session.is_some(),
        identity: metadata.jwks.is_some(),
        names_issuer: metadata.names_issuer,
        dpop: metadata.binds,
    }
}

/// Asks an agent for something that needs a token, without one. `http` must not follow redirects.
pub async fn inspect_agent(http: &reqwest::Client, clock: &dyn Clock, agent: &Url) -> Inspected<AgentAnswer> {
    match fetch(http, Request::Get(find::door(agent))).await {
        Ok(reply) => Inspected { ahead: behind(&reply, clock.now()), found: judge(&reply, clock.now()) },
        Err(trouble) => Inspected { found: AgentAnswer::Trouble(trouble), ahead: None },
    }
}

fn judge(reply: &Reply, now: SystemTime) -> AgentAnswer {
    let challenges = Challenge::all(&reply.headers);
    let page = reply.body.expose().iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
    match reply.status {
        401 => AgentAnswer::WantsToken { schemes: challenges.into_iter().map(|challenge| challenge.scheme).collect() },
        300..=399 => match access_page(&reply.headers) {
            Some(host) => AgentAnswer::LoginPage { host },
            None => AgentAnswer::Trouble(Trouble::Intercepted { status: reply.status }),
        },
        200..=299 if page => AgentAnswer::Trouble(Trouble::Intercepted { status: reply.status }),
        200..=299 => AgentAnswer::Open,
        403 => AgentAnswer::Forbidden,
        status => match reply.trouble(now) {
            Some(trouble) => AgentAnswer::Trouble(trouble),
            None => AgentAnswer::NotThere { status },
        },
    }
}

/// The host of the Cloudflare Access page to which a redirect leads.
fn access_page(headers: &HeaderMap) -> Option<String> {
    let location = Url::parse(headers.get(header::LOCATION)?.to_str().ok()?).ok()?;
    let host = location.host_str()?;
    (host.ends_with(".cloudflareaccess.com") && location.path().starts_with("/cdn-cgi/access/")).then(|| host.to_owned())
}

/// How far ahead of the answer's clock this computer's is.
fn behind(reply: &Reply, now: SystemTime) -> Option<i64> {
    let there = reply.date()?;
    let seconds = |apart: std::time::Duration| i64::try_from(apart.as_secs()).unwrap_or(i64::MAX);
    Some(match now.duration_since(there) {
        Ok(ahead) => seconds(ahead),
        Err(error) => -seconds(error.duration()),
    })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::fetch::tests::reply;

    #[test]
    fn each_answer_of_an_agent_means_one_thing() {
        let access = [("location", "https://team.cloudflareaccess.com/cdn-cgi/access/login/agent.example?kid=1")];
        let wants = |schemes: &[&str]| AgentAnswer::WantsToken { schemes: schemes.iter().map(|scheme| (*scheme).to_owned()).collect() };
        let intercepted = |status| AgentAnswer::Trouble(Trouble::Intercepted { status });
        for (status, headers, body, expected) in [
            (401, &[("www-authenticate", "Bearer realm=\"api\"")][..], "", wants(&["bearer"])),
            (401, &[], "", wants(&[])),
            (200, &[], "[]", AgentAnswer::Open),
            (200, &[], "\n <!doctype html>", intercepted(200)),
            (302, &access, "", AgentAnswer::LoginPage { host: "team.cloudflareaccess.com".to_owned() }),
            (302, &[("location", "https://cloudflareaccess.com.example/cdn-cgi/access/x")], "", intercepted(302)),
            (302, &[("location", "/portal")], "", intercepted(302)),
            (403, &[], "", AgentAnswer::Forbidden),
            (404, &[], "", AgentAnswer::NotThere { status: 404 }),
            (429, &[], "", AgentAnswer::Trouble(Trouble::RateLimited { retry_in: None })),
            (503, &[], "", AgentAnswer::Trouble(Trouble::Unwell { status: 503, retry_in: None })),
        ] {
            assert_eq!(judge(&reply(status, headers, body), UNIX_EPOCH), expected, "{status} {headers:?}");
        }
    }

    #[test]
    fn a_clock_is_ahead_or_behind_by_whole_seconds() {
        let answer = reply(200, &[("date", "Sun, 06 Nov 1994 08:49:37 GMT")], "");
        let there = answer.date().unwrap();
        assert_eq!(behind(&answer, there + Duration::from_millis(7_200_900)), Some(7200));
        assert_eq!(behind(&answer, there - Duration::from_secs(60)), Some(-60));
        assert_eq!(behind(&reply(200, &[], ""), there), None);
    }
}
