//! Text of others, fit for a terminal: nothing of it steers the terminal, turns the text around or hides in it.

use std::io::{self, Write};

use callbox_approvals::{Span, characters::hidden, visible_prose};
use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

/// How much of what was written before is looked at again: a character is judged by its neighbours.
const CONTEXT: usize = 8;

/// A text that is written to be read. Line feeds, tabs and what belongs to its letters stay; every other character that would not be seen is
/// spelt out, such as `[U+001B]`.
pub(super) fn prose(text: &str) -> String {
    Prose::default().whole(text)
}

/// The same for a text that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Prose {
    /// The last characters that were given out.
    before: String,
    /// A character that cannot be judged before the next one has come.
    held: String,
}

impl Prose {
    /// The next piece. What is given out may lack its last character.
    pub(super) fn piece(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let waits = self.held.chars().next_back().filter(|last| matches!(last, '\r' | '\u{200c}' | '\u{200d}'));
        let ready = self.held.len() - waits.map_or(0, char::len_utf8);
        let rest = self.held.split_off(ready);
        let text = std::mem::replace(&mut self.held, rest);
        self.give_out(&text)
    }

    /// What was kept back, when nothing more comes.
    pub(super) fn end(&mut self) -> String {
        let text = std::mem::take(&mut self.held);
        let shown = self.give_out(&text);
        self.before.clear();
        shown
    }

    fn whole(mut self, text: &str) -> String {
        let mut shown = self.piece(text);
        shown.push_str(&self.end());
        shown
    }

    fn give_out(&mut self, text: &str) -> String {
        let mut known = self.before.chars().count();
        self.before.push_str(text);
        let mut shown = String::with_capacity(text.len());
        for span in visible_prose(&self.before) {
            match span {
                Span::Text(text) => {
                    let new = text.char_indices().nth(known).map_or(text.len(), |(at, _)| at);
                    known -= text[..new].chars().count();
                    shown.push_str(&text[new..]);
                }
                Span::Marker(_) if known > 0 => known -= 1,
                Span::Marker(marker) => {
                    shown.push('[');
                    shown.push_str(&marker.code());
                    shown.push(']');
                }
            }
        }
        let keep = self.before.char_indices().rev().nth(CONTEXT - 1).map_or(0, |(at, _)| at);
        self.before.drain(..keep);
        shown
    }
}

/// Writes a value as one line of JSON in which every character that would steer a terminal or would not be seen is escaped (RFC 8259 §7): the
/// same value, fit to be looked at.
pub(super) fn write_json(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(&mut *output, Plain))?;
    output.write_all(b"\n")
}

struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let mut rest = fragment;
        while let Some((at, found)) = rest.char_indices().find(|(_, character)| hidden(*character).is_some()) {
            writer.write_all(&rest.as_bytes()[..at])?;
            for unit in found.encode_utf16(&mut [0; 2]) {
                write!(writer, "\\u{unit:04x}")?;
            }
            rest = &rest[at + found.len_utf8()..];
        }
        writer.write_all(rest.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_steer_a_terminal_or_hide_is_spelt_out() {
        assert_eq!(prose("a\u{1b}[31mb\u{202e}c\u{9b}2J\u{200b}"), "a[U+001B][31mb[U+202E]c[U+009B]2J[U+200B]");
        assert_eq!(prose("two\nlines\tand é, 東京, ❤\u{fe0f}"), "two\nlines\tand é, 東京, ❤\u{fe0f}");
        assert_eq!(prose("a\r\nb\rc"), "a\r\nb[U+000D]c");
    }

    #[test]
    fn however_a_text_is_cut_it_looks_the_same() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let tower = format!("a{}", "\u{301}".repeat(9));
        for text in ["a\r\nb\rc\r", family, "می\u{200c}خواهم x\u{200d}y", "❤\u{fe0f}\u{200d}🔥", &tower, "\u{1b}\u{1b}]0;x\u{7}"]
        {
            let whole = prose(text);
            let characters: Vec<char> = text.chars().collect();
            for size in 1..=characters.len() {
                let mut pieces = Prose::default();
                let mut shown: String = characters.chunks(size).map(|piece| pieces.piece(&piece.iter().collect::<String>())).collect();
                shown.push_str(&pieces.end());
                assert_eq!(shown, whole, "{text:?} in pieces of {size}");
            }
        }
        assert_eq!(prose(family), family, "a picture stays whole");
    }
}
