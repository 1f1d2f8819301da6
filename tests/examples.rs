//! The examples that people begin from, each as a process of its own.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::BoxError;
use pat_harness::node::stored_last_use;
use pat_harness::process::{Process, command};
use pat_harness::{TOKENS, answer, client, trial, trial_with_need};
use reqwest::{RequestBuilder, StatusCode};
use serde_json::json;
use tempfile::TempDir;
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

mod scopes {
    include!(concat!(env!("OUT_DIR"), "/scopes.rs"));
}

pub(crate) fn run_as_example() -> ExitCode {
    let name = std::env::var(AS_EXAMPLE);
    let ended: Result<(), BoxError> = match name.as_deref() {
        Ok("axum") => axum::main(),
        Ok("hyper") => hyper::main(),
        Ok("scopes") => scopes::main(),
        name => Err(format!("there is no example {name:?}").into()),
    };
    ended.expect("it serves");
    ExitCode::SUCCESS
}

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(axum_ends_and_loses_no_last_use),
        trial(hyper_ends),
        trial(a_cookie_cannot_be_used_by_another_site),
        trial_with_need("curl", missing_curl(), the_printed_lines_work_in_order),
        trial_with_need(
            "curl",
            missing_curl(),
            the_servers_printed_lines_work_in_order,
        ),
    ]
}

fn missing_curl() -> Option<&'static str> {
    let version = Command::new("curl").arg("--version").output();
    version.is_err().then_some("needs curl")
}

fn start(name: &str, folder: &TempDir) -> Process {
    let mut command = command(folder.path());
    let command = command.env_remove(pat_harness::process::AS_SERVER);
    let command = command.env(AS_EXAMPLE, name).stderr(Stdio::inherit());
    Process::try_spawn(command).expect("a greeting")
}

/// Signs alice in to one of the examples. Returns the cookie.
async fn sign_in(server: &Process, example: &str) -> String {
    let base = &server.base;
    let login = match example {
        "axum" => client().post(format!("{base}/login")).body("user=alice"),
        _ => client().post(format!("{base}/login/alice")),
    };
    let login = login.header("content-type", "application/x-www-form-urlencoded");
    let signed_in = answer(login).await;
    assert_eq!(signed_in.status, StatusCode::OK, "{}", signed_in.body);
    let cookie = signed_in.header("set-cookie").expect("a cookie");
    // Who copies the example has these.
    for attribute in ["HttpOnly", "SameSite=Strict", "Secure"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    cookie.split(';').next().expect("a name").to_owned()
}

fn creation(server: &Process, cookie: &str) -> RequestBuilder {
    let create = client().post(format!("{}{TOKENS}", server.base));
    let create = create.header("cookie", cookie);
    create.json(&json!({"name": "ci", "expirationDuration": 90}))
}

async fn create(server: &Process, cookie: &str) -> String {
    answer(creation(server, cookie)).await.created().raw
}

async fn a_cookie_cannot_be_used_by_another_site() {
    for example in ["axum", "hyper"] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = start(example, &folder);
        let cookie = sign_in(&server, example).await;
        for (header, value) in [
            ("origin", "https://evil.example"),
            ("sec-fetch-site", "cross-site"),
        ] {
            let refused = answer(creation(&server, &cookie).header(header, value)).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{example}");
            assert_eq!(refused.problem(), "cross-site-request");
        }
        let own = creation(&server, &cookie).header("origin", &server.base);
        let token = answer(own).await.created().raw;
        // A token ends the session.
        let request = client().get(format!("{}/", server.base));
        let greeting = request.header("cookie", &cookie).bearer_auth(&token);
        assert_eq!(answer(greeting).await.body, "Hello alice!\n");
        let refused = answer(creation(&server, &cookie)).await;
        assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    }
}

/// A report, and the refusal of a request that changes something.
const SCOPED: &str = "a report\n{\"type\":\"urn:problem-type:pat/insufficient-scope\",\
                      \"title\":\"Insufficient scope\",\"status\":403,\
                      \"detail\":\"The access token lacks the scope write.\",\
                      \"error\":\"The access token lacks the scope write.\",\
                      \"message\":\"The access token lacks the scope write.\",\
                      \"errorMessages\":[\"The access token lacks the scope write.\"],\
                      \"required_scopes\":[\"write\"],\"missing_scopes\":[\"write\"]}";

/// Returns so many lines of what a server prints as it starts.
fn printed_lines(server: &mut Child, skipped: usize, count: usize) -> Vec<String> {
    let output = BufReader::new(server.stdout.take().expect("its output"));
    let lines = output.lines().map(|line| line.expect("a line"));
    lines.skip(skipped).take(count).collect()
}

/// Runs these lines in a shell, and then stops the server; returns what they print.
fn run_lines(lines: &[String], folder: &TempDir, mut server: Child) -> String {
    let shell = Command::new("sh")
        .args(["-ec", &lines.join("\n")])
        .current_dir(folder.path())
        .output();
    server.kill().expect("its end");
    server.wait().expect("its end");
    let output = shell.expect("a shell").stdout;
    String::from_utf8_lossy(&output).into_owned()
}

/// What each example prints, pasted into a shell.
async fn the_printed_lines_work_in_order() {
    for (example, expected) in [
        ("axum", "You are alice, by the token \"ci\".\n"),
        ("hyper", "Hello alice!\n"),
        ("scopes", SCOPED),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = command(folder.path());
        let command = command.env_remove(pat_harness::process::AS_SERVER);
        let mut server = command.env(AS_EXAMPLE, example).spawn().expect("it starts");
        let printed = printed_lines(&mut server, 1, 3);
        let text = run_lines(&printed, &folder, server);
        assert_eq!(text, expected, "{printed:#?}");
    }
}

async fn the_servers_printed_lines_work_in_order() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut command = command(folder.path());
    let mut server = command
        .args(["--listen", "127.0.0.1:0", "--log", "off"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut printed = printed_lines(&mut server, 5, 4);
    // What the old and the new token are worth before and after the revocation.
    let statuses = printed[1].replace("curl", "curl -s -o /dev/null -w '%{http_code}\\n'");
    let old = statuses.replace("$TOKEN", "$OLD");
    printed.insert(2, "echo; OLD=$TOKEN".to_owned());
    printed.insert(4, format!("{old}\n{statuses}"));
    printed.push(format!("{old}\n{statuses}"));
    let text = run_lines(&printed, &folder, server);
    let (myself, statuses) = text.split_once('\n').expect("lines");
    assert!(myself.contains("\"name\":\"alice\""), "{text}");
    assert_eq!(statuses, "200\n200\n401\n401\n", "{printed:#?}");
}

/// Whatever a client holds open: a stream of events, and a request that is sent by half.
async fn axum_ends_and_loses_no_last_use() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = start("axum", &folder);
    let cookie = sign_in(&server, "axum").await;
    let token = create(&server, &cookie).await;
    let stream = client().get(format!("{}/events", server.base));
    let stream = stream.bearer_auth(&token).send().await.expect("a stream");
    assert_eq!(stream.status(), StatusCode::OK);
    let half = half_request(&server, &cookie).await;
    ends(&mut server, "TERM").await;
    drop((stream, half));
    assert!(stored_last_use(folder.path()).await.is_some());
}

async fn hyper_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = start("hyper", &folder);
    let cookie = sign_in(&server, "hyper").await;
    let half = half_request(&server, &cookie).await;
    ends(&mut server, "INT").await;
    drop(half);
}

/// A request whose body does not go on.
async fn half_request(server: &Process, cookie: &str) -> TcpStream {
    let address = server.base.strip_prefix("http://").expect("an address");
    let mut stream = TcpStream::connect(address).await.expect("a connection");
    let half = format!(
        "POST {TOKENS} HTTP/1.1\r\nhost: {address}\r\ncookie: {cookie}\r\n\
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
