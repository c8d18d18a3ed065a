//! From JSON text to the views.
//!
//! `serde_json::from_str` is compiled anew for each type that it reads, for structures that come as arrays too, and with all the words of its
//! errors: a tenth of the whole window. Here the text becomes a tree, by code that is there once, and the tree becomes the views; what does not
//! fit is not understood, and nobody asks why.

use std::fmt;

use serde::de::{self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, VariantAccess, Visitor};
use serde::forward_to_deserialize_any;
use serde_json::Value;

/// Reads a text; none if it is no JSON, or not of that shape.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Option<T> {
    let tree: Value = serde_json::from_str(text).ok()?;
    T::deserialize(Tree(tree)).ok()
}

/// The shape is another one.
#[derive(Debug)]
struct Unreadable;

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("another shape")
    }
}

impl std::error::Error for Unreadable {}

impl de::Error for Unreadable {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

type Result<T> = std::result::Result<T, Unreadable>;

struct Tree(Value);

impl<'de> IntoDeserializer<'de, Unreadable> for Tree {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

impl<'de> Deserializer<'de> for Tree {
    type Error = Unreadable;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.0 {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(value),
            Value::Number(_) => self.deserialize_f64(visitor),
            Value::String(text) => visitor.visit_string(text),
            Value::Array(_) => self.deserialize_seq(visitor),
            Value::Object(_) => self.deserialize_map(visitor),
        }
    }

    /// Any number, exactly as it is.
    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let Value::Number(number) = self.0 else { return Err(Unreadable) };
        match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => visitor.visit_u64(number),
            (_, Some(number), _) => visitor.visit_i64(number),
            (.., Some(number)) => visitor.visit_f64(number),
            _ => Err(Unreadable),
        }
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u64(self.0.as_u64().ok_or(Unreadable)?)
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_bool(self.0.as_bool().ok_or(Unreadable)?)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let Value::String(text) = self.0 else { return Err(Unreadable) };
        visitor.visit_string(text)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.0.is_null() { visitor.visit_unit() } else { Err(Unreadable) }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _name: &'static str, visitor: V) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let Value::Array(items) = self.0 else { return Err(Unreadable) };
        visitor.visit_seq(de::value::SeqDeserializer::new(items.into_iter().map(Tree)))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let Value::Object(members) = self.0 else { return Err(Unreadable) };
        visitor.visit_map(Members { rest: members.into_iter(), value: Value::Null })
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _name: &'static str, _fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _name: &'static str, _variants: &'static [&'static str], visitor: V) -> Result<V::Value> {
        visitor.visit_enum(match self.0 {
            Value::String(name) => Variant { name, content: Value::Null },
            Value::Object(members) if members.len() == 1 => {
                let (name, content) = members.into_iter().next().ok_or(Unreadable)?;
                Variant { name, content }
            }
            _ => return Err(Unreadable),
        })
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_string(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_string(visitor)
    }

    forward_to_deserialize_any! { i8 i16 i32 i64 i128 u8 u16 u32 u128 f32 char bytes byte_buf unit_struct tuple tuple_struct }
}

/// What an object has.
struct Members {
    rest: serde_json::map::IntoIter,
    value: Value,
}

impl<'de> de::MapAccess<'de> for Members {
    type Error = Unreadable;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Some((name, value)) = self.rest.next() else { return Ok(None) };
        self.value = value;
        seed.deserialize(Tree(Value::String(name))).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        seed.deserialize(Tree(self.value.take()))
    }
}

/// One of several: its name, and what comes with it.
struct Variant {
    name: String,
    content: Value,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Unreadable;
    type Variant = Tree;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Tree)> {
        Ok((seed.deserialize(Tree(Value::String(self.name)))?, Tree(self.content)))
    }
}

impl<'de> VariantAccess<'de> for Tree {
    type Error = Unreadable;

    fn unit_variant(self) -> Result<()> {
        if self.0.is_null() { Ok(()) } else { Err(Unreadable) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _length: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, _fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.deserialize_map(visitor)
    }
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use callbox_ipc::{ConnectedAccount, Event, UserError};
    use serde_json::json;

    use super::*;

    /// As serde_json reads it; the two are to agree on everything that the shell writes.
    fn both<T: DeserializeOwned + PartialEq + fmt::Debug>(value: &Value) -> Option<T> {
        let text = value.to_string();
        let expected = serde_json::from_str::<T>(&text).ok();
        assert_eq!(read::<T>(&text), expected, "{text}");
        expected
    }

    fn status() -> Value {
        let error = json!({ "code": "x", "text": "y", "arguments": { "a": "b" } });
        json!({
            "link": { "offline": { "retry_in": 12, "reason": error } }, "turn": "streaming",
            "deliveries": [{ "message": "m", "state": { "failed": { "reason": error } } }, { "message": "n", "state": "queued" }],
            "decisions": [{ "tool_call": "c", "approved": true }], "error": error
        })
    }

    #[test]
    fn events_are_read_as_they_were_written() {
        let session = json!({ "signed-in": { "account": { "name": "Ada", "email": null }, "storage": { "session-only": { "reason": { "code": "k", "text": "t" } } } } });
        let profile = json!({ "name": "D", "agent_host": "a", "tenant_host": "t", "sandbox": false, "provenance": [{ "step": "tenant", "detail": "d" }] });
        let entry = json!({
            "id": "s", "account": { "name": "Ada", "email": "a@b" }, "agent": "D", "agent_host": "a", "tenant_host": "t", "sandbox": true,
            "current": false, "removable": true
        });
        let tool = json!({
            "type": "tool-x", "toolCallId": "1", "state": "output-available", "input": { "n": 9_007_199_254_740_993_u64, "m": -7, "f": 0.1, "l": [null, true] },
            "output": { "deep": [{}] }, "unknown": 1
        });
        let message = json!({ "id": "m", "role": "assistant", "parts": [{ "type": "text", "text": "a\u{202E}“" }, tool], "metadata": { "createdAt": 1.5 } });
        let ops = json!([
            { "reset": { "messages": [message] } }, { "insert": { "index": 0, "message": message } }, { "replace": { "index": 0, "message": message } },
            { "truncate": { "len": 1 } }, { "set-part": { "message": 0, "part": 1, "value": tool } }, { "truncate-parts": { "message": 0, "len": 1 } },
            { "append-text": { "message": 0, "part": 0, "delta": "日本" } }, { "set-meta": { "message": 0, "metadata": null } },
            { "set-meta": { "message": 0, "metadata": [1] } }
        ]);
        for event in [
            json!({ "bootstrap": {
                "session": session, "profile": profile, "conversations": [{ "id": "c", "title": "", "updated_at": u64::MAX }], "open": "c",
                "preferences": { "theme": "dark", "language": "japanese" }, "seat": "s", "accounts": [entry], "drafts": [{ "conversation": null, "text": "x" }],
                "of a newer shell": { "a": [1] }
            } }),
            json!({ "bootstrap": { "session": "restoring", "profile": null, "conversations": [], "open": null, "preferences": {} } }),
            json!({ "session": { "signed-out": { "reason": null } } }),
            json!({ "session": { "signing-in": { "stage": "waiting-for-browser" } } }),
            json!({ "profile": profile }),
            json!({ "accounts": [entry] }),
            json!({ "conversations": [] }),
            json!({ "thread": { "conversation": "c", "update": { "opened": { "messages": [message], "status": status() } } } }),
            json!({ "thread": { "conversation": "c", "update": { "changed": { "ops": ops, "status": null } } } }),
            json!({ "thread": { "conversation": "c", "update": { "changed": { "ops": [], "status": status() } } } }),
            json!({ "notice": { "kind": "warning", "message": { "code": "x", "text": "y" } } }),
        ] {
            assert!(both::<Event>(&event).is_some(), "{event}");
        }
    }

    #[test]
    fn answers_are_read_as_they_were_written() {
        assert_eq!(both::<()>(&json!(null)), Some(()));
        assert_eq!(both::<String>(&json!("new")), Some("new".to_owned()));
        assert!(both::<Vec<ConnectedAccount>>(&json!([{ "id": "i", "connection": "github", "scopes": ["repo"] }])).is_some());
        assert!(both::<UserError>(&json!({ "code": "x", "text": "y" })).is_some());
    }

    #[test]
    fn what_has_another_shape_is_not_understood() {
        for event in [
            json!(null),
            json!({ "session": "gone" }),
            json!({ "notice": { "kind": "warning" } }),
            json!({ "profile": null, "session": "restoring" }),
        ] {
            assert_eq!(both::<Event>(&event), None, "{event}");
        }
        assert_eq!(both::<String>(&json!(1)), None);
        assert_eq!(both::<Vec<ConnectedAccount>>(&json!({})), None);
        assert_eq!(read::<String>("\"open"), None);
    }
}
