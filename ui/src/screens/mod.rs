//! The screens of the window, and what they are put together from.

mod account;
mod accounts;
mod actions;
mod add_agent;
mod ask;
mod composer;
mod connected;
mod connection;
mod conversation;
mod main;
mod message;
mod new_agent;
mod notices;
mod sidebar;
mod sign_in;
mod starting;
mod tool_servers;
mod welcome;

pub use accounts::listen as listen_for_accounts;
pub use main::Main;
pub use new_agent::NewAgent;
pub use notices::{LiveRegion, Notices};
pub use sign_in::SignIn;
pub use starting::Starting;
