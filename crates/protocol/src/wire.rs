//! How frames and chunks are read and written: known fields typed, all others kept.
//!
//! `wire_struct!` makes a struct with typed fields and an `extra` map; `wire_enum!` makes an enum over such structs that is told
//! apart by `type`, with `Unknown` for whatever has another type or lacks a required field. Writing what was read gives the
//! same JSON.

use serde_json::Value;

use crate::json::{Object, take_array, take_bool, take_string, take_u64};
use crate::lazy::Json;
use crate::message::UiMessage;
use crate::scan::Scanner;

/// A type that a field can have.
pub(crate) trait Field: Sized {
    /// Whether the value has this type in full.
    fn fits(value: &Value) -> bool;
    /// Removes the field; `None` (and no change) if it is absent or does not fit.
    fn take(object: &mut Object, key: &str) -> Option<Self>;
    /// Reads it without a tree around it; `None` if it does not fit, or if there is no such way.
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self>;
}

impl Field for String {
    fn fits(value: &Value) -> bool {
        value.is_string()
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        take_string(object, key)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.string().map(Into::into)
    }
}

impl Field for bool {
    fn fits(value: &Value) -> bool {
        value.is_boolean()
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        take_bool(object, key)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.boolean()
    }
}

impl Field for u64 {
    fn fits(value: &Value) -> bool {
        value.is_u64()
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        take_u64(object, key)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.number()
    }
}

impl Field for Value {
    fn fits(_: &Value) -> bool {
        true
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        object.remove(key)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        serde_json::from_str(scanner.value()?).ok()
    }
}

impl Field for Json {
    fn fits(_: &Value) -> bool {
        true
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        object.remove(key).map(Self::from)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        Self::scan(scanner)
    }
}

impl Field for Vec<String> {
    fn fits(value: &Value) -> bool {
        value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        if !Self::fits(object.get(key)?) {
            return None;
        }
        let strings = take_array(object, key)?.into_iter().filter_map(|item| match item {
            Value::String(text) => Some(text),
            _ => None,
        });
        Some(strings.collect())
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        scanner.strings()
    }
}

impl Field for Vec<Value> {
    fn fits(value: &Value) -> bool {
        value.is_array()
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        take_array(object, key)
    }
    fn scan(scanner: &mut Scanner<'_>) -> Option<Self> {
        serde_json::from_str(scanner.value()?).ok()
    }
}

impl Field for UiMessage {
    fn fits(value: &Value) -> bool {
        value.is_object()
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        crate::json::take_object(object, key).map(Self::from_object)
    }
    fn scan(_: &mut Scanner<'_>) -> Option<Self> {
        None
    }
}

impl Field for Vec<UiMessage> {
    fn fits(value: &Value) -> bool {
        value.as_array().is_some_and(|items| items.iter().all(Value::is_object))
    }
    fn take(object: &mut Object, key: &str) -> Option<Self> {
        if !Self::fits(object.get(key)?) {
            return None;
        }
        let messages = take_array(object, key)?.into_iter().filter_map(|item| match item {
            Value::Object(object) => Some(UiMessage::from_object(object)),
            _ => None,
        });
        Some(messages.collect())
    }
    fn scan(_: &mut Scanner<'_>) -> Option<Self> {
        None
    }
}

/// Declares a struct on the wire. `name: Type = "key"` is required, `name: Type, optional = "key"` is not. `Name of kind`: a struct
/// of an open set of types, with the type itself, which the enum reads and writes.
macro_rules! wire_struct {
    ($(#[$doc:meta])* $name:ident $(of $kind:ident)? { $($(#[$field_doc:meta])* $field:ident : $type:ty $(, $optional:ident)? = $key:literal;)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct $name {
            $(#[doc = "The type, all of it."] pub $kind: String,)?
            $($(#[$field_doc])* pub $field: wire_struct!(@type $type $(, $optional)?),)*
            /// All other fields.
            pub extra: serde_json::Map<String, serde_json::Value>,
        }

        impl $name {
            pub(crate) fn fits(_object: &$crate::json::Object) -> bool {
                true $(&& wire_struct!(@fits _object, $type, $key $(, $optional)?))*
            }

            pub(crate) fn from_object(object: $crate::json::Object) -> Self {
                #[allow(unused_mut, reason = "a struct without fields takes nothing out")]
                let mut object = object;
                Self {
                    $($kind: String::new(),)?
                    $($field: wire_struct!(@take object, $type, $key $(, $optional)?),)*
                    extra: object,
                }
            }

            pub(crate) fn write<M: serde::ser::SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
                $(wire_struct!(@write map, self.$field, $key $(, $optional)?);)*
                for (key, value) in &self.extra {
                    map.serialize_entry(key, value)?;
                }
                Ok(())
            }
        }

        impl $crate::quick::Fields for $name {
            fn read(scanner: &mut $crate::scan::Scanner<'_>) -> Option<Self> {
                $(let mut $field: Option<$type> = None;)*
                let mut extra = serde_json::Map::new();
                while let Some(key) = scanner.key(&mut false)? {
                    match key {
                        $($key => $field = Some($crate::wire::Field::scan(scanner)?),)*
                        "type" => return None,
                        _ => drop(extra.insert(key.to_owned(), $crate::wire::Field::scan(scanner)?)),
                    }
                }
                Some(Self {
                    $($kind: String::new(),)?
                    $($field: wire_struct!(@have $field $(, $optional)?),)*
                    extra,
                })
            }
        }
    };
    (@have $field:ident) => { $field? };
    (@have $field:ident, optional) => { $field };
    (@type $type:ty) => { $type };
    (@type $type:ty, optional) => { Option<$type> };
    (@fits $object:ident, $type:ty, $key:literal) => {
        $object.get($key).is_some_and(|value| <$type as $crate::wire::Field>::fits(value))
    };
    (@fits $object:ident, $type:ty, $key:literal, optional) => { true };
    (@take $object:ident, $type:ty, $key:literal) => {
        <$type as $crate::wire::Field>::take(&mut $object, $key).unwrap_or_default()
    };
    (@take $object:ident, $type:ty, $key:literal, optional) => { <$type as $crate::wire::Field>::take(&mut $object, $key) };
    (@write $map:ident, $value:expr, $key:literal) => { $map.serialize_entry($key, &$value)? };
    (@write $map:ident, $value:expr, $key:literal, optional) => { $crate::part::entry($map, $key, &$value)? };
}

/// Declares an enum over wire structs, told apart by `type`. `with Name = "prefix"`: all types
/// that begin so, as a struct that has the type in its field `kind`. `quick Name`: one that can be read without a tree in between.
macro_rules! wire_enum {
    ($(#[$doc:meta])* quick $name:ident with $open:ident = $prefix:literal {
        $($(#[$variant_doc:meta])* $variant:ident = $tag:literal,)*
    }) => {
        wire_enum! { $(#[$doc])* $name with $open = $prefix { $($(#[$variant_doc])* $variant = $tag,)* } }

        impl $name {
            /// Reads an object that has its type first and is in all else as its type says; anything else is refused.
            pub(crate) fn read_quickly(text: &str) -> Option<Self> {
                use $crate::quick::Fields as _;
                let mut scanner = $crate::scan::Scanner::new(text);
                scanner.eat(br#"{"type":"#)?;
                let chunk = match &*scanner.string()? {
                    $($tag => $variant::read(&mut scanner).map(Self::$variant),)*
                    kind if kind.starts_with($prefix) => {
                        $open::read(&mut scanner).map(|open| Self::$open($open { kind: kind.to_owned(), ..open }))
                    }
                    _ => None,
                }?;
                scanner.end().map(|()| chunk)
            }
        }
    };
    ($(#[$doc:meta])* $name:ident $(with $open:ident = $prefix:literal)? {
        $($(#[$variant_doc:meta])* $variant:ident = $tag:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant($variant),)*
            $(#[doc = concat!("`", $prefix, "…"  , "`")] $open($open),)?
            /// Another type, a missing field or no object at all: kept as it came.
            Unknown(serde_json::Value),
        }

        impl $name {
            /// Reads any JSON value; what is not known becomes `Unknown`.
            pub fn from_value(value: serde_json::Value) -> Self {
                let serde_json::Value::Object(mut object) = value else { return Self::Unknown(value) };
                match object.get("type").and_then(serde_json::Value::as_str) {
                    $(Some($tag) if $variant::fits(&object) => {
                        object.remove("type");
                        Self::$variant($variant::from_object(object))
                    })*
                    $(Some(kind) if kind.starts_with($prefix) && $open::fits(&object) => {
                        let kind = kind.to_owned();
                        object.remove("type");
                        Self::$open($open { kind, ..$open::from_object(object) })
                    })?
                    _ => Self::Unknown(serde_json::Value::Object(object)),
                }
            }

            /// The name of the type on the wire; empty if there is none.
            pub fn type_name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => $tag,)*
                    $(Self::$open(inner) => { let _: &str = $prefix; &inner.kind })?
                    Self::Unknown(value) => value.get("type").and_then(serde_json::Value::as_str).unwrap_or_default(),
                }
            }

            /// The JSON text, as it goes into a frame.
            pub fn to_json(&self) -> String {
                // Maps with string keys, and nothing that could fail to be written.
                serde_json::to_string(self).unwrap_or_default()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                use serde::ser::SerializeMap as _;
                match self {
                    $(Self::$variant(inner) => {
                        let mut map = serializer.serialize_map(None)?;
                        map.serialize_entry("type", $tag)?;
                        inner.write(&mut map)?;
                        map.end()
                    })*
                    $(Self::$open(inner) => {
                        let _: &str = $prefix;
                        let mut map = serializer.serialize_map(None)?;
                        map.serialize_entry("type", &inner.kind)?;
                        inner.write(&mut map)?;
                        map.end()
                    })?
                    Self::Unknown(value) => value.serialize(serializer),
                }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <serde_json::Value as serde::Deserialize>::deserialize(deserializer).map(Self::from_value)
            }
        }

        $(impl From<$variant> for $name {
            fn from(inner: $variant) -> Self {
                Self::$variant(inner)
            }
        })*
        $(impl From<$open> for $name {
            fn from(inner: $open) -> Self {
                Self::$open(inner)
            }
        })?
    };
}

pub(crate) use {wire_enum, wire_struct};
