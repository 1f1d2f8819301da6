use std::fmt::Debug;

use async_trait::async_trait;

use super::Finding;
use crate::error::BoxError;

/// The database of a host, for the commands `migrate` and `doctor`. The stores of `pat-sqlx` have an implementation,
/// `pat_sqlx::DatabaseUrl`.
#[async_trait]
pub trait Database: Debug + Send + Sync + 'static {
    /// Returns the SQL of all migrations of an engine (`sqlite`, `postgres` or `mysql`), or by default of this
    /// database's engine, in order. Needs no connection.
    ///
    /// # Errors
    /// There is no such engine.
    fn migrations(&self, engine: Option<&str>) -> Result<Vec<MigrationText>, BoxError>;

    /// Returns whether the tables are up to date, without a change of the database.
    ///
    /// # Errors
    /// The database cannot be read.
    async fn state(&self) -> Result<SchemaState, BoxError>;

    /// Creates the tables or brings them up to date.
    ///
    /// # Errors
    /// The database cannot be migrated.
    async fn migrate(&self) -> Result<(), BoxError>;

    /// Checks, for `doctor`, that the database can be reached and is suitable.
    async fn diagnose(&self) -> Vec<Finding>;
}

/// The SQL of a migration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MigrationText {
    /// Version of the tables to which the migration leads, from 1.
    pub version: u64,
    /// Name of the migration, such as `0005_time_and_audit`.
    pub name: String,
    /// Its SQL statements.
    pub sql: String,
}

impl MigrationText {
    /// Creates the text of a migration.
    #[must_use]
    pub fn new(version: u64, name: impl Into<String>, sql: impl Into<String>) -> Self {
        Self {
            version,
            name: name.into(),
            sql: sql.into(),
        }
    }
}

/// Whether the tables in a database are those of this version.
///
/// This enum is exhaustive: `migrate --check` has an exit code for each variant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaState {
    /// The tables are up to date.
    Current,
    /// The tables are missing, or were made by an earlier version.
    Behind {
        /// Names of the missing migrations, in order.
        missing: Vec<String>,
    },
    /// A later version has changed the tables.
    Ahead {
        /// Version of the tables.
        version: u64,
        /// Earliest version of the tables that a program must know to use them.
        readable_from: u64,
    },
}
