//! The form in which the agent stores what it streamed (notes 4.5 and 7.1). The fold ends in this form, so that a conversation
//! looks the same before and after it is loaded again.

use serde_json::{Map, Value};

use crate::json::Object;
use crate::message::UiMessage;
use crate::part::Part;
use crate::tool::{ToolPart, ToolState};

/// The longest text, in UTF-16 units, that is kept in the arguments and results of a tool that the model's provider ran.
const LONGEST_PROVIDER_TEXT: usize = 500;

/// Arguments are always an object: one that was written as text is read, anything else becomes `{}`.
pub(crate) fn arguments(raw: Option<Value>) -> Value {
    match raw {
        Some(object @ Value::Object(_)) => object,
        Some(Value::String(text)) => arguments_text(&text),
        _ => Value::Object(Map::new()),
    }
}

/// As [`arguments`], of a text.
pub(crate) fn arguments_text(text: &str) -> Value {
    match serde_json::from_str(text.trim()) {
        Ok(object @ Value::Object(_)) => object,
        _ => Value::Object(Map::new()),
    }
}

/// Makes a message of the agent what `get-messages` shows of it at the end of a turn, and tells whether that is another one. `newest`: of
/// an agent that reads a call without arguments as one with none; the others leave them out.
pub(crate) fn finish(message: &mut UiMessage, newest: bool) -> bool {
    let mut changed = false;
    message.parts.retain_mut(|part| {
        let (ephemeral, kept) = match part {
            Part::Text(text) => (strip_ephemeral(&mut text.extra, "providerMetadata"), true),
            Part::Reasoning(reasoning) => {
                let ephemeral = strip_ephemeral(&mut reasoning.extra, "providerMetadata");
                let signed = reasoning.extra.get("providerMetadata").and_then(Value::as_object).is_some_and(|data| !data.is_empty());
                (ephemeral, signed || !reasoning.text.trim().is_empty())
            }
            Part::SourceUrl(source) => (strip_ephemeral(&mut source.extra, "providerMetadata"), true),
            Part::SourceDocument(source) => (strip_ephemeral(&mut source.extra, "providerMetadata"), true),
            Part::Tool(tool) => {
                let ephemeral = strip_ephemeral(&mut tool.extra, "callProviderMetadata");
                (ephemeral | shorten(tool) | complete(tool, newest), true)
            }
            _ => (false, true),
        };
        changed |= ephemeral || !kept;
        kept
    });
    changed
}

/// Arguments that were never completed are not stored.
fn complete(tool: &mut ToolPart, newest: bool) -> bool {
    let stored = match &tool.input {
        Some(Value::Object(_)) => tool.state != ToolState::InputStreaming,
        input => !newest && (input.is_none() || tool.state != ToolState::InputStreaming),
    };
    if !stored {
        let complete = tool.input.take().filter(|_| tool.state != ToolState::InputStreaming);
        tool.input = if newest { Some(arguments(complete)) } else { complete };
    }
    !stored
}

/// Removes what a provider attaches for the next request only.
fn strip_ephemeral(fields: &mut Object, key: &str) -> bool {
    let Some(Value::Object(metadata)) = fields.get_mut(key) else { return false };
    let Some(Value::Object(openai)) = metadata.get_mut("openai") else { return false };
    let removed = [openai.remove("itemId"), openai.remove("reasoningEncryptedContent")];
    let mut changed = removed.iter().any(Option::is_some);
    if openai.is_empty() {
        changed = true;
        metadata.remove("openai");
    }
    if metadata.is_empty() {
        fields.remove(key);
    }
    changed
}

/// Shortens what a provider's own tool was given and gave.
fn shorten(tool: &mut ToolPart) -> bool {
    if tool.provider_executed != Some(true) || matches!(tool.tool_name.as_str(), "web_search" | "web_fetch") {
        return false;
    }
    tool.input.iter_mut().for_each(shorten_value);
    tool.output.iter_mut().for_each(|output| output.change(shorten_value));
    // Seldom, and hardly ever much to look at.
    true
}

fn shorten_value(value: &mut Value) {
    match value {
        Value::String(text) => {
            let length = text.encode_utf16().count();
            if length > LONGEST_PROVIDER_TEXT {
                let mark = format!("… [truncated, original length: {length}]");
                let mut room = LONGEST_PROVIDER_TEXT - mark.encode_utf16().count();
                let kept = text.chars().take_while(|character| {
                    let fits = character.len_utf16() <= room;
                    room = room.saturating_sub(character.len_utf16());
                    fits
                });
                *text = kept.collect::<String>() + &mark;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(shorten_value),
        Value::Object(fields) => {
            for (key, value) in fields {
                if !key.starts_with("encrypted") {
                    shorten_value(value);
                }
            }
        }
        _ => {}
    }
}
