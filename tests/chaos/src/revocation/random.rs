//! Chance that can be had again.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use pat_servers::environment::number;

/// `SplitMix64`: good enough to choose among faults, and the same for the same seed everywhere.
#[derive(Debug, Clone)]
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that the environment gives, or any.
    pub(super) fn seed() -> u64 {
        let any = RandomState::new().hash_one(0) >> 32;
        number("PAT_TEST_REVOCATION_SEED", any)
    }

    /// Another source that depends on this one.
    pub(super) fn fork(&mut self) -> Self {
        Self(self.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`, which is not zero.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let number = self.next() % u64::try_from(end).expect("a small number");
        usize::try_from(number).expect("a small number")
    }

    /// Whether something happens that does once in `times`.
    pub(super) fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    /// A time between these, in milliseconds.
    pub(super) fn millis(&mut self, from: u64, until: u64) -> Duration {
        Duration::from_millis(from + self.next() % (until - from))
    }

    pub(super) fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.below(end + 1);
            items.swap(end, other);
        }
    }
}
