//! What the targets have in common: bytes as decisions, events, and what has to hold after each.

mod agent;
mod choices;
mod event;
mod watched;

pub use agent::history;
pub use choices::Choices;
pub use event::Event;
pub use watched::Watched;

use serde_json::Value;

/// Whether all that was in `before` is in `after`, at its place. What is read may gain fields: a message without an id is written with one.
pub fn survives(before: &Value, after: &Value) -> bool {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            before.iter().all(|(key, value)| after.get(key).is_some_and(|after| survives(value, after)))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(before, after)| survives(before, after))
        }
        (before, after) => before == after,
    }
}
