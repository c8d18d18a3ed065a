//! What a run says of itself beside its message: how far it is, and what it has reached (notes 2.5).

use serde_json::Value;

/// How far a run is; the newest replaces all before.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// From 0 to 1.
    pub fraction: Option<f64>,
    /// In words; untrusted.
    pub message: Option<String>,
    /// The stage, in a word; untrusted.
    pub phase: Option<String>,
    /// What has just been reached; untrusted.
    pub milestone: Option<String>,
    /// Whatever else the application says.
    pub data: Option<Value>,
}

/// Something that a run has reached. It is kept, and told of again on connect.
#[derive(Debug, Clone, PartialEq)]
pub struct Milestone {
    /// What; untrusted.
    pub name: String,
    /// Counts the milestones of a run.
    pub sequence: u64,
    /// When, in milliseconds since 1970.
    pub at: Option<u64>,
    /// Whatever else the application says.
    pub data: Option<Value>,
}

/// A chunk that is such a signal. It has no number of its own among the chunks of a run.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Signal {
    Progress(Progress),
    Milestone(Milestone, Progress),
}

impl Signal {
    /// Reads a chunk; `None` if it is one of the message's own.
    pub(super) fn read(body: &str) -> Option<Self> {
        // Nearly no chunk is one: do not read all of them twice.
        if !body.contains("data-agent-") {
            return None;
        }
        let chunk: Value = serde_json::from_str(body).ok()?;
        let nothing = Value::Null;
        let data = chunk.get("data").unwrap_or(&nothing);
        let text = |key| data.get(key).and_then(Value::as_str).map(str::to_owned);
        let progress = Progress {
            fraction: data.get("fraction").and_then(Value::as_f64),
            message: text("message"),
            phase: text("phase"),
            milestone: None,
            data: data.get("data").cloned(),
        };
        match chunk.get("type")?.as_str()? {
            "data-agent-progress" => Some(Self::Progress(progress)),
            "data-agent-milestone" => {
                let name = text("name")?;
                let milestone = Milestone {
                    sequence: data.get("sequence").and_then(Value::as_u64).unwrap_or_default(),
                    at: data.get("at").and_then(Value::as_u64),
                    data: progress.data.clone(),
                    name: name.clone(),
                };
                Some(Self::Milestone(milestone, Progress { milestone: Some(name), data: None, ..progress }))
            }
            _ => None,
        }
    }
}
