//! Applies the settings of a connection, and refuses a connection that has others.

use sqlx::{Connection, Error, Pool};

use crate::dialect::Dialect;
use crate::error::ConnectError;
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
/// with a [`ConnectError::Setting`] inside if a setting does not have the applied value afterwards.
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
    for (setting, found) in DB::read_settings(connection).await? {
        let checked = setting.check_applied(&found);
        checked.map_err(|error| Error::Configuration(error.into()))?;
    }
    Ok(())
}

/// Refuses a pool whose connections have a setting that changes the meaning of statements.
pub(crate) async fn check<DB: Dialect>(pool: &Pool<DB>) -> Result<(), ConnectError> {
    let connection = pool.acquire().await;
    let mut connection = connection.map_err(ConnectError::open)?;
    let settings = DB::read_settings(&mut connection).await;
    for (setting, found) in settings.map_err(ConnectError::open)? {
        setting.check(&found)?;
    }
    Ok(())
}
