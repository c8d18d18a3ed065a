use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::*;

const LOCALES: [Locale; 2] = [Locale::English, Locale::Japanese];

#[test]
fn both_languages_have_the_same_keys_and_each_key_once() {
    // English errors are said by the shell; only those of the window's own stand in its file.
    let [english, japanese] = LOCALES.map(|locale| {
        let list = keys(locale);
        let set: BTreeSet<_> = list.iter().copied().collect();
        assert_eq!(set.len(), list.len(), "a key is there twice in {}", locale.tag());
        set
    });
    let (errors, others): (BTreeSet<_>, BTreeSet<_>) = japanese.iter().copied().partition(|key| key.starts_with("error-"));
    let (english_errors, english_others): (BTreeSet<_>, BTreeSet<_>) = english.iter().copied().partition(|key| key.starts_with("error-"));
    assert_eq!(english_others, others);
    assert!(english_errors.is_subset(&errors), "{english_errors:?}");
}

#[test]
fn every_file_is_read_without_a_mistake() {
    for source in [include_str!("../../locales/en.ftl"), include_str!("../../locales/ja.ftl")] {
        let (_, errors) = match fluent_bundle::FluentResource::try_new(source.to_owned()) {
            Ok(resource) => (resource, Vec::new()),
            Err(both) => both,
        };
        assert_eq!(errors, vec![]);
    }
}

/// The arguments that the texts use, with something to fill them.
fn filled() -> Vec<(&'static str, Argument)> {
    [
        "name", "agent", "tool", "host", "count", "bytes", "size", "code", "place", "word", "seconds", "language", "title", "reason",
        "from", "signs", "detail", "why", "service", "time",
    ]
    .into_iter()
    .map(|name| (name, if matches!(name, "count" | "bytes" | "seconds") { Argument::Number(3) } else { Argument::from("x") }))
    .collect()
}

#[test]
fn every_text_can_be_said_in_every_language() {
    for locale in LOCALES {
        for key in keys(locale) {
            let said = catalog::exact(locale, key, &filled());
            assert!(said.is_some_and(|text| !text.trim().is_empty()), "{key} in {}", locale.tag());
        }
    }
}

#[test]
fn every_text_is_read_as_the_library_for_fluent_reads_it() {
    use fluent_bundle::{FluentArgs, FluentBundle, FluentResource, FluentValue};

    for (locale, source) in LOCALES.into_iter().zip([include_str!("../../locales/en.ftl"), include_str!("../../locales/ja.ftl")]) {
        let mut bundle = FluentBundle::new(vec![locale.tag().parse().unwrap()]);
        bundle.set_use_isolating(false);
        bundle.add_resource(FluentResource::try_new(source.to_owned()).unwrap()).unwrap();
        for (key, number) in keys(locale).into_iter().flat_map(|key| [0, 1, 2, 21].map(|number| (key, number))) {
            let filled: Vec<_> = filled()
                .into_iter()
                .map(|(name, value)| (name, if value == Argument::Number(3) { Argument::Number(number) } else { value }))
                .collect();
            let mut arguments = FluentArgs::new();
            for (name, value) in &filled {
                match value {
                    Argument::Text(text) => arguments.set(*name, FluentValue::from(text.as_str())),
                    Argument::Number(number) => arguments.set(*name, FluentValue::from(*number)),
                }
            }
            let mut mistakes = Vec::new();
            let pattern = bundle.get_message(key).unwrap().value().unwrap();
            let expected = bundle.format_pattern(pattern, Some(&arguments), &mut mistakes).into_owned();
            assert_eq!((catalog::exact(locale, key, &filled), mistakes), (Some(expected), vec![]), "{key} in {}", locale.tag());
        }
    }
}

#[test]
fn a_text_whose_argument_is_missing_is_not_said() {
    assert_eq!(catalog::exact(Locale::English, "age-days", &[]), None);
}

fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|ext| ext == "rs") && path.file_name().is_some_and(|name| name != "tests.rs") {
            out.push(fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_key_that_the_window_uses_is_there_and_none_is_left_over() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    let known: BTreeSet<_> = keys(Locale::English).into_iter().collect();
    let mut used = BTreeSet::new();
    for file in &files {
        for (start, call) in
            [(".t(\"", 4), (".with(\"", 7)].iter().flat_map(|(call, length)| file.match_indices(call).map(move |(at, _)| (at, length)))
        {
            let key = file[start + call..].split('"').next().unwrap();
            assert!(known.contains(key), "{key} is used and not written");
            used.insert(key);
        }
        // Keys that stand in a table of their own.
        used.extend(known.iter().filter(|key| file.contains(&format!("\"{key}\""))));
    }
    let left: Vec<_> = known.difference(&used).filter(|key| !key.starts_with("error-")).collect();
    assert!(left.is_empty(), "written and never used: {left:?}");
}

#[test]
fn an_error_is_said_in_the_users_language() {
    let error = UserError::new("sign-in-expired", "The sign-in took too long. Start it again.");
    assert_eq!(error_text(Locale::English, &error), "The sign-in took too long. Start it again.");
    assert!(error_text(Locale::Japanese, &error).contains("サインイン"));
}

#[test]
fn an_error_without_a_translation_speaks_for_itself() {
    let error = UserError::new("never-heard-of", "Something rare happened. Try again.");
    for locale in LOCALES {
        assert_eq!(error_text(locale, &error), "Something rare happened. Try again.");
    }
}

#[test]
fn an_error_without_any_words_still_says_something() {
    let error = UserError::new("never-heard-of", "");
    for locale in LOCALES {
        let said = error_text(locale, &error);
        assert!(said.contains("never-heard-of") && said.len() > "never-heard-of".len(), "{said}");
    }
}
