//! What holds for every order of frames, not only for those that an agent sends.

mod support;

use callbox_protocol::{
    ClientFrame, Content, Conversation, Incoming, MessageOp, Part, Response, ServerFrame, UiMessage, apply, chunks, coalesce,
};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Map, Value, json};

use support::agent::{Event, begun, folded, history, play, replay_of};
use support::arbitrary_json::{CHUNK_TYPES, FRAME_TYPES, OWN_FRAME_TYPES, PART_TYPES, ROLES, object, typed_object};
use support::happenings::{anything, happen};
use support::{frame, json_of};

/// The messages without reasoning that is empty: the agent leaves it out of what it stores.
fn shown(conversation: &Conversation) -> Vec<UiMessage> {
    let mut messages = conversation.messages().to_vec();
    for message in &mut messages {
        message.parts.retain(|part| !matches!(part, Part::Reasoning(part) if part.text.trim().is_empty()));
    }
    messages
}

proptest! {
    #[test]
    fn a_frame_that_comes_twice_changes_nothing(events in history(), doubled in prop::collection::vec(any::<Index>(), 1..6)) {
        let once = folded(&events);
        let doubled: Vec<_> = doubled.iter().map(|index| index.index(events.len())).collect();
        let mut conversation = Conversation::new();
        for (at, event) in events.iter().enumerate() {
            play(&mut conversation, event);
            if let (Event::In(_), true) = (event, doubled.contains(&at)) {
                play(&mut conversation, event);
            }
        }
        prop_assert_eq!(conversation.messages(), once.messages());
        prop_assert_eq!(conversation.turn(), once.turn());
    }

    #[test]
    fn a_client_that_missed_the_beginning_has_all_after_get_messages(events in history(), missed in any::<Index>()) {
        let truth = folded(&events).stored();
        let mut conversation = folded(&events[missed.index(events.len())..]);
        conversation.snapshot(truth.clone());
        prop_assert_eq!(json_of(conversation.messages()), json_of(&truth));
    }

    #[test]
    fn a_client_that_joins_in_the_middle_and_resumes_ends_with_the_same(events in history(), joined in any::<Index>(), twice in any::<bool>()) {
        let joined = joined.index(events.len());
        let before = folded(&events[..joined]);
        let mut conversation = Conversation::new();
        conversation.connected();
        if let Some(request) = begun(&events[..joined]) {
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
            conversation.snapshot(before.stored());
            for _ in 0..=usize::from(twice) {
                for frame in replay_of(&events[..joined], &request) {
                    conversation.receive(&frame);
                }
            }
            prop_assert_eq!(shown(&conversation), shown(&before), "after the replay");
        } else {
            conversation.snapshot(before.stored());
        }
        for event in &events[joined..] {
            play(&mut conversation, event);
        }
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn a_socket_that_drops_anywhere_and_resumes_doubles_and_loses_nothing(
        events in history(), dropped in any::<Index>(), away in 0_usize..12, ask in any::<bool>()
    ) {
        let dropped = dropped.index(events.len());
        // What the agent said while nobody listened; our own frames cannot have been sent then.
        let away = events[dropped..].iter().take(away).take_while(|event| matches!(event, Event::In(_))).count();
        let back = dropped + away;
        let mut conversation = folded(&events[..dropped]);
        conversation.disconnected();
        conversation.connected();
        let there = folded(&events[..back]);
        if ask || begun(&events[..back]).is_none() {
            conversation.snapshot(there.stored());
        }
        if let Some(request) = begun(&events[..back]) {
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resuming", "id": request})));
            for frame in replay_of(&events[..back], &request) {
                conversation.receive(&frame);
            }
        } else {
            conversation.sent(&ClientFrame::probe("p"));
            conversation.receive(&frame(json!({"type": "cf_agent_stream_resume_none", "reason": "idle", "probeId": "p"})));
            conversation.snapshot(there.stored());
        }
        for event in &events[back..] {
            play(&mut conversation, event);
        }
        // Nothing is asked for that the frames tell.
        prop_assert_eq!(json_of(conversation.messages()), json_of(folded(&events).messages()));
    }

    #[test]
    fn a_mirror_that_applies_the_ops_equals_the_messages(events in prop::collection::vec(anything(), 0..60), every in 1_usize..9) {
        let mut conversation = Conversation::new();
        let mut mirror = Vec::new();
        let mut queue = Vec::new();
        for (at, event) in events.iter().enumerate() {
            happen(&mut conversation, event);
            for op in conversation.take_ops() {
                let text = serde_json::to_string(&op).unwrap();
                coalesce(&mut queue, serde_json::from_str::<MessageOp>(&text).unwrap());
            }
            if at % every == 0 {
                for op in queue.drain(..) {
                    apply(&mut mirror, op).unwrap();
                }
                prop_assert_eq!(&mirror, conversation.messages());
            }
        }
    }

    #[test]
    fn no_order_of_frames_reopens_a_call_that_has_ended(events in prop::collection::vec(anything(), 0..80)) {
        let mut conversation = Conversation::new();
        for event in &events {
            let unsettled: Vec<_> = conversation.unsettled().map(str::to_owned).collect();
            let settled: Vec<_> = conversation.messages().iter().flat_map(|message| {
                let ended = message.tools().filter(|tool| tool.is_settled() && !unsettled.contains(&tool.tool_call_id));
                ended.map(|tool| (message.id.clone(), tool.clone())).collect::<Vec<_>>()
            }).collect();
            happen(&mut conversation, event);
            for (message, before) in settled {
                let Some(message) = conversation.messages().iter().find(|known| known.id == message) else { continue };
                if let Some(after) = message.tool(&before.tool_call_id) {
                    prop_assert_eq!(&after.state, &before.state, "after {:?}", event);
                }
            }
        }
    }

    #[test]
    fn no_order_of_frames_takes_back_a_decision_that_the_agent_has_confirmed(events in prop::collection::vec(anything(), 0..80)) {
        let mut conversation = Conversation::new();
        for event in &events {
            let unsettled: Vec<_> = conversation.unsettled().map(str::to_owned).collect();
            let decided: Vec<_> = conversation.messages().iter().flat_map(|message| {
                let decided = message.tools().filter(|tool| {
                    tool.state == callbox_protocol::ToolState::ApprovalResponded && !unsettled.contains(&tool.tool_call_id)
                });
                decided.map(|tool| (message.id.clone(), tool.tool_call_id.clone())).collect::<Vec<_>>()
            }).collect();
            happen(&mut conversation, event);
            for (message, call) in decided {
                let Some(message) = conversation.messages().iter().find(|known| known.id == message) else { continue };
                let asks = message.tool(&call).is_some_and(callbox_protocol::ToolPart::awaits_decision);
                prop_assert!(!asks, "after {:?}", event);
            }
        }
    }

    #[test]
    fn every_json_object_survives_as_a_frame(value in typed_object(FRAME_TYPES)) {
        let text = value.to_string();
        prop_assert_eq!(serde_json::from_str::<Value>(&ServerFrame::parse(&text).unwrap().to_json()).unwrap(), value);
    }

    #[test]
    fn every_json_object_survives_as_a_frame_of_ours(value in typed_object(OWN_FRAME_TYPES), body in object(), init in object()) {
        let (mut value, mut body, mut init) = (value, body, init);
        if value["type"] == "cf_agent_use_chat_request" {
            body.insert("messages".to_owned(), json!([{"id": "m", "role": "user", "parts": [7]}]));
            init.extend([("method".to_owned(), json!("POST")), ("body".to_owned(), json!(Value::Object(body.clone()).to_string()))]);
            value["init"] = Value::Object(init);
        }
        let mut written: Value = serde_json::from_str(&ClientFrame::parse(&value.to_string()).unwrap().to_json()).unwrap();
        if value["type"] == "cf_agent_use_chat_request" && value["id"].is_string() {
            // JSON in a text: the same object in whatever order, with a trigger if it had none.
            let mut there: Map<String, Value> = serde_json::from_str(written["init"]["body"].as_str().unwrap()).unwrap();
            if !body.contains_key("trigger") {
                prop_assert_eq!(there.remove("trigger"), Some(json!("submit-message")));
            }
            prop_assert_eq!(there, body);
            written["init"]["body"] = value["init"]["body"].clone();
        }
        prop_assert_eq!(written, value);
    }

    #[test]
    fn what_is_read_in_one_pass_is_what_is_read_by_way_of_a_tree(value in typed_object(FRAME_TYPES), body in typed_object(CHUNK_TYPES)) {
        let mut frames = vec![value];
        for kind in ["text-delta", "tool-input-delta", body["type"].as_str().unwrap_or_default()] {
            // The type first, as agents write it.
            let fields = body.as_object().unwrap().clone().into_iter().filter(|(key, _)| key != "type");
            let body = Value::Object([("type".to_owned(), json!(kind))].into_iter().chain(fields).collect());
            let response = Response { body: Some(body.to_string()), ..Response::default() };
            prop_assert_eq!(response.content(), Content::Chunk(chunks::Chunk::from_value(body.clone())));
            frames.push(json!({"body": body.to_string(), "done": false, "id": "r", "type": "cf_agent_use_chat_response", "seq": 1}));
        }
        for frame in frames {
            let text = frame.to_string();
            let slow = ServerFrame::from_value(frame);
            prop_assert_eq!(Incoming::parse(&text).unwrap(), Incoming::from(&slow));
        }
    }

    #[test]
    fn every_json_object_survives_as_a_chunk(value in typed_object(CHUNK_TYPES)) {
        prop_assert_eq!(serde_json::from_str::<Value>(&chunks::Chunk::from_value(value.clone()).to_json()).unwrap(), value);
    }

    #[test]
    fn every_json_object_survives_as_a_part(value in typed_object(PART_TYPES)) {
        let text = value.to_string();
        let part: Part = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&serde_json::to_string(&part).unwrap()).unwrap(), value);
    }

    #[test]
    fn every_message_survives(fields in object(), parts in prop::collection::vec(typed_object(PART_TYPES), 0..4), role in select(ROLES)) {
        let mut fields = fields;
        fields.insert("id".to_owned(), json!("m"));
        fields.insert("role".to_owned(), json!(role));
        fields.insert("parts".to_owned(), json!(parts));
        let value = Value::Object(fields);
        let message: UiMessage = serde_json::from_str(&value.to_string()).unwrap();
        prop_assert_eq!(serde_json::to_value(&message).unwrap(), value);
    }
}
