//! Commands that nobody waits for: what goes wrong with them becomes a notice.

use callbox_ipc::{Notice, NoticeKind};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::backend::Answer;
use crate::state::{App, put};

/// Waits for what the shell says, and tells what went wrong.
pub(super) fn ask(app: App, kind: NoticeKind, answer: Answer<()>) {
    spawn_local(async move { tell(app, kind, answer.await) });
}

/// The same; `busy` is set until the shell has answered.
pub(super) fn ask_once(app: App, kind: NoticeKind, busy: RwSignal<bool>, answer: Answer<()>) {
    busy.set(true);
    spawn_local(async move {
        let answer = answer.await;
        put(busy, false);
        tell(app, kind, answer);
    });
}

fn tell(app: App, kind: NoticeKind, answer: Result<(), callbox_ipc::UserError>) {
    if let Err(message) = answer {
        app.notify(Notice { kind, message });
    }
}
