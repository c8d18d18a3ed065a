//! Links that are not what they seem.

use callbox_identity::{CallbackOutcome, Ignored, Session, SessionState, SignInError, SignInStage};
use callbox_sandbox::{Endpoint, ResponseIss};
use callbox_vault::Vault;

use crate::world::{ADA, GRACE, World, config_for, param, visit};

const BASE: &str = "dev.callbox.desktop://callback";

/// Hands over links that must change nothing, and then the real one.
async fn nothing_changes(links: impl Fn(&str) -> Vec<(String, Ignored)>) {
    let world = World::new().await;
    let start = world.begin().await;
    let waiting = SessionState::SigningIn { attempt: start.attempt, stage: SignInStage::WaitingForBrowser };
    let real = visit(&start.url, ADA).await;
    for (link, why) in links(&real) {
        assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(why), "{link:.120}");
        assert_eq!(world.state(), waiting);
    }
    assert_eq!(world.requests(Endpoint::Token), 0);
    assert_eq!(world.session.handle_callback(&real).await, CallbackOutcome::Completed);
}

#[tokio::test]
async fn a_forged_error_link_is_ignored() {
    nothing_changes(|_| {
        vec![
            (format!("{BASE}?error=access_denied"), Ignored::Unknown),
            (format!("{BASE}?error=access_denied&error_description=call+us&state=guess"), Ignored::Unknown),
            (format!("{BASE}?error=access_denied&state="), Ignored::Unknown),
        ]
    })
    .await;
}

#[tokio::test]
async fn malformed_duplicate_and_oversized_links_are_ignored() {
    nothing_changes(|real| {
        let state = param(real, "state");
        vec![
            (format!("{BASE}?code=a&code=b&state={state}"), Ignored::Malformed),
            (format!("{BASE}?code=a&state={state}&state={state}"), Ignored::Malformed),
            (format!("{real}&state={state}"), Ignored::Malformed),
            (format!("{real}&{}", "x".repeat(1 << 20)), Ignored::TooLong),
            (format!("{real}&x=%00"), Ignored::Malformed),
            (format!("{real}#fragment"), Ignored::Malformed),
            (format!("{BASE}?state={state}"), Ignored::Malformed),
            (real.replace("://callback", "://user@callback"), Ignored::NotOurs),
            (real.replace("://callback", "://callback/extra"), Ignored::NotOurs),
            (real.replace("dev.callbox.desktop", "https"), Ignored::NotOurs),
            ("dev.callbox.desktop://logout".to_owned(), Ignored::Malformed),
            (format!("dev.callbox.desktop://logout?code=a&state={state}"), Ignored::NotOurs),
            (format!("{BASE}?logout=1"), Ignored::Unknown),
            (String::new(), Ignored::Malformed),
            ("callbox".to_owned(), Ignored::Malformed),
        ]
    })
    .await;
}

#[tokio::test]
async fn a_replay_is_ignored_during_and_after_the_exchange() {
    let world = World::new().await;
    let start = world.begin().await;
    let link = visit(&start.url, ADA).await;
    let (first, second) = tokio::join!(world.session.handle_callback(&link), world.session.handle_callback(&link));
    assert_eq!((first, second), (CallbackOutcome::Completed, CallbackOutcome::Ignored(Ignored::AlreadyUsed)));
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::AlreadyUsed));
    assert_eq!(world.requests(Endpoint::Token), 1);
    assert_eq!(world.control().live_families(), 1);
    assert!(world.is_signed_in());
}

#[tokio::test]
async fn login_csrf_gives_the_attacker_nothing() {
    let world = World::new().await;
    let attacker = Session::spawn(config_for(&world.sandbox, Vault::memory()));
    let page = attacker.begin_sign_in().await.unwrap().url;
    let theirs = visit(&page, GRACE).await;

    // Their code under their state: nobody here knows that state.
    let start = world.begin().await;
    assert_eq!(world.session.handle_callback(&theirs).await, CallbackOutcome::Ignored(Ignored::Unknown));
    // Their code under our state: it belongs to another verifier.
    let ours = visit(&start.url, ADA).await;
    let injected = ours.replace(&param(&ours, "code"), &param(&theirs, "code"));
    assert_ne!(ours, injected);
    assert_eq!(world.session.handle_callback(&injected).await, CallbackOutcome::Failed(SignInError::CodeRejected));
    assert!(!world.is_signed_in());
    assert!(world.keychain.is_empty());
}

#[tokio::test]
async fn a_code_of_another_tenant_is_presented_to_neither() {
    for (setting, asked) in [(ResponseIss::On, 0), (ResponseIss::Off, 1)] {
        let (honest, other) = (World::new().await, World::new().await);
        honest.control().set_response_iss(setting.clone());
        other.control().set_response_iss(setting.clone());
        let (start, theirs) = (honest.begin().await, other.begin().await);
        let code_of_theirs = visit(&theirs.url, ADA).await;
        // As it is, it belongs to nobody here.
        assert_eq!(honest.session.handle_callback(&code_of_theirs).await, CallbackOutcome::Ignored(Ignored::Unknown));
        // Under our state it is from the wrong issuer, or, where no issuer is named, nothing that our tenant knows; theirs is not asked.
        let mixed = code_of_theirs.replace(&param(&code_of_theirs, "state"), &param(start.url.as_str(), "state"));
        let wanted = if setting == ResponseIss::On { SignInError::WrongIssuer } else { SignInError::CodeRejected };
        assert_eq!(honest.session.handle_callback(&mixed).await, CallbackOutcome::Failed(wanted), "{setting:?}");
        assert!(!honest.is_signed_in());
        assert_eq!((honest.requests(Endpoint::Token), other.requests(Endpoint::Token)), (asked, 0), "{setting:?}");
    }
}

#[tokio::test]
async fn the_issuer_must_be_named_where_the_tenant_says_that_it_names_it() {
    for (setting, accepted) in [
        (ResponseIss::On, true),
        (ResponseIss::Off, true),
        (ResponseIss::Missing, false),
        (ResponseIss::Wrong("https://evil.example/".to_owned()), false),
    ] {
        let world = World::new().await;
        world.control().set_response_iss(setting.clone());
        let expected = if accepted { CallbackOutcome::Completed } else { CallbackOutcome::Failed(SignInError::WrongIssuer) };
        assert_eq!(world.sign_in().await, expected, "{setting:?}");
        assert_eq!(world.requests(Endpoint::Token), u64::from(accepted), "a code of another issuer is not presented");
    }
}

#[tokio::test]
async fn an_issuer_in_another_spelling_or_on_an_error_is_refused_and_its_words_are_not_shown() {
    let issuer_of = |world: &World| world.sandbox.issuer().to_string();
    let world = World::new().await;
    let start = world.begin().await;
    let link = visit(&start.url, ADA).await;
    let bare = issuer_of(&world).trim_end_matches('/').to_owned();
    let state = param(&link, "state");
    let bare = format!("{BASE}?code={}&state={state}&iss={bare}", param(&link, "code"));
    assert_eq!(world.session.handle_callback(&bare).await, CallbackOutcome::Failed(SignInError::WrongIssuer));

    let start = world.begin().await;
    let state = param(start.url.as_str(), "state");
    let lie = format!("{BASE}?error=server_error&error_description=Visit+evil.example&state={state}&iss=https%3A%2F%2Fevil.example%2F");
    let outcome = world.session.handle_callback(&lie).await;
    assert_eq!(outcome, CallbackOutcome::Failed(SignInError::WrongIssuer));
    assert!(!SignInError::WrongIssuer.to_string().contains("evil"));
}

#[tokio::test]
async fn a_person_who_declines_ends_the_attempt() {
    let world = World::new().await;
    let start = world.begin().await;
    let (state, iss) = (param(start.url.as_str(), "state"), world.sandbox.issuer());
    let link = format!("{BASE}?error=access_denied&error_description=User+declined&state={state}&iss={iss}");
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Failed(SignInError::Declined));
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::AlreadyUsed));
}

#[tokio::test]
async fn a_link_that_was_pasted_with_its_line_end_is_good() {
    let world = World::new().await;
    let start = world.begin().await;
    let link = format!("  {}\r\n", visit(&start.url, ADA).await);
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Completed);
}
