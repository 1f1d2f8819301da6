//! A database that is restored from a backup.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::event::Event;
use pat_core::notification::NotificationId;
use pat_core::testing::{RecordingNotifier, TestDirectory};
use pat_core::{
    AdminError, AuthError, Caller, CreatedToken, Owner, Pats, RotationRequest, Settings, Successor,
    Token, TokenId, TokenRequest,
};
use pat_harness::database::{
    AnyDatabase, SERVERS, named_trial_that_stops, trial_on_sqlite, trials_on_all,
};
use pat_harness::names::name_of;
use pat_harness::node::sqlite_url;
use pat_harness::process::{Process, command, run_to_end};
use pat_harness::{TOKENS, answer, client, trial};
use pat_servers::programs::find;
use pat_servers::{Database, Kind};
use pat_sqlx::AnyStore;
use reqwest::StatusCode;
use serde_json::{Value, json};
use url::Url;

const HOUR: Duration = Duration::from_hours(1);

pub(super) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial_on_sqlite(revocations_since_the_backup_are_repeated_in_a_file),
        trial(the_server_repeats_revocations_from_a_file),
        trial(a_file_that_has_other_lines_is_refused),
    ];
    let name = name_of(&revocations_since_the_backup_are_repeated);
    trials.extend(trials_on_all(caches_do_not_outlive_a_restore));
    trials.extend(SERVERS.map(|kind| {
        named_trial_that_stops(kind, &name, |server| async move {
            let database = server.create_beside("restored").await;
            let place = AnyDatabase::Server(database);
            revocations_since_the_backup_are_repeated(place, server).await;
        })
    }));
    trials
}

async fn revocations_since_the_backup_are_repeated_in_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backup = folder.path().join("backup.db");
    let url = sqlite_url(folder.path());
    let place = AnyDatabase::Sqlite(folder);
    let saved = backup.clone();
    let save = async || {
        // Of a file that is in use, in one transaction.
        place
            .execute(&format!("VACUUM INTO '{}'", saved.display()))
            .await;
    };
    let restore = async || {
        let file = backup.with_file_name("pat.db");
        for suffix in ["-wal", "-shm"] {
            let mut beside = file.clone().into_os_string();
            beside.push(suffix);
            let _missing = std::fs::remove_file(PathBuf::from(beside));
        }
        std::fs::copy(&backup, &file).expect("a copy");
    };
    repeat(&url, save, restore).await;
}

async fn revocations_since_the_backup_are_repeated(place: AnyDatabase, server: Database) {
    let AnyDatabase::Server(database) = &place else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let backup = folder.path().join("backup.sql");
    let save = async || run(&dump(database, &backup), None);
    let restore = async || {
        let name = database.name("");
        let force = if database.kind == Kind::Postgres {
            " WITH (FORCE)"
        } else {
            ""
        };
        server
            .execute(&format!("DROP DATABASE {name}{force}"))
            .await;
        server.execute(&format!("CREATE DATABASE {name}")).await;
        run(&load(database), Some(&backup));
    };
    repeat(&database.url, save, restore).await;
}

fn parameter(database: &Database, name: &str) -> String {
    let url = Url::parse(&database.url).expect("a URL");
    let mut pairs = url.query_pairs();
    let found = pairs.find(|(key, _)| key == name);
    found.expect("a parameter").1.into_owned()
}

/// The program that writes a backup.
fn dump(database: &Database, file: &Path) -> Vec<String> {
    let name = database.name("");
    let file = file.display();
    let words = match database.kind {
        Kind::Postgres => format!(
            "pg_dump --username postgres --host {} --file {file} {name}",
            parameter(database, "host")
        ),
        Kind::MariaDb => format!(
            "mariadb-dump --no-defaults --single-transaction --user root --socket {} \
             --result-file {file} {name}",
            parameter(database, "socket")
        ),
    };
    words.split_whitespace().map(str::to_owned).collect()
}

/// The program that reads one.
fn load(database: &Database) -> Vec<String> {
    let name = database.name("");
    let words = match database.kind {
        Kind::Postgres => format!(
            "psql --no-psqlrc --quiet -v ON_ERROR_STOP=1 --username postgres --host {} {name}",
            parameter(database, "host")
        ),
        Kind::MariaDb => format!(
            "mariadb --no-defaults --user root --socket {} {name}",
            parameter(database, "socket")
        ),
    };
    words.split_whitespace().map(str::to_owned).collect()
}

fn run(words: &[String], input: Option<&Path>) {
    let program = find(&words[0]).unwrap_or_else(|| panic!("{} on this machine", words[0]));
    let mut command = Command::new(program);
    command.args(&words[1..]).stdout(Stdio::null());
    if let Some(file) = input {
        command.stdin(std::fs::File::open(file).expect("the backup"));
    }
    assert!(command.status().expect("it runs").success(), "{words:?}");
}

/// A node, and an administrator to read its events.
struct Node {
    pats: Pats,
    store: AnyStore,
    admin: Caller,
    notifier: RecordingNotifier,
}

impl Node {
    async fn start(url: &str) -> Self {
        let directory = TestDirectory::default();
        let [_alice, _bob] = ["alice", "bob"].map(|key| directory.add(key));
        let admin = directory.add_administrator("admin");
        let store = pat_sqlx::connect(url).await.expect("a store");
        // The long time is for busy machines.
        let settings = Settings::builder()
            .auth_database_timeout_ms(60_000)
            .notice_created(true);
        let notifier = RecordingNotifier::default();
        let pats = Pats::builder(store.tokens())
            .users(Arc::new(directory))
            .notifier(Arc::new(notifier.clone()))
            .settings(settings.build().expect("settings"))
            .build();
        pats.poll_changes().await.expect("a poll");
        Self {
            pats,
            store,
            admin: Caller::cookie_authenticated(admin),
            notifier,
        }
    }

    async fn create(&self, user: &str) -> CreatedToken {
        let caller = Caller::cookie_authenticated(user.parse().expect("an owner"));
        let created = self.pats.create(&caller, TokenRequest::new("ci", Some(30)));
        created.await.expect("a token")
    }

    async fn revoke(&self, token: &CreatedToken) {
        let revoked = self.pats.revoke(&self.admin, token.token.id).await;
        revoked.expect("a revocation");
    }

    async fn replace(&self, token: &CreatedToken, overlap: Duration) -> Successor {
        let caller = Caller::cookie_authenticated(token.token.owner.clone());
        let request = RotationRequest::default().with_overlap(overlap);
        let replaced = self.pats.rotate(&caller, token.token.id, request).await;
        replaced.expect("a successor")
    }

    async fn find(&self, token: &CreatedToken) -> Token {
        let found = self.pats.find(&self.admin, token.token.id).await;
        found.expect("the token")
    }

    async fn try_token(&self, token: &CreatedToken) -> Result<(), AuthError> {
        let presented = token.plain.expose().as_bytes();
        self.pats.authenticate(presented).await.map(drop)
    }

    async fn assert_accepts(&self, tokens: &[&CreatedToken]) {
        for token in tokens {
            self.try_token(token).await.expect("a good token");
        }
    }

    async fn assert_refuses(&self, tokens: &[&CreatedToken]) {
        for token in tokens {
            match self.try_token(token).await {
                Err(AuthError::Revoked(_) | AuthError::Expired(_) | AuthError::Unknown) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn events(&self, after: u64) -> Result<Vec<Event>, AdminError> {
        let administration = self.pats.administration(&self.admin).await;
        let administration = administration.expect("an administrator");
        administration.events(after, 1_000).await
    }

    /// Sends what is due, and returns the IDs of all that was sent.
    async fn notify(&self) -> BTreeSet<NotificationId> {
        let sent = self.pats.deliver_notifications().await;
        sent.expect("a delivery");
        let sent = self.notifier.sent();
        sent.iter().map(|notification| notification.id).collect()
    }

    async fn stop(self) {
        self.store.close().await;
    }
}

/// The rows are as before, and nodes run.
async fn caches_do_not_outlive_a_restore(place: AnyDatabase) {
    let url = place.url();
    let nodes = [Node::start(&url).await, Node::start(&url).await];
    let [kept, lost] = [nodes[0].create("alice").await, nodes[0].create("bob").await];
    let delete = format!("DELETE FROM pat_token WHERE id = {}", lost.token.id);
    for node in &nodes {
        node.pats.poll_changes().await.expect("a poll");
        node.assert_accepts(&[&kept, &lost]).await;
    }
    place.execute(&delete).await;
    for node in &nodes {
        node.pats.poll_changes().await.expect("a poll");
        node.assert_accepts(&[&lost]).await;
    }
    nodes[0].pats.after_restore([]).await.expect("a repair");
    nodes[0].assert_refuses(&[&lost]).await;
    nodes[1].pats.poll_changes().await.expect("a poll");
    for node in nodes {
        node.assert_refuses(&[&lost]).await;
        node.assert_accepts(&[&kept]).await;
        node.stop().await;
    }
}

fn seqs(events: &[Event]) -> Vec<u64> {
    let seqs = events.iter().map(|event| event.row.expect("a row").seq);
    seqs.collect()
}

/// On a database at this URL, of which `save` makes a backup.
async fn repeat(url: &str, save: impl AsyncFn(), restore: impl AsyncFn()) {
    let node = Node::start(url).await;
    let [kept, revoked, old, ended, ending] = [
        node.create("alice").await,
        node.create("alice").await,
        node.create("bob").await,
        node.create("bob").await,
        node.create("alice").await,
    ];
    node.revoke(&old).await;
    save().await;
    let pending = node.notify().await;
    node.revoke(&revoked).await;
    let [lost, lost_and_revoked] = [node.create("bob").await, node.create("bob").await];
    node.revoke(&lost_and_revoked).await;
    let successors = [
        node.replace(&ended, Duration::ZERO).await,
        // Twice, as after a lost answer.
        node.replace(&ending, HOUR).await,
        node.replace(&ending, HOUR).await,
    ];
    let ends_at = node.find(&ending).await.expires_at;
    // What the host has read of the events.
    let archive = node.events(0).await.expect("events");
    let read_to = seqs(&archive).last().copied().expect("an event");
    node.assert_refuses(&[&old, &revoked, &lost_and_revoked, &ended])
        .await;
    node.assert_accepts(&[&kept, &lost, &ending]).await;
    node.stop().await;
    restore().await;

    let [node, other] = [Node::start(url).await, Node::start(url).await];
    // By their IDs a receiver recognizes them.
    assert_eq!((pending.len(), node.notify().await), (5, pending));
    // So it is without the call; and a reader of events is told.
    for node in [&node, &other] {
        node.assert_accepts(&[&kept, &revoked, &ended, &ending])
            .await;
        let found = node.find(&ending).await;
        assert_eq!(found.expires_at, ending.token.expires_at);
        assert_eq!(found.replaced, None);
        node.assert_refuses(&[&old, &lost]).await;
        let refused = node.events(read_to).await;
        assert!(
            matches!(refused, Err(AdminError::UnknownEventNumber { .. })),
            "{refused:?}"
        );
    }
    let restored = node
        .pats
        .after_restore(archive.clone())
        .await
        .expect("a repair");
    assert_eq!((restored.revoked, restored.replaced), (1, 2));
    assert_eq!(restored.missing_events, 0);
    let of_lost: Vec<(TokenId, Owner)> = restored
        .lost
        .iter()
        .map(|token| (token.id, token.owner.clone()))
        .collect();
    let expected = std::iter::once(&lost.token).chain(successors.iter().map(|new| &new.token));
    let expected: Vec<_> = expected
        .map(|token| (token.id, token.owner.clone()))
        .collect();
    assert_eq!(of_lost, expected);
    other.pats.poll_changes().await.expect("a poll");
    for node in [&node, &other] {
        node.assert_accepts(&[&kept, &ending]).await;
        node.assert_refuses(&[&revoked, &old, &lost, &lost_and_revoked, &ended])
            .await;
        assert_eq!(node.find(&ending).await.expires_at, ends_at);
    }
    // A reader that goes on where it was misses nothing.
    let new = node.create("bob").await;
    node.assert_accepts(&[&new]).await;
    assert_eq!(
        seqs(&node.events(read_to).await.expect("events")),
        [read_to + 1, read_to + 2, read_to + 3, read_to + 4]
    );
    // Once more, as after an outage in the middle; the new token stays.
    let again = other.pats.after_restore(archive).await.expect("a repair");
    let counts = [again.revoked, again.replaced, again.missing_events];
    assert_eq!(counts, [0, 0, 0]);
    other.assert_accepts(&[&kept, &new]).await;
    for node in [node, other] {
        node.stop().await;
    }
}

/// A client of the example server.
struct Client {
    server: Process,
    http: reqwest::Client,
}

impl Client {
    fn of(server: Process) -> Self {
        Self {
            server,
            http: client(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.base)
    }

    /// Returns a new token of alice's, and its ID.
    async fn create(&self) -> (String, i64) {
        let body = json!({"name": "ci", "expirationDuration": 90});
        let request = self.http.post(self.url(TOKENS)).json(&body);
        let created = answer(request.basic_auth("alice", Some("alice")))
            .await
            .json();
        let raw = created["rawToken"].as_str().expect("a token").to_owned();
        (raw, created["id"].as_i64().expect("an ID"))
    }

    /// Replaces a token of alice's, which ends at once.
    async fn replace(&self, id: i64) -> i64 {
        let request = self.http.post(self.url(&format!("{TOKENS}/{id}/rotate")));
        let request = request.json(&json!({"overlapSeconds": 0}));
        let replaced = answer(request.basic_auth("alice", Some("alice"))).await;
        replaced.json()["id"].as_i64().expect("an ID")
    }

    async fn revoke(&self, id: i64) {
        let request = self.http.delete(self.url(&format!("{TOKENS}/{id}")));
        let revoked = answer(request.basic_auth("alice", Some("alice"))).await;
        assert_eq!(revoked.status, StatusCode::NO_CONTENT);
    }

    async fn status(&self, raw: &str) -> StatusCode {
        answer(self.http.get(self.url(TOKENS)).bearer_auth(raw))
            .await
            .status
    }

    async fn events(&self) -> String {
        let request = self.http.get(self.url("/rest/pat/latest/admin/events"));
        let events = request.basic_auth("admin", Some("admin")).send().await;
        events.expect("an answer").text().await.expect("lines")
    }
}

async fn the_server_repeats_revocations_from_a_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = |name: &str| folder.path().join(name);
    let mut client = Client::of(Process::start(folder.path(), &[]));
    let (kept, _) = client.create().await;
    let (revoked, id) = client.create().await;
    let (replaced, replaced_id) = client.create().await;
    assert!(client.server.terminate(), "a good end");
    std::fs::copy(file("pat.db"), file("backup.db")).expect("a backup");

    let mut client = Client::of(Process::start(folder.path(), &[]));
    client.revoke(id).await;
    let successor = client.replace(replaced_id).await;
    let (lost, lost_id) = client.create().await;
    let events = client.events().await;
    let newest: Value = events
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .expect("an event");
    assert_eq!(newest["event"], "created");
    std::fs::write(file("events.ndjson"), &events).expect("a file");
    assert!(client.server.terminate(), "a good end");
    std::fs::copy(file("backup.db"), file("pat.db")).expect("the backup");

    let log = std::fs::File::create(file("log")).expect("a file");
    let arguments = ["--log", "off", "--after-restore", "events.ndjson"].map(str::to_owned);
    let mut client = Client::of(Process::start_usual(folder.path(), &arguments, log));
    assert_eq!(client.status(&kept).await, StatusCode::OK);
    for refused in [&revoked, &lost, &replaced] {
        assert_eq!(client.status(refused).await, StatusCode::UNAUTHORIZED);
    }
    assert!(client.server.terminate(), "a good end");
    let said = std::fs::read_to_string(file("log")).expect("a file");
    for part in [
        "1 tokens revoked again, 0 disabled, 1 replaced",
        "2 tokens were created after the backup",
        &format!("{lost_id} of alice"),
        &format!("{successor} of alice"),
        "Revocations after",
    ] {
        assert!(said.contains(part), "{part} in {said}");
    }
    assert!(!said.contains("missing"), "{said}");
}

async fn a_file_that_has_other_lines_is_refused() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = r#"{"seq":1,"id":2,"at":"2026-02-26T22:42:21.247+00:00","event":"first-used","tokenId":1,"userKey":"alice"}"#;
    std::fs::write(folder.path().join("events"), format!("{good}\n\n{{}}\n")).expect("a file");
    for (file, part) in [
        ("events", "line 3: not an audit event"),
        ("nowhere", "No such file"),
    ] {
        let mut command = command(folder.path());
        command.args([
            "--listen",
            "127.0.0.1:0",
            "--log",
            "off",
            "--after-restore",
            file,
        ]);
        let (code, said) = run_to_end(&mut command);
        assert_eq!(code, Some(2), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(said.contains(file) && said.contains(part), "{said}");
    }
}
