//! What other agents do for a tool call while it runs.

use callbox_ipc::{AgentToolView, RunPhase};
use leptos::prelude::*;

use crate::elements::spans;
use crate::i18n::I18n;
use crate::state::Thread;
use crate::testids;

/// A line for each agent at work for this call, and for each that has given up.
#[component]
pub fn AgentTools(call: String, thread: Thread) -> impl IntoView {
    let status = thread.status;
    let runs = Memo::new(move |_| {
        status.with(|status| status.agent_tools.iter().filter(|run| run.tool_call == call).cloned().collect::<Vec<_>>())
    });
    move || {
        let runs = runs.get();
        (!runs.is_empty()).then(|| view! { <ul class="runs">{runs.into_iter().map(line).collect_view()}</ul> })
    }
}

fn line(run: AgentToolView) -> AnyView {
    let i18n = expect_context::<I18n>();
    let (name, words) = match run.phase {
        RunPhase::Running => ("running", None),
        RunPhase::Failed => ("failed", Some("tool-failed")),
        RunPhase::Aborted | RunPhase::Interrupted => ("stopped", Some("tool-stopped")),
    };
    view! {
        <li data-testid=testids::AGENT_TOOL data-state=name>
            <span class="run-name">{spans::strict(&run.name)}</span>
            {words.map(|words| view! { <span class="run-state">{move || i18n.t(words)}</span> })}
            {run.line.map(|line| view! { <span class="run-line">{spans::prose(&line)}</span> })}
            {run.percent.map(|percent| view! { <progress max="100" value=percent.to_string()></progress> })}
        </li>
    }
    .into_any()
}
