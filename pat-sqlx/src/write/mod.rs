//! Transactions that write.

mod clock;
mod descendants;
mod events;
mod imports;
mod jobs;
pub(crate) mod large_revocations;
mod lines;
mod nodes;
mod notifications;
mod owners;
mod probe;
pub(crate) mod revocation_notices;
mod tokens;
pub(crate) mod unused;
mod updates;

use std::time::Duration;

use jiff::Timestamp;
use sqlx::Error;
use sqlx::pool::PoolConnection;
use tokio::time::timeout;

pub(crate) use self::jobs::LeaseRow;
pub(crate) use self::lines::Earlier;
pub(crate) use self::probe::probe_owner;
pub(crate) use self::tokens::Locked;
use crate::call_time::CallTime;
use crate::checkout::{CloseOnDrop, LostConnection, discard, is_connection_dead};
use crate::dialect::Dialect;
use crate::sql::{InconsistentRead, Insert, Row, Sql};
use crate::store::SqlxStore;
use crate::writers::{Admission, WAIT};

/// How long the rollback of a dropped transaction may take.
const ROLLBACK_TIMEOUT: Duration = Duration::from_secs(1);

/// A transaction that writes; it is rolled back unless it is committed.
///
/// Its connection returns to the pool only after a commit or a rollback that the database has
/// confirmed, and is closed otherwise: it may still be in the transaction, and later calls would
/// run inside. The driver's own transactions return to the pool in any case. They also count their
/// depth, and the count is wrong after SQLite has ended a transaction by itself because the disk is
/// full.
///
/// Locks are taken in one order everywhere: lease, owner, parent token, tokens, outbox, and the
/// change counter last.
pub(crate) struct Write<DB: Dialect> {
    /// `None` after the return to the pool.
    connection: Option<PoolConnection<DB>>,
    /// Lets the next writer of this process in when it is dropped, after the connection.
    admission: Option<Admission>,
    state: State,
    /// The time as last read in this transaction.
    time: CallTime,
    locks_eagerly: bool,
}

/// The state of a transaction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Every statement has a response.
    Open,
    /// A statement has failed, so the transaction must not be committed.
    Failed,
    /// A statement has no response yet.
    Pending,
    /// The state of the connection is not known.
    Unknown,
}

impl<DB: Dialect> Write<DB> {
    /// Begins a transaction that does not need the time. Where there is one writer at a time, it waits until
    /// the earlier ones of this process are done.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] if that takes too long.
    pub(crate) async fn begin_timeless(store: &SqlxStore<DB>) -> Result<Self, Error> {
        let admission = store.writers.enter(WAIT).await;
        Self::begin_admitted(store, admission.ok_or(Error::PoolTimedOut)?).await
    }

    /// Begins a transaction that does not need the time, of a writer that has waited for the earlier ones.
    ///
    /// It takes a connection only now, so that waiting writers leave those of the pool to readers.
    pub(crate) async fn begin_admitted(
        store: &SqlxStore<DB>,
        admission: Admission,
    ) -> Result<Self, Error> {
        Self::begin_by(DB::BEGIN_WRITE, store, Some(admission)).await
    }

    /// Begins a transaction that only reads, so does not wait for other writers.
    async fn begin_reading(store: &SqlxStore<DB>) -> Result<Self, Error> {
        Self::begin_by("BEGIN", store, None).await
    }

    async fn begin_by(
        sql: &'static str,
        store: &SqlxStore<DB>,
        admission: Option<Admission>,
    ) -> Result<Self, Error> {
        let mut write = Self {
            connection: Some(store.pool.acquire().await?),
            admission,
            state: State::Unknown,
            time: CallTime::new(store.clock, Timestamp::UNIX_EPOCH),
            locks_eagerly: false,
        };
        let begun = DB::run(sql, write.connection()?).await;
        begun.map_err(retriable::<DB>)?;
        write.state = State::Open;
        Ok(write)
    }

    /// Begins a transaction, and reads the time. `caller_now` counts where the database has no clock.
    pub(crate) async fn begin(store: &SqlxStore<DB>, caller_now: Timestamp) -> Result<Self, Error> {
        let mut write = Self::begin_unread(store, caller_now).await?;
        write.read_time().await?;
        Ok(write)
    }

    /// Begins a transaction that reads the time later, after a lock that it may have to wait for.
    pub(crate) async fn begin_unread(
        store: &SqlxStore<DB>,
        caller_now: Timestamp,
    ) -> Result<Self, Error> {
        let mut write = Self::begin_timeless(store).await?;
        write.time.caller_now = caller_now;
        Ok(write)
    }

    /// Makes this transaction use eager locks ([`SqlDialect::EAGER_LOCKS`](crate::Dialect)).
    pub(crate) fn with_eager_locks(mut self, locks_eagerly: bool) -> Self {
        self.locks_eagerly = locks_eagerly;
        self
    }

    pub(crate) async fn commit(self) -> Result<(), Error> {
        self.commit_any(false).await
    }

    /// Commits a transaction that has changed thousands of rows. Other writers do not wait for the checkpoint that
    /// comes after it.
    pub(crate) async fn commit_large(self) -> Result<(), Error> {
        self.commit_any(true).await
    }

    async fn commit_any(mut self, is_large: bool) -> Result<(), Error> {
        if self.state != State::Open {
            return Err(Error::Protocol("an earlier statement has failed".into()));
        }
        self.state = State::Pending;
        let put_off = if is_large {
            DB::put_off_checkpoint(self.connection()?).await?
        } else {
            None
        };
        let committed = DB::run(DB::COMMIT, self.connection()?).await;
        // Without a response it may be committed or not, so it is not repeated on another connection.
        self.state = State::Unknown;
        committed?;
        if let Some(put_off) = put_off {
            self.admission = None;
            if let Err(error) = DB::checkpoint(put_off, self.connection()?).await {
                // A later commit makes up for it. This connection is closed, since its setting is not restored.
                tracing::debug!(%error, "the checkpoint after a large transaction failed");
                return Ok(());
            }
        }
        self.connection = None;
        Ok(())
    }

    /// Rolls the transaction back, and waits for the response.
    pub(crate) async fn rollback(mut self) -> Result<(), Error> {
        self.state = State::Unknown;
        DB::run(DB::ROLLBACK, self.connection()?).await?;
        self.connection = None;
        Ok(())
    }

    /// Returns how many rows were changed.
    async fn execute(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        self.state = State::Pending;
        let result = sql.execute(self.connection()?).await;
        self.finish(result)
    }

    /// Runs a statement that must change this many locked rows.
    async fn execute_on(&mut self, count: usize, sql: Sql<DB>) -> Result<(), Error> {
        let changed = self.execute(sql).await?;
        if changed == count as u64 {
            return Ok(());
        }
        Err(InconsistentRead::error(format!(
            "{changed} of {count} locked tokens were changed"
        )))
    }

    /// Runs a statement that takes a lock.
    async fn execute_lock(&mut self, sql: Sql<DB>) -> Result<u64, Error> {
        let Some([everywhere, here]) = DB::EAGER_LOCKS.filter(|_| self.locks_eagerly) else {
            return self.execute(sql).await;
        };
        match self.execute(Sql::new(everywhere)).await {
            // There is no cluster. (After a transient error the transaction is over, and what follows
            // would run outside of it.)
            Err(Error::Database(error)) if !DB::is_transient(&*error) => {
                // The statement had no effect, and the transaction continues.
                self.state = State::Open;
                return self.execute(sql).await;
            }
            result => result?,
        };
        let locked = self.execute(sql).await;
        self.execute(Sql::new(here)).await?;
        locked
    }

    /// Runs these inserts, as one statement where the database can.
    pub(crate) async fn insert(&mut self, inserts: Vec<Insert>) -> Result<(), Error> {
        for sql in Insert::into_statements(inserts) {
            self.execute(sql).await?;
        }
        Ok(())
    }

    /// Runs these inserts one by one: together they might have too many values.
    pub(crate) async fn insert_each(&mut self, inserts: Vec<Insert>) -> Result<(), Error> {
        for insert in inserts {
            self.insert(vec![insert]).await?;
        }
        Ok(())
    }

    async fn fetch(&mut self, sql: Sql<DB>) -> Result<Vec<Row<DB>>, Error> {
        self.state = State::Pending;
        let result = sql.fetch(self.connection()?).await;
        self.finish(result)
    }

    async fn fetch_one(&mut self, sql: Sql<DB>) -> Result<Row<DB>, Error> {
        let rows = self.fetch(sql).await?;
        rows.into_iter().next().ok_or(Error::RowNotFound)
    }

    fn finish<T>(&mut self, result: Result<T, Error>) -> Result<T, Error> {
        self.state = match &result {
            Ok(_) => State::Open,
            Err(error) if is_connection_dead::<DB>(error) => State::Unknown,
            Err(_) => State::Failed,
        };
        result.map_err(retriable::<DB>)
    }

    fn connection(&mut self) -> Result<&mut DB::Connection, Error> {
        let connection = self.connection.as_deref_mut();
        connection.ok_or_else(|| Error::Protocol("the transaction has ended".into()))
    }
}

/// Marks an error before the commit as one that another connection may not have.
fn retriable<DB: Dialect>(error: Error) -> Error {
    if is_connection_dead::<DB>(&error) {
        LostConnection::error(error)
    } else {
        error
    }
}

impl<DB: Dialect> Drop for Write<DB> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        match self.state {
            State::Open | State::Failed => {
                let admission = self.admission.take();
                tokio::spawn(async {
                    let connection = CloseOnDrop(Some(connection));
                    let _answered = timeout(ROLLBACK_TIMEOUT, roll_back(connection)).await;
                    drop(admission);
                });
            }
            State::Pending if DB::HAS_SERVER => discard(connection),
            State::Pending | State::Unknown => connection.close_on_drop(),
        }
    }
}

async fn roll_back<DB: Dialect>(mut connection_slot: CloseOnDrop<DB>) {
    let Some(connection) = &mut connection_slot.0 else {
        return;
    };
    if DB::run(DB::ROLLBACK, connection).await.is_ok() {
        connection_slot.0 = None;
    }
}
