//! Tool calls that have stopped because they need the person somewhere else, and how much time there is.

use callbox_protocol::interrupt::{self, ApprovalRequest, ApprovalStatus, Elapsed, ErrorText, Interrupt};
use callbox_protocol::{ToolPart, ToolState};
use serde_json::Value;

/// For how long after its end an approval that was refused counts as one that took too long, in milliseconds. Later, nobody can tell: the
/// conversation may have been closed meanwhile.
const AFTERWARDS: u64 = 15 * 60_000;

/// Why a call has stopped: by its own error, or by that of the turn if it names this very call.
pub fn of(tool: &ToolPart, turn: Option<&str>) -> Option<Interrupt> {
    let told = turn.and_then(|text| match interrupt::read(text) {
        ErrorText::Interrupt(interrupt) if interrupt.tool_call_id == tool.tool_call_id => Some(interrupt),
        _ => None,
    });
    told.or_else(|| tool.interrupt().filter(|_| tool.state == ToolState::OutputError))
}

/// Whether an error's text is meant for programs alone.
pub fn is_for_programs(error: &str) -> bool {
    interrupt::read(error) != ErrorText::Plain
}

/// Whether a result is none: it has the agent run the call.
pub fn is_resumed(output: &Value) -> bool {
    output.get("continueInterruption") == Some(&Value::Bool(true))
}

/// Whether a result is nothing but the word that tools say which look after permissions by themselves. A guess, to be shown as one.
pub fn looks_refused(output: &Value) -> bool {
    let word = |value: &Value| value.as_str().is_some_and(|text| text.trim() == "Unauthorized");
    match output.get("content").and_then(Value::as_array).map(Vec::as_slice) {
        // As tools of the Model Context Protocol answer.
        Some([only]) => only.get("type").is_some_and(|kind| kind == "text") && only.get("text").is_some_and(word),
        _ => word(output),
    }
}

/// When a request for an approval was first seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// By a clock that nobody sets, in milliseconds.
    pub at: u64,
    /// How much of its time was over.
    pub elapsed: Elapsed,
}

/// How an approval on another device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nobody has answered; so many milliseconds are left.
    Waiting(u64),
    /// The agent says nothing of how long there is.
    WaitingUntold,
    /// Nobody has answered in time.
    Over,
    Denied,
    Expired,
    /// One or the other.
    DeniedOrExpired,
    NoDevice,
    Invalid,
}

impl Stage {
    /// The keys of what is said of it: what has happened, and what to do.
    pub fn words(self) -> [&'static str; 2] {
        match self {
            Self::Waiting(_) | Self::WaitingUntold => ["approval-waiting", "approval-waiting-lead"],
            Self::Over => ["approval-over", "approval-over-lead"],
            Self::Denied => ["approval-denied", "approval-denied-lead"],
            Self::Expired => ["approval-expired", "approval-expired-lead"],
            Self::DeniedOrExpired => ["approval-denied-or-expired", "approval-denied-or-expired-lead"],
            Self::NoDevice => ["approval-no-device", "approval-no-device-lead"],
            Self::Invalid => ["approval-invalid", "approval-invalid-lead"],
        }
    }

    /// The name in `data-stage`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting(_) | Self::WaitingUntold => "waiting",
            Self::Over => "over",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::DeniedOrExpired => "denied-or-expired",
            Self::NoDevice => "no-device",
            Self::Invalid => "invalid",
        }
    }
}

/// How it stands at `now`, by the clock of [`Seen`].
pub fn stage(status: ApprovalStatus, request: Option<&ApprovalRequest>, seen: Seen, now: u64) -> Stage {
    match (status, request) {
        (ApprovalStatus::Pending | ApprovalStatus::Polling, Some(request)) => {
            let before = match seen.elapsed {
                Elapsed::Told(elapsed) | Elapsed::Over(elapsed) => elapsed,
                Elapsed::Untold => 0,
            };
            match request.life().saturating_sub(before.saturating_add(now.saturating_sub(seen.at))) {
                0 => Stage::Over,
                left => Stage::Waiting(left),
            }
        }
        (ApprovalStatus::Pending | ApprovalStatus::Polling, None) => Stage::WaitingUntold,
        // The tenant has one word for both, so the time tells.
        (ApprovalStatus::Denied, Some(request)) => match seen.elapsed {
            Elapsed::Told(_) => Stage::Denied,
            Elapsed::Over(elapsed) if elapsed < request.life().saturating_add(AFTERWARDS) => Stage::Expired,
            Elapsed::Over(_) | Elapsed::Untold => Stage::DeniedOrExpired,
        },
        (ApprovalStatus::Denied, None) => Stage::DeniedOrExpired,
        (ApprovalStatus::Expired, _) => Stage::Expired,
        (ApprovalStatus::NoDevice, _) => Stage::NoDevice,
        (ApprovalStatus::Invalid, _) => Stage::Invalid,
    }
}

/// The key of the words for a scope, where its meaning is known.
pub fn scope_words(scope: &str) -> Option<&'static str> {
    let google = scope.strip_prefix("https://www.googleapis.com/auth/");
    Some(match google.unwrap_or(scope) {
        "openid" | "profile" | "userinfo.profile" => "scope-profile",
        "email" | "userinfo.email" | "user:email" => "scope-email",
        "offline_access" => "scope-offline",
        "chat" => "scope-chat",
        "calendar.readonly" | "calendar.events.readonly" | "calendar.freebusy" | "calendar.read" | "Calendars.Read" => {
            "scope-calendar-read"
        }
        "calendar" | "calendar.events" | "Calendars.ReadWrite" => "scope-calendar-write",
        "contacts.readonly" | "contacts.read" | "Contacts.Read" => "scope-contacts-read",
        "gmail.readonly" | "Mail.Read" => "scope-mail-read",
        "gmail.send" | "Mail.Send" => "scope-mail-send",
        "drive.readonly" | "drive.metadata.readonly" | "Files.Read" => "scope-files-read",
        "drive" | "Files.ReadWrite" => "scope-files-write",
        "repo" | "public_repo" => "scope-code-write",
        "read:user" => "scope-profile",
        _ => return None,
    })
}

/// What people call a service, by the tenant's name for it, where that is known.
pub fn service(connection: &str) -> Option<&'static str> {
    Some(match connection {
        "google-oauth2" => "Google",
        "github" => "GitHub",
        "windowslive" | "waad" => "Microsoft",
        "sandbox-calendar" => "Sandbox Calendar",
        _ => return None,
    })
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use serde_json::json;

    use super::*;

    fn text(call: &str) -> String {
        let interrupt = json!({
            "name": "AUTH0_AI_INTERRUPT", "code": "TOKEN_VAULT_ERROR", "connection": "github", "scopes": ["repo"],
            "toolCall": {"id": call, "name": "listRepositories"},
        });
        format!("AUTH0_AI_INTERRUPTION:{interrupt}")
    }

    fn tool(state: &str, error: Option<String>) -> ToolPart {
        let part = json!({"type": "tool-listRepositories", "toolCallId": "c1", "state": state, "input": {}, "errorText": error});
        match serde_json::from_value(part).unwrap() {
            callbox_protocol::Part::Tool(tool) => tool,
            other => panic!("a tool call: {other:?}"),
        }
    }

    #[test]
    fn an_interrupt_belongs_to_the_call_that_it_names_and_to_no_other() {
        assert!(of(&tool("input-available", None), Some(&text("c1"))).is_some());
        assert!(of(&tool("output-error", Some(text("c1"))), None).is_some());
        assert!(of(&tool("input-available", None), Some(&text("c2"))).is_none());
        assert!(of(&tool("output-error", Some(text("c2"))), Some(&text("c3"))).is_none());
        assert!(of(&tool("output-available", Some(text("c1"))), None).is_none(), "it has gone on since");
        assert!(is_for_programs(&text("c2")) && is_for_programs("AUTH0_AI_INTERRUPTION:{") && !is_for_programs("It failed."));
    }

    fn request(expires_in: u64) -> ApprovalRequest {
        ApprovalRequest { requested_at: None, expires_in, binding_message: None }
    }

    fn seen(elapsed: Elapsed) -> Seen {
        Seen { at: 5_000, elapsed }
    }

    #[test]
    fn what_is_left_is_counted_by_a_clock_that_nobody_sets() {
        let left = |elapsed, now| stage(ApprovalStatus::Pending, Some(&request(300)), seen(elapsed), now);
        assert_eq!(left(Elapsed::Untold, 5_000), Stage::Waiting(300_000));
        assert_eq!(left(Elapsed::Told(100_000), 65_000), Stage::Waiting(140_000));
        assert_eq!(left(Elapsed::Told(100_000), 205_000), Stage::Over);
        assert_eq!(left(Elapsed::Over(400_000), 5_000), Stage::Over);
        assert_eq!(left(Elapsed::Untold, 0), Stage::Waiting(300_000), "a clock that runs backwards gives no time");
        let second = |now| stage(ApprovalStatus::Polling, Some(&request(1)), seen(Elapsed::Untold), now);
        assert_eq!((second(5_000), second(6_000)), (Stage::Waiting(1000), Stage::Over));
        assert_eq!(stage(ApprovalStatus::Pending, None, seen(Elapsed::Untold), 9), Stage::WaitingUntold);
    }

    #[test]
    fn denied_and_expired_are_told_apart_by_the_time_that_was_over() {
        let refused = |elapsed| stage(ApprovalStatus::Denied, Some(&request(300)), seen(elapsed), 5_000);
        assert_eq!(refused(Elapsed::Told(20_000)), Stage::Denied);
        assert_eq!(refused(Elapsed::Over(301_000)), Stage::Expired);
        assert_eq!(refused(Elapsed::Over(86_400_000)), Stage::DeniedOrExpired, "seen a day later");
        assert_eq!(refused(Elapsed::Untold), Stage::DeniedOrExpired);
        assert_eq!(stage(ApprovalStatus::Denied, None, seen(Elapsed::Untold), 0), Stage::DeniedOrExpired);
        assert_eq!(stage(ApprovalStatus::Expired, None, seen(Elapsed::Untold), 0), Stage::Expired);
    }

    #[test]
    fn one_word_alone_is_taken_for_a_refusal() {
        for (output, refused) in [
            (json!("Unauthorized"), true),
            (json!(" Unauthorized\n"), true),
            (json!({"content": [{"type": "text", "text": "Unauthorized"}]}), true),
            (json!("Unauthorized access is a problem of many houses."), false),
            (json!("unauthorized"), false),
            (json!({"content": [{"type": "text", "text": "Unauthorized"}, {"type": "text", "text": "x"}]}), false),
            (json!({"status": "Unauthorized"}), false),
            (json!(null), false),
        ] {
            assert_eq!(looks_refused(&output), refused, "{output}");
        }
        assert!(is_resumed(&json!({"continueInterruption": true, "toolName": "x"})) && !is_resumed(&json!({"continueInterruption": 1})));
    }
}
