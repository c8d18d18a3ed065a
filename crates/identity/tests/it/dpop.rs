//! Sessions whose tokens are bound to a key of this computer (RFC 9449), against a tenant that checks every proof.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime},
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use callbox_identity::{
    AccessToken, CallbackOutcome, Clock, Config, Dpop, Retry, Session, SessionState, SignInError, SignedOutReason, Step, Storage,
    TokenError, Trouble,
};
use callbox_sandbox::{Endpoint, Fault, RefreshOutcome, SandboxConfig, TokenBinding};
use callbox_vault::{Backend, Secret, Vault, VaultError};
use serde_json::{Value, json};

use crate::{
    refresh::outcomes,
    world::{ADA, Following, HOUR, Keychain, Skewed, World, config_for, elapse, http, param, until, visit},
};

fn config(world: &World, vault: Vault) -> Config {
    let mut config = config_for(&world.sandbox, vault);
    config.profile.dpop = Dpop::Required;
    config
}

/// A session that has to be bound, and nobody signed in.
pub(crate) async fn ready_with(sandbox: SandboxConfig) -> World {
    let mut world = World::with(sandbox).await;
    world.session = Session::spawn(config(&world, world.vault.clone()));
    world
}

/// With Ada signed in.
pub(crate) async fn signed_in_with(sandbox: SandboxConfig) -> World {
    let world = ready_with(sandbox).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    world
}

async fn signed_in() -> World {
    signed_in_with(SandboxConfig::default()).await
}

/// The one entry of this kind in the keychain: its name and what is in it.
fn entry(keychain: &Keychain, kind: &str) -> (String, Value) {
    let entries = keychain.entries();
    let mut found = entries.iter().filter(|(name, _)| name.starts_with(kind));
    let (name, bytes) = found.next().unwrap_or_else(|| panic!("no {kind} in {:?}", entries.keys()));
    assert!(found.next().is_none(), "one {kind} only");
    (name.clone(), serde_json::from_slice(bytes).unwrap())
}

/// The claims of an access token.
fn claims(token: &AccessToken) -> Value {
    let header = token.header_value();
    let text = header.to_str().unwrap().split_once(' ').unwrap().1;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

fn key_lost(state: &SessionState) -> bool {
    matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::KeyLost { account }) } if account.sub == "sandbox|ada")
}

#[tokio::test]
async fn the_code_and_every_refresh_are_proved_with_one_key_that_lies_beside_the_session() {
    let world = ready_with(SandboxConfig::default()).await;
    let start = world.begin().await;
    assert!(world.keychain.is_empty(), "a sign-in that has only begun leaves nothing");
    let outcome = world.session.handle_callback(&visit(&start.url, ADA).await).await;
    assert_eq!(outcome, CallbackOutcome::Completed);
    let (session, record) = entry(&world.keychain, "session-");
    let (place, _) = entry(&world.keychain, "dpop-");
    assert_eq!(place.trim_start_matches("dpop-"), session.trim_start_matches("session-"), "in the same namespace");
    assert_eq!(record["jkt"], json!(param(start.url.as_str(), "dpop_jkt")), "the page named the key before the browser was open");

    let first = world.session.access_token().await.unwrap();
    assert!(first.is_bound() && first.header_value().to_str().unwrap().starts_with("DPoP "));
    assert_eq!(claims(&first)["cnf"]["jkt"], record["jkt"]);
    assert_eq!(world.requests(Endpoint::Token), 2, "the tenant asked for its nonce once");
    let second = world.refreshed().await.unwrap();
    assert_eq!(claims(&second)["cnf"]["jkt"], record["jkt"]);
    assert_eq!((world.requests(Endpoint::Token), outcomes(&world)), (3, vec![(1, RefreshOutcome::Rotated)]), "and is not asked again");

    // Another start of the app has the same key, and no nonce yet.
    let again = world.restart();
    assert_eq!(claims(&again.access_token().await.unwrap())["cnf"]["jkt"], record["jkt"]);
    assert_eq!((world.requests(Endpoint::Token), world.control().live_families()), (5, 1));

    // A sign-in makes a new one, a sign-out leaves none.
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_ne!(entry(&world.keychain, "session-").1["jkt"], record["jkt"]);
    world.session.sign_out().await;
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn a_tenant_that_asks_for_a_nonce_is_answered_once_and_one_that_always_asks_is_an_error() {
    let world = ready_with(SandboxConfig::default()).await;
    world.control().always(Endpoint::Token, [Fault::AskForNonce]);
    assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::Trouble(Trouble::NonceLoop)));
    assert_eq!(world.requests(Endpoint::Token), 2);
    world.control().clear(Endpoint::Token);
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);

    // The nonce that is known has become too old: that costs one request.
    world.control().once(Endpoint::Token, Fault::AskForNonce);
    let before = world.requests(Endpoint::Token);
    world.refreshed().await.unwrap();
    assert_eq!(world.requests(Endpoint::Token) - before, 2);

    world.control().always(Endpoint::Token, [Fault::AskForNonce]);
    let before = world.requests(Endpoint::Token);
    let error = world.refreshed().await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("tenant-nonce-loop", Retry::Later(None)));
    assert_eq!(world.requests(Endpoint::Token) - before, 2, "no loop");
    assert!(world.is_signed_in());
    // A nonce that never comes is not waited for.
    world.control().always(Endpoint::Token, [Fault::json(400, &json!({"error": "use_dpop_nonce"}))]);
    let before = world.requests(Endpoint::Token);
    assert_eq!(world.session.access_token().await.unwrap_err().code(), "tenant-nonce-loop");
    assert_eq!(world.requests(Endpoint::Token) - before, 1);

    world.control().clear(Endpoint::Token);
    world.session.access_token().await.unwrap();
    assert_eq!(outcomes(&world), [1, 2].map(|generation| (generation, RefreshOutcome::Rotated)), "the token was not touched meanwhile");
}

#[tokio::test]
async fn a_key_that_is_lost_ends_the_session_softly_at_the_next_start_and_a_sign_in_puts_it_right() {
    let world = signed_in().await;
    let whole = world.keychain.entries();
    let without_key =
        whole.iter().filter(|(name, _)| !name.starts_with("dpop-")).map(|(name, bytes)| (name.clone(), bytes.clone())).collect();
    world.keychain.put_back(without_key);
    let started = world.restart();
    until(&started, key_lost).await;
    assert_eq!(started.access_token().await.unwrap_err(), TokenError::SignedOut);
    assert_eq!(outcomes(&world), [], "a token that nobody can prove is not presented");
    // Whoever has the key in memory goes on.
    world.refreshed().await.unwrap();
    // Nothing was thrown away: a keychain that gives the key back gives the session back.
    world.keychain.put_back(whole);
    until(&world.restart(), |state| matches!(state, SessionState::SignedIn { .. })).await;
    // And a sign-in makes another.
    world.keychain.put_back(world.keychain.entries().into_iter().filter(|(name, _)| !name.starts_with("dpop-")).collect());
    let started = Session::spawn(config(&world, world.keychain.vault()));
    until(&started, key_lost).await;
    let start = started.begin_sign_in().await.unwrap();
    assert_eq!(started.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    until(&world.restart(), |state| matches!(state, SessionState::SignedIn { .. })).await;
}

#[tokio::test]
async fn a_key_that_was_swapped_proves_nothing_and_ends_the_session_softly() {
    let world = signed_in().await;
    let (place, _) = entry(&world.keychain, "dpop-");
    let strange = signed_in().await.keychain.entries().into_iter().find(|(name, _)| name.starts_with("dpop-")).unwrap().1;
    for bytes in [strange, b"{}".to_vec(), Vec::new()] {
        let mut entries = world.keychain.entries();
        entries.insert(place.clone(), bytes);
        world.keychain.put_back(entries);
        until(&world.restart(), key_lost).await;
    }
    assert_eq!((outcomes(&world), world.control().live_families()), (Vec::new(), 1));
}

/// A keychain that gives everything but keys.
struct Selective(Keychain);

impl Backend for Selective {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        if key.starts_with("dpop-") { Err(VaultError::Denied) } else { self.0.get(key) }
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        if key.starts_with("dpop-") { Err(VaultError::Denied) } else { self.0.set(key, value) }
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.0.delete(key)
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_key_that_the_keychain_does_not_give_is_not_lost_and_one_that_it_does_not_take_is_said() {
    let world = signed_in().await;
    let selective = || Vault::with_backend(Selective(world.keychain.clone()), Duration::from_secs(5));
    let started = Session::spawn(config(&world, selective()));
    let refused = SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(VaultError::Denied)) };
    assert_eq!(until(&started, |state| *state != SessionState::Restoring).await, refused);
    let start = started.begin_sign_in().await.unwrap();
    assert_eq!(started.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    let only_here =
        |state: &SessionState| matches!(state, SessionState::SignedIn { storage: Storage::SessionOnly(VaultError::Denied), .. });
    assert!(only_here(&started.state().borrow()), "a session without its key would not survive a restart");
    elapse(HOUR).await;
    assert!(started.access_token().await.unwrap().is_bound());
}

/// A keychain whose process ends before it has written a record.
struct Ending(Keychain);

impl Backend for Ending {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        self.0.get(key)
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        if key.starts_with("session-") { Err(VaultError::Denied) } else { self.0.set(key, value) }
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        self.0.delete(key)
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_crash_between_the_key_and_the_record_leaves_the_session_before_or_the_next_and_never_a_mix() {
    let world = signed_in().await;
    let before = entry(&world.keychain, "session-").1["jkt"].clone();
    let vault = Vault::with_backend(Ending(world.keychain.clone()), Duration::from_secs(5));
    let ending = Session::spawn(config(&world, vault));
    until(&ending, |state| matches!(state, SessionState::SignedIn { .. })).await;
    let start = ending.begin_sign_in().await.unwrap();
    assert_eq!(ending.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    assert_eq!(entry(&world.keychain, "session-").1["jkt"], before, "the record is still the one before");
    assert!(entry(&world.keychain, "dpop-").1["before"].is_object());
    let again = world.restart();
    assert_eq!(claims(&again.access_token().await.unwrap())["cnf"]["jkt"], before);
    // A sign-in that gets to its end keeps one key.
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    world.settled().await;
    assert_eq!(entry(&world.keychain, "dpop-").1.get("before"), None);
    until(&world.restart(), |state| matches!(state, SessionState::SignedIn { .. })).await;
}

/// A keychain whose process ends after so many writes.
struct Counted(Keychain, u32);

impl Backend for Counted {
    fn get(&mut self, key: &str) -> Result<Option<Secret<Vec<u8>>>, VaultError> {
        self.0.get(key)
    }

    fn set(&mut self, key: &str, value: &Secret<Vec<u8>>) -> Result<(), VaultError> {
        self.1 = self.1.checked_sub(1).ok_or(VaultError::Unavailable)?;
        self.0.set(key, value)
    }

    fn delete(&mut self, key: &str) -> Result<(), VaultError> {
        if self.1 == 0 { Err(VaultError::Unavailable) } else { self.0.delete(key) }
    }

    fn probe(&mut self) -> Result<(), VaultError> {
        Ok(())
    }
}

#[tokio::test]
async fn a_process_that_ends_after_any_write_of_a_sign_in_leaves_a_session_that_can_be_proved() {
    for writes in 0..4 {
        let world = signed_in().await;
        let vault = Vault::with_backend(Counted(world.keychain.clone(), writes), Duration::from_secs(5));
        let ending = Session::spawn(config(&world, vault));
        until(&ending, |state| matches!(state, SessionState::SignedIn { .. })).await;
        let start = ending.begin_sign_in().await.unwrap();
        assert_eq!(ending.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
        let again = world.restart();
        assert!(again.access_token().await.unwrap_or_else(|error| panic!("{writes}: {error}")).is_bound());
    }
}

#[tokio::test]
async fn a_stolen_refresh_token_is_worth_nothing_without_the_key_and_costs_nothing() {
    let world = signed_in().await;
    let stolen = world.keychain.refresh_token();
    let form = [("grant_type", "refresh_token"), ("client_id", world.sandbox.client_id()), ("refresh_token", &stolen)];
    let answer = http().post(world.sandbox.issuer().join("oauth/token").unwrap()).form(&form).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::WrongKey)]);
    world.refreshed().await.unwrap();
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test]
async fn a_computer_whose_clock_is_two_hours_wrong_proves_by_the_clock_of_the_tenant() {
    for skew in [-7200, 7200] {
        let mut world = World::with(SandboxConfig::default()).await;
        world.session = Session::spawn(Config { clock: Arc::new(Skewed(skew)), ..config(&world, world.vault.clone()) });
        assert_eq!(world.sign_in().await, CallbackOutcome::Completed, "{skew}");
        assert_eq!(world.requests(Endpoint::Token), 2, "{skew}: no proof was refused, only the nonce was asked for");
        world.refreshed().await.unwrap();
        assert_eq!(world.requests(Endpoint::Token), 3, "{skew}");
    }
}

#[tokio::test]
async fn the_tenants_own_interface_is_asked_with_a_proof_too() {
    let world = signed_in().await;
    assert!(world.session.connected_accounts().await.unwrap().is_empty());
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)], "by a token of its own, which is bound as well");
}

/// A clock that somebody sets.
struct Set(AtomicI64);

impl Clock for Set {
    fn now(&self) -> SystemTime {
        Skewed(self.0.load(Ordering::SeqCst)).now()
    }
}

#[tokio::test]
async fn a_clock_that_is_set_during_a_session_costs_one_request() {
    let mut world = World::with(SandboxConfig::default()).await;
    let clock = Arc::new(Set(AtomicI64::new(0)));
    world.session = Session::spawn(Config { clock: clock.clone(), ..config(&world, world.vault.clone()) });
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    let token = world.session.access_token().await.unwrap();
    clock.0.store(-7200, Ordering::SeqCst);
    let before = world.requests(Endpoint::Token);
    world.session.access_token_after_rejection(&token).await.unwrap();
    assert_eq!(world.requests(Endpoint::Token) - before, 2, "refused, and proved again by the tenant's clock");
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
}

#[tokio::test]
async fn a_proof_that_is_refused_by_a_right_clock_asks_for_a_sign_in_and_costs_no_session() {
    let world = ready_with(SandboxConfig::default()).await;
    world.control().next(Endpoint::Token, []);
    world.control().once(Endpoint::Token, Fault::RefuseProof);
    assert!(matches!(world.sign_in().await, CallbackOutcome::Failed(SignInError::ProofRefused(_))));
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    world.control().once(Endpoint::Token, Fault::RefuseProof);
    let before = world.requests(Endpoint::Token);
    let error = world.refreshed().await.unwrap_err();
    assert_eq!((error.code(), error.retry(), world.requests(Endpoint::Token) - before), ("token-proof-refused", Retry::SignIn, 1));
    assert!(world.is_signed_in());
    world.session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_binds_no_more_is_not_believed_and_the_rotated_token_is_kept() {
    let mut world = signed_in().await;
    let old = world.keychain.refresh_token();
    world.control().once(Endpoint::Token, Fault::response("token_type", json!("Bearer")));
    let error = world.refreshed().await.unwrap_err();
    assert_eq!((error.code(), error.retry()), ("token-unbound", Retry::SignIn));
    assert!(world.is_signed_in());
    assert_ne!(world.keychain.refresh_token(), old, "kept before the rest was judged");
    // Also after a restart, which knows how the session was begun.
    world.session = world.restart();
    world.control().always(Endpoint::Token, [Fault::response("token_type", json!("Bearer"))]);
    assert_eq!(world.session.access_token().await.unwrap_err(), TokenError::Unbound);
    world.control().clear(Endpoint::Token);
    assert!(world.session.access_token().await.unwrap().is_bound());
    assert_eq!(outcomes(&world), [1, 2, 3].map(|generation| (generation, RefreshOutcome::Rotated)));
}

#[tokio::test]
async fn a_sign_in_that_has_to_be_bound_and_is_not_gives_no_session_and_leaves_none() {
    let world = ready_with(SandboxConfig { dpop: TokenBinding::RefreshOnly, ..SandboxConfig::default() }).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::Unbound));
    assert_eq!((world.control().live_families(), world.keychain.is_empty()), (0, true));
    // A tenant that says at once that it does not do it does not even see the browser.
    let world = ready_with(SandboxConfig { dpop: TokenBinding::Off, ..SandboxConfig::default() }).await;
    assert_eq!(world.session.begin_sign_in().await.unwrap_err(), SignInError::Unbound);
    assert_eq!(world.requests(Endpoint::Authorize), 0);
}

/// A session as an agent was found, with nothing said in the profile.
async fn found(sandbox: SandboxConfig, step: Option<Step>) -> World {
    let mut world = World::with(sandbox).await;
    let mut config = config_for(&world.sandbox, world.vault.clone());
    config.profile.provenance.extend(step);
    world.session = Session::spawn(config);
    world
}

#[tokio::test]
async fn a_tenant_that_offers_it_with_an_agent_of_which_nothing_is_known_gives_bearer_tokens() {
    let world = found(SandboxConfig::default(), None).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert!(!world.session.access_token().await.unwrap().is_bound());
    assert!(!world.keychain.entries().keys().any(|name| name.starts_with("dpop-")));
    let world = found(SandboxConfig::default(), Some(Step::Bound { required: false })).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert!(world.session.access_token().await.unwrap().is_bound());
    // One that has stopped offering it since.
    let world = found(SandboxConfig { dpop: TokenBinding::Off, ..SandboxConfig::default() }, Some(Step::Bound { required: false })).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert!(!world.refreshed().await.unwrap().is_bound());
}

#[tokio::test]
async fn a_tenant_may_bind_the_refresh_token_alone_where_the_agent_takes_bearer_tokens_too() {
    let only_refresh = || SandboxConfig { dpop: TokenBinding::RefreshOnly, ..SandboxConfig::default() };
    let world = found(only_refresh(), Some(Step::Bound { required: true })).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::Unbound));

    let mut world = found(only_refresh(), Some(Step::Bound { required: false })).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert!(!world.session.access_token().await.unwrap().is_bound());
    assert!(!world.refreshed().await.unwrap().is_bound(), "proved all the same, or the tenant would not have taken it");
    world.session = world.restart();
    assert!(!world.session.access_token().await.unwrap().is_bound());
    assert_eq!(outcomes(&world), [1, 2].map(|generation| (generation, RefreshOutcome::Rotated)));
}

#[tokio::test]
async fn a_session_that_was_begun_with_bearer_tokens_stays_so_until_the_next_sign_in() {
    let mut world = World::signed_in().await;
    world.session = Session::spawn(config(&world, world.keychain.vault()));
    assert!(!world.session.access_token().await.unwrap().is_bound());
    assert!(!world.refreshed().await.unwrap().is_bound());
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert!(world.session.access_token().await.unwrap().is_bound());
    // And the other way round: a bearer sign-in leaves no key behind.
    let bearer = Session::spawn(config_for(&world.sandbox, world.vault.clone()));
    let start = bearer.begin_sign_in().await.unwrap();
    assert_eq!(bearer.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    world.settled().await;
    assert!(!world.keychain.entries().keys().any(|name| name.starts_with("dpop-")));
}

fn shared(world: &World, folder: &Path, clock: &Arc<Following>) -> Session {
    let config = Config { clock: clock.clone(), ..config(world, world.keychain.vault()) };
    Session::spawn_shared(config, folder.join("locks"))
}

#[tokio::test]
async fn sessions_on_one_keychain_share_the_key_the_tokens_and_the_next_sign_ins_key() {
    let world = ready_with(SandboxConfig::default()).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    let sign_in = async |session: &Session| {
        let start = session.begin_sign_in().await.unwrap();
        assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    };
    let (one, other) = (shared(&world, folder.path(), &clock), shared(&world, folder.path(), &clock));
    sign_in(&one).await;
    drop(other);
    let other = shared(&world, folder.path(), &clock);
    elapse(HOUR).await;
    let first = one.access_token().await.unwrap();
    let second = other.access_token().await.unwrap();
    assert_eq!((first.fingerprint(), second.is_bound()), (second.fingerprint(), true), "taken from the keychain, with the key");
    assert_eq!(outcomes(&world).len(), 1);

    // The key is not asked for again by whoever has it, and is not missed.
    world.keychain.put_back(world.keychain.entries().into_iter().filter(|(name, _)| !name.starts_with("dpop-")).collect());
    for session in [&one, &other] {
        elapse(HOUR).await;
        assert!(session.access_token().await.unwrap().is_bound());
    }
    sign_in(&one).await;
    elapse(HOUR).await;
    let (first, second) = (one.access_token().await.unwrap(), other.access_token().await.unwrap());
    assert_eq!(claims(&first)["cnf"], claims(&second)["cnf"]);
    assert_eq!(claims(&second)["cnf"]["jkt"], entry(&world.keychain, "session-").1["jkt"], "the other one goes on with the new key");
    assert!(outcomes(&world).iter().all(|(_, outcome)| *outcome == RefreshOutcome::Rotated), "{:?}", outcomes(&world));
}
