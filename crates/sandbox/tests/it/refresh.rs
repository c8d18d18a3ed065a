//! Rotation, overlap, reuse, revocation.

use std::time::Duration;

use callbox_sandbox::{Endpoint, Fault, Presented, RefreshOutcome, SandboxConfig};
use serde_json::{Value, json};

use crate::app::{self, refresh, signed_in, text};

fn generations(presented: &[Presented]) -> Vec<(u64, RefreshOutcome)> {
    presented.iter().map(|presented| (presented.generation, presented.outcome)).collect()
}

fn dead() -> (u16, Value) {
    (403, json!({"error": "invalid_grant", "error_description": "Unknown or invalid refresh token."}))
}

#[tokio::test]
async fn each_refresh_gives_a_new_refresh_token() {
    let sandbox = app::sandbox().await;
    let first = signed_in(&sandbox).await;
    let (status, second) = refresh(&sandbox, text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    assert_ne!(first["access_token"], second["access_token"]);
    let id_token = app::segment(text(&second, "id_token"), 1);
    assert_eq!(id_token["sub"], "sandbox|ada");
    assert!(id_token.get("nonce").is_none());
    assert_eq!(refresh(&sandbox, text(&second, "refresh_token")).await.0, 200);
    let log = sandbox.control().presented();
    assert_eq!(generations(&log), [(1, RefreshOutcome::Rotated), (2, RefreshOutcome::Rotated)]);
}

#[tokio::test]
async fn reuse_without_an_overlap_ends_the_family_and_its_newest_token() {
    let sandbox = app::sandbox().await;
    let first = signed_in(&sandbox).await;
    let other = signed_in(&sandbox).await;
    let (_, second) = refresh(&sandbox, text(&first, "refresh_token")).await;
    assert_eq!(refresh(&sandbox, text(&first, "refresh_token")).await, dead());
    assert_eq!(refresh(&sandbox, text(&second, "refresh_token")).await, dead());
    assert_eq!(refresh(&sandbox, text(&other, "refresh_token")).await.0, 200, "another sign-in is another family");
    let outcomes = generations(&sandbox.control().presented());
    assert_eq!(
        outcomes,
        [(1, RefreshOutcome::Rotated), (1, RefreshOutcome::Reused), (2, RefreshOutcome::Dead), (1, RefreshOutcome::Rotated)]
    );
    assert_eq!(sandbox.control().live_families(), 1);
}

#[tokio::test]
async fn within_the_overlap_the_latest_used_token_is_good_once_more_and_no_older_one() {
    let sandbox = app::with(SandboxConfig { refresh_overlap: Duration::from_secs(300), ..SandboxConfig::default() }).await;
    let first = signed_in(&sandbox).await;
    let (_, second) = refresh(&sandbox, text(&first, "refresh_token")).await;
    sandbox.control().advance(Duration::from_secs(200));
    let (status, sibling) = refresh(&sandbox, text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    assert_ne!(sibling["refresh_token"], second["refresh_token"]);
    let (status, _) = refresh(&sandbox, text(&sibling, "refresh_token")).await;
    assert_eq!(status, 200);
    // Its grandchild exists: the first one is second to last now, overlap or not.
    assert_eq!(refresh(&sandbox, text(&first, "refresh_token")).await, dead());
    assert_eq!(refresh(&sandbox, text(&second, "refresh_token")).await, dead());
    assert_eq!(sandbox.control().live_families(), 0);
}

#[tokio::test]
async fn after_the_overlap_reuse_is_reuse() {
    let sandbox = app::with(SandboxConfig { refresh_overlap: Duration::from_secs(30), ..SandboxConfig::default() }).await;
    let first = signed_in(&sandbox).await;
    refresh(&sandbox, text(&first, "refresh_token")).await;
    sandbox.control().advance(Duration::from_secs(30));
    assert_eq!(refresh(&sandbox, text(&first, "refresh_token")).await, dead());
}

#[tokio::test]
async fn a_dropped_reply_has_rotated_the_token_all_the_same() {
    for (overlap, survives) in [(Duration::ZERO, false), (Duration::from_secs(10), true)] {
        let sandbox = app::with(SandboxConfig { refresh_overlap: overlap, ..SandboxConfig::default() }).await;
        let tokens = signed_in(&sandbox).await;
        sandbox.control().once(Endpoint::Token, Fault::DropReply);
        let form = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
        let lost = app::post(&sandbox, "oauth/token", &form).await;
        assert!(lost.is_err(), "no answer at all, not even a status: {lost:?}");
        assert_eq!(generations(&sandbox.control().presented()), [(1, RefreshOutcome::Rotated)]);
        let (status, _) = refresh(&sandbox, text(&tokens, "refresh_token")).await;
        assert_eq!(status == 200, survives, "overlap {overlap:?}");
    }
}

#[tokio::test]
async fn a_request_dropped_before_it_was_served_has_rotated_nothing() {
    let sandbox = app::sandbox().await;
    let tokens = signed_in(&sandbox).await;
    sandbox.control().once(Endpoint::Token, Fault::Drop);
    let form = [("grant_type", "refresh_token"), ("client_id", sandbox.client_id()), ("refresh_token", text(&tokens, "refresh_token"))];
    assert!(app::post(&sandbox, "oauth/token", &form).await.is_err());
    assert_eq!(refresh(&sandbox, text(&tokens, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn revocation_ends_the_family_and_says_200_to_anything() {
    let sandbox = app::sandbox().await;
    let tokens = signed_in(&sandbox).await;
    for token in [text(&tokens, "refresh_token"), text(&tokens, "refresh_token"), "made-up"] {
        let form = [("client_id", sandbox.client_id()), ("token", token)];
        let response = app::post(&sandbox, "oauth/revoke", &form).await.unwrap();
        assert_eq!((response.status().as_u16(), response.text().await.unwrap()), (200, String::new()));
    }
    assert_eq!(refresh(&sandbox, text(&tokens, "refresh_token")).await, dead());
    let stranger = app::post(&sandbox, "oauth/revoke", &[("client_id", "somebody"), ("token", "x")]).await.unwrap();
    assert_eq!(stranger.status(), 401);
}

#[tokio::test]
async fn a_family_ends_when_its_time_is_over_however_often_it_was_refreshed() {
    let sandbox = app::with(SandboxConfig { refresh_ttl: Duration::from_secs(1000), ..SandboxConfig::default() }).await;
    let first = signed_in(&sandbox).await;
    sandbox.control().advance(Duration::from_secs(900));
    let (status, second) = refresh(&sandbox, text(&first, "refresh_token")).await;
    assert_eq!(status, 200);
    sandbox.control().advance(Duration::from_secs(100));
    assert_eq!(refresh(&sandbox, text(&second, "refresh_token")).await, dead());
    assert_eq!(sandbox.control().presented().last().map(|last| last.outcome), Some(RefreshOutcome::Expired));
}

#[tokio::test]
async fn without_rotation_the_token_stays() {
    let sandbox = app::sandbox().await;
    sandbox.control().set(|settings| settings.rotation = false);
    let tokens = signed_in(&sandbox).await;
    for _ in 0..2 {
        let (status, answer) = refresh(&sandbox, text(&tokens, "refresh_token")).await;
        assert_eq!(status, 200);
        assert!(answer.get("refresh_token").is_none());
    }
}

#[tokio::test]
async fn scopes_can_be_narrowed_but_not_widened() {
    let sandbox = app::sandbox().await;
    let tokens = signed_in(&sandbox).await;
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", sandbox.client_id()),
        ("refresh_token", text(&tokens, "refresh_token")),
        ("scope", "openid chat"),
    ];
    let (status, answer) = app::token(&sandbox, &form).await;
    assert_eq!((status, text(&answer, "scope")), (200, "openid"));
}
