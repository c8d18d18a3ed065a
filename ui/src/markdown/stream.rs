//! A text that grows, and its blocks.
//!
//! Markdown's blocks are decided line by line: once a later block has begun on a line that is complete, nothing that follows can change
//! the blocks before it. So the text up to there is closed, its blocks are final, and only what is behind it is parsed again when
//! more text arrives. Three things are treated apart: an open code fence, which may grow very long, takes its lines without any
//! parsing; so do lists and tables, but for their last entry; and a link definition that arrives late repairs the few closed blocks
//! that were waiting for it.

use std::ops::Range;

use super::Block;
use super::grown::{Grown, line_start};
use super::parse::{Definition, Definitions, Parsed, parse_with};
use super::unfinished::completed;

/// The blocks of a growing text.
#[derive(Debug, Clone, Default)]
pub struct MarkdownStream {
    text: String,
    blocks: Vec<Block>,
    /// So many blocks are closed, and they are the text's first so many bytes.
    closed: usize,
    cut: usize,
    definitions: Definitions,
    waiting: Vec<Waiting>,
    /// The mark of the fence that the last block is in, while it is open and drawn exactly as written.
    fence: Option<char>,
    /// The open block, while it is a list or a table of which the first entries are final.
    grown: Option<Grown>,
    finished: bool,
}

/// Closed blocks that use a link that was not defined when they were parsed.
#[derive(Debug, Clone)]
struct Waiting {
    source: Range<usize>,
    blocks: Range<usize>,
    labels: Vec<String>,
}

/// Which blocks may differ from before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// All blocks from here on.
    pub from: usize,
    /// Closed blocks before it that a late definition has repaired.
    pub repaired: Vec<usize>,
}

impl MarkdownStream {
    /// An empty text.
    pub fn new() -> Self {
        Self::default()
    }

    /// All text so far.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All blocks so far, the open ones included.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many of the blocks are final.
    pub fn closed(&self) -> usize {
        self.closed
    }

    /// Takes more text.
    pub fn push(&mut self, delta: &str) -> Changed {
        self.finished = false;
        let open_line = self.text.rfind('\n').map_or(0, |at| at + 1).max(self.cut);
        self.text.push_str(delta);
        if let Some(from) = self.push_code(open_line, delta) {
            return Changed { from, repaired: Vec::new() };
        }
        self.advance()
    }

    /// Makes the text this one. Where it only grew, only the growth is looked at.
    pub fn set(&mut self, text: &str) -> Changed {
        match text.strip_prefix(self.text.as_str()) {
            Some("") => Changed { from: self.blocks.len(), repaired: Vec::new() },
            Some(delta) => {
                let delta = delta.to_owned();
                self.push(&delta)
            }
            None => {
                *self = Self { text: text.to_owned(), ..Self::default() };
                Changed { from: 0, ..self.advance() }
            }
        }
    }

    /// Says that no more text will come: nothing is completed for the eye any longer.
    pub fn finish(&mut self) -> Changed {
        if self.finished {
            return Changed { from: self.blocks.len(), repaired: Vec::new() };
        }
        self.finished = true;
        self.fence = None;
        self.advance()
    }

    /// Takes lines of code into the open fence, if there is one and they do not close it.
    fn push_code(&mut self, open_line: usize, delta: &str) -> Option<usize> {
        let mark = self.fence?;
        let may_close = |line: &str| line.trim_start_matches(' ').starts_with(mark);
        if self.text[open_line..].split('\n').any(may_close) || delta.contains(['\r', '\0']) {
            return None;
        }
        let index = self.blocks.len().checked_sub(1)?;
        let code = self.code_start()?;
        let Block::Code { text, .. } = &mut self.blocks[index] else { return None };
        // The last line end of the code is not drawn, so it may have to be made up for.
        let end = self.text.len() - usize::from(self.text.ends_with('\n'));
        text.push_str(self.text.get(code + text.len()..end).unwrap_or_default());
        Some(index)
    }

    /// Where the first line behind the cut ends.
    fn code_start(&self) -> Option<usize> {
        self.text[self.cut..].find('\n').map(|newline| self.cut + newline + 1)
    }

    /// Takes more entries into the open list or table, without another look at those that are final. `false`: that cannot be done.
    fn grow(&mut self) -> bool {
        let Some(mut grown) = self.grown.take().filter(|_| !self.finished) else { return false };
        let source = grown.source(&self.text);
        let parsed = parse_with(&source, &self.definitions);
        let complete = complete_lines(&source);
        let closes = parsed.blocks.iter().skip(1).any(|(_, range)| range.start < complete);
        // A definition may be meant for an entry that is final.
        if closes || !parsed.definitions.is_empty() {
            return false;
        }
        let mut shown = parse_with(&completed(&source), &self.definitions).blocks.into_iter().map(|(block, _)| block);
        let (Some(block), Some(more)) = (self.blocks.get_mut(self.closed), shown.next()) else { return false };
        if !grown.join(block, more) {
            return false;
        }
        self.blocks.truncate(self.closed + 1);
        self.blocks.extend(shown);
        grown.advance(&source, &parsed.entries, complete);
        self.grown = Some(grown);
        true
    }

    fn advance(&mut self) -> Changed {
        let from = self.closed;
        if self.grow() {
            return Changed { from, repaired: Vec::new() };
        }
        let tail = &self.text[self.cut..];
        let parsed = parse_with(tail, &self.definitions);
        let complete = complete_lines(tail);
        let grown = Grown::begin(&self.text, self.cut, &parsed, complete).filter(|_| parsed.definitions.is_empty());
        let Parsed { blocks, unresolved, definitions, .. } = parsed;
        // The last block to have begun on a complete line stays open; those before it are closed.
        let last = blocks.iter().rposition(|(_, range)| range.start < complete).unwrap_or(0);
        let closing = if last == 0 { 0 } else { line_start(tail, blocks[last].1.start) };
        self.blocks.truncate(self.closed);
        if closing > 0 {
            let source = self.cut..self.cut + closing;
            self.blocks.extend(blocks.into_iter().take(last).map(|(block, _)| block));
            if !unresolved.is_empty() {
                self.waiting.push(Waiting { source: source.clone(), blocks: self.closed..self.blocks.len(), labels: unresolved });
            }
            self.closed = self.blocks.len();
            self.cut = source.end;
        }
        // A definition that is still being written is not yet one.
        let finished = self.finished;
        let repaired = self.define(definitions.into_iter().filter(|definition| finished || definition.start < closing));
        self.open_blocks();
        self.grown = grown.filter(|_| closing == 0 && !self.finished);
        Changed { from, repaired: repaired.into_iter().filter(|index| *index < from).collect() }
    }

    /// Parses what is behind the cut, completed for the eye while more is to come.
    fn open_blocks(&mut self) {
        let tail = &self.text[self.cut..];
        self.fence = fence(tail).filter(|_| !self.finished);
        let parsed = if self.finished || self.fence.is_some() {
            parse_with(tail, &self.definitions)
        } else {
            parse_with(&completed(tail), &self.definitions)
        };
        // Code can be taken line by line only while it is drawn exactly as it was written.
        let code = self.code_start().unwrap_or(self.text.len());
        let raw = &self.text[code..];
        let raw = raw.strip_suffix('\n').unwrap_or(raw);
        if !matches!(&parsed.blocks[..], [(Block::Code { text, .. }, _)] if text.is(raw)) {
            self.fence = None;
        }
        self.blocks.extend(parsed.blocks.into_iter().map(|(block, _)| block));
    }

    /// Takes new link definitions and repairs the closed blocks that were waiting for them.
    fn define(&mut self, definitions: impl Iterator<Item = Definition>) -> Vec<usize> {
        let mut fresh = Vec::new();
        for Definition { label, url, .. } in definitions {
            if !self.definitions.contains_key(&label) {
                self.definitions.insert(label.clone(), url);
                fresh.push(label);
            }
        }
        if fresh.is_empty() {
            return Vec::new();
        }
        let mut repaired = Vec::new();
        for waiting in &mut self.waiting {
            if !waiting.labels.iter().any(|label| fresh.contains(label)) {
                continue;
            }
            let again = parse_with(&self.text[waiting.source.clone()], &self.definitions);
            if again.blocks.len() == waiting.blocks.len() {
                for (index, (block, _)) in waiting.blocks.clone().zip(again.blocks) {
                    if self.blocks[index] != block {
                        self.blocks[index] = block;
                        repaired.push(index);
                    }
                }
            }
            waiting.labels = again.unresolved;
        }
        self.waiting.retain(|waiting| !waiting.labels.is_empty());
        repaired
    }
}

/// The length of the lines that have an end.
fn complete_lines(text: &str) -> usize {
    text.rfind('\n').map_or(0, |at| at + 1)
}

/// The mark of the fence that a text begins with, at the very start of its first line, if that line is complete.
fn fence(text: &str) -> Option<char> {
    let first = text.split_once('\n')?.0;
    let mark = first.chars().next().filter(|mark| matches!(mark, '`' | '~'))?;
    let length = first.len() - first.trim_start_matches(mark).len();
    (length >= 3 && !(mark == '`' && first[length..].contains('`'))).then_some(mark)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "stream_tests.rs"]
mod tests;
