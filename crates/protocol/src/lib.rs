//! The Agents chat protocol: frames in, messages out. No I/O, no clock.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UiMessage {
    pub id: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum MessageOp {
    Reset { messages: Vec<UiMessage> },
}
