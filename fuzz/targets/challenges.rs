//! Any bytes as a `WWW-Authenticate` field: what is read is written so that it reads the same, and stands beside others as it is.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;

// The parser alone: the crate that it belongs to brings a keychain and a network along.
#[path = "../../crates/identity/src/challenge.rs"]
mod challenge;

use challenge::Challenge;

fn written(challenges: &[Challenge]) -> String {
    let one = |challenge: &Challenge| {
        let mut text = challenge.scheme.clone();
        if let Some(token) = &challenge.token68 {
            text += &format!(" {token}");
        }
        for (number, (name, value)) in challenge.params().enumerate() {
            let quoted = value.replace('\\', "\\\\").replace('"', "\\\"");
            text += &format!("{} {name}=\"{quoted}\"", if number == 0 { "" } else { "," });
        }
        text
    };
    challenges.iter().map(one).collect::<Vec<_>>().join(", ")
}

fuzz_target!(|bytes: &[u8]| {
    let Some(challenges) = Challenge::parse(bytes) else { return };
    for challenge in &challenges {
        assert!(!challenge.scheme.is_empty() && challenge.scheme == challenge.scheme.to_ascii_lowercase());
        assert!(challenge.token68.is_none() || challenge.params().next().is_none());
        let names: BTreeSet<_> = challenge.params().map(|(name, _)| name).collect();
        assert_eq!(names.len(), challenge.params().count(), "a name comes once");
        assert!(challenge.params().all(|(_, value)| !value.chars().any(|c| c.is_ascii_control() && c != '\t')));
    }
    let text = written(&challenges);
    assert_eq!(Challenge::parse(text.as_bytes()).as_ref(), Some(&challenges), "{text}");
    // A proxy may join fields (RFC 9110 §5.3).
    if challenges.len() <= 8 && bytes.len() < 8000 {
        let both = [bytes, b",", bytes].concat();
        assert_eq!(Challenge::parse(&both), Some([challenges.clone(), challenges].concat()));
    }
});
