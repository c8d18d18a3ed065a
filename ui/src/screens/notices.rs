//! Sentences that concern no single conversation, and the words that only screen readers hear.

use callbox_ipc::{NoticeKind, TurnView};
use leptos::prelude::*;

use crate::elements::{For, Icon, Sign, spans};
use crate::i18n::{Argument, I18n};
use crate::state::App;
use crate::state::watching::{Announcement, Watcher};
use crate::testids;

/// The notices, newest last; each stays until it is taken away.
#[component]
pub fn Notices() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    view! {
        <div class="notices" role="region" aria-live="polite" aria-label=move || i18n.t("notices")>
            <For each=move || app.notices.get() key=|(number, _)| *number let(entry)>
                {
                    let (number, notice) = entry;
                    let (class, sign) = match notice.kind {
                        NoticeKind::Info => ("notice", Sign::Info),
                        NoticeKind::Warning => ("notice warned", Sign::Warning),
                        NoticeKind::Error => ("notice failed", Sign::Warning),
                    };
                    let code = notice.message.code.clone();
                    view! {
                        <div class=class data-testid=testids::NOTICE data-code=code>
                            <Icon sign=sign />
                            <p>{move || spans::prose(&i18n.error(&notice.message))}</p>
                            <button
                                type="button"
                                class="quiet"
                                data-testid=testids::DISMISS_NOTICE
                                aria-label=move || i18n.t("dismiss")
                                on:click=move |_| app.dismiss(number)
                            >
                                <Icon sign=Sign::Cross />
                            </button>
                        </div>
                    }
                }
            </For>
        </div>
    }
}

/// Says that an answer begins and ends and that the agent asks; never the answer itself.
#[component]
pub fn LiveRegion() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let app = expect_context::<App>();
    let said = RwSignal::new(String::new());
    let watcher = StoredValue::new((None::<String>, Watcher::default()));
    let view = Memo::new(move |_| {
        app.thread.with(|thread| {
            thread.as_ref().map(|thread| {
                let turn = thread.status.with(|status| status.turn);
                let asking = thread.asking().into_iter().map(|tool| (tool.tool_call_id, tool.tool_name)).collect::<Vec<_>>();
                (thread.conversation.clone(), turn, asking)
            })
        })
    });
    Effect::new(move |_| {
        let (conversation, turn, asking) =
            view.get().map_or((None, TurnView::Idle, Vec::new()), |(id, turn, asking)| (Some(id), turn, asking));
        let news = watcher.try_update_value(|(before, watcher)| {
            if *before != conversation {
                *before = conversation;
                *watcher = Watcher::default();
            }
            watcher.look(turn, &asking)
        });
        let words: Vec<String> = news
            .unwrap_or_default()
            .into_iter()
            .map(|announcement| match announcement {
                Announcement::Started => i18n.t("live-started"),
                Announcement::Finished => i18n.t("live-finished"),
                Announcement::Asked { tool } => i18n.with("live-asked", &[("tool", Argument::from(callbox_approvals::readable(&tool)))]),
            })
            .collect();
        if !words.is_empty() {
            said.set(words.join(" "));
        }
    });
    view! {
        <div class="visually-hidden" role="status" aria-live="polite" aria-atomic="true" data-testid=testids::LIVE_REGION>
            {move || said.get()}
        </div>
    }
}
