//! What a command says: the answer on stdout, everything about it on stderr; or all of it on stdout, one JSON object a line.

use std::{
    collections::HashMap,
    io::{self, IsTerminal as _, Write},
};

use callbox_protocol::{Part, ToolPart, ToolState, UiMessage};
use serde::Serialize;

use super::answer::{Kind, News, Place};
use crate::headless::plain::{Prose, prose, write_json};

/// Who took a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum By {
    /// Somebody at the terminal.
    Terminal,
    /// `--allow` on the command line.
    Allow,
    /// Nobody: there is no terminal to ask on.
    Default,
}

/// One line of the JSON output. What it is for is told by the help of the command.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub(super) enum Event<'a> {
    Conversation { id: &'a str, new: bool },
    Sent { message: &'a str },
    Text { place: Place, delta: &'a str, anew: bool },
    Reasoning { place: Place, delta: &'a str, anew: bool },
    Tool { call: &'a ToolPart },
    Part { part: &'a Part },
    Decision { call: &'a str, tool: &'a str, approved: bool, by: By },
    Link { online: bool, code: Option<&'a str>, text: Option<&'a str> },
    Warning { code: &'a str, text: &'a str },
    Error { code: &'a str, text: &'a str },
    End { exit: u8, messages: &'a [UiMessage] },
}

/// Where it is said. `O` is stdout, `E` stderr.
#[derive(Debug)]
pub(super) struct Report<O, E> {
    output: O,
    errors: E,
    json: bool,
    /// Somebody reads output and remarks in one place, so they must not get into each other's lines.
    is_shared: bool,
    /// The text that is being written.
    current: Option<Place>,
    /// The last line of the output has no end yet.
    in_line: bool,
    texts: HashMap<Place, Prose>,
    /// A line of reasoning that has not ended.
    thought: String,
}

/// On the standard streams.
pub(super) fn standard(json: bool) -> Report<io::Stdout, io::Stderr> {
    Report::new(io::stdout(), io::stderr(), json, io::stdout().is_terminal())
}

impl<O: Write, E: Write> Report<O, E> {
    pub(super) fn new(output: O, errors: E, json: bool, is_shared: bool) -> Self {
        Self { output, errors, json, is_shared, current: None, in_line: false, texts: HashMap::new(), thought: String::new() }
    }

    /// Says that something has happened; in text, only what is worth a remark.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if self.json {
            return self.line(event);
        }
        match event {
            Event::Conversation { id, new: true } => self.remark(&format!("(conversation) {id}")),
            Event::Decision { tool, approved, by, .. } => self.remark(&decision(tool, *approved, *by)),
            Event::Link { online: false, text: Some(text), .. } => self.remark(&format!("(connection) {text}")),
            Event::Link { online: true, .. } => self.remark("(connection) Online again."),
            Event::Warning { text, .. } | Event::Error { text, .. } => self.remark(text),
            _ => Ok(()),
        }
    }

    /// Says what the agent has said. It has left this process when this returns.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn news(&mut self, news: &[News]) -> io::Result<()> {
        for news in news {
            match news {
                News::Text { place, kind, delta, anew } if self.json => {
                    let (place, anew) = (*place, *anew);
                    self.line(&match kind {
                        Kind::Answer => Event::Text { place, delta, anew },
                        Kind::Reasoning => Event::Reasoning { place, delta, anew },
                    })?;
                }
                News::Tool(call) if self.json => self.line(&Event::Tool { call })?,
                News::Part(part) if self.json => self.line(&Event::Part { part })?,
                News::Text { place, kind: Kind::Answer, delta, anew } => self.text(*place, delta, *anew)?,
                News::Text { delta, .. } => self.think(delta)?,
                News::Tool(call) => self.tool(call)?,
                News::Part(part) => self.part(part)?,
            }
        }
        self.output.flush()
    }

    /// Says how it ended.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn end(&mut self, exit: u8, messages: &[UiMessage]) -> io::Result<()> {
        if self.json {
            return self.line(&Event::End { exit, messages });
        }
        self.end_thought()?;
        self.end_text()?;
        self.end_line()?;
        self.output.flush()
    }

    /// Says on stderr, whatever the form, what cannot be said on stdout.
    pub(super) fn complain(&mut self, text: &str) {
        // There is nowhere else to say it.
        let _ = writeln!(self.errors, "{}", prose(text));
    }

    /// Begins a line of its own for somebody else who writes to the terminal.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub(super) fn step_aside(&mut self) -> io::Result<()> {
        self.end_thought()?;
        if self.is_shared {
            self.end_line()?;
        }
        self.output.flush()
    }

    // --- Text -------------------------------------------------------------------------------------------------------------------------

    fn text(&mut self, place: Place, delta: &str, anew: bool) -> io::Result<()> {
        self.end_thought()?;
        if anew {
            self.remark("(the agent has written this anew)")?;
            self.texts.remove(&place);
        }
        if self.current != Some(place) || anew {
            let first = self.current.is_none();
            self.end_text()?;
            self.end_line()?;
            if !first {
                writeln!(self.output)?;
            }
            self.current = Some(place);
        }
        let shown = self.texts.entry(place).or_default().piece(delta);
        self.put(&shown)
    }

    /// What was kept back of the text so far.
    fn end_text(&mut self) -> io::Result<()> {
        let rest = self.current.and_then(|place| self.texts.get_mut(&place)).map(Prose::end).unwrap_or_default();
        self.put(&rest)
    }

    fn end_line(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.in_line) { writeln!(self.output) } else { Ok(()) }
    }

    fn put(&mut self, text: &str) -> io::Result<()> {
        if let Some(last) = text.chars().next_back() {
            self.in_line = last != '\n';
        }
        self.output.write_all(text.as_bytes())
    }

    // --- Remarks ----------------------------------------------------------------------------------------------------------------------

    /// A reasoning is told line by line, so that it does not get into the answer's lines.
    fn think(&mut self, delta: &str) -> io::Result<()> {
        self.thought.push_str(delta);
        while let Some((line, rest)) = self.thought.split_once('\n') {
            let (line, rest) = (format!("(reasoning) {line}"), rest.to_owned());
            self.thought = rest;
            self.remark(&line)?;
        }
        Ok(())
    }

    fn end_thought(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.thought) {
            thought if thought.trim().is_empty() => Ok(()),
            thought => self.remark(&format!("(reasoning) {thought}")),
        }
    }

    fn tool(&mut self, call: &ToolPart) -> io::Result<()> {
        self.end_thought()?;
        let name = &call.tool_name;
        let value = match call.state {
            ToolState::InputAvailable => call.input.as_ref().map(ToString::to_string),
            ToolState::OutputAvailable => call.output.as_ref().map(ToString::to_string),
            // What it is good for is on a card in the window.
            ToolState::OutputError if call.interrupt().is_some() => {
                Some("It needs something of you first, in Callbox's window.".to_owned())
            }
            ToolState::OutputError => call.error_text.clone(),
            // Whoever is asked, or has decided, is told elsewhere.
            ToolState::ApprovalRequested | ToolState::ApprovalResponded => return Ok(()),
            _ => None,
        };
        self.remark(&format!("(tool) {name}: {}{}", call.state.as_str(), value.map(|value| format!(" {value}")).unwrap_or_default()))
    }

    fn part(&mut self, part: &Part) -> io::Result<()> {
        self.end_thought()?;
        match part {
            Part::File(file) | Part::ReasoningFile(file) => self.remark(&format!("(file) {} {}", file.media_type, file.url)),
            Part::SourceUrl(source) => self.remark(&format!("(source) {}", source.url)),
            Part::SourceDocument(source) => self.remark(&format!("(source) {}", source.title)),
            _ => Ok(()),
        }
    }

    /// A remark on stderr.
    fn remark(&mut self, text: &str) -> io::Result<()> {
        if self.is_shared {
            self.end_line()?;
            self.output.flush()?;
        }
        self.complain(text);
        Ok(())
    }

    // --- JSON -------------------------------------------------------------------------------------------------------------------------

    fn line(&mut self, event: &Event<'_>) -> io::Result<()> {
        write_json(&mut self.output, event)?;
        self.output.flush()
    }
}

fn decision(tool: &str, approved: bool, by: By) -> String {
    match (approved, by) {
        (true, By::Allow) => format!("(approved) {tool}, by --allow"),
        (true, _) => format!("(approved) {tool}"),
        (false, By::Default) => format!("(denied) {tool}: there is no terminal to ask on. --allow {tool} approves it."),
        (false, _) => format!("(denied) {tool}"),
    }
}

#[cfg(test)]
mod tests {
    use callbox_approvals::characters::hidden;
    use serde_json::{Value, json};

    use super::*;

    fn text(place: Place, delta: &str, anew: bool) -> News {
        News::Text { place, kind: Kind::Answer, delta: delta.to_owned(), anew }
    }

    fn thought(delta: &str) -> News {
        News::Text { place: (0, 0), kind: Kind::Reasoning, delta: delta.to_owned(), anew: false }
    }

    /// What is on stdout and on stderr.
    fn said(json: bool, is_shared: bool, say: impl FnOnce(&mut Report<&mut Vec<u8>, &mut Vec<u8>>)) -> (String, String) {
        let (mut output, mut errors) = (Vec::new(), Vec::new());
        say(&mut Report::new(&mut output, &mut errors, json, is_shared));
        (String::from_utf8(output).unwrap(), String::from_utf8(errors).unwrap())
    }

    #[test]
    fn the_answer_alone_is_on_stdout_and_its_texts_are_paragraphs() {
        let (output, errors) = said(false, false, |report| {
            report.event(&Event::Conversation { id: "c", new: true }).unwrap();
            report.news(&[thought("hm\nwell"), text((0, 1), "one ", false)]).unwrap();
            report.news(&[text((0, 1), "two\u{1b}[31m", false), text((0, 3), "three", false)]).unwrap();
            report.end(0, &[]).unwrap();
        });
        assert_eq!(output, "one two[U+001B][31m\n\nthree\n");
        assert_eq!(errors, "(conversation) c\n(reasoning) hm\n(reasoning) well\n");
    }

    #[test]
    fn on_one_screen_remarks_have_lines_of_their_own() {
        let call =
            ToolPart { state: ToolState::OutputAvailable, output: Some(json!({"x": "\u{9b}"}).into()), ..ToolPart::new("1", "clock") };
        let (output, errors) = said(false, true, |report| {
            report.news(&[text((0, 0), "one", false), News::Tool(Box::new(call)), text((0, 0), " two", false)]).unwrap();
            report.end(0, &[]).unwrap();
        });
        assert_eq!((output.as_str(), errors.as_str()), ("one\n two\n", "(tool) clock: output-available {\"x\":\"[U+009B]\"}\n"));
    }

    #[test]
    fn a_text_that_is_written_anew_begins_anew() {
        let (output, _) = said(false, false, |report| {
            report.news(&[text((0, 0), "one", false), text((0, 0), "two", true), text((0, 0), "three", false)]).unwrap();
            report.end(0, &[]).unwrap();
        });
        assert_eq!(output, "one\n\ntwothree\n");
    }

    #[test]
    fn each_line_of_json_is_one_object_with_the_very_values_and_nothing_that_steers() {
        let hostile = "\u{1b}[2J\u{9b}x\u{202e}\u{e0041}\u{7f}\n\u{2028}é";
        let call = ToolPart { input: Some(json!({ hostile: hostile })), ..ToolPart::new("1", hostile) };
        let (output, errors) = said(true, true, |report| {
            report.news(&[text((0, 0), hostile, false), thought(hostile), News::Tool(Box::new(call))]).unwrap();
            report.event(&Event::Decision { call: "1", tool: hostile, approved: false, by: By::Default }).unwrap();
            report.event(&Event::Error { code: "x", text: hostile }).unwrap();
            report.end(1, &[UiMessage::user("u", hostile)]).unwrap();
        });
        assert!(output.chars().all(|character| character == '\n' || hidden(character).is_none()), "{output:?}");
        assert_eq!(errors, "");
        let lines: Vec<Value> = output.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
        assert_eq!(types, ["text", "reasoning", "tool", "decision", "error", "end"]);
        assert_eq!(lines[0], json!({"type": "text", "place": [0, 0], "delta": hostile, "anew": false}));
        assert_eq!(lines[2]["call"]["input"][hostile], hostile);
        assert_eq!(lines[3], json!({"type": "decision", "call": "1", "tool": hostile, "approved": false, "by": "default"}));
        assert_eq!(lines[5]["messages"][0]["parts"][0]["text"], hostile);
    }
}
