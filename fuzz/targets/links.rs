//! Any text as a link from the browser: whatever is read as one is clean, whole and says everything once.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;

// The parser alone: the crate that it belongs to brings a keychain and a network along.
#[path = "../../crates/identity/src/query.rs"]
mod query;

use query::{MAX_LEN, Parts, Unreadable, take_apart};

/// A name or value, all of it escaped.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let answer = take_apart(text);
    match &answer {
        Ok(Parts { address, params }) => {
            assert!(text.len() <= MAX_LEN && text.trim().starts_with(address) && !address.is_empty() && !address.contains(['?', '#']));
            let names: BTreeSet<_> = params.iter().map(|(name, _)| name).collect();
            assert_eq!(names.len(), params.len(), "a name comes once");
            assert!(params.iter().all(|(name, value)| !name.chars().chain(value.chars()).any(char::is_control)));
            // However it is written, it reads the same.
            let pairs: Vec<_> = params.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
            let written = format!("{address}?&{}&", pairs.join("&&"));
            // An empty name can only be written with its sign.
            if written.len() <= MAX_LEN {
                assert_eq!(take_apart(&written), answer, "{written}");
            }
        }
        Err(why) => assert!(*why == Unreadable::Malformed || text.len() > MAX_LEN),
    }
    if text.len() + 64 < MAX_LEN {
        // What a mail program puts around a link that is copied makes no difference.
        assert_eq!(take_apart(&format!("\n {text}\r\n")), answer);
        // Something twice, broken or forbidden does.
        for more in ["x=1&%78=2", "x=%", "x=%4", "x=%00", "x=%ff", "x=%C2%85", "x#", "x y"] {
            assert!(take_apart(&format!("{}&{more}", text.trim())).is_err(), "{more}");
        }
    }
});
