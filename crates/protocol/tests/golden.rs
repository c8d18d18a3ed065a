//! Recorded conversations with a real agent fold to exactly what the agent itself shows.
#![allow(clippy::unwrap_used, reason = "functions that only tests call")]

mod support;

use callbox_protocol::replay::Replay;
use callbox_protocol::{Reaction, Turn};

use support::recordings;

fn compare(player: impl Fn() -> Replay) -> usize {
    let mut checked = 0;
    for (name, text) in recordings() {
        let mut replay = player();
        for line in text.lines() {
            let checkpoint = replay.line(line).unwrap();
            for client in replay.clients() {
                assert_eq!(client.mirror, client.conversation.messages(), "{name}: a mirror that follows the ops equals the fold");
            }
            let Some(checkpoint) = checkpoint else { continue };
            assert!(!checkpoint.clients.is_empty(), "{name}: nobody is there to compare");
            let differences: Vec<_> = checkpoint.differences().iter().map(ToString::to_string).collect();
            assert!(differences.is_empty(), "{name}, line {}: {differences:#?}", checkpoint.line);
            checked += 1;
        }
    }
    checked
}

/// How often the agent itself said what a conversation is.
fn answers() -> usize {
    let answers = recordings().iter().map(|(_, text)| text.lines().filter(|line| line.contains("\"GET get-messages\"")).count()).sum();
    assert!(answers > 150, "the recordings are there");
    answers
}

#[test]
fn every_recording_folds_from_its_frames_alone_to_what_get_messages_shows() {
    assert_eq!(compare(Replay::new), answers(), "every answer of get-messages was compared");
}

#[test]
fn a_client_that_also_asks_get_messages_sees_the_same() {
    assert_eq!(compare(Replay::with_snapshots), answers(), "every answer of get-messages was compared");
}

#[test]
fn every_recording_ends_with_nothing_going_on_and_all_clients_agreeing() {
    let recordings = recordings();
    let players = [(Replay::new(), false), (Replay::with_snapshots(), true)];
    for ((name, text), (mut replay, asks)) in recordings.iter().flat_map(|recording| players.clone().map(|player| (recording, player))) {
        for line in text.lines() {
            replay.line(line).unwrap();
        }
        for client in replay.clients() {
            assert_eq!(*client.conversation.turn(), Turn::Idle, "{name}: no turn is left over");
            // Whether a message that is not answered was stored is in the agent's list alone.
            assert!(client.conversation.unconfirmed().count() == 0 || !asks, "{name}: every message arrived");
            assert_eq!(client.conversation.unsettled().count(), 0, "{name}: every decision arrived");
            assert_eq!(client.conversation.messages(), replay.clients()[0].conversation.messages(), "{name}: two clients see the same");
        }
    }
}

#[test]
fn each_offer_is_acknowledged_once_and_as_the_recorded_client_did() {
    for (name, text) in recordings() {
        let mut replay = Replay::new();
        for line in text.lines() {
            replay.line(line).unwrap();
        }
        let reactions = replay.take_reactions();
        let ours = reactions.iter().filter(|(_, reaction)| matches!(reaction, Reaction::Acknowledge { .. })).count();
        let theirs = text.lines().filter(|line| line.contains("\"type\":\"cf_agent_stream_resume_ack\",\"raw\"")).count();
        assert_eq!(ours, theirs, "{name}");
    }
}
