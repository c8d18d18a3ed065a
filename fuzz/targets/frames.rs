//! Any text as a frame, in both directions: it is read, and written so that it reads the same, with all that was in it.
#![no_main]

use callbox_fuzz::survives;
use callbox_protocol::{ClientFrame, Incoming, ServerFrame};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let value = serde_json::from_str::<Value>(text).ok();

    let frame = ServerFrame::parse(text).ok();
    // What is read in one pass is what is read by way of a tree.
    assert_eq!(Incoming::parse(text).ok(), frame.as_ref().map(Incoming::from));
    if let (Some(frame), Some(value)) = (frame, &value) {
        let written = frame.to_json();
        assert_eq!(ServerFrame::parse(&written).ok(), Some(frame));
        let after = serde_json::from_str(&written).unwrap_or_default();
        assert!(survives(value, &after), "{value}\n{after}");
    }

    let frame = ClientFrame::parse(text).ok();
    assert_eq!(frame.is_some(), value.is_some());
    if let Some(frame) = frame {
        assert_eq!(ClientFrame::parse(&frame.to_json()).ok(), Some(frame));
    }
});
