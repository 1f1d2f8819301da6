//! Connections on which a call was given up half-way.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Error, Pool};

use crate::sql::{Row, Sql};
use crate::{Dialect, Portable};

/// How many connections this process gives up for lost at a time: all of one store.
const MAX_LOST: usize = 10;
/// How long one counts as lost. By then a server has ended what it was asked, or knows that nobody
/// is there.
const LOST_FOR: Duration = Duration::from_mins(1);

/// Whether a connection on which no answer comes may be closed, so that its pool can open another;
/// to be asked once for each.
///
/// A pool takes a connection back by asking whether it still works, and waits for that answer. Where
/// a network swallows everything that is until the operating system gives up, after many minutes; a
/// few of those, and the pool has none left though the database is long back. But a server that only
/// takes long still works on what it was asked, whether or not somebody is there to hear it. So only
/// some are closed, or a table that is locked would fill the server with connections.
pub(crate) fn may_lose_one() -> bool {
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

/// A connection for one call.
struct Lent<DB: Database> {
    connection: PoolConnection<DB>,
    is_answered: bool,
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        if !self.is_answered && may_lose_one() {
            self.connection.close_on_drop();
        }
    }
}

impl<DB: Portable> Lent<DB> {
    async fn of(pool: &Pool<DB>) -> Result<Self, Error> {
        Ok(Self {
            connection: pool.acquire().await?,
            is_answered: false,
        })
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        let rows = sql.fetch(&mut self.connection).await;
        self.is_answered = true;
        rows
    }
}

/// Runs a statement outside a transaction.
pub(crate) async fn fetch<DB: Portable>(
    pool: &Pool<DB>,
    sql: Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    Lent::of(pool).await?.fetch(sql).await
}

/// Runs a statement outside a transaction, on a server that takes writes: a replica may not know of a
/// revocation yet. The statement has a row whatever it finds, and selects `is_writable`
/// ([`Dialect::IS_WRITABLE`]).
///
/// After a failover the pool's connections lead to what was the primary, or nowhere. Each that does
/// is closed, and the next one asked.
pub(crate) async fn fetch_from_primary<DB: Portable>(
    pool: &Pool<DB>,
    sql: impl Fn() -> Sql<DB>,
) -> Result<Vec<Row<DB>>, Error> {
    let mut others = pool.options().get_max_connections();
    loop {
        let mut lent = Lent::of(pool).await?;
        let rows = lent.fetch(sql()).await.and_then(if_writable);
        match rows {
            Err(error) if leads_nowhere::<DB>(&error) => {
                lent.connection.close_on_drop();
                if others == 0 {
                    return Err(error);
                }
                others -= 1;
            }
            rows => return rows,
        }
    }
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
fn leads_nowhere<DB: Dialect>(error: &Error) -> bool {
    match error {
        Error::Configuration(_) | Error::Io(_) | Error::Protocol(_) => true,
        Error::Database(error) => DB::is_farewell(&**error),
        _ => false,
    }
}
