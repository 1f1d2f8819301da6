//! Two servers, each a process of its own, on one database: a SQLite file, unless the test says more.

use std::path::Path;
use std::time::{Duration, Instant};

use libtest_mimic::Trial;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::node::stored_last_use;
use pat_harness::process::Process;
use pat_harness::{
    Answer, MYSELF, NewToken, PROJECTS, TOKENS, answer, client, count, trial, until,
};
use reqwest::{Method, StatusCode};
use serde_json::json;

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials: Vec<_> = trials_on_all(processes_share_their_users).into();
    trials.extend([
        trial(each_process_sees_the_others_revocations_in_time),
        trial(a_stream_ends_when_another_process_revokes),
        trial(the_limit_holds_across_processes),
        trial(sigterm_writes_last_uses_and_ends_well),
    ]);
    trials
}

async fn create(server: &Process) -> Answer {
    create_as(server, "alice").await
}

async fn create_as(server: &Process, user: &str) -> Answer {
    let request = client().post(format!("{}{TOKENS}", server.base));
    let body = json!({"name": "ci", "expirationDuration": 90});
    answer(request.basic_auth(user, Some(user)).json(&body)).await
}

async fn revoke(server: &Process, token: &NewToken) {
    let request = client().delete(format!("{}{}", server.base, token.path()));
    let answer = answer(request.basic_auth("alice", Some("alice"))).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
}

async fn status(server: &Process, token: &NewToken) -> StatusCode {
    answer(
        client()
            .get(format!("{}{PROJECTS}", server.base))
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
async fn each_process_sees_the_others_revocations_in_time() {
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

async fn a_stream_ends_when_another_process_revokes() {
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

async fn the_limit_holds_across_processes() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let servers = [
        Process::start(folder.path(), &[]),
        Process::start(folder.path(), &[]),
    ];
    let creations = (0..60).map(|number| create(&servers[number % 2]));
    let answers = futures_util::future::join_all(creations).await;
    assert_eq!(count(&answers, StatusCode::CREATED), 10);
    assert_eq!(count(&answers, StatusCode::FORBIDDEN), 50);
}

async fn sigterm_writes_last_uses_and_ends_well() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut server = Process::start(folder.path(), &[]);
    let token = create(&server).await.created();
    assert_eq!(status(&server, &token).await, StatusCode::OK);
    assert!(server.terminate(), "exit code 0");
    assert!(stored_last_use(folder.path()).await.is_some());
}

/// Disabled, deleted or added through one of two servers, a user is so on the other one, and after a
/// restart.
async fn processes_share_their_users(place: AnyDatabase) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut servers = [(); 2].map(|()| start(folder.path(), &place, "0"));
    let administer = async |server: &Process, method: Method, path: &str| {
        let request = client().request(method, format!("{}/demo/users/{path}", server.base));
        let answer = answer(request.basic_auth("admin", Some("admin"))).await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path}");
    };
    let tokens = [
        create_as(&servers[0], "alice").await.created(),
        create_as(&servers[1], "bob").await.created(),
    ];
    for token in &tokens {
        for server in &servers {
            assert_eq!(status(server, token).await, StatusCode::OK, "cached");
        }
    }

    administer(&servers[0], Method::POST, "bob/disable").await;
    refused_within_bound(&servers, "bob", &tokens[1]).await;
    administer(&servers[1], Method::POST, "bob/enable").await;
    for server in &servers {
        assert_eq!(sign_in(server, "bob").await, StatusCode::OK);
        until("the token works again", async || {
            status(server, &tokens[1]).await == StatusCode::OK
        })
        .await;
    }
    administer(&servers[1], Method::POST, "bob/disable").await;
    refused_within_bound(&servers, "bob", &tokens[1]).await;
    administer(&servers[1], Method::DELETE, "alice").await;
    refused_within_bound(&servers, "alice", &tokens[0]).await;

    assert!(servers[0].terminate(), "exit code 0");
    // With the users and tokens to look at.
    servers[0] = start(folder.path(), &place, "3");
    for server in &servers {
        assert_eq!(sign_in(server, "carol").await, StatusCode::OK, "added");
        assert_eq!(sign_in(server, "bob").await, StatusCode::UNAUTHORIZED);
        assert_eq!(sign_in(server, "alice").await, StatusCode::UNAUTHORIZED);
    }

    // A table that is not there says nothing about a user.
    let token = create_as(&servers[0], "carol").await.created();
    place
        .execute("ALTER TABLE demo_user RENAME TO demo_away")
        .await;
    let unavailable = StatusCode::SERVICE_UNAVAILABLE;
    assert_eq!(status(&servers[1], &token).await, unavailable);
    assert_eq!(sign_in(&servers[1], "carol").await, unavailable);
    place
        .execute("ALTER TABLE demo_away RENAME TO demo_user")
        .await;
    assert_eq!(status(&servers[1], &token).await, StatusCode::OK);
    assert_eq!(sign_in(&servers[1], "carol").await, StatusCode::OK);
}

fn start(folder: &Path, place: &AnyDatabase, demo_data: &str) -> Process {
    let url = place.url();
    Process::start_silent(
        folder,
        &["--database-url", &url, "--demo-data", demo_data].map(str::to_owned),
    )
}

/// The status of a request with this user's name and password.
async fn sign_in(server: &Process, user: &str) -> StatusCode {
    let request = client().get(format!("{}{MYSELF}", server.base));
    answer(request.basic_auth(user, Some(user))).await.status
}

/// A password is refused on both servers at once, a token within the staleness bound.
#[expect(
    clippy::disallowed_methods,
    reason = "measures a bound of the protocol in real time"
)]
async fn refused_within_bound(servers: &[Process], user: &str, token: &NewToken) {
    let acknowledged = Instant::now();
    for server in servers {
        assert_eq!(
            sign_in(server, user).await,
            StatusCode::UNAUTHORIZED,
            "{user}"
        );
        loop {
            let sent = acknowledged.elapsed();
            if status(server, token).await == StatusCode::UNAUTHORIZED {
                break;
            }
            assert!(
                sent < Duration::from_millis(2_100),
                "{user} accepted {sent:?} after the 204"
            );
        }
    }
}
