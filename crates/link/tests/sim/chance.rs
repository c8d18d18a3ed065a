//! All that is left to chance, from one number.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use callbox_identity::Entropy;

/// The same numbers for the same seed (splitmix64). Clones go on where the others are.
#[derive(Clone)]
pub(crate) struct Chance(Arc<Mutex<u64>>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(seed)))
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// In so many of a hundred cases.
    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// Mostly short, sometimes long, never more than `most` milliseconds.
    pub(crate) fn delay(&self, most: u64) -> Duration {
        let bound = match self.below(10) {
            0..6 => most / 50,
            6..9 => most / 5,
            _ => most,
        };
        Duration::from_millis(self.below(bound.max(1)))
    }
}

impl Entropy for Chance {
    fn fill(&self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = u8::try_from(self.below(256)).unwrap();
        }
    }
}
