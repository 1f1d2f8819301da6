//! Probes, before a store is used, that the database takes writes and keeps them.

use sqlx::Error;

use crate::checkout::{fetch, fetch_from_primary};
use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::sql::Sql;
use crate::store::SqlxStore;
use crate::write::{Write, probe_owner};

/// How often a probe that loses a race for a row is attempted.
const ATTEMPTS: u32 = 5;

impl<DB: Dialect> SqlxStore<DB> {
    /// Refuses a database that does not take writes, or does not show them to other connections.
    pub(crate) async fn probe(&self) -> Result<(), ConnectError> {
        // Negative, unlike the numbers of all rows. Nodes that start together draw different ones.
        let random = getrandom::u64().map_err(|error| Error::Encode(error.into()));
        let number = -1 - (random.map_err(ConnectError::open)? >> 1).cast_signed();
        let mut attempt = 1;
        loop {
            match self.probe_rollback(number).await {
                Err(ConnectError::NotWritable {
                    source: Error::Database(error),
                    ..
                }) if attempt < ATTEMPTS && DB::is_transient(&*error) => attempt += 1,
                result => break result?,
            }
        }
        self.probe_commit(number).await
    }

    /// Refuses a database that keeps what was rolled back.
    async fn probe_rollback(&self, number: i64) -> Result<(), ConnectError> {
        let mut write = self.begin_probe().await?;
        let written = write.write_to_each_table(number).await;
        written.map_err(|(table, source)| ConnectError::not_writable(table, source))?;
        write.rollback().await.map_err(ConnectError::open)?;
        let mut sql = Sql::<DB>::new("SELECT owner FROM pat_owner WHERE owner = ");
        sql.bind(probe_owner(number).as_str());
        let kept = fetch(&self.pool, sql).await.map_err(ConnectError::open)?;
        if kept.is_empty() {
            return Ok(());
        }
        Err(ConnectError::Unsuitable {
            found: "it keeps what was rolled back".into(),
            needed: "tables with transactions",
        })
    }

    /// Refuses two pools that do not see the same data.
    async fn probe_commit(&self, number: i64) -> Result<(), ConnectError> {
        let not_writable = |source| ConnectError::not_writable("pat_node", source);
        let mut write = self.begin_probe().await?;
        let inserted = write.insert_probe_node(number).await;
        inserted.map_err(not_writable)?;
        write.commit().await.map_err(not_writable)?;
        let is_seen = self.is_seen(number).await;
        let mut write = self.begin_probe().await?;
        let deleted = write.delete_probe_node(number).await;
        deleted.map_err(not_writable)?;
        write.commit().await.map_err(not_writable)?;
        let found = match is_seen {
            Ok(true) => return Ok(()),
            Ok(false) => "what one connection has committed, another one does not see".to_owned(),
            Err(error) => format!("a second connection fails: {error}"),
        };
        Err(ConnectError::Unsuitable {
            found,
            needed: "one database, on one server, for all connections",
        })
    }

    /// Whether a connection of the authentication pool sees this node.
    async fn is_seen(&self, number: i64) -> Result<bool, Error> {
        let is_writable = DB::IS_WRITABLE;
        let mut sql = Sql::new(format!(
            "SELECT {is_writable} AS is_writable, n.id \
             FROM (SELECT 1 AS one) o LEFT JOIN pat_node n ON n.id = "
        ));
        sql.bind(number);
        let rows = fetch_from_primary(&self.auth_pool, sql).await?;
        let row = rows.first().ok_or(Error::RowNotFound)?;
        Ok(row.optional_int("id")? == Some(number))
    }

    async fn begin_probe(&self) -> Result<Write<DB>, ConnectError> {
        let begun = Write::begin_timeless(self).await;
        begun.map_err(|source| ConnectError::not_writable("the database", source))
    }
}
