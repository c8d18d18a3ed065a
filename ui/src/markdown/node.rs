//! The tree that Markdown becomes. Plain data: the window draws it, tests compare it.

use std::sync::Arc;

use super::{Code, Target};

/// A block: what stands on lines of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Block {
    Paragraph(Vec<Inline>),
    /// Text directly inside a list item, without the air of a paragraph.
    Plain(Vec<Inline>),
    Heading {
        /// From 1 to 6.
        level: u8,
        content: Vec<Inline>,
    },
    Quote(Vec<Block>),
    Code {
        /// The first word behind the fence.
        language: Option<String>,
        text: Code,
    },
    List {
        /// The first number of an ordered list.
        start: Option<u64>,
        items: Vec<Arc<Item>>,
    },
    Table {
        alignments: Vec<Alignment>,
        head: Vec<Vec<Inline>>,
        rows: Vec<Arc<Row>>,
    },
    Rule,
}

/// The cells of a table's row.
pub type Row = Vec<Vec<Inline>>;

/// An entry of a list. Like a row, it is shared by copies of its block: it does not change any more when the next one has begun.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Item {
    /// Whether the box of a task is ticked; none for an ordinary entry.
    pub task: Option<bool>,
    pub blocks: Vec<Block>,
}

/// How the cells of a column are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alignment {
    None,
    Left,
    Center,
    Right,
}

/// What stands within a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inline {
    Text(String),
    Code(String),
    Strong(Vec<Inline>),
    Emphasis(Vec<Inline>),
    Strike(Vec<Inline>),
    Link {
        target: Target,
        content: Vec<Inline>,
    },
    /// A picture that is not loaded: its description stands for it.
    Image {
        target: Target,
        description: String,
    },
    Break,
}

/// The text of a line without its marks.
pub fn plain_text(content: &[Inline]) -> String {
    let mut out = String::new();
    collect(content, &mut out);
    out
}

fn collect(content: &[Inline], out: &mut String) {
    for inline in content {
        match inline {
            Inline::Text(text) | Inline::Code(text) => out.push_str(text),
            Inline::Strong(inner) | Inline::Emphasis(inner) | Inline::Strike(inner) | Inline::Link { content: inner, .. } => {
                collect(inner, out)
            }
            Inline::Image { description, .. } => out.push_str(description),
            Inline::Break => out.push(' '),
        }
    }
}
