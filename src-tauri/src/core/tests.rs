//! Accounts come and go: the whole core at the sandbox, without a window.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use callbox_ipc::{AccountEntry, Bootstrap, Event, Preferences, SessionView, StorageView};
use callbox_sandbox::Visitor;
use callbox_vault::{Backend, Secret, Vault, VaultError};
use tokio::sync::mpsc;
use url::Url;

use super::{Core, Start, Surroundings};
use crate::settings::Settings;

const ADA: &str = "ada@example.com";
const GRACE: &str = "grace@example.com";

/// A core, and all that a window would hear of it.
struct Shell {
    core: Core,
    events: mpsc::UnboundedReceiver<Event>,
    pages: Arc<Mutex<Vec<Url>>>,
    _folder: tempfile::TempDir,
}

impl Shell {
    async fn start(stranger: Option<&'static str>) -> Self {
        Self::start_with(stranger, Vault::memory()).await
    }

    async fn start_with(stranger: Option<&'static str>, vault: Vault) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pages: Arc<Mutex<Vec<Url>>> = Arc::default();
        let opened = pages.clone();
        let surroundings = Surroundings {
            data: folder.path().join("data"),
            config: folder.path().join("config"),
            settings: Settings { preferences: Preferences::default(), ..Settings::default() },
            vault,
            browser: Arc::new(move |page| {
                opened.lock().unwrap().push(page.clone());
                Ok(())
            }),
            scheme: Arc::new(move || stranger.map(str::to_owned)),
            dress: Arc::new(|_| ()),
            summon: Arc::new(|| ()),
        };
        let core = Core::spawn(surroundings, Start::Sandbox { port: None, agent: None });
        let (sender, events) = mpsc::unbounded_channel();
        core.subscribe(Box::new(move |event| drop(sender.send(event)))).await.unwrap();
        let mut shell = Self { core, events, pages, _folder: folder };
        shell.core.bootstrap().await.unwrap();
        shell.until("nobody is signed in", |event| matches!(session(event), Some(SessionView::SignedOut { .. }))).await;
        shell
    }

    /// Waits for an event.
    async fn until(&mut self, what: &str, is: impl Fn(&Event) -> bool) -> Event {
        let waiting = async {
            loop {
                let event = self.events.recv().await.expect("the core runs");
                if is(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
    }

    async fn until_signed_in(&mut self, name: &str) {
        self.until(name, |event| matches!(session(event), Some(SessionView::SignedIn { account, .. }) if account.name == name)).await;
    }

    /// All that the window would be told now.
    async fn bootstrap(&mut self) -> Bootstrap {
        while self.events.try_recv().is_ok() {}
        self.core.bootstrap().await.unwrap();
        match self.until("a bootstrap", |event| matches!(event, Event::Bootstrap(_))).await {
            Event::Bootstrap(bootstrap) => bootstrap,
            event => panic!("{event:?}"),
        }
    }

    fn page(&self) -> Url {
        self.pages.lock().unwrap().last().unwrap().clone()
    }

    /// Comes back from the page that was opened last.
    async fn come_back_as(&self, email: &str) {
        let link = Visitor::new().unwrap().sign_in(&self.page(), email).await.unwrap();
        self.core.deliver(link).await;
    }

    async fn with_two() -> (Self, AccountEntry, AccountEntry) {
        let mut shell = Self::start(None).await;
        shell.core.sign_in().await.unwrap();
        shell.come_back_as(ADA).await;
        shell.until_signed_in("Ada Lovelace").await;
        shell.core.add_account().await.unwrap();
        shell.come_back_as(GRACE).await;
        shell.until_signed_in("Grace Hopper").await;
        let accounts = shell.bootstrap().await.accounts;
        assert_eq!(names(&accounts), ["Ada Lovelace", "Grace Hopper"]);
        (shell, accounts[0].clone(), accounts[1].clone())
    }
}

fn session(event: &Event) -> Option<&SessionView> {
    match event {
        Event::Session(session) | Event::Bootstrap(Bootstrap { session, .. }) => Some(session),
        _ => None,
    }
}

fn names(accounts: &[AccountEntry]) -> Vec<&str> {
    accounts.iter().map(|entry| entry.account.as_ref().map_or("nobody", |account| account.name.as_str())).collect()
}

fn param(page: &Url, name: &str) -> Option<String> {
    page.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_is_not_shown_stays_signed_in_and_keeps_its_conversations() {
    let (mut shell, ada, grace) = Shell::with_two().await;
    assert_eq!(param(&shell.page(), "prompt").as_deref(), Some("select_account"));
    assert!(grace.current && !ada.current);
    let hers = shell.core.new_conversation().await.unwrap();
    shell.core.switch_account(ada.id.clone()).await.unwrap();
    let bootstrap = shell.bootstrap().await;
    assert!(bootstrap.conversations.is_empty() && bootstrap.open.is_none(), "nothing of Grace's: {bootstrap:?}");
    assert_eq!(bootstrap.seat, Some(ada.id.clone()));
    let his = shell.core.new_conversation().await.unwrap();
    assert_ne!(his, hers);
    shell.core.switch_account(grace.id.clone()).await.unwrap();
    let bootstrap = shell.bootstrap().await;
    assert_eq!((bootstrap.open.as_ref(), bootstrap.seat.as_ref()), (Some(&hers), Some(&grace.id)));
    // What goes on at the other one is not the window's business.
    assert!(shell.core.open_conversation(his.clone()).await.is_err());
    while let Ok(event) = shell.events.try_recv() {
        assert!(!matches!(&event, Event::Thread(thread) if thread.conversation == his), "{event:?}");
    }
    assert!(shell.core.switch_account("nobody".to_owned()).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_one_goes_on_with_the_other_and_the_last_one_ends_at_the_door() {
    let (mut shell, ada, _) = Shell::with_two().await;
    shell.core.sign_out(true).await.unwrap();
    assert_eq!(shell.page().path(), "/oidc/logout");
    let bootstrap = shell.bootstrap().await;
    assert_eq!((names(&bootstrap.accounts), bootstrap.seat), (vec!["Ada Lovelace"], Some(ada.id)));
    assert!(matches!(bootstrap.session, SessionView::SignedIn { .. }));
    let pages = shell.pages.lock().unwrap().len();
    shell.core.sign_out(false).await.unwrap();
    let bootstrap = shell.bootstrap().await;
    assert_eq!((names(&bootstrap.accounts), bootstrap.session), (vec!["nobody"], SessionView::SignedOut { reason: None }));
    assert_eq!(shell.pages.lock().unwrap().len(), pages, "the browser is left alone");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_does_not_come_leaves_no_seat_behind() {
    let (mut shell, _, grace) = Shell::with_two().await;
    shell.core.add_account().await.unwrap();
    // The window hears of it a moment after the page is open.
    shell.until("somebody signs in", |event| matches!(session(event), Some(SessionView::SigningIn { .. }))).await;
    shell.core.cancel_sign_in().await.unwrap();
    let bootstrap = shell.bootstrap().await;
    assert_eq!((bootstrap.seat, names(&bootstrap.accounts)), (Some(grace.id), vec!["Ada Lovelace", "Grace Hopper"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_account_that_comes_twice_is_one() {
    let (mut shell, ada, grace) = Shell::with_two().await;
    shell.core.add_account().await.unwrap();
    shell.come_back_as(ADA).await;
    shell.until_signed_in("Ada Lovelace").await;
    let bootstrap = shell.bootstrap().await;
    let mut ids: Vec<&str> = bootstrap.accounts.iter().map(|entry| entry.id.as_str()).collect();
    ids.retain(|id| *id != grace.id);
    assert!(ids.len() == 1 && ids[0] != ada.id, "the newer sign-in stays: {ids:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_our_links_are_somebody_elses_the_browser_comes_back_by_loopback() {
    let mut shell = Shell::start(Some("evil.desktop")).await;
    shell.core.sign_in().await.unwrap();
    assert!(param(&shell.page(), "redirect_uri").unwrap().starts_with("http://127.0.0.1:"));
    shell.until("it is said", |event| matches!(event, Event::Notice(notice) if notice.message.code == "scheme-taken")).await;
    // The browser follows the tenant to the listener by itself.
    let link = Visitor::new().unwrap().sign_in(&shell.page(), ADA).await.unwrap();
    assert!(link.starts_with("http://127.0.0.1:"), "{link}");
    reqwest::Client::builder().no_proxy().build().unwrap().get(&link).send().await.unwrap();
    shell.until_signed_in("Ada Lovelace").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_has_the_link_and_another_way_back_of_the_same_attempt() {
    let mut shell = Shell::start(None).await;
    assert!(shell.core.sign_in_link().await.is_err(), "nobody waits");
    shell.core.sign_in().await.unwrap();
    assert_eq!(shell.core.sign_in_link().await.unwrap(), shell.page().as_str());
    let first = shell.page();
    shell.core.sign_in_by_loopback().await.unwrap();
    assert_eq!((param(&first, "state"), param(&first, "nonce")), (param(&shell.page(), "state"), param(&shell.page(), "nonce")));
    assert_eq!(shell.core.sign_in_link().await.unwrap(), shell.page().as_str());
    // The first page still leads back, and the link may be pasted.
    let link = Visitor::new().unwrap().sign_in(&first, ADA).await.unwrap();
    shell.core.paste_callback(link).await.unwrap();
    shell.until_signed_in("Ada Lovelace").await;
}

/// A keychain that is locked until somebody unlocks it.
#[derive(Clone, Default)]
struct Locked(Arc<Mutex<Option<Entries>>>);

type Entries = HashMap<String, Vec<u8>>;

impl Locked {
    fn open<T>(&self, work: impl FnOnce(&mut Entries) -> T) -> Result<T, VaultError> {
        self.0.lock().unwrap().as_mut().map(work).ok_or(VaultError::Locked)
    }
}

impl Backend for Locked {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        self.open(|entries| entries.get(key).map(|bytes| bytes.as_slice().into()))
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.open(|entries| drop(entries.insert(key.to_owned(), value.expose().clone())))
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.open(|entries| drop(entries.remove(key)))
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        self.open(|_| ())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_signs_in_with_a_locked_keychain_is_told_before_the_browser_opens_and_kept_when_it_is_unlocked() {
    let keychain = Locked::default();
    let mut shell = Shell::start_with(None, Vault::with_backend(keychain.clone(), Duration::from_secs(5))).await;
    while shell.events.try_recv().is_ok() {}
    let pages = shell.pages.clone();
    let core = shell.core.clone();
    let signing_in = tokio::spawn(async move { core.sign_in().await });
    shell.until("it is said", |event| matches!(event, Event::Notice(notice) if notice.message.code == "sign-in-not-kept")).await;
    signing_in.await.unwrap().unwrap();
    assert_eq!(pages.lock().unwrap().len(), 1);
    shell.come_back_as(ADA).await;
    let session_only =
        |event: &Event| matches!(session(event), Some(SessionView::SignedIn { storage: StorageView::SessionOnly { .. }, .. }));
    shell.until("she is signed in until the end", session_only).await;
    *keychain.0.lock().unwrap() = Some(Entries::new());
    shell.core.retry_keychain().await.unwrap();
    let kept = |event: &Event| matches!(session(event), Some(SessionView::SignedIn { storage: StorageView::Keychain, .. }));
    shell.until("and now for longer, without another sign-in", kept).await;
    assert!(keychain.0.lock().unwrap().as_ref().unwrap().keys().any(|key| key.starts_with("session-")));
    assert_eq!(pages.lock().unwrap().len(), 1);
}
