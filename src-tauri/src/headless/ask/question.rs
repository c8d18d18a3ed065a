//! The question whether a tool may run, as text: who asks, the tool, every argument in full, and what deserves a second look.

use callbox_approvals::{Argument, Name, Shown, Span, Warning, arguments, readable, warnings};
use callbox_protocol::ToolPart;
use serde_json::Value;

/// Asks about one call. `agent` is how the user has named it, `host` where it is.
pub(super) fn question(agent: &str, host: &str, call: &ToolPart) -> String {
    let input = call.input.as_ref().unwrap_or(&Value::Null);
    let mut text = format!("{} at {} wants to run {}", readable(agent), readable(host), quoted(&call.tool_name));
    let list = arguments(input);
    text.push_str(if list.is_empty() { ", without arguments.\n" } else { ":\n" });
    list.iter().for_each(|argument| write(&mut text, argument, 1));
    for warning in warnings(&call.tool_name, input) {
        text.push_str("! ");
        text.push_str(&sentence(&warning));
        text.push('\n');
    }
    text
}

/// One argument, and below it what it consists of. Each line begins with spaces; the lines of a text begin with a bar after them, so that no
/// text can look like another argument.
fn write(text: &mut String, argument: &Argument, depth: usize) {
    let indent = "  ".repeat(depth);
    text.push_str(&indent);
    match &argument.name {
        Name::Whole => text.push_str("(all of it)"),
        Name::Key(spans) => spell(text, spans, None),
        Name::Place(place) => text.push_str(&place.to_string()),
    }
    text.push(':');
    match &argument.value {
        Shown::Text(spans) => {
            text.push_str(" \"");
            spell(text, spans, Some(&indent));
            text.push('"');
        }
        Shown::Literal(literal) => {
            text.push(' ');
            text.push_str(literal);
        }
        Shown::Json(spans) => {
            text.push(' ');
            spell(text, spans, Some(&indent));
        }
        Shown::List(inner) if inner.is_empty() => text.push_str(" []"),
        Shown::Object(inner) if inner.is_empty() => text.push_str(" {}"),
        Shown::List(inner) | Shown::Object(inner) => {
            text.push('\n');
            inner.iter().for_each(|argument| write(text, argument, depth + 1));
            return;
        }
    }
    text.push('\n');
}

/// Writes a text with every hidden character spelt out, and quotation marks as in JSON. With `indent` it goes on in a new line where it
/// has a line break.
fn spell(text: &mut String, spans: &[Span], indent: Option<&str>) {
    for span in spans {
        match span {
            Span::Text(plain) => text.push_str(&plain.replace('\\', "\\\\").replace('"', "\\\"")),
            Span::Marker(marker) => {
                text.push_str(&if marker.breaks_line() || marker.character == '\t' {
                    marker.sign()
                } else {
                    format!("[{}]", marker.code())
                });
                if let (true, Some(indent)) = (marker.breaks_line(), indent) {
                    text.push('\n');
                    text.push_str(indent);
                    text.push_str("  | ");
                }
            }
        }
    }
}

fn quoted(name: &str) -> String {
    format!("“{}”", readable(name))
}

fn sentence(warning: &Warning) -> String {
    let of = |place: &str| if place.is_empty() { "The tool's name".to_owned() } else { quoted(place) };
    match warning {
        Warning::Direction { place } => {
            format!("{} has characters that turn the direction of the text around. What you see may not be what is sent.", of(place))
        }
        Warning::Hidden { place, count } => format!("{} has characters that would not be seen: {count}, each marked.", of(place)),
        Warning::MixedLetters { place, word } => {
            format!("{} has a word, {}, that mixes letters of alphabets that look alike.", of(place), quoted(word))
        }
        Warning::Padding { place } => format!("{} has a long stretch of blank space. Look at what comes after it.", of(place)),
        Warning::EncodedHost { place } => format!("{} has a host name in an encoded form that can imitate another.", of(place)),
        Warning::Long { place, bytes } => format!("{} is long: {bytes} bytes. Read it to its end.", of(place)),
        Warning::OddName => "The tool's name has characters that names of tools do not have.".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(name: &str, input: Value) -> String {
        let mut call = ToolPart::new("1", name);
        call.input = Some(input);
        question("House", "agent.example", &call)
    }

    #[test]
    fn every_argument_is_there_in_full_and_in_its_place() {
        let long = "x".repeat(5000);
        let input = json!({"to": ["a@example.com"], "days": 3, "deep": {"on": true, "none": {}}, "body": long});
        let text = asked("send", input);
        let expected = format!(
            "House at agent.example wants to run “send”:\n  to:\n    1: \"a@example.com\"\n  days: 3\n  deep:\n    on: true\n    none: {{}}\n  \
             body: \"{long}\"\n! “body” is long: 5000 bytes. Read it to its end.\n"
        );
        assert_eq!(text, expected);
        assert_eq!(asked("now", json!({})), "House at agent.example wants to run “now”, without arguments.\n");
    }

    #[test]
    fn no_argument_can_look_like_another_or_steer_the_terminal() {
        let text = asked("se\u{1b}nd", json!({"to": "a\"\n  cc: \"b", "k\u{202e}": "\u{1b}[2K\r\n\u{9b}x"}));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "  to: \"a\\\"↵");
        assert_eq!(lines[2], "    |   cc: \\\"b\"");
        assert_eq!(lines[3], "  k[U+202E]: \"[U+001B][2K[U+000D]↵");
        assert_eq!(lines[4], "    | [U+009B]x\"");
        assert!(lines[0].contains("“se[U+001B]nd”"), "{text}");
        assert!(text.contains("! The tool's name has characters that names of tools do not have."), "{text}");
        assert!(text.chars().all(|character| character == '\n' || !character.is_control()), "{text:?}");
    }
}
