//! Tools that need the person somewhere else first: an account at another service (Token Vault), an approval on a phone (CIBA). Until then they
//! stop with an interrupt, as those of Auth0's AI SDK do.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::tenant::{Tenant, phone};

/// Reads a calendar. Leaves its call open and has the turn fail: it is to be resumed.
pub(super) const CALENDAR: &str = "checkUsersCalendar";
/// Reads contacts. Fails by itself: the answer is to be written again.
pub(super) const CONTACTS: &str = "listContacts";
/// Orders something. Fails by itself until it is approved on the phone.
pub(super) const ORDER: &str = "placeOrder";
/// Says that it may not, and does not say so as an error: as tools do that look after their own permissions.
pub(super) const BILLING: &str = "readBilling";

/// The words that have the script call each of them.
pub(super) const CALLS: [(&[&str], &str); 4] =
    [(&["my calendar"], CALENDAR), (&["my contacts"], CONTACTS), (&["order oranges"], ORDER), (&["my bills"], BILLING)];

const CONNECTION: &str = "sandbox-calendar";

/// What became of a tool.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Ran {
    Output(Value),
    Failed(String),
    /// It has stopped for want of a person. `open`: the call is left without a result, and the whole turn fails with this.
    Stopped {
        text: String,
        open: bool,
    },
}

/// A call of one of these tools.
pub(super) struct Call<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) input: &'a Value,
    /// Whose conversation it is.
    pub(super) sub: &'a str,
}

/// The tools, as a model is told of them.
pub(super) fn declarations() -> Vec<(&'static str, &'static str, Value)> {
    let nothing = || json!({"type": "object", "properties": {}, "additionalProperties": false});
    let item = json!({
        "type": "object",
        "properties": {"item": {"type": "string"}},
        "required": ["item"],
        "additionalProperties": false,
    });
    vec![
        (CALENDAR, "Tells what is in the person's calendar today. Needs an account that the person connects. Made up.", nothing()),
        (CONTACTS, "Tells whom the person knows. Needs an account that the person connects. Made up.", nothing()),
        (ORDER, "Orders something, when the person has approved it on their phone. Nothing is really ordered.", item),
        (BILLING, "Reads bills. The person never may.", nothing()),
    ]
}

/// Runs a call; `None` if it is another tool's.
pub(super) fn run(call: &Call<'_>, tenant: &Arc<Tenant>) -> Option<Ran> {
    Some(match call.name {
        CALENDAR => vault(call, tenant, "calendar.read", "resume", || json!({"today": ["09:30 Harbour walk", "14:00 Tea with Grace"]})),
        CONTACTS => vault(call, tenant, "contacts.read", "reload", || json!({"contacts": ["Grace Hopper", "Charles Babbage"]})),
        ORDER => order(call, tenant),
        BILLING => Ran::Output(json!("Unauthorized")),
        _ => return None,
    })
}

fn vault(call: &Call<'_>, tenant: &Tenant, scope: &str, behavior: &str, output: impl FnOnce() -> Value) -> Ran {
    if tenant.vault_has(call.sub, CONNECTION, &[scope]) {
        return Ran::Output(output());
    }
    let mut required = tenant.vault_scopes(call.sub, CONNECTION);
    if !required.iter().any(|known| known == scope) {
        required.push(scope.to_owned());
    }
    let more = json!({
        "code": "TOKEN_VAULT_ERROR", "message": format!("Authorization required to access the Token Vault: {CONNECTION}"),
        "connection": CONNECTION, "scopes": [scope], "requiredScopes": required, "authorizationParams": {}, "behavior": behavior,
    });
    Ran::Stopped { text: interrupt(call, more), open: behavior == "resume" }
}

fn order(call: &Call<'_>, tenant: &Tenant) -> Ran {
    let item = call.input["item"].as_str().unwrap_or("something");
    let asked = tenant.ask_phone(call.sub, &format!("Order {item}"));
    let is_over = tenant.unix() >= asked.at + phone::TTL;
    let code = match asked.answer {
        Some(true) => return Ran::Output(json!({"ordered": item, "note": "Made up by the sandbox. Nothing was ordered."})),
        None if !is_over => "AUTHORIZATION_PENDING",
        // The tenant has one word for both.
        Some(false) | None => "ACCESS_DENIED",
    };
    let more = json!({
        "code": format!("ASYNC_AUTHORIZATION_{code}"), "message": "The authorization request is pending.",
        "request": {"id": asked.id, "requestedAt": asked.at, "expiresIn": phone::TTL, "interval": 5, "bindingMessage": asked.binding},
    });
    Ran::Stopped { text: interrupt(call, more), open: false }
}

fn interrupt(call: &Call<'_>, mut members: Value) -> String {
    members["name"] = json!("AUTH0_AI_INTERRUPT");
    members["toolCall"] = json!({"id": call.id, "args": call.input, "name": call.name});
    format!("AUTH0_AI_INTERRUPTION:{members}")
}

/// Whether a client has answered a call that had stopped: it is to be run now.
pub(super) fn is_resumed(part: &Value) -> bool {
    part["state"] == "output-available" && part["output"]["continueInterruption"] == true
}
