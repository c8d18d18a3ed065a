//! From the parser's events to the tree.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use pulldown_cmark::{BrokenLink, CodeBlockKind, CowStr, Event, Options, Parser, Tag, TagEnd};
use unicase::UniCase;

use super::inline::settle;
use super::{Alignment, Block, Code, Inline, Item, Row, link};

/// How deep blocks and marks nest before the rest is drawn flat. An agent may write a thousand `>` in a row.
const DEPTH: usize = 24;

/// Definitions of links (`[label]: url`) that stand elsewhere in the text, by normalised label.
pub(super) type Definitions = HashMap<String, String>;

/// What one parse found.
pub(super) struct Parsed {
    /// The blocks, and where in the source each of them begins and ends.
    pub(super) blocks: Vec<(Block, Range<usize>)>,
    /// Labels of links without a definition, per parse.
    pub(super) unresolved: Vec<String>,
    /// Definitions that the source has.
    pub(super) definitions: Vec<Definition>,
    /// Where the entries of the first block begin, if it is a list, or its rows, if it is a table.
    pub(super) entries: Vec<usize>,
}

/// The definition of a link: `[label]: url`.
pub(super) struct Definition {
    pub(super) label: String,
    pub(super) url: String,
    /// Where in the source it begins.
    pub(super) start: usize,
}

/// Parses a whole text.
pub fn parse(text: &str) -> Vec<Block> {
    parse_with(text, &Definitions::new()).blocks.into_iter().map(|(block, _)| block).collect()
}

pub(super) fn parse_with(text: &str, known: &Definitions) -> Parsed {
    let mut unresolved = Vec::new();
    let mut look_up = |link: BrokenLink<'_>| {
        let label = label(&link.reference);
        let found = known.get(&label).map(|url| (CowStr::from(url.clone()), CowStr::from("")));
        if found.is_none() {
            unresolved.push(label);
        }
        found
    };
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let parser = Parser::new_with_broken_link_callback(text, options, Some(&mut look_up));
    let mut definitions: Vec<_> = parser
        .reference_definitions()
        .iter()
        .map(|(name, definition)| Definition { label: label(name), url: definition.dest.to_string(), start: definition.span.start })
        .collect();
    definitions.sort_by_key(|definition| definition.start);
    let mut builder = Builder { blocks: Vec::new(), frames: Vec::new(), outer: 0..0, entries: Vec::new() };
    for (event, range) in parser.into_offset_iter() {
        builder.event(event, range);
    }
    let Builder { blocks, entries, .. } = builder;
    Parsed { blocks, unresolved, definitions, entries }
}

/// Labels are compared without regard to case and runs of white space.
fn label(text: &str) -> String {
    UniCase::new(text.split_whitespace().collect::<Vec<_>>().join(" ")).to_folded_case()
}

struct Builder {
    blocks: Vec<(Block, Range<usize>)>,
    frames: Vec<Frame>,
    /// The range of the outermost block that is open.
    outer: Range<usize>,
    entries: Vec<usize>,
}

/// Something that has begun and not yet ended.
struct Frame {
    kind: Kind,
    blocks: Vec<Block>,
    inlines: Vec<Inline>,
}

enum Kind {
    Paragraph,
    Heading(u8),
    Quote,
    Code(Option<String>),
    Html,
    List {
        start: Option<u64>,
        items: Vec<Arc<Item>>,
    },
    Item {
        task: Option<bool>,
    },
    Table {
        alignments: Vec<Alignment>,
        head: Vec<Vec<Inline>>,
        rows: Vec<Arc<Row>>,
    },
    Row {
        cells: Vec<Vec<Inline>>,
    },
    Cell,
    Strong,
    Emphasis,
    Strike,
    Link(String),
    Image(String),
    /// Deeper than the tree goes, or of no use here: its content is handed to what is around it.
    Flat,
}

impl Builder {
    fn event(&mut self, event: Event<'_>, range: Range<usize>) {
        match event {
            Event::Start(tag) => self.start(tag, range),
            Event::End(end) => self.end(end),
            Event::Text(text) => self.inline(Inline::Text(text.into_string())),
            Event::Code(text) => self.inline(Inline::Code(text.into_string())),
            Event::InlineHtml(html) if is_break(&html) => self.inline(Inline::Break),
            Event::Html(text) | Event::InlineHtml(text) => self.inline(Inline::Text(text.into_string())),
            Event::SoftBreak => self.inline(Inline::Text(" ".to_owned())),
            Event::HardBreak => self.inline(Inline::Break),
            Event::Rule => self.block(Block::Rule, range),
            Event::TaskListMarker(done) => {
                if let Some(Frame { kind: Kind::Item { task }, .. }) =
                    self.frames.iter_mut().rev().find(|f| matches!(f.kind, Kind::Item { .. }))
                {
                    *task = Some(done);
                }
            }
            Event::FootnoteReference(_) | Event::InlineMath(_) | Event::DisplayMath(_) => {}
        }
    }

    fn start(&mut self, tag: Tag<'_>, range: Range<usize>) {
        if self.frames.is_empty() {
            self.outer = range;
        } else if self.frames.len() == 1 && self.blocks.is_empty() && matches!(tag, Tag::Item | Tag::TableRow) {
            self.entries.push(range.start);
        }
        let deep = self.frames.len() >= DEPTH;
        let kind = match tag {
            Tag::Paragraph => Kind::Paragraph,
            Tag::Heading { level, .. } => Kind::Heading(level as u8),
            Tag::CodeBlock(CodeBlockKind::Fenced(info)) => {
                Kind::Code(info.split([' ', ',', '{', '\t']).next().filter(|word| !word.is_empty()).map(str::to_owned))
            }
            Tag::CodeBlock(CodeBlockKind::Indented) => Kind::Code(None),
            Tag::HtmlBlock => Kind::Html,
            Tag::Table(columns) => {
                Kind::Table { alignments: columns.into_iter().map(alignment).collect(), head: Vec::new(), rows: Vec::new() }
            }
            Tag::TableHead | Tag::TableRow => Kind::Row { cells: Vec::new() },
            Tag::TableCell => Kind::Cell,
            _ if deep => Kind::Flat,
            Tag::BlockQuote(_) => Kind::Quote,
            Tag::List(start) => Kind::List { start, items: Vec::new() },
            Tag::Item => Kind::Item { task: None },
            Tag::Strong => Kind::Strong,
            Tag::Emphasis => Kind::Emphasis,
            Tag::Strikethrough => Kind::Strike,
            Tag::Link { dest_url, .. } => Kind::Link(dest_url.into_string()),
            Tag::Image { dest_url, .. } => Kind::Image(dest_url.into_string()),
            _ => Kind::Flat,
        };
        if is_block(&kind) {
            self.close_line();
        }
        self.frames.push(Frame { kind, blocks: Vec::new(), inlines: Vec::new() });
    }

    /// Makes a block of the text that stands directly in a list item or quote.
    fn close_line(&mut self) {
        if let Some(frame) = self.frames.last_mut().filter(|frame| matches!(frame.kind, Kind::Item { .. } | Kind::Quote | Kind::Flat)) {
            let inlines = std::mem::take(&mut frame.inlines);
            if !inlines.is_empty() {
                frame.blocks.push(Block::Plain(settle(inlines)));
            }
        }
    }

    fn end(&mut self, end: TagEnd) {
        if !matches!(end, TagEnd::Strong | TagEnd::Emphasis | TagEnd::Strikethrough | TagEnd::Link | TagEnd::Image) {
            // Text directly in an item has to become a block, but text in a flat mark must stay within its line.
            if !self.frames.last().is_some_and(|frame| matches!(frame.kind, Kind::Flat) && frame.blocks.is_empty()) {
                self.close_line();
            }
        }
        let Some(Frame { kind, mut blocks, inlines }) = self.frames.pop() else { return };
        let range = self.outer.clone();
        match kind {
            Kind::Paragraph | Kind::Html => {
                let content = settle(inlines);
                if !content.is_empty() {
                    self.block(Block::Paragraph(content), range);
                }
            }
            Kind::Heading(level) => self.block(Block::Heading { level, content: settle(inlines) }, range),
            Kind::Quote => self.block(Block::Quote(blocks), range),
            Kind::Code(language) => {
                let mut text = super::node::plain_text(&inlines);
                if text.ends_with('\n') {
                    text.pop();
                }
                self.block(Block::Code { language, text: Code::from(text.as_str()) }, range);
            }
            Kind::List { start, items } => self.block(Block::List { start, items }, range),
            Kind::Item { task } => match self.frames.last_mut() {
                Some(Frame { kind: Kind::List { items, .. }, .. }) => items.push(Arc::new(Item { task, blocks })),
                Some(frame) => frame.blocks.append(&mut blocks),
                None => {}
            },
            Kind::Table { alignments, head, rows } => self.block(Block::Table { alignments, head, rows }, range),
            Kind::Row { cells } => {
                if let Some(Frame { kind: Kind::Table { head, rows, .. }, .. }) = self.frames.last_mut() {
                    if end == TagEnd::TableHead { *head = cells } else { rows.push(Arc::new(cells)) }
                }
            }
            Kind::Cell => {
                if let Some(Frame { kind: Kind::Row { cells }, .. }) = self.frames.last_mut() {
                    cells.push(settle(inlines));
                }
            }
            Kind::Strong => self.inline(Inline::Strong(settle(inlines))),
            Kind::Emphasis => self.inline(Inline::Emphasis(settle(inlines))),
            Kind::Strike => self.inline(Inline::Strike(settle(inlines))),
            Kind::Link(url) => {
                // An address inside a link is part of its text, not another link.
                let content = unlinked(inlines);
                self.inline(Inline::Link { target: link::check(&url), content });
            }
            Kind::Image(url) => self.inline(Inline::Image { target: link::check(&url), description: super::node::plain_text(&inlines) }),
            Kind::Flat => match self.frames.last_mut() {
                Some(frame) => {
                    frame.inlines.extend(inlines);
                    frame.blocks.append(&mut blocks);
                }
                None => {
                    let line = (!inlines.is_empty()).then(|| Block::Paragraph(settle(inlines)));
                    self.blocks.extend(blocks.into_iter().chain(line).map(|block| (block, range.clone())));
                }
            },
        }
    }

    fn inline(&mut self, inline: Inline) {
        match self.frames.last_mut() {
            Some(frame) => frame.inlines.push(inline),
            None => self.blocks.push((Block::Paragraph(vec![inline]), self.outer.clone())),
        }
    }

    fn block(&mut self, block: Block, range: Range<usize>) {
        match self.frames.last_mut() {
            Some(frame) => frame.blocks.push(block),
            None => self.blocks.push((block, range)),
        }
    }
}

fn is_block(kind: &Kind) -> bool {
    !matches!(kind, Kind::Strong | Kind::Emphasis | Kind::Strike | Kind::Link(_) | Kind::Image(_) | Kind::Flat)
}

fn is_break(html: &str) -> bool {
    matches!(html.trim().to_ascii_lowercase().as_str(), "<br>" | "<br/>" | "<br />")
}

fn unlinked(content: Vec<Inline>) -> Vec<Inline> {
    content.into_iter().fold(Vec::new(), |mut out, inline| {
        match (out.last_mut(), inline) {
            (Some(Inline::Text(before)), Inline::Text(text)) => before.push_str(&text),
            (_, Inline::Link { content, .. }) => out.extend(content),
            (_, inline) => out.push(inline),
        }
        out
    })
}

fn alignment(alignment: pulldown_cmark::Alignment) -> Alignment {
    match alignment {
        pulldown_cmark::Alignment::None => Alignment::None,
        pulldown_cmark::Alignment::Left => Alignment::Left,
        pulldown_cmark::Alignment::Center => Alignment::Center,
        pulldown_cmark::Alignment::Right => Alignment::Right,
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
#[path = "parse_tests.rs"]
mod tests;
