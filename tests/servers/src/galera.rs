//! Three Galera members from the programs that are installed on this machine.

use std::ffi::OsString;
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::timeout;

use super::programs::{Started, find, folder, free_ports};
use super::{Database, Kind, START_TIMEOUT, Server, Session, await_answer, local};

/// How many members a cluster has: as few as can lose one and go on.
pub const MEMBERS: usize = 3;

/// Where Debian keeps what makes a server a member.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";

/// Has a session wait before each statement until its member has what the others have acknowledged.
const SYNC: &str = "SET SESSION wsrep_sync_wait = 15";

/// Why there is no cluster; `None` if one can be started.
#[must_use]
pub fn missing() -> Option<&'static str> {
    if local::programs(Kind::MariaDb).is_none() {
        Some("no MariaDB on this machine")
    } else if !Path::new(PROVIDER).is_file() {
        Some("no Galera on this machine")
    } else if find("wsrep_sst_rsync").is_none() || find("rsync").is_none() {
        Some("nothing on this machine that copies a Galera member")
    } else {
        None
    }
}

/// A database of a test's own, as each member has it.
#[derive(Debug, Clone)]
pub struct Cluster {
    /// The members.
    pub members: [Database; MEMBERS],
}

impl Cluster {
    /// On the members of all tests, which are started by the first who asks.
    pub async fn create() -> Self {
        static STARTED: OnceLock<[(String, Started); MEMBERS]> = OnceLock::new();
        Self::create_on(STARTED.get_or_init(|| start(&[]))).await
    }

    /// On three new members for one test; the last server process has these environment variables.
    pub async fn create_in_environment(variables: &[(OsString, OsString)]) -> Self {
        Self::create_on(&start(variables)).await
    }

    async fn create_on(servers: &[(String, Started); MEMBERS]) -> Self {
        let name = super::next_name();
        let members = servers.clone().map(|(url, server)| {
            let kind = Kind::MariaDb;
            Database {
                kind,
                url: Server { kind, url }.url(&name),
                server: Some(server),
                name: name.clone(),
            }
        });
        let create = format!("CREATE DATABASE {name}");
        let [(url, _), ..] = servers;
        let created = super::execute(Kind::MariaDb, url, &create).await;
        created.expect("a new database");
        let cluster = Self { members };
        cluster.await_all().await;
        cluster
    }

    /// Waits until each member has what the others have acknowledged so far.
    pub async fn await_all(&self) {
        for member in &self.members {
            let caught_up = async {
                // The database itself may be what the member does not have yet.
                let mut session = loop {
                    match member.session().await {
                        Ok(session) => break session,
                        Err(_not_yet) => tokio::time::sleep(Duration::from_millis(20)).await,
                    }
                };
                session.execute(SYNC).await.expect(SYNC);
                session.execute("SELECT 1").await.expect("a member");
                session.close().await;
            };
            let caught_up = timeout(START_TIMEOUT, caught_up).await;
            caught_up.expect("each member catches up");
        }
    }

    /// How many transactions the members have rolled back because another one was first.
    pub async fn conflicts(&self) -> i64 {
        let sql = "SELECT CAST(SUM(variable_value) AS SIGNED) FROM information_schema.global_status \
             WHERE variable_name IN ('wsrep_local_cert_failures', 'wsrep_local_bf_aborts')";
        let mut conflicts = 0;
        for member in &self.members {
            conflicts += member.number(sql).await;
        }
        conflicts
    }

    /// How many transactions on this member wait for those that the others have committed before.
    pub async fn committing(member: &Database) -> i64 {
        let sql = "SELECT COUNT(*) FROM information_schema.processlist \
             WHERE db = DATABASE() AND state IN ('Waiting for certification', 'Commit')";
        member.number(sql).await
    }

    /// Deletes the database on all members.
    pub async fn delete(self) {
        let [first, ..] = self.members;
        first
            .execute(&format!("DROP DATABASE {}", first.name))
            .await;
    }
}

/// A member that does not carry out what the others have done; they do not wait for it. What it has
/// been asked itself goes on until its commit, which waits.
#[derive(Debug)]
pub struct Lagging {
    holder: Session,
}

impl Lagging {
    /// Has a member of this cluster lag behind `other`.
    pub async fn begin(member: &Database, other: &Database) -> Self {
        other
            .execute("CREATE TABLE IF NOT EXISTS held_up (id BIGINT PRIMARY KEY)")
            .await;
        let mut holder = member.session().await.expect("a connection");
        // What comes from other members waits for no lock of a table, except for those of a session
        // that has also taken one by a name of its own.
        for sql in [
            SYNC,
            "SELECT id FROM held_up",
            "DO GET_LOCK('held_up', 0)",
            "LOCK TABLES held_up READ",
        ] {
            holder.execute(sql).await.expect(sql);
        }
        other
            .execute("INSERT INTO held_up SELECT COUNT(*) FROM held_up")
            .await;
        Self { holder }
    }

    /// Has the member catch up.
    pub async fn end(self) {
        self.holder.close().await;
    }
}

/// Starts the members one after the other: each gets what there is from one that is there already. The
/// last has these variables in its environment.
fn start(variables: &[(OsString, OsString)]) -> [(String, Started); MEMBERS] {
    let mut cluster = None;
    let members: [_; MEMBERS] = std::array::from_fn(|number| {
        let ports = Ports::free();
        let address = cluster.get_or_insert_with(|| ports.cluster.clone());
        let variables = if number + 1 == MEMBERS {
            variables
        } else {
            &[]
        };
        let (url, server) = start_member(number, &ports, address, variables);
        await_answer(Kind::MariaDb, &url).expect("a member that answers");
        (url, server)
    });
    let [(url, _), ..] = &members;
    let version = await_answer(Kind::MariaDb, url).expect("the first member");
    eprintln!("galera: {MEMBERS} members of {version}, of this machine");
    members
}

/// Where a member is reached by the others.
struct Ports {
    cluster: String,
    /// For what it has missed.
    increment: String,
    /// For all there is.
    snapshot: String,
}

impl Ports {
    /// Three that nobody uses now.
    fn free() -> Self {
        let [cluster, increment, snapshot] = free_ports().map(|port| format!("127.0.0.1:{port}"));
        Self {
            cluster,
            increment,
            snapshot,
        }
    }
}

fn start_member(
    number: usize,
    ports: &Ports,
    cluster: &str,
    variables: &[(OsString, OsString)],
) -> (String, Started) {
    let [install, serve] = local::programs(Kind::MariaDb).expect("the server");
    let folder = folder();
    let path = folder.path();
    let data = path.join("data");
    local::make(Kind::MariaDb, &install, &data).expect("a server's folder");
    let url = local::url(Kind::MariaDb, path);
    let mut arguments = local::mariadb(path, &data, &[]);
    // The others do not wait for one that lags.
    let options = format!(
        "gmcast.listen_addr=tcp://{};ist.recv_addr={};gcache.size=32M;gcs.fc_limit=10000;pc.recovery=no",
        ports.cluster, ports.increment
    );
    let options = [
        "--binlog-format=ROW".into(),
        "--innodb-autoinc-lock-mode=2".into(),
        "--wsrep-on=ON".into(),
        format!("--wsrep-provider={PROVIDER}"),
        format!("--wsrep-provider-options={options}"),
        "--wsrep-cluster-name=pat".into(),
        format!("--wsrep-cluster-address=gcomm://{cluster}"),
        format!("--wsrep-node-name=member-{number}"),
        format!("--wsrep-node-address={}", ports.cluster),
        "--wsrep-sst-method=rsync".into(),
        format!("--wsrep-sst-receive-address={}", ports.snapshot),
    ];
    arguments.extend(options.map(OsString::from));
    if cluster == ports.cluster {
        arguments.push("--wsrep-new-cluster".into());
    }
    let server = Started::start_with(folder, serve, arguments, variables);
    (url, server)
}
