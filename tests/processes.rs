//! Two servers, each a process of its own, on one SQLite file.

use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use reqwest::StatusCode;
use serde_json::json;

use crate::common::process::Process;
use crate::common::{Answer, MYSELF, NewToken, TOKENS, answer, client, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial(
            "processes::each_sees_the_others_revocations_in_time",
            revocations,
        ),
        trial(
            "processes::a_stream_ends_when_another_process_revokes",
            stream_ends,
        ),
        trial("processes::the_limit_holds_across_processes", limit),
        trial(
            "processes::sigterm_writes_last_uses_and_ends_well",
            graceful_end,
        ),
    ]
}

async fn create(server: &Process) -> Answer {
    let request = client().post(format!("{}{TOKENS}", server.base));
    let body = json!({"name": "ci", "expirationDuration": 90});
    answer(request.basic_auth("alice", Some("alice")).json(&body)).await
}

async fn revoke(server: &Process, token: &NewToken) {
    let request = client().delete(format!("{}{}", server.base, token.path()));
    let answer = answer(request.basic_auth("alice", Some("alice"))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

async fn status(server: &Process, token: &NewToken) -> StatusCode {
    answer(
        client()
            .get(format!("{}{MYSELF}", server.base))
            .bearer_auth(&token.raw),
    )
    .await
    .status
}

/// The bound is the poll interval of half a second; the staleness bound of two seconds is the hard
/// limit, which is what this asserts.
#[expect(
    clippy::disallowed_methods,
    reason = "measures a bound of the protocol in real time"
)]
async fn revocations() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let servers = [
        Process::start(folder.path(), &[]),
        Process::start(folder.path(), &[]),
    ];
    for (here, there) in [(0, 1), (1, 0), (0, 1), (1, 0)] {
        let token = create(&servers[here]).await.created();
        for server in &servers {
            assert_eq!(status(server, &token).await, StatusCode::OK);
        }
        revoke(&servers[here], &token).await;
        let acknowledged = Instant::now();
        assert_eq!(
            status(&servers[here], &token).await,
            StatusCode::UNAUTHORIZED
        );
        loop {
            let sent = acknowledged.elapsed();
            if status(&servers[there], &token).await == StatusCode::UNAUTHORIZED {
                break;
            }
            assert!(
                sent < Duration::from_millis(2_100),
                "accepted {sent:?} after the 204"
            );
        }
    }
}

async fn stream_ends() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let servers = [
        Process::start(folder.path(), &[]),
        Process::start(folder.path(), &[]),
    ];
    let token = create(&servers[0]).await.created();
    let request = client().get(format!("{}/demo/events", servers[0].base));
    let stream = request.bearer_auth(&token.raw).send().await;
    let mut stream = stream.expect("a stream");
    assert!(stream.chunk().await.expect("an event").is_some());
    revoke(&servers[1], &token).await;
    let rest = async { while stream.chunk().await.expect("a good end").is_some() {} };
    let ended = tokio::time::timeout(Duration::from_millis(3_100), rest).await;
    assert!(ended.is_ok(), "within the staleness bound and a second");
}

async fn limit() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let servers = [
        Process::start(folder.path(), &[]),
        Process::start(folder.path(), &[]),
    ];
    let creations = (0..60).map(|number| create(&servers[number % 2]));
    let answers = futures_util::future::join_all(creations).await;
    let count = |status| {
        answers
            .iter()
            .filter(|answer| answer.status == status)
            .count()
    };
    assert_eq!(
        (count(StatusCode::CREATED), count(StatusCode::FORBIDDEN)),
        (10, 50)
    );
}

async fn graceful_end() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::start(folder.path(), &[]);
    let token = create(&server).await.created();
    assert_eq!(status(&server, &token).await, StatusCode::OK);
    assert!(server.terminate(), "exit code 0");
    let store = pat_sqlx::SqliteStore::open(folder.path().join("pat.db"))
        .await
        .expect("a store");
    let pats = pat_core::Pats::builder(store).build();
    let alice = pat_core::Caller::explicit("alice".parse().expect("an owner"));
    let listed = pats.list(&alice).await.expect("a list");
    assert!(listed[0].last_used_at.is_some());
}
