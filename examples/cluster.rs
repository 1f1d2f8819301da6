//! Three servers on one database, each a process of its own: how long the others go on accepting
//! what one has revoked.
//!
//! `cargo run --release --example cluster`, on a SQLite file, or on `DATABASE_URL`.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use futures_util::future::try_join_all;
use http::StatusCode;
use pat_core::{BoxError, Clock as _, SystemClock};
use reqwest::Client;
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const NODES: usize = 3;
const REVOCATIONS: usize = 50;
/// Has this program be one of the servers.
const AS_NODE: &str = "PAT_CLUSTER_NODE";

fn main() -> ExitCode {
    if std::env::var_os(AS_NODE).is_some() {
        return pat_example_server::main(std::env::args_os());
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main]
async fn run() -> Result<(), BoxError> {
    let folder = tempfile::tempdir()?;
    let file = format!("sqlite:{}", folder.path().join("pat.db").display());
    let url = std::env::var("DATABASE_URL").unwrap_or(file);
    println!("{NODES} nodes, {REVOCATIONS} revocations, time from the acknowledgement on:");
    for wait in ["none", "cluster"] {
        let nodes = try_join_all((0..NODES).map(|_| Node::start(&url, wait))).await?;
        let mut figures = measure(&nodes).await?;
        figures.sort_unstable();
        let middle = figures[figures.len() / 2];
        let longest = figures[figures.len() - 1];
        println!(
            "pat.revocation.wait={wait:<8} accepted for {:>4} ms (median), {:>4} ms (longest)",
            middle.as_millis(),
            longest.as_millis()
        );
        try_join_all(nodes.into_iter().map(Node::stop)).await?;
    }
    Ok(())
}

/// For each revocation, how long after its acknowledgement some other node still accepted.
async fn measure(nodes: &[Node]) -> Result<Vec<Duration>, BoxError> {
    let mut figures = Vec::new();
    for revoking in nodes.iter().cycle().take(REVOCATIONS) {
        let token = revoking.create().await?;
        if accepted(nodes, &token).await?.contains(&false) {
            return Err("a new token is refused".into());
        }
        revoking.revoke(&token).await?;
        let acknowledged = SystemClock.boot();
        let mut last = Duration::ZERO;
        while accepted(nodes, &token).await?.contains(&true) {
            last = SystemClock.boot().saturating_sub(acknowledged);
        }
        figures.push(last);
    }
    Ok(figures)
}

/// Whether each node accepts it.
async fn accepted(nodes: &[Node], token: &Token) -> Result<Vec<bool>, BoxError> {
    try_join_all(nodes.iter().map(|node| node.accepts(token))).await
}

/// The example server, running.
struct Node {
    process: Child,
    base: String,
    http: Client,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Token {
    id: i64,
    raw_token: String,
}

impl Node {
    async fn start(database_url: &str, wait: &str) -> Result<Self, BoxError> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(AS_NODE, "1")
            .env("DATABASE_URL", database_url)
            .args(["--listen", "127.0.0.1:0", "--log", "warn"])
            .arg("-Datlassian.pats.max.tokens.per.user=1000000")
            .arg(format!("-Dpat.revocation.wait={wait}"))
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().ok_or("no output")?;
        let greeting = BufReader::new(output).lines().next_line().await?;
        let base = greeting
            .as_deref()
            .and_then(|line| line.strip_prefix("Listening on "));
        Ok(Self {
            base: base.ok_or("a node did not start")?.to_owned(),
            process,
            http: Client::builder().no_proxy().build()?,
        })
    }

    async fn create(&self) -> Result<Token, BoxError> {
        let request = self
            .http
            .post(format!("{}/rest/pat/latest/tokens", self.base));
        let request = request.json(&json!({"name": "cluster", "expirationDuration": 1}));
        let answer = request.basic_auth("alice", Some("alice")).send().await?;
        Ok(answer.error_for_status()?.json().await?)
    }

    async fn accepts(&self, token: &Token) -> Result<bool, BoxError> {
        let request = self
            .http
            .get(format!("{}/rest/api/latest/myself", self.base));
        let answer = request.bearer_auth(&token.raw_token).send().await?;
        match answer.status() {
            StatusCode::OK => Ok(true),
            StatusCode::UNAUTHORIZED => Ok(false),
            status => Err(format!("a node answers with {status}").into()),
        }
    }

    async fn revoke(&self, token: &Token) -> Result<(), BoxError> {
        let path = format!("{}/rest/pat/latest/tokens/{}", self.base, token.id);
        let request = self.http.delete(path).basic_auth("alice", Some("alice"));
        request.send().await?.error_for_status()?;
        Ok(())
    }

    /// Asks it to end, so that the others know that it is gone.
    async fn stop(mut self) -> Result<(), BoxError> {
        let number = self.process.id().ok_or("a node has ended")?;
        Command::new("kill")
            .arg(number.to_string())
            .status()
            .await?;
        self.process.wait().await?;
        Ok(())
    }
}
