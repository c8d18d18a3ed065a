//! Tokens, handshakes, closes, pauses and pings.

use super::*;

#[test]
fn nothing_is_tried_before_somebody_is_signed_in() {
    let mut table = Table::new();
    assert_eq!((table.link(), table.effects()), (LinkState::Connecting, vec![]), "the vault is still being asked");
    table.machine.presence(Presence::Absent);
    assert_eq!((table.link(), table.effects()), (LinkState::SignInNeeded { why: None }, vec![Effect::Cut]));
    table.machine.presence(Presence::Signing);
    assert_eq!((table.link(), table.effects()), (LinkState::SignInNeeded { why: None }, vec![]));
    table.machine.presence(Presence::Present(ADA.to_owned()));
    assert_eq!((table.link(), table.effects()), (LinkState::Connecting, vec![Effect::Token { after_rejection: false }]));
}

#[test]
fn a_connect_is_token_socket_messages_and_one_probe() {
    let mut table = Table::signed_in();
    let written = table.connect(vec![user("u1", "hello"), said("a1", "Hello.")]);
    assert_eq!(kinds(&written), ["stream_resume_request"]);
    assert!(written[0]["probeId"].as_str().is_some_and(|id| id.len() == 8), "{written:?}");
    assert_eq!(table.shown(), ["hello", "Hello."]);
}

#[test]
fn every_refusal_has_its_state() {
    let paused = |table: &Table, why: &LinkError| match table.link() {
        LinkState::Offline { retry_in: Some(_), why: told } => told == *why,
        _ => false,
    };
    for error in [
        LinkError::Unreachable,
        LinkError::Obstacle(Obstacle::Insecure),
        LinkError::Obstacle(Obstacle::CertificateExpired),
        LinkError::Obstacle(Obstacle::ProxyRefused),
        LinkError::TimedOut,
        LinkError::Broken,
        LinkError::Intercepted { status: 302 },
        LinkError::Unwell { status: 503, retry_in: None },
        LinkError::RateLimited { retry_in: None },
    ] {
        let mut table = Table::signed_in();
        table.machine.token(Ok(lease()), table.now);
        table.machine.refused(error.clone(), table.now);
        assert!(paused(&table, &error), "{error:?}: {:?}", table.link());
        assert_eq!(table.effects(), [Effect::Connect, Effect::Cut]);
        table.pass(secs(31));
        assert_eq!(
            table.effects(),
            [Effect::Token { after_rejection: false }],
            "{error:?} is tried again with a token that is asked for anew"
        );
    }
    for error in [
        LinkError::Forbidden { text: "This chat is not yours.".to_owned() },
        LinkError::NoSuchAgent { status: 404, text: String::new() },
        LinkError::Unexpected { status: 418 },
        LinkError::NotAnAgent("x"),
        LinkError::Obstacle(Obstacle::ProxyWantsPassword),
        LinkError::LoginPage { host: "team.example".to_owned() },
    ] {
        let mut table = Table::signed_in();
        table.machine.token(Ok(lease()), table.now);
        table.machine.refused(error.clone(), table.now);
        assert_eq!(table.link(), LinkState::Refused(error.clone()));
        assert_eq!(table.machine.deadline(), None, "{error:?} is not tried again by itself");
        table.effects();
        table.machine.reconnect(table.now);
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }], "but when somebody asks for it");
    }
}

#[test]
fn a_refused_token_is_replaced_once_then_a_person_has_to_sign_in() {
    for at_messages in [false, true] {
        let mut table = Table::signed_in();
        for after_rejection in [true, false] {
            table.machine.token(Ok(lease()), table.now);
            if at_messages {
                table.machine.opened(table.now);
                table.machine.history(Err(LinkError::Rejected), table.now);
            } else {
                table.machine.refused(LinkError::Rejected, table.now);
            }
            let asked = table.effects().contains(&Effect::Token { after_rejection: true });
            assert_eq!(asked, after_rejection, "once");
        }
        assert_eq!((table.link(), table.machine.deadline()), (LinkState::SignInNeeded { why: Some(LinkError::Rejected) }, None));
        // News of the same session is no new sign-in.
        table.machine.presence(Presence::Present(ADA.to_owned()));
        assert_eq!(table.effects(), []);
        table.machine.presence(Presence::Signing);
        table.machine.presence(Presence::Present(ADA.to_owned()));
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    }
}

#[test]
fn token_errors_are_sorted_by_what_helps() {
    let trouble = |retry_in| TokenError::Transient(Trouble::RateLimited { retry_in });
    let mut table = Table::signed_in();
    table.machine.token(Err(trouble(Some(secs(7)))), table.now);
    let why = LinkError::Token(trouble(Some(secs(7))));
    assert_eq!(table.link(), LinkState::Offline { retry_in: Some(secs(7)), why }, "as long as the tenant asked for");
    table.pass(secs(7));
    assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    table.machine.token(Err(TokenError::Malformed("x")), table.now);
    let why = LinkError::Token(TokenError::Malformed("x"));
    assert_eq!((table.link(), table.machine.deadline()), (LinkState::Offline { retry_in: None, why }, None));
    table.machine.reconnect(table.now);
    let password = TokenError::Transient(Obstacle::ProxyWantsPassword.into());
    table.machine.token(Err(password.clone()), table.now);
    let why = LinkError::Token(password);
    assert_eq!((table.link(), table.machine.deadline()), (LinkState::Offline { retry_in: None, why }, None), "no account is locked");
    table.machine.reconnect(table.now);
    table.machine.token(Err(TokenError::SignedOut), table.now);
    assert_eq!(table.link(), LinkState::SignInNeeded { why: None }, "nobody is signed in");

    let mut table = Table::signed_in();
    table.machine.token(Err(TokenError::Closed), table.now);
    assert_eq!((table.link(), table.effects()), (LinkState::Closed, vec![Effect::Stop]));
}

#[test]
fn every_close_has_its_state() {
    for code in [1000, 1001, 1005, 1006, 1009, 1011, 1012, 1013, 3000] {
        let mut table = Table::online(vec![]);
        table.machine.closed(code, "", table.now);
        assert!(matches!(table.link(), LinkState::Offline { retry_in: Some(_), .. }), "{code}: {:?}", table.link());
        assert_eq!(table.effects(), [Effect::Cut]);
    }
    for code in [4000, 4001, 4999] {
        let mut table = Table::online(vec![]);
        table.machine.closed(code, "application", table.now);
        assert_eq!((table.link(), table.machine.deadline()), (LinkState::Refused(closed(code, "application")), None));
    }
}

#[test]
fn close_1008_is_answered_with_a_fresh_token_once_and_again_after_a_good_while() {
    let mut table = Table::online(vec![]);
    // A night without a word but pongs.
    table.now += secs(3600 * 8);
    table.machine.alive(table.now);
    for _ in 0..3 {
        table.machine.closed(1008, "Unauthorized", table.now);
        assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: true }], "an agent that slept has lost its tokens");
        table.connect(vec![]);
        table.pass(secs(11));
    }
}

#[test]
fn close_1008_again_and_again_is_met_with_pauses_and_believed_in_the_end() {
    let mut table = Table::online(vec![]);
    let reason = "This chat is not yours.";
    table.machine.closed(1008, reason, table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: true }]);
    for _ in 0..3 {
        table.connect(vec![]);
        table.machine.closed(1008, reason, table.now);
        let LinkState::Offline { retry_in: Some(pause), why } = table.link() else { panic!("it waits: {:?}", table.link()) };
        assert_eq!((why, table.effects()), (closed(1008, reason), vec![Effect::Cut]));
        table.pass(pause);
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    }
    table.connect(vec![]);
    table.machine.closed(1008, reason, table.now);
    assert_eq!(table.link(), LinkState::Refused(closed(1008, reason)), "no loop, and the reason is told");
    assert_eq!((table.effects(), table.machine.deadline()), (vec![Effect::Cut], None));
}

#[test]
fn pauses_grow_until_a_connection_was_good() {
    let mut table = Table::signed_in();
    let mut pauses = Vec::new();
    for _ in 0..12 {
        table.connect(vec![]);
        table.machine.lost(LinkError::Broken, table.now);
        let LinkState::Offline { retry_in: Some(pause), .. } = table.link() else { panic!("it waits") };
        pauses.push(pause);
        table.pass(pause);
        table.effects();
    }
    let timing = Timing::default();
    for (failures, pause) in (1..).zip(&pauses) {
        assert!((timing.backoff(failures, 0)..=timing.backoff(failures, u16::MAX)).contains(pause), "{failures}: {pause:?}");
    }
    assert!(*pauses.last().unwrap() >= secs(15));
    table.connect(vec![]);
    table.pass(timing.stable);
    table.machine.lost(LinkError::Broken, table.now);
    let LinkState::Offline { retry_in: Some(pause), .. } = table.link() else { panic!("it waits") };
    assert!(pause <= timing.backoff_base, "{pause:?}");
}

#[test]
fn a_pause_that_the_agent_asked_for_is_kept() {
    for error in [LinkError::RateLimited { retry_in: Some(secs(90)) }, LinkError::Unwell { status: 503, retry_in: Some(secs(90)) }] {
        let mut table = Table::signed_in();
        table.machine.token(Ok(lease()), table.now);
        table.machine.refused(error.clone(), table.now);
        assert_eq!(table.link(), LinkState::Offline { retry_in: Some(secs(90)), why: error });
        table.effects();
        table.pass(secs(89));
        assert_eq!(table.effects(), []);
        table.pass(secs(1));
        assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    }
}

#[test]
fn reconnect_ends_a_pause_and_checks_an_open_socket() {
    let mut table = Table::online(vec![]);
    table.machine.lost(LinkError::Broken, table.now);
    table.effects();
    table.machine.reconnect(table.now);
    assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    table.machine.reconnect(table.now);
    assert_eq!(table.effects(), [], "it is connecting already");
    table.connect(vec![]);
    table.idle();

    table.machine.reconnect(table.now);
    assert_eq!(table.effects(), [Effect::Ping]);
    table.pass(secs(4));
    table.machine.alive(table.now);
    table.pass(secs(5));
    assert_eq!(table.link(), LinkState::Online, "it has answered");
    table.machine.reconnect(table.now);
    table.effects();
    table.pass(secs(5));
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: false }], "it has not, and nobody has to wait for another");
    assert_eq!(table.link(), LinkState::Connecting);
}

#[test]
fn waking_up_ends_every_wait_and_trusts_nothing_that_was_under_way() {
    let connects = [Effect::Token { after_rejection: false }];
    let mut table = Table::signed_in();
    for _ in 0..12 {
        table.machine.token(Err(TokenError::Transient(Trouble::Unreachable)), table.now);
        table.pass(secs(31));
        table.effects();
    }
    table.machine.token(Err(TokenError::Transient(Trouble::Unreachable)), table.now);
    table.machine.wake(table.now);
    assert_eq!(table.effects(), connects, "a pause");
    table.machine.token(Err(TokenError::Transient(Trouble::Unreachable)), table.now);
    let LinkState::Offline { retry_in: Some(pause), .. } = table.link() else { panic!("it waits") };
    assert!(pause <= Timing::default().backoff_base, "pauses begin anew: {pause:?}");

    table.machine.wake(table.now);
    table.machine.wake(table.now);
    assert_eq!(table.effects(), connects, "the session has one request out, and looks after it itself");
    table.machine.token(Ok(lease()), table.now);
    table.effects();
    table.machine.wake(table.now);
    assert_eq!(table.effects(), [&[Effect::Cut], &connects[..]].concat(), "a handshake");
    table.machine.token(Ok(lease()), table.now);
    table.machine.opened(table.now);
    table.effects();
    table.machine.wake(table.now);
    assert_eq!(table.effects(), [&[Effect::Cut], &connects[..]].concat(), "the messages on their way");

    let mut table = Table::signed_in();
    table.machine.token(Ok(lease()), table.now);
    table.machine.refused(LinkError::NoSuchAgent { status: 404, text: String::new() }, table.now);
    table.effects();
    table.machine.wake(table.now);
    assert_eq!(table.effects(), connects, "another network may know the agent");
    table.machine.presence(Presence::Absent);
    table.effects();
    table.machine.wake(table.now);
    assert_eq!(table.effects(), [], "there is nobody to connect for");
    table.machine.close();
    table.effects();
    table.machine.wake(table.now);
    assert_eq!((table.link(), table.effects()), (LinkState::Closed, vec![]));
}

#[test]
fn an_open_socket_survives_a_sleep_if_it_answers_and_its_token_is_good() {
    let mut table = Table::online(vec![]);
    table.machine.wake(table.now);
    assert_eq!(table.effects(), [Effect::Ping, Effect::Token { after_rejection: false }]);
    table.machine.wake(table.now);
    assert_eq!(table.effects(), [Effect::Ping], "the session is asked once");
    table.machine.alive(table.now);
    table.machine.token(Ok(lease()), table.now);
    table.pass(secs(10));
    assert_eq!((table.link(), table.effects()), (LinkState::Online, vec![]));

    // The clock stood still, the token's life did not.
    table.machine.wake(table.now);
    table.effects();
    table.machine.alive(table.now);
    let newer = Lease { fresh_until: lease().fresh_until + secs(5), expires: lease().expires + secs(5) };
    table.machine.token(Ok(newer), table.now);
    assert_eq!((table.link(), table.effects()), (LinkState::Online, vec![Effect::Cut, Effect::Connect]));
}

#[test]
fn a_token_that_came_after_the_replacement_of_a_refused_one_may_be_refused_once_more() {
    let newer = |seconds: u64| Lease { fresh_until: secs(86_000 + seconds), expires: secs(86_400 + seconds) };
    let mut table = Table::signed_in();
    table.machine.token(Ok(lease()), table.now);
    table.machine.refused(LinkError::Rejected, table.now);
    table.machine.token(Ok(newer(1)), table.now);
    table.machine.refused(LinkError::Unreachable, table.now);
    // The lid is closed for a night, and the agent's clock is ahead.
    table.machine.wake(table.now);
    table.machine.token(Ok(newer(2)), table.now);
    table.effects();
    table.machine.refused(LinkError::Rejected, table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: true }], "nobody has to sign in for that");
    table.machine.token(Ok(newer(3)), table.now);
    table.machine.refused(LinkError::Rejected, table.now);
    assert_eq!(
        (table.link(), table.machine.deadline()),
        (LinkState::SignInNeeded { why: Some(LinkError::Rejected) }, None),
        "and no further"
    );
}

#[test]
fn a_silent_socket_is_pinged_and_given_up_within_45_seconds() {
    let mut table = Table::online(vec![]);
    table.pass(secs(20));
    assert_eq!(table.effects(), [Effect::Ping]);
    table.machine.alive(table.now);
    table.pass(secs(19));
    assert_eq!(table.effects(), []);
    table.pass(secs(1));
    assert_eq!(table.effects(), [Effect::Ping]);
    table.pass(secs(20));
    assert!(matches!(table.link(), LinkState::Offline { why: LinkError::Silent, .. }), "{:?}", table.link());
    assert_eq!(table.effects(), [Effect::Cut]);
}

#[test]
fn signing_out_drops_the_socket_and_signing_in_again_brings_it_back() {
    let mut table = Table::online(vec![user("u1", "hello")]);
    table.machine.presence(Presence::Absent);
    assert_eq!((table.link(), table.effects()), (LinkState::SignInNeeded { why: None }, vec![Effect::Cut]));
    assert!(!table.machine.reads());
    table.machine.reconnect(table.now);
    assert_eq!(table.effects(), [], "there is nobody to connect for");
    table.machine.presence(Presence::Signing);
    table.machine.presence(Presence::Present(ADA.to_owned()));
    assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
}

#[test]
fn another_account_does_not_get_to_see_the_conversation() {
    let mut table = Table::online(vec![user("u1", "hello")]);
    table.machine.presence(Presence::Absent);
    table.effects();
    table.machine.presence(Presence::Present("https://tenant.example/|grace".to_owned()));
    assert_eq!((table.link(), table.effects()), (LinkState::Closed, vec![Effect::Stop]));
    assert_eq!(table.send("hello"), Err(CommandError::Closed));
}

#[test]
fn what_comes_late_from_something_that_was_dropped_changes_nothing() {
    let mut table = Table::online(vec![]);
    table.machine.presence(Presence::Absent);
    table.effects();
    table.machine.token(Ok(lease()), table.now);
    table.machine.opened(table.now);
    table.machine.refused(LinkError::Rejected, table.now);
    table.machine.history(Ok(vec![user("u1", "x")]), table.now);
    table.machine.lost(LinkError::Broken, table.now);
    table.machine.closed(4000, "", table.now);
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": [{"id": "u1", "role": "user", "parts": []}]}));
    assert_eq!((table.link(), table.effects(), table.shown().len()), (LinkState::SignInNeeded { why: None }, vec![], 0));
}
