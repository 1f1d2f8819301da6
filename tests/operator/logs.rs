//! The log as JSON, and what an audit line says.

use std::fs::{self, File};
use std::path::Path;

use libtest_mimic::Trial;
use pat_harness::process::Process;
use pat_harness::{TOKENS, trial};
use reqwest::{Client, StatusCode};
use serde_json::{Map, Value, json};

pub(super) fn trials() -> Vec<Trial> {
    vec![trial(each_line_is_json_and_each_event_one_line)]
}

type Line = Map<String, Value>;

/// The server's log, each line of which is an object.
fn lines(file: &Path) -> Vec<Line> {
    let log = fs::read_to_string(file).expect("a log");
    let parse =
        |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
    log.lines().map(parse).collect()
}

fn of<'a>(lines: &'a [Line], message: &str) -> Vec<&'a Line> {
    let is_it = |line: &&Line| line.get("message") == Some(&message.into());
    lines.iter().filter(is_it).collect()
}

/// A user agent that would be a line of its own, or another field, if it were not quoted.
const USER_AGENT: &str = "evil\"} {\"message\":\"token revoked\",\"x\":\"";

async fn each_line_is_json_and_each_event_one_line() {
    // The connection is from 127.0.0.1. Only in the first case, what it reports is believed.
    for (trusted, keeps, address) in [
        ("127.0.0.0/8", "true", Some("192.0.2.7")),
        ("10.0.0.0/8", "true", Some("127.0.0.1")),
        ("127.0.0.0/8", "false", None),
    ] {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("log");
        let keeps = format!("-Dpat.audit.client.address={keeps}");
        let arguments = [
            "--log-format",
            "json",
            "--log",
            "trace",
            "--trusted-proxies",
            trusted,
            &keeps,
        ];
        let arguments = arguments.map(str::to_owned);
        let log = File::create(&file).expect("a file");
        let mut process = Process::start_usual(folder.path(), &arguments, log);
        use_tokens(&process.base).await;
        assert!(process.terminate());
        let lines = lines(&file);
        for line in &lines {
            // The events of sqlx have no message.
            for field in ["timestamp", "level", "target"] {
                assert!(line.contains_key(field), "{field} in {line:?}");
            }
        }
        for (message, id, name) in [
            ("token created", "made", Some("ci")),
            ("token used for the first time", "used", Some("ci")),
            ("token revoked", "gone", Some("ci")),
            ("token refused", "late", Some("ci")),
            ("token refused", "junk", None),
        ] {
            let found = of(&lines, message);
            let found: Vec<_> = found
                .iter()
                .filter(|line| line.get("request.id") == Some(&id.into()))
                .collect();
            let [line] = found[..] else {
                panic!("{message} of {id}: {found:?}");
            };
            assert_eq!(line.get("client.user_agent"), Some(&USER_AGENT.into()));
            assert_eq!(line.get("client.address").and_then(Value::as_str), address);
            assert_eq!(line.get("token.name").and_then(Value::as_str), name);
        }
        let reason = |message, id: &str| {
            let mut found = of(&lines, message).into_iter();
            let line = found.find(|line| line.get("request.id") == Some(&id.into()));
            line.and_then(|line| line.get("reason")).cloned()
        };
        assert_eq!(reason("token refused", "late"), Some("revoked".into()));
        assert_eq!(reason("token refused", "junk"), Some("foreign".into()));
    }
}

/// Creates, uses and revokes a token, and uses it again.
async fn use_tokens(base: &str) {
    let http = Client::new();
    let tokens = format!("{base}{TOKENS}");
    let request = |method, url: &str, id: &str| {
        http.request(method, url)
            .header("user-agent", USER_AGENT)
            .header("x-request-id", id)
            .header("x-forwarded-for", "203.0.113.1, 192.0.2.7")
            .header("forwarded", "for=203.0.113.2")
    };
    let create = request(reqwest::Method::POST, &tokens, "made");
    let create = create.basic_auth("alice", Some("alice"));
    let created = create.json(&json!({"name": "ci"})).send().await;
    let created: Value = created.expect("an answer").json().await.expect("JSON");
    let raw = created["rawToken"].as_str().expect("a token");
    let get = async |id, token| {
        let request = request(reqwest::Method::GET, &tokens, id).bearer_auth(token);
        request.send().await.expect("an answer").status()
    };
    assert_eq!(get("used", raw).await, StatusCode::OK);
    let revoke = request(
        reqwest::Method::DELETE,
        &format!("{tokens}/current"),
        "gone",
    );
    let revoked = revoke.bearer_auth(raw).send().await.expect("an answer");
    assert_eq!(revoked.status(), StatusCode::NO_CONTENT);
    assert_eq!(get("late", raw).await, StatusCode::UNAUTHORIZED);
    assert_eq!(get("junk", "pat_x").await, StatusCode::UNAUTHORIZED);
}
