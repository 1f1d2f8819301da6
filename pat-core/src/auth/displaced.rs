//! Whether the cache of valid tokens is too small for those in use.

use std::sync::{Mutex, PoisonError};

use crate::clock::Moment;

/// As many displaced tokens as the cache holds within this time, in microseconds, make it too small.
const WINDOW: i64 = 3_600_000_000;
/// How often the log says so, in microseconds.
const WARN_AGAIN_AFTER: i64 = 24 * WINDOW;

/// Counts the tokens that leave the cache before their time because others need the room. Each is looked up in the
/// store again when it is presented next.
#[derive(Debug)]
pub(super) struct Displaced {
    max_items: u32,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Boot times, in microseconds.
    counted_since: i64,
    warned_at: Option<i64>,
    count: u32,
}

impl Displaced {
    /// Of a cache that holds so many tokens.
    pub(super) fn new(max_items: u32) -> Self {
        let state = Mutex::default();
        Self { max_items, state }
    }

    /// Counts a displaced token. Logs at most once a day that the cache is too small.
    pub(super) fn note(&self, now: Moment) {
        if self.is_too_small(now.boot) {
            tracing::warn!(
                max_items = self.max_items,
                "more tokens are in use than the cache holds, so many requests query the database: set \
                 atlassian.pats.auth.cache.max.items to more than the number of tokens that are used within \
                 atlassian.pats.auth.cache.expiry.mins"
            );
        }
    }

    /// Counts a displaced token; returns whether that is to be logged.
    fn is_too_small(&self, boot: i64) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if boot.saturating_sub(state.counted_since) >= WINDOW {
            state.counted_since = boot;
            state.count = 0;
        }
        state.count = state.count.saturating_add(1);
        let is_due = |last: i64| boot.saturating_sub(last) >= WARN_AGAIN_AFTER;
        let warns = state.count >= self.max_items && state.warned_at.is_none_or(is_due);
        if warns {
            state.warned_at = Some(boot);
        }
        warns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_is_displaced_within_an_hour_is_too_small_once_a_day() {
        let displaced = Displaced::new(3);
        let start = 5 * WINDOW;
        let note = |at| displaced.is_too_small(start + at);
        assert!(!note(0));
        assert!(!note(1));
        assert!(!note(WINDOW), "another hour");
        assert!(!note(WINDOW + 1));
        assert!(note(WINDOW + 2), "three within an hour");
        assert!(!note(WINDOW + 3));
        let next_day = WINDOW + 2 + WARN_AGAIN_AFTER;
        assert!(!note(next_day - 2));
        assert!(!note(next_day - 1));
        assert!(note(next_day));
    }
}
