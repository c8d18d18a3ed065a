//! Any text as the body of a response: it is a chunk if it is a JSON object, and is written so that it reads the same, with all that was in it.
#![no_main]

use callbox_fuzz::survives;
use callbox_protocol::{Chunk, Content, Part, Response};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fn read(body: &str) -> Content {
    Response { body: Some(body.to_owned()), ..Response::default() }.content()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = serde_json::from_str::<Value>(text).ok();
    match (read(text), value) {
        (Content::Chunk(chunk), Some(value @ Value::Object(_))) => {
            // What is read in one pass is what is read by way of a tree.
            assert_eq!(chunk, Chunk::from_value(value.clone()));
            let written = chunk.to_json();
            let after = serde_json::from_str(&written).unwrap_or_default();
            assert!(survives(&value, &after), "{value}\n{after}");
            assert_eq!(read(&written), Content::Chunk(chunk));
            // Parts are read by the same rules, and some chunks become one as they are.
            let part = Part::from_value(value.clone());
            let after = serde_json::to_value(&part).unwrap_or_default();
            assert!(survives(&value, &after), "{value}\n{after}");
            assert_eq!(Part::from_value(after), part);
        }
        (Content::Nothing, _) => assert!(text.is_empty()),
        (Content::Text(words), value) => assert!(words == text && !value.is_some_and(|value| value.is_object())),
        (content, value) => panic!("{content:?} of {value:?}"),
    }
});
