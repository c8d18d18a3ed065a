//! End to end: the real window, driven through its own web view; a real keychain; a real browser at the tenant's page; links that come
//! back the way the desktop delivers them.
//!
//! It needs a desktop for itself. `cargo xtask test --only e2e` makes one that nobody sees and runs every test on it;
//! `cargo xtask desktop -- COMMAND` runs anything else on one.
#![cfg(target_os = "linux")]

pub mod app;
mod browser;
pub mod bus;
mod console;
mod desktop;
mod driver;
pub mod error;
pub mod foreign;
pub mod journey;
pub mod keychain;
pub mod leaks;
mod memory;
pub mod process;
pub mod screen;
pub mod servers;
/// The names of the things in the window, from the window's own sources.
#[path = "../../ui/src/testids.rs"]
pub mod testids;
pub mod transcript;
pub mod wait;
pub mod window;
mod world;

pub use app::{App, Launch};
pub use browser::Browser;
pub use console::{Console, Ended};
pub use desktop::Desktop;
pub use driver::Driver;
pub use error::{Error, Result};
pub use process::Process;
pub use wait::Look;
pub use window::{Message, Tool, View, Window};
pub use world::World;
