//! Applies the settings of a connection, and refuses a connection that has others.

use sqlx::{Connection, Error, Pool};

use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::settings::Setting;
use crate::sql_dialect::SqlDialect;

/// Applies the settings of the store's own connections to a connection of the host, and reads them back.
/// Call this function in the `after_connect` of a pool that is passed to
/// [`SqlxStore::new`](crate::SqlxStore::new). The [crate documentation](crate#settings) lists the
/// settings of each database.
///
/// ```
/// use pat_sqlx::sqlx::sqlite::SqlitePoolOptions;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}?mode=rwc", folder.path().join("app.db").display());
/// let pool = SqlitePoolOptions::new()
///     .after_connect(|connection, _| Box::pin(pat_sqlx::prepare_connection(connection)))
///     .connect(&url)
///     .await?;
/// let store = pat_sqlx::SqlxStore::new(pool.clone(), pool);
/// store.migrate().await?;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Returns the error of the database if the database refuses a statement, and [`Error::Configuration`]
/// with a [`ConnectError::Setting`] inside if a setting does not have the applied value afterwards. In
/// `after_connect`, sqlx only logs such an error, and connects again until the pool's `acquire_timeout`.
///
/// A SQLite database in memory is not an error here, so that the pool opens at once, and
/// [`SqlxStore::migrate`](crate::SqlxStore::migrate) and [`SqlxStore::check`](crate::SqlxStore::check) return
/// [`ConnectError::InMemory`].
pub async fn prepare_connection<C>(connection: &mut C) -> Result<(), Error>
where
    C: Connection,
    C::Database: Dialect<Connection = C>,
{
    <C::Database as SqlDialect>::apply_settings(connection).await?;
    verify::<C::Database>(connection).await
}

/// Refuses a connection whose settings are not those that were applied.
pub(crate) async fn verify<DB: Dialect>(connection: &mut DB::Connection) -> Result<(), Error> {
    match find_refused::<DB>(connection, Setting::check_applied).await? {
        // The pool would hide this error behind a timeout. `check` reports it.
        None | Some(ConnectError::InMemory) => Ok(()),
        Some(refused) => Err(Error::Configuration(refused.into())),
    }
}

/// Refuses a pool whose connections have a setting that changes the meaning of statements.
pub(crate) async fn check<DB: Dialect>(pool: &Pool<DB>) -> Result<(), ConnectError> {
    let refused = async {
        let mut connection = pool.acquire().await?;
        find_refused::<DB>(&mut connection, Setting::check).await
    };
    match refused.await {
        Ok(refused) => refused.map_or(Ok(()), Err),
        Err(error) => Err(ConnectError::open(error).with_file(DB::file(&pool.connect_options()))),
    }
}

/// Returns why a connection is refused by this check of its settings.
async fn find_refused<DB: Dialect>(
    connection: &mut DB::Connection,
    check: fn(&Setting, &str) -> Result<(), ConnectError>,
) -> Result<Option<ConnectError>, Error> {
    for (setting, found) in DB::read_settings(connection).await? {
        if let Err(refused) = check(&setting, &found) {
            // A database in memory cannot have the settings, so the host must not look for them.
            let is_in_memory = DB::has_no_file(connection).await?;
            return Ok(Some(if is_in_memory {
                ConnectError::InMemory
            } else {
                refused
            }));
        }
    }
    Ok(None)
}
