//! The tenant and the agent of a profile, and what shows at them: clock, certificates, proxy.

use std::{env, time::Duration};

use callbox_identity::{
    AgentAnswer, DiscoveryError, Inspected, Mismatch, Obstacle, Offers, Profile, SystemClock, Trouble, inspect_agent, inspect_tenant,
};
use callbox_link::{Authorities, LinkError, authorities, http_client, proxy_of};
use tokio::{task::spawn_blocking, time::timeout};
use url::Url;

use super::Finding;
use crate::core::mismatch;

/// How long a server may take.
const BOUND: Duration = Duration::from_secs(8);
/// A clock that is wrong by less is right: tokens allow for it.
const LEEWAY: i64 = 60;
/// By how much a clock may be wrong before certificates and tokens are judged by a time that is not.
const TOLERABLE: i64 = 300;

/// What the two of them said.
struct Answers {
    tenant: Inspected<Result<Offers, DiscoveryError>>,
    agent: Inspected<AgentAnswer>,
    /// What of the profile the agent contradicts.
    mismatch: Option<Mismatch>,
}

/// A profile, and what was heard of it. `None`: connections could not be set up.
pub(super) struct Looked {
    profile: Profile,
    heard: Option<(Answers, Authorities)>,
}

/// Asks the tenants and the agents of these profiles, all at once.
pub(super) async fn look(profiles: Vec<Profile>) -> Vec<Looked> {
    let mut asking: Vec<_> = profiles
        .into_iter()
        .map(|profile| {
            let heard = tokio::spawn({
                let profile = profile.clone();
                async move { ask(&profile).await }
            });
            (profile, heard)
        })
        .collect();
    let mut looked = Vec::with_capacity(asking.len());
    for (profile, heard) in asking.drain(..) {
        looked.push(Looked { profile, heard: heard.await.ok().flatten() });
    }
    looked
}

async fn ask(profile: &Profile) -> Option<(Answers, Authorities)> {
    let (issuer, agent) = (profile.issuer.clone(), profile.agent.clone());
    // The system's certificates are read from the disk.
    let clients = spawn_blocking(move || Some((http_client(issuer.url()).ok()?, http_client(&agent).ok()?, authorities()))).await;
    let (tenant_http, agent_http, authorities) = clients.ok()??;
    let (tenant, (agent, mismatch)) =
        tokio::join!(timeout(BOUND, inspect_tenant(&tenant_http, &SystemClock, &profile.issuer)), ask_agent(&agent_http, profile));
    let answers = Answers { tenant: tenant.unwrap_or(Inspected { found: Err(Trouble::TimedOut.into()), ahead: None }), agent, mismatch };
    Some((answers, authorities))
}

/// What the agent answers, and what of the profile it contradicts; it need not say anything of itself.
async fn ask_agent(http: &reqwest::Client, profile: &Profile) -> (Inspected<AgentAnswer>, Option<Mismatch>) {
    let answer = timeout(BOUND, inspect_agent(http, &SystemClock, &profile.agent)).await;
    let answer = answer.unwrap_or(Inspected { found: AgentAnswer::Trouble(Trouble::TimedOut), ahead: None });
    let mismatch = match &answer.found {
        AgentAnswer::WantsToken { .. } => mismatch(profile).await,
        _ => None,
    };
    (answer, mismatch)
}

/// What is to be said of the profile's tenant and agent, and of what shows at all of them: clock, certificates, proxy.
pub(super) fn judge(first: &[Looked], others: &[Looked]) -> Vec<Finding> {
    let Some(Looked { profile, heard }) = first.first() else { return Vec::new() };
    let Some((answers, authorities)) = heard else {
        let text = "Connections could not be set up. Check the proxy settings and the certificates of this system.";
        return vec![Finding::problem("proxy", "network-setup", text)];
    };
    let all: Vec<_> = first.iter().chain(others).filter_map(|looked| Some((&looked.profile, &looked.heard.as_ref()?.0))).collect();
    // Servers differ by seconds; by how much this computer is wrong is told by the one that it is furthest from.
    let ahead = all.iter().filter_map(|(_, answers)| answers.tenant.ahead.or(answers.agent.ahead)).max_by_key(|ahead| ahead.unsigned_abs());
    vec![
        judge_tenant(&profile.issuer.host(), &answers.tenant.found),
        judge_agent(answers),
        judge_clock(ahead),
        judge_certificates(&all, *authorities, env::var("SSL_CERT_FILE").ok()),
        judge_proxy(&all),
    ]
}

/// What is to be said of the other tenants, each once, and of the other agents.
pub(super) fn judge_others(first: &[Looked], others: &[Looked]) -> Vec<Finding> {
    let mut issuers: Vec<&str> = first.iter().map(|looked| looked.profile.issuer.as_str()).collect();
    let mut findings = Vec::new();
    for Looked { profile, heard } in others {
        let Some((answers, _)) = heard else { continue };
        if !issuers.contains(&profile.issuer.as_str()) {
            issuers.push(profile.issuer.as_str());
            findings.push(judge_tenant(&profile.issuer.host(), &answers.tenant.found).about(&profile.name));
        }
        findings.push(judge_agent(answers).about(&profile.name));
    }
    findings
}

fn judge_tenant(host: &str, found: &Result<Offers, DiscoveryError>) -> Finding {
    const CHECK: &str = "tenant";
    let offers = match found {
        Ok(offers) => offers,
        Err(error) => return Finding::problem(CHECK, error.code(), error.to_string()),
    };
    if !offers.s256 {
        let text = format!("The sign-in server at {host} does not say that it supports PKCE with S256. Ask whoever runs it to turn it on.");
        return Finding::warning(CHECK, "tenant-without-pkce", text);
    }
    let list: Vec<&str> = [
        (true, "PKCE with S256"),
        (offers.identity, "ID tokens"),
        (offers.names_issuer, "its name in every answer"),
        (offers.dpop, "tokens bound to a key"),
        (offers.registration, "registration of apps"),
        (offers.revocation, "revocation"),
        (offers.logout, "a sign-out page"),
    ]
    .into_iter()
    .filter_map(|(offered, name)| offered.then_some(name))
    .collect();
    Finding::ok(CHECK, format!("The sign-in server at {host} answers, calls itself {}, and offers {}.", offers.issuer, list.join(", ")))
}

fn judge_agent(answers: &Answers) -> Finding {
    const CHECK: &str = "agent";
    if let Some(mismatch) = &answers.mismatch {
        return Finding::problem(CHECK, mismatch.code(), mismatch.to_string());
    }
    judge_answer(&answers.agent.found)
}

fn judge_answer(found: &AgentAnswer) -> Finding {
    const CHECK: &str = "agent";
    let problem = |error: &LinkError| Finding::problem(CHECK, error.code(), error.to_string());
    match found {
        AgentAnswer::WantsToken { schemes } if schemes.is_empty() => Finding::ok(CHECK, "The agent answers and asks for a sign-in."),
        AgentAnswer::WantsToken { schemes } => {
            Finding::ok(CHECK, format!("The agent answers and asks for a token ({}).", schemes.join(", ")))
        }
        AgentAnswer::Open => {
            let text = "The agent answers everybody, signed in or not. If that is not meant, tell whoever runs it.";
            Finding::warning(CHECK, "agent-without-sign-in", text)
        }
        AgentAnswer::LoginPage { host } => problem(&LinkError::LoginPage { host: host.clone() }),
        AgentAnswer::Forbidden => {
            let text = "The agent refuses this computer before it knows who asks (status 403). Ask whoever runs it who may reach it.";
            Finding::problem(CHECK, "agent-forbidden", text)
        }
        AgentAnswer::NotThere { status } => problem(&LinkError::NoSuchAgent { status: *status, text: String::new() }),
        AgentAnswer::Trouble(trouble) => problem(&match trouble {
            Trouble::Obstacle(obstacle) => LinkError::Obstacle(*obstacle),
            Trouble::TimedOut => LinkError::TimedOut,
            Trouble::RateLimited { retry_in } => LinkError::RateLimited { retry_in: *retry_in },
            Trouble::Unwell { status, retry_in } => LinkError::Unwell { status: *status, retry_in: *retry_in },
            Trouble::Intercepted { status } => LinkError::Intercepted { status: *status },
            Trouble::ReplyLost => LinkError::Broken,
            _ => LinkError::Unreachable,
        }),
    }
}

fn judge_clock(ahead: Option<i64>) -> Finding {
    const CHECK: &str = "clock";
    let Some(ahead) = ahead else {
        let text = "Nobody could be asked what time it is. Get the sign-in server or the agent to answer first.";
        return Finding::warning(CHECK, "clock-unknown", text);
    };
    let (apart, side) = (ahead.unsigned_abs(), if ahead < 0 { "behind" } else { "ahead of" });
    let text = format!(
        "This computer's clock is {} {side} the server's. Set it, and have the system keep it right.",
        if apart < 120 { format!("{apart} seconds") } else { format!("{} minutes", apart / 60) }
    );
    match i64::try_from(apart).unwrap_or(i64::MAX) {
        0..=LEEWAY => Finding::ok(CHECK, "This computer's clock agrees with the server's."),
        apart if apart <= TOLERABLE => Finding::warning(CHECK, "clock-off", text),
        _ => Finding::problem(CHECK, "clock-wrong", text),
    }
}

/// What stopped a request before its server had heard of it, and which server that was.
fn obstacles<'a>(all: &[(&'a Profile, &Answers)]) -> Vec<(&'a Url, Obstacle)> {
    all.iter().flat_map(|(profile, answers)| obstacles_of(profile, answers)).collect()
}

fn obstacles_of<'a>(profile: &'a Profile, answers: &Answers) -> Vec<(&'a Url, Obstacle)> {
    let tenant = match &answers.tenant.found {
        Err(DiscoveryError::Trouble(Trouble::Obstacle(obstacle))) => Some((profile.issuer.url(), *obstacle)),
        _ => None,
    };
    let agent = match &answers.agent.found {
        AgentAnswer::Trouble(Trouble::Obstacle(obstacle)) => Some((&profile.agent, *obstacle)),
        _ => None,
    };
    tenant.into_iter().chain(agent).collect()
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn is_proxys(obstacle: Obstacle) -> bool {
    matches!(obstacle, Obstacle::ProxyWantsPassword | Obstacle::ProxyUnreachable | Obstacle::ProxyRefused)
}

fn judge_certificates(all: &[(&Profile, &Answers)], known: Authorities, file: Option<String>) -> Finding {
    const CHECK: &str = "certificates";
    if let Some((url, obstacle)) = obstacles(all).into_iter().find(|(_, obstacle)| !is_proxys(*obstacle)) {
        return Finding::problem(CHECK, obstacle.code(), format!("At {}: {obstacle}", host(url)));
    }
    let Authorities { system, mozilla, .. } = known;
    match file {
        Some(file) if system == 0 => {
            let text = format!(
                "SSL_CERT_FILE names {file}, in which there is no certificate. Correct it, or take it away: only Mozilla's list is trusted now."
            );
            Finding::warning(CHECK, "certificates-unreadable", text)
        }
        file => {
            let place = file.map(|file| format!(" in {file}")).unwrap_or_else(|| " of this system".to_owned());
            Finding::ok(CHECK, format!("{system} authorities{place} and {mozilla} of Mozilla's list are trusted."))
        }
    }
}

fn judge_proxy(all: &[(&Profile, &Answers)]) -> Finding {
    const CHECK: &str = "proxy";
    if let Some((url, obstacle)) = obstacles(all).into_iter().find(|(_, obstacle)| is_proxys(*obstacle)) {
        let proxy = proxy_of(url).unwrap_or_default();
        return Finding::problem(CHECK, obstacle.code(), format!("For {}, by {proxy}: {obstacle}", host(url)));
    }
    let mut ways: Vec<String> = Vec::new();
    for url in all.iter().flat_map(|(profile, _)| [profile.issuer.url(), &profile.agent]) {
        if let Some(proxy) = proxy_of(url) {
            let way = format!("{} is reached through {proxy}", host(url));
            if !ways.contains(&way) {
                ways.push(way);
            }
        }
    }
    if ways.is_empty() { Finding::ok(CHECK, "No proxy is in use.") } else { Finding::ok(CHECK, format!("{}.", ways.join("; "))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::headless::doctor::State;

    fn profile() -> Profile {
        let agent = Url::parse("https://agent.example/agents/a").unwrap();
        Profile::new("p", agent, "https://t.example/".parse().unwrap(), "c")
    }

    #[test]
    fn a_clock_is_right_within_a_minute_and_told_by_how_much_it_is_not() {
        for (ahead, state, code, said) in [
            (Some(60), State::Ok, "ok", "agrees"),
            (Some(-60), State::Ok, "ok", "agrees"),
            (Some(-90), State::Warning, "clock-off", "90 seconds behind"),
            (Some(7200), State::Problem, "clock-wrong", "120 minutes ahead of"),
            (Some(i64::MIN), State::Problem, "clock-wrong", "behind"),
            (None, State::Warning, "clock-unknown", "Nobody"),
        ] {
            let finding = judge_clock(ahead);
            assert!(finding.state == state && finding.code == code && finding.text.contains(said), "{finding:?}");
        }
    }

    #[test]
    fn what_stops_a_connection_is_named_where_it_belongs() {
        let profile = profile();
        let known = Authorities { system: 3, unreadable: 0, mozilla: 100 };
        let answers = |obstacle: Option<Obstacle>| Answers {
            tenant: Inspected { found: Err(obstacle.map_or(Trouble::Unreachable, Trouble::Obstacle).into()), ahead: None },
            agent: Inspected { found: AgentAnswer::WantsToken { schemes: Vec::new() }, ahead: None },
            mismatch: None,
        };
        let expired = judge_certificates(&[(&profile, &answers(Some(Obstacle::CertificateExpired)))], known, None);
        assert!(expired.code == "certificate-expired" && expired.text.starts_with("At t.example: "), "{expired:?}");
        assert_eq!(judge_proxy(&[(&profile, &answers(Some(Obstacle::CertificateExpired)))]).state, State::Ok);
        let refused = judge_proxy(&[(&profile, &answers(Some(Obstacle::ProxyRefused)))]);
        assert_eq!((refused.state, refused.code), (State::Problem, "proxy-refused"));
        assert_eq!(judge_certificates(&[(&profile, &answers(Some(Obstacle::ProxyRefused)))], known, None).state, State::Ok);
        let empty = Authorities { system: 0, ..known };
        assert_eq!(judge_certificates(&[(&profile, &answers(None))], empty, Some("/x".to_owned())).code, "certificates-unreadable");
        assert_eq!(judge_certificates(&[(&profile, &answers(None))], empty, None).state, State::Ok, "Mozilla's list is enough");
    }

    #[test]
    fn other_agents_are_named_their_tenant_is_told_of_once_and_the_worst_clock_counts() {
        let looked = |name: &str, issuer: &str, ahead: i64| {
            let agent = Url::parse("https://agent.example/agents/a").unwrap();
            let answers = Answers {
                tenant: Inspected { found: Err(Trouble::Unreachable.into()), ahead: Some(ahead) },
                agent: Inspected { found: AgentAnswer::NotThere { status: 404 }, ahead: None },
                mismatch: None,
            };
            let heard = Some((answers, Authorities { system: 3, unreadable: 0, mozilla: 100 }));
            Looked { profile: Profile::new(name, agent, issuer.parse().unwrap(), "c"), heard }
        };
        let first = [looked("house", "https://t.example/", 10)];
        let others =
            [looked("desk", "https://t.example/", -7200), looked("lab", "https://u.example/", 0), looked("lab2", "https://u.example/", 0)];
        let found = judge_others(&first, &others);
        let told: Vec<_> = found.iter().map(|finding| (finding.check, finding.agent.as_deref().unwrap())).collect();
        assert_eq!(told, [("agent", "desk"), ("tenant", "lab"), ("agent", "lab"), ("agent", "lab2")]);
        assert!(found.iter().all(|finding| finding.state == State::Problem && finding.text.starts_with("At ")), "{found:?}");
        let all = judge(&first, &others);
        assert_eq!(all.iter().map(|finding| finding.check).collect::<Vec<_>>(), ["tenant", "agent", "clock", "certificates", "proxy"]);
        assert!(all[2].code == "clock-wrong" && all[2].text.contains("120 minutes behind"), "{all:?}");
        assert!(judge(&[], &others).is_empty());
    }

    #[test]
    fn an_agent_that_asks_for_a_token_is_well_and_everything_else_is_named() {
        let trouble = |trouble| AgentAnswer::Trouble(trouble);
        for (answer, state, code) in [
            (AgentAnswer::WantsToken { schemes: vec!["bearer".to_owned()] }, State::Ok, "ok"),
            (AgentAnswer::Open, State::Warning, "agent-without-sign-in"),
            (AgentAnswer::LoginPage { host: "team.cloudflareaccess.com".to_owned() }, State::Problem, "agent-login-page"),
            (AgentAnswer::Forbidden, State::Problem, "agent-forbidden"),
            (AgentAnswer::NotThere { status: 404 }, State::Problem, "agent-not-found"),
            (trouble(Trouble::Intercepted { status: 302 }), State::Problem, "agent-intercepted"),
            (trouble(Trouble::Unreachable), State::Problem, "agent-unreachable"),
            (trouble(Trouble::TimedOut), State::Problem, "agent-timed-out"),
        ] {
            let finding = judge_answer(&answer);
            assert_eq!((finding.state, finding.code), (state, code), "{answer:?}");
        }
    }
}
