//! An agent wants a token with more scopes than it has.

use callbox_identity::{CallbackOutcome, SessionState, SignInError};
use callbox_sandbox::{Endpoint, Fault};
use serde_json::json;

use crate::world::{ADA, World, param, visit};

fn scopes(page: &url::Url) -> String {
    param(page.as_str(), "scope")
}

fn wanted(scopes: &[&str]) -> Vec<String> {
    scopes.iter().map(|scope| (*scope).to_owned()).collect()
}

#[tokio::test]
async fn what_is_missing_is_asked_for_together_with_what_was_granted() {
    let world = World::signed_in().await;
    let before = world.session.access_token().await.unwrap();
    let start = world.session.begin_step_up(&wanted(&["chat"])).await.unwrap();
    assert_eq!(scopes(&start.url), "openid profile email offline_access chat");
    assert_eq!(param(start.url.as_str(), "login_hint"), ADA);
    assert!(world.is_signed_in(), "the session goes on meanwhile");
    assert_eq!(world.session.access_token().await.unwrap().fingerprint(), before.fingerprint());
    assert_eq!(world.session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    assert_ne!(world.session.access_token().await.unwrap().fingerprint(), before.fingerprint());

    // The agent is not content all the same: no browser helps there.
    assert_eq!(world.session.begin_step_up(&wanted(&["chat"])).await.unwrap_err(), SignInError::NotGranted);
    // And what was granted once is asked for the next time.
    assert_eq!(
        scopes(&world.session.begin_step_up(&wanted(&["files"])).await.unwrap().url),
        "openid profile email offline_access chat files"
    );
}

#[tokio::test]
async fn a_tenant_that_does_not_grant_it_is_asked_three_times_and_costs_no_session() {
    let world = World::signed_in().await;
    for _ in 0..3 {
        let start = world.session.begin_step_up(&wanted(&["admin", "chat"])).await.unwrap();
        // It grants the one and leaves out the other, without a word.
        assert_eq!(world.session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    }
    assert_eq!(world.session.begin_step_up(&wanted(&["chat", "admin"])).await.unwrap_err(), SignInError::NotGranted);
    assert!(world.is_signed_in());
    world.session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_step_up_that_is_declined_leaves_everything_as_it_was() {
    let world = World::signed_in().await;
    let start = world.session.begin_step_up(&wanted(&["chat"])).await.unwrap();
    let state = param(start.url.as_str(), "state");
    let declined = format!("dev.callbox.desktop://callback?error=access_denied&state={state}&iss={}", world.sandbox.issuer());
    assert_eq!(world.session.handle_callback(&declined).await, CallbackOutcome::Failed(SignInError::Declined));
    assert!(world.is_signed_in());
    world.refreshed().await.unwrap();
}

#[tokio::test]
async fn a_refresh_that_grants_less_is_noticed() {
    let world = World::signed_in().await;
    let start = world.session.begin_step_up(&wanted(&["chat"])).await.unwrap();
    assert_eq!(world.session.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    world.control().once(Endpoint::Token, Fault::response("scope", json!("openid profile email offline_access")));
    world.refreshed().await.unwrap();
    assert_eq!(scopes(&world.session.begin_step_up(&wanted(&["chat"])).await.unwrap().url), "openid profile email offline_access chat");
    assert!(matches!(world.state(), SessionState::SignedIn { .. }));
}
