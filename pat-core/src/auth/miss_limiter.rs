use std::sync::atomic::{AtomicI64, AtomicU16, Ordering};

use crate::clock::Moment;
use crate::token::TokenDigest;

/// Bounds how many queries a second the unknown tokens of a flood can cause.
///
/// Nothing tells a token that is unknown from one that is merely not cached, but the query. So once
/// too many were unknown, tokens that this node has neither found good nor learned of at its start
/// ([`TokenStore::recent_digests`](crate::TokenStore::recent_digests)) have to wait; the others go on
/// being looked up.
#[derive(Debug)]
pub(super) struct MissLimiter {
    /// Boot time at which the unknown tokens of the past are paid for, in microseconds.
    tat: AtomicI64,
    /// Boot time of the last warning, in microseconds.
    warned_at: AtomicI64,
    /// A fingerprint of each digest that was found good, among those of others in the same bucket. One unknown
    /// token in 16,384 passes for a good one, which is one more query.
    fingerprints: Box<[Bucket]>,
}

/// So many that hardly any is full, as long as there are half as many tokens as places.
type Bucket = [AtomicU16; 4];

/// How many unknown tokens a second are looked up in the long run.
pub(super) const UNKNOWN_PER_SECOND: i64 = 2_000;
/// How far they may be ahead of that, in microseconds: as many as in one second at once.
const BURST: i64 = 1_000_000;
/// How long nothing is said after a warning, in microseconds.
const SILENCE: i64 = 10_000_000;

impl MissLimiter {
    /// For about this many good tokens.
    pub(super) fn new(tokens: u32) -> Self {
        let count = (tokens as usize).div_ceil(2).next_power_of_two();
        Self {
            tat: AtomicI64::new(0),
            warned_at: AtomicI64::new(i64::MIN),
            fingerprints: (0..count).map(|_| Bucket::default()).collect(),
        }
    }

    /// Whether the store may be asked about this token.
    pub(super) fn admits(&self, digest: &TokenDigest, now: Moment) -> bool {
        let ahead = self.tat.load(Ordering::Relaxed) - now.boot;
        let is_admitted = ahead <= BURST || self.is_known(digest);
        if !is_admitted {
            self.warn(now);
        }
        is_admitted
    }

    /// Notes that a token was looked up and is unknown.
    pub(super) fn note_unknown(&self, now: Moment) {
        const COST: i64 = 1_000_000 / UNKNOWN_PER_SECOND;
        let pay = |tat: i64| Some(tat.max(now.boot) + COST);
        let _ = self
            .tat
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, pay);
    }

    /// Notes that a token is good.
    pub(super) fn note_good(&self, digest: &TokenDigest) {
        let (bucket, fingerprint) = self.bucket(digest);
        let is = |wanted| {
            bucket
                .iter()
                .position(|slot| slot.load(Ordering::Relaxed) == wanted)
        };
        // If it is full, one that is chosen by chance has to make room.
        let index = is(fingerprint).or_else(|| is(0));
        let index = index.unwrap_or(usize::from(fingerprint) % bucket.len());
        bucket[index].store(fingerprint, Ordering::Relaxed);
    }

    /// Notes that a token that may have been good is refused.
    pub(super) fn note_refused(&self, digest: &TokenDigest, now: Moment) {
        let (bucket, fingerprint) = self.bucket(digest);
        for slot in bucket {
            // If it is another token's, that one is looked up once more.
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
        // An empty slot has the fingerprint 0, and so nothing else may have it.
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
                 tokens that this node does not know have to wait"
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
            // A hundred thousand a second.
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
}
