//! Accounts at other services: connected at the tenant's page by the same refresh token, with everything that can go wrong on the way.

use std::{sync::Arc, time::Duration};

use callbox_identity::{
    CallbackOutcome, ConnectError, ConnectStart, ConnectedAccount, Ignored, LOOPBACK, Retry, Session, SessionState, SignedOutReason,
    SystemClock, SystemEntropy, TokenError, Trouble,
};
use callbox_sandbox::{Endpoint, Fault, Page, RefreshOutcome, Visitor};
use serde_json::json;

use crate::{
    refresh::outcomes,
    world::{GRACE, World, config_for, elapse, param, profile, until, visit},
};

const CALENDAR: &str = "sandbox-calendar";

fn scopes(list: &[&str]) -> Vec<String> {
    list.iter().map(|scope| (*scope).to_owned()).collect()
}

/// The person at the tenant's page; the link comes back.
async fn answer(start: &ConnectStart, action: &str) -> String {
    let mut visitor = Visitor::new().unwrap();
    let Page::Shown { url, html, .. } = visitor.open(&start.url).await.unwrap() else { panic!("a page") };
    assert!(html.contains("Connect Sandbox Calendar?"), "{html}");
    match visitor.submit(&url, &[("action", action)]).await.unwrap() {
        Page::Left(link) => link,
        Page::Shown { html, .. } => panic!("the way back, not {html}"),
    }
}

async fn connect(session: &Session, wanted: &[&str]) -> Result<ConnectedAccount, ConnectError> {
    let start = session.begin_connect(CALENDAR, &scopes(wanted)).await?;
    let link = answer(&start, "accept").await;
    let outcome = session.handle_callback(&link).await;
    let account = start.finished().await?;
    assert_eq!(outcome, CallbackOutcome::Connected(account.clone()), "the link and whoever waits are told the same");
    Ok(account)
}

fn over_connect_code(link: &str) -> String {
    link.replacen("connect_code=", "code=", 1)
}

#[tokio::test]
async fn an_account_is_connected_listed_and_disconnected() {
    let world = World::signed_in().await;
    let before = world.session.access_token().await.unwrap();
    assert_eq!(world.session.connected_accounts().await, Ok(Vec::new()));
    let account = connect(&world.session, &["calendar.read"]).await.unwrap();
    assert_eq!((account.connection.as_str(), account.scopes.as_slice()), (CALENDAR, scopes(&["calendar.read"]).as_slice()));
    assert_eq!(world.session.connected_accounts().await, Ok(vec![account.clone()]));
    world.session.disconnect(&account).await.unwrap();
    world.session.disconnect(&account).await.expect("what is gone is gone");
    assert_eq!(world.session.connected_accounts().await, Ok(Vec::new()));
    let after = world.session.access_token().await.unwrap();
    assert_eq!(after.fingerprint(), before.fingerprint(), "the agent's token is another matter");
    assert_eq!(world.requests(Endpoint::Token), 2, "the sign-in's, and one for all of it");
}

#[tokio::test]
async fn what_was_granted_before_is_asked_for_again_beside_what_is_new() {
    let world = World::signed_in().await;
    connect(&world.session, &["calendar.read"]).await.unwrap();
    let account = connect(&world.session, &["contacts.read"]).await.unwrap();
    assert_eq!(account.scopes, scopes(&["calendar.read", "contacts.read"]), "the tenant replaces the one by the other");
    assert_eq!(world.session.connected_accounts().await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_code_may_come_in_the_fragment_and_never_in_both() {
    let world = World::signed_in().await;
    world.control().set(|settings| settings.connect_in_fragment = true);
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let link = answer(&start, "accept").await;
    assert!(link.contains("#connect_code="), "{link}");
    let both = link.replacen('#', &format!("?{}#", link.split_once('#').unwrap().1), 1);
    assert_eq!(world.session.handle_callback(&both).await, CallbackOutcome::Ignored(Ignored::Malformed));
    assert!(matches!(world.session.handle_callback(&link).await, CallbackOutcome::Connected(_)), "the attempt was left alone");
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::AlreadyUsed));
    start.finished().await.unwrap();
}

#[tokio::test]
async fn a_link_with_another_state_changes_nothing() {
    let world = World::signed_in().await;
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let link = answer(&start, "accept").await;
    let state = param(&link, "state");
    for (forged, why) in [
        (link.replacen(&state, "another-state", 1), Ignored::Unknown),
        (link.replacen("dev.callbox.desktop://callback", "dev.callbox.desktop://callback/x", 1), Ignored::NotOurs),
        (over_connect_code(&link), Ignored::Malformed),
    ] {
        assert_eq!(world.session.handle_callback(&forged).await, CallbackOutcome::Ignored(why), "{forged}");
    }
    let wrong = format!("{link}&iss=https%3A%2F%2Fevil.example%2F");
    assert_eq!(world.session.handle_callback(&wrong).await, CallbackOutcome::NotConnected(ConnectError::WrongIssuer));
    assert_eq!(start.finished().await, Err(ConnectError::WrongIssuer));
    // A sign-in that waits beside it is not touched by any of this, and is not taken for one.
    let sign_in = world.session.begin_sign_in().await.unwrap();
    let link = visit(&sign_in.url, GRACE).await;
    assert_eq!(
        world.session.handle_callback(&link.replacen("code=", "connect_code=", 1)).await,
        CallbackOutcome::Ignored(Ignored::Unknown)
    );
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Completed);
}

#[tokio::test]
async fn whoever_declines_can_be_asked_again() {
    let world = World::signed_in().await;
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let link = answer(&start, "decline").await;
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::NotConnected(ConnectError::Declined));
    assert_eq!(start.finished().await, Err(ConnectError::Declined));
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let late = answer(&start, "accept").await;
    world.session.cancel_connect();
    assert_eq!(start.finished().await, Err(ConnectError::Cancelled));
    assert_eq!(world.session.handle_callback(&late).await, CallbackOutcome::Ignored(Ignored::Over));
    connect(&world.session, &["calendar.read"]).await.unwrap();
}

#[tokio::test]
async fn an_agent_that_asks_again_right_after_consent_gets_no_further_page() {
    let world = World::signed_in().await;
    let account = connect(&world.session, &["calendar.read", "contacts.read"]).await.unwrap();
    let requests = world.requests(Endpoint::MyAccount);
    let error = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap_err();
    assert!(matches!(error, ConnectError::Loops { .. }) && matches!(error.retry(), Retry::Later(Some(_))), "{error:?}");
    assert_eq!(world.requests(Endpoint::MyAccount), requests, "nobody was asked");
    connect(&world.session, &["calendar.write"]).await.expect("more than that is another matter");
    world.session.disconnect(&account).await.unwrap();
    elapse(Duration::from_secs(300)).await;
    connect(&world.session, &["calendar.read"]).await.expect("so is what was given long ago");
}

#[tokio::test]
async fn a_connect_uri_on_a_foreign_origin_is_not_opened() {
    let world = World::signed_in().await;
    let page = "https://evil.example/connected-accounts/connect";
    let answer = json!({"auth_session": "a", "connect_uri": page, "connect_params": {"ticket": "t"}, "expires_in": 300});
    world.control().next(Endpoint::MyAccount, []);
    world.control().once(Endpoint::MyAccount, Fault::json(201, &answer));
    let error = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap_err();
    assert_eq!(error, ConnectError::ForeignPage);
}

#[tokio::test]
async fn hostile_names_and_too_many_scopes_are_not_asked_for() {
    let world = World::signed_in().await;
    for name in ["", "../../oauth/token", "google oauth2", "gооgle-oauth2", "a\u{202e}b"] {
        assert_eq!(world.session.begin_connect(name, &[]).await.unwrap_err(), ConnectError::Connection, "{name}");
    }
    assert_eq!(world.requests(Endpoint::MyAccount), 0);
    let many: Vec<String> = (0..101).map(|n| format!("s{n}")).collect();
    assert_eq!(world.session.begin_connect(CALENDAR, &many).await.unwrap_err(), ConnectError::TooMany);
    let refused = world.session.begin_connect("nobody-knows-it", &[]).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::Refused(problem) if problem.status == 400), "{refused:?}");
}

#[tokio::test]
async fn an_attempt_is_over_after_five_minutes_and_with_the_session() {
    let world = World::signed_in().await;
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let link = answer(&start, "accept").await;
    elapse(Duration::from_secs(300)).await;
    assert_eq!(start.finished().await, Err(ConnectError::Expired));
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::Over));
    let start = world.session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    let link = answer(&start, "accept").await;
    world.session.sign_out().await;
    assert_eq!(start.finished().await, Err(ConnectError::Cancelled));
    assert_eq!(world.session.handle_callback(&link).await, CallbackOutcome::Ignored(Ignored::Over));
}

#[tokio::test]
async fn both_kinds_of_token_share_one_flight() {
    // No overlap: a second refresh beside the first would end the session.
    let world = World::signed_in().await;
    elapse(crate::world::HOUR).await;
    let tasks: Vec<_> = std::iter::repeat_n(world.session.clone(), 20)
        .map(|session| {
            tokio::spawn(async move {
                let (agent, accounts) = tokio::join!(session.access_token(), session.connected_accounts());
                (agent.map(|token| token.fingerprint()), accounts)
            })
        })
        .collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    let tokens: std::collections::HashSet<u64> = answers.iter().map(|(agent, _)| *agent.as_ref().unwrap()).collect();
    assert_eq!(tokens.len(), 1);
    assert!(answers.into_iter().all(|(_, accounts)| accounts == Ok(Vec::new())));
    let outcomes: Vec<RefreshOutcome> = world.control().presented().into_iter().map(|presented| presented.outcome).collect();
    assert_eq!(outcomes, [RefreshOutcome::Rotated, RefreshOutcome::Rotated], "one for each kind");
    let restarted = world.restart();
    elapse(crate::world::HOUR).await;
    restarted.access_token().await.expect("the newest refresh token is the one that was kept");
}

#[tokio::test]
async fn a_lost_reply_is_answered_by_the_same_token_here_too() {
    let world =
        World::signed_in_with(callbox_sandbox::SandboxConfig { refresh_overlap: Duration::from_secs(30), ..Default::default() }).await;
    world.control().once(Endpoint::Token, Fault::DropReply);
    world.session.connected_accounts().await.unwrap();
    let outcomes: Vec<RefreshOutcome> = world.control().presented().into_iter().map(|presented| presented.outcome).collect();
    assert_eq!(outcomes, [RefreshOutcome::Rotated, RefreshOutcome::Overlapped]);
    world.refreshed().await.unwrap();
}

#[tokio::test]
async fn a_tenant_that_does_not_offer_it_costs_no_session() {
    let world = World::signed_in().await;
    world.control().set(|settings| settings.my_account = false);
    assert_eq!(world.session.begin_connect(CALENDAR, &[]).await.unwrap_err(), ConnectError::NotOffered);
    world.control().set(|settings| settings.my_account = true);
    // One that leaves the scopes out without a word.
    world.control().once(Endpoint::Token, Fault::response("scope", json!("openid")));
    assert_eq!(world.session.begin_connect(CALENDAR, &[]).await.unwrap_err(), ConnectError::NotOffered);
    // One that wants to see the person first.
    let told = json!({"error": "unmet_authentication_requirements", "error_description": "2FA"});
    world.control().once(Endpoint::Token, Fault::json(403, &told));
    let error = world.session.begin_connect(CALENDAR, &[]).await.unwrap_err();
    assert!(matches!(error, ConnectError::Interaction(_)) && error.retry() == Retry::SignIn, "{error:?}");
    assert!(world.is_signed_in());
    world.refreshed().await.unwrap();
    connect(&world.session, &["calendar.read"]).await.expect("and it works when it does");
}

#[tokio::test]
async fn what_the_tenant_says_of_its_own_interface_ends_no_session() {
    let world = World::signed_in().await;
    for (status, error, requests) in [
        (400, "invalid_target", 1),
        (403, "access_denied", 1),
        (400, "invalid_scope", 1),
        (401, "invalid_client", 1),
        // The word that ends a session, said of another API: asked again of the agent's, once.
        (403, "invalid_grant", 2),
    ] {
        let before = world.requests(Endpoint::Token);
        world.control().once(Endpoint::Token, Fault::json(status, &json!({"error": error})));
        assert_eq!(world.session.connected_accounts().await, Err(ConnectError::NotOffered), "{error}");
        assert!(world.is_signed_in(), "{error}");
        assert_eq!(world.requests(Endpoint::Token) - before, requests, "{error}");
    }
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)], "by the one refresh for the agent");
    world.session.connected_accounts().await.expect("and it works when it does");
    world.refreshed().await.unwrap();
    assert_eq!(world.control().live_families(), 1);
}

#[tokio::test]
async fn a_session_that_is_over_ends_softly_by_the_word_about_the_agents_token_alone() {
    let world = World::signed_in().await;
    let refused = Fault::json(403, &json!({"error": "invalid_grant"}));
    // Nobody knows.
    world.control().once(Endpoint::Token, refused.clone());
    world.control().once(Endpoint::Token, Fault::status(503));
    let unwell = Trouble::Unwell { status: 503, retry_in: None };
    assert_eq!(world.session.connected_accounts().await, Err(unwell.into()));
    assert!(world.is_signed_in());
    // It is over.
    elapse(Duration::from_secs(60)).await;
    world.control().revoke_everything();
    let before = world.requests(Endpoint::Token);
    assert_eq!(world.session.connected_accounts().await, Err(ConnectError::Token(TokenError::SignedOut)));
    assert_eq!(world.requests(Endpoint::Token) - before, 2);
    let state = until(&world.session, |state| matches!(state, SessionState::SignedOut { .. })).await;
    assert!(matches!(state, SessionState::SignedOut { reason: Some(SignedOutReason::Ended { account }) } if account.sub == "sandbox|ada"));
}

#[tokio::test]
async fn a_session_for_a_resource_names_the_one_that_it_wants() {
    let mut world = World::new().await;
    let mut config = config_for(&world.sandbox, world.vault.clone());
    config.profile.resource = Some("http://127.0.0.1:9/agents/chat-agent".to_owned());
    world.session = Session::spawn(config);
    assert_eq!(world.sign_in().await, CallbackOutcome::Completed);
    assert_eq!(world.session.connected_accounts().await, Ok(Vec::new()));
    world.refreshed().await.unwrap();
    assert_eq!(outcomes(&world), [1, 2].map(|generation| (generation, RefreshOutcome::Rotated)), "the tenant's own, then the agent's");
}

#[tokio::test]
async fn each_refusal_is_told_and_a_refused_token_is_replaced() {
    let world = World::signed_in().await;
    for (fault, expected) in [
        (Fault::json(409, &json!({"title": "Conflict"})), ConnectError::Conflict),
        (Fault::rate_limited(Some("7")), Trouble::RateLimited { retry_in: Some(Duration::from_secs(7)) }.into()),
        (Fault::status(503), Trouble::Unwell { status: 503, retry_in: None }.into()),
        (Fault::html(), ConnectError::Malformed("it is not valid JSON")),
        (Fault::redirect("https://portal.example/"), Trouble::Intercepted { status: 302 }.into()),
        (Fault::status(404), ConnectError::NotOffered),
    ] {
        world.control().once(Endpoint::MyAccount, fault);
        assert_eq!(world.session.begin_connect(CALENDAR, &[]).await.unwrap_err(), expected);
    }
    let tokens = world.requests(Endpoint::Token);
    world.control().once(Endpoint::MyAccount, Fault::status(401));
    assert_eq!(world.session.begin_connect(CALENDAR, &[]).await.unwrap_err(), ConnectError::Rejected);
    connect(&world.session, &[]).await.unwrap();
    assert_eq!(world.requests(Endpoint::Token), tokens + 1);
}

#[tokio::test]
async fn where_loopback_is_the_only_way_back_an_account_takes_it_too() {
    let world = World::new().await;
    let config = callbox_identity::Config {
        profile: callbox_identity::Profile { redirect_uri: LOOPBACK.to_owned(), ..profile(&world.sandbox) },
        vault: world.keychain.vault(),
        http: crate::world::http(),
        clock: Arc::new(SystemClock),
        entropy: Arc::new(SystemEntropy),
    };
    let session = Session::spawn(config);
    let sign_in = session.begin_sign_in().await.unwrap();
    let arrive = async |link: String| crate::world::http().get(link).send().await.unwrap().status().as_u16();
    assert_eq!(arrive(visit(&sign_in.url, crate::world::ADA).await).await, 200);
    session.state().wait_for(|state| matches!(state, callbox_identity::SessionState::SignedIn { .. })).await.unwrap();
    let start = session.begin_connect(CALENDAR, &scopes(&["calendar.read"])).await.unwrap();
    assert_eq!(arrive(answer(&start, "accept").await).await, 200);
    assert_eq!(start.finished().await.unwrap().connection, CALENDAR);
}
