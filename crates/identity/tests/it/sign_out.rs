//! The way out.

use std::time::Duration;

use callbox_identity::{CallbackOutcome, SessionState, SignOut, TokenError};
use callbox_sandbox::{Endpoint, Fault, Page, RefreshOutcome, Visitor};
use callbox_vault::VaultError;

use crate::world::{ADA, HOUR, World, elapse, param, until, visit};

#[tokio::test]
async fn signing_out_empties_the_vault_revokes_and_names_the_browsers_page() {
    let world = World::signed_in().await;
    let SignOut { revoked, will_be_revoked, left_in_keychain, browser_logout } = world.session.sign_out().await;
    assert!(revoked && !will_be_revoked);
    assert_eq!(left_in_keychain, None);
    let page = browser_logout.unwrap();
    assert_eq!((page.path(), param(page.as_str(), "client_id").as_str()), ("/oidc/logout", world.sandbox.client_id()));
    assert!(world.keychain.is_empty());
    assert_eq!(world.control().live_families(), 0);
    assert_eq!(world.state(), SessionState::SignedOut { reason: None });
    assert_eq!(world.session.access_token().await.unwrap_err(), TokenError::SignedOut);
    assert_eq!(until(&world.restart(), |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    assert_eq!(world.requests(Endpoint::Logout), 0, "the page is for the user to open");
}

#[tokio::test]
async fn signing_out_right_after_a_restart_revokes_too() {
    let world = World::signed_in().await;
    let out = world.restart().sign_out().await;
    assert!(out.revoked);
    assert!(world.keychain.is_empty());
    assert_eq!(world.control().live_families(), 0);
}

#[tokio::test]
async fn signing_out_during_a_refresh_waits_for_it_and_revokes_what_it_brings() {
    let world = World::signed_in().await;
    elapse(HOUR).await;
    world.control().once(Endpoint::Token, Fault::delay(Duration::from_millis(50)));
    let session = world.session.clone();
    let caller = tokio::spawn(async move { session.access_token().await });
    world.control().until_requests(Endpoint::Token, 2).await;
    let out = world.session.sign_out().await;
    assert!(out.revoked);
    assert_eq!(caller.await.unwrap().unwrap_err(), TokenError::SignedOut);
    let outcomes: Vec<_> = world.control().presented().iter().map(|presented| presented.outcome).collect();
    assert_eq!(outcomes, [RefreshOutcome::Rotated], "the refresh came back before its family was ended");
    assert!(world.keychain.is_empty(), "the rotated token was not put back");
    assert_eq!(world.control().live_families(), 0);
}

#[tokio::test]
async fn signing_out_while_a_rotated_token_is_stored_revokes_that_one_and_leaves_nothing() {
    let world = World::signed_in().await;
    elapse(HOUR).await;
    let gate = world.keychain.hold_next_write();
    let session = world.session.clone();
    let caller = tokio::spawn(async move { session.access_token().await });
    let open = gate.entered().await;
    let session = world.session.clone();
    let leaving = tokio::spawn(async move { session.sign_out().await });
    assert_eq!(caller.await.unwrap().unwrap_err(), TokenError::SignedOut);
    assert_eq!(world.requests(Endpoint::Revoke), 0, "not before it is known what the vault has");
    open.send(()).unwrap();
    let out = leaving.await.unwrap();
    assert!(out.revoked && out.left_in_keychain.is_none());
    assert!(world.keychain.is_empty());
    assert_eq!(world.control().live_families(), 0);
}

#[tokio::test]
async fn the_browser_that_signed_in_is_signed_out_by_its_page_without_a_question_and_another_one_is_asked() {
    for restart in [false, true] {
        let world = World::new().await;
        let mut browser = Visitor::new().unwrap();
        let start = world.begin().await;
        let link = browser.sign_in(&start.url, ADA).await.unwrap();
        world.session.handle_callback(&link).await;
        let session = if restart { world.restart() } else { world.session.clone() };
        let page = session.sign_out().await.browser_logout.unwrap();
        assert!(!page.as_str().contains("id_token_hint"), "{page}");
        let shown = async |browser: &mut Visitor| match browser.open(&page).await.unwrap() {
            Page::Shown { html, .. } => html,
            Page::Left(link) => panic!("{link}"),
        };
        // The same person, in a session of another browser.
        let mut other = Visitor::new().unwrap();
        let start = world.begin().await;
        other.sign_in(&start.url, ADA).await.unwrap();
        assert!(shown(&mut other).await.contains("Sign out?"));
        assert!(shown(&mut browser).await.contains("Signed out"));
    }
}

#[tokio::test]
async fn signing_out_during_the_exchange_leaves_nobody_signed_in() {
    let world = World::new().await;
    let start = world.begin().await;
    let link = visit(&start.url, ADA).await;
    world.control().once(Endpoint::Token, Fault::DelayReply { by: Duration::from_millis(50) });
    let session = world.session.clone();
    let exchange = tokio::spawn(async move { session.handle_callback(&link).await });
    world.control().until_requests(Endpoint::Token, 1).await;
    world.session.sign_out().await;
    assert!(matches!(exchange.await.unwrap(), CallbackOutcome::Failed(_)));
    world.control().until_requests(Endpoint::Revoke, 1).await;
    world.control().until(|| world.control().live_families() == 0).await;
    assert!(!world.is_signed_in());
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn signing_out_offline_forgets_here_and_tells_the_tenant_at_the_next_start() {
    for fault in [Fault::Drop, Fault::status(503), Fault::html(), Fault::redirect("https://portal.example/")] {
        let world = World::signed_in().await;
        world.control().always(Endpoint::Revoke, [fault.clone()]);
        let out = world.session.sign_out().await;
        assert_eq!((out.revoked, out.will_be_revoked), (false, true), "{fault:?}");
        assert_eq!(world.state(), SessionState::SignedOut { reason: None });
        assert!(world.keychain.entries().keys().all(|key| key.starts_with("revoke-")), "nobody is signed in by it");
        // Still offline.
        let before = world.requests(Endpoint::Revoke);
        until(&world.restart(), |state| *state == SessionState::SignedOut { reason: None }).await;
        world.control().until_requests(Endpoint::Revoke, before + 1).await;
        assert_eq!(world.control().live_families(), 1);

        world.control().clear(Endpoint::Revoke);
        let _session = world.restart();
        world.control().until(|| world.control().live_families() == 0).await;
    }
}

#[tokio::test]
async fn a_tenant_that_does_not_revoke_is_not_asked_again() {
    let world = World::signed_in().await;
    world.control().always(Endpoint::Revoke, [Fault::json(400, &serde_json::json!({"error": "unsupported_token_type"}))]);
    let out = world.session.sign_out().await;
    assert_eq!((out.revoked, out.will_be_revoked), (false, false));
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn signing_out_on_a_locked_keychain_says_what_is_left_and_removes_it_later() {
    let world = World::signed_in().await;
    world.keychain.refuse(Some(VaultError::Locked));
    let out = world.session.sign_out().await;
    assert_eq!((out.revoked, out.left_in_keychain), (true, Some(VaultError::Locked)));
    assert!(!world.keychain.is_empty());
    world.keychain.refuse(None);
    world.settled().await;
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn no_link_signs_anybody_out() {
    let world = World::signed_in().await;
    for link in ["dev.callbox.desktop://logout", "dev.callbox.desktop://callback?logout=1", "dev.callbox.desktop://signed-out?state=x"] {
        assert!(matches!(world.session.handle_callback(link).await, CallbackOutcome::Ignored(_)), "{link}");
    }
    assert!(world.is_signed_in() && world.requests(Endpoint::Revoke) == 0);
    world.refreshed().await.unwrap();
}

#[tokio::test]
async fn signing_out_signed_out_is_fine() {
    let world = World::new().await;
    let out = world.session.sign_out().await;
    assert_eq!(out, SignOut { revoked: false, will_be_revoked: false, left_in_keychain: None, browser_logout: None });
}
