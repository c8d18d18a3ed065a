//! The text of a block of code, which may grow very long.

use std::fmt;
use std::sync::Arc;

/// From this size on a piece ends with its line.
const PIECE: usize = 4 * 1024;
/// From this size on it ends within the line, if that is nothing but one.
const LINE: usize = 16 * 1024;

/// A text in pieces. All but the last never change again and are shared by copies, so that a copy, a comparison and what is drawn of it cost the
/// same however long it is. Where a piece ends follows from the text alone, not from how it came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Code {
    pieces: Vec<Arc<str>>,
    open: String,
    length: usize,
}

impl Code {
    /// Takes more text.
    pub fn push_str(&mut self, more: &str) {
        self.length += more.len();
        for character in more.chars() {
            // Such two are never parts of one sign.
            if self.open.len() >= LINE && character.is_ascii_alphanumeric() && self.open.ends_with(|before: char| before.is_ascii()) {
                self.close();
            }
            self.open.push(character);
            if character == '\n' && self.open.len() >= PIECE {
                self.close();
            }
        }
    }

    /// In bytes.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The pieces that do not change any more.
    pub fn pieces(&self) -> &[Arc<str>] {
        &self.pieces
    }

    /// What is behind them.
    pub fn open(&self) -> &str {
        &self.open
    }

    /// Whether this is the text.
    pub fn is(&self, text: &str) -> bool {
        let rest = self.pieces.iter().try_fold(text, |rest, piece| rest.strip_prefix(&**piece));
        rest == Some(self.open.as_str())
    }

    fn close(&mut self) {
        self.pieces.push(std::mem::take(&mut self.open).into());
    }
}

impl From<&str> for Code {
    fn from(text: &str) -> Self {
        let mut code = Self::default();
        code.push_str(text);
        code
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.pieces.iter().try_for_each(|piece| f.write_str(piece))?;
        f.write_str(&self.open)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_however_it_came() {
        let lines: String = (0..2_000).map(|number| format!("line {number} 日本\n")).collect();
        let one_line = "x日\u{200D}y ".repeat(20_000);
        for text in [lines, one_line, String::new(), "\n".repeat(9_000)] {
            let whole = Code::from(text.as_str());
            let mut grown = Code::default();
            let letters: Vec<char> = text.chars().collect();
            letters.chunks(7).for_each(|delta| grown.push_str(&delta.iter().collect::<String>()));
            assert_eq!(grown, whole);
            assert!(whole.is(&text) && whole.to_string() == text && whole.len() == text.len());
            assert!(!whole.is(&format!("{text}x")) && (text.is_empty() || !whole.is(&text[1..])));
            assert!(whole.open().len() <= LINE + 8, "what is drawn again with each delta is bounded: {}", whole.open().len());
        }
    }

    #[test]
    fn pieces_that_are_there_stay_and_are_shared() {
        let mut code = Code::from("let x = 1;\n".repeat(1_000).as_str());
        let before = code.clone();
        code.push_str("let y = 2;\n");
        assert!(before.pieces().len() >= 2);
        assert!(before.pieces().iter().zip(code.pieces()).all(|(one, other)| Arc::ptr_eq(one, other)));
    }
}
