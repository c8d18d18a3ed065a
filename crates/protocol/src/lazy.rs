//! [`Json`]: a value that is read when somebody looks at it.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::scan::Scanner;

/// Any JSON. Results of tools and data of applications are most of what an agent sends and are looked at seldom, so that this keeps the text that
/// came and makes a tree of it only for who asks. Copies share both.
#[derive(Clone)]
pub struct Json(Arc<Inner>);

struct Inner {
    /// As it came; it is known to be JSON. `None` if there is a tree.
    text: Option<Box<str>>,
    tree: OnceLock<Value>,
}

impl Json {
    /// Takes a value out of the text that is being read, without looking further into it than to know that it is one.
    pub(crate) fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        let text = Some(scanner.value()?.into());
        Some(Self(Arc::new(Inner { text, tree: OnceLock::new() })))
    }

    /// Changes it; copies stay as they are.
    pub(crate) fn change(&mut self, change: impl FnOnce(&mut Value)) {
        let mut tree = Value::clone(self);
        change(&mut tree);
        *self = tree.into();
    }

    /// Nobody has looked at it.
    #[cfg(test)]
    fn is_unread(&self) -> bool {
        self.0.tree.get().is_none()
    }
}

impl Deref for Json {
    type Target = Value;

    fn deref(&self) -> &Value {
        // The scanner lets nothing pass that could not be read here.
        self.0.tree.get_or_init(|| self.0.text.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }
}

impl From<Value> for Json {
    fn from(tree: Value) -> Self {
        Self(Arc::new(Inner { text: None, tree: tree.into() }))
    }
}

impl PartialEq for Json {
    fn eq(&self, other: &Self) -> bool {
        let same_text = || self.0.text.is_some() && self.0.text == other.0.text;
        Arc::ptr_eq(&self.0, &other.0) || same_text() || **self == **other
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

/// The value as compact JSON.
impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&**self, f)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.text.as_deref().and_then(|text| serde_json::from_str::<&RawValue>(text).ok()) {
            Some(text) => text.serialize(serializer),
            None => Value::serialize(self, serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Json, Scanner};
    use crate::{Conversation, Incoming, Part};

    fn scanned(text: &str) -> Json {
        Json::scan(&mut Scanner::new(text)).unwrap()
    }

    #[test]
    fn what_nobody_looks_at_is_kept_as_it_came() {
        let text = r#"{"a":[1.50,"\u00e9"],"b":{}}"#;
        let json = scanned(text);
        assert_eq!(serde_json::to_string(&[&json, &json.clone()]).unwrap(), format!("[{text},{text}]"));
        assert_eq!(json, scanned(text));
        assert!(json.is_unread());
        assert_eq!(serde_json::to_value(&json).unwrap(), json!({"a": [1.5, "é"], "b": {}}));
    }

    #[test]
    fn no_frame_and_no_change_for_the_window_makes_a_tree_of_a_result() {
        let mut conversation = Conversation::new();
        let mut receive = |body: Value| {
            let frame = json!({"type": "cf_agent_use_chat_response", "id": "r", "body": body.to_string(), "done": false}).to_string();
            conversation.receive(Incoming::parse(&frame).unwrap());
            assert!(serde_json::to_string(&conversation.take_ops()).unwrap().len() > 20);
            conversation.messages()[0].clone()
        };
        receive(json!({"type": "tool-input-available", "toolCallId": "c", "toolName": "t", "input": {}}));
        let message = receive(json!({"type": "tool-output-available", "toolCallId": "c", "output": {"rows": [1, 2.5, "x"]}}));
        let output = message.tool("c").unwrap().output.clone().unwrap();
        assert!(output.is_unread());
        assert_eq!(output["rows"][2], "x");
        let message = receive(json!({"type": "data-rows", "id": "d", "data": {"rows": [[]]}}));
        let Part::Data(part) = &message.parts[1] else { panic!("{message:?}") };
        assert!(part.data.is_unread() && part.data["rows"][0].is_array());
    }

    #[test]
    fn what_is_equal_is_equal_however_it_came() {
        let tree = json!({"a": [1.5, "é"], "b": {}});
        assert_eq!(scanned(r#"{"a":[1.50,"\u00e9"],"b":{}}"#), Json::from(tree.clone()));
        assert_eq!(scanned(r#"{"a":[1.50,"\u00e9"],"b":{}}"#), scanned(r#"{"b":{},"a":[1.5,"é"]}"#));
        assert_ne!(scanned(r#"{"a":[1.51,"\u00e9"],"b":{}}"#), Json::from(tree.clone()));
        assert_eq!(Json::from(tree.clone()).to_string(), tree.to_string());
        assert_eq!(scanned(r#"{"x":1,"x":2.0}"#).to_string(), r#"{"x":2.0}"#);
    }

    #[test]
    fn a_change_does_not_touch_the_copies() {
        let json = scanned("[1]");
        let mut changed = json.clone();
        changed.change(|value| *value = Value::Null);
        assert_eq!((changed, json), (Value::Null.into(), json!([1]).into()));
    }
}
