//! What the style sheets promise: words can be read in both themes, and every rule is for something.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

type Tokens = BTreeMap<String, String>;

fn styles() -> Vec<(String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("styles");
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// The custom properties of the block that begins with this.
fn block(tokens: &str, start: &str) -> Tokens {
    let at = tokens.find(start).unwrap_or_else(|| panic!("no block {start}"));
    let body = tokens[at..].split_once('{').unwrap().1.split_once('}').unwrap().0;
    body.lines()
        .filter_map(|line| line.trim().strip_prefix("--")?.strip_suffix(';')?.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn colour(tokens: &Tokens, name: &str) -> [f64; 3] {
    let value = tokens.get(name).unwrap_or_else(|| panic!("no token {name}"));
    let digits = value.strip_prefix('#').filter(|digits| digits.len() == 6).unwrap_or_else(|| panic!("{name} is {value}"));
    [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&digits[at..at + 2], 16).unwrap()))
}

/// What a translucent layer, written as `rgb(r g b / n%)`, makes of a colour.
fn under(tokens: &Tokens, layer: &str, below: [f64; 3]) -> [f64; 3] {
    let numbers: Vec<f64> = tokens[layer].split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect();
    let [red, green, blue, share] = numbers[..] else { panic!("{layer} is a layer") };
    let share = share / 100.0;
    let top = [red, green, blue];
    [0, 1, 2].map(|at| top[at] * share + below[at] * (1.0 - share))
}

/// The contrast of WCAG 2.2, from 1 to 21.
fn contrast(one: [f64; 3], other: [f64; 3]) -> f64 {
    let light = |colour: [f64; 3]| {
        let [red, green, blue] = colour.map(|part| {
            let part = part / 255.0;
            if part <= 0.03928 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * red + 0.7152 * green + 0.0722 * blue
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

#[test]
fn words_can_be_read_in_both_themes() {
    let sheet = styles().into_iter().find(|(name, _)| name.contains("tokens")).unwrap().1;
    let mut light = block(&sheet, ":root {\n  color-scheme");
    light.extend(block(&sheet, ":root {\n  --paper"));
    let mut dark = light.clone();
    dark.extend(block(&sheet, ":root[data-theme=\"dark\"]"));
    for (theme, tokens) in [("light", &light), ("dark", &dark)] {
        let read = |word: &str, place: &str, ground: [f64; 3], least: f64| {
            let found = contrast(colour(tokens, word), ground);
            assert!(found >= least, "{word} on {place} is {found:.2} to 1 in the {theme} theme");
        };
        let grounds = ["paper", "panel", "raised", "sunken"];
        for word in ["ink", "ink-2", "ink-3", "link", "ok", "danger", "warn"] {
            grounds.iter().for_each(|ground| read(word, ground, colour(tokens, ground), 4.5));
        }
        for word in ["ink", "ink-2"] {
            for ground in ["bubble", "accent-soft", "ok-soft", "danger-soft", "warn-soft"] {
                read(word, ground, colour(tokens, ground), 4.5);
            }
            for (ground, layer) in grounds.iter().flat_map(|ground| ["hover", "press"].map(|layer| (ground, layer))) {
                read(word, layer, under(tokens, layer, colour(tokens, ground)), 4.5);
            }
        }
        read("danger", "danger-soft", colour(tokens, "danger-soft"), 4.5);
        read("warn", "warn-soft", colour(tokens, "warn-soft"), 4.5);
        for accent in ["accent", "accent-hover", "accent-press"] {
            read("on-accent", accent, colour(tokens, accent), 4.5);
        }
        grounds.iter().for_each(|ground| read("focus", ground, colour(tokens, ground), 3.0));
    }
}

#[test]
fn a_chosen_dark_theme_is_the_one_of_the_system() {
    let sheet = styles().into_iter().find(|(name, _)| name.contains("tokens")).unwrap().1;
    assert_eq!(block(&sheet, ":root:not([data-theme=\"light\"])"), block(&sheet, ":root[data-theme=\"dark\"]"));
}

fn sources(folder: &Path, out: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("styles_tests.rs") {
            out.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_class_that_is_styled_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut used = fs::read_to_string(root.join("index.html")).unwrap();
    sources(&root.join("src"), &mut used);
    let word = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let used: BTreeSet<&str> = used.split(|c| !word(c)).collect();
    for (file, sheet) in styles() {
        let selectors = sheet.split("*/").map(|part| part.split("/*").next().unwrap()).collect::<String>();
        let selectors = selectors.split('}').filter_map(|rule| rule.rsplit_once('{')).map(|(selector, _)| selector);
        for class in selectors.flat_map(|selector| selector.split('.').skip(1)) {
            let class = class.split(|c| !word(c)).next().unwrap();
            // The number in a media query is no class.
            let named = class.starts_with(|c: char| c.is_ascii_lowercase());
            assert!(!named || used.contains(class), ".{class} of {file} is the class of nothing");
        }
    }
}
