//! The stored messages of a conversation: how chunks become parts, how a client's list is taken over, how decisions settle.
//!
//! This is the server's own, simple reducer: text goes to the last text part, a settled tool call never reopens.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

/// The answers to a tool call that a client can give.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Settlement {
    Approved,
    Denied,
    Output(Value),
    Error(String),
}

pub(super) fn id(message: &Value) -> Option<&str> {
    message["id"].as_str()
}

pub(super) fn is(message: &Value, role: &str) -> bool {
    message["role"] == role
}

fn parts_mut(message: &mut Value) -> Option<&mut Vec<Value>> {
    message.get_mut("parts").and_then(Value::as_array_mut)
}

pub(super) fn parts(message: &Value) -> &[Value] {
    message["parts"].as_array().map_or(&[], Vec::as_slice)
}

/// A call whose arguments never came to an end is stored as one with none.
pub(super) fn close_arguments(message: &mut Value) {
    for part in message["parts"].as_array_mut().into_iter().flatten() {
        if part["state"] == "input-streaming" && part.get("input").is_none() {
            part["input"] = json!({});
        }
    }
}

/// Whether there is more to a message than the marks between steps.
pub(super) fn says_something(message: &Value) -> bool {
    parts(message).iter().any(|part| part["type"] != "step-start")
}

/// All text of a message.
pub(super) fn text(message: &Value) -> String {
    parts(message).iter().filter(|part| part["type"] == "text").filter_map(|part| part["text"].as_str()).collect()
}

/// The ids of the user messages at the end of a list.
pub(super) fn trailing_user_ids(messages: &[Value]) -> Vec<String> {
    let start = messages.iter().rposition(|message| !is(message, "user")).map_or(0, |last| last + 1);
    messages[start..].iter().filter_map(|message| id(message).map(str::to_owned)).collect()
}

/// Takes over a client's list: known messages of the user are replaced, new ones are added. Stored messages that the list lacks go only if
/// the list holds nothing new, which is what regenerating and editing look like. The server's copy of an answer stands.
pub(super) fn take_over(stored: &mut Vec<Value>, incoming: &[Value]) {
    let incoming: Vec<&Value> = incoming.iter().filter(|message| id(message).is_some() && message["role"].is_string()).collect();
    let known: HashSet<String> = stored.iter().filter_map(|message| id(message).map(str::to_owned)).collect();
    let wanted: HashSet<&str> = incoming.iter().filter_map(|message| id(message)).collect();
    if !incoming.is_empty() && wanted.iter().all(|id| known.contains(*id)) {
        stored.retain(|message| id(message).is_some_and(|id| wanted.contains(id)));
    }
    for message in incoming {
        match stored.iter_mut().find(|old| id(old) == id(message)) {
            Some(old) if is(old, "assistant") => {}
            Some(old) => *old = message.clone(),
            None => stored.push(message.clone()),
        }
    }
}

/// Adds a message or replaces the one with its id.
pub(super) fn upsert(stored: &mut Vec<Value>, message: Value) {
    match stored.iter_mut().find(|old| id(old) == id(&message)) {
        Some(old) => *old = message,
        None => stored.push(message),
    }
}

fn tool_mut<'a>(message: &'a mut Value, call: &Value) -> Option<&'a mut Map<String, Value>> {
    parts_mut(message)?.iter_mut().rev().find(|part| part["toolCallId"] == *call).and_then(Value::as_object_mut)
}

/// The tool parts of a message.
pub(super) fn tools(message: &Value) -> impl Iterator<Item = &Value> {
    parts(message).iter().filter(|part| part["toolCallId"].is_string())
}

/// A call that is resumed has a result that is none.
fn is_settled(part: &Map<String, Value>) -> bool {
    !part.get("output").is_some_and(|output| output["continueInterruption"] == true)
        && matches!(part.get("state").and_then(Value::as_str), Some("output-available" | "output-error" | "output-denied"))
}

/// Whether every tool call of a message has its answer or its decision.
pub(super) fn nothing_open(message: &Value) -> bool {
    tools(message).all(|part| !matches!(part["state"].as_str(), Some("input-streaming" | "input-available" | "approval-requested")))
}

/// Folds a chunk into the message that it is for.
pub(super) fn fold(message: &mut Value, chunk: &Value) {
    if chunk["type"] == "start" {
        if let (Some(id), Some(message)) = (chunk.get("messageId"), message.as_object_mut()) {
            message.insert("id".to_owned(), id.clone());
        }
        return;
    }
    let Some(kind) = chunk["type"].as_str() else { return };
    let call = &chunk["toolCallId"];
    match kind {
        "start-step" => push(message, json!({"type": "step-start"})),
        "text-start" => push(message, json!({"type": "text", "text": "", "state": "streaming"})),
        "text-delta" => {
            if let (Some(part), Some(delta)) = (last_text(message), chunk["delta"].as_str()) {
                let text = format!("{}{delta}", part["text"].as_str().unwrap_or_default());
                part.insert("text".to_owned(), json!(text));
            }
        }
        "text-end" => {
            if let Some(part) = last_text(message) {
                part.insert("state".to_owned(), json!("done"));
            }
        }
        "tool-input-start" if tool_mut(message, call).is_none() => push(message, tool_part(chunk, "input-streaming")),
        "tool-input-available" | "tool-input-error" => {
            if tool_mut(message, call).is_none() {
                push(message, tool_part(chunk, "input-streaming"));
            }
            let changes = if kind == "tool-input-error" {
                json!({"state": "output-error", "input": chunk["input"], "errorText": chunk["errorText"]})
            } else {
                json!({"state": "input-available", "input": chunk["input"]})
            };
            change_tool(message, call, changes);
        }
        "tool-approval-request" => {
            change_tool(message, call, json!({"state": "approval-requested", "approval": {"id": chunk["approvalId"]}}));
        }
        "tool-output-available" => change_tool(message, call, json!({"state": "output-available", "output": chunk["output"]})),
        "tool-output-error" => change_tool(message, call, json!({"state": "output-error", "errorText": chunk["errorText"]})),
        _ => {}
    }
}

fn push(message: &mut Value, part: Value) {
    if let Some(parts) = parts_mut(message) {
        parts.push(part);
    }
}

fn tool_part(chunk: &Value, state: &str) -> Value {
    let name = chunk["toolName"].as_str().unwrap_or_default();
    json!({"type": format!("tool-{name}"), "toolCallId": chunk["toolCallId"], "toolName": name, "state": state})
}

fn last_text(message: &mut Value) -> Option<&mut Map<String, Value>> {
    parts_mut(message)?.iter_mut().rev().find(|part| part["type"] == "text").and_then(Value::as_object_mut)
}

fn change_tool(message: &mut Value, call: &Value, changes: Value) {
    if let (Some(part), Value::Object(changes)) = (tool_mut(message, call), changes)
        && !is_settled(part)
    {
        part.extend(changes);
    }
}

/// Applies a decision or a client's result to a tool call that waits for one. The first one stands: `None` if there was one before, or
/// no such call in this message waits; `Some` if the message changed.
pub(super) fn settle(message: &mut Value, call: &str, settlement: &Settlement) -> Option<()> {
    let part = tool_mut(message, &json!(call))?;
    let state = part.get("state").and_then(Value::as_str).unwrap_or_default().to_owned();
    let mut approval = part.get("approval").cloned().unwrap_or_else(|| json!({}));
    match settlement {
        Settlement::Approved | Settlement::Denied if matches!(state.as_str(), "approval-requested" | "input-available") => {
            let approved = *settlement == Settlement::Approved;
            approval["approved"] = json!(approved);
            part.insert("approval".to_owned(), approval);
            // A denied call is over at once; an approved one runs when the turn goes on.
            part.insert("state".to_owned(), json!(if approved { "approval-responded" } else { "output-denied" }));
        }
        Settlement::Output(output) if matches!(state.as_str(), "input-available" | "approval-requested") => {
            part.insert("state".to_owned(), json!("output-available"));
            part.insert("output".to_owned(), output.clone());
        }
        Settlement::Error(text) if matches!(state.as_str(), "input-available" | "approval-requested") => {
            part.insert("state".to_owned(), json!("output-error"));
            part.insert("errorText".to_owned(), json!(text));
        }
        _ => return None,
    }
    Some(())
}

/// Whether a message has this tool call at all.
pub(super) fn has_tool(message: &Value, call: &str) -> bool {
    tools(message).any(|part| part["toolCallId"] == call)
}

/// Settles what an earlier turn left open, before a new one. True if anything changed.
pub(super) fn repair(message: &mut Value) -> bool {
    let mut changed = false;
    for part in parts_mut(message).into_iter().flatten().filter_map(Value::as_object_mut) {
        let text = match part.get("state").and_then(Value::as_str) {
            Some("input-streaming" | "input-available" | "approval-requested") => {
                "The tool call was interrupted before a result was recorded."
            }
            Some("approval-responded") => "The tool call was approved but did not run before the next turn started.",
            _ => continue,
        };
        if part.contains_key("toolCallId") {
            part.insert("state".to_owned(), json!("output-error"));
            part.insert("errorText".to_owned(), json!(text));
            changed = true;
        }
    }
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(id: &str, text: &str) -> Value {
        json!({"id": id, "role": "user", "parts": [{"type": "text", "text": text}]})
    }

    fn answer(id: &str) -> Value {
        json!({"id": id, "role": "assistant", "parts": []})
    }

    #[test]
    fn a_list_with_something_new_deletes_nothing() {
        let mut stored = vec![user("u1", "one"), answer("a1")];
        take_over(&mut stored, &[user("u2", "two")]);
        assert_eq!(stored, [user("u1", "one"), answer("a1"), user("u2", "two")]);
    }

    #[test]
    fn a_list_of_known_messages_truncates_and_edits() {
        let mut stored = vec![user("u1", "one"), answer("a1"), user("u2", "two"), answer("a2")];
        take_over(&mut stored, &[user("u1", "one, edited")]);
        assert_eq!(stored, [user("u1", "one, edited")]);
        take_over(&mut stored, &[]);
        assert_eq!(stored.len(), 1, "an empty list deletes nothing");
    }

    #[test]
    fn the_first_decision_stands() {
        let mut message = json!({"id": "a1", "role": "assistant", "parts": [
            {"type": "tool-x", "toolCallId": "c1", "toolName": "x", "state": "approval-requested", "input": {}, "approval": {"id": "p1"}}
        ]});
        assert!(settle(&mut message, "c1", &Settlement::Denied).is_some());
        let denied = message.clone();
        assert_eq!(denied["parts"][0]["state"], "output-denied");
        assert_eq!(denied["parts"][0]["approval"], json!({"id": "p1", "approved": false}));
        assert!(settle(&mut message, "c1", &Settlement::Approved).is_none());
        fold(&mut message, &json!({"type": "tool-output-available", "toolCallId": "c1", "output": 1}));
        assert_eq!(message, denied, "a settled call never reopens");
    }

    #[test]
    fn trailing_user_messages_are_those_after_the_last_answer() {
        let list = [user("u1", ""), answer("a1"), user("u2", ""), user("u3", "")];
        assert_eq!(trailing_user_ids(&list), ["u2", "u3"]);
        assert!(trailing_user_ids(&list[..2]).is_empty());
    }
}
