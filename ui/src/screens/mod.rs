//! The screens of the window, and what they are put together from.

mod account;
mod actions;
mod add_agent;
mod composer;
mod connection;
mod conversation;
mod main;
mod message;
mod notices;
mod sidebar;
mod sign_in;
mod starting;
mod welcome;

pub use main::Main;
pub use notices::{LiveRegion, Notices};
pub use sign_in::SignIn;
pub use starting::Starting;
