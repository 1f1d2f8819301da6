use std::sync::Arc;

use async_trait::async_trait;
use pat_core::TokenStore;

use crate::{ConnectError, Portable, SqlxStore};

/// Opens the database of this URL, of whichever kind it is, and brings the tables up to date:
/// `sqlite:`, `postgres:` (or `postgresql:`) or `mysql:` (or `mariadb:`).
///
/// For hosts that are told the database by their configuration; the stores' own `connect` is the
/// same for one kind.
///
/// # Errors
/// There is no store for such a URL or its feature is not switched on, or the database cannot be
/// used.
pub async fn connect(url: &str) -> Result<AnyStore, ConnectError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => crate::SqliteStore::connect(url).await.map(AnyStore::new),
        #[cfg(not(feature = "sqlite"))]
        Some("sqlite") => Err(ConnectError::MissingFeature("sqlite")),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => {
            crate::PostgresStore::connect(url).await.map(AnyStore::new)
        }
        #[cfg(not(feature = "postgres"))]
        Some("postgres" | "postgresql") => Err(ConnectError::MissingFeature("postgres")),
        #[cfg(feature = "mysql")]
        Some("mysql" | "mariadb") => crate::MySqlStore::connect(url).await.map(AnyStore::new),
        #[cfg(not(feature = "mysql"))]
        Some("mysql" | "mariadb") => Err(ConnectError::MissingFeature("mysql")),
        _ => Err(ConnectError::UnknownScheme),
    }
}

/// A store in the database that a URL named; see [`connect`].
#[derive(Debug, Clone)]
pub struct AnyStore(Arc<dyn Closing>);

impl AnyStore {
    #[cfg_attr(
        not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
        expect(dead_code, reason = "without a database there is no store")
    )]
    fn new(store: impl Closing) -> Self {
        Self(Arc::new(store))
    }

    /// The store, for [`Pats::builder`](pat_core::Pats::builder).
    #[must_use]
    pub fn tokens(&self) -> Arc<dyn TokenStore> {
        self.0.clone()
    }

    /// The store, going by its callers' clock; see
    /// [`SqlxStore::dangerous_with_callers_clock`].
    #[must_use]
    pub fn dangerous_with_callers_clock(&self) -> Arc<dyn TokenStore> {
        self.0.with_callers_clock()
    }

    /// Closes all connections; waits for those in use.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
trait Closing: TokenStore {
    fn with_callers_clock(&self) -> Arc<dyn TokenStore>;

    async fn close(&self);
}

#[async_trait]
impl<DB: Portable> Closing for SqlxStore<DB> {
    fn with_callers_clock(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.clone().dangerous_with_callers_clock())
    }

    async fn close(&self) {
        self.close().await;
    }
}
