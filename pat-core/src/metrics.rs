//! Counters, gauges and histograms through the `metrics` facade; no-ops without the feature `metrics`.

#[cfg(feature = "metrics")]
pub(crate) use self::on::Metrics;

#[cfg(not(feature = "metrics"))]
pub(crate) use self::off::Metrics;

/// What is known of this node at the moment at which gauges are set. What was not measured is `None`.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(
    not(feature = "metrics"),
    expect(dead_code, reason = "read with the feature")
)]
pub(crate) struct Gauges {
    /// Boot time until which the cache is trusted, in microseconds; `i64::MAX` for ever.
    pub(crate) fresh_until: i64,
    /// How far the clock is ahead of the mark, in microseconds.
    pub(crate) leap: Option<i64>,
    /// How long ago the last poll of the change feed was sent that succeeded, in microseconds.
    pub(crate) feed_lag: Option<i64>,
    /// How many valid tokens are cached.
    pub(crate) cached_tokens: usize,
}

#[cfg(not(feature = "metrics"))]
mod off {
    use crate::clock::Moment;
    use crate::error::AuthError;
    use crate::event::EventKind;
    use crate::metrics::Gauges;
    use crate::store::Outbox;
    use crate::token::TokenStatus;

    #[derive(Debug)]
    pub(crate) struct Metrics;

    #[expect(clippy::unused_self, reason = "the same calls as with the feature")]
    impl Metrics {
        pub(crate) fn new() -> Self {
            Self
        }

        pub(crate) fn hit(&self) {}
        pub(crate) fn miss(&self) {}
        pub(crate) fn displaced(&self) {}
        pub(crate) fn accepted(&self) {}
        pub(crate) fn refused(&self, _: &AuthError) {}
        pub(crate) fn looked_up(&self, _sent: Moment, _answered: Moment) {}
        pub(crate) fn scope_refused(&self, _reason: &'static str) {}
        pub(crate) fn changed(_: &EventKind) {}
        pub(crate) fn job_ran(&self, _: &'static str, _is_good: bool) {}
        pub(crate) fn job_succeeded(&self, _: &'static str, _began: Moment, _ended: Moment) {}
        pub(crate) fn notification_settled(&self, _kind: &'static str, _outcome: &'static str) {}
        pub(crate) fn feed_broken(&self) {}
        pub(crate) fn events_dropped(_: u64) {}
        pub(crate) fn events_missed(_sink: &str, _: u64) {}
        pub(crate) fn flushed(&self, _: Moment) {}
        pub(crate) fn set_gauges(&self, _: Moment, _: Gauges) {}
        pub(crate) fn set_outbox(&self, _: Moment, _: &Outbox) {}
        pub(crate) fn set_tokens(&self, _: impl Iterator<Item = (TokenStatus, u64)>) {}
    }
}

#[cfg(feature = "metrics")]
mod on {
    use std::sync::atomic::{AtomicI64, Ordering};

    use metrics::{
        Counter, Histogram, Unit, counter, describe_counter, describe_gauge, describe_histogram,
        gauge, histogram,
    };

    use crate::clock::Moment;
    use crate::error::AuthError;
    use crate::event::EventKind;
    use crate::metrics::Gauges;
    use crate::notification::NotificationKind;
    use crate::store::{Outbox, RevokedToken, SCHEMA_VERSION};
    use crate::token::{Owner, TokenStatus};

    /// The name, the unit and the help text of each counter.
    const COUNTERS: &[(&str, Unit, &str)] = &[
        (
            "pat_authentications_total",
            Unit::Count,
            "Presented tokens that were accepted or refused, by outcome.",
        ),
        (
            "pat_scope_refusals_total",
            Unit::Count,
            "Requests that were refused although their token was accepted, by reason.",
        ),
        (
            "pat_cache_hits_total",
            Unit::Count,
            "Well-formed tokens that the cache could decide.",
        ),
        (
            "pat_cache_misses_total",
            Unit::Count,
            "Well-formed tokens that the cache could not decide.",
        ),
        (
            "pat_cache_displaced_total",
            Unit::Count,
            "Valid tokens that left the full cache before their time.",
        ),
        (
            "pat_tokens_created_total",
            Unit::Count,
            "Tokens that this node created, without those of rotations and imports.",
        ),
        (
            "pat_tokens_imported_total",
            Unit::Count,
            "Tokens that this node imported from another table.",
        ),
        (
            "pat_tokens_rotated_total",
            Unit::Count,
            "Tokens that this node replaced by a new one.",
        ),
        (
            "pat_tokens_revoked_total",
            Unit::Count,
            "Tokens that this node revoked, by who revoked them.",
        ),
        (
            "pat_tokens_pruned_total",
            Unit::Count,
            "Old tokens that this node deleted.",
        ),
        (
            "pat_job_runs_total",
            Unit::Count,
            "Rounds of a job of this node.",
        ),
        (
            "pat_job_failures_total",
            Unit::Count,
            "Rounds of a job of this node that failed.",
        ),
        (
            "pat_notifications_total",
            Unit::Count,
            "Attempts to send a notification, by kind and outcome.",
        ),
        (
            "pat_feed_breaks_total",
            Unit::Count,
            "How often the change feed did not continue where this node had stopped reading.",
        ),
        (
            "pat_events_dropped_total",
            Unit::Count,
            "Audit events that were dropped from a queue in memory.",
        ),
        (
            "pat_events_missed_total",
            Unit::Count,
            "Audit events that were deleted for their age before a shared sink received them.",
        ),
    ];

    /// The same for gauges.
    const GAUGES: &[(&str, Unit, &str)] = &[
        (
            "pat_build_info",
            Unit::Count,
            "1, with the version of pat-core and that of the tables it knows.",
        ),
        ("pat_tokens", Unit::Count, "Stored tokens, by status."),
        (
            "pat_outbox_notifications",
            Unit::Count,
            "Notifications that wait to be sent, or could not be sent, by state.",
        ),
        (
            "pat_outbox_age_seconds",
            Unit::Seconds,
            "Age of the oldest notification that waits; 0 if none does.",
        ),
        (
            "pat_last_used_flush_lag_seconds",
            Unit::Seconds,
            "Time since the last uses of tokens were written.",
        ),
        (
            "pat_feed_lag_seconds",
            Unit::Seconds,
            "Time since this node asked for the changes of other nodes and was answered.",
        ),
        (
            "pat_cache_fresh_for_seconds",
            Unit::Seconds,
            "Time for which the cache is trusted without another poll; 0 if each request queries the database.",
        ),
        (
            "pat_cached_tokens",
            Unit::Count,
            "Valid tokens in the cache of this node.",
        ),
        (
            "pat_clock_leap_seconds",
            Unit::Seconds,
            "How far the clock is ahead of the store's mark; negative if it is behind.",
        ),
        (
            "pat_job_last_success_timestamp_seconds",
            Unit::Seconds,
            "When a job of this node last succeeded, as Unix time.",
        ),
    ];

    /// The same for histograms.
    const HISTOGRAMS: &[(&str, Unit, &str)] = &[
        (
            "pat_lookup_duration_seconds",
            Unit::Seconds,
            "Duration of the look-up of a token that the cache could not decide.",
        ),
        (
            "pat_job_duration_seconds",
            Unit::Seconds,
            "Duration of the rounds of a job of this node that succeeded.",
        ),
    ];

    /// Keeps handles for the counters of the hot path; the others are looked up at each use.
    pub(crate) struct Metrics {
        hits: Counter,
        misses: Counter,
        displaced: Counter,
        accepted: Counter,
        look_ups: Histogram,
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
            for (name, unit, help) in COUNTERS {
                describe_counter!(*name, *unit, *help);
            }
            for (name, unit, help) in GAUGES {
                describe_gauge!(*name, *unit, *help);
            }
            for (name, unit, help) in HISTOGRAMS {
                describe_histogram!(*name, *unit, *help);
            }
            let (version, schema) = (env!("CARGO_PKG_VERSION"), SCHEMA_VERSION.to_string());
            gauge!("pat_build_info", "version" => version, "schema_version" => schema).set(1.0);
            // A counter that begins with its first increase hides that increase from `rate`.
            for name in [
                "pat_tokens_created_total",
                "pat_tokens_imported_total",
                "pat_tokens_rotated_total",
                "pat_tokens_pruned_total",
                "pat_feed_breaks_total",
                "pat_events_dropped_total",
            ] {
                counter!(name).absolute(0);
            }
            for by in ["owner", "administrator", "service"] {
                counter!("pat_tokens_revoked_total", "by" => by).absolute(0);
            }
            for reason in ["missing", "undeclared"] {
                counter!("pat_scope_refusals_total", "reason" => reason).absolute(0);
            }
            for outcome in AuthError::REASONS {
                counter!("pat_authentications_total", "outcome" => outcome).absolute(0);
            }
            for kind in NotificationKind::ALL.map(NotificationKind::as_str) {
                for outcome in ["sent", "retried", "dead", "skipped"] {
                    counter!("pat_notifications_total", "kind" => kind, "outcome" => outcome)
                        .absolute(0);
                }
            }
            Self {
                hits: counter!("pat_cache_hits_total"),
                misses: counter!("pat_cache_misses_total"),
                displaced: counter!("pat_cache_displaced_total"),
                accepted: counter!("pat_authentications_total", "outcome" => "accepted"),
                look_ups: histogram!("pat_lookup_duration_seconds"),
                flushed: AtomicI64::new(0),
            }
        }

        pub(crate) fn hit(&self) {
            self.hits.increment(1);
        }

        pub(crate) fn miss(&self) {
            self.misses.increment(1);
        }

        pub(crate) fn displaced(&self) {
            self.displaced.increment(1);
        }

        pub(crate) fn accepted(&self) {
            self.accepted.increment(1);
        }

        pub(crate) fn refused(&self, error: &AuthError) {
            counter!("pat_authentications_total", "outcome" => error.reason()).increment(1);
        }

        pub(crate) fn looked_up(&self, sent: Moment, answered: Moment) {
            self.look_ups.record(seconds(answered.boot - sent.boot));
        }

        pub(crate) fn scope_refused(&self, reason: &'static str) {
            counter!("pat_scope_refusals_total", "reason" => reason).increment(1);
        }

        /// Counts the tokens of an event that this node has caused.
        pub(crate) fn changed(event: &EventKind) {
            let count = |name: &'static str, tokens: usize| {
                counter!(name).increment(tokens as u64);
            };
            match event {
                EventKind::Created { .. } => count("pat_tokens_created_total", 1),
                EventKind::Imported { tokens } => count("pat_tokens_imported_total", tokens.len()),
                EventKind::Rotated { .. } => count("pat_tokens_rotated_total", 1),
                EventKind::Pruned { tokens } => count("pat_tokens_pruned_total", tokens.len()),
                EventKind::Revoked { tokens, by, .. } => {
                    for RevokedToken { owner, .. } in tokens {
                        let by = revoker(by.as_ref(), owner);
                        counter!("pat_tokens_revoked_total", "by" => by).increment(1);
                    }
                }
                EventKind::FirstUsed { .. }
                | EventKind::Refused { .. }
                | EventKind::Disabled { .. }
                | EventKind::Enabled { .. }
                | EventKind::Changed { .. }
                | EventKind::Notified { .. }
                | EventKind::NotificationDead { .. }
                | EventKind::OwnerChanged { .. }
                | EventKind::Other { .. } => {}
            }
        }

        pub(crate) fn job_ran(&self, job: &'static str, is_good: bool) {
            counter!("pat_job_runs_total", "job_name" => job).increment(1);
            counter!("pat_job_failures_total", "job_name" => job).increment(u64::from(!is_good));
        }

        pub(crate) fn job_succeeded(&self, job: &'static str, began: Moment, ended: Moment) {
            let took = seconds(ended.boot - began.boot);
            histogram!("pat_job_duration_seconds", "job_name" => job).record(took);
            let at = seconds(ended.wall);
            gauge!("pat_job_last_success_timestamp_seconds", "job_name" => job).set(at);
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

        pub(crate) fn set_gauges(&self, now: Moment, gauges: Gauges) {
            let Gauges {
                fresh_until,
                leap,
                feed_lag,
                cached_tokens,
            } = gauges;
            gauge!("pat_cached_tokens").set(cached_tokens as f64);
            if let Some(leap) = leap {
                gauge!("pat_clock_leap_seconds").set(seconds(leap));
            }
            if let Some(lag) = feed_lag {
                gauge!("pat_feed_lag_seconds").set(seconds(lag));
            }
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

        pub(crate) fn set_tokens(&self, counts: impl Iterator<Item = (TokenStatus, u64)>) {
            for (status, count) in counts {
                let status = status.as_str().to_ascii_lowercase();
                gauge!("pat_tokens", "status" => status).set(count as f64);
            }
        }
    }

    /// Returns who has revoked a token of `owner`.
    fn revoker(by: Option<&Owner>, owner: &Owner) -> &'static str {
        match by {
            None => "service",
            Some(by) if by == owner => "owner",
            Some(_) => "administrator",
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    fn seconds(micros: i64) -> f64 {
        micros as f64 / 1e6
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn each_metric_is_documented() {
            let docs = include_str!("docs/metrics.md");
            for (name, _, help) in [COUNTERS, GAUGES, HISTOGRAMS].concat() {
                assert!(docs.contains(&format!("`{name}`")), "{name}");
                assert!(help.ends_with('.'), "{help}");
            }
        }
    }
}
