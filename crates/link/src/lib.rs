//! The authenticated socket to an agent: connect, refresh, reconnect, resume.
//!
//! A [`Link`] is one conversation with one agent, run by one actor. What it promises:
//!
//! - **A message is sent exactly once.** It is kept by an [`OutboxStore`] before it is promised to anybody, and until the agent has it. What was
//!   written to a socket that died, or by a process that died, is looked up by its id before it is sent again. A message that could not be sent
//!   is in the list with its state until it is sent or dropped.
//! - **A decision is kept until the agent shows it**, sent again after a reconnect, never twice on one socket, and never against one that
//!   was taken elsewhere.
//! - **An answer survives the loss of the network.** After each connect the stored messages are loaded, a running answer is resumed, and each
//!   piece of it is in the list once.
//! - **The token is sent in `Authorization` of the handshake and of `get-messages`, and nowhere else**; never to another host, since redirects
//!   are refused. Each handshake has a fresh one; a refused one is replaced once, then a person has to sign in.
//! - **What is taken back is taken back once**: an answer written again, a message in other words, an emptied conversation ([`Link::regenerate`],
//!   [`Link::edit`], [`Link::clear`]). Whoever asks hears of it when the agent has it.
//! - **A tool of this client's runs once for a call** ([`ClientTool`]); its result is kept until the agent shows one.
//! - **Nothing hangs.** A handshake, a silent socket, a turn of which nothing is heard, a decision without a confirmation: each has a period
//!   ([`Timing`]) after which it is looked into.
//! - **A slow reader costs one copy of the conversation**, not a queue ([`Updates`]).
//!
//! What decides is `machine`, without I/O or clock, driven by the actor around it; `net` only carries requests out and answers in.
//! Time and randomness are passed in.

mod actor;
mod address;
mod error;
mod ids;
mod keeper;
mod link;
mod machine;
mod net;
mod outbox;
mod status;
mod timing;
mod tokens;
mod tools;
mod updates;

pub use address::{AddressError, AgentAddress};
pub use error::{CommandError, DeliveryError, LinkError, TurnError};
pub use link::{Link, LinkConfig, Subscription};
pub use net::{Authorities, ClientError, Network, Wire, authorities, http_client, proxy_of, tls_config};
pub use outbox::{OutboxEntry, OutboxError, OutboxStore};
pub use status::{AgentToolStatus, Delivery, DeliveryState, LinkState, PendingDecision, Reply, RunPhase, Status, ThreadSnapshot};
pub use timing::Timing;
pub use tokens::TokenSource;
pub use tools::{ClientTool, ToolHandler};
pub use updates::{Update, Updates};
