//! What went wrong, as a sentence that says what to do.

use callbox_ipc::UserError;
use leptos::prelude::*;

use crate::elements::{Icon, Sign, spans};
use crate::i18n::I18n;
use crate::testids;

/// An error in its place. What can be done about it may follow as children.
#[component]
pub fn ErrorCard(error: UserError, #[prop(optional)] children: Option<Children>) -> impl IntoView {
    let i18n = expect_context::<I18n>();
    let code = error.code.clone();
    view! {
        <div class="error" role="alert" data-testid=testids::ERROR data-code=code>
            <Icon sign=Sign::Warning />
            <p>{move || spans::prose(&i18n.error(&error))}</p>
            {children.map(|children| view! { <div class="actions">{children()}</div> })}
        </div>
    }
}
