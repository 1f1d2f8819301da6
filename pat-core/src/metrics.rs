//! Counters and gauges through the `metrics` facade; no-ops without the feature `metrics`.

#[cfg(feature = "metrics")]
pub(crate) use self::on::Metrics;

#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::Metrics;

#[cfg(not(feature = "metrics"))]
mod off {
    use crate::clock::Moment;
    use crate::error::AuthError;
    use crate::store::Outbox;

    #[derive(Debug)]
    pub(crate) struct Metrics;

    #[expect(clippy::unused_self, reason = "the same calls as with the feature")]
    impl Metrics {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn hit(&self) {}
        pub(crate) fn miss(&self) {}
        pub(crate) fn accepted(&self) {}
        pub(crate) fn refused(&self, _: &AuthError) {}
        pub(crate) fn scope_refused(&self, _reason: &'static str) {}
        pub(crate) fn job_ran(&self, _: &'static str, _is_good: bool) {}
        pub(crate) fn notification_settled(&self, _kind: &'static str, _outcome: &'static str) {}
        pub(crate) fn feed_broken(&self) {}
        pub(crate) fn events_dropped(_: u64) {}
        pub(crate) fn events_missed(_sink: &str, _: u64) {}
        pub(crate) fn flushed(&self, _: Moment) {}
        pub(crate) fn set_gauges(&self, _: Moment, _fresh_until: i64, _leap: i64) {}
        pub(crate) fn set_outbox(&self, _: Moment, _: &Outbox) {}
    }
}

#[cfg(feature = "metrics")]
mod on {
    use std::sync::atomic::{AtomicI64, Ordering};

    use metrics::{Counter, counter, gauge};

    use crate::clock::Moment;
    use crate::error::AuthError;
    use crate::store::Outbox;

    /// Keeps handles for the counters of the hot path; the others are looked up at each use.
    pub(crate) struct Metrics {
        hits: Counter,
        misses: Counter,
        accepted: Counter,
        /// Boot time of the last flush of last uses, in microseconds; 0 before the first.
        flushed: AtomicI64,
    }

    impl std::fmt::Debug for Metrics {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Metrics")
        }
    }

    #[expect(clippy::unused_self, reason = "the same calls as without the feature")]
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    impl Metrics {
        pub(crate) fn new() -> Self {
            Self {
                hits: counter!("pat_cache_hits_total"),
                misses: counter!("pat_cache_misses_total"),
                accepted: counter!("pat_authentications_total", "outcome" => "accepted"),
                flushed: AtomicI64::new(0),
            }
        }

        pub(crate) fn hit(&self) {
            self.hits.increment(1);
        }

        pub(crate) fn miss(&self) {
            self.misses.increment(1);
        }

        pub(crate) fn accepted(&self) {
            self.accepted.increment(1);
        }

        pub(crate) fn refused(&self, error: &AuthError) {
            counter!("pat_authentications_total", "outcome" => error.reason()).increment(1);
        }

        pub(crate) fn scope_refused(&self, reason: &'static str) {
            counter!("pat_scope_refusals_total", "reason" => reason).increment(1);
        }

        pub(crate) fn job_ran(&self, job: &'static str, is_good: bool) {
            counter!("pat_job_runs_total", "job" => job).increment(1);
            counter!("pat_job_failures_total", "job" => job).increment(u64::from(!is_good));
        }

        pub(crate) fn notification_settled(&self, kind: &'static str, outcome: &'static str) {
            counter!("pat_notifications_total", "kind" => kind, "outcome" => outcome).increment(1);
        }

        pub(crate) fn feed_broken(&self) {
            counter!("pat_feed_breaks_total").increment(1);
        }

        pub(crate) fn events_dropped(count: u64) {
            counter!("pat_events_dropped_total").increment(count);
        }

        pub(crate) fn events_missed(sink: &str, count: u64) {
            counter!("pat_events_missed_total", "sink" => sink.to_owned()).increment(count);
        }

        pub(crate) fn flushed(&self, now: Moment) {
            self.flushed.store(now.boot, Ordering::Relaxed);
        }

        pub(crate) fn set_gauges(&self, now: Moment, fresh_until: i64, leap: i64) {
            gauge!("pat_clock_leap_seconds").set(seconds(leap));
            let flushed = self.flushed.load(Ordering::Relaxed);
            if flushed > 0 {
                gauge!("pat_last_used_flush_lag_seconds").set(seconds(now.boot - flushed));
            }
            let fresh_for = fresh_until.saturating_sub(now.boot).max(0);
            gauge!("pat_cache_fresh_for_seconds").set(match fresh_until {
                i64::MAX => f64::INFINITY,
                _ => seconds(fresh_for),
            });
        }

        pub(crate) fn set_outbox(&self, now: Moment, outbox: &Outbox) {
            gauge!("pat_outbox_notifications", "state" => "pending").set(outbox.pending as f64);
            gauge!("pat_outbox_notifications", "state" => "dead").set(outbox.dead as f64);
            let oldest = outbox
                .oldest_pending_at
                .map(jiff::Timestamp::as_microsecond);
            let age = oldest.map_or(0, |oldest| now.wall.saturating_sub(oldest).max(0));
            gauge!("pat_outbox_age_seconds").set(seconds(age));
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn seconds(micros: i64) -> f64 {
        micros as f64 / 1e6
    }
}
