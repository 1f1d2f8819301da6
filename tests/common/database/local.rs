//! Servers from the programs that are installed on this machine.

use std::fs::{self, File};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use super::Kind::{self, MariaDb, Postgres};

/// An account without rights, which the servers run as if the tests run as root.
const NOBODY: u32 = 65_534;

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

/// A server that was started here.
struct Started {
    server: Child,
    /// What starts it again.
    command: Command,
    /// Goes with it.
    _folder: TempDir,
}

impl Started {
    fn end(&mut self) {
        // PostgreSQL takes this as "at once"; MariaDB has nothing to lose.
        let id = self.server.id().to_string();
        let _status = Command::new("kill").args(["-QUIT", &id]).status();
        std::thread::sleep(Duration::from_millis(200));
        let _ended_already = self.server.kill();
        let _status = self.server.wait();
    }
}

static STARTED: Mutex<Vec<Started>> = Mutex::new(Vec::new());

/// Ends the servers that were started for the tests.
pub(super) fn stop() {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    for mut server in started.drain(..) {
        server.end();
    }
}

/// Takes the server of this process out of the list of those that are to be ended.
fn take(process: u32) -> Started {
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    let index = started.iter().position(|one| one.server.id() == process);
    started.swap_remove(index.expect("a server that was started here"))
}

/// Ends the server of this process, runs `meanwhile`, and starts the server again, with all that
/// was in it.
pub(super) async fn restart_after(process: u32, meanwhile: impl Future<Output = ()>) {
    let mut server = take(process);
    server.end();
    meanwhile.await;
    let (child, command) = spawn_and_keep(server.command);
    let server = Started {
        server: child,
        command,
        ..server
    };
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    started.push(server);
}

/// Makes a server in a temporary folder, reachable by a socket in it and by nothing else, and
/// returns its URL and its process; `None` without the programs.
pub(super) fn start(kind: Kind) -> Option<Result<(String, u32), String>> {
    let [install, serve] = programs(kind)?;
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
    if let Err(log) = make(kind, &install, &data, &log) {
        return Some(Err(log));
    }
    let mut command = unprivileged(&serve, path);
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
    let (server, command) = spawn_and_keep(command);
    let id = server.id();
    let mut started = STARTED.lock().unwrap_or_else(PoisonError::into_inner);
    started.push(Started {
        server,
        command,
        _folder: folder,
    });
    Some(Ok((url, id)))
}

/// Makes the folder of a server. Its own rules of comparing text are a language's, so that a test
/// finds out where ours are not asked for.
fn make(kind: Kind, install: &Path, data: &Path, log: &Path) -> Result<(), String> {
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

/// A program that does not run as root, and does not outlive the tests even if they are killed. What
/// it keeps for a moment is in this folder: where several of them share one, MariaDB takes what is
/// another's for its own leftovers, and removes it.
fn unprivileged(program: &Path, scratch: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "QUIT"]);
    if is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    // A Ctrl+C is for the tests, which then end the server.
    command
        .arg(program)
        .env("TMPDIR", scratch)
        .process_group(0)
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

/// Starts a program from a thread that never ends: the operating system takes the end of that
/// thread for the end of the parent.
fn spawn_and_keep(mut command: Command) -> (Child, Command) {
    let (send, receive) = mpsc::channel();
    std::thread::spawn(move || {
        let child = command.spawn();
        let _sent = send.send((child, command));
        loop {
            std::thread::park();
        }
    });
    let (child, command) = receive.recv().expect("an answer");
    (child.expect("the server starts"), command)
}
