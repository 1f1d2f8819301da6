use std::time::Duration;

use sqlx::SqlSafeStr as _;
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};

use crate::sql::Sql;
use crate::{ConnectError, Portable, SqlxStore};

/// Ours, or the host's own migrations would find our rows in sqlx's default table, and refuse to
/// run.
const TABLE: &str = "pat_migrations";
/// The names of the migrations, in order.
const NAMES: [&str; 5] = ["tokens", "jobs", "nodes", "events", "time and audit"];
/// How often the migrations are tried; with the pauses in between, for ten seconds.
const ATTEMPTS: u32 = 20;

impl<DB: Portable> SqlxStore<DB> {
    /// Creates the tables or brings them up to date. Safe to call from several processes at once,
    /// and beside the host's own migrations in the same database, in either order.
    ///
    /// # Errors
    /// The database refuses, or is none that the store's promises can be kept on.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        let acquired = self.pool.acquire().await;
        DB::check(&mut *acquired.map_err(ConnectError::Open)?).await?;
        let migrator = migrator::<DB>();
        let mut result = migrator.run(&self.pool).await;
        for attempt in 1..ATTEMPTS {
            // Of several processes that begin together one may find another's work half done.
            if result.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50) * attempt).await;
            result = migrator.run(&self.pool).await;
        }
        if let Err(MigrateError::Dirty(version)) = result {
            // A process ended half-way, where the database cannot undo the making of tables.
            tracing::warn!(version, "a migration was left half done; doing it again");
            let forget = Sql::<DB>::new(format!("DELETE FROM {TABLE} WHERE success = FALSE"));
            let acquired = self.pool.acquire().await;
            let forgotten = forget
                .execute(&mut *acquired.map_err(ConnectError::Open)?)
                .await;
            forgotten.map_err(ConnectError::Open)?;
            result = migrator.run(&self.pool).await;
        }
        Ok(result?)
    }
}

fn migrator<DB: Portable>() -> Migrator {
    let migrations = (1..).zip(NAMES).zip(DB::MIGRATIONS);
    let migrations = migrations.map(|((version, name), sql)| {
        let sql = sql.into_sql_str();
        Migration::new(version, name.into(), MigrationType::Simple, sql, false)
    });
    let mut migrator = Migrator::with_migrations(migrations.collect());
    migrator.dangerous_set_table_name(TABLE);
    // The lock is an advisory one, which not every pooler and cluster passes on; `migrate` does
    // without.
    migrator.set_locking(false);
    migrator
}
