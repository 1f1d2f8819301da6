//! Three servers on one database, each a process of its own: how long the others go on accepting
//! what one has revoked.
//!
//! `cargo run --release --example cluster`, on a SQLite file, or on `DATABASE_URL`.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use futures_util::future::try_join_all;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{Method, Request, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use pat_core::{BoxError, Clock as _, SystemClock};
use serde::Deserialize;
use serde_json::json;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

const NODES: usize = 3;
const REVOCATIONS: usize = 50;
/// Has this program be one of the servers.
const AS_NODE: &str = "PAT_CLUSTER_NODE";
/// The name and the password `alice`.
const ALICE: &str = "Basic YWxpY2U6YWxpY2U=";

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
    http: Client<HttpConnector, Body>,
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
            http: Client::builder(TokioExecutor::new()).build_http(),
        })
    }

    async fn create(&self) -> Result<Token, BoxError> {
        let token = json!({"name": "cluster", "expirationDuration": 1}).to_string();
        let path = "/rest/pat/latest/tokens";
        match self.send(Method::POST, path, ALICE, token).await? {
            (StatusCode::CREATED, token) => Ok(serde_json::from_slice(&token)?),
            (status, _) => Err(unexpected(status)),
        }
    }

    async fn accepts(&self, token: &Token) -> Result<bool, BoxError> {
        let path = "/rest/api/latest/myself";
        let bearer = format!("Bearer {}", token.raw_token);
        match self.send(Method::GET, path, &bearer, String::new()).await? {
            (StatusCode::OK, _) => Ok(true),
            (StatusCode::UNAUTHORIZED, _) => Ok(false),
            (status, _) => Err(unexpected(status)),
        }
    }

    async fn revoke(&self, token: &Token) -> Result<(), BoxError> {
        let path = format!("/rest/pat/latest/tokens/{}", token.id);
        let empty = String::new();
        match self.send(Method::DELETE, &path, ALICE, empty).await? {
            (StatusCode::NO_CONTENT, _) => Ok(()),
            (status, _) => Err(unexpected(status)),
        }
    }

    /// The status and the body of the answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        authorization: &str,
        json: String,
    ) -> Result<(StatusCode, Bytes), BoxError> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(AUTHORIZATION, authorization)
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(json))?;
        let answer = self.http.request(request).await?;
        let status = answer.status();
        // Read to its end, so that the connection serves the next request too.
        let body = to_bytes(Body::new(answer.into_body()), usize::MAX).await?;
        Ok((status, body))
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

fn unexpected(status: StatusCode) -> BoxError {
    format!("a node answers with {status}").into()
}
