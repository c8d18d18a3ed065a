//! The one window.

use callbox_ipc::Theme;
use tauri::{App, AppHandle, Manager, Runtime, WebviewUrl, WebviewWindowBuilder, window::Color};

pub(crate) const LABEL: &str = "main";

/// Opens the window. It leads nowhere but to the app's own pages, and whatever wants to open another window is refused.
pub(crate) fn open<R: Runtime>(app: &App<R>, theme: Theme) -> tauri::Result<()> {
    let builder = WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Callbox")
        .inner_size(1100.0, 760.0)
        .min_inner_size(560.0, 420.0)
        .center()
        .on_navigation(is_own_page)
        .theme(native(theme));
    match paper(theme) {
        Some(paper) => builder.background_color(paper).build()?,
        None => builder.build()?,
    };
    Ok(())
}

/// Dresses the frame and the page, which follows the window, in the user's choice.
pub(crate) fn dress<R: Runtime>(app: &AppHandle<R>, theme: Theme) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    if let Err(error) = window.set_theme(native(theme)) {
        tracing::debug!(%error, "the window's theme could not be set");
    }
}

fn native(theme: Theme) -> Option<tauri::Theme> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(tauri::Theme::Light),
        Theme::Dark => Some(tauri::Theme::Dark),
    }
}

/// What is seen before the page is there: `--paper` of `ui/styles/00-tokens.css`.
fn paper(theme: Theme) -> Option<Color> {
    match theme {
        Theme::System => None,
        Theme::Light => Some(Color(0xfb, 0xfa, 0xf8, 0xff)),
        Theme::Dark => Some(Color(0x1c, 0x1b, 0x19, 0xff)),
    }
}

/// The pages that Tauri serves: `tauri://localhost`, or `http(s)://tauri.localhost` on Windows.
fn is_own_page(url: &tauri::Url) -> bool {
    match url.scheme() {
        "tauri" => url.host_str() == Some("localhost"),
        "http" | "https" => cfg!(windows) && url.host_str() == Some("tauri.localhost"),
        _ => false,
    }
}

/// Shows the window and gives it the keyboard, as far as the system lets us.
pub(crate) fn summon<R: Runtime>(app: &AppHandle<R>) {
    let Some(window) = app.get_webview_window(LABEL) else { return };
    for result in [window.unminimize(), window.show(), window.set_focus()] {
        if let Err(error) = result {
            tracing::debug!(%error, "the window could not be brought to the front");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_has_the_colour_of_the_page_before_the_page_is_there() {
        let tokens = include_str!("../../ui/styles/00-tokens.css");
        for theme in [Theme::Light, Theme::Dark] {
            let Some(Color(red, green, blue, _)) = paper(theme) else { panic!("a colour") };
            assert!(tokens.contains(&format!("--paper: #{red:02x}{green:02x}{blue:02x};")), "{theme:?}");
        }
    }

    #[test]
    fn the_window_leads_nowhere_else() {
        assert!(is_own_page(&"tauri://localhost/index.html".parse().unwrap()));
        for elsewhere in ["https://example.com/", "data:text/html,x", "file:///etc/passwd", "about:blank", "tauri://evil/"] {
            assert!(!is_own_page(&elsewhere.parse().unwrap()), "{elsewhere}");
        }
    }
}
