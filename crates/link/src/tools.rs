//! Tools that run here, at the client, when the agent calls them.

use std::{fmt, sync::Arc};

use futures_util::future::BoxFuture;
use serde_json::{Value, json};

/// What a tool makes of its arguments: a result, any JSON, or a sentence that says why there is none. The arguments are the model's: they
/// may be anything, whatever the schema says.
pub type ToolHandler = Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, String>> + Send + Sync>;

/// A tool that is offered to the agent with each message (notes 6.7). Whether its model gets to know of it is up to the agent.
#[derive(Clone)]
pub struct ClientTool {
    /// What the model calls it by; no two with the same.
    pub name: String,
    /// What the model is told about it.
    pub description: String,
    /// JSON Schema of its arguments.
    pub parameters: Value,
    /// It changes nothing, so it may run for a call of whomever. One that does change something runs for calls in turns of this link only,
    /// and once.
    pub read_only: bool,
    pub handler: ToolHandler,
}

impl ClientTool {
    /// As it stands in a request.
    pub(crate) fn definition(&self) -> Value {
        json!({"name": self.name, "description": self.description, "parameters": self.parameters})
    }
}

impl fmt::Debug for ClientTool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientTool").field("name", &self.name).field("read_only", &self.read_only).finish_non_exhaustive()
    }
}
