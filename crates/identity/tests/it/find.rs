//! From an agent's address alone to a session.

use std::sync::Arc;

use callbox_identity::{
    CallbackOutcome, Config, FindError, Found, Inspected, Issuer, LOOPBACK, Presentation, Profile, RegistrationError, Session,
    SessionState, Step, SystemClock, SystemEntropy, TokenError, find_agent, inspect_tenant, is_client_forgotten, renew_client,
};
use callbox_sandbox::{AUDIENCE, CLIENT_ID, Endpoint, Fault, Registration, Sandbox, SandboxConfig};
use callbox_vault::Vault;
use http::Method;
use serde_json::{Value, json};
use url::Url;

use crate::world::{ADA, HOUR, elapse, http, param, visit};

async fn sandbox() -> Sandbox {
    Sandbox::start(SandboxConfig::default()).await.unwrap()
}

async fn find(sandbox: &Sandbox) -> Result<Found, FindError> {
    find_agent(&http(), &SystemClock, &sandbox.agent_url()).await
}

async fn register(found: &Found) -> Result<Profile, RegistrationError> {
    found.register(&http(), &SystemClock, "found", "Callbox in a test").await
}

fn session(profile: Profile) -> Session {
    Session::spawn(Config { profile, vault: Vault::memory(), http: http(), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) })
}

/// Signs in, and takes the token to the agent.
async fn works(sandbox: &Sandbox, session: &Session) {
    let start = session.begin_sign_in().await.unwrap();
    let link = visit(&start.url, ADA).await;
    assert_eq!(session.handle_callback(&link).await, CallbackOutcome::Completed);
    elapse(HOUR).await;
    let token = session.access_token().await.unwrap();
    let messages = Url::parse(&format!("{}/a-conversation/get-messages", sandbox.agent_url())).unwrap();
    let fields = Presentation::new(token, Method::GET, messages.clone()).fields();
    let answer = http().get(messages).headers(fields).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the agent takes the token");
}

/// The tenant's own metadata, with members changed; `null` takes one away.
async fn metadata(sandbox: &Sandbox, changes: &[(&str, Value)]) -> Fault {
    let address = sandbox.issuer().join(".well-known/oauth-authorization-server").unwrap();
    let mut document: Value = serde_json::from_slice(&http().get(address).send().await.unwrap().bytes().await.unwrap()).unwrap();
    for (name, value) in changes {
        if value.is_null() {
            document.as_object_mut().unwrap().remove(*name);
        } else {
            document[*name] = value.clone();
        }
    }
    Fault::json(200, &document)
}

fn challenge(status: u16, challenges: &[&str]) -> Fault {
    let mut headers: Vec<_> = challenges.iter().map(|challenge| ("www-authenticate".to_owned(), (*challenge).to_owned())).collect();
    if status == 302 {
        headers.push(("location".to_owned(), "https://team.example/cdn-cgi/access/login".to_owned()));
    }
    Fault::Respond { status, headers, body: "Unauthorized".to_owned() }
}

#[tokio::test]
async fn an_agents_address_alone_leads_to_a_session() {
    let sandbox = sandbox().await;
    let found = find(&sandbox).await.unwrap();
    assert_eq!(found.issuer().as_str(), sandbox.issuer().as_str());
    let profile = register(&found).await.unwrap();
    assert!(profile.client_id.starts_with("tpc_") && profile.client_id != register(&found).await.unwrap().client_id, "a client of its own");
    assert_eq!(profile.audience.as_deref(), Some(AUDIENCE));
    assert_eq!(
        profile.resource.as_deref(),
        Some(sandbox.agent_url().origin().ascii_serialization().as_str()),
        "and what the RFC has for it"
    );
    let steps = serde_json::to_value(&profile.provenance).unwrap();
    let steps: Vec<_> = steps.as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap().to_owned()).collect();
    assert_eq!(steps, ["challenged", "resource", "tenant", "bound", "registered"]);
    let again: Profile = serde_json::from_str(&serde_json::to_string(&profile).unwrap()).unwrap();
    assert_eq!(again, profile, "it can be kept as a file, and shown");
    works(&sandbox, &session(profile)).await;
}

#[tokio::test]
async fn without_an_audience_every_request_says_the_resource() {
    let sandbox = sandbox().await;
    let origin = sandbox.agent_url().origin().ascii_serialization();
    let document =
        json!({"resource": origin, "authorization_servers": [sandbox.issuer(), "https://other.example/"], "scopes_supported": ["chat"]});
    sandbox.control().once(Endpoint::ResourceMetadata, Fault::json(200, &document));
    let found = find(&sandbox).await.unwrap();
    let profile = register(&found).await.unwrap();
    assert_eq!((profile.audience.as_deref(), profile.resource.as_deref()), (None, Some(origin.as_str())));
    assert_eq!(profile.redirect_uri, LOOPBACK, "what every tenant allows");
    assert_eq!(profile.scopes, ["chat", "openid", "profile", "email", "offline_access"]);
    let wider = |step: &Step| matches!(step, Step::Resource { identifier, wider: true, .. } if *identifier == origin);
    assert!(profile.provenance.iter().any(wider), "what was let pass is told");
    assert!(
        profile
            .provenance
            .iter()
            .any(|step| matches!(step, Step::AlsoNamed { issuers } if issuers[0].as_str() == "https://other.example/"))
    );
    // The tenant refuses a code and a refresh token for which another resource is named than was signed in for, or none.
    works(&sandbox, &session(profile)).await;
}

#[tokio::test]
async fn where_only_loopback_may_be_registered_the_browser_comes_back_there() {
    let sandbox = sandbox().await;
    sandbox.control().set(|settings| settings.registration = Registration::LoopbackOnly);
    let profile = register(&find(&sandbox).await.unwrap()).await.unwrap();
    assert_eq!(profile.redirect_uri, LOOPBACK);
    assert!(matches!(profile.provenance.last(), Some(Step::Registered { redirect_uri }) if redirect_uri == LOOPBACK));
    let session = session(profile);
    let start = session.begin_sign_in().await.unwrap();
    let link = visit(&start.url, ADA).await;
    assert!(param(start.url.as_str(), "redirect_uri").starts_with("http://127.0.0.1:"));
    assert_eq!(http().get(&link).send().await.unwrap().status(), 200);
    assert!(matches!(*session.state().borrow(), SessionState::SignedIn { .. }));
}

#[tokio::test]
async fn a_tenant_that_registers_nobody_takes_a_client_id_that_somebody_was_given() {
    let sandbox = sandbox().await;
    sandbox.control().set(|settings| settings.registration = Registration::Off);
    let found = find(&sandbox).await.unwrap();
    assert!(found.can_register());
    assert_eq!(register(&found).await.unwrap_err().code(), "registration-refused");
    let profile = found.with_client("found", CLIENT_ID);
    assert_eq!(profile.provenance.last(), Some(&Step::ClientGiven));
    works(&sandbox, &session(profile)).await;

    sandbox.control().always(Endpoint::Discovery, [metadata(&sandbox, &[("registration_endpoint", Value::Null)]).await]);
    let found = find(&sandbox).await.unwrap();
    assert!(!found.can_register());
    assert_eq!(register(&found).await, Err(RegistrationError::Unavailable));
}

#[tokio::test]
async fn a_tenant_that_is_oauth_alone_is_signed_in_at_without_a_name() {
    let sandbox = sandbox().await;
    let bare = metadata(&sandbox, &[("jwks_uri", Value::Null), ("scopes_supported", json!(["chat", "offline_access"]))]).await;
    let document = json!({"resource": sandbox.agent_url(), "authorization_servers": [sandbox.issuer()]});
    sandbox.control().always(Endpoint::ResourceMetadata, [Fault::json(200, &document)]);
    // No OpenID Connect document, but a page; then the one of RFC 8414.
    for faults in [Fault::html(), bare.clone()] {
        sandbox.control().once(Endpoint::Discovery, faults);
    }
    sandbox.control().always(Endpoint::Discovery, [bare]);
    let found = find(&sandbox).await.unwrap();
    let at = found.steps().iter().find_map(|step| if let Step::Tenant { at, .. } = step { Some(at.path().to_owned()) } else { None });
    assert_eq!(at.as_deref(), Some("/.well-known/oauth-authorization-server"));
    let profile = register(&found).await.unwrap();
    assert_eq!(profile.scopes, ["offline_access"]);
    // The same person when the tenant has forgotten the client.
    let (session, sub) = (session(profile.clone()), format!("agent:{}", profile.agent));
    works(&sandbox, &session).await;
    let state = session.state().borrow().clone();
    assert!(
        matches!(&state, SessionState::SignedIn { account, .. } if account.sub == sub && account.name == profile.issuer.host()),
        "{state:?}"
    );
}

#[tokio::test]
async fn a_tenant_that_has_forgotten_the_client_ends_no_session_and_registers_it_again() {
    let sandbox = sandbox().await;
    let found = find(&sandbox).await.unwrap();
    let profile = register(&found).await.unwrap();
    let first = session(profile.clone());
    works(&sandbox, &first).await;
    sandbox.control().forget_clients();
    elapse(HOUR).await;
    let error = first.access_token().await.unwrap_err();
    assert!(matches!(&error, TokenError::Configuration(error) if error.forgot_client()), "{error:?}");
    assert!(matches!(*first.state().borrow(), SessionState::SignedIn { .. }));
    assert!(*first.client_forgotten().borrow());
    assert!(is_client_forgotten(&http(), &SystemClock, &profile).await);
    let renewed = renew_client(&http(), &SystemClock, &profile, "Callbox in a test").await.unwrap();
    assert_ne!(renewed.client_id, profile.client_id);
    assert!(!is_client_forgotten(&http(), &SystemClock, &renewed).await);
    assert_eq!(Profile { client_id: profile.client_id.clone(), ..renewed.clone() }, profile, "everything else is as it was");
    works(&sandbox, &session(renewed)).await;
}

#[tokio::test]
async fn only_the_word_that_the_client_is_unknown_means_that_it_is_forgotten() {
    let sandbox = sandbox().await;
    let profile = register(&find(&sandbox).await.unwrap()).await.unwrap();
    sandbox.control().forget_clients();
    for fault in [
        Fault::status(503),
        Fault::html(),
        Fault::json(400, &json!({"error": "invalid_request"})),
        Fault::json(200, &json!({"error": "invalid_client"})),
        Fault::json(401, &json!({"error": "unauthorized_client"})),
        Fault::DropReply,
    ] {
        sandbox.control().once(Endpoint::Revoke, fault.clone());
        assert!(!is_client_forgotten(&http(), &SystemClock, &profile).await, "{fault:?}");
    }
    assert!(is_client_forgotten(&http(), &SystemClock, &profile).await);
    let silent = metadata(&sandbox, &[("revocation_endpoint", Value::Null)]).await;
    sandbox.control().always(Endpoint::Discovery, [silent]);
    assert!(!is_client_forgotten(&http(), &SystemClock, &profile).await, "nobody can be asked");
}

#[tokio::test]
async fn where_tokens_are_revoked_may_stand_in_the_tenants_other_document() {
    let sandbox = sandbox().await;
    let profile = register(&find(&sandbox).await.unwrap()).await.unwrap();
    let silent = metadata(&sandbox, &[("revocation_endpoint", Value::Null)]).await;
    // The document of OpenID Connect says nothing of it; the one of RFC 8414, which comes second, does.
    sandbox.control().once(Endpoint::Discovery, silent.clone());
    let session = session(profile);
    works(&sandbox, &session).await;
    assert!(session.sign_out().await.revoked);
    assert_eq!(sandbox.control().live_families(), 0);
    // Whoever only looks sees what a sign-in sees, and where.
    let issuer = Issuer::try_from(sandbox.issuer()).unwrap();
    for (document, places) in [(metadata(&sandbox, &[]).await, 1), (silent, 2)] {
        sandbox.control().once(Endpoint::Discovery, document);
        let asked = sandbox.control().requests(Endpoint::Discovery);
        let Inspected { found, ahead } = inspect_tenant(&http(), &SystemClock, &issuer).await;
        let offers = found.unwrap();
        assert!(offers.revocation && offers.dpop && ahead.is_some_and(|ahead| ahead.abs() < 60), "{offers:?} {ahead:?}");
        assert_eq!((offers.at.len(), sandbox.control().requests(Endpoint::Discovery) - asked), (places, places as u64));
        assert!(offers.at[0].path().ends_with("/openid-configuration"), "{offers:?}");
    }
}

#[tokio::test]
async fn a_client_that_registered_itself_asks_for_consent_to_come_back_alone_and_so_does_one_that_was_given_no_refresh_token() {
    let sandbox = sandbox().await;
    let found = find(&sandbox).await.unwrap();
    let prompt = async |session: &Session| {
        let url = session.begin_sign_in().await.unwrap().url;
        url.query_pairs().find(|(name, _)| name == "prompt").map(|(_, value)| value.into_owned())
    };
    assert_eq!(prompt(&session(register(&found).await.unwrap())).await.as_deref(), Some("consent"));

    let given = session(found.with_client("found", CLIENT_ID));
    assert_eq!(prompt(&given).await, None);
    let Value::Object(members) = json!({"refresh_token": null}) else { unreachable!() };
    // The first request is answered with a nonce for the proof.
    sandbox.control().next(Endpoint::Token, []);
    sandbox.control().once(Endpoint::Token, Fault::TokenResponse { members });
    let start = given.begin_sign_in().await.unwrap();
    assert_eq!(given.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    assert_eq!(prompt(&given).await.as_deref(), Some("consent"));
}

#[tokio::test]
async fn challenges_of_every_kind_lead_to_the_document() {
    let sandbox = sandbox().await;
    let origin = sandbox.agent_url().origin().ascii_serialization();
    let there = format!("resource_metadata=\"{origin}/.well-known/oauth-protected-resource/named\"");
    for (fault, scheme) in [
        (challenge(401, &[&format!("Bearer realm=\"OAuth\", error=\"invalid_token\", {there}")]), "bearer"),
        (challenge(401, &["Basic realm=\"x\"", &format!("DPoP algs=\"ES256\", {there}")]), "dpop"),
        (challenge(401, &[&format!("Negotiate, Bearer scope=\"chat email\", {there}")]), "bearer"),
        (challenge(302, &[&format!("Cloudflare-Access {there}")]), "cloudflare-access"),
        (challenge(403, &[&format!("Bearer error=\"insufficient_scope\", {there}")]), "bearer"),
    ] {
        sandbox.control().once(Endpoint::Messages, fault.clone());
        let found = find(&sandbox).await.unwrap_or_else(|error| panic!("{fault:?}: {error}"));
        assert_eq!(found.steps()[0], Step::Challenged { scheme: scheme.to_owned() });
        assert!(matches!(&found.steps()[1], Step::Resource { at, .. } if at.path().ends_with("/named")), "{:?}", found.steps());
    }
    // Without one that names it, it is where it usually is.
    for fault in [challenge(401, &[]), challenge(401, &["Bearer realm=\"x"]), Fault::status(404)] {
        sandbox.control().once(Endpoint::Messages, fault);
        assert!(matches!(find(&sandbox).await.unwrap().steps().iter().find(|step| matches!(step, Step::Resource { .. })),
            Some(Step::Resource { at, .. }) if at.path() == "/.well-known/oauth-protected-resource/agents/chat-agent"));
    }
}

#[tokio::test]
async fn what_an_agent_says_of_others_is_not_followed() {
    let sandbox = sandbox().await;
    let requests = || [Endpoint::ResourceMetadata, Endpoint::Discovery].map(|endpoint| sandbox.control().requests(endpoint));
    // Another port of this computer is another origin, and whoever listens there is not asked.
    let elsewhere = format!("Bearer resource_metadata=\"{}.well-known/jwks.json\"", sandbox.issuer());
    sandbox.control().once(Endpoint::Messages, challenge(401, &[&elsewhere]));
    assert_eq!(find(&sandbox).await.unwrap_err().code(), "agent-foreign-metadata");
    assert_eq!((requests(), sandbox.control().requests(Endpoint::Jwks)), ([0, 0], 0));

    for (document, code) in [
        (json!({"resource": "https://evil.example/", "authorization_servers": [sandbox.issuer()]}), "agent-wrong-resource"),
        (json!({"resource": sandbox.agent_url(), "authorization_servers": ["http://evil.example/"]}), "agent-malformed"),
        (json!({"authorization_servers": [sandbox.issuer()]}), "agent-malformed"),
    ] {
        sandbox.control().once(Endpoint::ResourceMetadata, Fault::json(200, &document));
        assert_eq!(find(&sandbox).await.unwrap_err().code(), code, "{document}");
    }
    assert_eq!(sandbox.control().requests(Endpoint::Discovery), 0);
    for (changes, code) in [
        (vec![("issuer", json!("https://evil.example/"))], "discovery-wrong-issuer"),
        (vec![("token_endpoint", json!("http://evil.example/"))], "discovery-insecure"),
        (vec![("code_challenge_methods_supported", Value::Null)], "tenant-without-pkce"),
        (vec![("code_challenge_methods_supported", json!(["plain"]))], "discovery-malformed"),
    ] {
        let fault = metadata(&sandbox, &changes).await;
        sandbox.control().once(Endpoint::Discovery, fault);
        assert_eq!(find(&sandbox).await.unwrap_err().code(), code, "{changes:?}");
    }
}

#[tokio::test]
async fn an_agent_that_cannot_be_signed_in_for_says_why() {
    let sandbox = sandbox().await;
    let nothing = || sandbox.control().always(Endpoint::ResourceMetadata, [Fault::status(404)]);
    for (fault, code) in [
        (Fault::json(200, &json!([])), "agent-without-sign-in"),
        (challenge(302, &[]), "agent-behind-a-page"),
        (challenge(302, &["Cloudflare-Access realm=\"x\""]), "agent-behind-a-page"),
        (challenge(401, &["Bearer realm=\"x\""]), "agent-untold"),
        (Fault::status(503), "tenant-unwell"),
        (Fault::rate_limited(Some("7")), "tenant-rate-limited"),
    ] {
        nothing();
        sandbox.control().once(Endpoint::Messages, fault.clone());
        assert_eq!(find(&sandbox).await.unwrap_err().code(), code, "{fault:?}");
    }
    let plain = url::Url::parse("http://agent.example/agents/a").unwrap();
    assert_eq!(find_agent(&http(), &SystemClock, &plain).await.unwrap_err(), FindError::Insecure);
}
