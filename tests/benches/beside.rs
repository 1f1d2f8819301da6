//! Authentication on SQLite beside the pruning of old tokens: what makes it wait.
//!
//! `cargo bench -p pat-benches --bench beside` runs a server on the first core, and the clients on the second, so a
//! machine with two idle ones is needed. Tokens are presented a thousand times a second on each connection, while the
//! server prunes; while it does so in a file that is never synced to a disk; while another process on the second core
//! prunes; and while the server only computes, and leaves the database alone. So the ratios tell the processor's part
//! from that of the disk and of the database. It writes a Markdown table into `benchmarks`, or into the folder that
//! `PAT_BENCH_OUTPUT` names. `PAT_BENCH_BESIDE_ROUNDS` says how often each is measured; 5 unless set.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::get;
use pat_core::store::Job;
use pat_core::testing::TestDirectory;
use pat_core::{Caller, Clock as _, JobRun, Pats, Settings, SystemClock, TokenRequest};
use pat_servers::environment::number;
use pat_servers::rows::insert;
use pat_sqlx::SqliteStore;
use pat_sqlx::sqlx::SqlitePool;
use pat_sqlx::sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use pat_tower::PatLayer;

/// Makes this program be a server, or a process that prunes.
const ROLE: &str = "PAT_BENCH_ROLE";
/// How many tokens are presented.
const TOKENS: u32 = 50;
/// How many old tokens are pruned.
const OLD: usize = 10_000;
/// How many turns of this length the server computes, with pauses as long: like steps of 500 tokens.
const TURNS: u32 = 100;
const TURN: Duration = Duration::from_millis(17);
const IDLE: Duration = Duration::from_secs(3);
/// The pause of a client between two requests.
const PAUSE: Duration = Duration::from_millis(1);
const BODY: &str = "hello";

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    match std::env::var(ROLE).as_deref() {
        Ok("server") => serve(),
        Ok(_) => runtime().block_on(async { prune(&pats("60").await).await }),
        Err(_) => compare(),
    }
}

fn runtime() -> tokio::runtime::Runtime {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    builder.enable_all().build().expect("a runtime")
}

async fn pats(cache_minutes: &str) -> Pats {
    let settings = Settings::builder()
        .set("atlassian.pats.auth.cache.expiry.mins", cache_minutes)
        .expect("a property");
    let settings = settings.max_tokens_per_user(TOKENS);
    let settings = settings.build().expect("settings");
    let users = TestDirectory::default();
    users.add("owner");
    users.add("old");
    let store = SqliteStore::open("pat.db").await.expect("a database");
    let builder = Pats::builder(Arc::new(store)).users(Arc::new(users));
    builder.settings(settings).build()
}

async fn prune(pats: &Pats) {
    let run = pats.run_if_due(Job::Prune).await;
    assert_eq!(run.expect("a run"), JobRun::Done);
}

fn serve() {
    runtime().block_on(async {
        let cached = pats("60").await;
        let uncached = pats("0").await;
        let owner = Caller::header_authenticated("owner".parse().expect("an owner"));
        let mut tokens = String::new();
        for _ in 0..TOKENS {
            let created = cached.create(&owner, TokenRequest::new("ci", Some(90)));
            writeln!(tokens, "{}", created.await.expect("a token").plain.expose())
                .expect("a string takes it");
        }
        std::fs::write("tokens", tokens).expect("the folder can be written to");
        // What a node's own jobs do twice a second, so that it may trust its cache.
        let polling = cached.clone();
        tokio::spawn(async move {
            loop {
                drop(polling.poll_changes().await);
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        });
        let pruning = cached.clone();
        let app = Router::new()
            .route(
                "/cached",
                get(async || BODY).layer(PatLayer::required(cached)),
            )
            .route(
                "/uncached",
                get(async || BODY).layer(PatLayer::required(uncached)),
            )
            .route(
                "/prune",
                get(async move || {
                    prune(&pruning).await;
                    BODY
                }),
            )
            .route("/compute", get(compute));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("the server runs");
    });
}

async fn compute() -> &'static str {
    for _ in 0..TURNS {
        // In a thread of its own, as SQLite runs in.
        let computing = tokio::task::spawn_blocking(move || {
            let begun = now();
            while begun.elapsed() < TURN {
                std::hint::spin_loop();
            }
        });
        computing.await.expect("no panic");
        tokio::time::sleep(TURN).await;
    }
    BODY
}

#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
fn now() -> Instant {
    Instant::now()
}

/// A process of this program on a core; killed when it is dropped.
struct Process(Child);

impl Process {
    fn start(role: &str, core: u32, folder: &Path) -> Self {
        let mut command = Command::new("taskset");
        let program = std::env::current_exe().expect("this program's path");
        command.args(["-c", &core.to_string()]).arg(program);
        command
            .env(ROLE, role)
            .current_dir(folder)
            .stdout(Stdio::piped());
        Self(command.spawn().expect("taskset (util-linux) is installed"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sends a request, and waits for the response.
fn ask(connection: &mut TcpStream, path: &str, token: &str) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    connection.write_all(request.as_bytes()).expect("a request");
    let mut response = Vec::new();
    while !response.ends_with(BODY.as_bytes()) {
        let mut part = [0; 1024];
        let read = connection.read(&mut part).expect("a response");
        assert!(read > 0, "{}", String::from_utf8_lossy(&response));
        response.extend_from_slice(&part[..read]);
    }
    assert!(
        response.starts_with(b"HTTP/1.1 200"),
        "{}",
        String::from_utf8_lossy(&response)
    );
}

/// What clients measure: microseconds.
#[derive(Clone, Copy)]
struct Times {
    half: f64,
    most: f64,
}

impl Times {
    fn of(mut micros: Vec<f64>) -> Self {
        micros.sort_unstable_by(f64::total_cmp);
        let part = |percent| micros[micros.len() * percent / 100];
        Self {
            half: part(50),
            most: part(99),
        }
    }
}

struct Server {
    _process: Process,
    address: String,
    tokens: Vec<String>,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut process = Process::start("server", 0, folder);
        let mut lines = BufReader::new(process.0.stdout.take().expect("its output")).lines();
        let address = lines.next().expect("a greeting").expect("a line");
        let tokens = std::fs::read_to_string(folder.join("tokens")).expect("tokens");
        let tokens = tokens.lines().map(str::to_owned).collect();
        Self {
            _process: process,
            address,
            tokens,
        }
    }

    fn connect(&self) -> TcpStream {
        let connection = TcpStream::connect(&self.address).expect("a connection");
        connection.set_nodelay(true).expect("a socket");
        connection
    }

    /// Presents tokens for as long as `work` takes; returns the times of those that are cached, and of others.
    fn beside(&self, work: impl FnOnce()) -> [Times; 2] {
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let [cached, first, second] = ["/cached", "/uncached", "/uncached"]
                .map(|path| scope.spawn(|| self.present(path, &stop)));
            work();
            stop.store(true, Ordering::Relaxed);
            let [cached, mut uncached, second] =
                [cached, first, second].map(|client| client.join().expect("no panic"));
            uncached.extend(second);
            [Times::of(cached), Times::of(uncached)]
        })
    }

    fn present(&self, path: &str, stop: &AtomicBool) -> Vec<f64> {
        let mut connection = self.connect();
        let mut micros = Vec::new();
        for token in self.tokens.iter().cycle() {
            if stop.load(Ordering::Relaxed) {
                break;
            }
            let begun = now();
            ask(&mut connection, path, token);
            micros.push(begun.elapsed().as_secs_f64() * 1e6);
            std::thread::sleep(PAUSE);
        }
        micros
    }
}

/// Adds old tokens, which the next run of the job prunes.
fn fill(folder: &Path) {
    runtime().block_on(async {
        let options = SqliteConnectOptions::new().filename(folder.join("pat.db"));
        let pool = SqlitePool::connect_with(options.synchronous(SqliteSynchronous::Off)).await;
        let pool = pool.expect("a pool");
        let long_ago = SystemClock.wall() - Duration::from_hours(24 * 365);
        insert(&pool, 0..OLD, "old", Some(long_ago)).await;
        pool.close().await;
    });
}

const WORKS: [&str; 4] = [
    "the server prunes",
    "the server prunes a database in memory",
    "another process prunes, on the clients' core",
    "the server computes, without the database",
];

/// The times beside a work ÷ idle: p50 and p99 of cached tokens, and of others.
fn measure(work: usize, folder: &Path) -> [f64; 4] {
    let server = Server::start(folder);
    fill(folder);
    // The first one opens connections and fills the cache.
    server.beside(|| std::thread::sleep(IDLE / 10));
    let idle = server.beside(|| std::thread::sleep(IDLE));
    let busy = server.beside(|| {
        let begun = now();
        match work {
            2 => {
                let mut process = Process::start("prune", 1, folder);
                assert!(process.0.wait().expect("an end").success());
            }
            3 => ask(&mut server.connect(), "/compute", ""),
            _ => ask(&mut server.connect(), "/prune", ""),
        }
        let took = begun.elapsed();
        println!("{}: {took:.1?}", WORKS[work]);
    });
    let [cached, uncached] = [0, 1].map(|kind| {
        let (idle, busy) = (idle[kind], busy[kind]);
        println!(
            "  idle {:.0} {:.0}, busy {:.0} {:.0} µs",
            idle.half, idle.most, busy.half, busy.most
        );
        [busy.half / idle.half, busy.most / idle.most]
    });
    [cached[0], cached[1], uncached[0], uncached[1]]
}

fn compare() {
    let rounds = number("PAT_BENCH_BESIDE_ROUNDS", 5);
    let before = pat_benches::load();
    // Threads that are started later stay on the core too.
    let pinned = Command::new("taskset")
        .args(["-cp", "1", &std::process::id().to_string()])
        .output();
    assert!(
        pinned
            .expect("taskset (util-linux) is installed")
            .status
            .success()
    );
    let mut ratios = WORKS.map(|_| Vec::new());
    for _ in 0..rounds {
        for (work, ratios) in ratios.iter_mut().enumerate() {
            let folder = match work {
                // Where nothing is synced to a disk.
                1 => tempfile::tempdir_in("/dev/shm"),
                _ => tempfile::tempdir(),
            };
            let folder = folder.expect("a temporary folder");
            ratios.push(measure(work, folder.path()));
        }
    }
    let mut table = format!(
        "# Authentication beside pruning, on SQLite\n\n\
         {}, by `cargo bench -p pat-benches --bench beside`; {OLD} old tokens are pruned; \
         the server computes in {TURNS} turns of {TURN:?}, with pauses as long. Each figure compares with the same server without the work: the median of \
         {rounds} runs, and the least and the greatest.\n\n\
         | meanwhile | cached: p50 | p99 | not cached: p50 | p99 |\n|---|---:|---:|---:|---:|\n",
        pat_benches::surroundings(&before)
    );
    for (work, ratios) in WORKS.iter().zip(&ratios) {
        write!(table, "| {work} |").expect("a string takes it");
        for column in 0..4 {
            let column: Vec<_> = ratios.iter().map(|run| run[column]).collect();
            let least = column.iter().copied().fold(f64::MAX, f64::min);
            let most = column.iter().copied().fold(0.0, f64::max);
            let middle = pat_benches::middle(column);
            write!(table, " {middle:.1} ({least:.1} to {most:.1}) |").expect("a string takes it");
        }
        table.push('\n');
    }
    print!("{table}");
    pat_benches::write("beside.md", &table);
}
