//! The screen, as a window manager sees it.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState, Window},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{Error, Result, error::ensure};

type Fallible<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Asks the visible windows of a process to close, as the cross in their title bar does (ICCCM §4.2.8.1).
///
/// # Errors
/// When there is no such window, or no screen.
pub fn close_window_of(pid: u32) -> Result<()> {
    let asked = ask_to_close(pid).map_err(|error| unreachable_screen(&*error))?;
    ensure(asked > 0, || format!("process {pid} has no window"))
}

/// Whether a process has a window that can be seen.
///
/// # Errors
/// When there is no screen.
pub fn has_window(pid: u32) -> Result<bool> {
    let windows = Screen::open().and_then(|screen| windows_of(&screen, pid));
    windows.map(|windows| !windows.is_empty()).map_err(|error| unreachable_screen(&*error))
}

fn unreachable_screen(error: &dyn std::error::Error) -> Error {
    Error::unexpected(format!("the screen cannot be asked: {error}"))
}

struct Screen {
    connection: RustConnection,
    root: Window,
}

impl Screen {
    fn open() -> Fallible<Self> {
        let (connection, number) = RustConnection::connect(None)?;
        let root = connection.setup().roots[number].root;
        Ok(Self { connection, root })
    }

    fn atom(&self, name: &str) -> Fallible<u32> {
        Ok(self.connection.intern_atom(false, name.as_bytes())?.reply()?.atom)
    }
}

fn ask_to_close(pid: u32) -> Fallible<usize> {
    let screen = Screen::open()?;
    let (protocols, delete) = (screen.atom("WM_PROTOCOLS")?, screen.atom("WM_DELETE_WINDOW")?);
    let windows = windows_of(&screen, pid)?;
    for window in &windows {
        let message = ClientMessageEvent::new(32, *window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
        screen.connection.send_event(false, *window, EventMask::NO_EVENT, message)?;
    }
    screen.connection.sync()?;
    Ok(windows.len())
}

/// The windows of a process that can be seen.
fn windows_of(screen: &Screen, pid: u32) -> Fallible<Vec<Window>> {
    let owner = screen.atom("_NET_WM_PID")?;
    let mut found = Vec::new();
    for window in screen.connection.query_tree(screen.root)?.reply()?.children {
        // A window may go while it is asked about.
        let Ok(attributes) = screen.connection.get_window_attributes(window)?.reply() else { continue };
        let Ok(property) = screen.connection.get_property(false, window, owner, AtomEnum::CARDINAL, 0, 1)?.reply() else { continue };
        let is_its = property.value32().is_some_and(|mut values| values.next() == Some(pid));
        if is_its && attributes.map_state == MapState::VIEWABLE {
            found.push(window);
        }
    }
    Ok(found)
}
