//! The privileges that the database account needs.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::sql_dialect::Grants;

/// Converts the error of a statement: [`ConnectError::Forbidden`] with the missing grants if the
/// account lacks a privilege, else [`ConnectError::Open`]. `is_migrating` says whether the tables
/// have to be changed.
pub(crate) async fn explain<DB: Dialect>(
    error: Error,
    is_migrating: bool,
    connection: &mut DB::Connection,
) -> ConnectError {
    if !is_forbidden::<DB>(&error) {
        return ConnectError::open(error);
    }
    // If the query for them fails too, the first error is the one to report.
    let Grants {
        to_run,
        mut to_migrate,
    } = DB::grants(connection).await.unwrap_or_default();
    if !is_migrating {
        to_migrate.clear();
    }
    ConnectError::Forbidden {
        to_run,
        to_migrate,
        source: error,
    }
}

pub(crate) fn is_forbidden<DB: Dialect>(error: &Error) -> bool {
    is_database_error(error, DB::is_forbidden)
}

/// Whether the database reported such an error.
pub(crate) fn is_database_error(error: &Error, is_such: fn(&dyn DatabaseError) -> bool) -> bool {
    error.as_database_error().is_some_and(is_such)
}
