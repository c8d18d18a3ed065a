//! The sandbox against real HTTP and WebSocket clients.

mod app;
mod faults;
mod refresh;
mod sign_in;
mod state;
