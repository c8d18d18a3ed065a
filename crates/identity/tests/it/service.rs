//! A machine with a client of its own.

use std::{sync::Arc, time::Duration};

use callbox_identity::{Issuer, Retry, Service, ServiceConfig, SessionState, SystemClock, TokenError};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, Sandbox, SandboxConfig};
use callbox_vault::Secret;

use crate::world::{HOUR, elapse, http};

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxConfig::default()).await.unwrap()
}

fn service(sandbox: &Sandbox, secret: &str) -> Service {
    Service::spawn(ServiceConfig {
        issuer: Issuer::try_from(sandbox.issuer()).unwrap(),
        client_id: SERVICE_CLIENT_ID.to_owned(),
        client_secret: Secret::from(secret),
        audience: Some(AUDIENCE.to_owned()),
        resource: None,
        scopes: Vec::new(),
        http: http(),
        clock: Arc::new(SystemClock),
    })
}

#[tokio::test]
async fn a_machine_gets_a_token_that_the_agent_takes_and_many_ask_the_tenant_once() {
    let sandbox = sandbox().await;
    let service = service(&sandbox, SERVICE_CLIENT_SECRET);
    assert!(matches!(&*service.state().borrow(), SessionState::SignedIn { account, .. } if account.sub == SERVICE_CLIENT_ID));
    for requests in 1..=2 {
        let callers: Vec<_> = (0..50)
            .map(|_| {
                let service = service.clone();
                tokio::spawn(async move { service.access_token().await.unwrap() })
            })
            .collect();
        let mut tokens = Vec::new();
        for caller in callers {
            tokens.push(caller.await.unwrap());
        }
        assert!(tokens.iter().all(|token| token.fingerprint() == tokens[0].fingerprint()));
        assert_eq!(sandbox.control().requests(Endpoint::Token), requests);
        let messages = format!("{}/of-a-machine/get-messages", sandbox.agent_url());
        assert_eq!(http().get(messages).header("authorization", tokens[0].header_value()).send().await.unwrap().status(), 200);
        elapse(HOUR).await;
    }
}

#[tokio::test]
async fn a_token_that_an_agent_has_refused_is_replaced_and_given_to_nobody_again() {
    let sandbox = sandbox().await;
    let service = service(&sandbox, SERVICE_CLIENT_SECRET);
    let refused = service.access_token().await.unwrap();
    sandbox.control().once(Endpoint::Token, Fault::rate_limited(Some("7")));
    let error = service.access_token_after_rejection(&refused).await.unwrap_err();
    assert!(matches!(error.retry(), Retry::Later(Some(pause)) if pause == Duration::from_secs(7)));
    assert_eq!(service.access_token().await.unwrap_err().code(), "tenant-rate-limited");
    assert_eq!(sandbox.control().requests(Endpoint::Token), 2, "not during the pause");
    elapse(Duration::from_secs(7)).await;
    assert_ne!(service.access_token().await.unwrap().fingerprint(), refused.fingerprint());
}

#[tokio::test]
async fn a_wrong_secret_is_a_setting_and_in_no_error() {
    let sandbox = sandbox().await;
    let service = service(&sandbox, "not-the-secret");
    let error = service.access_token().await.unwrap_err();
    assert!(matches!(&error, TokenError::Configuration(error) if error.error == "invalid_client"));
    assert_eq!(error.retry(), Retry::Never);
    assert!(!format!("{error:?} {error}").contains("not-the-secret"));
    sandbox.control().once(Endpoint::Token, Fault::json(403, &serde_json::json!({"error": "invalid_grant"})));
    assert_eq!(service.access_token().await.unwrap_err().code(), "token-malformed", "nobody was signed in, so nobody is signed out");
}
