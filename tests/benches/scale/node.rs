//! A node that starts: its first answer, and many clients whose tokens it does not know yet.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use axum::Router;
use axum::routing::get;
use jiff::Timestamp;
use pat_core::format::{PrefixedFormat, TokenFormat as _, TokenPrefix};
use pat_core::settings::SettingsBuilder;
use pat_core::store::{NewImport, TokenStore};
use pat_core::{Jobs, Owner, Pats, PlainToken, Settings, TokenId};
use pat_sqlx::AnyStore;
use pat_tower::PatLayer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::{Rows, Wanted, open};

/// How many live tokens a node does not know, and how many clients present them at once.
const TOKENS: usize = 20_000;
const CLIENTS: usize = 64;
/// How many nodes count.
const NODES: usize = 3;

/// Measures the start of a node, and requests to it when it knows no token and when it knows all.
#[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
pub(crate) async fn measure(store: &dyn TokenStore, url: &str, now: Timestamp, rows: &mut Rows) {
    let tokens = import(store, now).await;
    let (mut starts, mut ratios) = (vec![], vec![]);
    for _ in 0..NODES {
        let begun = Instant::now();
        let node = Node::start(url).await;
        node.present(&tokens[..1]).await;
        starts.push(begun.elapsed().as_secs_f64());
        let cold = node.present(&tokens).await;
        let known = node.present(&tokens).await;
        println!("{cold:.0} requests a second of unknown tokens, {known:.0} of known ones");
        ratios.push(cold / known);
        node.stop().await;
    }
    let node = Node::start(url).await;
    QUERIES.store(0, Ordering::Relaxed);
    IS_COUNTING.store(true, Ordering::Relaxed);
    node.present(&tokens).await;
    IS_COUNTING.store(false, Ordering::Relaxed);
    let queries = f64::from(QUERIES.load(Ordering::Relaxed));
    node.stop().await;
    rows.add(
        "from opening the store to the first answer over HTTP, in seconds",
        Wanted::AtMost(0.5),
        pat_benches::middle(starts),
    );
    let clients = format!("of {CLIENTS} clients with {TOKENS} tokens");
    rows.add(
        &format!("requests a second {clients}, none of which is cached ÷ all of which are"),
        Wanted::AtLeast(0.1),
        pat_benches::middle(ratios),
    );
    // Those of its jobs are counted too.
    rows.add(
        "queries for each token that is not cached",
        Wanted::AtMost(1.05),
        queries / count(TOKENS),
    );
}

/// Adds the tokens, and returns requests with them.
async fn import(store: &dyn TokenStore, now: Timestamp) -> Vec<String> {
    let format = PrefixedFormat::new(TokenPrefix::default());
    let tokens = (0..TOKENS).map(|_| format.generate().expect("a token"));
    let tokens: Vec<PlainToken> = tokens.collect();
    let imports = tokens.iter().zip(1..).map(|(token, number)| {
        let id = TokenId::new(1_000_000_000_000 + number).expect("an ID");
        let owner = Owner::new(format!("client {}", number % 1_000)).expect("an owner");
        NewImport::new(id, token.digest(), owner, "ci", now)
    });
    let imports: Vec<_> = imports.collect();
    for some in imports.chunks(1_000) {
        let imported = store
            .import_store()
            .expect("imports")
            .import(some, now)
            .await;
        imported.expect("an import");
    }
    let requests = tokens.iter().map(|token| {
        let token = token.expose();
        format!("GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n")
    });
    requests.collect()
}

/// A server with the layer, in this process.
struct Node {
    store: AnyStore,
    jobs: Jobs,
    address: std::net::SocketAddr,
    server: JoinHandle<()>,
}

impl Node {
    async fn start(url: &str) -> Self {
        let store = open(url).await;
        let settings = Settings::builder()
            .set("atlassian.pats.auth.cache.max.items", "100000")
            // It would delete what others measure.
            .and_then(|settings| {
                settings.set("atlassian.pats.pruning.schedule.cron", "0 0 0 1 1 ? 2099")
            })
            .and_then(SettingsBuilder::build);
        let pats = Pats::builder(store.tokens())
            .settings(settings.expect("settings"))
            .build();
        let jobs = pats.start();
        let app = Router::new().route("/", get(async || "hello"));
        let app = app.layer(PatLayer::required(pats));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let server = tokio::spawn(async {
            axum::serve(listener, app).await.expect("the server runs");
        });
        Self {
            store,
            jobs,
            address,
            server,
        }
    }

    /// Sends each request once, and returns how many were answered a second.
    #[expect(clippy::disallowed_methods, reason = "a benchmark takes the time")]
    async fn present(&self, requests: &[String]) -> f64 {
        let begun = Instant::now();
        let each = requests.len().div_ceil(CLIENTS);
        let clients = requests.chunks(each).map(|requests| {
            let (address, requests) = (self.address, requests.to_vec());
            tokio::spawn(async move {
                let mut stream = TcpStream::connect(address).await.expect("a connection");
                stream.set_nodelay(true).expect("an option");
                for request in requests {
                    request_once(&mut stream, &request).await;
                }
            })
        });
        for client in clients.collect::<Vec<_>>() {
            client.await.expect("no panic");
        }
        count(requests.len()) / begun.elapsed().as_secs_f64()
    }

    async fn stop(self) {
        self.server.abort();
        self.jobs.shutdown().await;
        self.store.close().await;
    }
}

async fn request_once(stream: &mut TcpStream, request: &str) {
    stream
        .write_all(request.as_bytes())
        .await
        .expect("a request");
    let mut response = Vec::with_capacity(1_024);
    while !response.ends_with(b"hello") {
        let read = stream.read_buf(&mut response).await.expect("a response");
        assert!(read > 0, "{}", String::from_utf8_lossy(&response));
    }
}

fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

static IS_COUNTING: AtomicBool = AtomicBool::new(false);
static QUERIES: AtomicU32 = AtomicU32::new(0);

/// Counts the queries that sqlx logs, while they are to be counted.
struct Counter;

/// Has all queries of this process counted while a node is asked about unknown tokens.
pub(crate) fn count_queries() {
    tracing::subscriber::set_global_default(Counter).expect("there is no other");
}

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        IS_COUNTING.load(Ordering::Relaxed) && metadata.target() == "sqlx::query"
    }

    fn event(&self, _: &Event<'_>) {
        QUERIES.fetch_add(1, Ordering::Relaxed);
    }

    fn register_callsite(&self, _: &'static Metadata<'static>) -> tracing::subscriber::Interest {
        tracing::subscriber::Interest::sometimes()
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}
