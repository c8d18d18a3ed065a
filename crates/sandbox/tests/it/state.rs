//! What outlives a sandbox.

use std::fs;

use callbox_sandbox::{Sandbox, SandboxConfig, SandboxError};
use serde_json::Value;

use crate::app::{self, refresh, signed_in, text};

fn config(folder: &tempfile::TempDir) -> SandboxConfig {
    SandboxConfig::default().with_state(folder.path().join("sandbox"))
}

#[tokio::test]
async fn a_restart_keeps_the_issuer_the_key_and_the_session() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = app::with(config(&folder)).await;
    let (issuer, agent) = (sandbox.issuer(), sandbox.agent_url());
    let tokens = signed_in(&sandbox).await;
    sandbox.shutdown().await;

    let sandbox = app::with(config(&folder)).await;
    assert_eq!((sandbox.issuer(), sandbox.agent_url()), (issuer, agent));
    let userinfo = app::http().get(sandbox.issuer().join("userinfo").unwrap()).bearer_auth(text(&tokens, "access_token"));
    assert_eq!(userinfo.send().await.unwrap().status(), 200, "the old access token is still good");
    let (status, next) = refresh(&sandbox, text(&tokens, "refresh_token")).await;
    assert_eq!(status, 200);
    drop(sandbox);

    let sandbox = app::with(config(&folder)).await;
    assert_eq!(refresh(&sandbox, text(&tokens, "refresh_token")).await.0, 403, "reuse is seen over restarts");
    assert_eq!(refresh(&sandbox, text(&next, "refresh_token")).await.0, 403);
}

#[tokio::test]
async fn no_token_is_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = app::with(config(&folder)).await;
    let first = signed_in(&sandbox).await;
    let (_, second) = refresh(&sandbox, text(&first, "refresh_token")).await;
    sandbox.shutdown().await;
    let mut files = 0;
    for entry in fs::read_dir(folder.path().join("sandbox")).unwrap().flatten() {
        let content = fs::read(entry.path()).unwrap_or_default();
        let content = String::from_utf8_lossy(&content);
        for tokens in [&first, &second] {
            for name in ["refresh_token", "access_token", "id_token"] {
                assert!(!content.contains(text(tokens, name)), "{name} in {:?}", entry.path());
            }
        }
        files += 1;
    }
    assert!(files >= 3, "the key, the books and the ports are there");
}

#[cfg(unix)]
#[tokio::test]
async fn the_signing_key_is_readable_by_the_user_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    app::with(config(&folder)).await.shutdown().await;
    let mode = fs::metadata(folder.path().join("sandbox/signing-key.p8")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[tokio::test]
async fn a_port_that_was_taken_meanwhile_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let sandbox = app::with(config(&folder)).await;
    let issuer = sandbox.issuer();
    sandbox.shutdown().await;
    let _squatter = std::net::TcpListener::bind(("127.0.0.1", issuer.port().unwrap())).unwrap();
    let sandbox = app::with(config(&folder)).await;
    assert_ne!(sandbox.issuer(), issuer);
    assert_eq!(app::http().get(sandbox.issuer().join("authorize").unwrap()).send().await.unwrap().status(), 403, "it answers");
}

#[tokio::test]
async fn one_folder_serves_one_sandbox_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let _first = app::with(config(&folder)).await;
    let second = Sandbox::start(config(&folder)).await;
    assert!(matches!(&second, Err(error @ SandboxError::InUse(_)) if error.code() == "sandbox-in-use"), "{second:?}");
}

#[tokio::test]
async fn half_a_file_is_like_none() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sandbox");
    app::with(config(&folder)).await.shutdown().await;
    fs::write(path.join("tenant.json"), b"{\"families\": [").unwrap();
    fs::write(path.join("signing-key.p8"), b"nonsense").unwrap();
    let sandbox = app::with(config(&folder)).await;
    let tokens: Value = signed_in(&sandbox).await;
    assert_eq!(refresh(&sandbox, text(&tokens, "refresh_token")).await.0, 200);
}

#[tokio::test]
async fn addresses_beyond_loopback_are_refused() {
    let config = SandboxConfig { tenant: "0.0.0.0:0".parse().unwrap(), ..SandboxConfig::default() };
    assert!(matches!(Sandbox::start(config).await, Err(SandboxError::NotLoopback(_))));
}
