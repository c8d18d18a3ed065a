//! Restarts, and keychains that are empty, locked, gone or full of something else.

use callbox_identity::{CallbackOutcome, Session, SessionState, SignedOutReason, Storage};
use callbox_sandbox::{Endpoint, Fault};
use callbox_vault::{Vault, VaultError};

use crate::world::{ADA, World, config_for, until, visit};

#[tokio::test]
async fn a_restart_restores_the_account_without_browser_or_network() {
    let world = World::signed_in().await;
    let asked = || [Endpoint::Discovery, Endpoint::Token, Endpoint::Jwks, Endpoint::Authorize].map(|endpoint| world.requests(endpoint));
    let before = asked();
    let again = world.restart();
    let state = until(&again, |state| *state != SessionState::Restoring).await;
    assert_eq!(state, world.state());
    assert!(matches!(state, SessionState::SignedIn { storage: Storage::Keychain, .. }));
    assert_eq!(asked(), before);
    again.access_token().await.unwrap();
    assert_eq!(world.requests(Endpoint::Authorize), before[3]);
}

#[tokio::test]
async fn a_token_that_is_wanted_before_the_vault_has_answered_waits_for_it() {
    let world = World::signed_in().await;
    world.restart().access_token().await.unwrap();
}

#[tokio::test]
async fn sessions_of_other_clients_and_audiences_are_other_sessions() {
    let world = World::signed_in().await;
    let mut config = config_for(&world.sandbox, world.keychain.vault());
    config.profile.audience = Some("https://other.example".to_owned());
    let other = Session::spawn(config);
    assert_eq!(until(&other, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
}

#[tokio::test]
async fn a_keychain_that_refuses_at_start_is_not_an_empty_one_and_the_session_comes_back_when_it_works() {
    for refusal in [VaultError::Locked, VaultError::Denied, VaultError::Unavailable] {
        let world = World::signed_in().await;
        world.keychain.refuse(Some(refusal.clone()));
        let vault = world.keychain.vault();
        let session = Session::spawn(config_for(&world.sandbox, vault.clone()));
        let state = until(&session, |state| *state != SessionState::Restoring).await;
        assert_eq!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Keychain(refusal)) });
        world.keychain.refuse(None);
        vault.probe().await;
        until(&session, |state| matches!(state, SessionState::SignedIn { .. })).await;
        session.access_token().await.unwrap();
    }
}

#[tokio::test]
async fn a_sign_in_on_a_locked_keychain_lives_in_memory_and_moves_in_when_it_is_unlocked() {
    let world = World::new().await;
    world.keychain.refuse(Some(VaultError::Locked));
    let vault = world.keychain.vault();
    let session = Session::spawn(config_for(&world.sandbox, vault.clone()));
    let start = session.begin_sign_in().await.unwrap();
    assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    let SessionState::SignedIn { storage, .. } = session.state().borrow().clone() else { panic!("not signed in") };
    assert_eq!(storage, Storage::SessionOnly(VaultError::Locked));
    assert!(world.keychain.is_empty());

    world.keychain.refuse(None);
    vault.probe().await;
    until(&session, |state| matches!(state, SessionState::SignedIn { storage: Storage::Keychain, .. })).await;
    until(&world.restart(), |state| matches!(state, SessionState::SignedIn { .. })).await;
}

#[tokio::test]
async fn without_a_keychain_the_session_says_that_it_ends_with_the_app() {
    let world = World::new().await;
    let session = Session::spawn(config_for(&world.sandbox, Vault::memory()));
    assert_eq!(until(&session, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    let start = session.begin_sign_in().await.unwrap();
    assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    let SessionState::SignedIn { storage, .. } = session.state().borrow().clone() else { panic!("not signed in") };
    assert_eq!(storage, Storage::SessionOnly(VaultError::NotUsed));
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn what_cannot_be_read_is_not_destroyed() {
    let world = World::signed_in().await;
    world.keychain.overwrite(b"{\"v\":99}");
    let session = world.restart();
    let state = until(&session, |state| *state != SessionState::Restoring).await;
    assert_eq!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Unreadable) });
    assert!(!world.keychain.is_empty());
}

#[tokio::test]
async fn a_sign_in_that_fails_meanwhile_does_not_keep_a_session_in_the_keychain_from_coming_back() {
    let world = World::signed_in().await;
    world.keychain.refuse(Some(VaultError::Locked));
    let vault = world.keychain.vault();
    let session = Session::spawn(config_for(&world.sandbox, vault.clone()));
    until(&session, |state| *state != SessionState::Restoring).await;
    world.control().once(Endpoint::Discovery, Fault::status(503));
    let error = session.begin_sign_in().await.unwrap_err();
    let reason = Some(SignedOutReason::SignInFailed(error));
    until(&session, |state| *state == SessionState::SignedOut { reason: reason.clone() }).await;
    world.keychain.refuse(None);
    vault.probe().await;
    until(&session, |state| matches!(state, SessionState::SignedIn { .. })).await;
}
