//! The one window.

use tauri::{App, AppHandle, Manager, Runtime, WebviewUrl, WebviewWindowBuilder};

pub(crate) const LABEL: &str = "main";

/// Opens the window. It leads nowhere but to the app's own pages, and whatever wants to open another window is refused.
pub(crate) fn open<R: Runtime>(app: &App<R>) -> tauri::Result<()> {
    WebviewWindowBuilder::new(app, LABEL, WebviewUrl::default())
        .title("Callbox")
        .inner_size(1100.0, 760.0)
        .min_inner_size(560.0, 420.0)
        .center()
        .on_navigation(is_own_page)
        .build()?;
    Ok(())
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
    use super::is_own_page;

    #[test]
    fn the_window_leads_nowhere_else() {
        assert!(is_own_page(&"tauri://localhost/index.html".parse().unwrap()));
        for elsewhere in ["https://example.com/", "data:text/html,x", "file:///etc/passwd", "about:blank", "tauri://evil/"] {
            assert!(!is_own_page(&elsewhere.parse().unwrap()), "{elsewhere}");
        }
    }
}
