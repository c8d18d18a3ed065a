//! What the window and the shell say to each other: one list of commands, one set of views.
//!
//! The list in [`for_each_command!`] is the only place where a command is declared. The shell generates its handlers' registry and
//! its capability file from it, the window its bindings, and tests hold them equal, so that neither side can drift.
//! Nothing here ever carries a token, a code or a verifier.

mod commands;
mod view;

pub use commands::COMMANDS;
pub use view::{
    AccountEntry, AccountView, AgentToolView, Bootstrap, ConnectedAccount, ConversationSummary, DecisionView, Delivery, DeliveryState,
    Draft, Event, Language, LinkView, Notice, NoticeKind, Preferences, ProfileView, ProvenanceStep, RunPhase, SessionView, SignInStage,
    StorageView, Theme, ThreadChange, ThreadEvent, ThreadStatus, ThreadUpdate, ThreadView, ToolServerView, TurnView, UserError,
};
