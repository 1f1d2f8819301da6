//! The examples that people begin from, each as a process of its own.

use std::process::{ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::BoxError;
use pat_harness::node::stored_last_use;
use pat_harness::process::{Process, command};
use pat_harness::{TOKENS, answer, client, trial};
use reqwest::StatusCode;
use serde_json::json;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Makes the test program be the example of this name.
pub(crate) const AS_EXAMPLE: &str = "PAT_TEST_AS_EXAMPLE";

mod axum {
    include!(concat!(env!("OUT_DIR"), "/axum.rs"));
}

mod hyper {
    include!(concat!(env!("OUT_DIR"), "/hyper.rs"));
}

pub(crate) fn run_as_example() -> ExitCode {
    let name = std::env::var(AS_EXAMPLE);
    let ended: Result<(), BoxError> = match name.as_deref() {
        Ok("axum") => axum::main(),
        Ok("hyper") => hyper::main(),
        name => Err(format!("there is no example {name:?}").into()),
    };
    ended.expect("it serves");
    ExitCode::SUCCESS
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(axum_ends_and_loses_no_last_use), trial(hyper_ends)]
}

fn start(name: &str, folder: &tempfile::TempDir) -> Process {
    let mut command = command(folder.path());
    let command = command.env_remove(pat_harness::process::AS_SERVER);
    let command = command.env(AS_EXAMPLE, name).stderr(Stdio::inherit());
    Process::try_spawn(command).expect("a greeting")
}

async fn create(server: &Process) -> String {
    let create = client().post(format!("{}{TOKENS}", server.base));
    let create = create.header("demo-user", "alice");
    let create = create.json(&json!({"name": "ci", "expirationDuration": 90}));
    answer(create).await.created().raw
}

/// Whatever a client holds open: a stream of events, and a request that is sent by half.
async fn axum_ends_and_loses_no_last_use() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = start("axum", &folder);
    let token = create(&server).await;
    let stream = client().get(format!("{}/events", server.base));
    let stream = stream.bearer_auth(&token).send().await.expect("a stream");
    assert_eq!(stream.status(), StatusCode::OK);
    let half = half_request(&server).await;
    ends(&mut server, "TERM").await;
    drop((stream, half));
    assert!(stored_last_use(folder.path()).await.is_some());
}

async fn hyper_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = start("hyper", &folder);
    let _token = create(&server).await;
    let half = half_request(&server).await;
    ends(&mut server, "INT").await;
    drop(half);
}

/// A request whose body does not go on.
async fn half_request(server: &Process) -> TcpStream {
    let address = server.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let half = format!(
        "POST {TOKENS} HTTP/1.1\r\nhost: {address}\r\ndemo-user: alice\r\n\
         content-type: application/json\r\ncontent-length: 30\r\nexpect: 100-continue\r\n\r\n"
    );
    stream.write_all(half.as_bytes()).await.expect("a request");
    // It is asked for the body once it is read so far.
    stream.readable().await.expect("an answer");
    stream
}

/// Sends it this signal, on which it is to end in a few seconds.
async fn ends(server: &mut Process, signal: &str) {
    let ended = timeout(Duration::from_secs(20), server.end(signal)).await;
    assert!(ended.expect("it ends"), "exit code 0");
}
