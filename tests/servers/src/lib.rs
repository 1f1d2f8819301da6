//! Database servers that tests and benchmarks run on: whichever there is, started once for all tests of
//! a run.
#![expect(
    clippy::missing_panics_doc,
    reason = "a test that cannot have what it needs panics"
)]

mod docker;
mod earnest;
pub mod environment;
pub mod filters;
pub mod galera;
mod local;
pub mod many;
pub mod programs;
pub mod rows;
mod session;
mod source;

use std::ffi::OsString;
use std::net::Ipv4Addr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use pat_sqlx::sqlx::Error;
use tokio::time::timeout;

pub use self::earnest::InEarnest;
pub use self::local::start_standby;
use self::programs::Started;
pub use self::session::Session;
pub use self::source::missing;

/// A kind of database server: looked for in the environment, then in Docker, then among the
/// programs of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MariaDB, or MySQL behind a URL.
    MariaDb,
}

use Kind::{MariaDb, Postgres};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);

/// A database of a test's own.
#[derive(Debug, Clone)]
pub struct Database {
    /// On which kind of server.
    pub kind: Kind,
    /// What to connect to.
    pub url: String,
    /// The server, if it serves this test alone.
    pub server: Option<Started>,
    name: String,
}

impl Database {
    /// On the server of all.
    pub async fn create(kind: Kind) -> Self {
        let name = next_name();
        let server = kind.server();
        server.execute(&format!("CREATE DATABASE {name}")).await;
        Self {
            kind,
            url: server.url(&name),
            server: None,
            name,
        }
    }

    /// On a server that nobody else uses, and that is reached by its socket and these addresses;
    /// `None` if the environment names a server, or none can be started here.
    #[must_use]
    pub fn create_alone(kind: Kind, addresses: &[Ipv4Addr]) -> Option<Self> {
        Self::create_on_new_server(kind, addresses, &[], &[])
    }

    /// The same, on a server that finds more variables in its environment, and is reached by its
    /// socket alone.
    #[must_use]
    pub fn create_in_environment(kind: Kind, variables: &[(OsString, OsString)]) -> Option<Self> {
        Self::create_on_new_server(kind, &[], &[], variables)
    }

    /// Another one, on the same server, which is this test's own.
    pub async fn create_beside(&self, name: &str) -> Self {
        self.execute(&format!("CREATE DATABASE {name}")).await;
        let (kind, url) = (self.kind, self.url.clone());
        Self {
            url: Server { kind, url }.url(name),
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// The same, on a server that was started with these arguments too.
    #[must_use]
    pub fn create_with(kind: Kind, more: &[&str]) -> Option<Self> {
        Self::create_on_new_server(kind, &[], more, &[])
    }

    fn create_on_new_server(
        kind: Kind,
        addresses: &[Ipv4Addr],
        more: &[&str],
        variables: &[(OsString, OsString)],
    ) -> Option<Self> {
        if std::env::var_os(kind.variable()).is_some() {
            return None;
        }
        let (url, server) = local::start(kind, addresses, more, variables)?.expect("a server");
        let version = await_answer(kind, &url).expect("a server that answers");
        eprintln!("{}: {version}, of this machine, for one test", kind.need());
        // A database that every server of this kind has.
        let name = match kind {
            Postgres => "postgres",
            MariaDb => "mysql",
        };
        Some(Self {
            kind,
            url: Server { kind, url }.url(name),
            server: Some(server),
            name: name.to_owned(),
        })
    }

    /// The server, which is this test's own.
    ///
    /// # Panics
    /// The database is on the server of all.
    #[must_use]
    pub fn own_server(&self) -> &Started {
        self.server.as_ref().expect("a server of this test's own")
    }

    /// Waits until the server answers, as it does again some time after it was started.
    pub fn await_answer(&self) {
        await_answer(self.kind, &self.url).expect("it answers");
    }

    /// The database on a server that was started as this one's standby.
    #[must_use]
    pub fn on_standby(&self, url: String, server: Started) -> Self {
        let database = Self {
            url,
            server: Some(server),
            ..self.clone()
        };
        database.await_answer();
        database
    }

    /// Deletes it, on the server of all.
    pub async fn delete(self) {
        let force = match self.kind {
            Postgres => " WITH (FORCE)",
            MariaDb => "",
        };
        let sql = format!("DROP DATABASE {}{force}", self.name);
        self.kind.server().execute(&sql).await;
    }

    async fn session(&self) -> Result<Session, Error> {
        Session::connect(self.kind, &self.url).await
    }

    /// Runs statements on one connection, which stays open and idle after them.
    ///
    /// # Errors
    /// The server does not take one of them.
    pub async fn hold(&self, statements: &[&str]) -> Result<Session, Error> {
        let mut session = self.session().await?;
        for sql in statements {
            session.execute(sql).await?;
        }
        Ok(session)
    }

    /// Keeps everybody else from this table until the session is closed.
    ///
    /// # Errors
    /// The server gives no lock.
    pub async fn lock_table(&self, table: &str) -> Result<Session, Error> {
        match self.kind {
            Postgres => {
                let lock = format!("LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE");
                self.hold(&["BEGIN", &lock]).await
            }
            MariaDb => self.hold(&[&format!("LOCK TABLES {table} WRITE")]).await,
        }
    }

    /// How many connections to this database wait for a lock that another holds.
    pub async fn waiting(&self) -> i64 {
        let sql = match self.kind {
            Postgres => {
                "SELECT COUNT(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND wait_event_type = 'Lock'"
            }
            MariaDb => {
                // InnoDB says the same as before to who asks again within a tenth of a second.
                tokio::time::sleep(Duration::from_millis(150)).await;
                "SELECT COUNT(*) FROM information_schema.processlist connection \
                 LEFT JOIN information_schema.innodb_trx transaction \
                 ON transaction.trx_mysql_thread_id = connection.id \
                 WHERE connection.db = DATABASE() AND (transaction.trx_state = 'LOCK WAIT' \
                 OR connection.state LIKE 'Waiting for table%lock')"
            }
        };
        self.number(sql).await
    }

    /// The number that a query selects.
    pub async fn number(&self, sql: &str) -> i64 {
        let mut session = self.session().await.expect("a connection");
        let mut numbers = session.select(sql).await;
        for _ in 0..20 {
            // MySQL does not list its connections while one has a statement with bytes that are no text.
            if numbers.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            numbers = session.select(sql).await;
        }
        session.close().await;
        numbers.expect(sql)[0]
    }

    /// The name of this database, with something added.
    #[must_use]
    pub fn name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.name)
    }

    /// Runs a statement in this database.
    pub async fn execute(&self, sql: &str) {
        execute(self.kind, &self.url, sql).await.expect(sql);
    }

    /// Cuts all connections to this database, as a failover does.
    pub async fn cut_connections(&self) {
        match self.kind {
            Postgres => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
                let sql = format!("{sql}'{}' AND pid <> pg_backend_pid()", self.name);
                self.execute(&sql).await;
            }
            MariaDb => {
                let others = "SELECT CAST(id AS SIGNED) FROM information_schema.processlist \
                     WHERE db = DATABASE() AND id <> CONNECTION_ID()";
                let mut session = self.session().await.expect("a connection");
                // KILL takes a number and no query. Who has gone meanwhile is not there to be cut.
                for id in session.select::<i64>(others).await.expect("their numbers") {
                    let _gone = session.execute(&format!("KILL {id}")).await;
                }
                session.close().await;
            }
        }
    }

    /// Ends the server, which is this test's own, and starts it again after `meanwhile`; returns
    /// when it answers.
    pub async fn restart_after(&self, meanwhile: impl Future<Output = ()>) {
        let server = self.own_server();
        server.kill();
        meanwhile.await;
        server.restart();
        let again = async {
            while version(self.kind, &self.url).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(START_TIMEOUT, again).await.is_err() {
            let log = std::fs::read_to_string(server.folder().join("log"));
            panic!("it does not start again: {}", log.unwrap_or_default());
        }
    }

    /// Has the server, which is this test's own, take no writes on any connection, or take them
    /// again.
    pub async fn set_read_only(&self, is_read_only: bool) {
        let value = if is_read_only { "ON" } else { "OFF" };
        match self.kind {
            Postgres => {
                let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {value}");
                self.execute(&sql).await;
                self.execute("SELECT pg_reload_conf()").await;
            }
            MariaDb => {
                let sql = format!("SET GLOBAL read_only = {value}");
                self.execute(&sql).await;
            }
        }
    }

    /// Has every new connection find a server that takes no writes.
    pub async fn make_read_only(&self) {
        let sql = format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            self.name
        );
        self.execute(&sql).await;
    }
}

/// The name of a database that no other test has.
fn next_name() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::SeqCst);
    format!("pat_test_{}_{number}", std::process::id())
}

impl Kind {
    /// The name in `PAT_TEST_REQUIRE`.
    #[must_use]
    pub fn need(self) -> &'static str {
        match self {
            Postgres => "postgres",
            MariaDb => "mariadb",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Postgres => "PAT_TEST_POSTGRES_URL",
            MariaDb => "PAT_TEST_MYSQL_URL",
        }
    }

    /// Why no server of a test's own can be started here; `None` if one can.
    #[must_use]
    pub fn missing_here(self) -> Option<&'static str> {
        if std::env::var_os(self.variable()).is_some() {
            Some("the server that is there is not for stopping")
        } else if local::programs(self).is_none() {
            Some("no programs of a server on this machine")
        } else {
            None
        }
    }

    /// The server of this kind, which is started by the first who asks.
    fn server(self) -> &'static Server {
        static POSTGRES: OnceLock<Result<Server, String>> = OnceLock::new();
        static MARIADB: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = match self {
            Postgres => &POSTGRES,
            MariaDb => &MARIADB,
        };
        match server.get_or_init(|| source::first_server(self)) {
            Ok(server) => server,
            Err(why) => panic!("no server: {why}"),
        }
    }
}

/// A server that answers.
struct Server {
    kind: Kind,
    /// With the name of a database that is always there, or of none.
    url: String,
}

impl Server {
    /// The URL of this database.
    fn url(&self, database: &str) -> String {
        let (url, parameters) = self.url.split_once('?').unwrap_or((&self.url, ""));
        let (scheme, rest) = url.split_once("://").expect("a URL with a host");
        let authority = rest.split('/').next().unwrap_or_default();
        format!("{scheme}://{authority}/{database}?{parameters}")
    }

    async fn execute(&self, sql: &str) {
        execute(self.kind, &self.url, sql).await.expect(sql);
    }
}

async fn execute(kind: Kind, url: &str, sql: &str) -> Result<(), Error> {
    let mut session = Session::connect(kind, url).await?;
    session.execute(sql).await?;
    session.close().await;
    Ok(())
}

/// Ends the servers that were started for the tests.
pub fn stop_servers() {
    docker::stop();
    programs::stop();
}

/// Waits until the server answers, and returns its version. In a thread and a runtime of its own,
/// since this is called from within another.
///
/// # Errors
/// Why it did not answer within a minute.
pub fn await_answer(kind: Kind, url: &str) -> Result<String, String> {
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(first_answer(kind, url))
        });
        asking.join().expect("no panic")
    })
}

async fn first_answer(kind: Kind, url: &str) -> Result<String, String> {
    let mut why = "it does not answer".to_owned();
    let until_it_answers = async {
        loop {
            match version(kind, url).await {
                Ok(version) => break version,
                Err(error) => why = error.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(START_TIMEOUT, until_it_answers)
        .await
        .map_err(|_| why)
}

async fn version(kind: Kind, url: &str) -> Result<String, Error> {
    let mut session = Session::connect(kind, url).await?;
    let versions = session.select(match kind {
        Postgres => "SELECT 'PostgreSQL ' || current_setting('server_version')",
        // MariaDB says in its version what it is.
        MariaDb => {
            "SELECT CONCAT(IF(@@version LIKE '%MariaDB%', '', 'MySQL '), @@version, ', ', \
             @@version_comment)"
        }
    });
    let mut versions = versions.await?;
    session.close().await;
    Ok(versions.remove(0))
}
