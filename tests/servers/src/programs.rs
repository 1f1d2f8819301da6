//! Programs of this machine, started for the tests and ended with them.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use tempfile::TempDir;

/// An account without rights, which programs run as if the tests run as root.
const NOBODY: u32 = 65_534;

/// A program of this machine. Debian keeps those of PostgreSQL out of the path.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<_> = std::env::split_paths(&path).collect();
    folders.push("/usr/sbin".into());
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
    folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    let mut files = folders.into_iter().map(|folder| folder.join(program));
    files.find(|file| file.is_file())
}

/// Whether this process may do everything.
#[must_use]
pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}

/// A temporary folder that an unprivileged program may write to.
#[must_use]
pub fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    if is_root() {
        let owner = Some(NOBODY);
        std::os::unix::fs::chown(folder.path(), owner, owner).expect("a folder of nobody's");
    }
    folder
}

/// The beginning of a command: the program after it does not outlive the tests, even if they are killed;
/// it is then sent this signal.
#[must_use]
pub fn ending_with_the_tests(signal: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal]);
    // A Ctrl+C is for the tests, which then end the program.
    command.process_group(0);
    command
}

/// A program that does not run as root, and ends with the tests. What it keeps for a moment is in this
/// folder: where several of them share one, MariaDB takes what is another's for its own leftovers, and
/// removes it.
#[must_use]
pub(crate) fn unprivileged(program: &Path, scratch: &Path) -> Command {
    let mut command = ending_with_the_tests("QUIT");
    if is_root() {
        let id = NOBODY.to_string();
        command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]);
    }
    command
        .arg(program)
        .env("TMPDIR", scratch)
        .stdin(Stdio::null())
        .current_dir("/");
    command
}

/// A server that was started here. It runs until the last clone of this is dropped or until [`stop`],
/// unless a test kills it before.
#[derive(Debug, Clone)]
pub struct Started(Arc<Number>);

#[derive(Debug)]
struct Number(usize);

struct Entry {
    /// Ends before its folder is deleted.
    child: Child,
    folder: TempDir,
    program: PathBuf,
    arguments: Vec<OsString>,
    variables: Vec<(OsString, OsString)>,
}

static STARTED: Mutex<BTreeMap<usize, Entry>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicUsize = AtomicUsize::new(0);
static KEPT: Mutex<Vec<TempDir>> = Mutex::new(Vec::new());

fn started() -> MutexGuard<'static, BTreeMap<usize, Entry>> {
    STARTED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps a folder until [`stop`].
pub(super) fn keep(folder: TempDir) -> PathBuf {
    let path = folder.path().to_owned();
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.push(folder);
    path
}

/// Ends the servers that were started for the tests.
pub fn stop() {
    let all = std::mem::take(&mut *started());
    end(all.into_values().collect());
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    kept.clear();
}

/// Ends servers, and deletes their folders.
fn end(mut entries: Vec<Entry>) {
    // PostgreSQL takes this as "at once", and leaves nothing behind; MariaDB has nothing to lose.
    signal("QUIT", &running(&mut entries));
    for _ in 0..20 {
        if running(&mut entries).is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    for entry in &mut entries {
        let _ended_already = entry.child.kill();
        let _status = entry.child.wait();
    }
}

/// The processes of those that have not ended.
fn running(entries: &mut [Entry]) -> Vec<u32> {
    let entries = entries.iter_mut();
    let running = entries.filter_map(|entry| match entry.child.try_wait() {
        Ok(None) => Some(entry.child.id()),
        _ => None,
    });
    running.collect()
}

impl Drop for Number {
    fn drop(&mut self) {
        let entry = started().remove(&self.0);
        end(entry.into_iter().collect());
    }
}

impl Started {
    /// Starts a program that keeps all it has in this folder, and writes there what it has to say.
    #[must_use]
    pub fn start(folder: TempDir, program: PathBuf, arguments: Vec<OsString>) -> Self {
        Self::start_with(folder, program, arguments, &[])
    }

    /// The same, with more variables in its environment, also when it is started again.
    #[must_use]
    pub(crate) fn start_with(
        folder: TempDir,
        program: PathBuf,
        arguments: Vec<OsString>,
        variables: &[(OsString, OsString)],
    ) -> Self {
        let variables = variables.to_vec();
        let child = spawn(folder.path(), &program, &arguments, &variables);
        let entry = Entry {
            child,
            folder,
            program,
            arguments,
            variables,
        };
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        started().insert(number, entry);
        Self(Arc::new(Number(number)))
    }

    /// The number the operating system knows its first process by.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.with(|entry| entry.child.id())
    }

    /// The folder that all it has is in.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        self.with(|entry| entry.folder.path().to_owned())
    }

    /// Ends it, with all its processes, without a chance to clean up.
    pub fn kill(&self) {
        self.with(|Entry { child, .. }| {
            // The parent first, so that it starts no more of them.
            let processes = children(child.id());
            let _ended_already = child.kill();
            let _status = child.wait();
            signal("KILL", &processes);
            await_end(&processes);
        });
    }

    /// Starts it again after it was killed.
    pub fn restart(&self) {
        self.with(|entry| {
            entry.child = spawn(
                entry.folder.path(),
                &entry.program,
                &entry.arguments,
                &entry.variables,
            );
        });
    }

    fn with<T>(&self, what: impl FnOnce(&mut Entry) -> T) -> T {
        let number = self.0.0;
        what(started().get_mut(&number).expect("it was not stopped"))
    }
}

fn spawn(
    folder: &Path,
    program: &Path,
    arguments: &[OsString],
    variables: &[(OsString, OsString)],
) -> Child {
    let mut command = unprivileged(program, folder);
    let mut log = File::options();
    let log = log.create(true).append(true).open(folder.join("log"));
    let log = log.expect("a log");
    command
        .args(arguments)
        .envs(variables.iter().cloned())
        .stdout(log.try_clone().expect("the log"))
        .stderr(log);
    spawn_and_keep(command)
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

/// Returns ports of this machine that are free, for programs that cannot be given a listening socket.
#[must_use]
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let listeners = [(); COUNT].map(|()| TcpListener::bind("127.0.0.1:0").expect("a free port"));
    listeners.map(|listener| listener.local_addr().expect("an address").port())
}

/// Sends a signal to processes; returns whether all of them were there.
pub fn signal(name: &str, processes: &[u32]) -> bool {
    if processes.is_empty() {
        return true;
    }
    let status = Command::new("kill")
        .arg(format!("-{name}"))
        .args(processes.iter().map(u32::to_string))
        .stderr(Stdio::null())
        .status();
    status.expect("kill").success()
}

/// Waits until these processes have ended. What one of them still has, memory that is shared or a lock,
/// keeps a server from starting again.
fn await_end(processes: &[u32]) {
    let runs = |process: &u32| {
        let status = fs::read_to_string(format!("/proc/{process}/stat"));
        // The state follows the name, which is in brackets.
        let state = status.ok().and_then(|status| {
            let (_, rest) = status.rsplit_once(") ")?;
            rest.chars().next()
        });
        state.is_some_and(|state| state != 'Z')
    };
    for _ in 0..500 {
        if !processes.iter().any(runs) {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The processes that this one has started, as far as they run.
pub fn children(process: u32) -> Vec<u32> {
    let path = format!("/proc/{process}/task");
    let threads = std::fs::read_dir(path).into_iter().flatten().flatten();
    let lists = threads.map(|thread| std::fs::read_to_string(thread.path().join("children")));
    let lists: Vec<_> = lists.filter_map(Result::ok).collect();
    let ids = lists.iter().flat_map(|list| list.split_whitespace());
    ids.filter_map(|id| id.parse().ok()).collect()
}
