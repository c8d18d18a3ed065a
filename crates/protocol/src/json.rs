//! Taking typed fields out of JSON objects without losing what does not fit.
//!
//! Every helper removes the field only if it has the expected type. A field of another type stays where it is, so that it
//! survives in `extra` and is written back as it came.

use serde_json::{Map, Value};

/// A JSON object.
pub(crate) type Object = Map<String, Value>;

/// Removes a string.
pub(crate) fn take_string(object: &mut Object, key: &str) -> Option<String> {
    if !object.get(key)?.is_string() {
        return None;
    }
    match object.remove(key) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    }
}

/// Removes a boolean.
pub(crate) fn take_bool(object: &mut Object, key: &str) -> Option<bool> {
    let value = object.get(key)?.as_bool()?;
    object.remove(key);
    Some(value)
}

/// Removes a whole number.
pub(crate) fn take_u64(object: &mut Object, key: &str) -> Option<u64> {
    let value = object.get(key)?.as_u64()?;
    object.remove(key);
    Some(value)
}

/// Removes an array.
pub(crate) fn take_array(object: &mut Object, key: &str) -> Option<Vec<Value>> {
    if !object.get(key)?.is_array() {
        return None;
    }
    match object.remove(key) {
        Some(Value::Array(items)) => Some(items),
        _ => None,
    }
}

/// Removes an object.
pub(crate) fn take_object(object: &mut Object, key: &str) -> Option<Object> {
    if !object.get(key)?.is_object() {
        return None;
    }
    match object.remove(key) {
        Some(Value::Object(inner)) => Some(inner),
        _ => None,
    }
}

/// Merges metadata as the agent does before it stores them: field by field at the top, all else by replacement.
pub(crate) fn merge(target: &mut Option<Value>, patch: &Value) {
    match (target, patch) {
        (Some(Value::Object(target)), Value::Object(patch)) => {
            target.extend(patch.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        (_, Value::Null) => {}
        (target, patch) => *target = Some(patch.clone()),
    }
}
