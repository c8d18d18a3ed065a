//! Where a conversation is held, and with what kind of client.

use std::time::Duration;

use callbox_link::{AgentAddress, ClientTool, Timing};
use serde_json::{Value, json};

/// An agent by its address, and what the SDK's client is set up to do.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    agent: &'static str,
    prefix: &'static str,
    sub: Option<(&'static str, &'static str)>,
    /// The Worker says which conversation is behind an address.
    own: bool,
    client: Value,
    timing: Timing,
    tools: Vec<ClientTool>,
}

impl Default for Place {
    fn default() -> Self {
        let pause = Duration::from_millis(20);
        let timing = Timing { backoff_base: pause, backoff_cap: 5 * pause, ..Timing::default() };
        Self { agent: "chat-agent", prefix: "agents", sub: None, own: false, client: json!({}), timing, tools: Vec::new() }
    }
}

impl Place {
    /// Another agent of the same Worker.
    pub(crate) fn agent(agent: &'static str) -> Self {
        Self { agent, ..Self::default() }
    }

    /// Another path in front.
    pub(crate) fn below(prefix: &'static str) -> Self {
        Self { prefix, ..Self::default() }
    }

    /// At an address of the Worker's own, which leads to the conversation that the Worker chooses.
    pub(crate) fn own() -> Self {
        Self { own: true, ..Self::default() }
    }

    /// An agent inside the agent.
    pub(crate) fn sub(agent: &'static str, name: &'static str) -> Self {
        Self { sub: Some((agent, name)), ..Self::default() }
    }

    /// With options of the SDK's client; see `client.mjs`.
    pub(crate) fn with(self, client: Value) -> Self {
        Self { client, ..self }
    }

    /// Our client offers these tools.
    pub(crate) fn offering(self, tools: Vec<ClientTool>) -> Self {
        Self { tools, ..self }
    }

    pub(crate) fn tools(&self) -> Vec<ClientTool> {
        self.tools.clone()
    }

    /// Our client asks after a silent turn so soon.
    pub(crate) fn impatient(self, period: Duration) -> Self {
        let timing = Timing { first_answer: period, next_answer: period, probe: period, ..self.timing };
        Self { timing, ..self }
    }

    /// Our client takes a question for unanswered so soon.
    pub(crate) fn asking(self, period: Duration) -> Self {
        Self { timing: Timing { probe: period, ..self.timing }, ..self }
    }

    /// How long our client waits, and for what.
    pub(crate) fn timing(&self) -> Timing {
        self.timing.clone()
    }

    /// Our client's way there.
    pub(crate) fn way(&self, host: &str, name: &str) -> (AgentAddress, String) {
        let (base, conversation) = self.address(name);
        let address = |path: String| AgentAddress::new(format!("http://{host}{path}").parse().unwrap()).unwrap();
        if self.own {
            (address(format!("{base}/{name}")).with_one_conversation(), "only".to_owned())
        } else {
            (address(base), conversation)
        }
    }

    /// The agent's address on its host, and the conversation's name there.
    pub(crate) fn address(&self, name: &str) -> (String, String) {
        if self.own {
            return ("/own".to_owned(), name.to_owned());
        }
        let root = format!("/{}/{}", self.prefix, self.agent);
        match self.sub {
            Some((agent, child)) => (format!("{root}/{name}/sub/{agent}"), child.to_owned()),
            None => (root, name.to_owned()),
        }
    }

    /// The same as the SDK's client takes it.
    pub(crate) fn client(&self, host: &str, name: &str) -> Value {
        let mut options = json!({"host": host, "name": name, "agent": self.agent, "prefix": self.prefix});
        if self.own {
            options = json!({"host": host, "agent": self.agent, "basePath": format!("own/{name}")});
        }
        if let Some((agent, name)) = self.sub {
            options["sub"] = json!([{ "agent": agent, "name": name }]);
        }
        if let (Some(options), Some(more)) = (options.as_object_mut(), self.client.as_object()) {
            options.extend(more.clone());
        }
        options
    }
}
