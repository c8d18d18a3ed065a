//! The screen, as a window manager sees it.

use x11rb::{
    connection::Connection as _,
    protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState, Window},
    rust_connection::RustConnection,
    wrapper::ConnectionExt as _,
};

use crate::{Error, Result, error::ensure};

/// Asks the visible windows of a process to close, as the cross in their title bar does (ICCCM §4.2.8.1).
///
/// # Errors
/// When there is no such window, or no screen.
pub(crate) fn close_window_of(pid: u32) -> Result<()> {
    let asked = try_to_close(pid).map_err(|error| Error::unexpected(format!("the screen cannot be asked: {error}")))?;
    ensure(asked > 0, || format!("process {pid} has no window"))
}

fn try_to_close(pid: u32) -> Result<usize, Box<dyn std::error::Error>> {
    let (screen, number) = RustConnection::connect(None)?;
    let root = screen.setup().roots[number].root;
    let atom = |name: &str| -> Result<u32, Box<dyn std::error::Error>> { Ok(screen.intern_atom(false, name.as_bytes())?.reply()?.atom) };
    let (pid_atom, protocols, delete) = (atom("_NET_WM_PID")?, atom("WM_PROTOCOLS")?, atom("WM_DELETE_WINDOW")?);
    let mut asked = 0;
    for window in screen.query_tree(root)?.reply()?.children {
        if is_shown(&screen, window)?
            && screen
                .get_property(false, window, pid_atom, AtomEnum::CARDINAL, 0, 1)?
                .reply()?
                .value32()
                .is_some_and(|mut value| value.next() == Some(pid))
        {
            let message = ClientMessageEvent::new(32, window, protocols, [delete, x11rb::CURRENT_TIME, 0, 0, 0]);
            screen.send_event(false, window, EventMask::NO_EVENT, message)?;
            asked += 1;
        }
    }
    screen.sync()?;
    Ok(asked)
}

fn is_shown(screen: &RustConnection, window: Window) -> Result<bool, Box<dyn std::error::Error>> {
    Ok(screen.get_window_attributes(window)?.reply()?.map_state == MapState::VIEWABLE)
}
