//! Text as it is, with a marker for every character that would not be seen.

use std::iter::Peekable;
use std::str::Chars;

use crate::characters::{Hidden, combining, hidden, pictograph};

/// How many marks may sit on one letter before the rest are taken apart. Vietnamese needs two, pointed Hebrew three.
const MARKS: usize = 4;

/// A stretch of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Characters that show themselves.
    Text(String),
    /// One character that does not.
    Marker(Marker),
}

/// Stands for one character that would not be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Marker {
    pub character: char,
    pub kind: Hidden,
}

impl Marker {
    /// The code point in the usual notation, for example `U+202E`.
    pub fn code(&self) -> String {
        format!("U+{:04X}", u32::from(self.character))
    }

    /// A short sign to draw: an arrow for breaks and tabs, the ASCII letter in a tag, the code point for the rest.
    pub fn sign(&self) -> String {
        match (self.kind, self.character) {
            (Hidden::LineBreak, '\n') => "↵".to_owned(),
            (Hidden::LineBreak, '\r') => "␍".to_owned(),
            (Hidden::Tab, _) => "⇥".to_owned(),
            (Hidden::Blank, '\u{A0}') => "⍽".to_owned(),
            _ => self.code(),
        }
    }

    /// Whether a text is drawn on a new line after this character.
    pub fn breaks_line(&self) -> bool {
        self.kind == Hidden::LineBreak && self.character != '\r'
    }
}

/// Shows a text of which every code point matters: the name of a tool, an argument, a host.
pub fn visible(text: &str) -> Vec<Span> {
    split(text, Rule::Strict)
}

/// Shows a text that is written to be read, such as an answer. Line feeds, tabs and no-break spaces stay as they are, and so do joiners and
/// variation selectors where they belong to a picture or to a letter that needs them; everything else is marked as in [`visible`].
pub fn visible_prose(text: &str) -> Vec<Span> {
    split(text, Rule::Prose)
}

/// A text in one line with every hidden character spelt out, such as `to[U+200B]`: for places that can hold nothing but plain text.
pub fn readable(text: &str) -> String {
    let spell = |span| match span {
        Span::Text(text) => text,
        Span::Marker(marker) => format!("[{}]", marker.code()),
    };
    visible(text).into_iter().map(spell).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Strict,
    Prose,
}

fn split(text: &str, rule: Rule) -> Vec<Span> {
    let mut spans = Vec::new();
    let mut plain = String::new();
    let mut before = None;
    let mut marks = 0;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        marks = if combining(character) { marks + 1 } else { 0 };
        let kind = match hidden(character) {
            Some(kind) if rule == Rule::Prose && belongs(character, kind, before, &mut characters) => None,
            None if marks > MARKS => Some(Hidden::Stacked),
            kind => kind,
        };
        match kind {
            None => plain.push(character),
            Some(kind) => {
                if !plain.is_empty() {
                    spans.push(Span::Text(std::mem::take(&mut plain)));
                }
                spans.push(Span::Marker(Marker { character, kind }));
            }
        }
        before = Some(character);
    }
    if !plain.is_empty() {
        spans.push(Span::Text(plain));
    }
    spans
}

/// Whether a hidden character does in prose what it is there for.
fn belongs(character: char, kind: Hidden, before: Option<char>, after: &mut Peekable<Chars<'_>>) -> bool {
    let after = after.peek().copied();
    match (kind, character) {
        (Hidden::LineBreak, '\n') | (Hidden::Tab, _) | (Hidden::Blank, '\u{A0}' | '\u{202F}') => true,
        // A carriage return only as the first half of a line end.
        (Hidden::LineBreak, '\r') => after == Some('\n'),
        (Hidden::Variation, '\u{FE0E}' | '\u{FE0F}') => before.is_some_and(pictograph),
        // A joined picture: the joiner follows a picture (or its selector or skin) and precedes one.
        (Hidden::ZeroWidth, '\u{200D}') if after.is_some_and(pictograph) => {
            before.is_some_and(|before| pictograph(before) || before == '\u{FE0F}')
        }
        // Persian and the scripts of India write with joiners.
        (Hidden::ZeroWidth, '\u{200C}' | '\u{200D}') => before.is_some_and(joins) && after.is_some_and(joins),
        _ => false,
    }
}

/// Whether a letter is of a script that is written with joiners.
fn joins(character: char) -> bool {
    matches!(u32::from(character), 0x0620..=0x06FF | 0x0750..=0x077F | 0x0900..=0x0DFF | 0x1000..=0x109F | 0x1780..=0x17B3)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marker(character: char, kind: Hidden) -> Span {
        Span::Marker(Marker { character, kind })
    }

    fn text(text: &str) -> Span {
        Span::Text(text.to_owned())
    }

    #[test]
    fn ordinary_text_is_one_span() {
        assert_eq!(visible("Zürich, 東京 and 🦀"), vec![text("Zürich, 東京 and 🦀")]);
        assert_eq!(visible(""), vec![]);
    }

    #[test]
    fn a_reversed_file_name_shows_its_override() {
        assert_eq!(visible("photo\u{202E}gpj.exe"), vec![text("photo"), marker('\u{202E}', Hidden::Direction), text("gpj.exe")]);
    }

    #[test]
    fn text_in_tag_characters_comes_to_light() {
        let spans = visible("ok\u{E0041}\u{E0042}");
        assert_eq!(spans, vec![text("ok"), marker('\u{E0041}', Hidden::Tag), marker('\u{E0042}', Hidden::Tag)]);
    }

    #[test]
    fn strict_text_marks_line_ends_and_prose_does_not() {
        assert_eq!(visible("a\nb"), vec![text("a"), marker('\n', Hidden::LineBreak), text("b")]);
        assert_eq!(visible_prose("a\r\nb\tc"), vec![text("a\r\nb\tc")]);
        assert_eq!(visible_prose("a\rb"), vec![text("a"), marker('\r', Hidden::LineBreak), text("b")]);
    }

    #[test]
    fn prose_keeps_families_and_hearts_together_but_not_stray_joiners() {
        assert_eq!(visible_prose("👩‍👩‍👧 ❤️"), vec![text("👩‍👩‍👧 ❤️")]);
        assert_eq!(visible_prose("می‌خواهم"), vec![text("می‌خواهم")]);
        assert_eq!(visible_prose("pay\u{200D}pal"), vec![text("pay"), marker('\u{200D}', Hidden::ZeroWidth), text("pal")]);
        assert_eq!(visible_prose("a\u{FE0F}"), vec![text("a"), marker('\u{FE0F}', Hidden::Variation)]);
    }

    #[test]
    fn prose_still_marks_direction_and_tags() {
        for character in ['\u{202E}', '\u{2066}', '\u{200B}', '\u{E0020}', '\u{2028}', '\u{7}'] {
            let spans = visible_prose(&format!("a{character}b"));
            assert!(matches!(spans[1], Span::Marker(marker) if marker.character == character), "U+{:04X}", u32::from(character));
        }
    }

    #[test]
    fn a_tower_of_marks_is_taken_apart() {
        let tower = format!("a{}", "\u{0301}".repeat(6));
        let spans = visible(&tower);
        assert_eq!(spans[0], text(&tower[..1 + 4 * 2]));
        assert_eq!(spans[1..], [marker('\u{0301}', Hidden::Stacked), marker('\u{0301}', Hidden::Stacked)]);
    }

    #[test]
    fn a_marker_names_its_code_point() {
        assert_eq!(Marker { character: '\u{202E}', kind: Hidden::Direction }.sign(), "U+202E");
        assert_eq!(Marker { character: '\n', kind: Hidden::LineBreak }.sign(), "↵");
    }

    fn hostile() -> impl Strategy<Value = String> {
        let character = prop_oneof![
            any::<char>(),
            prop::sample::select(vec!['\u{202E}', '\u{200B}', '\u{200D}', '\u{FE0F}', '\u{E0100}', '\u{2028}', '\n', '\u{0301}', '❤', 'a'])
        ];
        prop::collection::vec(character, 0..60).prop_map(|characters| characters.into_iter().collect())
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_is_added(input in hostile()) {
            for spans in [visible(&input), visible_prose(&input)] {
                let back: String = spans.iter().fold(String::new(), |mut back, span| {
                    match span {
                        Span::Text(text) => back.push_str(text),
                        Span::Marker(marker) => back.push(marker.character),
                    }
                    back
                });
                prop_assert_eq!(&back, &input);
            }
        }

        #[test]
        fn strict_plain_text_has_no_hidden_character(input in hostile()) {
            for span in visible(&input) {
                if let Span::Text(text) = span {
                    prop_assert!(text.chars().all(|character| hidden(character).is_none()), "{:?}", text);
                }
            }
        }

        #[test]
        fn no_direction_control_is_ever_plain(input in hostile()) {
            for span in visible_prose(&input) {
                if let Span::Text(text) = span {
                    prop_assert!(text.chars().all(|character| hidden(character) != Some(Hidden::Direction)), "{:?}", text);
                }
            }
        }
    }
}
