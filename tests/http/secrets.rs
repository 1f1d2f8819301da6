//! A token is nowhere but in the answer to its creation.

use std::path::Path;

use libtest_mimic::Trial;
use pat_harness::process::Process;
use pat_harness::{MYSELF, NewToken, TOKENS, answer, client, trial};
use reqwest::StatusCode;
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(a_token_is_in_no_log_and_no_file)]
}

/// A whole life at the highest log level, of our crates and of all below them.
async fn a_token_is_in_no_log_and_no_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log_folder = tempfile::tempdir().expect("a temporary folder");
    let log = log_folder.path().join("log");
    let file = std::fs::File::create(&log).expect("a log file");
    let mut server = Process::start_logging(folder.path(), file);
    let tokens = life(&server.base).await;
    assert_absent_from_files(folder.path(), &tokens);
    assert!(server.terminate(), "a good end");
    assert_absent_from_files(folder.path(), &tokens);
    let log = std::fs::read(log).expect("the log");
    for part in ["TRACE", "token created", "sqlx::query", "tower_http"] {
        assert!(
            contains(&log, part.as_bytes()),
            "{part}: of the crates below too"
        );
    }
    for token in &tokens {
        assert_absent("the log", &log, token);
    }
}

/// Creates, uses, misuses and revokes tokens; returns them.
async fn life(base: &str) -> Vec<NewToken> {
    let http = client();
    let mut tokens = Vec::new();
    for _ in 0..3 {
        let request = http
            .post(format!("{base}{TOKENS}"))
            .basic_auth("alice", Some("alice"));
        tokens.push(
            answer(request.json(&json!({"name": "canary"})))
                .await
                .created(),
        );
    }
    for token in &tokens {
        for path in [
            MYSELF,
            TOKENS,
            "/rest/pat/latest/tokens/current",
            "/nowhere",
        ] {
            answer(http.get(format!("{base}{path}")).bearer_auth(&token.raw)).await;
        }
        let twice = http.get(format!("{base}{MYSELF}")).bearer_auth(&token.raw);
        answer(twice.header("authorization", format!("Bearer {}", token.raw))).await;
        let body = http
            .post(format!("{base}{TOKENS}"))
            .bearer_auth(&token.raw)
            .body("{");
        answer(body.header("content-type", "application/json")).await;
    }
    let revoked = http
        .delete(format!("{base}{}", tokens[0].path()))
        .bearer_auth(&tokens[1].raw);
    assert_eq!(answer(revoked).await.status, StatusCode::NO_CONTENT);
    let refused = answer(
        http.get(format!("{base}{MYSELF}"))
            .bearer_auth(&tokens[0].raw),
    )
    .await;
    assert_eq!(refused.status, StatusCode::UNAUTHORIZED);
    assert!(!refused.body.contains(&tokens[0].raw));
    tokens
}

fn assert_absent_from_files(folder: &Path, tokens: &[NewToken]) {
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder") {
        let path = entry.expect("an entry").path();
        let bytes = std::fs::read(&path).expect("a file");
        count += bytes.len();
        for token in tokens {
            assert_absent(&path.display().to_string(), &bytes, token);
        }
    }
    assert!(count > 1000, "there is a database");
}

/// Neither the whole token nor the random part without prefix and checksum.
fn assert_absent(place: &str, bytes: &[u8], token: &NewToken) {
    assert!(
        !contains(bytes, token.raw.as_bytes()),
        "the token is in {place}"
    );
    assert!(
        !contains(bytes, &token.raw.as_bytes()[4..47]),
        "the token's body is in {place}"
    );
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack
        .windows(needle.len())
        .any(|window| window == needle)
}
