//! Connections checked out of a pool, also by calls that are dropped half-way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Database, Error, Pool};
use tokio::time::timeout;

use crate::dialect::Dialect;
use crate::sql::{Row, Sql};

/// How many connections without a response this process closes in [`LOST_FOR`]: all of one store.
const MAX_LOST: usize = 10;
/// How long a closed connection counts. By then a server has ended its statement, or noticed that the
/// client is gone.
const LOST_FOR: Duration = Duration::from_mins(1);

/// How long a server takes at most to respond: longer than a statement may wait for a lock.
pub(crate) const ANSWERED_AFTER: Duration = Duration::from_secs(10);

/// Whether one more connection without a response may be closed, so that its pool can open another;
/// counts that connection.
///
/// A pool pings a connection that comes back to it. Where a network drops all packets, the ping
/// waits until the operating system gives up after many minutes; a few such connections exhaust the
/// pool, although the database may be back. But a server that is only slow continues the statement
/// after its connection is closed. So the number is limited, or a locked table would exhaust the
/// connections of the server.
pub(crate) fn try_discard() -> bool {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    let one_more = |lost| (lost < MAX_LOST).then_some(lost + 1);
    let may = LOST
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more)
        .is_ok();
    if may {
        tokio::spawn(async {
            tokio::time::sleep(LOST_FOR).await;
            LOST.fetch_sub(1, Ordering::Relaxed);
        });
    }
    may
}

/// Closes a connection with a statement that has no response yet.
///
/// It never goes back to its pool. A driver may take a late response for that of the next statement,
/// or wait for the response to a statement that it has not sent (MySQL's does both, if a call is
/// dropped while it prepares a statement). If [`try_discard`] refuses, the connection stays open,
/// and counts in its pool, until the server has responded.
pub(crate) fn discard<DB: Database>(connection: PoolConnection<DB>) {
    let mut connection_slot = CloseOnDrop(Some(connection));
    if try_discard() {
        return;
    }
    tokio::spawn(async move {
        if let Some(connection) = &mut connection_slot.0 {
            let _answered = timeout(ANSWERED_AFTER, connection.ping()).await;
        }
    });
}

/// Closes a connection when it is dropped, unless the connection was taken out.
pub(crate) struct CloseOnDrop<DB: Database>(pub(crate) Option<PoolConnection<DB>>);

impl<DB: Database> Drop for CloseOnDrop<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// A connection that is checked out for one call.
struct CheckedOut<DB: Dialect> {
    /// `None` after the return to the pool.
    connection: Option<PoolConnection<DB>>,
    is_answered: bool,
}

impl<DB: Dialect> Drop for CheckedOut<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_answered
            && DB::HAS_SERVER
        {
            discard(connection);
        }
    }
}

impl<DB: Dialect> CheckedOut<DB> {
    async fn of(pool: &Pool<DB>) -> Result<Self, Error> {
        Ok(Self {
            connection: Some(pool.acquire().await?),
            is_answered: false,
        })
    }

    async fn fetch(
        &mut self,
        sql: Sql<DB>,
        accept: impl Fn(Vec<Row<DB>>) -> Result<Vec<Row<DB>>, Error>,
    ) -> Result<Vec<Row<DB>>, Error> {
        let Some(connection) = &mut self.connection else {
            return Err(Error::Protocol(
                "the connection was returned to its pool".into(),
            ));
        };
        let rows = sql.fetch(connection).await.and_then(accept);
        self.is_answered = true;
        rows.map_err(|error| {
            if is_connection_dead::<DB>(&error) {
                connection.close_on_drop();
                return LostConnection::error(error);
            }
            error
        })
    }
}

/// Runs a statement outside a transaction.
pub(crate) async fn fetch<DB: Dialect>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    CheckedOut::of(pool).await?.fetch(sql, Ok).await
}

/// Runs a statement outside a transaction that always returns a row.
pub(crate) async fn fetch_one<DB: Dialect>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Row<DB>, Error> {
    let rows = fetch(pool, sql).await?;
    rows.into_iter().next().ok_or(Error::RowNotFound)
}

/// Runs a statement outside a transaction, on a server that takes writes: a replica may not have a
/// revocation yet. The statement always returns a row, and selects `is_writable`
/// ([`SqlDialect::IS_WRITABLE`](crate::dialect::SqlDialect::IS_WRITABLE)).
///
/// After a failover the pool's connections may lead to the old primary, or be dead. Such a connection
/// is closed, and the error is a [`LostConnection`], so that the call is repeated on another one.
pub(crate) async fn fetch_from_primary<DB: Dialect>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    CheckedOut::of(pool).await?.fetch(sql, if_writable).await
}

fn if_writable<DB: Dialect>(rows: Vec<Row<DB>>) -> Result<Vec<Row<DB>>, Error> {
    match rows.first().map(|row| row.int("is_writable")).transpose()? {
        Some(1) | None => Ok(rows),
        Some(_) => Err(not_writable()),
    }
}

pub(crate) fn not_writable() -> Error {
    Error::Configuration("the server takes no writes; connect to the primary".into())
}

/// Whether the connection of this error cannot be used any more, while another one may work.
pub(crate) fn is_connection_dead<DB: Dialect>(error: &Error) -> bool {
    match error {
        Error::Configuration(_) | Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(error) => DB::is_disconnect(&**error),
        _ => false,
    }
}

/// A connection ended during a statement, and nothing of its transaction is committed: the call may
/// be repeated on another connection.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct LostConnection(Error);

impl LostConnection {
    /// Wraps the error of a call.
    pub(crate) fn error(error: Error) -> Error {
        Error::Io(std::io::Error::other(Self(error)))
    }

    pub(crate) fn is(error: &Error) -> bool {
        match error {
            Error::Io(error) => error
                .get_ref()
                .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Self>),
            _ => false,
        }
    }
}
