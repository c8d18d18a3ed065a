//! A tenant and an agent on loopback, scriptable down to the single frame.
//!
//! The **tenant** is an OAuth 2.1 and OpenID Connect server that answers like Auth0: discovery, key set, login, consent and confirmation
//! pages, code with PKCE, rotating refresh tokens, revocation, logout, userinfo. The **agent** speaks the Agents chat protocol as its newest
//! SDK does, checks the tenant's tokens on the handshake, and has a clock tool that just runs and a weather tool that asks first.
//! Together they let the app be tried with no account, no key and no network, and they are what the app's tests talk to.
//!
//! What this crate promises: nothing listens beyond loopback; no request leaves the computer unless [`Model::OpenAi`] says where to;
//! what a test asks of [`Control`] happens to exactly the requests that it named. The clock is injected, nothing else is hidden state.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use callbox_sandbox::{Endpoint, Fault, Sandbox, SandboxConfig};
//!
//! let sandbox = Sandbox::start(SandboxConfig::default()).await?;
//! // The next refresh rotates the token, but its answer never arrives.
//! sandbox.control().once(Endpoint::Token, Fault::DropReply);
//! # Ok(())
//! # }
//! ```

mod agent;
mod bare;
mod config;
mod control;
mod disk;
mod dpop;
mod error;
mod random;
mod sandbox;
mod tenant;
mod visitor;
mod wire;

pub use bare::{BareAgent, Said, Seat};
pub use config::{AUDIENCE, CLIENT_ID, Clock, Model, OpenAi, PASSWORD, Person, SERVICE_CLIENT_ID, SERVICE_CLIENT_SECRET, SandboxConfig};
pub use control::{
    Control, Endpoint, Fault, Generation, Presented, RefreshOutcome, Registration, ResponseIss, Settings, Signature, TokenBinding,
};
pub use error::SandboxError;
pub use sandbox::Sandbox;
pub use visitor::{Page, Visitor, VisitorError};
