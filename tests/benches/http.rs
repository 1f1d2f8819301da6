//! Requests a second of an axum server with the layer and without it, over loopback HTTP/1.1.
//!
//! `cargo bench -p pat-benches --bench http` runs the server on the first core and `wrk` (a Debian
//! package) on the second, so a machine with two idle ones is needed. All stacks take turns, and the
//! medians count. It writes a Markdown table into `pat-core/src/docs`, or into the folder that
//! `PAT_BENCH_OUTPUT` names. `PAT_BENCH_HTTP_ROUNDS` says how many turns of two seconds each stack
//! has; 7 unless set.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::routing::get;
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest, TokenStore};
use pat_sqlx::SqliteStore;
use pat_tower::PatLayer;

/// Makes this program be the server of a stack.
const SERVE: &str = "PAT_BENCH_SERVE";
/// How many tokens are live.
const TOKENS: usize = 5_000;

const BARE: &str = "bare axum";
const LAYER: &str = "`PatLayer`";
const REFUSED: &str = "`PatLayer`, every token with a wrong checksum";
const UNCACHED: &str = "`PatLayer` without a cache, SQLite";
const STACKS: [&str; 4] = [BARE, LAYER, REFUSED, UNCACHED];

fn main() {
    // Asked for by `cargo test --benches`, which only wants to see that it builds.
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    match std::env::var(SERVE) {
        Ok(stack) => serve(&stack),
        Err(_) => compare(),
    }
}

fn serve(stack: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let app = Router::new().route("/", get(async || "hello"));
        let app = match stack {
            BARE => {
                // The same headers come here, and nobody looks at them.
                tokens(MemoryStore::default(), "60", "").await;
                app
            }
            LAYER => app.layer(PatLayer::required(
                tokens(MemoryStore::default(), "60", "").await,
            )),
            REFUSED => app.layer(PatLayer::required(
                tokens(MemoryStore::default(), "60", "0").await,
            )),
            UNCACHED => {
                let store = SqliteStore::open("pat.db").await.expect("a database");
                app.layer(PatLayer::required(tokens(store, "0", "").await))
            }
            other => panic!("no stack is called {other}"),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("the server runs");
    });
}

/// A service with tokens, which it writes into the file `tokens`, each followed by `suffix`.
async fn tokens(store: impl TokenStore, cache_minutes: &str, suffix: &str) -> Pats {
    let settings = Settings::builder()
        .set("atlassian.pats.auth.cache.expiry.mins", cache_minutes)
        .expect("a property");
    let settings = settings.build().expect("settings");
    let pats = Pats::builder(store).settings(settings).build();
    let mut file = String::new();
    for number in 0..TOKENS {
        let owner = Owner::new(format!("user{number}")).expect("an owner");
        let request = TokenRequest {
            name: "ci".into(),
            lifetime_days: Some(90),
        };
        let created = pats.create(&Caller::explicit(owner), request).await;
        let plain = created.expect("a token").plain;
        writeln!(file, "{}{suffix}", plain.expose()).expect("a string takes it");
    }
    std::fs::write("tokens", file).expect("the folder can be written to");
    pats
}

/// A server in a folder of its own; killed when it is dropped.
struct Server {
    child: Child,
    address: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(stack: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let program = std::env::current_exe().expect("this program's path");
        let mut child = on_core(0, program.as_os_str())
            .env(SERVE, stack)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .spawn()
            .expect("taskset (util-linux) is installed");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = lines.next().expect("a greeting").expect("a line");
        Self {
            child,
            address,
            folder,
        }
    }

    /// Requests a second, for two seconds.
    fn load(&self, script: &Path) -> f64 {
        let output = on_core(1, "wrk".as_ref())
            .args(["-t1", "-c32", "-d2s", "-s"])
            .arg(script)
            .arg(format!("http://{}/", self.address))
            .current_dir(&self.folder)
            .output()
            .expect("taskset (util-linux) is installed");
        let report = String::from_utf8_lossy(&output.stdout);
        let rate = report
            .lines()
            .find_map(|line| line.strip_prefix("Requests/sec:"));
        let rate = rate.and_then(|rate| rate.trim().parse().ok());
        rate.unwrap_or_else(|| panic!("wrk (a Debian package) says: {output:?}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn on_core(core: u32, program: &std::ffi::OsStr) -> Command {
    let mut command = Command::new("taskset");
    command.args(["-c", &core.to_string()]).arg(program);
    command
}

const SCRIPT: &str = r#"
local requests, last = {}, 0
init = function()
    for token in io.lines("tokens") do
        requests[#requests + 1] = wrk.format("GET", "/", { Authorization = "Bearer " .. token })
    end
end
request = function()
    last = last % #requests + 1
    return requests[last]
end
"#;

fn compare() {
    let rounds = std::env::var("PAT_BENCH_HTTP_ROUNDS");
    let rounds = rounds.map_or(7, |rounds| rounds.parse().expect("a number of rounds"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("tokens.lua");
    std::fs::write(&script, SCRIPT).expect("the folder can be written to");
    let servers = STACKS.map(Server::start);
    let mut rates = STACKS.map(|_| Vec::with_capacity(rounds));
    let before = pat_benches::load();
    for round in 0..=rounds {
        for (server, rates) in servers.iter().zip(&mut rates) {
            let rate = server.load(&script);
            // The first turn fills the caches.
            if round > 0 {
                rates.push(rate);
            }
        }
    }
    let medians = rates.map(pat_benches::middle);
    let mut table = format!(
        "\n# Over HTTP/1.1\n\n\
         {}, by `cargo bench -p pat-benches --bench http`; medians of {rounds} turns of two seconds.\n\n\
         | server | requests a second | ÷ bare |\n|---|---:|---:|\n",
        pat_benches::surroundings(&before)
    );
    for (name, rate) in STACKS.iter().zip(medians) {
        writeln!(table, "| {name} | {rate:.0} | {:.2} |", rate / medians[0])
            .expect("a string takes it");
    }
    print!("{table}");
    pat_benches::write("http.md", &table);
}
