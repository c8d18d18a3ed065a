//! The Agents chat protocol: frames in, messages out. No I/O, no clock.

mod json;
mod message;
mod op;
mod part;
mod tool;

pub use message::{Role, UiMessage};
pub use op::{MessageOp, OpError, apply, coalesce};
pub use part::{DataPart, FilePart, Part, ReasoningPart, SourceDocumentPart, SourceUrlPart, StreamState, TextPart};
pub use tool::{Approval, ToolPart, ToolState};
