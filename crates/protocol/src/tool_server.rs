//! [`ToolServer`]: a server of tools (MCP) that an agent works with (notes 5).

use serde_json::Value;

use crate::server::McpServers;

/// A server of tools, as the agent tells of it. All texts are untrusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolServer {
    /// The agent's id for it.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub url: Option<String>,
    /// Where the connection to it stands.
    pub state: ToolServerState,
    /// Where a person lets the agent in. Not to be opened without a look at it.
    pub auth_url: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
    /// The tools that it has, by the name that it gives them.
    pub tools: Vec<String>,
}

/// Where the agent's connection to a tool server stands. May be out of date after the agent has slept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolServerState {
    /// A person has to let the agent in.
    Authenticating,
    /// On the way.
    Connecting,
    /// Connected; its tools are not known yet.
    Connected,
    /// Its tools are being asked for.
    Discovering,
    /// Its tools can be used.
    Ready,
    /// It came to nothing.
    Failed,
    /// Known, and not connected since the agent has slept.
    NotConnected,
    /// A state that is not known here.
    Other(String),
}

impl ToolServerState {
    fn read(name: &str) -> Self {
        match name {
            "authenticating" => Self::Authenticating,
            "connecting" => Self::Connecting,
            "connected" => Self::Connected,
            "discovering" => Self::Discovering,
            "ready" => Self::Ready,
            "failed" => Self::Failed,
            "not-connected" => Self::NotConnected,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl McpServers {
    /// The servers, by id.
    pub fn servers(&self) -> Vec<ToolServer> {
        let Some(servers) = self.mcp.get("servers").and_then(Value::as_object) else { return Vec::new() };
        let tools = self.mcp.get("tools").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let server = |(id, server): (&String, &Value)| {
            let text = |key| server.get(key).and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
            let of_it = |tool: &&Value| tool.get("serverId").and_then(Value::as_str) == Some(id);
            let name = |tool: &Value| tool.get("name").and_then(Value::as_str).map(str::to_owned);
            ToolServer {
                name: text("name").unwrap_or_else(|| id.clone()),
                url: text("server_url"),
                state: ToolServerState::read(&text("state").unwrap_or_default()),
                auth_url: text("auth_url"),
                error: text("error"),
                tools: tools.iter().filter(of_it).filter_map(name).collect(),
                id: id.clone(),
            }
        };
        let mut servers: Vec<_> = servers.iter().map(server).collect();
        servers.sort_by(|one, other| one.id.cmp(&other.id));
        servers
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn frame() -> McpServers {
        McpServers {
            mcp: json!({
                "servers": {
                    "a-1": {"name": "linear", "server_url": "https://mcp.example/mcp", "auth_url": "https://mcp.example/authorize", "state": "authenticating", "error": null},
                    "b2": {"state": "sleeping", "auth_url": ""},
                },
                "tools": [{"name": "create_issue", "serverId": "a-1"}, {"name": "forecast", "serverId": "b2"}, {"serverId": "b2"}, 7],
            }),
            ..McpServers::default()
        }
    }

    #[test]
    fn servers_are_read_with_their_tools_and_what_is_not_known_of_them_is_left_open() {
        let [linear, other] = frame().servers().try_into().unwrap();
        assert_eq!(linear.state, ToolServerState::Authenticating);
        assert_eq!(linear.auth_url.as_deref(), Some("https://mcp.example/authorize"));
        assert_eq!(linear.tools, ["create_issue"]);
        assert_eq!((other.name.as_str(), other.auth_url, other.url), ("b2", None, None));
        assert_eq!(other.state, ToolServerState::Other("sleeping".to_owned()));
        for mcp in [json!(null), json!([]), json!({"servers": []}), json!({"servers": {"a": 1}, "tools": {}})] {
            assert!(McpServers { mcp, ..McpServers::default() }.servers().len() <= 1, "no panic, and nothing made up");
        }
    }
}
