//! Connections to database servers, the same for PostgreSQL and MySQL.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions as _, Connection, Error, Pool};
use tokio::time::timeout;

use crate::checkout::{ANSWERED_AFTER, not_writable, try_discard};
use crate::dialect::Dialect;
use crate::error::ConnectError;
use crate::migrate::Migrating;
use crate::prepare;
use crate::sql::Sql;
use crate::store::SqlxStore;

/// Connections reserved for authentication. A cache miss is one short query, so a few are enough.
const AUTH_CONNECTIONS: u32 = 4;
/// Connections for everything else. With the ones above, ten nodes use the 100 connections that
/// PostgreSQL allows by default.
const CONNECTIONS: u32 = 6;
/// How long a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that is returned to a pool may take to respond to a ping.
const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) async fn connect<DB: Dialect>(
    options: <DB::Connection as Connection>::Options,
    migrating: Migrating,
) -> Result<SqlxStore<DB>, ConnectError> {
    // First without a pool, whose only error would be a timeout.
    let first = timeout(ACQUIRE_TIMEOUT, try_once::<DB>(&options)).await;
    let timed_out = || ConnectError::open(Error::Io(ErrorKind::TimedOut.into()));
    first.unwrap_or_else(|_elapsed| Err(timed_out()))?;
    let general = pool::<DB>(CONNECTIONS)
        .before_acquire(|connection, _| Box::pin(is_writable::<DB>(connection)))
        .connect_with(options.clone());
    let general = general.await.map_err(ConnectError::open)?;
    // Its statements check that themselves; see `fetch_from_primary`.
    let auth: Pool<DB> = pool(AUTH_CONNECTIONS).connect_lazy_with(options);
    let store = SqlxStore::new(general, auth);
    store.make_ready(migrating).await?;
    Ok(store)
}

/// Returns the options of a pool whose new connections all lead to a server that takes writes.
///
/// After a failover, connections may stay open to the old primary, now a replica that lags behind and
/// would accept revoked tokens. So each use has to check again, in place of the driver's own test of
/// a connection.
fn pool<DB: Dialect>(connections: u32) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(ping::<DB>(connection)))
        .after_connect(|connection, _| Box::pin(prepare::<DB>(connection)))
}

async fn try_once<DB: Dialect>(
    options: &<DB::Connection as Connection>::Options,
) -> Result<(), ConnectError> {
    let mut connections = Vec::with_capacity(2);
    for _ in 0..2 {
        connections.push(options.connect().await.map_err(ConnectError::open)?);
    }
    let [one, other] = &mut connections[..] else {
        return Ok(());
    };
    // First, since behind such a pooler the next steps fail with misleading errors.
    DB::check_pooler(one, other).await?;
    prepare::<DB>(one).await.map_err(ConnectError::open)?;
    for connection in connections {
        // The check has succeeded. A MySQL server closes the connection at once, and on a local
        // socket the driver's shutdown of TLS then fails.
        let _closed = connection.close().await;
    }
    Ok(())
}

async fn prepare<DB: Dialect>(connection: &mut DB::Connection) -> Result<(), Error> {
    // Before any statement whose meaning a setting could change. A server that takes no writes is
    // reported as such first, whatever its other settings are.
    DB::apply_settings(connection).await?;
    if !is_writable::<DB>(connection).await? {
        return Err(not_writable());
    }
    prepare::verify::<DB>(connection).await
}

/// Whether a connection can be used again. The driver's own ping would wait without a limit.
async fn ping<DB: Dialect>(connection: &mut DB::Connection) -> Result<bool, Error> {
    let mut answer = pin!(forget_and_ping::<DB>(connection));
    let answer = match timeout(RETURN_TIMEOUT, &mut answer).await {
        Ok(answer) => answer,
        Err(_elapsed) if try_discard() => Err(Error::Io(ErrorKind::TimedOut.into())),
        // It stays open for a while, or the pool would open more connections to a server that is
        // only slow.
        Err(_elapsed) => timeout(ANSWERED_AFTER, answer)
            .await
            .unwrap_or_else(|_elapsed| Err(Error::Io(ErrorKind::TimedOut.into()))),
    };
    answer.map(|()| true)
}

/// Closes the prepared statements of a connection if there are many, and pings the connection. A call that had to make
/// room for a statement would wait for the same; here no call waits.
async fn forget_and_ping<DB: Dialect>(connection: &mut DB::Connection) -> Result<(), Error> {
    if connection.cached_statements_size() > DB::MAX_IDLE_PREPARED {
        connection.clear_cached_statements().await?;
    }
    connection.ping().await
}

async fn is_writable<DB: Dialect>(connection: &mut DB::Connection) -> Result<bool, Error> {
    let sql = Sql::<DB>::new(format!("SELECT {} AS is_writable", DB::IS_WRITABLE));
    let rows = sql.fetch(connection).await?;
    let row = rows.first().ok_or(Error::RowNotFound)?;
    Ok(row.int("is_writable")? == 1)
}
