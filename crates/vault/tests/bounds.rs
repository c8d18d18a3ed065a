//! Keychains that hang, deny, are locked or come back, on command.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

use std::{
    collections::HashMap,
    future::Future,
    pin::pin,
    process::{Command, Stdio},
    sync::{Arc, Condvar, Mutex, mpsc},
    task::{Context, Poll, Waker},
    time::Duration,
};

use callbox_vault::{Backend, ENTRY_LEN, Health, Kept, MAX_LEN, Secret, Vault, VaultError};

/// Longer than anything takes that is answered, on a machine of any speed. Nobody waits for it: where a keychain hangs, it is made to pass.
const BOUND: Duration = Duration::from_secs(60);

/// A keychain under a test's control. Clones are the same one.
#[derive(Clone, Default)]
struct Scripted(Arc<(Mutex<Script>, Condvar)>);

#[derive(Default)]
struct Script {
    entries: HashMap<String, Vec<u8>>,
    refusal: Option<VaultError>,
    hanging: bool,
    calls: Vec<String>,
}

impl Scripted {
    fn vault(&self) -> Vault {
        Vault::with_backend(self.clone(), BOUND)
    }

    fn refuse(&self, refusal: Option<VaultError>) {
        self.0.0.lock().unwrap().refusal = refusal;
    }

    fn hang(&self, hanging: bool) {
        self.0.0.lock().unwrap().hanging = hanging;
        self.0.1.notify_all();
    }

    fn entry(&self, key: &str) -> Option<Vec<u8>> {
        self.0.0.lock().unwrap().entries.get(key).cloned()
    }

    fn calls(&self) -> Vec<String> {
        self.0.0.lock().unwrap().calls.clone()
    }

    /// What comes of `asked` when the keychain hangs over it for longer than the bound. The call is under way before time passes.
    async fn late<T>(&self, asked: impl Future<Output = T>) -> T {
        let overdue = async {
            while self.calls().is_empty() {
                tokio::task::yield_now().await;
            }
            tokio::time::pause();
            tokio::time::advance(BOUND).await;
            tokio::time::resume();
        };
        tokio::join!(asked, overdue).0
    }

    fn call<T>(&self, name: String, act: impl FnOnce(&mut Script) -> T) -> Result<T, VaultError> {
        let mut script = self.0.0.lock().unwrap();
        script.calls.push(name);
        while script.hanging {
            script = self.0.1.wait(script).unwrap();
        }
        match script.refusal.clone() {
            Some(refusal) => Err(refusal),
            None => Ok(act(&mut script)),
        }
    }
}

impl Backend for Scripted {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        self.call(format!("get {key}"), |script| script.entries.get(key).map(|bytes| bytes.as_slice().into()))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.call(format!("set {key}"), |script| drop(script.entries.insert(key.to_owned(), value.expose().clone())))
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.call(format!("delete {key}"), |script| drop(script.entries.remove(key)))
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        self.call("probe".to_owned(), |_| ())
    }
}

fn secret(text: &str) -> Secret<Vec<u8>> {
    text.as_bytes().into()
}

async fn read(vault: &Vault, key: &str) -> Result<Option<String>, VaultError> {
    Ok(vault.get(key).await?.map(|value| String::from_utf8(value.expose().clone()).unwrap()))
}

async fn until(vault: &Vault, health: Health) {
    vault.state().wait_for(|now| *now == health).await.unwrap();
}

/// The result of a future that is ready without waiting.
fn now<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

fn late() -> VaultError {
    VaultError::TimedOut(BOUND)
}

#[tokio::test]
async fn a_secret_is_set_read_replaced_and_deleted() {
    let keychain = Scripted::default();
    let vault = keychain.vault();
    assert_eq!(*vault.state().borrow(), Health::Unknown);
    assert_eq!(read(&vault, "a").await, Ok(None));
    assert_eq!(vault.set("a", secret("one")).await, Ok(Kept::Protected));
    assert_eq!(vault.set("a", secret("two")).await, Ok(Kept::Protected));
    assert_eq!(read(&vault, "a").await, Ok(Some("two".to_owned())));
    assert_eq!(*vault.state().borrow(), Health::Protected);
    assert_eq!(vault.delete("a").await, Ok(()));
    assert_eq!(vault.delete("a").await, Ok(()));
    assert_eq!(read(&vault, "a").await, Ok(None));
    assert_eq!(keychain.entry("a"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_from_many_threads_are_served_one_after_the_other() {
    let keychain = Scripted::default();
    let vault = keychain.vault();
    let tasks: Vec<_> = (0..50)
        .map(|n| {
            let vault = vault.clone();
            tokio::spawn(async move {
                let (key, value) = (format!("key-{n}"), format!("value-{n}"));
                assert_eq!(vault.set(&key, secret(&value)).await, Ok(Kept::Protected));
                assert_eq!(read(&vault, &key).await, Ok(Some(value)));
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(keychain.0.0.lock().unwrap().entries.len(), 50);
}

#[tokio::test]
async fn the_four_states_are_told_apart_and_none_of_them_is_no_entry() {
    for refusal in [VaultError::Denied, VaultError::Locked, VaultError::Unavailable, VaultError::Backend("x".to_owned())] {
        let keychain = Scripted::default();
        keychain.refuse(Some(refusal.clone()));
        let vault = keychain.vault();
        assert_eq!(read(&vault, "a").await, Err(refusal.clone()));
        assert_eq!(vault.probe().await, Health::SessionOnly(refusal.clone()));
        assert_eq!(*vault.state().borrow(), Health::SessionOnly(refusal));
    }
}

#[tokio::test]
async fn a_value_that_is_refused_is_kept_for_the_session_and_the_caller_is_told() {
    let keychain = Scripted::default();
    keychain.refuse(Some(VaultError::Locked));
    let vault = keychain.vault();
    assert_eq!(vault.set("a", secret("one")).await, Ok(Kept::SessionOnly(VaultError::Locked)));
    assert_eq!(read(&vault, "a").await, Ok(Some("one".to_owned())));
    assert_eq!(keychain.entry("a"), None);
    assert_eq!(*vault.state().borrow(), Health::SessionOnly(VaultError::Locked));
}

#[tokio::test]
async fn what_waits_in_memory_moves_in_when_the_keychain_works_again() {
    let keychain = Scripted::default();
    keychain.0.0.lock().unwrap().entries.insert("old".to_owned(), b"old".to_vec());
    keychain.refuse(Some(VaultError::Locked));
    let vault = keychain.vault();
    assert_eq!(vault.set("a", secret("one")).await, Ok(Kept::SessionOnly(VaultError::Locked)));
    assert_eq!(vault.delete("old").await, Err(VaultError::Locked));
    assert_eq!(read(&vault, "old").await, Ok(None));
    assert_eq!(keychain.entry("old"), Some(b"old".to_vec()), "it could not be removed, and that was said");
    keychain.refuse(None);
    assert_eq!(vault.probe().await, Health::Protected);
    assert_eq!((keychain.entry("a"), keychain.entry("old")), (Some(b"one".to_vec()), None));
}

#[tokio::test]
async fn a_call_that_hangs_ends_after_the_bound_and_the_next_ones_at_once() {
    let keychain = Scripted::default();
    keychain.hang(true);
    let vault = keychain.vault();
    assert_eq!(keychain.late(read(&vault, "a")).await, Err(late()));
    until(&vault, Health::SessionOnly(late())).await;
    assert_eq!(now(vault.get("b")).map(|answer| answer.map(|_| ())), Some(Err(late())));
    assert_eq!(now(vault.set("b", secret("one"))), Some(Ok(Kept::SessionOnly(late()))));
    assert_eq!(now(read(&vault, "b")), Some(Ok(Some("one".to_owned()))));
    assert_eq!(now(vault.probe()), Some(Health::SessionOnly(late())));
    assert_eq!(keychain.calls(), ["get a"], "one call at a time");
}

#[tokio::test]
async fn what_was_asked_for_last_is_what_the_keychain_holds_when_it_wakes_up() {
    let keychain = Scripted::default();
    keychain.0.0.lock().unwrap().entries.insert("gone".to_owned(), b"old".to_vec());
    keychain.hang(true);
    let vault = keychain.vault();
    assert_eq!(keychain.late(vault.set("a", secret("one"))).await, Ok(Kept::SessionOnly(late())));
    assert_eq!(vault.set("a", secret("two")).await, Ok(Kept::SessionOnly(late())));
    // Nobody waits for these at all.
    drop(vault.set("a", secret("three")));
    drop(vault.delete("gone"));
    assert_eq!(read(&vault, "a").await, Ok(Some("three".to_owned())));
    keychain.hang(false);
    until(&vault, Health::Protected).await;
    // Behind everything that was queued.
    assert_eq!(vault.probe().await, Health::Protected);
    assert_eq!((keychain.entry("a"), keychain.entry("gone")), (Some(b"three".to_vec()), None));
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_is_not_asked() {
    let keychain = Scripted::default();
    keychain.hang(true);
    let vault = keychain.vault();
    let first = vault.set("a", secret("one"));
    drop(vault.get("b"));
    keychain.hang(false);
    assert_eq!(first.await, Ok(Kept::Protected));
    vault.probe().await;
    assert!(keychain.calls().contains(&"set a".to_owned()) && !keychain.calls().contains(&"get b".to_owned()));
}

#[tokio::test]
async fn a_secret_that_is_too_large_for_one_entry_is_split_and_one_that_is_absurd_is_refused() {
    let keychain = Scripted::default();
    let vault = keychain.vault();
    assert_eq!(vault.set("a", Secret::new(vec![7; MAX_LEN])).await, Ok(Kept::Protected));
    let largest = keychain.0.0.lock().unwrap().entries.values().map(Vec::len).max();
    assert_eq!(largest, Some(ENTRY_LEN));
    let error = VaultError::TooLarge { len: MAX_LEN + 1, max: MAX_LEN };
    assert_eq!(vault.set("a", Secret::new(vec![8; MAX_LEN + 1])).await, Err(error));
    assert_eq!(vault.get("a").await.unwrap().unwrap().expose(), &[7; MAX_LEN]);
}

#[tokio::test]
async fn reading_nothing_does_not_prove_that_writing_works() {
    let vault = Scripted::default().vault();
    assert_eq!(read(&vault, "a").await, Ok(None));
    assert_eq!(*vault.state().borrow(), Health::Unknown);
}

#[tokio::test]
async fn without_a_keychain_everything_works_and_says_so() {
    let vault = Vault::memory();
    let unused = Health::SessionOnly(VaultError::NotUsed);
    assert_eq!(vault.probe().await, unused);
    assert_eq!(vault.set("a", secret("one")).await, Ok(Kept::SessionOnly(VaultError::NotUsed)));
    assert_eq!(read(&vault, "a").await, Ok(Some("one".to_owned())));
    assert_eq!(read(&vault, "b").await, Ok(None));
    assert_eq!(vault.delete("a").await, Ok(()));
    assert_eq!(read(&vault, "a").await, Ok(None));
    assert_eq!(*vault.state().borrow(), unused);
}

#[test]
fn a_vault_is_made_outside_of_a_runtime_and_without_asking() {
    let keychain = Scripted::default();
    keychain.hang(true);
    let vault = keychain.vault();
    drop(vault.clone());
    assert!(keychain.calls().is_empty());
    assert_eq!(format!("{vault:?}"), "Vault { health: Unknown, .. }");
}

#[test]
fn a_keychain_that_never_answers_does_not_keep_the_process_from_ending() {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ends_while_the_keychain_hangs", "--ignored", "--test-threads=1"])
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let (sender, ended) = mpsc::channel();
    let id = child.id();
    std::thread::spawn(move || sender.send(child.wait().map(|status| status.success())));
    // It would run for ever.
    let success = ended.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("process {id} still runs"));
    assert!(success.unwrap());
}

/// Not a test by itself: the process of the one above.
#[tokio::test]
#[ignore = "run by a_keychain_that_never_answers_does_not_keep_the_process_from_ending"]
async fn ends_while_the_keychain_hangs() {
    let keychain = Scripted::default();
    keychain.hang(true);
    let vault = keychain.vault();
    assert_eq!(keychain.late(vault.set("a", secret("one"))).await, Ok(Kept::SessionOnly(late())));
    assert_eq!(keychain.calls(), ["get a"]);
}
