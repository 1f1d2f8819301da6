//! The operator's commands, each as a process of the example server, beside others that serve or alone.

mod doctor;
mod secrets;

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use libtest_mimic::Trial;
use pat_core::format::FormatName;
use pat_core::store::SCHEMA_VERSION;
use pat_harness::database::{AnyDatabase, trials_on_all};
use pat_harness::process::{Process, command};
use pat_harness::{PROJECTS, TOKENS, answer, client, trial};
use reqwest::StatusCode;
use serde_json::{Value, json};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = vec![
        trial(rows_of_a_file_authenticate_on_a_running_server),
        trial(settings_are_shown_as_the_server_reads_them),
        trial(bad_input_is_one_line_and_changes_nothing),
        trial(each_command_has_a_help_with_an_example),
        trial(the_sql_is_printed_without_a_server),
        trial(a_name_can_be_listened_on),
        trial(a_property_that_is_given_twice_is_warned_of),
    ];
    trials.extend(trials_on_all(a_running_server_learns_of_a_command_in_time));
    trials.extend(trials_on_all(the_exit_code_tells_whether_to_migrate));
    trials.extend(doctor::trials());
    trials.extend(secrets::trials());
    trials
}

/// What a command has printed, and its exit code.
#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("JSON: {self:?}"))
    }

    #[track_caller]
    fn ended(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }
}

/// Runs a command on the database of this URL.
fn run_on(url: &str, folder: &Path, arguments: &[&str], input: &str) -> Ran {
    let mut command = command(folder);
    command.env("DATABASE_URL", url).env("USER", "ops");
    let mut child = command
        .args(arguments)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a process");
    let mut stdin = child.stdin.take().expect("its input");
    // A command that ends without reading it closes it.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    Ran {
        code: output.status.code(),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

/// Runs a command on the database `pat.db` in this folder.
fn run(folder: &Path, arguments: &[&str], input: &str) -> Ran {
    run_on("sqlite:pat.db", folder, arguments, input)
}

struct Created {
    id: String,
    raw: String,
}

async fn create(server: &Process, user: &str) -> Created {
    let request = client().post(format!("{}{TOKENS}", server.base));
    let request = request.basic_auth(user, Some(user));
    let request = request.json(&json!({"name": "ci", "expirationDuration": 90}));
    let created = answer(request).await.created();
    Created {
        id: created.id.to_string(),
        raw: created.raw,
    }
}

async fn try_token(server: &Process, raw: &str) -> StatusCode {
    let request = client().get(format!("{}{PROJECTS}", server.base));
    answer(request.bearer_auth(raw)).await.status
}

/// Beside one server that waits for the cluster, and one that does not.
async fn a_running_server_learns_of_a_command_in_time(database: AnyDatabase) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = database.url();
    for wait in ["none", "cluster"] {
        let wait_for = format!("-Dpat.revocation.wait={wait}");
        let server = Process::start(
            folder.path(),
            &[
                "--database-url",
                &url,
                &wait_for,
                "-Dpat.admin.enabled=false",
            ],
        );
        let (revoked, kept) = (create(&server, "alice").await, create(&server, "bob").await);
        let rotated = create(&server, "bob").await;
        for token in [&revoked, &kept, &rotated] {
            assert_eq!(try_token(&server, &token.raw).await, StatusCode::OK);
        }
        let run = |arguments: &[&str], input: &str| {
            let arguments = [&[&*wait_for, "-Dpat.admin.enabled=false"], arguments].concat();
            run_on(&url, folder.path(), &arguments, input)
        };
        let listed = run(
            &["tokens", "list", "--owner", "alice", "--format", "json"],
            "",
        );
        let listed = listed.ended(0).json();
        assert_eq!(listed[0]["id"].to_string(), revoked.id, "{listed}");
        let identified = run(&["tokens", "identify", "--format", "json"], &kept.raw);
        let identified = identified.ended(0).json();
        assert_eq!(
            (&identified["owner"], identified["id"].to_string()),
            (&json!("bob"), kept.id)
        );
        let replaced = run(&["tokens", "rotate", "--overlap", "3600"], &rotated.raw).ended(0);
        assert_eq!(
            try_token(&server, replaced.out.trim()).await,
            StatusCode::OK
        );
        run(&["doctor"], "").ended(0);
        let revoke = ["tokens", "revoke", &revoked.id, "--yes", "--reason", "leak"];
        assert_eq!(run(&revoke, "").ended(0).out, "Revoked 1 token.\n");
        if wait == "none" {
            // `pat.auth.max.staleness.ms`.
            tokio::time::sleep(Duration::from_secs(2)).await;
        }
        assert_eq!(
            try_token(&server, &revoked.raw).await,
            StatusCode::UNAUTHORIZED,
            "{wait}"
        );
        assert_eq!(try_token(&server, &kept.raw).await, StatusCode::OK);
        let shown = run(&["tokens", "identify", "--format", "json"], &revoked.raw)
            .ended(0)
            .json();
        assert_eq!(
            (&shown["revokedBy"], &shown["revokeReason"]),
            (&json!("command:ops"), &json!("leak"))
        );
        // No command has become a node, for which revocations would wait.
        assert_eq!(database.number("SELECT COUNT(*) FROM pat_node").await, 1);
        let events = "SELECT COUNT(*) FROM pat_event WHERE revoked_by = 'command:ops'";
        assert!(database.number(events).await >= 1);
        let mut server = server;
        assert!(server.terminate(), "the server ends well");
        run(&["tokens", "revoke", "--owner", "bob", "--yes"], "").ended(0);
    }
}

async fn the_exit_code_tells_whether_to_migrate(database: AnyDatabase) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = database.url();
    let run = |arguments: &[&str]| run_on(&url, folder.path(), arguments, "");
    let behind = run(&["migrate", "--check"]).ended(3);
    assert!(
        behind.out.starts_with("The tables lack 0001_tokens, "),
        "{behind:?}"
    );
    // Commands other than `migrate` change no table.
    for arguments in [&["tokens", "list"][..], &["tokens", "revoke", "1", "--yes"]] {
        let refused = run(arguments).ended(2);
        assert!(refused.err.starts_with("error: "), "{refused:?}");
    }
    run(&["doctor"]).ended(1);
    run(&["migrate", "--check"]).ended(3);
    let printed = run(&["migrate", "--print", "--to", "6"]).ended(0).out;
    if let AnyDatabase::Sqlite(folder) = &database {
        // The file that a server would create.
        let options = folder.path().join("pat.db");
        std::fs::File::create(options).expect("a file");
    }
    database.execute(&printed).await;
    let behind = run(&["migrate", "--check"]).ended(3);
    assert!(
        behind.out.starts_with("The tables lack 0007_scopes, "),
        "{behind:?}"
    );
    let migrated = run(&["migrate"]).ended(0);
    assert!(
        migrated.out.starts_with("Applied 0007_scopes, "),
        "{migrated:?}"
    );
    run(&["migrate", "--check"]).ended(0);
    run(&["migrate"]).ended(0);
    run(&["tokens", "list"]).ended(0);
    database.execute("UPDATE pat_clock SET version = 99").await;
    run(&["migrate", "--check"]).ended(4);
    run(&["migrate"]).ended(0);
    run(&["tokens", "list"]).ended(0);
    database
        .execute("UPDATE pat_clock SET readable_from = 99")
        .await;
    for arguments in [
        &["migrate", "--check"][..],
        &["migrate"],
        &["tokens", "list"],
    ] {
        let refused = run(arguments).ended(2);
        assert!(refused.err.contains("version 99"), "{refused:?}");
    }
}

async fn the_sql_is_printed_without_a_server() {
    let folder = tempfile::tempdir().expect("a folder");
    for (url, engine, expected) in [
        ("postgres://alice:s3cret@127.0.0.1:1/x", &[][..], "BYTEA"),
        ("sqlite:missing.db", &["--engine", "mysql"], "utf8mb4"),
        ("sqlite:missing.db", &[], "BLOB"),
    ] {
        let arguments = [&["migrate", "--print"], engine].concat();
        let printed = run_on(url, folder.path(), &arguments, "").ended(0);
        assert!(printed.out.contains(expected), "{url} {engine:?}");
        for version in 1..=SCHEMA_VERSION {
            assert!(printed.out.contains(&format!("\n-- {version:04}_")) || version == 1);
        }
    }
    assert_eq!(
        std::fs::read_dir(folder.path()).expect("a folder").count(),
        0
    );
}

async fn rows_of_a_file_authenticate_on_a_running_server() {
    let folder = tempfile::tempdir().expect("a folder");
    let accepted = "-Dpat.token.accepted=prefixed:acme";
    let server = Process::start(folder.path(), &[accepted]);
    let format: FormatName = "prefixed:acme".parse().expect("a format");
    let format = format.format();
    let keys: Vec<_> = (0..1_200)
        .map(|_| format.generate().expect("a key"))
        .collect();
    let mut rows = "sha256,owner,name,createdAt,example\n".to_owned();
    let example = format.generate().expect("a key");
    for key in &keys {
        let digest = key.digest();
        for byte in digest.as_bytes() {
            write!(rows, "{byte:02x}").expect("a string");
        }
        let example = example.expose();
        writeln!(rows, ",alice,ci,2024-01-01T00:00:00Z,{example}").expect("a string");
    }
    std::fs::write(folder.path().join("keys.csv"), &rows).expect("a file");
    let import = [accepted, "import", "keys.csv"];
    let imported = run(folder.path(), &import, "").ended(0);
    assert_eq!(
        imported.out,
        "1200 rows: 1200 imported, 0 skipped as present, 0 refused\n"
    );
    for key in [&keys[0], &keys[1_199]] {
        assert_eq!(try_token(&server, key.expose()).await, StatusCode::OK);
    }
    let again = run(folder.path(), &import, "").ended(0);
    assert_eq!(
        again.out,
        "1200 rows: 0 imported, 1200 skipped as present, 0 refused\n"
    );
    // Without the format, the rows would be tokens that no server accepts.
    let input = ["import", "-", "--format", "csv", "--refused", "refused.csv"];
    let refused = run(folder.path(), &input, &rows).ended(1);
    assert!(refused.out.ends_with("1200 refused\n"), "{refused:?}");
    let listed = std::fs::read_to_string(folder.path().join("refused.csv")).expect("a file");
    assert_eq!(listed.lines().count(), 1_201);
}

async fn settings_are_shown_as_the_server_reads_them() {
    let folder = tempfile::tempdir().expect("a folder");
    let check = |arguments: &[&str]| {
        let mut command = command(folder.path());
        command.env("PAT_REALM", "Acme").args(arguments);
        let output = command.output().expect("its output");
        Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    };
    let good = check(&[
        "--listen",
        "localhost:21611",
        "-Datlassian.pats.max.tokens.per.user=7",
        "check-config",
    ]);
    let good = good.ended(0);
    for line in [
        "pat.realm=Acme",
        "(the variable PAT_REALM)",
        "atlassian.pats.max.tokens.per.user=7",
        "(-D)",
        "pat.base.url=http://127.0.0.1:21611",
        "(--listen)",
        "(default)",
    ] {
        assert!(good.out.contains(line), "{line} in {}", good.out);
    }
    let bad = [
        "-Dx",
        "-D=5",
        "-Dmax.tokens.per.user=5",
        "-Dpat.auth.max.staleness.ms=100",
    ];
    let all = check(&[&bad[..], &["check-config", "--set"]].concat()).ended(1);
    let errors: Vec<_> = all
        .err
        .lines()
        .filter(|line| line.starts_with("error: "))
        .collect();
    for (error, part) in errors.iter().zip([
        "NAME=VALUE",
        "NAME=VALUE",
        "did you mean atlassian.pats.max.tokens.per.user?",
        "contradicts pat.auth.max.staleness.ms=100",
    ]) {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert_eq!(errors.len(), 4, "{all:?}");
    // The server does not start with the first of them.
    let server = check(&bad).ended(2);
    assert_eq!(server.err.trim(), errors[0]);
    assert!(
        !folder.path().join("pat.db").exists(),
        "no database was opened"
    );
}

async fn bad_input_is_one_line_and_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    run(folder.path(), &["migrate"], "").ended(0);
    std::fs::write(folder.path().join("bad.csv"), "owner\nalice\n").expect("a file");
    let table: &[(&[&str], &str)] = &[
        (&["migrate", "--print", "--check"], "cannot be used with"),
        (
            &["migrate", "--print", "--from", "2", "--to", "1"],
            "migrations only go up",
        ),
        (
            &["migrate", "--print", "--engine", "oracle"],
            "give sqlite, postgres or mysql",
        ),
        (&["migrate", "--from", "1"], "--print"),
        (&["tokens"], "subcommand"),
        (&["tokens", "list", "--status", "odd"], "expires-soon"),
        (
            &["tokens", "list", "--created-after", "yesterday"],
            "2026-01-31",
        ),
        (&["tokens", "list", "--limit", "0"], "--limit"),
        (&["tokens", "list", "--owner", ""], "--owner"),
        (&["tokens", "list", "--scope", "A"], "--scope"),
        (&["tokens", "revoke", "x", "--yes"], "ID"),
        (
            &["tokens", "revoke", "--yes"],
            "give the IDs of the tokens, or a filter",
        ),
        (&["tokens", "revoke", "7", "--yes"], "no token has the ID 7"),
        (&["tokens", "identify"], "the standard input has no token"),
        (&["tokens", "rotate", "--overlap", "soon"], "--overlap"),
        (&["tokens", "rotate"], "the standard input has no token"),
        (&["import"], "<FILE>"),
        (&["import", "missing.csv"], "missing.csv"),
        (&["import", "bad.csv"], "lacks the column sha256"),
        (&["import", "bad.txt"], "give --format"),
        (&["check-config", "--format", "xml"], "json"),
        (&["doctor", "--format", "xml"], "json"),
        (
            &["check-config", "-Dpat.realm=x"],
            "-D is an option of the server; give it before the command",
        ),
        (
            &["doctor", "--smtp-url", "x"],
            "--smtp-url is an option of the server",
        ),
        (&["doctor", "more"], "more"),
        (&["doktor"], "similar"),
    ];
    for (arguments, expected) in table {
        let ran = run(folder.path(), arguments, "").ended(2);
        assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
        assert!(
            ran.err.starts_with("error: ") && ran.err.contains(expected),
            "{arguments:?}: {ran:?}"
        );
        assert_eq!(ran.out, "", "{arguments:?}");
    }
    // A terminal is needed to ask.
    let server = Process::start(folder.path(), &[]);
    let token = create(&server, "alice").await;
    let refused = run(
        folder.path(),
        &["tokens", "revoke", "--owner", "alice"],
        "1\n",
    )
    .ended(2);
    assert!(refused.err.contains("give --yes"), "{refused:?}");
    assert_eq!(try_token(&server, &token.raw).await, StatusCode::OK);
    for url in [
        "postgres://alice:s3cret@127.0.0.1:1/x",
        "mysql://alice:s3cret@127.0.0.1:1/x",
    ] {
        for arguments in [
            &["tokens", "list"][..],
            &["migrate", "--check"],
            &["migrate"],
            &["doctor"],
        ] {
            let ran = run_on(url, folder.path(), arguments, "");
            assert!(
                ran.code.is_some_and(|code| code == 1 || code == 2),
                "{ran:?}"
            );
            assert!(!format!("{ran:?}").contains("s3cret"), "{ran:?}");
        }
    }
}

async fn each_command_has_a_help_with_an_example() {
    let folder = tempfile::tempdir().expect("a folder");
    for (arguments, parts) in [
        (
            &[][..],
            &[
                "PAT_LISTEN",
                "DATABASE_URL",
                "PAT_SMTP_URL",
                "PAT_MAIL_FROM",
                "PAT_LOG",
                "localhost:3999",
            ][..],
        ),
        (&["migrate"], &["migrate --check"]),
        (&["tokens", "list"], &["tokens list --owner alice"]),
        (&["tokens", "revoke"], &["tokens revoke"]),
        (&["tokens", "identify"], &["tokens identify <"]),
        (&["tokens", "rotate"], &["tokens rotate --output"]),
        (&["import"], &["import keys.csv"]),
        (&["check-config"], &["check-config"]),
        (&["doctor"], &["doctor --send-to"]),
    ] {
        let arguments = [arguments, &["--help"]].concat();
        let help = run(folder.path(), &arguments, "").ended(0).out;
        for part in parts {
            assert!(
                help.contains(part) && help.contains("Example"),
                "{part} in {help}"
            );
        }
    }
}

async fn a_name_can_be_listened_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = command(folder.path());
    command.args(["--log", "error", "--listen", "localhost:0"]);
    let server = Process::try_spawn(command.stderr(Stdio::inherit())).expect("a greeting");
    let token = create(&server, "alice").await;
    assert_eq!(try_token(&server, &token.raw).await, StatusCode::OK);
}

async fn a_property_that_is_given_twice_is_warned_of() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("log");
    let arguments = ["-Dpat.realm=a", "-Dpat.realm=b"].map(str::to_owned);
    let log = std::fs::File::create(&path).expect("a file");
    let server = Process::start_usual(folder.path(), &arguments, log);
    drop(server);
    let log = std::fs::read_to_string(&path).expect("a log");
    assert!(
        log.contains("-D: pat.realm is given twice, as \"a\" and as \"b\"; the last one counts"),
        "{log}"
    );
}
