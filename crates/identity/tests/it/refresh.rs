//! One refresh at a time, and nothing of it is lost.

use std::{pin::pin, time::Duration};

use callbox_identity::{SessionState, SignedOutReason, Storage, TokenError};
use callbox_sandbox::{Endpoint, Fault, RefreshOutcome, SandboxConfig};
use callbox_vault::VaultError;
use serde_json::{Value, json};

use crate::world::{HOUR, World, elapse, is_ready, until};

pub(crate) fn outcomes(world: &World) -> Vec<(u64, RefreshOutcome)> {
    world.control().presented().iter().map(|presented| (presented.generation, presented.outcome)).collect()
}

#[tokio::test]
async fn two_hundred_callers_at_expiry_make_one_token_request() {
    let world = World::signed_in().await;
    let before = world.session.access_token().await.unwrap();
    elapse(HOUR).await;
    let callers: Vec<_> = (0..200)
        .map(|_| {
            let session = world.session.clone();
            tokio::spawn(async move { session.access_token().await.unwrap().fingerprint() })
        })
        .collect();
    let mut prints = Vec::new();
    for caller in callers {
        prints.push(caller.await.unwrap());
    }
    prints.dedup();
    assert_eq!(prints.len(), 1);
    assert_ne!(prints[0], before.fingerprint());
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
    assert_eq!(world.requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_token_is_handed_out_while_it_is_good_for_a_minute_and_not_longer() {
    let world = World::signed_in().await;
    let first = world.session.access_token().await.unwrap();
    elapse(HOUR - Duration::from_secs(70)).await;
    assert_eq!(world.session.access_token().await.unwrap().fingerprint(), first.fingerprint());
    elapse(Duration::from_secs(10)).await;
    assert_ne!(world.session.access_token().await.unwrap().fingerprint(), first.fingerprint());
}

#[tokio::test]
async fn fifty_callers_with_the_same_rejected_token_make_one_token_request() {
    let world = World::signed_in().await;
    let rejected = world.session.access_token().await.unwrap();
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let (session, rejected) = (world.session.clone(), rejected.clone());
            tokio::spawn(async move { session.access_token_after_rejection(&rejected).await.unwrap().fingerprint() })
        })
        .collect();
    for caller in callers {
        assert_ne!(caller.await.unwrap(), rejected.fingerprint());
    }
    let late = world.session.access_token_after_rejection(&rejected).await.unwrap();
    assert_eq!(late.fingerprint(), world.session.access_token().await.unwrap().fingerprint());
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
}

#[tokio::test]
async fn a_token_that_an_agent_has_refused_is_given_to_nobody_while_there_is_no_other() {
    let world = World::signed_in().await;
    let refused = world.session.access_token().await.unwrap();
    world.control().always(Endpoint::Token, [Fault::status(500)]);
    assert_eq!(world.session.access_token_after_rejection(&refused).await.unwrap_err().code(), "tenant-unwell");
    assert_eq!(world.session.access_token().await.unwrap_err().code(), "tenant-unwell");
    world.control().clear(Endpoint::Token);
    elapse(Duration::from_secs(60)).await;
    assert_ne!(world.session.access_token().await.unwrap().fingerprint(), refused.fingerprint());
}

#[tokio::test]
async fn a_lost_reply_with_overlap_is_answered_by_the_same_token_at_once() {
    for fault in [Fault::DropReply, Fault::response("access_token", Value::Null)] {
        let world = World::signed_in_with(SandboxConfig { refresh_overlap: Duration::from_secs(30), ..SandboxConfig::default() }).await;
        world.control().once(Endpoint::Token, fault.clone());
        let first = world.refreshed().await;
        if fault == Fault::DropReply {
            first.unwrap();
            assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated), (1, RefreshOutcome::Overlapped)]);
        } else {
            // The answer came, and with it the rotated token; the rest was not usable.
            assert!(matches!(first, Err(TokenError::Malformed(_))));
            world.session.access_token().await.unwrap();
            assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated), (2, RefreshOutcome::Rotated)]);
        }
        assert!(world.is_signed_in());
        // What is kept is good.
        world.refreshed().await.unwrap();
    }
}

#[tokio::test]
async fn a_lost_reply_without_overlap_ends_the_session_softly_and_presents_nothing_older() {
    let world = World::signed_in().await;
    world.refreshed().await.unwrap();
    world.control().once(Endpoint::Token, Fault::DropReply);
    assert_eq!(world.refreshed().await.unwrap_err(), TokenError::SignedOut);
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated), (2, RefreshOutcome::Rotated), (2, RefreshOutcome::Reused)]);
    let state = until(&world.session, |state| matches!(state, SessionState::SignedOut { .. })).await;
    assert!(matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Ended { account }) } if account.sub == "sandbox|ada"));
}

#[tokio::test]
async fn a_request_that_never_arrived_is_repeated_without_harm() {
    let world = World::signed_in().await;
    world.control().once(Endpoint::Token, Fault::Drop);
    world.refreshed().await.unwrap();
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
}

#[tokio::test]
async fn the_same_token_is_presented_twice_at_most() {
    let world = World::signed_in().await;
    world.control().always(Endpoint::Token, [Fault::Drop]);
    let before = world.requests(Endpoint::Token);
    assert_eq!(world.refreshed().await.unwrap_err().code(), "tenant-reply-lost");
    assert_eq!(world.requests(Endpoint::Token) - before, 2);
    assert!(world.is_signed_in());
    world.control().clear(Endpoint::Token);
    world.session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_rotated_token_is_in_the_vault_before_its_access_token_is_handed_out() {
    let world = World::signed_in().await;
    let old = world.keychain.refresh_token();
    let gate = world.keychain.hold_next_write();
    elapse(HOUR).await;
    let session = world.session.clone();
    let mut caller = pin!(session.access_token());
    assert!(!is_ready(&mut caller.as_mut()));
    let open = gate.entered().await;
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
    assert!(!is_ready(&mut caller.as_mut()), "not before the write is done");
    assert_eq!(world.keychain.refresh_token(), old);
    open.send(()).unwrap();
    caller.await.unwrap();
    assert_ne!(world.keychain.refresh_token(), old);
}

#[tokio::test]
async fn a_rotated_token_is_kept_whatever_is_wrong_with_the_rest_of_the_answer() {
    for fault in [
        Fault::response("access_token", Value::Null),
        Fault::response("access_token", json!("a b")),
        Fault::response("token_type", json!("DPoP")),
        Fault::response("id_token", json!("nonsense")),
        Fault::wrong_issuer(),
        Fault::wrong_audience(),
    ] {
        let world = World::signed_in().await;
        let old = world.keychain.refresh_token();
        world.control().once(Endpoint::Token, fault.clone());
        assert!(matches!(world.refreshed().await, Err(TokenError::Malformed(_))), "{fault:?}");
        assert!(world.is_signed_in());
        assert_ne!(world.keychain.refresh_token(), old, "{fault:?}");
        world.session.access_token().await.unwrap();
        assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated), (2, RefreshOutcome::Rotated)]);
    }
}

#[tokio::test]
async fn a_caller_that_goes_away_loses_no_rotated_token() {
    let world = World::signed_in().await;
    let old = world.keychain.refresh_token();
    elapse(HOUR).await;
    world.control().once(Endpoint::Token, Fault::DelayReply { by: Duration::from_millis(50) });
    let session = world.session.clone();
    let caller = tokio::spawn(async move { session.access_token().await });
    world.control().until_requests(Endpoint::Token, 2).await;
    caller.abort();
    world.session.access_token().await.unwrap();
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
    assert_ne!(world.keychain.refresh_token(), old);
}

#[tokio::test]
async fn the_last_handle_may_go_away_during_a_refresh_and_the_token_is_kept() {
    let world = World::signed_in().await;
    let old = world.keychain.refresh_token();
    elapse(HOUR).await;
    let gate = world.keychain.hold_next_write();
    let World { sandbox, keychain, vault, session } = world;
    sandbox.control().once(Endpoint::Token, Fault::DelayReply { by: Duration::from_millis(50) });
    let caller = tokio::spawn(async move { session.access_token().await });
    sandbox.control().until_requests(Endpoint::Token, 2).await;
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    let open = gate.entered().await;
    open.send(()).unwrap();
    vault.probe().await;
    let again = callbox_identity::Session::spawn(crate::world::config_for(&sandbox, keychain.vault()));
    again.access_token().await.unwrap();
    assert_ne!(keychain.refresh_token(), old);
    assert_eq!(sandbox.control().live_families(), 1);
}

#[tokio::test]
async fn any_expires_in_gives_a_token() {
    for value in [json!("3600"), json!(0), json!(-1), json!(1e12), json!("soon"), Value::Null] {
        let world = World::signed_in().await;
        world.control().once(Endpoint::Token, Fault::response("expires_in", value.clone()));
        world.refreshed().await.unwrap_or_else(|error| panic!("{value}: {error}"));
        world.session.access_token().await.unwrap();
        assert!(world.is_signed_in());
    }
}

#[tokio::test]
async fn a_tenant_that_does_not_rotate_is_served_with_the_same_token() {
    let world = World::signed_in().await;
    world.control().set(|settings| settings.rotation = false);
    let token = world.keychain.refresh_token();
    for _ in 0..2 {
        world.refreshed().await.unwrap();
    }
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Kept), (1, RefreshOutcome::Kept)]);
    assert_eq!(world.keychain.refresh_token(), token);
}

#[tokio::test]
async fn a_new_name_of_the_account_is_shown_and_kept() {
    let world = World::signed_in().await;
    world.control().set(|settings| settings.rotation = false);
    world.control().once(Endpoint::Token, Fault::id_token("name", json!("Ada King")));
    world.refreshed().await.unwrap();
    let named = |state: &SessionState| matches!(state, SessionState::SignedIn { account, .. } if account.name == "Ada King");
    until(&world.session, named).await;
    world.settled().await;
    until(&world.restart(), named).await;
}

#[tokio::test]
async fn another_subject_in_the_answer_ends_the_session_and_leaves_nothing() {
    let world = World::signed_in().await;
    world.control().once(Endpoint::Token, Fault::id_token("sub", json!("sandbox|grace")));
    assert_eq!(world.refreshed().await.unwrap_err(), TokenError::SignedOut);
    let state = until(&world.session, |state| matches!(state, SessionState::SignedOut { .. })).await;
    assert!(
        matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::AccountChanged { account }) } if account.sub == "sandbox|ada")
    );
    world.control().until(|| world.control().live_families() == 0).await;
}

#[tokio::test]
async fn a_keychain_that_refuses_the_rotated_token_costs_nothing_but_a_warning() {
    let world = World::signed_in().await;
    let old = world.keychain.refresh_token();
    world.keychain.refuse(Some(VaultError::Locked));
    world.refreshed().await.unwrap();
    let stored =
        |wanted: Storage| move |state: &SessionState| matches!(state, SessionState::SignedIn { storage, .. } if *storage == wanted);
    until(&world.session, stored(Storage::SessionOnly(VaultError::Locked))).await;
    world.refreshed().await.unwrap();
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated), (2, RefreshOutcome::Rotated)]);
    assert_eq!(world.keychain.refresh_token(), old);

    world.keychain.refuse(None);
    world.refreshed().await.unwrap();
    until(&world.session, stored(Storage::Keychain)).await;
    assert_ne!(world.keychain.refresh_token(), old);
}
