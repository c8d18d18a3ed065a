//! Starts the window.

fn main() {
    console_error_panic_hook::set_once();
    #[cfg(feature = "gallery")]
    callbox_ui::gallery::start();
    #[cfg(not(feature = "gallery"))]
    start();
}

/// Puts the window into the page, or says that the page is not in the app.
#[cfg(not(feature = "gallery"))]
fn start() {
    use callbox_ui::backend::{Shell, tauri::Tauri};
    use callbox_ui::root::Root;
    use leptos::prelude::*;

    if let Some(splash) = callbox_ui::elements::page::document().and_then(|document| document.get_element_by_id("splash")) {
        splash.remove();
    }
    match Tauri::find() {
        Some(tauri) => mount_to_body(move || view! { <Root shell=Shell::new(tauri) /> }),
        None => mount_to_body(|| view! { <p class="nowhere">"This page is part of the Callbox app and does nothing outside it."</p> }),
    }
}
