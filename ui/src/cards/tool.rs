//! A tool call in the conversation, from its first words to its result.

use callbox_protocol::ToolPart;
use callbox_protocol::interrupt::Interrupt;
use leptos::prelude::*;

use super::{AgentTools, ApprovalCard, ElsewhereCard, values};
use crate::elements::{Icon, Show, Sign, spans};
use crate::i18n::I18n;
use crate::state::Thread;
use crate::state::interrupt;
use crate::state::tool::{Phase, phase};
use crate::testids;

/// One tool call. While it waits for the user it is a question; otherwise one line, with everything behind it on demand.
#[component]
pub fn ToolCard(tool: ArcRwSignal<ToolPart>, thread: Thread) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let open = RwSignal::new(false);
    let phase = {
        let (tool, thread) = (tool.clone(), thread.clone());
        Memo::new(move |_| tool.with(|tool| phase(tool, thread.around(&tool.tool_call_id))))
    };
    // Lives as long as the card, and can be copied.
    let part = RwSignal::from(tool.clone());
    let name = move || part.with(|part| part.tool_name.clone());
    let call = part.with_untracked(|part| part.tool_call_id.clone());
    let asking = Memo::new(move |_| phase.get() == Phase::Asking);
    let stopped = {
        let (tool, thread) = (tool.clone(), thread.clone());
        Memo::new(move |_| tool.with(|tool| thread.interrupt(tool)))
    };
    let is_stopped = Memo::new(move |_| stopped.with(Option::is_some));
    let shown = thread.clone();
    let refused =
        Memo::new(move |_| phase.get() == Phase::Done && part.with(|part| part.output.as_deref().is_some_and(interrupt::looks_refused)));
    let conversation = thread.conversation.clone();
    let (worker, works_for) = (thread.clone(), call.clone());
    let line = move || {
        view! {
            <button type="button" class="fold" aria-expanded=move || open.get().to_string() on:click=move |_| open.update(|open| *open = !*open)>
                {move || view! { <Icon sign=sign(phase.get()) /> }}
                <span class="tool-name">{move || title(&part.get())}</span>
                <span class="tool-state">{move || words(i18n, phase.get())}</span>
                <Icon sign=Sign::Chevron />
            </button>
            <AgentTools call=works_for.clone() thread=worker.clone() />
            <Show when=move || refused.get()>
                <p class="tool-hint" data-testid=testids::REFUSAL_HINT><Icon sign=Sign::Info />{move || i18n.t("tool-refusal-hint")}</p>
            </Show>
            <Show when=move || open.get()>
                <div class="tool-detail">{details(part, phase)}</div>
            </Show>
        }
    };
    view! {
        <section
            class="tool"
            class:open=move || open.get()
            data-testid=testids::TOOL_CARD
            data-tool=move || name()
            data-call=call
            data-state=move || if is_stopped.get() { "stopped-for-you" } else { phase.get().name() }
        >
            {move || {
                if asking.get() {
                    view! { <ApprovalCard tool=part conversation=conversation.clone() /> }.into_any()
                } else if is_stopped.get() {
                    // It stays what it was while it goes.
                    let interrupt = Memo::new(move |last: Option<&Option<Interrupt>>| stopped.get().or_else(|| last.cloned().flatten()));
                    view! { <ElsewhereCard interrupt=interrupt thread=shown.clone() /> }.into_any()
                } else {
                    line().into_any()
                }
            }}
        </section>
    }
}

/// The tool's own title and its name; the name alone where there is no title.
fn title(tool: &ToolPart) -> AnyView {
    match tool.title.as_deref().filter(|title| !title.trim().is_empty()) {
        Some(title) => view! { {spans::strict(title)} " " <code>{spans::strict(&tool.tool_name)}</code> }.into_any(),
        None => view! { <code>{spans::strict(&tool.tool_name)}</code> }.into_any(),
    }
}

fn sign(phase: Phase) -> Sign {
    match phase {
        Phase::Preparing | Phase::Running => Sign::Tool,
        Phase::Asking | Phase::Deciding { approved: true } => Sign::Key,
        Phase::Deciding { approved: false } | Phase::Denied => Sign::Deny,
        Phase::Done | Phase::Approved => Sign::Check,
        Phase::Failed => Sign::Warning,
        Phase::Stopped => Sign::Stop,
    }
}

fn words(i18n: I18n, phase: Phase) -> String {
    match phase {
        Phase::Preparing => i18n.t("tool-preparing"),
        Phase::Asking => i18n.t("tool-waiting"),
        Phase::Deciding { approved: true } => i18n.t("tool-approving"),
        Phase::Deciding { approved: false } => i18n.t("tool-denying"),
        Phase::Running => i18n.t("tool-running"),
        Phase::Done => i18n.t("tool-done"),
        Phase::Approved => i18n.t("tool-approved"),
        Phase::Failed => i18n.t("tool-failed"),
        Phase::Denied => i18n.t("tool-denied"),
        Phase::Stopped => i18n.t("tool-stopped"),
    }
}

/// Input and output in full.
fn details(part: RwSignal<ToolPart>, phase: Memo<Phase>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let input = Memo::new(move |_| part.with(|part| part.input.clone()));
    let output = Memo::new(move |_| part.with(|part| part.output.clone()));
    let error = Memo::new(move |_| part.with(|part| part.error_text.clone()));
    let reason = Memo::new(move |_| part.with(|part| part.approval.as_ref().and_then(|approval| approval.reason.clone())));
    view! {
        <div data-testid=testids::TOOL_INPUT>
            <h6>{move || i18n.t("tool-input")}</h6>
            {move || match input.get() {
                Some(input) => values::draw(&input),
                None => view! { <p class="none">{move || i18n.t("arguments-none")}</p> }.into_any(),
            }}
        </div>
        {move || reason.get().map(|reason| view! {
            <div><h6>{move || i18n.t("tool-reason")}</h6><p>{spans::prose(&reason)}</p></div>
        }.into_any())}
        {move || error.get().map(|error| view! {
            <div class="tool-error" data-testid=testids::TOOL_OUTPUT>
                <h6>{move || i18n.t("tool-error")}</h6>
                <p>{if interrupt::is_for_programs(&error) { i18n.t("tool-interrupted").into_any() } else { spans::prose(&error) }}</p>
            </div>
        }.into_any())}
        {move || output.get().filter(|output| matches!(phase.get(), Phase::Done | Phase::Running) && !interrupt::is_resumed(output)).map(|output| view! {
            <div data-testid=testids::TOOL_OUTPUT>
                <h6>{move || i18n.t("tool-output")}</h6>
                {values::draw(&output)}
            </div>
        }.into_any())}
    }
}
