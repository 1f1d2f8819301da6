//! The table of the demo's users, in the database that holds the tokens: all nodes know the same users.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use pat_core::text::{escape_like, fold_case};
use pat_core::{BoxError, Owner, User, async_trait};
use pat_sqlx::sqlx::pool::PoolOptions;
use pat_sqlx::sqlx::{Connection as _, Error, MySql, Pool, Postgres, QueryBuilder, Sqlite};
use pat_sqlx::{Dialect, Value, prepare_connection};
use tokio::time::timeout;

use crate::users::language_of;

/// How many connections each node has for its users, beside those of the token store.
const CONNECTIONS: u32 = 4;
/// How long a question waits for a connection, and then for its answer. Authentication waits for less.
const TIMEOUT: Duration = Duration::from_secs(2);
/// How long a connection that comes back to the pool may take to answer.
const RETURN_TIMEOUT: Duration = Duration::from_secs(1);

/// How many rows one statement adds.
const ROWS: usize = 1_000;

const COLUMNS: &str = "owner, full_name, email, is_active";

/// Where users are kept, in whatever kind of database. An error says nothing about a user.
#[async_trait]
pub(crate) trait UserTable: Debug + Send + Sync + 'static {
    /// The users of these keys, in any order; unknown keys are passed over.
    async fn find(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError>;

    /// At most `limit` users whose key, name or mail address contains this text in any letter case.
    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError>;

    /// Adds users, but none of a key of which there is or was one.
    async fn add(&self, users: &[User]) -> Result<(), BoxError>;

    /// Enables or disables a user; false if there is none of this key.
    async fn set_active(&self, owner: &Owner, is_active: bool) -> Result<bool, BoxError>;

    /// Deletes a user; false if there never was one of this key.
    async fn remove(&self, owner: &Owner) -> Result<bool, BoxError>;

    /// Closes all connections; waits for those in use.
    async fn close(&self);
}

/// The table cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum UserTableError {
    /// The database account may not make the table, or not use it.
    #[error(
        "the database account lacks privileges for the demo's users; have an administrator run: \
         {create}; GRANT SELECT, INSERT, UPDATE ON demo_user TO the account"
    )]
    Forbidden {
        /// The statement that makes the table.
        create: String,
        /// What the database says.
        source: BoxError,
    },
    /// The database does not answer, or does not do it.
    #[error("cannot use the table demo_user")]
    Failed(#[source] BoxError),
}

/// Opens the table in the database of this URL, which the token store has opened before, and makes it
/// where there is none.
///
/// # Errors
/// The database does not answer, or its account may not do that.
pub(crate) async fn open(url: &str) -> Result<Arc<dyn UserTable>, UserTableError> {
    match url.split_once(':').map(|(scheme, _)| scheme) {
        Some("postgres" | "postgresql") => SqlTable::<Postgres>::open(url).await,
        Some("mysql" | "mariadb") => SqlTable::<MySql>::open(url).await,
        _ => SqlTable::<Sqlite>::open(url).await,
    }
}

/// The same statements for each kind of database.
struct SqlTable<DB: Dialect>(Pool<DB>);

impl<DB: Dialect> Debug for SqlTable<DB> {
    /// Without the pool, whose options are nothing for a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SqlTable<{}>", DB::NAME)
    }
}

impl<DB: Dialect> SqlTable<DB> {
    async fn open(url: &str) -> Result<Arc<dyn UserTable>, UserTableError> {
        let pool = PoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(TIMEOUT)
            // Each use asks for more than whether it works: a replica may not know yet who is disabled.
            .test_before_acquire(false)
            .before_acquire(|connection, _| Box::pin(is_writable::<DB>(connection)))
            .after_connect(|connection, _| Box::pin(prepare::<DB>(connection)))
            .after_release(|connection, _| Box::pin(answers::<DB>(connection)));
        let pool = pool.connect(url).await;
        let table = Self(pool.map_err(|error| UserTableError::Failed(error.into()))?);
        table.make().await?;
        Ok(Arc::new(table))
    }

    /// Makes the table where there is none. An account that may make no tables needs no more than one
    /// that is there.
    async fn make(&self) -> Result<(), UserTableError> {
        let Err(error) = self.read_one().await else {
            return Ok(());
        };
        let error = if is_such(&error, DB::is_missing_table) {
            let create = QueryBuilder::new(create::<DB>());
            let created = self.execute(create).await;
            // Of several nodes that begin together, one makes it.
            match (created, self.read_one().await) {
                (_, Ok(())) => return Ok(()),
                (Err(error), _) | (Ok(_), Err(error)) => error,
            }
        } else {
            error
        };
        Err(if is_such(&error, DB::is_forbidden) {
            let create = create::<DB>();
            UserTableError::Forbidden {
                create,
                source: error,
            }
        } else {
            UserTableError::Failed(error)
        })
    }

    async fn read_one(&self) -> Result<(), BoxError> {
        let query = QueryBuilder::new(format!("SELECT {COLUMNS} FROM demo_user LIMIT 1"));
        self.fetch(query).await.map(drop)
    }

    async fn fetch(&self, query: QueryBuilder<DB>) -> Result<Vec<User>, BoxError> {
        let rows = ask(self.0.clone(), |connection| {
            Box::pin(DB::fetch(query, connection))
        });
        rows.await?.iter().map(user::<DB>).collect()
    }

    /// Returns how many rows were touched.
    async fn execute(&self, query: QueryBuilder<DB>) -> Result<u64, BoxError> {
        ask(self.0.clone(), |connection| {
            Box::pin(DB::execute(query, true, connection))
        })
        .await
    }
}

/// The statement that makes the table. Keys are compared byte by byte, which MySQL does not do unless
/// told. A deleted user's row stays, so that the key is never given to another user.
fn create<DB: Dialect>() -> String {
    let options = match DB::NAME {
        "MySQL" => {
            " CHARACTER SET utf8mb4 /*M! COLLATE utf8mb4_nopad_bin */ \
             /*!80017 COLLATE utf8mb4_0900_bin */"
        }
        _ => "",
    };
    format!(
        "CREATE TABLE IF NOT EXISTS demo_user (owner VARCHAR(255) NOT NULL PRIMARY KEY, \
         full_name VARCHAR(255) NOT NULL, email VARCHAR(320), search_text VARCHAR(2000) NOT NULL, \
         is_active BIGINT NOT NULL, is_deleted BIGINT NOT NULL){options}"
    )
}

#[async_trait]
impl<DB: Dialect> UserTable for SqlTable<DB> {
    async fn find(&self, owners: &[Owner]) -> Result<Vec<User>, BoxError> {
        if owners.is_empty() {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::new(format!(
            "SELECT {COLUMNS} FROM demo_user WHERE is_deleted = 0 AND owner IN ("
        ));
        bind_list(&mut query, owners.iter().map(Value::from));
        query.push(")");
        self.fetch(query).await
    }

    async fn search(&self, contains: &str, limit: usize) -> Result<Vec<User>, BoxError> {
        let mut query = QueryBuilder::new(format!(
            "SELECT {COLUMNS} FROM demo_user WHERE is_deleted = 0 AND search_text LIKE "
        ));
        let pattern = format!("%{}%", escape_like(&fold_case(contains)));
        DB::bind(&mut query, pattern.as_str().into());
        query.push(" ESCAPE '!' ORDER BY owner LIMIT ");
        DB::bind(&mut query, i64::try_from(limit)?.into());
        self.fetch(query).await
    }

    async fn add(&self, users: &[User]) -> Result<(), BoxError> {
        for users in users.chunks(ROWS) {
            let mut query = QueryBuilder::new(format!(
                "INSERT INTO demo_user ({COLUMNS}, search_text, is_deleted) VALUES "
            ));
            let mut separator = "(";
            for user in users {
                query.push(separator);
                bind_list(&mut query, values(user));
                separator = "), (";
            }
            query.push(")").push(DB::or_ignore("owner"));
            self.execute(query).await?;
        }
        Ok(())
    }

    async fn set_active(&self, owner: &Owner, is_active: bool) -> Result<bool, BoxError> {
        let mut query = QueryBuilder::new("UPDATE demo_user SET is_active = ");
        DB::bind(&mut query, i64::from(is_active).into());
        query.push(" WHERE is_deleted = 0 AND owner = ");
        DB::bind(&mut query, owner.into());
        Ok(self.execute(query).await? > 0)
    }

    async fn remove(&self, owner: &Owner) -> Result<bool, BoxError> {
        // A deleted user too: an administrator whose first attempt had no answer repeats it, and gets one.
        let sql = "UPDATE demo_user SET is_deleted = 1 WHERE owner = ";
        let mut query = QueryBuilder::new(sql);
        DB::bind(&mut query, owner.into());
        Ok(self.execute(query).await? > 0)
    }

    async fn close(&self) {
        self.0.close().await;
    }
}

/// Appends `?, ?, ?`, as the database writes that.
fn bind_list<DB: Dialect>(query: &mut QueryBuilder<DB>, values: impl IntoIterator<Item = Value>) {
    let mut separator = "";
    for value in values {
        query.push(separator);
        DB::bind(query, value);
        separator = ", ";
    }
}

/// Of a row, in the order of its columns.
fn values(user: &User) -> [Value; 6] {
    let email = user.email.as_deref();
    [
        Value::from(&user.owner),
        user.full_name.as_str().into(),
        email.into(),
        i64::from(user.is_active).into(),
        user.search_text().as_str().into(),
        0_i64.into(),
    ]
}

/// In this demo the key is the name to sign in with.
fn user<DB: Dialect>(row: &DB::Row) -> Result<User, BoxError> {
    let owner = DB::text(row, "owner")?.unwrap_or_default();
    let language = language_of(&owner);
    let mut user = User::new(
        Owner::new(owner.clone())?,
        owner,
        DB::text(row, "full_name")?.unwrap_or_default(),
        DB::int(row, "is_active")? == Some(1),
    );
    user.email = DB::text(row, "email")?;
    user.language = language;
    Ok(user)
}

/// Asks the database, in a task of its own: a caller who gives up half-way would leave the pool a
/// connection that still waits for an answer. One on which none comes is thrown away.
async fn ask<DB: Dialect, T: Send + 'static>(
    pool: Pool<DB>,
    question: impl for<'c> FnOnce(&'c mut DB::Connection) -> BoxFuture<'c, Result<T, Error>>
    + Send
    + 'static,
) -> Result<T, BoxError> {
    let asked = tokio::spawn(async move {
        let mut connection = pool.acquire().await?;
        match timeout(TIMEOUT, question(&mut connection)).await {
            Ok(answer) => Ok(answer?),
            Err(elapsed) => {
                drop(connection.detach());
                Err(elapsed.into())
            }
        }
    });
    asked.await?
}

async fn prepare<DB: Dialect>(connection: &mut DB::Connection) -> Result<(), Error> {
    prepare_connection(connection).await?;
    if is_writable::<DB>(connection).await? {
        Ok(())
    } else {
        Err(Error::Configuration(
            "the server takes no writes; is it a replica?".into(),
        ))
    }
}

async fn is_writable<DB: Dialect>(connection: &mut DB::Connection) -> Result<bool, Error> {
    let query = QueryBuilder::new(format!("SELECT {} AS is_writable", DB::IS_WRITABLE));
    let rows = DB::fetch(query, connection).await?;
    let row = rows.first().ok_or(Error::RowNotFound)?;
    Ok(DB::int(row, "is_writable")? == Some(1))
}

/// Whether a connection can be used again. The driver asks for itself, and would wait for ever.
async fn answers<DB: Dialect>(connection: &mut DB::Connection) -> Result<bool, Error> {
    Ok(matches!(
        timeout(RETURN_TIMEOUT, connection.ping()).await,
        Ok(Ok(()))
    ))
}

/// Whether the database has answered with such an error.
fn is_such(
    error: &BoxError,
    is_such: fn(&dyn pat_sqlx::sqlx::error::DatabaseError) -> bool,
) -> bool {
    let error = error.downcast_ref::<Error>();
    error
        .and_then(Error::as_database_error)
        .is_some_and(is_such)
}
