//! The window itself: starts the conversation with the shell and chooses the screen.

use std::time::Duration;

use callbox_ipc::{Event, Notice, NoticeKind, SessionView};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::backend::{Shell, unattended};
use crate::elements::{Show, page};
use crate::i18n::I18n;
use crate::screens::{LiveRegion, Main, NewAgent, Notices, SignIn, Starting, listen_for_accounts};
use crate::state::preferences::{data_theme, locale};
use crate::state::{App, Demand};
use crate::testids;

/// Which screen is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Screen {
    Starting,
    SignIn,
    Waiting,
    Main,
}

impl Screen {
    fn of(session: Option<&SessionView>) -> Self {
        match session {
            None | Some(SessionView::Restoring) => Self::Starting,
            Some(SessionView::SignedOut { .. }) => Self::SignIn,
            Some(SessionView::SigningIn { .. }) => Self::Waiting,
            Some(SessionView::SignedIn { .. }) => Self::Main,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::SignIn => "sign-in",
            Self::Waiting => "waiting",
            Self::Main => "main",
        }
    }
}

/// The whole window.
#[component]
pub fn Root(shell: Shell) -> impl IntoView {
    let app = App::new();
    let locale = Memo::new(move |_| locale(app.preferences.get().language, &page::system_language()));
    let i18n = I18n::new(locale);
    provide_context(app);
    provide_context(shell);
    provide_context(i18n);
    Effect::new(move |_| dress(data_theme(app.preferences.get().theme), locale.get().tag()));
    start(app, shell);
    listen_for_accounts(app, shell);
    keep_drafts(app, shell);
    let screen = Memo::new(move |_| app.session.with(|session| Screen::of(session.as_ref())));
    // Waiting for the browser is a state of the sign-in screen, not another screen.
    let place = Memo::new(move |_| match screen.get() {
        Screen::Waiting => Screen::SignIn,
        screen => screen,
    });
    view! {
        <div class="window" data-testid=testids::WINDOW data-screen=move || screen.get().name()>
            <div class="screen" prop:inert=move || app.adding_agent.with(Option::is_some)>
                {move || match place.get() {
                    Screen::Starting => view! { <Starting /> }.into_any(),
                    Screen::SignIn | Screen::Waiting => view! { <SignIn /> }.into_any(),
                    Screen::Main => view! { <Main /> }.into_any(),
                }}
            </div>
            <Show when=move || app.adding_agent.with(Option::is_some)>
                <NewAgent />
            </Show>
            <Notices />
            <LiveRegion />
        </div>
    }
}

/// How long after a letter the shell is told of the text, in which more letters come.
const DRAFT_PAUSE: Duration = Duration::from_millis(300);

/// Has the shell keep what is typed and not sent. That it could not is no reason to disturb anybody who writes.
fn keep_drafts(app: App, shell: Shell) {
    let due = StoredValue::new(false);
    Effect::new(move |_| {
        app.drafts.track();
        if due.try_update_value(|due| std::mem::replace(due, true)).unwrap_or(true) {
            return;
        }
        set_timeout(
            move || {
                due.set_value(false);
                for (of, text) in app.unkept_drafts() {
                    unattended(shell.keep_draft(of.seat, of.conversation, of.message, text));
                }
            },
            DRAFT_PAUSE,
        );
    });
}

/// Puts theme and language on the document.
fn dress(theme: Option<&str>, language: &str) {
    let Some(root) = page::document().and_then(|document| document.document_element()) else { return };
    drop(match theme {
        Some(theme) => root.set_attribute("data-theme", theme),
        None => root.remove_attribute("data-theme"),
    });
    drop(root.set_attribute("lang", language));
}

/// Asks for events first and for the whole second, so that nothing falls between the two.
fn start(app: App, shell: Shell) {
    let subscribed = shell.subscribe(move |event| receive(app, shell, event));
    spawn_local(async move {
        if let Err(error) = subscribed.await {
            app.notify(Notice { kind: NoticeKind::Error, message: error });
        }
        bootstrap(app, shell).await;
    });
}

async fn bootstrap(app: App, shell: Shell) {
    if let Err(error) = shell.bootstrap().await {
        app.notify(Notice { kind: NoticeKind::Error, message: error });
    }
}

async fn open(app: App, shell: Shell, conversation: String) {
    if let Err(error) = shell.open_conversation(conversation).await {
        app.notify(Notice { kind: NoticeKind::Error, message: error });
    }
}

fn receive(app: App, shell: Shell, event: Event) {
    match app.receive(event) {
        Some(Demand::Bootstrap) => spawn_local(bootstrap(app, shell)),
        Some(Demand::Open(conversation)) => spawn_local(open(app, shell, conversation)),
        None => {}
    }
}
