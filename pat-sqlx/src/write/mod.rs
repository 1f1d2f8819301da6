//! Transactions that write.

mod clock;
mod events;
mod jobs;
mod nodes;
mod notifications;
mod owners;
mod proof;
mod tokens;

use std::time::Duration;

use jiff::Timestamp;
use pat_core::store::StoreTime;
use sqlx::Error;
use sqlx::pool::PoolConnection;
use tokio::time::timeout;

pub(crate) use self::jobs::LeaseRow;
pub(crate) use self::proof::proof_owner;
pub(crate) use self::tokens::Locked;
use crate::checkout::{Closing, LostConnection, give_up, is_connection_dead};
use crate::sql::{ClockSource, Insert, Row, Sql};
use crate::{Dialect, Portable, SqlxStore};

/// How long the end of a transaction that was not committed may take.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// A transaction that writes; rolled back unless it is committed.
///
/// Its connection goes back to the pool only after a commit or a rollback that the database has
/// confirmed. Any other is closed: it may still be in the transaction, and then no later call on it
/// would do what it should. The driver's own transactions are not used, since they go back to the
/// pool in any case, and since it counts how deep it is in them: a disk that is full ends a
/// transaction of SQLite's, and the driver believes that it is in it for ever.
///
/// Locks are taken in one order everywhere: lease, owner, parent token, tokens, outbox, and the
/// change counter last.
pub(crate) struct Write<DB: Portable> {
    /// `None` once it is given back.
    connection: Option<PoolConnection<DB>>,
    state: State,
    clock: ClockSource,
    /// The caller's clock.
    callers: Timestamp,
    /// The time as last read in this transaction.
    time: StoreTime,
    insists: bool,
}

/// How far a transaction has come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// All that was asked is answered.
    Open,
    /// A statement has failed, so there is nothing to commit.
    Failed,
    /// Something is asked and not answered.
    Asked,
    /// Nobody knows what state its connection is in.
    Unknown,
}

impl<DB: Portable> Write<DB> {
    /// Begins a transaction that does not need to know what time it is.
    pub(crate) async fn begin_timeless(store: &SqlxStore<DB>) -> Result<Self, Error> {
        let mut write = Self {
            connection: Some(store.pool.acquire().await?),
            state: State::Unknown,
            clock: store.clock,
            callers: Timestamp::UNIX_EPOCH,
            time: StoreTime::default(),
            insists: false,
        };
        let begun = DB::run(DB::BEGIN_WRITE, write.connection()?).await;
        begun.map_err(retriable::<DB>)?;
        write.state = State::Open;
        Ok(write)
    }

    /// Begins a transaction, and reads the time. `callers` is the caller's clock, which counts where
    /// the database has none.
    pub(crate) async fn begin(store: &SqlxStore<DB>, callers: Timestamp) -> Result<Self, Error> {
        let mut write = Self::begin_unread(store, callers).await?;
        write.read_time().await?;
        Ok(write)
    }

    /// The same, for one that reads the time after a lock, which may have to be waited for.
    pub(crate) async fn begin_unread(
        store: &SqlxStore<DB>,
        callers: Timestamp,
    ) -> Result<Self, Error> {
        let mut write = Self::begin_timeless(store).await?;
        write.callers = callers;
        Ok(write)
    }

    /// Has this transaction insist on its locks ([`Dialect::LOCK_EVERYWHERE`](crate::Dialect)).
    pub(crate) fn insisting(mut self, insists: bool) -> Self {
        self.insists = insists;
        self
    }

    pub(crate) async fn commit(mut self) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Error::Protocol("a statement before has failed".into()));
        }
        self.state = State::Asked;
        let committed = DB::run(DB::COMMIT, self.connection()?).await;
        // Without an answer it may hold or not, so it is not tried again on another connection.
        self.state = State::Unknown;
        committed?;
        self.connection = None;
        Ok(())
    }

    /// Undoes what was written, and waits until that is done.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        self.state = State::Unknown;
        DB::run(DB::ROLLBACK, self.connection()?).await?;
        self.connection = None;
        Ok(())
    }

    /// Returns how many rows were touched.
    async fn execute(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        self.state = State::Asked;
        let result = sql.execute(self.connection()?).await;
        self.answered(result)
    }

    /// Runs a statement that takes a lock.
    async fn execute_lock(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        let Some([everywhere, here]) = DB::LOCK_EVERYWHERE.filter(|_| self.insists) else {
            return self.execute(sql).await;
        };
        match self.execute(Sql::new(everywhere)).await {
            // There is no cluster. (A transaction that has lost another race is over: what came now
            // would be outside of it.)
            Err(Error::Database(error)) if !DB::is_transient(&*error) => {
                // Nothing was done, and the transaction goes on.
                self.state = State::Open;
                return self.execute(sql).await;
            }
            result => result?,
        };
        let locked = self.execute(sql).await;
        self.execute(Sql::new(here)).await?;
        locked
    }

    /// Inserts these rows, at once where the database can.
    pub(crate) async fn insert(&mut self, inserts: Vec<Insert>) -> Result<(), Error> {
        for sql in Insert::statements(inserts) {
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// The same in statements of their own: together they might have too many values.
    pub(crate) async fn insert_each(&mut self, inserts: Vec<Insert>) -> Result<(), Error> {
        for insert in inserts {
            self.insert(vec![insert]).await?;
        }
        Ok(())
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        self.state = State::Asked;
        let result = sql.fetch(self.connection()?).await;
        self.answered(result)
    }

    async fn fetch_one(&mut self, sql: Sql<DB>) -> Result<Row<DB>, Error> {
        let rows = self.fetch(sql).await?;
        rows.into_iter().next().ok_or(Error::RowNotFound)
    }

    fn answered<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.state = match &result {
            Ok(_) => State::Open,
            Err(error) if is_connection_dead::<DB>(error) => State::Unknown,
            Err(_) => State::Failed,
        };
        result.map_err(retriable::<DB>)
    }

    fn connection(&mut self) -> Result<&mut DB::Connection, Error> {
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| Error::Protocol("the transaction is over".into()))
    }
}

/// What came up before the commit may be asked again on another connection, if this one is lost.
fn retriable<DB: Dialect>(error: Error) -> Error {
    if is_connection_dead::<DB>(&error) {
        LostConnection::error(error)
    } else {
        error
    }
}

impl<DB: Portable> Drop for Write<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        match self.state {
            State::Open | State::Failed => {
                tokio::spawn(timeout(
                    ROLLBACK_TIMEOUT,
                    roll_back(Closing(Some(connection))),
                ));
            }
            State::Asked if DB::HAS_SERVER => give_up(connection),
            State::Asked | State::Unknown => connection.close_on_drop(),
        }
    }
}

async fn roll_back<DB: Portable>(mut closing: Closing<DB>) {
    let Some(connection) = &mut closing.0 else {
        return;
    };
    if DB::run(DB::ROLLBACK, connection).await.is_ok() {
        closing.0 = None;
    }
}
