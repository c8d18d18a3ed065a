//! What an agent says arrives whole, in part, twice, mixed with another turn, or after a break: it ends in the same messages.

mod support;

use callbox_protocol::{ClientFrame, Conversation, ServerFrame, UiMessage};
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::json;

use support::agent::{Event, begun, folded, history, play, replay_of, turn_of};
use support::{frame, json_of};

/// A socket that takes up the offer to replay, if a turn is running after these events.
fn resume(conversation: &mut Conversation, events: &[Event]) {
    conversation.connected();
    let Some(request) = begun(events) else { return };
    conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
    for frame in replay_of(events, &request) {
        conversation.receive(&frame);
    }
}

/// The messages without what became of the calls: one that has ended stays ended, even if the agent has forgotten it.
fn without_calls(conversation: &Conversation) -> Vec<UiMessage> {
    let mut messages = conversation.messages().to_vec();
    messages.iter_mut().for_each(|message| message.parts.retain(|part| part.as_tool().is_none()));
    messages
}

/// Each message by its id: with two turns at once, which of them stands first is not said in the frames.
fn by_id(messages: &[UiMessage]) -> Vec<&UiMessage> {
    let mut messages: Vec<_> = messages.iter().collect();
    messages.sort_by_key(|message| &message.id);
    messages
}

proptest! {
    #[test]
    fn get_messages_can_be_asked_at_any_moment(events in history(), asked in prop::collection::vec(any::<Index>(), 1..5)) {
        let asked: Vec<_> = asked.iter().map(|index| index.index(events.len())).collect();
        let mut conversation = Conversation::new();
        for (at, event) in events.iter().enumerate() {
            play(&mut conversation, event);
            if asked.contains(&at) {
                let stored = conversation.stored();
                conversation.snapshot(stored);
            }
        }
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn an_answer_of_get_messages_that_was_long_on_its_way_takes_nothing_back(events in history(), asked in any::<Index>(), late in 0_usize..8) {
        let asked = asked.index(events.len());
        // Our own words are known to us before the agent has them.
        let late = events[asked..].iter().take(late).take_while(|event| matches!(event, Event::In(_))).count();
        let stale = folded(&events[..asked]).stored();
        let mut conversation = folded(&events[..asked + late]);
        conversation.snapshot(stale);
        for event in &events[asked + late..] {
            play(&mut conversation, event);
        }
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn a_socket_may_drop_as_often_as_it_likes(events in history(), drops in prop::collection::vec(any::<Index>(), 1..6)) {
        let drops: Vec<_> = drops.iter().map(|index| index.index(events.len())).collect();
        let mut conversation = Conversation::new();
        conversation.connected();
        for (at, event) in events.iter().enumerate() {
            play(&mut conversation, event);
            if drops.contains(&at) {
                conversation.disconnected();
                resume(&mut conversation, &events[..=at]);
            }
        }
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn two_turns_at_once_do_not_mix(first in turn_of("x"), second in turn_of("y"), order in prop::collection::vec(any::<bool>(), 0..80)) {
        let mut conversation = Conversation::new();
        let (mut left, mut right) = (first.iter().peekable(), second.iter().peekable());
        for goes_left in order.into_iter().chain(std::iter::repeat(true)) {
            let next = if goes_left { left.next().or_else(|| right.next()) } else { right.next().or_else(|| left.next()) };
            let Some(event) = next else { break };
            play(&mut conversation, event);
        }
        let one_by_one = folded(&[first, second].concat());
        prop_assert_eq!(by_id(conversation.messages()), by_id(one_by_one.messages()));
    }

    #[test]
    fn an_agent_that_is_killed_has_the_beginning_that_it_sends_again(events in turn_of("x"), killed in any::<Index>(), stored in any::<Index>()) {
        // After its first frame, and before it says that it is done.
        let killed = 2 + killed.index(events.len() - 2);
        let mut conversation = folded(&events[..killed]);
        let request = "x";
        let replay = replay_of(&events[..killed], request);
        let replay = &replay[..=stored.index(replay.len())];
        conversation.disconnected();
        conversation.connected();
        conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
        for frame in replay {
            conversation.receive(frame);
        }
        let end = json!({"type": "cf_agent_use_chat_response", "id": request, "body": "", "done": true, "replay": true, "outcome": "aborted"});
        conversation.receive(&frame(end.clone()));
        // As a client sees it that comes to the agent for the first time.
        let mut other = Conversation::new();
        other.connected();
        other.snapshot(folded(&events[..1]).messages().to_vec());
        other.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
        for frame in replay {
            other.receive(frame);
        }
        other.receive(&frame(end));
        prop_assert_eq!(without_calls(&conversation), without_calls(&other));
    }

    #[test]
    fn another_client_that_only_listens_sees_the_same(events in history()) {
        let mut other = Conversation::new();
        other.connected();
        for event in &events {
            match event {
                Event::In(frame) => drop(other.receive(frame)),
                // Twice: as it came, and when it is stored.
                Event::Out(ClientFrame::ChatRequest(request)) => {
                    for _ in 0..2 {
                        let frame = frame(json!({"type": "cf_agent_chat_messages", "messages": request.messages}));
                        prop_assert!(matches!(frame, ServerFrame::Messages(_)));
                        other.receive(&frame);
                    }
                }
                Event::Out(_) => {}
            }
        }
        prop_assert_eq!(json_of(other.messages()), json_of(folded(&events).messages()));
    }
}
