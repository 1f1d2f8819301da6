//! The example server as a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use pat_servers::programs::{children, signal};

/// Makes the test program be the server, with its arguments.
pub const AS_SERVER: &str = "PAT_TEST_AS_SERVER";

/// The server's command line, in this folder, without the surroundings' settings.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this program's path"));
    command
        .env_clear()
        .env(AS_SERVER, "1")
        // Nothing sends it requests that would have to go elsewhere.
        .env("PAT_SHUTDOWN_GRACE", "0")
        .current_dir(folder);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// A running server; killed when it is dropped.
#[derive(Debug)]
pub struct Process {
    /// Where it listens, as the beginning of a URL without a slash at its end.
    pub base: String,
    child: Child,
}

impl Process {
    /// Starts a server on a free port and the database `pat.db` in this folder.
    pub fn start(folder: &Path, arguments: &[&str]) -> Self {
        let mut command = command(folder);
        command.args(["--log", "error"]).args(arguments);
        Self::spawn(command.stderr(Stdio::inherit()))
    }

    /// The same, without a word about what goes wrong, for tests that see to it that much does.
    pub fn start_silent(folder: &Path, arguments: &[String]) -> Self {
        let mut command = command(folder);
        command.args(["--log", "off"]).args(arguments);
        Self::spawn(command.stderr(Stdio::inherit()))
    }

    /// The same, with what is logged by default written into this file.
    pub fn start_usual(folder: &Path, arguments: &[String], log: File) -> Self {
        let mut command = command(folder);
        Self::spawn(command.args(arguments).stderr(log))
    }

    /// The same, with all there is to log written into this file.
    pub fn start_logging(folder: &Path, log: File) -> Self {
        let mut command = command(folder);
        Self::spawn(command.args(["--log", "trace"]).stderr(log))
    }

    fn spawn(command: &mut Command) -> Self {
        let command = command.args(["--listen", "127.0.0.1:0"]);
        Self::try_spawn(command).expect("a greeting")
    }

    /// Starts what greets like a server; `None` if it ends without a greeting, or is ended because
    /// there was none for a minute.
    pub fn try_spawn(command: &mut Command) -> Option<Self> {
        Self::try_spawn_within(Duration::from_mins(1), command)
    }

    /// The same, with another time to wait.
    pub fn try_spawn_within(limit: Duration, command: &mut Command) -> Option<Self> {
        let mut child = command.spawn().expect("the server starts");
        let output = BufReader::new(child.stdout.take().expect("its output"));
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            let mut lines = output.lines();
            let _gave_up = send.send(lines.next());
            // What it says later must find a reader.
            lines.for_each(drop);
        });
        let Ok(Some(first)) = receive.recv_timeout(limit) else {
            let _ended_already = child.kill();
            child.wait().expect("its end");
            return None;
        };
        let first = first.expect("a line");
        let base = first.strip_prefix("Listening on ").expect("its address");
        // An example goes on in the same line.
        let base = base.split(". ").next().expect("its beginning");
        Some(Self {
            base: base.to_owned(),
            child,
        })
    }

    /// Writes a line to its input, if that is a pipe and still read.
    pub fn tell(&mut self, line: &str) {
        if let Some(input) = &mut self.child.stdin {
            let _ = writeln!(input, "{line}");
        }
    }

    /// Ends it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().expect("kill -9");
        self.child.wait().expect("its end");
    }

    /// Asks it to end, as a service manager does; returns whether it ended well.
    pub fn terminate(&mut self) -> bool {
        signal("TERM", &[self.child.id()]) && self.child.wait().expect("its end").success()
    }

    /// Sends it this signal, and waits for its end; returns whether it ended well.
    pub async fn end(&mut self, by: &str) -> bool {
        assert!(signal(by, &[self.child.id()]), "it runs");
        loop {
            if let Some(status) = self.child.try_wait().expect("its state") {
                return status.success();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The number the operating system knows it by.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

/// Processes that stand still until this is dropped, or until the tests are killed.
#[derive(Debug)]
pub struct Frozen {
    /// Has them go on when its input ends.
    waker: Child,
}

impl Frozen {
    /// Stops these.
    pub fn new(processes: &[u32]) -> Self {
        signal("STOP", processes);
        let mut command = Command::new("sh");
        command
            .args(["-c", "read -r line; kill -CONT \"$@\"", "sh"])
            .args(processes.iter().map(u32::to_string))
            // A Ctrl+C is for the tests.
            .process_group(0)
            .stdin(Stdio::piped())
            .stderr(Stdio::null());
        let waker = command.spawn().expect("a shell");
        Self { waker }
    }

    /// The same, with all the processes that this one has started.
    pub fn with_children(process: u32) -> Self {
        // The parent first, so that it starts no more of them.
        signal("STOP", &[process]);
        let mut processes = children(process);
        processes.push(process);
        Self::new(&processes)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        drop(self.waker.stdin.take());
        let _status = self.waker.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            self.kill();
        }
    }
}

/// Runs the server to its end; its exit code, and what it wrote on stderr. One that does not end by
/// itself is ended after ten seconds, without an exit code.
pub fn run_to_end(command: &mut Command) -> (Option<i32>, String) {
    let mut child = command.spawn().expect("the server starts");
    for _ in 0..1_000 {
        if child.try_wait().expect("its state").is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ended_already = child.kill();
    let output = child.wait_with_output().expect("its output");
    (
        output.status.code(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}
