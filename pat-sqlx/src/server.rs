//! What the stores on database servers share.

use std::io::ErrorKind;
use std::pin::pin;
use std::time::Duration;

use sqlx::pool::PoolOptions;
use sqlx::{ConnectOptions as _, Connection, Error, Pool};
use tokio::time::timeout;

use crate::checkout::{ANSWERED_AFTER, not_writable, try_discard};
use crate::sql::Sql;
use crate::{ConnectError, Portable, SqlxStore, settings};

/// Connections for authentication, which nothing else may take. A miss is one short query, so a few
/// are enough.
const AUTH_CONNECTIONS: u32 = 4;
/// Connections for everything else. Together with the above ten nodes take the 100 connections that
/// PostgreSQL allows by default.
const CONNECTIONS: u32 = 6;
/// How long a call waits for a connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection that comes back to a pool may take to answer.
const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

pub(crate) async fn connect<DB: Portable>(
    options: <DB::Connection as Connection>::Options,
) -> Result<SqlxStore<DB>, ConnectError> {
    // Once without a pool, which says no more than that time has run out.
    let first = timeout(ACQUIRE_TIMEOUT, try_once::<DB>(&options)).await;
    let timed_out = || ConnectError::Open(Error::Io(ErrorKind::TimedOut.into()));
    first.unwrap_or_else(|_elapsed| Err(timed_out()))?;
    let general = pool::<DB>(CONNECTIONS)
        .before_acquire(|connection, _| Box::pin(is_writable::<DB>(connection)))
        .connect_with(options.clone());
    let general = general.await.map_err(ConnectError::open)?;
    // What is asked there asks for that itself; see `fetch_from_primary`.
    let auth: Pool<DB> = pool(AUTH_CONNECTIONS).connect_lazy_with(options);
    let store = SqlxStore::new(general, auth);
    store.migrate().await?;
    Ok(store)
}

/// A pool whose new connections all lead to a server that takes writes.
///
/// After a failover, connections stay open to the old primary, which answers as a replica: behind
/// the others, so that it would let revoked tokens in. So they are to be asked again at each use,
/// which takes the place of the driver's own test of a connection.
fn pool<DB: Portable>(connections: u32) -> PoolOptions<DB> {
    PoolOptions::new()
        .max_connections(connections)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .test_before_acquire(false)
        .after_release(|connection, _| Box::pin(answers::<DB>(connection)))
        .after_connect(|connection, _| Box::pin(prepare::<DB>(connection)))
}

async fn try_once<DB: Portable>(
    options: &<DB::Connection as Connection>::Options,
) -> Result<(), ConnectError> {
    let mut connections = Vec::with_capacity(2);
    for _ in 0..2 {
        connections.push(options.connect().await.map_err(ConnectError::Open)?);
    }
    let [one, other] = &mut connections[..] else {
        return Ok(());
    };
    // Behind some poolers nothing else would work either, and would not say why.
    DB::check_pair(one, other).await?;
    prepare::<DB>(one).await.map_err(ConnectError::open)?;
    for connection in connections {
        // It worked. A server of MySQL's kind hangs up at once, and on a local socket the driver's own
        // end of TLS then fails.
        let _closed = connection.close().await;
    }
    Ok(())
}

async fn prepare<DB: Portable>(connection: &mut DB::Connection) -> Result<(), Error> {
    // Before anything is asked that a setting could change. And a server that takes no writes is
    // called so, whatever else it is set to.
    DB::pin(connection).await?;
    if !is_writable::<DB>(connection).await? {
        return Err(not_writable());
    }
    settings::verify::<DB>(connection).await
}

/// Whether a connection can be used again. The driver asks for itself, and would wait for ever.
async fn answers<DB: Portable>(connection: &mut DB::Connection) -> Result<bool, Error> {
    let mut answer = pin!(connection.ping());
    let answer = match timeout(RETURN_TIMEOUT, &mut answer).await {
        Ok(answer) => answer,
        Err(_elapsed) if try_discard() => Err(Error::Io(ErrorKind::TimedOut.into())),
        // It keeps its place for a while, or more would be opened to a server that only takes long.
        Err(_elapsed) => timeout(ANSWERED_AFTER, answer)
            .await
            .unwrap_or_else(|_elapsed| Err(Error::Io(ErrorKind::TimedOut.into()))),
    };
    answer.map(|()| true)
}

async fn is_writable<DB: Portable>(connection: &mut DB::Connection) -> Result<bool, Error> {
    let sql = Sql::<DB>::new(format!("SELECT {} AS is_writable", DB::IS_WRITABLE));
    Ok(sql.fetch_one(connection).await?.int("is_writable")? == 1)
}
