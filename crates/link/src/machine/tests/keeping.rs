//! Messages that outlive the process.

use super::*;

fn kept(table: &Table) -> Vec<(bool, Option<DeliveryError>)> {
    table.kept.iter().map(|entry| (entry.tried, entry.failed)).collect()
}

#[test]
fn nothing_is_shown_sent_or_promised_before_it_is_safe() {
    let mut table = Table::online(vec![]);
    table.machine.send("hello".to_owned()).unwrap();
    assert_eq!((table.deliveries(), table.machine.take_ops()), (vec![], vec![]));
    let Some(Effect::Save { number, entry }) = table.machine.effect() else { panic!("it is kept first") };
    assert!(entry.tried, "it is written as soon as it is safe, so one save is enough");
    assert_eq!(table.machine.effect(), None);
    table.machine.saved(number, true, table.now);
    assert_eq!((table.wrote(), table.shown()), (vec!["use_chat_request".to_owned()], vec!["hello".to_owned()]));
}

#[test]
fn what_cannot_be_kept_is_not_sent() {
    let mut table = Table::online(vec![]);
    table.disk_is_full = true;
    table.send("hello").unwrap();
    assert_eq!((table.deliveries(), table.wrote(), table.shown()), (vec![], vec![], vec![]));
    table.disk_is_full = false;
    table.send("hello again").unwrap();
    assert_eq!((table.wrote().len(), table.shown()), (1, vec!["hello again".to_owned()]));
}

#[test]
fn a_disk_that_fills_up_keeps_nothing_that_is_safe_from_being_sent() {
    let mut table = Table::signed_in();
    table.send("hello").unwrap();
    table.disk_is_full = true;
    assert_eq!(kinds(&table.connect(vec![])), ["use_chat_request", "stream_resume_request"]);
}

#[test]
fn a_message_is_marked_before_it_is_written_and_forgotten_when_the_agent_has_it() {
    let mut table = Table::signed_in();
    let id = table.send("hello").unwrap();
    assert_eq!(kept(&table), [(false, None)]);
    table.connect(vec![]);
    table.effects();
    assert_eq!((kept(&table), table.deliveries()), (vec![(true, None)], vec![DeliveryState::Sending]));
    table.frame(&json!({"type": "cf_agent_chat_messages", "messages": [{"id": id, "role": "user", "parts": []}]}));
    table.effects();
    assert_eq!((kept(&table), table.deliveries()), (vec![], vec![]));
}

#[test]
fn after_a_crash_a_message_that_was_written_is_looked_up_before_it_is_sent_again() {
    let mut before = Table::online(vec![]);
    let id = before.send("hello").unwrap();
    assert_eq!(before.wrote(), ["use_chat_request"]);

    let mut table = before.restarted();
    assert_eq!((table.deliveries(), table.shown()), (vec![DeliveryState::Sending], vec!["hello".to_owned()]), "nobody knows");
    assert_eq!(table.machine.discard(&id), Err(CommandError::NoSuchMessage), "it cannot be taken back");
    assert_eq!(kinds(&table.connect(vec![user(&id, "hello")])), ["stream_resume_request"]);
    table.effects();
    assert_eq!((table.deliveries(), kept(&table)), (vec![], vec![]), "the agent has it");

    let mut table = before.restarted();
    let history = vec![user("u1", "earlier"), said("a1", "Yes.")];
    let written = table.connect(history);
    let (_, messages) = resubmitted(&written[0]);
    assert_eq!(messages.len(), 3, "with the whole conversation, as after a drop");
    assert_eq!((messages[2]["id"].as_str(), table.deliveries()), (Some(id.as_str()), vec![DeliveryState::Sending]));
}

#[test]
fn after_a_crash_the_order_is_as_before_and_what_was_never_written_can_be_dropped() {
    let mut before = Table::signed_in();
    let ids: Vec<String> = ["one", "two", "three"].map(|text| before.send(text).unwrap()).into();
    let mut table = before.restarted();
    assert_eq!(table.deliveries(), [DeliveryState::Queued; 3]);
    table.machine.discard(&ids[1]).unwrap();
    let written = table.connect(vec![]);
    let requests = written.iter().filter(|frame| frame["type"] == "cf_agent_use_chat_request");
    let texts: Vec<Value> = requests.map(|frame| resubmitted(frame).1.last().unwrap()["parts"][0]["text"].clone()).collect();
    assert_eq!(texts, ["one", "three"]);
}

#[test]
fn a_failure_is_remembered_until_somebody_decides() {
    let mut before = Table::signed_in();
    let id = before.send("hello").unwrap();
    before.machine.cancel(before.now).unwrap();
    before.effects();
    assert_eq!(kept(&before), [(false, Some(DeliveryError::Cancelled))]);

    let mut table = before.restarted();
    table.connect(vec![]);
    table.effects();
    assert_eq!(table.deliveries(), [DeliveryState::Failed(DeliveryError::Cancelled)], "it is not sent by itself");
    table.machine.retry(&id, table.now).unwrap();
    assert_eq!((table.wrote(), kept(&table)), (vec!["use_chat_request".to_owned()], vec![(true, None)]));

    let mut table = before.restarted();
    table.machine.discard(&id).unwrap();
    table.effects();
    assert_eq!((kept(&table), table.shown()), (vec![], vec![]));
}

#[test]
fn an_outbox_that_cannot_be_read_is_told_and_the_talk_goes_on() {
    let mut table = Table::new();
    let error = OutboxError { code: "store-busy", text: "Busy.".to_owned(), retry: callbox_identity::Retry::Later(None) };
    table.machine.restore(Err(error.clone()));
    assert_eq!(table.machine.status().error, Some(TurnError::OutboxUnreadable(error)));
    table.machine.presence(Presence::Present(ADA.to_owned()));
    table.effects();
    table.connect(vec![]);
    table.send("hello").unwrap();
    assert_eq!(table.wrote(), ["use_chat_request"]);
}

#[test]
fn a_message_that_may_still_be_on_its_way_is_given_the_time_to_arrive() {
    let mut before = Table::online(vec![]);
    let id = before.send("hello").unwrap();
    let mut table = before.restarted();
    table.machine.timing.doubt = secs(3);
    assert_eq!(kinds(&table.connect(vec![])), ["stream_resume_request"], "not there yet, and not sent again yet");
    table.idle();
    table.send("second").unwrap();
    table.machine.alive(table.now);
    assert_eq!(table.effects(), [], "the order is kept");
    table.pass(Duration::from_millis(2_900));
    assert_eq!(table.effects(), []);
    table.pass(Duration::from_millis(100));
    assert_eq!(table.effects(), [Effect::History], "looked up once more");

    // It has arrived.
    let mut arrived = table;
    arrived.machine.history(Ok(vec![user(&id, "hello")]), arrived.now);
    let (_, message) = submitted(&arrived.written()[0]);
    assert_eq!(message["parts"][0]["text"], "second");

    // It has not.
    let mut table = before.restarted();
    table.machine.timing.doubt = secs(3);
    table.connect(vec![]);
    table.idle();
    table.pass(secs(3));
    assert_eq!(table.effects(), [Effect::History]);
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(resubmitted(&table.written()[0]).1[0]["id"], id, "sent again");
}

#[test]
fn what_an_earlier_process_has_left_unmarked_may_be_on_its_way_all_the_same() {
    let mut before = Table::signed_in();
    let id = before.send("hello").unwrap();
    before.disk_is_full = true;
    assert_eq!(kinds(&before.connect(vec![]))[0], "use_chat_request", "written, and the disk does not know");
    let mut table = before.restarted();
    table.machine.timing.doubt = secs(3);
    assert_eq!(kinds(&table.connect(vec![])), ["stream_resume_request"], "it is looked up first");
    assert_eq!(table.deliveries(), [DeliveryState::Queued], "and can be dropped");
    table.idle();
    table.pass(secs(3));
    assert!(table.effects().contains(&Effect::History));
    table.machine.history(Ok(vec![user(&id, "hello")]), table.now);
    assert_eq!((table.wrote(), table.deliveries()), (vec![], vec![]), "it has arrived meanwhile");
}
