//! Sessions on one keychain and one folder of locks, as several processes of one user have them.

use std::{path::Path, sync::Arc};

use callbox_identity::{Config, Session, SessionState, SignedOutReason, Storage};
use callbox_sandbox::{RefreshOutcome, SandboxConfig};
use callbox_vault::{Vault, VaultError};
use tempfile::TempDir;

use crate::{
    refresh::outcomes,
    world::{ADA, Following, HOUR, World, config_for, elapse, until, visit},
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
