//! Sessions against the sandbox tenant: real HTTP, real tokens, a scripted keychain.
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests")]

mod access;
mod accounts;
mod adversarial;
mod beside;
mod callback;
mod connect;
mod dpop;
mod faults;
mod find;
mod keychain;
mod loopback;
mod processes;
mod refresh;
mod service;
mod sharing;
mod sign_in;
mod sign_out;
mod step_up;
mod world;
