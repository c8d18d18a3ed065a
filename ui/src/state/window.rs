//! Which of a conversation's messages are drawn: those at its end, and as many before them as somebody has gone back to.
//!
//! What is drawn does not grow with the conversation's length, so neither does what a new word costs.

/// So many messages are drawn at first, and so many more whenever somebody comes near the first of them.
pub const STEP: usize = 40;

/// What has to be known to say where drawing begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Extent {
    /// How many messages there are.
    pub len: usize,
    /// Whether the view is tied to the end.
    pub pinned: bool,
    /// The oldest message with a question that waits for an answer: it is always drawn.
    pub asking: Option<usize>,
}

/// Where drawing begins, when it began at `start` before. The messages far above are left out only while nobody is looking there.
pub fn first(start: usize, extent: Extent) -> usize {
    let begun_anew = start >= extent.len;
    let too_many = extent.pinned && extent.len.saturating_sub(start) > 2 * STEP;
    let start = if begun_anew || too_many { extent.len.saturating_sub(STEP) } else { start };
    start.min(extent.asking.unwrap_or(start))
}

/// Where drawing begins once somebody has come near the first message that is drawn.
pub fn earlier(start: usize) -> usize {
    start.saturating_sub(STEP)
}

#[cfg(all(test, not(target_arch = "wasm32")))]
mod tests {
    use super::*;

    fn pinned(len: usize) -> Extent {
        Extent { len, pinned: true, asking: None }
    }

    #[test]
    fn a_long_conversation_is_drawn_from_near_its_end() {
        assert_eq!(first(usize::MAX, pinned(2000)), 2000 - STEP);
        assert_eq!(first(usize::MAX, pinned(3)), 0, "a short one is drawn as a whole");
        assert_eq!(first(usize::MAX, pinned(0)), 0);
    }

    #[test]
    fn what_is_drawn_stays_bounded_while_the_end_is_followed() {
        let mut start = first(usize::MAX, pinned(1));
        for len in 1..1000 {
            start = first(start, pinned(len));
            assert!(len - start <= 2 * STEP, "{len} messages from {start} on");
        }
    }

    #[test]
    fn nothing_is_taken_away_from_somebody_who_reads_further_up() {
        let start = earlier(earlier(earlier(1960)));
        assert_eq!(start, 1840);
        assert_eq!(first(start, Extent { pinned: false, ..pinned(2100) }), 1840);
        assert_eq!(first(start, pinned(2100)), 2100 - STEP, "once they are back at the end it is");
        assert_eq!(earlier(5), 0);
    }

    #[test]
    fn a_question_that_waits_is_always_drawn() {
        assert_eq!(first(usize::MAX, Extent { asking: Some(7), ..pinned(500) }), 7);
        assert_eq!(first(480, Extent { asking: Some(490), ..pinned(500) }), 480);
    }

    #[test]
    fn a_conversation_that_becomes_shorter_is_drawn_anew() {
        assert_eq!(first(1960, pinned(100)), 60);
    }
}
