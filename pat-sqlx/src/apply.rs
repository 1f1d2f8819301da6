//! Migrations, which several processes may apply at once.

use sqlx::migrate::{AppliedMigration, Migrate, MigrateError, Migration};

/// Applies the migrations that are missing, each after all before it are finished. `table` records
/// them.
///
/// sqlx's `Migrator` either takes an advisory lock, which not every pooler and cluster supports, or
/// treats a migration that another process has only begun as finished.
///
/// # Errors
/// [`MigrateError::Dirty`] if the next migration was begun and is not finished, and those of the
/// database, such as a duplicate version if another process has just begun the same migration.
pub(crate) async fn apply_missing(
    connection: &mut (impl Migrate + Send),
    table: &str,
    migrations: &[Migration],
) -> Result<(), MigrateError> {
    connection.ensure_migrations_table(table).await?;
    loop {
        let (finished, unfinished) = applied(connection, table).await?;
        let Some(missing) = missing(migrations, &finished)?.first().copied() else {
            return Ok(());
        };
        if unfinished == Some(missing.version) {
            return Err(MigrateError::Dirty(missing.version));
        }
        connection.apply(table, missing).await?;
    }
}

/// Returns the migrations that are finished, and the version of the lowest that is only begun.
async fn applied(
    connection: &mut (impl Migrate + Send),
    table: &str,
) -> Result<(Vec<AppliedMigration>, Option<i64>), MigrateError> {
    let listed = connection.list_applied_migrations(table).await?;
    // Read last, so that it covers every migration in the list.
    let unfinished = connection.dirty_version(table).await?;
    Ok((before(listed, unfinished), unfinished))
}

/// Returns the migrations before the lowest that is only begun, if there is one.
pub(crate) fn before(
    mut listed: Vec<AppliedMigration>,
    unfinished: Option<i64>,
) -> Vec<AppliedMigration> {
    listed.retain(|migration| unfinished.is_none_or(|version| migration.version < version));
    listed
}

/// Returns those of our migrations that are not among the finished ones.
///
/// # Errors
/// [`MigrateError::VersionMismatch`] if one was applied with another text.
pub(crate) fn missing<'m>(
    migrations: &'m [Migration],
    finished: &[AppliedMigration],
) -> Result<Vec<&'m Migration>, MigrateError> {
    let mut missing = Vec::new();
    for ours in migrations {
        match finished
            .iter()
            .find(|theirs| theirs.version == ours.version)
        {
            None => missing.push(ours),
            Some(theirs) if theirs.checksum != ours.checksum => {
                return Err(MigrateError::VersionMismatch(ours.version));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures_util::future::{BoxFuture, FutureExt as _, ready};
    use sqlx::SqlSafeStr as _;
    use sqlx::migrate::MigrationType;

    use super::*;

    const VERSIONS: i64 = 3;
    /// How many calls the other process may come between.
    const CALLS: u32 = 7;

    /// A database in which another process applies the same migrations, between our calls.
    struct Shared {
        /// The rows of the table: whether each migration is finished.
        is_finished: Vec<bool>,
        /// How many steps the other process takes before each call: it begins a migration or
        /// finishes the one that it has begun.
        steps: Vec<u32>,
        /// The migration that the other process has begun.
        theirs: Option<usize>,
    }

    impl Shared {
        fn let_the_other_go_on(&mut self) {
            for _ in 0..self.steps.pop().unwrap_or_default() {
                if let Some(begun) = self.theirs.take() {
                    self.is_finished[begun] = true;
                } else if self.is_finished.len() < migrations().len() {
                    self.theirs = Some(self.is_finished.len());
                    self.is_finished.push(false);
                }
            }
        }
    }

    fn done<'e, T: Send + 'e>(
        result: Result<T, MigrateError>,
    ) -> BoxFuture<'e, Result<T, MigrateError>> {
        ready(result).boxed()
    }

    impl Migrate for Shared {
        fn create_schema_if_not_exists<'e>(
            &'e mut self,
            _: &'e str,
        ) -> BoxFuture<'e, Result<(), MigrateError>> {
            unreachable!("the database has one schema")
        }

        fn ensure_migrations_table<'e>(
            &'e mut self,
            _: &'e str,
        ) -> BoxFuture<'e, Result<(), MigrateError>> {
            done(Ok(()))
        }

        fn dirty_version<'e>(
            &'e mut self,
            _: &'e str,
        ) -> BoxFuture<'e, Result<Option<i64>, MigrateError>> {
            self.let_the_other_go_on();
            let dirty = (1..)
                .zip(&self.is_finished)
                .find(|(_, is_finished)| !**is_finished);
            done(Ok(dirty.map(|(version, _)| version)))
        }

        fn list_applied_migrations<'e>(
            &'e mut self,
            _: &'e str,
        ) -> BoxFuture<'e, Result<Vec<AppliedMigration>, MigrateError>> {
            self.let_the_other_go_on();
            let listed = migrations().into_iter().take(self.is_finished.len());
            let listed = listed.map(|migration| AppliedMigration {
                version: migration.version,
                checksum: migration.checksum,
            });
            done(Ok(listed.collect()))
        }

        fn lock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
            unreachable!("not every cluster has locks")
        }

        fn unlock(&mut self) -> BoxFuture<'_, Result<(), MigrateError>> {
            unreachable!("not every cluster has locks")
        }

        fn apply<'e>(
            &'e mut self,
            _: &'e str,
            migration: &'e Migration,
        ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
            self.let_the_other_go_on();
            let index = usize::try_from(migration.version - 1).expect("a version");
            if index < self.is_finished.len() {
                // As a violation of the table's key.
                return done(Err(MigrateError::Execute(sqlx::Error::RowNotFound)));
            }
            let are_finished = self.is_finished.iter().all(|is_finished| *is_finished);
            assert!(are_finished, "version {} is too early", migration.version);
            self.is_finished.push(true);
            done(Ok(Duration::ZERO))
        }

        fn revert<'e>(
            &'e mut self,
            _: &'e str,
            _: &'e Migration,
        ) -> BoxFuture<'e, Result<Duration, MigrateError>> {
            unreachable!("migrations are not reverted")
        }
    }

    fn migrations() -> Vec<Migration> {
        let migration = |version| {
            let sql = "".into_sql_str();
            Migration::new(version, "".into(), MigrationType::Simple, sql, false)
        };
        (1..=VERSIONS).map(migration).collect()
    }

    /// Wherever the other process takes its steps, up to two before each call.
    #[tokio::test]
    async fn a_migration_waits_for_those_before_it() {
        let migrations = migrations();
        for number in 0..3_u32.pow(CALLS) {
            let mut shared = Shared {
                is_finished: Vec::new(),
                steps: (0..CALLS)
                    .map(|call| number / 3_u32.pow(call) % 3)
                    .collect(),
                theirs: None,
            };
            while let Err(error) = apply_missing(&mut shared, "", &migrations).await {
                let is_concurrent =
                    matches!(error, MigrateError::Dirty(_) | MigrateError::Execute(_));
                assert!(is_concurrent, "{error:?}");
                shared.steps.insert(0, 1);
            }
            assert_eq!(shared.is_finished, [true; 3], "{number}");
        }
    }
}
