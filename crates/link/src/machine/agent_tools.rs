//! What works for this agent: other agents inside its tool calls, and servers of tools (notes 2.5 and 5).

use std::sync::Arc;

use callbox_protocol::{AgentToolRun, AgentToolRuns, Part, RunState, ServerFrame, ToolServer};

use crate::status::{AgentToolStatus, RunPhase};

/// The longest line that is shown of a run, in characters.
const MAX_LINE: usize = 160;
/// The longest name of one that works, in characters.
const MAX_NAME: usize = 64;
/// The most runs that are shown at once: all of this goes to the window with each change of the state. What is at work goes before what is not.
const MAX_SHOWN: usize = 64;

/// The runs and servers of which the agent has told, and what is shown of them.
#[derive(Debug, Default)]
pub(super) struct AgentTools {
    runs: AgentToolRuns,
    shown: Arc<[AgentToolStatus]>,
    servers: Arc<[ToolServer]>,
    is_stale: bool,
}

impl AgentTools {
    pub(super) fn heard(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::AgentToolEvent(event) => self.is_stale |= self.runs.apply(event),
            ServerFrame::McpServers(frame) => self.servers = frame.servers().into(),
            _ => {}
        }
    }

    /// Brings what is shown up to date: once for all that came, not once for each frame.
    pub(super) fn draw(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            let all: Vec<_> = self.runs.iter().filter_map(status).collect();
            let is_running = |run: &AgentToolStatus| run.phase == RunPhase::Running;
            let mut room = MAX_SHOWN.saturating_sub(all.iter().filter(|run| is_running(run)).count());
            // Each stays where it was among the others.
            let has_room = |run: &AgentToolStatus| {
                let is_shown = is_running(run) || room > 0;
                room -= usize::from(!is_running(run) && is_shown);
                is_shown
            };
            self.shown = all.into_iter().filter(has_room).take(MAX_SHOWN).collect();
        }
    }

    /// As of the last [`AgentTools::draw`].
    pub(super) fn shown(&self) -> Arc<[AgentToolStatus]> {
        self.shown.clone()
    }

    pub(super) fn servers(&self) -> Arc<[ToolServer]> {
        self.servers.clone()
    }
}

/// What is shown of a run; nothing of one that has done its work, which the result of its call tells of, and of one for no call.
fn status(run: &AgentToolRun) -> Option<AgentToolStatus> {
    let (phase, line) = match &run.state {
        RunState::Running => (RunPhase::Running, line_of(run)),
        RunState::Completed { .. } => return None,
        RunState::Failed { error } => (RunPhase::Failed, Some(shortened(error, MAX_LINE))),
        RunState::Aborted { reason } => (RunPhase::Aborted, reason.as_deref().map(|reason| shortened(reason, MAX_LINE))),
        RunState::Interrupted { error, .. } => (RunPhase::Interrupted, Some(shortened(error, MAX_LINE))),
    };
    Some(AgentToolStatus {
        run_id: run.id.clone(),
        tool_call_id: run.tool_call_id.clone()?,
        name: shortened(run.name.as_ref().unwrap_or(&run.agent_type), MAX_NAME),
        phase,
        line: line.filter(|line| !line.is_empty()),
        percent: run.progress.as_ref().filter(|_| run.is_running()).and_then(|progress| progress.fraction).map(percent),
    })
}

/// What a run is at: in its own words, if it says so; else the end of what it writes, or the tool that it has called.
fn line_of(run: &AgentToolRun) -> Option<String> {
    if let Some(progress) = &run.progress {
        let words = progress.message.as_ref().or(progress.milestone.as_ref()).or(progress.phase.as_ref());
        if let Some(words) = words {
            return Some(shortened(words, MAX_LINE));
        }
    }
    run.parts().iter().rev().find_map(|part| match part {
        Part::Text(text) if !text.text.trim().is_empty() => Some(end_of(&text.text)),
        Part::Tool(tool) => Some(shortened(&tool.tool_name, MAX_LINE)),
        _ => None,
    })
}

/// The beginning of a text, so many characters of it at most.
fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(most) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// The last line of a text that grows, or its end. Looks at no more than that, however long the text is.
fn end_of(text: &str) -> String {
    let text = text.trim_end();
    let from = text.char_indices().rev().nth(MAX_LINE - 1).map_or(0, |(at, _)| at);
    let end = &text[from..];
    match end.rsplit_once('\n') {
        Some((_, line)) => line.trim_start().to_owned(),
        None if from > 0 => format!("…{}", end.trim_start()),
        None => end.to_owned(),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 100")]
fn percent(fraction: f64) -> u8 {
    (fraction.clamp(0.0, 1.0) * 100.0) as u8
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(events: &[Value]) -> AgentTools {
        let mut tools = AgentTools::default();
        for (sequence, event) in events.iter().enumerate() {
            tools.heard(&ServerFrame::from_value(
                json!({"type": "agent-tool-event", "parentToolCallId": "call", "sequence": sequence, "event": event}),
            ));
        }
        tools.draw();
        tools
    }

    fn started() -> Value {
        json!({"kind": "started", "runId": "run", "agentType": "Researcher", "order": 0})
    }

    fn chunk(chunk: &Value) -> Value {
        json!({"kind": "chunk", "runId": "run", "body": chunk.to_string()})
    }

    fn writes(text: &str) -> Vec<Value> {
        vec![started(), chunk(&json!({"type": "text-start", "id": "0"})), chunk(&json!({"type": "text-delta", "id": "0", "delta": text}))]
    }

    #[test]
    fn a_run_shows_the_line_that_it_is_at() {
        let line = |text: &str| told(&writes(text)).shown()[0].line.clone();
        assert_eq!(line("First.\nSecond, half"), Some("Second, half".to_owned()));
        assert_eq!(line("\n \n"), None);
        let long = format!("{}end", "word ".repeat(100));
        let shown = line(&long).unwrap();
        assert!(shown.starts_with('…') && shown.ends_with("end") && shown.chars().count() <= MAX_LINE + 1, "{shown}");
    }

    #[test]
    fn what_a_run_says_of_its_progress_goes_before_what_it_writes() {
        let mut events = writes("Reading.");
        events.push(chunk(
            &json!({"type": "data-agent-progress", "transient": true, "data": {"fraction": 0.429, "message": "3 of 7 pages"}}),
        ));
        let run = told(&events).shown()[0].clone();
        assert_eq!((run.line.as_deref(), run.percent), (Some("3 of 7 pages"), Some(42)));
        assert_eq!((percent(f64::NAN), percent(-1.0), percent(7.0)), (0, 0, 100), "the agent's number is anybody's");
    }

    #[test]
    fn one_that_has_done_its_work_is_told_of_by_its_call_and_one_that_has_not_says_why() {
        let mut done = writes("All of it.");
        done.push(json!({"kind": "finished", "runId": "run", "summary": "All of it."}));
        assert!(told(&done).shown().is_empty());
        let mut failed = writes("Some of it.");
        failed.push(json!({"kind": "error", "runId": "run", "error": "No more money."}));
        let run = told(&failed).shown()[0].clone();
        assert_eq!((run.phase, run.line.as_deref(), run.percent), (RunPhase::Failed, Some("No more money."), None));
    }

    #[test]
    fn however_many_there_are_few_are_shown_and_those_at_work_among_them() {
        let mut tools = AgentTools::default();
        let mut tell = |event: Value| {
            tools.heard(&ServerFrame::from_value(
                json!({"type": "agent-tool-event", "parentToolCallId": "call", "sequence": 0, "event": event}),
            ));
        };
        for run in 0..200 {
            tell(json!({"kind": "started", "runId": format!("r{run:03}"), "agentType": "A".repeat(1000), "order": run}));
            if run < 199 {
                tell(json!({"kind": "error", "runId": format!("r{run:03}"), "error": "no"}));
            }
        }
        tools.draw();
        let shown = tools.shown();
        let ends = [&shown[0], &shown[MAX_SHOWN - 1]].map(|run| run.run_id.as_str());
        assert_eq!((shown.len(), ends), (MAX_SHOWN, ["r000", "r199"]));
        assert_eq!(shown[0].name.chars().count(), MAX_NAME + 1, "and a sign that there is more");
    }

    #[test]
    fn nothing_is_drawn_anew_for_what_changes_nothing() {
        let mut tools = told(&writes("Hello."));
        let before = tools.shown();
        tools.heard(&ServerFrame::from_value(
            json!({"type": "agent-tool-event", "parentToolCallId": "call", "sequence": 0, "replay": true, "event": started()}),
        ));
        tools.draw();
        assert!(Arc::ptr_eq(&before, &tools.shown()));
    }
}
