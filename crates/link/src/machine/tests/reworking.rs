//! Answers written again, messages in other words, conversations that are emptied.

use super::*;

/// A conversation of two questions and two answers.
fn talk() -> Vec<UiMessage> {
    vec![user("u1", "hello"), said("a1", "Hello."), user("u2", "why"), said("a2", "Because.")]
}

/// The trigger and the messages' ids and texts of a request, and its id.
fn request(frame: &Value) -> (String, String, Vec<(String, String)>) {
    assert_eq!(frame["type"], "cf_agent_use_chat_request");
    let body: Value = serde_json::from_str(frame["init"]["body"].as_str().unwrap()).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let messages = body["messages"].as_array().unwrap().iter();
    let messages = messages.map(|message| (text(&message["id"]), text(&message["parts"][0]["text"]))).collect();
    (text(&frame["id"]), text(&body["trigger"]), messages)
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(id, text)| ((*id).to_owned(), (*text).to_owned())).collect()
}

fn answer(request: &str, chunk: &Value) -> Value {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": chunk.to_string(), "done": false, "seq": 0})
}

fn ended(request: &str, outcome: &str) -> Value {
    json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "outcome": outcome})
}

impl Table {
    /// Frames that were written, and what became of the change if that is known.
    fn reworked(&mut self) -> (Vec<Value>, Option<Result<(), CommandError>>) {
        let (mut frames, mut outcome) = (Vec::new(), None);
        for effect in self.effects() {
            match effect {
                Effect::Write(text) => frames.push(serde_json::from_str(&text).unwrap()),
                Effect::Reworked(told) => assert_eq!(outcome.replace(told), None, "told once"),
                other => panic!("nothing else: {other:?}"),
            }
        }
        (frames, outcome)
    }

    fn outcome(&mut self) -> Option<Result<(), CommandError>> {
        self.reworked().1
    }

    /// The socket dies, and a new one finds these messages.
    fn come_back(&mut self, messages: Vec<UiMessage>) -> (Vec<Value>, Option<Result<(), CommandError>>) {
        self.machine.lost(LinkError::Broken, self.now);
        self.pass(secs(2));
        assert_eq!(self.outcome_of(|effect| matches!(effect, Effect::Cut | Effect::Token { .. })), None);
        self.machine.token(Ok(lease()), self.now);
        self.machine.opened(self.now);
        assert_eq!(self.outcome_of(|effect| matches!(effect, Effect::Connect | Effect::History)), None);
        self.machine.history(Ok(messages), self.now);
        self.reworked()
    }

    /// What became of the change, beside what had to be done.
    fn outcome_of(&mut self, expected: impl Fn(&Effect) -> bool) -> Option<Effect> {
        self.effects().into_iter().find(|effect| !expected(effect))
    }
}

#[test]
fn the_last_answer_is_written_again_from_the_messages_before_it() {
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    let (written, outcome) = table.reworked();
    let (id, trigger, messages) = request(&written[0]);
    assert_eq!((written.len(), trigger.as_str(), outcome), (1, "regenerate-message", None));
    assert_eq!(messages, pairs(&[("u1", "hello"), ("a1", "Hello."), ("u2", "why")]));
    assert_eq!(table.shown(), ["hello", "Hello.", "why"], "the old answer is gone at once");
    table.frame(&answer(&id, &json!({"type": "start", "messageId": "a3"})));
    assert_eq!(table.outcome(), Some(Ok(())), "the agent has it");
}

#[test]
fn an_earlier_answer_is_written_again_without_what_came_after_it_and_a_question_without_one_gets_one() {
    for (messages, answer, kept) in [
        (talk(), Some("a1"), pairs(&[("u1", "hello")])),
        (talk(), Some("u1"), pairs(&[("u1", "hello")])),
        (talk()[..3].to_vec(), None, pairs(&[("u1", "hello"), ("a1", "Hello."), ("u2", "why")])),
    ] {
        let mut table = Table::online(messages);
        table.machine.regenerate(answer, table.now).unwrap();
        assert_eq!(request(&table.reworked().0[0]).2, kept);
        assert_eq!(table.mirror.len(), kept.len());
    }
}

#[test]
fn a_message_in_other_words_keeps_its_id_and_what_was_attached_to_it() {
    let file = json!({"type": "file", "mediaType": "text/plain", "url": "data:,x"});
    let mut messages = talk();
    messages[2] = serde_json::from_value(json!({"id": "u2", "role": "user", "parts": [{"type": "text", "text": "why"}, file]})).unwrap();
    let mut table = Table::online(messages);
    table.machine.edit("u2", "why not".to_owned(), table.now).unwrap();
    let (written, _) = table.reworked();
    let (id, trigger, kept) = request(&written[0]);
    assert_eq!((trigger.as_str(), kept), ("regenerate-message", pairs(&[("u1", "hello"), ("a1", "Hello."), ("u2", "why not")])));
    let body: Value = serde_json::from_str(written[0]["init"]["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["messages"][2]["parts"], json!([{"type": "text", "text": "why not"}, file]));
    assert_eq!(table.shown(), ["hello", "Hello.", "why not"]);
    table.frame(&answer(&id, &json!({"type": "start", "messageId": "a3"})));
    assert_eq!(table.outcome(), Some(Ok(())));
    for (message, text, error) in
        [("a1", "no", CommandError::NoSuchAnswer), ("u9", "no", CommandError::NoSuchAnswer), ("u1", " ", CommandError::Empty)]
    {
        let mut table = Table::online(talk());
        assert_eq!(table.machine.edit(message, text.to_owned(), table.now), Err(error));
    }
}

#[test]
fn a_conversation_that_was_emptied_is_looked_at_after_a_question_that_came_behind() {
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    let (written, outcome) = table.reworked();
    assert_eq!((kinds(&written), outcome), (vec!["chat_clear".to_owned(), "stream_resume_request".to_owned()], None));
    assert_eq!(table.shown(), Vec::<String>::new());
    table.idle();
    assert_eq!(table.effects(), [Effect::History]);
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.outcome(), Some(Ok(())));
    // An agent that still has everything has not done it, and everybody sees that.
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    table.effects();
    table.idle();
    table.effects();
    table.machine.history(Ok(talk()), table.now);
    assert_eq!((table.outcome(), table.mirror.len()), (Some(Err(CommandError::NotTaken)), 4));
    // The oldest agents know no such question.
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    table.effects();
    table.pass(secs(6));
    assert_eq!(table.effects(), [Effect::History]);
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.outcome(), Some(Ok(())));
}

#[test]
fn nothing_is_taken_back_while_something_goes_on_or_nobody_is_there() {
    let mut table = Table::signed_in();
    assert_eq!(table.machine.clear(table.now), Err(CommandError::NotOnline));
    let mut table = Table::online(talk());
    table.send("more").unwrap();
    assert_eq!(table.machine.regenerate(None, table.now), Err(CommandError::Busy), "a message is on its way");
    let mut table = Table::online(talk());
    table.frame(&answer("theirs", &json!({"type": "start", "messageId": "a3"})));
    assert_eq!(table.machine.edit("u1", "hi".to_owned(), table.now), Err(CommandError::Busy), "somebody else's answer");
    let mut table = Table::online(vec![user("u1", "weather"), calling("approval-requested")]);
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.machine.clear(table.now), Err(CommandError::Busy), "a decision is on its way");
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    assert_eq!(table.machine.clear(table.now), Err(CommandError::Busy), "another change");
    let mut table = Table::online(vec![said("a1", "Welcome.")]);
    assert_eq!(table.machine.regenerate(None, table.now), Err(CommandError::NoSuchAnswer), "nothing was asked");
    let mut table = Table::online(vec![]);
    assert_eq!(table.machine.regenerate(None, table.now), Err(CommandError::NoSuchAnswer));
}

#[test]
fn what_was_on_a_socket_that_died_is_looked_up_and_written_again_only_if_it_did_not_arrive() {
    // It arrived, and the answer is complete.
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    table.effects();
    let mut there = talk();
    there[3] = said("a3", "Therefore.");
    let (written, outcome) = table.come_back(there);
    assert_eq!((kinds(&written), outcome), (vec!["stream_resume_request".to_owned()], Some(Ok(()))));
    assert_eq!(table.shown(), ["hello", "Hello.", "why", "Therefore."]);

    // It did not.
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    let (first, ..) = request(&table.reworked().0[0]);
    let (written, outcome) = table.come_back(talk());
    let (second, trigger, kept) = request(&written[0]);
    assert_eq!((trigger.as_str(), kept.len(), outcome), ("regenerate-message", 3, None));
    assert_ne!(first, second, "a new request");
    // An end of it on this socket says that it was there.
    table.frame(&ended(&second, "error"));
    assert_eq!(table.outcome_of(|effect| matches!(effect, Effect::History)), Some(Effect::Reworked(Ok(()))));

    // It is not written for ever.
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    table.effects();
    for _ in 0..2 {
        let (written, outcome) = table.come_back(talk());
        assert_eq!((kinds(&written)[0].as_str(), outcome), ("chat_clear", None));
    }
    let (written, outcome) = table.come_back(talk());
    assert_eq!((kinds(&written), outcome), (vec!["stream_resume_request".to_owned()], Some(Err(CommandError::NotTaken))));
    assert_eq!(table.mirror.len(), 4, "it is all there");

    // In other words: the agent has them.
    let mut table = Table::online(talk());
    table.machine.edit("u2", "why not".to_owned(), table.now).unwrap();
    table.effects();
    let mut there = talk()[..3].to_vec();
    there[2] = user("u2", "why not");
    let (written, outcome) = table.come_back(there);
    assert_eq!((kinds(&written), outcome), (vec!["stream_resume_request".to_owned()], Some(Ok(()))));
}

#[test]
fn a_conversation_that_has_gone_on_is_not_cut() {
    let mut table = Table::online(talk());
    table.machine.edit("u1", "hi".to_owned(), table.now).unwrap();
    table.effects();
    let mut there = talk();
    there.extend([user("u3", "somebody else"), said("a3", "Yes.")]);
    let (written, outcome) = table.come_back(there);
    assert_eq!((kinds(&written), outcome), (vec!["stream_resume_request".to_owned()], Some(Err(CommandError::GoneOn))));
    assert_eq!(table.mirror.len(), 6);
}

#[test]
fn a_message_does_not_overtake_a_change_that_may_have_been_lost() {
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    table.effects();
    table.machine.lost(LinkError::Broken, table.now);
    table.send("and now").unwrap();
    let (written, _) = table.come_back(talk());
    assert_eq!(kinds(&written), ["use_chat_request", "use_chat_request", "stream_resume_request"]);
    assert_eq!((request(&written[0]).1.as_str(), request(&written[1]).2[0].1.as_str()), ("regenerate-message", "and now"));
}

/// An edit and a message behind it are written. On the next socket they stay in doubt for so long.
fn edited_and_gone_on(doubt: Duration) -> (Table, String) {
    let mut table = Table::new();
    let entropy = Arc::new(Counting(std::sync::atomic::AtomicU8::new(0)));
    table.machine = Machine::new(Timing { doubt, ..Timing::default() }, entropy, &[]);
    let mut table = table.go_online(talk());
    table.machine.edit("u1", "hi".to_owned(), table.now).unwrap();
    let (edit, ..) = request(&table.reworked().0[0]);
    table.send("and now").unwrap();
    assert_eq!(kinds(&table.written()), ["use_chat_request"]);
    (table, edit)
}

#[test]
fn a_message_that_goes_with_the_whole_conversation_does_not_carry_a_change_that_the_agent_may_skip() {
    let (mut table, _) = edited_and_gone_on(Duration::ZERO);
    let (written, _) = table.come_back(talk());
    assert_eq!(kinds(&written), ["use_chat_request", "stream_resume_request"]);
    let (edit, trigger, _) = request(&written[0]);
    assert_eq!(trigger, "regenerate-message", "the message waits");
    table.frame(&ended(&edit, "skipped"));
    assert_eq!(
        table.effects(),
        [Effect::Reworked(Err(CommandError::Skipped)), Effect::History],
        "what it is to go with is being asked for"
    );
    table.machine.history(Ok(talk()), table.now);
    let (written, _) = table.reworked();
    let (_, trigger, messages) = request(&written[0]);
    let texts: Vec<&str> = messages.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!((trigger.as_str(), texts), ("submit-message", vec!["hello", "Hello.", "why", "Because.", "and now"]));
}

#[test]
fn a_message_that_goes_with_the_whole_conversation_does_not_undo_a_change_that_arrived_late() {
    let (mut table, edit) = edited_and_gone_on(secs(3));
    let (written, _) = table.come_back(talk());
    assert_eq!(kinds(&written), ["stream_resume_request"], "either may still arrive");
    table.pass(secs(4));
    assert!(table.effects().contains(&Effect::History));
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.effects(), [], "the message will not, but the change may, until it is known what runs");
    table.frame(&json!({"type": "cf_agent_stream_pending", "id": edit}));
    assert_eq!(table.effects(), [Effect::Reworked(Ok(())), Effect::History]);
    table.pass(secs(4));
    let (written, _) = table.reworked();
    assert_eq!(kinds(&written), Vec::<String>::new(), "what is shown is from before the change");
    let answered = vec![user("u1", "hi"), said("a3", "Hi.")];
    table.machine.history(Ok(answered), table.now);
    let (written, _) = table.reworked();
    let submits: Vec<_> =
        written.iter().filter(|frame| frame["type"] == "cf_agent_use_chat_request").map(|frame| request(frame).2).collect();
    let texts: Vec<&str> = submits.iter().flatten().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["hi", "Hi.", "and now"]);
}

#[test]
fn an_agent_that_was_busy_or_cannot_take_so_much_says_so() {
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    let (id, ..) = request(&table.reworked().0[0]);
    table.frame(&ended(&id, "skipped"));
    assert_eq!(table.outcome_of(|effect| matches!(effect, Effect::History)), Some(Effect::Reworked(Err(CommandError::Skipped))));
    let mut table = Table::online(talk());
    table.machine.edit("u1", "x".repeat(1 << 20), table.now).unwrap();
    table.effects();
    table.machine.closed(1009, "Message is too large", table.now);
    let told = table.outcome_of(|effect| matches!(effect, Effect::Cut));
    assert!(matches!(told, Some(Effect::Reworked(Err(CommandError::TooLong { .. })))), "{told:?}");
}

/// Something of which only a list of the agent's can tell: a turn that was begun anew, and of which nothing else is heard.
fn something_unheard(table: &mut Table) {
    table.frame(&ended("theirs", "recovering"));
    table.frame(&json!({"type": "cf_agent_chat_recovering", "recovering": false, "id": "theirs"}));
}

#[test]
fn nothing_is_taken_back_from_a_list_that_lacks_something_or_before_it_is_known_what_runs() {
    let mut table = Table::online(talk());
    something_unheard(&mut table);
    assert_eq!(table.machine.regenerate(None, table.now), Err(CommandError::Busy), "what nobody has seen would go with the rest");
    table.effects();
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.machine.regenerate(None, table.now), Ok(()));
    let mut table = Table::signed_in();
    table.connect(talk());
    assert_eq!(table.machine.regenerate(None, table.now), Err(CommandError::Busy), "the agent has not said what runs");
    table.idle();
    assert_eq!(table.machine.regenerate(None, table.now), Ok(()));
}

#[test]
fn a_list_that_overtakes_a_change_does_not_bring_back_what_it_took_away() {
    // A request for the messages and a socket are two roads: what is written first need not arrive first.
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    let (id, ..) = request(&table.reworked().0[0]);
    something_unheard(&mut table);
    assert!(table.effects().contains(&Effect::History));
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.effects(), [], "it may be a list from before the change");
    assert_eq!(table.shown(), ["hello", "Hello.", "why"]);
    table.frame(&answer(&id, &json!({"type": "start", "messageId": "a3"})));
    assert_eq!(table.effects(), [Effect::Reworked(Ok(())), Effect::History], "now it is not");

    // One that is still under way when the change is known to be there is no better.
    let mut table = Table::online(talk());
    table.machine.edit("u2", "why not".to_owned(), table.now).unwrap();
    let (id, ..) = request(&table.reworked().0[0]);
    something_unheard(&mut table);
    table.effects();
    table.frame(&answer(&id, &json!({"type": "start", "messageId": "a3"})));
    assert_eq!(table.effects(), [Effect::Reworked(Ok(()))]);
    table.machine.history(Ok(talk()), table.now);
    assert_eq!((table.effects(), table.shown()), (vec![Effect::History], vec!["hello".to_owned(), "Hello.".into(), "why not".into()]));
    let mut there = talk()[..2].to_vec();
    there.push(user("u2", "why not"));
    table.machine.history(Ok(there), table.now);
    assert_eq!((table.effects(), table.shown().len()), (vec![], 3));
}

#[test]
fn a_list_that_overtakes_a_clear_does_not_say_that_it_was_not_taken() {
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    something_unheard(&mut table);
    table.effects();
    table.idle();
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.effects(), [Effect::History], "the list was asked for before the clear had arrived");
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!((table.outcome(), table.mirror.len()), (Some(Ok(())), 0));
}

#[test]
fn a_clear_of_which_there_is_no_sign_on_a_silent_socket_is_looked_up_on_the_next() {
    let mut table = Table::online(talk());
    table.machine.clear(table.now).unwrap();
    table.effects();
    table.pass(secs(6));
    assert_eq!(table.effects(), [Effect::History], "the question behind it was not answered");
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.effects(), [Effect::Cut], "it may still be on its way there");
    table.pass(secs(2));
    assert_eq!(table.effects(), [Effect::Token { after_rejection: false }]);
    table.machine.token(Ok(lease()), table.now);
    table.machine.opened(table.now);
    table.effects();
    table.machine.history(Ok(vec![]), table.now);
    assert_eq!(table.outcome(), Some(Ok(())), "and was");
}

#[test]
fn what_was_delivered_and_is_still_kept_is_removed_before_anything_is_taken_back() {
    let mut table = Table::online(vec![]);
    let id = table.send("hello").unwrap();
    let (request, ..) = submitted(&table.written()[0]);
    table.disk_is_full = true;
    table.frame(&answer(&request, &json!({"type": "start", "messageId": "a1"})));
    table.frame(&ended(&request, "completed"));
    table.effects();
    assert_eq!((table.deliveries(), table.kept.len()), (vec![], 1), "the agent has it, and so has the disk");
    assert_eq!(table.machine.clear(table.now), Err(CommandError::NotSaved(full())), "after a restart it would be sent once more");
    table.disk_is_full = false;
    table.pass(secs(11));
    table.keep();
    assert_eq!(table.kept, []);
    assert_eq!(table.machine.clear(table.now), Ok(()));
    // Nor while it is being removed.
    let mut table = Table::online(vec![user(&id, "hello"), said("a1", "Hello.")]);
    table.send("more").unwrap();
    let (request, ..) = submitted(&table.written()[0]);
    table.frame(&answer(&request, &json!({"type": "start", "messageId": "a2"})));
    table.frame(&ended(&request, "completed"));
    assert_eq!(table.machine.clear(table.now), Err(CommandError::Busy));
    table.keep();
    assert_eq!(table.machine.clear(table.now), Ok(()));
}

#[test]
fn a_decision_does_not_overtake_a_change_that_may_have_been_lost() {
    let asks = || vec![user("u1", "weather"), calling("approval-requested")];
    let mut table = Table::online(asks());
    table.machine.regenerate(None, table.now).unwrap();
    table.effects();
    let (written, _) = {
        table.machine.timing.doubt = secs(3);
        table.come_back(asks())
    };
    assert_eq!(kinds(&written), ["stream_resume_request"], "it may still be on its way");
    table.idle();
    table.machine.decide("call-1", true, table.now).unwrap();
    assert_eq!(table.effects(), [Effect::History], "the agent would go on with what is taken back");
    table.machine.history(Ok(asks()), table.now);
    table.pass(secs(4));
    assert_eq!(table.effects(), [Effect::History]);
    table.machine.history(Ok(asks()), table.now);
    let written: Vec<Effect> = table.effects();
    let frames = written.iter().filter_map(|effect| if let Effect::Write(text) = effect { serde_json::from_str(text).ok() } else { None });
    assert_eq!(kinds(&frames.collect::<Vec<Value>>())[0], "use_chat_request", "first the change: {written:?}");
}

#[test]
fn a_change_is_not_written_again_while_something_runs() {
    let mut table = Table::online(talk());
    table.machine.regenerate(None, table.now).unwrap();
    table.effects();
    table.machine.timing.doubt = secs(3);
    table.come_back(talk());
    table.frame(&answer("theirs", &json!({"type": "start", "messageId": "a9"})));
    table.pass(secs(4));
    table.effects();
    table.machine.history(Ok(talk()), table.now);
    assert_eq!(table.wrote(), Vec::<String>::new(), "what is being written would be stored after the cut");
    let mut there = talk();
    there.push(said("a9", "Theirs."));
    table.frame(&ended("theirs", "completed"));
    table.frame(&json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": table.machine.questions_probe()}));
    table.pass(secs(4));
    table.effects();
    table.machine.history(Ok(there), table.now);
    assert_eq!(table.outcome(), Some(Err(CommandError::GoneOn)));
}

#[test]
fn what_crosses_a_change_on_the_same_socket_does_not_bring_back_what_it_took_away() {
    let mut there = talk();
    there.extend([user("u3", "somebody else")]);
    for crossing in
        [json!({"type": "cf_agent_chat_messages", "messages": there}), answer("theirs", &json!({"type": "start", "messageId": "a9"}))]
    {
        let mut table = Table::online(talk());
        table.machine.regenerate(None, table.now).unwrap();
        let (id, ..) = request(&table.reworked().0[0]);
        table.frame(&crossing);
        assert_eq!(table.effects(), [], "the agent sent it before it had the change");
        table.frame(&answer(&id, &json!({"type": "start", "messageId": "a3"})));
        assert_eq!(table.effects(), [Effect::Reworked(Ok(())), Effect::History], "its list is not sent to whoever made the change");
    }
}
