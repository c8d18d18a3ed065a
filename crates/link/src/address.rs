//! Where an agent is.

use std::fmt;

use url::{Host, Url};

/// What is wrong with an agent's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    #[error("The agent's address must begin with https://. Plain http is for this computer's own addresses only.")]
    Insecure,
    #[error("The agent's address must have no user, query or fragment.")]
    Decorated,
}

impl AddressError {
    /// A stable name for translation and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Insecure => "agent-address-insecure",
            Self::Decorated => "agent-address-decorated",
        }
    }
}

/// An agent's address, `https://host/agents/chat-agent`: https, or http that never leaves the computer, because tokens are sent there.
#[derive(Clone, PartialEq, Eq)]
pub struct AgentAddress {
    url: Url,
    one_conversation: bool,
}

impl AgentAddress {
    /// Checks an address.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong with it.
    pub fn new(url: Url) -> Result<Self, AddressError> {
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback(&url)) {
            return Err(AddressError::Insecure);
        }
        if url.query().is_some() || url.fragment().is_some() || !url.username().is_empty() || url.password().is_some() {
            return Err(AddressError::Decorated);
        }
        Ok(Self { url, one_conversation: false })
    }

    /// The address is itself a conversation's: which it is, the agent decides (the SDK's `basePath`, notes 1.1). Names that are given to it do not count.
    #[must_use]
    pub fn with_one_conversation(self) -> Self {
        Self { one_conversation: true, ..self }
    }

    /// The agent's own address.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Where a conversation's socket is opened. The scheme is that of the HTTP request that becomes the socket (RFC 6455 §4.1). Agents take a
    /// conversation's name from the path as it stands there: use letters, digits, `-`, `.`, `_` and `~` only.
    #[must_use]
    pub fn socket_url(&self, conversation: &str, connection_id: &str) -> Url {
        let mut url = self.conversation_url(conversation, &[]);
        url.query_pairs_mut().append_pair("_pk", connection_id);
        url
    }

    /// Where a conversation's messages are.
    #[must_use]
    pub fn messages_url(&self, conversation: &str) -> Url {
        self.conversation_url(conversation, &["get-messages"])
    }

    /// Whether the agent runs on this computer, so that no proxy can be between.
    pub(crate) fn is_local(&self) -> bool {
        is_loopback(&self.url)
    }

    fn conversation_url(&self, conversation: &str, below: &[&str]) -> Url {
        let mut url = self.url.clone();
        let name = (!self.one_conversation).then_some(conversation);
        // Every http and https address has a path.
        if let Ok(mut path) = url.path_segments_mut()
            && (name.is_some() || !below.is_empty())
        {
            path.pop_if_empty().extend(name).extend(below);
        }
        url
    }
}

/// Whether this leads to this very computer.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

impl fmt::Debug for AgentAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgentAddress({})", self.url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_a_conversation_are_below_the_agents() {
        for base in ["https://host.example/agents/chat-agent", "https://host.example/agents/chat-agent/"] {
            let address = AgentAddress::new(base.parse().unwrap()).unwrap();
            assert_eq!(address.socket_url("c-1", "some-id").as_str(), "https://host.example/agents/chat-agent/c-1?_pk=some-id");
            assert_eq!(address.messages_url("c-1").as_str(), "https://host.example/agents/chat-agent/c-1/get-messages");
            assert_eq!(address.messages_url("../x?y#z").path(), "/agents/chat-agent/..%2Fx%3Fy%23z/get-messages", "a name stays one");
        }
    }

    #[test]
    fn an_address_of_one_conversation_is_taken_as_it_stands() {
        for (base, socket, messages) in [
            ("https://host.example/chat", "https://host.example/chat?_pk=i", "https://host.example/chat/get-messages"),
            ("https://host.example/chat/", "https://host.example/chat/?_pk=i", "https://host.example/chat/get-messages"),
            ("https://host.example", "https://host.example/?_pk=i", "https://host.example/get-messages"),
        ] {
            let address = AgentAddress::new(base.parse().unwrap()).unwrap().with_one_conversation();
            assert_eq!((address.socket_url("c", "i").as_str(), address.messages_url("c").as_str()), (socket, messages));
        }
    }

    #[test]
    fn tokens_go_to_https_or_to_this_computer() {
        for (url, error) in [
            ("http://host.example/agents/chat-agent", AddressError::Insecure),
            ("http://127.0.0.1.host.example/agents/chat-agent", AddressError::Insecure),
            ("ws://127.0.0.1/agents/chat-agent", AddressError::Insecure),
            ("https://host.example/agents/chat-agent?access_token=x", AddressError::Decorated),
            ("https://user@host.example/agents/chat-agent", AddressError::Decorated),
        ] {
            assert_eq!(AgentAddress::new(url.parse().unwrap()), Err(error), "{url}");
        }
        for url in ["http://127.0.0.1:8787/agents/chat-agent", "http://[::1]:1/agents/a", "http://localhost/agents/a"] {
            assert!(AgentAddress::new(url.parse().unwrap()).is_ok_and(|address| address.is_local()), "{url}");
        }
    }
}
