//! One part of a message, as the window keeps it.

use std::sync::{Arc, Mutex, PoisonError};

use callbox_protocol::{Part, StreamState, ToolPart};
use leptos::prelude::*;

use crate::markdown::{Block, MarkdownStream};

/// A part and the place it has in its message. The key stays the same for as long as the part is of the same kind.
#[derive(Clone)]
pub struct Slot {
    pub key: u64,
    pub content: Content,
}

/// What a part is drawn from.
#[derive(Clone)]
pub enum Content {
    /// Text as the user wrote it.
    Plain(ArcRwSignal<String>),
    /// Text of the agent.
    Text(Text),
    /// What the agent thought on the way.
    Reasoning(Text),
    Tool(ArcRwSignal<ToolPart>),
    File(ArcRwSignal<File>),
    Source(ArcRwSignal<Source>),
    /// Parts that are not drawn: marks between steps, data for programs, kinds that are not known.
    Nothing,
}

/// A file of which only the name is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    pub name: Option<String>,
    pub media_type: String,
    pub url: String,
}

/// A page or document that the agent refers to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    pub title: Option<String>,
    pub url: Option<String>,
}

/// A growing Markdown text and its blocks.
#[derive(Clone)]
pub struct Text {
    stream: Arc<Mutex<MarkdownStream>>,
    /// Changes when a block is added; a block that changes does so in its own signal.
    pub blocks: ArcRwSignal<Vec<BlockSlot>>,
    /// Whether more is to come.
    pub streaming: ArcRwSignal<bool>,
}

/// A block at its place.
#[derive(Clone)]
pub struct BlockSlot {
    pub index: usize,
    pub block: ArcRwSignal<Block>,
}

impl Text {
    fn new(text: &str, streaming: bool) -> Self {
        let new = Self {
            stream: Arc::new(Mutex::new(MarkdownStream::new())),
            blocks: ArcRwSignal::new(Vec::new()),
            streaming: ArcRwSignal::new(streaming),
        };
        new.set(text, streaming);
        new
    }

    fn set(&self, text: &str, streaming: bool) {
        self.change(|stream| {
            let mut changed = stream.set(text);
            if !streaming {
                let finished = stream.finish();
                changed.from = changed.from.min(finished.from);
                changed.repaired.extend(finished.repaired);
            }
            changed
        });
        if self.streaming.get_untracked() != streaming {
            self.streaming.set(streaming);
        }
    }

    fn push(&self, delta: &str) {
        self.change(|stream| stream.push(delta));
    }

    fn change(&self, change: impl FnOnce(&mut MarkdownStream) -> crate::markdown::Changed) {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = change(&mut stream);
        let blocks = stream.blocks();
        let before = self.blocks.with_untracked(Vec::len);
        // Only what may have changed is touched: a delta costs the same at the end of a long answer as in a short one.
        for index in changed.repaired.into_iter().chain(changed.from..blocks.len().min(before)) {
            let slot = self.blocks.with_untracked(|slots| slots.get(index).cloned());
            if let Some(slot) = slot.filter(|slot| slot.block.with_untracked(|block| *block != blocks[index])) {
                slot.block.set(blocks[index].clone());
            }
        }
        if blocks.len() != before {
            self.blocks.update(|slots| {
                slots.truncate(blocks.len());
                let fresh = blocks.iter().enumerate().skip(slots.len());
                slots.extend(fresh.map(|(index, block)| BlockSlot { index, block: ArcRwSignal::new(block.clone()) }));
            });
        }
    }

    /// The text itself.
    pub fn text(&self) -> String {
        self.stream.lock().unwrap_or_else(PoisonError::into_inner).text().to_owned()
    }
}

/// A part that has no text to append to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoText;

impl Content {
    /// Makes the content of a part.
    pub fn new(part: &Part, own: bool) -> Self {
        match part {
            Part::Text(part) if own => Self::Plain(ArcRwSignal::new(part.text.clone())),
            Part::Text(part) => Self::Text(Text::new(&part.text, part.state == Some(StreamState::Streaming))),
            Part::Reasoning(part) => Self::Reasoning(Text::new(&part.text, part.state == Some(StreamState::Streaming))),
            Part::Tool(part) => Self::Tool(ArcRwSignal::new(part.clone())),
            part => match (file(part), source(part)) {
                (Some(file), _) => Self::File(ArcRwSignal::new(file)),
                (_, Some(source)) => Self::Source(ArcRwSignal::new(source)),
                _ => Self::Nothing,
            },
        }
    }

    /// Takes another value of the same kind in place; `false` if the part has become something else.
    pub fn update(&self, part: &Part) -> bool {
        match (self, part) {
            (Self::Plain(text), Part::Text(part)) => set(text, part.text.clone()),
            (Self::Text(text), Part::Text(part)) => text.set(&part.text, part.state == Some(StreamState::Streaming)),
            (Self::Reasoning(text), Part::Reasoning(part)) => text.set(&part.text, part.state == Some(StreamState::Streaming)),
            (Self::Tool(tool), Part::Tool(part)) if tool.with_untracked(|tool| tool.tool_call_id == part.tool_call_id) => {
                set(tool, part.clone());
            }
            (Self::File(signal), part) => match file(part) {
                Some(file) => set(signal, file),
                None => return false,
            },
            (Self::Source(signal), part) => match source(part) {
                Some(source) => set(signal, source),
                None => return false,
            },
            (Self::Nothing, part) => return matches!(Self::new(part, false), Self::Nothing),
            _ => return false,
        }
        true
    }

    /// Adds to a text.
    pub fn append(&self, delta: &str) -> Result<(), NoText> {
        match self {
            Self::Plain(text) => text.update(|text| text.push_str(delta)),
            Self::Text(text) | Self::Reasoning(text) => text.push(delta),
            Self::Tool(_) | Self::File(_) | Self::Source(_) | Self::Nothing => return Err(NoText),
        }
        Ok(())
    }

    /// Whether there is something to see.
    pub fn drawn(&self) -> bool {
        match self {
            Self::Plain(text) => text.with(|text| !text.is_empty()),
            Self::Text(text) | Self::Reasoning(text) => text.blocks.with(|blocks| !blocks.is_empty()),
            Self::Tool(_) | Self::File(_) | Self::Source(_) => true,
            Self::Nothing => false,
        }
    }
}

fn set<T: PartialEq + Send + Sync + 'static>(signal: &ArcRwSignal<T>, value: T) {
    if signal.with_untracked(|before| *before != value) {
        signal.set(value);
    }
}

fn file(part: &Part) -> Option<File> {
    let Part::File(part) = part else { return None };
    Some(File { name: part.filename.clone(), media_type: part.media_type.clone(), url: part.url.clone() })
}

fn source(part: &Part) -> Option<Source> {
    match part {
        Part::SourceUrl(part) => Some(Source { title: part.title.clone(), url: Some(part.url.clone()) }),
        Part::SourceDocument(part) => Some(Source { title: Some(part.title.clone()), url: None }),
        _ => None,
    }
}
