//! Transactions that write.

mod events;
mod jobs;
mod nodes;
mod notices;
mod tokens;

use sqlx::{Error, Pool, Transaction};

pub(crate) use self::jobs::LeaseRow;
pub(crate) use self::tokens::Locked;
use crate::Portable;
use crate::sql::{Row, Sql};

/// A transaction that writes; rolled back unless it is committed.
///
/// Locks are taken in one order everywhere: lease, owner, parent token, tokens, outbox, and the
/// change counter last.
pub(crate) struct Write<DB: Portable>(Transaction<'static, DB>);

impl<DB: Portable> Write<DB> {
    pub(crate) async fn begin(pool: &Pool<DB>) -> Result<Self, Error> {
        pool.begin_with(DB::BEGIN_WRITE).await.map(Self)
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.0.commit().await
    }

    /// Returns how many rows were touched.
    async fn execute(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        sql.execute(&mut self.0).await
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        sql.fetch(&mut self.0).await
    }

    async fn fetch_one(&mut self, sql: Sql<DB>) -> Result<Row<DB>, Error> {
        sql.fetch_one(&mut self.0).await
    }
}
