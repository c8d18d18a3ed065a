//! The window in a real browser, with a shell that the tests hold in their hands.
#![cfg(target_arch = "wasm32")]
#![allow(unreachable_pub, clippy::needless_pass_by_value, clippy::panic, clippy::unwrap_used, reason = "tests, and helpers of tests")]

mod agent_tools;
mod approval;
mod composer;
mod editor;
mod elsewhere;
mod markdown;
mod messages;
mod signing_in;
mod stage;
mod tauri;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
