//! A machine with a client of its own.

use std::{sync::Arc, time::Duration};

use callbox_identity::{
    AccessToken, Answered, Dpop, Issuer, Presentation, Retry, Service, ServiceConfig, SessionState, SystemClock, SystemEntropy, TokenError,
    TokenShelf, client_secret_key,
};
use callbox_sandbox::{AUDIENCE, Endpoint, Fault, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, Sandbox, SandboxConfig, TokenBinding};
use callbox_vault::{Secret, VaultError};
use http::Method;
use url::Url;

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
        dpop: Dpop::Off,
        shelf: None,
        http: http(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
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

/// Whether the agent takes it; with its proof, if it is bound.
async fn taken(sandbox: &Sandbox, token: AccessToken) -> bool {
    let messages = Url::parse(&format!("{}/x/get-messages", sandbox.agent_url())).unwrap();
    let mut presentation = Presentation::new(token, Method::GET, messages.clone());
    loop {
        let answer = http().get(messages.clone()).headers(presentation.fields()).send().await.unwrap();
        if presentation.answered(answer.status(), answer.headers()) != Answered::Again {
            return answer.status() == 200;
        }
    }
}

#[tokio::test]
async fn a_machines_token_is_bound_where_the_profile_says_so_and_is_none_where_that_cannot_be() {
    let sandbox = sandbox().await;
    for (dpop, bound) in [(Dpop::Off, false), (Dpop::Auto, true), (Dpop::Required, true)] {
        let service = Service::spawn(ServiceConfig { dpop, ..config(&sandbox, SERVICE_CLIENT_SECRET) });
        let token = service.access_token().await.unwrap();
        assert_eq!(token.is_bound(), bound, "{dpop:?}");
        assert!(taken(&sandbox, token).await, "{dpop:?}");
    }
    // One that says that it does it, and does not.
    sandbox.control().always(Endpoint::Token, [Fault::response("token_type", serde_json::json!("Bearer"))]);
    let required = || Service::spawn(ServiceConfig { dpop: Dpop::Required, ..config(&sandbox, SERVICE_CLIENT_SECRET) });
    assert_eq!(required().access_token().await.unwrap_err(), TokenError::CannotBind);
    sandbox.control().clear(Endpoint::Token);
    // And one that says that it does not: its token endpoint is not even asked.
    sandbox.control().set(|settings| settings.dpop = TokenBinding::Off);
    let asked = sandbox.control().requests(Endpoint::Token);
    let error = required().access_token().await.unwrap_err();
    assert_eq!((error.code(), error.retry(), sandbox.control().requests(Endpoint::Token)), ("token-cannot-bind", Retry::Never, asked));
    let auto = Service::spawn(ServiceConfig { dpop: Dpop::Auto, ..config(&sandbox, SERVICE_CLIENT_SECRET) });
    assert!(!auto.access_token().await.unwrap().is_bound());
}

#[tokio::test]
async fn machines_on_one_shelf_share_the_key_of_their_token_and_a_token_without_it_is_none() {
    let sandbox = sandbox().await;
    let (keychain, folder, clock) = (Keychain::default(), tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    let start = |dpop: Dpop| {
        let shelf = Some(TokenShelf { vault: keychain.vault(), locks: folder.path().join("locks") });
        Service::spawn(ServiceConfig { dpop, shelf, clock: clock.clone(), ..config(&sandbox, SERVICE_CLIENT_SECRET) })
    };
    // A bearer token that lies there already is not one for this.
    start(Dpop::Off).access_token().await.unwrap();
    let first = start(Dpop::Required).access_token().await.unwrap();
    let asked = sandbox.control().requests(Endpoint::Token);
    let second = start(Dpop::Required).access_token().await.unwrap();
    assert_eq!((second.fingerprint(), sandbox.control().requests(Endpoint::Token)), (first.fingerprint(), asked));
    assert!(second.is_bound() && taken(&sandbox, second).await, "the key is the one that it is bound to");
    keychain.put_back(keychain.entries().into_iter().filter(|(name, _)| !name.starts_with("dpop-")).collect());
    let third = start(Dpop::Required).access_token().await.unwrap();
    assert!(third.fingerprint() != first.fingerprint() && taken(&sandbox, third).await);
}

#[test]
fn the_secret_of_a_client_lies_under_a_name_of_its_own() {
    let key = |issuer: &str, client: &str| client_secret_key(&Issuer::parse(issuer).unwrap(), client);
    let one = key("https://t.example/", "a");
    assert!(one.starts_with("client-") && one == key("https://t.example/", "a"));
    assert!(one != key("https://t.example/", "b") && one != key("https://u.example/", "a"));
}
