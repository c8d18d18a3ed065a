//! Adding an agent by its address alone, and what was found out about it.

use callbox_ipc::ProvenanceStep;
use leptos::html;
use leptos::prelude::*;

use super::sign_in::Calls;
use crate::backend::Shell;
use crate::elements::{Show, spans};
use crate::i18n::{Argument, I18n};
use crate::testids;

/// Errors after which a client id of the user's helps.
const WANTS_CLIENT: [&str; 4] = ["registration-unavailable", "registration-refused", "registration-not-public", "registration-redirect"];

/// The sentence for a step.
fn key(step: &str) -> Option<&'static str> {
    Some(match step {
        "challenged" => "step-challenged",
        "resource" => "step-resource",
        "also-named" => "step-also-named",
        "tenant" => "step-tenant",
        "bound" => "step-bound",
        "registered" => "step-registered",
        "client-given" => "step-client-given",
        _ => return None,
    })
}

/// The field for the address, and the one for a client id where the tenant wants that. `known`: the address, if there is one already.
#[component]
pub(super) fn AddAgent(calls: Calls, first: Memo<bool>, #[prop(optional)] known: String) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let (address, client_id) = (NodeRef::<html::Input>::new(), NodeRef::<html::Input>::new());
    let wants_client = Memo::new(move |before: Option<&bool>| {
        let refused = calls.refusal.with(|error| error.as_ref().is_some_and(|error| WANTS_CLIENT.contains(&error.code.as_str())));
        // Once it is asked for it stays, whatever else is wrong.
        refused || before == Some(&true)
    });
    Effect::new(move |_| {
        if let Some(field) = address.get() {
            drop(field.focus());
        }
    });
    Effect::new(move |_| {
        if let Some(field) = client_id.get() {
            drop(field.focus());
        }
    });
    let submit = move |event: leptos::ev::SubmitEvent| {
        event.prevent_default();
        let read = |field: NodeRef<html::Input>| field.get_untracked().map(|field| field.value().trim().to_owned()).unwrap_or_default();
        let (address, client_id) = (read(address), read(client_id));
        if !address.is_empty() && !calls.running.get_untracked() {
            calls.start(shell.add_agent(address, Some(client_id).filter(|client_id| !client_id.is_empty())));
        }
    };
    view! {
        <form class="paste" on:submit=submit>
            <label for="agent-address">{move || i18n.t("agent-address-label")}</label>
            <input
                id="agent-address"
                node_ref=address
                type="text"
                inputmode="url"
                autocomplete="off"
                autocapitalize="off"
                spellcheck="false"
                placeholder="https://agent.example.com/agents/chat-agent"
                value=known
                data-testid=testids::AGENT_ADDRESS
            />
            <Show when=move || wants_client.get()>
                <label for="client-id">{move || i18n.t("agent-client-id-label")}</label>
                <input
                    id="client-id"
                    node_ref=client_id
                    type="text"
                    autocomplete="off"
                    autocapitalize="off"
                    spellcheck="false"
                    data-testid=testids::CLIENT_ID
                />
            </Show>
            <button
                type="submit"
                class=move || if first.get() { "primary" } else { "secondary" }
                data-testid=testids::AGENT_SUBMIT
                disabled=move || calls.running.get()
            >
                {move || i18n.t(if calls.running.get() { "agent-looking" } else { "agent-submit" })}
            </button>
        </form>
    }
}

/// How a tenant was found: what was read where. Addresses are somebody else's, and shown as what they are.
#[component]
pub(super) fn Provenance(steps: Vec<ProvenanceStep>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let sentence = move |key: &str, detail: &str| i18n.with(key, &[("detail", Argument::from(callbox_approvals::readable(detail)))]);
    let item =
        move |ProvenanceStep { step, detail }| key(&step).map(|key| view! { <li>{move || spans::prose(&sentence(key, &detail))}</li> });
    view! {
        <details class="provenance" data-testid=testids::PROVENANCE>
            <summary>{move || i18n.t("provenance")}</summary>
            <ol>{steps.into_iter().map(item).collect_view()}</ol>
        </details>
    }
}
