//! Servers from the programs that are installed on this machine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use super::Kind::{self, MariaDb, Postgres};
use super::programs::{Started, find, folder, keep, unprivileged};

/// The programs that make a server's folder, and that are the server.
pub(super) fn programs(kind: Kind) -> Option<[PathBuf; 2]> {
    if kind == MariaDb {
        // Which the first of the two needs, and which is in another package.
        find("my_print_defaults")?;
    }
    match kind {
        Postgres => [find("initdb"), find("postgres")],
        MariaDb => [find("mariadb-install-db"), find("mariadbd")],
    }
    .into_iter()
    .collect::<Option<Vec<_>>>()?
    .try_into()
    .ok()
}

/// Makes a server in a temporary folder, reachable by a socket in it and by nothing else but these
/// addresses, and returns its URL; `None` without the programs. `more` are arguments that overrule
/// ours, and `variables` what is added to its environment.
pub(super) fn start(
    kind: Kind,
    addresses: &[Ipv4Addr],
    more: &[&str],
    variables: &[(OsString, OsString)],
) -> Option<Result<(String, Started), String>> {
    let [install, serve] = programs(kind)?;
    let folder = folder();
    let path = folder.path();
    let data = path.join("data");
    if let Err(log) = make(kind, &install, &data) {
        return Some(Err(log));
    }
    let url = url(kind, path);
    let mut arguments = match kind {
        Postgres => postgres(path, &data, addresses),
        MariaDb => mariadb(path, &data, addresses),
    };
    arguments.extend(more.iter().map(OsString::from));
    let started = Started::start_with(folder, serve, arguments, variables);
    Some(Ok((url, started)))
}

/// Has a server sync each commit to disk and keep much in memory, as one in earnest does.
pub(super) fn in_earnest(kind: Kind) -> &'static [&'static str] {
    match kind {
        Postgres => &["-c", "fsync=on", "-c", "shared_buffers=1GB"],
        MariaDb => &[
            "--innodb-flush-log-at-trx-commit=1",
            "--innodb-flush-method=fsync",
            "--innodb-buffer-pool-size=1G",
        ],
    }
}

pub(super) fn url(kind: Kind, folder: &Path) -> String {
    let folder = folder.display();
    match kind {
        Postgres => format!("postgres://postgres@localhost/postgres?host={folder}"),
        MariaDb => format!("mariadb://root@localhost?socket={folder}/socket"),
    }
}

/// Like all servers here it survives the end of its processes, though not that of the machine.
fn postgres(folder: &Path, data: &Path, addresses: &[Ipv4Addr]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-D".into(), data.into(), "-k".into(), folder.into()];
    for setting in [
        format!("listen_addresses={}", join(addresses)),
        "max_connections=300".into(),
        "fsync=off".into(),
    ] {
        arguments.extend(["-c".into(), setting.into()]);
    }
    arguments
}

pub(super) fn mariadb(folder: &Path, data: &Path, addresses: &[Ipv4Addr]) -> Vec<OsString> {
    let network = if addresses.is_empty() {
        "--skip-networking".to_owned()
    } else {
        format!("--bind-address={}", join(addresses))
    };
    [
        "--no-defaults".to_owned(),
        option("datadir", data),
        option("socket", &folder.join("socket")),
        option("pid-file", &folder.join("pid")),
        network,
        "--max-connections=300".into(),
        "--innodb-flush-log-at-trx-commit=2".into(),
        "--innodb-flush-method=nosync".into(),
        "--innodb-buffer-pool-size=64M".into(),
    ]
    .map(OsString::from)
    .into()
}

fn join(addresses: &[Ipv4Addr]) -> String {
    let addresses: Vec<_> = addresses.iter().map(Ipv4Addr::to_string).collect();
    addresses.join(",")
}

/// Makes the folder of a server, like that of the first of its kind.
pub(super) fn make(kind: Kind, install: &Path, data: &Path) -> Result<(), String> {
    static POSTGRES: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    static MARIADB: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let first = match kind {
        Postgres => &POSTGRES,
        MariaDb => &MARIADB,
    };
    let first = first.get_or_init(|| {
        let folder = folder();
        let data = folder.path().join("data");
        make_first(kind, install, &data, &folder.path().join("log"))?;
        keep(folder);
        Ok(data)
    });
    let first = first.as_ref().map_err(String::clone)?;
    let mut copy = Command::new("cp");
    let copied = copy.arg("--archive").arg(first).arg(data).status();
    assert!(copied.expect("cp").success(), "a server's folder is copied");
    Ok(())
}

/// Its own rules of comparing text are a language's, so that a test finds out where ours are not
/// asked for.
fn make_first(kind: Kind, install: &Path, data: &Path, log: &Path) -> Result<(), String> {
    let mut command = unprivileged(install, data.parent().expect("the server's folder"));
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
    if !command.status().is_ok_and(|status| status.success()) {
        return Err(fs::read_to_string(log).unwrap_or_default());
    }
    if kind == Postgres {
        // Who gets to an address of its own may use it.
        let rules = File::options().append(true).open(data.join("pg_hba.conf"));
        let mut rules = rules.expect("the rules of access");
        writeln!(rules, "host all all samenet trust").expect("one more rule");
    }
    Ok(())
}

fn option(name: &str, value: &Path) -> String {
    format!("--{name}={}", value.display())
}

/// Makes a server that follows this one, which loses what it has not yet been told when the other
/// is killed.
#[must_use]
pub fn start_standby(primary: &Started) -> (String, Started) {
    let folder = folder();
    let path = folder.path().to_owned();
    let data = path.join("data");
    let program = find("pg_basebackup").expect("it comes with the server");
    let mut command = unprivileged(&program, &path);
    command
        .args(["--write-recovery-conf", "--no-sync", "--checkpoint=fast"])
        .args(["--username=postgres", "--wal-method=stream", "--pgdata"])
        .arg(&data)
        .arg("--host")
        .arg(primary.folder());
    assert!(command.status().expect("a backup").success());
    let [_, serve] = programs(Postgres).expect("the server");
    let arguments = postgres(&path, &data, &[]);
    (
        url(Postgres, &path),
        Started::start(folder, serve, arguments),
    )
}
