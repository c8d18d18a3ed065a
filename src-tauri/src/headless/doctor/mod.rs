//! `callbox doctor`: looks at everything that a sign-in and a conversation need, and says what is wrong and what to do about it.
//!
//! All of it is looked at at once, and nothing is waited for longer than its bound. Nothing that is said contains a secret or says who is signed in.

mod disk;
mod display;
mod network;
mod scheme;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

use callbox_identity::Profile;
use callbox_vault::{Vault, VaultError};
use clap::Args;
use serde::Serialize;
use tokio::{task::spawn_blocking, time::timeout};

use super::{FAILED, IO_ERROR, account::complain, plain};
use crate::{
    IDENTIFIER,
    core::checkup::{self, Agent, Holding},
    folders::Folders,
};

/// How long a look at this computer may take.
const BOUND: Duration = Duration::from_secs(8);

/// Look at keychain, links, sign-in server, agent, clock, certificates, proxy, display and disk, and say what is wrong and what to do about it.
///
/// The agent is the profile's; behind it comes every other one at which somebody is signed in, with its sign-in server and its accounts.
///
/// Nobody is signed in or out by it, and nothing that it says is a secret. It takes a quarter of a minute at most.
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Exit codes:
   0  nothing is wrong
   1  something is wrong or may be; the output says what
   2  the command line is wrong
  74  the output cannot be written")]
pub(crate) struct Options {
    /// The agent and tenant, as a TOML file (default: that of the agent that was added last, else the installed one).
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,

    /// Print one JSON object.
    ///
    /// {"ok", "version", "checks"}; each check is {"check", "state", "code", "text"}: its name, "ok", "warning" or "problem", a code that stays the
    /// same when the words change, and a sentence. One that is about another agent than the profile's has its name as "agent"; where several are
    /// signed in at an agent, "keychain" comes once for each, with "account": which of them, from 1.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    /// It works, or may work, with less than it could.
    Warning,
    /// It does not work.
    Problem,
}

/// What came of one look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    check: &'static str,
    state: State,
    code: &'static str,
    text: String,
    /// Another agent than the profile's.
    #[serde(skip_serializing_if = "Option::is_none")]
    agent: Option<String>,
    /// Which of several accounts, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<usize>,
}

impl Finding {
    fn new(check: &'static str, state: State, code: &'static str, text: impl Into<String>) -> Self {
        Self { check, state, code, text: text.into(), agent: None, account: None }
    }

    fn ok(check: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, State::Ok, "ok", text)
    }

    fn warning(check: &'static str, code: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, State::Warning, code, text)
    }

    fn problem(check: &'static str, code: &'static str, text: impl Into<String>) -> Self {
        Self::new(check, State::Problem, code, text)
    }

    /// The same, about another agent than the profile's.
    fn about(self, agent: &str) -> Self {
        Self { text: format!("At {agent}: {}", self.text), agent: Some(agent.to_owned()), ..self }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    ok: bool,
    version: &'a str,
    checks: &'a [Finding],
}

/// Runs `callbox doctor`; the exit code comes back.
pub(crate) fn run(options: &Options) -> u8 {
    let Some(folders) = Folders::find() else {
        return complain("Callbox does not know where its files are. Set HOME to your home folder, then try again.", FAILED);
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("core").build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&format!("Callbox could not start ({error})."), FAILED),
    };
    let findings = runtime.block_on(examine(options, &folders));
    // Whatever hangs holds nobody up.
    runtime.shutdown_background();
    let written = if options.json { write_json(&mut io::stdout(), &findings) } else { write_text(&mut io::stdout(), &findings) };
    match written {
        Ok(()) if is_well(&findings) => 0,
        Ok(()) => FAILED,
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => FAILED * u8::from(!is_well(&findings)),
        Err(error) => complain(&format!("The output cannot be written ({error})."), IO_ERROR),
    }
}

async fn examine(options: &Options, folders: &Folders) -> Vec<Finding> {
    let profile = checkup::profile(folders, options.profile.as_deref());
    let known = profile.as_ref().ok();
    let vault = Vault::system(IDENTIFIER);
    let (first, second) = (folders.clone(), folders.clone());
    let ((agents, others), owner, network, screen, folders) = tokio::join!(
        async {
            let agents = checkup::agents(folders, known, &vault).await;
            let others: Vec<Profile> =
                agents.iter().flatten().skip(usize::from(known.is_some())).map(|agent| agent.profile.clone()).collect();
            (agents, network::look(others).await)
        },
        bounded(BOUND, crate::deep_link::owner),
        network::look(known.cloned().into_iter().collect()),
        bounded(BOUND, display::look),
        bounded(BOUND, move || [disk::look("settings", &first.config), disk::look("data", &second.data)]),
    );
    let has_display = display::is_wanted();
    let mut findings = vec![match &profile {
        Ok(profile) => {
            Finding::ok("profile", format!("The agent is {}, at {}.", profile.name, profile.agent.host_str().unwrap_or_default()))
        }
        Err(error) => Finding::problem("profile", error.code(), error.to_string()),
    }];
    let (first, further) = keychains(known, &agents);
    findings.extend(first);
    findings.push(owner.map_or_else(|| late("scheme"), |owner| scheme::judge(&owner, has_display)));
    findings.extend(network::judge(&network, &others));
    findings.push(screen.unwrap_or_else(|| late("display")));
    findings.extend(folders.map_or_else(|| vec![late("data")], |folders| folders.to_vec()));
    findings.extend(further);
    findings.extend(network::judge_others(&network, &others));
    findings
}

/// What the keychain is found to be: for the profile's agent, and for the others.
fn keychains(profile: Option<&Profile>, agents: &Result<Vec<Agent>, VaultError>) -> (Vec<Finding>, Vec<Finding>) {
    let agents = match agents {
        Ok(agents) => agents,
        Err(why) => return (vec![keychain(&Holding::Failing(why.clone()))], Vec::new()),
    };
    let findings = |accounts: &[Holding]| -> Vec<Finding> {
        let several = accounts.len() > 1;
        let numbered = |(index, holding): (usize, &Holding)| match keychain(holding) {
            finding if several => {
                let text = format!("Account {} of {}: {}", index + 1, accounts.len(), finding.text);
                Finding { text, account: Some(index + 1), ..finding }
            }
            finding => finding,
        };
        accounts.iter().enumerate().map(numbered).collect()
    };
    let mut others = agents.as_slice();
    let first = match (profile, agents.split_first()) {
        (Some(_), Some((agent, rest))) => {
            others = rest;
            findings(&agent.accounts)
        }
        _ => vec![keychain(&Holding::Nothing)],
    };
    let about = |agent: &Agent| findings(&agent.accounts).into_iter().map(|finding| finding.about(&agent.profile.name)).collect::<Vec<_>>();
    (first, others.iter().flat_map(about).collect())
}

/// Looks on a thread that may block, and waits for it no longer than this.
async fn bounded<T: Send + 'static>(bound: Duration, look: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    timeout(bound, spawn_blocking(look)).await.ok()?.ok()
}

fn late(check: &'static str) -> Finding {
    let text = format!(
        "The system did not answer within {} seconds. Look for what holds it up, a disk on the network for example.",
        BOUND.as_secs()
    );
    Finding::problem(check, "not-answered", text)
}

fn keychain(holding: &Holding) -> Finding {
    const CHECK: &str = "keychain";
    match holding {
        Holding::SignIn => Finding::ok(CHECK, "The keychain keeps what it is given, and holds a sign-in for this profile."),
        Holding::Nothing => Finding::ok(CHECK, "The keychain keeps what it is given. It holds no sign-in for this profile."),
        Holding::Unreadable => {
            let text = "The sign-in in the keychain was written by another version of Callbox and cannot be read. Sign in again.";
            Finding::warning(CHECK, "session-unreadable", text)
        }
        Holding::KeyLost => {
            let text = "The key that the sign-in is bound to is not in the keychain any more, or another is in its place. Sign in again.";
            Finding::problem(CHECK, "session-key-lost", text)
        }
        Holding::Failing(why) => Finding::problem(CHECK, why.code(), why.to_string()),
    }
}

fn is_well(findings: &[Finding]) -> bool {
    findings.iter().all(|finding| finding.state == State::Ok)
}

fn write_text(output: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    for Finding { check, state, text, .. } in findings {
        let state = match state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        writeln!(output, "{state:<8} {check:<13} {}", plain::prose(text))?;
    }
    output.flush()
}

fn write_json(output: &mut impl Write, findings: &[Finding]) -> io::Result<()> {
    let report = Report { ok: is_well(findings), version: env!("CARGO_PKG_VERSION"), checks: findings };
    plain::write_json(output, &report)?;
    output.flush()
}

#[cfg(test)]
mod tests {
    use callbox_vault::VaultError;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_keychain_is_well_only_if_it_keeps_what_it_is_given() {
        for (holding, state, code) in [
            (Holding::SignIn, State::Ok, "ok"),
            (Holding::Nothing, State::Ok, "ok"),
            (Holding::Unreadable, State::Warning, "session-unreadable"),
            (Holding::KeyLost, State::Problem, "session-key-lost"),
            (Holding::Failing(VaultError::Denied), State::Problem, "keychain-denied"),
            (Holding::Failing(VaultError::Locked), State::Problem, "keychain-locked"),
            (Holding::Failing(VaultError::Unavailable), State::Problem, "keychain-unavailable"),
            (Holding::Failing(VaultError::TimedOut(BOUND)), State::Problem, "keychain-timed-out"),
            (Holding::Failing(VaultError::Changed), State::Problem, "keychain-changed"),
        ] {
            let finding = keychain(&holding);
            assert_eq!((finding.state, finding.code), (state, code), "{holding:?}");
        }
    }

    #[test]
    fn every_account_at_every_agent_is_told_of_and_nobody_is_named() {
        let profile = |name: &str| {
            let agent = url::Url::parse("https://agent.example/agents/a").unwrap();
            Profile { name: name.to_owned(), ..Profile::new(name, agent, "https://t.example/".parse().unwrap(), "c") }
        };
        let house = profile("House");
        let agents = || {
            let desk = Agent { profile: profile("Desk"), accounts: vec![Holding::KeyLost] };
            Ok(vec![Agent { profile: house.clone(), accounts: vec![Holding::SignIn, Holding::Unreadable] }, desk])
        };
        let told = |findings: &[Finding]| {
            findings.iter().map(|finding| (finding.agent.clone(), finding.account, finding.code)).collect::<Vec<_>>()
        };
        let (first, others) = keychains(Some(&house), &agents());
        assert_eq!(told(&first), [(None, Some(1), "ok"), (None, Some(2), "session-unreadable")]);
        assert!(first[1].text.starts_with("Account 2 of 2: The sign-in"), "{first:?}");
        assert_eq!(told(&others), [(Some("Desk".to_owned()), None, "session-key-lost")]);
        assert!(others[0].text.starts_with("At Desk: The key"), "{others:?}");
        let mut line = Vec::new();
        write_json(&mut line, &others).unwrap();
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&line["checks"][0]["agent"], line["checks"][0].get("account")), (&json!("Desk"), None));
        // Without a profile, nobody is the first; without a keychain, there is one thing to say.
        let (first, others) = keychains(None, &agents());
        assert_eq!((told(&first), others.len()), (vec![(None, None, "ok")], 3));
        let (first, others) = keychains(Some(&house), &Err(VaultError::Locked));
        assert_eq!((told(&first), others.len()), (vec![(None, None, "keychain-locked")], 0));
    }

    #[test]
    fn nothing_is_wrong_only_if_nothing_may_be() {
        let (ok, warning) = (Finding::ok("a", "Fine.\u{1b}[2J"), Finding::warning("b", "b-c", "Hm."));
        assert!(is_well(std::slice::from_ref(&ok)) && !is_well(&[ok.clone(), warning.clone()]));
        assert!(!is_well(&[Finding::problem("c", "d", "No.")]));
        let (mut text, mut line) = (Vec::new(), Vec::new());
        write_text(&mut text, &[ok.clone(), warning.clone()]).unwrap();
        write_json(&mut line, &[ok, warning]).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "ok       a             Fine.[U+001B][2J\nwarning  b             Hm.\n");
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(
            (&line["ok"], &line["checks"][1]),
            (&json!(false), &json!({"check": "b", "state": "warning", "code": "b-c", "text": "Hm."}))
        );
    }

    #[tokio::test]
    async fn what_never_answers_is_waited_for_no_longer_than_its_bound() {
        let (end, ended) = std::sync::mpsc::channel::<()>();
        assert_eq!(bounded(Duration::ZERO, move || ended.recv()).await, None);
        assert_eq!(late("data").state, State::Problem);
        drop(end);
        assert_eq!(bounded(BOUND, || 7).await, Some(7));
    }
}
