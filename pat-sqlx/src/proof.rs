//! Proofs, before anything rests on it, that a database keeps what a store needs it for.

use sqlx::Error;

use crate::checkout::{fetch, fetch_from_primary};
use crate::sql::Sql;
use crate::write::{Write, proof_owner};
use crate::{ConnectError, Portable, SqlxStore};

/// How often a proof is tried that loses a race for a row that others use.
const ATTEMPTS: u32 = 5;

impl<DB: Portable> SqlxStore<DB> {
    /// Refuses a database that does not take what a store writes, or shows it to nobody else.
    pub(crate) async fn prove(&self) -> Result<(), ConnectError> {
        // Below all numbers that rows have. Nodes that start together have different ones.
        let random = getrandom::u64().map_err(|error| Error::Encode(error.into()));
        let number = -1 - (random.map_err(ConnectError::Open)? >> 1).cast_signed();
        let mut attempt = 1;
        loop {
            match self.prove_rollback(number).await {
                Err(ConnectError::NotWritable {
                    source: Error::Database(error),
                    ..
                }) if attempt < ATTEMPTS && DB::is_transient(&*error) => attempt += 1,
                result => break result?,
            }
        }
        self.prove_commit(number).await
    }

    /// What is written can be undone.
    async fn prove_rollback(&self, number: i64) -> Result<(), ConnectError> {
        let mut write = self.begin_proof().await?;
        let written = write.write_to_each_table(number).await;
        written.map_err(|(table, source)| ConnectError::NotWritable { table, source })?;
        write.rollback().await.map_err(ConnectError::Open)?;
        let mut sql = Sql::<DB>::new("SELECT owner FROM pat_owner WHERE owner = ");
        sql.bind(proof_owner(number).as_str());
        let kept = fetch(&self.pool, sql).await.map_err(ConnectError::Open)?;
        if kept.is_empty() {
            return Ok(());
        }
        Err(ConnectError::Unsuitable {
            found: "it keeps what was rolled back".into(),
            needed: "tables with transactions",
        })
    }

    /// What one connection has committed, another one sees.
    async fn prove_commit(&self, number: i64) -> Result<(), ConnectError> {
        let not_writable = |source| ConnectError::NotWritable {
            table: "pat_node",
            source,
        };
        let mut write = self.begin_proof().await?;
        let inserted = write.insert_proof_node(number).await;
        inserted.map_err(not_writable)?;
        write.commit().await.map_err(not_writable)?;
        let is_seen = self.is_seen(number).await;
        let mut write = self.begin_proof().await?;
        let deleted = write.delete_proof_node(number).await;
        deleted.map_err(not_writable)?;
        write.commit().await.map_err(not_writable)?;
        let found = match is_seen {
            Ok(true) => return Ok(()),
            Ok(false) => "what one connection has committed, another one does not see".to_owned(),
            Err(error) => format!("a second connection says {error}"),
        };
        Err(ConnectError::Unsuitable {
            found,
            needed: "one database, on one server, for all connections",
        })
    }

    /// Whether a connection for authentication sees this node.
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

    async fn begin_proof(&self) -> Result<Write<DB>, ConnectError> {
        let begun = Write::begin_timeless(self).await;
        begun.map_err(|source| ConnectError::NotWritable {
            table: "the database",
            source,
        })
    }
}
