//! The sandbox against real HTTP and WebSocket clients.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used, reason = "these are tests")]

mod agent;
mod app;
mod approval;
mod door;
mod dpop;
mod faults;
mod model;
mod oldest;
mod refresh;
mod resume;
mod sign_in;
mod state;
