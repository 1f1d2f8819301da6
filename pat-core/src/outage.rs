//! What does not answer: told when that begins, once a minute, and when it is over.
//!
//! All that is asked of the store and of the host's directory goes through here, with a limit of
//! time, whether a job asks or a request. So nothing waits without an end, and an outage is one
//! line for its cause, however many jobs and requests it meets.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::task::JoinError;

use crate::clock::{Clock, micros};
use crate::error::{BoxError, Unavailable};
use crate::store::StoreError;
use crate::token::RandomnessError;
use crate::{directory, store};

/// How often an outage that lasts is told of.
const INTERVAL: Duration = Duration::from_mins(1);
/// How long nothing may fail before an outage is over: where only some of what is asked fails, one
/// answer says little.
const QUIET: Duration = Duration::from_secs(10);

/// What may be out of order.
///
/// Not by what it says: one server that is down says "refused", "reset" and nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Store,
    Directory,
    Randomness,
    /// Tasks of ours that ended without an answer.
    Tasks,
    /// The host's sessions, as the layer ends them.
    Sessions,
    /// A mailer, by its name.
    Notifier(String),
    /// A sink of events, by its place among those that are plugged in.
    Sink(usize),
}

impl Cause {
    /// What is blamed in the log.
    fn name(&self) -> Cow<'static, str> {
        match self {
            Self::Store => "the token store".into(),
            Self::Directory => "the user directory".into(),
            Self::Randomness => "the random number generator".into(),
            Self::Tasks => "tasks of this process".into(),
            Self::Sessions => "the host's session layer".into(),
            Self::Notifier(name) => format!("notifier {name}").into(),
            Self::Sink(number) => format!("event sink {number}").into(),
        }
    }
}

/// The outages of one service.
#[derive(Debug)]
pub(crate) struct Outages {
    clock: Arc<dyn Clock>,
    /// How many there are now, which is read before the lock is taken.
    count: AtomicUsize,
    by_cause: Mutex<BTreeMap<Cause, Outage>>,
}

/// Times are of the boot clock, in microseconds.
#[derive(Debug)]
struct Outage {
    began: i64,
    last_failed: i64,
    last_told: i64,
    failures: u64,
}

impl Outages {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            count: AtomicUsize::new(0),
            by_cause: Mutex::default(),
        }
    }

    /// The store's answer, if it comes within this time.
    pub(crate) async fn store<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = store::within(limit, answer).await;
        self.store_said(&result);
        result
    }

    /// What the store has answered to somebody who has kept to a limit himself.
    pub(crate) fn store_said<T>(&self, result: &Result<T, StoreError>) {
        match result {
            // Then the store works well.
            Ok(_) | Err(StoreError::LeaseLost | StoreError::Outdated { .. }) => {
                self.works(&Cause::Store);
            }
            Err(error) => self.failed(Cause::Store, error),
        }
    }

    /// The directory's answer, if it comes within this time.
    pub(crate) async fn directory<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, BoxError>>,
    ) -> Result<T, Unavailable> {
        let result = directory::within(limit, answer).await;
        match &result {
            Ok(_) => self.works(&Cause::Directory),
            Err(error) => self.failed(Cause::Directory, error),
        }
        result
    }

    /// A change that was given up before its store has answered, for whoever waited.
    pub(crate) fn gave_up(&self) -> Unavailable {
        self.failed(Cause::Store, &StoreError::Timeout);
        StoreError::Timeout.into()
    }

    /// The answer of a task of ours, unless it ended early.
    pub(crate) fn task<T>(&self, joined: Result<T, JoinError>) -> Result<T, Unavailable> {
        match joined {
            Ok(answer) => {
                self.works(&Cause::Tasks);
                Ok(answer)
            }
            Err(_ended) => Err(self.task_ended()),
        }
    }

    /// A task of ours that ended early, because it panicked or the runtime is shutting down.
    pub(crate) fn task_ended(&self) -> Unavailable {
        self.failed(Cause::Tasks, &Unavailable::TaskEnded);
        Unavailable::TaskEnded
    }

    /// What was drawn at random, if the operating system gave it.
    pub(crate) fn random<T>(&self, drawn: Result<T, RandomnessError>) -> Result<T, Unavailable> {
        match &drawn {
            Ok(_) => self.works(&Cause::Randomness),
            Err(error) => self.failed(Cause::Randomness, error),
        }
        drawn.map_err(Unavailable::from)
    }

    pub(crate) fn failed(&self, cause: Cause, error: &(dyn Error + 'static)) {
        let now = micros(self.clock.boot());
        let mut by_cause = self.lock();
        let Some(outage) = by_cause.get_mut(&cause) else {
            tracing::error!(
                cause = &*cause.name(),
                error,
                "an outage begins; what needs this fails until it is over"
            );
            by_cause.insert(
                cause,
                Outage {
                    began: now,
                    last_failed: now,
                    last_told: now,
                    failures: 1,
                },
            );
            self.count.store(by_cause.len(), Ordering::Relaxed);
            return;
        };
        outage.last_failed = now;
        outage.failures += 1;
        if now - outage.last_told >= micros(INTERVAL) {
            outage.last_told = now;
            tracing::warn!(
                cause = &*cause.name(),
                error,
                failures = outage.failures,
                seconds = outage.seconds(now),
                "the outage lasts"
            );
        }
    }

    pub(crate) fn works(&self, cause: &Cause) {
        if self.count.load(Ordering::Relaxed) == 0 {
            return;
        }
        let now = micros(self.clock.boot());
        let mut by_cause = self.lock();
        let is_quiet = |outage: &Outage| now - outage.last_failed >= micros(QUIET);
        if !by_cause.get(cause).is_some_and(is_quiet) {
            return;
        }
        if let Some(outage) = by_cause.remove(cause) {
            self.count.store(by_cause.len(), Ordering::Relaxed);
            tracing::info!(
                cause = &*cause.name(),
                failures = outage.failures,
                seconds = outage.seconds(outage.last_failed),
                "the outage is over"
            );
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cause, Outage>> {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outage {
    /// How long it has lasted.
    fn seconds(&self, now: i64) -> i64 {
        (now - self.began) / 1_000_000
    }
}
