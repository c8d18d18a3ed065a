//! An agent behind Cloudflare Access. Access itself cannot be had here: [`edge`] answers as it does, with managed OAuth and without.

mod edge;

use std::sync::Arc;

use callbox_identity::{
    CallbackOutcome, Config, FindError, LOOPBACK, Profile, RegistrationError, Session, SessionState, SignedOutReason, Step, SystemClock,
    SystemEntropy, TokenError, find_agent,
};
use callbox_vault::Vault;

use self::edge::{Allowed, Edge, Guard};
use crate::world::{HOUR, elapse, http, param};

async fn register(edge: &Edge) -> Result<Profile, RegistrationError> {
    let found = find_agent(&http(), &SystemClock, &edge.agent()).await.unwrap();
    found.register(&http(), &SystemClock, "access", "Callbox in a test").await
}

fn session(profile: Profile) -> Session {
    Session::spawn(Config { profile, vault: Vault::memory(), http: http(), clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) })
}

/// Opens the page as a browser does in which somebody is signed in: it is sent back at once.
async fn pass(session: &Session) -> CallbackOutcome {
    let start = session.begin_sign_in().await.unwrap();
    let sent = http().get(start.url).send().await.unwrap();
    assert_eq!(sent.status(), 302);
    let back = sent.headers()["location"].to_str().unwrap().to_owned();
    session.handle_callback(&back).await
}

#[tokio::test]
async fn access_with_managed_oauth_is_signed_in_at_from_the_address_alone() {
    let edge = Edge::start(Guard::ManagedOAuth(Allowed::Loopback)).await;
    let profile = register(&edge).await.unwrap();
    let steps = &profile.provenance;
    assert_eq!(steps[0], Step::Challenged { scheme: "bearer".to_owned() });
    // The document is about the whole origin, which is let pass, and told.
    let wide = |step: &Step| matches!(step, Step::Resource { at, identifier, wider: true } if *identifier == edge.origin() && at.path().contains("cloudflare-access-protected-resource"));
    assert!(wide(&steps[1]), "{steps:?}");
    assert!(matches!(&steps[2], Step::Tenant { issuer, .. } if issuer.as_str() == edge.team()), "{steps:?}");
    assert_eq!((profile.redirect_uri.as_str(), profile.scopes.is_empty()), (LOOPBACK, true));
    assert_eq!(edge.own_metadata_reads(), 0, "the origin speaks of the team's issuer, not of its own");

    let session = session(profile);
    assert_eq!(pass(&session).await, CallbackOutcome::Completed);
    let token = session.access_token().await.unwrap();
    let answer = http().get(edge.messages()).header("authorization", token.header_value()).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.text().await.unwrap()), (200, "[]".to_owned()));
    elapse(HOUR).await;
    let token = session.access_token().await.unwrap();
    assert_eq!(edge.refreshes(), 1);
    let answer = http().get(edge.messages()).header("authorization", token.header_value()).send().await.unwrap();
    assert_eq!(answer.status(), 200, "the new token is taken too");

    // Access asks its policies at each refresh.
    edge.close_the_door();
    elapse(HOUR).await;
    assert!(matches!(session.access_token().await, Err(TokenError::SignedOut)));
    assert!(matches!(&*session.state().borrow(), SessionState::SignedOut { reason: Some(SignedOutReason::Ended { .. }) }));
}

#[tokio::test]
async fn a_sign_out_at_access_revokes() {
    let edge = Edge::start(Guard::ManagedOAuth(Allowed::Loopback)).await;
    let session = session(register(&edge).await.unwrap());
    assert_eq!(pass(&session).await, CallbackOutcome::Completed);
    let out = session.sign_out().await;
    assert!(out.revoked && out.browser_logout.is_none(), "{out:?}");
    assert_eq!(edge.grants(), 0);
}

#[tokio::test]
async fn the_redirect_that_an_account_of_access_has_to_allow_is_named() {
    // Nothing is allowed until an administrator says so.
    let edge = Edge::start(Guard::ManagedOAuth(Allowed::Nothing)).await;
    let error = register(&edge).await.unwrap_err();
    assert_eq!(error.code(), "registration-redirect");
    assert!(error.to_string().contains("redirect_uri is not allowed by the account configuration"), "{error}");
    assert!(error.to_string().contains(LOOPBACK), "{error}");
    assert_eq!(edge.registrations(), 2, "with the app's own link, and without");

    // Both ways allowed, it is still this computer's port.
    let edge = Edge::start(Guard::ManagedOAuth(Allowed::Anything)).await;
    let session = session(register(&edge).await.unwrap());
    let start = session.begin_sign_in().await.unwrap();
    assert!(param(start.url.as_str(), "redirect_uri").starts_with("http://127.0.0.1:"));
    assert_eq!(edge.registrations(), 1);
}

#[tokio::test]
async fn every_way_in_which_access_keeps_apps_out_has_its_name() {
    for (guard, expected) in [
        (Guard::LoginPage { document: None }, FindError::PageBefore),
        (Guard::LoginPage { document: Some(edge::Document::WithoutServers) }, FindError::PageBefore),
        (Guard::LoginPage { document: Some(edge::Document::OfATeamWithoutOAuth) }, FindError::PageBefore),
        (Guard::ServicesOnly, FindError::Shut),
    ] {
        let edge = Edge::start(guard).await;
        assert_eq!(find_agent(&http(), &SystemClock, &edge.agent()).await.unwrap_err(), expected, "{guard:?}");
    }
}
