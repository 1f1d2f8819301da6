use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};

use crate::clock::Moment;
use crate::token::TokenDigest;

/// Limits the queries a second that a flood of unknown tokens causes (GCRA).
///
/// Only a query distinguishes an unknown token from one that is not cached. So once too many were
/// unknown, this node looks up only tokens that it has found valid or read at its start
/// ([`TokenStore::recent_digests`](crate::store::TokenStore::recent_digests)).
#[derive(Debug)]
pub(super) struct MissLimiter {
    /// The theoretical arrival time of the next unknown token, in microseconds of the boot clock.
    tat: AtomicI64,
    /// Boot time of the last warning, in microseconds.
    warned_at: AtomicI64,
    /// The fingerprints of valid digests, in buckets. One unknown token in 16,384 has the fingerprint of
    /// a valid one, and causes a query.
    fingerprints: Box<[Bucket]>,
}

/// With four places, few buckets are full while half of the places are used.
type Bucket = [AtomicU16; 4];

/// How many unknown tokens a second are looked up on average.
pub(super) const UNKNOWN_PER_SECOND: i64 = 2_000;
/// How far they may be ahead of that, in microseconds: the tokens of one second at once.
const BURST: i64 = 1_000_000;
/// The least interval between two warnings, in microseconds.
const SILENCE: i64 = 10_000_000;

impl MissLimiter {
    /// Creates a limiter for about this many valid tokens.
    pub(super) fn new(tokens: u32) -> Self {
        let count = (tokens as usize).div_ceil(2).next_power_of_two();
        Self {
            tat: AtomicI64::new(0),
            warned_at: AtomicI64::new(i64::MIN),
            fingerprints: (0..count).map(|_| Bucket::default()).collect(),
        }
    }

    /// Returns whether this token may be looked up in the store.
    pub(super) fn admits(&self, digest: &TokenDigest, now: Moment) -> bool {
        let ahead = self.tat.load(Ordering::Relaxed) - now.boot;
        let is_admitted = ahead <= BURST || self.is_known(digest);
        if !is_admitted {
            self.warn(now);
        }
        is_admitted
    }

    /// Records that a token was looked up and is unknown.
    pub(super) fn note_unknown(&self, now: Moment) {
        const COST: i64 = 1_000_000 / UNKNOWN_PER_SECOND;
        let pay = |tat: i64| Some(tat.max(now.boot) + COST);
        let _ = self
            .tat
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Records that a token is valid.
    pub(super) fn note_good(&self, digest: &TokenDigest) {
        let (bucket, fingerprint) = self.bucket(digest);
        let is = |wanted| {
            bucket
                .iter()
                .position(|slot| slot.load(Ordering::Relaxed) == wanted)
        };
        // In a full bucket, replaces an arbitrary one.
        let index = is(fingerprint).or_else(|| is(0));
        let index = index.unwrap_or(usize::from(fingerprint) % bucket.len());
        bucket[index].store(fingerprint, Ordering::Relaxed);
    }

    /// Records that a token that may have been valid is refused.
    pub(super) fn note_refused(&self, digest: &TokenDigest, now: Moment) {
        let (bucket, fingerprint) = self.bucket(digest);
        for slot in bucket {
            // Another token with this fingerprint counts as not known until its next look-up.
            let _ = slot.compare_exchange(fingerprint, 0, Ordering::Relaxed, Ordering::Relaxed);
        }
        self.note_unknown(now);
    }

    fn is_known(&self, digest: &TokenDigest) -> bool {
        let (bucket, fingerprint) = self.bucket(digest);
        let is_fingerprint = |slot: &AtomicU16| slot.load(Ordering::Relaxed) == fingerprint;
        bucket.iter().any(is_fingerprint)
    }

    fn bucket(&self, digest: &TokenDigest) -> (&Bucket, u16) {
        const INVARIANT: &str = "a digest has 32 bytes";
        let (index, rest) = digest.as_bytes().split_first_chunk().expect(INVARIANT);
        let (fingerprint, _) = rest.split_first_chunk().expect(INVARIANT);
        let index = u32::from_le_bytes(*index) as usize;
        // 0 marks an empty place.
        let fingerprint = u16::from_le_bytes(*fingerprint).max(1);
        // The number of buckets is a power of two.
        (
            &self.fingerprints[index & (self.fingerprints.len() - 1)],
            fingerprint,
        )
    }

    fn warn(&self, now: Moment) {
        let last = self.warned_at.load(Ordering::Relaxed);
        let is_first = last.saturating_add(SILENCE) <= now.boot
            && self
                .warned_at
                .compare_exchange(last, now.boot, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if is_first {
            tracing::warn!(
                "more than {UNKNOWN_PER_SECOND} unknown tokens a second are presented; \
                 tokens that this node does not know are refused with 503"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(boot: i64) -> Moment {
        Moment { boot, wall: 0 }
    }

    #[test]
    fn unknown_tokens_are_looked_up_at_the_set_rate() {
        let miss_limiter = MissLimiter::new(10);
        let junk = TokenDigest::of(b"junk");
        let looked_up = |from: i64, to: i64| {
            // 100,000 a second.
            let times = (from..to).step_by(10).map(at);
            let admitted = times.filter(|now| {
                let is_admitted = miss_limiter.admits(&junk, *now);
                if is_admitted {
                    miss_limiter.note_unknown(*now);
                }
                is_admitted
            });
            i64::try_from(admitted.count()).expect("few")
        };
        let first = looked_up(0, 1_000_000);
        assert!((first - 2 * UNKNOWN_PER_SECOND).abs() <= 2, "{first}");
        let second = looked_up(1_000_000, 2_000_000);
        assert!((second - UNKNOWN_PER_SECOND).abs() <= 2, "{second}");
    }

    #[test]
    fn a_token_that_is_refused_counts_and_has_to_wait() {
        let miss_limiter = MissLimiter::new(10);
        let token = TokenDigest::of(b"of a disabled user");
        miss_limiter.note_good(&token);
        for _ in 0..=UNKNOWN_PER_SECOND {
            assert!(miss_limiter.admits(&token, at(0)));
            miss_limiter.note_refused(&token, at(0));
        }
        assert!(!miss_limiter.admits(&token, at(0)));
    }

    #[test]
    fn tokens_that_are_found_good_do_not_displace_each_other() {
        let miss_limiter = MissLimiter::new(5_000);
        let digests = (0..5_000_u32).map(|number| TokenDigest::of(&number.to_le_bytes()));
        let digests: Vec<_> = digests.collect();
        for digest in &digests {
            miss_limiter.note_good(digest);
        }
        let known = digests
            .iter()
            .filter(|digest| miss_limiter.is_known(digest));
        assert!(known.count() >= 4_900);
        let junk = (5_000..105_000_u32).map(|number| TokenDigest::of(&number.to_le_bytes()));
        assert!(junk.filter(|digest| miss_limiter.is_known(digest)).count() < 20);
    }

    #[test]
    fn a_token_that_was_found_good_is_looked_up_all_the_same() {
        let miss_limiter = MissLimiter::new(10);
        let (good, other) = (TokenDigest::of(b"good"), TokenDigest::of(b"other"));
        miss_limiter.note_good(&good);
        for _ in 0..=UNKNOWN_PER_SECOND {
            miss_limiter.note_unknown(at(0));
        }
        assert!(miss_limiter.admits(&good, at(0)));
        assert!(!miss_limiter.admits(&other, at(0)));
        assert!(miss_limiter.admits(&other, at(1_000_000)));
    }
    #[test]
    fn the_latest_valid_token_is_known_however_full_its_bucket_is() {
        let miss_limiter = MissLimiter::new(1);
        assert_eq!(miss_limiter.fingerprints.len(), 1);
        for number in 0..100_u8 {
            let digest = TokenDigest::of(&[number]);
            miss_limiter.note_good(&digest);
            assert!(miss_limiter.is_known(&digest));
        }
    }

    #[test]
    fn a_flood_is_logged_every_ten_seconds() {
        let miss_limiter = MissLimiter::new(10);
        let junk = TokenDigest::of(b"junk");
        let warned_at = |now| {
            miss_limiter.admits(&junk, at(now));
            miss_limiter.warned_at.load(Ordering::Relaxed)
        };
        assert_eq!(warned_at(0), i64::MIN, "there is no flood");
        for _ in 0..20 * UNKNOWN_PER_SECOND {
            miss_limiter.note_unknown(at(0));
        }
        for (now, expected) in [(1, 1), (SILENCE, 1), (SILENCE + 1, SILENCE + 1)] {
            assert_eq!(warned_at(now), expected, "{now}");
        }
    }
}
