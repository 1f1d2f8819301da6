use std::time::Duration;

use pat_core::store::SCHEMA_VERSION;
use sqlx::Error;
use sqlx::migrate::{AppliedMigration, MigrateError, Migration};

use crate::apply::{apply_missing, before, missing};
use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::migration::{TABLE, migrations, name};
use crate::privileges::{explain, is_database_error, is_forbidden};
use crate::sql::{Sql, corrupt};
use crate::store::SqlxStore;
use crate::{prepare, row};

/// How often the migrations are attempted: for ten seconds, with the pauses in between.
const ATTEMPTS: u32 = 20;

/// Whether the tables may be changed when the store is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Migrating {
    Allowed,
    Refused,
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Checks the database, creates the store's tables or brings them up to date, and checks that they
    /// can be written. Several processes may call this method at once. The host's own migrations may run
    /// in the same database, before or after.
    ///
    /// If the tables are up to date, the method changes no table, so that the account needs no more
    /// privileges than to read and write rows. Tables of a newer version count as up to date, unless
    /// that version has written data that this version would misread.
    ///
    /// # Errors
    /// - [`ConnectError::Open`] if the database cannot be reached or is read-only.
    /// - [`ConnectError::InMemory`] if a connection has a database in memory.
    /// - [`ConnectError::Setting`] if a connection has a setting that the store cannot work with.
    /// - [`ConnectError::Unsuitable`] if the database lacks a property that the store needs.
    /// - [`ConnectError::Forbidden`] if the account lacks privileges.
    /// - [`ConnectError::Migrate`] if a migration fails.
    /// - [`ConnectError::Outdated`] if only newer versions can read the tables.
    /// - [`ConnectError::NotWritable`] if the database refuses a write to one of the tables.
    pub async fn migrate(&self) -> Result<(), ConnectError> {
        self.make_ready(Migrating::Allowed).await
    }

    /// Checks the database and its tables like [`SqlxStore::migrate`], but changes no table: for hosts whose
    /// tables are created and updated by a database administrator or another tool
    /// ([`SqlxStore::migrations`]).
    ///
    /// # Errors
    /// - [`ConnectError::MigrationsMissing`] if the tables are missing or not up to date.
    /// - [`ConnectError::Migrate`] if a migration was applied that differs from the one of this version.
    /// - The other errors of [`SqlxStore::migrate`].
    pub async fn check(&self) -> Result<(), ConnectError> {
        self.make_ready(Migrating::Refused).await
    }

    pub(crate) async fn make_ready(&self, migrating: Migrating) -> Result<(), ConnectError> {
        let ready = self.check_and_migrate(migrating).await;
        ready.map_err(|error| error.with_file(DB::file(&self.pool.connect_options())))
    }

    async fn check_and_migrate(&self, migrating: Migrating) -> Result<(), ConnectError> {
        for pool in [&self.pool, &self.auth_pool] {
            prepare::check(pool).await?;
        }
        self.check_server().await?;
        let migrations = migrations::<DB>();
        let missing = {
            let acquired = self.pool.acquire().await;
            let mut connection = acquired.map_err(ConnectError::open)?;
            missing_in::<DB>(&migrations, &mut connection).await?
        };
        match (migrating, missing) {
            (_, Ok(missing)) if missing.is_empty() => {}
            (Migrating::Allowed, _) => self.bring_up_to_date(&migrations).await?,
            (Migrating::Refused, Ok(missing)) => {
                let missing = missing.into_iter().map(name).collect();
                return Err(ConnectError::MigrationsMissing { missing });
            }
            (Migrating::Refused, Err(error)) => return Err(ConnectError::migrate(error)),
        }
        self.check_tables().await?;
        self.check_version().await?;
        self.probe_or_explain().await?;
        self.mark_checked();
        Ok(())
    }

    async fn bring_up_to_date(&self, migrations: &[Migration]) -> Result<(), ConnectError> {
        let mut result = self.apply_missing(migrations).await;
        for attempt in 1..ATTEMPTS {
            // Another process may be in the middle of the same migration.
            if !result.as_ref().is_err_and(may_be_concurrent::<DB>) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50) * attempt).await;
            result = self.apply_missing(migrations).await;
        }
        if let Err(MigrateError::Dirty(version)) = result {
            // A process ended in the middle, on a database that cannot roll back `CREATE TABLE`.
            tracing::warn!(version, "repeating a migration that was applied in part");
            self.forget_half_done().await?;
            result = self.apply_missing(migrations).await;
        }
        match result {
            Err(MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _))
                if is_forbidden::<DB>(&error) =>
            {
                let acquired = self.pool.acquire().await;
                let mut connection = acquired.map_err(ConnectError::open)?;
                Err(explain::<DB>(error, true, &mut connection).await)
            }
            result => result.map_err(ConnectError::migrate),
        }
    }

    async fn apply_missing(&self, migrations: &[Migration]) -> Result<(), MigrateError> {
        let mut connection = self.pool.acquire().await?;
        apply_missing(&mut *connection, TABLE, migrations).await
    }

    /// Deletes the record of a migration that was begun and not finished, unless it is a newer
    /// version's.
    async fn forget_half_done(&self) -> Result<(), ConnectError> {
        let mut sql = Sql::<DB>::new(format!(
            "DELETE FROM {TABLE} WHERE success = FALSE AND version <= "
        ));
        sql.bind(SCHEMA_VERSION.cast_signed());
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::open)?;
        let forgotten = sql.execute(&mut connection).await;
        forgotten.map(drop).map_err(ConnectError::open)
    }

    /// Refuses a server that cannot keep the store's promises, and a pooler that shares sessions.
    async fn check_server(&self) -> Result<(), ConnectError> {
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::open)?;
        DB::check(&mut connection).await?;
        let pools = [&self.pool, &self.auth_pool];
        // The two pools may be the same one, and then have no second connection.
        if pools
            .iter()
            .any(|pool| pool.options().get_max_connections() < 2)
        {
            return Ok(());
        }
        let other = self.auth_pool.acquire().await;
        let mut other = other.map_err(ConnectError::open)?;
        DB::check_pooler(&mut connection, &mut other).await
    }

    /// Refuses tables that are not the store's own, or were made in another way.
    async fn check_tables(&self) -> Result<(), ConnectError> {
        let acquired = self.pool.acquire().await;
        let mut connection = acquired.map_err(ConnectError::open)?;
        DB::check_tables(&mut connection).await
    }

    /// Probes that the tables can be written, or returns what the account lacks.
    async fn probe_or_explain(&self) -> Result<(), ConnectError> {
        match self.probe().await {
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
        let mut connection = acquired.map_err(ConnectError::open)?;
        let sql = Sql::<DB>::new("SELECT version, readable_from FROM pat_clock WHERE id = 1");
        let rows = match sql.fetch(&mut connection).await {
            Ok(rows) => rows,
            Err(error) => return Err(explain::<DB>(error, false, &mut connection).await),
        };
        let row = rows.first().ok_or_else(|| corrupt("pat_clock has no row"));
        let versions = row.and_then(row::versions).map_err(ConnectError::open)?;
        versions.check().map_err(ConnectError::Outdated)?;
        if versions.version > SCHEMA_VERSION {
            tracing::info!(
                tables = versions.version,
                program = SCHEMA_VERSION,
                "the tables have a newer version than this program, which can use them"
            );
        }
        Ok(())
    }
}

/// Returns the migrations that are not applied, or the error that one was applied with another text. It
/// only reads.
pub(crate) async fn missing_in<'m, DB: Dialect>(
    migrations: &'m [Migration],
    connection: &mut DB::Connection,
) -> Result<Result<Vec<&'m Migration>, MigrateError>, ConnectError> {
    match finished::<DB>(connection).await {
        Ok(finished) => Ok(missing(migrations, &finished)),
        Err(error) if is_database_error(&error, DB::is_missing_table) => {
            Ok(Ok(migrations.iter().collect()))
        }
        Err(error) => Err(explain::<DB>(error, false, connection).await),
    }
}

/// Returns the migrations that are finished. The statements of sqlx for this would fail where the server prepares no
/// more.
async fn finished<DB: Dialect>(
    connection: &mut DB::Connection,
) -> Result<Vec<AppliedMigration>, Error> {
    let sql = Sql::<DB>::new(format!(
        "SELECT version, checksum FROM {TABLE} ORDER BY version"
    ));
    let rows = sql.fetch(connection).await?;
    // Read last, so that it covers every migration in the list.
    let sql = Sql::<DB>::new(format!(
        "SELECT version FROM {TABLE} WHERE success = FALSE ORDER BY version LIMIT 1"
    ));
    let unfinished = sql.fetch(connection).await?;
    let unfinished = unfinished.first().map(|row| row.int("version"));
    let listed = rows.iter().map(|row| {
        Ok(AppliedMigration {
            version: row.int("version")?,
            checksum: row.bytes("checksum")?.into(),
        })
    });
    let listed: Result<Vec<_>, Error> = listed.collect();
    Ok(before(listed?, unfinished.transpose()?))
}

/// Whether another process may be in the middle of the same migration.
fn may_be_concurrent<DB: Dialect>(error: &MigrateError) -> bool {
    match error {
        MigrateError::Dirty(_) => true,
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
            is_database_error(error, |error| {
                DB::is_transient(error)
                    || error.is_unique_violation()
                    || DB::is_concurrent_migration(error)
            })
        }
        _ => false,
    }
}
