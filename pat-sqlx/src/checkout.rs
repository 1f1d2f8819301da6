//! Connections on which a call was given up half-way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection as _, Database, Error, Pool};
use tokio::time::timeout;

use crate::sql::{Row, Sql};
use crate::{Dialect, Portable};

/// How many connections this process gives up for lost at a time: all of one store.
const MAX_LOST: usize = 10;
/// How long one counts as lost. By then a server has ended what it was asked, or knows that nobody
/// is there.
const LOST_FOR: Duration = Duration::from_mins(1);

/// By when a server has answered what it was asked, which waits for a lock at most.
pub(crate) const ANSWERED_AFTER: Duration = Duration::from_secs(10);

/// Whether a connection on which no answer comes may be closed, so that its pool can open another;
/// to be asked once for each.
///
/// A pool takes a connection back by asking whether it still works, and waits for that answer. Where
/// a network swallows everything that is until the operating system gives up, after many minutes; a
/// few of those, and the pool has none left though the database is long back. But a server that only
/// takes long still works on what it was asked, whether or not somebody is there to hear it. So only
/// some are closed, or a table that is locked would fill the server with connections.
pub(crate) fn try_discard() -> bool {
    static LOST: AtomicUsize = AtomicUsize::new(0);
    let one_more = |lost| (lost < MAX_LOST).then_some(lost + 1);
    let may = LOST
        .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more)
        .is_ok();
    if may {
        tokio::spawn(async {
            tokio::time::sleep(LOST_FOR).await;
            LOST.fetch_sub(1, Ordering::SeqCst);
        });
    }
    may
}

/// Closes a connection on which something was asked and not answered.
///
/// It never goes back to its pool. A driver may take a late answer for that of the next question, or
/// wait for one to a question that it has not sent (MySQL's does both, if a call is given up while it
/// prepares a statement). If it may not be closed at once it keeps its place until the server has
/// answered, or must have.
pub(crate) fn give_up<DB: Database>(connection: PoolConnection<DB>) {
    let mut closing = Closing(Some(connection));
    if try_discard() {
        return;
    }
    tokio::spawn(async move {
        if let Some(connection) = &mut closing.0 {
            let _answered = timeout(ANSWERED_AFTER, connection.ping()).await;
        }
    });
}

/// A connection that is closed, unless it is taken out before.
pub(crate) struct Closing<DB: Database>(pub(crate) Option<PoolConnection<DB>>);

impl<DB: Database> Drop for Closing<DB> {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// A connection for one call.
struct CheckedOut<DB: Dialect> {
    /// `None` once it is given back.
    connection: Option<PoolConnection<DB>>,
    is_answered: bool,
}

impl<DB: Dialect> Drop for CheckedOut<DB> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.is_answered
            && DB::HAS_SERVER
        {
            give_up(connection);
        }
    }
}

impl<DB: Portable> CheckedOut<DB> {
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
            return Err(Error::Protocol("the connection was given back".into()));
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
pub(crate) async fn fetch<DB: Portable>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    CheckedOut::of(pool).await?.fetch(sql, Ok).await
}

/// Runs a statement outside a transaction, on a server that takes writes: a replica may not know of a
/// revocation yet. The statement has a row whatever it finds, and selects `is_writable`
/// ([`Dialect::IS_WRITABLE`]).
///
/// After a failover the pool's connections lead to what was the primary, or nowhere. One that does is
/// closed, and the error says that the next one may do better.
pub(crate) async fn fetch_from_primary<DB: Portable>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    CheckedOut::of(pool).await?.fetch(sql, if_writable).await
}

fn if_writable<DB: Portable>(rows: Vec<Row<DB>>) -> Result<Vec<Row<DB>>, Error> {
    match rows.first().map(|row| row.int("is_writable")).transpose()? {
        Some(1) | None => Ok(rows),
        Some(_) => Err(not_writable()),
    }
}

pub(crate) fn not_writable() -> Error {
    Error::Configuration("the server takes no writes; is it a replica?".into())
}

/// Whether a connection on which this came up is of no use, but another one may be.
pub(crate) fn is_connection_dead<DB: Dialect>(error: &Error) -> bool {
    match error {
        Error::Configuration(_) | Error::Io(_) | Error::Protocol(_) | Error::WorkerCrashed => true,
        Error::Database(error) => DB::is_disconnect(&**error),
        _ => false,
    }
}

/// A connection ended while a statement was on it, and nothing that was asked on it is committed. So
/// all of that may be asked again on another one.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub(crate) struct LostConnection(Error);

impl LostConnection {
    /// As an error of a call that would otherwise return this one.
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
