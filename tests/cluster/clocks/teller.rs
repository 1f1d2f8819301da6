//! What a program takes for the time that a wrong date is set for.

use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};

use pat_core::{Clock as _, SystemClock};
use pat_servers::Database;
use pat_sqlx::sqlx::sqlite::SqliteConnection;
use pat_sqlx::sqlx::{Connection as _, query_scalar};

use super::shift::{DAY, Shift};
use super::tables::clock;

/// Makes the test program tell the time for each line that it reads.
pub(crate) const AS_TELLER: &str = "PAT_TEST_AS_TELLER";

/// Runs as one: the dates of Rust and of SQLite, and the time since the start of the machine, in
/// seconds.
pub(crate) fn run() -> ExitCode {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let sqlite = SqliteConnection::connect("sqlite::memory:").await;
        let mut sqlite = sqlite.expect("a database");
        for _line in std::io::stdin().lines() {
            let query = query_scalar("SELECT CAST(strftime('%s', 'now') AS INTEGER)");
            let by_sqlite: i64 = query.fetch_one(&mut sqlite).await.expect("a date");
            let by_rust = SystemClock.wall().as_second();
            println!("{by_rust} {by_sqlite} {}", SystemClock.boot().as_secs());
        }
    });
    ExitCode::SUCCESS
}

struct Teller {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Teller {
    fn start(shift: &Shift) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program's path"));
        command
            .env_clear()
            .env(AS_TELLER, "1")
            .envs(shift.variables())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        Self {
            input: child.stdin.take().expect("its input"),
            output: BufReader::new(child.stdout.take().expect("its output")),
            child,
        }
    }

    fn ask(&mut self) -> [i64; 3] {
        writeln!(self.input).expect("a question");
        let mut line = String::new();
        self.output.read_line(&mut line).expect("an answer");
        let numbers = line
            .split_whitespace()
            .map(|word| word.parse().expect("a number"));
        let numbers: Vec<_> = numbers.collect();
        numbers.try_into().expect("three numbers")
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _status = self.child.wait();
    }
}

fn assert_shifted(now: i64, right: i64, by: i64) {
    let error = now - right - by;
    assert!(error.abs() <= 5, "{error} s beside a shift of {by} s");
}

/// A program that is started with a wrong date has it, also when the date is stepped.
pub(super) async fn a_program_has_the_date_that_the_shim_sets() {
    let shift = Shift::new(400 * DAY);
    let mut teller = Teller::start(&shift);
    for by in [400 * DAY, -400 * DAY, 600, 0] {
        shift.set(by);
        let [rust, sqlite, boot] = teller.ask();
        let right = SystemClock.wall().as_second();
        assert_shifted(rust, right, by);
        assert_shifted(sqlite, right, by);
        let since_boot = i64::try_from(SystemClock.boot().as_secs()).expect("seconds");
        assert_shifted(boot, since_boot, 0);
    }
}

/// And so has a database server, in connections that were open before as well.
pub(super) async fn assert_seen_by(database: &Database, shift: &Shift) {
    let mut session = database.hold(&[]).await.expect("a connection");
    for by in [-2 * DAY, 400 * DAY, 0] {
        shift.set(by);
        let now: Vec<i64> = session.select(clock(database.kind)).await.expect("a date");
        let right = SystemClock.wall().as_second();
        assert_shifted(now[0] / 1_000_000, right, by);
    }
    session.close().await;
}
