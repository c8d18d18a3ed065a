//! JSON without spaces, read from its front in one pass and without a tree.
//!
//! Whatever is not exactly so is refused, and then read by way of a tree; what is read here is read to the same value.

use std::borrow::Cow;

/// Objects and lists in one another; deeper ones are left to the slow way.
const DEEPEST: usize = 64;
/// The longest number; longer ones are left to the slow way. One of this length cannot be too large to be read.
const LONGEST_NUMBER: usize = 100;

/// A JSON text that is being read. `None` from any of its functions: something else stands there, and it has moved or not.
#[derive(Clone)]
pub(crate) struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Scanner<'a> {
    pub(crate) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    // What is called for each token is small, and is to be small at the place of the call: the app is compiled for size.
    #[inline(always)]
    fn bytes(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// Passes over these very bytes.
    #[inline(always)]
    pub(crate) fn eat(&mut self, token: &[u8]) -> Option<()> {
        self.bytes().starts_with(token).then(|| self.at += token.len())
    }

    #[inline(always)]
    fn eat_byte(&mut self, byte: u8) -> Option<()> {
        (self.bytes().first() == Some(&byte)).then(|| self.at += 1)
    }

    /// The next key of an object, `first`: after its `{`. An inner `None` at the end of the object.
    #[allow(clippy::option_option, reason = "an end is no failure")]
    pub(crate) fn key(&mut self, first: &mut bool) -> Option<Option<&'a str>> {
        match self.bytes().first()? {
            b'"' if *first => *first = false,
            b',' if !*first => self.at += 1,
            b'}' => {
                self.at += 1;
                return Some(None);
            }
            _ => return None,
        }
        self.eat_byte(b'"')?;
        let key = self.plain()?;
        self.eat(b"\":")?;
        Some(Some(key))
    }

    /// Nothing but space is left.
    pub(crate) fn end(&self) -> Option<()> {
        self.bytes().iter().all(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')).then_some(())
    }

    pub(crate) fn boolean(&mut self) -> Option<bool> {
        self.eat(b"true").map(|()| true).or_else(|| self.eat(b"false").map(|()| false))
    }

    /// A whole number.
    pub(crate) fn number(&mut self) -> Option<u64> {
        let from = self.at;
        self.digits()?;
        self.text.get(from..self.at).filter(|digits| *digits == "0" || !digits.starts_with('0'))?.parse().ok()
    }

    pub(crate) fn strings(&mut self) -> Option<Vec<String>> {
        self.eat_byte(b'[')?;
        let mut strings = Vec::new();
        while self.eat_byte(b']').is_none() {
            if !strings.is_empty() {
                self.eat_byte(b',')?;
            }
            strings.push(self.string()?.into_owned());
        }
        Some(strings)
    }

    /// A string; borrowed if it stands there as it is.
    pub(crate) fn string(&mut self) -> Option<Cow<'a, str>> {
        self.eat_byte(b'"')?;
        let plain = self.plain()?;
        if self.eat_byte(b'"').is_some() {
            return Some(Cow::Borrowed(plain));
        }
        self.unescape(plain).map(Cow::Owned)
    }

    /// The rest of a string, behind what is `plain` at its beginning.
    fn unescape(&mut self, plain: &str) -> Option<String> {
        // Most of what is left is this string, or not much is left.
        let mut whole = Vec::with_capacity(plain.len() + self.bytes().len());
        whole.extend_from_slice(plain.as_bytes());
        loop {
            match self.bytes() {
                [b'"', ..] => {
                    self.at += 1;
                    return String::from_utf8(whole).ok();
                }
                // A string that is JSON is full of these.
                [b'\\', b'"', ..] => {
                    self.at += 2;
                    whole.push(b'"');
                }
                _ => whole.extend_from_slice(self.escape()?.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            // Between them is little: a word is copied whole, and what is too much of it taken back.
            let word = self.bytes().first_chunk();
            match word.map(|word| (word, special(u64::from_le_bytes(*word)))) {
                Some((word, special)) if special != 0 => {
                    let plain = special.trailing_zeros() as usize / 8;
                    whole.extend_from_slice(word);
                    whole.truncate(whole.len() - word.len() + plain);
                    self.at += plain;
                }
                _ => whole.extend_from_slice(self.plain()?.as_bytes()),
            }
        }
    }

    /// A string within a string, as it is when a chunk stands in a frame; after the quote that opens it.
    pub(crate) fn inner_string(&mut self) -> Option<Cow<'a, str>> {
        let plain = self.plain()?;
        if self.eat(br#"\""#).is_some() {
            return Some(Cow::Borrowed(plain));
        }
        let mut whole = String::with_capacity(plain.len() + self.bytes().len());
        whole.push_str(plain);
        while self.eat(br#"\""#).is_none() {
            whole.push(self.inner_escape()?);
            whole.push_str(self.plain()?);
        }
        Some(Cow::Owned(whole))
    }

    /// What stands for itself from here on, in a string.
    #[inline(always)]
    fn plain(&mut self) -> Option<&'a str> {
        let end = self.at + ordinary(self.bytes());
        let plain = self.text.get(self.at..end);
        self.at = end;
        plain
    }

    fn escape(&mut self) -> Option<char> {
        self.eat_byte(b'\\')?;
        self.escaped()
    }

    /// The same in a string within a string, where each of the characters of an escape may be escaped.
    fn inner_escape(&mut self) -> Option<char> {
        self.eat(br"\\")?;
        match self.bytes() {
            [b'\\', special @ (b'"' | b'\\'), ..] => {
                self.at += 2;
                Some(char::from(*special))
            }
            [b'"' | b'\\', ..] => None,
            _ => self.escaped(),
        }
    }

    /// What follows a backslash.
    fn escaped(&mut self) -> Option<char> {
        let bytes = self.bytes();
        let character = match bytes.first()? {
            byte @ (b'"' | b'\\' | b'/') => char::from(*byte),
            b'n' => '\n',
            b't' => '\t',
            b'r' => '\r',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'u' => {
                let digit = |byte: &u8| char::from(*byte).to_digit(16);
                let code = bytes.get(1..5)?.iter().try_fold(0, |code, byte| Some(code * 16 + digit(byte)?))?;
                self.at += 4;
                // Half a character is left to the slow way.
                char::from_u32(code)?
            }
            _ => return None,
        };
        self.at += 1;
        Some(character)
    }

    /// Any value, as text.
    pub(crate) fn value(&mut self) -> Option<&'a str> {
        let from = self.at;
        self.skip(DEEPEST)?;
        self.text.get(from..self.at)
    }

    fn skip(&mut self, deepest: usize) -> Option<()> {
        match self.bytes().first()? {
            b'"' => self.skip_string(),
            b'{' => self.skip_all(b'}', deepest, |scanner, deepest| {
                scanner.skip_string()?;
                scanner.eat_byte(b':')?;
                scanner.skip(deepest)
            }),
            b'[' => self.skip_all(b']', deepest, Self::skip),
            b't' => self.eat(b"true"),
            b'f' => self.eat(b"false"),
            b'n' => self.eat(b"null"),
            _ => self.skip_number(),
        }
    }

    fn skip_all(&mut self, close: u8, deepest: usize, one: impl Fn(&mut Self, usize) -> Option<()>) -> Option<()> {
        let deepest = deepest.checked_sub(1)?;
        self.at += 1;
        if self.eat_byte(close).is_some() {
            return Some(());
        }
        loop {
            one(self, deepest)?;
            if self.eat_byte(b',').is_none() {
                return self.eat_byte(close);
            }
        }
    }

    #[inline]
    fn skip_string(&mut self) -> Option<()> {
        self.eat_byte(b'"')?;
        loop {
            self.at += ordinary(self.bytes());
            if self.eat_byte(b'"').is_some() {
                return Some(());
            }
            self.escape()?;
        }
    }

    fn skip_number(&mut self) -> Option<()> {
        let from = self.at;
        let _ = self.eat_byte(b'-');
        if self.eat_byte(b'0').is_none() {
            self.digits()?;
        }
        if self.eat_byte(b'.').is_some() {
            self.digits()?;
        }
        if matches!(self.bytes().first(), Some(b'e' | b'E')) {
            self.at += 1;
            let _ = self.eat_byte(b'-').or_else(|| self.eat_byte(b'+'));
            if self.digits()? > 2 {
                return None;
            }
        }
        (self.at - from <= LONGEST_NUMBER).then_some(())
    }

    /// One digit or more; how many.
    fn digits(&mut self) -> Option<usize> {
        let digits = self.bytes().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += digits;
        (digits > 0).then_some(digits)
    }
}

/// How many bytes from the front are part of a string and stand for themselves.
#[inline(always)]
fn ordinary(bytes: &[u8]) -> usize {
    match bytes.first_chunk().map(|word| special(u64::from_le_bytes(*word))) {
        Some(special) if special != 0 => special.trailing_zeros() as usize / 8,
        _ => ordinary_at_length(bytes),
    }
}

/// The same of more than a few.
fn ordinary_at_length(bytes: &[u8]) -> usize {
    let mut at = 0;
    while let Some(word) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special(u64::from_le_bytes(*word));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += size_of::<u64>();
        if at == LONG {
            at += ordinary_blocks(&bytes[at..]);
        }
    }
    let rest = &bytes[at..];
    at + rest.iter().position(|byte| *byte < b' ' || matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// A run of ordinary bytes that is as long as this is likely to go on.
const LONG: usize = 32;

/// How many bytes from the front are ordinary, as far as it can be seen by looking at [`LONG`] of them at a time.
fn ordinary_blocks(bytes: &[u8]) -> usize {
    let word = |word: &[u8; 8]| special(u64::from_le_bytes(*word));
    let (blocks, _) = bytes.as_chunks::<LONG>();
    let plain = |block: &&[u8; LONG]| block.as_chunks().0.iter().fold(0, |any, eight| any | word(eight)) == 0;
    blocks.iter().take_while(plain).count() * LONG
}

/// Eight bytes at once: the highest bit of the first one, counted from the lowest, that ends a run of ordinary bytes is set, and none below.
#[inline(always)]
fn special(bytes: u64) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    // The highest bit of a byte is borrowed by a byte that is less than what is taken from it, and by those above that for no other reason.
    let below = |bytes: u64, least: u8| bytes.wrapping_sub(ONES * u64::from(least)) & !bytes;
    let equal = |byte: u8| below(bytes ^ (ONES * u64::from(byte)), 1);
    (below(bytes, b' ') | equal(b'"') | equal(b'\\')) & (ONES << 7)
}

#[cfg(test)]
mod tests {
    use super::{Scanner, ordinary};
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn a_special_byte_is_found_wherever_it_stands() {
        for length in 0..150 {
            for special in ["\"", "\\", "\n", "\u{1f}", "\0"] {
                for ordinary_one in ["é", "!", "]", "\u{7f}", " "] {
                    let before = ordinary_one.repeat(length / ordinary_one.len()) + &"x".repeat(length % ordinary_one.len());
                    let text = format!("{before}{special}{special}é and more than is looked at at once");
                    assert_eq!(ordinary(text.as_bytes()), length, "{text}");
                    assert_eq!(ordinary(before.as_bytes()), length);
                }
            }
        }
    }

    #[test]
    fn what_could_not_be_read_as_a_tree_is_no_value() {
        for text in [
            "",
            " 1",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "1e+",
            "1e999",
            "1e400",
            "nul",
            "tru",
            "[1,]",
            "[",
            "[1",
            "{\"a\"}",
            "{\"a\":}",
            "{,}",
            "{a:1}",
            "\"",
            "\"\n\"",
            r#""\x""#,
            r#""\u12""#,
            r#""\u+123""#,
            r#""\ud83d""#,
            r#""\ud83d\ude00""#,
            "NaN",
        ] {
            let mut scanner = Scanner::new(text);
            assert!(scanner.value().is_none() || scanner.end().is_none(), "{text}");
        }
        assert_eq!(Scanner::new(&"[".repeat(1_000_000)).value(), None);
        assert_eq!(Scanner::new(&"1".repeat(400)).value(), None);
    }

    proptest! {
        #[test]
        fn what_is_a_value_is_one_to_the_other_parser_too(text in r#"[\[\]{}",:\\ue0-9.+ntrlfas -]{0,16}"#) {
            let mut scanner = Scanner::new(&text);
            if let Some(value) = scanner.value() {
                prop_assert!(serde_json::from_str::<Value>(value).is_ok(), "{}", value);
            }
        }

        #[test]
        fn a_string_in_a_string_is_read_as_it_was_written(text in r#"([a-z"\\/\n\t\u{1}é日😀]|\PC){0,24}"#, more in r#"[a-z\\"]{0,3}"#) {
            let outer = serde_json::to_string(&(serde_json::to_string(&text).unwrap() + &more)).unwrap();
            let mut scanner = Scanner::new(&outer);
            scanner.eat(br#""\""#).unwrap();
            prop_assert_eq!(scanner.inner_string().unwrap(), text.as_str());
            let written = serde_json::to_string(&text).unwrap();
            let mut scanner = Scanner::new(&written);
            prop_assert_eq!(scanner.string().unwrap(), text.as_str());
            prop_assert!(scanner.end().is_some());
        }

        #[test]
        fn a_string_in_a_string_is_nothing_that_could_not_have_been_written(outer in r#"[a"\\nu0/]{0,12}"#) {
            let whole = format!("\"\\\"{outer}");
            let mut scanner = Scanner::new(&whole);
            scanner.eat(br#""\""#).unwrap();
            if let Some(text) = scanner.inner_string() {
                let inner: String = serde_json::from_str(&(whole[..scanner.at].to_owned() + "\"")).unwrap();
                prop_assert_eq!(serde_json::from_str::<String>(&inner).unwrap(), text);
            }
        }
    }
}
