use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use moka::sync::Cache;

use crate::clock::{Moment, micros};
use crate::token::TokenId;

/// Passes one event each second and counts the others.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    second: AtomicI64,
    unreported: AtomicU64,
}

impl Sampler {
    /// Returns how many events were held back since the last one, if this one passes.
    pub(super) fn sample(&self, at: Timestamp) -> Option<u64> {
        if self.second.swap(at.as_second(), Ordering::Relaxed) == at.as_second() {
            self.unreported.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(self.unreported.swap(0, Ordering::Relaxed))
    }
}

/// Passes one refusal of each token every ten seconds and counts the others.
#[derive(Debug)]
pub(super) struct TokenSampler(Cache<TokenId, Arc<Reported>>);

#[derive(Debug)]
struct Reported {
    /// Boot time of the last refusal that passed, in microseconds.
    at: AtomicI64,
    unreported: AtomicU64,
}

/// How long further refusals of a token are held back.
const PERIOD: Duration = Duration::from_secs(10);
/// How many tokens are remembered: as many as the refusal cache holds. The limit of look-ups bounds a
/// flood of more tokens.
const MAX_TOKENS: u64 = 10_000;

impl Default for TokenSampler {
    fn default() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_TOKENS)
            // Frees memory. A test's clock may be slower than the cache's.
            .time_to_idle(PERIOD * 6)
            .build();
        Self(cache)
    }
}

impl TokenSampler {
    /// Returns how many refusals were held back since the last one, if this one passes.
    pub(super) fn sample(&self, token: TokenId, now: Moment) -> Option<u64> {
        let never = || {
            Arc::new(Reported {
                at: AtomicI64::new(i64::MIN),
                unreported: AtomicU64::new(0),
            })
        };
        let reported = self.0.get_with(token, never);
        let last = reported.at.load(Ordering::Relaxed);
        let is_due = last.saturating_add(micros(PERIOD)) <= now.boot;
        let is_mine = is_due
            && reported
                .at
                .compare_exchange(last, now.boot, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if !is_mine {
            reported.unreported.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        Some(reported.unreported.swap(0, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampler_lets_one_a_second_through_and_counts_the_rest() {
        let sampler = Sampler::default();
        let second = |n| Timestamp::from_second(n).expect("date");
        assert_eq!(sampler.sample(second(1)), Some(0));
        assert_eq!(sampler.sample(second(1)), None);
        assert_eq!(sampler.sample(second(1)), None);
        assert_eq!(sampler.sample(second(2)), Some(2));
        assert_eq!(sampler.sample(second(3)), Some(0));
    }

    #[test]
    fn each_token_is_let_through_once_in_ten_seconds() {
        let sampler = TokenSampler::default();
        let token = |number| TokenId::new(number).expect("an id");
        let at = |seconds: i64| Moment {
            boot: seconds * 1_000_000,
            wall: 0,
        };
        assert_eq!(sampler.sample(token(1), at(0)), Some(0));
        assert_eq!(sampler.sample(token(1), at(9)), None);
        assert_eq!(sampler.sample(token(2), at(9)), Some(0));
        assert_eq!(sampler.sample(token(1), at(10)), Some(1));
    }
}
