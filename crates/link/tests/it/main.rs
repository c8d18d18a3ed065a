//! Links against the sandbox's agent: real sockets, real tokens of a real session, faults on demand.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "these are tests")]

mod bound;
mod confirm;
mod connect;
mod decide;
mod elsewhere;
mod front;
mod lifetime;
mod proxy;
mod rework;
mod talk;
mod tls;
mod tools;
mod world;
