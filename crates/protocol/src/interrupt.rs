//! [`Interrupt`]: what an agent of the Auth0 AI SDK says in the place of an error when a tool needs a person first (notes 8.5): an account to be
//! connected, or an approval on a phone.
//!
//! It comes as the text of a tool's error, or of a turn's, and is hostile like everything from an agent. What is read of it is bounded and typed;
//! no address is taken from it, and no parameters for a sign-in page. The id of an approval's request is a secret that an agent should not have
//! sent: it is not even read. [`Interrupt::to_text`] writes what was read, so that the text in which it came need not be passed on.

use serde_json::{Map, Value, json};

use crate::message::UiMessage;
use crate::op::MessageOp;
use crate::part::Part;
use crate::tool::ToolPart;

/// What such a text begins with.
const PREFIX: &str = "AUTH0_AI_INTERRUPTION:";
/// What stands in the place of a text that begins so and is nothing that can be read.
const UNREADABLE: &str = "The agent interrupted the tool, and its reason cannot be read.";

/// The longest text that is looked at, in bytes.
const MAX_TEXT: usize = 64 * 1024;
/// The longest name of a connection, a tool or a code, and the longest id, in bytes.
const MAX_NAME: usize = 256;
/// The most scopes, and the longest one in bytes.
const MAX_SCOPES: usize = 100;
const MAX_SCOPE: usize = 256;
/// The longest binding message that is shown, in characters. Auth0 takes 64.
const MAX_BINDING: usize = 256;
/// The longest life of a request, in seconds: Auth0 takes three days.
const MAX_LIFE: u64 = 259_200;
/// No request is of a later time, in milliseconds since 1970: from here on a number of seconds would be taken for one of milliseconds.
const LAST_MOMENT: u64 = 100_000_000_000_000;

/// What an error's text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorText {
    /// Nothing but itself.
    Plain,
    /// It is an interrupt.
    Interrupt(Interrupt),
    /// It begins as an interrupt does, and is none that can be read. It is an error like any other, but for its text, which is not to be shown.
    Unreadable,
}

/// A tool call that stopped for want of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupt {
    /// The call. What it belongs to is told by this id alone.
    pub tool_call_id: String,
    /// The name that the agent runs the call by; untrusted.
    pub tool_name: String,
    /// How to go on once the person has done what is wanted.
    pub behavior: Behavior,
    /// What is wanted.
    pub want: Want,
}

/// How a call goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behavior {
    /// The call is answered, and the agent runs it.
    Resume,
    /// The whole answer is written again.
    Reload,
}

/// What an interrupt wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Want {
    /// `TOKEN_VAULT_ERROR`: the tenant holds no token for this service, or one for too little.
    Account(AccountWanted),
    /// `ASYNC_AUTHORIZATION_…`: an approval on another device (CIBA), and what has become of it.
    Approval {
        /// How it stands.
        status: ApprovalStatus,
        /// When it was asked for; `None` where the agent does not say.
        request: Option<ApprovalRequest>,
    },
    /// Any other code; untrusted.
    Unknown {
        /// The code.
        code: String,
    },
}

/// A service that an account is to be connected at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountWanted {
    /// The tenant's name for the service; untrusted.
    pub connection: String,
    /// What the tool needs; tokens of RFC 6749 §3.3, each once.
    pub scopes: Vec<String>,
    /// What is to be asked for: that, and what was granted before.
    pub required_scopes: Vec<String>,
}

/// How an approval on another device stands, by the agent's word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApprovalStatus {
    /// Nobody has answered.
    Pending,
    /// The agent has asked the tenant too often; nobody has answered.
    Polling,
    /// The tenant says that it was denied, or that it took too long: it has one word for both.
    Denied,
    /// It took too long.
    Expired,
    /// There is no device to ask.
    NoDevice,
    /// The tenant does not know the request, or not any more.
    Invalid,
}

/// A request for an approval. Its id is not among what is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApprovalRequest {
    /// Milliseconds since 1970 by the agent's clock.
    pub requested_at: Option<u64>,
    /// How long there is to answer it, in seconds; at least 1.
    pub expires_in: u64,
    /// What the other device shows too, to be compared; untrusted.
    pub binding_message: Option<String>,
}

/// How much of a request's time is over when it is first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elapsed {
    /// So many milliseconds, by the agent's clock and this computer's, which do not contradict each other.
    Told(u64),
    /// So many, so that it is over by both clocks; or one of them is wrong.
    Over(u64),
    /// Nothing that makes sense was said: counted from now.
    Untold,
}

impl ApprovalRequest {
    /// How much of the time is over at `now`, milliseconds since 1970 by this computer's clock. Clocks differ: up to a minute in the future is now.
    pub fn elapsed(&self, now: u64) -> Elapsed {
        match self.requested_at {
            Some(at) if at > now && at - now <= 60_000 => Elapsed::Told(0),
            Some(at) if at <= now && now - at < self.life() => Elapsed::Told(now - at),
            Some(at) if at <= now => Elapsed::Over(now - at),
            _ => Elapsed::Untold,
        }
    }

    /// How long there is to answer it, in milliseconds.
    pub fn life(&self) -> u64 {
        self.expires_in.saturating_mul(1000)
    }
}

/// Reads the text of an error. Any text at all may be passed; one that does not begin as an interrupt does is not looked at.
pub fn read(text: &str) -> ErrorText {
    let Some(rest) = text.strip_prefix(PREFIX) else { return ErrorText::Plain };
    let object: Option<Map<String, Value>> = if text.len() > MAX_TEXT { None } else { serde_json::from_str(rest).ok() };
    object.and_then(|object| Interrupt::from_object(&object)).map_or(ErrorText::Unreadable, ErrorText::Interrupt)
}

impl Interrupt {
    fn from_object(object: &Map<String, Value>) -> Option<Self> {
        if object.get("name").and_then(Value::as_str) != Some("AUTH0_AI_INTERRUPT") {
            return None;
        }
        let call = object.get("toolCall")?.as_object()?;
        let want = match name(object.get("code"))?.as_str() {
            "TOKEN_VAULT_ERROR" => Want::Account(AccountWanted::from_object(object)?),
            "ASYNC_AUTHORIZATION_AUTHORIZATION_PENDING" => approval(ApprovalStatus::Pending, object),
            "ASYNC_AUTHORIZATION_AUTHORIZATION_POLLING_ERROR" => approval(ApprovalStatus::Polling, object),
            "ASYNC_AUTHORIZATION_ACCESS_DENIED" => approval(ApprovalStatus::Denied, object),
            "ASYNC_AUTHORIZATION_AUTHORIZATION_REQUEST_EXPIRED" => approval(ApprovalStatus::Expired, object),
            "ASYNC_AUTHORIZATION_USER_DOES_NOT_HAVE_PUSH_NOTIFICATIONS" => approval(ApprovalStatus::NoDevice, object),
            "ASYNC_AUTHORIZATION_INVALID_GRANT" => approval(ApprovalStatus::Invalid, object),
            code => Want::Unknown { code: code.to_owned() },
        };
        let behavior = match object.get("behavior").and_then(Value::as_str) {
            Some("reload") => Behavior::Reload,
            _ => Behavior::Resume,
        };
        Some(Self { tool_call_id: name(call.get("id"))?, tool_name: name(call.get("name"))?, behavior, want })
    }

    /// As an agent would have written it, with what was read and nothing else: [`read`] gives the same.
    pub fn to_text(&self) -> String {
        let mut object = Map::new();
        let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
        put("name", json!("AUTH0_AI_INTERRUPT"));
        put("code", json!(self.want.code()));
        put("behavior", json!(if self.behavior == Behavior::Reload { "reload" } else { "resume" }));
        put("toolCall", json!({"id": self.tool_call_id, "name": self.tool_name}));
        match &self.want {
            Want::Account(wanted) => {
                put("connection", json!(wanted.connection));
                put("scopes", json!(wanted.scopes));
                put("requiredScopes", json!(wanted.required_scopes));
            }
            Want::Approval { request: Some(request), .. } => {
                put(
                    "request",
                    json!({"requestedAt": request.requested_at.map(seconds), "expiresIn": request.expires_in, "bindingMessage": request.binding_message}),
                );
            }
            Want::Approval { .. } | Want::Unknown { .. } => {}
        }
        format!("{PREFIX}{}", Value::Object(object))
    }
}

impl Want {
    /// The code on the wire; untrusted where it is not known.
    pub fn code(&self) -> &str {
        match self {
            Self::Account(_) => "TOKEN_VAULT_ERROR",
            Self::Approval { status, .. } => match status {
                ApprovalStatus::Pending => "ASYNC_AUTHORIZATION_AUTHORIZATION_PENDING",
                ApprovalStatus::Polling => "ASYNC_AUTHORIZATION_AUTHORIZATION_POLLING_ERROR",
                ApprovalStatus::Denied => "ASYNC_AUTHORIZATION_ACCESS_DENIED",
                ApprovalStatus::Expired => "ASYNC_AUTHORIZATION_AUTHORIZATION_REQUEST_EXPIRED",
                ApprovalStatus::NoDevice => "ASYNC_AUTHORIZATION_USER_DOES_NOT_HAVE_PUSH_NOTIFICATIONS",
                ApprovalStatus::Invalid => "ASYNC_AUTHORIZATION_INVALID_GRANT",
            },
            Self::Unknown { code } => code,
        }
    }
}

impl AccountWanted {
    fn from_object(object: &Map<String, Value>) -> Option<Self> {
        let scopes = scopes(object.get("scopes"))?;
        let mut required_scopes = self::scopes(object.get("requiredScopes"))?;
        for scope in &scopes {
            if !required_scopes.contains(scope) {
                required_scopes.push(scope.clone());
            }
        }
        let fits = required_scopes.len() <= MAX_SCOPES;
        fits.then_some(())?;
        Some(Self { connection: name(object.get("connection"))?, scopes, required_scopes })
    }
}

/// A text that is there and short enough.
fn name(value: Option<&Value>) -> Option<String> {
    value?.as_str().filter(|text| !text.is_empty() && text.len() <= MAX_NAME).map(str::to_owned)
}

/// A list of scope tokens (RFC 6749 §3.3), each once. A list that is not there is empty; one that is no such list is nothing that can be read.
fn scopes(value: Option<&Value>) -> Option<Vec<String>> {
    let Some(value) = value.filter(|value| !value.is_null()) else { return Some(Vec::new()) };
    let list = value.as_array().filter(|list| list.len() <= MAX_SCOPES)?;
    let mut scopes: Vec<String> = Vec::with_capacity(list.len());
    for scope in list {
        let scope = scope.as_str().filter(|scope| is_scope(scope))?;
        if !scopes.iter().any(|known| known == scope) {
            scopes.push(scope.to_owned());
        }
    }
    Some(scopes)
}

fn is_scope(text: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
    !text.is_empty() && text.len() <= MAX_SCOPE && text.bytes().all(token)
}

/// Milliseconds as seconds with a fraction, as the SDK writes them.
fn seconds(milliseconds: u64) -> Value {
    serde_json::from_str(&format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)).unwrap_or_default()
}

/// A number without its fraction, cut where numbers of JSON stop being exact. Negative ones and those that are none are nothing.
fn number(value: &Value) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is between 0 and 2^53")]
    let whole = |number: f64| (number >= 0.0).then_some(number.min(9e15) as u64);
    value.as_u64().or_else(|| whole(value.as_f64()?))
}

fn approval(status: ApprovalStatus, object: &Map<String, Value>) -> Want {
    let request = object.get("request").and_then(Value::as_object);
    let request = request.and_then(|request| {
        let expires_in = number(request.get("expiresIn")?).filter(|seconds| *seconds >= 1)?.min(MAX_LIFE);
        // Seconds, with a fraction; a test of the SDK's own has milliseconds.
        let milliseconds = |at: &Value| match at.as_f64() {
            Some(seconds) if seconds < 1e11 => number(&json!((seconds * 1000.0).round())),
            _ => number(at),
        };
        let requested_at = request.get("requestedAt").and_then(milliseconds).filter(|at| (1..LAST_MOMENT).contains(at));
        let message = request.get("bindingMessage").or_else(|| object.get("bindingMessage")).and_then(Value::as_str);
        let binding_message = message.filter(|text| !text.trim().is_empty()).map(|text| text.chars().take(MAX_BINDING).collect());
        Some(ApprovalRequest { requested_at, expires_in, binding_message })
    });
    Want::Approval { status, request }
}

// --- What is passed on ------------------------------------------------------------------------------------------------------------------

impl ToolPart {
    /// The interrupt in the call's error, if it is there and the call's own.
    pub fn interrupt(&self) -> Option<Interrupt> {
        match read(self.error_text.as_deref()?) {
            ErrorText::Interrupt(interrupt) if interrupt.tool_call_id == self.tool_call_id => Some(interrupt),
            _ => None,
        }
    }

    /// Puts what was read of an interrupt in the place of the text in which it came, and a sentence in the place of one that cannot be read or
    /// is another call's.
    fn conceal(&mut self) {
        if !self.error_text.as_deref().is_some_and(|text| text.starts_with(PREFIX)) {
            return;
        }
        let text = self.interrupt().map_or_else(|| UNREADABLE.to_owned(), |interrupt| interrupt.to_text());
        self.error_text = Some(text);
    }
}

impl UiMessage {
    /// Takes out of the calls' errors what of interrupts is nobody's to see. Such a message is to be shown, not to be sent to the agent.
    pub fn conceal_interrupts(&mut self) {
        self.parts.iter_mut().filter_map(Part::as_tool_mut).for_each(ToolPart::conceal);
    }
}

impl MessageOp {
    /// The same for what changes in a list of messages.
    pub fn conceal_interrupts(&mut self) {
        match self {
            Self::Reset { messages } => messages.iter_mut().for_each(UiMessage::conceal_interrupts),
            Self::Insert { message, .. } | Self::Replace { message, .. } => message.conceal_interrupts(),
            Self::SetPart { value: Part::Tool(tool), .. } => tool.conceal(),
            Self::SetPart { .. } | Self::Truncate { .. } | Self::TruncateParts { .. } | Self::AppendText { .. } | Self::SetMeta { .. } => {}
        }
    }
}

#[cfg(test)]
#[path = "interrupt_tests.rs"]
mod tests;
