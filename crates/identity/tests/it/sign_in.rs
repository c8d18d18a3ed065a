//! The way in.

use std::sync::Arc;

use callbox_identity::{
    CallbackOutcome, Config, IdTokenError, Ignored, Issuer, Session, SessionState, SignInError, SignInStage, SignedOutReason, Storage,
};
use callbox_sandbox::{Endpoint, Fault, Sandbox, SandboxConfig, Signature};
use callbox_vault::Vault;
use serde_json::{Value, json};

use crate::world::{ADA, GRACE, Keychain, Skewed, World, config_for, elapse, profile, until, visit};

#[tokio::test]
async fn a_person_signs_in_and_every_stage_is_seen() {
    let world = World::new().await;
    assert_eq!(until(&world.session, |state| *state != SessionState::Restoring).await, SessionState::SignedOut { reason: None });
    let start = world.begin().await;
    let waiting = SessionState::SigningIn { attempt: start.attempt, stage: SignInStage::WaitingForBrowser };
    assert_eq!(until(&world.session, |state| matches!(state, SessionState::SigningIn { .. })).await, waiting);
    let link = visit(&start.url, ADA).await;

    let session = world.session.clone();
    let exchange = tokio::spawn(async move { session.handle_callback(&link).await });
    let exchanging = SessionState::SigningIn { attempt: start.attempt, stage: SignInStage::Exchanging };
    until(&world.session, |state| *state == exchanging).await;
    assert_eq!(exchange.await.unwrap(), CallbackOutcome::Completed);

    let SessionState::SignedIn { account, storage } = world.state() else { panic!("{:?}", world.state()) };
    assert_eq!((account.iss, account.sub.as_str()), (world.sandbox.issuer().to_string(), "sandbox|ada"));
    assert_eq!((account.name.as_str(), account.email.as_deref()), ("Ada Lovelace", Some(ADA)));
    assert_eq!(storage, Storage::Keychain);
    assert!(!world.keychain.refresh_token().is_empty());
    world.session.access_token().await.unwrap();
    assert_eq!(world.requests(Endpoint::Token), 1, "the first access token came with the sign-in");
}

#[tokio::test]
async fn a_caller_that_goes_away_during_the_exchange_is_signed_in_all_the_same() {
    let world = World::new().await;
    let start = world.begin().await;
    let link = visit(&start.url, ADA).await;
    world.control().once(Endpoint::Token, Fault::DelayReply { by: std::time::Duration::from_millis(50) });
    let session = world.session.clone();
    let caller = tokio::spawn(async move { session.handle_callback(&link).await });
    world.control().until_requests(Endpoint::Token, 1).await;
    caller.abort();
    until(&world.session, |state| matches!(state, SessionState::SignedIn { .. })).await;
}

#[tokio::test]
async fn several_attempts_wait_at_once_and_the_first_to_come_back_wins() {
    let world = World::new().await;
    let (first, second) = (world.begin().await, world.begin().await);
    assert_ne!(first.attempt, second.attempt);
    let late = visit(&second.url, GRACE).await;
    assert_eq!(world.session.handle_callback(&visit(&first.url, ADA).await).await, CallbackOutcome::Completed);
    assert_eq!(world.session.handle_callback(&late).await, CallbackOutcome::Ignored(Ignored::Over));
    assert!(matches!(world.state(), SessionState::SignedIn { account, .. } if account.sub == "sandbox|ada"));
}

#[tokio::test]
async fn cancelling_ends_the_attempt_and_the_link_comes_too_late() {
    let world = World::new().await;
    let start = world.begin().await;
    world.session.cancel_sign_in().await;
    until(&world.session, |state| *state == SessionState::SignedOut { reason: None }).await;
    let late = world.session.handle_callback(&visit(&start.url, ADA).await).await;
    assert_eq!(late, CallbackOutcome::Ignored(Ignored::Over));
    assert_eq!(world.requests(Endpoint::Token), 0);
}

#[tokio::test]
async fn cancelling_while_the_tenant_is_asked_ends_the_wait() {
    let world = World::new().await;
    world.control().once(Endpoint::Discovery, Fault::delay(std::time::Duration::from_secs(3600)));
    let session = world.session.clone();
    let begin = tokio::spawn(async move { session.begin_sign_in().await });
    until(&world.session, |state| matches!(state, SessionState::SigningIn { stage: SignInStage::Preparing, .. })).await;
    world.session.cancel_sign_in().await;
    assert_eq!(begin.await.unwrap().unwrap_err(), SignInError::Cancelled);
}

#[tokio::test]
async fn an_attempt_is_over_after_ten_minutes() {
    let world = World::new().await;
    let start = world.begin().await;
    let link = visit(&start.url, ADA).await;
    elapse(std::time::Duration::from_secs(600)).await;
    let reason = Some(SignedOutReason::SignInFailed(SignInError::Expired));
    until(&world.session, |state| *state == SessionState::SignedOut { reason: reason.clone() }).await;
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::Over));
    assert_eq!(world.requests(Endpoint::Token), 0);
}

#[tokio::test]
async fn an_id_token_that_is_not_right_gives_no_session_and_leaves_none_at_the_tenant() {
    use IdTokenError as E;
    let signed = |by| Fault::IdTokenSignature { by };
    for (fault, error) in [
        (Fault::wrong_nonce(), E::Nonce),
        (Fault::id_token("nonce", Value::Null), E::Nonce),
        (Fault::wrong_audience(), E::Audience),
        (Fault::id_token("aud", json!(["callbox-sandbox", "other"])), E::Audience),
        (Fault::wrong_issuer(), E::Issuer),
        (Fault::unknown_kid(), E::UnknownKey),
        (signed(Signature::ForgedKey), E::Signature),
        (signed(Signature::None), E::Algorithm),
        (signed(Signature::PublicKeyAsSecret), E::Algorithm),
        (Fault::IdTokenHeader { fields: serde_json::Map::from_iter([("kid".to_owned(), Value::Null)]) }, E::UnknownKey),
        (Fault::id_token("exp", json!(1)), E::Expired),
        (Fault::id_token("iat", json!(4_000_000_000_u64)), E::NotYet),
        (Fault::id_token("iat", Value::Null), E::Malformed),
        (Fault::id_token("sub", json!("")), E::Subject),
        (Fault::id_token("at_hash", json!("77QmUPtjPfzWtF2AnpK9RQ")), E::AccessToken),
        (Fault::response("id_token", Value::Null), E::Missing),
        (Fault::response("id_token", json!("a.b.c")), E::Malformed),
    ] {
        let world = World::new().await;
        world.control().once(Endpoint::Token, fault.clone());
        assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::IdToken(error)), "{fault:?}");
        assert_eq!(world.state(), SessionState::SignedOut { reason: Some(SignedOutReason::SignInFailed(SignInError::IdToken(error))) });
        assert!(world.keychain.is_empty());
        assert_eq!(world.control().live_families(), 0, "{fault:?}");
        assert_eq!(world.sign_in().await, CallbackOutcome::Completed, "the next one is not harmed");
    }
}

#[tokio::test]
async fn a_token_response_that_is_none_gives_no_session() {
    for fault in [Fault::response("access_token", Value::Null), Fault::response("token_type", json!("DPoP"))] {
        let world = World::new().await;
        world.control().once(Endpoint::Token, fault);
        let outcome = world.sign_in().await;
        assert!(matches!(outcome, CallbackOutcome::Failed(SignInError::Malformed(_))), "{outcome:?}");
        assert_eq!(world.control().live_families(), 0);
    }
}

#[tokio::test]
async fn a_new_signing_key_is_fetched_once_and_unknown_ones_make_no_flood() {
    let world = World::signed_in().await;
    assert_eq!(world.requests(Endpoint::Jwks), 1);
    world.control().rotate_keys(true).unwrap();
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_eq!(world.requests(Endpoint::Jwks), 2);
    for _ in 0..5 {
        world.control().once(Endpoint::Token, Fault::unknown_kid());
        assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::IdToken(IdTokenError::UnknownKey)));
    }
    assert_eq!(world.requests(Endpoint::Jwks), 2, "one fetch a minute");
    elapse(std::time::Duration::from_secs(60)).await;
    world.control().rotate_keys(true).unwrap();
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_eq!(world.requests(Endpoint::Jwks), 3);
}

#[tokio::test]
async fn a_withdrawn_key_is_believed_for_ten_minutes_at_most() {
    let world = World::signed_in().await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_eq!(world.requests(Endpoint::Jwks), 1);
    elapse(std::time::Duration::from_secs(600)).await;
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_eq!(world.requests(Endpoint::Jwks), 2);
}

#[tokio::test]
async fn a_key_set_that_cannot_be_had_is_asked_for_once_more_and_then_named() {
    let world = World::new().await;
    world.control().once(Endpoint::Jwks, Fault::status(500));
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);

    let world = World::new().await;
    world.control().always(Endpoint::Jwks, [Fault::html()]);
    let outcome = world.sign_in().await;
    assert!(matches!(&outcome, CallbackOutcome::Failed(error) if error.code() == "tenant-intercepted"), "{outcome:?}");
}

#[tokio::test]
async fn a_computer_whose_clock_is_two_hours_wrong_signs_in() {
    let sandbox = Sandbox::start(SandboxConfig { agent: None, ..SandboxConfig::default() }).await.unwrap();
    // Two hours, and beyond 2038.
    for skew in [-7200, 7200, 500_000_000] {
        let config = Config { clock: Arc::new(Skewed(skew)), ..config_for(&sandbox, Vault::memory()) };
        let session = Session::spawn(config);
        let start = session.begin_sign_in().await.unwrap();
        assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed, "{skew}");
    }
}

#[tokio::test]
async fn a_lost_reply_to_the_code_is_asked_for_once_more() {
    let world = World::new().await;
    world.control().once(Endpoint::Token, Fault::Drop);
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);

    // Where the tenant had spent the code already, nothing is left but a new sign-in.
    let world = World::new().await;
    world.control().once(Endpoint::Token, Fault::DropReply);
    assert_eq!(world.sign_in().await, CallbackOutcome::Failed(SignInError::CodeRejected));
    assert_eq!(world.requests(Endpoint::Token), 2);
}

#[tokio::test]
async fn a_tenant_that_cannot_be_asked_or_is_another_one_is_named() {
    for (fault, code) in [
        (Fault::status(503), "tenant-unwell"),
        (Fault::html(), "tenant-intercepted"),
        (Fault::redirect("https://portal.example/"), "tenant-intercepted"),
        (Fault::rate_limited(Some("3")), "tenant-rate-limited"),
        (Fault::Drop, "tenant-reply-lost"),
        (Fault::status(404), "discovery-not-found"),
        (Fault::json(200, &json!({"issuer": "https://evil.example/"})), "discovery-wrong-issuer"),
        (Fault::Respond { status: 200, headers: Vec::new(), body: "x".repeat(300_000) }, "tenant-intercepted"),
    ] {
        let world = World::new().await;
        world.control().always(Endpoint::Discovery, [fault.clone()]);
        let error = world.session.begin_sign_in().await.unwrap_err();
        assert_eq!(error.code(), code, "{fault:?}");
        until(&world.session, |state| *state == SessionState::SignedOut { reason: Some(SignedOutReason::SignInFailed(error.clone())) })
            .await;
        world.control().clear(Endpoint::Discovery);
        world.begin().await;
    }
}

#[tokio::test]
async fn an_issuer_without_its_slash_is_the_same_tenant() {
    let sandbox = Sandbox::start(SandboxConfig { agent: None, ..SandboxConfig::default() }).await.unwrap();
    let mut config = config_for(&sandbox, Vault::memory());
    config.profile.issuer = Issuer::parse(profile(&sandbox).issuer.as_str().trim_end_matches('/')).unwrap();
    let session = Session::spawn(config);
    let start = session.begin_sign_in().await.unwrap();
    assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
}

#[tokio::test]
async fn somebody_else_who_signs_in_replaces_the_first_here_and_at_the_tenant() {
    let world = World::signed_in().await;
    let start = world.begin().await;
    assert!(world.is_signed_in(), "until the other one is here");
    assert_eq!(world.session.handle_callback(&visit(&start.url, GRACE).await).await, CallbackOutcome::Completed);
    assert!(matches!(world.state(), SessionState::SignedIn { account, .. } if account.sub == "sandbox|grace"));
    world.control().until_requests(Endpoint::Revoke, 1).await;
    world.refreshed().await.unwrap();
    world.control().until(|| world.control().live_families() == 1).await;
}

#[tokio::test]
async fn without_offline_access_the_session_ends_with_its_token() {
    let sandbox = Sandbox::start(SandboxConfig { agent: None, ..SandboxConfig::default() }).await.unwrap();
    let keychain = Keychain::default();
    let mut config = config_for(&sandbox, keychain.vault());
    config.profile.scopes.retain(|scope| scope != "offline_access");
    let session = Session::spawn(config);
    let start = session.begin_sign_in().await.unwrap();
    assert_eq!(session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    session.access_token().await.unwrap();
    assert!(keychain.is_empty());
    elapse(crate::world::HOUR).await;
    assert_eq!(session.access_token().await.unwrap_err().code(), "signed-out");
    until(&session, |state| matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Ended { .. }) })).await;
}
