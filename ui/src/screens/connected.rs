//! The accounts at other services that are connected, in the account's panel: looked up when somebody wants to know, and disconnected one by one.

use callbox_ipc::{ConnectedAccount, UserError};
use leptos::prelude::*;
use leptos::task::spawn_local;

use crate::backend::Shell;
use crate::cards::ErrorCard;
use crate::elements::{Icon, Sign, spans};
use crate::i18n::{Argument, I18n};
use crate::state::{interrupt, put};
use crate::testids;

/// What is known of them.
#[derive(Debug, Clone, PartialEq)]
enum Known {
    Nothing,
    Looking,
    List(Vec<ConnectedAccount>),
    Failed(UserError),
}

/// A button that looks them up, then the list.
#[component]
pub(super) fn ConnectedAccounts() -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let shell = expect_context::<Shell>();
    let known = RwSignal::new(Known::Nothing);
    let look = move || {
        known.set(Known::Looking);
        let answer = shell.connected_accounts();
        spawn_local(async move {
            put(
                known,
                match answer.await {
                    Ok(accounts) => Known::List(accounts),
                    Err(error) => Known::Failed(error),
                },
            );
        });
    };
    let disconnect = move |account: ConnectedAccount| {
        known.set(Known::Looking);
        let answer = shell.disconnect_account(account);
        spawn_local(async move {
            match answer.await {
                Ok(()) => look(),
                Err(error) => put(known, Known::Failed(error)),
            }
        });
    };
    view! {
        <div class="connected" data-testid=testids::CONNECTED_ACCOUNTS>
            {move || match known.get() {
                Known::Nothing => view! {
                    <button type="button" class="row" data-testid=testids::SHOW_CONNECTED on:click=move |_| look()>
                        <Icon sign=Sign::Key />
                        {move || i18n.t("connected-accounts")}
                    </button>
                }.into_any(),
                Known::Looking => view! { <p role="status">{move || i18n.t("connected-looking")}</p> }.into_any(),
                Known::List(list) if list.is_empty() => view! { <p role="status">{move || i18n.t("connected-none")}</p> }.into_any(),
                Known::List(list) => view! { <ul>{list.into_iter().map(|account| entry(i18n, account, disconnect)).collect_view()}</ul> }.into_any(),
                Known::Failed(error) => view! { <ErrorCard error=error /> }.into_any(),
            }}
        </div>
    }
}

fn entry(i18n: I18n, account: ConnectedAccount, disconnect: impl Fn(ConnectedAccount) + Copy + 'static) -> impl IntoView {
    let name = interrupt::service(&account.connection).map_or_else(|| callbox_approvals::readable(&account.connection), str::to_owned);
    let label = {
        let name = name.clone();
        move || i18n.with("disconnect-account", &[("service", Argument::from(name.as_str()))])
    };
    let (scopes, connection) = (account.scopes.join(" "), account.connection.clone());
    view! {
        <li data-connection=connection>
            <div>
                <strong>{spans::prose(&name)}</strong>
                <code>{spans::strict(&scopes)}</code>
            </div>
            <button type="button" class="quiet" title=label.clone() aria-label=label data-testid=testids::DISCONNECT on:click=move |_| disconnect(account.clone())>
                <Icon sign=Sign::Trash />
            </button>
        </li>
    }
}
