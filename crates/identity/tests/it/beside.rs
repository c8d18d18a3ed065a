//! A sign-in in one process beside a refresh in another.

use std::{sync::Arc, time::Duration};

use callbox_identity::{CallbackOutcome, Config, Session, SessionState};
use callbox_sandbox::{Endpoint, Fault, RefreshOutcome};

use crate::{
    refresh::outcomes,
    world::{ADA, Following, HOUR, World, config_for, elapse, until, visit},
};

const GRACE: &str = "grace@example.com";

/// A session as each of the processes has it.
fn shared(world: &World, folder: &std::path::Path, clock: &Arc<Following>) -> Session {
    let config = Config { clock: clock.clone(), ..config_for(&world.sandbox, world.keychain.vault()) };
    Session::spawn_shared(config, folder.join("locks"))
}

async fn subject(session: &Session) -> String {
    match until(session, |state| *state != SessionState::Restoring).await {
        SessionState::SignedIn { account, .. } => account.sub,
        state => panic!("{state:?}"),
    }
}

/// One process asks for a new token and another one signs in before the tenant has answered. What the keychain holds then is the sign-in, for
/// whomever it was, and what came of the refresh has harmed nobody.
#[tokio::test]
async fn a_sign_in_waits_for_the_refresh_of_another_process_and_is_what_the_keychain_holds_then() {
    for (person, sub) in [(ADA, "sandbox|ada"), (GRACE, "sandbox|grace")] {
        let world = World::new().await;
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
        let (first, second) = (shared(&world, folder.path(), &clock), shared(&world, folder.path(), &clock));
        let start = first.begin_sign_in().await.unwrap();
        assert_eq!(first.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
        elapse(HOUR).await;

        // Longer than a sign-in takes that does not wait.
        world.control().once(Endpoint::Token, Fault::DelayReply { by: Duration::from_secs(1) });
        let refreshing = tokio::spawn(async move { (first.access_token().await, first) });
        world.control().until(|| !world.control().presented().is_empty()).await;
        let start = second.begin_sign_in().await.unwrap();
        assert_eq!(second.handle_callback(&visit(&start.url, person).await).await, CallbackOutcome::Completed);
        let (refreshed, first) = refreshing.await.unwrap();
        refreshed.unwrap();

        let third = shared(&world, folder.path(), &clock);
        assert_eq!(subject(&third).await, sub, "the sign-in came last");
        assert_eq!(third.access_token().await.unwrap().fingerprint(), second.access_token().await.unwrap().fingerprint());
        assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
        assert!(matches!(*first.state().borrow(), SessionState::SignedIn { .. }), "nobody is signed out for it");
        if person == ADA {
            // The first one goes on with the sign-in of the second.
            elapse(HOUR).await;
            let tokens = (first.access_token().await.unwrap(), second.access_token().await.unwrap());
            assert_eq!(tokens.0.fingerprint(), tokens.1.fingerprint());
            let families: Vec<u64> = world.control().presented().iter().map(|presented| presented.family).collect();
            assert_eq!(families, [1, 2]);
        }
    }
}

#[tokio::test]
async fn two_sign_ins_at_once_leave_one_session_for_all() {
    let world = World::new().await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    let sessions: Vec<_> = (0..4).map(|_| shared(&world, folder.path(), &clock)).collect();
    let mut links = Vec::new();
    for session in &sessions {
        links.push(visit(&session.begin_sign_in().await.unwrap().url, ADA).await);
    }
    let waiting: Vec<_> = sessions
        .iter()
        .cloned()
        .zip(links)
        .map(|(session, link)| tokio::spawn(async move { session.handle_callback(&link).await }))
        .collect();
    for outcome in waiting {
        assert_eq!(outcome.await.unwrap(), CallbackOutcome::Completed);
    }
    elapse(HOUR).await;
    let mut prints = Vec::new();
    for session in &sessions {
        prints.push(session.access_token().await.unwrap().fingerprint());
    }
    prints.dedup();
    assert_eq!(prints.len(), 1, "all of them go on with one of the sign-ins");
    assert_eq!(outcomes(&world), [(1, RefreshOutcome::Rotated)]);
}

#[tokio::test]
async fn who_looks_finds_the_sign_in_of_another_process_and_none_that_is_over() {
    let world = World::new().await;
    let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(Following::new()));
    let (first, second) = (shared(&world, folder.path(), &clock), shared(&world, folder.path(), &clock));
    let signed_out = SessionState::SignedOut { reason: None };
    assert_eq!(until(&first, |state| *state != SessionState::Restoring).await, signed_out);
    first.look_again().await;
    let start = second.begin_sign_in().await.unwrap();
    assert_eq!(second.handle_callback(&visit(&start.url, ADA).await).await, CallbackOutcome::Completed);
    first.look_again().await;
    until(&first, |state| matches!(state, SessionState::SignedIn { .. })).await;
    assert_eq!(subject(&first).await, "sandbox|ada");
    assert_eq!(first.access_token().await.unwrap().fingerprint(), second.access_token().await.unwrap().fingerprint());

    // What is over does not come back, however often somebody looks.
    first.sign_out().await;
    for _ in 0..3 {
        first.look_again().await;
        first.access_token().await.unwrap_err();
    }
    assert_eq!(*first.state().borrow(), signed_out);
}
