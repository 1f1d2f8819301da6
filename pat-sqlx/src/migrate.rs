use std::time::Duration;

use pat_core::store::SCHEMA_VERSION;
use sqlx::migrate::{Migrate as _, MigrateError, Migration, MigrationType, Migrator};
use sqlx::{Error, SqlSafeStr as _};

use crate::privileges::{explain, is_database_error, is_forbidden};
use crate::sql::{Sql, corrupt};
use crate::{ConnectError, Portable, SqlxStore, row, settings};

/// Ours, or the host's own migrations would find our rows in sqlx's default table, and refuse to
/// run.
const TABLE: &str = "pat_migrations";
/// The names of the migrations, in order.
const NAMES: [&str; 6] = [
    "tokens",
    "jobs",
    "nodes",
    "events",
    "time and audit",
    "leaps and children",
];
const _: () = assert!(
    NAMES.len() as u64 == SCHEMA_VERSION,
    "each migration makes another version of the tables"
);
/// How often the migrations are tried; with the pauses in between, for ten seconds.
const ATTEMPTS: u32 = 20;

impl<DB: Portable> SqlxStore<DB> {
    /// Creates the tables or brings them up to date. Safe to call from several processes at once,
    /// and beside the host's own migrations in the same database, in either order.
    ///
    /// Reads first, and changes nothing if the tables are up to date: then an account will do that
    /// may only read and write rows. Tables of a newer version are up to date too, unless that
    /// version has begun to use what this one would misread.
    ///
    /// # Errors
    /// [`ConnectError::Forbidden`] if the account may not do what is needed, with the statements
    /// that allow it; [`ConnectError::Outdated`] if the tables are for newer versions only;
    /// otherwise the database fails, or is none that the store's promises can be kept on.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        for pool in [&self.pool, &self.auth_pool] {
            settings::check(pool).await?;
        }
        self.check().await?;
        let migrator = migrator::<DB>();
        let is_up_to_date = {
            let acquired = self.pool.acquire().await;
            let mut connection = acquired.map_err(ConnectError::Open)?;
            is_up_to_date::<DB>(&migrator, &mut connection).await?
        };
        if !is_up_to_date {
            self.bring_up_to_date(&migrator).await?;
        }
        self.check_version().await?;
        self.prove_or_explain().await
    }

    async fn bring_up_to_date(&self, migrator: &Migrator) -> Result<(), ConnectError> {
        let mut result = migrator.run(&self.pool).await;
        for attempt in 1..ATTEMPTS {
            // Of several processes that begin together one may find another's work half done.
            if !result.as_ref().is_err_and(may_be_half_done::<DB>) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50) * attempt).await;
            result = migrator.run(&self.pool).await;
        }
        if let Err(MigrateError::Dirty(version)) = result {
            // A process ended half-way, where the database cannot undo the making of tables.
            tracing::warn!(version, "a migration was left half done; doing it again");
            self.forget_half_done().await?;
            result = migrator.run(&self.pool).await;
        }
        match result {
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
                if is_forbidden::<DB>(&error) =>
            {
                let acquired = self.pool.acquire().await;
                let mut connection = acquired.map_err(ConnectError::Open)?;
                Err(explain::<DB>(error, true, &mut connection).await)
            }
            result => Ok(result?),
        }
    }

    /// Forgets that one of our migrations was begun. Those of a newer version are its own business.
    async fn forget_half_done(&self) -> Result<(), ConnectError> {
        let mut sql = Sql::<DB>::new(format!(
            "DELETE FROM {TABLE} WHERE success = FALSE AND version <= "
        ));
        sql.bind(SCHEMA_VERSION.cast_signed());
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::Open)?;
        let forgotten = sql.execute(&mut connection).await;
        forgotten.map(drop).map_err(ConnectError::Open)
    }

    /// Refuses a server that cannot keep the store's promises, and a pooler that lets no connection
    /// keep its session.
    async fn check(&self) -> Result<(), ConnectError> {
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::open)?;
        DB::check(&mut connection).await?;
        let pools = [&self.pool, &self.auth_pool];
        // They may be one and the same.
        if pools
            .iter()
            .any(|pool| pool.options().get_max_connections() < 2)
        {
            return Ok(());
        }
        let other = self.auth_pool.acquire().await;
        let mut other = other.map_err(ConnectError::open)?;
        DB::check_pair(&mut connection, &mut other).await
    }

    /// Proves that the tables can be used, or says what the account lacks.
    async fn prove_or_explain(&self) -> Result<(), ConnectError> {
        match self.prove().await {
            Err(ConnectError::NotWritable { source, .. }) if is_forbidden::<DB>(&source) => {
                let acquired = self.pool.acquire().await;
                let mut connection = acquired.map_err(ConnectError::open)?;
                Err(explain::<DB>(source, false, &mut connection).await)
            }
            result => result,
        }
    }

    /// Refuses tables that this version would misread.
    async fn check_version(&self) -> Result<(), ConnectError> {
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::Open)?;
        let sql = Sql::<DB>::new("SELECT version, readable_from FROM pat_clock WHERE id = 1");
        let rows = match sql.fetch(&mut connection).await {
            Ok(rows) => rows,
            Err(error) => return Err(explain::<DB>(error, false, &mut connection).await),
        };
        let row = rows.first().ok_or_else(|| corrupt("pat_clock has no row"));
        let versions = row.and_then(row::versions).map_err(ConnectError::Open)?;
        versions.check().map_err(ConnectError::Outdated)?;
        if versions.version > SCHEMA_VERSION {
            tracing::info!(
                tables = versions.version,
                program = SCHEMA_VERSION,
                "the tables are of a newer version than this program, which may use them"
            );
        }
        Ok(())
    }
}

/// Whether all our migrations are done. It only reads.
async fn is_up_to_date<DB: Portable>(
    migrator: &Migrator,
    connection: &mut DB::Connection,
) -> Result<bool, ConnectError> {
    match done::<DB>(connection).await {
        Ok(done) => {
            let mut ours = migrator.iter();
            Ok(ours.all(|migration| {
                let is_same = |(version, checksum): &(i64, Vec<u8>)| {
                    *version == migration.version && **checksum == *migration.checksum
                };
                done.iter().any(is_same)
            }))
        }
        Err(error) if is_database_error(&error, DB::is_missing_table) => Ok(false),
        Err(error) => Err(explain::<DB>(error, false, connection).await),
    }
}

/// The migrations that are done, by their versions and checksums.
async fn done<DB: Portable>(connection: &mut DB::Connection) -> Result<Vec<(i64, Vec<u8>)>, Error> {
    let applied = connection.list_applied_migrations(TABLE).await;
    let applied = applied.map_err(cause)?.into_iter();
    // Asked for last: one that another process has begun since is not in the list yet.
    let dirty = connection.dirty_version(TABLE).await.map_err(cause)?;
    // What is half done is the lowest of all that is.
    let done = applied.filter(|migration| dirty.is_none_or(|dirty| migration.version < dirty));
    Ok(done
        .map(|migration| (migration.version, migration.checksum.into_owned()))
        .collect())
}

fn cause(error: MigrateError) -> Error {
    match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error,
        error => Error::Migrate(Box::new(error)),
    }
}

/// Whether another process may be in the middle of the same.
fn may_be_half_done<DB: Portable>(error: &MigrateError) -> bool {
    match error {
        MigrateError::Dirty(_) => true,
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            is_database_error(error, |error| {
                DB::is_transient(error) || error.is_unique_violation() || DB::is_half_done(error)
            })
        }
        _ => false,
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
    // A newer version may have been here, and this one may run beside it.
    migrator.set_ignore_missing(true);
    migrator
}
