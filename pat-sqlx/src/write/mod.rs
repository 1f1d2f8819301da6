//! Transactions that write.

mod clock;
mod events;
mod jobs;
mod nodes;
mod notices;
mod owners;
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
    insists: bool,
}

impl<DB: Portable> Write<DB> {
    /// Begins a transaction that does not need to know what time it is.
    pub(crate) async fn begin_timeless(store: &SqlxStore<DB>) -> Result<Self, Error> {
        Ok(Self {
            transaction: store.pool.begin_with(DB::BEGIN_WRITE).await?,
            clock: store.clock,
            callers: Timestamp::UNIX_EPOCH,
            time: StoreTime::default(),
            insists: false,
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

    /// Has this transaction insist on its locks ([`Dialect::LOCK_EVERYWHERE`](crate::Dialect)).
    pub(crate) fn insisting(self, insists: bool) -> Self {
        Self { insists, ..self }
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.transaction.commit().await
    }

    /// Returns how many rows were touched.
    async fn execute(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        sql.execute(&mut self.transaction).await
    }

    /// Runs a statement that takes a lock.
    async fn execute_lock(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        let Some([everywhere, here]) = DB::LOCK_EVERYWHERE.filter(|_| self.insists) else {
            return self.execute(sql).await;
        };
        match self.execute(Sql::new(everywhere)).await {
            // There is no cluster. (A transaction that has lost another race is over: what came now
            // would be outside of it.)
            Err(Error::Database(error)) if !DB::is_transient(&*error) => {
                return self.execute(sql).await;
            }
            result => result?,
        };
        let locked = self.execute(sql).await;
        self.execute(Sql::new(here)).await?;
        locked
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        sql.fetch(&mut self.transaction).await
    }

    async fn fetch_one(&mut self, sql: Sql<DB>) -> Result<Row<DB>, Error> {
        sql.fetch_one(&mut self.transaction).await
    }
}
