//! The window's words, in Fluent files: `ui/locales/en.ftl` and `ui/locales/ja.ftl`.
//!
//! Promises: a text that a language lacks is shown in English, and an error that no file knows is shown in its own words; nothing is ever
//! shown as an empty line or a bare key where English has the key.

mod catalog;

use callbox_ipc::UserError;
use leptos::prelude::*;

pub use catalog::{Argument, keys, text};

/// A language that the window speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Locale {
    English,
    Japanese,
}

impl Locale {
    /// The tag for the document's `lang` and for dates.
    pub fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Japanese => "ja",
        }
    }
}

/// The words in the language of the moment. Reading them inside a reactive function follows the language.
#[derive(Clone, Copy)]
pub struct I18n {
    locale: Memo<Locale>,
}

impl I18n {
    /// Words in this language, whichever it is at the moment.
    pub fn new(locale: Memo<Locale>) -> Self {
        Self { locale }
    }

    /// The language of the moment.
    pub fn locale(self) -> Locale {
        self.locale.get()
    }

    /// A text without arguments.
    pub fn t(self, key: &str) -> String {
        text(self.locale.get(), key, &[]).unwrap_or_else(|| key.to_owned())
    }

    /// A text with arguments.
    pub fn with(self, key: &str, arguments: &[(&str, Argument)]) -> String {
        text(self.locale.get(), key, arguments).unwrap_or_else(|| key.to_owned())
    }

    /// What happened and what to do.
    pub fn error(self, error: &UserError) -> String {
        error_text(self.locale.get(), error)
    }
}

/// The sentence for an error: the language's own, or what the error says for itself. An English sentence from the shell knows
/// more than ours, so English uses ours only where the error brings none.
pub fn error_text(locale: Locale, error: &UserError) -> String {
    if locale == Locale::English && !error.text.trim().is_empty() {
        return error.text.clone();
    }
    let arguments: Vec<(&str, Argument)> =
        error.arguments.iter().map(|(name, value)| (name.as_str(), Argument::from(value.as_str()))).collect();
    let key = format!("error-{}", error.code);
    catalog::exact(locale, &key, &arguments)
        .or_else(|| Some(error.text.clone()).filter(|text| !text.trim().is_empty()))
        .or_else(|| text(locale, &key, &arguments))
        .or_else(|| text(locale, "error-unknown", &[("code", Argument::from(error.code.as_str()))]))
        .unwrap_or_else(|| error.code.clone())
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "tests.rs"]
mod tests;
