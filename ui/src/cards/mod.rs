//! What stands between the words of a conversation: tool calls, questions, errors, files.

pub mod agent_tools;
pub mod approval;
pub mod attachment;
pub mod elsewhere;
pub mod error;
pub mod reasoning;
pub mod tool;
mod values;

pub use agent_tools::AgentTools;
pub use approval::ApprovalCard;
pub use elsewhere::ElsewhereCard;
pub use error::ErrorCard;
pub use reasoning::Reasoning;
pub use tool::ToolCard;
