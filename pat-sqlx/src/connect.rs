use std::sync::Arc;

use async_trait::async_trait;
use futures_util::future::BoxFuture;
use pat_core::store::TokenStore;

use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::migrate::Migrating;
#[cfg(feature = "mysql")]
use crate::mysql::MySqlStore;
#[cfg(feature = "postgres")]
use crate::postgres::PostgresStore;
#[cfg(feature = "sqlite")]
use crate::sqlite::SqliteStore;
use crate::store::SqlxStore;

/// Opens a store in the database of this URL (`sqlite:`, `postgres:` or `postgresql:`, `mysql:` or
/// `mariadb:`), and creates its tables or brings them up to date.
///
/// This function is for hosts whose configuration decides which kind of database they use. A host that
/// uses only one kind calls the `connect` of that store, such as `SqliteStore::connect`.
///
/// ```
/// use pat_core::Pats;
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let url = format!("sqlite:{}", folder.path().join("pat.db").display());
/// let store = pat_sqlx::connect(&url).await?;
/// let pats = Pats::builder(store.tokens()).build();
/// # drop(pats);
/// store.close().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// - [`ConnectError::UnknownScheme`] if the URL begins with none of these schemes.
/// - [`ConnectError::MissingFeature`] if the feature of this crate for the scheme is not enabled.
/// - [`ConnectError::Url`] if sqlx cannot parse the URL.
/// - [`ConnectError::InMemory`] if a SQLite URL names no file.
/// - The errors of [`SqlxStore::migrate`].
pub async fn connect(url: &str) -> Result<AnyStore, ConnectError> {
    open(url, Migrating::Allowed).await
}

/// Opens a store in the database of this URL like [`connect`], but changes no table: for accounts that
/// may not, and for tables that another tool creates and updates ([`SqlxStore::migrations`]). A SQLite file
/// must exist.
///
/// # Errors
/// - [`ConnectError::MigrationsMissing`] if the tables are missing or not up to date.
/// - The other errors of [`connect`].
pub async fn connect_without_migrating(url: &str) -> Result<AnyStore, ConnectError> {
    open(url, Migrating::Refused).await
}

/// Compiled in this crate alone. The body of an async function is compiled by each crate that
/// awaits it; for this one, that is the code of all stores.
#[inline(never)]
fn open(url: &str, migrating: Migrating) -> BoxFuture<'_, Result<AnyStore, ConnectError>> {
    Box::pin(open_by_scheme(url, migrating))
}

#[cfg_attr(
    not(any(feature = "sqlite", feature = "postgres", feature = "mysql")),
    expect(
        clippy::unused_async,
        unused_variables,
        reason = "there is no store to open"
    )
)]
async fn open_by_scheme(url: &str, migrating: Migrating) -> Result<AnyStore, ConnectError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        #[cfg(feature = "sqlite")]
        Some("sqlite") => SqliteStore::open_url(url, migrating)
            .await
            .map(AnyStore::new),
        #[cfg(not(feature = "sqlite"))]
        Some("sqlite") => Err(ConnectError::MissingFeature("sqlite")),
        #[cfg(feature = "postgres")]
        Some("postgres" | "postgresql") => PostgresStore::open_url(url, migrating)
            .await
            .map(AnyStore::new),
        #[cfg(not(feature = "postgres"))]
        Some("postgres" | "postgresql") => Err(ConnectError::MissingFeature("postgres")),
        #[cfg(feature = "mysql")]
        Some("mysql" | "mariadb") => MySqlStore::open_url(url, migrating)
            .await
            .map(AnyStore::new),
        #[cfg(not(feature = "mysql"))]
        Some("mysql" | "mariadb") => Err(ConnectError::MissingFeature("mysql")),
        _ => Err(ConnectError::UnknownScheme),
    }
}

/// The token store that [`connect`] returns: in SQLite, PostgreSQL, MySQL or MariaDB, depending on the
/// URL. Clones share the connections.
#[derive(Debug, Clone)]
pub struct AnyStore(Arc<dyn ClosableStore>);

impl AnyStore {
    fn new(store: impl ClosableStore) -> Self {
        Self(Arc::new(store))
    }

    /// Returns the store as the trait object that [`Pats::builder`](pat_core::Pats::builder) takes.
    #[must_use]
    pub fn tokens(&self) -> Arc<dyn TokenStore> {
        self.0.clone()
    }

    /// Returns a store on the same connections that uses the clock of its callers instead of the
    /// database's. [`SqlxStore::dangerous_with_callers_clock`] describes the danger.
    #[must_use]
    pub fn dangerous_with_callers_clock(&self) -> Arc<dyn TokenStore> {
        self.0.with_callers_clock()
    }

    /// Closes all connections of the store. Waits until the connections in use are returned. Later calls of
    /// the store, or of a clone, fail.
    pub async fn close(&self) {
        self.0.close().await;
    }
}

#[async_trait]
trait ClosableStore: TokenStore {
    fn with_callers_clock(&self) -> Arc<dyn TokenStore>;

    async fn close(&self);
}

#[async_trait]
impl<DB: Dialect> ClosableStore for SqlxStore<DB> {
    fn with_callers_clock(&self) -> Arc<dyn TokenStore> {
        Arc::new(self.clone().dangerous_with_callers_clock())
    }

    async fn close(&self) {
        self.close().await;
    }
}
