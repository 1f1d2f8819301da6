//! Outages of the store, the directory and other parts: logged when they begin, once a minute, and when
//! they are over.
//!
//! All calls of jobs and requests to the store and the host's directory go through here, with a time
//! limit. So no call waits forever, and an outage is logged once, however many calls fail.

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

/// How often a continuing outage is logged.
const INTERVAL: Duration = Duration::from_secs(60);
/// How long no call may fail before an outage is over. One success is not enough, since only some calls
/// may fail.
const QUIET: Duration = Duration::from_secs(10);

/// The part that has an outage. Errors are not compared: one server that is down causes several.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Cause {
    Store,
    Directory,
    Randomness,
    /// Internal tasks that ended without a result.
    Tasks,
    /// The host's session layer.
    Sessions,
    /// A notifier, by its name.
    Notifier(String),
    /// An event sink, by its number.
    Sink(usize),
}

impl Cause {
    /// Returns the name in logs.
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
    /// The number of outages, read without the lock.
    count: AtomicUsize,
    by_cause: Mutex<BTreeMap<Cause, Outage>>,
}

/// An outage, for the operator. Times are in seconds.
#[derive(Debug)]
pub(crate) struct PlugInOutage {
    pub(crate) name: String,
    pub(crate) failures: u64,
    /// From the first failure to the last.
    pub(crate) lasted: i64,
    pub(crate) last_failed_ago: i64,
}

/// An outage. Times are those of the boot clock, in microseconds.
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

    /// Returns the store's answer, if it comes within `limit`.
    pub(crate) async fn store<T>(
        &self,
        limit: Duration,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let result = store::within(limit, answer).await;
        self.store_said(&result);
        result
    }

    /// Records the result of a call to the store that had its own time limit.
    pub(crate) fn store_said<T>(&self, result: &Result<T, StoreError>) {
        match result {
            // These errors come from a working store.
            Ok(_) | Err(StoreError::LeaseLost | StoreError::Outdated { .. }) => {
                self.works(&Cause::Store);
            }
            // The other call finds out whether the store works.
            Err(StoreError::Busy) => {}
            Err(error) => self.failed(Cause::Store, error),
        }
    }

    /// Returns the directory's answer, if it comes within `limit`.
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

    /// Records a timeout of the store, and returns its error.
    pub(crate) fn gave_up(&self) -> Unavailable {
        self.failed(Cause::Store, &StoreError::Timeout);
        StoreError::Timeout.into()
    }

    /// Returns the result of an internal task, unless it ended early.
    pub(crate) fn task<T>(&self, joined: Result<T, JoinError>) -> Result<T, Unavailable> {
        match joined {
            Ok(answer) => {
                self.works(&Cause::Tasks);
                Ok(answer)
            }
            Err(_ended) => Err(self.task_ended()),
        }
    }

    /// Records that an internal task panicked or was cancelled, and returns its error.
    pub(crate) fn task_ended(&self) -> Unavailable {
        self.failed(Cause::Tasks, &Unavailable::TaskEnded);
        Unavailable::TaskEnded
    }

    /// Records whether the random number generator worked, and converts its error.
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
                "an outage begins; operations that need this part fail until it is over"
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
                "the outage continues"
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

    /// Returns the outages of everything but the store.
    pub(crate) fn of_plug_ins(&self) -> Vec<PlugInOutage> {
        let now = micros(self.clock.boot());
        let by_cause = self.lock();
        let outages = by_cause.iter().filter(|(cause, _)| **cause != Cause::Store);
        let outages = outages.map(|(cause, outage)| PlugInOutage {
            name: cause.name().into_owned(),
            failures: outage.failures,
            lasted: outage.seconds(outage.last_failed),
            last_failed_ago: (now - outage.last_failed) / 1_000_000,
        });
        outages.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Cause, Outage>> {
        self.by_cause.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Outage {
    /// Returns its duration at `now`.
    fn seconds(&self, now: i64) -> i64 {
        (now - self.began) / 1_000_000
    }
}
