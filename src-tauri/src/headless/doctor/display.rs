//! Whether a window could be shown here.

use super::Finding;

const CHECK: &str = "display";

/// What makes the web view draw by other means; whoever has set one of them may have forgotten it.
const SWITCHES: [&str; 5] =
    ["WEBKIT_DISABLE_DMABUF_RENDERER", "WEBKIT_DISABLE_COMPOSITING_MODE", "LIBGL_ALWAYS_SOFTWARE", "GDK_BACKEND", "GSK_RENDERER"];

/// Where the system says that a display is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Place {
    wayland: Option<String>,
    x11: Option<String>,
    switches: Vec<String>,
}

impl Place {
    fn here() -> Self {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let switches = SWITCHES.iter().filter_map(|name| Some(format!("{name}={}", variable(name)?))).collect();
        Self { wayland: variable("WAYLAND_DISPLAY"), x11: variable("DISPLAY"), switches }
    }
}

/// Whether somebody could look at a window here.
pub(super) fn is_wanted() -> bool {
    let Place { wayland, x11, .. } = Place::here();
    !cfg!(target_os = "linux") || wayland.is_some() || x11.is_some()
}

pub(super) fn look() -> Finding {
    if cfg!(target_os = "linux") { judge(&Place::here()) } else { Finding::ok(CHECK, "The system's own display is used.") }
}

fn judge(place: &Place) -> Finding {
    let mut ways = Vec::new();
    let mut dead = Vec::new();
    for (name, display, answers) in
        [("Wayland", &place.wayland, wayland_answers as fn(&str) -> bool), ("X11", &place.x11, x11_answers as fn(&str) -> bool)]
    {
        match display {
            Some(display) if answers(display) => ways.push(format!("{name} ({display})")),
            Some(display) => dead.push(format!("{name} ({display})")),
            None => {}
        }
    }
    let switches =
        if place.switches.is_empty() { String::new() } else { format!(" How it is drawn is changed by {}.", place.switches.join(", ")) };
    match (ways.is_empty(), dead.is_empty()) {
        (false, _) => Finding::ok(CHECK, format!("A window is shown by {}.{switches}", ways.join(" or "))),
        (true, true) => Finding::ok(CHECK, "There is no display. The commands need none; the window is for a desktop session."),
        (true, false) => {
            let text = format!(
                "Nobody answers at {}. Set WAYLAND_DISPLAY or DISPLAY to a display that is there, or to nothing.",
                dead.join(" or ")
            );
            Finding::problem(CHECK, "display-dead", text)
        }
    }
}

#[cfg(unix)]
fn wayland_answers(display: &str) -> bool {
    let folder = dirs::runtime_dir().unwrap_or_default();
    // An absolute name stands for itself.
    std::os::unix::net::UnixStream::connect(folder.join(display)).is_ok()
}

/// A display of this computer is looked at; one of another computer is believed.
#[cfg(unix)]
fn x11_answers(display: &str) -> bool {
    use std::os::unix::net::UnixStream;

    let Some((host, screen)) = display.rsplit_once(':') else { return false };
    let number = screen.split('.').next().unwrap_or_default();
    if !host.is_empty() && host != "unix" {
        return true;
    }
    let path = format!("/tmp/.X11-unix/X{number}");
    if UnixStream::connect(&path).is_ok() {
        return true;
    }
    // Some servers have a name without a file only.
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt as _;
        std::os::unix::net::SocketAddr::from_abstract_name(&path).is_ok_and(|address| UnixStream::connect_addr(&address).is_ok())
    }
    #[cfg(not(target_os = "linux"))]
    false
}

#[cfg(not(unix))]
fn wayland_answers(_: &str) -> bool {
    false
}

#[cfg(not(unix))]
fn x11_answers(_: &str) -> bool {
    false
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::headless::doctor::State;

    #[test]
    fn a_display_is_one_at_which_somebody_answers() {
        let top = tempfile::tempdir().unwrap();
        let socket = top.path().join("wayland-7");
        let place = |wayland: Option<&str>, x11: Option<&str>| Place {
            wayland: wayland.map(str::to_owned),
            x11: x11.map(str::to_owned),
            switches: vec!["GDK_BACKEND=x11".to_owned()],
        };
        let dead = judge(&place(socket.to_str(), Some(":4711")));
        assert_eq!((dead.state, dead.code), (State::Problem, "display-dead"), "{dead:?}");
        let _listener = UnixListener::bind(&socket).unwrap();
        let shown = judge(&place(socket.to_str(), Some(":4711")));
        assert!(shown.state == State::Ok && shown.text.contains("Wayland") && shown.text.contains("GDK_BACKEND=x11"), "{shown:?}");
        assert!(!shown.text.contains("X11 ("), "{shown:?}");
        assert_eq!(judge(&place(None, None)).state, State::Ok);
    }
}
