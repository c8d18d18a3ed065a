//! The window in a real browser, with a shell that the tests hold in their hands.
#![cfg(target_arch = "wasm32")]

mod approval;
mod composer;
mod markdown;
mod messages;
mod signing_in;
mod stage;
mod tauri;

wasm_bindgen_test::wasm_bindgen_test_configure!(run_in_browser);
