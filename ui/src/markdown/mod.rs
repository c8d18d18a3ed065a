//! Markdown of an agent's answer, while it is being written.
//!
//! Promises: a block that is closed is never parsed again, so that the cost of an answer grows with its length and not with its square
//! ([`MarkdownStream`]); however the text was cut into deltas, the blocks are the same in the end; there is no raw HTML and nothing is
//! ever loaded: images become links, and a link has one of three schemes ([`link`]); nesting is bounded, whatever an agent writes.

pub mod code;
mod grown;
mod inline;
pub mod link;
pub mod node;
mod parse;
mod stream;
mod unfinished;

pub use code::Code;
pub use link::Target;
pub use node::{Alignment, Block, Inline, Item, Row};
pub use parse::parse;
pub use stream::{Changed, MarkdownStream};
