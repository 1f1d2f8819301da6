//! The privileges that the database account needs.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::dialect::Dialect;
use crate::error::ConnectError;

/// The statements by which an administrator allows an account to use the store.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// What the account needs on tables that are up to date.
    pub to_run: Vec<String>,
    /// What the account needs further to create the tables or bring them up to date.
    pub to_migrate: Vec<String>,
}

/// Converts the error of a statement: [`ConnectError::Forbidden`] with the missing grants if the
/// account lacks a privilege, else [`ConnectError::Open`]. `is_migrating`: whether the tables have to
/// be changed.
pub(crate) async fn explain<DB: Dialect>(
    error: Error,
    is_migrating: bool,
    connection: &mut DB::Connection,
) -> ConnectError {
    if !is_forbidden::<DB>(&error) {
        return ConnectError::Open(error);
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

/// The text of [`ConnectError::Forbidden`].
pub(crate) fn advice(to_run: &[String], to_migrate: &[String]) -> String {
    let (to_run, to_migrate) = (to_run.join("; "), to_migrate.join("; "));
    if to_migrate.is_empty() {
        return format!("have an administrator run: {to_run}");
    }
    format!(
        "the tables have to be created or brought up to date: start this version once with an \
         account that may do so, or grant this account: {to_migrate}; after that it needs only: \
         {to_run}"
    )
}
