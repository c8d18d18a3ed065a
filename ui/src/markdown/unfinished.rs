//! Text that stops in the middle of a mark.
//!
//! While an answer is being written its last line often ends inside `**bold` or `[a link](https://…`. Drawn as it is, stars and brackets
//! would flash up and vanish with the next word. This module completes such a line for the eye; the text itself is not touched.

/// The last lines of a text, completed: open marks are closed, and a link whose target is still being written shows its label.
pub(super) fn completed(text: &str) -> String {
    let start = text.rfind("\n\n").map_or(0, |at| at + 2);
    let (before, line) = text.split_at(start);
    let line = without_open_link(line);
    let closers = closers(&line);
    if closers.is_empty() {
        return format!("{before}{line}");
    }
    let trimmed = line.trim_end_matches(['*', '_', '~']).len();
    // A mark that has only just been opened has nothing to hold yet: it is left out until it has.
    let (line, closers) =
        if line[trimmed..].is_empty() { (line, closers) } else { (line[..trimmed].to_owned(), self::closers(&line[..trimmed])) };
    format!("{before}{}{closers}", line.trim_end())
}

fn without_open_link(line: &str) -> String {
    let Some(middle) = line.rfind("](") else { return line.to_owned() };
    if line[middle..].contains([')', '\n']) {
        return line.to_owned();
    }
    let Some(open) = line[..middle].rfind('[') else { return line.to_owned() };
    let picture = line[..open].ends_with('!');
    format!("{}{}", &line[..open - usize::from(picture)], &line[open + 1..middle])
}

/// What closes the marks that are open at the end of a line, innermost first.
fn closers(line: &str) -> String {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = line;
    let mut before = ' ';
    while let Some(character) = rest.chars().next() {
        let mut length = character.len_utf8();
        match character {
            '\\' => length += rest[length..].chars().next().map_or(0, char::len_utf8),
            '`' => {
                let run = rest.len() - rest.trim_start_matches('`').len();
                let inside = &rest[run..];
                match inside.find(&rest[..run]) {
                    Some(end) => length = run + end + run,
                    None if run == 1 && !inside.trim().is_empty() => return std::iter::once("`").chain(open.into_iter().rev()).collect(),
                    None => return String::new(),
                }
            }
            '*' | '_' | '~' => {
                let run = rest.len() - rest.trim_start_matches(character).len();
                let mark = match (character, run) {
                    ('*', 1) => Some("*"),
                    ('*', 2) => Some("**"),
                    ('_', 1) => Some("_"),
                    ('_', 2) => Some("__"),
                    ('~', 2) => Some("~~"),
                    _ => None,
                };
                length = run;
                if let Some(mark) = mark {
                    let after = rest[run..].chars().next();
                    let inner = before.is_alphanumeric() && after.is_some_and(char::is_alphanumeric) && character == '_';
                    if open.last() == Some(&mark) && !before.is_whitespace() {
                        open.pop();
                    } else if !inner && after.is_none_or(|after| !after.is_whitespace()) {
                        open.push(mark);
                    }
                }
            }
            _ => {}
        }
        before = rest[..length].chars().next_back().unwrap_or(' ');
        rest = &rest[length..];
    }
    open.into_iter().rev().collect()
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    #[test]
    fn open_marks_are_closed_for_the_eye() {
        for (text, seen) in [
            ("some **bo", "some **bo**"),
            ("some **bold and *so", "some **bold and *so***"),
            ("a `cod", "a `cod`"),
            ("~~go", "~~go~~"),
            ("some **bold** and", "some **bold** and"),
            ("some **", "some"),
            ("2 * 3 and snake_case", "2 * 3 and snake_case"),
            ("a \\*star", "a \\*star"),
            ("first **open\n\nsecond *so", "first **open\n\nsecond *so*"),
        ] {
            assert_eq!(completed(text), seen, "{text}");
        }
    }

    #[test]
    fn a_link_in_the_making_shows_its_label() {
        assert_eq!(completed("see [the docs](https://exam"), "see the docs");
        assert_eq!(completed("see ![a cat](https://exam"), "see a cat");
        assert_eq!(completed("see [the docs](https://example.com)"), "see [the docs](https://example.com)");
    }
}
