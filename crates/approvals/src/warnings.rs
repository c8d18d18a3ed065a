//! What deserves a second look before a tool call is approved.

use serde_json::Value;

use crate::characters::Hidden;
use crate::scripts::mixed_word;
use crate::visible::{Span, readable, visible};

/// A text longer than this is said to be long: about a screenful.
const LONG: usize = 2 * 1024;
/// So many spaces or line ends in a row push what follows out of sight.
const SPACES: usize = 24;
const LINES: usize = 8;

/// A reason for a second look. The place is a path such as `message.to`, or the name of the tool itself if it is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Warning {
    /// Characters that change the direction of the text.
    Direction { place: String },
    /// Characters that would not be seen, and how many.
    Hidden { place: String, count: usize },
    /// A word whose letters come from alphabets that look alike.
    MixedLetters { place: String, word: String },
    /// A long run of spaces or line ends.
    Padding { place: String },
    /// A host name in the international encoding, which can imitate another.
    EncodedHost { place: String },
    /// A long text, with its size in bytes.
    Long { place: String, bytes: usize },
    /// The tool's name has characters that names of tools do not have.
    OddName,
}

/// Looks through the name of a tool and all its arguments. The order is that of the arguments; no warning is given twice.
pub fn warnings(tool: &str, input: &Value) -> Vec<Warning> {
    let mut found = Vec::new();
    if !tool.chars().all(|character| character.is_ascii_alphanumeric() || "_-.:/ ".contains(character)) {
        found.push(Warning::OddName);
    }
    inspect(tool, "", &mut found);
    walk(input, "", &mut found);
    let mut seen: Vec<Warning> = Vec::new();
    for warning in found {
        if !seen.contains(&warning) {
            seen.push(warning);
        }
    }
    seen
}

fn walk(value: &Value, place: &str, found: &mut Vec<Warning>) {
    match value {
        Value::String(text) => inspect(text, place, found),
        Value::Array(values) => {
            for (index, value) in values.iter().enumerate() {
                walk(value, &join(place, &(index + 1).to_string()), found);
            }
        }
        Value::Object(values) => {
            for (key, value) in values {
                let place = join(place, &readable(key));
                inspect(key, &place, found);
                walk(value, &place, found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn inspect(text: &str, place: &str, found: &mut Vec<Warning>) {
    let place = || place.to_owned();
    let mut count = 0;
    let mut direction = false;
    for span in visible(text) {
        let Span::Marker(marker) = span else { continue };
        match marker.kind {
            Hidden::Direction => direction = true,
            // Ordinary in any text of more than one line.
            Hidden::LineBreak | Hidden::Tab | Hidden::Variation if matches!(marker.character, '\n' | '\r' | '\t' | '\u{FE0F}') => {}
            Hidden::Blank if marker.character == '\u{A0}' => {}
            _ => count += 1,
        }
    }
    if direction {
        found.push(Warning::Direction { place: place() });
    }
    if count > 0 {
        found.push(Warning::Hidden { place: place(), count });
    }
    if let Some(word) = mixed_word(text) {
        found.push(Warning::MixedLetters { place: place(), word: word.to_owned() });
    }
    if padded(text) {
        found.push(Warning::Padding { place: place() });
    }
    if encoded_host(text) {
        found.push(Warning::EncodedHost { place: place() });
    }
    if text.len() > LONG {
        found.push(Warning::Long { place: place(), bytes: text.len() });
    }
}

fn padded(text: &str) -> bool {
    let (mut spaces, mut lines) = (0, 0);
    for character in text.chars() {
        match character {
            '\n' => (spaces, lines) = (0, lines + 1),
            '\r' => {}
            character if character.is_whitespace() => spaces += 1,
            _ => (spaces, lines) = (0, 0),
        }
        if spaces >= SPACES || lines >= LINES {
            return true;
        }
    }
    false
}

fn encoded_host(text: &str) -> bool {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || character == '-'))
        .any(|label| label.len() > 4 && label.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("xn--")))
}

fn join(place: &str, name: &str) -> String {
    if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_honest_call_gives_no_warning() {
        let input = json!({ "city": "São Paulo", "note": "two\nlines\tand a ❤️", "list": [1, "x"], "url": "https://example.com/?q=1" });
        assert_eq!(warnings("mcp-weather_get.forecast", &input), vec![]);
    }

    #[test]
    fn direction_and_hidden_characters_are_told_with_their_place() {
        let input = json!({ "mail": { "to": ["a@example.com", "b\u{202E}@example.com"], "body": "hi\u{200B}\u{E0041}" } });
        assert_eq!(
            warnings("send", &input),
            vec![Warning::Direction { place: "mail.to.2".into() }, Warning::Hidden { place: "mail.body".into(), count: 2 }]
        );
    }

    #[test]
    fn a_key_that_hides_something_is_spelt_out() {
        assert_eq!(warnings("send", &json!({ "to\u{200B}": 1 })), vec![Warning::Hidden { place: "to[U+200B]".into(), count: 1 }]);
    }

    #[test]
    fn imitated_letters_are_told() {
        let found = warnings("send", &json!({ "host": "pаypal.com" }));
        assert_eq!(found, vec![Warning::MixedLetters { place: "host".into(), word: "pаypal".into() }]);
        assert_eq!(warnings("send", &json!({ "host": "https://XN--pypal-4ve.com" })), vec![Warning::EncodedHost { place: "host".into() }]);
    }

    #[test]
    fn padding_that_pushes_text_out_of_sight_is_told() {
        let spaces = format!("ls{}; rm -rf ~", " ".repeat(200));
        let lines = format!("ls{}rm -rf ~", "\n ".repeat(20));
        for command in [spaces, lines] {
            assert_eq!(warnings("shell", &json!({ "command": command })), vec![Warning::Padding { place: "command".into() }]);
        }
    }

    #[test]
    fn long_texts_are_told_with_their_size() {
        assert_eq!(warnings("f", &json!({ "a": "x".repeat(2048) })), vec![]);
        assert_eq!(warnings("f", &json!({ "a": "x".repeat(2049) })), vec![Warning::Long { place: "a".into(), bytes: 2049 }]);
    }

    #[test]
    fn a_name_that_is_no_name_is_told() {
        assert_eq!(warnings("pay\u{200D}", &json!({})), vec![Warning::OddName, Warning::Hidden { place: String::new(), count: 1 }]);
    }
}
