//! Servers of tools at which the agent waits to be let in.

use callbox_ipc::{Notice, NoticeKind, ToolServerView};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::backend::Shell;
use crate::elements::{Icon, Sign, spans};
use crate::i18n::{Argument, I18n};
use crate::state::{App, Thread};
use crate::testids;

/// A line below the header for each of them.
#[component]
pub(super) fn ToolServers(thread: Thread) -> impl IntoView {
    let status = thread.status;
    let servers = Memo::new(move |_| status.with(|status| status.closed_servers.clone()));
    let conversation = thread.conversation;
    move || servers.get().into_iter().map(|server| line(server, conversation.clone())).collect_view()
}

fn line(server: ToolServerView, conversation: String) -> AnyView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let shell = expect_context::<Shell>();
    let ToolServerView { id, name, host } = server;
    let open = move |_| {
        let answer = shell.open_tool_server(conversation.clone(), id.clone());
        spawn_local(async move {
            if let Err(error) = answer.await {
                app.notify(Notice { kind: NoticeKind::Error, message: error });
            }
        });
    };
    let words =
        move || i18n.with("tool-server-closed", &[("name", Argument::from(name.as_str())), ("host", Argument::from(host.as_str()))]);
    view! {
        <div class="trouble" role="status" data-testid=testids::TOOL_SERVER>
            <Icon sign=Sign::Key />
            <p>{move || spans::prose(&words())}</p>
            <button type="button" class="secondary small" data-testid=testids::OPEN_TOOL_SERVER on:click=open>{move || i18n.t("grant-more")}</button>
        </div>
    }
    .into_any()
}
