//! The commands on a store in memory. The tests of the repository run them as processes of the example server.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use serde_json::{Value, json};

use super::*;
use crate::caller::Caller;
use crate::event::EventKind;
use crate::memory::MemoryStore;
use crate::notification::{Notification, NotifyError};
use crate::policy::TokenRequest;
use crate::service::CreatedToken;
use crate::settings::Settings;
use crate::store::{AuditStore as _, SCHEMA_VERSION, TokenStore as _};
use crate::testing::{RecordingNotifier, TestClock, TestDirectory};
use crate::token::TokenDigest;

#[derive(Debug, Parser)]
struct Host {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl io::Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("a lock").write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Output {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("a lock").clone()).expect("text")
    }
}

/// What a command has printed, and its exit code.
#[derive(Debug)]
struct Run {
    code: ExitCode,
    out: String,
    err: String,
}

impl Run {
    fn is(&self, exit: Exit) -> bool {
        self.code == ExitCode::from(exit as u8)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect("JSON")
    }
}

struct Fixture {
    store: Arc<MemoryStore>,
    pats: Pats,
    clock: Arc<TestClock>,
}

impl Fixture {
    fn new() -> Self {
        Self::with(Settings::default())
    }

    fn with(settings: Settings) -> Self {
        let (store, clock) = (Arc::<MemoryStore>::default(), Arc::<TestClock>::default());
        let directory = TestDirectory::default();
        for user in ["alice", "bob"] {
            directory.add(user);
        }
        let pats = Pats::builder(store.clone())
            .users(Arc::new(directory))
            .settings(settings)
            .clock(clock.clone())
            .build();
        Self { store, pats, clock }
    }

    async fn create(&self, owner: &str, name: &str) -> CreatedToken {
        let caller = Caller::header_authenticated(owner.parse().expect("an owner"));
        let request = TokenRequest::new(name, Some(90));
        self.pats.create(&caller, request).await.expect("a token")
    }

    fn commands(&self) -> Commands {
        let pats = self.pats.clone();
        Commands::new(async move || Ok(pats))
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Run {
        run(self.commands(), arguments, input).await
    }

    async fn is_valid(&self, created: &CreatedToken) -> bool {
        let presented = created.plain.expose().as_bytes();
        self.pats.authenticate(presented).await.is_ok()
    }
}

async fn run(commands: Commands, arguments: &[&str], input: &str) -> Run {
    let host = Host::try_parse_from(["host"].iter().chain(arguments));
    let command = host.unwrap_or_else(|error| panic!("{error}")).command;
    let (out, err) = (Output::default(), Output::default());
    let input = io::Cursor::new(input.to_owned().into_bytes());
    let terminal = Terminal::new(input, out.clone(), err.clone());
    let code = commands.run(command, terminal).await;
    Run {
        code,
        out: out.text(),
        err: err.text(),
    }
}

#[test]
fn each_command_has_a_help_with_an_example() {
    use clap::CommandFactory as _;
    fn check(command: &mut clap::Command) {
        if !command.has_subcommands() {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{help}");
        }
        for sub in command.get_subcommands_mut() {
            if sub.get_name() != "help" {
                check(sub);
            }
        }
    }
    let mut host = Host::command();
    host.clone().debug_assert();
    check(&mut host);
}

#[tokio::test]
async fn a_secret_that_is_given_as_an_argument_is_refused_and_not_shown() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let secret = created.plain.expose();
    for command in ["identify", "rotate"] {
        for more in [&[secret][..], &["token", secret]] {
            let run = fixture
                .run(&[&["tokens", command], more].concat(), secret)
                .await;
            assert!(run.is(Exit::Failed) && run.out.is_empty(), "{run:?}");
            assert!(
                run.err.contains("to its standard input") && !run.err.contains(secret),
                "{run:?}"
            );
        }
    }
}

#[tokio::test]
async fn tokens_are_listed_by_filter_as_table_and_as_json() {
    let fixture = Fixture::new();
    let ci = fixture.create("alice", "ci").await;
    let backup = fixture.create("bob", "backup").await;
    let table = fixture
        .run(&["tokens", "list", "--owner", "alice"], "")
        .await;
    assert!(table.is(Exit::Done) && table.err.is_empty(), "{table:?}");
    let lines: Vec<_> = table.out.lines().collect();
    assert!(lines.len() == 2 && lines[0].starts_with("ID "), "{lines:?}");
    for part in [&*ci.token.id.to_string(), "alice", "ci", "active", "never"] {
        assert!(lines[1].contains(part), "{part} in {}", lines[1]);
    }
    let listed = async |more: &[&str]| {
        let arguments = [&["tokens", "list", "--format", "json"], more].concat();
        let run = fixture.run(&arguments, "").await;
        assert!(run.is(Exit::Done), "{run:?}");
        let ids = run.json();
        let ids = ids.as_array().expect("a list").iter();
        ids.map(|token| token["id"].as_i64().expect("an ID"))
            .collect::<Vec<_>>()
    };
    let (ci, backup) = (ci.token.id.get(), backup.token.id.get());
    for (filter, expected) in [
        (&["--sort", "name"][..], &[backup, ci][..]),
        (&["--sort", "name", "--descending"], &[ci, backup]),
        (&["--sort", "name", "--limit", "1"], &[backup]),
        (&["--name", "BACK"], &[backup]),
        (&["--status", "active", "--owner", "bob"], &[backup]),
        (&["--status", "revoked"], &[]),
        (&["--never-used", "--name", "ci"], &[ci]),
        (&["--never-expires"], &[]),
        (
            &["--expires-within", "90", "--name", "c", "--owner", "alice"],
            &[ci],
        ),
        (&["--expires-within", "89"], &[]),
        (&["--unused-for", "1"], &[]),
        (&["--created-before", "2020-01-01"], &[]),
        (&["--created-after", "2020-01-01", "--name", "ci"], &[ci]),
    ] {
        assert_eq!(listed(filter).await, expected, "{filter:?}");
    }
    let run = fixture.run(&["tokens", "list", "--scope", "A B"], "").await;
    assert!(
        run.is(Exit::Failed) && run.err.starts_with("error: --scope"),
        "{run:?}"
    );
}

#[tokio::test]
async fn more_tokens_than_a_page_are_listed_each_once() {
    let settings = Settings::builder().max_tokens_per_user(2_000).build();
    let fixture = Fixture::with(settings.expect("settings"));
    for _ in 0..1_001 {
        fixture.create("alice", "ci").await;
    }
    for (limit, expected) in [(None, 1_001), (Some("501"), 501), (Some("500"), 500)] {
        let limit: Vec<_> = limit.iter().flat_map(|limit| ["--limit", limit]).collect();
        let arguments = [&["tokens", "list", "--format", "json"], &limit[..]].concat();
        let listed = fixture.run(&arguments, "").await.json();
        let ids = listed.as_array().expect("a list").iter();
        let ids: std::collections::BTreeSet<_> = ids.map(|token| token["id"].as_i64()).collect();
        assert_eq!(ids.len(), expected);
        let arguments = [&["tokens", "list"], &limit[..]].concat();
        let table = fixture.run(&arguments, "").await.out;
        assert_eq!(table.lines().count(), 1 + expected);
    }
}

#[tokio::test]
async fn a_revocation_asks_and_names_the_operator() {
    let fixture = Fixture::new();
    let (one, two) = (
        fixture.create("alice", "one").await,
        fixture.create("alice", "two").await,
    );
    let other = fixture.create("bob", "other").await;
    let revoke = [
        "tokens", "revoke", "--owner", "alice", "--reason", "leak", "--actor", "root",
    ];
    for declined in ["1\n", "\n", "yes\n", ""] {
        let run = fixture.run(&revoke, declined).await;
        assert!(run.is(Exit::LookAfter), "{run:?}");
        assert!(
            run.err.contains("Revoke 2 tokens? Type 2 to confirm:"),
            "{run:?}"
        );
        assert!(run.err.ends_with("Nothing was revoked.\n"), "{run:?}");
    }
    assert!(fixture.is_valid(&one).await && fixture.is_valid(&two).await);
    let run = fixture.run(&revoke, "2\n").await;
    assert!(run.is(Exit::Done), "{run:?}");
    assert_eq!(run.out, "Revoked 2 tokens.\n");
    assert!(run.err.contains("at most 2000 ms more"), "{run:?}");
    assert!(!fixture.is_valid(&one).await && !fixture.is_valid(&two).await);
    assert!(fixture.is_valid(&other).await);
    let token = fixture
        .store
        .find(one.token.id)
        .await
        .expect("an answer")
        .expect("a token");
    assert_eq!(token.revoked_by.expect("a user").as_str(), "command:root");
    assert_eq!(token.revoke_reason.as_deref(), Some("leak"));
    fixture.store.number_events(10).await.expect("numbers");
    let events = fixture.store.events_after(0, 10).await.expect("events");
    let by: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Revoked { by, .. } => by.as_ref().map(ToString::to_string),
            _ => None,
        })
        .collect();
    assert!(
        !by.is_empty() && by.iter().all(|by| by == "command:root"),
        "{by:?}"
    );
    let again = fixture.run(&revoke, "").await;
    assert!(
        again.is(Exit::Done) && again.err.starts_with("No token matches"),
        "{again:?}"
    );
}

#[tokio::test]
async fn tokens_are_revoked_by_id_without_a_question() {
    let fixture = Fixture::new();
    let (one, two) = (
        fixture.create("alice", "one").await,
        fixture.create("alice", "two").await,
    );
    let id = one.token.id.to_string();
    let unknown = fixture
        .run(
            &["tokens", "revoke", &id, "7", "--yes", "--actor", "root"],
            "",
        )
        .await;
    assert!(unknown.is(Exit::Failed), "{unknown:?}");
    assert_eq!(
        unknown.err,
        "error: no token has the ID 7; nothing was revoked\n"
    );
    assert!(fixture.is_valid(&one).await);
    let run = fixture
        .run(&["tokens", "revoke", &id, "--yes", "--actor", "root"], "")
        .await;
    assert!(
        run.is(Exit::Done) && run.out == "Revoked 1 token.\n",
        "{run:?}"
    );
    assert!(!fixture.is_valid(&one).await && fixture.is_valid(&two).await);
}

#[tokio::test]
async fn nothing_is_revoked_without_a_criterion_or_with_a_contradictory_one() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    for (arguments, expected) in [
        (
            &["--actor", "root"][..],
            "give the IDs of the tokens, or a filter",
        ),
        (
            &["7", "--owner", "alice", "--actor", "root"],
            "give IDs or a filter, not both",
        ),
        (
            &["--status", "revoked", "--owner", "alice", "--actor", "root"],
            "these tokens are revoked already",
        ),
        (
            &["--owner", "alice", "--actor", " "],
            "who revokes is not known",
        ),
    ] {
        let arguments = [&["tokens", "revoke", "--yes"], arguments].concat();
        let run = fixture.run(&arguments, "").await;
        assert!(
            run.is(Exit::Failed) && run.err.contains(expected),
            "{run:?}"
        );
    }
    assert!(fixture.is_valid(&created).await);
}

#[tokio::test]
async fn a_secret_is_identified_and_not_shown() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let secret = created.plain.expose();
    let identify = ["tokens", "identify"];
    let run = fixture.run(&identify, &format!("  {secret}\r\nmore")).await;
    assert!(run.is(Exit::Done), "{run:?}");
    for part in [
        &*created.token.id.to_string(),
        "alice",
        "ci",
        "unrestricted",
        "active",
    ] {
        assert!(run.out.contains(part), "{part} in {run:?}");
    }
    assert!(!format!("{run:?}").contains(secret));
    let json = fixture
        .run(&["tokens", "identify", "--format", "json"], secret)
        .await;
    assert_eq!(json.json()["owner"], "alice");
    let unknown = fixture.run(&identify, &format!("{secret}x")).await;
    assert!(
        unknown.is(Exit::LookAfter) && unknown.out.is_empty(),
        "{unknown:?}"
    );
    assert!(!format!("{unknown:?}").contains(secret));
    let empty = fixture.run(&identify, "\n").await;
    assert!(empty.is(Exit::Failed), "{empty:?}");
    assert!(
        empty
            .err
            .starts_with("error: the standard input has no token")
    );
}

#[tokio::test]
async fn a_rotation_writes_the_new_secret_to_the_output_alone() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let old = created.plain.expose();
    let run = fixture
        .run(&["tokens", "rotate", "--overlap", "60"], old)
        .await;
    assert!(run.is(Exit::Done), "{run:?}");
    let new = run.out.trim();
    assert!(new != old && fixture.pats.authenticate(new.as_bytes()).await.is_ok());
    assert!(!run.err.contains(new) && !run.err.contains(old), "{run:?}");
    assert!(run.err.contains("of alice is replaced by"), "{run:?}");
    fixture.clock.advance(Duration::from_secs(61));
    assert!(!fixture.is_valid(&created).await);
    let bad = fixture.run(&["tokens", "rotate"], "pat_nonsense").await;
    assert!(bad.is(Exit::Failed) && bad.out.is_empty(), "{bad:?}");
    assert!(!bad.err.contains("nonsense"), "{bad:?}");
}

#[tokio::test]
async fn a_rotation_replaces_a_file_that_only_the_account_can_read() {
    let fixture = Fixture::new();
    let created = fixture.create("alice", "ci").await;
    let old = created.plain.expose();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("token.txt");
    std::fs::write(&path, old).expect("a file");
    let shown = path.to_str().expect("text");
    let run = fixture
        .run(&["tokens", "rotate", "--output", shown], old)
        .await;
    assert!(run.is(Exit::Done) && run.out.is_empty(), "{run:?}");
    let new = std::fs::read_to_string(&path).expect("a file");
    assert!(
        fixture
            .pats
            .authenticate(new.trim().as_bytes())
            .await
            .is_ok()
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().expect("a file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What cannot be written costs no rotation, and leaves nothing behind.
    let tokens = async || {
        fixture
            .run(&["tokens", "list", "--format", "json"], "")
            .await
            .json()
    };
    let before = tokens().await;
    for bad in [folder.path(), &folder.path().join("missing/token.txt")] {
        let bad = bad.to_str().expect("text");
        let run = fixture
            .run(&["tokens", "rotate", "--output", bad], new.trim())
            .await;
        assert!(
            run.is(Exit::Failed) && run.err.contains("cannot be written"),
            "{run:?}"
        );
    }
    let unknown = fixture
        .run(&["tokens", "rotate", "--output", shown], "pat_x")
        .await;
    assert!(unknown.is(Exit::Failed), "{unknown:?}");
    let strip = |tokens: &Value| tokens.as_array().expect("a list").len();
    assert_eq!(strip(&tokens().await), strip(&before));
    assert_eq!(std::fs::read_to_string(&path).expect("a file"), new);
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        1
    );
}

fn digest(number: u32) -> String {
    let digest = TokenDigest::of(&number.to_le_bytes());
    let digits = digest.as_bytes().iter().map(|byte| format!("{byte:02x}"));
    digits.collect()
}

async fn import(fixture: &Fixture, path: &Path, more: &[&str]) -> Run {
    let arguments = [&["import", path.to_str().expect("text")], more].concat();
    fixture.run(&arguments, "").await
}

#[tokio::test]
async fn rows_are_imported_once_and_refused_ones_can_be_corrected() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, refused) = (
        folder.path().join("keys.csv"),
        folder.path().join("refused.csv"),
    );
    let rows = format!(
        "owner,sha256,name,createdAt,expiresAt,scopes\n\
         alice,{},\"one, and more\",2024-01-01T00:00:00Z,,*\n\
         bob,{},two,1704067200,2999-01-01T00:00:00Z,*\n\
         bob,secret,three,2024-01-01T00:00:00Z,,*\n\
         bob,{},four,2024-01-01T00:00:00Z,,\n\
         bob,{},,2024-01-01T00:00:00Z,,*\n\
         bob,{},six,yesterday,,*\n\
         bob,{},seven,2024-01-01T00:00:00Z,2024-01-02T00:00:00Z,*\n\
         bob,x\n",
        digest(1),
        digest(2),
        digest(4),
        digest(5),
        digest(6),
        digest(7)
    );
    std::fs::write(&path, rows).expect("a file");
    let checked = import(&fixture, &path, &["--check"]).await;
    assert_eq!(checked.out, "8 rows: 5 cannot be read; none was imported\n");
    assert!(!checked.err.contains("secret"), "{checked:?}");
    let refused_text = refused.to_str().expect("text");
    let run = import(&fixture, &path, &["--refused", refused_text]).await;
    assert!(run.is(Exit::LookAfter) && run.err.is_empty(), "{run:?}");
    assert_eq!(
        run.out,
        "8 rows: 2 imported, 0 skipped as present, 6 refused\n"
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    let lines: Vec<_> = listed.lines().collect();
    assert_eq!(
        lines[0],
        "owner,sha256,name,createdAt,expiresAt,scopes,reason"
    );
    for (line, reason) in lines[1..].iter().zip([
        "sha256: give the SHA-256",
        "scopes: give the names",
        "name is missing",
        "yesterday",
        "the token has expired",
        "the row has 2 cells, and the header 6",
    ]) {
        assert!(line.contains(reason), "{reason} in {line}");
    }
    let again = import(&fixture, &path, &[]).await;
    assert!(
        again.out.starts_with("8 rows: 0 imported, 2 skipped"),
        "{again:?}"
    );
    assert!(again.err.starts_with("line 4: sha256"), "{again:?}");
    let corrected = lines[0..2].join("\n").replace("secret", &digest(3));
    std::fs::write(&path, corrected).expect("a file");
    let run = import(&fixture, &path, &[]).await;
    assert_eq!(
        run.out,
        "1 rows: 1 imported, 0 skipped as present, 0 refused\n"
    );
    let listed = fixture
        .run(
            &["tokens", "list", "--sort", "name", "--format", "json"],
            "",
        )
        .await;
    let names: Vec<_> = listed
        .json()
        .as_array()
        .expect("a list")
        .iter()
        .map(|token| token["name"].clone())
        .collect();
    assert_eq!(names, ["one, and more", "three", "two"]);
    // A file that lists refused rows is not overwritten.
    let run = import(&fixture, &path, &["--refused", refused_text]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("--refused"),
        "{run:?}"
    );
}

#[tokio::test]
async fn json_lines_are_imported_and_unknown_names_refused() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let (path, refused) = (
        folder.path().join("keys.jsonl"),
        folder.path().join("refused.jsonl"),
    );
    let row = |number, name: &str, more: Value| {
        let mut row =
            json!({"sha256": digest(number), "owner": 7, "name": name, "createdAt": 1_704_067_200});
        row.as_object_mut()
            .expect("an object")
            .extend(more.as_object().expect("an object").clone());
        row.to_string()
    };
    let rows = [
        row(
            1,
            "one",
            json!({"description": "x", "reason": "an earlier one"}),
        ),
        String::new(),
        row(2, "two", json!({"expiresAtt": "2999-01-01T00:00:00Z"})),
        row(3, "three", json!({"scopes": "read"})),
        "nonsense".to_owned(),
    ];
    std::fs::write(&path, rows.join("\n")).expect("a file");
    let run = import(
        &fixture,
        &path,
        &["--refused", refused.to_str().expect("text")],
    )
    .await;
    assert_eq!(
        run.out,
        "4 rows: 1 imported, 0 skipped as present, 3 refused\n"
    );
    let listed = std::fs::read_to_string(&refused).expect("a file");
    for (line, reason) in listed.lines().zip([
        "no column \"expiresAtt\"",
        "scopes: give a list",
        "no JSON object",
    ]) {
        let json: Value = serde_json::from_str(line).expect("JSON");
        assert!(
            json["reason"].as_str().expect("a reason").contains(reason),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_csv_file_without_the_needed_columns_is_refused_whole() {
    let fixture = Fixture::new();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys.csv");
    for (header, expected) in [
        ("sha256,owner,name", "lacks the column createdAt"),
        (
            "sha256,owner,name,createdAt,expires",
            "no column \"expires\"",
        ),
        ("sha256,owner,name,createdAt,name", "the column name twice"),
        ("", "lacks the column sha256"),
    ] {
        std::fs::write(&path, header).expect("a file");
        let run = import(&fixture, &path, &[]).await;
        assert!(
            run.is(Exit::Failed) && run.err.contains(expected),
            "{run:?}"
        );
    }
    let run = import(&fixture, &folder.path().join("keys.txt"), &[]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("give --format"),
        "{run:?}"
    );
    let run = import(&fixture, &folder.path().join("missing.csv"), &[]).await;
    assert!(
        run.is(Exit::Failed) && run.err.contains("missing.csv"),
        "{run:?}"
    );
}

#[derive(Debug)]
struct Tables(SchemaState);

#[async_trait]
impl Database for Tables {
    fn migrations(&self, engine: Option<&str>) -> Result<Vec<MigrationText>, BoxError> {
        if engine.is_some_and(|engine| engine != "memory") {
            return Err("no such engine".into());
        }
        let text = |version| {
            MigrationText::new(
                version,
                format!("000{version}_x"),
                format!("SQL {version};"),
            )
        };
        Ok((1..=3).map(text).collect())
    }

    async fn state(&self) -> Result<SchemaState, BoxError> {
        Ok(self.0.clone())
    }

    async fn migrate(&self) -> Result<(), BoxError> {
        Ok(())
    }

    async fn diagnose(&self) -> Vec<Finding> {
        vec![Finding::ok("database", "in memory")]
    }
}

#[tokio::test]
async fn the_exit_code_tells_whether_the_tables_are_up_to_date() {
    let missing = vec!["0009_x".to_owned()];
    let ahead = |version, readable_from| SchemaState::Ahead {
        version,
        readable_from,
    };
    for (state, checked, migrated) in [
        (SchemaState::Current, Exit::Done, Exit::Done),
        (SchemaState::Behind { missing }, Exit::Behind, Exit::Done),
        (
            ahead(SCHEMA_VERSION + 1, SCHEMA_VERSION),
            Exit::Ahead,
            Exit::Done,
        ),
        (
            ahead(SCHEMA_VERSION + 1, SCHEMA_VERSION + 1),
            Exit::Failed,
            Exit::Failed,
        ),
    ] {
        let fixture = Fixture::new();
        let commands = || fixture.commands().database(Arc::new(Tables(state.clone())));
        let check = run(commands(), &["migrate", "--check"], "").await;
        assert!(check.is(checked), "{state:?}: {check:?}");
        let migrate = run(commands(), &["migrate"], "").await;
        assert!(migrate.is(migrated), "{state:?}: {migrate:?}");
    }
    let without = Fixture::new().run(&["migrate"], "").await;
    assert!(without.is(Exit::Failed), "{without:?}");
}

#[tokio::test]
async fn the_sql_between_two_versions_is_printed() {
    let fixture = Fixture::new();
    let print = async |more: &[&str]| {
        let commands = fixture
            .commands()
            .database(Arc::new(Tables(SchemaState::Current)));
        run(commands, &[&["migrate", "--print"], more].concat(), "").await
    };
    let all = print(&[]).await;
    assert!(all.is(Exit::Done), "{all:?}");
    assert_eq!(all.out.matches("SQL").count(), 3);
    let one = print(&["--from", "1", "--to", "2", "--engine", "memory"]).await;
    assert_eq!(one.out, "-- 0002_x\n\nSQL 2;\n");
    assert_eq!(print(&["--from", "3"]).await.out, "");
    for bad in [
        &["--from", "2", "--to", "1"][..],
        &["--to", "4"],
        &["--from", "4"],
        &["--engine", "x"],
    ] {
        let run = print(bad).await;
        assert!(
            run.is(Exit::Failed) && run.out.is_empty(),
            "{bad:?}: {run:?}"
        );
    }
}

#[tokio::test]
async fn every_setting_is_shown_with_its_source() {
    let fixture = Fixture::new();
    let good = SettingsSources::new().env([("PAT_REALM", "x")]);
    let show = async |sources: &SettingsSources, more: &[&str]| {
        let commands = fixture.commands().settings(sources.clone());
        run(commands, &[&["check-config"], more].concat(), "").await
    };
    let run = show(&good, &[]).await;
    assert!(run.is(Exit::Done) && run.err.is_empty(), "{run:?}");
    assert_eq!(run.out.lines().count(), Settings::properties().len());
    let set = show(&good, &["--set"]).await.out;
    assert_eq!(set, "pat.realm=x  (the variable PAT_REALM)\n");
    let bad = good.options("-D", ["x", "pat.realm=y", "pat.realm=z", "realm=1"]);
    let run = show(&bad, &["--set"]).await;
    assert!(run.is(Exit::LookAfter), "{run:?}");
    assert_eq!(run.out, "pat.realm=z  (-D)\n");
    assert_eq!(
        run.err
            .lines()
            .filter(|line| line.starts_with("error: -D"))
            .count(),
        2
    );
    assert_eq!(
        run.err
            .lines()
            .filter(|line| line.starts_with("warning: -D"))
            .count(),
        1
    );
    let json = show(&bad, &["--format", "json"]).await.json();
    assert_eq!(json["errors"].as_array().map(Vec::len), Some(2));
    assert_eq!(json["warnings"].as_array().map(Vec::len), Some(1));
}

/// Fails, and shows no secret.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl Notifier for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    async fn send(&self, _: &Notification) -> Result<(), NotifyError> {
        Err(NotifyError::Temporary("no connection".into()))
    }

    async fn diagnose(&self) -> Result<Option<String>, NotifyError> {
        Err(NotifyError::Temporary("no connection".into()))
    }
}

#[async_trait]
impl DoctorCheck for Broken {
    async fn run(&self) -> Vec<Finding> {
        vec![Finding::warning("own", "so so", "do better")]
    }
}

#[tokio::test]
async fn the_doctor_reports_each_check() {
    let fixture = Fixture::new();
    let healthy = fixture
        .commands()
        .database(Arc::new(Tables(SchemaState::Current)));
    let run_ = run(healthy, &["doctor"], "").await;
    assert!(run_.is(Exit::Done), "{run_:?}");
    for part in [
        "ok       settings:",
        "ok       database: in memory",
        "ok       clock:",
        "ok       notifications: 0 wait",
    ] {
        assert!(run_.out.contains(part), "{part} in {}", run_.out);
    }
    assert!(
        run_.out.ends_with("0 failed, 1 warnings\n"),
        "without a notifier: {run_:?}"
    );
    let sick = Commands::new(async || Err("the database is down".into()))
        .settings(SettingsSources::new().options("-D", ["x"]))
        .notifier(Arc::new(Broken))
        .check(Arc::new(Broken));
    let run_ = run(sick, &["doctor", "--format", "json"], "").await;
    assert!(run_.is(Exit::LookAfter), "{run_:?}");
    let findings = run_.json();
    let of = |subject: &str| {
        let mut found = findings.as_array().expect("a list").iter();
        let found = found.find(|finding| finding["subject"] == subject);
        let found = found.unwrap_or_else(|| panic!("{subject} in {findings}"));
        (
            found["level"].clone(),
            found["text"].clone(),
            found["advice"].is_string(),
        )
    };
    for (subject, level, text) in [
        ("service", "failed", "the database is down"),
        (
            "notifier broken",
            "failed",
            "the notification could not be sent now: no connection",
        ),
        ("own", "warning", "so so"),
    ] {
        assert_eq!(of(subject), (json!(level), json!(text), true));
    }
    assert_eq!(of("settings").0, "failed");
}

#[tokio::test]
async fn the_doctor_sends_only_when_it_is_asked_to() {
    let fixture = Fixture::new();
    let mailer = RecordingNotifier::default();
    let commands = || fixture.commands().notifier(Arc::new(mailer.clone()));
    assert!(run(commands(), &["doctor"], "").await.is(Exit::Done));
    assert!(mailer.sent().is_empty());
    let sent = run(commands(), &["doctor", "--send-to", "ops@example.com"], "").await;
    assert!(sent.is(Exit::Done), "{sent:?}");
    let sent: Vec<_> = mailer
        .sent()
        .into_iter()
        .map(|sent| sent.recipient.email)
        .collect();
    assert_eq!(sent, ["ops@example.com"]);
    let nothing = fixture
        .run(&["doctor", "--send-to", "ops@example.com"], "")
        .await;
    assert!(nothing.is(Exit::LookAfter), "{nothing:?}");
}

/// Ends after so many bytes, like `head`.
struct Closed;

impl io::Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_reader_that_has_enough_is_no_error() {
    let fixture = Fixture::new();
    fixture.create("alice", "ci").await;
    let host = Host::parse_from(["host", "tokens", "list"]);
    let err = Output::default();
    let terminal = Terminal::new(io::empty(), Closed, err.clone());
    let code = fixture.commands().run(host.command, terminal).await;
    assert_eq!((code, err.text()), (ExitCode::SUCCESS, String::new()));
}
