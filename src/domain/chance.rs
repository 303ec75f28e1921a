//! Chance for tests: pseudo-random numbers from a seed.

use std::sync::atomic::{AtomicU64, Ordering};

/// A stream of numbers (the SplitMix64 of Steele, Lea and Flood, 2014).
pub(crate) struct Chance(AtomicU64);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }

    pub(crate) fn bits(&self) -> u64 {
        const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut z = self.0.fetch_add(GOLDEN, Ordering::Relaxed).wrapping_add(GOLDEN);
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// In `0..end`.
    pub(crate) fn below(&self, end: usize) -> usize {
        usize::try_from(self.bits() % end as u64).expect("it is less than a usize")
    }
}

#[cfg(test)]
impl Chance {
    /// Returns a number in `low..=high`.
    pub(crate) fn between(&self, low: i64, high: i64) -> i64 {
        let width = u64::try_from(high - low).expect("low is not above high") + 1;
        low + (self.bits() % width).cast_signed()
    }

    /// Returns a number in `low..=high`; each order of magnitude is equally likely.
    pub(crate) fn spread(&self, low: i64, high: i64) -> i64 {
        let doublings = (high / low.max(1)).max(1).ilog2();
        let top = low.max(1) << self.between(0, i64::from(doublings) + 1).min(40);
        self.between(low, top.clamp(low, high))
    }

    pub(crate) fn one_in(&self, n: i64) -> bool {
        self.between(1, n) == 1
    }

    pub(crate) fn among<T: Clone>(&self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}
