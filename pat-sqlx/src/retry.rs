//! Repeats transactions that lost a race, and calls whose connection had ended.

use std::time::Duration;

use pat_core::store::StoreError;
use pat_core::{Clock as _, SystemClock};
use sqlx::error::DatabaseError;

use crate::checkout::LostConnection;
use crate::dialect::Dialect;
use crate::sql::InconsistentRead;
use crate::store::SqlxStore;
use crate::writers::WAIT;

/// How long a transaction that loses races (busy, deadlock, serialization) is repeated, even if its
/// caller gives up earlier. On a Galera cluster the first transaction to commit wins, so under
/// concurrency one may lose many races.
const RETRY_FOR: Duration = WAIT;
/// The longest pause before the second attempt, and before any later one.
const PAUSES: [Duration; 2] = [Duration::from_millis(10), Duration::from_millis(100)];
/// How many races a transaction loses before it uses eager locks; see [`SqlDialect::EAGER_LOCKS`].
const RACES_BEFORE_EAGER_LOCKS: u32 = 3;
/// How often a call whose statements found different rows ([`InconsistentRead`]) is repeated.
const INCONSISTENT_READS: u32 = 5;

impl<DB: Dialect> SqlxStore<DB> {
    /// Repeats a transaction while it loses races, and on another connection if its own ended before
    /// the commit: as often as the pools may have connections from before a failover.
    pub(crate) async fn retry<T, F>(
        &self,
        transaction: impl Fn() -> F + Send,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        self.retry_with_eager_locks(move |_| transaction()).await
    }

    /// Like [`SqlxStore::retry`]; passes `true` once the transaction has to use eager locks.
    ///
    /// Compiled for each transaction of each database, so as much as possible is in [`Attempts`],
    /// which is compiled once.
    pub(crate) async fn retry_with_eager_locks<T, F>(
        &self,
        transaction: impl Fn(bool) -> F + Send,
    ) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, sqlx::Error>> + Send,
    {
        self.require_checked()?;
        let pools = [&self.pool, &self.auth_pool];
        let connections = pools.map(|pool| pool.options().get_max_connections());
        let mut attempts = Attempts::new(connections[0].max(connections[1]));
        loop {
            match transaction(attempts.lock_eagerly()).await {
                Ok(result) => return Ok(result),
                Err(error) => attempts.wait_after(error, DB::is_transient).await?,
            }
        }
    }
}

/// The attempts that a call has left.
struct Attempts {
    /// Boot time of the first.
    begun: Duration,
    pause: Duration,
    lost_races: u32,
    other_connections: u32,
    inconsistent_reads: u32,
}

impl Attempts {
    fn new(connections: u32) -> Self {
        Self {
            begun: SystemClock.boot(),
            pause: PAUSES[0],
            lost_races: 0,
            other_connections: connections,
            inconsistent_reads: INCONSISTENT_READS,
        }
    }

    fn lock_eagerly(&self) -> bool {
        self.lost_races >= RACES_BEFORE_EAGER_LOCKS
    }

    /// Waits until the next attempt.
    ///
    /// # Errors
    /// This error, if there is to be no other attempt.
    async fn wait_after(
        &mut self,
        error: sqlx::Error,
        is_transient: fn(&dyn DatabaseError) -> bool,
    ) -> Result<(), StoreError> {
        match error {
            sqlx::Error::Database(error) if self.is_in_time() && is_transient(&*error) => {
                tracing::debug!("the transaction lost a race and is repeated");
                tokio::time::sleep(jittered(self.pause)).await;
                self.pause = PAUSES[1].min(self.pause * 2);
                self.lost_races += 1;
            }
            error if self.inconsistent_reads > 0 && InconsistentRead::is(&error) => {
                tracing::debug!(%error, "the transaction found inconsistent rows and is repeated");
                tokio::time::sleep(jittered(self.pause)).await;
                self.inconsistent_reads -= 1;
            }
            error if self.other_connections > 0 && LostConnection::is(&error) => {
                tracing::debug!(%error, "a database connection ended; the call is repeated on another one");
                self.other_connections -= 1;
            }
            sqlx::Error::PoolTimedOut => return Err(StoreError::Timeout),
            // The store itself refuses, for example because the program is too old.
            sqlx::Error::Decode(error) if error.is::<StoreError>() => {
                return Err(error
                    .downcast()
                    .map_or_else(StoreError::backend, |error| *error));
            }
            error => return Err(StoreError::backend(error)),
        }
        Ok(())
    }

    fn is_in_time(&self) -> bool {
        SystemClock.boot().saturating_sub(self.begun) < RETRY_FOR
    }
}

/// Returns a random part of a pause, so that two transactions that conflicted do not meet again.
fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX);
    pause.mul_f64(f64::from(random) / f64::from(u32::MAX))
}
