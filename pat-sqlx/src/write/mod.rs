//! Transactions that write.

mod clock;
mod events;
mod jobs;
mod nodes;
mod notices;
mod tokens;

use jiff::Timestamp;
use pat_core::store::StoreTime;
use sqlx::{Error, Transaction};

pub(crate) use self::jobs::LeaseRow;
pub(crate) use self::tokens::Locked;
use crate::sql::{ClockSource, Row, Sql};
use crate::{Portable, SqlxStore};

/// A transaction that writes; rolled back unless it is committed.
///
/// Locks are taken in one order everywhere: lease, owner, parent token, tokens, outbox, and the
/// change counter last.
pub(crate) struct Write<DB: Portable> {
    transaction: Transaction<'static, DB>,
    clock: ClockSource,
    /// The caller's clock.
    callers: Timestamp,
    /// The time as last read in this transaction.
    time: StoreTime,
}

impl<DB: Portable> Write<DB> {
    /// Begins a transaction that does not need to know what time it is.
    pub(crate) async fn begin_timeless(store: &SqlxStore<DB>) -> Result<Self, Error> {
        Ok(Self {
            transaction: store.pool.begin_with(DB::BEGIN_WRITE).await?,
            clock: store.clock,
            callers: Timestamp::UNIX_EPOCH,
            time: StoreTime::default(),
        })
    }

    /// Begins a transaction, and reads the time. `callers` is the caller's clock, which counts where
    /// the database has none.
    pub(crate) async fn begin(store: &SqlxStore<DB>, callers: Timestamp) -> Result<Self, Error> {
        let mut write = Self {
            callers,
            ..Self::begin_timeless(store).await?
        };
        write.read_time().await?;
        Ok(write)
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await
    }

    /// Returns how many rows were touched.
    async fn execute(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        sql.execute(&mut self.transaction).await
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        sql.fetch(&mut self.transaction).await
    }

    async fn fetch_one(&mut self, sql: Sql<DB>) -> Result<Row<DB>, Error> {
        sql.fetch_one(&mut self.transaction).await
    }
}
