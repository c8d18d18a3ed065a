//! The language files: the part of Fluent that they use, which is texts, arguments and the choice by a number.
//!
//! The library for all of Fluent is a tenth of the whole window; a test holds this reader against it, text by text.

use super::Locale;

const ENGLISH: &str = include_str!("../../locales/en.ftl");
const JAPANESE: &str = include_str!("../../locales/ja.ftl");

thread_local! {
    static ENGLISH_TEXTS: Vec<(&'static str, &'static str)> = texts(ENGLISH).collect();
    static JAPANESE_TEXTS: Vec<(&'static str, &'static str)> = texts(JAPANESE).collect();
}

/// A value in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    Text(String),
    Number(i64),
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
        Self::Number(i64::try_from(number).unwrap_or(i64::MAX))
    }
}

impl From<i64> for Argument {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

/// A text in a language, or in English where that language lacks it; none if English lacks it as well.
pub fn text(locale: Locale, key: &str, arguments: &[(&str, Argument)]) -> Option<String> {
    exact(locale, key, arguments).or_else(|| exact(Locale::English, key, arguments))
}

/// A text in exactly this language; none if it is missing, or needs an argument that is.
pub(super) fn exact(locale: Locale, key: &str, arguments: &[(&str, Argument)]) -> Option<String> {
    let find = |texts: &Vec<(&'static str, &'static str)>| texts.iter().find(|(known, _)| *known == key).map(|(_, pattern)| *pattern);
    let pattern = match locale {
        Locale::English => ENGLISH_TEXTS.with(find),
        Locale::Japanese => JAPANESE_TEXTS.with(find),
    }?;
    let mut said = String::new();
    say(locale, pattern, arguments, &mut said)?;
    Some(said)
}

/// All keys of a language's file, in its order.
pub fn keys(locale: Locale) -> Vec<&'static str> {
    let source = match locale {
        Locale::English => ENGLISH,
        Locale::Japanese => JAPANESE,
    };
    texts(source).map(|(key, _)| key).collect()
}

/// The texts of a file. One begins at the start of a line and goes on over the lines that are indented or close a brace.
fn texts(source: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    let mut rest = source;
    std::iter::from_fn(move || {
        loop {
            let line = rest.split_inclusive('\n').next()?;
            let mut end = line.len();
            if line.starts_with(|first: char| first.is_ascii_lowercase())
                && let Some((key, _)) = line.split_once('=')
            {
                end += rest[end..].split_inclusive('\n').take_while(|line| line.starts_with([' ', '}'])).map(str::len).sum::<usize>();
                let pattern = rest[key.len() + 1..end].trim();
                rest = &rest[end..];
                return Some((key.trim(), pattern));
            }
            rest = &rest[end..];
        }
    })
}

/// Appends a pattern with its arguments filled in.
fn say(locale: Locale, pattern: &str, arguments: &[(&str, Argument)], said: &mut String) -> Option<()> {
    let mut rest = pattern;
    while let Some(open) = rest.find('{') {
        said.push_str(&rest[..open]);
        let close = open + closing(&rest[open..])?;
        let inside = rest[open + 1..close].trim();
        rest = &rest[close + 1..];
        let (name, variants) = inside.split_once("->").unwrap_or((inside, ""));
        let name = name.trim().strip_prefix('$')?;
        let (_, value) = arguments.iter().find(|(known, _)| *known == name)?;
        match value {
            _ if !variants.is_empty() => say(locale, variant(locale, variants, value)?, arguments, said)?,
            Argument::Text(text) => said.push_str(text),
            Argument::Number(number) => said.push_str(&number.to_string()),
        }
    }
    said.push_str(rest);
    Some(())
}

/// Where the brace that opens at 0 is closed.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    })
}

/// The variant for a number: that of its plural category (CLDR: English has `one` and `other`, Japanese `other` alone), else the default.
fn variant<'a>(locale: Locale, variants: &'a str, value: &Argument) -> Option<&'a str> {
    let category = if locale == Locale::English && *value == Argument::Number(1) { "one" } else { "other" };
    let mut fallback = None;
    for line in variants.lines().map(str::trim) {
        let (default, line) = line.strip_prefix('*').map_or((false, line), |line| (true, line));
        let Some((name, pattern)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) else { continue };
        if name.trim() == category {
            return Some(pattern.trim());
        }
        if default {
            fallback = Some(pattern.trim());
        }
    }
    fallback
}
