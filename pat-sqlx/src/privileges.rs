//! What the database account must be allowed to do.

use sqlx::Error;
use sqlx::error::DatabaseError;

use crate::{ConnectError, Portable};

/// The tables that the store reads and writes.
pub(crate) const TABLES: [&str; 11] = [
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
];

/// Statements that an administrator runs, so that an account may use the store.
#[derive(Debug, Clone, Default)]
pub struct Grants {
    /// What an account needs on tables that are up to date.
    pub to_run: Vec<String>,
    /// What it needs on top, to create the tables or bring them up to date.
    pub to_migrate: Vec<String>,
}

/// The error of a statement, with what the account lacks if that is why it failed.
///
/// `is_migrating`: whether the tables have to be changed.
pub(crate) async fn explain<DB: Portable>(
    error: Error,
    is_migrating: bool,
    connection: &mut DB::Connection,
) -> ConnectError {
    if !is_forbidden::<DB>(&error) {
        return ConnectError::Open(error);
    }
    // They are worth a query, and not another error.
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

pub(crate) fn is_forbidden<DB: Portable>(error: &Error) -> bool {
    is_database_error(error, DB::is_forbidden)
}

/// Whether the database has answered with such an error.
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
        "the tables have to be made or brought up to date: start this version once with an account \
         that may do so, or allow it to this one: {to_migrate}; then an account needs no more than: \
         {to_run}"
    )
}
