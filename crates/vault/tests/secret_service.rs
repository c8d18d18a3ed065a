//! The system's keychain, for real: GNOME Keyring on a session bus of its own, in every state that it can be in.
//!
//! Each test starts this same program again inside such a session, with a home of its own, and runs one scenario there. The programs that it
//! needs (dbus-run-session, gnome-keyring-daemon, gdbus) are part of what the tests need on Linux: without them, the tests fail.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use callbox_vault::{ENTRY_LEN, Health, Kept, Secret, Vault, VaultError};
use tempfile::TempDir;

const SERVICE: &str = "dev.callbox.desktop.test";
/// How often an entry comes and goes under somebody who reads it, at least.
const CONTENDED: usize = 100;

/// How the session is made.
enum Bus<'a> {
    /// A session bus with the system's services; `Some` unlocks the keychain with this password first.
    Full(Option<&'a str>),
    /// A session bus that can start nothing.
    Bare,
    /// No session bus at all.
    None,
}

/// Runs one of the scenarios below in a session of its own, in the home directory `home`.
fn run(home: &Path, bus: &Bus<'_>, scenario: &str) {
    for program in ["dbus-run-session", "gnome-keyring-daemon", "gdbus"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|folder| folder.join(program).is_file());
        assert!(
            found,
            "`{program}` is missing, and the keychain cannot be tested without it: install the packages dbus, gnome-keyring and libglib2.0-bin"
        );
    }
    let runtime = home.join("runtime");
    for folder in ["runtime", "data", "config", "cache"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    fs::set_permissions(&runtime, fs::Permissions::from_mode(0o700)).unwrap();
    let this = std::env::current_exe().unwrap();
    let this =
        ["--exact", scenario, "--ignored", "--nocapture", "--test-threads=1"].iter().fold(quoted(&this), |line, word| line + " " + word);
    let mut command = match bus {
        Bus::Full(Some(password)) => {
            let unlock = format!("printf %s {password} | gnome-keyring-daemon --unlock --components=secrets >/dev/null");
            // The daemon goes to the background before it has its name on the bus; whoever asks for that first has another one started.
            let wait = "gdbus wait --session --timeout 60 org.freedesktop.secrets";
            session(&[], &format!("{unlock} && {wait} && exec {this}"))
        }
        Bus::Full(None) => session(&[], &format!("exec {this}")),
        Bus::Bare => {
            let config = home.join("bus.conf");
            let text = "<busconfig><type>session</type><listen>unix:tmpdir=/tmp</listen><policy context=\"default\"><allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>";
            fs::write(&config, text).unwrap();
            session(&["--config-file", config.to_str().unwrap()], &format!("exec {this}"))
        }
        Bus::None => {
            let mut command = Command::new("sh");
            command.args(["-c", &format!("exec {this}")]);
            command
        }
    };
    for name in ["DBUS_SESSION_BUS_ADDRESS", "DISPLAY", "WAYLAND_DISPLAY", "GNOME_KEYRING_CONTROL", "XDG_CURRENT_DESKTOP"] {
        command.env_remove(name);
    }
    command.env("HOME", home).env("XDG_RUNTIME_DIR", &runtime).env("XDG_DATA_HOME", home.join("data"));
    command.env("XDG_CONFIG_HOME", home.join("config")).env("XDG_CACHE_HOME", home.join("cache"));
    let Output { status, stdout, stderr } = command.output().unwrap();
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{scenario}: {status}\n{stdout}\n{stderr}");
    assert!(stdout.contains("1 passed"), "{scenario} did not run:\n{stdout}\n{stderr}");
}

/// The connection of the service on this session's bus; nothing if there is none.
fn owner() -> String {
    let call = ["call", "--session", "--dest=org.freedesktop.DBus", "--object-path=/org/freedesktop/DBus"];
    let method = ["--method=org.freedesktop.DBus.GetNameOwner", "org.freedesktop.secrets"];
    let answer = Command::new("gdbus").args(call).args(method).output().unwrap();
    String::from_utf8(answer.stdout).unwrap()
}

fn session(options: &[&str], line: &str) -> Command {
    let mut command = Command::new("dbus-run-session");
    command.args(options).args(["--", "sh", "-c", line]);
    command
}

fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_str().unwrap().replace('\'', "'\\''"))
}

/// Every byte there is, more of them than one entry takes.
fn large() -> Vec<u8> {
    (0..=u8::MAX).cycle().take(3 * ENTRY_LEN).collect()
}

#[test]
fn secrets_round_trip_outlive_the_session_and_are_behind_the_lock() {
    let home = TempDir::new().unwrap();
    run(home.path(), &Bus::Full(Some("pw")), "scenario_unlocked");
    run(home.path(), &Bus::Full(Some("pw")), "scenario_unlocked_again");
    run(home.path(), &Bus::Full(None), "scenario_locked");
    run(home.path(), &Bus::Full(Some("wrong")), "scenario_locked");
    run(home.path(), &Bus::Full(Some("pw")), "scenario_unlocked_again");
    let kept = fs::read_dir(home.path().join("data/keyrings")).unwrap().map(|file| fs::read(file.unwrap().path()).unwrap());
    let kept: Vec<u8> = kept.flatten().collect();
    assert!(!kept.is_empty());
    assert!(!kept.windows(16).any(|window| window == b"the-secret-value"), "a secret lies on the disk in plain text");
}

#[test]
fn a_keychain_that_was_never_set_up_has_no_entry_and_takes_none() {
    run(TempDir::new().unwrap().path(), &Bus::Full(None), "scenario_never_set_up");
}

#[test]
fn without_a_session_bus_the_keychain_is_unavailable() {
    run(TempDir::new().unwrap().path(), &Bus::None, "scenario_unavailable");
}

#[test]
fn without_a_secret_service_the_keychain_is_unavailable() {
    run(TempDir::new().unwrap().path(), &Bus::Bare, "scenario_unavailable");
}

#[test]
fn a_keychain_that_is_unlocked_later_is_adopted_with_what_was_set_meanwhile() {
    let home = TempDir::new().unwrap();
    run(home.path(), &Bus::Full(Some("pw")), "scenario_unlocked");
    run(home.path(), &Bus::Full(None), "scenario_unlocked_later");
}

#[test]
fn an_entry_that_comes_and_goes_under_a_reader_is_there_or_not_and_never_an_error() {
    run(TempDir::new().unwrap().path(), &Bus::Full(Some("pw")), "scenario_contended");
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_unlocked() {
    let vault = Vault::system(SERVICE);
    assert_eq!(vault.probe().await, Health::Protected);
    assert!(vault.get("a").await.unwrap().is_none());
    assert_eq!(vault.set("a", Secret::new(b"first".to_vec())).await, Ok(Kept::Protected));
    assert_eq!(vault.set("a", Secret::new(large())).await, Ok(Kept::Protected));
    assert_eq!(vault.get("a").await.unwrap().unwrap().expose(), &large());
    // Another process would see the same, under this service only.
    assert_eq!(Vault::system(SERVICE).get("a").await.unwrap().unwrap().expose(), &large());
    assert!(Vault::system("dev.callbox.other").get("a").await.unwrap().is_none());
    assert!(vault.get("probe").await.unwrap().is_none(), "a probe leaves nothing behind");
    assert_eq!(vault.delete("a").await, Ok(()));
    assert_eq!(vault.delete("a").await, Ok(()));
    assert!(Vault::system(SERVICE).get("a").await.unwrap().is_none());
    assert_eq!(vault.set("kept", Secret::new(b"the-secret-value".to_vec())).await, Ok(Kept::Protected));
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_unlocked_again() {
    let vault = Vault::system(SERVICE);
    assert_eq!(vault.get("kept").await.unwrap().unwrap().expose(), b"the-secret-value");
    assert_eq!(*vault.state().borrow(), Health::Protected);
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_locked() {
    let vault = Vault::system(SERVICE);
    assert_eq!(vault.get("kept").await.map(|_| ()), Err(VaultError::Locked));
    assert_eq!(vault.probe().await, Health::SessionOnly(VaultError::Locked));
    assert_eq!(vault.set("new", Secret::new(b"x".to_vec())).await, Ok(Kept::SessionOnly(VaultError::Locked)));
    assert_eq!(vault.get("new").await.unwrap().unwrap().expose(), b"x");
    assert_eq!(vault.delete("kept").await, Err(VaultError::Locked));
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_never_set_up() {
    let vault = Vault::system(SERVICE);
    assert!(vault.get("kept").await.unwrap().is_none());
    assert_eq!(vault.set("kept", Secret::new(b"x".to_vec())).await, Ok(Kept::SessionOnly(VaultError::Unavailable)));
    assert_eq!(vault.probe().await, Health::SessionOnly(VaultError::Unavailable));
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_unavailable() {
    let begun = Instant::now();
    let vault = Vault::system(SERVICE);
    assert_eq!(vault.get("kept").await.map(|_| ()), Err(VaultError::Unavailable));
    assert_eq!(vault.set("kept", Secret::new(b"x".to_vec())).await, Ok(Kept::SessionOnly(VaultError::Unavailable)));
    assert_eq!(vault.probe().await, Health::SessionOnly(VaultError::Unavailable));
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
#[ignore = "a scenario"]
async fn scenario_unlocked_later() {
    let vault = Vault::system(SERVICE);
    assert_eq!(vault.set("kept", Secret::new(b"newer".to_vec())).await, Ok(Kept::SessionOnly(VaultError::Locked)));
    let old = owner();
    // A new daemon, unlocked: the connection to the old one is dead.
    let line = "printf %s pw | gnome-keyring-daemon --replace --unlock --components=secrets >/dev/null";
    assert!(Command::new("sh").args(["-c", line]).status().unwrap().success());
    while ["", &old].contains(&owner().as_str()) {}
    assert_eq!(vault.probe().await, Health::Protected);
    assert_eq!(Vault::system(SERVICE).get("kept").await.unwrap().unwrap().expose(), b"newer");
}

/// Two processes use one keychain: a sign-out in one removes what the other is about to read, write or remove.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a scenario"]
async fn scenario_contended() {
    // However the two are scheduled, it goes on until the reader has seen both.
    let seen = Arc::new(AtomicBool::new(false));
    let is_seen = seen.clone();
    let comes_and_goes = tokio::spawn(async move {
        let mut rounds = 0;
        while rounds < CONTENDED || !is_seen.load(Ordering::SeqCst) {
            rounds += 1;
            let vault = Vault::system(SERVICE);
            assert_eq!(vault.set("a", Secret::new(b"value".to_vec())).await, Ok(Kept::Protected));
            assert_eq!(vault.delete("a").await, Ok(()));
        }
    });
    let (mut there, mut gone) = (0, 0);
    while !comes_and_goes.is_finished() {
        // A new one each time: the first call of a process has no connection that could be to blame.
        let vault = Vault::system(SERVICE);
        match vault.get("a").await {
            Ok(Some(value)) => {
                assert_eq!(value.expose(), b"value");
                there += 1;
            }
            Ok(None) => gone += 1,
            Err(error) => panic!("{error}"),
        }
        seen.store(there > 0 && gone > 0, Ordering::SeqCst);
        assert_eq!(vault.delete("b").await, Ok(()));
    }
    comes_and_goes.await.unwrap();
    assert!(there > 0 && gone > 0, "nothing was contended: {there}, {gone}");
}
