//! `kill -9` at any moment: what was acknowledged is still there.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libtest_mimic::Trial;
use pat_harness::process::Process;
use pat_harness::{PROJECTS, TOKENS, client, column, trial};
use pat_servers::environment::number;
use reqwest::StatusCode;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial(kill_9_loses_nothing_that_was_acknowledged)]
}

/// What the servers have acknowledged, by id.
#[derive(Debug, Default)]
struct Acknowledged {
    created: HashSet<i64>,
    revoked: HashSet<i64>,
    /// Asked for, and perhaps done.
    revoking: HashSet<i64>,
    raw: Vec<(i64, String)>,
}

/// `PAT_TEST_KILL_ROUNDS` makes it longer.
async fn kill_9_loses_nothing_that_was_acknowledged() {
    let rounds: u64 = number("PAT_TEST_KILL_ROUNDS", 5);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let options = ["-D", "atlassian.pats.max.tokens.per.user=1000000"];
    let acknowledged = Arc::new(Mutex::new(Acknowledged::default()));
    for round in 0..rounds {
        let mut server = Process::start(folder.path(), &options);
        let clients: Vec<_> = (0..4)
            .map(|_| tokio::spawn(create_and_revoke(server.base.clone(), acknowledged.clone())))
            .collect();
        tokio::time::sleep(Duration::from_millis(150 + round * 37 % 200)).await;
        server.kill();
        for client in clients {
            client
                .await
                .expect("a client that ends when its server does");
        }
    }
    let server = Process::start(folder.path(), &options);
    let request = client().get(format!("{}{TOKENS}", server.base));
    let list = request
        .basic_auth("alice", Some("alice"))
        .send()
        .await
        .expect("an answer");
    let list: Value = list.json().await.expect("a list");
    let listed = column(&list, "id").into_iter();
    let listed: HashSet<_> = listed.filter_map(|id| id.as_i64()).collect();
    let acknowledged = Arc::into_inner(acknowledged).expect("no client is left");
    let acknowledged = acknowledged.into_inner().expect("no client panicked");
    for id in &acknowledged.created {
        let expected = !acknowledged.revoked.contains(id);
        if expected && !acknowledged.revoking.contains(id) {
            assert!(listed.contains(id), "created, acknowledged and lost");
        }
        assert!(
            expected || !listed.contains(id),
            "revoked, acknowledged and back again"
        );
    }
    for (id, raw) in acknowledged
        .raw
        .iter()
        .filter(|(id, _)| acknowledged.revoked.contains(id))
    {
        let request = client()
            .get(format!("{}{PROJECTS}", server.base))
            .bearer_auth(raw);
        let status = request.send().await.expect("an answer").status();
        assert_eq!(status, StatusCode::UNAUTHORIZED, "token {id} was revoked");
    }
    assert!(
        acknowledged.revoked.len() > 5,
        "the rounds did some work: {}",
        acknowledged.revoked.len()
    );
}

/// Creates two tokens and revokes one, over and over, until the server is gone.
async fn create_and_revoke(base: String, acknowledged: Arc<Mutex<Acknowledged>>) {
    let (http, url) = (client(), format!("{base}{TOKENS}"));
    loop {
        let mut ids = Vec::new();
        for _ in 0..2 {
            let request = http.post(&url).basic_auth("alice", Some("alice"));
            let Ok(response) = request.json(&json!({"name": "ci"})).send().await else {
                return;
            };
            let Ok(token) = response.json::<Value>().await else {
                return;
            };
            let id = token["id"].as_i64().expect("an id");
            let mut acknowledged = acknowledged.lock().expect("no client panicked");
            acknowledged.created.insert(id);
            acknowledged
                .raw
                .push((id, token["rawToken"].as_str().expect("a token").to_owned()));
            ids.push(id);
        }
        acknowledged
            .lock()
            .expect("no client panicked")
            .revoking
            .insert(ids[0]);
        let request = http
            .delete(format!("{url}/{}", ids[0]))
            .basic_auth("alice", Some("alice"));
        let Ok(response) = request.send().await else {
            return;
        };
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
        acknowledged
            .lock()
            .expect("no client panicked")
            .revoked
            .insert(ids[0]);
    }
}
