//! Anything that can happen to a conversation, in any order: nothing panics, the mirror follows, what is settled stays so. And what a good
//! agent says ends in the same messages if any of it comes twice.
//!
//! The input is lines (see [`Event::read`]), as in the corpus from the recordings, or else decisions.
#![no_main]

use callbox_fuzz::{Choices, Event, Watched, history};
use callbox_protocol::Conversation;
use libfuzzer_sys::fuzz_target;

/// Events of one input. More of them make an input slower, not better.
const MOST: usize = 300;

fuzz_target!(|bytes: &[u8]| {
    match bytes.split_first() {
        Some((b'#', rest)) => good(&mut Choices::new(rest)),
        Some((b'!', rest)) => {
            let mut choices = Choices::new(rest);
            let mut watched = Watched::new();
            let mut left = MOST;
            while left > 0 && !choices.is_over() {
                watched.happen(&Event::any(&mut choices));
                left -= 1;
            }
        }
        _ => {
            let Ok(text) = std::str::from_utf8(bytes) else { return };
            let mut watched = Watched::new();
            let mut chunks = 0;
            for line in text.lines().take(MOST) {
                if let Some(event) = Event::read(line, chunks) {
                    watched.happen(&event);
                }
                chunks += u64::from(line.starts_with('*'));
            }
        }
    }
});

/// A good history, with some of its frames doubled.
fn good(choices: &mut Choices<'_>) {
    let events = history(choices);
    let (mut once, mut twice) = (Conversation::new(), Conversation::new());
    for event in &events {
        event.happen(&mut once);
        event.happen(&mut twice);
        if matches!(event, Event::In(_)) && choices.yes() {
            event.happen(&mut twice);
        }
    }
    assert_eq!(twice.messages(), once.messages());
    assert_eq!(twice.turn(), once.turn());
}
