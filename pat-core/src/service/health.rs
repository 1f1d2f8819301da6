//! The checks of [`Pats::health`] and [`Pats::ready`].

use std::time::Duration;

use super::Pats;
use crate::clock::micros;
use crate::error::Unavailable;
use crate::health::{Check, Health, Part};
use crate::node::Node;
use crate::store::{Outbox, StoreError};

/// How old the oldest notification of the outbox may be: retries take longer only if a notifier fails.
const OLDEST_NOTIFICATION: Duration = Duration::from_secs(60 * 60);
/// For how long a job may fail: one round of a poll may time out.
const FAILING_FOR: Duration = Duration::from_secs(30);

impl Pats {
    /// Checks whether this node can do its work, for readiness probes. The check succeeds if all of the
    /// following holds:
    ///
    /// - The store answers.
    /// - On a shared store ([`TokenStore::is_shared`](crate::store::TokenStore::is_shared)), this node's last report
    ///   ([`TokenStore::heartbeat`](crate::store::TokenStore::heartbeat)) was
    ///   committed and read back less than 25 seconds ago. So the check fails if the database accepts no
    ///   writes. If the jobs do not run ([`Pats::start`]), this call sends a report.
    /// - This version of the crate may use the store ([`StoreVersions`](crate::store::StoreVersions)).
    /// - The database's clock has not leapt by more than a minute, or it agrees with the store's
    ///   [mark](crate::store::StoreTime::mark) again. A clock leaps if it is set, or if a failover replaces it by
    ///   another server's; then it may be wrong. Clock and mark agree if the clock is at most a minute ahead and at
    ///   most a second behind.
    ///
    /// A clock that did not agree with the mark already when this node started counts as leapt only if another
    /// node has reported in the last 25 seconds that it saw the leap, or that the clock agrees with the mark
    /// ([`NodeReport::contradicts_leap`](crate::store::NodeReport::contradicts_leap)). So a node that starts
    /// while no other node runs trusts the clock: at once if the other nodes were shut down
    /// ([`Jobs::shutdown`](crate::Jobs::shutdown)), after 25 seconds if they were killed. After a leap, scheduled
    /// jobs do not run either, until clock and mark agree again or [`Pats::accept_clock`] is called.
    ///
    /// Do not use this method for liveness probes: restarting a process does not help against a database
    /// that is down. [`Pats::health`] also says what is wrong with a node that is ready.
    ///
    /// # Errors
    /// [`Unavailable::Store`] if one of the conditions does not hold, or if the store does not answer within
    /// twice the time in the setting `pat.auth.database.timeout.ms`.
    pub async fn ready(&self) -> Result<(), Unavailable> {
        self.0.check_ready().await.map_err(|failure| failure.1)
    }

    /// Checks all parts of this node: those of [`Pats::ready`], the change feed, the outbox, the jobs, the host's
    /// plug-ins, and settings without effect. Each finding says what the operator can do.
    ///
    /// The call queries the database, and takes at most three times the time in the setting
    /// `pat.auth.database.timeout.ms`. It is for an operator, and for probes a few times a minute.
    pub async fn health(&self) -> Health {
        let mut health = Health::default();
        let node = &*self.0;
        match node.check_ready().await {
            Ok(()) => {
                for check in node.passed() {
                    health.add(check);
                }
                for check in node.check_outbox().await {
                    health.add(check);
                }
            }
            Err((check, _error)) => health.add(check),
        }
        for check in node.check_memory() {
            health.add(check);
        }
        health
    }
}

/// Why a node is not ready, for [`Pats::health`] and for [`Pats::ready`].
type Failure = (Check, Unavailable);

/// Returns the failure of a part without which a node is not ready.
fn failure(part: Part, error: StoreError) -> Failure {
    let advice = match part {
        Part::Schema => "Start a newer version of this program.",
        Part::Writes => {
            "Check that this node is connected to the primary, and that the database's disk is not full."
        }
        Part::Clock => {
            "Set the clock of the database's machine right. If it is right, confirm it (Pats::accept_clock)."
        }
        _ => {
            "Check that the database runs, and that this node reaches it. The log has the cause (target \
             pat_core::outage)."
        }
    };
    (Check::failed(part, error.to_string(), advice), error.into())
}

/// The same for an error that only the service finds, and whose text is not the store's.
fn found(part: Part, message: String) -> Failure {
    let (check, error) = failure(part, StoreError::backend(message.clone()));
    (check.with_message(message), error)
}

impl Node {
    /// Checks what [`Pats::ready`] documents.
    async fn check_ready(&self) -> Result<(), Failure> {
        let Self {
            context,
            auth,
            feed,
            ..
        } = self;
        let at = |part| move |error| failure(part, error);
        let limit = context.auth_timeout();
        let read = context.ask(limit, context.store.changes_since(None));
        let page = read.await.map_err(at(Part::Database))?;
        let versions = auth.observe_versions(page.versions);
        versions.map_err(at(Part::Schema))?;
        if context.is_shared() && !feed.is_reported() {
            let polled = context.ask(limit, feed.poll()).await;
            polled.map_err(at(Part::Writes))?;
            if !feed.is_reported() {
                let unread = "the last report of this node could not be read back";
                return Err(found(Part::Writes, unread.to_owned()));
            }
        }
        // By now the reports of the other nodes have been read.
        match context.time.doubtful_leap() {
            None => Ok(()),
            Some(leap) => Err(found(
                Part::Clock,
                format!(
                    "the database's clock differs by {} s from the store's mark; set it right, or if \
                     it is right, call Pats::accept_clock",
                    leap / 1_000_000
                ),
            )),
        }
    }

    /// Returns the checks that are passed by a node that is ready.
    fn passed(&self) -> Vec<Check> {
        let mut passed = vec![
            Check::ok(Part::Database, "the database answers"),
            Check::ok(Part::Schema, "this version may use the tables"),
        ];
        if self.context.is_shared() {
            let written = "the last report of this node was stored and read back";
            passed.push(Check::ok(Part::Writes, written));
        }
        let time = &self.context.time;
        passed.push(if time.agrees() {
            Check::ok(Part::Clock, "the clock agrees with the store's mark")
        } else {
            let leap = time.leap() / 1_000_000;
            Check::warning(
                Part::Clock,
                format!("the clock is {leap} s ahead of the store's mark (behind it, if negative)"),
                "Compare the clock of the database's machine with the true time. If it is right, the mark catches \
                 up by itself, or at once with Pats::accept_clock.",
            )
        });
        passed
    }

    async fn check_outbox(&self) -> Vec<Check> {
        let context = &self.context;
        let Ok(Some(jobs)) = context.job_store() else {
            return Vec::new();
        };
        let Ok(outbox) = context.ask(context.auth_timeout(), jobs.outbox()).await else {
            return vec![Check::warning(
                Part::Outbox,
                "the queued notifications could not be counted in time",
                "Try again; if it lasts, the database is overloaded.",
            )];
        };
        let Outbox {
            pending,
            oldest_pending_at,
            dead,
        } = outbox;
        let mut checks = Vec::new();
        if dead > 0 {
            checks.push(Check::warning(
                Part::Outbox,
                format!("{dead} notifications could not be sent"),
                "Pats::dead_notifications says why; Pats::requeue_notification sends one again.",
            ));
        }
        let now = self.now();
        let age = oldest_pending_at.map(|at| now.duration_since(at).unsigned_abs());
        if let Some(age) = age.filter(|age| *age > OLDEST_NOTIFICATION) {
            checks.push(Check::warning(
                Part::Outbox,
                format!(
                    "{pending} notifications wait, the oldest for {} minutes",
                    age.as_secs() / 60
                ),
                "Check the mail server and the other notifiers; the log has their errors.",
            ));
        }
        if checks.is_empty() {
            checks.push(Check::ok(
                Part::Outbox,
                format!("{pending} notifications wait"),
            ));
        }
        checks
    }

    /// Checks what this node knows without a query.
    fn check_memory(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        checks.extend(self.check_feed());
        checks.push(self.check_jobs());
        checks.extend(self.check_plug_ins());
        checks.push(self.check_settings());
        checks
    }

    fn check_feed(&self) -> Option<Check> {
        let context = &self.context;
        if !context.is_shared() || context.settings.auth_max_staleness().is_zero() {
            return None;
        }
        let now = context.time.now();
        let since = match self.feed.lag(now) {
            Some(lag) => format!("changes were read {} ms ago", lag / 1_000),
            None => "changes of other nodes have not been read yet".to_owned(),
        };
        Some(if self.auth.epochs.is_fresh(now) {
            Check::ok(Part::Feed, since)
        } else {
            Check::warning(
                Part::Feed,
                format!("the cache is not trusted, and each request queries the database: {since}"),
                "Check that the jobs run (Pats::start), and that the database answers within \
                 pat.auth.max.staleness.ms.",
            )
        })
    }

    fn check_jobs(&self) -> Check {
        if !self.jobs.are_running() {
            return Check::warning(
                Part::Jobs,
                "the jobs do not run",
                "Call Pats::start, and keep what it returns.",
            );
        }
        let now = self.context.time.now().boot;
        let failing = self.jobs.failing().into_iter();
        let failing = failing.filter(|(_, since)| now - since >= micros(FAILING_FOR));
        let failing: Vec<_> = failing
            .map(|(job, since)| format!("{job} has failed for {} s", (now - since) / 1_000_000))
            .collect();
        if failing.is_empty() {
            return Check::ok(Part::Jobs, "the jobs run");
        }
        Check::warning(
            Part::Jobs,
            failing.join("; "),
            "The log has the errors. Each job is tried again by itself.",
        )
    }

    fn check_plug_ins(&self) -> Vec<Check> {
        let outages = self.context.outages.of_plug_ins().into_iter();
        let checks = outages.map(|outage| {
            Check::warning(
                Part::PlugIns,
                format!(
                    "{} has failed {} times in {} s, the last time {} s ago",
                    outage.name, outage.failures, outage.lasted, outage.last_failed_ago
                ),
                "The log has the cause (target pat_core::outage).",
            )
        });
        let mut checks: Vec<_> = checks.collect();
        if checks.is_empty() {
            let works = "no plug-in of the host has an outage";
            checks.push(Check::ok(Part::PlugIns, works));
        }
        checks
    }

    fn check_settings(&self) -> Check {
        let settings = &self.context.settings;
        if !settings.enabled() {
            return Check::warning(
                Part::Settings,
                "atlassian.pats.enabled is false: no token is accepted or created",
                "Set it to true, unless tokens are switched off on purpose.",
            );
        }
        if settings.unused_revoke_days() > 0 && !self.notifies() {
            return Check::warning(
                Part::Settings,
                "pat.unused.revoke.days has no effect: owners are not notified, so they cannot be warned",
                "Add a notifier, and set atlassian.pats.mail.notifications.enabled to true; or set the days to 0.",
            );
        }
        Check::ok(Part::Settings, "the settings have their effect")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::health::Status;
    use crate::memory::MemoryStore;
    use crate::settings::Settings;

    fn service(settings: Settings) -> Pats {
        let store = Arc::new(MemoryStore::default());
        Pats::builder(store).settings(settings).build()
    }

    /// Returns the parts with a problem.
    async fn problems(pats: &Pats) -> Vec<(Part, Status)> {
        let health = pats.health().await;
        let problems = health.problems();
        problems
            .map(|check| {
                assert!(check.advice().is_some(), "{check:?}");
                (check.part(), check.status())
            })
            .collect()
    }

    #[tokio::test]
    async fn a_service_whose_jobs_run_has_no_problem() {
        let pats = service(Settings::default());
        assert_eq!(problems(&pats).await, [(Part::Jobs, Status::Warning)]);
        let jobs = pats.start();
        assert_eq!(problems(&pats).await, []);
        assert!(pats.health().await.is_ready());
        jobs.shutdown().await;
        assert_eq!(problems(&pats).await, [(Part::Jobs, Status::Warning)]);
        let jobs = pats.start();
        drop(jobs);
        assert_eq!(problems(&pats).await, [(Part::Jobs, Status::Warning)]);
    }

    #[tokio::test]
    async fn a_setting_without_effect_is_a_problem() {
        for settings in [
            Settings::builder().enabled(false),
            Settings::builder().unused_revoke_days(90),
        ] {
            let pats = service(settings.build().expect("settings"));
            let _jobs = pats.start();
            assert_eq!(problems(&pats).await, [(Part::Settings, Status::Warning)]);
        }
    }

    #[tokio::test]
    async fn a_job_that_fails_for_long_is_a_problem_until_it_succeeds() {
        let pats = service(Settings::default());
        let jobs = &pats.0.jobs;
        let now = pats.0.context.time.now().boot;
        let long_ago = now - micros(FAILING_FOR);
        jobs.ran("prune", false, long_ago);
        jobs.ran("prune", false, now);
        jobs.ran("expiry-check", false, now);
        let found = pats.0.check_jobs();
        assert!(
            found.message().starts_with("prune has failed for"),
            "{found:?}"
        );
        assert!(!found.message().contains("expiry"), "{found:?}");
        jobs.ran("prune", true, now);
        assert_eq!(pats.0.check_jobs().status(), Status::Ok);
    }
}
