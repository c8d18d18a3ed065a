//! Real processes on one keychain, and what is left when one is killed in the middle of a refresh.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use callbox_identity::{Config, Dpop, Issuer, Profile, Session, SessionState, SignedOutReason, SystemEntropy, TokenError};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, RefreshOutcome, Sandbox, SandboxConfig};
use callbox_vault::{Backend, Secret, Vault, VaultError};
use url::Url;

use crate::world::{ADA, HOUR, Skewed, eventually, http, profile, says_that_it_leaves, until, visit};

/// With bearer tokens, and with a key.
const BOTH: [Dpop; 2] = [Dpop::Off, Dpop::Required];

const FOLDER: &str = "CALLBOX_TEST_FOLDER";
const ISSUER: &str = "CALLBOX_TEST_ISSUER";
const STOP: &str = "CALLBOX_TEST_STOP";

/// A keychain that processes have in common: a folder, one file for each entry. Stands still for ever at one call, if it was told to.
struct Folder {
    entries: PathBuf,
    stop: Option<String>,
}

impl Folder {
    fn vault(folder: &Path, stop: Option<String>) -> Vault {
        let entries = folder.join("keychain");
        fs::create_dir_all(&entries).unwrap();
        Vault::with_backend(Self { entries, stop }, Duration::from_secs(3600))
    }

    fn reach(&self, step: &str, key: &str) {
        let kind = key.split('-').next().unwrap_or_default();
        if self.stop.as_deref() == Some(&format!("{step} {kind}")) {
            say("stopped");
            loop {
                std::thread::park();
            }
        }
    }
}

impl Backend for Folder {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        Ok(fs::read(self.entries.join(key)).ok().map(Secret::new))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.reach("before", key);
        let new = self.entries.join("new");
        fs::write(&new, value.expose()).unwrap();
        fs::rename(&new, self.entries.join(key)).unwrap();
        self.reach("after", key);
        Ok(())
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        let _ = fs::remove_file(self.entries.join(key));
        Ok(())
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

/// A line that the other process can wait for, behind whatever the test harness prints.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n{line}").unwrap();
    out.flush().unwrap();
}

/// A session as each of the processes has it, an hour after the sign-in.
fn session(folder: &Path, profile: Profile, stop: Option<String>) -> Session {
    let (clock, entropy) = (Arc::new(Skewed(3600)), Arc::new(SystemEntropy));
    Session::spawn_shared(Config { profile, vault: Folder::vault(folder, stop), http: http(), clock, entropy }, folder.join("locks"))
}

/// Not a test by itself: the other process. Says that it is ready, waits for a line, refreshes, says what came of it, waits for its end.
#[tokio::test]
#[ignore = "run by the tests of processes"]
async fn another_process() {
    let folder = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let issuer = Issuer::parse(&std::env::var(ISSUER).unwrap()).unwrap();
    let mut profile = Profile::new("sandbox", Url::parse("http://127.0.0.1:9/").unwrap(), issuer, callbox_sandbox::CLIENT_ID);
    profile.audience = Some(AUDIENCE.to_owned());
    let session = session(&folder, profile, std::env::var(STOP).ok());
    until(&session, |state| matches!(state, SessionState::SignedIn { .. })).await;
    let wait = || tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
    say("ready");
    wait().await.unwrap();
    match session.access_token().await {
        Ok(token) => say(&format!("token {:x}", token.fingerprint())),
        Err(error) => say(&format!("error {}", error.code())),
    }
    wait().await.unwrap();
}

struct Process {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Process {
    fn start(folder: &Path, sandbox: &Sandbox, stop: Option<&str>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "processes::another_process", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(FOLDER, folder).env(ISSUER, sandbox.issuer().as_str()).stdin(Stdio::piped()).stdout(Stdio::piped());
        if let Some(stop) = stop {
            command.env(STOP, stop);
        }
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut process = Self { child, lines };
        process.line("ready");
        process
    }

    /// The next line that begins like this.
    fn line(&mut self, begin: &str) -> String {
        self.lines.by_ref().map(Result::unwrap).find(|line| line.starts_with(begin)).unwrap_or_else(|| panic!("no line `{begin}`"))
    }

    fn go(&mut self) {
        self.child.stdin.as_mut().unwrap().write_all(b"go\n").unwrap();
    }

    /// SIGKILL, where there is one.
    fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

/// Ada signed in, by a process that has ended since; with a key that all of them use, or with bearer tokens.
async fn signed_in(refresh_overlap: Duration, dpop: Dpop) -> (Sandbox, tempfile::TempDir) {
    let sandbox = Sandbox::start(SandboxConfig { agent: None, refresh_overlap, ..SandboxConfig::default() }).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        profile: Profile { dpop, ..profile(&sandbox) },
        vault: Folder::vault(folder.path(), None),
        http: http(),
        clock: Arc::new(Skewed(0)),
        entropy: Arc::new(SystemEntropy),
    };
    let session = Session::spawn_shared(config, folder.path().join("locks"));
    let start = session.begin_sign_in().await.unwrap();
    session.handle_callback(&visit(&start.url, ADA).await).await;
    assert!(matches!(*session.state().borrow(), SessionState::SignedIn { .. }));
    (sandbox, folder)
}

fn outcomes(sandbox: &Sandbox) -> Vec<(u64, RefreshOutcome)> {
    sandbox.control().presented().iter().map(|presented| (presented.generation, presented.outcome)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_processes_at_expiry_make_one_token_request() {
    for dpop in BOTH {
        ten_processes_at_expiry(dpop).await;
    }
}

async fn ten_processes_at_expiry(dpop: Dpop) {
    let (sandbox, folder) = signed_in(Duration::ZERO, dpop).await;
    let mut processes: Vec<_> = (0..10).map(|_| Process::start(folder.path(), &sandbox, None)).collect();
    assert_eq!(outcomes(&sandbox), []);
    for process in &mut processes {
        process.go();
    }
    let mut tokens: Vec<_> = processes.iter_mut().map(|process| process.line("token ")).collect();
    tokens.dedup();
    assert_eq!(tokens.len(), 1, "all of them have the same token");
    assert_eq!(outcomes(&sandbox), [(1, RefreshOutcome::Rotated)]);
    assert_eq!(sandbox.control().live_families(), 1);
    processes.into_iter().for_each(Process::kill);
}

/// Where a process is killed.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// It has the lock and asks where the token endpoint is.
    BeforeItIsSent,
    /// The tenant has the request and has done nothing with it yet.
    BeforeItIsCarriedOut,
    /// The tenant has rotated the token and not said so.
    BeforeTheAnswer,
    /// The vault is about to get the new token.
    BeforeItIsStored,
    /// The vault has it, the journal does not say so yet.
    BeforeTheJournal,
    /// The journal says so, the access token is not there for the others.
    BeforeItIsShared,
    /// All is done, nobody has been told.
    AtTheEnd,
}

impl Step {
    const ALL: [Self; 7] = [
        Self::BeforeItIsSent,
        Self::BeforeItIsCarriedOut,
        Self::BeforeTheAnswer,
        Self::BeforeItIsStored,
        Self::BeforeTheJournal,
        Self::BeforeItIsShared,
        Self::AtTheEnd,
    ];

    /// Lets a process come this far, and kills it.
    async fn kill(self, sandbox: &Sandbox, folder: &Path, dpop: Dpop) {
        let control = sandbox.control();
        // A new process has no nonce, and gets it for its first request.
        let for_nonce = u64::from(dpop == Dpop::Required);
        let (stop, fault) = match self {
            Self::BeforeItIsSent => (None, Some((Endpoint::Discovery, Fault::delay(10 * HOUR)))),
            Self::BeforeItIsCarriedOut => (None, Some((Endpoint::Token, Fault::delay(10 * HOUR)))),
            Self::BeforeTheAnswer => (None, Some((Endpoint::Token, Fault::DelayReply { by: 10 * HOUR }))),
            Self::BeforeItIsStored => (Some("before session"), None),
            Self::BeforeTheJournal => (Some("after session"), None),
            Self::BeforeItIsShared => (Some("before access"), None),
            Self::AtTheEnd => (Some("after access"), None),
        };
        let mut process = Process::start(folder, sandbox, stop);
        let asked = |endpoint| control.requests(endpoint);
        let (discovered, sent) = (asked(Endpoint::Discovery), asked(Endpoint::Token));
        if let Some((endpoint, fault)) = fault {
            if endpoint == Endpoint::Token && for_nonce > 0 {
                control.next(endpoint, []);
            }
            control.once(endpoint, fault);
        }
        process.go();
        match self {
            Self::BeforeItIsSent => control.until_requests(Endpoint::Discovery, discovered + 1).await,
            Self::BeforeItIsCarriedOut => control.until_requests(Endpoint::Token, sent + 1 + for_nonce).await,
            Self::BeforeTheAnswer => control.until(|| !control.presented().is_empty()).await,
            _ => drop(process.line("stopped")),
        }
        process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_at_any_step_of_a_refresh_leaves_a_usable_session() {
    use RefreshOutcome::{Overlapped, Rotated};
    for (step, dpop) in Step::ALL.into_iter().flat_map(|step| BOTH.map(|dpop| (step, dpop))) {
        let (sandbox, folder) = signed_in(Duration::from_secs(180), dpop).await;
        step.kill(&sandbox, folder.path(), dpop).await;
        let next = session(folder.path(), profile(&sandbox), None);
        let wanted: &[_] = match step {
            Step::BeforeItIsSent | Step::BeforeItIsCarriedOut | Step::AtTheEnd => &[(1, Rotated)],
            Step::BeforeTheAnswer | Step::BeforeItIsStored => &[(1, Rotated), (1, Overlapped)],
            Step::BeforeTheJournal | Step::BeforeItIsShared => &[(1, Rotated), (2, Rotated)],
        };
        if let Step::BeforeItIsCarriedOut | Step::BeforeTheAnswer | Step::BeforeItIsStored = step {
            // Nobody has asked for a token: the tenant's grace period does not wait for somebody to.
            sandbox.control().until(|| outcomes(&sandbox) == wanted).await;
        }
        let token = next.access_token().await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert_eq!(outcomes(&sandbox), wanted, "{step:?}");
        next.access_token_after_rejection(&token).await.unwrap_or_else(|error| panic!("{step:?}: {error}"));
        assert!(matches!(*next.state().borrow(), SessionState::SignedIn { .. }), "{step:?}");
        assert_eq!(sandbox.control().live_families(), 1, "{step:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_of_another_process_that_ends_during_a_sign_out_is_kept_by_nobody() {
    for dpop in BOTH {
        let (sandbox, folder) = signed_in(Duration::ZERO, dpop).await;
        let control = sandbox.control();
        let mut process = Process::start(folder.path(), &sandbox, None);
        let ours = session(folder.path(), profile(&sandbox), None);
        until(&ours, |state| matches!(state, SessionState::SignedIn { .. })).await;
        if dpop == Dpop::Required {
            // A new process has no nonce, and gets it for its first request.
            control.next(Endpoint::Token, []);
        }
        control.once(Endpoint::Token, Fault::HoldReply);
        process.go();
        control.until(|| !control.presented().is_empty()).await;
        let leaving = tokio::spawn(async move { ours.sign_out().await });
        // The answer comes when all processes can know of the sign-out.
        eventually(|| says_that_it_leaves(&folder.path().join("locks"))).await;
        control.go_on();
        let out = leaving.await.unwrap();
        assert!(out.revoked && out.left_in_keychain.is_none());
        assert_eq!(process.line("error "), "error signed-out");
        let left = || fs::read_dir(folder.path().join("keychain")).unwrap().count();
        eventually(|| left() == 0 && control.live_families() == 0).await;
        assert_eq!(outcomes(&sandbox), [(1, RefreshOutcome::Rotated)]);
        let next = session(folder.path(), profile(&sandbox), None);
        let state = until(&next, |state| *state != SessionState::Restoring).await;
        assert_eq!(state, SessionState::SignedOut { reason: None });
        process.kill();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_that_was_cut_off_before_the_keychain_was_empty_is_brought_to_its_end_at_the_next_start() {
    let (sandbox, folder) = signed_in(Duration::ZERO, Dpop::Required).await;
    let locks = folder.path().join("locks");
    let name = fs::read_dir(&locks).unwrap().flatten().find(|file| file.path().extension() == Some("journal".as_ref())).unwrap().path();
    fs::write(name.with_extension("left"), "1").unwrap();
    let next = session(folder.path(), profile(&sandbox), None);
    let state = until(&next, |state| *state != SessionState::Restoring).await;
    assert_eq!(state, SessionState::SignedOut { reason: None });
    let left = || fs::read_dir(folder.path().join("keychain")).unwrap().count();
    eventually(|| left() == 0 && sandbox.control().live_families() == 0).await;
    // And a sign-in begins anew.
    let start = next.begin_sign_in().await.unwrap();
    next.handle_callback(&visit(&start.url, ADA).await).await;
    drop(next);
    until(&session(folder.path(), profile(&sandbox), None), |state| matches!(state, SessionState::SignedIn { .. })).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_grace_period_only_a_rotated_token_that_nobody_stored_is_lost_and_softly() {
    for (step, dpop) in Step::ALL.into_iter().flat_map(|step| BOTH.map(|dpop| (step, dpop))) {
        let (sandbox, folder) = signed_in(Duration::ZERO, dpop).await;
        step.kill(&sandbox, folder.path(), dpop).await;
        let next = session(folder.path(), profile(&sandbox), None);
        let answer = next.access_token().await;
        if let Step::BeforeTheAnswer | Step::BeforeItIsStored = step {
            assert_eq!(answer.unwrap_err(), TokenError::SignedOut, "{step:?}");
            let state = until(&next, |state| matches!(state, SessionState::SignedOut { .. })).await;
            assert!(
                matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Ended { account }) } if account.sub == "sandbox|ada")
            );
        } else {
            answer.unwrap_or_else(|error| panic!("{step:?}: {error}"));
            assert_eq!(sandbox.control().live_families(), 1, "{step:?}");
        }
    }
}
