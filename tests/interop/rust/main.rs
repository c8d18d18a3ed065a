//! Our link and the SDK's own client in one conversation with the SDK's own agent on the Workers runtime. Whatever happens, the three have
//! to come to the same messages, and so has a replay of the frames. `cargo xtask test --only interop` builds the agents and runs this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "functions that only tests call")]

mod ours;
mod place;
mod proxy;
mod quirks;
mod recorded;
mod room;
mod scenarios;
mod sdk;
