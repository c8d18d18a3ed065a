//! Sessions on one keychain and one folder of locks, as several processes of one user have them.

use std::{path::Path, sync::Arc, time::Duration};

use callbox_identity::{Config, Session, SessionState, SignedOutReason, Storage, TokenError};
use callbox_sandbox::{Endpoint, Fault, RefreshOutcome, SandboxConfig};
use callbox_vault::{Vault, VaultError};
use tempfile::TempDir;

use crate::{
    refresh::outcomes,
    world::{ADA, Following, HOUR, World, config_for, elapse, eventually, http, says_that_it_leaves, until, visit},
};

/// A session beside others, on clocks that agree.
fn shared(world: &World, folder: &Path, clock: &Arc<Following>) -> Session {
    shared_with(world.keychain.vault(), world, folder, clock)
}

fn shared_with(vault: Vault, world: &World, folder: &Path, clock: &Arc<Following>) -> Session {
    let config = Config { clock: clock.clone(), ..config_for(&world.sandbox, vault) };
    Session::spawn_shared(config, folder.join("locks"))
}

fn is_signed_in(state: &SessionState) -> bool {
    matches!(state, SessionState::SignedIn { .. })
}

/// A world whose one session is shared, with Ada signed in.
async fn signed_in() -> (World, TempDir, Arc<Following>) {
    let mut world = World::with(SandboxConfig::default()).await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    // On the vault that [`World::settled`] waits for.
    world.session = shared_with(world.vault.clone(), &world, folder.path(), &clock);
    let start = world.begin().await;
    world.session.handle_callback(&visit(&start.url, ADA).await).await;
    assert!(world.is_signed_in());
    (world, folder, clock)
}

#[tokio::test]
async fn ten_sessions_on_one_keychain_make_one_token_request_at_expiry() {
    let (world, folder, clock) = signed_in().await;
    let sessions: Vec<_> = (0..10).map(|_| shared(&world, folder.path(), &clock)).collect();
    for session in &sessions {
        until(session, is_signed_in).await;
    }
    for expiry in 1..=3 {
        elapse(HOUR).await;
        let callers: Vec<_> = sessions.iter().cloned().map(|session| tokio::spawn(async move { session.access_token().await })).collect();
        let mut prints = Vec::new();
        for caller in callers {
            prints.push(caller.await.unwrap().unwrap().fingerprint());
        }
        prints.dedup();
        assert_eq!(prints.len(), 1, "all of them have the same token");
        assert_eq!(outcomes(&world), (1..=expiry).map(|generation| (generation, RefreshOutcome::Rotated)).collect::<Vec<_>>());
    }
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test]
async fn a_restart_takes_the_access_token_that_is_still_good_and_asks_the_tenant_nothing() {
    let (world, folder, clock) = signed_in().await;
    let token = world.session.access_token().await.unwrap();
    world.settled().await;
    let again = shared(&world, folder.path(), &clock);
    assert_eq!(again.access_token().await.unwrap().fingerprint(), token.fingerprint());
    assert_eq!(outcomes(&world), []);
    // An agent may know better.
    assert_ne!(again.access_token_after_rejection(&token).await.unwrap().fingerprint(), token.fingerprint());
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
    // And so does the first one, without another request.
    let newer = world.session.access_token_after_rejection(&token).await.unwrap();
    assert_eq!(newer.fingerprint(), again.access_token().await.unwrap().fingerprint());
    assert_eq!(outcomes(&world).len(), 1);
}

#[tokio::test]
async fn a_process_does_not_present_what_another_one_has_exchanged_and_could_not_store() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    let old = other.access_token().await.unwrap();
    world.keychain.read_only(true);
    elapse(HOUR).await;
    let newest = world.session.access_token().await.unwrap();
    let only_here =
        |state: &SessionState| matches!(state, SessionState::SignedIn { storage: Storage::SessionOnly(VaultError::Denied), .. });
    until(&world.session, only_here).await;
    assert_eq!(other.access_token().await.unwrap_err().code(), "refresh-elsewhere");
    assert!(is_signed_in(&other.state().borrow()), "nobody is signed out for it");
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);

    world.keychain.read_only(false);
    assert_ne!(world.session.access_token_after_rejection(&newest).await.unwrap().fingerprint(), newest.fingerprint());
    assert_ne!(other.access_token().await.unwrap().fingerprint(), old.fingerprint());
    assert_eq!(outcomes(&world), [1, 2].map(|generation| (generation, RefreshOutcome::Rotated)));
}

#[tokio::test]
async fn a_process_that_ends_with_the_newest_token_leaves_the_others_the_older_one() {
    let (world, folder, clock) = signed_in().await;
    world.control().set(|settings| settings.refresh_overlap = HOUR);
    let other = shared(&world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    world.keychain.read_only(true);
    elapse(HOUR).await;
    world.session.access_token().await.unwrap();
    let World { sandbox, keychain, session, .. } = world;
    drop(session);
    keychain.read_only(false);
    // It takes the first one a moment to end; until then the other is told to wait.
    while let Err(error) = other.access_token().await {
        assert_eq!(error.code(), "refresh-elsewhere");
        tokio::task::yield_now().await;
    }
    assert_eq!(sandbox.control().presented().last().unwrap().outcome, RefreshOutcome::Overlapped);
    assert_eq!(sandbox.control().live_families(), 1);
}

#[tokio::test]
async fn a_keychain_that_was_put_back_to_an_earlier_state_is_noticed_before_its_token_is_used() {
    let (world, folder, clock) = signed_in().await;
    world.settled().await;
    let earlier = world.keychain.entries();
    elapse(HOUR).await;
    world.session.access_token().await.unwrap();
    world.settled().await;
    for entries in [earlier, std::collections::HashMap::new()] {
        world.keychain.put_back(entries.clone());
        let session = shared(&world, folder.path(), &clock);
        let state = until(&session, |state| *state != SessionState::Restoring).await;
        assert_eq!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(VaultError::Changed)) });
        session.access_token().await.unwrap_err();
        assert_eq!(world.keychain.entries(), entries, "and nothing in it is touched");
    }
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)], "the family lives on");
    assert_eq!(world.control().live_families(), 1);

    // A running session goes on with what it has, and puts it in again.
    elapse(HOUR).await;
    world.session.access_token().await.unwrap();
    world.settled().await;
    until(&shared(&world, folder.path(), &clock), is_signed_in).await;

    // Otherwise a sign-in puts everything in order.
    world.keychain.put_back(std::collections::HashMap::new());
    let session = shared(&world, folder.path(), &clock);
    let start = session.begin_sign_in().await.unwrap();
    session.handle_callback(&visit(&start.url, ADA).await).await;
    assert!(is_signed_in(&session.state().borrow()));
    until(&shared(&world, folder.path(), &clock), is_signed_in).await;
}

#[tokio::test]
async fn signing_out_leaves_nothing_for_the_other_processes() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    other.access_token().await.unwrap();
    world.session.sign_out().await;
    world.settled().await;
    assert!(world.keychain.is_empty());
    assert_eq!(
        until(&shared(&world, folder.path(), &clock), |state| *state != SessionState::Restoring).await,
        SessionState::SignedOut { reason: None }
    );
    elapse(HOUR).await;
    other.access_token().await.unwrap_err();
    assert!(!is_signed_in(&until(&other, |state| !is_signed_in(state)).await));
}

/// Nothing of anybody in the keychain, and of a session nothing at the tenant.
async fn is_gone(world: &World) {
    eventually(|| world.control().live_families() == 0 && world.keychain.is_empty()).await;
}

#[tokio::test]
async fn a_sign_out_waits_for_a_refresh_under_way_elsewhere_and_what_that_brings_is_revoked_and_not_kept() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    elapse(HOUR).await;
    world.control().once(Endpoint::Token, Fault::HoldReply);
    let refreshing = {
        let other = other.clone();
        tokio::spawn(async move { other.access_token().await })
    };
    world.control().until(|| !outcomes(&world).is_empty()).await;
    let writes = world.keychain.writes();
    let session = world.session.clone();
    let leaving = tokio::spawn(async move { session.sign_out().await });
    eventually(|| says_that_it_leaves(&folder.path().join("locks"))).await;
    // Longer than a sign-out takes that does not wait.
    for _ in 0..10 {
        http().get(world.sandbox.issuer().join(".well-known/openid-configuration").unwrap()).send().await.unwrap();
    }
    assert!(!leaving.is_finished() && !world.keychain.is_empty(), "it is waited for");
    world.control().go_on();
    let out = leaving.await.unwrap();
    assert!(out.revoked && out.left_in_keychain.is_none());
    assert_eq!(refreshing.await.unwrap().unwrap_err(), TokenError::SignedOut);
    assert_eq!(until(&other, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    is_gone(&world).await;
    assert_eq!(world.keychain.writes(), writes, "not even for a moment");
    // Each of the two has revoked what it knew.
    world.control().until_requests(Endpoint::Revoke, 2).await;
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
    let next = shared(&world, folder.path(), &clock);
    assert_eq!(until(&next, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
}

#[tokio::test]
async fn a_process_that_hangs_over_a_refresh_holds_no_sign_out_up_and_what_it_stores_later_is_taken_back() {
    let (world, folder, clock) = signed_in().await;
    let patient = Vault::with_backend(world.keychain.clone(), 10 * HOUR);
    let other = shared_with(patient, &world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    elapse(HOUR).await;
    let gate = world.keychain.hold_next_write();
    let refreshing = {
        let other = other.clone();
        tokio::spawn(async move { other.access_token().await })
    };
    let open = gate.entered().await;
    let session = world.session.clone();
    let leaving = tokio::spawn(async move { session.sign_out().await });
    until(&world.session, |state| *state == SessionState::SignedOut { reason: None }).await;
    // It has said that it is one, and waits.
    eventually(|| says_that_it_leaves(&folder.path().join("locks"))).await;
    world.settled().await;
    assert!(!leaving.is_finished() && !world.keychain.is_empty());
    // As long as it waits and no longer: what it asks of keychain and tenant then takes real time.
    for _ in 0..10 {
        elapse(Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    assert!(leaving.await.unwrap().revoked);
    assert!(world.keychain.is_empty());
    open.send(()).unwrap();
    assert_eq!(refreshing.await.unwrap().unwrap_err(), TokenError::SignedOut);
    assert_eq!(until(&other, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    is_gone(&world).await;
    world.control().until_requests(Endpoint::Revoke, 2).await;
    let next = shared(&world, folder.path(), &clock);
    assert_eq!(until(&next, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
}

#[tokio::test]
async fn whoever_was_signed_out_elsewhere_presents_nothing_any_more() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    // The tenant has not heard of it, so it would still take the token.
    world.control().always(Endpoint::Revoke, [Fault::Drop]);
    assert!(world.session.sign_out().await.will_be_revoked);
    elapse(HOUR).await;
    assert_eq!(other.access_token().await.unwrap_err(), TokenError::SignedOut);
    assert_eq!(outcomes(&world), []);
    assert_eq!(until(&other, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    assert!(world.keychain.entries().into_keys().all(|key| key.starts_with("revoke-")));
}

#[tokio::test]
async fn a_sign_out_revokes_the_token_that_another_process_has_got_since() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    elapse(HOUR).await;
    other.access_token().await.unwrap();
    let newest = world.keychain.refresh_token();
    world.control().always(Endpoint::Revoke, [Fault::Drop]);
    assert!(world.session.sign_out().await.will_be_revoked);
    let owed: Vec<_> = world.keychain.entries().into_values().map(|bytes| String::from_utf8(bytes).unwrap()).collect();
    assert!(owed.len() == 1 && owed[0].contains(&newest), "what is owed is the newest");
}

#[tokio::test]
async fn whoever_signs_in_after_a_sign_out_is_found_by_all() {
    let (world, folder, clock) = signed_in().await;
    let other = shared(&world, folder.path(), &clock);
    until(&other, is_signed_in).await;
    world.session.sign_out().await;
    let start = world.begin().await;
    world.session.handle_callback(&visit(&start.url, ADA).await).await;
    // The other one still has the first session.
    elapse(HOUR).await;
    other.access_token().await.unwrap();
    assert!(is_signed_in(&until(&other, |state| *state != SessionState::Restoring).await));
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)], "of the second session, and nothing of the first");
    world.session.access_token().await.unwrap();
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test]
async fn what_somebody_has_signed_in_to_meanwhile_is_not_taken_out_by_a_sign_out_that_had_to_wait() {
    let (world, folder, _) = signed_in().await;
    world.settled().await;
    let (name, record) = world.keychain.entries().into_iter().find(|(name, _)| name.starts_with("session-")).unwrap();
    let held = callbox_identity::lock::take(folder.path().join("locks"), name.clone()).await;
    let session = world.session.clone();
    let leaving = tokio::spawn(async move { session.sign_out().await });
    eventually(|| folder.path().join("locks").join(format!("{name}.left")).exists()).await;
    // As another process leaves it that has been signed in to after that.
    let mut later: serde_json::Value = serde_json::from_slice(&record).unwrap();
    later["left"] = 1.into();
    let mut kept = world.keychain.entries();
    kept.insert(name, later.to_string().into_bytes());
    world.keychain.put_back(kept.clone());
    drop(held);
    leaving.await.unwrap();
    world.settled().await;
    assert_eq!(world.keychain.entries(), kept);
}

#[tokio::test]
async fn a_token_that_the_keychain_did_not_take_is_not_given_up_for_the_older_one_it_holds() {
    let world = World::signed_in().await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    let session = shared(&world, folder.path(), &clock);
    session.access_token().await.unwrap();
    world.keychain.refuse(Some(VaultError::Locked));
    elapse(HOUR).await;
    session.access_token().await.unwrap();
    world.keychain.refuse(None);
    elapse(HOUR).await;
    session.access_token().await.unwrap();
    assert_eq!(outcomes(&world), [1, 2, 3].map(|generation| (generation, RefreshOutcome::Rotated)));
}

#[tokio::test]
async fn a_disk_that_takes_no_journal_and_has_no_locks_costs_no_session() {
    // A file where the folder should be; and a folder where the journal should be written.
    for broken in ["locks", "locks/session"] {
        let (world, clock) = (World::signed_in().await, Arc::new(Following::new()));
        let folder = tempfile::tempdir().unwrap();
        if broken == "locks" {
            std::fs::write(folder.path().join("locks"), "").unwrap();
        } else {
            let name = world.keychain.entries().into_keys().next().unwrap();
            std::fs::create_dir_all(folder.path().join("locks").join(format!("{name}.journal.new"))).unwrap();
        }
        let session = shared(&world, folder.path(), &clock);
        session.access_token().await.unwrap();
        for _ in 0..2 {
            elapse(HOUR).await;
            session.access_token().await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        }
        assert_eq!(outcomes(&world), [1, 2, 3].map(|generation| (generation, RefreshOutcome::Rotated)), "{broken}");
        let again = shared(&world, folder.path(), &clock);
        again.access_token().await.unwrap_or_else(|error| panic!("{broken}: {error}"));
        assert!(is_signed_in(&again.state().borrow()), "{broken}");
    }
}
