//! The language files, read once.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};
use unic_langid::LanguageIdentifier;

use super::Locale;

const ENGLISH: &str = include_str!("../../locales/en.ftl");
const JAPANESE: &str = include_str!("../../locales/ja.ftl");

thread_local! {
    static ENGLISH_BUNDLE: FluentBundle<FluentResource> = bundle(Locale::English);
    static JAPANESE_BUNDLE: FluentBundle<FluentResource> = bundle(Locale::Japanese);
}

/// A value in a text.
#[derive(Debug, Clone, PartialEq)]
pub enum Argument {
    Text(String),
    Number(f64),
}

impl From<&str> for Argument {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Argument {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<usize> for Argument {
    fn from(number: usize) -> Self {
        Self::Number(number as f64)
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number as f64)
    }
}

fn source(locale: Locale) -> &'static str {
    match locale {
        Locale::English => ENGLISH,
        Locale::Japanese => JAPANESE,
    }
}

fn bundle(locale: Locale) -> FluentBundle<FluentResource> {
    let language: LanguageIdentifier = locale.tag().parse().unwrap_or_default();
    let mut bundle = FluentBundle::new(vec![language]);
    // Arguments are shown where they cannot reorder their surroundings; isolation marks would only get into copied text.
    bundle.set_use_isolating(false);
    // A file with a mistake still gives all its other texts; a test sees to it that there is none.
    let resource = FluentResource::try_new(source(locale).to_owned()).unwrap_or_else(|(resource, _)| resource);
    bundle.add_resource_overriding(resource);
    bundle
}

/// A text in a language, or in English where that language lacks it; none if English lacks it as well.
pub fn text(locale: Locale, key: &str, arguments: &[(&str, Argument)]) -> Option<String> {
    exact(locale, key, arguments).or_else(|| exact(Locale::English, key, arguments))
}

/// A text in exactly this language.
pub(super) fn exact(locale: Locale, key: &str, arguments: &[(&str, Argument)]) -> Option<String> {
    let format = |bundle: &FluentBundle<FluentResource>| {
        let pattern = bundle.get_message(key)?.value()?;
        let mut values = FluentArgs::new();
        for (name, value) in arguments {
            match value {
                Argument::Text(text) => values.set(*name, FluentValue::from(text.as_str())),
                Argument::Number(number) => values.set(*name, FluentValue::from(*number)),
            }
        }
        let mut mistakes = Vec::new();
        let text = bundle.format_pattern(pattern, Some(&values), &mut mistakes);
        mistakes.is_empty().then(|| text.into_owned())
    };
    match locale {
        Locale::English => ENGLISH_BUNDLE.with(format),
        Locale::Japanese => JAPANESE_BUNDLE.with(format),
    }
}

/// All keys of a language's file, in its order.
pub fn keys(locale: Locale) -> Vec<&'static str> {
    source(locale)
        .lines()
        .filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()))
        .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim()))
        .collect()
}
