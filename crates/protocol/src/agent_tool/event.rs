//! [`RunEvent`]: what an [`AgentToolEvent`] says (notes 2.5).

use serde_json::Value;

use crate::server::AgentToolEvent;

/// One step in a run.
#[derive(Debug, Clone, PartialEq)]
pub enum RunEvent<'a> {
    /// It begins, or is told of again on connect.
    Started {
        /// The class of the agent that does the work; untrusted.
        agent_type: &'a str,
        /// Its place among the runs of the same call.
        order: u64,
        /// What it is to do, any JSON.
        input_preview: Option<&'a Value>,
        /// What people shall call it; untrusted.
        name: Option<&'a str>,
    },
    /// A step in the making of its message.
    Chunk {
        /// A [`crate::Chunk`] as JSON text.
        body: &'a str,
        /// It is not stored, and has no number of its own.
        is_unstored: bool,
    },
    /// It has done its work.
    Finished {
        /// In its own words.
        summary: &'a str,
    },
    /// It has failed.
    Failed {
        /// Why; untrusted.
        error: &'a str,
    },
    /// It was stopped.
    Aborted {
        /// Why; untrusted.
        reason: Option<&'a str>,
    },
    /// Nobody waits for it any more; it may be taken up again.
    Interrupted {
        /// Why; untrusted.
        error: &'a str,
        /// It was still at work.
        still_running: bool,
    },
}

impl AgentToolEvent {
    /// The run, and what happens in it; `None` if that is nothing known here.
    pub fn read(&self) -> Option<(&str, RunEvent<'_>)> {
        let text = |key| self.event.get(key).and_then(Value::as_str);
        let event = match text("kind")? {
            "started" => RunEvent::Started {
                agent_type: text("agentType")?,
                order: self.event.get("order").and_then(Value::as_u64).unwrap_or_default(),
                input_preview: self.event.get("inputPreview"),
                name: self.event.get("display").and_then(|display| display.get("name")).and_then(Value::as_str),
            },
            "chunk" => RunEvent::Chunk { body: text("body")?, is_unstored: text("unstoredId").is_some() },
            "finished" => RunEvent::Finished { summary: text("summary").unwrap_or_default() },
            "error" => RunEvent::Failed { error: text("error").unwrap_or_default() },
            "aborted" => RunEvent::Aborted { reason: text("reason") },
            "interrupted" => RunEvent::Interrupted {
                error: text("error").unwrap_or_default(),
                still_running: self.event.get("childStillRunning").and_then(Value::as_bool) == Some(true),
            },
            _ => return None,
        };
        Some((text("runId")?, event))
    }
}
