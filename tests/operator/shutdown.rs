//! The end of the server: not ready first, then no more connections, then the requests under way.

use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::process::Process;
use pat_harness::trial;
use pat_servers::programs::signal;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(super) fn trials() -> Vec<Trial> {
    vec![
        trial(a_server_that_ends_is_not_ready_before_it_takes_no_more_requests),
        trial(requests_that_are_cut_off_are_an_error),
        trial(jobs_that_are_cut_off_are_an_error),
    ]
}

/// The first half of a request that creates a token.
const HALF: &str = "POST /rest/pat/latest/tokens HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\
    Authorization: Basic YWxpY2U6YWxpY2U=\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"name\"";

struct Server {
    process: Process,
    address: String,
    http: Client,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(grace: &str, timeout: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let arguments = ["--shutdown-grace", grace, "--shutdown-timeout", timeout];
        let process = Process::start(folder.path(), &arguments);
        let address = process
            .base
            .strip_prefix("http://")
            .expect("an address")
            .to_owned();
        // Each request has a connection of its own.
        let http = Client::builder().pool_max_idle_per_host(0).build();
        Self {
            process,
            address,
            http: http.expect("a client"),
            _folder: folder,
        }
    }

    async fn get(&self, path: &str) -> Option<(StatusCode, String)> {
        let response = self.http.get(format!("{}{path}", self.process.base)).send();
        let response = response.await.ok()?;
        let status = response.status();
        Some((status, response.text().await.ok()?))
    }

    async fn status(&self, path: &str) -> Option<StatusCode> {
        self.get(path).await.map(|(status, _)| status)
    }

    /// Begins a request that the server then waits for.
    async fn begin(&self) -> TcpStream {
        let mut stream = TcpStream::connect(&self.address)
            .await
            .expect("a connection");
        stream.write_all(HALF.as_bytes()).await.expect("it reads");
        // The server has read the head once it answers a later request.
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(self.status("/livez").await, Some(StatusCode::OK));
        stream
    }

    fn terminate(&self) {
        assert!(signal("TERM", &[self.process.id()]), "it runs");
    }
}

async fn until(what: &str, is_so: impl AsyncFn() -> bool) {
    for _ in 0..500 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{what}");
}

async fn a_server_that_ends_is_not_ready_before_it_takes_no_more_requests() {
    let mut server = Server::start("3", "30");
    let (status, verbose) = server.get("/readyz?verbose").await.expect("an answer");
    assert_eq!(status, StatusCode::OK, "{verbose}");
    let verbose: Value = serde_json::from_str(&verbose).expect("JSON");
    let checks = verbose["checks"].as_array().expect("checks");
    assert!(
        checks.iter().all(|check| check["status"] != "failed"),
        "{verbose}"
    );
    let mut running = server.begin().await;
    server.terminate();
    let unready = Some(StatusCode::SERVICE_UNAVAILABLE);
    until("it is not ready", async || {
        server.status("/readyz").await == unready
    })
    .await;
    assert_eq!(server.status("/livez").await, Some(StatusCode::OK));
    assert_eq!(
        server.status("/login").await,
        Some(StatusCode::OK),
        "it still answers"
    );
    until("it takes no more connections", async || {
        server.status("/livez").await.is_none()
    })
    .await;
    running.write_all(b":\"ci\"}").await.expect("it reads on");
    let mut answer = String::new();
    running
        .read_to_string(&mut answer)
        .await
        .expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    assert!(server.process.end("CONT").await, "nothing was cut off");
}

async fn requests_that_are_cut_off_are_an_error() {
    let mut server = Server::start("0", "1");
    let running = server.begin().await;
    assert!(!server.process.end("TERM").await, "the exit code says so");
    drop(running);
    let mut server = Server::start("60", "1");
    let ended = tokio::time::timeout(Duration::from_secs(30), server.process.end("INT"));
    let ended = ended.await;
    assert_eq!(ended, Ok(true), "a person does not wait for load balancers");
}

async fn jobs_that_are_cut_off_are_an_error() {
    // A mail server that takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("smtp://{}", silent.local_addr().expect("an address"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let arguments = [
        "--mail-from",
        "PAT <pat@example.com>",
        "--smtp-url",
        &url,
        "-Dpat.notice.created=true",
    ];
    let mut process = Process::start(folder.path(), &arguments);
    let http = Client::new();
    let url = format!("{}/rest/pat/latest/tokens", process.base);
    let body = json!({"name": "ci", "expirationDuration": 30});
    let created = http.post(url).basic_auth("alice", Some("alice"));
    let created = created.json(&body).send().await.expect("an answer");
    assert_eq!(created.status(), StatusCode::CREATED);
    let (_connection, _) = silent.accept().await.expect("a mail that is on its way");
    assert!(!process.end("TERM").await, "the exit code says so");
}
