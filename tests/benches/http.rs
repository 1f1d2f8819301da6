//! Requests a second of an axum server with the layer and without it, over loopback HTTP/1.1.
//!
//! `cargo bench -p pat-benches --bench http` runs the server on the first core and `wrk` (a Debian
//! package) on the second, so a machine with two idle ones is needed. All stacks take turns, and the
//! medians count. It writes a Markdown table and a plot into `benchmarks`, or into the folder that
//! `PAT_BENCH_OUTPUT` names. `PAT_BENCH_HTTP_ROUNDS` says how many turns of two seconds each stack
//! has; 7 unless set.

#[path = "by_query.rs"]
mod by_query;
#[path = "jwt.rs"]
mod jwt;
#[path = "plot.rs"]
mod plot;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use pat_core::store::TokenStore;
use pat_core::{Caller, MemoryStore, Owner, Pats, Settings, TokenRequest};
use pat_servers::environment::number;
use pat_sqlx::SqliteStore;
use pat_tower::PatLayer;
use tower::ServiceExt as _;
use tower_http::validate_request::ValidateRequestHeaderLayer;

use self::jwt::Jwts;

/// Makes this program be the server of a stack.
const SERVE: &str = "PAT_BENCH_SERVE";
/// How many tokens are live.
const TOKENS: u32 = 5_000;
/// The only one that tower-http's layer knows.
const ONE: &str = "pat_0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLM";

const BARE: &str = "bare axum";
const STATIC: &str = "tower-http static bearer";
const LAYER: &str = "`PatLayer`";
const REFUSED: &str = "`PatLayer`, every token with a wrong checksum";
const SAME_ANSWER: &str = "axum that answers all with that refusal";
const UNCACHED: &str = "`PatLayer` without a cache, SQLite";
const JWT: &str = "JWT, HS256";
const QUERY: &str = "`from_fn` and a query to SQLite";
const STACKS: [&str; 8] = [
    BARE,
    STATIC,
    LAYER,
    REFUSED,
    SAME_ANSWER,
    UNCACHED,
    JWT,
    QUERY,
];

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
                pats(Arc::new(MemoryStore::default()), "60", "").await;
                app
            }
            STATIC => {
                write_tokens(&[ONE.to_owned()]);
                #[expect(deprecated, reason = "the peer that it is measured against")]
                app.layer(ValidateRequestHeaderLayer::bearer(ONE))
            }
            LAYER => app.layer(PatLayer::required(
                pats(Arc::new(MemoryStore::default()), "60", "").await,
            )),
            REFUSED => app.layer(PatLayer::required(
                pats(Arc::new(MemoryStore::default()), "60", "0").await,
            )),
            SAME_ANSWER => {
                let layer =
                    PatLayer::required(pats(Arc::new(MemoryStore::default()), "60", "0").await);
                Router::new().route("/", get(refusal(app.layer(layer)).await))
            }
            UNCACHED => {
                let store = SqliteStore::open("pat.db").await.expect("a database");
                app.layer(PatLayer::required(pats(Arc::new(store), "0", "").await))
            }
            JWT => {
                let Jwts { tokens, verify } = Jwts::hs256(TOKENS);
                write_tokens(&tokens);
                app.layer(verify)
            }
            QUERY => {
                let tokens: Vec<_> = by_query::tokens(TOKENS).collect();
                let pool = by_query::database(Path::new("tokens.db"), &tokens).await;
                write_tokens(&tokens);
                let pool = pool.expect("a database");
                app.layer(from_fn_with_state(pool, by_query::authenticate))
            }
            other => panic!("no stack is called {other}"),
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("a free port");
        println!("{}", listener.local_addr().expect("an address"));
        axum::serve(listener, app).await.expect("the server runs");
    });
}

/// What this answers to a token that is none.
async fn refusal(app: Router) -> (StatusCode, HeaderMap, Bytes) {
    let request = Request::builder()
        .uri("/")
        .header("authorization", "Bearer junk");
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response) = app.oneshot(request).await;
    let (head, body) = response.into_parts();
    let body = body.collect().await.expect("a body").to_bytes();
    (head.status, head.headers, body)
}

/// A service with tokens, which it writes down, each followed by `suffix`.
async fn pats(store: Arc<dyn TokenStore>, cache_minutes: &str, suffix: &str) -> Pats {
    let settings = Settings::builder()
        .set("atlassian.pats.auth.cache.expiry.mins", cache_minutes)
        .expect("a property");
    let settings = settings.build().expect("settings");
    let pats = Pats::builder(store).settings(settings).build();
    let mut tokens = Vec::new();
    for number in 0..TOKENS {
        let owner = Owner::new(format!("user{number}")).expect("an owner");
        let request = TokenRequest::new("ci", Some(90));
        let created = pats
            .create(&Caller::header_authenticated(owner), request)
            .await;
        let plain = created.expect("a token").plain;
        tokens.push(format!("{}{suffix}", plain.expose()));
    }
    write_tokens(&tokens);
    pats
}

/// Tells the load generator what to present.
fn write_tokens(tokens: &[String]) {
    std::fs::write("tokens", tokens.join("\n")).expect("the folder can be written to");
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

    /// Puts load on the server for two seconds.
    fn load(&self, script: &Path) -> Turn {
        let before = self.busy();
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
        let rate = rate.unwrap_or_else(|| panic!("wrk (a Debian package) says: {output:?}"));
        let busy = (self.busy() - before) / SECONDS;
        Turn {
            rate,
            micros: busy / rate * 1e6,
            busy,
        }
    }

    /// Seconds of a processor that the server has used.
    fn busy(&self) -> f64 {
        let path = format!("/proc/{}/stat", self.child.id());
        let stat = std::fs::read_to_string(path).expect("the server runs");
        // User and system time are fields 14 and 15, in hundredths of a second; see proc(5).
        let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
        let fields = fields.split_whitespace().skip(11).take(2);
        let ticks = fields.map(|field| field.parse::<f64>().expect("a number"));
        ticks.sum::<f64>() / 100.0
    }
}

/// How long a turn is.
const SECONDS: f64 = 2.0;

/// What the server did in a turn.
struct Turn {
    /// Requests a second.
    rate: f64,
    /// Processor time per request, in microseconds.
    micros: f64,
    /// How much of a core the server used: with less than all of it, something else was the limit.
    busy: f64,
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
    let rounds = number("PAT_BENCH_HTTP_ROUNDS", 7);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = folder.path().join("tokens.lua");
    std::fs::write(&script, SCRIPT).expect("the folder can be written to");
    let servers = STACKS.map(Server::start);
    let mut turns = STACKS.map(|_| Vec::with_capacity(rounds));
    let before = pat_benches::load();
    for round in 0..=rounds {
        for (server, turns) in servers.iter().zip(&mut turns) {
            let turn = server.load(&script);
            // The first turn fills the caches.
            if round > 0 {
                turns.push(turn);
            }
        }
    }
    let medians = turns.map(|turns| {
        let middle = |what: fn(&Turn) -> f64| pat_benches::middle(turns.iter().map(what).collect());
        Turn {
            rate: middle(|turn| turn.rate),
            micros: middle(|turn| turn.micros),
            busy: middle(|turn| turn.busy),
        }
    });
    let mut table = format!(
        "# Over HTTP/1.1\n\n\
         {}, by `cargo bench -p pat-benches --bench http`; medians of {rounds} turns of two seconds.\n\n\
         | server | requests a second | ÷ bare | processor time per request: µs | ÷ bare | core in use |\n\
         |---|---:|---:|---:|---:|---:|\n",
        pat_benches::surroundings(&before)
    );
    let without = &medians[0];
    for (name, Turn { rate, micros, busy }) in STACKS.iter().zip(&medians) {
        let (by_rate, by_time) = (rate / without.rate, micros / without.micros);
        writeln!(
            table,
            "| {name} | {rate:.0} | {by_rate:.2} | {micros:.1} | {by_time:.2} | {:.0} % |",
            busy * 100.0
        )
        .expect("a string takes it");
    }
    print!("{table}");
    pat_benches::write("http.md", &table);
    let mut bars: Vec<_> = STACKS
        .iter()
        .zip(&medians)
        .map(|(name, turn)| (*name, turn.rate))
        .collect();
    bars.sort_by(|one, other| one.1.total_cmp(&other.1));
    let most = bars.last().map_or(1.0, |(_, rate)| *rate);
    let plot = plot::bars("requests a second", &bars, 0.0..most);
    pat_benches::write("http.svg", &plot);
}
