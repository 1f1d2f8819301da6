//! Database servers to test on: whichever there is, started once for all tests of a run.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError, mpsc};
use std::time::Duration;

use futures_util::FutureExt as _;
use libtest_mimic::Trial;
use pat_sqlx::sqlx::mysql::MySqlConnection;
use pat_sqlx::sqlx::postgres::PgConnection;
use pat_sqlx::sqlx::{AssertSqlSafe, Connection as _, Executor as _};
use tempfile::TempDir;

use super::trial_with_need;

/// A kind of database server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
}

use Kind::{MariaDb, Postgres};

/// How long a server may take to start.
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// An account without rights, which the servers run as if the tests run as root.
const NOBODY: u32 = 65_534;

/// A database of a test's own.
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    name: String,
}

/// A test on each kind of server; see [`trial_on`].
pub(crate) fn trials_on_servers<F>(
    name: &str,
    test: impl Fn(Database) -> F + Clone + Send + 'static,
) -> [Trial; 2]
where
    F: Future<Output = ()>,
{
    [Postgres, MariaDb].map(|kind| trial_on(kind, name, test.clone()))
}

/// A test on a server, with a database of its own; `name` without the name of the module, which is
/// `stores`.
pub(crate) fn trial_on<F>(
    kind: Kind,
    name: &str,
    test: impl FnOnce(Database) -> F + Send + 'static,
) -> Trial
where
    F: Future<Output = ()>,
{
    let name = format!("stores::{}::{name}", kind.need());
    trial_with_need(&name, kind.need(), kind.missing(), move || async move {
        let database = Database::create(kind).await;
        let (url, name) = (database.url.clone(), database.name.clone());
        let result = AssertUnwindSafe(test(database)).catch_unwind().await;
        Database { kind, url, name }.delete().await;
        if let Err(panic) = result {
            std::panic::resume_unwind(panic);
        }
    })
}

impl Database {
    async fn create(kind: Kind) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::SeqCst);
        let name = format!("pat_test_{}_{number}", std::process::id());
        let server = kind.server();
        server.execute(&format!("CREATE DATABASE {name}")).await;
        let url = server.url(&name);
        Self { kind, url, name }
    }

    async fn delete(self) {
        let force = match self.kind {
            Postgres => " WITH (FORCE)",
            MariaDb => "",
        };
        let sql = format!("DROP DATABASE {}{force}", self.name);
        self.kind.server().execute(&sql).await;
    }

    /// Runs a statement in this database.
    pub(crate) async fn execute(&self, sql: &str) {
        execute(self.kind, &self.url, sql).await.expect(sql);
    }

    /// Cuts all connections to this database, as a failover does.
    pub(crate) async fn cut_connections(&self) {
        match self.kind {
            Postgres => {
                let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = ";
                let sql = format!("{sql}'{}' AND pid <> pg_backend_pid()", self.name);
                self.execute(&sql).await;
            }
            MariaDb => {
                // KILL takes a number and no query, so the statements are made by one.
                let sql = "BEGIN NOT ATOMIC FOR one IN (SELECT id FROM information_schema.processlist \
                     WHERE db = DATABASE() AND id <> CONNECTION_ID()) DO \
                     EXECUTE IMMEDIATE CONCAT('KILL ', one.id); END FOR; END";
                self.execute(sql).await;
            }
        }
    }

    /// Has every new connection find a server that takes no writes.
    pub(crate) async fn make_read_only(&self) {
        let sql = format!(
            "ALTER DATABASE {} SET default_transaction_read_only = on",
            self.name
        );
        self.execute(&sql).await;
    }
}

impl Kind {
    /// The name in `PAT_TEST_REQUIRE`.
    pub(crate) fn need(self) -> &'static str {
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

    /// Why there is no server of this kind; `None` if there is one, or one that can be started.
    fn missing(self) -> Option<&'static str> {
        if std::env::var_os(self.variable()).is_some() || self.programs().is_some() {
            return None;
        }
        Some(match self {
            Postgres => "no PostgreSQL on this machine, and no PAT_TEST_POSTGRES_URL",
            MariaDb => "no MariaDB on this machine, and no PAT_TEST_MYSQL_URL",
        })
    }

    /// The programs that make a server's folder, and that are the server.
    fn programs(self) -> Option<[PathBuf; 2]> {
        if self == MariaDb {
            // Which the first of the two needs, and which is in another package.
            find("my_print_defaults")?;
        }
        match self {
            Postgres => [find("initdb"), find("postgres")],
            MariaDb => [find("mariadb-install-db"), find("mariadbd")],
        }
        .into_iter()
        .collect::<Option<Vec<_>>>()?
        .try_into()
        .ok()
    }

    /// The server of this kind, which is started by the first who asks.
    fn server(self) -> &'static Server {
        static POSTGRES: OnceLock<Result<Server, String>> = OnceLock::new();
        static MARIADB: OnceLock<Result<Server, String>> = OnceLock::new();
        let server = match self {
            Postgres => &POSTGRES,
            MariaDb => &MARIADB,
        };
        let server = server.get_or_init(|| match std::env::var(self.variable()) {
            Ok(url) => Ok(Server { kind: self, url }),
            Err(_) => start(self),
        });
        match server {
            Ok(server) => server,
            Err(log) => panic!("no server: {log}"),
        }
    }
}

/// A program of this machine. Debian keeps those of PostgreSQL out of the path.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    let mut files = folders.into_iter().map(|folder| folder.join(program));
    files.find(|file| file.is_file())
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

async fn execute(kind: Kind, url: &str, sql: &str) -> Result<(), pat_sqlx::sqlx::Error> {
    let sql = AssertSqlSafe(sql.to_owned());
    match kind {
        Postgres => {
            let mut connection = PgConnection::connect(url).await?;
            connection.execute(sql).await?;
            connection.close().await
        }
        MariaDb => {
            let mut connection = MySqlConnection::connect(url).await?;
            connection.execute(sql).await?;
            connection.close().await
        }
    }
}

/// The servers that were started here, with their folders.
static STARTED: Mutex<Vec<(Child, TempDir)>> = Mutex::new(Vec::new());

/// Ends the servers that were started for the tests.
pub(crate) fn stop_servers() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for (mut server, folder) in started.drain(..) {
        // PostgreSQL takes this as "at once"; MariaDB has nothing to lose.
        let id = server.id().to_string();
        let _status = Command::new("kill").args(["-QUIT", &id]).status();
        std::thread::sleep(Duration::from_millis(200));
        let _ended_already = server.kill();
        let _status = server.wait();
        drop(folder);
    }
}

/// Makes a server in a temporary folder, reachable by a socket in it and by nothing else.
fn start(kind: Kind) -> Result<Server, String> {
    let [install, serve] = kind.programs().expect("found before");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path();
    if is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).expect("a folder of nobody's");
    }
    let (data, log) = (path.join("data"), path.join("log"));
    let socket = match kind {
        Postgres => path.to_owned(),
        MariaDb => path.join("socket"),
    };
    make(kind, &install, &data, &log)?;
    let mut command = unprivileged(&serve);
    match kind {
        Postgres => command
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(&socket)
            .args(["-c", "listen_addresses=", "-c", "max_connections=300"])
            .args(["-c", "fsync=off", "-c", "full_page_writes=off"])
            .args(["-c", "synchronous_commit=off"]),
        MariaDb => command
            .arg("--no-defaults")
            .arg(option("datadir", &data))
            .arg(option("socket", &socket))
            .arg(option("pid-file", &path.join("pid")))
            .args(["--skip-networking", "--max-connections=300"])
            .args([
                "--innodb-flush-log-at-trx-commit=0",
                "--innodb-doublewrite=0",
            ])
            .args([
                "--innodb-flush-method=nosync",
                "--innodb-buffer-pool-size=64M",
            ]),
    };
    let (output, socket) = (File::create(&log).expect("a log"), socket.display());
    command
        .stdout(output.try_clone().expect("the log"))
        .stderr(output);
    let url = match kind {
        Postgres => format!("postgres://postgres@localhost/postgres?host={socket}"),
        MariaDb => format!("mariadb://root@localhost?socket={socket}"),
    };
    let child = spawn_and_keep(command);
    STARTED.lock().expect("the list").push((child, folder));
    if await_answer(kind, &url) {
        Ok(Server { kind, url })
    } else {
        Err(fs::read_to_string(log).unwrap_or_default())
    }
}

/// Makes the folder of a server. Its own rules of comparing text are a language's, so that a test
/// finds out where ours are not asked for.
fn make(kind: Kind, install: &Path, data: &Path, log: &Path) -> Result<(), String> {
    let mut command = unprivileged(install);
    match kind {
        Postgres => command
            .arg("-D")
            .arg(data)
            .args([
                "--auth=trust",
                "--username=postgres",
                "--encoding=UTF8",
                "--no-sync",
            ])
            .args([
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en",
            ]),
        MariaDb => command
            .arg("--no-defaults")
            .arg(option("datadir", data))
            .args(["--auth-root-authentication-method=normal", "--skip-test-db"])
            .arg("--skip-name-resolve"),
    };
    let output = File::create(log).expect("a log");
    command
        .stdout(output.try_clone().expect("the log"))
        .stderr(output);
    if command.status().is_ok_and(|status| status.success()) {
        Ok(())
    } else {
        Err(fs::read_to_string(log).unwrap_or_default())
    }
}

fn option(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A program that does not run as root, and does not outlive the tests even if they are killed.
fn unprivileged(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    // A Ctrl+C is for the tests, which then end the server.
    command
        .arg(program)
        .process_group(0)
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

/// Starts a program from a thread that never ends: the operating system takes the end of that
/// thread for the end of the parent.
fn spawn_and_keep(mut command: Command) -> Child {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let _sent = send.send(command.spawn());
        loop {
            std::thread::park();
        }
    });
    let child = receive.recv().expect("an answer");
    child.expect("the server starts")
}

/// Waits until the server answers. In a thread and a runtime of its own, since this is called from
/// within another.
fn await_answer(kind: Kind, url: &str) -> bool {
    let until_it_answers = async {
        let answer = async {
            while execute(kind, url, "SELECT 1").await.is_err() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_TIMEOUT, answer).await.is_ok()
    };
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().expect("a runtime");
            runtime.block_on(until_it_answers)
        });
        asking.join().expect("no panic")
    })
}
