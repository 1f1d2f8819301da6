use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use pat_core::store::StoreError;
use sqlx::Pool;

use crate::dialect::Dialect;
use crate::sql::ClockSource;
use crate::writers::Writers;

/// A token store in a database of sqlx: `SqliteStore`, `PostgresStore` and `MySqlStore` are this type.
///
/// The store has two pools: one only for authentication, so that long lists and bulk work cannot starve
/// it, and one for everything else. Clones share both pools.
pub struct SqlxStore<DB: Dialect> {
    pub(crate) pool: Pool<DB>,
    pub(crate) auth_pool: Pool<DB>,
    pub(crate) clock: ClockSource,
    pub(crate) writers: Writers,
    /// Whether the database was found suitable.
    is_checked: Arc<AtomicBool>,
}

impl<DB: Dialect> Clone for SqlxStore<DB> {
    fn clone(&self) -> Self {
        Self {
            pool: self.pool.clone(),
            auth_pool: self.auth_pool.clone(),
            clock: self.clock,
            writers: self.writers.clone(),
            is_checked: Arc::clone(&self.is_checked),
        }
    }
}

impl<DB: Dialect> fmt::Debug for SqlxStore<DB> {
    /// Writes the kind of the database. Leaves out the pools, whose options may contain a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SqlxStore<{}>", DB::NAME)
    }
}

impl<DB: Dialect> SqlxStore<DB> {
    /// Creates a store on the host's own pools. The store uses `auth_pool` only for authentication, and
    /// `pool` for everything else; both must lead to the same database, and may be the same pool.
    ///
    /// Call [`SqlxStore::migrate`] before the first use, or [`SqlxStore::check`] if the account may not change
    /// tables. They refuse connections with settings that the store cannot work with, and databases that
    /// cannot keep its guarantees. Until one of them has succeeded, every use of the store fails.
    /// [`prepare_connection`](crate::prepare_connection) applies suitable settings to each connection of a
    /// pool.
    ///
    /// ```
    /// use pat_sqlx::sqlx::sqlite::SqlitePoolOptions;
    /// use pat_sqlx::{SqlxStore, prepare_connection};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let url = format!("sqlite:{}?mode=rwc", folder.path().join("app.db").display());
    /// let options = SqlitePoolOptions::new()
    ///     .after_connect(|connection, _| Box::pin(prepare_connection(connection)));
    /// let pool = options.clone().max_connections(6).connect(&url).await?;
    /// let auth_pool = options.max_connections(4).connect(&url).await?;
    /// let store = SqlxStore::new(pool, auth_pool);
    /// store.migrate().await?;
    /// # store.close().await;
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn new(pool: Pool<DB>, auth_pool: Pool<DB>) -> Self {
        let writers = DB::file(&pool.connect_options()).map(Writers::of_file);
        Self {
            pool,
            auth_pool,
            clock: ClockSource::Database,
            writers: writers.unwrap_or_default(),
            is_checked: Arc::default(),
        }
    }

    pub(crate) fn mark_checked(&self) {
        self.is_checked.store(true, Ordering::Relaxed);
    }

    /// Returns an error unless `migrate` or `check` has succeeded on the host's pools. On a connection with
    /// other settings than the store needs, a statement may do something else, without an error.
    pub(crate) fn require_checked(&self) -> Result<(), StoreError> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        Err(StoreError::backend(
            "the database was not checked; call SqlxStore::migrate or SqlxStore::check before the \
             first use of the store",
        ))
    }

    /// Makes the store use the time that its callers pass, instead of the database server's: for tests
    /// that move the time, and for importing tokens that were created elsewhere.
    ///
    /// The danger: in production, a node with a wrong clock would expire and delete tokens too early.
    #[must_use]
    pub fn dangerous_with_callers_clock(self) -> Self {
        Self {
            clock: ClockSource::Caller,
            ..self
        }
    }

    /// Closes both pools, which the host then cannot use either. Waits until the connections in use are
    /// returned.
    pub async fn close(&self) {
        self.auth_pool.close().await;
        self.pool.close().await;
    }
}
