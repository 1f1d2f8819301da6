//! The migrations of the tables: applied by the store, or as text by other tools.

use pat_core::store::SCHEMA_VERSION;
use sqlx::SqlSafeStr as _;
use sqlx::migrate::MigrationType;

use crate::dialect::Dialect;
use crate::sql_dialect::hex;
use crate::store::SqlxStore;

/// Not sqlx's default table: the host's migrator would find unknown migrations there, and refuse to
/// run.
pub(crate) const TABLE: &str = "pat_migrations";
/// The names of the migrations, in order.
const NAMES: [&str; 10] = [
    "tokens",
    "jobs",
    "nodes",
    "events",
    "time and audit",
    "leaps and children",
    "scopes",
    "lines",
    "requests",
    "revocation notices",
];
const _: () = assert!(
    NAMES.len() as u64 == SCHEMA_VERSION,
    "each migration makes another version of the tables"
);

/// The tables that the store reads and writes.
#[cfg(any(feature = "postgres", feature = "mysql"))]
pub(crate) const TABLES: [&str; 12] = [
    "pat_token",
    "pat_last_used",
    "pat_owner",
    "pat_clock",
    "pat_change",
    "pat_node",
    "pat_lease",
    "pat_notice",
    "pat_notice_token",
    "pat_event",
    "pat_sink",
    "pat_idempotency",
];

/// A migration of the store's tables as text ([`SqlxStore::migrations`]), for a database administrator or
/// the migration tool of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Migration {
    /// Number of the migration, from 1. The migrations are applied in this order, without a gap.
    pub version: u64,
    /// Name of the migration: lower-case words with underscores, such as `time_and_audit`.
    pub name: String,
    /// SQL statements, separated by semicolons. The last one records in the table `pat_migrations` that the
    /// migration was applied.
    ///
    /// Apply the whole text once, in one transaction if the database can roll back `CREATE TABLE` (SQLite and
    /// PostgreSQL). The text itself begins no transaction.
    pub sql: String,
}

impl Migration {
    /// Returns the name of a file for this migration: the version with four digits and the name, such as
    /// `0005_time_and_audit.sql`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}.sql", label(self.version, &self.name))
    }

    fn new<DB: Dialect>(migration: &sqlx::migrate::Migration) -> Self {
        let sqlx::migrate::Migration {
            version,
            description,
            sql,
            checksum,
            ..
        } = migration;
        let sql = sql.as_str().trim_end();
        let table = match version {
            1 => format!("{};\n\n", DB::CREATE_MIGRATIONS_TABLE),
            _ => String::new(),
        };
        let checksum = DB::bytes_literal(&hex(checksum));
        Self {
            version: version.cast_unsigned(),
            name: snake_case(description),
            // As sqlx records it, so that `migrate` finds it applied.
            sql: format!(
                "{table}{sql}\n\nINSERT INTO {TABLE} (version, description, success, checksum, \
                 execution_time)\n    VALUES ({version}, '{description}', TRUE,\n    {checksum}, 0);\n"
            ),
        }
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Returns the migrations of the store's tables for this database as text, in the order in which they
    /// are applied.
    ///
    /// The text is for a database administrator, or for the host's own migration tool.
    /// `connect_without_migrating` and [`SqlxStore::check`] accept tables that were made with it;
    /// [`SqlxStore::migrate`] finds nothing to do on them. A released migration never changes; a new version
    /// of this crate may add migrations.
    ///
    /// ```
    /// use pat_sqlx::SqliteStore;
    ///
    /// # fn main() -> std::io::Result<()> {
    /// # let folder = tempfile::tempdir()?;
    /// for migration in SqliteStore::migrations() {
    ///     std::fs::write(folder.path().join(migration.file_name()), migration.sql)?;
    /// }
    /// assert!(folder.path().join("0001_tokens.sql").exists());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn migrations() -> Vec<Migration> {
        migrations::<DB>()
            .iter()
            .map(Migration::new::<DB>)
            .collect()
    }
}

/// Returns the migrations as sqlx applies them.
pub(crate) fn migrations<DB: Dialect>() -> Vec<sqlx::migrate::Migration> {
    let migrations = (1..).zip(NAMES).zip(DB::MIGRATIONS);
    let migrations = migrations.map(|((version, name), sql)| {
        let (sql, kind) = (sql.into_sql_str(), MigrationType::Simple);
        sqlx::migrate::Migration::new(version, name.into(), kind, sql, false)
    });
    migrations.collect()
}

/// Returns how errors name a migration, such as `0005_time_and_audit`.
pub(crate) fn name(migration: &sqlx::migrate::Migration) -> String {
    let version = migration.version.cast_unsigned();
    label(version, &snake_case(&migration.description))
}

fn label(version: u64, name: &str) -> String {
    format!("{version:04}_{name}")
}

fn snake_case(description: &str) -> String {
    description.replace(' ', "_")
}
