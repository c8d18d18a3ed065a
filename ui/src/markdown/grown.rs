//! The list or table that is being written, of which the first entries are final.
//!
//! An entry is final when the next one has begun on a complete line. What is parsed again is the last such entry and what is behind it, as if
//! nothing were before it; the entries before it stay. The whole is parsed once more when the block closes, so whatever this gets wrong is put right.

use std::ops::Range;
use std::sync::Arc;

use super::parse::Parsed;
use super::{Block, Item};

/// Where such a block stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Grown {
    /// The lines without which a row is no row; nothing for a list.
    head: Range<usize>,
    /// Where the text begins that is parsed again.
    from: usize,
    /// How many entries are before it.
    kept: usize,
    /// One blank line between two entries gives air to all of them.
    loose: bool,
}

impl Grown {
    /// If the open block is such a one. `parsed`: all that is behind `cut` in the text; `complete`: the length of its complete lines.
    pub(super) fn begin(text: &str, cut: usize, parsed: &Parsed, complete: usize) -> Option<Self> {
        let tail = &text[cut..];
        let (block, range) = parsed.blocks.first()?;
        let last = last_complete(&parsed.entries, complete)?;
        let at = |offset: usize| cut + line_start(tail, offset);
        let (head, loose) = match block {
            Block::List { items, .. } => (cut..cut, items.iter().take(last).any(|item| is_loose(item))),
            Block::Table { .. } => (at(range.start)..at(parsed.entries[0]), false),
            _ => return None,
        };
        Some(Self { head, from: at(parsed.entries[last]), kept: last, loose })
    }

    /// What is parsed in place of the whole block.
    pub(super) fn source(&self, text: &str) -> String {
        [&text[self.head.clone()], &text[self.from..]].concat()
    }

    /// Puts the entries of `more`, which is [`Self::source`] parsed, behind those that are final. `false`: they do not belong together.
    pub(super) fn join(&mut self, block: &mut Block, more: Block) -> bool {
        match (block, more) {
            (Block::List { start, items }, Block::List { start: other, items: mut more }) if start.is_some() == other.is_some() => {
                items.truncate(self.kept);
                if !self.loose && more.iter().any(|item| is_loose(item)) {
                    self.loose = true;
                    items.iter_mut().for_each(loosen);
                }
                if self.loose {
                    more.iter_mut().for_each(loosen);
                }
                items.append(&mut more);
                true
            }
            (Block::Table { rows, alignments, .. }, Block::Table { rows: mut more, alignments: same, .. }) if *alignments == same => {
                rows.truncate(self.kept);
                rows.append(&mut more);
                true
            }
            _ => false,
        }
    }

    /// More entries are final: those before the last one of [`Self::source`] that begins on a complete line.
    pub(super) fn advance(&mut self, source: &str, entries: &[usize], complete: usize) {
        if let Some(last) = last_complete(entries, complete) {
            self.kept += last;
            self.from += line_start(source, entries[last]) - self.head.len();
        }
    }

    /// Where the text begins that is parsed again.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub(super) fn from(&self) -> usize {
        self.from
    }
}

/// The last entry that begins on a complete line, if there is one before it.
fn last_complete(entries: &[usize], complete: usize) -> Option<usize> {
    entries.iter().rposition(|start| *start < complete).filter(|last| *last > 0)
}

pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

fn is_loose(item: &Item) -> bool {
    item.blocks.iter().any(|block| matches!(block, Block::Paragraph(_)))
}

fn loosen(item: &mut Arc<Item>) {
    if item.blocks.iter().any(|block| matches!(block, Block::Plain(_))) {
        for block in &mut Arc::make_mut(item).blocks {
            if let Block::Plain(content) = block {
                *block = Block::Paragraph(std::mem::take(content));
            }
        }
    }
}
