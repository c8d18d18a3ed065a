//! The arguments of a tool call, in full, as a tree of names and values.

use serde_json::Value;

use crate::visible::{Span, visible};

/// How deep the tree goes before the rest is shown as JSON text.
const DEPTH: usize = 8;

/// One argument, or one entry of a list or an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument {
    pub name: Name,
    pub value: Shown,
    /// The size of the value: for a string its length in UTF-8 bytes, for anything else that of its shortest JSON.
    pub bytes: usize,
}

/// What an entry is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Name {
    /// The whole value, where it is not an object.
    Whole,
    /// A key of an object.
    Key(Vec<Span>),
    /// A place in a list, counted from one.
    Place(usize),
}

/// A value, ready to be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// A string. The quotation marks are not part of it.
    Text(Vec<Span>),
    /// A number, `true`, `false` or `null`.
    Literal(String),
    /// A list; empty if it has no entries.
    List(Vec<Argument>),
    /// An object; empty if it has no entries.
    Object(Vec<Argument>),
    /// What lies deeper than the tree goes, as JSON text.
    Json(Vec<Span>),
}

/// Lays out the input of a tool call. The entries of an object become the arguments; any other value is the only one.
pub fn arguments(input: &Value) -> Vec<Argument> {
    match shown(input, 0) {
        Shown::Object(arguments) => arguments,
        value => vec![Argument { name: Name::Whole, value, bytes: bytes(input) }],
    }
}

fn shown(value: &Value, depth: usize) -> Shown {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => Shown::Literal(value.to_string()),
        Value::String(text) => Shown::Text(visible(text)),
        Value::Array(_) | Value::Object(_) if depth >= DEPTH => Shown::Json(visible(&value.to_string())),
        Value::Array(values) => {
            let entry = |(index, value)| Argument { name: Name::Place(index + 1), value: shown(value, depth + 1), bytes: bytes(value) };
            Shown::List(values.iter().enumerate().map(entry).collect())
        }
        Value::Object(values) => {
            let entry = |(key, value): (&String, _)| Argument {
                name: Name::Key(visible(key)),
                value: shown(value, depth + 1),
                bytes: bytes(value),
            };
            Shown::Object(values.iter().map(entry).collect())
        }
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        value => value.to_string().len(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_entries_of_an_object_are_the_arguments() {
        let list = arguments(&json!({ "city": "Paris", "days": 3 }));
        assert_eq!(list.len(), 2);
        assert_eq!(list[0].name, Name::Key(visible("city")));
        assert_eq!(list[0].value, Shown::Text(visible("Paris")));
        assert_eq!(list[0].bytes, 5);
        assert_eq!(list[1].value, Shown::Literal("3".to_owned()));
    }

    #[test]
    fn a_text_is_told_from_a_literal_of_the_same_letters() {
        let list = arguments(&json!({ "a": "true", "b": true }));
        assert_ne!(list[0].value, list[1].value);
    }

    #[test]
    fn no_arguments_are_an_empty_list_and_a_bare_value_is_one() {
        assert_eq!(arguments(&json!({})), vec![]);
        assert_eq!(arguments(&json!("x"))[0].name, Name::Whole);
    }

    #[test]
    fn a_long_value_is_whole() {
        let long = "x".repeat(16 * 1024);
        let list = arguments(&json!({ "body": long }));
        assert_eq!(list[0].bytes, 16 * 1024);
        assert_eq!(list[0].value, Shown::Text(vec![Span::Text(long)]));
    }

    #[test]
    fn keys_can_hide_nothing_either() {
        let list = arguments(&json!({ "to\u{200B}": 1 }));
        let Name::Key(spans) = &list[0].name else { panic!("a key") };
        assert_eq!(spans.len(), 2);
    }

    /// All the text that the tree would draw.
    fn drawn(arguments: &[Argument], out: &mut String) {
        let write = |spans: &[Span], out: &mut String| {
            for span in spans {
                match span {
                    Span::Text(text) => out.push_str(text),
                    Span::Marker(marker) => out.push(marker.character),
                }
            }
        };
        for argument in arguments {
            if let Name::Key(spans) = &argument.name {
                write(spans, out);
            }
            match &argument.value {
                Shown::Text(spans) | Shown::Json(spans) => write(spans, out),
                Shown::Literal(text) => out.push_str(text),
                Shown::List(inner) | Shown::Object(inner) => drawn(inner, out),
            }
        }
    }

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".*".prop_map(Value::from)
        ];
        leaf.prop_recursive(12, 64, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map(".{0,6}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn strings(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::String(text) => out.push(text.clone()),
            Value::Array(values) => values.iter().for_each(|value| strings(value, out)),
            Value::Object(values) => {
                for (key, value) in values {
                    out.push(key.clone());
                    strings(value, out);
                }
            }
            _ => {}
        }
    }

    proptest! {
        #[test]
        fn every_key_and_every_text_is_drawn_in_full(value in any_json()) {
            let mut out = String::new();
            drawn(&arguments(&value), &mut out);
            let mut expected = Vec::new();
            strings(&value, &mut expected);
            for text in expected {
                let escaped = Value::from(text.clone()).to_string();
                let escaped = &escaped[1..escaped.len() - 1];
                prop_assert!(out.contains(&text) || out.contains(escaped), "{:?} is missing", text);
            }
        }
    }
}
