//! The time of a call: by the clock of the database, or of the caller where it has none.

use std::time::Duration;

use jiff::Timestamp;
use pat_core::store::{LONGEST_LEAP, StoreTime};
use sqlx::Error;

use crate::checkout::fetch_one;
use crate::dialect::Dialect;
use crate::sql::{ClockSource, Sql};
use crate::store::SqlxStore;

#[derive(Clone, Copy)]
pub(crate) struct CallTime {
    pub(crate) source: ClockSource,
    /// The time by the caller's clock.
    pub(crate) caller_now: Timestamp,
    /// The time as last read from the database.
    pub(crate) read: StoreTime,
}

impl CallTime {
    pub(crate) fn new(source: ClockSource, caller_now: Timestamp) -> Self {
        Self {
            source,
            caller_now,
            read: StoreTime::default(),
        }
    }

    /// Reads the time for a call that writes nothing.
    pub(crate) async fn of_reader<DB: Dialect>(
        store: &SqlxStore<DB>,
        caller_now: Timestamp,
    ) -> Result<Self, Error> {
        let mut time = Self::new(store.clock, caller_now);
        time.read = fetch_one(&store.pool, time.query()).await?.store_time()?;
        Ok(time)
    }

    /// Returns the statement that reads the time.
    pub(crate) fn query<DB: Dialect>(&self) -> Sql<DB> {
        let clock = self.source.expression::<DB>();
        Sql::new(format!(
            "SELECT {clock} AS clock, mark FROM pat_clock WHERE id = 1"
        ))
    }

    /// Returns the time that the call compares with and stores.
    pub(crate) fn now(&self) -> Timestamp {
        match self.source {
            ClockSource::Database => self.read.now(self.caller_now),
            ClockSource::Caller => self.caller_now,
        }
    }

    /// Returns the time before which rows are older than `kept`. `vouched` is the time that the caller
    /// vouches for; it counts where the database has no clock.
    pub(crate) fn cutoff(&self, vouched: Timestamp, kept: Duration) -> Timestamp {
        let time = match self.source {
            ClockSource::Database => self.read,
            ClockSource::Caller => StoreTime::default(),
        };
        time.cutoff(vouched, kept)
    }

    /// Returns the time of the server's clock, or else that of the caller.
    pub(crate) fn clock(&self) -> Timestamp {
        self.clock_or(self.caller_now)
    }

    /// Returns the time of the server's clock, or else this time.
    pub(crate) fn clock_or(&self, machines: Timestamp) -> Timestamp {
        self.read.clock.unwrap_or(machines)
    }

    /// Whether the clock is so far ahead of the mark that notifications would be wrong.
    pub(crate) fn leaps_too_far(&self) -> bool {
        let leaps = |mark| self.clock() > mark + LONGEST_LEAP;
        self.source == ClockSource::Database && self.read.mark.is_some_and(leaps)
    }
}
