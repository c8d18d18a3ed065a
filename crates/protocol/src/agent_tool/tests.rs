use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::server::ServerFrame;

fn event(sequence: u64, replay: bool, event: &Value) -> AgentToolEvent {
    let mut frame = json!({"type": "agent-tool-event", "parentToolCallId": "call", "sequence": sequence, "event": event});
    if replay {
        frame["replay"] = true.into();
    }
    match ServerFrame::from_value(frame) {
        ServerFrame::AgentToolEvent(frame) => frame,
        other => panic!("{other:?}"),
    }
}

fn started() -> Value {
    json!({"kind": "started", "runId": "run", "agentType": "Researcher", "order": 0, "inputPreview": {"topic": "tea"}, "display": {"name": "Reader"}})
}

fn chunk(chunk: &Value) -> Value {
    json!({"kind": "chunk", "runId": "run", "body": chunk.to_string()})
}

fn milestone(sequence: u64) -> Value {
    chunk(&json!({"type": "data-agent-milestone", "data": {"name": format!("step {sequence}"), "sequence": sequence, "at": 5}}))
}

fn progress(fraction: f64) -> Value {
    chunk(&json!({"type": "data-agent-progress", "id": "p", "transient": true, "data": {"fraction": fraction, "message": "reading"}}))
}

/// The chunks of a whole message.
fn body() -> Vec<Value> {
    let mut body = vec![
        json!({"type": "start", "messageId": "m"}),
        json!({"type": "start-step"}),
        json!({"type": "tool-input-available", "toolCallId": "t", "toolName": "look", "input": {"at": 1}}),
        json!({"type": "tool-output-available", "toolCallId": "t", "output": "seen"}),
        json!({"type": "text-start", "id": "0"}),
    ];
    body.extend((0..6).map(|n| json!({"type": "text-delta", "id": "0", "delta": format!("{n} ")})));
    body.push(json!({"type": "text-end", "id": "0"}));
    body
}

/// All events of a run in order: the number and the event.
fn whole() -> Vec<(u64, Value)> {
    let mut events = vec![(0, started())];
    events.extend((1..).zip(body().iter().map(chunk)));
    let end = events.len() as u64;
    events.push((end, json!({"kind": "finished", "runId": "run", "summary": "done"})));
    events
}

fn folded(events: &[AgentToolEvent]) -> AgentToolRuns {
    let mut runs = AgentToolRuns::default();
    for event in events {
        runs.apply(event);
    }
    runs
}

fn only(runs: &AgentToolRuns) -> &AgentToolRun {
    let mut of_call = runs.of("call");
    let run = of_call.next().unwrap();
    assert!(of_call.next().is_none());
    run
}

fn text(run: &AgentToolRun) -> String {
    run.parts().iter().filter_map(Part::as_text).map(|part| part.text.as_str()).collect()
}

#[test]
fn a_run_is_what_its_events_say() {
    let events: Vec<_> = whole().iter().map(|(sequence, said)| event(*sequence, false, said)).collect();
    let runs = folded(&events[..7]);
    let run = only(&runs);
    assert_eq!((run.agent_type.as_str(), run.name.as_deref()), ("Researcher", Some("Reader")));
    assert_eq!(run.input_preview, Some(json!({"topic": "tea"})));
    assert!(run.is_running());
    assert_eq!(text(run), "0 ", "five openings and a delta");
    let runs = folded(&events);
    let run = only(&runs);
    assert_eq!(run.state, RunState::Completed { summary: "done".to_owned() });
    assert_eq!(text(run), "0 1 2 3 4 5 ");
    assert_eq!(run.parts().iter().filter(|part| part.as_tool().is_some()).count(), 1);
}

#[test]
fn how_it_ends_is_kept_in_its_kind() {
    let ends = [
        (json!({"kind": "error", "runId": "run", "error": "no"}), RunState::Failed { error: "no".to_owned() }),
        (json!({"kind": "aborted", "runId": "run"}), RunState::Aborted { reason: None }),
        (
            json!({"kind": "interrupted", "runId": "run", "error": "gone", "childStillRunning": true}),
            RunState::Interrupted { error: "gone".to_owned(), still_running: true },
        ),
    ];
    for (end, state) in ends {
        let runs = folded(&[event(0, false, &started()), event(1, false, &end)]);
        assert_eq!(only(&runs).state, state);
    }
}

#[test]
fn what_was_interrupted_and_taken_up_again_goes_on_where_it_was() {
    let events = whole();
    let mut told: Vec<_> = events[..8].iter().map(|(sequence, said)| event(*sequence, false, said)).collect();
    told.push(event(1_700_000_000_000, false, &json!({"kind": "interrupted", "runId": "run", "error": "restarted"})));
    told.extend(events[8..].iter().map(|(sequence, said)| event(*sequence, false, said)));
    let runs = folded(&told);
    assert_eq!(text(only(&runs)), "0 1 2 3 4 5 ");
    assert_eq!(only(&runs).state, RunState::Completed { summary: "done".to_owned() });
}

#[test]
fn progress_is_the_newest_and_milestones_are_each_told_once() {
    let mut runs = folded(&[event(0, false, &started()), event(1, false, &progress(0.25)), event(1, false, &milestone(0))]);
    assert_eq!(only(&runs).progress.as_ref().unwrap().milestone.as_deref(), Some("step 0"));
    assert!(runs.apply(&event(1, false, &progress(0.5))));
    assert!(!runs.apply(&event(1, true, &milestone(0))), "told of again");
    assert!(runs.apply(&event(1, true, &milestone(1))), "reached while nobody listened");
    let run = only(&runs);
    assert_eq!(run.progress.as_ref().unwrap().fraction, Some(0.5), "what is told of again is no news of the progress");
    assert_eq!(run.milestones.iter().map(|known| known.name.as_str()).collect::<Vec<_>>(), ["step 0", "step 1"]);
    assert_eq!(run.parts().len(), 2, "milestones stay in the message, progress does not");
}

#[test]
fn a_chunk_that_is_too_large_to_be_stored_takes_nobodys_number() {
    let large = json!({"kind": "chunk", "runId": "run", "unstoredId": "u", "body": json!({"type": "text-delta", "id": "0", "delta": "LARGE"}).to_string()});
    let events = whole();
    let mut told: Vec<_> = events[..7].iter().map(|(sequence, said)| event(*sequence, false, said)).collect();
    told.push(event(7, false, &large));
    told.extend(events[7..].iter().map(|(sequence, said)| event(*sequence, false, said)));
    assert_eq!(text(only(&folded(&told))), "0 LARGE1 2 3 4 5 ");
}

#[test]
fn what_waits_for_a_chunk_that_never_comes_is_shown_when_all_has_been_told_again() {
    let events = whole();
    let without = |replay| events.iter().filter(|(n, _)| *n != 6).map(move |(n, said)| event(*n, replay, said)).collect::<Vec<_>>();
    let mut told = without(false);
    assert_eq!(text(only(&folded(&told))), "", "it would be out of order");
    told.extend(without(true));
    assert_eq!(text(only(&folded(&told))), "1 2 3 4 5 ");
}

#[test]
fn runs_stand_in_their_order_and_apart_from_each_other() {
    let mut runs = AgentToolRuns::default();
    for (id, order) in [("late", 2), ("b", 1), ("a", 1)] {
        runs.apply(&event(0, false, &json!({"kind": "started", "runId": id, "agentType": "A", "order": order})));
    }
    runs.apply(&event(1, false, &json!({"kind": "error", "runId": "b", "error": "no"})));
    let states: Vec<_> = runs.iter().map(|run| (run.id.as_str(), run.is_running())).collect();
    assert_eq!(states, [("a", true), ("b", false), ("late", true)]);
    for nonsense in [json!({}), json!({"kind": "dances", "runId": "a"}), json!({"kind": "chunk", "runId": "a"}), json!([])] {
        assert!(!runs.apply(&event(1, false, &nonsense)));
    }
}

proptest! {
    /// A socket that is lost at any place, any number of times; on the new one all is told from the beginning, and what goes on comes in between.
    #[test]
    fn however_often_a_run_is_told_it_is_the_same(
        cuts in prop::collection::vec((0..13usize, any::<bool>()), 0..4),
        shuffle in any::<prop::sample::Index>(),
    ) {
        let events = whole();
        let mut told = Vec::new();
        let mut done = 0;
        let mut cuts = cuts;
        cuts.sort_unstable();
        for (cut, lost) in cuts {
            told.extend(events[done.min(cut)..cut].iter().map(|(sequence, said)| event(*sequence, false, said)));
            // What was said while there was no socket.
            done = if lost { (cut + 2).min(events.len() - 1) } else { cut };
            let again: Vec<_> = events[..done].iter().map(|(sequence, said)| event(*sequence, true, said)).collect();
            let live = event(events[done].0, false, &events[done].1);
            let at = shuffle.index(again.len() + 1);
            told.extend_from_slice(&again[..at]);
            told.push(live);
            told.extend_from_slice(&again[at..]);
        }
        // The end comes last, whatever was told before.
        told.extend(events.iter().map(|(sequence, said)| event(*sequence, true, said)));
        let (ours, straight) = (folded(&told), folded(&events.iter().map(|(n, said)| event(*n, false, said)).collect::<Vec<_>>()));
        prop_assert_eq!(only(&ours).parts(), only(&straight).parts());
        prop_assert_eq!(&only(&ours).state, &only(&straight).state);
    }
}
