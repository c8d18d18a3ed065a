//! A page of every screen and card in every state, for looking at and for screenshots. Never in the app.
//!
//! `?scene=NAME` shows one scene, `&theme=light|dark` and `&language=english|japanese` dress it; without a scene, all are listed. The
//! window is the real one: only the shell behind it is made up.

mod elsewhere;
mod fixtures;
mod scenes;
mod shell;

use callbox_ipc::{Language, Preferences, Theme};
use leptos::prelude::*;

use crate::backend::Shell;
use crate::root::Root;
use shell::MadeUp;

/// Shows what the page's address asks for.
pub fn start() {
    let query = web_sys::window().and_then(|window| window.location().search().ok()).unwrap_or_default();
    let wanted = |name: &str| {
        query
            .trim_start_matches('?')
            .split('&')
            .find_map(|pair| pair.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned()))
    };
    let theme = match wanted("theme").as_deref() {
        Some("light") => Theme::Light,
        Some("dark") => Theme::Dark,
        _ => Theme::System,
    };
    let language = match wanted("language").as_deref() {
        Some("english") => Language::English,
        Some("japanese") => Language::Japanese,
        _ => Language::System,
    };
    let preferences = Preferences { theme, language };
    match wanted("scene").and_then(|name| scenes::scene(&name)) {
        Some(scene) => mount_to_body(move || view! { <Root shell=Shell::new(MadeUp::new(scene, preferences)) /> }),
        None => mount_to_body(list),
    }
}

fn list() -> impl IntoView {
    let entries = scenes::NAMES.iter().map(|name| view! { <li><a href=format!("?scene={name}")>{*name}</a></li> }).collect_view();
    view! { <ul class="nowhere">{entries}</ul> }
}
