//! Whether things go wrong at present.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::chance::Chance;

#[derive(Clone)]
pub(crate) struct Weather {
    chance: Chance,
    storm: Arc<AtomicBool>,
}

impl Weather {
    pub(crate) fn stormy(chance: Chance) -> Self {
        Self { chance, storm: Arc::new(AtomicBool::new(true)) }
    }

    /// From now on everything works.
    pub(crate) fn calm(&self) {
        self.storm.store(false, Ordering::Relaxed);
    }

    pub(crate) fn is_calm(&self) -> bool {
        !self.storm.load(Ordering::Relaxed)
    }

    /// In a storm, in so many of a hundred cases.
    pub(crate) fn strikes(&self, percent: u64) -> bool {
        !self.is_calm() && self.chance.percent(percent)
    }
}
