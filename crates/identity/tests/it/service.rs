//! A machine with a client of its own.

use std::{sync::Arc, time::Duration};

use callbox_identity::{Issuer, Retry, Service, ServiceConfig, SessionState, SystemClock, TokenError, TokenShelf, client_secret_key};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, Sandbox, SandboxConfig};
use callbox_vault::{Secret, VaultError};

use crate::world::{Following, HOUR, Keychain, elapse, http};

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxConfig::default()).await.unwrap()
}

fn service(sandbox: &Sandbox, secret: &str) -> Service {
    Service::spawn(config(sandbox, secret))
}

fn config(sandbox: &Sandbox, secret: &str) -> ServiceConfig {
    ServiceConfig {
        issuer: Issuer::try_from(sandbox.issuer()).unwrap(),
        client_id: SERVICE_CLIENT_ID.to_owned(),
        client_secret: Secret::from(secret),
        audience: Some(AUDIENCE.to_owned()),
        resource: None,
        organization: None,
        scopes: Vec::new(),
        shelf: None,
        http: http(),
        clock: Arc::new(SystemClock),
    }
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

#[tokio::test]
async fn machines_on_one_shelf_make_one_request_and_a_new_secret_or_another_organization_another_one() {
    let sandbox = sandbox().await;
    let (keychain, folder, clock) = (Keychain::default(), tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    // As many processes as there are calls: each has a vault and an actor of its own.
    let start = |organization: Option<&str>, secret: &str| {
        let shelf = Some(TokenShelf { vault: keychain.vault(), locks: folder.path().join("locks") });
        let organization = organization.map(str::to_owned);
        Service::spawn(ServiceConfig { organization, shelf, clock: clock.clone(), ..config(&sandbox, secret) })
    };
    let callers: Vec<_> = (0..10)
        .map(|_| {
            let service = start(None, SERVICE_CLIENT_SECRET);
            tokio::spawn(async move { service.access_token().await.unwrap() })
        })
        .collect();
    let mut prints = Vec::new();
    for caller in callers {
        prints.push(caller.await.unwrap().fingerprint());
    }
    prints.dedup();
    assert_eq!((prints.len(), sandbox.control().requests(Endpoint::Token)), (1, 1));
    let again = start(None, SERVICE_CLIENT_SECRET);
    let refused = again.access_token().await.unwrap();
    assert_eq!((refused.fingerprint(), sandbox.control().requests(Endpoint::Token)), (prints[0], 1));
    let newer = again.access_token_after_rejection(&refused).await.unwrap();
    assert_eq!(start(None, SERVICE_CLIENT_SECRET).access_token().await.unwrap().fingerprint(), newer.fingerprint());
    assert_eq!(sandbox.control().requests(Endpoint::Token), 2);
    start(Some("org_a"), SERVICE_CLIENT_SECRET).access_token().await.unwrap();
    assert_eq!(sandbox.control().requests(Endpoint::Token), 3);
    assert_eq!(start(None, "not-the-secret").access_token().await.unwrap_err().code(), "token-configuration", "it is nobody else's token");
    elapse(HOUR).await;
    start(None, SERVICE_CLIENT_SECRET).access_token().await.unwrap();
    assert_eq!(sandbox.control().requests(Endpoint::Token), 5);
    let kept: Vec<u8> = keychain.entries().into_values().flatten().collect();
    assert!(!kept.windows(SERVICE_CLIENT_SECRET.len()).any(|window| window == SERVICE_CLIENT_SECRET.as_bytes()), "only its hash is kept");
}

#[tokio::test]
async fn a_keychain_that_refuses_costs_a_machine_nothing_but_the_next_request() {
    let sandbox = sandbox().await;
    let (keychain, folder) = (Keychain::default(), tempfile::tempdir().unwrap());
    keychain.refuse(Some(VaultError::Locked));
    for requests in 1..=2 {
        let shelf = Some(TokenShelf { vault: keychain.vault(), locks: folder.path().join("locks") });
        Service::spawn(ServiceConfig { shelf, ..config(&sandbox, SERVICE_CLIENT_SECRET) }).access_token().await.unwrap();
        assert_eq!(sandbox.control().requests(Endpoint::Token), requests);
    }
}

#[tokio::test]
async fn what_a_machine_may_still_ask_for_is_told() {
    let sandbox = sandbox().await;
    let service = service(&sandbox, SERVICE_CLIENT_SECRET);
    assert_eq!(service.quota(), None);
    sandbox.control().once(Endpoint::Token, Fault::client_quota(3540));
    let error = service.access_token().await.unwrap_err();
    assert!(matches!(error.retry(), Retry::Later(Some(_))), "{error:?}");
    let quota = service.quota().unwrap();
    assert_eq!((quota.limit, quota.left, quota.resets_in), (10, 0, Some(Duration::from_secs(3540))));
}

#[test]
fn the_secret_of_a_client_lies_under_a_name_of_its_own() {
    let key = |issuer: &str, client: &str| client_secret_key(&Issuer::parse(issuer).unwrap(), client);
    let one = key("https://t.example/", "a");
    assert!(one.starts_with("client-") && one == key("https://t.example/", "a"));
    assert!(one != key("https://t.example/", "b") && one != key("https://u.example/", "a"));
}
