//! The error table: what ends a session, and what does not.

use std::time::Duration;

use callbox_identity::{CallbackOutcome, Retry, Session, SessionState, SignedOutReason, Storage, TokenError};
use callbox_sandbox::{Endpoint, Fault, SandboxConfig};
use callbox_vault::VaultError;
use serde_json::json;

use crate::{
    dpop,
    world::{World, config_for, elapse, until},
};

fn error(status: u16, error: &str) -> Fault {
    Fault::json(status, &json!({"error": error, "error_description": "because"}))
}

fn body(status: u16, body: &str) -> Fault {
    Fault::Respond { status, headers: Vec::new(), body: body.to_owned() }
}

/// Everything but `invalid_grant`, with the code and retry class that comes of it.
fn table() -> Vec<(Fault, &'static str, Retry)> {
    let later = |seconds: u64| Retry::Later(Some(Duration::from_secs(seconds)));
    let some_time = Retry::Later(None);
    vec![
        (Fault::rate_limited(None), "tenant-rate-limited", some_time),
        (Fault::rate_limited(Some("7")), "tenant-rate-limited", later(7)),
        (Fault::rate_limited(Some("999999999")), "tenant-rate-limited", later(600)),
        (error(429, "invalid_grant"), "tenant-rate-limited", some_time),
        (Fault::status(408), "tenant-unwell", some_time),
        (Fault::status(425), "tenant-unwell", some_time),
        (Fault::status(500), "tenant-unwell", some_time),
        (error(500, "invalid_grant"), "tenant-unwell", some_time),
        (body(502, "<html>Bad gateway</html>"), "tenant-unwell", some_time),
        (Fault::status(503), "tenant-unwell", some_time),
        (Fault::status(504), "tenant-unwell", some_time),
        (error(400, "temporarily_unavailable"), "tenant-unwell", some_time),
        (error(400, "server_error"), "tenant-unwell", some_time),
        (Fault::html(), "tenant-intercepted", some_time),
        (body(200, ""), "tenant-intercepted", some_time),
        (body(403, "<html>Blocked</html>"), "tenant-intercepted", some_time),
        (body(401, "Unauthorized"), "tenant-intercepted", some_time),
        (Fault::redirect("https://portal.example/"), "tenant-intercepted", some_time),
        (body(200, "{\"access_token\": \"ey"), "tenant-reply-lost", some_time),
        (Fault::Drop, "tenant-reply-lost", some_time),
        (error(403, "mfa_required"), "token-interaction", Retry::SignIn),
        (error(400, "interaction_required"), "token-interaction", Retry::SignIn),
        (error(400, "login_required"), "token-interaction", Retry::SignIn),
        (error(400, "consent_required"), "token-interaction", Retry::SignIn),
        (error(403, "unmet_authentication_requirements"), "token-interaction", Retry::SignIn),
        (error(400, "invalid_target"), "token-configuration", Retry::Never),
        (error(400, "invalid_request"), "token-configuration", Retry::Never),
        (error(401, "invalid_client"), "token-configuration", Retry::Never),
        (error(403, "unauthorized_client"), "token-configuration", Retry::Never),
        (error(400, "unsupported_grant_type"), "token-configuration", Retry::Never),
        (error(400, "invalid_scope"), "token-configuration", Retry::Never),
        (error(403, "access_denied"), "token-configuration", Retry::Never),
        (body(200, "{}"), "token-malformed", Retry::Never),
    ]
}

/// How a session comes to ask for a token.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// The one it has is too old.
    Refresh,
    /// The app has been started.
    Start,
    /// An agent has refused the one it has.
    Reconnect,
}

const OVERLAPS: [Duration; 2] = [Duration::ZERO, Duration::from_secs(30)];

/// A session lives through a whole table, each row by each way to it.
async fn outlives(mut world: World, table: Vec<(Fault, &str, Retry)>, what: &str) {
    for (fault, code, retry) in table {
        for way in [Way::Refresh, Way::Start, Way::Reconnect] {
            let row = format!("{way:?} {what}: {fault:?}");
            let token = world.session.access_token().await.unwrap_or_else(|error| panic!("{row}: {error}"));
            world.control().always(Endpoint::Token, [fault.clone()]);
            let answer = match way {
                Way::Refresh => world.refreshed().await,
                Way::Start => {
                    world.session = world.restart();
                    world.session.access_token().await
                }
                Way::Reconnect => world.session.access_token_after_rejection(&token).await,
            };
            let error = answer.unwrap_err();
            assert_eq!((error.code(), error.retry()), (code, retry), "{row}");
            assert!(world.is_signed_in(), "{row}");
            world.control().clear(Endpoint::Token);
            elapse(Duration::from_secs(600)).await;
        }
    }
    world.session.access_token().await.unwrap();
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test]
async fn nothing_but_invalid_grant_signs_out() {
    for overlap in OVERLAPS {
        let world = World::signed_in_with(SandboxConfig { refresh_overlap: overlap, ..SandboxConfig::default() }).await;
        outlives(world, table(), &format!("with an overlap of {overlap:?}")).await;
    }
}

#[tokio::test]
async fn nothing_but_invalid_grant_ends_a_bound_session() {
    for overlap in OVERLAPS {
        let world = dpop::signed_in_with(SandboxConfig { refresh_overlap: overlap, ..SandboxConfig::default() }).await;
        let proofs = [
            (Fault::AskForNonce, "tenant-nonce-loop", Retry::Later(None)),
            (Fault::RefuseProof, "token-proof-refused", Retry::SignIn),
            (Fault::response("token_type", json!("Bearer")), "token-unbound", Retry::SignIn),
            (Fault::response("token_type", json!("mac")), "token-malformed", Retry::Never),
        ];
        outlives(world, table().into_iter().chain(proofs).collect(), &format!("bound, with an overlap of {overlap:?}")).await;
    }
}

#[tokio::test]
async fn a_sign_out_is_one_whatever_the_tenant_answers() {
    let world = World::new().await;
    for (fault, ..) in table() {
        assert_eq!(world.sign_in().await, CallbackOutcome::Completed, "{fault:?}");
        world.control().always(Endpoint::Revoke, [fault.clone()]);
        let out = world.session.sign_out().await;
        assert_eq!((world.state(), out.left_in_keychain), (SessionState::SignedOut { reason: None }, None), "{fault:?}");
        assert_eq!(world.session.access_token().await.unwrap_err(), TokenError::SignedOut);
        assert!(world.keychain.entries().keys().all(|key| key.starts_with("revoke-")), "{fault:?}");
        assert!(!(out.revoked && out.will_be_revoked), "{fault:?}");
        world.control().clear(Endpoint::Revoke);
    }
}

#[tokio::test]
async fn a_keychain_in_any_state_signs_nobody_out() {
    let late = VaultError::TimedOut(Duration::from_secs(5));
    let failed = VaultError::Backend("it is on fire".to_owned());
    for refusal in [VaultError::Locked, VaultError::Denied, VaultError::Unavailable, VaultError::Changed, late, failed] {
        let world = World::signed_in().await;
        world.keychain.refuse(Some(refusal.clone()));
        // At the start, nobody is forgotten: it is told, and put right by itself.
        let (vault, reason) = (world.keychain.vault(), Some(SignedOutReason::Keychain(refusal.clone())));
        let started = Session::spawn(config_for(&world.sandbox, vault.clone()));
        assert_eq!(until(&started, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason });
        // A refresh and a reconnect go on in memory.
        let token = world.refreshed().await.unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
        let only_here =
            |state: &SessionState| matches!(state, SessionState::SignedIn { storage: Storage::SessionOnly(why), .. } if *why == refusal);
        until(&world.session, only_here).await;
        world.session.access_token_after_rejection(&token).await.unwrap_or_else(|error| panic!("{refusal:?}: {error}"));
        assert!(world.is_signed_in(), "{refusal:?}");
        assert_eq!(world.control().live_families(), 1, "{refusal:?}");
        // When it works again, the newest is in it, and a sign-out says what it left while it does not.
        world.keychain.refuse(None);
        world.settled().await;
        until(&world.session, |state| matches!(state, SessionState::SignedIn { storage: Storage::Keychain, .. })).await;
        world.keychain.refuse(Some(refusal.clone()));
        let out = world.session.sign_out().await;
        assert_eq!((out.revoked, out.left_in_keychain), (true, Some(refusal.clone())));
        assert_eq!(world.state(), SessionState::SignedOut { reason: None });
        world.keychain.refuse(None);
        world.settled().await;
        assert!(world.keychain.is_empty(), "{refusal:?}");
    }
}

#[tokio::test]
async fn timeouts_never_sign_out() {
    let world = World::signed_in().await;
    elapse(crate::world::HOUR).await;
    world.control().always(Endpoint::Token, [Fault::delay(Duration::from_secs(36_000))]);
    let before = world.requests(Endpoint::Token);
    let session = world.session.clone();
    let caller = tokio::spawn(async move { session.access_token().await });
    for n in 1..=2 {
        world.control().until_requests(Endpoint::Token, before + n).await;
        elapse(Duration::from_secs(15)).await;
    }
    assert_eq!(caller.await.unwrap().unwrap_err().code(), "tenant-timed-out");
    assert!(world.is_signed_in());
    world.control().clear(Endpoint::Token);
    world.session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_is_gone_or_describes_itself_badly_never_signs_out() {
    let world = World::signed_in().await;
    for (fault, code) in [
        (Fault::status(503), "tenant-unwell"),
        (Fault::status(404), "discovery-not-found"),
        (Fault::html(), "tenant-intercepted"),
        (Fault::json(200, &json!({"issuer": "https://evil.example/"})), "discovery-wrong-issuer"),
    ] {
        let session = world.restart();
        world.control().always(Endpoint::Discovery, [fault.clone()]);
        assert_eq!(session.access_token().await.unwrap_err().code(), code, "{fault:?}");
        world.control().clear(Endpoint::Discovery);
        assert!(matches!(*session.state().borrow(), SessionState::SignedIn { .. }), "{fault:?}");
    }
    let config = config_for(&world.sandbox, world.keychain.vault());
    let World { sandbox, session, .. } = world;
    sandbox.shutdown().await;
    elapse(crate::world::HOUR).await;
    assert_eq!(session.access_token().await.unwrap_err().code(), "tenant-unreachable");
    assert!(matches!(*session.state().borrow(), SessionState::SignedIn { .. }));

    // The same after a restart without a network: the account is shown all the same.
    let offline = Session::spawn(config);
    assert_eq!(offline.access_token().await.unwrap_err().code(), "tenant-unreachable");
    assert!(matches!(&*offline.state().borrow(), SessionState::SignedIn { account, .. } if account.name == "Ada Lovelace"));
}

#[tokio::test]
async fn a_tenant_that_asks_for_a_pause_is_not_asked_during_it() {
    let world = World::signed_in().await;
    world.control().once(Endpoint::Token, Fault::rate_limited(Some("30")));
    world.refreshed().await.unwrap_err();
    let before = world.requests(Endpoint::Token);
    for _ in 0..20 {
        let error = world.session.access_token().await.unwrap_err();
        assert!(matches!(error.retry(), Retry::Later(Some(left)) if left <= Duration::from_secs(30)));
    }
    assert_eq!(world.requests(Endpoint::Token), before);
    elapse(Duration::from_secs(30)).await;
    world.session.access_token().await.unwrap();
}

#[tokio::test]
async fn invalid_grant_signs_out_softly() {
    let world = World::signed_in().await;
    world.control().revoke_everything();
    world.session.access_token().await.expect("the access token is good until it expires");
    assert_eq!(world.refreshed().await.unwrap_err(), TokenError::SignedOut);
    let state = until(&world.session, |state| matches!(state, SessionState::SignedOut { .. })).await;
    let SessionState::SignedOut { reason: Some(SignedOutReason::Ended { account }) } = state else { panic!("{state:?}") };
    assert_eq!(account.email.as_deref(), Some("ada@example.com"), "to be welcomed back by name");
    let requests = world.requests(Endpoint::Token);
    assert_eq!(world.session.access_token().await.unwrap_err(), TokenError::SignedOut);
    assert_eq!(world.requests(Endpoint::Token), requests, "a dead token is not presented again");
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
}

#[tokio::test]
async fn a_dead_token_is_removed_from_the_keychain() {
    let world = World::signed_in().await;
    world.control().revoke_everything();
    world.refreshed().await.unwrap_err();
    world.settled().await;
    assert!(world.keychain.is_empty());
    assert_eq!(until(&world.restart(), |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
}

#[tokio::test]
async fn a_newer_token_in_the_vault_is_adopted_before_anybody_is_signed_out() {
    let world = World::signed_in().await;
    let other = world.restart();
    // This process rotates; the other one still holds the first token.
    until(&other, |state| matches!(state, SessionState::SignedIn { .. })).await;
    world.refreshed().await.unwrap();
    world.control().once(Endpoint::Token, error(403, "invalid_grant"));
    other.access_token().await.unwrap();
    assert!(matches!(*other.state().borrow(), SessionState::SignedIn { .. }));
    let generations: Vec<_> = world.control().presented().iter().map(|presented| presented.generation).collect();
    assert_eq!(generations, [1, 2], "the second process went on where the first one was");
}
