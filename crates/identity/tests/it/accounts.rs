//! Several accounts at one tenant, and sessions to which the tenant sets an end.

use std::{sync::Arc, time::Duration};

use callbox_identity::{
    CallbackOutcome, Clock, Config, Session, SessionState, SignedOutReason, Slot, SystemClock, SystemEntropy, accounts,
};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::{Value, json};

use crate::world::{ADA, Following, GRACE, HOUR, Skewed, World, config_for, elapse, param, profile, until, visit};

/// One more account beside the world's session, in the same vault.
fn another(world: &World, locks: &tempfile::TempDir) -> Session {
    let slot = Slot::another(&profile(&world.sandbox), &SystemEntropy);
    Session::spawn_at(config_for(&world.sandbox, world.vault.clone()), locks.path().to_owned(), slot)
}

async fn names(world: &World, locks: &tempfile::TempDir) -> Vec<String> {
    let known = accounts(&world.keychain.vault(), &profile(&world.sandbox), locks.path().to_owned()).await.unwrap();
    known.into_iter().map(|known| known.account.name).collect()
}

fn signed_in_as(session: &Session) -> Option<String> {
    match &*session.state().borrow() {
        SessionState::SignedIn { account, .. } => Some(account.name.clone()),
        _ => None,
    }
}

#[tokio::test]
async fn two_accounts_at_one_tenant_are_kept_side_by_side_and_signed_out_one_by_one() {
    let (world, locks) = (World::signed_in().await, tempfile::tempdir().unwrap());
    let second = another(&world, &locks);
    let start = second.begin_other_sign_in().await.unwrap();
    assert_eq!(param(start.url.as_str(), "prompt"), "select_account", "or the browser would give the account that it knows");
    assert_eq!(second.handle_callback(&visit(&start.url, GRACE).await).await, CallbackOutcome::Completed);
    assert_eq!(names(&world, &locks).await, ["Ada Lovelace", "Grace Hopper"]);
    let (ada, grace) = (world.session.access_token().await.unwrap(), second.access_token().await.unwrap());
    assert_ne!(ada.fingerprint(), grace.fingerprint());

    // A link finds the session that it belongs to, and changes nothing at another one.
    let start = second.begin_other_sign_in().await.unwrap();
    let link = visit(&start.url, GRACE).await;
    assert!(matches!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(_)));
    assert_eq!(second.handle_callback(&link).await, CallbackOutcome::Completed);
    assert_eq!(signed_in_as(&world.session).as_deref(), Some("Ada Lovelace"));

    assert!(second.sign_out().await.revoked);
    assert_eq!(names(&world, &locks).await, ["Ada Lovelace"]);
    elapse(HOUR).await;
    world.session.access_token().await.unwrap();
    assert_eq!(signed_in_as(&world.session).as_deref(), Some("Ada Lovelace"));
    let left: Vec<String> = world.keychain.entries().into_keys().collect();
    assert!(left.len() == 1 && left[0].starts_with("session-"), "nothing of the other one is left: {left:?}");
}

#[tokio::test]
async fn a_second_account_outlives_a_restart_at_its_own_place() {
    let (world, locks) = (World::signed_in().await, tempfile::tempdir().unwrap());
    let second = another(&world, &locks);
    let start = second.begin_other_sign_in().await.unwrap();
    second.handle_callback(&visit(&start.url, GRACE).await).await;
    let known = accounts(&world.keychain.vault(), &profile(&world.sandbox), locks.path().to_owned()).await.unwrap();
    for known in known {
        let config = config_for(&world.sandbox, world.keychain.vault());
        let again = Session::spawn_at(config, locks.path().to_owned(), known.slot);
        until(&again, |state| *state != SessionState::Restoring).await;
        assert_eq!(signed_in_as(&again), Some(known.account.name));
        again.access_token().await.unwrap();
    }
}

#[tokio::test]
async fn what_an_earlier_version_has_kept_is_an_account_without_a_new_sign_in() {
    let (world, locks) = (World::signed_in().await, tempfile::tempdir().unwrap());
    // Its form: no number, no end, and no list of accounts.
    let earlier = world.keychain.entries().into_iter().filter(|(key, _)| key.starts_with("session-")).map(|(key, bytes)| {
        let mut record: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).unwrap();
        assert!(record.remove("n").is_some());
        (key, serde_json::to_vec(&record).unwrap())
    });
    let earlier: std::collections::HashMap<_, _> = earlier.collect();
    assert_eq!(earlier.keys().collect::<Vec<_>>(), [Slot::first(&profile(&world.sandbox)).name()]);
    world.keychain.put_back(earlier);
    assert_eq!(names(&world, &locks).await, ["Ada Lovelace"]);
    let again = Session::spawn_shared(config_for(&world.sandbox, world.keychain.vault()), locks.path().to_owned());
    again.access_token().await.unwrap();
    assert_eq!(signed_in_as(&again).as_deref(), Some("Ada Lovelace"));
    assert_eq!(world.requests(Endpoint::Authorize), 1, "the sign-in before, and none since");
}

#[tokio::test]
async fn a_list_of_accounts_that_is_lost_comes_back_with_the_next_refresh() {
    let (world, locks) = (World::new().await, tempfile::tempdir().unwrap());
    let second = another(&world, &locks);
    let start = second.begin_other_sign_in().await.unwrap();
    second.handle_callback(&visit(&start.url, GRACE).await).await;
    assert_eq!(names(&world, &locks).await, ["Grace Hopper"]);
    let mut entries = world.keychain.entries();
    entries.retain(|key, _| !key.starts_with("accounts-"));
    world.keychain.put_back(entries);
    assert!(names(&world, &locks).await.is_empty());
    elapse(HOUR).await;
    second.access_token().await.unwrap();
    assert_eq!(names(&world, &locks).await, ["Grace Hopper"]);
}

#[tokio::test]
async fn an_account_that_is_forgotten_here_is_not_revoked_at_the_tenant() {
    let (world, locks) = (World::signed_in().await, tempfile::tempdir().unwrap());
    let entries = world.keychain.entries();
    world.session.forget().await;
    assert!(world.keychain.is_empty());
    // Right after a start, too: what the vault answers then does not bring it back.
    world.keychain.put_back(entries);
    let again = world.restart();
    again.forget().await;
    until(&again, |state| *state == SessionState::SignedOut { reason: None }).await;
    assert!(world.keychain.is_empty() && names(&world, &locks).await.is_empty());
    assert_eq!(world.state(), SessionState::SignedOut { reason: None });
    assert_eq!((world.requests(Endpoint::Revoke), world.control().live_families()), (0, 1));
}

#[tokio::test]
async fn a_tenant_that_cannot_be_told_is_told_when_another_of_its_accounts_comes() {
    let (world, locks) = (World::new().await, tempfile::tempdir().unwrap());
    let second = another(&world, &locks);
    let start = second.begin_other_sign_in().await.unwrap();
    second.handle_callback(&visit(&start.url, GRACE).await).await;
    world.control().always(Endpoint::Revoke, [Fault::Drop]);
    assert!(second.sign_out().await.will_be_revoked);
    assert_eq!(world.control().live_families(), 1);
    world.control().clear(Endpoint::Revoke);
    // Nobody will ever be at that place again.
    let _ada = Session::spawn_shared(config_for(&world.sandbox, world.keychain.vault()), locks.path().to_owned());
    world.control().until(|| world.control().live_families() == 0).await;
}

// --- Sessions with an end ----------------------------------------------------------------------------------------------------------------

/// An answer whose ID token ends the session so many seconds after `clock`'s present.
fn ends_in(clock: &dyn Clock, seconds: u64) -> Fault {
    let now = clock.now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let Value::Object(claims) = json!({"session_expiry": now + seconds}) else { panic!("an object") };
    Fault::IdTokenClaims { claims }
}

/// Ada's session, which the tenant ends so many seconds after it began.
async fn ending_in(world: &World, clock: &Arc<Following>, seconds: u64) -> Session {
    let session = Session::spawn(Config { clock: clock.clone(), ..config_for(&world.sandbox, world.vault.clone()) });
    let start = session.begin_sign_in().await.unwrap();
    let link = visit(&start.url, ADA).await;
    world.control().once(Endpoint::Token, ends_in(&**clock, seconds));
    assert_eq!(session.handle_callback(&link).await, CallbackOutcome::Completed);
    session
}

fn is_ended(state: &SessionState) -> bool {
    matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Ended { account }) } if account.name == "Ada Lovelace")
}

#[tokio::test]
async fn a_session_is_over_half_a_minute_before_the_tenants_end_and_softly() {
    let (world, clock) = (World::new().await, Arc::new(Following::new()));
    let session = ending_in(&world, &clock, 100).await;
    session.access_token().await.unwrap();
    elapse(Duration::from_secs(60)).await;
    assert_eq!(signed_in_as(&session).as_deref(), Some("Ada Lovelace"));
    elapse(Duration::from_secs(12)).await;
    until(&session, is_ended).await;
    assert_eq!(session.access_token().await.unwrap_err().code(), "signed-out");
    world.settled().await;
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn a_session_ends_by_the_clock_of_the_tenant_and_not_by_one_that_is_wrong() {
    for skew in [-36_000, 36_000] {
        let world = World::new().await;
        let clock = Arc::new(Skewed(skew));
        let config = || Config { clock: clock.clone(), ..config_for(&world.sandbox, world.keychain.vault()) };
        let session = Session::spawn(config());
        let start = session.begin_sign_in().await.unwrap();
        let link = visit(&start.url, ADA).await;
        world.control().once(Endpoint::Token, ends_in(&SystemClock, 7200));
        assert_eq!(session.handle_callback(&link).await, CallbackOutcome::Completed);
        session.access_token().await.unwrap_or_else(|error| panic!("{skew}: {error}"));
        assert_eq!(signed_in_as(&session).as_deref(), Some("Ada Lovelace"), "{skew}");
        // And once the tenant's clock has come that far, it is over, also by a clock that is behind.
        world.control().advance(2 * HOUR);
        let token = session.access_token().await.unwrap();
        assert_eq!(session.access_token_after_rejection(&token).await.unwrap_err().code(), "signed-out", "{skew}");
        until(&session, is_ended).await;
    }
}

#[tokio::test]
async fn a_refresh_extends_no_session_and_a_restart_does_not_either() {
    let (world, clock) = (World::new().await, Arc::new(Following::new()));
    let session = ending_in(&world, &clock, 7200).await;
    elapse(HOUR).await;
    world.control().advance(HOUR);
    world.control().once(Endpoint::Token, ends_in(&*clock, 90_000));
    session.access_token().await.unwrap();
    drop(session);
    world.settled().await;
    let vault = world.keychain.vault();
    let again = Session::spawn(Config { clock: clock.clone(), ..config_for(&world.sandbox, vault.clone()) });
    again.access_token().await.unwrap();
    elapse(HOUR).await;
    world.control().advance(HOUR);
    until(&again, is_ended).await;
    // What it still has to say to the keychain has been said.
    vault.probe().await;
}

/// Whoever starts later is told by the tenant, in whatever words; a clock here that runs ahead says nothing.
#[tokio::test]
async fn a_start_ends_no_session_by_a_clock_of_its_own() {
    let world = World::new().await;
    let session = ending_in(&world, &Arc::new(Following::new()), 7200).await;
    session.access_token().await.unwrap();
    drop(session);
    world.settled().await;
    let vault = world.keychain.vault();
    let ahead = Session::spawn(Config { clock: Arc::new(Skewed(36_000)), ..config_for(&world.sandbox, vault.clone()) });
    until(&ahead, |state| matches!(state, SessionState::SignedIn { .. })).await;
    ahead.access_token().await.unwrap();
    vault.probe().await;
    assert_eq!(signed_in_as(&ahead).as_deref(), Some("Ada Lovelace"));
    assert!(!world.keychain.is_empty());
    drop(ahead);
    world.settled().await;
    // By the tenant's clock, it is over.
    world.control().advance(3 * HOUR);
    let late = Session::spawn(config_for(&world.sandbox, world.keychain.vault()));
    until(&late, |state| matches!(state, SessionState::SignedIn { .. })).await;
    assert_eq!(late.access_token().await.unwrap_err().code(), "signed-out");
    until(&late, is_ended).await;
}

#[tokio::test]
async fn an_end_in_the_past_in_a_refreshs_answer_ends_the_session_softly() {
    let (world, clock) = (World::new().await, Arc::new(Following::new()));
    let session = ending_in(&world, &clock, 90_000).await;
    elapse(HOUR).await;
    world.control().advance(HOUR);
    world.control().once(Endpoint::Token, ends_in(&*clock, 0));
    assert_eq!(session.access_token().await.unwrap_err().code(), "signed-out");
    until(&session, is_ended).await;
}
