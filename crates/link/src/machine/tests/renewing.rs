//! Tokens that come to their end while the socket is open.

use super::*;

/// Online with a token of which a newer one can be had after ten minutes and that ends after eleven.
fn table() -> Table {
    let mut table = Table::signed_in();
    table.machine.token(Ok(Lease { fresh_until: secs(600), expires: secs(660) }), table.now);
    table.effects();
    table.machine.opened(table.now);
    table.machine.history(Ok(vec![]), table.now);
    table.effects();
    table.idle();
    table
}

/// Time passes, and the agent answers each ping.
fn live(table: &mut Table, until: u64) -> Vec<Effect> {
    let mut asked = Vec::new();
    while table.now < secs(until) {
        let next = table.machine.deadline().map_or(secs(until), |deadline| deadline.min(secs(until)));
        table.now = next.max(table.now);
        table.machine.time(table.now);
        for effect in table.effects() {
            match effect {
                Effect::Ping => table.machine.alive(table.now),
                effect => asked.push(effect),
            }
        }
    }
    asked
}

const ASK: Effect = Effect::Token { after_rejection: false };
const NEWER: Lease = Lease { fresh_until: Duration::from_secs(1200), expires: Duration::from_secs(1260) };

#[test]
fn an_idle_socket_is_replaced_when_the_newer_token_is_there() {
    let mut table = table();
    assert_eq!(live(&mut table, 599), []);
    assert_eq!(live(&mut table, 600), [ASK]);
    table.machine.token(Ok(NEWER), table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Connect]);
    assert_eq!(table.link(), LinkState::Online, "nobody has to know");
    table.machine.opened(table.now);
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.effects().len(), 2, "history and a question");
    assert_eq!(live(&mut table, 1200).last(), Some(&ASK), "and so on");
}

#[test]
fn a_running_answer_is_waited_for() {
    let mut table = table();
    table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    let chunk = |seq: u64, chunk: Value| json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": seq});
    table.frame(&chunk(0, json!({"type": "start", "messageId": "a1"})));
    table.now = secs(600);
    table.frame(&chunk(1, json!({"type": "text-start", "id": "t"})));
    assert_eq!(table.effects(), [ASK], "the newer token is asked for meanwhile");
    table.machine.token(Ok(NEWER), table.now);
    assert_eq!(table.effects(), []);
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "messageIds": ["a1"], "outcome": "completed"}));
    assert_eq!(table.effects(), [Effect::Cut, Effect::Connect]);
}

#[test]
fn an_answer_that_outlives_the_token_is_resumed_on_the_next_socket() {
    let mut table = table();
    table.send("hello").unwrap();
    let (request, _) = submitted(&table.written()[0]);
    table.frame(&json!({"type": "cf_agent_use_chat_response", "id": request, "body": json!({"type": "start", "messageId": "a1"}).to_string(), "done": false, "seq": 0}));
    table.now = secs(600);
    table.machine.alive(table.now);
    table.machine.time(table.now);
    assert!(table.effects().contains(&ASK));
    table.machine.token(Ok(NEWER), table.now);
    let asked = live(&mut table, 655);
    assert_eq!(asked[asked.len() - 2..], [Effect::Cut, Effect::Connect], "five seconds before its end");
    table.machine.opened(table.now);
    table.machine.history(Ok(vec![]), table.now);
    assert!(table.effects().iter().any(|effect| matches!(effect, Effect::Write(text) if text.contains("stream_resume_request"))));
}

#[test]
fn a_token_that_cannot_be_had_leaves_the_socket_alone() {
    let mut table = table();
    assert_eq!(live(&mut table, 600), [ASK]);
    table.machine.token(Err(TokenError::Transient(Trouble::Unreachable)), table.now);
    assert_eq!((table.link(), table.effects()), (LinkState::Online, vec![]));
    assert_eq!(live(&mut table, 616), [ASK], "it is asked for again");
    let pause = Some(Duration::from_secs(120));
    table.machine.token(Err(TokenError::Transient(Trouble::RateLimited { retry_in: pause })), table.now);
    assert_eq!(live(&mut table, 735), [], "as long as the tenant asked for");
    assert_eq!(live(&mut table, 737), [ASK]);
    // The socket breaks while the question is out: the answer to it is no answer to the next.
    table.machine.lost(LinkError::Broken, table.now);
    table.machine.token(Ok(NEWER), table.now);
    assert_eq!(table.effects(), [Effect::Cut]);
}

#[test]
fn a_token_that_is_stale_from_the_start_is_not_renewed_for_ever() {
    let mut table = Table::signed_in();
    table.machine.token(Ok(Lease::default()), table.now);
    table.effects();
    table.machine.opened(table.now);
    table.machine.history(Ok(vec![]), table.now);
    table.effects();
    table.idle();
    assert_eq!(live(&mut table, 300), []);
}

#[test]
fn an_agent_that_ends_the_old_token_early_gets_the_newer_one_and_the_tenant_is_not_asked_again() {
    let mut table = table();
    table.send("hello").unwrap();
    table.written();
    table.now = secs(600);
    table.machine.alive(table.now);
    table.machine.time(table.now);
    assert!(table.effects().contains(&ASK));
    table.machine.token(Ok(NEWER), table.now);
    assert_eq!(table.effects(), [], "the answer is still to come");
    table.machine.closed(1008, "The access token has expired.", table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Connect]);
    table.machine.refused(LinkError::Rejected, table.now);
    assert_eq!(table.effects(), [Effect::Cut, Effect::Token { after_rejection: true }], "and only then another one");
}
